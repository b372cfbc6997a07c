//! Rule sets as rule files.

use std::fmt::{self, Write as _};

use crate::model::{Condition, Group, Hits, List, ListKind, Prefilter, Rule, RuleSet};

impl RuleSet {
    /// The rule file that says this: [`parse`](Self::parse) gives the same set again, if it is one
    /// that [`Book::new`](crate::Book::new) accepts.
    #[must_use]
    pub fn to_toml(&self) -> String {
        let mut file = String::new();
        // Writing to a string cannot fail.
        let _ = self.write(&mut file);
        file
    }

    fn write(&self, file: &mut String) -> fmt::Result {
        if !self.name.is_empty() {
            writeln!(file, "name = {}", Text(&self.name))?;
        }
        if !self.description.is_empty() {
            writeln!(file, "description = {}", Text(&self.description))?;
        }
        if !self.disabled.is_empty() {
            file.push_str("disabled = [\n");
            for symbol in &self.disabled {
                writeln!(file, "  {},", Text(symbol))?;
            }
            file.push_str("]\n");
        }
        if !self.scores.is_empty() {
            file.push_str("\n[scores]\n");
            for (symbol, score) in &self.scores {
                writeln!(file, "{} = {score:?}", Text(symbol))?;
            }
        }
        for (name, group) in &self.groups {
            write_group(file, name, group)?;
        }
        for (name, list) in &self.lists {
            write_list(file, name, list)?;
        }
        for rule in &self.rules {
            write_rule(file, rule)?;
        }
        Ok(())
    }
}

fn write_group(file: &mut String, name: &str, group: &Group) -> fmt::Result {
    writeln!(file, "\n[group.{}]", Text(name))?;
    if !group.description.is_empty() {
        writeln!(file, "description = {}", Text(&group.description))?;
    }
    if let Some(max) = group.max {
        writeln!(file, "max = {max:?}")?;
    }
    if let Some(min) = group.min {
        writeln!(file, "min = {min:?}")?;
    }
    if !group.signals.is_empty() {
        file.push_str("signals = [");
        for (index, symbol) in group.signals.iter().enumerate() {
            let separator = if index == 0 { "" } else { ", " };
            write!(file, "{separator}{}", Text(symbol))?;
        }
        file.push_str("]\n");
    }
    Ok(())
}

fn write_list(file: &mut String, name: &str, list: &List) -> fmt::Result {
    let kind = match list.kind {
        ListKind::Address => "address",
        ListKind::Domain => "domain",
        ListKind::Network => "network",
        ListKind::Word => "word",
        ListKind::Suffix => "suffix",
    };
    writeln!(file, "\n[list.{}]\nkind = \"{kind}\"", Text(name))?;
    if !list.description.is_empty() {
        writeln!(file, "description = {}", Text(&list.description))?;
    }
    file.push_str("items = [\n");
    for item in &list.items {
        writeln!(file, "  {},", Text(item))?;
    }
    file.push_str("]\n");
    Ok(())
}

fn write_rule(file: &mut String, rule: &Rule) -> fmt::Result {
    writeln!(file, "\n[[rule]]\nsymbol = {}", Text(&rule.symbol))?;
    if rule.score != 0.0 || !(rule.hidden || rule.prefilter.is_some()) {
        writeln!(file, "score = {:?}", rule.score)?;
    }
    if let Some(group) = &rule.group {
        writeln!(file, "group = {}", Text(group))?;
    }
    if !rule.description.is_empty() {
        writeln!(file, "description = {}", Text(&rule.description))?;
    }
    if rule.hidden {
        file.push_str("hidden = true\n");
    }
    if let Hits::Each(most) = rule.hits {
        writeln!(file, "each = {most}")?;
    }
    match rule.prefilter {
        Some(Prefilter::Accept) => file.push_str("prefilter = \"accept\"\n"),
        Some(Prefilter::Reject) => file.push_str("prefilter = \"reject\"\n"),
        None => {}
    }
    file.push_str("when = ");
    write_condition(file, &rule.when)?;
    file.push('\n');
    Ok(())
}

/// What is left to be written of a condition.
enum Left<'c> {
    Condition(&'c Condition),
    Text(&'static str),
    AtLeast(u32),
}

/// Writes a condition without recursion: sets that code made may be nested deep.
fn write_condition(file: &mut String, condition: &Condition) -> fmt::Result {
    let mut left = vec![Left::Condition(condition)];
    while let Some(next) = left.pop() {
        match next {
            Left::Text(text) => file.push_str(text),
            Left::AtLeast(least) => write!(file, "], at_least = {least} }}")?,
            Left::Condition(condition) => write_form(file, condition, &mut left)?,
        }
    }
    Ok(())
}

fn write_form<'c>(
    file: &mut String,
    condition: &'c Condition,
    left: &mut Vec<Left<'c>>,
) -> fmt::Result {
    match condition {
        Condition::Match { scope, patterns } => {
            write!(file, "{{ in = {}, match = ", Text(&scope.to_string()))?;
            if let [pattern] = patterns.as_slice() {
                return write!(file, "{} }}", Text(&pattern.to_string()));
            }
            file.push_str("[\n");
            for pattern in patterns {
                writeln!(file, "  {},", Text(&pattern.to_string()))?;
            }
            file.push_str("] }");
            Ok(())
        }
        Condition::Listed { scope, list } => {
            let scope = scope.to_string();
            write!(file, "{{ in = {}, list = {} }}", Text(&scope), Text(list))
        }
        Condition::Exists(scope) => {
            write!(file, "{{ exists = {} }}", Text(&scope.to_string()))
        }
        Condition::Number {
            number,
            at_least,
            at_most,
        } => {
            write!(file, "{{ number = {}", Text(number.name()))?;
            match (at_least, at_most) {
                (Some(least), Some(most)) if least == most => write!(file, ", equals = {least:?}")?,
                _ => {
                    if let Some(least) = at_least {
                        write!(file, ", at_least = {least:?}")?;
                    }
                    if let Some(most) = at_most {
                        write!(file, ", at_most = {most:?}")?;
                    }
                }
            }
            file.push_str(" }");
            Ok(())
        }
        Condition::Flag(flag) => write!(file, "{{ flag = {} }}", Text(flag.name())),
        Condition::Same(one, other) => {
            let (one, other) = (one.to_string(), other.to_string());
            write!(file, "{{ same = [{}, {}] }}", Text(&one), Text(&other))
        }
        Condition::Symbol(symbol) => write!(file, "{{ symbol = {} }}", Text(symbol)),
        Condition::Expression(expression) => {
            write!(file, "{{ expression = {} }}", Text(expression.text()))
        }
        Condition::Not(inner) => {
            file.push_str("{ not = ");
            left.extend([Left::Text(" }"), Left::Condition(inner)]);
            Ok(())
        }
        Condition::All(operands) => {
            file.push_str("{ all = [");
            push_operands(left, operands, Left::Text("] }"));
            Ok(())
        }
        Condition::Any(operands) => {
            file.push_str("{ any = [");
            push_operands(left, operands, Left::Text("] }"));
            Ok(())
        }
        Condition::AtLeast(least, operands) => {
            file.push_str("{ of = [");
            push_operands(left, operands, Left::AtLeast(*least));
            Ok(())
        }
    }
}

fn push_operands<'c>(left: &mut Vec<Left<'c>>, operands: &'c [Condition], end: Left<'c>) {
    left.push(end);
    for operand in operands.iter().rev() {
        left.extend([Left::Text(", "), Left::Condition(operand)]);
    }
}

/// A TOML string: literal where that is possible, so that backslashes stand alone.
struct Text<'t>(&'t str);

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.0;
        let control = |character: char| character.is_control();
        if text.contains(['\\', '"']) && !text.contains('\'') && !text.contains(control) {
            return write!(f, "'{text}'");
        }
        f.write_char('"')?;
        for character in text.chars() {
            match character {
                '"' | '\\' => write!(f, "\\{character}")?,
                '\n' => f.write_str("\\n")?,
                '\t' => f.write_str("\\t")?,
                _ if control(character) => write!(f, "\\u{:04X}", u32::from(character))?,
                _ => f.write_char(character)?,
            }
        }
        f.write_char('"')
    }
}
