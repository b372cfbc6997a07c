//! Name servers that do not answer, or badly.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use testkit::client::Smtp;
use testkit::process::Site;
use tokio::net::UdpSocket;

use crate::context::{Context, Result};
use crate::figure::{Figures, Target};
use crate::ledger;

/// What a name server does with a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mood {
    NoSuchName,
    Silent,
    Slow,
    ServerFailure,
    Truncated,
    Garbage,
    OtherQuestion,
    Refused,
}

const MOODS: [Mood; 8] = [
    Mood::Silent,
    Mood::Slow,
    Mood::ServerFailure,
    Mood::Truncated,
    Mood::Garbage,
    Mood::OtherQuestion,
    Mood::Refused,
    Mood::NoSuchName,
];

pub(crate) fn run(context: &Context) -> Result<Figures> {
    let each = context.depth(1_usize, 25);
    let mood = Arc::new(AtomicUsize::new(0));
    let socket = context.block_on(UdpSocket::bind("127.0.0.1:0"))?;
    let address = socket.local_addr()?;
    context.spawn(answer(socket, Arc::clone(&mood)));
    let site = context.site();
    site.resolve_at(address);
    let process = context.start(&site);
    ledger::populate(&site);
    let mut slowest = Duration::ZERO;
    let (mut accepted, mut deferred, mut other) = (0, 0, 0);
    let mut number = 0_u64;
    for (index, of) in MOODS.iter().enumerate() {
        mood.store(index, Ordering::SeqCst);
        for _ in 0..each {
            number += 1;
            let started = Instant::now();
            let code = context.block_on(deliver(&site, number))?;
            slowest = slowest.max(started.elapsed());
            match code {
                250 => accepted += 1,
                450 | 451 => deferred += 1,
                _ => {
                    eprintln!("   {of:?}: {code}");
                    other += 1;
                }
            }
        }
    }
    // The last mood is a good one.
    let started = Instant::now();
    let recovered = context.block_on(deliver(&site, number + 1))? == 250;
    let recovery = started.elapsed();
    let mut figures = Figures::default();
    figures.checked(number);
    figures.count("sessions", number as usize, Target::Shown);
    figures.count("messages accepted", accepted, Target::Shown);
    figures.count("messages deferred", deferred, Target::Shown);
    figures.count("other replies", other, Target::Exactly(0.0));
    figures.measure(
        "a session, slowest",
        slowest.as_secs_f64(),
        "s",
        Target::AtMost(20.0),
    );
    figures.count(
        "accepted once names are found again",
        usize::from(recovered),
        Target::Exactly(1.0),
    );
    figures.measure(
        "how long that took",
        recovery.as_secs_f64(),
        "s",
        Target::AtMost(5.0),
    );
    context.end(process, &mut figures);
    Ok(figures)
}

/// A message from a domain that nobody has asked about yet.
async fn deliver(site: &Site, number: u64) -> Result<u16> {
    let mut smtp = Smtp::connect(site.mx()).await?;
    let from = format!("a@sender{number}.test");
    let message = format!(
        "From: <{from}>\r\nSubject: names\r\nDKIM-Signature: v=1; a=rsa-sha256; d=sender{number}.test; s=x; h=from; bh=AAAA; b=AAAA\r\n\r\nx\r\n"
    );
    Ok(smtp
        .deliver(&from, &[ledger::ACCOUNT], message.as_bytes())
        .await?
        .0)
}

/// Answers on `socket` as the mood is.
async fn answer(socket: UdpSocket, mood: Arc<AtomicUsize>) {
    let socket = Arc::new(socket);
    let mut buffer = [0; 1_500];
    while let Ok((length, peer)) = socket.recv_from(&mut buffer).await {
        let question = buffer.get(..length).unwrap_or_default().to_vec();
        let index = mood.load(Ordering::SeqCst);
        let Some(mood) = MOODS.get(index).copied() else {
            continue;
        };
        let socket = Arc::clone(&socket);
        tokio::spawn(async move { reply(&socket, peer, question, mood).await });
    }
}

async fn reply(socket: &UdpSocket, peer: SocketAddr, mut message: Vec<u8>, mood: Mood) {
    // RFC 1035 §4.1.1: the flags are octets 2 and 3, the number of the question's octets follows.
    let Some(header) = message.get_mut(..12) else {
        return;
    };
    header[6..12].fill(0);
    let (first, second) = match mood {
        Mood::Silent => return,
        Mood::NoSuchName | Mood::Slow | Mood::OtherQuestion => (0x81, 0x83),
        Mood::ServerFailure => (0x81, 0x82),
        Mood::Truncated => (0x83, 0x80),
        Mood::Garbage => (0xff, 0xff),
        Mood::Refused => (0x81, 0x85),
    };
    header[2] = first;
    header[3] = second;
    // What follows the question (EDNS) would need to be counted.
    let end = question_end(&message);
    message.truncate(end);
    match mood {
        Mood::Slow => tokio::time::sleep(Duration::from_secs(5)).await,
        Mood::Garbage => message.extend_from_slice(&[0xc0; 400]),
        Mood::OtherQuestion => {
            if let Some(octet) = message.get_mut(13) {
                *octet ^= 1;
            }
        }
        _ => {}
    }
    let _ = socket.send_to(&message, peer).await;
}

/// Where the first question ends.
fn question_end(message: &[u8]) -> usize {
    let mut at = 12;
    while let Some(&length) = message.get(at) {
        if length == 0 {
            return (at + 5).min(message.len());
        }
        at += usize::from(length) + 1;
    }
    message.len()
}
