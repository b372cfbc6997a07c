//! Rule files: TOML in, a rule set out, or everything that is wrong with it and where.
//!
//! A file that is TOML is read to its end even if it has mistakes; what is built in the meantime is
//! thrown away then.

mod condition;
mod value;

use std::collections::{BTreeMap, BTreeSet, HashSet};

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::error::{Reason, RuleError};
use crate::limits::{self, MAX_ERRORS, MAX_FILE, MAX_ITEMS, MAX_RULES};
use crate::list;
use crate::model::{Group, Hits, List, ListKind, Prefilter, Rule, RuleSet};

pub(crate) use condition::FORMS;
use value::{Lines, Table};

/// A value of the file and where it stands.
type Value<'i> = Spanned<DeValue<'i>>;

impl RuleSet {
    /// Reads a rule file.
    ///
    /// # Errors
    ///
    /// The first mistake of the file; [`parse_all`](Self::parse_all) tells the others too.
    pub fn parse(toml: &str) -> Result<Self, RuleError> {
        Self::parse_all(toml).map_err(|errors| {
            errors.into_iter().next().unwrap_or_else(|| RuleError {
                set: Box::default(),
                place: None,
                symbol: None,
                reason: Reason::Toml("the file cannot be read".to_owned()),
            })
        })
    }

    /// Reads a rule file.
    ///
    /// # Errors
    ///
    /// Its mistakes in the order of the file, at least one and at most
    /// [`MAX_ERRORS`].
    pub fn parse_all(toml: &str) -> Result<Self, Vec<RuleError>> {
        let mut reader = Reader {
            lines: Lines::new(toml),
            errors: Vec::new(),
            symbol: None,
        };
        if toml.len() > MAX_FILE {
            reader.error(0, Reason::TooLong);
            return Err(reader.finish(""));
        }
        // What follows a mistake in the syntax is guesswork: only the first one is told.
        let document = match DeTable::parse(toml) {
            Ok(document) => document,
            Err(mistake) => {
                let at = mistake.span().map_or(0, |span| span.start);
                reader.error(at, Reason::Toml(mistake.message().to_owned()));
                return Err(reader.finish(""));
            }
        };
        let set = reader.set(document.get_ref());
        if reader.errors.is_empty() {
            Ok(set)
        } else {
            Err(reader.finish(&set.name))
        }
    }
}

/// Reads one file.
struct Reader<'t> {
    lines: Lines<'t>,
    /// With their places as offsets: those of lines are found at the end.
    errors: Vec<(usize, Option<String>, Reason)>,
    /// The symbol of the rule that is being read.
    symbol: Option<String>,
}

impl Reader<'_> {
    fn error(&mut self, at: usize, reason: Reason) {
        // Some more than are told, because they do not come in order.
        if self.errors.len() < 4 * MAX_ERRORS {
            self.errors.push((at, self.symbol.clone(), reason));
        }
    }

    fn check(&mut self, at: usize, result: Result<(), Reason>) {
        if let Err(reason) = result {
            self.error(at, reason);
        }
    }

    fn finish(mut self, set: &str) -> Vec<RuleError> {
        self.errors.sort_by_key(|(at, ..)| *at);
        self.errors.truncate(MAX_ERRORS);
        let lines = &self.lines;
        self.errors
            .into_iter()
            .map(|(at, symbol, reason)| RuleError {
                set: limits::excerpt(set).into(),
                place: Some(lines.place(at)),
                symbol,
                reason,
            })
            .collect()
    }

    fn set(&mut self, document: &DeTable<'_>) -> RuleSet {
        let table = Table {
            entries: document,
            at: 0,
        };
        let known = [
            "name",
            "description",
            "disabled",
            "scores",
            "group",
            "list",
            "rule",
        ];
        self.known_keys(&table, &known);
        let name = self.text(&table, "name");
        if let (Some(name), Some(value)) = (&name, table.get("name")) {
            self.check(value.span().start, limits::name(name));
        }
        let mut set = RuleSet {
            name: name.unwrap_or_default(),
            description: self.text(&table, "description").unwrap_or_default(),
            ..RuleSet::default()
        };
        if let Some(value) = table.get("disabled") {
            set.disabled = self.symbols(value);
        }
        if let Some(value) = table.get("scores") {
            set.scores = self.scores(value);
        }
        for (name, value) in self.named(&table, "group") {
            let group = self.group(&value);
            set.groups.insert(name, group);
        }
        for (name, value) in self.named(&table, "list") {
            if let Some(list) = self.list(&value) {
                set.lists.insert(name, list);
            }
        }
        if let Some(value) = table.get("rule") {
            set.rules = self.rules(value);
        }
        set
    }

    /// The tables of a table of tables.
    fn named<'d, 'i>(
        &mut self,
        table: &Table<'d, 'i>,
        key: &'static str,
    ) -> Vec<(String, Table<'d, 'i>)> {
        let Some(outer) = table.get(key).and_then(|value| self.table(value)) else {
            return Vec::new();
        };
        let mut named = Vec::new();
        for (name, value) in outer.entries {
            self.check(name.span().start, limits::name(name.get_ref()));
            if let Some(inner) = self.table(value) {
                named.push((name.get_ref().to_string(), inner));
            }
        }
        named
    }

    fn symbols(&mut self, value: &Value<'_>) -> BTreeSet<String> {
        let mut symbols = BTreeSet::new();
        for item in self.array(value) {
            if let Some(symbol) = self.string(item) {
                self.check(item.span().start, limits::symbol(symbol));
                symbols.insert(symbol.to_owned());
            }
        }
        symbols
    }

    fn scores(&mut self, value: &Value<'_>) -> BTreeMap<String, f32> {
        let mut scores = BTreeMap::new();
        let Some(table) = self.table(value) else {
            return scores;
        };
        for (symbol, value) in table.entries {
            self.check(symbol.span().start, limits::symbol(symbol.get_ref()));
            if let Some(score) = self.score(value) {
                scores.insert(symbol.get_ref().to_string(), score);
            }
        }
        scores
    }

    fn score(&mut self, value: &Value<'_>) -> Option<f32> {
        let score = self.number(value)?;
        self.check(value.span().start, limits::score(score));
        Some(score)
    }

    fn group(&mut self, table: &Table<'_, '_>) -> Group {
        self.known_keys(table, &["description", "max", "min", "signals"]);
        let mut group = Group {
            description: self.text(table, "description").unwrap_or_default(),
            ..Group::default()
        };
        if let Some(value) = table.get("max") {
            group.max = self.number(value);
            self.check(value.span().start, limits::caps(group.max, None));
        }
        if let Some(value) = table.get("min") {
            group.min = self.number(value);
            self.check(value.span().start, limits::caps(None, group.min));
        }
        if let Some(value) = table.get("signals") {
            group.signals = self.symbols(value);
        }
        group
    }

    fn list(&mut self, table: &Table<'_, '_>) -> Option<List> {
        self.known_keys(table, &["kind", "description", "items"]);
        let description = self.text(table, "description").unwrap_or_default();
        let kinds = [
            ("address", ListKind::Address),
            ("domain", ListKind::Domain),
            ("network", ListKind::Network),
            ("word", ListKind::Word),
            ("suffix", ListKind::Suffix),
        ];
        let kind = self
            .required(table, "kind")
            .and_then(|value| self.word(value, "address, domain, network, word, suffix", &kinds));
        let items = self.required(table, "items");
        let (kind, items) = (kind?, items?);
        let values = self.array(items);
        if values.len() > MAX_ITEMS {
            let what = "items";
            let most = MAX_ITEMS;
            self.error(items.span().start, Reason::TooMany { what, most });
            return None;
        }
        let mut list = List {
            kind,
            description,
            items: Vec::with_capacity(values.len()),
        };
        for value in values {
            if let Some(item) = self.string(value) {
                self.check(value.span().start, list::check(kind, item));
                list.items.push(item.to_owned());
            }
        }
        Some(list)
    }

    fn rules(&mut self, value: &Value<'_>) -> Vec<Rule> {
        let values = self.array(value);
        if values.len() > MAX_RULES {
            let what = "rules";
            let most = MAX_RULES;
            self.error(value.span().start, Reason::TooMany { what, most });
            return Vec::new();
        }
        let mut rules = Vec::with_capacity(values.len());
        let mut seen = HashSet::new();
        for value in values {
            let Some(table) = self.table(value) else {
                continue;
            };
            self.symbol = table
                .get("symbol")
                .and_then(|value| value.get_ref().as_str())
                .map(limits::excerpt);
            if let Some(symbol) = &self.symbol
                && !seen.insert(symbol.clone())
            {
                let at = table.get("symbol").map_or(table.at, |at| at.span().start);
                self.error(at, Reason::Duplicate);
            }
            rules.extend(self.rule(&table));
            self.symbol = None;
        }
        rules
    }

    fn rule(&mut self, table: &Table<'_, '_>) -> Option<Rule> {
        let known = [
            "symbol",
            "score",
            "description",
            "group",
            "hidden",
            "each",
            "prefilter",
            "when",
        ];
        self.known_keys(table, &known);
        let symbol = self.required(table, "symbol").and_then(|value| {
            let symbol = self.string(value)?;
            self.check(value.span().start, limits::symbol(symbol));
            Some(symbol.to_owned())
        });
        let hidden = match table.get("hidden") {
            Some(value) => self.boolean(value).unwrap_or_default(),
            None => false,
        };
        let words = [("accept", Prefilter::Accept), ("reject", Prefilter::Reject)];
        let prefilter = table
            .get("prefilter")
            .and_then(|value| self.word(value, "accept, reject", &words));
        if let Some(value) = table.get("prefilter")
            && hidden
        {
            self.error(value.span().start, Reason::HiddenPrefilter);
        }
        let score = match table.get("score") {
            Some(value) => self.score(value),
            None if hidden || prefilter.is_some() => Some(0.0),
            None => {
                self.error(table.at, Reason::MissingKey("score"));
                None
            }
        };
        let group = self.text(table, "group");
        if let (Some(group), Some(value)) = (&group, table.get("group")) {
            self.check(value.span().start, limits::name(group));
        }
        let description = self.text(table, "description").unwrap_or_default();
        let when = self
            .required(table, "when")
            .and_then(|value| self.condition(value, 1));
        let hits = match table.get("each") {
            None => Hits::Once,
            Some(value) => {
                let most: u32 = self.number(value)?;
                self.check(value.span().start, limits::hits(most));
                if !matches!(when, None | Some(crate::Condition::Match { .. })) {
                    self.error(value.span().start, Reason::EachNeedsMatch);
                }
                Hits::Each(most)
            }
        };
        Some(Rule {
            symbol: symbol?,
            score: score?,
            description,
            group,
            hidden,
            hits,
            prefilter,
            when: when?,
        })
    }
}
