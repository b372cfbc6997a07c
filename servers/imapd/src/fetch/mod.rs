//! FETCH.
//!
//! A command becomes a [`Plan`], which says how much of a message has to be read: nothing beyond
//! the view for flags and UIDs, the stored row for envelopes, structures, dates and sizes, the
//! message itself for sections. What is read is formatted on the store's reader threads, chunk by
//! chunk, and sent while the next chunk is being read.
//!
//! | file | what |
//! |---|---|
//! | `plan.rs` | items as they will be answered |
//! | `page.rs` | formatting a chunk |
//! | `source.rs` | reading chunk by chunk, sending them |
//! | `octets.rs` | which octets of which messages are loaded |
//! | `section.rs` | a section's octets |
//! | `shape.rs` | envelopes and structures as the codec wants them |
//!
//! RFC 9051 §6.4.5, RFC 3501 §6.4.5, RFC 7162 §3.1.4.

mod octets;
mod page;
mod plan;
mod section;
mod shape;
mod source;

use std::sync::Arc;

use imap::By;
use imap::command::Fetch;
use imap::response::{ResponseCode, Status, StatusResponse};
use mail::{Changes, FlagChange, FlagMode, FlagStore, Flags, Snapshot};

use crate::client::{Answer, Client, Failure, done};
use crate::select::Access;
use crate::selected::{Positions, Selected, number};
use crate::updates::Manner;
use octets::Bodies;
use page::{Line, Page};
use plan::{Needs, Plan};
use source::{Rows, pump};

/// How a FETCH went for messages that could not be answered in full.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Shortfall {
    /// Expunged, though the client does not know it yet.
    expunged: bool,
    /// Stored, but not readable.
    damaged: bool,
}

impl Selected {
    /// RFC 9051 §6.4.5.
    pub(crate) async fn fetch(&mut self, client: &mut Client, fetch: Fetch) -> Answer {
        let positions = self.positions(fetch.by, &fetch.set)?;
        let plan = Arc::new(Plan::new(&fetch, client.dialect.mode));
        client.dialect.condstore |= plan.wants_mod_seq();
        let fresh = match plan.sets_seen() && self.access == Access::ReadWrite {
            true => self.set_seen(client, fetch.by, &positions).await?,
            false => Vec::new(),
        };
        let lines = Lines {
            snapshot: Arc::clone(self.view.snapshot()),
            positions: positions.into_iter().flatten(),
            fresh,
            fresh_mod_seq: client.dialect.condstore,
            changed_since: fetch.changed_since.map_or(0, imap::ModSeq::get),
        };
        let shortfall = match plan.needs() {
            Needs::Entry => send_entries(client, &plan, lines).await?,
            Needs::Row => pump(client, Rows::new(client, plan, lines)).await?,
            Needs::Octets => pump(client, Bodies::new(client, plan, lines)).await?,
        };
        Ok(answer(fetch.by, shortfall))
    }

    /// RFC 9051 §6.4.5: who reads a message has seen it. Sets the flag where it is missing, tells
    /// what else has changed, and answers the positions whose flags are to be told with the
    /// message.
    async fn set_seen(
        &mut self,
        client: &mut Client,
        by: By,
        positions: &Positions,
    ) -> Result<Vec<usize>, Failure> {
        let unseen = self
            .entries(positions)
            .filter(|entry| !entry.flags.contains(Flags::SEEN));
        let unseen: imap::UidSet = unseen.map(|entry| entry.uid).collect();
        if unseen.is_empty() {
            return Ok(Vec::new());
        }
        let change = FlagChange {
            mode: FlagMode::Add,
            set: Flags::SEEN.into(),
        };
        let store = FlagStore {
            change,
            unchanged_since: None,
        };
        let (account, mailbox) = (self.view.account(), self.view.mailbox());
        match client
            .server
            .mail
            .set_flags(account, mailbox, &unseen, &store)
            .await
        {
            Ok(_) => {}
            // A full disk must not keep anybody from reading.
            Err(error) => {
                tracing::warn!(session = %client.id, %error, "could not set the Seen flag");
                return Ok(Vec::new());
            }
        }
        let changes = self.refresh(client).await?;
        let is_fetched = |position: &usize| {
            let at = positions.partition_point(|range| range.end <= *position);
            positions
                .get(at)
                .is_some_and(|range| range.contains(position))
        };
        let (fresh, news) = changes
            .flags
            .iter()
            .partition(|position| is_fetched(position));
        let changes = Changes {
            flags: news,
            ..changes
        };
        self.tell(client, &changes, Manner::withholding(by)).await?;
        Ok(fresh)
    }
}

/// RFC 5530 §3, RFC 2180 §4.1: messages that are not there any more make a FETCH by number fail
/// in part; by UID they are none of the client's.
fn answer(by: By, shortfall: Shortfall) -> StatusResponse {
    let no = |code, text| StatusResponse::new(Status::No, text).with_code(code);
    if shortfall.damaged {
        return no(ResponseCode::Corruption, "Some messages are damaged");
    }
    if shortfall.expunged && by == By::Seq {
        return no(
            ResponseCode::ExpungeIssued,
            "Some messages have been expunged",
        );
    }
    done("FETCH")
}

/// The messages of a FETCH, one by one.
struct Lines {
    snapshot: Arc<Snapshot>,
    positions: std::iter::Flatten<std::vec::IntoIter<std::ops::Range<usize>>>,
    /// Positions whose flags are told in any case, ascending.
    fresh: Vec<usize>,
    /// And their mod-sequences.
    fresh_mod_seq: bool,
    /// RFC 7162 §3.1.4.1: messages with this mod-sequence or a smaller one are passed over.
    changed_since: u64,
}

impl Iterator for Lines {
    type Item = Line;

    fn next(&mut self) -> Option<Line> {
        loop {
            let position = self.positions.next()?;
            let entry = *self.snapshot.entries().get(position)?;
            if entry.modseq > self.changed_since || self.changed_since == 0 {
                let fresh = self.fresh.binary_search(&position).is_ok();
                let fresh_mod_seq = fresh && self.fresh_mod_seq;
                return Some(Line {
                    number: number(position)?,
                    entry,
                    fresh,
                    fresh_mod_seq,
                });
            }
        }
    }
}

/// Answers what the view knows.
async fn send_entries(
    client: &mut Client,
    plan: &Plan,
    lines: Lines,
) -> Result<Shortfall, Failure> {
    let snapshot = Arc::clone(&lines.snapshot);
    for line in lines {
        let mut writer = client.writer();
        Page::write_entry(&mut writer, plan, &snapshot, &line).end();
        client.io.flush_if_large().await?;
    }
    Ok(Shortfall::default())
}
