//! Unicode's properties and simple case folding, from the tables of `regex-syntax`.
//!
//! Names are those of PCRE2 10.42: short general categories, scripts (by `Script_Extensions`
//! unless `sc:` is written), binary properties, and PCRE2's own `Xan`, `Xps`, `Xsp`, `Xuc`, `Xwd`.
//! Bidi classes are not known. The version of Unicode is that of `regex-syntax`.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use regex_syntax::hir::{Class, ClassUnicode, ClassUnicodeRange, HirKind};

use super::points::CodePoints;

/// The general categories, in lower case.
const CATEGORIES: &[&str] = &[
    "c", "cc", "cf", "cn", "co", "l", "ll", "lm", "lo", "lt", "lu", "m", "mc", "me", "mn", "n",
    "nd", "nl", "no", "p", "pc", "pd", "pe", "pf", "pi", "po", "ps", "s", "sc", "sk", "sm", "so",
    "z", "zl", "zp", "zs",
];

/// The properties a pattern has asked for.
#[derive(Debug, Default)]
pub(super) struct Properties {
    known: BTreeMap<String, Option<CodePoints>>,
}

impl Properties {
    /// The code points of `\p{name}`, without the `^` that may precede the name. ASCII case, white
    /// space, hyphens and underscores in the name mean nothing.
    pub(super) fn get(&mut self, name: &[u8]) -> Option<&CodePoints> {
        let name: String = name
            .iter()
            .filter(|byte| !matches!(byte, b' ' | b'\t'..=b'\r' | b'-' | b'_'))
            .map(|&byte| char::from(byte.to_ascii_lowercase()))
            .collect();
        if !self.known.contains_key(&name) {
            let points = find(&name);
            self.known.insert(name.clone(), points);
        }
        self.known.get(&name)?.as_ref()
    }
}

/// The code points of a set that have another case, or seem to.
pub(super) fn cased(points: &CodePoints) -> CodePoints {
    points.intersection(&CASED)
}

/// A set and, under Unicode's simple case folding, everything equal to one of its `cased` members:
/// these are looked up one by one.
pub(super) fn fold_case(points: &CodePoints, cased: &CodePoints) -> CodePoints {
    let ranges = cased
        .characters()
        .map(|(start, end)| ClassUnicodeRange::new(start, end));
    let mut class = ClassUnicode::new(ranges);
    // The tables are compiled in: this cannot fail.
    if class.try_case_fold_simple().is_err() {
        return points.clone();
    }
    points.union(&code_points(&class))
}

/// Every code point that is equal to another when case is ignored (a few more do no harm).
static CASED: LazyLock<CodePoints> = LazyLock::new(|| {
    ["CWCM", "CWCF", "CWL", "CWU", "CWT"]
        .into_iter()
        .filter_map(|name| query(&format!("{name}=true")).or_else(|| query(name)))
        .fold(CodePoints::default(), |all, points| all.union(&points))
});

fn find(name: &str) -> Option<CodePoints> {
    let is_name = |character: char| character.is_ascii_alphanumeric();
    if let Some((kind, script)) = name.split_once([':', '=']) {
        let kind = match kind {
            "sc" | "script" => "sc",
            "scx" | "scriptextensions" => "scx",
            _ => return None,
        };
        return query(&format!("{kind}={script}")).filter(|_| script.chars().all(is_name));
    }
    if let Some(points) = own(name) {
        return Some(points);
    }
    if CATEGORIES.contains(&name) {
        return query(&format!("gc={name}"));
    }
    // `regex-syntax` knows more: long names of categories, a prefix `is`, `assigned`.
    let foreign = query(&format!("gc={name}")).is_some() && name != "any" && name != "ascii";
    if foreign || name.starts_with("is") || name == "assigned" || !name.chars().all(is_name) {
        return None;
    }
    query(&format!("scx={name}")).or_else(|| query(name))
}

/// What PCRE2 has and Unicode has not.
fn own(name: &str) -> Option<CodePoints> {
    let union = |names: &[&str], more: Vec<(u32, u32)>| {
        names
            .iter()
            .filter_map(|name| query(&format!("gc={name}")))
            .fold(CodePoints::new(more), |all, points| all.union(&points))
    };
    Some(match name {
        "l&" | "lc" => union(&["lu", "ll", "lt"], vec![]),
        // Surrogates are not characters.
        "cs" => CodePoints::default(),
        "xan" => union(&["l", "n"], vec![]),
        "xwd" => union(&["l", "n"], vec![(0x5F, 0x5F)]),
        "xsp" | "xps" => union(&["z"], vec![(0x09, 0x0D), (0x85, 0x85), (0x180E, 0x180E)]),
        "xuc" => CodePoints::new(vec![
            (0x24, 0x24),
            (0x40, 0x40),
            (0x60, 0x60),
            (0xA0, 0xD7FF),
            (0xE000, 0x10_FFFF),
        ]),
        _ => return None,
    })
}

/// Asks `regex-syntax`, whose parser alone gives its tables out.
fn query(property: &str) -> Option<CodePoints> {
    let class = regex_syntax::parse(&format!("\\p{{{property}}}")).ok()?;
    match class.into_kind() {
        HirKind::Class(Class::Unicode(class)) => Some(code_points(&class)),
        HirKind::Class(Class::Bytes(class)) => Some(CodePoints::new(
            class
                .ranges()
                .iter()
                .map(|range| (range.start().into(), range.end().into()))
                .collect(),
        )),
        // A class of one.
        HirKind::Literal(literal) => {
            let mut characters = std::str::from_utf8(&literal.0).ok()?.chars();
            characters.next().map(|only| CodePoints::of(only.into()))
        }
        _ => None,
    }
}

fn code_points(class: &ClassUnicode) -> CodePoints {
    CodePoints::new(
        class
            .ranges()
            .iter()
            .map(|range| (range.start().into(), range.end().into()))
            .collect(),
    )
}

#[cfg(test)]
mod tests {
    use super::super::points::LAST_CODE_POINT;
    use super::*;

    fn contains(name: &str, character: char) -> Option<bool> {
        let mut properties = Properties::default();
        let points = properties.get(name.as_bytes())?;
        let one = CodePoints::of(character.into());
        Some(points.intersection(&one) == one)
    }

    #[test]
    fn names_are_those_of_pcre2() {
        for (name, inside, outside) in [
            ("L", 'ß', '1'),
            ("lu", 'Ä', 'ä'),
            ("L&", 'ä', 'あ'),
            ("Greek", 'λ', 'l'),
            ("grek", 'λ', 'l'),
            ("script=Greek", 'λ', 'l'),
            ("scx:Hira", 'あ', 'l'),
            ("White_Space", '\u{85}', 'l'),
            ("White Space", '\u{85}', 'l'),
            ("Zl", '\u{2028}', '\u{2029}'),
            ("Any", 'x', '\u{D7FF}'),
            ("Xwd", '_', '-'),
        ] {
            assert_eq!(contains(name, inside), Some(true), "{name}");
            assert_eq!(contains(name, outside), Some(name == "Any"), "{name}");
        }
        for name in [
            "", "Letter", "isGreek", "Assigned", "Foo", "bc=AL", "gc=L", "L}a", "age=6.0",
        ] {
            assert_eq!(contains(name, 'a'), None, "{name}");
        }
    }

    #[test]
    fn folding_reaches_every_form() {
        let folded = |character: char| {
            let points = CodePoints::of(character.into());
            fold_case(&points, &cased(&points))
        };
        let set = |characters: &str| {
            CodePoints::new(characters.chars().map(|c| (c.into(), c.into())).collect())
        };
        assert_eq!(folded('k'), set("kK\u{212A}"));
        assert_eq!(folded('ſ'), set("sSſ"));
        assert_eq!(folded('σ'), set("Σσς"));
        assert_eq!(folded('ß'), set("ßẞ"));
        assert_eq!(folded('ı'), set("ı"));
        assert_eq!(folded('1'), set("1"));
    }

    #[test]
    fn nothing_outside_the_cased_folds() {
        let rest = CASED.complement(LAST_CODE_POINT);
        let ranges = rest.characters();
        let mut class = ClassUnicode::new(ranges.map(|(a, b)| ClassUnicodeRange::new(a, b)));
        let before = code_points(&class);
        class.case_fold_simple();
        assert_eq!(code_points(&class), before);
        assert!(CASED.ranges().len() > 100, "the tables were not found");
    }
}
