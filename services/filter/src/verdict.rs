//! The decision.

use std::borrow::Cow;
use std::sync::Arc;

use mailauth::{Author, Outcome, Policy};
use mime::Defect;
use smtp::address::Address;

use crate::builtin;
use crate::header;
use crate::input::{Input, Origin};
use crate::signal::{Scope, Signal, Signals, Source};

/// Where scores begin to matter.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Thresholds {
    /// From this score on a message is filed as junk.
    pub junk: f32,
    /// From this score on a message is refused.
    pub reject: f32,
}

impl Default for Thresholds {
    fn default() -> Self {
        Self {
            junk: 6.0,
            reject: 15.0,
        }
    }
}

/// What should happen to a message. Ordered from mild to severe.
///
/// Beside the score, for mail from outside:
///
/// - More than one From field: refused. RFC 5322 §3.6 allows one, and what readers are shown is
///   anyone's guess.
/// - A From whose one author cannot be made out (several addresses, a group, an unusable one): junk
///   at least. DMARC says nothing about it, and that is what a forger would want.
/// - DMARC fails and the author's domain asks for `reject`: refused with 550 5.7.1, unless a valid
///   ARC chain says that someone on the way saw it pass or took it upon themselves; then junk,
///   since any forger can seal a chain. Lists of trusted sealers are a later matter.
/// - DMARC fails and the domain asks for `quarantine`: junk at least.
/// - DMARC could not be looked up: nothing. A broken name server refuses nobody's mail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Deliver it.
    Accept,
    /// Deliver it to the junk mailbox.
    Junk,
    /// Refuse it with 550 5.7.1 and this text.
    Reject {
        /// For the sender to read: one line, printable ASCII.
        text: Cow<'static, str>,
    },
}

impl Action {
    fn severity(&self) -> u8 {
        match self {
            Self::Accept => 0,
            Self::Junk => 1,
            Self::Reject { .. } => 2,
        }
    }

    fn or_worse(self, other: Self) -> Self {
        if other.severity() > self.severity() {
            other
        } else {
            self
        }
    }
}

/// What the filter says about one message.
#[derive(Debug, Clone, PartialEq)]
pub struct Verdict {
    /// What should happen to it.
    pub action: Action,
    /// The sum of the signals that count for everyone, to the thousandth.
    pub score: f32,
    /// Everything that was noticed, in order.
    pub signals: Vec<Signal>,
    /// What the score was held against.
    pub thresholds: Thresholds,
}

impl Verdict {
    /// What should happen to the copy of one recipient, the signals that count for this recipient
    /// alone included. They move the score only: what is refused is refused for all, and what is
    /// junk for its author's sake (see [`Action`]) stays junk.
    #[must_use]
    pub fn action_for(&self, recipient: &Address) -> Action {
        let own = |signal: &&Signal| matches!(&signal.scope, Scope::Recipient(r) if r == recipient);
        let mut own = self.signals.iter().filter(own).peekable();
        let scored = by_score(self.score, &self.thresholds) == self.action;
        if own.peek().is_none() || !scored || matches!(self.action, Action::Reject { .. }) {
            return self.action.clone();
        }
        let score = rounded(self.score + own.map(|signal| signal.score).sum::<f32>());
        if score >= self.thresholds.junk {
            Action::Junk
        } else {
            Action::Accept
        }
    }

    /// The header fields that say it: `X-Spam-Score` and `X-Spam-Status`, folded, each ended by
    /// CRLF, to be put above the message.
    #[must_use]
    pub fn header(&self) -> String {
        header::fields(self)
    }
}

/// The filter: thresholds and the sources of signals. One for the whole server; cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    thresholds: Thresholds,
    sources: Vec<Arc<dyn Source>>,
}

impl Filter {
    /// A filter with the built-in signals.
    #[must_use]
    pub fn new(thresholds: Thresholds) -> Self {
        Self {
            thresholds,
            sources: Vec::new(),
        }
    }

    /// The same filter with one more source, asked after those it has.
    #[must_use]
    pub fn with_source(mut self, source: Arc<dyn Source>) -> Self {
        self.sources.push(source);
        self
    }

    /// The verdict on one message. A pure computation, linear in the size of the message.
    #[must_use]
    pub fn evaluate(&self, input: &Input<'_>) -> Verdict {
        let mut signals = Signals::default();
        builtin::collect(input, &mut signals);
        for source in &self.sources {
            source.collect(input, &mut signals);
        }
        let signals = signals.into_vec();
        let score = signals
            .iter()
            .filter(|signal| signal.scope == Scope::Message)
            .map(|signal| signal.score)
            .sum::<f32>();
        let score = rounded(score);
        let action = by_score(score, &self.thresholds).or_worse(by_author(input, &signals));
        Verdict {
            action,
            score,
            signals,
            thresholds: self.thresholds,
        }
    }
}

/// To the thousandth, so that a sum of tenths reaches the threshold that it reads as reaching.
fn rounded(score: f32) -> f32 {
    (score * 1_000.0).round() / 1_000.0
}

fn by_score(score: f32, thresholds: &Thresholds) -> Action {
    if score >= thresholds.reject {
        Action::Reject {
            text: "Message refused: it looks like spam".into(),
        }
    } else if score >= thresholds.junk {
        Action::Junk
    } else {
        Action::Accept
    }
}

/// What is due to the author, whatever the score. See [`Action`].
fn by_author(input: &Input<'_>, signals: &[Signal]) -> Action {
    if input.origin == Origin::Authenticated {
        return Action::Accept;
    }
    if signals
        .iter()
        .any(|signal| signal.symbol == builtin::symbol(Defect::MultipleFrom))
    {
        return Action::Reject {
            text: "Message refused: it has more than one From field".into(),
        };
    }
    let auth = input.auth;
    if matches!(auth.author, Author::Several | Author::Invalid) {
        return Action::Junk;
    }
    match (auth.dmarc.result, auth.dmarc.policy) {
        (Outcome::Fail, Policy::Reject) if auth.arc.result == Outcome::Pass => Action::Junk,
        (Outcome::Fail, Policy::Reject) => {
            let domain = auth
                .dmarc
                .domain
                .as_ref()
                .map_or("", |domain| domain.as_str());
            let text = format!("Message refused by the DMARC policy of {domain}");
            Action::Reject { text: text.into() }
        }
        (Outcome::Fail, Policy::Quarantine) => Action::Junk,
        _ => Action::Accept,
    }
}
