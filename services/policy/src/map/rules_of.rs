//! From maps to rules.

use rules::{Condition, Hits, List, ListKind, MAX_PATTERNS, PatternText, Prefilter, Rule, RuleSet};

use super::line::{Entry, read};
use super::{Effect, Kind, MapRecord};

/// The rule for mail with bad words from a domain of bad reputation.
pub const COMPOSITE: &str = "BAD_WORD_BAD_TLD";
/// The rule for encrypted mail of a chat program.
pub const CHAT: &str = "ENCRYPTED_CHAT";

const TLD: &str = "FISHY_TLD";
const WORDS: [&str; 2] = ["BAD_WORDS", "BAD_WORDS_DE"];
/// The header field of chat programs; a rule for other rules only.
pub(crate) const CHAT_VERSION: &str = "CHAT_VERSION_HEADER";

/// The rules of maps: one for each map that is active, has lines and is not about autonomous
/// systems, and those that join several maps. Lines that cannot be read are left out.
#[must_use]
pub fn rule_set(maps: &[MapRecord]) -> RuleSet {
    let mut set = RuleSet {
        name: "maps".to_owned(),
        description: "Maps that administrators edit".to_owned(),
        ..RuleSet::default()
    };
    for map in maps.iter().filter(|map| map.active) {
        if let Some(when) = condition(&mut set, map) {
            set.rules.push(Rule {
                hidden: map.symbol == CHAT_VERSION,
                prefilter: match map.effect {
                    Effect::Accept => Some(Prefilter::Accept),
                    Effect::Reject => Some(Prefilter::Reject),
                    Effect::Score | Effect::ScoreUnkept | Effect::NoLog => None,
                },
                ..rule(&map.symbol, map.score, &map.description, when)
            });
        }
    }
    join(&mut set);
    set
}

fn rule(symbol: &str, score: f32, description: &str, when: Condition) -> Rule {
    Rule {
        symbol: symbol.to_owned(),
        score,
        description: description.to_owned(),
        group: None,
        hidden: false,
        hits: Hits::Once,
        prefilter: None,
        when,
    }
}

fn condition(set: &mut RuleSet, map: &MapRecord) -> Option<Condition> {
    let scope: rules::Scope = map.scope.parse().ok()?;
    let (lines, _) = read(map.kind, &map.text);
    let kind = match map.kind {
        Kind::Pattern => {
            let mut patterns: Vec<PatternText> = Vec::with_capacity(lines.len());
            patterns.extend(lines.into_iter().filter_map(|line| match line.entry {
                Entry::Pattern(pattern) => Some(pattern),
                Entry::Item(_) => None,
            }));
            let mut parts: Vec<Condition> = patterns
                .chunks(MAX_PATTERNS)
                .map(|patterns| Condition::Match {
                    scope: scope.clone(),
                    patterns: patterns.to_vec(),
                })
                .collect();
            return match parts.len() {
                0 | 1 => parts.pop(),
                _ => Some(Condition::Any(parts)),
            };
        }
        Kind::Address => ListKind::Address,
        Kind::Domain => ListKind::Domain,
        Kind::Network => ListKind::Network,
        Kind::Word => ListKind::Word,
        Kind::System => return None,
    };
    let items: Vec<String> = lines
        .into_iter()
        .filter_map(|line| match line.entry {
            Entry::Item(item) => Some(item),
            Entry::Pattern(_) => None,
        })
        .collect();
    if items.is_empty() {
        return None;
    }
    let list = List {
        kind,
        description: map.description.clone(),
        items,
    };
    set.lists.insert(map.name.clone(), list);
    Some(Condition::Listed {
        scope,
        list: map.name.clone(),
    })
}

/// Adds the rules that join maps, as far as these have rules.
fn join(set: &mut RuleSet) {
    let symbol = |name: &str| {
        let found = set.rules.iter().any(|rule| rule.symbol == name);
        found.then(|| Condition::Symbol(name.to_owned()))
    };
    let words: Vec<Condition> = WORDS.into_iter().filter_map(symbol).collect();
    let mut joined = Vec::new();
    if let Some(tld) = symbol(TLD)
        && !words.is_empty()
    {
        let when = Condition::All(vec![tld, Condition::Any(words)]);
        let description = "Bad words from a domain whose top level has a bad reputation";
        joined.push(rule(COMPOSITE, 10.0, description, when));
    }
    if let (Some(version), Some(encrypted)) = (symbol(CHAT_VERSION), encrypted()) {
        let when = Condition::All(vec![version, encrypted]);
        let description = "Encrypted mail of a chat program";
        joined.push(rule(CHAT, -20.0, description, when));
    }
    set.rules.extend(joined);
}

fn encrypted() -> Option<Condition> {
    Some(Condition::Match {
        scope: "header.content-type".parse().ok()?,
        patterns: vec![PatternText {
            expression: br"^\s*multipart/encrypted\b".to_vec(),
            flags: patterns::Flags {
                caseless: true,
                ..patterns::Flags::default()
            },
        }],
    })
}
