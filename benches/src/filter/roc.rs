//! How well scores tell spam from ham.

use serde::Serialize;

use super::corpus::Class;

/// Shares of ham that may be called spam.
const FALSE_POSITIVES: [f64; 5] = [0.0, 0.001, 0.002, 0.005, 0.01];
/// Scores at which something happens by default: junk and refusal.
const THRESHOLDS: [f64; 2] = [6.0, 15.0];

/// Scores of both classes.
#[derive(Debug, Clone, Default)]
pub(super) struct Scores {
    ham: Vec<f64>,
    spam: Vec<f64>,
}

/// One point of the curve: a threshold and what it does.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Point {
    /// What was asked for.
    pub(super) at: String,
    /// Messages from this score on are called spam.
    pub(super) threshold: f64,
    pub(super) ham: usize,
    pub(super) ham_hit: usize,
    pub(super) spam: usize,
    pub(super) spam_hit: usize,
}

impl Point {
    /// The share of spam that is caught.
    pub(super) fn caught(&self) -> f64 {
        share(self.spam_hit, self.spam)
    }

    /// The share of ham that is called spam.
    pub(super) fn lost(&self) -> f64 {
        share(self.ham_hit, self.ham)
    }
}

/// A part of a whole; 0 of nothing.
pub(super) fn share(part: usize, whole: usize) -> f64 {
    if whole == 0 {
        0.0
    } else {
        part as f64 / whole as f64
    }
}

impl Scores {
    pub(super) fn add(&mut self, class: Class, score: f64) {
        match class {
            Class::Ham => self.ham.push(score),
            Class::Spam => self.spam.push(score),
        }
    }

    /// All points that are reported.
    pub(super) fn points(&self) -> Vec<Point> {
        let by_share = FALSE_POSITIVES.map(|most| {
            let at = format!("{} % of ham", most * 100.0);
            self.point(at, self.threshold(most))
        });
        let by_score =
            THRESHOLDS.map(|threshold| self.point(format!("score {threshold}"), threshold));
        by_share.into_iter().chain(by_score).collect()
    }

    /// The least score, in thousandths as scores are, above every ham but `most` of them.
    fn threshold(&self, most: f64) -> f64 {
        let mut ham = self.ham.clone();
        ham.sort_by(|left, right| right.total_cmp(left));
        // The highest ham that must stay below.
        let allowed = (0..ham.len())
            .take_while(|hit| share(*hit, ham.len()) <= most)
            .last()
            .unwrap_or_default();
        let least = ham.get(allowed).copied().unwrap_or(f64::NEG_INFINITY);
        (least * 1_000.0).round() / 1_000.0 + 0.001
    }

    fn point(&self, at: String, threshold: f64) -> Point {
        // Scores are sums of hundredths and thousandths: what reads as reaching it reaches it.
        let hit = |scores: &[f64]| {
            let reached = scores.iter().filter(|score| **score >= threshold - 1e-6);
            reached.count()
        };
        Point {
            at,
            threshold,
            ham: self.ham.len(),
            ham_hit: hit(&self.ham),
            spam: self.spam.len(),
            spam_hit: hit(&self.spam),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_threshold_lets_no_more_ham_be_hit_than_allowed() {
        let mut scores = Scores::default();
        for number in 0..1_000 {
            scores.add(Class::Ham, f64::from(number) / 100.0);
        }
        for score in [9.99, 10.0, 9.5, 20.0] {
            scores.add(Class::Spam, score);
        }
        let points = scores.points();
        let hits: Vec<(usize, usize)> = points.iter().map(|p| (p.ham_hit, p.spam_hit)).collect();
        assert_eq!(
            hits,
            [(0, 2), (1, 3), (2, 3), (5, 3), (10, 3), (400, 4), (0, 1)]
        );
        assert!((points[0].threshold - 9.991).abs() < 1e-9);
        assert!((points[0].caught() - 0.5).abs() < 1e-9);
        assert!((points[1].lost() - 0.001).abs() < 1e-9);
    }

    #[test]
    fn thousandths_are_told_apart() {
        let mut scores = Scores::default();
        for score in [8.385, 8.386, 1.0] {
            scores.add(Class::Ham, score);
        }
        scores.add(Class::Spam, 8.387);
        let first = &scores.points()[0];
        assert_eq!((first.ham_hit, first.spam_hit), (0, 1));
    }

    #[test]
    fn nothing_is_no_trouble() {
        let points = Scores::default().points();
        assert!(points.iter().all(|point| point.caught() == 0.0));
    }
}
