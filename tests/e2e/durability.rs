//! What was acknowledged is there: restarts, a full disk, a disk that fails. `kill -9` and power cuts
//! are torture's.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use testkit::TestServer;
use testkit::client::Smtp;
use testkit::process::Site;

const PASSWORD: &str = "correct horse battery";

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
