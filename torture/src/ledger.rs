//! Load, and what of it was acknowledged.
//!
//! Every message is made from its number, so that the ledger needs only numbers, and what comes back
//! is compared octet by octet. A number is noted when the reply has been read, never before.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use testkit::client::{Client, Imap, Smtp};
use testkit::process::Site;
use tokio::task::JoinHandle;

use crate::context::Context;
use crate::figure::{Figures, Target};
use crate::messages::Dice;
use crate::outbound;

/// The password of [`ACCOUNT`].
pub(crate) const PASSWORD: &str = "correct horse battery";
/// Whose mail it is.
pub(crate) const ACCOUNT: &str = "alice@demo.test";
/// Sessions that submit.
const SUBMISSIONS: usize = 2;
/// Where messages are moved.
const ARCHIVE: &str = "Archive";
/// How long whoever was deferred waits before the next try.
pub(crate) const PAUSE: Duration = Duration::from_millis(20);
/// Every so many messages one is large enough to become a file of its own.
const LARGE_EVERY: u64 = 7;
/// Numbers from here on have messages of 1 kB to 5 MB, of which half are below 2 kB.
const VARIED: u64 = 1 << 32;

/// What is known to be acknowledged.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    state: Mutex<State>,
    next: AtomicU64,
}

#[derive(Debug, Default)]
struct State {
    /// Delivered or appended.
    stored: BTreeSet<u64>,
    /// Moved to the archive, of those.
    moved: BTreeSet<u64>,
    /// Submitted for a host elsewhere.
    submitted: BTreeSet<u64>,
    /// What was refused for now.
    deferred: u64,
}

impl Ledger {
    /// Of two sizes, or of all from 1 kB to 5 MB in a full run.
    pub(crate) fn of(context: &Context) -> Arc<Self> {
        let next = AtomicU64::new(context.depth(0, VARIED));
        Arc::new(Self {
            next,
            ..Self::default()
        })
    }

    /// A number that nobody else gets.
    pub(crate) fn take(&self) -> u64 {
        self.next.fetch_add(1, Ordering::SeqCst)
    }

    /// A message was submitted for a host elsewhere.
    pub(crate) fn submitted(&self, number: u64) {
        self.state().submitted.insert(number);
    }

    /// Something was refused for now.
    pub(crate) fn refused(&self) {
        self.state().deferred += 1;
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many operations were acknowledged.
    pub(crate) fn acknowledged(&self) -> usize {
        let state = self.state();
        state.stored.len() + state.moved.len() + state.submitted.len()
    }

    /// How many deliveries were refused with a temporary error.
    pub(crate) fn deferred(&self) -> u64 {
        self.state().deferred
    }

    /// What is acknowledged now.
    pub(crate) fn snapshot(&self) -> Snapshot {
        let state = self.state();
        Snapshot {
            stored: state.stored.clone(),
            moved: state.moved.clone(),
            submitted: state.submitted.clone(),
        }
    }
}

impl Snapshot {
    /// The numbers of what was delivered or appended.
    pub(crate) fn numbers(&self) -> &BTreeSet<u64> {
        &self.stored
    }

    /// The numbers of what was submitted for a host elsewhere.
    pub(crate) fn submitted(&self) -> &BTreeSet<u64> {
        &self.submitted
    }
}

/// What was acknowledged at one moment.
#[derive(Debug, Clone, Default)]
pub(crate) struct Snapshot {
    stored: BTreeSet<u64>,
    moved: BTreeSet<u64>,
    submitted: BTreeSet<u64>,
}

/// What became of it.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Findings {
    /// Messages that were looked for.
    pub(crate) checked: usize,
    /// Not there, or not where they were moved to.
    pub(crate) lost: usize,
    /// With other octets.
    pub(crate) damaged: usize,
    /// There more than once.
    pub(crate) twice: usize,
    /// UIDs that another message had before, or that came late.
    pub(crate) uids: usize,
}

impl Findings {
    pub(crate) fn add(&mut self, other: Self) {
        self.checked += other.checked;
        self.lost += other.lost;
        self.damaged += other.damaged;
        self.twice += other.twice;
        self.uids += other.uids;
    }

    /// Says what became of everything, with nothing as the target.
    pub(crate) fn tell(&self, figures: &mut Figures) {
        figures.checked(self.checked as u64);
        for (what, count) in [
            ("acknowledged messages lost", self.lost),
            ("messages damaged", self.damaged),
            ("messages twice", self.twice),
            ("UIDs that changed or came late", self.uids),
        ] {
            figures.count(what, count, Target::Exactly(0.0));
        }
    }
}

/// The message of a number, as it is sent.
pub(crate) fn message(number: u64) -> Vec<u8> {
    written(number, "load@example.test")
}

/// The same, written by [`ACCOUNT`]: nobody submits mail in another's name.
pub(crate) fn submission_of(number: u64) -> Vec<u8> {
    written(number, ACCOUNT)
}

fn written(number: u64, author: &str) -> Vec<u8> {
    let size = size(number);
    let mut text = format!(
        "From: <{author}>\r\nTo: <{ACCOUNT}>\r\nSubject: {number}\r\n\
         Message-ID: <{number}@load.test>\r\n\r\n"
    );
    for line in 0.. {
        if text.len() >= size {
            break;
        }
        let word = number
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(line * 7_919);
        text.push_str(&format!("{number} {line} {word:x}\r\n"));
    }
    text.into_bytes()
}

/// About how many octets the message of a number has.
fn size(number: u64) -> usize {
    if number >= VARIED {
        1_000_000_000 / (200 + Dice::new(number).below(999_800))
    } else if number.is_multiple_of(LARGE_EVERY) {
        100_000
    } else {
        500
    }
}

/// Sessions that send until they are told to stop or the server is gone.
#[derive(Debug)]
pub(crate) struct Load {
    stop: Arc<AtomicBool>,
    sessions: Vec<JoinHandle<()>>,
}

impl Load {
    /// `deliveries` sessions over LMTP, and one over IMAP that appends and moves.
    pub(crate) fn start(
        context: &Context,
        site: &Site,
        ledger: &Arc<Ledger>,
        deliveries: usize,
    ) -> Self {
        let mut load = Self::deliveries(context, (site.lmtp(), "LHLO"), ledger, deliveries);
        let (ledger, stop) = (Arc::clone(ledger), Arc::clone(&load.stop));
        let imaps = site.imaps();
        load.sessions.push(context.spawn(async move {
            // It ends when the server goes, in the middle of anything.
            let _ = append_and_move(imaps, ledger, stop).await;
        }));
        load
    }

    /// Sessions that deliver at an address, after this greeting.
    pub(crate) fn deliveries(
        context: &Context,
        (address, hello): (SocketAddr, &'static str),
        ledger: &Arc<Ledger>,
        sessions: usize,
    ) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let sessions = (0..sessions)
            .map(|_| {
                let (ledger, stop) = (Arc::clone(ledger), Arc::clone(&stop));
                context.spawn(deliver(address, hello, ledger, stop))
            })
            .collect();
        Self { stop, sessions }
    }

    /// With sessions that submit mail for a host elsewhere; the server relays it to a sink.
    pub(crate) fn with_submissions(
        mut self,
        context: &Context,
        site: &Site,
        ledger: &Arc<Ledger>,
    ) -> Self {
        for _ in 0..SUBMISSIONS {
            let (ledger, stop) = (Arc::clone(ledger), Arc::clone(&self.stop));
            let address = site.submission();
            self.sessions.push(context.spawn(async move {
                // It ends when the server goes.
                let _ = outbound::submit(address, Duration::ZERO, &ledger, &stop).await;
            }));
        }
        self
    }

    /// Tells the sessions to stop and waits for them.
    pub(crate) async fn stop(self) {
        self.stop.store(true, Ordering::SeqCst);
        for session in self.sessions {
            let _ = session.await;
        }
    }
}

async fn deliver(
    address: SocketAddr,
    greeting: &'static str,
    ledger: Arc<Ledger>,
    stop: Arc<AtomicBool>,
) {
    while !stop.load(Ordering::SeqCst) {
        let Ok(client) = Client::connect(address).await else {
            return;
        };
        let mut smtp = Smtp { client };
        let hello = async {
            smtp.reply().await?;
            smtp.command(&format!("{greeting} load.test")).await
        };
        if hello.await.is_err() {
            return;
        }
        while !stop.load(Ordering::SeqCst) {
            let number = ledger.take();
            let message = message(number);
            match smtp
                .deliver("load@example.test", &[ACCOUNT], &message)
                .await
            {
                Ok((250, _)) => {
                    ledger.state().stored.insert(number);
                }
                Ok((400..500, _)) => {
                    ledger.refused();
                    tokio::time::sleep(PAUSE).await;
                    break;
                }
                Ok(reply) => panic!("refused: {reply:?}\n{}", smtp.client.log()),
                Err(_) => return,
            }
        }
    }
}

async fn append_and_move(
    address: SocketAddr,
    ledger: Arc<Ledger>,
    stop: Arc<AtomicBool>,
) -> std::io::Result<()> {
    let mut imap = sign_in(address).await?;
    imap.command(&format!("CREATE {ARCHIVE}")).await?;
    while !stop.load(Ordering::SeqCst) {
        let number = ledger.take();
        if !imap.append("INBOX", &message(number)).await?.is_ok() {
            ledger.refused();
            tokio::time::sleep(PAUSE).await;
            continue;
        }
        ledger.state().stored.insert(number);
        if !imap.command("SELECT INBOX").await?.is_ok() {
            continue;
        }
        let found = imap
            .command(&format!("UID SEARCH SUBJECT \"{number}\""))
            .await?;
        let uid = found.text().iter().find_map(|line| {
            let (_, uids) = line.split_once("SEARCH ")?;
            // `SUBJECT "7"` finds 17 as well; what was appended last has the highest UID.
            uids.split_ascii_whitespace()
                .next_back()?
                .parse::<u32>()
                .ok()
        });
        let Some(uid) = uid else { continue };
        let subject = format!("UID FETCH {uid} (BODY.PEEK[HEADER.FIELDS (SUBJECT)])");
        let subject = imap.command(&subject).await?;
        if !subject
            .text()
            .iter()
            .any(|line| line.contains(&format!("Subject: {number}\r\n")))
        {
            continue;
        }
        if imap
            .command(&format!("UID MOVE {uid} {ARCHIVE}"))
            .await?
            .is_ok()
        {
            ledger.state().moved.insert(number);
        }
    }
    Ok(())
}

/// A session over LMTP that has said hello.
pub(crate) async fn lmtp(site: &Site) -> std::io::Result<Smtp> {
    let mut smtp = Smtp {
        client: Client::connect(site.lmtp()).await?,
    };
    smtp.reply().await?;
    smtp.command("LHLO load.test").await?;
    Ok(smtp)
}

/// A session of [`ACCOUNT`].
pub(crate) async fn sign_in(address: SocketAddr) -> std::io::Result<Imap> {
    let config = tls::outbound_config(tls::Verification::Opportunistic).expect("TLS");
    log_in(Imap::connect_tls(address, config, "localhost").await?).await
}

/// Signs [`ACCOUNT`] in.
pub(crate) async fn log_in(mut imap: Imap) -> std::io::Result<Imap> {
    let answer = imap
        .command(&format!("LOGIN {ACCOUNT} \"{PASSWORD}\""))
        .await?;
    if !answer.is_ok() {
        return Err(std::io::Error::other(answer.tagged));
    }
    Ok(imap)
}

/// Creates the domain and the account of the load; the server is running.
pub(crate) fn populate(site: &Site) {
    let (added, text) = site.command(&["domain", "add", "demo.test"]);
    assert!(added, "{text}");
    let (added, text) = site.command_with(&["account", "add", ACCOUNT], PASSWORD);
    assert!(added, "{text}");
}

/// UIDs and the numbers of their messages, by mailbox; they are compared from look to look.
#[derive(Debug, Default)]
pub(crate) struct Known {
    mailboxes: BTreeMap<&'static str, (Option<String>, BTreeMap<u32, u64>)>,
}

/// Looks for everything that was acknowledged.
pub(crate) async fn verify(
    address: SocketAddr,
    acknowledged: &Snapshot,
    known: &mut Known,
) -> std::io::Result<Findings> {
    verify_in(sign_in(address).await?, acknowledged, known).await
}

/// The same in a session that is signed in.
pub(crate) async fn verify_in(
    mut imap: Imap,
    acknowledged: &Snapshot,
    known: &mut Known,
) -> std::io::Result<Findings> {
    let mut findings = Findings {
        checked: acknowledged.stored.len(),
        ..Findings::default()
    };
    let mut copies: BTreeMap<u64, Vec<&'static str>> = BTreeMap::new();
    for mailbox in ["INBOX", ARCHIVE, "Junk"] {
        let Some((validity, found)) = contents(&mut imap, mailbox, &mut findings).await? else {
            continue;
        };
        let (known_validity, before) = known.mailboxes.entry(mailbox).or_default();
        if known_validity.get_or_insert_with(|| validity.clone()) != &validity {
            findings.uids += 1;
        }
        let highest = before.keys().next_back().copied().unwrap_or(0);
        for (uid, number) in &found {
            copies.entry(*number).or_default().push(mailbox);
            match before.get(uid) {
                Some(same) if same == number => {}
                None if *uid > highest => {}
                _ => findings.uids += 1,
            }
        }
        // What went may come back at no lower UID: the highest one is remembered.
        before.retain(|uid, _| found.contains_key(uid) || *uid == highest);
        before.extend(found);
    }
    for number in &acknowledged.stored {
        let places = copies.get(number).map_or(&[][..], Vec::as_slice);
        let moved = acknowledged.moved.contains(number);
        match places {
            [] => findings.lost += 1,
            [place] if moved && *place != ARCHIVE => findings.lost += 1,
            [_] => {}
            // The reply to a move may have been lost, but a message is never in two places.
            _ => findings.twice += 1,
        }
    }
    Ok(findings)
}

/// UIDVALIDITY of a mailbox and the number of each of its messages; counts damaged ones.
async fn contents(
    imap: &mut Imap,
    mailbox: &str,
    findings: &mut Findings,
) -> std::io::Result<Option<(String, BTreeMap<u32, u64>)>> {
    let selected = imap.command(&format!("EXAMINE {mailbox}")).await?;
    if !selected.is_ok() {
        return Ok(None);
    }
    let validity = selected.text().iter().find_map(|line| {
        let (_, rest) = line.split_once("UIDVALIDITY ")?;
        Some(rest.split(']').next().unwrap_or_default().to_owned())
    });
    let answer = imap.command("UID FETCH 1:* (BODY.PEEK[])").await?;
    assert!(answer.is_ok(), "{:?}", answer.tagged);
    let mut found = BTreeMap::new();
    for response in &answer.untagged {
        let Some((uid, octets)) = fetched(response) else {
            continue;
        };
        match number_of(octets) {
            Some(number) if octets.ends_with(&message(number)) => {
                found.insert(uid, number);
            }
            _ => findings.damaged += 1,
        }
    }
    Ok(Some((validity.unwrap_or_default(), found)))
}

/// The UID of a FETCH response and its literal.
fn fetched(response: &[u8]) -> Option<(u32, &[u8])> {
    let end = response.windows(3).position(|window| window == b"}\r\n")?;
    let head = std::str::from_utf8(response.get(..end)?).ok()?;
    let (_, uid) = head.split_once("UID ")?;
    let uid = uid.split([' ', ')']).next()?.parse().ok()?;
    let (_, length) = head.rsplit_once('{')?;
    let length: usize = length.parse().ok()?;
    Some((uid, response.get(end + 3..)?.get(..length)?))
}

/// The number in the subject; what the server put before the message has none.
fn number_of(octets: &[u8]) -> Option<u64> {
    let text = String::from_utf8_lossy(octets);
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("Subject: "))?;
    line.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_tells_its_number_and_no_two_are_alike() {
        for number in [0, 1, 7, 12_345] {
            assert_eq!(number_of(&message(number)), Some(number));
        }
        assert_ne!(message(1), message(2));
        assert!(message(7).len() > 16 * 1024 && message(8).len() < 16 * 1024);
    }

    #[test]
    fn sizes_go_from_a_kilobyte_to_five_megabytes() {
        let mut sizes: Vec<usize> = (VARIED..VARIED + 10_000).map(size).collect();
        sizes.sort_unstable();
        assert!(
            sizes[0] >= 1_000 && sizes[5_000] < 2_200,
            "{}",
            sizes[5_000]
        );
        assert!(
            (1_000_000..=5_000_000).contains(&sizes[9_999]),
            "{}",
            sizes[9_999]
        );
    }

    #[test]
    fn the_literal_of_a_response_is_taken_whole() {
        let response = b"* 3 FETCH (UID 12 BODY[] {5}\r\na}\r\nb)\r\n";
        assert_eq!(fetched(response), Some((12, &b"a}\r\nb"[..])));
        assert_eq!(fetched(b"* 3 FETCH (UID 12 FLAGS ())\r\n"), None);
    }
}
