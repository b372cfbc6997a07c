//! What was noticed about a message.

use std::borrow::Cow;

use smtp::address::Address;

/// Signals kept per message; later ones are dropped.
const SIGNALS_MAX: usize = 1_000;
/// Largest amount by which one signal moves the score.
const SCORE_MAX: f32 = 10_000.0;
/// What is kept of the particulars of a signal.
const OPTIONS_MAX: usize = 10;

/// For whom a signal counts.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Scope {
    /// For everyone.
    #[default]
    Message,
    /// For this recipient alone, by a list or a rule of its own.
    Recipient(Address),
}

/// One thing noticed about a message.
#[derive(Debug, Clone, PartialEq)]
pub struct Signal {
    /// Its name: upper case letters, digits and underscores, such as `R_SPF_FAIL`.
    pub symbol: Cow<'static, str>,
    /// By how much it makes the message worse; negative makes it better, zero only explains.
    pub score: f32,
    /// What was noticed, for people.
    pub description: Cow<'static, str>,
    /// For whom it counts.
    pub scope: Scope,
    /// Particulars: what was found where, for people.
    pub options: Vec<String>,
}

impl Signal {
    /// A signal for everyone, without particulars.
    pub fn new(
        symbol: impl Into<Cow<'static, str>>,
        score: f32,
        description: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self {
            symbol: symbol.into(),
            score,
            description: description.into(),
            scope: Scope::Message,
            options: Vec::new(),
        }
    }

    /// The same with one more particular.
    #[must_use]
    pub fn with(mut self, option: impl Into<String>) -> Self {
        self.options.push(option.into());
        self
    }
}

/// The signals of one message while they are being collected.
#[derive(Debug, Default)]
pub struct Signals {
    found: Vec<Signal>,
}

impl Signals {
    /// Adds a signal for everyone.
    pub fn add(
        &mut self,
        symbol: impl Into<Cow<'static, str>>,
        score: f32,
        description: impl Into<Cow<'static, str>>,
    ) {
        self.push(Signal::new(symbol, score, description));
    }

    /// Adds a signal. A score that is no number counts nothing; beyond ±10,000 it is cut.
    pub fn push(&mut self, mut signal: Signal) {
        if self.found.len() < SIGNALS_MAX {
            signal.score = match signal.score {
                score if score.is_nan() => 0.0,
                score => score.clamp(-SCORE_MAX, SCORE_MAX),
            };
            signal.options.truncate(OPTIONS_MAX);
            self.found.push(signal);
        }
    }

    /// What has been found so far, in order.
    #[must_use]
    pub fn found(&self) -> &[Signal] {
        &self.found
    }

    pub(crate) fn retain(&mut self, keep: impl FnMut(&Signal) -> bool) {
        self.found.retain(keep);
    }

    pub(crate) fn found_mut(&mut self) -> &mut [Signal] {
        &mut self.found
    }

    pub(crate) fn into_vec(self) -> Vec<Signal> {
        self.found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_and_counts_are_bounded() {
        let mut signals = Signals::default();
        for score in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 1.5] {
            signals.add("S", score, "");
        }
        let scores: Vec<f32> = signals.found().iter().map(|signal| signal.score).collect();
        assert_eq!(scores, [0.0, SCORE_MAX, -SCORE_MAX, 1.5]);
        for _ in 0..2 * SIGNALS_MAX {
            signals.add("S", 1.0, "");
        }
        assert_eq!(signals.found().len(), SIGNALS_MAX);
    }
}
