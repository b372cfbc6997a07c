//! Clients that hold connections and hardly say anything, at every door.

use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::mpsc;

use crate::context::{Context, Result};
use crate::crowd::{self, Polite};
use crate::figure::{Figures, Target};

/// How often a slow client sends an octet.
const DRIP: Duration = Duration::from_secs(2);
/// How soon one that has not signed in, or sent mail, must be gone when others want its place.
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) fn run(context: &Context) -> Result<Figures> {
    let each = context.depth(2_500_usize, 5_000);
    crowd::allow(each as u64 * 2)?;
    let site = context.site();
    let process = context.start(&site);
    let (mx, imaps) = (site.mx(), site.imaps());
    let (cut, mut cuts) = mpsc::unbounded_channel();
    let started = Instant::now();
    context.block_on(async {
        for number in 0..each {
            for address in [mx, imaps] {
                if let Ok(stream) = crowd::connect(number, address).await {
                    tokio::spawn(drip(stream, number, cut.clone()));
                }
            }
        }
    });
    drop(cut);
    let opened = started.elapsed();
    let mut polite = Polite::default();
    let until = Instant::now() + PATIENCE + Duration::from_secs(5);
    context.block_on(polite.visit(mx, until));
    let memory = crowd::memory_mib(process.id(), "VmHWM");
    let mut ages = Vec::new();
    while let Ok(age) = cuts.try_recv() {
        ages.push(Duration::as_secs_f64(&age));
    }
    let longest = ages.iter().copied().fold(0.0, f64::max);
    let mut figures = Figures::default();
    figures.checked(polite.milliseconds.len() as u64);
    figures.count("slow connections", each * 2, Target::Shown);
    figures.measure(
        "opening them took",
        opened.as_secs_f64(),
        "s",
        Target::Shown,
    );
    figures.count(
        "polite clients served",
        polite.milliseconds.len(),
        Target::AtLeast(100.0),
    );
    figures.count(
        "polite clients not served",
        polite.failed,
        Target::Exactly(0.0),
    );
    figures.percentile(
        "a polite client",
        polite.milliseconds,
        "ms",
        Target::AtMost(300.0),
    );
    figures.count(
        "slow connections still there after 60 s",
        (each * 2).saturating_sub(ages.len()),
        Target::Exactly(0.0),
    );
    figures.measure(
        "the oldest when it was cut",
        longest,
        "s",
        Target::AtMost(65.0),
    );
    figures.measure(
        "memory at its highest",
        memory,
        "MiB",
        Target::AtMost(500.0),
    );
    context.end(process, &mut figures);
    Ok(figures)
}

/// Sends an octet now and then until the server has enough; tells how long that took.
async fn drip(mut stream: TcpStream, number: usize, cut: mpsc::UnboundedSender<Duration>) {
    let started = Instant::now();
    let mut buffer = [0; 512];
    let octets = b"EHLO slow.test.which.never.ends";
    let mut next = number % 7;
    loop {
        tokio::select! {
            read = stream.read(&mut buffer) => match read {
                Ok(0) | Err(_) => break,
                Ok(_) => {}
            },
            () = tokio::time::sleep(DRIP) => {
                let octet = octets.get(next % octets.len()).copied().unwrap_or(b'x');
                next += 1;
                if stream.write_all(&[octet]).await.is_err() {
                    break;
                }
            }
        }
    }
    let _ = cut.send(started.elapsed());
}
