//! Data directories as earlier releases left them: `fixtures/data/<version>.tar.zst`.
//!
//! Each release adds one, made by its own program before its version changes:
//! `cargo nextest run -p muskox-tests --run-ignored only make_a_fixture`. [`make`] says what is in it,
//! and [`examine`] asks for all of it again.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use testkit::TestServer;

use crate::filter::{done, file};

/// What a fixture may weigh in the repository.
const MOST_BYTES: usize = 200_000;

const SMALL: &str = "From: <bob@example.test>\r\nTo: <alice@demo.test>\r\nSubject: small\r\n\
    Date: Sat, 28 Nov 2026 12:00:00 +0000\r\nMessage-ID: <small@example.test>\r\n\r\nHello.\r\n";
const WAITING: &str = "From: <alice@demo.test>\r\nTo: <450@later.test>\r\nSubject: waiting\r\n\
    Date: Sat, 28 Nov 2026 12:00:00 +0000\r\nMessage-ID: <waiting@demo.test>\r\n\r\nLater.\r\n";
const RULES: &str = "name = \"fruit\"\n\n[[rule]]\nsymbol = \"FRUIT\"\nscore = 2.0\n\
    description = \"fruit is not wanted\"\nwhen = { in = \"body\", match = '/\\bgooseberries\\b/' }\n";
const LEARNED: usize = 5;

/// Too large for a row, and it does not compress.
fn large() -> String {
    let mut message = SMALL.replace("small", "large");
    let mut state = 1_u64;
    for _ in 0..500 {
        for _ in 0..4 {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            message.push_str(&format!("{:016x}", state ^ (state >> 33)));
        }
        message.push_str("\r\n");
    }
    message
}

/// Every fixture with its name.
pub(super) fn all() -> Vec<PathBuf> {
    let mut found: Vec<_> = std::fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    found.sort();
    assert!(!found.is_empty());
    found
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/data")
}

/// Lays the data directory in `archive` out in `to`.
pub(super) fn unpack(archive: &Path, to: &Path) {
    let packed = std::fs::read(archive).unwrap();
    let plain = zstd::decode_all(packed.as_slice()).unwrap();
    let mut tar = Command::new("tar")
        .args(["-x", "-C"])
        .arg(to)
        .stdin(Stdio::piped())
        .spawn()
        .expect("tar(1)");
    tar.stdin.take().unwrap().write_all(&plain).unwrap();
    assert!(tar.wait().unwrap().success());
}

fn pack(data: &Path) -> Vec<u8> {
    let tar = Command::new("tar")
        .args(["-c", "--owner=0", "--group=0", "--numeric-owner", "-C"])
        .arg(data)
        .args(["mail.db", "blobs"])
        .output()
        .expect("tar(1)");
    assert!(tar.status.success(), "{tar:?}");
    zstd::encode_all(tar.stdout.as_slice(), 19).unwrap()
}

/// Fills a new server's data directory with a little of everything.
async fn make() -> tempfile::TempDir {
    let server = TestServer::start().await;
    server
        .alias("team@demo.test", &["alice@demo.test", "bob@demo.test"])
        .await;
    server.deliver("alice", SMALL.as_bytes()).await;
    server.deliver("team", large().as_bytes()).await;
    let mut imap = server.imap("alice").await;
    for command in [
        "SELECT INBOX",
        "UID STORE 1 +FLAGS (\\Flagged project)",
        "CREATE Archive/2026",
        "UID COPY 2 Archive/2026",
    ] {
        assert!(imap.command(command).await.unwrap().is_ok(), "{command}");
    }
    let mut smtp = server.submission("alice").await;
    let sent = smtp
        .deliver("alice@demo.test", &["450@later.test"], WAITING.as_bytes())
        .await;
    assert_eq!(sent.unwrap().0, 250);
    done(&server, &["queue", "hold", "1"]);
    let map = file(&server, "fruit", "/\\bmedlars\\b/i\n");
    done(
        &server,
        &[
            "map",
            "add",
            "fruit.map",
            &map,
            "--symbol",
            "MEDLARS",
            "--score",
            "2",
        ],
    );
    let rules = file(&server, "rules.toml", RULES);
    done(&server, &["rules", "add", &rules]);
    for class in ["ham", "spam"] {
        for number in 0..LEARNED {
            let letter = SMALL.replace("small", &format!("{class}{number}"));
            let letter = file(&server, "letter", letter);
            done(&server, &["learn", class, &letter]);
        }
    }
    server.stopped().await
}

/// Everything that [`make`] has put there.
pub(super) async fn examine(server: &TestServer) {
    let inbox = server.messages("alice", "INBOX").await;
    assert_eq!(inbox.len(), 2);
    assert!(inbox[0].ends_with(SMALL.as_bytes()) && inbox[1].ends_with(large().as_bytes()));
    for (account, mailbox) in [("alice", "Archive/2026"), ("bob", "INBOX")] {
        let messages = server.messages(account, mailbox).await;
        assert_eq!(messages.len(), 1, "{mailbox}");
        assert!(messages[0].ends_with(large().as_bytes()), "{mailbox}");
    }
    let mut imap = server.imap("alice").await;
    assert!(imap.command("EXAMINE INBOX").await.unwrap().is_ok());
    let flags = imap
        .command("UID FETCH 1 FLAGS")
        .await
        .unwrap()
        .text()
        .concat();
    assert!(
        flags.contains("\\Flagged") && flags.contains("project"),
        "{flags}"
    );
    let learned = format!("ham    {LEARNED}\nspam   {LEARNED}\n");
    for (arguments, wanted) in [
        (&["queue", "list"][..], "held"),
        (&["queue", "show", "1"], "Subject: waiting"),
        (&["alias", "list"], "team@demo.test"),
        (&["map", "show", "fruit.map"], "medlars"),
        (&["rules", "show", "fruit"], "gooseberries"),
        (&["learn", "status"], &learned),
        (
            &["message", "why", "large@example.test"],
            "sender@example.test",
        ),
    ] {
        let text = done(server, arguments);
        assert!(text.contains(wanted), "{arguments:?}: {text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "run once for each release: it writes into the source tree"]
async fn make_a_fixture() {
    let data = make().await;
    let packed = pack(data.path());
    assert!(packed.len() < MOST_BYTES, "{} octets", packed.len());
    std::fs::create_dir_all(folder()).unwrap();
    let name = format!("{}.tar.zst", env!("CARGO_PKG_VERSION"));
    std::fs::write(folder().join(name), packed).unwrap();
}
