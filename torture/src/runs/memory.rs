//! Messages that are larger inside than outside, many of them, with readers beside them.

use std::time::{Duration, Instant};

use testkit::client::Smtp;
use testkit::process::{Site, family};

use crate::context::{Context, Result};
use crate::crowd;
use crate::figure::{Figures, Target};
use crate::ledger;

/// Readers that are there all the time.
const READERS: usize = 20;

pub(crate) fn run(context: &Context) -> Result<Figures> {
    let rounds = context.depth(1_usize, 20);
    let size = context.depth(10_000_usize, 100_000);
    let site = context.site();
    let names = context.names()?;
    site.resolve_at(names.local_addr());
    let first = context.start(&site);
    ledger::populate(&site);
    // The rules are compiled once; what a server needs is what it needs ever after.
    std::thread::sleep(Duration::from_secs(2));
    first.terminate();
    let process = context.start(&site);
    let pid = process.id();
    std::thread::sleep(Duration::from_secs(1));
    let idle = memory(pid, "VmRSS");
    let bombs = bombs(size);
    let mut readers = Vec::new();
    for _ in 0..READERS {
        let mut reader = context.block_on(ledger::sign_in(site.imaps()))?;
        context.block_on(reader.command("SELECT INBOX"))?;
        readers.push(reader);
    }
    let (mut slowest, mut slowest_name, mut unanswered, mut unread) = (0.0_f64, "", 0, 0);
    let mut reading = Vec::new();
    for _ in 0..rounds {
        for (name, bomb) in &bombs {
            let before = processor(pid);
            match context.block_on(deliver(&site, bomb)) {
                Ok(250 | 500..600) => {}
                other => {
                    eprintln!("   {name}: {other:?}");
                    unanswered += 1;
                }
            }
            let used = processor(pid) - before;
            if used > slowest {
                (slowest, slowest_name) = (used, name);
            }
            for reader in &mut readers {
                let asked = Instant::now();
                let all = "FETCH * (FLAGS ENVELOPE BODYSTRUCTURE)";
                let answer = context.block_on(reader.command("NOOP"));
                unread += usize::from(!answer.is_ok_and(|answer| answer.is_ok()));
                reading.push(asked.elapsed().as_secs_f64() * 1_000.0);
                // One of them looks into it.
                if reading.len() % READERS == 0 {
                    let answer = context.block_on(reader.command(all));
                    unread += usize::from(answer.is_err());
                }
            }
        }
    }
    let highest = memory(pid, "VmHWM");
    eprintln!("   the dearest: {slowest_name}");
    let mut figures = Figures::default();
    figures.checked(bombs.len() as u64 * rounds as u64);
    figures.count("bombs", bombs.len() * rounds, Target::AtLeast(15.0));
    figures.measure(
        "memory after the start, rules loaded",
        idle,
        "MiB",
        Target::AtMost(60.0),
    );
    figures.measure(
        "memory at its highest, of all processes together",
        highest,
        "MiB",
        Target::AtMost(220.0),
    );
    figures.measure(
        "processor for one, at most",
        slowest,
        "s",
        Target::AtMost(2.0),
    );
    figures.count(
        "bombs that were neither taken nor refused",
        unanswered,
        Target::Exactly(0.0),
    );
    figures.count(
        "readers that were not answered",
        unread,
        Target::Exactly(0.0),
    );
    figures.percentile("a reader meanwhile", reading, "ms", Target::AtMost(500.0));
    context.end(process, &mut figures);
    Ok(figures)
}

/// Memory of the server and its parse workers in MiB, pages that they share counted for each.
fn memory(pid: u32, field: &str) -> f64 {
    let pids = family(pid).into_iter();
    pids.map(|pid| crowd::memory_mib(pid, field)).sum()
}

/// Seconds of processor time of the server and its parse workers.
fn processor(pid: u32) -> f64 {
    let pids = family(pid).into_iter();
    pids.map(crowd::cpu_seconds).sum()
}

async fn deliver(site: &Site, message: &[u8]) -> Result<u16> {
    let mut smtp = Smtp::connect(site.mx()).await?;
    Ok(smtp
        .deliver("bomb@example.test", &[ledger::ACCOUNT], message)
        .await?
        .0)
}

/// How each of them begins.
const HEAD: &str = "From: <bomb@example.test>\r\nSubject: bomb\r\nMIME-Version: 1.0\r\n";

/// Messages with their names; `size` is how often the dangerous thing is in them.
fn bombs(size: usize) -> Vec<(&'static str, Vec<u8>)> {
    let whole = |fields: &str, body: &str| format!("{HEAD}{fields}\r\n{body}").into_bytes();
    let mixed = "Content-Type: multipart/mixed; boundary=a\r\n";
    let nested: String = (0..size.min(10_000))
        .map(|depth| {
            format!("Content-Type: multipart/mixed; boundary=b{depth}\r\n\r\n--b{depth}\r\n")
        })
        .collect();
    let letters: String = (0..size.min(5_000))
        .map(|_| "Content-Type: message/rfc822\r\n\r\n")
        .collect();
    vec![
        (
            "nested parts",
            whole("", "").into_iter().chain(nested.bytes()).collect(),
        ),
        ("many parts", whole(mixed, &"--a\r\n\r\nx\r\n".repeat(size))),
        ("messages in messages", whole(&letters, "x\r\n")),
        (
            "boundaries that begin alike",
            whole(
                &format!(
                    "Content-Type: multipart/mixed; boundary={}\r\n",
                    "a".repeat(60)
                ),
                &format!("--{}\r\n", "a".repeat(59)).repeat(size),
            ),
        ),
        (
            "Received fields",
            whole(&"Received: from a by b; x\r\n".repeat(size / 10), "x\r\n"),
        ),
        (
            "addresses",
            whole(
                &format!("To: {}\r\n", vec!["<a@b.test>"; size].join(",\r\n ")),
                "x\r\n",
            ),
        ),
        (
            "comments in comments",
            whole(
                &format!(
                    "To: {}\r\n",
                    "(".repeat(size)
                        .as_bytes()
                        .chunks(900)
                        .map(|chunk| String::from_utf8_lossy(chunk).into_owned())
                        .collect::<Vec<_>>()
                        .join("\r\n ")
                ),
                "x\r\n",
            ),
        ),
        (
            "parameters",
            whole(
                &format!(
                    "Content-Type: text/plain{}\r\n",
                    (0..size / 4)
                        .map(|at| format!(";\r\n name*{at}*=%41"))
                        .collect::<String>()
                ),
                "x\r\n",
            ),
        ),
        (
            "encoded words",
            whole(
                &format!("X-Words: {}\r\n", "=?utf-8?q?=41?=\r\n ".repeat(size / 2)),
                "x\r\n",
            ),
        ),
        (
            "base64 without an end",
            whole(
                "Content-Transfer-Encoding: base64\r\n",
                &("QUJD".repeat(230) + "\r\n").repeat(size / 4),
            ),
        ),
        (
            "soft line breaks",
            whole(
                "Content-Transfer-Encoding: quoted-printable\r\n",
                &"=\r\n".repeat(size * 10),
            ),
        ),
        (
            "one long word",
            whole("", &("a".repeat(900) + "\r\n").repeat(size / 5)),
        ),
        (
            "every script",
            whole(
                "Content-Type: text/plain; charset=utf-8\r\n",
                &"аαаaе\u{200b}\u{202e}\r\n".repeat(size),
            ),
        ),
    ]
    .into_iter()
    .chain(pages(size))
    .collect()
}

/// The same in HTML.
fn pages(size: usize) -> Vec<(&'static str, Vec<u8>)> {
    let whole = |html: &str| format!("{HEAD}Content-Type: text/html\r\n\r\n{html}").into_bytes();
    vec![
        (
            "elements in elements",
            whole(&("<div>".repeat(150) + "\r\n").repeat(size / 50)),
        ),
        (
            "attributes",
            whole(&format!("<a {}>\r\n", "b=c\r\n".repeat(size * 2))),
        ),
        (
            "links",
            whole(&"<a href=http://x.test/>y</a>\r\n".repeat(size)),
        ),
        (
            "styles",
            whole(&format!(
                "<style>{}</style>\r\n",
                ".a{color:#fff}\r\n".repeat(size)
            )),
        ),
        (
            "entities",
            whole(&("&amp;".repeat(150) + "\r\n").repeat(size / 20)),
        ),
    ]
}
