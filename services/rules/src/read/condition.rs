//! Conditions of rule files: inline tables, each of one form.

use std::str::FromStr;

use super::value::Table;
use super::{Reader, Value};
use crate::error::Reason;
use crate::expression::Expression;
use crate::limits::{self, MAX_DEPTH, MAX_OPERANDS, MAX_PATTERNS};
use crate::model::{Condition, PatternText};

/// The keys that say what a condition asks, for people.
pub(crate) const FORMS: &str =
    "in, exists, number, flag, same, symbol, all, any, of, not, expression";

/// Each form: the key that says so and the keys that go with it.
const FORM_KEYS: &[(&str, &[&str])] = &[
    ("in", &["in", "match", "list"]),
    ("exists", &["exists"]),
    ("number", &["number", "at_least", "at_most", "equals"]),
    ("flag", &["flag"]),
    ("same", &["same"]),
    ("symbol", &["symbol"]),
    ("all", &["all"]),
    ("any", &["any"]),
    ("of", &["of", "at_least"]),
    ("not", &["not"]),
    ("expression", &["expression"]),
];

impl Reader<'_> {
    /// Reads a condition. `depth` counts from 1 and is what bounds the recursion, by
    /// [`MAX_DEPTH`].
    pub(super) fn condition(&mut self, value: &Value<'_>, depth: usize) -> Option<Condition> {
        if depth > MAX_DEPTH {
            self.error(value.span().start, Reason::TooDeep);
            return None;
        }
        let table = self.table(value)?;
        let mut forms = FORM_KEYS
            .iter()
            .filter_map(|(form, keys)| Some((*form, *keys, table.get(form)?)));
        let Some((form, keys, main)) = forms.next() else {
            let before = self.errors.len();
            let all: Vec<&'static str> = FORM_KEYS
                .iter()
                .flat_map(|(_, keys)| keys.iter().copied())
                .collect();
            self.known_keys(&table, &all);
            if self.errors.len() == before {
                self.error(table.at, Reason::NoCondition);
            }
            return None;
        };
        if let Some((other, ..)) = forms.next() {
            self.error(table.at, Reason::TwoConditions(form, other));
            return None;
        }
        self.known_keys(&table, keys);
        let condition = match form {
            "in" => self.within(&table, main),
            "exists" => self.named_value(main).map(Condition::Exists),
            "number" => self.bounds(&table, main),
            "flag" => self.named_value(main).map(Condition::Flag),
            "same" => self.same(main),
            "symbol" => self
                .string(main)
                .map(|symbol| Condition::Symbol(symbol.to_owned())),
            "all" => Some(Condition::All(self.operands(main, depth)?)),
            "any" => Some(Condition::Any(self.operands(main, depth)?)),
            "of" => self.at_least(&table, main, depth),
            "not" => self
                .condition(main, depth + 1)
                .map(|inner| Condition::Not(Box::new(inner))),
            _ => self.expression(main),
        }?;
        self.check(main.span().start, limits::condition(&condition));
        Some(condition)
    }

    /// A scope, a number or a flag.
    fn named_value<T: FromStr<Err = crate::Unknown>>(&mut self, value: &Value<'_>) -> Option<T> {
        match self.string(value)?.parse() {
            Ok(found) => Some(found),
            Err(unknown) => {
                self.error(value.span().start, Reason::Vocabulary(unknown));
                None
            }
        }
    }

    fn within(&mut self, table: &Table<'_, '_>, scope: &Value<'_>) -> Option<Condition> {
        let scope = self.named_value(scope);
        match (table.get("match"), table.get("list")) {
            (Some(patterns), None) => {
                let patterns = self.patterns(patterns);
                let (scope, patterns) = (scope?, patterns?);
                Some(Condition::Match { scope, patterns })
            }
            (None, Some(list)) => {
                let list = self.string(list).map(str::to_owned);
                let (scope, list) = (scope?, list?);
                Some(Condition::Listed { scope, list })
            }
            (Some(_), Some(list)) => {
                let reason = Reason::TwoConditions("match", "list");
                self.error(list.span().start, reason);
                None
            }
            (None, None) => {
                self.error(table.at, Reason::MissingKey("match"));
                None
            }
        }
    }

    /// One pattern or several; none when one is wrong.
    fn patterns(&mut self, value: &Value<'_>) -> Option<Vec<PatternText>> {
        let values = match value.get_ref().as_str() {
            Some(_) => std::slice::from_ref(value),
            None => self.array(value),
        };
        let counted = limits::count("patterns", values.len(), MAX_PATTERNS);
        if counted.is_err() {
            self.check(value.span().start, counted);
            return None;
        }
        let mut patterns = Vec::with_capacity(values.len());
        for value in values {
            match self.string(value).map(PatternText::parse) {
                Some(Ok(pattern)) => patterns.push(pattern),
                Some(Err(error)) => self.error(value.span().start, Reason::Pattern(error)),
                None => {}
            }
        }
        (patterns.len() == values.len()).then_some(patterns)
    }

    fn bounds(&mut self, table: &Table<'_, '_>, number: &Value<'_>) -> Option<Condition> {
        let number = self.named_value(number);
        let mut bound = |key: &str| match table.get(key) {
            Some(value) => self.number::<f64>(value).map(Some),
            None => Some(None),
        };
        let (at_least, at_most) = (bound("at_least"), bound("at_most"));
        let equals = bound("equals")?;
        let (mut at_least, mut at_most) = (at_least?, at_most?);
        if equals.is_some() {
            if at_least.is_some() || at_most.is_some() {
                let reason = Reason::TwoConditions("equals", "at_least or at_most");
                self.error(table.at, reason);
                return None;
            }
            (at_least, at_most) = (equals, equals);
        }
        Some(Condition::Number {
            number: number?,
            at_least,
            at_most,
        })
    }

    fn same(&mut self, value: &Value<'_>) -> Option<Condition> {
        let [left, right] = self.array(value) else {
            let (expected, found) = ("an array of two scopes", "an array of more or fewer");
            if value.get_ref().is_array() {
                self.error(value.span().start, Reason::Type { expected, found });
            }
            return None;
        };
        let (left, right) = (self.named_value(left), self.named_value(right));
        Some(Condition::Same(left?, right?))
    }

    fn operands(&mut self, value: &Value<'_>, depth: usize) -> Option<Vec<Condition>> {
        let values = self.array(value);
        let counted = limits::count("conditions", values.len(), MAX_OPERANDS);
        if counted.is_err() {
            if value.get_ref().is_array() {
                self.check(value.span().start, counted);
            }
            return None;
        }
        let conditions: Vec<_> = values
            .iter()
            .filter_map(|value| self.condition(value, depth + 1))
            .collect();
        (conditions.len() == values.len()).then_some(conditions)
    }

    fn at_least(
        &mut self,
        table: &Table<'_, '_>,
        value: &Value<'_>,
        depth: usize,
    ) -> Option<Condition> {
        let operands = self.operands(value, depth);
        let least = self
            .required(table, "at_least")
            .and_then(|value| self.number(value));
        Some(Condition::AtLeast(least?, operands?))
    }

    fn expression(&mut self, value: &Value<'_>) -> Option<Condition> {
        match Expression::parse(self.string(value)?) {
            Ok(expression) => Some(Condition::Expression(expression)),
            Err(error) => {
                self.error(value.span().start, Reason::Expression(error));
                None
            }
        }
    }
}
