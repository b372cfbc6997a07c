//! RFC references in comments and in the names of transcripts, and the map made from them.
//!
//! A reference has one form: `RFC 9051 §6.4.8: what it demands`. A gap is `TODO RFC 7162 §3.2.5.1: …`.

#![expect(
    clippy::disallowed_methods,
    reason = "a chore that reads and writes the source tree"
)]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::Findings;

const MAP: &str = "docs/rfc-map.md";
const FOLDERS: [&str; 7] = [
    "formats", "services", "servers", "muskox", "testkit", "tests", "benches",
];

/// A section of an RFC: number, and the section as numbers so that it sorts as people count.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Section {
    rfc: u32,
    order: Vec<u32>,
    name: String,
}

/// Where a section is spoken of.
#[derive(Debug, Default)]
struct Places {
    code: BTreeMap<String, usize>,
    tests: BTreeMap<String, usize>,
    gaps: Vec<String>,
}

type Map = BTreeMap<Section, Places>;

/// Checks the references and that the committed map is current.
pub(crate) fn check(root: &Path) -> io::Result<Findings> {
    let (map, mut findings) = collect(root)?;
    if fs::read_to_string(root.join(MAP)).unwrap_or_default() != render(&map) {
        findings.push(format!("{MAP} is not current: run `cargo xtask rfc`"));
    }
    Ok(findings)
}

/// Checks the references and writes the map.
pub(crate) fn write(root: &Path) -> io::Result<Findings> {
    let (map, findings) = collect(root)?;
    fs::write(root.join(MAP), render(&map))?;
    Ok(findings)
}

fn collect(root: &Path) -> io::Result<(Map, Findings)> {
    let mut map = Map::new();
    let mut findings = Findings::new();
    let mut pending: Vec<PathBuf> = FOLDERS.iter().map(|folder| root.join(folder)).collect();
    while let Some(folder) = pending.pop() {
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            if path.is_dir() {
                pending.push(path);
                continue;
            }
            let name = path
                .strip_prefix(root)
                .unwrap_or(&path)
                .display()
                .to_string();
            if name.contains("/transcripts/") {
                from_transcript(&name, &mut map);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                from_source(&name, &fs::read_to_string(&path)?, &mut map, &mut findings);
            }
        }
    }
    Ok((map, findings))
}

/// `tests/transcripts/imap/9051-6.4.8-uid-expunge.txt` proves RFC 9051 §6.4.8.
fn from_transcript(name: &str, map: &mut Map) {
    let file = name.rsplit('/').next().unwrap_or(name);
    let mut words = file.split('-');
    if let (Some(rfc), Some(section)) = (words.next(), words.next())
        && let Ok(rfc) = rfc.parse()
    {
        *places(map, rfc, section)
            .tests
            .entry(name.to_owned())
            .or_default() += 1;
    }
}

fn from_source(name: &str, text: &str, map: &mut Map, findings: &mut Findings) {
    let mut in_tests = name.starts_with("tests/");
    for (number, line) in text.lines().enumerate() {
        in_tests |= line.trim_start().starts_with("mod tests");
        let Some((_, comment)) = line.split_once("//") else {
            continue;
        };
        let comment = comment.trim_start_matches(['/', '!']).trim_start();
        let (gap, reference) = match comment.strip_prefix("TODO ") {
            Some(rest) => (true, rest),
            None => (false, comment),
        };
        if gap && !reference.starts_with("RFC ") {
            findings.push(format!(
                "{name}:{}: a TODO names its RFC section",
                number + 1
            ));
        }
        if !reference.starts_with("RFC ") {
            continue;
        }
        let Some((rfc, sections)) = parse(reference) else {
            if gap || line.trim_start().starts_with("// RFC") {
                findings.push(format!(
                    "{name}:{}: write `RFC 9051 §6.4.8: what it demands`",
                    number + 1
                ));
            }
            continue;
        };
        for section in sections {
            let places = places(map, rfc, section);
            if gap {
                places.gaps.push(format!("{name}:{}", number + 1));
            } else if in_tests {
                *places.tests.entry(name.to_owned()).or_default() += 1;
            } else {
                *places.code.entry(name.to_owned()).or_default() += 1;
            }
        }
    }
}

/// `RFC 5321 §4.1.1.1, §4.1.4: …` → the number and its sections.
fn parse(reference: &str) -> Option<(u32, Vec<&str>)> {
    let rest = reference.strip_prefix("RFC ")?;
    let (number, rest) = rest.split_once(' ')?;
    let (sections, meaning) = rest.split_once(": ")?;
    let sections: Option<Vec<&str>> = sections
        .split(", ")
        .map(|section| section.strip_prefix('§'))
        .collect();
    let sections = sections?;
    let formed = |section: &&str| {
        section.starts_with(|first: char| first.is_ascii_alphanumeric()) && !section.contains(' ')
    };
    (!meaning.trim().is_empty() && sections.iter().all(formed))
        .then_some((number.parse().ok()?, sections))
}

fn places<'a>(map: &'a mut Map, rfc: u32, section: &str) -> &'a mut Places {
    let order = section
        .split('.')
        .map(|part| {
            part.parse()
                .unwrap_or_else(|_| part.bytes().map(u32::from).sum::<u32>() + 1_000)
        })
        .collect();
    map.entry(Section {
        rfc,
        order,
        name: section.to_owned(),
    })
    .or_default()
}

fn render(map: &Map) -> String {
    let gaps: usize = map.values().map(|places| places.gaps.len()).sum();
    let mut page = format!(
        "# RFC map\n\nMade by `cargo xtask rfc` from the references in comments and the names of \
         transcripts. {} sections, {gaps} known gaps.\n",
        map.len()
    );
    let mut current = None;
    for (section, places) in map {
        if current != Some(section.rfc) {
            let heading = "| section | code | tests | gaps |\n|---|---|---|---|\n";
            let _ = write!(page, "\n## RFC {}\n\n{heading}", section.rfc);
            current = Some(section.rfc);
        }
        let list = |places: &BTreeMap<String, usize>| {
            places
                .keys()
                .map(|file| format!("`{file}`"))
                .collect::<Vec<_>>()
                .join("<br>")
        };
        let _ = writeln!(
            page,
            "| §{} | {} | {} | {} |",
            section.name,
            list(&places.code),
            list(&places.tests),
            places.gaps.join("<br>")
        );
    }
    page
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_have_one_form() {
        assert_eq!(
            parse("RFC 9051 §6.4.8: only these"),
            Some((9051, vec!["6.4.8"]))
        );
        assert_eq!(
            parse("RFC 5321 §4.1.1, §4.5: both"),
            Some((5321, vec!["4.1.1", "4.5"]))
        );
        for wrong in [
            "RFC 9051: all",
            "RFC 9051 6.4: x",
            "RFC9051 §1: x",
            "RFC 1 §: x",
            "RFC 1 §2:",
        ] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn the_tree_keeps_the_form_and_the_map_is_current() {
        assert_eq!(check(&crate::root()).unwrap(), Findings::new());
    }
}
