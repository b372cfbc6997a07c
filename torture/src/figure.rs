//! What a run says: figures with their targets.

use serde::{Deserialize, Serialize};

/// How a value is judged.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Target {
    /// Nothing else will do.
    Exactly(f64),
    /// This or less.
    AtMost(f64),
    /// This or more.
    AtLeast(f64),
    /// Nothing was promised; said for comparison.
    Shown,
}

impl Target {
    fn meets(self, value: f64) -> bool {
        match self {
            Self::Exactly(wanted) => (value - wanted).abs() < f64::EPSILON,
            Self::AtMost(most) => value <= most,
            Self::AtLeast(least) => value >= least,
            Self::Shown => true,
        }
    }

    /// For people.
    pub(crate) fn text(self) -> String {
        match self {
            Self::Exactly(wanted) => format!("{wanted}"),
            Self::AtMost(most) => format!("≤ {most}"),
            Self::AtLeast(least) => format!("≥ {least}"),
            Self::Shown => String::new(),
        }
    }
}

/// One number that a run found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Figure {
    /// What was counted or measured.
    pub(crate) what: String,
    /// How much.
    pub(crate) value: f64,
    /// Of what, such as `ms`; empty for a count.
    pub(crate) unit: String,
    /// What was promised.
    pub(crate) target: Target,
}

impl Figure {
    /// Whether the promise is kept.
    pub(crate) fn is_good(&self) -> bool {
        self.target.meets(self.value)
    }

    /// Whether it depends on how busy the machine is.
    fn is_timing(&self) -> bool {
        matches!(self.unit.as_str(), "s" | "ms" | "%")
    }
}

/// The figures of a run.
#[derive(Debug, Default)]
pub(crate) struct Figures {
    list: Vec<Figure>,
    checks: u64,
}

impl Figures {
    /// A number without a unit.
    pub(crate) fn count(&mut self, what: &str, value: impl TryInto<u32>, target: Target) {
        let value = value.try_into().unwrap_or(u32::MAX);
        self.measure(what, f64::from(value), "", target);
    }

    /// A number with one.
    pub(crate) fn measure(&mut self, what: &str, value: f64, unit: &str, target: Target) {
        self.list.push(Figure {
            what: what.to_owned(),
            value: (value * 1_000.0).round() / 1_000.0,
            unit: unit.to_owned(),
            target,
        });
    }

    /// The time that 99 of 100 did not need.
    pub(crate) fn percentile(
        &mut self,
        what: &str,
        mut times: Vec<f64>,
        unit: &str,
        target: Target,
    ) {
        times.sort_by(f64::total_cmp);
        let slow = times.get(times.len() * 99 / 100).copied();
        let what = format!("{what}, 99th percentile");
        self.measure(&what, slow.unwrap_or(f64::NAN), unit, target);
    }

    /// So many things were looked at. A run without any is red.
    pub(crate) fn checked(&mut self, count: impl TryInto<u64>) {
        self.checks += count.try_into().unwrap_or(0);
    }

    /// What was said.
    pub(crate) fn list(&self) -> &[Figure] {
        &self.list
    }

    /// Whether something was looked at, and every promise is kept. A quick run is made on machines
    /// that do other things as well: how long something took is said there, and decides nothing.
    pub(crate) fn are_good(&self, full: bool) -> bool {
        let decides = |figure: &&Figure| full || !figure.is_timing();
        self.checks > 0 && self.list.iter().filter(decides).all(Figure::is_good)
    }

    /// How much was looked at.
    pub(crate) fn checks(&self) -> u64 {
        self.checks
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_that_checked_nothing_is_red() {
        let mut figures = Figures::default();
        figures.count("messages lost", 0_u32, Target::Exactly(0.0));
        assert!(!figures.are_good(true));
        figures.checked(3_u64);
        assert!(figures.are_good(true));
    }

    #[test]
    fn the_percentile_leaves_one_of_a_hundred_out() {
        let mut figures = Figures::default();
        let times = (1..=200).rev().map(f64::from).collect();
        figures.percentile("a reply", times, "ms", Target::Shown);
        figures.percentile("none", Vec::new(), "ms", Target::AtMost(1.0));
        assert_eq!(figures.list()[0].value, 199.0);
        assert_eq!(figures.list()[0].what, "a reply, 99th percentile");
        assert!(!figures.list()[1].is_good(), "nothing measured is no good");
    }

    #[test]
    fn one_figure_beyond_its_target_is_enough() {
        for (value, target, good) in [
            (0.0, Target::Exactly(0.0), true),
            (1.0, Target::Exactly(0.0), false),
            (5.0, Target::AtMost(5.0), true),
            (5.1, Target::AtMost(5.0), false),
            (5.0, Target::AtLeast(5.0), true),
            (4.9, Target::AtLeast(5.0), false),
            (9.9, Target::Shown, true),
            (f64::NAN, Target::AtMost(1.0), false),
        ] {
            let mut figures = Figures::default();
            figures.checked(1_u64);
            figures.measure("", value, "s", target);
            assert!(figures.are_good(false), "a quick run times nobody");
            assert_eq!(figures.are_good(true), good, "{value} {target:?}");
        }
    }
}
