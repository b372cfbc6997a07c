//! The filter as other mail servers ask it: behind [`filterd`]'s protocols.
//!
//! Who sent a message is found out here, as for mail of our own: what another server says about SPF,
//! DKIM and DMARC is not asked. A request that names no client is a message from a file, and judged
//! as one. Start at [`FilterJudge`].

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use directory::Resolution;
use filter::{Input, Judged, Opinion, Recipient, Record, Signal, Teaching, Thresholds};
use filterd::{
    Action, CheckError, CheckReply, CheckRequest, Edits, Field, Judge, LearnClass, LearnReply,
    LearnRequest, Statistics, Symbol,
};
use futures_util::future::BoxFuture;
use learn::Owner;
use mailauth::AuthResults;
use policy::RecipientFacts;
use smtp::{Address, ReversePath};

use super::Services;

/// Every action, for counting.
const ACTIONS: [Action; 8] = [
    Action::NoAction,
    Action::Greylist,
    Action::AddHeader,
    Action::RewriteSubject,
    Action::SoftReject,
    Action::Quarantine,
    Action::Reject,
    Action::Discard,
];

/// Judges for other mail servers.
#[derive(Debug)]
pub(super) struct FilterJudge {
    services: Services,
    started: Instant,
    /// By the place of the action in [`ACTIONS`].
    counts: [AtomicU64; ACTIONS.len()],
}

impl FilterJudge {
    pub(super) fn new(services: Services) -> Self {
        Self {
            services,
            started: Instant::now(),
            counts: Default::default(),
        }
    }

    async fn judged(&self, request: CheckRequest) -> Result<CheckReply, CheckError> {
        let started = Instant::now();
        let input = self.input(&request).await?;
        let mut judged = self.services.filter.judge(&input).await;
        if request.cut {
            let what = "only the beginning of the message was there to be read";
            judged
                .verdict
                .signals
                .push(Signal::new("MESSAGE_CUT", 0.0, what));
        }
        let mut reply = reply(&judged, &input);
        reply.edits.subject = self.subject(&judged, &input, reply.action);
        reply.elapsed = started.elapsed();
        for (action, count) in ACTIONS.iter().zip(&self.counts) {
            if *action == reply.action {
                count.fetch_add(1, Ordering::Relaxed);
            }
        }
        self.record(&request, &input, &judged).await;
        tracing::info!(
            message = request.queue_id.as_deref().unwrap_or_default(), from = %input.from,
            client = %input.ip, action = reply.action.name(), score = reply.score,
            "message judged for another server"
        );
        // Mail that has no client is not on its way: whoever looks at a file teaches nothing by it.
        if request.client.is_some() {
            self.services.filter.settle(judged);
        }
        Ok(reply)
    }

    /// What the filter looks at.
    async fn input(&self, request: &CheckRequest) -> Result<Input, CheckError> {
        let mut input = Input::stored(request.message.clone());
        input.recipients = self.recipients(&request.recipients).await?;
        if let Some(sender) = request.sender.as_deref() {
            // A sender that is no address can get no report either.
            input.from = ReversePath::parse(sender).unwrap_or(ReversePath::Null);
        }
        if let Some(client) = request.client {
            input.ip = client;
            input.helo = request.helo.clone().unwrap_or_default();
            input.auth = Arc::default();
            input.received_at = None;
        }
        if let Some(user) = request.user.as_deref() {
            input.origin = filter::Origin::Authenticated;
            input.account = self.account(user).await?;
            input.auth = Arc::default();
        } else if request.client.is_some() {
            input.auth = Arc::new(self.authenticated(&input, request.cut).await);
        }
        Ok(input)
    }

    /// Who sent the message. The body of a message that is not whole fits no signature, which says
    /// nothing: only the client is asked about then.
    async fn authenticated(&self, input: &Input, cut: bool) -> AuthResults {
        let authenticator = &self.services.authenticator;
        if cut {
            return AuthResults {
                spf: authenticator.spf(input.ip, &input.helo, &input.from).await,
                ..AuthResults::default()
            };
        }
        let session = mailauth::Session {
            ip: input.ip,
            helo: &input.helo,
            from: &input.from,
        };
        authenticator.message(&input.raw, &session).await
    }

    /// The recipients, with their accounts where these are ours.
    async fn recipients(&self, addresses: &[String]) -> Result<Vec<Recipient>, CheckError> {
        let mut recipients = Vec::new();
        for address in addresses {
            let Ok(address) = Address::parse(address) else {
                continue;
            };
            match self.resolution(&address).await? {
                Resolution::Deliver(expansion) if !expansion.local.is_empty() => {
                    recipients.extend(expansion.local.into_iter().map(|local| Recipient {
                        address: local.original,
                        account: Some(local.account),
                        domain: Some(local.domain),
                    }));
                }
                _ => recipients.push(Recipient::new(address)),
            }
        }
        Ok(recipients)
    }

    /// The account of a user's name, if it is one of ours.
    async fn account(&self, user: &str) -> Result<Option<store::AccountId>, CheckError> {
        let Ok(address) = Address::parse(user) else {
            return Ok(None);
        };
        match self.resolution(&address).await? {
            Resolution::Deliver(expansion) => {
                let own = |local: &directory::LocalRecipient| local.address == address;
                Ok(expansion
                    .local
                    .into_iter()
                    .find(own)
                    .map(|local| local.account))
            }
            _ => Ok(None),
        }
    }

    async fn resolution(&self, address: &Address) -> Result<Resolution, CheckError> {
        let resolved = self.services.directory.resolve(address).await;
        resolved.map_err(|error| {
            tracing::error!(%error, "a message could not be judged for another server");
            CheckError::Internal
        })
    }

    /// The subject that says that the message is junk: with the prefix of the first recipient who
    /// has one, since there is only one copy.
    fn subject(&self, judged: &Judged, input: &Input, action: Action) -> Option<String> {
        if action != Action::RewriteSubject {
            return None;
        }
        let policy = self.services.policy.snapshot();
        let own = input.recipients.iter().find_map(|recipient| {
            let facts = RecipientFacts {
                account: recipient.account,
                domain: recipient.domain,
            };
            policy.settings(&facts).subject_prefix
        });
        let prefix = own.unwrap_or_else(|| judged.subject_prefix.clone());
        let field = mime::header::find(&input.raw, "Subject");
        let field = field.and_then(|field| input.raw.get(field.range));
        let rewritten = smtpd::with_prefix(field.unwrap_or_default(), &prefix);
        let value = mime::header::find(&rewritten, "Subject")?.value;
        let value = String::from_utf8_lossy(value).replace("\r\n", "\n");
        Some(value.trim().to_owned())
    }

    /// Keeps what was decided under the mail server's name for the message.
    async fn record(&self, request: &CheckRequest, input: &Input, judged: &Judged) {
        let Some(id) = request.queue_id.as_deref() else {
            return;
        };
        let now = ambient::Timestamp(self.services.now());
        let record = Record::new(id, now, input, &judged.verdict).packed();
        let written = self.services.db.write(move |tx| record.write(tx)).await;
        if let Err(error) = written {
            tracing::warn!(message = id, %error, "a verdict could not be written down");
        }
    }

    async fn learned(&self, request: LearnRequest) -> Result<LearnReply, CheckError> {
        let opinion = match request.class {
            LearnClass::Spam => Opinion::Spam,
            LearnClass::Ham => Opinion::Ham,
        };
        let taught = self
            .services
            .filter
            .teach(None, opinion, request.message)
            .await;
        match taught {
            Ok(Teaching::New | Teaching::Changed) => Ok(LearnReply::Learned),
            Ok(Teaching::Already) => Ok(LearnReply::AlreadyLearned),
            Err(error) => {
                tracing::error!(%error, "a message could not be learned");
                Err(CheckError::Internal)
            }
        }
    }

    async fn counted(&self) -> Statistics {
        let load = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let learned = self.services.learn.bayes.stats(Owner::Global).await;
        let learned = learned.unwrap_or_else(|error| {
            tracing::warn!(%error, "what was learned could not be counted");
            learn::bayes::Stats::default()
        });
        Statistics {
            actions: ACTIONS
                .into_iter()
                .zip(self.counts.iter().map(load))
                .collect(),
            learned_spam: learned.learned_spam,
            learned_ham: learned.learned_ham,
            uptime: self.started.elapsed(),
            ..Statistics::default()
        }
    }
}

impl Judge for FilterJudge {
    fn check(&self, request: CheckRequest) -> BoxFuture<'_, Result<CheckReply, CheckError>> {
        Box::pin(self.judged(request))
    }

    fn learn(&self, request: LearnRequest) -> BoxFuture<'_, Result<LearnReply, CheckError>> {
        Box::pin(self.learned(request))
    }

    fn statistics(&self) -> BoxFuture<'_, Statistics> {
        Box::pin(self.counted())
    }
}

/// The verdict in the terms of the protocols.
fn reply(judged: &Judged, input: &Input) -> CheckReply {
    let verdict = &judged.verdict;
    let (action, text) = match &verdict.action {
        filter::Action::Reject { text } => (Action::Reject, Some(text.to_string())),
        filter::Action::Greylist => (Action::Greylist, None),
        _ if judged.must_wait => (Action::SoftReject, None),
        filter::Action::Accept => (Action::NoAction, None),
        filter::Action::Junk => (Action::AddHeader, None),
        filter::Action::RewriteSubject => (Action::RewriteSubject, None),
        filter::Action::Quarantine => (Action::Quarantine, None),
        filter::Action::Discard => (Action::Discard, None),
    };
    let message_id = input.summary.envelope.message_id.as_deref();
    let message_id = String::from_utf8_lossy(message_id.unwrap_or_default());
    CheckReply {
        action,
        score: verdict.score,
        required_score: verdict.thresholds.spam().min(f32::MAX),
        thresholds: thresholds(&verdict.thresholds),
        symbols: verdict
            .signals
            .iter()
            .map(|signal| Symbol {
                name: signal.symbol.to_string(),
                score: signal.score,
                description: signal.description.to_string(),
                options: signal.options.clone(),
            })
            .collect(),
        edits: Edits {
            add: fields(&verdict.header()),
            // Nobody but us says that a message is spam.
            remove: vec!["X-Spam-Flag".to_owned()],
            ..Edits::default()
        },
        text,
        message_id: message_id
            .trim()
            .trim_start_matches('<')
            .trim_end_matches('>')
            .to_owned(),
        ..CheckReply::default()
    }
}

fn thresholds(thresholds: &Thresholds) -> Vec<(Action, f32)> {
    [
        (Action::Greylist, thresholds.greylist),
        (Action::AddHeader, thresholds.junk),
        (Action::RewriteSubject, thresholds.rewrite),
        (Action::Quarantine, thresholds.quarantine),
        (Action::Reject, thresholds.reject),
        (Action::Discard, thresholds.discard),
    ]
    .into_iter()
    .filter_map(|(action, score)| Some((action, score?)))
    .collect()
}

/// Header fields, each ended by CRLF, one by one.
fn fields(header: &str) -> Vec<Field> {
    mime::header::fields(header.as_bytes())
        .map(|field| Field {
            name: String::from_utf8_lossy(field.name).into_owned(),
            value: String::from_utf8_lossy(field.value)
                .trim()
                .replace("\r\n", "\n"),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folded_field_is_one_field() {
        let header =
            "X-Spam-Score: 1.00\r\nX-Spam-Status: No, score=1.00\r\n\ttests=A,\r\n\t B\r\n";
        let field = |name: &str, value: &str| Field {
            name: name.to_owned(),
            value: value.to_owned(),
        };
        assert_eq!(
            fields(header),
            [
                field("X-Spam-Score", "1.00"),
                field("X-Spam-Status", "No, score=1.00\n\ttests=A,\n\t B"),
            ]
        );
    }
}
