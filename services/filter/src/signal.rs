//! What was noticed about a message, and who notices.

use std::borrow::Cow;
use std::fmt;

use smtp::address::Address;

use crate::input::Input;

/// Signals kept per message; later ones are dropped.
const SIGNALS_MAX: usize = 1_000;
/// Largest amount by which one signal moves the score.
const SCORE_MAX: f32 = 1_000.0;

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
        let (symbol, description) = (symbol.into(), description.into());
        self.push(Signal {
            symbol,
            score,
            description,
            scope: Scope::Message,
        });
    }

    /// Adds a signal. A score that is no number counts nothing; beyond ±1,000 it is cut.
    pub fn push(&mut self, mut signal: Signal) {
        if self.found.len() < SIGNALS_MAX {
            signal.score = match signal.score {
                score if score.is_nan() => 0.0,
                score => score.clamp(-SCORE_MAX, SCORE_MAX),
            };
            self.found.push(signal);
        }
    }

    /// What has been found so far, in order.
    #[must_use]
    pub fn found(&self) -> &[Signal] {
        &self.found
    }

    pub(crate) fn into_vec(self) -> Vec<Signal> {
        self.found
    }
}

/// A source of signals beside the built-in ones: the rule engine, maps, classifiers. Called in
/// order of registration, after the built-in signals, with what was found so far.
pub trait Source: Send + Sync + fmt::Debug {
    /// Looks at the message and adds what it notices. Does not block on anything.
    fn collect(&self, input: &Input<'_>, signals: &mut Signals);
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
