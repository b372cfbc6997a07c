//! A large map: one line of it changes, and the server starts with it.

use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Instant;

use serde_json::{Value, json};

use crate::error::{Context as _, Error, Result};
use crate::process::cpu_seconds;
use crate::report::{Better, Report, Samples, progress};

const PATTERNS: u32 = 10_000;
const NAME: &str = "bench_words.map";
/// Edits in one sample, because CPU time comes in hundredths of a second.
const SAMPLES: u32 = 5;

/// Makes the map, edits it, restarts the server by `restart`.
pub(super) fn measure(
    socket: &Path,
    pid: u32,
    edits: u32,
    restart: impl Fn() -> Result<u32>,
    report: &mut Report,
) -> Result<()> {
    progress(&format!("a map of {PATTERNS} patterns"));
    let ask = |request: &Value| ask(socket, request);
    ask(&json!({"noun": "map", "verb": {"add": {
        "name": NAME,
        "kind": "pattern",
        "symbol": "BENCH_WORDS",
        "scope": "body",
        "score": 1.0,
        "effect": "score",
        "description": "",
        "text": lines(0),
    }}}))?;
    let (mut wall, mut cpu) = (Samples::default(), Samples::default());
    let edits = edits.max(SAMPLES);
    let mut edit = 0;
    for _ in 0..SAMPLES {
        let before = cpu_seconds(&[pid]);
        let count = edits / SAMPLES;
        for _ in 0..count {
            edit += 1;
            let lines = lines(edit);
            let request = json!({"noun": "map", "verb": {"set": {"name": NAME, "text": lines}}});
            let started = Instant::now();
            ask(&request)?;
            wall.ours.push(started.elapsed().as_secs_f64() * 1_000.0);
        }
        let used = cpu_seconds(&[pid]) - before;
        cpu.ours.push(used * 1_000.0 / f64::from(count));
    }
    report.add("map_edit", "ms", Better::Less, &wall);
    report.add("map_edit_cpu", "ms", Better::Less, &cpu);
    let mut ready = Samples::default();
    for _ in 0..SAMPLES {
        restart()?;
        let status = ask(&json!({"noun": "rules", "verb": "status"}))?;
        ready.ours.push(loaded(&status)?);
    }
    report.add("restart_10k", "ms", Better::Less, &ready);
    Ok(())
}

/// Asks the server over its control socket: a line of JSON each way.
fn ask(socket: &Path, request: &Value) -> Result<Value> {
    let name = || socket.display().to_string();
    let mut stream = UnixStream::connect(socket).context(name())?;
    stream
        .write_all(format!("{request}\n").as_bytes())
        .context(name())?;
    let mut line = String::new();
    BufReader::new(stream)
        .read_line(&mut line)
        .context(name())?;
    let mut reply: Value = serde_json::from_str(&line).unwrap_or_default();
    reply.get_mut("done").map(Value::take).ok_or(Error::Answer {
        server: "muskox".to_owned(),
        said: line,
    })
}

/// The lines of the map; those of two edits differ in one.
fn lines(edit: u32) -> String {
    let changed = edit * 7 % PATTERNS;
    let line = |number: u32| {
        let word = word(number);
        let more = if number == changed {
            format!("x{edit}")
        } else {
            String::new()
        };
        match number % 4 {
            0 => format!("/\\b{word}{more}\\b/i\n"),
            1 => format!("/\\b{word}{more}\\s+(?:now|here|today)\\b/i\n"),
            2 => format!("/\\b{word}.{{0,8}}offer{more}\\b/i\n"),
            _ => format!("/{word}[0-9]{{2,4}}{more}/\n"),
        }
    };
    (0..PATTERNS).map(line).collect()
}

/// A word that no other number gives: five syllables of twelve.
fn word(number: u32) -> String {
    const SYLLABLES: [&str; 12] = [
        "ba", "ce", "di", "fo", "gu", "ka", "le", "mi", "no", "pu", "ra", "se",
    ];
    let mut rest = usize::try_from(number).unwrap_or_default();
    let mut word = String::from("q");
    for _ in 0..5 {
        word.push_str(SYLLABLES.get(rest % SYLLABLES.len()).unwrap_or(&"xa"));
        rest /= SYLLABLES.len();
    }
    word
}

/// Milliseconds until the maps were in force; an error when they were compiled and not loaded.
fn loaded(status: &Value) -> Result<f64> {
    let wrong = || Error::Filter(format!("the map was not loaded from the cache: {status}"));
    let layers = status.get("layers").and_then(Value::as_array);
    let maps = layers
        .into_iter()
        .flatten()
        .find(|layer| layer.get("layer").and_then(Value::as_str) == Some("maps"))
        .ok_or_else(wrong)?;
    if maps.get("origin").and_then(Value::as_str) != Some("loaded") {
        return Err(wrong());
    }
    maps.get("milliseconds")
        .and_then(Value::as_f64)
        .ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_edit_changes_two_lines_at_most_and_no_line_comes_twice() {
        let (before, after) = (lines(3), lines(4));
        let differing = before.lines().zip(after.lines()).filter(|(a, b)| a != b);
        // The line of the edit before is as it was again.
        assert_eq!(differing.count(), 2);
        let unique: std::collections::BTreeSet<&str> = before.lines().collect();
        assert_eq!(unique.len(), 10_000);
    }

    #[test]
    fn a_map_that_was_compiled_is_no_warm_start() {
        let status = |origin: &str| json!({"layers": [{"layer": "sets"}, {"layer": "maps", "origin": origin, "milliseconds": 4.5}]});
        assert!((loaded(&status("loaded")).unwrap() - 4.5).abs() < 1e-9);
        assert!(loaded(&status("compiled")).is_err() && loaded(&json!({})).is_err());
    }
}
