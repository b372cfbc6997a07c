//! `muskox patterns inspect`, `explain` and `verify`.

use std::path::{Path, PathBuf};

use clap::{ArgGroup, Args};
use patterns::{
    Compiler, Database, Explanation, Flags, Pattern, PatternInfo, PatternSet, Refused, Scope, Text,
    UnknownFlag,
};
use serde_json::{Value, json};

use super::super::output::{printable, size};
use super::super::{Failed, Output};
use super::{name_of, open, scope, shown, suggestion};

#[derive(Debug, Args)]
#[command(group = ArgGroup::new("what").required(true).args(["file", "expression"]))]
pub(in crate::cli) struct ExplainOptions {
    /// The database file
    #[arg(requires = "rule")]
    file: Option<PathBuf>,
    /// The rule's name, or its number
    rule: Option<String>,
    /// An expression to explain without a file
    #[arg(long, conflicts_with = "file")]
    expression: Option<String>,
    /// Its flags, of `imsxu`
    #[arg(long, requires = "expression", default_value = "", value_parser = flags_of)]
    flags: Flags,
    /// Only rules of this scope; with --expression the scope it is planned for [default: body]
    #[arg(long)]
    scope: Option<String>,
}

/// The scope an expression is planned for when none is named.
const DEFAULT_SCOPE: &str = "body";

fn flags_of(letters: &str) -> Result<Flags, UnknownFlag> {
    Flags::parse(letters)
}

pub(super) fn inspect(file: &Path, output: &Output) -> Result<(), Failed> {
    let database = open(file)?;
    let layout = database.layout();
    let scopes: Vec<Value> = database.scopes().map(|scope| scope_row(&scope)).collect();
    let sections: Vec<Value> = layout
        .sections
        .iter()
        .map(|section| {
            json!({
                "name": section.name,
                "scope": section.scope,
                "offset": section.offset,
                "bytes": section.length,
            })
        })
        .collect();
    let refused: Vec<Value> = database.refused().map(|rule| refused_row(&rule)).collect();
    let data = json!({
        "file": file.display().to_string(),
        "bytes": layout.length,
        "version": layout.version.to_string(),
        "digest": layout.digest.to_string(),
        "rules": database.len(),
        "scopes": scopes,
        "sections": sections,
        "refused": refused,
    });
    output.data("muskox.patterns.inspect/1", &data, inspect_people);
    Ok(())
}

fn inspect_people(output: &Output, data: &Value) {
    let part = |key| data.get(key).unwrap_or(&Value::Null);
    let text = |key| printable(part(key).as_str().unwrap_or_default());
    let number = |key| part(key).as_u64().unwrap_or_default();
    output.line(format_args!("file      {}", text("file")));
    output.line(format_args!("size      {}", size(number("bytes"))));
    output.line(format_args!("version   {}", text("version")));
    output.line(format_args!("digest    {}", text("digest")));
    output.line(format_args!("rules     {}\n", number("rules")));
    let columns = [
        ("SCOPE", "scope"),
        ("TEXT", "text"),
        ("RULES", "rules"),
        ("LITERAL", "literal"),
        ("LANE", "lane"),
        ("ANCHORED", "anchored"),
        ("WHOLE", "whole"),
    ];
    output.table(part("scopes"), &columns);
    output.line("");
    let columns = [("SECTION", "name"), ("COUNT", "count"), ("SIZE", "bytes")];
    output.table(&sums(part("sections")), &columns);
    if part("refused")
        .as_array()
        .is_some_and(|rows| !rows.is_empty())
    {
        output.line("");
        let columns = [
            ("REFUSED", "name"),
            ("SCOPE", "scope"),
            ("REASON", "reason"),
        ];
        output.table(part("refused"), &columns);
    }
}

/// The sections of each name together, in the order of the file: every scope has its own.
fn sums(sections: &Value) -> Value {
    let mut sums: Vec<(&str, u64, u64)> = Vec::new();
    for section in sections.as_array().into_iter().flatten() {
        let name = section.get("name").and_then(Value::as_str);
        let name = name.unwrap_or_default();
        let bytes = section.get("bytes").and_then(Value::as_u64);
        let bytes = bytes.unwrap_or_default();
        match sums.iter_mut().find(|(known, ..)| *known == name) {
            Some((_, count, sum)) => {
                *count += 1;
                *sum += bytes;
            }
            None => sums.push((name, 1, bytes)),
        }
    }
    sums.into_iter()
        .map(|(name, count, bytes)| json!({ "name": name, "count": count, "bytes": bytes }))
        .collect()
}

/// A scope with the numbers of rules that are noticed in each way; one may be in several.
fn scope_row(scope: &Scope<'_>) -> Value {
    let count = |is: fn(&PatternInfo<'_>) -> bool| scope.patterns().filter(is).count();
    json!({
        "scope": scope.name(),
        "text": kind(scope.text()),
        "rules": scope.len(),
        "literal": count(|rule| rule.plan.literals > 0),
        "lane": count(|rule| rule.plan.lanes > 0),
        "anchored": count(|rule| rule.plan.anchored),
        "whole": count(|rule| rule.plan.whole),
    })
}

fn refused_row(rule: &Refused) -> Value {
    json!({
        "id": rule.id,
        "name": rule.name,
        "scope": rule.scope,
        "reason": rule.reason,
    })
}

fn kind(text: Text) -> &'static str {
    match text {
        Text::Prose => "prose",
        Text::Markup => "markup",
        Text::Address => "address",
        Text::Header => "header",
    }
}

pub(super) fn explain(options: &ExplainOptions, output: &Output) -> Result<(), Failed> {
    let (database, rule) = match (&options.file, &options.rule, &options.expression) {
        (Some(file), Some(rule), None) => (open(file)?, rule.as_str()),
        (_, _, Some(expression)) => (compile(expression, options)?, ""),
        _ => return Err(Failed::Usage("which rule of which file?".to_owned())),
    };
    let scopes: Vec<Scope<'_>> = match (&options.scope, &options.file) {
        (Some(name), Some(file)) => vec![scope(&database, file, name)?],
        _ => database.scopes().collect(),
    };
    let rows: Vec<Value> = scopes
        .iter()
        .flat_map(|scope| {
            let named = scope.patterns().filter(|info| is_called(info, rule));
            named.filter_map(|info| Some(explained(scope, &info, &scope.explain(info.id)?)))
        })
        .collect();
    if rows.is_empty() {
        return Err(unknown(&database, &scopes, rule));
    }
    let data = Value::Array(rows);
    output.data("muskox.patterns.explain/1", &data, |output, data| {
        let mut separator = "";
        for row in data.as_array().into_iter().flatten() {
            let text = row.get("explanation").and_then(Value::as_str);
            let lines: Vec<String> = text.unwrap_or_default().lines().map(printable).collect();
            output.line(format_args!("{separator}{}", lines.join("\n")));
            separator = "\n";
        }
    });
    Ok(())
}

/// A database of one expression, which has neither name nor number.
fn compile(expression: &str, options: &ExplainOptions) -> Result<Database, Failed> {
    let scope = options.scope.as_deref().unwrap_or(DEFAULT_SCOPE);
    let mut set = PatternSet::new();
    let pattern = Pattern {
        id: 0,
        expression: expression.as_bytes().to_vec(),
        flags: options.flags,
    };
    set.add(scope, Text::of_scope(scope), pattern)
        .map_err(|error| Failed::Usage(error.to_string()))?;
    let compiled = Compiler::new().compile(&set, None);
    match compiled.refused.into_iter().next() {
        None => Ok(compiled.database),
        Some(refused) => Err(Failed::Negative(refused.reason)),
    }
}

/// Whether a rule is meant: by its name, or else by its number.
fn is_called(info: &PatternInfo<'_>, rule: &str) -> bool {
    info.name == rule || rule.parse() == Ok(info.id)
}

fn explained(scope: &Scope<'_>, info: &PatternInfo<'_>, explanation: &Explanation<'_>) -> Value {
    json!({
        "scope": scope.name(),
        "id": info.id,
        "name": info.name,
        "expression": String::from_utf8_lossy(info.expression),
        "flags": info.flags.to_string(),
        "plan": info.plan.to_string(),
        "candidates_per_megabyte": info.cost.candidates,
        "microseconds_per_megabyte": info.cost.microseconds,
        "program_bytes": info.code,
        "explanation": explanation.to_string(),
    })
}

/// Why a rule cannot be explained: it was refused, or there is none.
fn unknown(database: &Database, scopes: &[Scope<'_>], rule: &str) -> Failed {
    let refused = database
        .refused()
        .find(|refused| refused.name == rule || rule.parse() == Ok(refused.id));
    if let Some(refused) = refused {
        let name = name_of(&refused.name, refused.id);
        return Failed::Negative(format!("{name} was refused: {}", refused.reason));
    }
    let names = scopes.iter().flat_map(|scope| scope.patterns());
    Failed::NotFound(format!(
        "there is no rule `{}`{}",
        printable(rule),
        suggestion(rule, names.map(|info| info.name))
    ))
}

pub(super) fn verify(file: &Path, output: &Output) -> Result<(), Failed> {
    // Opening checks every byte.
    let database = open(file)?;
    output.note(format_args!(
        "{}: good, {} rules in {} scopes",
        shown(file),
        database.len(),
        database.scopes().len()
    ));
    Ok(())
}
