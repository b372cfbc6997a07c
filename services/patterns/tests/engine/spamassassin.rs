//! Every expression of Debian's `spamassassin` package: each compiles, and each says of every text
//! what PCRE2 and Perl say.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use patterns::{Compiled, Compiler, Database, Flags, Pattern, PatternSet, Scratch, Text};

use crate::expression::{filler, mutate};
use crate::harness::{Engine, parallel, scan, show};
use crate::oracle::{self, Oracle};
use crate::random::Random;
use crate::rules::{self, Rule};
use crate::{parse, perl, texts};

/// Fewer rules than this means that the reader has lost some.
const FEWEST_RULES: usize = 1_500;
/// Bytes of real text that every pattern of every scope is compared over.
const REAL_TEXT: usize = 400_000;
/// Strings made from each pattern.
const SAMPLES: usize = 4;
/// One in this many patterns is compared by offsets too.
const OFFSETS: usize = 3;

struct Checked {
    rule: Rule,
    id: u32,
    /// None where PCRE2 refuses: the largest expressions, and characters above 255 among bytes.
    oracle: Option<Oracle>,
    second: Option<regex::bytes::Regex>,
}

struct World {
    compiled: Compiled,
    /// By scope.
    checked: BTreeMap<&'static str, Vec<Checked>>,
}

fn text(scope: &str) -> Text {
    match scope {
        "rawbody" | "full" => Text::Markup,
        "uri" => Text::Address,
        "header" => Text::Header,
        _ => Text::Prose,
    }
}

static WORLD: LazyLock<World> = LazyLock::new(|| {
    let rules = rules::installed();
    assert_eq!(rules.unread, Vec::<String>::new(), "expressions not read");
    let oracles = parallel(rules.rules.len(), |index| {
        let rule = &rules.rules[index];
        let oracle = Oracle::new(&rule.expression, &rule.flags).ok();
        (oracle, oracle::second(&rule.expression, &rule.flags))
    });
    let mut set = PatternSet::new();
    let mut checked: BTreeMap<_, Vec<Checked>> = BTreeMap::new();
    for (id, (rule, (oracle, second))) in (0..).zip(rules.rules.into_iter().zip(oracles)) {
        let pattern = Pattern {
            id,
            expression: rule.expression.clone(),
            flags: Flags::parse(&rule.flags).unwrap(),
        };
        set.add(rule.scope, text(rule.scope), pattern).unwrap();
        checked.entry(rule.scope).or_default().push(Checked {
            rule,
            id,
            oracle,
            second,
        });
    }
    World {
        compiled: Compiler::new().compile(&set, None),
        checked,
    }
});

#[test]
fn every_expression_compiles() {
    let world = &*WORLD;
    let rules: BTreeMap<u32, &Checked> = world
        .checked
        .values()
        .flatten()
        .map(|checked| (checked.id, checked))
        .collect();
    let count = rules.len();
    let foreign = rules.values().filter(|checked| checked.oracle.is_none());
    let foreign: Vec<_> = foreign.map(|checked| &checked.rule.name).collect();
    println!("{count} expressions; PCRE2 refuses {foreign:?}");
    assert!(count >= FEWEST_RULES, "only {count} expressions");
    let refused: Vec<String> = world
        .compiled
        .refused
        .iter()
        .map(|refused| {
            let rule = &rules[&refused.id].rule;
            let expression = rule.expression.escape_ascii().to_string();
            let start: String = expression.chars().take(300).collect();
            format!("{} ({}): {start}", rule.name, refused.reason)
        })
        .collect();
    assert!(
        refused.is_empty(),
        "{} refused:\n{}",
        refused.len(),
        refused.join("\n")
    );
    let scopes = world.compiled.database.scopes();
    assert_eq!(scopes.map(|scope| scope.len()).sum::<usize>(), count);
}

impl Checked {
    fn describe(&self, what: &str, haystack: &[u8]) -> String {
        let expression = self.rule.expression.escape_ascii().to_string();
        format!(
            "{} {}: {what}: /{}/{} over {}",
            self.rule.scope,
            self.rule.name,
            expression.chars().take(2_000).collect::<String>(),
            self.rule.flags,
            show(haystack)
        )
    }

    fn is_match(&self, haystack: &[u8]) -> bool {
        let answer = self.oracle.as_ref().map(|oracle| oracle.is_match(haystack));
        matches!(answer, Some(Ok(true)))
    }
}

/// What differed, and how much was compared.
#[derive(Default)]
struct Tally {
    differences: Vec<String>,
    compared: usize,
    matched: usize,
    /// PCRE2 gave up.
    undecided: usize,
    exhausted: usize,
    second: usize,
}

impl Tally {
    fn join(tallies: Vec<Self>) -> Self {
        tallies.into_iter().fold(Self::default(), |mut sum, part| {
            sum.differences.extend(part.differences);
            sum.compared += part.compared;
            sum.matched += part.matched;
            sum.undecided += part.undecided;
            sum.exhausted += part.exhausted;
            sum.second += part.second;
            sum
        })
    }

    /// Compares all patterns of a scope over one haystack.
    fn compare(&mut self, scope: patterns::Scope<'_>, scratch: &mut Scratch, haystack: &[u8]) {
        let answer = scan(scope, scratch, haystack);
        self.exhausted += answer.exhausted.len();
        for checked in &WORLD.checked[scope.name()] {
            let Some(oracle) = &checked.oracle else {
                continue;
            };
            let Ok(expected) = oracle.is_match(haystack) else {
                self.undecided += 1;
                continue;
            };
            self.compared += 1;
            self.matched += usize::from(expected);
            let mut differs = |found: bool, by: &str| {
                if found != expected {
                    let what = format!("{by} says {found}, PCRE2 {expected}");
                    self.differences.push(checked.describe(&what, haystack));
                }
            };
            if !answer.exhausted.contains(&checked.id) {
                differs(answer.matched.contains(&checked.id), "the engine");
            }
            if let Some(second) = &checked.second {
                self.second += 1;
                differs(second.is_match(haystack), "regex");
            }
        }
    }

    fn finish(self, what: &str) {
        println!(
            "{what}: {} comparisons, {} matches, {} more with regex, PCRE2 gave up {} times, \
             the engine {} times",
            self.compared, self.matched, self.second, self.undecided, self.exhausted
        );
        let count = self.differences.len();
        assert!(
            count == 0,
            "{count} differences:\n{}",
            self.differences
                .join("\n")
                .chars()
                .take(20_000)
                .collect::<String>()
        );
        assert_eq!(self.exhausted, 0, "patterns ran out of fuel");
        assert!(
            self.undecided * 10_000 <= self.compared,
            "PCRE2 gave up too often"
        );
    }
}

#[test]
fn existence_over_real_text_is_what_pcre2_says() {
    let haystacks = texts::haystacks(1, REAL_TEXT);
    let database = &WORLD.compiled.database;
    let tallies = parallel(haystacks.len(), |index| {
        let mut tally = Tally::default();
        let mut scratch = Scratch::new(database);
        for scope in database.scopes() {
            tally.compare(scope, &mut scratch, &haystacks[index]);
        }
        tally
    });
    Tally::join(tallies).finish("real text");
}

/// Strings made from a pattern, hits and near misses, alone and in filler. Says as well whether
/// there is a hit among them.
fn made(one: &Checked, seed: u64) -> (Vec<Vec<u8>>, bool) {
    let mut random = Random::new(seed ^ u64::from(one.id));
    let tree = match parse::parse(&one.rule.expression, &one.rule.flags) {
        Ok(tree) => tree,
        Err(reason) => panic!("{}: {reason}", one.rule.name),
    };
    let mut haystacks = Vec::new();
    let mut hit = false;
    for round in 0..SAMPLES {
        let sample = tree.sample(&mut random);
        hit |= one.is_match(&sample);
        let mut haystack = Vec::new();
        // Alone, in filler, after a near miss, a near miss only.
        if round > 0 {
            haystack.extend(filler(&mut random, 60));
        }
        if round > 1 {
            haystack.extend(mutate(&sample, &mut random));
            haystack.extend(filler(&mut random, 20));
        }
        if round < 3 {
            haystack.extend(sample);
        }
        if round > 0 {
            haystack.extend(filler(&mut random, 60));
        }
        haystacks.push(haystack);
    }
    // Conditions on what surrounds may need more tries.
    if !hit {
        let mut tries = (0..200).map(|_| tree.sample(&mut random));
        if let Some(sample) = tries.find(|sample| one.is_match(sample)) {
            haystacks.push(sample);
            hit = true;
        }
    }
    (haystacks, hit)
}

#[test]
fn existence_over_made_text_is_what_pcre2_says() {
    let database = &WORLD.compiled.database;
    let mut tallies = Vec::new();
    let mut unmatched = 0;
    for scope in database.scopes() {
        let checked = &WORLD.checked[scope.name()];
        let (made, hits): (Vec<_>, Vec<_>) = checked.iter().map(|one| made(one, 2)).unzip();
        unmatched += hits.iter().filter(|&&hit| !hit).count();
        let haystacks = made.concat();
        tallies.extend(parallel(haystacks.len(), |index| {
            let mut tally = Tally::default();
            tally.compare(scope, &mut Scratch::new(database), &haystacks[index]);
            tally
        }));
    }
    println!("{unmatched} patterns of which no string could be made");
    assert!(unmatched * 20 <= WORLD.checked.values().map(Vec::len).sum());
    Tally::join(tallies).finish("made text");
}

/// What Perl itself says of strings made from each pattern, those that PCRE2 refuses among them.
#[test]
fn existence_is_what_perl_says() {
    let database = &WORLD.compiled.database;
    let checked: Vec<&Checked> = WORLD.checked.values().flatten().collect();
    let shares: Vec<_> = checked.chunks(checked.len().div_ceil(8)).collect();
    let tallies = parallel(shares.len(), |share| {
        let share = shares[share];
        let haystacks: Vec<_> = share.iter().map(|one| made(one, 3).0).collect();
        let questions: Vec<_> = share
            .iter()
            .zip(&haystacks)
            .flat_map(|(one, haystacks)| {
                haystacks.iter().map(|haystack| perl::Question {
                    expression: &one.rule.expression,
                    flags: &one.rule.flags,
                    haystack,
                })
            })
            .collect();
        let mut answers = perl::answers(&questions).into_iter();
        let mut tally = Tally::default();
        let mut scratch = Scratch::new(database);
        for (one, haystacks) in share.iter().zip(&haystacks) {
            let scope = database.scope(one.rule.scope).unwrap();
            for haystack in haystacks {
                let expected = answers.next().flatten().expect("Perl takes its own rules");
                let answer = scan(scope, &mut scratch, haystack);
                tally.exhausted += usize::from(answer.exhausted.contains(&one.id));
                tally.compared += 1;
                tally.matched += usize::from(expected);
                let found = answer.matched.contains(&one.id);
                if found != expected {
                    let what = format!("the engine says {found}, Perl {expected}");
                    tally.differences.push(one.describe(&what, haystack));
                }
            }
        }
        tally
    });
    Tally::join(tallies).finish("Perl");
}

/// All matches of single patterns, with their offsets.
#[test]
fn offsets_are_what_pcre2_says() {
    let documents = texts::haystacks(3, 60_000);
    let checked: Vec<&Checked> = WORLD.checked.values().flatten().step_by(OFFSETS).collect();
    let tallies = parallel(checked.len(), |index| {
        let one = checked[index];
        let rule = &one.rule;
        let mut tally = Tally::default();
        let (Some(oracle), Ok(mut engine)) =
            (&one.oracle, Engine::of(&rule.expression, &rule.flags))
        else {
            return tally;
        };
        let mut haystacks: Vec<Vec<u8>> = documents.iter().step_by(5).cloned().collect();
        let made = made(one, 4).0;
        haystacks.push(made.concat());
        haystacks.extend(made);
        for haystack in haystacks {
            let Ok(expected) = oracle.matches(&haystack) else {
                tally.undecided += 1;
                continue;
            };
            tally.compared += 1;
            tally.matched += expected.len();
            match engine.matches(&haystack) {
                None => tally.exhausted += 1,
                Some(found) if found != expected => {
                    let what = format!("the engine finds {found:?}, PCRE2 {expected:?}");
                    tally.differences.push(one.describe(&what, &haystack));
                }
                Some(_) => {}
            }
        }
        tally
    });
    Tally::join(tallies).finish("offsets");
}

/// `scan_all` says of many haystacks what single scans say together.
#[test]
fn many_haystacks_are_the_union_of_single_ones() {
    let database: &Database = &WORLD.compiled.database;
    let haystacks = texts::haystacks(4, 60_000);
    let mut scratch = Scratch::new(database);
    for scope in database.scopes() {
        for group in haystacks.chunks(17) {
            let mut union = BTreeSet::new();
            for haystack in group {
                union.extend(scan(scope, &mut scratch, haystack).matched);
            }
            let mut together = BTreeSet::new();
            let outcome = scope.scan_all(&mut scratch, group.iter().map(Vec::as_slice), |id| {
                assert!(together.insert(id), "pattern {id} was reported twice");
                std::ops::ControlFlow::Continue(())
            });
            assert_eq!(outcome.exhausted, 0);
            assert_eq!(together, union, "{}", scope.name());
        }
    }
}
