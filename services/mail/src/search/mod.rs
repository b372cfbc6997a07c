//! SEARCH: which messages of a view match.
//!
//! A [`SearchQuery`] is an arena of [`Key`]s in which children stand before their parents, so it
//! needs no recursion. It is answered in steps of rising cost: what the snapshot knows (flags,
//! UIDs, mod-sequences), then sizes and dates, then the stored summary (subject, addresses), then
//! the messages themselves, decoded. A message is looked at only as far as its answer is open.
//!
//! Text is compared by substring without regard to case (RFC 9051 §6.4.4), see [`text`]. Messages
//! are read in chunks on the store's reader threads, two at a time.
//!
//! Not here: full-text indexes, ESEARCH's result options, saved results.

mod eval;
mod query;
mod text;

use std::sync::Arc;

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use store::{Db, Reader};

use crate::fetch::Dates;
use crate::{Entry, Error, Mail, Snapshot, fetch};
use eval::{Evidence, Search};

pub use query::{Field, Key, NodeId, SearchQuery};

/// Messages whose rows one read looks at.
const ROW_CHUNK: usize = 1_000;
/// Messages that one read decodes.
const TEXT_CHUNK: usize = 128;
/// Octets after which one read decodes no further message.
const TEXT_BUDGET: usize = 8 * 1024 * 1024;
/// Reads that run at the same time.
const READERS: usize = 2;

impl Mail {
    /// The positions, counted from 0, of the messages in `snapshot` that match, ascending.
    /// Messages that have been expunged meanwhile may be left out.
    ///
    /// # Errors
    /// Those of the store. A damaged message matches no text, it does not end the search.
    pub async fn search(
        &self,
        snapshot: Arc<Snapshot>,
        query: SearchQuery,
    ) -> Result<Vec<usize>, Error> {
        let search = Search::new(query);
        let mut found = Vec::new();
        let mut open = Vec::new();
        for (position, entry) in snapshot.entries().iter().enumerate() {
            match search.decide(&snapshot, position, entry, &Evidence::default()) {
                Some(true) => found.push(position),
                Some(false) => {}
                None => open.push(position),
            }
        }
        if open.is_empty() {
            return Ok(found);
        }
        let size = if search.reads_messages() {
            TEXT_CHUNK
        } else {
            ROW_CHUNK
        };
        let chunks: Vec<Vec<usize>> = open.chunks(size).map(<[usize]>::to_vec).collect();
        let task = Arc::new(Task {
            search,
            snapshot,
            blobs: self.db().blobs().clone(),
        });
        let answers: Vec<Vec<usize>> = stream::iter(chunks)
            .map(|positions| chunk(self.db().clone(), Arc::clone(&task), positions))
            .buffered(READERS)
            .try_collect()
            .await?;
        found.extend(answers.into_iter().flatten());
        found.sort_unstable();
        Ok(found)
    }
}

/// Those of `positions` that match, in as many reads as their size demands.
async fn chunk(db: Db, task: Arc<Task>, positions: Vec<usize>) -> Result<Vec<usize>, Error> {
    let reading = Arc::clone(&task);
    let (mut found, mut open) = db
        .read(move |rx| {
            let mut found = Vec::new();
            let open = reading.by_rows(rx, &positions, &mut found)?;
            let open = reading.by_text(rx, open, &mut found)?;
            Ok::<_, Error>((found, open))
        })
        .await?;
    while !open.is_empty() {
        let reading = Arc::clone(&task);
        let (more, rest) = db
            .read(move |rx| {
                let mut found = Vec::new();
                let open = reading.by_text(rx, open, &mut found)?;
                Ok::<_, Error>((found, open))
            })
            .await?;
        found.extend(more);
        open = rest;
    }
    Ok(found)
}

/// A search with all that its reads need.
struct Task {
    search: Search,
    snapshot: Arc<Snapshot>,
    blobs: store::Blobs,
}

impl Task {
    fn decide(&self, position: usize, entry: &Entry, evidence: &Evidence<'_>) -> Option<bool> {
        self.search
            .decide(&self.snapshot, position, entry, evidence)
    }

    fn entries(&self, positions: &[usize]) -> Vec<Entry> {
        let entries = self.snapshot.entries();
        positions
            .iter()
            .filter_map(|position| entries.get(*position))
            .copied()
            .collect()
    }

    /// Decides by rows; answers the messages that are still open.
    fn by_rows(
        &self,
        rx: &mut dyn Reader,
        positions: &[usize],
        found: &mut Vec<usize>,
    ) -> Result<Vec<Open>, Error> {
        let entries = self.entries(positions);
        if !self.search.reads_summaries() {
            self.by_dates(rx, &entries, found)?;
            return Ok(Vec::new());
        }
        let mut open = Vec::new();
        fetch::rows(rx, self.snapshot.account(), &entries, &mut |message| {
            let Some(position) = self.snapshot.position(message.entry.uid) else {
                return;
            };
            let envelope = self
                .search
                .wants_envelope()
                .then(|| mime::Summary::decode_envelope(message.summary).ok())
                .flatten();
            let evidence = Evidence {
                dates: Some(Dates::of(message)),
                envelope: envelope.as_ref(),
                text: None,
            };
            match self.decide(position, &message.entry, &evidence) {
                Some(true) => found.push(position),
                Some(false) => {}
                None => open.push(Open::of(position, message)),
            }
        })?;
        Ok(open)
    }

    /// Decides by size and INTERNALDATE alone.
    fn by_dates(
        &self,
        rx: &mut dyn Reader,
        entries: &[Entry],
        found: &mut Vec<usize>,
    ) -> Result<(), Error> {
        let account = self.snapshot.account();
        fetch::dates(rx, account, entries, &mut |entry, dates| {
            let evidence = Evidence {
                dates: Some(dates),
                ..Evidence::default()
            };
            if let Some(position) = self.snapshot.position(entry.uid)
                && self.decide(position, &entry, &evidence) == Some(true)
            {
                found.push(position);
            }
        })
    }

    /// Decides by the messages themselves, until the budget of one read is spent; answers those
    /// that are left.
    fn by_text(
        &self,
        rx: &mut dyn Reader,
        open: Vec<Open>,
        found: &mut Vec<usize>,
    ) -> Result<Vec<Open>, Error> {
        let mut open = open.into_iter();
        let mut left = TEXT_BUDGET;
        while left > 0
            && let Some(message) = open.next()
        {
            let Some(raw) = self.load(rx, &message)? else {
                continue;
            };
            let summary = mime::Summary::decode(&message.summary)
                .unwrap_or_else(|_| mime::Summary::parse(&raw));
            let text = text::Text::new(&raw, &summary);
            let evidence = Evidence {
                dates: Some(message.dates),
                envelope: Some(&summary.envelope),
                text: Some(&text),
            };
            if self.decide(message.position, &message.entry, &evidence) == Some(true) {
                found.push(message.position);
            }
            left = left.saturating_sub(raw.len());
        }
        Ok(open.collect())
    }

    /// A message's octets; `None` when they cannot be read.
    fn load(&self, rx: &mut dyn Reader, message: &Open) -> Result<Option<Vec<u8>>, Error> {
        match self.blobs.load(rx, &message.blob) {
            Ok(blob) if message.prefix.is_empty() => Ok(Some(blob)),
            Ok(blob) => Ok(Some([message.prefix.as_slice(), &blob].concat())),
            Err(store::Error::Damaged { .. } | store::Error::NoBlob(_)) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}

/// A message that must be read to be decided.
struct Open {
    position: usize,
    entry: Entry,
    dates: Dates,
    blob: store::BlobId,
    prefix: Vec<u8>,
    summary: Vec<u8>,
}

impl Open {
    fn of(position: usize, message: &fetch::Message<'_>) -> Self {
        Self {
            position,
            entry: message.entry,
            dates: Dates::of(message),
            blob: message.blob,
            prefix: message.prefix.to_vec(),
            summary: message.summary.to_vec(),
        }
    }
}
