//! What becomes of a message by rules, maps, lists and thresholds, set on the command line while
//! mail flows.

use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use ambient::{Clock as _, FakeClock, SystemClock};
use testkit::TestServer;
use testkit::client::Smtp;

use crate::mailflow::message;

const SENDER: &str = "bob@example.test";

/// Runs `muskox` against a server: its exit code, and what it printed.
pub(crate) fn muskox(server: &TestServer, arguments: &[&str]) -> (Option<i32>, String) {
    let output = Command::new(crate::binary())
        .arg("--socket")
        .arg(server.control())
        .args(arguments)
        .output()
        .unwrap();
    let mut text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.push_str(&String::from_utf8_lossy(&output.stderr));
    (output.status.code(), text)
}

/// The same; it must succeed.
pub(crate) fn done(server: &TestServer, arguments: &[&str]) -> String {
    let (code, text) = muskox(server, arguments);
    assert_eq!(code, Some(0), "{arguments:?}: {text}");
    text
}

/// Writes a file into the server's directory; its path.
pub(crate) fn file(server: &TestServer, name: &str, content: impl AsRef<[u8]>) -> String {
    let path = server.data().join(name);
    std::fs::write(&path, content).unwrap();
    path.to_str().unwrap().to_owned()
}

/// A message with these words.
fn with(words: &str) -> Vec<u8> {
    let mut message = message(SENDER, "alice@demo.test", words);
    message.extend_from_slice(words.as_bytes());
    message.extend_from_slice(b"\r\n");
    message
}

/// Sends a message to the MX; the reply.
pub(crate) async fn send(
    server: &TestServer,
    from: &str,
    to: &[&str],
    message: &[u8],
) -> (u16, String) {
    let mut smtp = Smtp::connect(server.address("mx")).await.unwrap();
    smtp.deliver(from, to, message).await.unwrap()
}

/// The name of an accepted message.
fn id(reply: &(u16, String)) -> &str {
    assert_eq!(reply.0, 250, "{reply:?}");
    reply.1.split_whitespace().last().unwrap()
}

/// A server where `wonderpills` makes a message junk (8) and `deadlypills` has it refused (20).
pub(crate) async fn pharmacy() -> TestServer {
    let server = TestServer::start().await;
    add_maps(&server);
    server
}

fn add_maps(server: &TestServer) {
    for (word, symbol, score) in [
        ("wonderpills", "WONDER_PILLS", "8"),
        ("deadlypills", "DEADLY_PILLS", "20"),
    ] {
        let path = file(server, word, format!("/\\b{word}\\b/i\n"));
        let name = format!("{word}.map");
        let add = ["map", "add", &name, &path, "--symbol", symbol];
        done(server, &[&add[..], &["--score", score]].concat());
    }
}

/// How many messages there are in alice's INBOX and in her Junk.
async fn of_alice(server: &TestServer) -> (usize, usize) {
    let inbox = server.messages("alice", "INBOX").await.len();
    (inbox, server.messages("alice", "Junk").await.len())
}

/// The first cell of the first row of a table.
fn first_cell(table: &str) -> &str {
    let row = table.lines().nth(1).unwrap_or_else(|| panic!("{table}"));
    row.split_whitespace().next().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn spam_is_filed_or_refused_and_the_reasons_are_kept() {
    let server = pharmacy().await;
    let reply = send(&server, SENDER, &["alice@demo.test"], &with("WonderPills")).await;
    let junk = server.messages("alice", "Junk").await;
    let text = String::from_utf8_lossy(&junk[0]);
    for wanted in [
        "X-Spam-Flag: YES\r\n",
        "X-Spam-Score: ",
        "X-Spam-Status: Yes, score=",
        " required=6.00",
        "WONDER_PILLS=8.00",
    ] {
        assert!(text.contains(wanted), "no {wanted:?} in {text}");
    }
    let why = done(&server, &["message", "why", id(&reply)]);
    for wanted in ["WONDER_PILLS", "junk, score", "R_SPF_ALLOW", SENDER] {
        assert!(why.contains(wanted), "no {wanted:?} in {why}");
    }
    let reply = send(&server, SENDER, &["alice@demo.test"], &with("deadlypills")).await;
    assert_eq!(reply.0, 550, "{reply:?}");
    assert!(reply.1.starts_with("5.7.1 "), "{reply:?}");
    let why = done(&server, &["message", "why", "deadlypills@example.test"]);
    assert!(
        why.contains("DEADLY_PILLS") && why.contains("reject, score"),
        "{why}"
    );
    assert_eq!(of_alice(&server).await, (0, 1));
    let (code, text) = muskox(&server, &["message", "why", "nothing-of-the-kind"]);
    assert_eq!(code, Some(4), "{text}");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_map_is_live_with_the_reply_and_a_bad_line_changes_nothing() {
    let server = TestServer::start().await;
    let to = ["alice@demo.test"];
    let sent = with("gooseberries");
    assert_eq!(send(&server, SENDER, &to, &sent).await.0, 250);
    let good = file(&server, "good", "# fruit\n/\\bgooseberr(?:y|ies)\\b/i\n");
    let tried = done(&server, &["map", "try", "bad_words.map", "--file", &good]);
    assert!(tried.starts_with("1 of 1 messages\n"), "{tried}");
    assert!(tried.contains(SENDER), "{tried}");
    let text = done(&server, &["map", "set", "bad_words.map", &good]);
    assert!(
        text.contains("bad_words.map: live in revision "),
        "no revision in {text}"
    );
    let score = done(&server, &["map", "score", "bad_words.map", "20"]);
    let revision = |text: &str| -> u64 {
        let (_, rest) = text.split_once("revision ").unwrap();
        rest.split_whitespace().next().unwrap().parse().unwrap()
    };
    assert!(revision(&score) > revision(&text), "{text}{score}");
    let reply = send(&server, SENDER, &to, &sent).await;
    assert_eq!(reply.0, 550, "{reply:?}");
    let bad = file(&server, "bad", "/fine/\n/un(closed/\n");
    let (code, text) = muskox(&server, &["map", "set", "bad_words.map", &bad]);
    assert_eq!(code, Some(2), "{text}");
    assert!(text.contains("line 2, column 4: "), "{text}");
    let kept = done(&server, &["map", "show", "bad_words.map"]);
    assert_eq!(kept, "# fruit\n/\\bgooseberr(?:y|ies)\\b/i\n");
    let reply = send(&server, SENDER, &to, &sent).await;
    assert_eq!(reply.0, 550, "{reply:?}");
    done(&server, &["map", "disable", "bad_words.map"]);
    assert_eq!(send(&server, SENDER, &to, &sent).await.0, 250);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_map_of_mailcow_is_taken_over() {
    let server = TestServer::start().await;
    let map = "# from mailcow\n/^x-campaign:\\sgooseberr/mi\n";
    let path = file(&server, "bad_header.map", map);
    let text = done(&server, &["map", "import", &path]);
    assert!(text.contains("live in revision "), "{text}");
    assert_eq!(done(&server, &["map", "show", "bad_header.map"]), map);
    let mut sent = b"X-Campaign: gooseberries\r\n".to_vec();
    sent.extend(with("hello"));
    let reply = send(&server, SENDER, &["alice@demo.test"], &sent).await;
    let why = done(&server, &["message", "why", id(&reply)]);
    assert!(why.contains("BAD_HEADER"), "{why}");
    assert_eq!(of_alice(&server).await, (0, 1));
    let other = file(&server, "unheard_of.map", map);
    assert_eq!(muskox(&server, &["map", "import", &other]).0, Some(2));
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_of_an_account_and_of_a_domain_decide_about_senders() {
    let server = pharmacy().await;
    server.account("carol@demo.test").await;
    let deny = ["sender", "deny", SENDER, "--for", "alice@demo.test"];
    done(&server, &deny);
    let refused = send(&server, SENDER, &["alice@demo.test"], &with("hello")).await;
    assert_eq!(refused.0, 550, "{refused:?}");
    // Others' mail does not suffer; the one who does not want it finds it in Junk.
    let both = ["alice@demo.test", "carol@demo.test"];
    let reply = send(&server, SENDER, &both, &with("to both")).await;
    assert_eq!(reply.0, 250, "{reply:?}");
    assert_eq!(of_alice(&server).await, (0, 1));
    assert_eq!(server.messages("carol", "INBOX").await.len(), 1);
    let list = done(&server, &["sender", "list", "--for", "alice@demo.test"]);
    let entry = first_cell(&list).to_owned();
    let remove = ["sender", "remove", &entry, "--for", "alice@demo.test"];
    done(&server, &remove);
    let allow = ["sender", "allow", "*@example.test", "--for", "demo.test"];
    done(&server, &allow);
    let reply = send(&server, SENDER, &both, &with("deadlypills")).await;
    let why = done(&server, &["message", "why", id(&reply)]);
    assert!(why.contains("ALLOWED_SENDER"), "{why}");
    assert_eq!(of_alice(&server).await, (1, 1));
    assert_eq!(server.messages("carol", "INBOX").await.len(), 2);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_account_has_thresholds_of_its_own() {
    let server = pharmacy().await;
    let set = ["setting", "set", "junk=12", "--for", "alice@demo.test"];
    done(&server, &set);
    let both = ["alice@demo.test", "bob@demo.test"];
    let reply = send(&server, SENDER, &both, &with("wonderpills")).await;
    assert_eq!(reply.0, 250, "{reply:?}");
    assert_eq!(of_alice(&server).await, (1, 0));
    assert_eq!(server.messages("bob", "Junk").await.len(), 1);
    let unset = ["setting", "set", "junk=", "--for", "alice@demo.test"];
    done(&server, &unset);
    send(&server, SENDER, &["alice@demo.test"], &with("wonderpills")).await;
    assert_eq!(of_alice(&server).await, (1, 1));
    let discard = ["setting", "set", "discard=7", "--for", "alice@demo.test"];
    done(&server, &discard);
    let reply = send(&server, SENDER, &["alice@demo.test"], &with("wonderpills")).await;
    let why = done(&server, &["message", "why", id(&reply)]);
    assert!(why.contains("discard, score"), "{why}");
    assert_eq!(of_alice(&server).await, (1, 1), "nothing more is stored");
    let (code, text) = muskox(&server, &["setting", "set", "jnk=3"]);
    assert_eq!(code, Some(2), "{text}");
    assert!(text.contains("junk, rewrite"), "{text}");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_subject_says_that_a_message_is_junk() {
    let server = pharmacy().await;
    let to = ["alice@demo.test"];
    done(&server, &["setting", "set", "rewrite=7"]);
    send(&server, SENDER, &to, &with("wonderpills")).await;
    let own = "subject_prefix=[Müll] ";
    done(
        &server,
        &["setting", "set", own, "--for", "alice@demo.test"],
    );
    send(&server, SENDER, &to, &with("wonderpills")).await;
    let junk = server.messages("alice", "Junk").await;
    let subject = |message: &[u8]| mime::decode::header(message, "Subject").unwrap();
    assert_eq!(subject(&junk[0]), "[SPAM] wonderpills");
    assert_eq!(subject(&junk[1]), "[Müll] wonderpills");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_quarantine_is_listed_released_and_deleted() {
    let server = pharmacy().await;
    let to = ["alice@demo.test"];
    done(
        &server,
        &["setting", "set", "quarantine=7", "--for", "alice@demo.test"],
    );
    for _ in 0..2 {
        let reply = send(&server, SENDER, &to, &with("wonderpills")).await;
        assert_eq!(reply.0, 250, "{reply:?}");
    }
    assert_eq!(of_alice(&server).await, (0, 0));
    let list = done(&server, &["quarantine", "list"]);
    assert_eq!(list.lines().count(), 3, "{list}");
    for wanted in ["alice@demo.test", SENDER, "wonderpills"] {
        assert!(list.contains(wanted), "no {wanted:?} in {list}");
    }
    let bobs = done(
        &server,
        &["quarantine", "list", "--account", "bob@demo.test"],
    );
    assert!(!bobs.contains("wonderpills"), "{bobs}");
    let first = first_cell(&list).to_owned();
    let shown = done(&server, &["quarantine", "show", &first]);
    assert!(shown.contains("Subject: wonderpills"), "{shown}");
    done(&server, &["quarantine", "release", &first]);
    assert_eq!(of_alice(&server).await, (1, 0));
    let list = done(&server, &["quarantine", "list"]);
    let second = first_cell(&list).to_owned();
    assert_ne!(first, second);
    done(&server, &["quarantine", "delete", &second]);
    let list = done(&server, &["quarantine", "list"]);
    assert!(!list.contains("wonderpills"), "{list}");
    let (code, text) = muskox(&server, &["quarantine", "release", &first]);
    assert_eq!(code, Some(4), "{text}");
    assert_eq!(of_alice(&server).await, (1, 0));
    // What is left in it goes with the account.
    send(&server, SENDER, &to, &with("wonderpills")).await;
    done(&server, &["account", "remove", "alice@demo.test", "--yes"]);
    let list = done(&server, &["quarantine", "list"]);
    assert!(!list.contains("wonderpills"), "{list}");
    server.stop().await;
}

/// Asks about a message over Rspamd's protocol, as if a client at 198.51.100.7 sent it.
async fn asked(server: &TestServer, message: &[u8]) -> String {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let address = server.address("rspamd");
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    let request = format!(
        "POST /checkv2 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nIP: 198.51.100.7\r\n\
         Helo: client.test\r\nFrom: someone@elsewhere.test\r\nRcpt: alice@demo.test\r\n\
         Content-Length: {}\r\n\r\n",
        message.len()
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    stream.write_all(message).await.unwrap();
    let mut response = String::new();
    stream.read_to_string(&mut response).await.unwrap();
    response
}

/// Through Rspamd's protocol, since clients on loopback are not asked to come again.
#[tokio::test(flavor = "multi_thread")]
async fn greylisted_mail_is_let_in_when_it_comes_again() {
    let clock = Arc::new(FakeClock::new(SystemClock.now()));
    let parts_clock = Arc::clone(&clock);
    let server = TestServer::start_with(
        |config| config.filter.rspamd = vec!["127.0.0.1:0".parse().unwrap()],
        |parts| parts.clock = Some(parts_clock),
    )
    .await;
    let everything = ["setting", "set", "greylist=-90", "junk=900", "reject=999"];
    done(
        &server,
        &[&everything[..], &["--for", "alice@demo.test"]].concat(),
    );
    let sent = message("someone@elsewhere.test", "alice@demo.test", "again");
    for (seconds, wanted) in [(0, "greylist"), (60, "greylist"), (300, "no action")] {
        clock.advance(Duration::from_secs(seconds));
        let answer = asked(&server, &sent).await;
        let wanted = format!("\"action\":\"{wanted}\"");
        assert!(answer.contains(&wanted), "no {wanted} in {answer}");
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tag_becomes_a_folder_or_a_part_of_the_subject() {
    let server = TestServer::start().await;
    let to = ["alice+lists@demo.test"];
    let sent = with("hello");
    done(
        &server,
        &[
            "setting",
            "set",
            "tagged=subfolder",
            "--for",
            "alice@demo.test",
        ],
    );
    assert_eq!(send(&server, SENDER, &to, &sent).await.0, 250);
    assert_eq!(server.messages("alice", "INBOX/lists").await.len(), 1);
    done(
        &server,
        &[
            "setting",
            "set",
            "tagged=subject",
            "--for",
            "alice@demo.test",
        ],
    );
    assert_eq!(send(&server, SENDER, &to, &sent).await.0, 250);
    let inbox = server.messages("alice", "INBOX").await;
    let subject = mime::decode::header(&inbox[0], "Subject").unwrap();
    assert_eq!(subject, "[lists] hello");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_internal_address_is_for_senders_of_ours() {
    let server = TestServer::start().await;
    server.alias("team@demo.test", &["alice@demo.test"]).await;
    done(&server, &["setting", "role", "team@demo.test", "internal"]);
    let mut smtp = Smtp::connect(server.address("mx")).await.unwrap();
    smtp.command("MAIL FROM:<bob@example.test>").await.unwrap();
    let reply = smtp.command("RCPT TO:<team@demo.test>").await.unwrap();
    assert_eq!(reply.0, 550, "{reply:?}");
    assert!(reply.1.starts_with("5.7.1 "), "{reply:?}");
    // What the role is given to alone is closed.
    let reply = smtp.command("RCPT TO:<alice@demo.test>").await.unwrap();
    assert_eq!(reply.0, 250, "{reply:?}");
    let sent = message("bob@demo.test", "team@demo.test", "for us");
    let mut submission = server.submission("bob").await;
    let reply = submission
        .deliver("bob@demo.test", &["team@demo.test"], &sent)
        .await
        .unwrap();
    assert_eq!(reply.0, 250, "{reply:?}");
    assert_eq!(server.messages("alice", "INBOX").await.len(), 1);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_sends_so_much_in_a_time_and_only_from_its_networks() {
    let server = TestServer::start().await;
    let limit = ["setting", "set", "limit=2 / 1h", "--for", "alice@demo.test"];
    done(&server, &limit);
    let sent = message("alice@demo.test", "bob@demo.test", "much");
    let mut alice = server.submission("alice").await;
    for wanted in [250, 250, 450] {
        let reply = alice
            .deliver("alice@demo.test", &["bob@demo.test"], &sent)
            .await
            .unwrap();
        assert_eq!(reply.0, wanted, "{reply:?}");
    }
    assert_eq!(server.messages("bob", "INBOX").await.len(), 2);
    let sent = message("bob@demo.test", "alice@demo.test", "from here");
    let mut bob = server.submission("bob").await;
    let network = |network: &str| {
        let add = ["setting", "network", "add", network, "submission"];
        done(
            &server,
            &[&add[..], &["--account", "bob@demo.test"]].concat(),
        );
    };
    network("192.0.2.0/24");
    let reply = bob
        .deliver("bob@demo.test", &["alice@demo.test"], &sent)
        .await
        .unwrap();
    assert_eq!(reply.0, 550, "{reply:?}");
    network("127.0.0.0/8");
    let reply = bob
        .deliver("bob@demo.test", &["alice@demo.test"], &sent)
        .await
        .unwrap();
    assert_eq!(reply.0, 250, "{reply:?}");
    server.stop().await;
}
