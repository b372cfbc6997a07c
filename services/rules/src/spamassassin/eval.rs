//! Functions of SpamAssassin's code that rules call by `eval:`, and what comes near to them here.
//!
//! `content` knows those about text, HTML, URLs and MIME, `sender` those about header fields,
//! addresses and authentication, `network` those that ask block lists. A function nobody knows is
//! refused; a rule made of such a rule takes it as 0.

mod content;
mod network;
mod sender;

use std::collections::BTreeMap;

pub(super) use network::{Zone, base_set};

use super::header::not;
use super::lists::Lists;
use crate::model::{Condition, PatternText};
use crate::vocabulary::{Flag, Number, Plain, Scope};

/// A call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Call {
    /// The function.
    pub(super) function: String,
    /// Its arguments, without quotes.
    pub(super) arguments: Vec<String>,
}

impl Call {
    /// Reads what follows `eval:`.
    ///
    /// # Errors
    ///
    /// When it is no call.
    pub(super) fn parse(text: &[u8]) -> Result<Self, String> {
        let text = String::from_utf8_lossy(text);
        let text = text.trim();
        let (function, arguments) = match text.split_once('(') {
            Some((function, rest)) => {
                let inner = rest
                    .strip_suffix(')')
                    .ok_or_else(|| "the call is not closed".to_owned())?;
                (function.trim(), split(inner)?)
            }
            None => (text, Vec::new()),
        };
        let word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        if function.is_empty() || function.len() > 100 || !function.bytes().all(word) {
            return Err("this is no call of a function".to_owned());
        }
        Ok(Self {
            function: function.to_owned(),
            arguments,
        })
    }

    /// An argument; empty when it is not there.
    pub(super) fn argument(&self, index: usize) -> &str {
        self.arguments.get(index).map_or("", String::as_str)
    }

    fn number(&self, index: usize) -> Option<f64> {
        let number: f64 = self.argument(index).trim().parse().ok()?;
        (number.is_finite() && number.abs() <= 1e9).then_some(number)
    }
}

/// Arguments, in quotes of either kind or without.
fn split(text: &str) -> Result<Vec<String>, String> {
    let mut arguments = Vec::new();
    let mut rest = text.trim();
    while !rest.is_empty() {
        if arguments.len() >= 64 {
            return Err("the call has too many arguments".to_owned());
        }
        let (argument, after) = match rest.chars().next() {
            Some(quote @ ('\'' | '"')) => {
                rest.get(1..)
                    .and_then(|inner| inner.split_once(quote))
                    .ok_or_else(|| "a quote of the call is not closed".to_owned())?
            }
            _ => {
                let end = rest.find(',').unwrap_or(rest.len());
                let (argument, after) = rest.split_at(end);
                (argument.trim(), after)
            }
        };
        arguments.push(argument.to_owned());
        rest = after.trim();
        match rest.strip_prefix(',') {
            Some(after) => rest = after.trim(),
            None if rest.is_empty() => {}
            None => return Err("a comma of the call is missing".to_owned()),
        }
    }
    Ok(arguments)
}

/// What a call is here.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Verdict {
    /// A condition.
    Rule(Condition),
    /// A condition over symbols that the filter scores itself: the rule exists for others only.
    Signal(Condition),
    /// It can never hold, and why.
    Idle(&'static str),
    /// A block list that is not asked.
    Network(&'static str),
    /// It has no counterpart.
    Refused(String),
}

/// What calls need to know of the files.
pub(super) struct Knowledge<'a, 'e> {
    /// Lists of addresses, hosts and subjects.
    pub(super) lists: &'a mut Lists<'e>,
    /// Block lists: what each rule or set of answers is asked of.
    pub(super) zones: &'a BTreeMap<String, Zone>,
    /// The symbol of the rule that calls.
    pub(super) symbol: &'a str,
    /// Whether all languages are fine, as they are unless `ok_locales` says otherwise.
    pub(super) all_locales: bool,
}

/// Finds out what a call is here.
pub(super) fn translate(call: &Call, knowledge: &mut Knowledge<'_, '_>) -> Verdict {
    network::translate(call, knowledge)
        .or_else(|| content::translate(call, knowledge))
        .or_else(|| sender::translate(call, knowledge))
        .unwrap_or_else(|| {
            let first = call
                .arguments
                .first()
                .map(|argument| format!("'{argument}'"));
            let first: String = first.unwrap_or_default().chars().take(40).collect();
            let function = &call.function;
            Verdict::Refused(format!("{function}({first}) has no counterpart"))
        })
}

/// Whether the call asks whether an address is on the list of the same name.
pub(super) fn asks_list(call: &Call, function: &str) -> bool {
    sender::current_name(&call.function) == function
}

fn plain(plain: Plain) -> Scope {
    Scope::Plain(plain)
}

fn field(name: &str) -> Scope {
    Scope::Header {
        name: name.to_owned(),
        part: crate::vocabulary::HeaderPart::Value,
    }
}

/// A match of an expression of our own, in either case.
fn matches(scope: Scope, expression: &str) -> Condition {
    Condition::Match {
        scope,
        patterns: vec![caseless(expression)],
    }
}

fn caseless(expression: &str) -> PatternText {
    PatternText {
        expression: expression.as_bytes().to_vec(),
        flags: patterns::Flags {
            caseless: true,
            ..patterns::Flags::default()
        },
    }
}

fn at_least(number: Number, least: f64) -> Condition {
    Condition::Number {
        number,
        at_least: Some(least),
        at_most: None,
    }
}

fn at_most(number: Number, most: f64) -> Condition {
    Condition::Number {
        number,
        at_least: None,
        at_most: Some(most),
    }
}

fn above(number: Number, bound: f64) -> Condition {
    not(at_most(number, bound))
}

fn below(number: Number, bound: f64) -> Condition {
    not(at_least(number, bound))
}

/// Above the first, and not above the second.
fn between(number: Number, low: f64, high: Option<f64>) -> Condition {
    match high {
        Some(high) => all([above(number, low), at_most(number, high)]),
        None => above(number, low),
    }
}

fn all<const N: usize>(conditions: [Condition; N]) -> Condition {
    Condition::All(conditions.into())
}

fn flag(flag: Flag) -> Condition {
    Condition::Flag(flag)
}

fn symbol(name: &str) -> Condition {
    Condition::Symbol(name.to_owned())
}

#[cfg(test)]
mod tests;
