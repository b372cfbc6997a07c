//! What was acknowledged is there: `kill -9` under load, restarts, a full disk.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use testkit::TestServer;
use testkit::client::{Client, Imap, Smtp};
use testkit::process::Site;

/// Cuts in a CI run; `MUSKOX_KILLS=100` for the full figure.
const KILLS: usize = 25;
/// Sessions that send at the same time.
const SESSIONS: usize = 8;
const PASSWORD: &str = "correct horse battery";

/// What the senders know: which messages were answered with 250.
#[derive(Debug, Default)]
struct Ledger {
    acknowledged: Mutex<BTreeSet<u64>>,
    next: AtomicU64,
}

/// Sends until the server is gone; notes each message after its 250 was read.
async fn send(address: std::net::SocketAddr, ledger: Arc<Ledger>, stop: Arc<AtomicBool>) {
    let Ok(client) = Client::connect(address).await else {
        return;
    };
    let mut smtp = Smtp { client };
    let hello = async {
        smtp.reply().await?;
        smtp.command("LHLO load.test").await
    };
    if hello.await.is_err() {
        return;
    }
    while !stop.load(Ordering::SeqCst) {
        let number = ledger.next.fetch_add(1, Ordering::SeqCst);
        // Every seventh message is large enough to become a file.
        let filler = if number.is_multiple_of(7) { 4_000 } else { 20 };
        let mut body = String::new();
        for line in 0..filler {
            body.push_str(&format!(
                "{number} {line} {:x}\r\n",
                number.wrapping_mul(line + 7919)
            ));
        }
        let message = format!(
            "From: <load@example.test>\r\nSubject: {number}\r\nMessage-ID: <{number}@load.test>\r\n\r\n{body}"
        );
        match smtp
            .deliver(
                "load@example.test",
                &["alice@demo.test"],
                message.as_bytes(),
            )
            .await
        {
            Ok((250, _)) => {
                ledger.acknowledged.lock().unwrap().insert(number);
            }
            Ok(reply) => panic!("refused: {reply:?}\n{}", smtp.client.log()),
            Err(_) => return,
        }
    }
}

async fn sign_in(site: &Site) -> Imap {
    let config = tls::outbound_config(tls::Verification::Opportunistic).unwrap();
    let mut imap = Imap::connect_tls(site.imaps(), config, "localhost")
        .await
        .unwrap();
    let answer = imap
        .command(&format!("LOGIN alice@demo.test \"{PASSWORD}\""))
        .await
        .unwrap();
    assert!(answer.is_ok(), "{answer:?}");
    imap
}

/// Number in the subject of each message, by UID.
async fn stored(site: &Site) -> (String, BTreeMap<u32, u64>) {
    let mut imap = sign_in(site).await;
    let selected = imap.command("EXAMINE INBOX").await.unwrap();
    let validity = selected
        .text()
        .iter()
        .find_map(|line| {
            line.split_once("UIDVALIDITY ")
                .map(|(_, rest)| rest.to_owned())
        })
        .expect("UIDVALIDITY");
    let answer = imap
        .command("UID FETCH 1:* (BODY.PEEK[HEADER.FIELDS (Subject)])")
        .await
        .unwrap();
    assert!(answer.is_ok(), "{answer:?}");
    let mut found = BTreeMap::new();
    for line in answer.text() {
        let Some((_, rest)) = line.split_once("UID ") else {
            continue;
        };
        let uid = rest.split([' ', ')']).next().unwrap().parse().unwrap();
        let (_, subject) = line.split_once("Subject: ").expect("a subject");
        let number = subject.split("\r\n").next().unwrap().parse().unwrap();
        assert!(found.insert(uid, number).is_none(), "UID {uid} twice");
    }
    (validity, found)
}

/// every acknowledged message is there exactly once after each kill, UIDs only grow.
#[tokio::test(flavor = "multi_thread")]
async fn kill_9_under_load_loses_nothing() {
    let kills = std::env::var("MUSKOX_KILLS")
        .ok()
        .and_then(|kills| kills.parse().ok());
    let kills = kills.unwrap_or(KILLS);
    let site = Site::new(crate::binary());
    let mut process = site.start();
    assert!(site.command(&["domain", "add", "demo.test"]).0);
    let (added, text) = site.command_with(&["account", "add", "alice@demo.test"], PASSWORD);
    assert!(added, "{text}");
    let ledger = Arc::new(Ledger::default());
    let mut known: BTreeMap<u32, u64> = BTreeMap::new();
    let mut validity = None;
    for round in 0..kills {
        let stop = Arc::new(AtomicBool::new(false));
        let senders: Vec<_> = (0..SESSIONS)
            .map(|_| tokio::spawn(send(site.lmtp(), Arc::clone(&ledger), Arc::clone(&stop))))
            .collect();
        // The moment differs from round to round, from the first messages to full swing.
        tokio::time::sleep(Duration::from_millis(60 + (round as u64 * 37) % 250)).await;
        process.kill();
        stop.store(true, Ordering::SeqCst);
        for sender in senders {
            sender.await.expect("no message is refused");
        }
        process = site.start();
        let (now_validity, now) = stored(&site).await;
        assert_eq!(*validity.get_or_insert(now_validity.clone()), now_validity);
        for (uid, number) in &known {
            assert_eq!(
                now.get(uid),
                Some(number),
                "UID {uid} changed in round {round}"
            );
        }
        let highest = known.keys().last().copied().unwrap_or(0);
        assert!(
            now.keys()
                .all(|uid| known.contains_key(uid) || *uid > highest),
            "a UID came late"
        );
        let mut copies: BTreeMap<u64, usize> = BTreeMap::new();
        for number in now.values() {
            *copies.entry(*number).or_default() += 1;
        }
        for number in ledger.acknowledged.lock().unwrap().iter() {
            assert_eq!(
                copies.get(number),
                Some(&1),
                "message {number} in round {round}"
            );
        }
        known = now;
    }
    let acknowledged = ledger.acknowledged.lock().unwrap().len();
    assert!(
        acknowledged > kills,
        "only {acknowledged} messages were acknowledged"
    );
    let (good, text) = site.command(&["db", "check"]);
    assert!(good, "{text}");
    assert_eq!(process.terminate(), Some(0));
}

/// What one server has acknowledged the next one on the same data has, and nobody else can open
/// the data meanwhile.
#[tokio::test(flavor = "multi_thread")]
async fn a_data_directory_has_one_server_and_survives_a_restart() {
    let site = Site::new(crate::binary());
    let process = site.start();
    assert!(site.command(&["domain", "add", "demo.test"]).0);
    assert!(
        site.command_with(&["account", "add", "alice@demo.test"], PASSWORD)
            .0
    );
    let (started, text) = site.command(&["serve"]);
    assert!(!started && text.contains("in use"), "{text}");
    assert_eq!(text.trim().lines().count(), 1, "one clear line: {text}");
    assert_eq!(process.terminate(), Some(0));
    let process = site.start();
    let (_, accounts) = site.command(&["account", "list"]);
    assert!(accounts.contains("alice@demo.test"), "{accounts}");
    assert_eq!(process.terminate(), Some(0));
}

/// A disk that fails as long as the test wants it to.
#[derive(Debug, Default)]
struct Disk {
    full: AtomicBool,
    broken: AtomicBool,
}

impl store::Faults for Disk {
    fn before(&self, operation: store::Operation) -> Option<store::Fault> {
        use store::{Fault, Operation};
        match operation {
            Operation::Commit if self.broken.load(Ordering::SeqCst) => Some(Fault::Io),
            Operation::Statement | Operation::Write if self.full.load(Ordering::SeqCst) => {
                Some(Fault::Full)
            }
            _ => None,
        }
    }
}

async fn inbox(server: &TestServer) -> usize {
    let mut imap = server.imap("alice").await;
    let answer = imap.command("STATUS INBOX (MESSAGES)").await.unwrap();
    let line = answer
        .text()
        .into_iter()
        .find(|line| line.contains("MESSAGES"))
        .unwrap();
    let (_, count) = line.split_once("MESSAGES ").unwrap();
    count.trim_end_matches(')').parse().unwrap()
}

async fn deliver(server: &TestServer, octets: usize) -> u16 {
    let mut smtp = Smtp::connect(server.address("mx")).await.unwrap();
    let line = "0123456789abcdefghijklmnopqrstuvwxyz\r\n";
    // Every line differs, so that the message does not compress to nothing.
    let body: String = (0..octets / line.len())
        .map(|number| format!("{number:x}{line}"))
        .collect();
    let message = format!("From: <s@example.test>\r\nSubject: full\r\n\r\n{body}");
    smtp.deliver("s@example.test", &["alice@demo.test"], message.as_bytes())
        .await
        .unwrap()
        .0
}

/// `452 4.3.1`, nothing half-stored, reading goes on, and it recovers by itself.
#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_defers_mail_and_reading_goes_on() {
    let disk = Arc::new(Disk::default());
    let faults = Arc::clone(&disk);
    let server = TestServer::start_with(|_| {}, |parts| parts.faults = Some(faults)).await;
    assert_eq!(deliver(&server, 100).await, 250);
    disk.full.store(true, Ordering::SeqCst);
    for octets in [100, 400_000] {
        assert_eq!(deliver(&server, octets).await, 452, "{octets} octets");
    }
    assert_eq!(inbox(&server).await, 1);
    disk.full.store(false, Ordering::SeqCst);
    for octets in [100, 400_000] {
        assert_eq!(deliver(&server, octets).await, 250, "{octets} octets");
    }
    assert_eq!(inbox(&server).await, 3);
    server.stop().await;
}

/// what a flush that failed has lost nobody knows: nothing is promised after it.
#[tokio::test(flavor = "multi_thread")]
async fn a_flush_that_fails_ends_acceptance_for_good() {
    let disk = Arc::new(Disk::default());
    let faults = Arc::clone(&disk);
    let server = TestServer::start_with(|_| {}, |parts| parts.faults = Some(faults)).await;
    assert_eq!(deliver(&server, 100).await, 250);
    disk.broken.store(true, Ordering::SeqCst);
    assert_eq!(deliver(&server, 100).await, 451);
    disk.broken.store(false, Ordering::SeqCst);
    assert_eq!(
        deliver(&server, 100).await,
        451,
        "the disk seems well again, but is not trusted"
    );
    assert!(server.server.services.db.is_failed());
}
