//! A remote server that does to each recipient what its address says.
//!
//! `llt.7@a.test` is told "later" twice and taken from then on. The server knows nothing of the
//! queue, so it is the witness: who was tried when and how often, who was taken.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};

use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::operation::Verdict;

/// What the server has seen, by recipient.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// RCPT commands.
    pub(super) tries: BTreeMap<String, usize>,
    /// Messages it said 250 for.
    pub(super) taken: BTreeMap<String, usize>,
    /// Recipients of transactions that are not over.
    at_once: BTreeSet<String>,
    /// What must not happen.
    pub(super) errors: Vec<String>,
}

#[derive(Debug, Clone, Copy)]
struct Gate {
    open: bool,
    /// Sessions that have begun to wait before this changed end without an answer.
    epoch: u64,
}

#[derive(Debug)]
pub(super) struct Remote {
    seen: Arc<Mutex<Seen>>,
    gate: watch::Sender<Gate>,
    task: JoinHandle<()>,
}

impl Drop for Remote {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Remote {
    pub(super) async fn start(address: SocketAddr) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let seen: Arc<Mutex<Seen>> = Arc::default();
        let gate = watch::Sender::new(Gate {
            open: true,
            epoch: 0,
        });
        let shared = (Arc::clone(&seen), gate.subscribe());
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (seen, gate) = shared.clone();
                let mut session = Session {
                    seen,
                    gate,
                    recipients: Vec::new(),
                };
                tokio::spawn(async move {
                    // The other side may go away at any time.
                    let _ = session.talk(stream).await;
                    session.over();
                });
            }
        });
        Self { seen, gate, task }
    }

    pub(super) fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap()
    }

    pub(super) fn set_open(&self, open: bool) {
        self.gate.send_modify(|gate| gate.open = open);
    }

    /// Ends all sessions that wait; waits until they have.
    pub(super) async fn drop_sessions(&self) {
        self.gate.send_modify(|gate| gate.epoch += 1);
        while !self.seen().at_once.is_empty() {
            tokio::task::yield_now().await;
        }
    }
}

struct Session {
    seen: Arc<Mutex<Seen>>,
    gate: watch::Receiver<Gate>,
    /// Those of the present transaction that are to be taken.
    recipients: Vec<String>,
}

impl Session {
    async fn talk(&mut self, stream: TcpStream) -> std::io::Result<()> {
        let epoch = self.gate.borrow().epoch;
        let mut stream = BufReader::new(stream);
        stream.write_all(b"220 mx.test\r\n").await?;
        let mut line = String::new();
        loop {
            line.clear();
            if stream.read_line(&mut line).await? == 0 {
                return Ok(());
            }
            let reply = match line.get(..4) {
                Some("EHLO") => "250 mx.test".to_owned(),
                Some("RCPT") => self.recipient(line.trim_end()),
                Some("DATA") => {
                    stream.write_all(b"354 go on\r\n").await?;
                    while line != ".\r\n" {
                        line.clear();
                        if stream.read_line(&mut line).await? == 0 {
                            return Ok(());
                        }
                    }
                    let passed = self.gate.wait_for(|gate| gate.open || gate.epoch != epoch);
                    if passed.await.map_or(true, |gate| gate.epoch != epoch) {
                        return Ok(());
                    }
                    self.take();
                    "250 2.0.0 taken".to_owned()
                }
                Some("QUIT") => return stream.write_all(b"221 bye\r\n").await,
                _ => "250 ok".to_owned(),
            };
            stream.write_all(format!("{reply}\r\n").as_bytes()).await?;
        }
    }

    /// `RCPT TO:<verdicts.number@domain>`
    fn recipient(&mut self, line: &str) -> String {
        let address = line.trim_start_matches("RCPT TO:<").trim_end_matches('>');
        let verdicts: Vec<char> = address.split('.').next().unwrap().chars().collect();
        let mut seen = self.seen.lock().unwrap();
        let tries = seen.tries.entry(address.to_owned()).or_default();
        let verdict = verdicts[(*tries).min(verdicts.len() - 1)];
        *tries += 1;
        if seen.at_once.contains(address) {
            seen.errors
                .push(format!("{address} is tried twice at once"));
        }
        match Verdict::of(verdict) {
            Verdict::Later => "450 4.2.1 later".to_owned(),
            Verdict::Never => "550 5.1.1 never".to_owned(),
            Verdict::Taken => {
                seen.at_once.insert(address.to_owned());
                self.recipients.push(address.to_owned());
                "250 2.1.5 ok".to_owned()
            }
        }
    }

    fn take(&mut self) {
        for address in &self.recipients {
            *self
                .seen
                .lock()
                .unwrap()
                .taken
                .entry(address.clone())
                .or_default() += 1;
        }
        self.over();
    }

    /// The transaction is over, one way or another.
    fn over(&mut self) {
        let mut seen = self.seen.lock().unwrap();
        for address in self.recipients.drain(..) {
            seen.at_once.remove(&address);
        }
    }
}
