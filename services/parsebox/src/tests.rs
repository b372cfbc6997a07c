//! A pool with workers of every kind: threads that behave as processes do.

use std::collections::VecDeque;
use std::io::{self, Read as _, Write as _};
use std::os::unix::net::UnixStream as Socket;
use std::sync::atomic::{AtomicI32, Ordering};
use std::sync::{Arc, Mutex};

use crate::job::{Answer, Attachment, Finding, Job};
use crate::pool::{Nursery, Parsebox};
use crate::wire;

/// What a worker does with its jobs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Good,
    /// Ends at contents with this word in it.
    EndsAt(&'static str),
    /// Ends before it reads.
    Gone,
    /// Answers with findings of other contents.
    Liar,
    /// Announces more than it may.
    Boaster,
}

/// Starts the kinds in their order, the last one again and again.
#[derive(Debug)]
struct Threads {
    kinds: Mutex<VecDeque<Kind>>,
    started: AtomicI32,
    fails: bool,
}

impl Threads {
    fn new(kinds: &[Kind]) -> Arc<Self> {
        Arc::new(Self {
            kinds: Mutex::new(kinds.iter().copied().collect()),
            started: AtomicI32::new(0),
            fails: false,
        })
    }

    fn started(&self) -> i32 {
        self.started.load(Ordering::SeqCst)
    }
}

impl Nursery for Threads {
    fn start(&self, channel: &Socket) -> io::Result<i32> {
        if self.fails {
            return Err(io::ErrorKind::OutOfMemory.into());
        }
        let mut kinds = self.kinds.lock().unwrap();
        let kind = if kinds.len() > 1 {
            kinds.pop_front().unwrap()
        } else {
            kinds[0]
        };
        let mut channel = channel.try_clone()?;
        std::thread::spawn(move || {
            while kind != Kind::Gone && answer(kind, &mut channel).is_ok_and(|goes_on| goes_on) {}
        });
        Ok(self.started.fetch_add(1, Ordering::SeqCst))
    }

    fn end(&self, number: i32) -> String {
        format!("worker {number}")
    }
}

fn answer(kind: Kind, channel: &mut Socket) -> io::Result<bool> {
    let Some(job) = wire::receive_job(channel)? else {
        return Ok(false);
    };
    let ends = |word: &str| {
        job.items()
            .any(|item| String::from_utf8_lossy(item.content()).contains(word))
    };
    match kind {
        Kind::EndsAt(word) if ends(word) => return Ok(false),
        Kind::Liar => {
            let other = vec![Finding::Report(attachment::Report::default()); job.items().count()];
            wire::send_answer(channel, &other)?;
        }
        Kind::Boaster => channel.write_all(&u32::MAX.to_le_bytes())?,
        _ => {
            let findings: Vec<Finding> = job.items().map(|item| item.read()).collect();
            wire::send_answer(channel, &findings)?;
        }
    }
    Ok(true)
}

fn job(pages: &[&str], attachments: &[&str]) -> Job {
    Job {
        pages: pages.iter().map(|page| (*page).to_owned()).collect(),
        attachments: attachments
            .iter()
            .map(|content| Attachment {
                name: Some(format!("{content}.txt")),
                declared: "text/plain".to_owned(),
                bytes: content.as_bytes().to_vec(),
            })
            .collect(),
    }
}

fn missing(answer: &Answer) -> (Vec<bool>, Vec<bool>) {
    (
        answer.pages.iter().map(Option::is_none).collect(),
        answer.reports.iter().map(Option::is_none).collect(),
    )
}

#[tokio::test]
async fn a_worker_finds_what_the_server_itself_would_find_and_is_used_again() {
    let threads = Threads::new(&[Kind::Good]);
    let parsebox = Parsebox::with(threads.clone(), 2);
    let job = job(&["<p>one", "<a href=http://x.example>two</a>"], &["three"]);
    for _ in 0..5 {
        assert_eq!(parsebox.read(job.clone()).await, job.read());
    }
    assert_eq!(threads.started(), 1);
    assert_eq!(parsebox.read(Job::default()).await, Answer::default());
}

#[tokio::test]
async fn many_messages_at_once_share_the_workers() {
    let threads = Threads::new(&[Kind::Good]);
    let parsebox = Parsebox::with(threads.clone(), 3);
    let jobs: Vec<Job> = (0..40).map(|n| job(&[&format!("<p>{n}")], &[])).collect();
    let reading = jobs.iter().map(|job| {
        let (parsebox, job) = (parsebox.clone(), job.clone());
        tokio::spawn(async move { parsebox.read(job).await })
    });
    let answers: Vec<_> = reading.collect();
    for (job, answer) in jobs.iter().zip(answers) {
        assert_eq!(answer.await.unwrap(), job.read());
    }
    assert!(threads.started() <= 3, "{}", threads.started());
}

#[tokio::test]
async fn what_ends_its_worker_is_lost_and_nothing_else() {
    let parsebox = Parsebox::with(Threads::new(&[Kind::EndsAt("bomb")]), 2);
    let answer = parsebox
        .read(job(&["<p>good", "<p>bomb"], &["fine", "bomb", "well"]))
        .await;
    assert_eq!(
        missing(&answer),
        (vec![false, true], vec![false, true, false])
    );
    assert_eq!(answer.lost(), 2);
    let alone = parsebox.read(job(&["<p>bomb"], &[])).await;
    assert_eq!(missing(&alone), (vec![true], vec![]));
}

#[tokio::test]
async fn a_message_of_bombs_does_not_keep_workers_busy_for_ever() {
    let threads = Threads::new(&[Kind::EndsAt("bomb")]);
    let parsebox = Parsebox::with(threads.clone(), 2);
    let answer = parsebox.read(job(&[], &["bomb"; 50])).await;
    assert_eq!(answer.lost(), 50);
    assert!(threads.started() <= 5, "{}", threads.started());
}

#[tokio::test]
async fn a_worker_that_has_gone_meanwhile_costs_nothing() {
    for kind in [Kind::Gone, Kind::Liar, Kind::Boaster] {
        for job in [job(&["<p>one"], &["two"]), job(&["<p>one"], &[])] {
            let parsebox = Parsebox::with(Threads::new(&[kind, Kind::Good]), 1);
            assert_eq!(parsebox.read(job.clone()).await, job.read(), "{kind:?}");
        }
    }
}

#[tokio::test]
async fn without_workers_the_server_reads_by_itself() {
    let none = Arc::new(Threads {
        fails: true,
        ..Arc::into_inner(Threads::new(&[Kind::Good])).unwrap()
    });
    let large = "x".repeat(100_000);
    for job in [job(&["<p>one"], &["two"]), job(&[&large], &[])] {
        for parsebox in [Parsebox::with(none.clone(), 1), Parsebox::in_process()] {
            assert_eq!(parsebox.read(job.clone()).await, job.read());
        }
    }
}

#[test]
fn jobs_are_read_as_they_were_sent_and_not_when_something_is_missing() {
    let job = job(&["<p>ä", ""], &["", "some octets"]);
    let items: Vec<_> = job.items().collect();
    let mut sent = Vec::new();
    tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap()
        .block_on(wire::send_job(&mut sent, &items))
        .unwrap();
    assert_eq!(wire::decode_job(&sent), Some(job));
    for end in 0..sent.len() {
        assert_eq!(wire::decode_job(&sent[..end]), None, "{end} octets");
    }
    let mut huge: &[u8] = &[0xff; 64];
    assert!(wire::receive_job(&mut huge).is_err());
    assert_eq!(
        huge.read(&mut [0; 64]).unwrap(),
        60,
        "nothing after the length"
    );
}
