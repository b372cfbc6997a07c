//! Real text of this machine, the same on every Debian of one release: licences, SpamAssassin's
//! rule files (which are full of what rules look for) and sample mails, Muskox's own messages.

use std::path::{Path, PathBuf};

use crate::random::Random;
use crate::rules;

const LICENCES: &str = "/usr/share/common-licenses";
const SAMPLES: &str = "/usr/share/doc/spamassassin/examples";
const MESSAGES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/messages");

/// The files of a folder with one of these endings (none: all), by name, links left out.
fn files(folder: &str, endings: &[&str]) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(Path::new(folder)) else {
        return Vec::new();
    };
    let mut files: Vec<_> = entries
        .map(|entry| entry.unwrap())
        .filter(|entry| entry.file_type().unwrap().is_file())
        .map(|entry| entry.path())
        .filter(|path| {
            let name = path.to_string_lossy();
            endings.is_empty() || endings.iter().any(|ending| name.ends_with(ending))
        })
        .collect();
    files.sort();
    files
}

fn read(files: &[PathBuf]) -> Vec<Vec<u8>> {
    files
        .iter()
        .map(|file| std::fs::read(file).unwrap())
        .collect()
}

/// Whole files: mails first, then rule files, then licences.
pub(crate) fn documents() -> Vec<Vec<u8>> {
    let mut documents = read(&files(MESSAGES, &[".eml"]));
    assert!(!documents.is_empty(), "{MESSAGES} has no messages");
    // Some installations leave documentation out.
    documents.extend(read(&files(SAMPLES, &[".txt"])));
    let rules = read(&files(rules::FOLDER, &[".cf", ".txt"]));
    assert!(!rules.is_empty(), "{} has no rules", rules::FOLDER);
    documents.extend(rules);
    let licences = read(&files(LICENCES, &[]));
    assert!(!licences.is_empty(), "{LICENCES} has no licences");
    documents.extend(licences);
    documents
}

/// The documents cut into haystacks of many sizes, about `budget` bytes in all.
pub(crate) fn haystacks(seed: u64, budget: usize) -> Vec<Vec<u8>> {
    let mut random = Random::new(seed);
    let documents = documents();
    let mut haystacks: Vec<Vec<u8>> = Vec::new();
    let mut size = 0;
    while size < budget {
        let document = random.pick(&documents);
        let at = random.below(document.len());
        let rest = &document[at..];
        let length = match random.below(8) {
            // A line, a paragraph, a window of some size.
            0..4 => rest.iter().position(|&byte| byte == b'\n').unwrap_or(0),
            4..6 => {
                let end = rest.windows(2).position(|end| end == b"\n\n");
                end.unwrap_or(rest.len()).min(4096)
            }
            6 => random.below(300),
            _ => random.below(20_000),
        };
        let haystack = rest[..length.min(rest.len())].to_vec();
        size += haystack.len() + 40;
        haystacks.push(haystack);
    }
    haystacks
}
