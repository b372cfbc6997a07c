//! What people and other servers do all day: mail comes in, is read, searched, filed and thrown away,
//! somebody waits for more, and somebody signs in and leaves.
//!
//! Nothing here is meant to be refused. Whatever is, is kept, and every message is accounted for.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use testkit::client::{Answer, Imap, Smtp};
use testkit::process::Site;
use tokio::time::{sleep, timeout};

use crate::ledger::{self, Ledger};
use crate::messages;

/// Where writers file what they keep; the account has it from the beginning.
const ARCHIVE: &str = "Archive";
/// Messages that INBOX keeps.
const KEPT: usize = 200;
/// Messages of one session before it ends.
const OF_A_SESSION: u64 = 50;
/// How long somebody waits for mail in one go.
const WAIT: Duration = Duration::from_secs(2);
/// Between two things that somebody does.
const PAUSE: Duration = Duration::from_millis(40);

/// A site in use.
#[derive(Debug)]
pub(crate) struct Traffic {
    site: Arc<Site>,
    ledger: Arc<Ledger>,
    stop: AtomicBool,
    /// Messages that were put in.
    stored: AtomicU64,
    /// Messages that were thrown away.
    expunged: AtomicU64,
    /// Octets of all that was put in.
    octets: AtomicU64,
    /// How often somebody who waited was told of mail.
    told: AtomicU64,
    /// Commands that did what they should.
    done: AtomicU64,
    refusals: Mutex<Vec<String>>,
}

impl Traffic {
    pub(crate) fn new(site: &Arc<Site>, ledger: &Arc<Ledger>) -> Arc<Self> {
        Arc::new(Self {
            site: Arc::clone(site),
            ledger: Arc::clone(ledger),
            stop: AtomicBool::new(false),
            stored: AtomicU64::new(0),
            expunged: AtomicU64::new(0),
            octets: AtomicU64::new(0),
            told: AtomicU64::new(0),
            done: AtomicU64::new(0),
            refusals: Mutex::default(),
        })
    }

    /// Tells everybody to come to an end.
    pub(crate) fn stop(&self) {
        self.stop.store(true, Ordering::SeqCst);
    }

    /// Whether everybody was told.
    pub(crate) fn stopped(&self) -> &AtomicBool {
        &self.stop
    }

    fn goes_on(&self) -> bool {
        !self.stop.load(Ordering::SeqCst)
    }

    /// Messages that must be there now.
    pub(crate) fn present(&self) -> u64 {
        self.stored.load(Ordering::SeqCst) - self.expunged.load(Ordering::SeqCst)
    }

    /// Messages and their octets that were put in, wake-ups, and commands in all.
    pub(crate) fn totals(&self) -> [u64; 4] {
        [&self.stored, &self.octets, &self.told, &self.done]
            .map(|counter| counter.load(Ordering::SeqCst))
    }

    /// What was refused, or broke off.
    pub(crate) fn refusals(&self) -> Vec<String> {
        let refusals = self.refusals.lock();
        refusals.unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn refuse(&self, what: String) {
        let refusals = self.refusals.lock();
        refusals.unwrap_or_else(PoisonError::into_inner).push(what);
    }

    /// Enters a message, or the refusal of one.
    fn store(&self, accepted: bool, octets: usize, reply: impl std::fmt::Debug) {
        if accepted {
            self.stored.fetch_add(1, Ordering::SeqCst);
            self.octets.fetch_add(octets as u64, Ordering::SeqCst);
            self.done.fetch_add(1, Ordering::SeqCst);
        } else {
            self.refuse(format!("{reply:?}"));
        }
    }

    /// A command that nothing keeps from succeeding.
    async fn ask(&self, imap: &mut Imap, command: &str) -> io::Result<Answer> {
        let answer = imap.command(command).await?;
        if answer.is_ok() {
            self.done.fetch_add(1, Ordering::SeqCst);
        } else {
            self.refuse(format!("{command}: {}", answer.tagged));
        }
        Ok(answer)
    }

    /// Does `one` again and again. It ends in an error when its connection breaks, which nothing
    /// here explains.
    pub(crate) async fn repeat<F: Future<Output = io::Result<()>>>(
        self: Arc<Self>,
        name: &str,
        one: impl Fn(Arc<Self>) -> F,
    ) {
        while self.goes_on() {
            if let Err(error) = one(Arc::clone(&self)).await {
                self.refuse(format!("{name}: {error}"));
                sleep(PAUSE).await;
            }
        }
    }

    /// Another server has mail for us.
    pub(crate) async fn deliver(self: Arc<Self>) -> io::Result<()> {
        let mut smtp = Smtp::connect(self.site.mx()).await?;
        for _ in 0..OF_A_SESSION {
            let number = usize::try_from(self.ledger.take()).unwrap_or(0);
            let message = messages::message(number);
            let to = &[ledger::ACCOUNT];
            let reply = smtp.deliver("sender@elsewhere.test", to, &message).await?;
            self.store(reply.0 == 250, message.len(), reply);
            sleep(PAUSE).await;
            if !self.goes_on() {
                break;
            }
        }
        smtp.command("QUIT").await?;
        Ok(())
    }

    /// Somebody writes, reads, searches, files and throws away, in a mailbox of this name.
    pub(crate) async fn work(self: Arc<Self>, mailbox: &str) -> io::Result<()> {
        let mut imap = ledger::sign_in(self.site.imaps()).await?;
        // It is there from the second time on.
        imap.command(&format!("CREATE {mailbox}")).await?;
        self.ask(&mut imap, &format!("SELECT {mailbox}")).await?;
        for _ in 0..OF_A_SESSION {
            let number = self.ledger.take();
            let message = ledger::message(number);
            let appended = imap.append(mailbox, &message).await?;
            self.store(appended.is_ok(), message.len(), &appended.tagged);
            let read = self
                .ask(&mut imap, "UID FETCH * (FLAGS BODY.PEEK[])")
                .await?;
            if read.literals().first() != Some(&message) {
                self.refuse(format!("{number} is not what was appended"));
            }
            self.ask(&mut imap, &format!("UID SEARCH TEXT {number}"))
                .await?;
            self.ask(&mut imap, "UID STORE * +FLAGS (\\Seen $Label1)")
                .await?;
            if number.is_multiple_of(4) {
                self.ask(&mut imap, &format!("UID MOVE 1:* {ARCHIVE}"))
                    .await?;
            } else if number % 4 == 1 {
                self.expunge(&mut imap, "1:*").await?;
            }
            sleep(PAUSE).await;
            if !self.goes_on() {
                break;
            }
        }
        self.ask(&mut imap, "LOGOUT").await?;
        Ok(())
    }

    async fn expunge(&self, imap: &mut Imap, uids: &str) -> io::Result<()> {
        self.ask(imap, &format!("UID STORE {uids} +FLAGS.SILENT (\\Deleted)"))
            .await?;
        let expunged = self.ask(imap, &format!("UID EXPUNGE {uids}")).await?;
        let gone = expunged
            .text()
            .iter()
            .filter(|line| line.ends_with(" EXPUNGE"))
            .count();
        self.expunged.fetch_add(gone as u64, Ordering::SeqCst);
        Ok(())
    }

    /// Somebody keeps a mailbox short.
    pub(crate) async fn tidy(self: Arc<Self>, mailbox: &str) -> io::Result<()> {
        let mut imap = ledger::sign_in(self.site.imaps()).await?;
        self.ask(&mut imap, &format!("SELECT {mailbox}")).await?;
        let found = self.ask(&mut imap, "UID SEARCH UNDELETED").await?;
        let text = found.text().join(" ");
        let mut uids: Vec<&str> = text
            .split_ascii_whitespace()
            .filter(|word| word.bytes().all(|octet| octet.is_ascii_digit()))
            .collect();
        uids.truncate(uids.len().saturating_sub(KEPT));
        if let [first, .., last] = uids.as_slice() {
            self.expunge(&mut imap, &format!("{first}:{last}")).await?;
        }
        self.ask(&mut imap, "UID FETCH 1:* (FLAGS ENVELOPE BODYSTRUCTURE)")
            .await?;
        self.ask(&mut imap, "LOGOUT").await?;
        sleep(PAUSE * 10).await;
        Ok(())
    }

    /// Somebody waits for mail in INBOX, and looks at it.
    pub(crate) async fn wait(self: Arc<Self>) -> io::Result<()> {
        let mut imap = ledger::sign_in(self.site.imaps()).await?;
        self.ask(&mut imap, "SELECT INBOX").await?;
        imap.client.send("i IDLE").await?;
        loop {
            // Nothing may come for a while, and least of all at the end.
            let Ok(line) = timeout(WAIT, imap.client.line()).await else {
                imap.client.send("DONE").await?;
                continue;
            };
            match line? {
                Some(line) if line.ends_with(" EXISTS") => {
                    self.told.fetch_add(1, Ordering::SeqCst);
                    imap.client.send("DONE").await?;
                }
                Some(line) if line.starts_with("i ") => break,
                Some(_) => {}
                None => return Err(io::ErrorKind::UnexpectedEof.into()),
            }
        }
        self.ask(&mut imap, "UID FETCH * (FLAGS ENVELOPE)").await?;
        self.ask(&mut imap, "LOGOUT").await?;
        Ok(())
    }
}
