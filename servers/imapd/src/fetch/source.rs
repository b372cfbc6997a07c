//! Reading an answer chunk by chunk, one ahead of the client.

use std::collections::VecDeque;
use std::sync::Arc;

use mail::{Entry, Mail};
use store::AccountId;

use super::octets::whole;
use super::page::{Line, Octets, Page};
use super::plan::Plan;
use super::{Lines, Shortfall};
use crate::client::{Client, Failure};
use crate::io::Piece;

/// Messages whose rows one read looks at.
pub(super) const CHUNK: usize = 256;

/// An answer that comes in pieces.
pub(super) trait Source {
    /// The next piece, read from the store; `None` at the end.
    async fn next(&mut self) -> Result<Option<Piece>, Failure>;

    /// How it went, once all has been read.
    fn shortfall(&self) -> Shortfall;
}

/// Sends an answer: each piece while the next one is being read.
pub(super) async fn pump(
    client: &mut Client,
    mut source: impl Source,
) -> Result<Shortfall, Failure> {
    let mut piece = source.next().await?;
    while let Some(ready) = piece {
        let (sent, next) = tokio::join!(client.io.put(ready), source.next());
        sent?;
        piece = next?;
    }
    Ok(source.shortfall())
}

/// What rows and messages are read with.
pub(super) struct Reading {
    pub(super) mail: Mail,
    pub(super) account: AccountId,
    pub(super) plan: Arc<Plan>,
    pub(super) lines: Lines,
    pub(super) shortfall: Shortfall,
}

impl Reading {
    pub(super) fn new(client: &Client, plan: Arc<Plan>, lines: Lines) -> Self {
        let account = lines.snapshot.account();
        let (mail, shortfall) = (client.server.mail.clone(), Shortfall::default());
        Self {
            mail,
            account,
            plan,
            lines,
            shortfall,
        }
    }

    /// The next lines, at most [`CHUNK`].
    pub(super) fn take_lines(&mut self) -> Vec<Line> {
        self.lines.by_ref().take(CHUNK).collect()
    }

    pub(super) fn page(&self, lines: Vec<Line>) -> Page {
        Page::new(
            Arc::clone(&self.plan),
            Arc::clone(&self.lines.snapshot),
            lines,
        )
    }

    /// The page's octets, its shortfall noted.
    pub(super) fn close(&mut self, page: Page) -> (Vec<u8>, Vec<Line>) {
        let page = page.finish();
        self.shortfall.expunged |= page.missing > 0;
        (page.octets, page.stale)
    }
}

pub(super) fn entries(lines: &[Line]) -> Vec<Entry> {
    lines.iter().map(|line| line.entry).collect()
}

/// Answers from rows alone.
pub(super) struct Rows {
    reading: Reading,
    /// Messages to be parsed again, one by one.
    stale: VecDeque<Line>,
}

impl Rows {
    pub(super) fn new(client: &Client, plan: Arc<Plan>, lines: Lines) -> Self {
        Self {
            reading: Reading::new(client, plan, lines),
            stale: VecDeque::new(),
        }
    }
}

impl Source for Rows {
    async fn next(&mut self) -> Result<Option<Piece>, Failure> {
        if let Some(line) = self.stale.pop_front() {
            let octets = whole(&mut self.reading, vec![line])
                .await?
                .unwrap_or_default();
            return Ok(Some(Piece {
                octets,
                share: None,
            }));
        }
        let lines = self.reading.take_lines();
        if lines.is_empty() {
            return Ok(None);
        }
        let (wanted, page) = (entries(&lines), self.reading.page(lines));
        let Reading { mail, account, .. } = &self.reading;
        let page = mail
            .fold_rows(*account, wanted, page, |page, message| {
                page.add(message, &Octets::None)
            })
            .await?;
        let (octets, stale) = self.reading.close(page);
        self.stale.extend(stale);
        Ok(Some(Piece {
            octets,
            share: None,
        }))
    }

    fn shortfall(&self) -> Shortfall {
        self.reading.shortfall
    }
}
