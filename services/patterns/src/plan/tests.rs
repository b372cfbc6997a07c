//! Soundness of plans: whenever a pattern matches, an arm fires at a place where the tree with
//! marks matches through its mark. Everything here is the definition in `arm.rs`, run literally.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::*;
use crate::syntax::naive::{self, Found as Naive};
use crate::syntax::sample::{Random, mutate, sample};
use crate::syntax::{Direction, Flags, Look, Sense, parse};

/// Where a match may be, and whether it has passed the mark at its place.
type States = BTreeSet<(usize, bool)>;

/// All ways through a tree at once.
struct Through<'a> {
    haystack: &'a [u8],
    mark: u32,
    place: usize,
}

impl Through<'_> {
    fn run(&self, node: &Node, states: &States) -> States {
        match node {
            Node::Empty | Node::Keep => states.clone(),
            Node::Set(set) => states
                .iter()
                .filter(|(at, _)| {
                    self.haystack
                        .get(*at)
                        .is_some_and(|&byte| set.contains(byte))
                })
                .map(|&(at, passed)| (at + 1, passed))
                .collect(),
            Node::Concat(nodes) => nodes
                .iter()
                .fold(states.clone(), |states, node| self.run(node, &states)),
            Node::Alternation(nodes) => nodes
                .iter()
                .flat_map(|node| self.run(node, states))
                .collect(),
            Node::Repeat(repeat) => {
                let mut current = states.clone();
                for _ in 0..repeat.min {
                    current = self.run(&repeat.node, &current);
                }
                let mut all = current.clone();
                for _ in repeat.min..repeat.max.unwrap_or(u32::MAX) {
                    current = self.run(&repeat.node, &current);
                    let before = all.len();
                    all.extend(current.iter().copied());
                    if all.len() == before {
                        break;
                    }
                }
                all
            }
            Node::Assert(assertion) => self.keep(states, |at| assertion.holds(self.haystack, at)),
            Node::Look(look) => self.keep(states, |at| self.looks(look, at)),
            Node::Mark(mark) => states
                .iter()
                .map(|&(at, passed)| (at, passed || (*mark == self.mark && at == self.place)))
                .collect(),
            Node::Capture { .. } | Node::Atomic(_) | Node::Backreference { .. } => {
                panic!("{node:?} in a tree that confirms")
            }
        }
    }

    fn keep(&self, states: &States, holds: impl Fn(usize) -> bool) -> States {
        states
            .iter()
            .filter(|(at, _)| holds(*at))
            .copied()
            .collect()
    }

    fn looks(&self, look: &Look, at: usize) -> bool {
        let found = match look.direction {
            Direction::Ahead => !self
                .run(&look.node, &States::from([(at, false)]))
                .is_empty(),
            Direction::Behind => {
                let starts: States = (0..=at).map(|start| (start, false)).collect();
                self.run(&look.node, &starts).contains(&(at, false))
            }
        };
        found == (look.sense == Sense::Positive)
    }
}

fn ends(confirm: &Node, haystack: &[u8], mark: u32, place: usize) -> States {
    let through = Through {
        haystack,
        mark,
        place,
    };
    let starts = (0..=haystack.len()).map(|start| (start, false)).collect();
    through.run(confirm, &starts)
}

/// Where the marks of an arm are said to be.
fn fire(arm: &Arm, haystack: &[u8]) -> Vec<(u32, usize)> {
    let mut fired = Vec::new();
    match arm {
        Arm::Literal {
            strings,
            mark,
            distance,
        } => {
            let lower = haystack.to_ascii_lowercase();
            for start in 0..lower.len() {
                if strings
                    .iter()
                    .any(|string| lower[start..].starts_with(string))
                {
                    fired.push((*mark, start + *distance as usize));
                }
            }
        }
        Arm::Lane {
            positions,
            mark,
            distance,
        } => {
            let mut active = vec![false; positions.len()];
            for (at, &byte) in haystack.iter().enumerate() {
                let before = active.clone();
                for (number, position) in positions.iter().enumerate() {
                    let reached = number == 0 || before[number - 1];
                    let entered = reached && position.enter.contains(byte);
                    active[number] = entered || (before[number] && position.stay.contains(byte));
                    if entered && number + 1 == positions.len() {
                        fired.push((*mark, at - *distance as usize));
                    }
                }
            }
        }
        Arm::Anchored | Arm::Whole => {}
    }
    fired
}

/// What `arm.rs` promises about the form of a plan.
fn check_form(planned: &Planned) -> Result<(), String> {
    if planned.arms.is_empty() {
        return Err("no arms".into());
    }
    for arm in &planned.arms {
        let good = match arm {
            Arm::Literal { strings, mark, .. } => {
                let length = SHORTEST_LITERAL..=LONGEST_LITERAL;
                *mark < planned.marks
                    && !strings.is_empty()
                    && strings.windows(2).all(|pair| pair[0] < pair[1])
                    && strings.iter().all(|string| length.contains(&string.len()))
                    && strings
                        .iter()
                        .all(|string| *string == string.to_ascii_lowercase())
            }
            Arm::Lane {
                positions, mark, ..
            } => {
                *mark < planned.marks
                    && (1..=LONGEST_LANE).contains(&positions.len())
                    && positions.last().is_some_and(|last| last.stay.is_empty())
            }
            Arm::Anchored | Arm::Whole => true,
        };
        if !good {
            return Err(format!("bad arm {arm:?}"));
        }
    }
    Ok(())
}

/// Whether there was a match. An error when the plan does not notice it, or says it is exact and
/// sees one where there is none.
fn check(parsed: &Parsed, planned: &Planned, haystack: &[u8]) -> Result<bool, String> {
    let matched = match naive::find(parsed, haystack, 0) {
        Naive::GaveUp => return Ok(false),
        Naive::Match(range) => Some(range),
        Naive::Nothing => None,
    };
    let anywhere = ends(&planned.confirm, haystack, u32::MAX, 0);
    if planned.exact.is_none() {
        if matched.is_some() == anywhere.is_empty() {
            return Err(format!("matches {matched:?}, confirms {anywhere:?}"));
        }
        let confirm = Parsed {
            node: planned.confirm.clone(),
            groups: 0,
        };
        let found = naive::find(&confirm, haystack, 0);
        let same = matched.clone().map_or(Naive::Nothing, Naive::Match);
        if planned.ordered.is_none() && found != Naive::GaveUp && found != same {
            return Err(format!("matches {matched:?}, confirms at {found:?}"));
        }
    }
    if matched.is_none() {
        return Ok(false);
    }
    for arm in &planned.arms {
        match arm {
            Arm::Whole if !anywhere.is_empty() => return Ok(true),
            Arm::Anchored => {
                let through = Through {
                    haystack,
                    mark: u32::MAX,
                    place: 0,
                };
                let ends = through.run(&planned.confirm, &States::from([(0, false)]));
                if !ends.is_empty() {
                    return Ok(true);
                }
            }
            arm => {
                for (mark, place) in fire(arm, haystack) {
                    let ends = ends(&planned.confirm, haystack, mark, place);
                    if ends.iter().any(|&(_, passed)| passed) {
                        return Ok(true);
                    }
                }
            }
        }
    }
    Err("no arm noticed the match".into())
}

/// Text around a sample, such that conditions at its edges sometimes hold.
fn surround(inner: &[u8], random: &mut Random) -> Vec<u8> {
    const WORDS: [&[u8]; 12] = [
        b" ",
        b"\n",
        b"a",
        b"Dear ",
        b"b1",
        b"-",
        b"http://",
        b"_",
        b"\xC3\xA9",
        b"ab ",
        b"1",
        b"",
    ];
    let mut text = Vec::new();
    for _ in 0..random.below(4) {
        text.extend_from_slice(random.pick::<&[u8]>(&WORDS));
    }
    text.extend_from_slice(inner);
    for _ in 0..random.below(4) {
        text.extend_from_slice(random.pick::<&[u8]>(&WORDS));
    }
    text
}

/// Checks a pattern on some texts that match and some that nearly do.
fn check_pattern(expression: &[u8], flags: &str, text: &Statistics, random: &mut Random) -> usize {
    let Ok(parsed) = parse(expression, Flags::parse(flags).unwrap()) else {
        return 0;
    };
    let planned = plan(&parsed, text);
    let mut context = String::new();
    for arm in &planned.arms {
        let _ = write!(context, "\n  {arm}");
    }
    let show = String::from_utf8_lossy(expression).into_owned();
    check_form(&planned).unwrap_or_else(|error| panic!("/{show}/{flags}: {error}"));
    let mut checked = 0;
    for _ in 0..6 {
        let mut haystack = sample(&parsed, random);
        if haystack.len() > 200 {
            continue;
        }
        haystack = surround(&haystack, random);
        if random.one_in(3) {
            haystack = mutate(&haystack, random);
        }
        match check(&parsed, &planned, &haystack) {
            Ok(matched) => checked += usize::from(matched),
            Err(error) => panic!(
                "/{show}/{flags} on {}: {error}{context}\n{:#?}",
                haystack.escape_ascii(),
                planned.confirm
            ),
        }
    }
    checked
}

fn texts() -> Vec<Statistics> {
    let mut texts: Vec<Statistics> = Text::ALL
        .iter()
        .map(|&text| Statistics::builtin(text).clone())
        .collect();
    // Text in which other things are rare.
    let samples: [&[u8]; 3] = [
        b"aaaaaaaaaaabbbbbbbbaaaabababababbbbbbaaaaaaaa",
        b"11111-----    1-1-1-   - - -11111   ",
        b"cdcdcdcd\n\ncdcdc____cdcdcd\xC3\xA9",
    ];
    for number in 0..samples.len() {
        texts.push(Statistics::learn(samples[number..=number].iter().copied()).with_records(10));
    }
    texts
}

#[test]
fn patterns_of_spam_rules_are_noticed() {
    const PATTERNS: [(&str, &str); 40] = [
        (r"\bv[i1!|]agra\b", "i"),
        (r"\bmon(?:day)?\b", "i"),
        (r"(?:^|\s)(?:your|my) (?:web)?cam", "i"),
        (
            r"^https?://(?:\w+\.)+?(?:net|org)\.(?!(?:[a-z]{2}\.)?s3)(?:\w+\.)+?com\b",
            "i",
        ),
        (r"[a-f\d]{8}", ""),
        (r"^[^\r\n]{20}", "m"),
        (
            r"(?:[pP\xd1]|\xce\xa1|\xcf[\x81\xb7])(?:[aA]|\xd0\xb0|/\\)(?:y|\xd1\x83)",
            "",
        ),
        (
            r"(?=(?:[sS]|\xc5[\x9a-\x9f]))(?!security)s?(?:e|3|\xd0\xb5){1,2}curity",
            "i",
        ),
        (r"\b_{0,3}V[_\W]?(?:i|&iuml;)[_\W]?a[_\W]?g", "i"),
        (
            r"free.{0,12}(?:(?:instant|express|online).{0,4})+.{0,8}\bquote",
            "i",
        ),
        (r"^(?>\s{0,50})(?:\d{1,3}[)}:]|\*{1,5})", ""),
        (r"(\w{3,}\.)\1", "i"),
        (r"(?:://|@)(?:\w+\.)*(\w{3,}\.)\1", ""),
        (r"(a|bc){2,3}\1x?", ""),
        (r"x.{0,2}a.{0,2}n", "i"),
        (r"\bs.{0,1}o.{0,1}m\b", "i"),
        (r"(?:foo|bar|[a-z]+ing)\d*baz", "i"),
        (r"a++b|a*+a", ""),
        (r"(?>a|ab)c|(?>b+?)b", ""),
        (r"\s*+\S++x", ""),
        (r"(?<=foo|b)ar+\b", "i"),
        (r"(?<![-\d])[1-9](?!\d\d)\d?0{3}", ""),
        (r"foo\Kbar", ""),
        (
            r"(?:a?\s?copy\sof\s)?(?:your\s){0,2}(?:city|age|sex)(?:\s?[/&]\s?|\sor\s)?",
            "i",
        ),
        (r"(?:(?:ab|a)c?){2,5}[-1]{3,}$", ""),
        (r"\S", ""),
        (r"", ""),
        (r"a*", ""),
        (r"(?:^|x)*", "m"),
        (r"^$", "m"),
        (r"\bb?\B|1\z", ""),
        (r"(?:\b[a-z]{2,}[\s.]+){3}", ""),
        (r"(?:[a-z]([-_. ])\1{0,2}){3}", ""),
        (r"[\x80-\xff]{2}|(?:[\x80-\xff].?){3}", ""),
        (r"(?i:usd?|eur)o?\s?[\d,.]{3,}|\$\d", ""),
        (r"(?:a|b|c|d)(?:a|b|cc|d)(?:longer|words|here|1)", ""),
        (r"x{30}|(?:ab){9}", ""),
        (r"(?!)|never(?!)", ""),
        (r"[^\x00-\xff]abcd", ""),
        (r"\n(?:from|to|cc):\s*$", "i"),
    ];
    let mut random = Random(1);
    let texts = texts();
    let mut checked = 0;
    for (expression, flags) in PATTERNS {
        for text in &texts {
            checked += check_pattern(expression.as_bytes(), flags, text, &mut random);
        }
    }
    assert!(checked > 900, "{checked}");
}

/// A random expression over few letters.
fn expression(random: &mut Random, depth: u32, out: &mut String) {
    const ATOMS: [&str; 22] = [
        "a", "b", "ab", "[ab]", "[^a]", ".", "\\d", "\\s", "-", "aba", "a1", "bb-b", "\\b", "^",
        "$", "\\W", "[a-d]", "c", "d_", "\\B", "abcd", "\\x{e9}",
    ];
    const REPEATS: [&str; 14] = [
        "*", "+", "?", "{2}", "{0,2}", "{1,3}", "{3,}", "*?", "+?", "??", "++", "?+", "{2,4}+",
        "{5}",
    ];
    const GROUPS: [&str; 9] = ["(?:", "(?:", "(?:", "(", "(?>", "(?=", "(?!", "(?:", "(?:"];
    for _ in 0..1 + random.below(4) {
        if depth > 0 && random.one_in(3) {
            let group = *random.pick(&GROUPS);
            out.push_str(group);
            for branch in 0..1 + random.below(3) {
                if branch > 0 {
                    out.push('|');
                }
                expression(random, depth - 1, out);
            }
            out.push(')');
            if group.starts_with("(?=") || group.starts_with("(?!") {
                continue;
            }
        } else if depth == 0 && random.one_in(12) {
            out.push_str("\\1");
        } else {
            out.push_str(random.pick::<&str>(&ATOMS));
        }
        if random.one_in(3) {
            out.push_str(random.pick::<&str>(&REPEATS));
        }
    }
}

#[test]
fn random_patterns_are_noticed() {
    let texts = texts();
    let mut random = Random(2);
    let mut checked = 0;
    for _ in 0..1_500 {
        let mut pattern = String::new();
        expression(&mut random, 3, &mut pattern);
        let flags = *random.pick(&["", "i", "m", "s"]);
        let text = random.below(texts.len());
        checked += check_pattern(pattern.as_bytes(), flags, &texts[text], &mut random);
    }
    assert!(checked > 2_000, "{checked}");
}

fn planned(expression: &str, flags: &str) -> Planned {
    let parsed = parse(expression.as_bytes(), Flags::parse(flags).unwrap()).unwrap();
    plan(&parsed, Statistics::builtin(Text::Prose))
}

fn strings(planned: &Planned) -> Vec<&str> {
    let strings = planned.arms.iter().filter_map(|arm| match arm {
        Arm::Literal { strings, .. } => Some(strings),
        _ => None,
    });
    strings
        .flatten()
        .map(|string| std::str::from_utf8(string).unwrap())
        .collect()
}

#[test]
fn every_branch_gets_its_own_string() {
    let plan = planned(
        r"\b(?:\d+ million|[a-z]+ lottery|x)\W*winner|(?:.+) inheritance",
        "",
    );
    assert!(
        plan.arms
            .iter()
            .all(|arm| matches!(arm, Arm::Literal { .. }))
    );
    assert!(strings(&plan).contains(&"winner"), "{:?}", strings(&plan));
    let plan = planned(r"\w+(?:\d+ million|[a-z]+ lottery)\W*x", "i");
    assert_eq!(strings(&plan), [" million", " lottery"]);
    assert_eq!(plan.marks, 2);
}

#[test]
fn words_of_one_alternation_share_a_mark() {
    let words: Vec<String> = (0..100).map(|n| format!("{n:03}word")).collect();
    let plan = planned(&format!(r"\b(?:{})\b", words.join("|")), "");
    assert_eq!(plan.marks, 1);
    assert_eq!(strings(&plan).len(), 100);
}

#[test]
fn obfuscated_words_get_a_lane() {
    let plan = planned(
        r"(?:p|\xcf\x81)[_\W]?(?:h|\xd2\xbb)[_\W]?(?:a|@)[_\W]?(?:r|\xd0\xb3)m",
        "i",
    );
    let [
        Arm::Lane {
            positions,
            distance: 0,
            ..
        },
    ] = &plan.arms[..]
    else {
        panic!("{:?}", plan.arms);
    };
    assert!(positions.len() >= 3);
}

#[test]
fn what_matches_nearly_everything_is_searched_for() {
    assert_eq!(planned(r"\S", "").arms, [Arm::Whole]);
    assert_eq!(planned("", "").arms, [Arm::Whole]);
    assert_eq!(planned(r"^\s?\S{1,60}\s?$", "").arms, [Arm::Anchored]);
}

#[test]
fn large_and_deep_patterns_are_planned_in_bounded_time() {
    let deep = format!("{}a{}", "(?:b?(?:".repeat(120), "){2,9}c|d)*".repeat(120));
    let wide = "(?:[^a]{1,40}|b+c?|x?y?z?)".repeat(2_000);
    for pattern in [deep, wide] {
        let before = std::time::Instant::now();
        let plan = planned(&pattern, "i");
        assert!(!plan.arms.is_empty());
        assert!(before.elapsed().as_secs() < 5);
    }
}
