//! Our filter without a server: on a database of its own that is thrown away.

use std::sync::Arc;

use ambient::{FakeClock, SystemRandom, Timestamp};
use filter::{Filter, Input, Opinion, Tuning, Verdict};
use learn::Learn;
use policy::Policy;
use store::{Db, StoreOptions};
use tempfile::TempDir;
use tokio::task::JoinSet;

use super::corpus::{Class, Message};
use crate::error::{Context as _, Error, Result};

/// 14 November 2023: the same in every run, for messages that do not say when they came.
const NOW: Timestamp = Timestamp(1_700_000_000);
/// How long rules may take to be compiled.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(60);

/// A filter that nobody else knows.
#[derive(Debug)]
pub(super) struct Alone {
    filter: Filter,
    db: Db,
    _directory: TempDir,
}

fn failed(error: impl ToString) -> Error {
    Error::Filter(error.to_string())
}

impl Alone {
    /// With the built-in rules; asks no network, learns nothing by itself.
    pub(super) async fn open() -> Result<Self> {
        let directory = TempDir::with_prefix("muskox-bench-").context("a temporary directory")?;
        let clock: Arc<dyn ambient::Clock> = Arc::new(FakeClock::new(NOW));
        let random = Arc::new(SystemRandom::new());
        let options = StoreOptions::new(directory.path(), Arc::clone(&clock), random);
        let opened = tokio::task::spawn_blocking(move || Db::open(options)).await;
        let db = opened.map_err(failed)?.map_err(failed)?;
        let policy = Policy::open(db.clone()).await.map_err(failed)?;
        let learn = Learn::new(&db, &clock, &learn::Options::default());
        let filter = Filter::start(filter::Options {
            hostname: smtp::Domain::parse("localhost").map_err(failed)?,
            clock,
            db: db.clone(),
            policy,
            learn,
            blocklist: None,
            antivirus: None,
            parsers: parsebox::Parsebox::in_process(),
            cache: None,
            tuning: Tuning {
                autolearn: false,
                ..Tuning::default()
            },
        })
        .context("the filter")?;
        if !filter.ready(PATIENCE).await {
            return Err(failed("the rules do not come into force"));
        }
        Ok(Self {
            filter,
            db,
            _directory: directory,
        })
    }

    /// Teaches messages, one after the other.
    pub(super) async fn teach(&self, messages: &[&Message]) -> Result<()> {
        for message in messages {
            let opinion = match message.class {
                Class::Ham => Opinion::Ham,
                Class::Spam => Opinion::Spam,
            };
            let raw = message.raw.clone();
            let taught = self.filter.teach(None, opinion, raw).await;
            taught.map_err(failed)?;
        }
        Ok(())
    }

    /// The verdict on each message, on all processors; nothing is learned from them.
    pub(super) async fn judge(&self, messages: &[&Message]) -> Result<Vec<Verdict>> {
        let workers = std::thread::available_parallelism().map_or(1, usize::from);
        let mut tasks = JoinSet::new();
        for worker in 0..workers {
            let filter = self.filter.clone();
            let mine: Vec<_> = (worker..messages.len())
                .step_by(workers)
                .filter_map(|index| Some((index, messages.get(index)?.raw.clone())))
                .collect();
            tasks.spawn(async move {
                let mut verdicts = Vec::with_capacity(mine.len());
                for (index, raw) in mine {
                    let judged = filter.judge(&Input::stored(raw)).await;
                    verdicts.push((index, judged.verdict));
                }
                verdicts
            });
        }
        let mut verdicts = Vec::with_capacity(messages.len());
        while let Some(done) = tasks.join_next().await {
            verdicts.extend(done.map_err(failed)?);
        }
        verdicts.sort_by_key(|(index, _)| *index);
        Ok(verdicts.into_iter().map(|(_, verdict)| verdict).collect())
    }

    /// Closes the database.
    pub(super) async fn close(self) {
        self.db.close().await;
    }
}
