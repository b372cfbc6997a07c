//! The licence texts of the crates that are linked in, which ask to go with every copy.

#![expect(clippy::disallowed_methods, reason = "reads the sources of crates")]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io;
use std::path::Path;

use super::crates::Crates;

/// How files with licences and notices begin, in capitals.
const NAMES: &[&str] = &[
    "LICENSE",
    "LICENCE",
    "COPYING",
    "COPYRIGHT",
    "NOTICE",
    "UNLICENSE",
];

/// All texts, each once, with the crates it is of. Crates without a file are listed with the
/// licence that they declare and their authors.
pub(super) fn text(crates: &Crates) -> io::Result<String> {
    let mut texts: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut page = String::from("Muskox contains these crates:\n\n");
    for ((name, version), linked) in &crates.0 {
        if !linked.is_foreign {
            continue;
        }
        let label = format!("{name} {version}");
        let _ = write!(page, "{label}: {}", linked.licence);
        let found = files(&linked.directory)?;
        if found.is_empty() && !linked.authors.is_empty() {
            let _ = write!(page, ", by {}", linked.authors.join(", "));
        }
        page.push('\n');
        for text in found {
            texts.entry(text).or_default().push(label.clone());
        }
    }
    let mut ordered: Vec<_> = texts.into_iter().collect();
    ordered.sort_by(|(_, one), (_, other)| one.cmp(other));
    for (text, crates) in ordered {
        let _ = write!(page, "\n\n==== {}\n\n{text}\n", crates.join(", "));
    }
    Ok(page)
}

/// The texts in a crate's own directory.
fn files(directory: &Path) -> io::Result<Vec<String>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().to_uppercase();
        let is_text = NAMES.iter().any(|start| name.starts_with(start));
        if is_text && entry.file_type()?.is_file() {
            let bytes = std::fs::read(entry.path())?;
            let text = String::from_utf8_lossy(&bytes);
            let lines: Vec<_> = text.trim().lines().map(str::trim_end).collect();
            found.push((name, lines.join("\n")));
        }
    }
    found.sort();
    Ok(found.into_iter().map(|(_, text)| text).collect())
}

#[cfg(test)]
mod tests {
    use super::super::crates::Crate;
    use super::*;

    #[test]
    fn a_text_of_many_crates_stands_there_once_with_their_names() {
        let place = tempfile::tempdir().unwrap();
        let mut crates = Crates::default();
        for (name, texts) in [
            (
                "a",
                &[("LICENSE-MIT", "MIT of all\n"), ("lib.rs", "code")][..],
            ),
            ("b", &[("license", "MIT of all"), ("NOTICE", "by b")][..]),
            ("c", &[][..]),
        ] {
            let directory = place.path().join(name);
            std::fs::create_dir(&directory).unwrap();
            for (file, text) in texts {
                std::fs::write(directory.join(file), text).unwrap();
            }
            let known = Crate {
                licence: "MIT".to_owned(),
                authors: vec!["Author".to_owned()],
                directory,
                is_foreign: true,
                ..Crate::default()
            };
            crates
                .0
                .insert((name.to_owned(), "1.0.0".to_owned()), known);
        }
        assert_eq!(
            text(&crates).unwrap(),
            "Muskox contains these crates:\n\n\
             a 1.0.0: MIT\nb 1.0.0: MIT\nc 1.0.0: MIT, by Author\n\
             \n\n==== a 1.0.0, b 1.0.0\n\nMIT of all\n\
             \n\n==== b 1.0.0\n\nby b\n"
        );
    }
}
