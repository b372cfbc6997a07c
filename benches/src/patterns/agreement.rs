//! Whether our matches are right: the same as PCRE2's, and as Hyperscan's where PCRE2 gave up.
//!
//! Hyperscan's own mistakes are told but are not ours.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use probe::hyperscan::{Database, Mode};
use probe::rules::Numbered;
use probe::stream::Stream;

use super::oracle::{Pair, Truth};
use super::peer::Compiled;
use crate::error::Result;
use crate::report::progress;

/// Disagreements of one kind that are printed.
const PRINTED: usize = 20;

/// What was found in one scope.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Findings {
    /// PCRE2 says yes, we say no.
    missing: BTreeSet<Pair>,
    /// PCRE2 says no, we say yes.
    invented: BTreeSet<Pair>,
    /// PCRE2 gave up or refuses the pattern, and Hyperscan, which takes it, says the other thing.
    disputed: BTreeSet<Pair>,
    /// Of patterns that Hyperscan takes as they are, what it has not and PCRE2 has.
    peer_missing: BTreeSet<Pair>,
    /// The other way round.
    peer_invented: BTreeSet<Pair>,
    /// Where we ran out of fuel.
    exhausted: BTreeSet<Pair>,
}

impl Findings {
    /// How many of our answers are wrong.
    pub(crate) fn wrong(&self) -> usize {
        self.missing.len() + self.invented.len() + self.disputed.len()
    }
}

/// Our matches, and where we gave up.
pub(crate) fn ours(
    scope: patterns::Scope<'_>,
    scratch: &mut patterns::Scratch,
    stream: &Stream,
) -> (BTreeSet<Pair>, BTreeSet<Pair>) {
    let (mut matches, mut exhausted) = (BTreeSet::new(), BTreeSet::new());
    for (number, haystack) in (0..).zip(stream.haystacks()) {
        scope.scan(scratch, haystack, |id| {
            matches.insert((number, id));
            ControlFlow::Continue(())
        });
        exhausted.extend(scratch.exhausted().iter().map(|id| (number, *id)));
    }
    (matches, exhausted)
}

/// A peer's matches, prefilters' hits included.
pub(crate) fn theirs(database: &mut Database, stream: &Stream) -> Result<BTreeSet<Pair>> {
    let mut matches = BTreeSet::new();
    let mut hits = Vec::new();
    for (number, haystack) in (0..).zip(stream.haystacks()) {
        hits.clear();
        database.scan(haystack, &mut hits)?;
        matches.extend(hits.iter().map(|id| (number, *id)));
    }
    Ok(matches)
}

/// Compares the three.
pub(crate) fn compare(
    (ours, exhausted): (BTreeSet<Pair>, BTreeSet<Pair>),
    theirs: &BTreeSet<Pair>,
    truth: &Truth,
    compiled: &Compiled,
) -> Findings {
    let native: BTreeSet<u32> = compiled
        .modes
        .iter()
        .filter(|(_, mode)| *mode == Mode::Native)
        .map(|(id, _)| *id)
        .collect();
    let known = |pair: &&Pair| !truth.unknown.contains(*pair) && !truth.refused.contains(&pair.1);
    let without = |a: &BTreeSet<Pair>, b: &BTreeSet<Pair>| -> BTreeSet<Pair> {
        a.difference(b).filter(known).copied().collect()
    };
    let theirs: BTreeSet<Pair> = theirs
        .iter()
        .filter(|pair| native.contains(&pair.1))
        .copied()
        .collect();
    let wanted = truth.matches.iter().filter(|pair| native.contains(&pair.1));
    let wanted: BTreeSet<Pair> = wanted.copied().collect();
    let open = |pair: &&Pair| native.contains(&pair.1) && !known(pair);
    let disputed = ours.symmetric_difference(&theirs).filter(open);
    Findings {
        missing: without(&truth.matches, &ours),
        invented: without(&ours, &truth.matches),
        disputed: disputed.copied().collect(),
        peer_missing: without(&wanted, &theirs),
        peer_invented: without(&theirs, &wanted),
        exhausted,
    }
}

/// Tells what was found in `scope`.
pub(crate) fn tell(
    scope: &str,
    findings: &Findings,
    truth: &Truth,
    rules: &[Numbered<'_>],
    peer: &str,
) {
    let (matches, wrong) = (truth.matches.len(), findings.wrong());
    progress(&format!(
        "{scope}: {matches} matches, {wrong} of ours wrong"
    ));
    let name = |id: u32| {
        rules
            .iter()
            .find(|(number, _)| *number == id)
            .map_or("?", |(_, rule)| rule.name.as_str())
    };
    let kinds = [
        ("we miss", &findings.missing),
        ("we invent", &findings.invented),
        (
            "PCRE2 says nothing, and the peer is unlike us at",
            &findings.disputed,
        ),
        ("we ran out of fuel at", &findings.exhausted),
        ("PCRE2 gave up at", &truth.unknown),
    ];
    for (what, pairs) in kinds {
        for (haystack, id) in pairs.iter().take(PRINTED) {
            progress(&format!("  {what} {} in haystack {haystack}", name(*id)));
        }
        if pairs.len() > PRINTED {
            progress(&format!("  … {} of these", pairs.len()));
        }
    }
    for id in &truth.refused {
        progress(&format!("  PCRE2 refuses {}", name(*id)));
    }
    let (missing, invented) = (findings.peer_missing.len(), findings.peer_invented.len());
    if missing + invented > 0 {
        let of = |pairs: &BTreeSet<Pair>| -> String {
            let names: BTreeSet<&str> = pairs.iter().map(|(_, id)| name(*id)).collect();
            names
                .into_iter()
                .take(PRINTED)
                .collect::<Vec<_>>()
                .join(" ")
        };
        progress(&format!(
            "  {peer} misses {missing} ({}) and invents {invented} ({}) of its own patterns",
            of(&findings.peer_missing),
            of(&findings.peer_invented)
        ));
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::super::peer::Cost;
    use super::*;

    fn compiled() -> Compiled {
        Compiled {
            file: PathBuf::new(),
            cost: Cost {
                checks: 0.0,
                compile: 0.0,
                peak: 0.0,
                modes: String::new(),
            },
            modes: vec![
                (0, Mode::Native),
                (1, Mode::Prefilter),
                (2, Mode::Native),
                (3, Mode::Native),
            ],
            recorded: false,
        }
    }

    #[test]
    fn each_kind_of_disagreement_is_told_apart() {
        let truth = Truth {
            matches: BTreeSet::from([(0, 0), (1, 1)]),
            unknown: BTreeSet::from([(2, 2), (3, 2)]),
            refused: BTreeSet::from([3]),
        };
        let ours = BTreeSet::from([(0, 0), (4, 1), (2, 2), (6, 3)]);
        let theirs = BTreeSet::from([(0, 1), (5, 2), (6, 3), (7, 3)]);
        let findings = compare((ours, BTreeSet::new()), &theirs, &truth, &compiled());
        assert_eq!(findings.missing, BTreeSet::from([(1, 1)]));
        assert_eq!(findings.invented, BTreeSet::from([(4, 1)]));
        assert_eq!(findings.disputed, BTreeSet::from([(2, 2), (7, 3)]));
        assert_eq!(findings.peer_missing, BTreeSet::from([(0, 0)]));
        assert_eq!(findings.peer_invented, BTreeSet::from([(5, 2)]));
        assert_eq!(findings.wrong(), 4);
    }

    #[test]
    fn equal_answers_are_right() {
        let truth = Truth {
            matches: BTreeSet::from([(0, 0)]),
            ..Truth::default()
        };
        let both = BTreeSet::from([(0, 0)]);
        let findings = compare((both.clone(), BTreeSet::new()), &both, &truth, &compiled());
        assert_eq!(findings, Findings::default());
    }
}
