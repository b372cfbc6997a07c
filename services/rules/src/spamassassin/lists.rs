//! Lists of addresses, hosts and subjects that directives add to, as conditions.
//!
//! Entries are globs, `*` for any characters and `?` for one. An entry without them is looked up
//! whole, one that begins with the only `*` by its end, any other becomes a pattern.

use std::collections::{BTreeMap, BTreeSet};

use super::header::any;
use crate::limits::{MAX_ITEM, MAX_PATTERNS};
use crate::model::{Condition, List, ListKind, PatternText};
use crate::vocabulary::Scope;

/// The most entries of all lists together.
const MOST_ENTRIES: usize = 1_000_000;

/// What directives have put on lists.
#[derive(Debug, Clone, Default)]
pub(super) struct Entries {
    lists: BTreeMap<String, BTreeSet<String>>,
    count: usize,
}

impl Entries {
    /// Adds an entry.
    ///
    /// # Errors
    ///
    /// When it is too long or there are too many.
    pub(super) fn add(&mut self, list: &str, entry: &str) -> Result<(), String> {
        if entry.is_empty() || entry.len() > MAX_ITEM || entry.contains(char::is_control) {
            return Err("an entry is empty, too long or has control characters".to_owned());
        }
        if self.count >= MOST_ENTRIES {
            return Err("there are too many entries".to_owned());
        }
        self.count += 1;
        let list = self.lists.entry(list.to_owned()).or_default();
        list.insert(entry.to_lowercase());
        Ok(())
    }

    /// Takes an entry away again.
    pub(super) fn remove(&mut self, list: &str, entry: &str) {
        if let Some(list) = self.lists.get_mut(list) {
            list.remove(&entry.to_lowercase());
        }
    }

    /// Takes all away.
    pub(super) fn clear(&mut self, list: &str) {
        self.lists.remove(list);
    }
}

/// Makes conditions of entries, and the lists that these refer to.
#[derive(Debug)]
pub(super) struct Lists<'e> {
    entries: &'e Entries,
    made: BTreeMap<String, List>,
}

enum Shape {
    Whole,
    End(String),
    Pattern(PatternText),
}

impl<'e> Lists<'e> {
    pub(super) fn new(entries: &'e Entries) -> Self {
        Self {
            entries,
            made: BTreeMap::new(),
        }
    }

    /// The lists that conditions refer to.
    pub(super) fn into_made(self) -> BTreeMap<String, List> {
        self.made
    }

    /// That an address of one of the scopes is on the list; none when the list is empty.
    pub(super) fn addresses(&mut self, list: &str, scopes: &[Scope]) -> Option<Condition> {
        let entries = self
            .entries
            .lists
            .get(list)
            .filter(|list| !list.is_empty())?;
        let mut whole = Vec::new();
        let mut ends = Vec::new();
        let mut patterns = Vec::new();
        for entry in entries {
            match shape(entry) {
                Shape::Whole => whole.push(entry.clone()),
                Shape::End(end) => ends.push(end),
                Shape::Pattern(pattern) => patterns.push(pattern),
            }
        }
        let mut conditions = Vec::new();
        let named = [
            ("", ListKind::Address, whole),
            ("_ends", ListKind::Suffix, ends),
        ];
        for (suffix, kind, items) in named {
            if !items.is_empty() {
                let name = format!("spamassassin_{list}{suffix}");
                conditions.extend(listed(scopes, &name));
                self.make(name, kind, items);
            }
        }
        for patterns in patterns.chunks(MAX_PATTERNS) {
            conditions.extend(scopes.iter().map(|scope| Condition::Match {
                scope: scope.clone(),
                patterns: patterns.to_vec(),
            }));
        }
        Some(any(conditions))
    }

    /// That a host of the scope, or a domain above it, is on the list and not excepted by `!`.
    pub(super) fn hosts(&mut self, list: &str, scope: &Scope) -> Option<Condition> {
        let entries = self.entries.lists.get(list)?;
        let (except, items): (Vec<_>, Vec<_>) =
            entries.iter().partition(|entry| entry.starts_with('!'));
        let items: Vec<String> = items
            .into_iter()
            .filter(|item| domain(item))
            .cloned()
            .collect();
        let except: Vec<String> = except
            .into_iter()
            .filter_map(|entry| entry.strip_prefix('!'))
            .filter(|item| domain(item))
            .map(ToOwned::to_owned)
            .collect();
        if items.is_empty() {
            return None;
        }
        let name = format!("spamassassin_{list}");
        let mut condition = any(listed(std::slice::from_ref(scope), &name));
        self.make(name, ListKind::Domain, items);
        if !except.is_empty() {
            let name = format!("spamassassin_{list}_except");
            let excepted = any(listed(std::slice::from_ref(scope), &name));
            condition = Condition::All(vec![condition, super::header::not(excepted)]);
            self.make(name, ListKind::Domain, except);
        }
        Some(condition)
    }

    /// That the text of a scope has one of the list's entries in it.
    pub(super) fn phrases(&self, list: &str, scope: &Scope) -> Option<Condition> {
        let entries = self
            .entries
            .lists
            .get(list)
            .filter(|list| !list.is_empty())?;
        let patterns: Vec<PatternText> = entries.iter().map(|entry| glob(entry, false)).collect();
        Some(any(patterns.chunks(MAX_PATTERNS).map(|patterns| {
            Condition::Match {
                scope: scope.clone(),
                patterns: patterns.to_vec(),
            }
        })))
    }

    fn make(&mut self, name: String, kind: ListKind, items: Vec<String>) {
        self.made.entry(name).or_insert_with(|| List {
            kind,
            description: "Entries of SpamAssassin's configuration".to_owned(),
            items,
        });
    }
}

fn listed(scopes: &[Scope], list: &str) -> Vec<Condition> {
    let one = |scope: &Scope| Condition::Listed {
        scope: scope.clone(),
        list: list.to_owned(),
    };
    scopes.iter().map(one).collect()
}

/// Whether a list of domains takes the entry.
fn domain(entry: &str) -> bool {
    let label = |label: &str| {
        let inner = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        (1..=63).contains(&label.len()) && label.bytes().all(inner)
    };
    entry.len() <= 253 && entry.split('.').all(label)
}

/// Whether a list of addresses takes the entry.
fn address(entry: &str) -> bool {
    let Some((local, host)) = entry.rsplit_once('@') else {
        return false;
    };
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._+-".contains(&byte);
    (1..=64).contains(&local.len()) && local.bytes().all(plain) && domain(host)
}

fn shape(entry: &str) -> Shape {
    let wild = |text: &str| text.contains(['*', '?']);
    if !wild(entry) && address(entry) {
        return Shape::Whole;
    }
    let end = match entry.strip_prefix("*@*") {
        // An address ends so after its @.
        Some(end) if end.starts_with('.') => Some(end),
        Some(_) => None,
        None => entry.strip_prefix('*'),
    };
    match end {
        Some(end) if !end.is_empty() && !wild(end) && end.is_ascii() => Shape::End(end.to_owned()),
        _ => Shape::Pattern(glob(entry, true)),
    }
}

/// The glob as a pattern, of the whole value or of a part of it.
fn glob(entry: &str, whole: bool) -> PatternText {
    let mut expression = Vec::with_capacity(entry.len() + 8);
    if whole {
        expression.push(b'^');
    }
    let mut last = b' ';
    for &byte in entry.as_bytes() {
        match byte {
            b'*' if last == b'*' => {}
            b'*' => expression.extend(b".*"),
            b'?' => expression.push(b'.'),
            byte if byte.is_ascii_punctuation() => expression.extend([b'\\', byte]),
            byte => expression.push(byte),
        }
        last = byte;
    }
    if whole {
        expression.push(b'$');
    }
    PatternText {
        expression,
        flags: patterns::Flags {
            caseless: true,
            ..patterns::Flags::default()
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries(list: &str, items: &[&str]) -> Entries {
        let mut entries = Entries::default();
        for item in items {
            entries.add(list, item).unwrap();
        }
        entries
    }

    #[test]
    fn globs_of_addresses_are_looked_up_by_their_shape() {
        let globs = [
            "Friend@example.test",
            "*@bank.test",
            "*@*.gov.test",
            "*.org.test",
            "joe*@a.test",
            "*@aol.*",
            "*",
        ];
        let entries = entries("welcome", &globs);
        let mut lists = Lists::new(&entries);
        let scope: Scope = "from".parse().unwrap();
        let condition = lists
            .addresses("welcome", std::slice::from_ref(&scope))
            .unwrap();
        let Condition::Any(conditions) = condition else {
            panic!("{condition:?}");
        };
        let Condition::Match { patterns, .. } = &conditions[2] else {
            panic!();
        };
        let shown: Vec<String> = patterns.iter().map(ToString::to_string).collect();
        assert_eq!(
            shown,
            ["/^.*$/i", r"/^.*\@aol\..*$/i", r"/^joe.*\@a\.test$/i"]
        );
        assert!(lists.addresses("other", &[scope]).is_none());
        let made = lists.into_made();
        assert_eq!(made["spamassassin_welcome"].items, ["friend@example.test"]);
        let ends = [".org.test", ".gov.test", "@bank.test"];
        assert_eq!(
            made["spamassassin_welcome_ends"].items,
            ends.map(str::to_owned)
        );
    }

    #[test]
    fn hosts_may_be_excepted() {
        let entries = entries("x", &["tiny.test", "!my.tiny.test", "not a host"]);
        let mut lists = Lists::new(&entries);
        let condition = lists.hosts("x", &"url.host".parse().unwrap()).unwrap();
        assert!(matches!(condition, Condition::All(parts) if parts.len() == 2));
        let made = lists.into_made();
        assert_eq!(made["spamassassin_x"].items, ["tiny.test"]);
        assert_eq!(made["spamassassin_x_except"].items, ["my.tiny.test"]);
    }

    #[test]
    fn entries_can_be_taken_away() {
        let mut entries = entries("x", &["a@b.test", "c@d.test"]);
        entries.remove("x", "A@b.test");
        let scope: Scope = "from".parse().unwrap();
        let mut lists = Lists::new(&entries);
        assert!(lists.addresses("x", std::slice::from_ref(&scope)).is_some());
        assert_eq!(lists.into_made()["spamassassin_x"].items, ["c@d.test"]);
        entries.clear("x");
        assert!(Lists::new(&entries).addresses("x", &[scope]).is_none());
        assert!(entries.add("x", &"a".repeat(MAX_ITEM + 1)).is_err());
        assert!(entries.add("x", "").is_err());
    }

    #[test]
    fn phrases_are_found_anywhere() {
        let entries = entries("s", &["[list] *"]);
        let condition = Lists::new(&entries).phrases("s", &"header.subject".parse().unwrap());
        let Some(Condition::Match { patterns, .. }) = condition else {
            panic!();
        };
        assert_eq!(patterns[0].to_string(), r"/\[list\] .*/i");
    }
}
