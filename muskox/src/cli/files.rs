//! Files that commands are given: messages one by one or in directories, standard input.
#![expect(
    clippy::disallowed_methods,
    reason = "commands that run alone and read the files they are given"
)]

use std::fs;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use super::Failed;

/// A file larger than this is not read.
const LARGEST_FILE: u64 = 1 << 30;
/// Directories within directories that are looked into.
const MAX_DEPTH: usize = 32;
/// The path that stands for standard input.
const STANDARD_INPUT: &str = "-";

/// All files that paths stand for, sorted within each; `-` stays what it is.
pub(super) fn list(paths: &[PathBuf]) -> Result<Vec<PathBuf>, Failed> {
    let mut files = Vec::new();
    for path in paths {
        if path.as_os_str() == STANDARD_INPUT || !path.is_dir() {
            files.push(path.clone());
            continue;
        }
        let start = files.len();
        let mut directories = vec![(path.clone(), 0)];
        while let Some((directory, depth)) = directories.pop() {
            for entry in fs::read_dir(&directory).map_err(|error| about(&directory, &error))? {
                let entry = entry.map_err(|error| about(&directory, &error))?;
                let kind = entry
                    .file_type()
                    .map_err(|error| about(&directory, &error))?;
                if kind.is_file() {
                    files.push(entry.path());
                } else if kind.is_dir() && depth < MAX_DEPTH {
                    directories.push((entry.path(), depth + 1));
                }
            }
        }
        if let Some(found) = files.get_mut(start..) {
            found.sort();
        }
    }
    Ok(files)
}

/// The content of a file, or of standard input.
pub(super) fn read(path: &Path) -> Result<Vec<u8>, Failed> {
    let mut content = Vec::new();
    let result = if path.as_os_str() == STANDARD_INPUT {
        io::stdin().take(LARGEST_FILE).read_to_end(&mut content)
    } else {
        fs::File::open(path).and_then(|file| file.take(LARGEST_FILE).read_to_end(&mut content))
    };
    result.map_err(|error| about(path, &error))?;
    Ok(content)
}

/// The content of a file that has to be text.
pub(super) fn read_text(path: &Path) -> Result<String, Failed> {
    String::from_utf8(read(path)?)
        .map_err(|_| Failed::Usage(format!("{} is not UTF-8", path.display())))
}

fn about(path: &Path, error: &io::Error) -> Failed {
    Failed::Io(io::Error::new(
        error.kind(),
        format!("{}: {error}", path.display()),
    ))
}

/// Writes a file that a command was asked to write.
pub(super) fn write(path: &Path, content: &[u8]) -> Result<(), Failed> {
    fs::write(path, content).map_err(|error| about(path, &error))
}
