//! What can be wrong with rules, and where.

use std::fmt;

use crate::expression::ExpressionError;
use crate::limits;
use crate::pattern::PatternError;
use crate::vocabulary::Unknown;

/// A mistake in a rule set, or in how rule sets fit together.
#[derive(Debug, Clone, PartialEq)]
pub struct RuleError {
    /// The name of the set; empty when it has none or is not known yet.
    pub set: Box<str>,
    /// Where it stands, when the rules were read from a file.
    pub place: Option<Place>,
    /// The symbol of the rule it is about.
    pub symbol: Option<String>,
    /// What is wrong.
    pub reason: Reason,
}

/// A place in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The line, counted from 1.
    pub line: u32,
    /// The character of the line, counted from 1.
    pub column: u32,
}

impl fmt::Display for RuleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.set.is_empty() {
            write!(f, "{}: ", self.set)?;
        }
        if let Some(Place { line, column }) = self.place {
            write!(f, "line {line}, column {column}: ")?;
        }
        if let Some(symbol) = &self.symbol {
            write!(f, "{symbol}: ")?;
        }
        self.reason.fmt(f)
    }
}

impl std::error::Error for RuleError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.reason)
    }
}

/// What is wrong with a rule.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Reason {
    /// The file is longer than a rule file may be.
    #[error("a rule file has at most {} octets", limits::MAX_FILE)]
    TooLong,
    /// The file is not TOML.
    #[error("{0}")]
    Toml(String),
    /// A key nobody knows here.
    #[error("there is no key {key:?} here{}", did_you_mean(hint.as_deref()))]
    UnknownKey {
        /// The key.
        key: String,
        /// The nearest known one.
        hint: Option<String>,
    },
    /// A key is missing.
    #[error("the key {0:?} is missing")]
    MissingKey(&'static str),
    /// A value has the wrong type.
    #[error("this has to be {expected}, not {found}")]
    Type {
        /// What it should be.
        expected: &'static str,
        /// What it is.
        found: &'static str,
    },
    /// A word that is none of a few.
    #[error("{value:?} is none of {expected}{}", did_you_mean(hint.as_deref()))]
    Word {
        /// The word.
        value: String,
        /// What it may be.
        expected: &'static str,
        /// The nearest of them.
        hint: Option<String>,
    },
    /// Not a symbol.
    #[error(
        "{0:?} is no symbol: it has 1 to {most} letters, digits and underscores and begins with no digit",
        most = limits::MAX_SYMBOL
    )]
    Symbol(String),
    /// Not the name of a set, a group or a list.
    #[error(
        "{0:?} is no name: it has 1 to {most} octets and no control characters",
        most = limits::MAX_NAME
    )]
    Name(String),
    /// A score that is not finite or too far from zero.
    #[error("a score lies between -{most} and {most}", most = limits::MAX_SCORE)]
    Score,
    /// Caps of a group that are no caps.
    #[error("max of a group is not negative, min is not positive")]
    Caps,
    /// A rule cannot count so often.
    #[error("each lies between 1 and {}", limits::MAX_HITS)]
    Hits,
    /// A rule counts each match although its condition is not one match.
    #[error("each needs a condition that is nothing but one match")]
    EachNeedsMatch,
    /// A hidden rule has a prefilter.
    #[error("a hidden rule cannot accept or reject a message")]
    HiddenPrefilter,
    /// There are none.
    #[error("there have to be {0}")]
    Empty(&'static str),
    /// There are too many.
    #[error("there are more than {most} {what}")]
    TooMany {
        /// Of what.
        what: &'static str,
        /// How many there may be.
        most: usize,
    },
    /// Conditions are nested too deep.
    #[error("conditions are nested deeper than {}", limits::MAX_DEPTH)]
    TooDeep,
    /// A condition asks nothing.
    #[error("a condition needs one of the keys {}", crate::read::FORMS)]
    NoCondition,
    /// A condition asks several things.
    #[error("{0:?} and {1:?} are two conditions: join them by all or any")]
    TwoConditions(&'static str, &'static str),
    /// A number is asked for without a bound.
    #[error("a number needs at_least, at_most or equals")]
    Unbounded,
    /// Bounds between which no number lies.
    #[error("no number lies between these bounds")]
    Range,
    /// So many of the conditions can never hold, or always do.
    #[error("at_least lies between 1 and the number of conditions, which is {most}")]
    AtLeast {
        /// How many there are.
        most: usize,
    },
    /// Not a scope that can be written down.
    #[error("{0:?} does not name the scope that is meant")]
    Scope(String),
    /// A scope, number or flag nobody knows.
    #[error(transparent)]
    Vocabulary(#[from] Unknown),
    /// Not a pattern.
    #[error(transparent)]
    Pattern(#[from] PatternError),
    /// Not an expression.
    #[error(transparent)]
    Expression(#[from] ExpressionError),
    /// An item that its list does not take.
    #[error("{item:?} is no {kind}")]
    Item {
        /// What it should be.
        kind: &'static str,
        /// The item.
        item: String,
    },
    /// A list nobody defines.
    #[error("there is no list {name:?}{}", did_you_mean(hint.as_deref()))]
    UnknownList {
        /// The list's name.
        name: String,
        /// The nearest known one.
        hint: Option<String>,
    },
    /// A set has two rules of one symbol.
    #[error("the set has two rules of this symbol")]
    Duplicate,
    /// Rules that refer to each other in a circle.
    #[error("these rules depend on each other in a circle: {}", .0.join(", "))]
    Cycle(Vec<String>),
    /// The pattern engine does not take the patterns.
    #[error(transparent)]
    Patterns(#[from] patterns::SetError),
}

fn did_you_mean(hint: Option<&str>) -> String {
    hint.map_or_else(String::new, |hint| format!("; did you mean {hint:?}?"))
}
