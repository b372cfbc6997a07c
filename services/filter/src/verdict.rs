//! The decision.
//!
//! Signals become a score, the score an action by the thresholds of each recipient, and the actions
//! of all recipients what the server answers. All of it is pure: the same signals have the same
//! verdict on every machine.

use std::borrow::Cow;
use std::collections::BTreeMap;

use mailauth::{Author, Outcome, Policy};
use mime::Defect;
use serde::{Deserialize, Serialize};
use smtp::address::Address;

use crate::builtin;
use crate::header;
use crate::input::{Input, Origin, Recipient};
use crate::signal::{Scope, Signal};

/// Where scores begin to matter; what is `None` does not happen by score.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Thresholds {
    /// From this score on, below the next, a first attempt is answered "later".
    pub greylist: Option<f32>,
    /// From this score on a message is filed as junk.
    pub junk: Option<f32>,
    /// From this score on the subject says that a message is junk.
    pub rewrite: Option<f32>,
    /// From this score on a message is kept in quarantine.
    pub quarantine: Option<f32>,
    /// From this score on a message is refused.
    pub reject: Option<f32>,
    /// From this score on a message is accepted and thrown away.
    pub discard: Option<f32>,
}

impl Default for Thresholds {
    fn default() -> Self {
        Self {
            greylist: None,
            junk: Some(6.0),
            rewrite: None,
            quarantine: None,
            reject: Some(15.0),
            discard: None,
        }
    }
}

impl Thresholds {
    /// Nothing happens by score.
    pub const NONE: Self = Self {
        greylist: None,
        junk: None,
        rewrite: None,
        quarantine: None,
        reject: None,
        discard: None,
    };

    /// The score from which on mail counts as spam: the least of those that say so; infinite when
    /// there is none.
    #[must_use]
    pub fn spam(&self) -> f32 {
        [
            self.junk,
            self.rewrite,
            self.quarantine,
            self.reject,
            self.discard,
        ]
        .into_iter()
        .flatten()
        .fold(f32::INFINITY, f32::min)
    }

    /// These, and where they say nothing `other`.
    #[must_use]
    pub fn or(&self, other: &Self) -> Self {
        Self {
            greylist: self.greylist.or(other.greylist),
            junk: self.junk.or(other.junk),
            rewrite: self.rewrite.or(other.rewrite),
            quarantine: self.quarantine.or(other.quarantine),
            reject: self.reject.or(other.reject),
            discard: self.discard.or(other.discard),
        }
    }

    /// What a score asks for: the severest action whose threshold it reaches.
    fn action(&self, score: f32) -> Action {
        let reached = |threshold: Option<f32>| threshold.is_some_and(|least| score >= least);
        if reached(self.discard) {
            Action::Discard
        } else if reached(self.reject) {
            Action::Reject {
                text: REFUSED_BY_SCORE.into(),
            }
        } else if reached(self.quarantine) {
            Action::Quarantine
        } else if reached(self.rewrite) {
            Action::RewriteSubject
        } else if reached(self.junk) {
            Action::Junk
        } else if reached(self.greylist) {
            Action::Greylist
        } else {
            Action::Accept
        }
    }
}

/// What senders read whose mail is refused by its score.
const REFUSED_BY_SCORE: &str = "Message refused: it looks like spam";
/// What senders read whose mail a rule refuses at once.
const REFUSED_BY_RULE: &str = "Message refused by local policy";

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
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Deliver it.
    Accept,
    /// Answer "later"; who comes back is let in.
    Greylist,
    /// Deliver it to the junk mailbox.
    Junk,
    /// Deliver it to the junk mailbox with a subject that says so.
    RewriteSubject,
    /// Keep it where the administrator and the recipient may look for it.
    Quarantine,
    /// Refuse it with 550 5.7.1 and this text.
    Reject {
        /// For the sender to read: one line, printable ASCII.
        text: Cow<'static, str>,
    },
    /// Accept it and throw it away.
    Discard,
}

impl Action {
    fn severity(&self) -> u8 {
        match self {
            Self::Accept => 0,
            Self::Greylist => 1,
            Self::Junk => 2,
            Self::RewriteSubject => 3,
            Self::Quarantine => 4,
            Self::Reject { .. } => 5,
            Self::Discard => 6,
        }
    }

    fn or_worse(self, other: Self) -> Self {
        if other.severity() > self.severity() {
            other
        } else {
            self
        }
    }

    /// Whether the message counts as spam.
    #[must_use]
    pub fn is_spam(&self) -> bool {
        !matches!(self, Self::Accept | Self::Greylist)
    }

    /// Its name in records and on the command line.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Accept => "accept",
            Self::Greylist => "greylist",
            Self::Junk => "junk",
            Self::RewriteSubject => "rewrite_subject",
            Self::Quarantine => "quarantine",
            Self::Reject { .. } => "reject",
            Self::Discard => "discard",
        }
    }
}

/// What happens to the copy of one recipient.
#[derive(Debug, Clone, PartialEq)]
pub struct Share {
    /// The recipient, as the sender named it.
    pub recipient: Address,
    /// The message's score with the signals that count for this recipient alone.
    pub score: f32,
    /// What it was held against.
    pub thresholds: Thresholds,
    /// What should happen.
    pub action: Action,
}

/// What the filter says about one message.
#[derive(Debug, Clone, PartialEq)]
pub struct Verdict {
    /// What the server should answer: the mildest of all recipients' actions, so that what one of
    /// them wants is not refused for the others' sake.
    pub action: Action,
    /// The sum of the signals that count for everyone, to the thousandth.
    pub score: f32,
    /// Everything that was noticed, in order.
    pub signals: Vec<Signal>,
    /// What the score was held against where a recipient has no thresholds of its own.
    pub thresholds: Thresholds,
    /// Each recipient's, in the order of the input.
    pub shares: Vec<Share>,
    /// The revision of the rules that were asked.
    pub revision: u64,
    /// How long it took, in microseconds: reading, rules, network and learned signals, all.
    pub timing: Timing,
}

/// How long the steps of a verdict took, in microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Timing {
    /// Reading the message.
    pub facts: u64,
    /// Scanning with the rules.
    pub rules: u64,
    /// Waiting for name servers, the virus scanner and the database, in parallel with the former.
    pub waiting: u64,
    /// From begin to end.
    pub total: u64,
}

/// Something that decides whatever the score.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Override {
    /// A rule accepts at once.
    Accept,
    /// A rule refuses at once.
    Reject,
}

/// What is weighed.
#[derive(Debug)]
pub(crate) struct Evidence {
    pub(crate) signals: Vec<Signal>,
    /// What caps of groups take from the sum, or give back.
    pub(crate) correction: f64,
    pub(crate) decided: Option<Override>,
    /// The server's thresholds.
    pub(crate) thresholds: Thresholds,
    /// Those of recipients that have their own.
    pub(crate) own: BTreeMap<Address, Thresholds>,
    pub(crate) revision: u64,
}

impl Verdict {
    /// Draws the conclusion.
    pub(crate) fn weigh(input: &Input, evidence: Evidence) -> Self {
        let Evidence {
            signals,
            correction,
            decided,
            thresholds,
            own,
            revision,
        } = evidence;
        let public = signals
            .iter()
            .filter(|signal| signal.scope == Scope::Message)
            .map(|signal| f64::from(signal.score))
            .sum::<f64>()
            + correction;
        let author = by_author(input, &signals);
        let by_score = |score: f32, thresholds: &Thresholds| {
            let action = thresholds.action(score);
            match input.origin {
                // Our users' mail is sent or refused; nobody marks it on its way out.
                Origin::Authenticated if !matches!(action, Action::Reject { .. }) => Action::Accept,
                _ => action,
            }
        };
        let share = |recipient: &Recipient| {
            let private = |signal: &&Signal| matches!(&signal.scope, Scope::Recipient(r) if *r == recipient.address);
            let more: f64 = signals
                .iter()
                .filter(private)
                .map(|signal| f64::from(signal.score))
                .sum();
            let score = rounded(public + more);
            let thresholds = own
                .get(&recipient.address)
                .map_or(thresholds, |own| own.or(&thresholds));
            Share {
                recipient: recipient.address.clone(),
                score,
                thresholds,
                action: decide(decided, by_score(score, &thresholds), &author),
            }
        };
        let shares: Vec<Share> = input.recipients.iter().map(share).collect();
        let score = rounded(public);
        let alone = decide(decided, by_score(score, &thresholds), &author);
        let action = shares
            .iter()
            .map(|share| &share.action)
            .min_by_key(|action| action.severity())
            .cloned()
            .unwrap_or(alone);
        Self {
            action,
            score,
            signals,
            thresholds,
            shares,
            revision,
            timing: Timing::default(),
        }
    }

    /// Lets in what the greylist knows.
    pub(crate) fn pass_greylist(&mut self) {
        for share in &mut self.shares {
            if share.action == Action::Greylist {
                share.action = Action::Accept;
            }
        }
        if self.action == Action::Greylist {
            self.action = Action::Accept;
        }
    }

    /// What should happen to the copy of one recipient, given that the message is accepted. Nobody
    /// can be refused any more then: their copies are filed as junk.
    #[must_use]
    pub fn action_for(&self, recipient: &Address) -> Action {
        let share = self
            .shares
            .iter()
            .find(|share| share.recipient == *recipient);
        match share.map_or(&self.action, |share| &share.action) {
            Action::Greylist => Action::Accept,
            Action::Reject { .. } => Action::Junk,
            action => action.clone(),
        }
    }

    /// The score of one recipient's copy.
    #[must_use]
    pub fn score_for(&self, recipient: &Address) -> f32 {
        let share = self
            .shares
            .iter()
            .find(|share| share.recipient == *recipient);
        share.map_or(self.score, |share| share.score)
    }

    /// Whether it counts as spam.
    #[must_use]
    pub fn is_spam(&self) -> bool {
        self.action.is_spam()
    }

    /// The header fields that say it, each ended by CRLF, to be put above the message:
    /// `X-Spam-Score`, `X-Spam-Status`, and for spam `X-Spam-Flag`.
    #[must_use]
    pub fn header(&self) -> String {
        header::fields(self)
    }
}

fn decide(decided: Option<Override>, by_score: Action, by_author: &Action) -> Action {
    match decided {
        Some(Override::Accept) => Action::Accept,
        Some(Override::Reject) => Action::Reject {
            text: REFUSED_BY_RULE.into(),
        },
        None => by_score.or_worse(by_author.clone()),
    }
}

/// To the thousandth, so that a sum of tenths reaches the threshold that it reads as reaching.
#[expect(
    clippy::cast_possible_truncation,
    reason = "scores are small: at most 1,000 signals of at most 10,000 each"
)]
fn rounded(score: f64) -> f32 {
    ((score * 1_000.0).round() / 1_000.0) as f32
}

/// What is due to the author, whatever the score. See [`Action`].
fn by_author(input: &Input, signals: &[Signal]) -> Action {
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
    let auth = &input.auth;
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
