//! One engine, one job, one process: `probe JOB …`. Figures go to standard output as `name value`.
//!
//! ```text
//! probe compile  ours RULES OUT                      CPU seconds, peak memory, what is refused
//! probe compile  LIBRARY RULES SCOPE OUT [MODES]     the same, and each pattern's mode
//! probe memory   ours DATABASE SCOPE=STREAM…         peak memory of loading and scanning
//! probe memory   LIBRARY DATABASE=STREAM…
//! probe count    TIMES ours DATABASE SCOPE=STREAM…   scan so many times, for an instruction counter
//! probe count    TIMES LIBRARY DATABASE=STREAM…
//! probe matches  DATABASE SCOPE=STREAM…              every match of our engine, one a line
//! ```
//!
//! LIBRARY is the path of a `libhs.so.5`, MODES a letter for each rule of the scope (`n`, `p`, `r`
//! as [`Mode`] has them, `?` for a rule to be tried). Exit code 1 with a line on standard error
//! when the job cannot be done.

#![expect(clippy::disallowed_methods, reason = "reads rules and databases")]

use std::fs;
use std::io::{self, Write};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use patterns::{Compiler, PatternSet, Scratch};
use probe::hyperscan::{Library, Mode};
use probe::stream::{self, Stream};
use probe::{Context as _, Error, Result, rules, usage};

/// The name of our engine where a library's path could stand.
const OURS: &str = "ours";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match run(&arguments) {
        Ok(text) => match io::stdout().lock().write_all(&text) {
            Ok(()) => ExitCode::SUCCESS,
            Err(_) => ExitCode::FAILURE,
        },
        Err(error) => {
            // Nobody to tell is no reason for another exit code.
            let _ = writeln!(io::stderr().lock(), "probe: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Does the job and says what standard output shall say.
fn run(arguments: &[&str]) -> Result<Vec<u8>> {
    match *arguments {
        ["compile", OURS, rules, out] => compile_ours(rules, out),
        ["compile", library, rules, scope, out] => compile_theirs(library, rules, scope, out, ""),
        ["compile", library, rules, scope, out, modes] => {
            compile_theirs(library, rules, scope, out, modes)
        }
        ["memory", OURS, database, ref pairs @ ..] => memory_ours(database, pairs),
        ["memory", library, ref pairs @ ..] => memory_theirs(library, pairs),
        ["count", times, OURS, database, ref pairs @ ..] => {
            count_ours(number(times)?, database, pairs)
        }
        ["count", times, library, ref pairs @ ..] => count_theirs(number(times)?, library, pairs),
        ["matches", database, ref pairs @ ..] => matches(database, pairs),
        _ => Err(Error::Form(
            "probe compile|memory|count|matches … (see its source)".to_owned(),
        )),
    }
}

fn number(text: &str) -> Result<u32> {
    text.parse()
        .map_err(|_| Error::Form(format!("{text} is no number")))
}

/// `A=B` as its halves; the first has no `=`.
fn halves<'a>(pairs: &[&'a str]) -> Result<Vec<(&'a str, PathBuf)>> {
    pairs
        .iter()
        .map(|pair| {
            let (left, right) = pair
                .split_once('=')
                .ok_or_else(|| Error::Form(format!("{pair} is no pair")))?;
            Ok((left, PathBuf::from(right)))
        })
        .collect()
}

fn read(path: &str) -> Result<Vec<u8>> {
    fs::read(path).context(path)
}

fn engine(error: impl std::fmt::Display) -> Error {
    Error::Engine(error.to_string())
}

/// The lines every job ends with.
fn finish(mut text: String) -> Vec<u8> {
    if let Some(peak) = usage::peak_memory() {
        text.push_str(&format!("peak {peak}\n"));
    }
    text.into_bytes()
}

fn seconds(name: &str, time: Duration) -> String {
    format!("{name} {:.6}\n", time.as_secs_f64())
}

fn compile_ours(rules: &str, out: &str) -> Result<Vec<u8>> {
    let text = read(rules)?;
    let before = usage::process();
    let (set, _names) = PatternSet::read_tsv(&text).map_err(engine)?;
    let compiled = Compiler::new().compile(&set, None);
    compiled.database.save(Path::new(out)).map_err(engine)?;
    let mut said = seconds("compile", usage::process().saturating_sub(before));
    for refused in &compiled.refused {
        let line = format!(
            "refused {} {} {}",
            refused.scope, refused.id, refused.reason
        );
        said.push_str(&line.replace('\n', " "));
        said.push('\n');
    }
    Ok(finish(said))
}

fn compile_theirs(
    library: &str,
    rules: &str,
    scope: &str,
    out: &str,
    modes: &str,
) -> Result<Vec<u8>> {
    let library = Library::open(Path::new(library))?;
    let rules = rules::read(&read(rules)?)?;
    let own: Vec<_> = rules::numbered(&rules)
        .filter(|(_, rule)| rule.scope == scope)
        .collect();
    let before = usage::process();
    let mut known = modes.chars();
    let mut tried = Vec::new();
    for (id, rule) in own {
        let mode = match known.next().and_then(Mode::from_letter) {
            Some(mode) => mode,
            None => library.mode(rule)?,
        };
        tried.push((id, rule, mode));
    }
    let checked = usage::process();
    let letters: String = tried.iter().map(|(_, _, mode)| mode.letter()).collect();
    let bytes = library.compile(tried)?;
    let compiled = usage::process();
    fs::write(out, bytes).context(out)?;
    let mut said = seconds("checks", checked.saturating_sub(before));
    said.push_str(&seconds("compile", compiled.saturating_sub(checked)));
    said.push_str(&format!("modes {letters}\n"));
    Ok(finish(said))
}

fn memory_ours(database: &str, pairs: &[&str]) -> Result<Vec<u8>> {
    let database = patterns::Database::open(Path::new(database)).map_err(engine)?;
    let mut scratch = Scratch::new(&database);
    let mut hits = 0_u64;
    for (scope, path) in halves(pairs)? {
        let Some(scope) = database.scope(scope) else {
            continue;
        };
        stream::each(&path, |_, haystack| {
            scope.scan(&mut scratch, haystack, |_| {
                hits += 1;
                ControlFlow::Continue(())
            });
            Ok(())
        })?;
    }
    Ok(finish(format!("hits {hits}\n")))
}

/// Loads all databases before it scans, as a filter has them all at hand.
fn load_theirs(
    library: &str,
    pairs: &[&str],
) -> Result<Vec<(probe::hyperscan::Database, PathBuf)>> {
    let library = Library::open(Path::new(library))?;
    halves(pairs)?
        .into_iter()
        .map(|(database, stream)| Ok((library.load(&read(database)?)?, stream)))
        .collect()
}

fn memory_theirs(library: &str, pairs: &[&str]) -> Result<Vec<u8>> {
    let mut found = Vec::new();
    let mut hits = 0;
    for (database, path) in &mut load_theirs(library, pairs)? {
        stream::each(path, |_, haystack| {
            found.clear();
            database.scan(haystack, &mut found)?;
            hits += found.len();
            Ok(())
        })?;
    }
    Ok(finish(format!("hits {hits}\n")))
}

fn count_ours(times: u32, database: &str, pairs: &[&str]) -> Result<Vec<u8>> {
    let database = patterns::Database::open(Path::new(database)).map_err(engine)?;
    let mut scratch = Scratch::new(&database);
    let mut hits = 0_u64;
    for (scope, path) in halves(pairs)? {
        let stream = Stream::load(&path)?;
        let Some(scope) = database.scope(scope) else {
            continue;
        };
        for _ in 0..times {
            for haystack in stream.haystacks() {
                scope.scan(&mut scratch, haystack, |_| {
                    hits += 1;
                    ControlFlow::Continue(())
                });
            }
        }
    }
    Ok(format!("hits {hits}\n").into_bytes())
}

fn count_theirs(times: u32, library: &str, pairs: &[&str]) -> Result<Vec<u8>> {
    let mut found = Vec::new();
    let mut hits = 0;
    for (database, path) in &mut load_theirs(library, pairs)? {
        let stream = Stream::load(path)?;
        for _ in 0..times {
            for haystack in stream.haystacks() {
                found.clear();
                database.scan(haystack, &mut found)?;
                hits += found.len();
            }
        }
    }
    Ok(format!("hits {hits}\n").into_bytes())
}

/// Lines `scope haystack rule`, in the order of haystacks and, within one, of rules.
fn matches(database: &str, pairs: &[&str]) -> Result<Vec<u8>> {
    let database = patterns::Database::open(Path::new(database)).map_err(engine)?;
    let mut scratch = Scratch::new(&database);
    let mut out = Vec::new();
    for (name, path) in halves(pairs)? {
        let Some(scope) = database.scope(name) else {
            continue;
        };
        let stream = Stream::load(&path)?;
        for (number, haystack) in stream.haystacks().enumerate() {
            let mut ids = Vec::new();
            scope.scan(&mut scratch, haystack, |id| {
                ids.push(id);
                ControlFlow::Continue(())
            });
            ids.extend_from_slice(scratch.exhausted());
            ids.sort_unstable();
            for id in ids {
                out.extend_from_slice(format!("{name} {number} {id}\n").as_bytes());
            }
        }
    }
    Ok(out)
}
