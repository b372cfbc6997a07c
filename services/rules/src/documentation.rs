//! The vocabulary as tables, for docs/rules.md.

use std::fmt::Write as _;

use crate::vocabulary::{Flag, Number, Plain};

/// Scopes with the name of a field in them, and what they are.
const FIELD_SCOPES: &[(&str, &str)] = &[
    (
        "header.NAME",
        "The fields of that name at the top of the message, decoded and unfolded, one haystack each.",
    ),
    (
        "header.NAME.raw",
        "The same as they stand, folds included, without the blank after the colon.",
    ),
    (
        "header.NAME.address",
        "Their addresses, `user@host`, one haystack each.",
    ),
    (
        "header.NAME.name",
        "The display names of their addresses, decoded, one haystack each.",
    ),
    (
        "mime.NAME",
        "The fields of that name in the headers of MIME parts, decoded and unfolded, one haystack each.",
    ),
    ("mime.NAME.raw", "The same as they stand."),
];

/// All scopes, numbers and flags that rules may ask about, as tables in Markdown.
#[must_use]
pub fn vocabulary_table() -> String {
    let mut tables = String::new();
    let fields = FIELD_SCOPES.iter().copied();
    let plain = Plain::ALL.iter().map(|it| (it.name(), it.meaning()));
    table(&mut tables, "Scopes", "scope", fields.chain(plain));
    let numbers = Number::ALL.iter().map(|it| (it.name(), it.meaning()));
    table(&mut tables, "Numbers", "number", numbers);
    let flags = Flag::ALL.iter().map(|it| (it.name(), it.meaning()));
    table(&mut tables, "Flags", "flag", flags);
    tables
}

fn table<'r>(
    into: &mut String,
    title: &str,
    column: &str,
    rows: impl Iterator<Item = (&'r str, &'r str)>,
) {
    if !into.is_empty() {
        into.push('\n');
    }
    // Writing to a string cannot fail.
    let _ = writeln!(into, "### {title}\n\n| {column} | what it is |\n|---|---|");
    for (name, meaning) in rows {
        // A tag would be taken for one.
        let meaning = meaning.trim().replace('|', "\\|");
        let meaning = meaning.replace("<a>", "`<a>`").replace("</a>", "`</a>`");
        let _ = writeln!(into, "| `{name}` | {meaning} |");
    }
}
