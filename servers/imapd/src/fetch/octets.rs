//! Which octets of which messages are loaded for a FETCH, and how many at a time.
//!
//! Small messages are loaded whole, about [`BATCH`] octets in one read. Of a large one of which
//! only parts are asked for (a header, an attachment, a window of either) only those are read.
//! Whatever is more than a little waits for its share of the server's memory before it is loaded.

use std::collections::VecDeque;
use std::sync::Arc;

use imap::response::{ResponseCode, Status, StatusResponse};
use mail::Batch;
use mime::Summary;

use super::page::{Line, Octets, Page};
use super::plan::Plan;
use super::section::Extent;
use super::source::{Reading, Source, entries};
use super::{Lines, Shortfall};
use crate::Server;
use crate::client::{Client, Failure, share};
use crate::io::{FLUSH_AT, Piece};

/// Octets of messages that one read loads.
const BATCH: u64 = 1 << 20;
/// Messages from this size on may be loaded in part.
const LARGE: u64 = 128 * 1024;

/// Answers with octets of messages.
pub(super) struct Bodies {
    server: Arc<Server>,
    reading: Reading,
    steps: VecDeque<Step>,
}

/// What is loaded at a time.
enum Step {
    /// Messages of so many octets together.
    Whole { lines: Vec<Line>, octets: u64 },
    /// The sections of one message.
    Sections {
        line: Line,
        extents: Vec<Option<Extent>>,
        octets: u64,
    },
}

/// What has to be known of a message before it is loaded.
struct Sized {
    line: Line,
    size: u64,
    /// Of a large message that may be loaded in part.
    summary: Option<Vec<u8>>,
}

impl Bodies {
    pub(super) fn new(client: &Client, plan: Arc<Plan>, lines: Lines) -> Self {
        Self {
            server: Arc::clone(&client.server),
            reading: Reading::new(client, plan, lines),
            steps: VecDeque::new(),
        }
    }

    /// Plans the next steps; nothing to plan is the end.
    async fn plan(&mut self) -> Result<(), Failure> {
        let lines = self.reading.take_lines();
        let is_narrow = self.reading.plan.is_narrow();
        let (count, wanted) = (lines.len(), entries(&lines));
        let start = (Vec::with_capacity(count), VecDeque::from(lines));
        let Reading { mail, account, .. } = &self.reading;
        let (sized, _) = mail
            .fold_rows(*account, wanted, start, move |(sized, lines), message| {
                while let Some(line) = lines.pop_front() {
                    if line.entry.uid == message.entry.uid {
                        let size = u64::from(message.size);
                        let summary =
                            (is_narrow && size >= LARGE).then(|| message.summary.to_vec());
                        sized.push(Sized {
                            line,
                            size,
                            summary,
                        });
                        return;
                    }
                }
            })
            .await?;
        self.reading.shortfall.expunged |= sized.len() < count;
        let mut together = (Vec::new(), 0);
        for message in sized {
            match self.sections(&message) {
                Some(step) => {
                    self.load_together(&mut together);
                    self.steps.push_back(step);
                }
                None => {
                    together.0.push(message.line);
                    together.1 += message.size;
                    if together.1 >= BATCH {
                        self.load_together(&mut together);
                    }
                }
            }
        }
        self.load_together(&mut together);
        Ok(())
    }

    fn load_together(&mut self, together: &mut (Vec<Line>, u64)) {
        let (lines, octets) = std::mem::take(together);
        if !lines.is_empty() {
            self.steps.push_back(Step::Whole { lines, octets });
        }
    }

    /// How to load a message in part, if that is worth it.
    fn sections(&self, message: &Sized) -> Option<Step> {
        let summary = Summary::decode(message.summary.as_deref()?).ok()?;
        let sections = self.reading.plan.sections();
        let extents: Vec<_> = sections
            .map(|item| Extent::of(item, &summary.structure, message.size))
            .collect();
        let length = |extent: &Extent| extent.range.end.saturating_sub(extent.range.start);
        let octets = extents.iter().flatten().map(length).sum::<u64>();
        (octets <= message.size / 2).then_some(Step::Sections {
            line: message.line,
            extents,
            octets,
        })
    }

    /// Loads sections one by one and answers the message.
    async fn load_sections(
        &mut self,
        line: Line,
        extents: &[Option<Extent>],
    ) -> Result<Option<Vec<u8>>, Failure> {
        let id = self.reading.lines.snapshot.message_id(&line.entry);
        let mut sections = Vec::with_capacity(extents.len());
        for (extent, item) in extents.iter().zip(self.reading.plan.sections()) {
            let Some(extent) = extent else {
                sections.push(None);
                continue;
            };
            match self
                .reading
                .mail
                .message_range(id, extent.range.clone())
                .await
            {
                Ok(octets) => sections.push(extent.section(octets.into(), item)),
                Err(mail::Error::NoMessage) => {
                    self.reading.shortfall.expunged = true;
                    return Ok(None);
                }
                Err(error) if is_damage(&error) => {
                    self.reading.shortfall.damaged = true;
                    return Ok(None);
                }
                Err(error) => return Err(error.into()),
            }
        }
        let page = self.reading.page(vec![line]);
        let Reading { mail, account, .. } = &self.reading;
        let page = mail
            .fold_rows(*account, vec![line.entry], page, move |page, message| {
                page.add(message, &Octets::Sections(&sections));
            })
            .await?;
        Ok(Some(self.reading.close(page).0))
    }
}

impl Source for Bodies {
    async fn next(&mut self) -> Result<Option<Piece>, Failure> {
        if self.steps.is_empty() {
            self.plan().await?;
        }
        let Some(step) = self.steps.pop_front() else {
            return Ok(None);
        };
        let (Step::Whole { octets, .. } | Step::Sections { octets, .. }) = step;
        let mut held = None;
        if usize::try_from(octets).is_ok_and(|octets| octets > FLUSH_AT) {
            let patience = self.server.limits.budget_timeout;
            held = Some(
                share(&self.server, octets, patience)
                    .await
                    .ok_or_else(busy)?,
            );
        }
        let loaded = match step {
            Step::Sections { line, extents, .. } => self.load_sections(line, &extents).await?,
            Step::Whole { lines, .. } => {
                let single = lines.len() == 1;
                let loaded = whole(&mut self.reading, lines.clone()).await?;
                if loaded.is_none() && !single {
                    // One of them is damaged: the others are answered all the same.
                    for line in lines.into_iter().rev() {
                        self.steps.push_front(Step::Whole {
                            lines: vec![line],
                            octets,
                        });
                    }
                }
                loaded
            }
        };
        Ok(Some(Piece {
            octets: loaded.unwrap_or_default(),
            share: held,
        }))
    }

    fn shortfall(&self) -> Shortfall {
        self.reading.shortfall
    }
}

/// Loads messages whole and answers them; `None` when one of them is damaged, which is noted when
/// it is the only one.
pub(super) async fn whole(
    reading: &mut Reading,
    lines: Vec<Line>,
) -> Result<Option<Vec<u8>>, Failure> {
    let single = lines.len() == 1;
    let batch = Batch {
        wanted: entries(&lines),
        budget: usize::MAX,
    };
    let page: Page = reading.page(lines);
    let loaded = reading
        .mail
        .fold_messages(reading.account, batch, page, |page, message, raw| {
            page.add(message, &Octets::Whole(raw));
        })
        .await;
    match loaded {
        Ok((page, _)) => Ok(Some(reading.close(page).0)),
        Err(error) if is_damage(&error) => {
            if single {
                tracing::error!(%error, "a message is damaged");
                reading.shortfall.damaged = true;
            }
            Ok(None)
        }
        Err(error) => Err(error.into()),
    }
}

fn is_damage(error: &mail::Error) -> bool {
    matches!(
        error,
        mail::Error::Store(store::Error::Damaged { .. } | store::Error::NoBlob(_))
    )
}

/// RFC 5530 §3: there was no memory for the messages.
fn busy() -> StatusResponse {
    StatusResponse::new(Status::No, "Server is busy, try again later")
        .with_code(ResponseCode::Unavailable)
}
