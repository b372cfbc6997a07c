//! `muskox patterns scan`.
#![expect(
    clippy::disallowed_methods,
    reason = "a command that runs alone and reads the files it is given"
)]

use std::collections::BTreeMap;
use std::fmt::{Display, Write as _};
use std::fs;
use std::io::{self, Read as _};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use clap::Args;
use patterns::{Scope, Scratch};
use serde_json::{Value, json};

use super::super::output::Progress;
use super::super::{Failed, Output};
use super::{about, name_of, open, scope, shown};

/// A file larger than this is not scanned.
const LARGEST_FILE: u64 = 1 << 30;
/// So many bytes of lines are written together, or those of one file.
const MOST_WAITING: usize = 64 * 1024;
/// The path that stands for standard input.
const STANDARD_INPUT: &str = "-";

#[derive(Debug, Args)]
pub(in crate::cli) struct Options {
    /// The database file
    file: PathBuf,
    /// The scope whose rules are tried
    #[arg(long)]
    scope: String,
    /// Files to scan, and directories with all that is below; `-` is standard input
    #[arg(required = true)]
    paths: Vec<PathBuf>,
    /// Say where: every match of every rule, as bytes [start-end]
    #[arg(long)]
    offsets: bool,
    /// Only say for every rule how many haystacks it matched
    #[arg(long)]
    count: bool,
    /// Every line is a haystack of its own, as header fields and addresses are
    #[arg(long)]
    lines: bool,
}

/// One run of the command.
struct Scan<'a> {
    options: &'a Options,
    scope: Scope<'a>,
    scratch: Scratch,
    report: Report<'a>,
}

/// What is said of the matches.
struct Report<'a> {
    options: &'a Options,
    output: &'a Output,
    progress: Progress,
    names: BTreeMap<u32, String>,
    haystacks: u64,
    /// How many haystacks each rule matched, and the last of them.
    counts: BTreeMap<u32, (u64, u64)>,
    /// Lines that wait to be written, so that the progress is not drawn again for each.
    lines: String,
    /// What JSON says of the matches.
    matches: Vec<Value>,
    trouble: bool,
}

pub(super) fn run(options: &Options, output: &Output) -> Result<(), Failed> {
    let database = open(&options.file)?;
    let scope = scope(&database, &options.file, &options.scope)?;
    let mut report = Report {
        options,
        output,
        progress: output.progress("files"),
        names: scope
            .patterns()
            .map(|pattern| (pattern.id, name_of(pattern.name, pattern.id)))
            .collect(),
        haystacks: 0,
        counts: BTreeMap::new(),
        lines: String::new(),
        matches: Vec::new(),
        trouble: false,
    };
    let files = report.list();
    report.progress.expect(files.len());
    let mut scan = Scan {
        options,
        scope,
        scratch: Scratch::new(&database),
        report,
    };
    for path in &files {
        scan.file(path);
    }
    scan.report.finish(scope.name())
}

impl Scan<'_> {
    fn file(&mut self, path: &Path) {
        match read(path) {
            Err(error) => self.report.complain(&about(path, &error)),
            Ok(content) if self.options.lines => {
                let content = content.strip_suffix(b"\n").unwrap_or(&content);
                for (number, line) in content.split(|&byte| byte == b'\n').enumerate() {
                    let line = line.strip_suffix(b"\r").unwrap_or(line);
                    self.haystack(&format!("{}:{}", shown(path), number + 1), line);
                }
            }
            Ok(content) => self.haystack(&shown(path), &content),
        }
        self.report.write_lines();
        self.report.progress.step();
    }

    /// Tries one haystack; what matches is told by id and then by place.
    fn haystack(&mut self, place: &str, haystack: &[u8]) {
        let (scratch, report) = (&mut self.scratch, &mut self.report);
        report.haystacks += 1;
        if self.options.offsets {
            self.scope.matches(scratch, haystack, |found| {
                report.found(place, found.id, Some((found.start, found.end)));
                ControlFlow::Continue(())
            });
        } else {
            let mut ids = Vec::new();
            self.scope.scan(scratch, haystack, |id| {
                ids.push(id);
                ControlFlow::Continue(())
            });
            ids.sort_unstable();
            for id in ids {
                report.found(place, id, None);
            }
        }
        for &id in scratch.exhausted() {
            let name = report.name(id);
            report.complain(&format_args!(
                "{place}: {name} was given up: it takes too long"
            ));
        }
    }
}

impl Report<'_> {
    /// The files below the paths, each directory's by name. What cannot be read is told.
    fn list(&mut self) -> Vec<PathBuf> {
        let mut files = Vec::new();
        // Taken from its end.
        let mut waiting: Vec<PathBuf> = self.options.paths.iter().rev().cloned().collect();
        // What was named is followed, even a link; below it only files and directories count.
        let mut named = waiting.len();
        while let Some(path) = waiting.pop() {
            let is_named = waiting.len() < named;
            named = named.min(waiting.len());
            if is_named && path.as_os_str() == STANDARD_INPUT {
                files.push(path);
                continue;
            }
            let kind = if is_named {
                fs::metadata(&path)
            } else {
                fs::symlink_metadata(&path)
            };
            match kind {
                Ok(kind) if kind.is_dir() => match entries(&path) {
                    Ok(entries) => waiting.extend(entries.into_iter().rev()),
                    Err(error) => self.complain(&about(&path, &error)),
                },
                Ok(kind) if kind.is_file() || is_named => files.push(path),
                Ok(_) => {}
                Err(error) => self.complain(&about(&path, &error)),
            }
        }
        files
    }

    fn complain(&mut self, what: &dyn Display) {
        self.trouble = true;
        self.progress.above(|| self.output.note(what));
    }

    fn name(&self, id: u32) -> String {
        self.names
            .get(&id)
            .cloned()
            .unwrap_or_else(|| name_of("", id))
    }

    /// A match in the haystack that was begun last.
    fn found(&mut self, place: &str, id: u32, range: Option<(usize, usize)>) {
        let (count, last) = self.counts.entry(id).or_default();
        if *last != self.haystacks {
            *last = self.haystacks;
            *count += 1;
        }
        if self.options.count {
            return;
        }
        let name = self.name(id);
        if self.output.is_json() {
            self.matches.push(json!({
                "place": place,
                "id": id,
                "name": name,
                "start": range.map(|(start, _)| start),
                "end": range.map(|(_, end)| end),
            }));
            return;
        }
        // Writing to a string does not fail.
        let _ = match range {
            Some((start, end)) => writeln!(self.lines, "{place}: {name} [{start}-{end}]"),
            None => writeln!(self.lines, "{place}: {name}"),
        };
        if self.lines.len() >= MOST_WAITING {
            self.write_lines();
        }
    }

    fn write_lines(&mut self) {
        if !self.lines.is_empty() {
            self.progress
                .above(|| self.output.bytes(self.lines.as_bytes()));
            self.lines.clear();
        }
    }

    fn finish(self, scope: &str) -> Result<(), Failed> {
        self.progress.end();
        let mut counts: Vec<(u32, u64)> = self
            .counts
            .iter()
            .map(|(&id, &(count, _))| (id, count))
            .collect();
        counts.sort_by_key(|&(id, count)| (std::cmp::Reverse(count), id));
        let counts: Vec<Value> = counts
            .into_iter()
            .map(|(id, count)| json!({ "id": id, "name": self.name(id), "haystacks": count }))
            .collect();
        let none = counts.is_empty();
        let data = json!({
            "scope": scope,
            "haystacks": self.haystacks,
            "rules": counts,
            "matches": self.matches,
        });
        let people = |output: &Output, data: &Value| {
            if self.options.count {
                let columns = [("RULE", "name"), ("HAYSTACKS", "haystacks")];
                output.table(data.get("rules").unwrap_or(&Value::Null), &columns);
            }
        };
        self.output.data("muskox.patterns.scan/1", &data, people);
        if self.trouble {
            Err(Failed::Negative("not everything was scanned".to_owned()))
        } else if none {
            Err(Failed::Negative("nothing matches".to_owned()))
        } else {
            Ok(())
        }
    }
}

fn entries(directory: &Path) -> io::Result<Vec<PathBuf>> {
    let mut paths = fs::read_dir(directory)?
        .map(|entry| Ok(entry?.path()))
        .collect::<io::Result<Vec<PathBuf>>>()?;
    paths.sort();
    Ok(paths)
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut content = Vec::new();
    if path.as_os_str() == STANDARD_INPUT {
        io::stdin()
            .lock()
            .take(LARGEST_FILE + 1)
            .read_to_end(&mut content)?;
    } else {
        fs::File::open(path)?
            .take(LARGEST_FILE + 1)
            .read_to_end(&mut content)?;
    }
    if u64::try_from(content.len()).is_ok_and(|length| length > LARGEST_FILE) {
        return Err(io::Error::other("larger than 1 GiB"));
    }
    Ok(content)
}
