//! What was learned before: asked about a message, and taught by it.

use std::net::IpAddr;

use ambient::Timestamp;
use blocklist::{Answer, Blocklist, Host};
use learn::fuzzy::{Flag, Sample, Shingles};
use learn::greylist::{Triplet, Verdict as Greylisted};
use learn::reputation::{Reputation, Subject};
use learn::{Class, Classification, Learn, Learned, Owner, Source, Tokens};
use mail::Opinion;
use smtp::address::Address;
use store::AccountId;

use crate::engine::Tuning;
use crate::facts::{Facts, domain_of, registrable};
use crate::input::{Input, Origin};
use crate::signal::{Scope, Signal};
use crate::verdict::{Action, Verdict};

/// Accounts of one message whose own counts are asked.
const MAX_ACCOUNTS: usize = 20;
/// Hosts of links that the network is asked about.
const MAX_LINKS: usize = 40;
/// The most that words count against a message, and for it: more than most rules, because the
/// recipients' own judgement is the better judge. Against it, words must be all but sure before
/// they file it as junk alone, and alone they never refuse it.
const BAYES_SPAM: f64 = 10.0;
const BAYES_HAM: f64 = 8.0;
/// The log odds from which on words count, and those from which on they count most. Newsletters
/// talk a little like spam: against a message words must be surer than for it.
const SPAM_ODDS: (f64, f64) = (2.0, 6.0);
const HAM_ODDS: (f64, f64) = (0.0, 4.0);
/// Scores nearer to nothing are left out.
const BAYES_CLEAR: f64 = 0.1;
/// What a bad and a good reputation count at most.
const REPUTATION_SPAM: f64 = 2.0;
const REPUTATION_HAM: f64 = 1.0;
/// Messages a reputation must rest on.
const REPUTATION_WEIGHT: f64 = 5.0;
/// Spaminess nearer to the middle says nothing.
const REPUTATION_CLEAR: f64 = 0.3;
/// What reported texts count.
const FUZZY_DENIED: f64 = 12.0;
const FUZZY_PROBABLE: f64 = 5.0;
const FUZZY_WHITE: f64 = 2.1;
/// Reports after which a text counts in full.
const FUZZY_WEIGHT: f64 = 3.0;
/// What it counts that a recipient writes to the author, and that this answers its mail.
const CORRESPONDENT: f32 = -1.5;
const REPLY: f32 = -4.0;
/// The share of one class in all that was learned automatically above which it waits for the other.
const MOST_OF_ONE_CLASS: f64 = 0.9;
/// Below so many messages that balance is not looked at.
const BALANCE_FROM: u64 = 50;

/// What is to be asked about a message, owned.
#[derive(Debug, Clone, Default)]
pub(crate) struct Question {
    /// The addresses of From.
    pub(crate) authors: Vec<String>,
    helo: String,
    client_name: String,
    envelope_domain: String,
    author_domains: Vec<String>,
    reply_to_domains: Vec<String>,
    signers: Vec<String>,
    hosts: Vec<String>,
    emails: Vec<String>,
    received: Vec<IpAddr>,
    own: Vec<String>,
    references: Vec<String>,
    message_id: Option<String>,
    sample: Sample,
    /// Names this message, whatever header fields are added to it on its way.
    pub(crate) digest: [u8; 32],
    /// Whether the author's address is known to be genuine.
    genuine: bool,
}

impl Question {
    pub(crate) fn of(facts: &Facts<'_>) -> Self {
        let input = facts.input;
        let people = &facts.people;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let envelope = &input.summary.envelope;
        let mut references: Vec<String> =
            input.summary.references.iter().map(|id| text(id)).collect();
        if let Some(answered) = &envelope.in_reply_to {
            references.extend(mime::header::message_ids(answered).map(text));
        }
        let id = crate::record::message_id(&input.summary);
        let words: Vec<_> = text::words::iterate(&facts.body.text)
            .take(learn::fuzzy::MAX_WORDS)
            .map(text::words::fold)
            .collect();
        let auth = &input.auth;
        let author_domain = people.from_domains.first().map_or("", String::as_str);
        Self {
            authors: people.from.clone(),
            helo: input.helo.clone(),
            client_name: auth
                .client_name()
                .map_or_else(String::new, |name| name.as_str().to_owned()),
            envelope_domain: domain_of(&people.sender).to_owned(),
            author_domains: people.from_domains.clone(),
            reply_to_domains: people.reply_to_domains.clone(),
            signers: auth
                .dkim
                .iter()
                .filter(|verdict| verdict.result == mailauth::Outcome::Pass)
                .map(|verdict| verdict.domain.to_lowercase())
                .collect(),
            hosts: facts.links.hosts.iter().take(MAX_LINKS).cloned().collect(),
            emails: people
                .reply_to
                .iter()
                .chain(&facts.links.addresses)
                .cloned()
                .collect(),
            received: facts
                .relays
                .iter()
                .skip(1)
                .map(|relay| relay.address)
                .collect(),
            own: people.recipient_domains.clone(),
            references,
            message_id: (!id.is_empty()).then_some(id),
            sample: Sample {
                text: Shingles::of(words.iter().map(AsRef::as_ref)),
                digests: facts.attached.digests.clone(),
            },
            digest: digest(facts),
            genuine: auth.dmarc.result == mailauth::Outcome::Pass
                || (auth.spf_passed()
                    && !author_domain.is_empty()
                    && domain_of(&people.sender).eq_ignore_ascii_case(author_domain)),
        }
    }

    /// Asks name servers.
    pub(crate) async fn ask(&self, blocklist: &Blocklist, input: &Input) -> Answer {
        let authors = hosts(&self.author_domains);
        let reply_to = hosts(&self.reply_to_domains);
        let dkim = hosts(&self.signers);
        let links = hosts(&self.hosts);
        let emails: Vec<&str> = self.emails.iter().map(String::as_str).collect();
        let own: Vec<&str> = self.own.iter().map(String::as_str).collect();
        blocklist
            .look_up(&blocklist::Question {
                client: Some(input.ip.to_canonical()),
                helo: named(&self.helo),
                hostname: named(&self.client_name),
                envelope: named(&self.envelope_domain),
                authors: &authors,
                reply_to: &reply_to,
                dkim: &dkim,
                links: &links,
                emails: &emails,
                received: &self.received,
                own: &own,
            })
            .await
    }

    /// What a reputation may be about: the client, and who is known to be genuine.
    fn subjects<'a>(&'a self, input: &Input) -> Vec<Subject<'a>> {
        let ip = input.ip.to_canonical();
        let mut subjects = vec![Subject::Address(ip), Subject::Network(ip)];
        if self.genuine {
            subjects.extend(
                self.author_domains
                    .first()
                    .map(|domain| Subject::Domain(domain)),
            );
            subjects.extend(self.authors.first().map(|author| Subject::Sender(author)));
        }
        subjects
    }
}

fn host(name: &str) -> Host<'_> {
    Host::new(name, registrable(name))
}

fn hosts(names: &[String]) -> Vec<Host<'_>> {
    names.iter().map(|name| host(name)).collect()
}

/// A name, unless there is none.
fn named(name: &str) -> Option<Host<'_>> {
    (!name.is_empty()).then(|| host(name))
}

/// What stays the same when servers add their fields: the fields that the author wrote, and the
/// body.
fn digest(facts: &Facts<'_>) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new();
    for name in ["Message-ID", "Date", "From", "To", "Subject"] {
        for field in facts.fields.named(name) {
            hasher.update(name.as_bytes());
            hasher.update(field.raw.trim_ascii());
            hasher.update(&[0]);
        }
    }
    let raw = &facts.input.raw;
    let body = raw.get(mime::header::header_end(raw)..).unwrap_or_default();
    hasher.update(body);
    *hasher.finalize().as_bytes()
}

/// What memory said about a message.
#[derive(Debug, Clone, Default)]
pub(crate) struct Recalled {
    pub(crate) signals: Vec<Signal>,
}

/// What a message can teach.
#[derive(Debug, Clone)]
pub(crate) struct Lesson {
    origin: Origin,
    account: Option<AccountId>,
    recipients: Vec<String>,
    input: Input,
    question: Question,
    tokens: Tokens,
    /// The score without what the classifier itself said.
    score: f64,
    trap: Option<Opinion>,
}

impl Lesson {
    pub(crate) fn new(
        input: &Input,
        question: Question,
        tokens: Tokens,
        verdict: &Verdict,
    ) -> Self {
        let words: f64 = verdict
            .signals
            .iter()
            .filter(|signal| signal.scope == Scope::Message && signal.symbol.starts_with("BAYES_"))
            .map(|signal| f64::from(signal.score))
            .sum();
        // To the thousandth, as scores are: tenths reach the threshold they read as reaching.
        let own = ((f64::from(verdict.score) - words) * 1_000.0).round() / 1_000.0;
        Self {
            origin: input.origin,
            account: input.account,
            recipients: input
                .recipients
                .iter()
                .map(|recipient| recipient.address.to_string())
                .collect(),
            input: input.clone(),
            question,
            tokens,
            score: own,
            trap: None,
        }
    }

    pub(crate) fn with_traps(mut self, traps: &[(Address, Opinion)]) -> Self {
        self.trap = traps.first().map(|(_, opinion)| *opinion);
        self
    }
}

/// What teaching did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Teaching {
    /// The message counts now.
    New,
    /// It counted as the other class before.
    Changed,
    /// It counted as this class before.
    Already,
}

impl From<Learned> for Teaching {
    fn from(learned: Learned) -> Self {
        match learned {
            Learned::New => Self::New,
            Learned::Changed => Self::Changed,
            Learned::Already => Self::Already,
        }
    }
}

/// The memory of the filter.
#[derive(Debug)]
pub(crate) struct Memory {
    pub(crate) learn: Learn,
}

/// Turns an error into nothing: a memory that fails costs a signal, not a message.
fn or_nothing<T: Default>(result: Result<T, learn::Error>) -> T {
    result.unwrap_or_else(|error| {
        tracing::warn!(%error, "what was learned could not be asked");
        T::default()
    })
}

impl Memory {
    pub(crate) fn new(learn: Learn) -> Self {
        Self { learn }
    }

    /// Asks everything at once.
    pub(crate) async fn recall(
        &self,
        input: &Input,
        question: &Question,
        tokens: &Tokens,
    ) -> Recalled {
        if input.origin == Origin::Authenticated {
            return Recalled::default();
        }
        let (words, reputation, fuzzy, people) = tokio::join!(
            self.words(input, tokens),
            self.reputation(input, question),
            self.fuzzy(question),
            self.people(input, question),
        );
        Recalled {
            signals: [words, reputation, fuzzy, people].concat(),
        }
    }

    /// The classifier: one signal for everybody, or one for each recipient when one of them has
    /// taught its own.
    async fn words(&self, input: &Input, tokens: &Tokens) -> Vec<Signal> {
        let mut common = None;
        let mut own = Vec::new();
        for recipient in input.recipients.iter().take(MAX_ACCOUNTS) {
            let owner = recipient.account.map_or(Owner::Global, Owner::Account);
            let found = match self.learn.bayes.classify(owner, tokens).await {
                Ok(found) => found,
                Err(error) => {
                    tracing::warn!(%error, "the classifier could not be asked");
                    return Vec::new();
                }
            };
            match found.from {
                Source::Account => own.push((recipient, bayes(&found))),
                Source::Global | Source::Nobody => common = Some(bayes(&found)),
            }
        }
        if own.is_empty() {
            let found = match common {
                Some(found) => found,
                None => match self.learn.bayes.classify(Owner::Global, tokens).await {
                    Ok(found) => bayes(&found),
                    Err(_) => None,
                },
            };
            return found.into_iter().collect();
        }
        let common = common.flatten();
        let with_own = |address: &Address| own.iter().any(|(with, _)| with.address == *address);
        let others = input
            .recipients
            .iter()
            .filter(|recipient| !with_own(&recipient.address))
            .filter_map(|recipient| Some((recipient, common.clone()?)));
        let own = own
            .iter()
            .filter_map(|(recipient, found)| Some((*recipient, found.clone()?)));
        own.chain(others)
            .map(|(recipient, signal)| Signal {
                scope: Scope::Recipient(recipient.address.clone()),
                ..signal
            })
            .collect()
    }

    async fn reputation(&self, input: &Input, question: &Question) -> Vec<Signal> {
        if input.client_is_near() {
            return Vec::new();
        }
        let subjects = question.subjects(input);
        let scores = or_nothing(self.learn.reputation.scores(&subjects).await);
        let names = ["IP", "NETWORK", "DOMAIN", "SENDER"];
        let mut signals = Vec::new();
        for (name, found) in names.into_iter().zip(&scores) {
            // What is known of the client itself is better than what is known of its neighbours.
            let known = |found: &&Reputation| found.weight >= REPUTATION_WEIGHT;
            if name == "NETWORK" && scores.first().filter(known).is_some() {
                continue;
            }
            signals.extend(
                Some(found)
                    .filter(known)
                    .and_then(|found| reputation(name, found)),
            );
        }
        signals
    }

    async fn fuzzy(&self, question: &Question) -> Vec<Signal> {
        let hits = or_nothing(self.learn.fuzzy.check(&question.sample).await);
        let mut signals: Vec<Signal> = Vec::new();
        for hit in hits {
            let (symbol, most, description) = match hit.flag {
                Flag::Denied => ("FUZZY_DENIED", FUZZY_DENIED, "much like reported spam"),
                Flag::Probable => ("FUZZY_PROB", FUZZY_PROBABLE, "much like probable spam"),
                Flag::White => ("FUZZY_WHITE", -FUZZY_WHITE, "much like wanted mail"),
            };
            if signals.iter().any(|signal| signal.symbol == symbol) {
                continue;
            }
            let share = (f64::from(hit.weight) / FUZZY_WEIGHT).min(1.0) * hit.likeness;
            let likeness = format!("{:.0} % alike, weight {}", hit.likeness * 100.0, hit.weight);
            signals.push(Signal::new(symbol, single(most * share), description).with(likeness));
        }
        signals
    }

    /// Whether recipients know the author. Only of authors that are known to be genuine.
    async fn people(&self, input: &Input, question: &Question) -> Vec<Signal> {
        let Some(author) = question.authors.first().filter(|_| question.genuine) else {
            return Vec::new();
        };
        let references: Vec<&str> = question.references.iter().map(String::as_str).collect();
        let mut signals = Vec::new();
        for recipient in input.recipients.iter().take(MAX_ACCOUNTS) {
            let Some(account) = recipient.account else {
                continue;
            };
            let people = &self.learn.correspondents;
            let answers = or_nothing(people.answers(account, &references).await);
            let (symbol, score, description) = if answers {
                ("REPLY", REPLY, "an answer to mail of the recipient")
            } else if or_nothing(people.is_correspondent(account, author).await) {
                (
                    "KNOWN_CORRESPONDENT",
                    CORRESPONDENT,
                    "the recipient has written to this author",
                )
            } else {
                continue;
            };
            signals.push(Signal {
                scope: Scope::Recipient(recipient.address.clone()),
                ..Signal::new(symbol, score, description)
            });
        }
        signals
    }

    /// Whether the greylist lets a message in.
    pub(crate) async fn greylisted(&self, input: &Input, now: Timestamp) -> bool {
        let sender = input.sender();
        let mut passes = input.recipients.is_empty();
        for recipient in &input.recipients {
            let recipient = recipient.address.to_string();
            let triplet = Triplet::new(input.ip.to_canonical(), &sender, &recipient);
            match self.learn.greylist.check(triplet, now).await {
                Ok(Greylisted::Passed | Greylisted::Known) => passes = true,
                Ok(Greylisted::New { .. } | Greylisted::Early { .. }) => {}
                Err(error) => {
                    tracing::warn!(%error, "the greylist could not be asked");
                    passes = true;
                }
            }
        }
        passes
    }

    /// Learns from a verdict.
    pub(crate) async fn settle(&self, lesson: &Lesson, tuning: &Tuning, verdict: &Verdict) {
        if let Err(error) = self.try_settle(lesson, tuning, verdict).await {
            tracing::warn!(%error, "a verdict could not be learned from");
        }
    }

    async fn try_settle(
        &self,
        lesson: &Lesson,
        tuning: &Tuning,
        verdict: &Verdict,
    ) -> Result<(), learn::Error> {
        if lesson.origin == Origin::Authenticated {
            let Some(account) = lesson.account else {
                return Ok(());
            };
            let recipients: Vec<&str> = lesson.recipients.iter().map(String::as_str).collect();
            let id = lesson.question.message_id.as_deref();
            let people = &self.learn.correspondents;
            return people.note_sent(account, &recipients, id).await;
        }
        if let Some(opinion) = lesson.trap {
            self.teach(Owner::Global, opinion, lesson).await?;
        }
        let class = match verdict.action {
            // Refused for its author's sake or held back: nothing is known of the message yet.
            Action::Greylist => return Ok(()),
            _ if verdict.is_spam() => Class::Spam,
            _ => Class::Ham,
        };
        if !lesson.input.client_is_near() {
            let subjects = lesson.question.subjects(&lesson.input);
            self.learn.reputation.note(&subjects, class).await?;
        }
        if tuning.autolearn && lesson.trap.is_none() {
            self.autolearn(lesson, tuning).await?;
        }
        Ok(())
    }

    async fn autolearn(&self, lesson: &Lesson, tuning: &Tuning) -> Result<(), learn::Error> {
        let class = if lesson.score >= f64::from(tuning.learn_spam) {
            Class::Spam
        } else if lesson.score <= f64::from(tuning.learn_ham) {
            Class::Ham
        } else {
            return Ok(());
        };
        let bayes = &self.learn.bayes;
        let stats = bayes.stats(Owner::Global).await?;
        let (mine, other) = match class {
            Class::Ham => (stats.learned_ham, stats.learned_spam),
            Class::Spam => (stats.learned_spam, stats.learned_ham),
        };
        let all = mine.saturating_add(other);
        if all >= BALANCE_FROM && share(mine, all) > MOST_OF_ONE_CLASS {
            return Ok(());
        }
        let digest = &lesson.question.digest;
        bayes
            .learn(Owner::Global, class, digest, &lesson.tokens)
            .await?;
        Ok(())
    }

    async fn teach(
        &self,
        owner: Owner,
        opinion: Opinion,
        lesson: &Lesson,
    ) -> Result<Teaching, learn::Error> {
        let material = Material {
            digest: lesson.question.digest,
            tokens: lesson.tokens.clone(),
            sample: lesson.question.sample.clone(),
        };
        self.teach_material(owner, opinion, &material).await
    }

    /// Teaches what a message is: its words, and its text and attachments as such.
    pub(crate) async fn teach_material(
        &self,
        owner: Owner,
        opinion: Opinion,
        material: &Material,
    ) -> Result<Teaching, learn::Error> {
        let class = match opinion {
            Opinion::Ham => Class::Ham,
            Opinion::Spam => Class::Spam,
        };
        let bayes = &self.learn.bayes;
        let learned = bayes
            .learn(owner, class, &material.digest, &material.tokens)
            .await?;
        // What one user thinks of a text is a hint; what the administrator says is more.
        let flag = match (opinion, owner) {
            (Opinion::Ham, _) => Flag::White,
            (Opinion::Spam, Owner::Global) => Flag::Denied,
            (Opinion::Spam, Owner::Account(_)) => Flag::Probable,
        };
        if learned != Learned::Already {
            let fuzzy = &self.learn.fuzzy;
            if learned == Learned::Changed {
                for other in [Flag::White, Flag::Denied, Flag::Probable] {
                    if other != flag {
                        fuzzy.unlearn(other, &material.sample, 1).await?;
                    }
                }
            }
            fuzzy.learn(flag, &material.sample, 1).await?;
        }
        Ok(learned.into())
    }
}

/// What a message is learned by.
#[derive(Debug, Clone)]
pub(crate) struct Material {
    pub(crate) digest: [u8; 32],
    pub(crate) tokens: Tokens,
    pub(crate) sample: Sample,
}

impl Material {
    /// Reads a message for teaching.
    pub(crate) fn of(facts: &Facts<'_>) -> Self {
        let question = Question::of(facts);
        Self {
            digest: question.digest,
            tokens: crate::tokens::of(facts),
            sample: question.sample,
        }
    }
}

/// The classifier's signal; none when it cannot tell.
fn bayes(found: &Classification) -> Option<Signal> {
    let score = words_score(found.log_odds()?);
    if score.abs() < BAYES_CLEAR {
        return None;
    }
    let percent = format!("{:.1} %", found.probability? * 100.0);
    let signal = if score > 0.0 {
        Signal::new("BAYES_SPAM", single(score), "its words are those of spam")
    } else {
        let description = "its words are those of wanted mail";
        Signal::new("BAYES_HAM", single(score), description)
    };
    Some(signal.with(percent))
}

/// What words count, given the log odds that they are spam's: a straight line between the odds
/// where they begin to count and those where they count most.
fn words_score(odds: f64) -> f64 {
    let share = |odds: f64, (from, to): (f64, f64)| ((odds - from) / (to - from)).clamp(0.0, 1.0);
    BAYES_SPAM * share(odds, SPAM_ODDS) - BAYES_HAM * share(-odds, HAM_ODDS)
}

fn reputation(name: &str, found: &Reputation) -> Option<Signal> {
    if found.spaminess.abs() < REPUTATION_CLEAR {
        return None;
    }
    let (kind, score, description) = if found.spaminess > 0.0 {
        let score = single(found.spaminess * REPUTATION_SPAM);
        ("SPAM", score, "mostly spam came from there before")
    } else {
        let score = single(found.spaminess * REPUTATION_HAM);
        ("HAM", score, "mostly wanted mail came from there before")
    };
    let rests_on = format!("{:.0} messages", found.weight);
    Some(Signal::new(format!("{name}_REPUTATION_{kind}"), score, description).with(rests_on))
}

/// A score as signals have it, to the hundredth.
#[expect(
    clippy::cast_possible_truncation,
    reason = "scores are small numbers; a float of half the size has them to the hundredth"
)]
fn single(score: f64) -> f32 {
    ((score * 100.0).round() / 100.0) as f32
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a share of large counts need not be exact"
)]
fn share(part: u64, whole: u64) -> f64 {
    part as f64 / whole as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_count_more_the_surer_they_are_and_nothing_in_the_middle() {
        for (odds, score) in [
            (-20.0, -8.0),
            (-4.0, -8.0),
            (-1.0, -2.0),
            (0.0, 0.0),
            (2.0, 0.0),
            (3.0, 2.5),
            (6.0, 10.0),
            (20.0, 10.0),
        ] {
            assert_eq!(words_score(odds), score, "{odds}");
        }
    }

    #[test]
    fn words_alone_refuse_nothing_and_file_as_junk_only_what_is_all_but_sure() {
        let thresholds = crate::Thresholds::default();
        let (junk, reject) = (thresholds.junk.unwrap(), thresholds.reject.unwrap());
        let score = |odds| single(words_score(odds));
        assert!(score(4.0) < junk && score(4.5) >= junk);
        assert!(score(20.0) < reject);
    }
}
