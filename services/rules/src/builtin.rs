//! The rules that come with the program.

use std::sync::LazyLock;
use std::thread;

use crate::model::RuleSet;

macro_rules! files {
    ($($name:literal,)+) => {
        &[$(($name, include_str!(concat!("../builtin/", $name)))),+]
    };
}

/// The files of `builtin/` by name, in the order of the book.
const FILES: &[(&str, &str)] = files![
    "headers.toml",
    "subject.toml",
    "senders.toml",
    "received.toml",
    "dates.toml",
    "mime.toml",
    "html.toml",
    "urls.toml",
    "attachments.toml",
    "lists.toml",
    "bounces.toml",
    "hfilter.toml",
    "compromised.toml",
    "obfuscation.toml",
    "phrases.toml",
    "goods.toml",
    "languages.toml",
    "composites.toml",
];

static SETS: LazyLock<Vec<RuleSet>> = LazyLock::new(|| {
    // The first verdict after a start waits for this.
    let (left, right) = FILES.split_at(FILES.len() / 2);
    thread::scope(|scope| {
        let right = scope.spawn(|| parse(right));
        let mut sets = parse(left);
        sets.extend(right.join().unwrap_or_default());
        sets
    })
});

/// Tests see to it that every file is read.
fn parse(files: &[(&str, &str)]) -> Vec<RuleSet> {
    let sets = files.iter().map(|(_, file)| RuleSet::parse(file));
    sets.filter_map(Result::ok).collect()
}

/// The rule sets that come with the program, read once.
#[must_use]
pub fn builtin() -> &'static [RuleSet] {
    &SETS
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use super::*;
    use crate::Book;

    #[test]
    fn every_file_is_read_and_fits_the_others() {
        for (name, file) in FILES {
            if let Err(errors) = RuleSet::parse_all(file) {
                let lines: Vec<String> = errors.iter().map(ToString::to_string).collect();
                panic!("{name}:\n{}", lines.join("\n"));
            }
        }
        let sets: Vec<&RuleSet> = builtin().iter().collect();
        assert_eq!(sets.len(), FILES.len());
        let names: BTreeSet<&str> = sets.iter().map(|set| set.name.as_str()).collect();
        assert_eq!(names.len(), sets.len(), "{names:?}");
        if let Err(errors) = Book::new(&sets) {
            let lines: Vec<String> = errors.iter().map(ToString::to_string).collect();
            panic!("{}", lines.join("\n"));
        }
    }

    #[test]
    fn every_file_of_the_directory_is_included() {
        let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("builtin");
        let found: BTreeSet<String> = std::fs::read_dir(directory)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| name.ends_with(".toml"))
            .collect();
        let included: BTreeSet<String> = FILES.iter().map(|(name, _)| (*name).to_owned()).collect();
        assert_eq!(found, included);
    }

    #[test]
    fn every_pattern_compiles() {
        let sets: Vec<&RuleSet> = builtin().iter().collect();
        let book = Book::new(&sets).unwrap();
        let compiled = patterns::Compiler::new().compile(&book.patterns().unwrap(), None);
        assert_eq!(compiled.refused, []);
    }
}
