//! Bulk work in pieces: which UIDs one transaction handles, so that deliveries come in between.

use std::ops::RangeInclusive;

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use imap::UidSet;
use store::{Db, Reader, Tx};

use crate::{Error, Flags, Mail, MailboxId};

/// Messages that one write transaction changes at most.
pub(crate) const CHUNK: usize = 500;

/// Chunks handed to the writer before the first has been answered: they may share a commit.
const IN_FLIGHT: usize = 4;

const UIDS: &str = "SELECT uid FROM entry \
    WHERE mailbox_id = ?1 AND uid BETWEEN ?2 AND ?3 AND (flags & ?4) = ?4 ORDER BY uid";

#[cfg(test)]
pub(crate) const STATEMENTS: &[&str] = &[UIDS];

/// UIDs as ascending ranges; which of them exist is seen when they are used.
pub(crate) type Ranges = Vec<RangeInclusive<u32>>;

/// Which messages of a mailbox an operation is about.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Scope<'u> {
    /// Every one.
    All,
    /// Those with these UIDs, as far as they exist.
    Uids(&'u UidSet),
}

impl Scope<'_> {
    fn ranges(self) -> Ranges {
        match self {
            Self::All => vec![1..=u32::MAX],
            Self::Uids(uids) => uids.ranges().collect(),
        }
    }

    /// Whether so few UIDs are meant that they need no division.
    fn is_small(self) -> bool {
        matches!(self, Self::Uids(uids) if uids.len() <= CHUNK as u64)
    }
}

/// Divides the messages in `ranges` that have all of `flags` into pieces of at most [`CHUNK`].
fn divide(
    rx: &mut dyn Reader,
    mailbox: MailboxId,
    ranges: &[RangeInclusive<u32>],
    flags: Flags,
) -> Result<Vec<Ranges>, Error> {
    let mut chunks = Vec::new();
    let mut chunk = Ranges::new();
    let mut messages = 0;
    for range in ranges {
        let (mut start, mut last) = (*range.start(), None);
        let params = [
            mailbox.0.into(),
            start.into(),
            (*range.end()).into(),
            flags.bits().into(),
        ];
        rx.query(UIDS, &params, &mut |row| {
            let uid = row.u32(0)?;
            if messages == CHUNK {
                if let Some(last) = last {
                    chunk.push(start..=last);
                }
                chunks.push(std::mem::take(&mut chunk));
                (start, messages) = (uid, 0);
            }
            messages += 1;
            last = Some(uid);
            Ok(())
        })?;
        if let Some(last) = last {
            chunk.push(start..=last);
        }
    }
    if !chunk.is_empty() {
        chunks.push(chunk);
    }
    Ok(chunks)
}

impl Mail {
    /// The transactions in which an operation on messages with all of `flags` is to be done.
    pub(crate) async fn chunks(
        &self,
        mailbox: MailboxId,
        scope: Scope<'_>,
        flags: Flags,
    ) -> Result<Vec<Ranges>, Error> {
        let ranges = scope.ranges();
        if ranges.is_empty() {
            return Ok(Vec::new());
        }
        if scope.is_small() {
            return Ok(vec![ranges]);
        }
        self.db()
            .read(move |rx| divide(rx, mailbox, &ranges, flags))
            .await
    }

    /// Runs `work` on every chunk, each in its own transaction, several on their way at a time.
    /// The answers come in order; after an error later chunks may still have been done.
    pub(crate) async fn write_chunks<T, F>(
        &self,
        chunks: Vec<Ranges>,
        work: F,
    ) -> Result<Vec<T>, Error>
    where
        T: Send + 'static,
        F: Fn(&mut dyn Tx, &Ranges) -> Result<T, Error> + Clone + Send + 'static,
    {
        stream::iter(chunks)
            .map(|ranges| {
                let (db, work): (Db, F) = (self.db().clone(), work.clone());
                async move { db.write(move |tx| work(tx, &ranges)).await }
            })
            .buffered(IN_FLIGHT)
            .try_collect()
            .await
    }
}
