//! What the server asks of the system before it says 250, as strace sees it.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use testkit::client::{Client, Smtp};
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
    let mut smtp = Smtp {
        client: Client::connect(site.lmtp()).await?,
    };
    smtp.reply().await?;
    smtp.command("LHLO load.test").await?;
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

/// Reads a trace: a 250 for a message needs everything that was written before it flushed.
fn judge(trace: &str) -> Seen {
    let mut seen = Seen::default();
    let mut unflushed_log = false;
    let mut files: BTreeSet<String> = BTreeSet::new();
    let mut directories: BTreeSet<String> = BTreeSet::new();
    // A flush that another thread's call interrupts is over when it is resumed.
    let mut pending: Vec<(String, String)> = Vec::new();
    for line in trace.lines() {
        let Some((thread, call)) = line.trim_start().split_once(char::is_whitespace) else {
            continue;
        };
        let call = call.trim_start();
        if let Some(rest) = call.strip_prefix("<... ") {
            let done = rest.starts_with("fsync") || rest.starts_with("fdatasync");
            if done && rest.ends_with("= 0") {
                if let Some(at) = pending.iter().rposition(|(owner, _)| owner == thread) {
                    let (_, path) = pending.remove(at);
                    flushed(&path, &mut unflushed_log, &mut files, &mut directories);
                }
            }
            continue;
        }
        let path = between(call, '<', '>').unwrap_or_default();
        if call.starts_with("fsync(") || call.starts_with("fdatasync(") {
            if call.ends_with("<unfinished ...>") {
                pending.push((thread.to_owned(), path.to_owned()));
            } else if call.ends_with("= 0") {
                flushed(path, &mut unflushed_log, &mut files, &mut directories);
            }
        } else if call.starts_with("pwrite64(") && path.ends_with("-wal") {
            unflushed_log = true;
        } else if call.starts_with("openat(")
            && call.contains("O_CREAT")
            && call.contains("/blobs/")
        {
            if let Some(path) = between(call, '"', '"') {
                files.insert(path.to_owned());
                seen.files += 1;
            }
        } else if (call.starts_with("rename") || call.starts_with("link"))
            && call.contains("/blobs/")
        {
            let names: Vec<&str> = call.split('"').collect();
            if let Some(target) = names.get(3).copied() {
                if let Some(parent) = Path::new(target).parent() {
                    directories.insert(parent.display().to_string());
                }
            }
        } else if (call.starts_with("sendto(")
            || call.starts_with("write(")
            || call.starts_with("writev("))
            && call.contains("\"250 2.0.0 ")
        {
            seen.replies += 1;
            seen.unflushed += usize::from(unflushed_log);
            seen.unflushed_files += usize::from(!files.is_empty());
            seen.unflushed_directories += usize::from(!directories.is_empty());
        }
    }
    seen
}

fn flushed(
    path: &str,
    unflushed_log: &mut bool,
    files: &mut BTreeSet<String>,
    directories: &mut BTreeSet<String>,
) {
    if path.ends_with("-wal") {
        *unflushed_log = false;
    }
    // A file is flushed under the name it has then.
    files.remove(path);
    directories.remove(path);
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
