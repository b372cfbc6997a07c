//! What the server asks of the system before it says 250, as strace sees it.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use testkit::process::Site;

use crate::context::{Context, Result, Stopped};
use crate::figure::{Figures, Target};
use crate::ledger;

pub(crate) fn run(context: &Context) -> Result<Figures> {
    let messages = context.depth(60_u64, 1_000);
    let site = context.site();
    let process = context.start(&site);
    ledger::populate(&site);
    let log = context.directory().join("calls");
    let calls = "trace=openat,rename,renameat,renameat2,link,linkat,fsync,fdatasync,write,pwrite64,writev,sendto,sendmsg";
    let tracer = attach(
        process.id(),
        &[
            "-y",
            "-s",
            "64",
            "-e",
            calls,
            "-o",
            &log.display().to_string(),
        ],
    )?;
    let replies = context.block_on(deliver(&site, messages))?;
    process.terminate();
    finish(tracer);
    let trace = std::fs::read_to_string(&log)?;
    let seen = judge(&trace);
    let mut figures = Figures::default();
    figures.checked(seen.replies as u64);
    figures.count(
        "messages acknowledged",
        replies,
        Target::AtLeast(messages as f64),
    );
    figures.count(
        "acknowledgements seen by strace",
        seen.replies,
        Target::AtLeast(messages as f64),
    );
    figures.count(
        "of them before the log was flushed",
        seen.unflushed,
        Target::Exactly(0.0),
    );
    figures.count(
        "of them before a file was flushed",
        seen.unflushed_files,
        Target::Exactly(0.0),
    );
    figures.count(
        "of them before a directory was flushed",
        seen.unflushed_directories,
        Target::Exactly(0.0),
    );
    figures.count(
        "files made for large messages",
        seen.files,
        Target::AtLeast(messages as f64 / 8.0),
    );
    Ok(figures)
}

/// One session, one message after the other.
async fn deliver(site: &Site, messages: u64) -> Result<usize> {
    let mut smtp = ledger::lmtp(site).await?;
    let mut acknowledged = 0;
    for number in 0..messages {
        let message = ledger::message(number);
        let reply = smtp
            .deliver("load@example.test", &[ledger::ACCOUNT], &message)
            .await?;
        acknowledged += usize::from(reply.0 == 250);
    }
    Ok(acknowledged)
}

/// strace at work on a process, once it has said so.
pub(super) fn attach(pid: u32, arguments: &[&str]) -> Result<Child> {
    use std::io::{BufRead as _, BufReader};
    let mut child = Command::new("strace")
        .args(["-f", "-p", &pid.to_string()])
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| Stopped::NotPossible(format!("strace: {error}")))?;
    let Some(errors) = child.stderr.take() else {
        return Err(Stopped::Failed("strace has no standard error".to_owned()));
    };
    let mut lines = BufReader::new(errors).lines();
    match lines.next() {
        Some(Ok(line)) if line.contains("attached") => {}
        other => {
            let _ = child.kill();
            return Err(Stopped::NotPossible(format!(
                "strace cannot attach: {other:?}"
            )));
        }
    }
    // What it says later is of no interest, but it must not block.
    std::thread::spawn(move || lines.for_each(drop));
    std::thread::sleep(Duration::from_millis(200));
    Ok(child)
}

/// Waits for a tracer whose process has ended.
pub(super) fn finish(mut tracer: Child) {
    let _ = tracer.wait();
}

/// What a trace shows.
#[derive(Debug, Default, PartialEq, Eq)]
struct Seen {
    replies: usize,
    unflushed: usize,
    unflushed_files: usize,
    unflushed_directories: usize,
    files: usize,
}

/// What was written and not flushed yet.
#[derive(Debug, Default)]
struct Unflushed {
    log: bool,
    files: BTreeSet<String>,
    directories: BTreeSet<String>,
}

impl Unflushed {
    /// A flush of the file or directory of this name has succeeded.
    fn flushed(&mut self, path: &str) {
        self.log &= !path.ends_with("-wal");
        // A file is flushed under the name it has then.
        self.files.remove(path);
        self.directories.remove(path);
    }
}

/// Reads a trace: a 250 for a message needs everything that was written before it flushed.
fn judge(trace: &str) -> Seen {
    let mut seen = Seen::default();
    let mut unflushed = Unflushed::default();
    // A flush that another thread's call interrupts is over when it is resumed.
    let mut pending: Vec<(&str, &str)> = Vec::new();
    for line in trace.lines() {
        let Some((thread, call)) = line.trim_start().split_once(char::is_whitespace) else {
            continue;
        };
        let call = call.trim_start();
        let name = call.split('(').next().unwrap_or_default();
        let path = between(call, '<', '>').unwrap_or_default();
        let in_blobs = call.contains("/blobs/");
        match name {
            "fsync" | "fdatasync" if call.ends_with("<unfinished ...>") => {
                pending.push((thread, path))
            }
            "fsync" | "fdatasync" if call.ends_with("= 0") => unflushed.flushed(path),
            "pwrite64" => unflushed.log |= path.ends_with("-wal"),
            "openat" if in_blobs && call.contains("O_CREAT") => {
                unflushed
                    .files
                    .extend(between(call, '"', '"').map(str::to_owned));
                seen.files += 1;
            }
            "rename" | "renameat" | "renameat2" | "link" | "linkat" if in_blobs => {
                let target = call.split('"').nth(3).map(Path::new);
                let parent = target.and_then(Path::parent);
                unflushed
                    .directories
                    .extend(parent.map(|parent| parent.display().to_string()));
            }
            "sendto" | "write" | "writev" if call.contains("\"250 2.0.0 ") => {
                seen.replies += 1;
                seen.unflushed += usize::from(unflushed.log);
                seen.unflushed_files += usize::from(!unflushed.files.is_empty());
                seen.unflushed_directories += usize::from(!unflushed.directories.is_empty());
            }
            _ if is_flush_resumed(call) => {
                if let Some(at) = pending.iter().rposition(|(owner, _)| *owner == thread) {
                    unflushed.flushed(pending.remove(at).1);
                }
            }
            _ => {}
        }
    }
    seen
}

/// Whether a line is the good end of a flush that was interrupted.
fn is_flush_resumed(call: &str) -> bool {
    let of_flush = call.starts_with("<... fsync") || call.starts_with("<... fdatasync");
    of_flush && call.ends_with("= 0")
}

/// What stands between the first `open` and the next `close`.
fn between(text: &str, open: char, close: char) -> Option<&str> {
    let (_, rest) = text.split_once(open)?;
    Some(rest.split_once(close)?.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "\
12 pwrite64(9</d/mail.db-wal>, \"x\", 1, 0) = 1
12 openat(AT_FDCWD, \"/d/blobs/tmp1\", O_WRONLY|O_CREAT) = 4</d/blobs/tmp1>
12 fdatasync(4</d/blobs/tmp1>) = 0
12 rename(\"/d/blobs/tmp1\", \"/d/blobs/ab/1\") = 0
12 fsync(4</d/blobs/ab>) = 0
12 fdatasync(9</d/mail.db-wal> <unfinished ...>
13 futex(1) = 0
12 <... fdatasync resumed>) = 0
14 sendto(7<socket:[1]>, \"250 2.0.0 OK\\r\\n\", 14, 0, NULL, 0) = 14
";

    #[test]
    fn a_reply_after_every_flush_is_good() {
        let wanted = Seen {
            replies: 1,
            files: 1,
            ..Seen::default()
        };
        assert_eq!(judge(GOOD), wanted);
    }

    #[test]
    fn each_missing_flush_is_found() {
        let without = |part: &str| {
            let lines = GOOD.lines().filter(|line| !line.contains(part));
            judge(&lines.collect::<Vec<_>>().join("\n"))
        };
        assert_eq!(without("resumed").unflushed, 1);
        assert_eq!(without("fdatasync(4").unflushed_files, 1);
        assert_eq!(without("fsync(4</d/blobs/ab>").unflushed_directories, 1);
    }
}
