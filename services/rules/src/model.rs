//! A rule set as a value: what rule files say, whatever language they were written in.

use std::collections::{BTreeMap, BTreeSet};

use crate::expression::Expression;
use crate::vocabulary::{Flag, Number, Scope};

/// Rules that belong together: one file, one import, the built-in rules.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct RuleSet {
    /// What it is called; unique on a server.
    pub name: String,
    /// What it is for.
    pub description: String,
    /// Symbols of rules that are switched off, of this set or an earlier one.
    pub disabled: BTreeSet<String>,
    /// Scores that replace those of rules and signals, by symbol; of this set or an earlier one.
    pub scores: BTreeMap<String, f32>,
    /// Groups of rules, by name.
    pub groups: BTreeMap<String, Group>,
    /// Lists that conditions refer to, by name.
    pub lists: BTreeMap<String, List>,
    /// The rules, in the order of the file.
    pub rules: Vec<Rule>,
}

/// What the scores of the rules of a group add up to at most. Caps apply to the group's sum.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Group {
    /// What its rules have in common.
    pub description: String,
    /// The most that its positive scores add to a message's score.
    pub max: Option<f32>,
    /// The most that its negative scores take away from a message's score; negative.
    pub min: Option<f32>,
    /// Symbols of signals, which no rule defines, that belong to it.
    pub signals: BTreeSet<String>,
}

/// A list of names: looked up by hash, suffix or prefix, never scanned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct List {
    /// What its items are.
    pub kind: ListKind,
    /// What it is for.
    pub description: String,
    /// The items, as they were written.
    pub items: Vec<String>,
}

/// What the items of a list are, and how they are compared. All ignore the case of letters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ListKind {
    /// Whole addresses, `user@example.test`.
    Address,
    /// Domains: each stands for itself and all below it; of an address the domain is looked up.
    Domain,
    /// Networks, `192.0.2.0/24` or `2001:db8::/32`, and single addresses.
    Network,
    /// Whole values, whatever they are.
    Word,
    /// What values end with, such as `.exe`.
    Suffix,
}

/// One rule.
#[derive(Debug, Clone, PartialEq)]
pub struct Rule {
    /// What it is called: letters, digits and underscores, at most 64, not beginning with a digit.
    pub symbol: String,
    /// By how much it makes a message worse; negative makes it better, and 0 keeps it as evidence.
    /// Of a hidden rule it means nothing.
    pub score: f32,
    /// What it notices, for people.
    pub description: String,
    /// The group its score belongs to; of its own or another set. One that no set describes has no
    /// cap.
    pub group: Option<String>,
    /// Whether it exists for other rules only: it is neither scored nor shown.
    pub hidden: bool,
    /// How often it counts.
    pub hits: Hits,
    /// What happens at once when it holds, before anything else is weighed.
    pub prefilter: Option<Prefilter>,
    /// When it holds.
    pub when: Condition,
}

/// How often a rule counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Hits {
    /// Once, however often its condition is met.
    #[default]
    Once,
    /// Once for each match of its patterns (the rule's condition is one [`Condition::Match`]), at
    /// most this often; its value in expressions is that count, its score counts each.
    Each(u32),
}

/// What a rule does beside scoring.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Prefilter {
    /// The message is accepted; no other rule counts.
    Accept,
    /// The message is refused; no other rule counts.
    Reject,
}

/// What a rule asks of a message.
#[derive(Debug, Clone, PartialEq)]
pub enum Condition {
    /// One of the patterns matches a haystack of the scope.
    Match {
        /// Where.
        scope: Scope,
        /// Any of these.
        patterns: Vec<PatternText>,
    },
    /// A value of the scope is on the list.
    Listed {
        /// Which values.
        scope: Scope,
        /// The list's name.
        list: String,
    },
    /// The scope has a haystack, even an empty one: the header field is there.
    Exists(Scope),
    /// The number lies in the range; both ends belong to it.
    Number {
        /// Which number.
        number: Number,
        /// The least it may be.
        at_least: Option<f64>,
        /// The most it may be.
        at_most: Option<f64>,
    },
    /// The fact holds.
    Flag(Flag),
    /// The scopes have a value in common, ignoring the case of letters.
    Same(Scope, Scope),
    /// Another rule, or a signal that is no rule, holds.
    Symbol(String),
    /// All of these.
    All(Vec<Condition>),
    /// At least one of these.
    Any(Vec<Condition>),
    /// At least so many of these.
    AtLeast(u32, Vec<Condition>),
    /// Not this.
    Not(Box<Condition>),
    /// The expression over symbols is not zero.
    Expression(Expression),
}

/// A pattern as it is written: `/expression/flags`. Any octets may stand in the expression.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PatternText {
    /// The expression, in Perl's syntax without delimiters.
    pub expression: Vec<u8>,
    /// Its modifiers.
    pub flags: patterns::Flags,
}
