//! What users and administrators teach the filter, and what comes of it.

use std::time::Duration;

use testkit::TestServer;
use testkit::client::PATIENCE;

use crate::filter::{done, file, send};
use crate::mailflow::message;

const SENDER: &str = "bob@example.test";

/// What was learned as good mail and as spam, of an account or of all.
fn learned(server: &TestServer, account: Option<&str>) -> (u64, u64) {
    let mut arguments = vec!["learn", "status"];
    arguments.extend(account.into_iter().flat_map(|name| ["--account", name]));
    let text = done(server, &arguments);
    let count = |key: &str| {
        let words = text.lines().map(str::split_whitespace);
        let mut found = words.filter_map(|mut words| {
            let is_it = words.next() == Some(key);
            is_it.then(|| words.next().unwrap().parse().unwrap())
        });
        found.next().unwrap_or_else(|| panic!("no {key} in {text}"))
    };
    (count("ham"), count("spam"))
}

/// Waits until so much was learned.
async fn wait_for(server: &TestServer, account: Option<&str>, wanted: (u64, u64)) {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    loop {
        let found = learned(server, account);
        if found == wanted {
            return;
        }
        let late = tokio::time::Instant::now() > deadline;
        assert!(!late, "{found:?} instead of {wanted:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// A message of its own words.
fn letter(number: usize, words: &str) -> Vec<u8> {
    let mut letter = message(SENDER, "alice@demo.test", &format!("{words} {number}"));
    letter.extend_from_slice(format!("{words} {number}\r\n").as_bytes());
    letter
}

#[tokio::test(flavor = "multi_thread")]
async fn moving_mail_into_junk_and_back_teaches() {
    let server = TestServer::start().await;
    let alice = Some("alice@demo.test");
    server.deliver("alice", &letter(1, "kettles")).await;
    let mut imap = server.imap("alice").await;
    assert!(imap.command("SELECT INBOX").await.unwrap().is_ok());
    let answer = imap.command("UID MOVE 1 Junk").await.unwrap();
    assert!(answer.is_ok(), "{answer:?}");
    wait_for(&server, alice, (0, 1)).await;
    assert!(imap.command("SELECT Junk").await.unwrap().is_ok());
    let answer = imap.command("UID MOVE 1 INBOX").await.unwrap();
    assert!(answer.is_ok(), "{answer:?}");
    wait_for(&server, alice, (1, 0)).await;
    // It counts for those who have no words of their own yet.
    assert_eq!(learned(&server, None), (1, 0));
    assert_eq!(learned(&server, Some("bob@demo.test")), (0, 0));
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn files_teach_once_and_then_words_count() {
    let server = TestServer::start().await;
    for (class, words) in [
        (
            "ham",
            "the minutes of our meeting about teapots and kettles",
        ),
        (
            "spam",
            "enlarge your marvellous turnips with magic lottery powder",
        ),
    ] {
        let folder = server.data().join(class);
        std::fs::create_dir(&folder).unwrap();
        for number in 0..200 {
            let path = folder.join(number.to_string());
            std::fs::write(path, letter(number, words)).unwrap();
        }
        let folder = folder.to_str().unwrap();
        let text = done(&server, &["learn", class, folder]);
        assert!(text.contains("200 learned, 0 known"), "{text}");
        let text = done(&server, &["learn", class, folder]);
        assert!(text.contains("0 learned, 200 known"), "{text}");
    }
    assert_eq!(learned(&server, None), (200, 200));
    let forged = letter(99, "magic turnips of a marvellous lottery, and powder");
    send(&server, SENDER, &["alice@demo.test"], &forged).await;
    let honest = letter(98, "minutes about kettles and teapots at our meeting");
    send(&server, SENDER, &["alice@demo.test"], &honest).await;
    let list = done(&server, &["message", "list"]);
    let why = |row: usize| {
        let id = list.lines().nth(row).unwrap().split_whitespace().next();
        done(&server, &["message", "why", id.unwrap()])
    };
    // The latest first; two of one second in either order.
    let both = why(1) + &why(2);
    assert!(both.contains("BAYES_SPAM"), "{both}");
    assert!(both.contains("BAYES_HAM"), "{both}");
    done(&server, &["learn", "forget"]);
    assert_eq!(learned(&server, None), (0, 0));
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trap_takes_everything_delivers_nothing_and_teaches_all() {
    let server = TestServer::start().await;
    server.account("trap@demo.test").await;
    done(&server, &["setting", "role", "trap@demo.test", "spam_trap"]);
    let sent = letter(1, "turnips");
    let reply = send(&server, SENDER, &["trap@demo.test"], &sent).await;
    assert_eq!(reply.0, 250, "{reply:?}");
    wait_for(&server, None, (0, 1)).await;
    for mailbox in ["INBOX", "Junk"] {
        assert!(server.messages("trap", mailbox).await.is_empty());
    }
    // A copy of the same text to somebody else is known.
    let path = file(&server, "copy.eml", &sent);
    let text = done(&server, &["learn", "spam", &path]);
    assert!(text.contains("1 known already"), "{text}");
    server.stop().await;
}
