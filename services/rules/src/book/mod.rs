//! Rule sets joined, checked and indexed.
//!
//! `compile` turns conditions into programs over atoms, `order` finds the order in which rules can
//! be evaluated, `conclude` evaluates them.

mod compile;
mod conclude;
mod order;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::sync::Arc;

use patterns::{Pattern, PatternSet};

use crate::error::{Reason, RuleError};
use crate::expression::Operator;
use crate::limits::{self, MAX_ERRORS, MAX_RULES};
use crate::list::{self, Index};
use crate::model::{Condition, Group, Hits, List, PatternText, Rule, RuleSet};
use crate::vocabulary::{Flag, Number, Scope};

pub use conclude::{Conclusion, Hit, Known};

/// Rule sets joined, checked and indexed. Later sets override rules of the same symbol, lists and
/// groups of the same name.
///
/// Its order is that of the sets and of the rules in them; a rule that overrides another takes its
/// place. A set's `scores` and `disabled` are about the rules of its own and of earlier sets.
pub struct Book {
    rules: Vec<Entry>,
    /// The rules as numbers, those first that others depend on.
    order: Vec<u32>,
    /// Numbers of symbols; those of rules are the rules' numbers.
    symbols: HashMap<Arc<str>, u32>,
    /// Symbols that conditions refer to and no rule defines, in the order of their numbers.
    others: Vec<Arc<str>>,
    groups: Vec<GroupEntry>,
    /// Numbers of groups by the signals that belong to them.
    signals: HashMap<Arc<str>, u32>,
    scores: BTreeMap<String, f32>,
    disabled: BTreeSet<String>,
    pub(crate) scopes: Vec<ScopePlan>,
    pub(crate) atoms: Vec<Atom>,
    pub(crate) lists: Vec<Index>,
}

/// A rule and its program.
struct Entry {
    rule: Rule,
    symbol: Arc<str>,
    description: Arc<str>,
    /// The number of its group.
    group: Option<u32>,
    program: Vec<Step>,
}

struct GroupEntry {
    name: Arc<str>,
    max: Option<f32>,
    min: Option<f32>,
}

/// One step of a rule's program, for a machine with a stack of numbers.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Step {
    /// Pushes how often the atom holds.
    Atom(u32),
    /// Pushes the value of the symbol of this number.
    Symbol(u32),
    /// Pushes the number.
    Number(f64),
    /// Turns the last number into 1 unless it is 0.
    Truth,
    Operator(Operator),
}

/// What is found out about a message before rules are evaluated: each once, however many rules ask.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Atom {
    /// One of the patterns of the scope matches.
    Patterns {
        scope: u32,
        /// Their ids, in the order of the condition.
        ids: Vec<u32>,
        /// Matches are counted up to this; 1 asks whether there is one.
        most: u32,
    },
    /// A value of the scope is on the list.
    Listed { scope: u32, list: u32 },
    /// The scope has a haystack.
    Exists { scope: u32 },
    /// The number lies in the range, whose ends are kept as the bits of floats.
    Number {
        number: Number,
        at_least: u64,
        at_most: u64,
    },
    /// The flag holds.
    Flag(Flag),
    /// The scopes have a value in common.
    Same { left: u32, right: u32 },
}

/// A scope that the book looks at.
#[derive(Debug)]
pub(crate) struct ScopePlan {
    pub(crate) scope: Scope,
    /// Its name in the database.
    pub(crate) name: String,
    /// Its patterns by id.
    pub(crate) patterns: Vec<PatternEntry>,
}

/// A pattern that is looked for in a scope.
#[derive(Debug)]
pub(crate) struct PatternEntry {
    pub(crate) text: PatternText,
    /// The symbol of the first rule that has it.
    symbol: Arc<str>,
    /// The atoms it belongs to, and its place among the patterns of each.
    pub(crate) users: Vec<(u32, u32)>,
}

impl Book {
    /// Joins rule sets.
    ///
    /// # Errors
    ///
    /// Everything that is wrong, up to [`MAX_ERRORS`] mistakes: names and
    /// numbers out of their limits, lists that no set defines, rules that depend on each other in a
    /// circle.
    pub fn new(sets: &[&RuleSet]) -> Result<Self, Vec<RuleError>> {
        let mut joined = Joined::default();
        for set in sets {
            joined.add(set);
        }
        joined.check_references();
        if !joined.errors.is_empty() {
            joined.errors.truncate(MAX_ERRORS);
            return Err(joined.errors);
        }
        let mut book = compile::compile(&joined);
        let ranks =
            order::order(book.rules.len(), |rule, dependencies| {
                let steps = book.rules.get(rule).map(|entry| entry.program.as_slice());
                dependencies.extend(steps.unwrap_or_default().iter().filter_map(
                    |step| match step {
                        Step::Symbol(symbol) => Some(*symbol),
                        _ => None,
                    },
                ));
            });
        match ranks {
            Ok(order) => {
                book.order = order;
                Ok(book)
            }
            Err(circle) => {
                let symbols = circle
                    .iter()
                    .filter_map(|&rule| book.entry(rule))
                    .map(|entry| entry.symbol.to_string());
                Err(vec![RuleError {
                    set: Box::default(),
                    place: None,
                    symbol: None,
                    reason: Reason::Cycle(symbols.collect()),
                }])
            }
        }
    }

    /// The patterns to compile: a scope for each [`Scope`] that has some, named as that is written.
    /// A pattern's name is the symbol of the first rule that has it.
    ///
    /// # Errors
    ///
    /// When there are more scopes or patterns than the pattern engine takes.
    pub fn patterns(&self) -> Result<PatternSet, RuleError> {
        let mut set = PatternSet::new();
        for plan in &self.scopes {
            for (id, entry) in (0_u32..).zip(&plan.patterns) {
                let pattern = Pattern {
                    id,
                    expression: entry.text.expression.clone(),
                    flags: entry.text.flags,
                };
                set.add_named(&plan.name, plan.scope.text(), &entry.symbol, pattern)
                    .map_err(|error| RuleError {
                        set: Box::default(),
                        place: None,
                        symbol: Some(entry.symbol.to_string()),
                        reason: Reason::Patterns(error),
                    })?;
            }
        }
        Ok(set)
    }

    /// The rules in the order of the book, with the scores that hold.
    pub fn rules(&self) -> impl ExactSizeIterator<Item = &Rule> {
        self.rules.iter().map(|entry| &entry.rule)
    }

    /// The rule of this symbol, with the score that holds.
    #[must_use]
    pub fn rule(&self, symbol: &str) -> Option<&Rule> {
        let number = *self.symbols.get(symbol)?;
        Some(&self.entry(number)?.rule)
    }

    /// The score that the sets' `scores` give a symbol: what signals that are no rules count, if
    /// it is not what they bring along.
    #[must_use]
    pub fn score_of(&self, symbol: &str) -> Option<f32> {
        self.scores.get(symbol).copied()
    }

    /// Whether the sets switch this symbol off: signals too may be left out by it.
    #[must_use]
    pub fn is_disabled(&self, symbol: &str) -> bool {
        self.disabled.contains(symbol)
    }

    /// The group that a rule or a signal belongs to.
    #[must_use]
    pub fn group_of(&self, symbol: &str) -> Option<&Arc<str>> {
        let rule = self
            .symbols
            .get(symbol)
            .and_then(|&number| self.entry(number));
        let group = match rule {
            Some(rule) => rule.group?,
            None => *self.signals.get(symbol)?,
        };
        Some(&self.groups.get(group as usize)?.name)
    }

    /// Symbols that conditions refer to and no rule defines, nor did one that is switched off:
    /// either signals, or mistakes. They count 0 unless they are among the known signals.
    pub fn unresolved(&self) -> impl Iterator<Item = &str> {
        self.others
            .iter()
            .map(AsRef::as_ref)
            .filter(|symbol| !self.disabled.contains(*symbol))
    }

    fn entry(&self, number: u32) -> Option<&Entry> {
        self.rules.get(number as usize)
    }
}

impl fmt::Debug for Book {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Book")
            .field("rules", &self.rules.len())
            .field("scopes", &self.scopes.len())
            .field("atoms", &self.atoms.len())
            .finish_non_exhaustive()
    }
}

/// What the sets amount to together.
#[derive(Default)]
struct Joined<'s> {
    /// None where a rule was switched off.
    rules: Vec<Option<JoinedRule<'s>>>,
    by_symbol: HashMap<&'s str, usize>,
    groups: BTreeMap<&'s str, &'s Group>,
    lists: BTreeMap<&'s str, &'s List>,
    scores: BTreeMap<String, f32>,
    disabled: BTreeSet<String>,
    errors: Vec<RuleError>,
}

#[derive(Clone, Copy)]
struct JoinedRule<'s> {
    set: &'s str,
    rule: &'s Rule,
}

impl<'s> Joined<'s> {
    fn error(&mut self, set: &str, symbol: Option<&str>, reason: Reason) {
        if self.errors.len() < MAX_ERRORS {
            self.errors.push(RuleError {
                set: limits::excerpt(set).into(),
                place: None,
                symbol: symbol.map(limits::excerpt),
                reason,
            });
        }
    }

    fn add(&mut self, set: &'s RuleSet) {
        let name = set.name.as_str();
        for (key, group) in &set.groups {
            self.check(name, None, limits::name(key));
            self.check(name, None, limits::caps(group.max, group.min));
            for signal in &group.signals {
                self.check(name, None, limits::symbol(signal));
            }
            self.groups.insert(key, group);
        }
        for (key, list) in &set.lists {
            self.check(name, None, limits::name(key));
            if list.items.len() > limits::MAX_ITEMS {
                let (what, most) = ("items", limits::MAX_ITEMS);
                self.error(name, None, Reason::TooMany { what, most });
            }
            for item in &list.items {
                self.check(name, None, list::check(list.kind, item));
            }
            self.lists.insert(key, list);
        }
        if self.rules.len() + set.rules.len() > MAX_RULES {
            let (what, most) = ("rules", MAX_RULES);
            self.error(name, None, Reason::TooMany { what, most });
            return;
        }
        let mut own = std::collections::HashSet::new();
        for rule in &set.rules {
            let symbol = rule.symbol.as_str();
            if let Err(reason) = check_rule(rule) {
                self.error(name, Some(symbol), reason);
            }
            if !own.insert(symbol) {
                self.error(name, Some(symbol), Reason::Duplicate);
            }
            self.put(JoinedRule { set: name, rule });
        }
        for (symbol, &score) in &set.scores {
            self.check(name, Some(symbol), limits::symbol(symbol));
            self.check(name, Some(symbol), limits::score(score));
            self.scores.insert(symbol.clone(), score);
        }
        for symbol in &set.disabled {
            self.check(name, Some(symbol), limits::symbol(symbol));
            self.disabled.insert(symbol.clone());
            let place = self.by_symbol.get(symbol.as_str());
            if let Some(rule) = place.and_then(|&place| self.rules.get_mut(place)) {
                *rule = None;
            }
        }
    }

    fn check(&mut self, set: &str, symbol: Option<&str>, result: Result<(), Reason>) {
        if let Err(reason) = result {
            self.error(set, symbol, reason);
        }
    }

    /// Adds a rule, or puts it in the place of an earlier one; what was said about that is over.
    fn put(&mut self, rule: JoinedRule<'s>) {
        let symbol = rule.rule.symbol.as_str();
        self.scores.remove(symbol);
        self.disabled.remove(symbol);
        let end = self.rules.len();
        let place = *self.by_symbol.entry(symbol).or_insert(end);
        match self.rules.get_mut(place) {
            Some(earlier) => *earlier = Some(rule),
            None => self.rules.push(Some(rule)),
        }
    }

    /// The rules that are left, in order.
    fn rules(&self) -> impl Iterator<Item = JoinedRule<'s>> {
        self.rules.iter().copied().flatten()
    }

    /// Rules refer to lists that are there.
    fn check_references(&mut self) {
        let rules: Vec<JoinedRule<'s>> = self.rules().collect();
        for JoinedRule { set, rule } in rules {
            let mut left = vec![&rule.when];
            while let Some(condition) = left.pop() {
                if let Condition::Listed { list, .. } = condition
                    && !self.lists.contains_key(list.as_str())
                {
                    let hint = limits::nearest(list, self.lists.keys().copied());
                    let reason = Reason::UnknownList {
                        name: limits::excerpt(list),
                        hint: hint.map(str::to_owned),
                    };
                    self.error(set, Some(&rule.symbol), reason);
                }
                left.extend(operands(condition).iter().rev());
            }
        }
    }
}

/// What a condition joins.
fn operands(condition: &Condition) -> &[Condition] {
    match condition {
        Condition::All(operands) | Condition::Any(operands) | Condition::AtLeast(_, operands) => {
            operands
        }
        Condition::Not(inner) => std::slice::from_ref(inner),
        _ => &[],
    }
}

/// A rule by itself.
fn check_rule(rule: &Rule) -> Result<(), Reason> {
    limits::symbol(&rule.symbol)?;
    limits::score(rule.score)?;
    if let Some(group) = &rule.group {
        limits::name(group)?;
    }
    if rule.hidden && rule.prefilter.is_some() {
        return Err(Reason::HiddenPrefilter);
    }
    if let Hits::Each(most) = rule.hits {
        limits::hits(most)?;
        if !matches!(rule.when, Condition::Match { .. }) {
            return Err(Reason::EachNeedsMatch);
        }
    }
    let mut left = vec![(&rule.when, 1)];
    while let Some((condition, depth)) = left.pop() {
        if depth > limits::MAX_DEPTH {
            return Err(Reason::TooDeep);
        }
        limits::condition(condition)?;
        left.extend(operands(condition).iter().map(|inner| (inner, depth + 1)));
    }
    Ok(())
}
