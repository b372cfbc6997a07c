//! The loop that keeps deliveries running: claim what is due, as much as there is room for, and
//! wait until something changes.
//!
//! State in memory is only what runs now; everything else is asked of the tables each time. The
//! scan looks at both ends of what is due ([`table::End`]) and passes over destinations that have
//! no permit left, so neither a backlog nor one slow destination holds up the rest.
//!
//! Start at [`Queue::run`].

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use ambient::Timestamp;
use futures_util::future::join_all;
use tokio::task::{Id, JoinSet};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use crate::delivery::Delivery;
use crate::destination::Permit;
use crate::table::{self, Claimed, Due, End, Lease, QueueId};
use crate::{Error, Inner, Queue};

/// Due recipients looked at from each end at a time.
const SCAN: u32 = 1_000;
/// How long to wait when the store does not work.
const STORE_PAUSE: Duration = Duration::from_secs(5);

impl Queue {
    /// Delivers until `stop`; then gives running deliveries [`crate::Limits::grace`] seconds and
    /// leaves the rest due for the next start. To be called once per process.
    pub async fn run(&self, stop: CancellationToken) {
        let mut worker = Worker::new(Arc::clone(&self.0));
        worker.recover().await;
        let mut changes = self.0.options.db.hub().queue();
        while !stop.is_cancelled() {
            changes.mark_unchanged();
            let next = match worker.fill().await {
                Ok(next) => next,
                Err(error) => {
                    error!(%error, "the queue cannot be read or claimed from");
                    tokio::select! {
                        () = stop.cancelled() => break,
                        () = tokio::time::sleep(STORE_PAUSE) => continue,
                    }
                }
            };
            let clock = &self.0.options.clock;
            let expiry = self.0.pool.next_expiry();
            tokio::select! {
                () = stop.cancelled() => {}
                changed = changes.changed() => if changed.is_err() { break },
                Some(ended) = worker.tasks.join_next_with_id() => worker.ended(ended),
                () = self.0.destinations.freed(), if worker.saturated => {}
                () = clock.sleep_until(next.unwrap_or_default()), if next.is_some() => {}
                () = tokio::time::sleep_until(expiry.unwrap_or_else(Instant::now)),
                    if expiry.is_some() => worker.close_idle(),
            }
        }
        worker.stop().await;
    }
}

/// What one delivery holds.
struct Running {
    id: QueueId,
    hops: Vec<String>,
}

/// A message to be claimed, with what its delivery needs.
#[derive(Default)]
struct Pick {
    hops: Vec<String>,
    permits: Vec<Permit>,
}

type Picks = BTreeMap<QueueId, Pick>;

struct Worker {
    inner: Arc<Inner>,
    tasks: JoinSet<()>,
    /// Sessions saying goodbye.
    closing: JoinSet<()>,
    running: HashMap<Id, Running>,
    /// The hops of `running`. A clock that jumps may end a lease of a delivery that still runs.
    in_flight: HashSet<(QueueId, String)>,
    /// Whether something due waits for a permit of its destination.
    saturated: bool,
}

impl Worker {
    fn new(inner: Arc<Inner>) -> Self {
        Self {
            inner,
            tasks: JoinSet::new(),
            closing: JoinSet::new(),
            running: HashMap::new(),
            in_flight: HashSet::new(),
            saturated: false,
        }
    }

    /// Makes due what this node was delivering when it stopped.
    async fn recover(&self) {
        let options = &self.inner.options;
        let (node, now) = (options.node.into(), options.clock.now());
        // Nothing of ours is ever due later than this.
        let longest = options.schedule.longest_wait().max(options.limits.lease);
        let recovered: Result<usize, Error> = options
            .db
            .write(move |tx| table::recover(tx, node, now, longest))
            .await;
        match recovered {
            Ok(0) => {}
            Ok(recipients) => info!(recipients, "recovered recipients that were in delivery"),
            // Their leases end all the same.
            Err(error) => warn!(%error, "recipients in delivery were not recovered"),
        }
    }

    /// Starts as many deliveries as there is work and room for; returns when to look again if
    /// nothing else happens before.
    async fn fill(&mut self) -> Result<Option<Timestamp>, Error> {
        loop {
            while let Some(ended) = self.tasks.try_join_next_with_id() {
                self.ended(ended);
            }
            while self.closing.try_join_next().is_some() {}
            let now = self.inner.options.clock.now();
            let free = self
                .inner
                .options
                .limits
                .deliveries
                .max(1)
                .saturating_sub(self.tasks.len());
            let (due, next) = self.look(now, free).await?;
            let picks = self.pick(free, due);
            if picks.is_empty() {
                return Ok(next);
            }
            self.start(picks, now).await?;
        }
    }

    /// What is due, each end first in turn, and when something more becomes due.
    async fn look(
        &self,
        now: Timestamp,
        free: usize,
    ) -> Result<(Vec<Due>, Option<Timestamp>), Error> {
        let limit = if free == 0 { 0 } else { SCAN };
        self.inner
            .options
            .db
            .read(move |reader| {
                let mut oldest = table::scan(reader, End::Oldest, now, limit)?;
                let all = oldest.len() < usize::try_from(limit).unwrap_or(usize::MAX);
                let newest = if all {
                    let newer = oldest.split_off(oldest.len() / 2);
                    newer.into_iter().rev().collect()
                } else {
                    table::scan(reader, End::Newest, now, limit)?
                };
                Ok((alternate(newest, oldest), table::next_due(reader, now)?))
            })
            .await
    }

    /// Chooses at most `free` messages whose destinations have permits.
    fn pick(&mut self, free: usize, due: Vec<Due>) -> Picks {
        let mut picks = Picks::new();
        self.saturated = false;
        for due in due {
            self.pick_one(&mut picks, free, due);
        }
        picks
    }

    fn pick_one(&mut self, picks: &mut Picks, free: usize, due: Due) {
        let key = (due.id, due.hop);
        if self.in_flight.contains(&key) || (picks.len() >= free && !picks.contains_key(&key.0)) {
            return;
        }
        let (id, hop) = key;
        if picks.get(&id).is_some_and(|pick| pick.hops.contains(&hop)) {
            return;
        }
        let destination = self.inner.options.route.destination(&hop);
        let held = picks.get(&id).is_some_and(|pick| {
            pick.permits
                .iter()
                .any(|held| *held.destination() == destination)
        });
        let permit = if held {
            None
        } else if let Some(permit) = self.inner.destinations.try_acquire(&destination) {
            Some(permit)
        } else {
            self.saturated = true;
            return;
        };
        let pick = picks.entry(id).or_default();
        pick.hops.push(hop);
        pick.permits.extend(permit);
    }

    /// Claims the picked messages and starts their deliveries.
    async fn start(&mut self, mut picks: Picks, now: Timestamp) -> Result<(), Error> {
        let options = &self.inner.options;
        let lease = Lease {
            node: options.node.into(),
            until: now.plus(options.limits.lease),
        };
        let wanted: Vec<(QueueId, Vec<String>)> = picks
            .iter()
            .map(|(id, pick)| (*id, pick.hops.clone()))
            .collect();
        let (claimed, damaged) = options
            .db
            .write(move |tx| claim_all(tx, &wanted, now, lease))
            .await?;
        for (id, what) in damaged {
            error!(queue_id = id.0, what, "a damaged queue entry is held");
        }
        for message in claimed {
            let Some(pick) = picks.remove(&message.id) else {
                continue;
            };
            let running = Running {
                id: message.id,
                hops: pick.hops,
            };
            let inner = Arc::clone(&self.inner);
            let delivery = Delivery {
                inner,
                message,
                permits: pick.permits,
            };
            for hop in &running.hops {
                self.in_flight.insert((running.id, hop.clone()));
            }
            let task = self.tasks.spawn(delivery.run());
            self.running.insert(task.id(), running);
        }
        self.inner.counters.in_flight.set(self.tasks.len());
        Ok(())
    }

    /// A delivery is over, or has panicked: then its lease ends in time.
    fn ended(&mut self, ended: Result<(Id, ()), tokio::task::JoinError>) {
        let id = match &ended {
            Ok((id, ())) => *id,
            Err(error) => error.id(),
        };
        if let Some(running) = self.running.remove(&id) {
            if ended.is_err_and(|error| error.is_panic()) {
                error!(queue_id = running.id.0, "a delivery panicked");
            }
            for hop in running.hops {
                self.in_flight.remove(&(running.id, hop));
            }
        }
        self.inner.counters.in_flight.set(self.tasks.len());
    }

    fn close_idle(&mut self) {
        for session in self.inner.pool.expired(Instant::now()) {
            self.closing.spawn(session.quit());
        }
    }

    async fn stop(mut self) {
        let grace = Duration::from_secs(self.inner.options.limits.grace.into());
        let finish = async { while self.tasks.join_next().await.is_some() {} };
        if tokio::time::timeout(grace, finish).await.is_err() {
            warn!(
                deliveries = self.tasks.len(),
                "deliveries were interrupted by the stop"
            );
            self.tasks.shutdown().await;
        }
        self.recover().await;
        let sessions = self.inner.pool.drain();
        join_all(sessions.into_iter().map(crate::remote::Session::quit)).await;
        self.closing.shutdown().await;
        self.inner.counters.in_flight.set(0);
    }
}

/// The elements of both lists in turn, those of `first` first.
fn alternate(first: Vec<Due>, second: Vec<Due>) -> Vec<Due> {
    let rounds = first.len().max(second.len());
    let (mut first, mut second) = (first.into_iter(), second.into_iter());
    (0..rounds)
        .flat_map(|_| [first.next(), second.next()])
        .flatten()
        .collect()
}

type Claims = (Vec<Claimed>, Vec<(QueueId, &'static str)>);

/// The transaction of [`Worker::start`]. An entry that cannot be read is held for the operator, so
/// that it is not in the way of all others.
pub(crate) fn claim_all(
    tx: &mut dyn store::Tx,
    wanted: &[(QueueId, Vec<String>)],
    now: Timestamp,
    lease: Lease,
) -> Result<Claims, Error> {
    let mut claimed = Vec::with_capacity(wanted.len());
    let mut damaged = Vec::new();
    for (id, hops) in wanted {
        match table::claim(tx, *id, hops, now, lease) {
            Ok(message) => claimed.extend(message),
            Err(Error::Corrupt(what)) => {
                table::release(tx, *id, hops)?;
                table::set_held(tx, *id, true, now)?;
                damaged.push((*id, what));
            }
            Err(error) => return Err(error),
        }
    }
    Ok((claimed, damaged))
}
