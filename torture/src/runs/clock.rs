//! A clock that jumps while the server runs and mail waits. `faketime` sets it.

use std::path::Path;

use testkit::process::Site;

use crate::context::{Context, Result, Stopped};
use crate::figure::{Figures, Target};
use crate::ledger;

/// Where Debian's package libfaketime puts the library that sits before the clock's calls.
const LIBRARIES: [&str; 2] = [
    "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1",
    "/usr/lib/aarch64-linux-gnu/faketime/libfaketimeMT.so.1",
];
const HOUR: i64 = 3_600;
const DAY: i64 = 24 * HOUR;
/// Nothing is given up for these: a queue keeps mail for five days.
const SMALL: [i64; 6] = [1, -1, HOUR, -HOUR, DAY, -DAY];
const LARGE: [i64; 4] = [180 * DAY, 3_650 * DAY, -3_650 * DAY, 0];

pub(crate) fn run(context: &Context) -> Result<Figures> {
    let Some(library) = LIBRARIES.iter().find(|path| Path::new(path).exists()) else {
        return Err(Stopped::NotPossible(
            "the package libfaketime is not installed".to_owned(),
        ));
    };
    // The large ones last: a queue that was ten years old may give up.
    let jumps = [
        SMALL.repeat(context.depth(1, 10)),
        LARGE.repeat(context.depth(1, 10)),
    ]
    .concat();
    let clock = context.directory().join("clock");
    std::fs::write(&clock, "+0")?;
    let site = context
        .site()
        .with_variable("LD_PRELOAD", library)
        .with_variable("FAKETIME_TIMESTAMP_FILE", &clock)
        .with_variable("FAKETIME_NO_CACHE", "1")
        .with_variable("FAKETIME_DONT_FAKE_MONOTONIC", "1");
    let process = context.start(&site);
    ledger::populate(&site);
    let (done, text) = site.command(&["alias", "add", "away@demo.test", "x@nowhere.test"]);
    if !done {
        return Err(Stopped::Failed(text));
    }
    context.block_on(deliver(&site, "away@demo.test"))?;
    let (mut refused, mut early, mut taken) = (0, 0, 0);
    for jump in &jumps {
        std::fs::write(&clock, format!("{jump:+}"))?;
        std::thread::sleep(std::time::Duration::from_millis(500));
        match context.block_on(deliver(&site, ledger::ACCOUNT))? {
            250 => taken += 1,
            code => {
                eprintln!("   {jump:+} s: {code}");
                refused += 1;
            }
        }
        if SMALL.contains(jump) && context.block_on(reports(&site))? > 0 {
            eprintln!("   {jump:+} s: given up");
            early += 1;
        }
    }
    std::fs::write(&clock, "+0")?;
    let mut figures = Figures::default();
    figures.checked(taken as u64);
    figures.count("jumps", jumps.len(), Target::Shown);
    figures.count(
        "messages taken after them",
        taken,
        Target::AtLeast(jumps.len() as f64),
    );
    figures.count("messages refused", refused, Target::Exactly(0.0));
    figures.count("times the queue gave up early", early, Target::Exactly(0.0));
    context.check(&site, &mut figures);
    context.end(process, &mut figures);
    Ok(figures)
}

async fn deliver(site: &Site, to: &str) -> Result<u16> {
    let mut smtp = ledger::lmtp(site).await?;
    let message = format!("From: <{}>\r\nSubject: time\r\n\r\nx\r\n", ledger::ACCOUNT);
    Ok(smtp
        .deliver(ledger::ACCOUNT, &[to], message.as_bytes())
        .await?
        .0)
}

/// How many delivery reports the sender has.
async fn reports(site: &Site) -> Result<usize> {
    let mut imap = ledger::sign_in(site.imaps()).await?;
    let messages = imap.messages("INBOX").await?;
    let reports = messages.iter().filter(|message| {
        let text = String::from_utf8_lossy(message);
        text.contains("multipart/report") && text.contains("Action: failed")
    });
    Ok(reports.count())
}
