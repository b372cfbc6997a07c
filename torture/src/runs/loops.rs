//! Two servers that send each other the same message.

use std::time::{Duration, Instant};

use testkit::process::Site;

use crate::context::{Context, Result};
use crate::figure::{Figures, Target};
use crate::ledger;
use crate::operator::must;

pub(crate) fn run(context: &Context) -> Result<Figures> {
    let names = context.names()?;
    let (one, two) = (context.site(), context.site());
    for (site, other) in [(&one, &two), (&two, &one)] {
        site.resolve_at(names.local_addr());
        site.add_configuration(&format!("[queue]\nrelay = \"{}\"\n", other.mx()));
    }
    let processes = [context.start(&one), context.start(&two)];
    ledger::populate(&one);
    must(&two, &["domain", "add", "other.test"])?;
    must(&one, &["alias", "add", "loop@demo.test", "loop@other.test"])?;
    must(&two, &["alias", "add", "loop@other.test", "loop@demo.test"])?;
    // An alias that leads to itself is refused, or ends at once.
    must(
        &one,
        &["alias", "add", "ring1@demo.test", "ring2@demo.test"],
    )?;
    let (_, ring) = one.command(&["alias", "add", "ring2@demo.test", "ring1@demo.test"]);
    let ring_reply = context.block_on(deliver(&one, "ring1@demo.test"))?;
    let reply = context.block_on(deliver(&one, "loop@demo.test"))?;
    let deadline = Instant::now() + Duration::from_secs(60);
    let mut report = None;
    while report.is_none() && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(200));
        report = context.block_on(reports(&one))?.into_iter().next();
    }
    std::thread::sleep(Duration::from_secs(1));
    let reports = context.block_on(reports(&one))?;
    let waiting = [&one, &two].map(|site| site.command(&["--json", "queue", "list"]).1);
    let hops = report
        .as_deref()
        .map_or(0, |report| report.matches("\r\nReceived: ").count());
    for process in processes {
        process.terminate();
    }
    let hop_code = report
        .as_deref()
        .is_some_and(|report| report.contains("5.4.6"));
    let mut figures = Figures::default();
    figures.checked(reports.len() as u64);
    figures.count(
        "the message was taken (250)",
        usize::from(reply == 250),
        Target::Exactly(1.0),
    );
    figures.count("reports to its sender", reports.len(), Target::Exactly(1.0));
    figures.count(
        "reports that say 5.4.6",
        usize::from(hop_code),
        Target::Exactly(1.0),
    );
    figures.count("hops until then", hops, Target::AtMost(52.0));
    let queued = waiting.iter().filter(|list| list.contains("loop@")).count();
    figures.count("queues in which it still is", queued, Target::Exactly(0.0));
    let ended = !ring.is_empty() || ring_reply >= 400;
    figures.count(
        "a ring of aliases ends",
        usize::from(ended),
        Target::Exactly(1.0),
    );
    figures.count("panics", context.panics(), Target::Exactly(0.0));
    Ok(figures)
}

async fn deliver(site: &Site, to: &str) -> Result<u16> {
    let mut smtp = ledger::lmtp(site).await?;
    let message = format!(
        "From: <{}>\r\nSubject: round and round\r\n\r\nx\r\n",
        ledger::ACCOUNT
    );
    Ok(smtp
        .deliver(ledger::ACCOUNT, &[to], message.as_bytes())
        .await?
        .0)
}

/// Delivery reports in the sender's mailbox.
async fn reports(site: &Site) -> Result<Vec<String>> {
    let mut imap = ledger::sign_in(site.imaps()).await?;
    let messages = imap.messages("INBOX").await?;
    let text = messages
        .iter()
        .map(|message| String::from_utf8_lossy(message).into_owned());
    Ok(text
        .filter(|message| message.contains("multipart/report"))
        .collect())
}
