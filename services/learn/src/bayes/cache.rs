//! Counts in memory, those used longest ago dropped first.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use store::Db;
use tokio::sync::MutexGuard;

use super::storage::{self, Request, Totals};
use super::{Learned, Model, Owner, Score, Tokens};
use crate::Error;

/// The most owners of which anything is in memory.
const MOST_CELLS: usize = 10_000;

/// All owners in use.
#[derive(Debug)]
pub(super) struct Cache {
    cells: Mutex<BTreeMap<Owner, Arc<Cell>>>,
    tick: AtomicU64,
    most_bytes: usize,
}

impl Cache {
    pub(super) fn new(most_bytes: usize) -> Self {
        Self {
            cells: Mutex::new(BTreeMap::new()),
            tick: AtomicU64::new(0),
            most_bytes,
        }
    }

    /// The one cell of an owner.
    pub(super) fn cell(&self, owner: Owner) -> Arc<Cell> {
        let tick = self.tick.fetch_add(1, Ordering::Relaxed);
        let mut cells = self.cells.lock().unwrap_or_else(PoisonError::into_inner);
        if cells.len() >= MOST_CELLS && !cells.contains_key(&owner) {
            // A cell somebody holds stays: an owner has never more than one.
            let oldest = cells
                .iter()
                .filter(|(_, cell)| Arc::strong_count(cell) == 1)
                .min_by_key(|(_, cell)| cell.used.load(Ordering::Relaxed))
                .map(|(owner, _)| *owner);
            if let Some(oldest) = oldest {
                cells.remove(&oldest);
            }
        }
        let cell = cells
            .entry(owner)
            .or_insert_with(|| Arc::new(Cell::new(owner)));
        cell.used.store(tick, Ordering::Relaxed);
        cell.clone()
    }

    /// Drops counts until they fit; the one used last stays.
    pub(super) fn trim(&self) {
        let cells = self.cells.lock().unwrap_or_else(PoisonError::into_inner);
        let mut by_use: Vec<_> = cells.values().collect();
        by_use.sort_unstable_by_key(|cell| std::cmp::Reverse(cell.used.load(Ordering::Relaxed)));
        let mut bytes = 0;
        for (place, cell) in by_use.into_iter().enumerate() {
            bytes += cell.bytes();
            if bytes > self.most_bytes && place > 0 {
                bytes -= cell.bytes();
                *cell.model.write().unwrap_or_else(PoisonError::into_inner) = None;
            }
        }
    }

    #[cfg(test)]
    pub(super) fn bytes(&self) -> usize {
        let cells = self.cells.lock().unwrap();
        cells.values().map(|cell| cell.bytes()).sum()
    }
}

/// What is in memory of one owner. Whoever changes it holds the gate.
#[derive(Debug)]
pub(super) struct Cell {
    owner: Owner,
    gate: tokio::sync::Mutex<()>,
    totals: Mutex<Option<Totals>>,
    model: RwLock<Option<Model>>,
    used: AtomicU64,
}

impl Cell {
    fn new(owner: Owner) -> Self {
        Self {
            owner,
            gate: tokio::sync::Mutex::new(()),
            totals: Mutex::new(None),
            model: RwLock::new(None),
            used: AtomicU64::new(0),
        }
    }

    pub(super) async fn gate(&self) -> MutexGuard<'_, ()> {
        self.gate.lock().await
    }

    fn bytes(&self) -> usize {
        let model = self.model.read().unwrap_or_else(PoisonError::into_inner);
        model.as_ref().map_or(0, Model::bytes)
    }

    fn known_totals(&self) -> Option<Totals> {
        *self.totals.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set_totals(&self, totals: Option<Totals>) {
        *self.totals.lock().unwrap_or_else(PoisonError::into_inner) = totals;
    }

    /// What the owner has learned.
    pub(super) async fn totals(&self, db: &Db) -> Result<Totals, Error> {
        if let Some(totals) = self.known_totals() {
            return Ok(totals);
        }
        let gate = self.gate().await;
        let key = self.owner.key();
        let totals = db.read(move |rx| storage::totals(rx, key)).await?;
        self.set_totals(Some(totals));
        drop(gate);
        Ok(totals)
    }

    /// `None` if the counts are not in memory.
    pub(super) fn score(&self, tokens: &Tokens) -> Option<Score> {
        let model = self.model.read().unwrap_or_else(PoisonError::into_inner);
        model.as_ref().map(|model| model.score(tokens))
    }

    /// Reads the counts unless they are in memory. The caller holds the gate.
    pub(super) async fn load(&self, db: &Db, limit: usize) -> Result<(), Error> {
        let loaded = self
            .model
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .is_some();
        if loaded {
            return Ok(());
        }
        let key = self.owner.key();
        let stored = db.read(move |rx| storage::load(rx, key)).await?;
        let model = off_reactor(move || stored.model(limit)).await??;
        *self.model.write().unwrap_or_else(PoisonError::into_inner) = Some(model);
        Ok(())
    }

    /// Writes a change and follows it in memory; says whether folding is due. The caller holds the
    /// gate.
    pub(super) async fn change(
        self: &Arc<Self>,
        db: &Db,
        request: Request,
    ) -> Result<(Learned, bool), Error> {
        let before = self.known_totals();
        let tokens = request.tokens.clone();
        let done = db
            .write::<_, store::Error, _>(move |tx| storage::change(tx, &request))
            .await?;
        if before.is_some_and(|before| before != done.before) {
            // Somebody else wrote: an account of this number was deleted and made again.
            self.clear();
        }
        let changes = done.changes.clone();
        let cell = self.clone();
        off_reactor(move || {
            let mut model = cell.model.write().unwrap_or_else(PoisonError::into_inner);
            if let Some(model) = model.as_mut() {
                for change in changes {
                    model.apply(change, &tokens);
                }
            }
        })
        .await?;
        self.set_totals(Some(done.after));
        Ok((done.learned, done.due))
    }

    /// Writes the counts as pages. They are in memory, and the caller holds the gate.
    pub(super) async fn fold(self: &Arc<Self>, db: &Db, owner: Owner) -> Result<(), Error> {
        let cell = self.clone();
        let folded = off_reactor(move || {
            let model = cell.model.read().unwrap_or_else(PoisonError::into_inner);
            model.as_ref().map(storage::Folded::of)
        })
        .await?;
        // Dropped for lack of room meanwhile: another time.
        let Some(folded) = folded else { return Ok(()) };
        let folded = folded.map_err(|_| Error::Damaged("the pages could not be made"))?;
        let key = owner.key();
        db.write::<_, store::Error, _>(move |tx| storage::fold(tx, key, &folded))
            .await?;
        Ok(())
    }

    /// Forgets what is in memory.
    pub(super) fn clear(&self) {
        *self.model.write().unwrap_or_else(PoisonError::into_inner) = None;
        self.set_totals(None);
    }
}

async fn off_reactor<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Error> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|_| Error::Cut)
}
