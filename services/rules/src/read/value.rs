//! Values of a TOML document: what type they have to have, and where they stand.

use std::str::FromStr;

use toml::de::{DeTable, DeValue};

use super::{Reader, Value};
use crate::error::{Place, Reason};
use crate::limits;

/// Where lines begin.
pub(super) struct Lines<'t> {
    text: &'t str,
    starts: Vec<usize>,
}

impl<'t> Lines<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        let breaks = text.bytes().enumerate().filter(|&(_, byte)| byte == b'\n');
        Self {
            text,
            starts: std::iter::once(0)
                .chain(breaks.map(|(at, _)| at + 1))
                .collect(),
        }
    }

    /// The line and the character at an offset.
    pub(super) fn place(&self, at: usize) -> Place {
        let line = self.starts.partition_point(|&start| start <= at);
        let start = line
            .checked_sub(1)
            .and_then(|line| self.starts.get(line))
            .copied()
            .unwrap_or_default();
        let before = self.text.get(start..at).unwrap_or_default();
        // A file is shorter than that.
        let narrow = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        Place {
            line: narrow(line),
            column: narrow(before.chars().count() + 1),
        }
    }
}

/// A table and where it stands.
#[derive(Debug, Clone, Copy)]
pub(super) struct Table<'d, 'i> {
    pub(super) entries: &'d DeTable<'i>,
    pub(super) at: usize,
}

impl<'d, 'i> Table<'d, 'i> {
    pub(super) fn get(&self, key: &str) -> Option<&'d Value<'i>> {
        self.entries.get(key)
    }
}

/// A kind of number that a value may be read as.
pub(super) trait Numeric: FromStr {
    /// What it is, for people.
    const EXPECTED: &'static str;
    /// Whether a fraction is none of its values.
    const WHOLE: bool;
    /// From an integer in another base than ten.
    fn of(integer: u32) -> Option<Self>;
}

impl Numeric for f32 {
    const EXPECTED: &'static str = "a number";
    const WHOLE: bool = false;
    fn of(integer: u32) -> Option<Self> {
        u16::try_from(integer).ok().map(Self::from)
    }
}

impl Numeric for f64 {
    const EXPECTED: &'static str = "a number";
    const WHOLE: bool = false;
    fn of(integer: u32) -> Option<Self> {
        Some(integer.into())
    }
}

impl Numeric for u32 {
    const EXPECTED: &'static str = "a whole number from 0";
    const WHOLE: bool = true;
    fn of(integer: u32) -> Option<Self> {
        Some(integer)
    }
}

impl Reader<'_> {
    fn wrong_type(&mut self, value: &Value<'_>, expected: &'static str) {
        let found = match value.get_ref() {
            DeValue::String(_) => "a string",
            DeValue::Integer(_) => "an integer",
            DeValue::Float(_) => "a float",
            DeValue::Boolean(_) => "true or false",
            DeValue::Datetime(_) => "a date",
            DeValue::Array(_) => "an array",
            DeValue::Table(_) => "a table",
        };
        self.error(value.span().start, Reason::Type { expected, found });
    }

    /// Only these keys stand in the table.
    pub(super) fn known_keys(&mut self, table: &Table<'_, '_>, known: &[&'static str]) {
        for key in table.entries.keys() {
            let name: &str = key.get_ref();
            if !known.contains(&name) {
                let hint = limits::nearest(name, known.iter().copied()).map(str::to_owned);
                let key_name = limits::excerpt(name);
                self.error(
                    key.span().start,
                    Reason::UnknownKey {
                        key: key_name,
                        hint,
                    },
                );
            }
        }
    }

    /// The value of a key that has to be there.
    pub(super) fn required<'d, 'i>(
        &mut self,
        table: &Table<'d, 'i>,
        key: &'static str,
    ) -> Option<&'d Value<'i>> {
        let found = table.get(key);
        if found.is_none() {
            self.error(table.at, Reason::MissingKey(key));
        }
        found
    }

    pub(super) fn table<'d, 'i>(&mut self, value: &'d Value<'i>) -> Option<Table<'d, 'i>> {
        match value.get_ref() {
            DeValue::Table(entries) => Some(Table {
                entries,
                at: value.span().start,
            }),
            _ => {
                self.wrong_type(value, "a table");
                None
            }
        }
    }

    /// The values of an array; none when it is no array.
    pub(super) fn array<'d, 'i>(&mut self, value: &'d Value<'i>) -> &'d [Value<'i>] {
        match value.get_ref() {
            DeValue::Array(values) => values,
            _ => {
                self.wrong_type(value, "an array");
                &[]
            }
        }
    }

    pub(super) fn string<'d>(&mut self, value: &'d Value<'_>) -> Option<&'d str> {
        let found = value.get_ref().as_str();
        if found.is_none() {
            self.wrong_type(value, "a string");
        }
        found
    }

    /// The string of a key that may be missing.
    pub(super) fn text(&mut self, table: &Table<'_, '_>, key: &str) -> Option<String> {
        let value = table.get(key)?;
        self.string(value).map(str::to_owned)
    }

    pub(super) fn boolean(&mut self, value: &Value<'_>) -> Option<bool> {
        let found = value.get_ref().as_bool();
        if found.is_none() {
            self.wrong_type(value, "true or false");
        }
        found
    }

    /// A number, read from its digits: nothing is rounded twice.
    pub(super) fn number<T: Numeric>(&mut self, value: &Value<'_>) -> Option<T> {
        let found = match value.get_ref() {
            DeValue::Integer(number) if number.radix() == 10 => number.as_str().parse().ok(),
            DeValue::Integer(number) => u32::from_str_radix(number.as_str(), number.radix())
                .ok()
                .and_then(T::of),
            DeValue::Float(number) if !T::WHOLE => number.as_str().parse().ok(),
            _ => None,
        };
        if found.is_none() {
            self.wrong_type(value, T::EXPECTED);
        }
        found
    }

    /// One of a few words.
    pub(super) fn word<T: Copy>(
        &mut self,
        value: &Value<'_>,
        expected: &'static str,
        words: &[(&'static str, T)],
    ) -> Option<T> {
        let text = self.string(value)?;
        let found = words.iter().find(|(word, _)| *word == text);
        if found.is_none() {
            let hint = limits::nearest(text, words.iter().map(|(word, _)| *word));
            let reason = Reason::Word {
                value: limits::excerpt(text),
                expected,
                hint: hint.map(str::to_owned),
            };
            self.error(value.span().start, reason);
        }
        found.map(|(_, found)| *found)
    }
}
