//! Messages to scan: a directory, an mbox, or a packed tree of either.

#![expect(clippy::disallowed_methods, reason = "reads the corpus")]

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::error::{Context as _, Error, Result};
use crate::stage::run_with;

/// Raw messages in the order of their files' names.
pub(crate) type Messages = Vec<Vec<u8>>;

/// Reads all messages at `path`: each file of a tree is a message or, when it begins with `From `,
/// an mbox. A name that ends in `.tar` or `.tar.` and a compression is unpacked by tar(1).
pub(crate) fn read(path: &Path) -> Result<Messages> {
    let mut messages = Messages::new();
    if let Some(directory) = unpacked(path)? {
        tree(directory.path(), &mut messages)?;
    } else if path.is_dir() {
        tree(path, &mut messages)?;
    } else {
        file(path, &mut messages)?;
    }
    if messages.is_empty() {
        return Err(Error::Missing(format!("no messages in {}", path.display())));
    }
    Ok(messages)
}

/// Every `step`-th message, so that about `most` octets are left; order is kept.
pub(crate) fn thinned(messages: Messages, most: usize) -> Messages {
    let size: usize = messages.iter().map(Vec::len).sum();
    let step = size.div_ceil(most.max(1)).max(1);
    messages.into_iter().step_by(step).collect()
}

/// What the archive at `path` holds; none when it is no archive.
pub(crate) fn unpacked(path: &Path) -> Result<Option<TempDir>> {
    if !packed(path) {
        return Ok(None);
    }
    let directory = tempfile::tempdir().context("a temporary directory")?;
    let mut tar = Command::new("tar");
    tar.arg("--auto-compress").arg("-xf").arg(path);
    run_with(tar.arg("-C").arg(directory.path()), "")?;
    Ok(Some(directory))
}

fn packed(path: &Path) -> bool {
    let name = path.file_name().and_then(OsStr::to_str).unwrap_or_default();
    Path::new(name).extension() == Some(OsStr::new("tar")) || name.contains(".tar.")
}

fn tree(directory: &Path, messages: &mut Messages) -> Result<()> {
    files(directory)?
        .iter()
        .try_for_each(|path| file(path, messages))
}

/// The files below `directory`, sorted.
pub(crate) fn files(directory: &Path) -> Result<Vec<PathBuf>> {
    // A list instead of recursion: the depth is the corpus's.
    let mut open = vec![directory.to_owned()];
    let mut files: Vec<PathBuf> = Vec::new();
    while let Some(directory) = open.pop() {
        let name = || directory.display().to_string();
        for entry in fs::read_dir(&directory).context(name())? {
            let entry = entry.context(name())?;
            let kind = entry.file_type().context(name())?;
            if kind.is_dir() {
                open.push(entry.path());
            } else if kind.is_file() {
                files.push(entry.path());
            }
        }
    }
    files.sort();
    Ok(files)
}

fn file(path: &Path, messages: &mut Messages) -> Result<()> {
    let bytes = fs::read(path).context(path.display().to_string())?;
    split(&bytes, messages);
    Ok(())
}

/// The messages of an mbox without their `From ` lines, or the one message that `bytes` are.
fn split(bytes: &[u8], messages: &mut Messages) {
    let mut start = 0;
    let mut after_blank = true;
    let mut at = 0;
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        if after_blank && separates(line) {
            if at > start {
                messages.extend(bytes.get(start..at).map(<[u8]>::to_vec));
            }
            start = at + line.len();
        }
        at += line.len();
        // The first line of a file that is no mbox is no separator, nor is any behind it.
        after_blank = start > 0 && line.trim_ascii().is_empty();
    }
    if at > start {
        messages.extend(bytes.get(start..at).map(<[u8]>::to_vec));
    }
}

/// Whether this is the line in front of a message of an mbox: it ends in a time and a year, so
/// that no sentence that begins with `From` is taken for one.
fn separates(line: &[u8]) -> bool {
    let Some(rest) = line.strip_prefix(b"From ") else {
        return false;
    };
    let mut words = rest
        .split(u8::is_ascii_whitespace)
        .filter(|word| !word.is_empty());
    let timed = words.any(|word| {
        word.iter().filter(|byte| **byte == b':').count() == 2
            && word
                .iter()
                .all(|byte| byte.is_ascii_digit() || *byte == b':')
    });
    timed && words.any(|word| word.len() == 4 && word.iter().all(u8::is_ascii_digit))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn messages(text: &str) -> Vec<String> {
        let mut messages = Messages::new();
        split(text.as_bytes(), &mut messages);
        messages
            .into_iter()
            .map(|message| String::from_utf8(message).unwrap())
            .collect()
    }

    const LINE: &str = "From a@b.example  Thu Aug 22 12:36:23 2002\n";

    #[test]
    fn an_mbox_is_split() {
        let text = format!("{LINE}A: 1\n\nfrom here\n\nFrom now on\n\n{LINE}B: 2\n\n{LINE}");
        assert_eq!(
            messages(&text),
            ["A: 1\n\nfrom here\n\nFrom now on\n\n", "B: 2\n\n"]
        );
    }

    #[test]
    fn a_message_is_whole() {
        let text = format!("A: 1\n\nforwarded\n\n{LINE}B: 2\n");
        assert_eq!(messages(&text), [text.as_str()]);
        assert_eq!(messages(""), [""; 0]);
    }

    #[test]
    fn thinning_keeps_order_and_bounds() {
        let all: Messages = (0..10).map(|n| vec![n; 10]).collect();
        let kept: Vec<u8> = thinned(all.clone(), 40).iter().map(|m| m[0]).collect();
        assert_eq!(kept, [0, 3, 6, 9]);
        assert_eq!(thinned(all.clone(), 1000), all);
    }

    #[test]
    fn names_of_packed_trees() {
        let cases = [("a.tar", true), ("a.tar.zst", true), ("a.mbox", false)];
        for (name, wanted) in cases {
            assert_eq!(packed(Path::new(name)), wanted, "{name}");
        }
    }
}
