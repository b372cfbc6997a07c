//! One round of delivery for one message: every due recipient is tried once, then all that were not
//! reached are settled together.
//!
//! The steps are [`Delivery::group_by_route`], [`Attempt::run`] for each destination side by side,
//! and [`Delivery::settle`]: one transaction that defers, gives up, and writes at most one report of
//! failure and one of delay. A crash before it costs nothing: the leases end and the recipients are
//! tried again.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::Arc;

use futures_util::future::join_all;
use mime::report::Action;
use smtp::Address;
use tracing::{error, info};

use crate::attempt::{Attempt, Content, Hop};
use crate::destination::Permit;
use crate::failure::Failure;
use crate::report::Report;
use crate::schedule::Next;
use crate::spool::{self, Prepared};
use crate::table::{self, Claimed, ClaimedRecipient, Deferred, Lease};
use crate::{Error, Inner};

/// Characters of a status that are kept for people.
const MAX_STATUS: usize = 500;

/// A claimed message with the permits for its destinations.
pub(crate) struct Delivery {
    pub(crate) inner: Arc<Inner>,
    pub(crate) message: Claimed,
    /// One for each destination of the message's recipients; given back when it has been tried.
    pub(crate) permits: Vec<Permit>,
}

/// The recipients of one destination.
type Routes = BTreeMap<Arc<str>, Vec<(usize, Address)>>;

/// What is to be written at the end of a round.
#[derive(Default)]
struct Settlement {
    deferred: Vec<(usize, Failure, Deferred)>,
    given_up: Vec<(usize, Failure)>,
}

impl Delivery {
    /// Delivers as far as possible now. Cancelling it leaves the recipients leased.
    pub(crate) async fn run(mut self) {
        let permits = std::mem::take(&mut self.permits);
        let round = async {
            let (routes, unusable) = self.group_by_route();
            let failed = self.attempt(routes, permits, unusable).await;
            if let Err(error) = self.settle(failed).await {
                let queue_id = self.message.id.0;
                error!(queue_id, %error, "a delivery was not settled and will be repeated");
            }
        };
        tokio::select! {
            () = round => {}
            never = self.keep_lease() => match never {},
        }
    }

    /// Renews the lease for as long as the round takes.
    async fn keep_lease(&self) -> Infallible {
        let options = &self.inner.options;
        let (node, length) = (options.node.into(), options.limits.lease);
        let message = self.message.identity();
        let mut renewed_at = options.clock.now();
        loop {
            let due_at = renewed_at.plus((length / 3).max(1));
            options.clock.sleep_until(due_at).await;
            renewed_at = options.clock.now();
            let lease = Lease {
                node,
                until: renewed_at.plus(length),
            };
            let renewed: Result<(), Error> = options
                .db
                .write(move |tx| table::renew(tx, message, lease))
                .await;
            if let Err(error) = renewed {
                error!(queue_id = self.message.id.0, %error, "a lease was not renewed");
            }
        }
    }

    fn recipient(&self, index: usize) -> Option<&ClaimedRecipient> {
        self.message.recipients.get(index)
    }

    /// Sorts the recipients by where they go. What is no address any more cannot go anywhere.
    fn group_by_route(&self) -> (Routes, Vec<(usize, Failure)>) {
        let mut routes = Routes::new();
        let mut unusable = Vec::new();
        for (index, recipient) in self.message.recipients.iter().enumerate() {
            match Address::parse(&recipient.address) {
                Ok(address) => {
                    let destination = self.inner.options.route.destination(&recipient.hop);
                    routes
                        .entry(destination)
                        .or_default()
                        .push((index, address));
                }
                Err(error) => {
                    // RFC 3463 §3.2: X.1.3, bad destination mailbox address syntax.
                    unusable.push((index, Failure::permanent(1, 3, error.to_string())));
                }
            }
        }
        (routes, unusable)
    }

    /// Tries all destinations side by side; returns the recipients that were not reached.
    async fn attempt(
        &self,
        routes: Routes,
        mut permits: Vec<Permit>,
        unusable: Vec<(usize, Failure)>,
    ) -> Vec<(usize, Failure)> {
        let content = Content::new();
        let attempts = routes.into_iter().filter_map(|(destination, recipients)| {
            let domain = recipients.first()?.1.domain.clone();
            let permit = permits
                .extract_if(.., |held| *held.destination() == destination)
                .next();
            debug_assert!(
                permit.is_some(),
                "every destination was picked with a permit"
            );
            let content = &content;
            Some(async move {
                let _permit = permit;
                let hop = Hop {
                    destination: &destination,
                    domain: &domain,
                    recipients,
                };
                Attempt::new(&self.inner, &self.message, content, hop)
                    .run()
                    .await
            })
        });
        let mut failed = unusable;
        failed.extend(join_all(attempts).await.into_iter().flatten());
        failed
    }

    /// Writes down what follows for the recipients that were not reached.
    async fn settle(&self, failed: Vec<(usize, Failure)>) -> Result<(), Error> {
        if failed.is_empty() {
            return Ok(());
        }
        let settlement = self.decide(failed);
        let failure = self.report(Action::Failed, settlement.given_up()).await?;
        let notice_due = !settlement.deferred.is_empty()
            && self
                .message
                .delay_notice_at
                .is_some_and(|at| at <= self.inner.options.clock.now());
        let notice = if notice_due {
            self.report(Action::Delayed, settlement.late()).await?
        } else {
            None
        };
        self.log(&settlement);
        self.write(settlement, failure, notice_due.then_some(notice))
            .await
    }

    fn decide(&self, failed: Vec<(usize, Failure)>) -> Settlement {
        let options = &self.inner.options;
        let now = options.clock.now();
        let mut settlement = Settlement::default();
        for (index, failure) in failed {
            let Some(recipient) = self.recipient(index) else {
                continue;
            };
            if failure.is_permanent() {
                settlement.given_up.push((index, failure));
                continue;
            }
            let next = options.schedule.after_failure(
                recipient.attempts,
                now,
                self.message.expires_at,
                &*options.random,
            );
            match next {
                Next::Expired => settlement.given_up.push((index, failure.expired())),
                Next::Retry(due_at) => {
                    let status = failure.to_string().chars().take(MAX_STATUS).collect();
                    let address = recipient.address.clone();
                    settlement.deferred.push((
                        index,
                        failure,
                        Deferred {
                            address,
                            due_at,
                            status,
                        },
                    ));
                }
            }
        }
        settlement
    }

    async fn report<'a>(
        &'a self,
        action: Action,
        recipients: impl Iterator<Item = (usize, &'a Failure)>,
    ) -> Result<Option<Prepared>, Error> {
        let recipients = recipients
            .filter_map(|(index, failure)| Some((self.recipient(index)?, failure)))
            .collect();
        Report {
            message: &self.message,
            action,
            recipients,
        }
        .prepare(&self.inner)
        .await
    }

    fn log(&self, settlement: &Settlement) {
        let counters = &self.inner.counters;
        counters.deferred.add(settlement.deferred.len());
        counters.failed.add(settlement.given_up.len());
        let queue_id = self.message.id.0;
        for (_, failure, deferred) in &settlement.deferred {
            let (recipient, due_at) = (&deferred.address, deferred.due_at.0);
            info!(queue_id, recipient, due_at, %failure, "deferred");
        }
        for (index, failure) in &settlement.given_up {
            let recipient = self
                .recipient(*index)
                .map(|recipient| recipient.address.as_str());
            info!(queue_id, recipient, %failure, "given up");
        }
    }

    /// The transaction at the end of a round. `notice` is there when the notice of delay is due,
    /// and holds one if there is somebody to tell.
    async fn write(
        &self,
        settlement: Settlement,
        failure: Option<Prepared>,
        notice: Option<Option<Prepared>>,
    ) -> Result<(), Error> {
        let (message, node) = (self.message.identity(), self.inner.options.node.into());
        let given_up: Vec<String> = settlement
            .given_up
            .iter()
            .filter_map(|(index, _)| Some(self.recipient(*index)?.address.clone()))
            .collect();
        let deferred: Vec<Deferred> = settlement
            .deferred
            .into_iter()
            .map(|(_, _, deferred)| deferred)
            .collect();
        let reports = self
            .inner
            .options
            .db
            .write(move |tx| {
                let mut reports = 0;
                table::defer(tx, message, node, &deferred)?;
                // Each report goes out once: if somebody else was faster, theirs is enough.
                if let Some(notice) = &notice
                    && table::notice_sent(tx, message)?
                    && let Some(notice) = notice
                {
                    spool::commit(tx, notice)?;
                    reports += 1;
                }
                if table::remove(tx, message, &given_up)? > 0
                    && let Some(failure) = &failure
                {
                    spool::commit(tx, failure)?;
                    reports += 1;
                }
                Ok::<usize, Error>(reports)
            })
            .await?;
        self.inner.counters.reports.add(reports);
        self.inner.counters.accepted.add(reports);
        Ok(())
    }
}

impl Settlement {
    fn given_up(&self) -> impl Iterator<Item = (usize, &Failure)> {
        self.given_up
            .iter()
            .map(|(index, failure)| (*index, failure))
    }

    fn late(&self) -> impl Iterator<Item = (usize, &Failure)> {
        self.deferred
            .iter()
            .map(|(index, failure, _)| (*index, failure))
    }
}
