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
        let mut verdict = Self {
            action: alone,
            score,
            signals,
            thresholds,
            shares,
            revision,
            timing: Timing::default(),
        };
        verdict.settle_action();
        verdict
    }

    /// What the server answers, given what is to happen to each copy.
    pub(crate) fn settle_action(&mut self) {
        let mildest = self
            .shares
            .iter()
            .map(|share| &share.action)
            .min_by_key(|action| action.severity());
        if let Some(action) = mildest {
            self.action = action.clone();
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use smtp::address::ReversePath;

    use super::*;

    fn address(text: &str) -> Address {
        Address::parse(text).unwrap()
    }

    /// Mail for Ann and Bob.
    fn input(origin: Origin) -> Input {
        let recipients = ["ann@receiver.test", "bob@receiver.test"];
        Input {
            raw: bytes::Bytes::new(),
            summary: Arc::new(mime::Summary::parse(b"")),
            auth: Arc::default(),
            ip: [198, 51, 100, 1].into(),
            helo: String::new(),
            from: ReversePath::Null,
            recipients: recipients.map(address).map(Recipient::new).into(),
            origin,
            account: None,
            received_at: None,
        }
    }

    fn signal(score: f32, scope: Scope) -> Signal {
        Signal {
            scope,
            ..Signal::new("LIST_A", score, "on a list")
        }
    }

    fn for_ann(score: f32) -> Signal {
        signal(score, Scope::Recipient(address("ann@receiver.test")))
    }

    fn for_all(score: f32) -> Signal {
        signal(score, Scope::Message)
    }

    fn evidence(signals: Vec<Signal>) -> Evidence {
        Evidence {
            signals,
            correction: 0.0,
            decided: None,
            thresholds: Thresholds::default(),
            own: BTreeMap::new(),
            revision: 1,
        }
    }

    fn weigh(signals: Vec<Signal>) -> Verdict {
        Verdict::weigh(&input(Origin::Outside), evidence(signals))
    }

    /// What is done, and what for Ann and Bob.
    fn actions(verdict: &Verdict) -> [&'static str; 3] {
        let of = |name| verdict.action_for(&address(name));
        let (ann, bob) = (of("ann@receiver.test"), of("bob@receiver.test"));
        [verdict.action.name(), ann.name(), bob.name()]
    }

    #[test]
    fn signals_count_for_all_or_for_one() {
        let hated = weigh(vec![for_ann(10.0)]);
        assert_eq!(actions(&hated), ["accept", "junk", "accept"]);
        assert_eq!(hated.score, 0.0);
        assert!(!hated.header().contains("LIST_A"));
        let liked = weigh(vec![for_all(7.0), for_ann(-5.0)]);
        assert_eq!(actions(&liked), ["accept", "accept", "junk"]);
        let refused = weigh(vec![for_all(20.0)]);
        assert_eq!(actions(&refused), ["reject", "junk", "junk"]);
        let for_one = weigh(vec![for_all(20.0), for_ann(-50.0)]);
        assert_eq!(actions(&for_one), ["accept", "accept", "junk"]);
        assert_eq!(for_one.score_for(&address("ann@receiver.test")), -30.0);
        // Whom the message is not for is told what holds for everyone.
        assert_eq!(for_one.score_for(&address("carl@receiver.test")), 20.0);
    }

    #[test]
    fn tenths_reach_the_threshold_they_read_as_reaching() {
        let verdict = weigh(vec![for_all(0.1); 60]);
        assert_eq!((verdict.score, verdict.action), (6.0, Action::Junk));
        assert_eq!(weigh(vec![for_all(0.1); 59]).action, Action::Accept);
    }

    #[test]
    fn what_a_cap_takes_away_does_not_count() {
        let capped = Evidence {
            correction: -4.0,
            ..evidence(vec![for_all(9.0)])
        };
        let verdict = Verdict::weigh(&input(Origin::Outside), capped);
        assert_eq!((verdict.score, verdict.action), (5.0, Action::Accept));
    }

    #[test]
    fn a_rule_that_decides_decides_whatever_the_score() {
        for (decided, score, expected) in [
            (Override::Accept, 100.0, ["accept", "accept", "accept"]),
            (Override::Reject, -100.0, ["reject", "junk", "junk"]),
        ] {
            let decided = Evidence {
                decided: Some(decided),
                ..evidence(vec![for_all(score)])
            };
            let verdict = Verdict::weigh(&input(Origin::Outside), decided);
            assert_eq!(actions(&verdict), expected);
        }
    }

    #[test]
    fn mail_of_users_is_sent_or_refused() {
        for (score, action) in [(7.0, "accept"), (14.9, "accept"), (15.0, "reject")] {
            let found = evidence(vec![for_all(score)]);
            let verdict = Verdict::weigh(&input(Origin::Authenticated), found);
            assert_eq!(verdict.action.name(), action, "{score}");
        }
    }

    #[test]
    fn the_severest_threshold_that_is_reached_counts() {
        let thresholds = Thresholds {
            greylist: Some(1.0),
            junk: Some(2.0),
            rewrite: Some(3.0),
            quarantine: Some(4.0),
            reject: Some(5.0),
            discard: Some(6.0),
        };
        assert_eq!(thresholds.spam(), 2.0);
        assert_eq!(Thresholds::NONE.spam(), f32::INFINITY);
        for (score, name) in [
            (0.9, "accept"),
            (1.0, "greylist"),
            (2.0, "junk"),
            (3.0, "rewrite_subject"),
            (4.0, "quarantine"),
            (5.0, "reject"),
            (6.0, "discard"),
        ] {
            assert_eq!(thresholds.action(score).name(), name);
        }
        assert_eq!(Thresholds::NONE.action(1e6), Action::Accept);
        let own = Thresholds {
            junk: Some(9.0),
            ..Thresholds::NONE
        };
        assert_eq!(own.or(&thresholds).junk, Some(9.0));
        assert_eq!(own.or(&thresholds).reject, Some(5.0));
    }

    #[test]
    fn who_passes_the_greylist_is_accepted_and_others_stay_what_they_are() {
        let mut found = evidence(vec![for_all(3.0), for_ann(5.0)]);
        found.thresholds.greylist = Some(3.0);
        let mut verdict = Verdict::weigh(&input(Origin::Outside), found);
        assert_eq!(actions(&verdict), ["greylist", "junk", "accept"]);
        verdict.pass_greylist();
        assert_eq!(actions(&verdict), ["accept", "junk", "accept"]);
    }
}
