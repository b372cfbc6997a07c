//! What is accepted at most, and the checks of names and numbers that every way into the crate
//! shares.

use crate::error::Reason;
use crate::model::Condition;

/// Octets of a rule file.
pub const MAX_FILE: usize = 8 << 20;
/// Rules of a set, and of all sets of a book.
pub const MAX_RULES: usize = 100_000;
/// How deep conditions are nested; the outermost counts.
pub const MAX_DEPTH: usize = 16;
/// Patterns of one condition.
pub const MAX_PATTERNS: usize = 10_000;
/// Conditions that one condition joins.
pub const MAX_OPERANDS: usize = 10_000;
/// Items of a list.
pub const MAX_ITEMS: usize = 1_000_000;
/// Octets of a list's item.
pub const MAX_ITEM: usize = 1_024;
/// Octets of a symbol.
pub const MAX_SYMBOL: usize = 64;
/// Octets of the name of a set, a group or a list.
pub const MAX_NAME: usize = 255;
/// What a score is at most, and the least it is with the sign turned.
pub const MAX_SCORE: f32 = 10_000.0;
/// How often a rule counts at most.
pub const MAX_HITS: u32 = 1_000_000;
/// Octets of an expression over symbols.
pub const MAX_EXPRESSION: usize = 64 << 10;
/// How deep the parentheses of an expression are nested.
pub const MAX_PARENTHESES: usize = 64;
/// Mistakes of a file or a book that are told.
pub const MAX_ERRORS: usize = 100;

/// A symbol: letters, digits and underscores, not beginning with a digit.
pub(crate) fn symbol(name: &str) -> Result<(), Reason> {
    let first = name
        .bytes()
        .next()
        .is_some_and(|byte| !byte.is_ascii_digit());
    let word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    if first && name.len() <= MAX_SYMBOL && name.bytes().all(word) {
        Ok(())
    } else {
        Err(Reason::Symbol(excerpt(name)))
    }
}

/// The name of a set, a group or a list.
pub(crate) fn name(name: &str) -> Result<(), Reason> {
    if (1..=MAX_NAME).contains(&name.len()) && !name.contains(char::is_control) {
        Ok(())
    } else {
        Err(Reason::Name(excerpt(name)))
    }
}

/// A score.
pub(crate) fn score(score: f32) -> Result<(), Reason> {
    if score.abs() <= MAX_SCORE {
        Ok(())
    } else {
        Err(Reason::Score)
    }
}

/// A cap of a group.
pub(crate) fn caps(max: Option<f32>, min: Option<f32>) -> Result<(), Reason> {
    let far = |cap: f32| cap.is_finite() && cap >= 0.0;
    if max.is_none_or(far) && min.is_none_or(|min| far(-min)) {
        Ok(())
    } else {
        Err(Reason::Caps)
    }
}

/// How often a rule counts.
pub(crate) fn hits(most: u32) -> Result<(), Reason> {
    if (1..=MAX_HITS).contains(&most) {
        Ok(())
    } else {
        Err(Reason::Hits)
    }
}

/// How many there are.
pub(crate) fn count(what: &'static str, count: usize, most: usize) -> Result<(), Reason> {
    match count {
        0 => Err(Reason::Empty(what)),
        _ if count > most => Err(Reason::TooMany { what, most }),
        _ => Ok(()),
    }
}

/// A condition by itself, whatever it joins.
pub(crate) fn condition(condition: &Condition) -> Result<(), Reason> {
    match condition {
        Condition::Match { scope, patterns } => {
            self::scope(scope)?;
            count("patterns", patterns.len(), MAX_PATTERNS)
        }
        Condition::Listed { scope, list } => {
            self::scope(scope)?;
            name(list)
        }
        Condition::Exists(scope) => self::scope(scope),
        Condition::Same(left, right) => {
            self::scope(left)?;
            self::scope(right)
        }
        Condition::Number {
            at_least, at_most, ..
        } => match (at_least, at_most) {
            (None, None) => Err(Reason::Unbounded),
            (Some(least), Some(most)) if least > most => Err(Reason::Range),
            _ if [at_least, at_most]
                .into_iter()
                .flatten()
                .any(|bound| !bound.is_finite()) =>
            {
                Err(Reason::Range)
            }
            _ => Ok(()),
        },
        Condition::Symbol(name) => symbol(name),
        Condition::All(operands) | Condition::Any(operands) => {
            count("conditions", operands.len(), MAX_OPERANDS)
        }
        Condition::AtLeast(least, operands) => {
            count("conditions", operands.len(), MAX_OPERANDS)?;
            let least = usize::try_from(*least).unwrap_or(usize::MAX);
            if (1..=operands.len()).contains(&least) {
                Ok(())
            } else {
                Err(Reason::AtLeast {
                    most: operands.len(),
                })
            }
        }
        Condition::Flag(_) | Condition::Not(_) | Condition::Expression(_) => Ok(()),
    }
}

/// A scope whose name means that scope: fields whose names end like parts of a field do not.
fn scope(scope: &crate::Scope) -> Result<(), Reason> {
    let name = scope.to_string();
    match name.parse::<crate::Scope>() {
        Ok(again) if again == *scope => Ok(()),
        _ => Err(Reason::Scope(excerpt(&name))),
    }
}

/// The beginning of a text, for a message.
pub(crate) fn excerpt(text: &str) -> String {
    text.chars().take(MAX_SYMBOL + 16).collect()
}

/// The known name that is nearest to this one, if one is near.
pub(crate) fn nearest<'n>(name: &str, known: impl IntoIterator<Item = &'n str>) -> Option<&'n str> {
    let name = excerpt(name);
    known
        .into_iter()
        .map(|known| (strsim::jaro_winkler(known, &name), known))
        .filter(|(likeness, _)| *likeness > 0.8)
        // The first of several that are as near.
        .reduce(|best, next| if next.0 > best.0 { next } else { best })
        .map(|(_, known)| known)
}
