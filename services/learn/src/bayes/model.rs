//! The classifier itself, without a database: counts and how a probability comes of them.
//!
//! A word's evidence is the logarithm of how much more frequent it is in spam than in ham. The
//! verdict is the mean of all evidence, each weighted by its own square and by the kind of the word
//! (a mark is worth four words, a pair less with its distance). The many words that say little do
//! not dilute the few that say much, and a long message is no more certain than a short one: unlike
//! a sum of logarithms or Fisher's method, whose independence mail does not have, this leaves
//! newsletters near the middle.
//!
//! `examples/bayes.rs` measures it on a labelled corpus. On 3,022 messages of SpamAssassin's public
//! corpus, newsletters included, half learned and half judged: 93.2 % of spam caught where 0.1 % of
//! ham would be lost, 98.4 % at 0.5 %. Fisher's method caught 83 to 91 % and 95 to 97 %.

use super::table::{Column, Table};
use super::token::{MARK, Tokens};
use super::{Change, Class};

/// What is added to each count, so that a word seen in one class only has finite evidence.
const SMOOTHING: f64 = 0.02;

/// The most evidence of one word.
const STRONGEST: f64 = 10.0;

/// Weight of neutral evidence that is always present: a message with few known words stays near
/// the middle.
const NEUTRAL: f64 = 20.0;

/// Fewer known words say nothing.
const FEWEST_KNOWN: u32 = 8;

/// How steep the probability rises with the mean evidence.
const STEEPNESS: f64 = 2.0;

/// Messages of one class until all counts are halved: counts have sixteen bits.
const MOST_MESSAGES: u32 = 60_000;

/// What a model makes of a message.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Score {
    /// That it is spam, 0 to 1. `None` if too few words are known.
    pub probability: Option<f64>,
    /// How many of its tokens are known.
    pub known: u32,
}

/// Counts of words in learned messages.
#[derive(Debug, Clone)]
pub struct Model {
    table: Table,
    /// Messages the counts stand for. No count is greater.
    ham: u32,
    spam: u32,
    limit: usize,
}

impl Model {
    /// Nothing learned; keeps at most about `limit` words: beyond it, counts are halved until it
    /// holds again.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self {
            table: Table::new(),
            ham: 0,
            spam: 0,
            limit,
        }
    }

    pub(crate) fn restore(table: Table, (ham, spam): (u32, u32), limit: usize) -> Self {
        Self {
            table,
            ham,
            spam,
            limit,
        }
    }

    pub(crate) fn table(&self) -> &Table {
        &self.table
    }

    /// Messages of ham and spam the counts stand for.
    pub(crate) fn weights(&self) -> (u32, u32) {
        (self.ham, self.spam)
    }

    /// Words with a count.
    #[must_use]
    pub fn words(&self) -> usize {
        self.table.live()
    }

    /// Bytes of memory.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.table.bytes()
    }

    /// Counts a message.
    pub fn learn(&mut self, class: Class, tokens: &Tokens) {
        self.apply(Change::Add(class), &tokens.fingerprints());
    }

    /// Takes a message back that was counted before.
    pub fn unlearn(&mut self, class: Class, tokens: &Tokens) {
        self.apply(Change::Take(class), &tokens.fingerprints());
    }

    pub(crate) fn apply(&mut self, change: Change, fingerprints: &[u64]) {
        let (Change::Add(class) | Change::Take(class)) = change;
        let (column, messages) = match class {
            Class::Ham => (Column::Ham, &mut self.ham),
            Class::Spam => (Column::Spam, &mut self.spam),
        };
        match change {
            Change::Add(_) => {
                *messages += 1;
                for &fingerprint in fingerprints {
                    self.table.add(fingerprint, column);
                }
            }
            Change::Take(_) => {
                *messages = messages.saturating_sub(1);
                for &fingerprint in fingerprints {
                    self.table.take(fingerprint, column);
                }
            }
        }
        while self.ham.max(self.spam) > MOST_MESSAGES || self.table.live() > self.limit {
            self.table.age();
            self.ham /= 2;
            self.spam /= 2;
        }
    }

    /// What the counts say about a message. Arithmetic is the same on every platform.
    #[must_use]
    pub fn score(&self, tokens: &Tokens) -> Score {
        let rate = |count: u16, messages: u32| {
            (f64::from(count) + SMOOTHING) / (f64::from(messages) + 2.0 * SMOOTHING)
        };
        let (mut sum, mut weights, mut known) = (0.0, NEUTRAL, 0u32);
        for (fingerprint, kind) in tokens.iter() {
            let Some((ham, spam)) = self.table.get(fingerprint) else {
                continue;
            };
            let evidence =
                libm::log(rate(spam, self.spam) / rate(ham, self.ham)).clamp(-STRONGEST, STRONGEST);
            let weight = evidence * evidence * worth(kind);
            sum += weight * evidence;
            weights += weight;
            known += 1;
        }
        let probability =
            (known >= FEWEST_KNOWN).then(|| 1.0 / (1.0 + libm::exp(-STEEPNESS * sum / weights)));
        Score { probability, known }
    }
}

/// The weight of a kind of token.
fn worth(kind: u8) -> f64 {
    match kind {
        2 => 0.5,
        3 => 0.3,
        4 => 0.2,
        MARK => 4.0,
        _ => 1.0,
    }
}

#[cfg(test)]
mod tests {
    use super::super::token::Word;
    use super::*;

    fn tokens(text: &str) -> Tokens {
        Tokens::of(text.split(' ').map(Word::Body))
    }

    fn trained(limit: usize) -> Model {
        let mut model = Model::new(limit);
        for number in 0..50 {
            model.learn(
                Class::Spam,
                &tokens(&format!("cheap pills for you order number{number}")),
            );
            model.learn(
                Class::Ham,
                &tokens(&format!("minutes of our meeting on budget item{number}")),
            );
        }
        model
    }

    #[test]
    fn spam_and_ham_are_told_apart_and_strangers_are_not_judged() {
        let model = trained(100_000);
        let of = |text| model.score(&tokens(text)).probability;
        assert!(of("order cheap pills for you now").unwrap() > 0.99);
        assert!(of("our meeting on budget moves").unwrap() < 0.01);
        assert_eq!(of("nothing of this was ever seen before"), None);
        assert_eq!(of("cheap"), None, "one word is not enough");
        let both = of("cheap pills for you minutes of our meeting").unwrap();
        assert!((0.2..0.8).contains(&both), "{both}");
    }

    #[test]
    fn unlearning_restores_what_was() {
        let mut model = trained(100_000);
        let before = (model.table.words(), model.weights());
        let message = tokens("cheap meeting about something else entirely");
        model.learn(Class::Spam, &message);
        assert_ne!((model.table.words(), model.weights()), before);
        model.unlearn(Class::Spam, &message);
        assert_eq!((model.table.words(), model.weights()), before);
    }

    #[test]
    fn a_full_model_forgets_rare_words_and_keeps_its_opinion() {
        let model = trained(200);
        assert!(model.words() <= 200, "{}", model.words());
        assert!(model.weights().1 < 50, "{:?}", model.weights());
        let spam = model.score(&tokens("order cheap pills for you now"));
        assert!(spam.probability.unwrap() > 0.95, "{spam:?}");
    }

    #[test]
    fn counts_never_pass_the_messages_they_stand_for() {
        let mut model = Model::new(1_000);
        let message = tokens("a b");
        for _ in 0..MOST_MESSAGES + 10 {
            model.learn(Class::Ham, &message);
        }
        let (ham, _) = model.weights();
        assert_eq!(ham, MOST_MESSAGES / 2 + 9);
        assert!(
            model
                .table
                .words()
                .iter()
                .all(|word| u32::from(word.1) == ham)
        );
    }
}
