//! Other programs that the server asks, down, slow or mad.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use testkit::client::Smtp;
use testkit::process::Site;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::context::{Context, Result};
use crate::figure::{Figures, Target};
use crate::ledger;

/// What the virus scanner does.
const MOODS: [&str; 5] = ["clean", "silent", "closes", "garbage", "slow"];

pub(crate) fn run(context: &Context) -> Result<Figures> {
    let mood = Arc::new(AtomicUsize::new(0));
    let names = context.names()?;
    let listener = context.block_on(TcpListener::bind("127.0.0.1:0"))?;
    let address = listener.local_addr()?;
    context.spawn(scanner(listener, Arc::clone(&mood)));
    let mut figures = Figures::default();
    let (mut open_refused, mut closed_accepted, mut slowest) = (0, 0, Duration::ZERO);
    let mut count = 0_u64;
    for policy in ["accept", "defer"] {
        let site = context.site();
        site.add_configuration(&format!(
            "[antivirus]\nclamd = \"{address}\"\ntimeout_seconds = 2\non_failure = \"{policy}\"\n"
        ));
        site.resolve_at(names.local_addr());
        let process = context.start(&site);
        ledger::populate(&site);
        for (index, of) in MOODS.iter().enumerate() {
            mood.store(index, Ordering::SeqCst);
            for _ in 0..context.depth(1, 20) {
                count += 1;
                let started = Instant::now();
                let code = context.block_on(deliver(&site))?;
                slowest = slowest.max(started.elapsed());
                let well = matches!(*of, "clean");
                match (policy, code) {
                    ("accept", 250) => {}
                    ("accept", _) => {
                        eprintln!("   {of}: {code}");
                        open_refused += 1;
                    }
                    (_, 250) if !well => {
                        eprintln!("   {of}: accepted unscanned");
                        closed_accepted += 1;
                    }
                    (_, 250 | 451) => {}
                    _ => {
                        eprintln!("   {of}: {code}");
                        closed_accepted += 1;
                    }
                }
            }
        }
        // It is well again, and so is the server.
        mood.store(0, Ordering::SeqCst);
        let recovered = context.block_on(deliver(&site))? == 250;
        let what = format!("taken again with on_failure = {policy}");
        figures.count(&what, usize::from(recovered), Target::Exactly(1.0));
        process.terminate();
    }
    figures.checked(count);
    figures.count("messages", count as usize, Target::Shown);
    figures.count(
        "refused although failures are accepted",
        open_refused,
        Target::Exactly(0.0),
    );
    figures.count(
        "accepted unscanned although failures defer",
        closed_accepted,
        Target::Exactly(0.0),
    );
    figures.measure(
        "a message, slowest",
        slowest.as_secs_f64(),
        "s",
        Target::AtMost(10.0),
    );
    figures.count("panics", context.panics(), Target::Exactly(0.0));
    Ok(figures)
}

async fn deliver(site: &Site) -> Result<u16> {
    let mut smtp = Smtp::connect(site.mx()).await?;
    let message = b"From: <a@b.test>\r\nSubject: x\r\n\r\nx\r\n";
    Ok(smtp
        .deliver("a@b.test", &[ledger::ACCOUNT], message)
        .await?
        .0)
}

async fn scanner(listener: TcpListener, mood: Arc<AtomicUsize>) {
    while let Ok((stream, _)) = listener.accept().await {
        let of = MOODS
            .get(mood.load(Ordering::SeqCst))
            .copied()
            .unwrap_or_default();
        tokio::spawn(async move {
            let _ = scan(stream, of).await;
        });
    }
}

async fn scan(mut stream: TcpStream, mood: &str) -> std::io::Result<()> {
    let mut buffer = [0; 64 * 1024];
    let mut last = Vec::new();
    loop {
        if mood == "closes" {
            return Ok(());
        }
        let length = stream.read(&mut buffer).await?;
        if length == 0 {
            return Ok(());
        }
        last.extend_from_slice(buffer.get(..length).unwrap_or_default());
        // The stream ends with a chunk of no octets.
        if !last.ends_with(&[0; 4]) {
            continue;
        }
        match mood {
            "silent" => std::future::pending::<()>().await,
            "garbage" => stream.write_all(&[0xff; 5_000]).await?,
            "slow" => {
                tokio::time::sleep(Duration::from_secs(6)).await;
                stream.write_all(b"stream: OK\0").await?;
            }
            _ => stream.write_all(b"stream: OK\0").await?,
        }
        return stream.shutdown().await;
    }
}
