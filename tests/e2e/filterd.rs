//! The filter for other mail servers: `rspamc` of Debian's package `rspamd` asks over Rspamd's
//! protocol, Postfix over milter.

use std::time::Duration;

use testkit::TestServer;

use crate::filter::{done, file, muskox};
use crate::interop::{NOBODY, PATIENCE, Postfix, Program, assert_has, free_port, port, text};
use crate::mailflow::message;

const PASSWORD: &str = "for teachers only";

/// A server with both listeners, where `wonderpills` is junk and `deadlypills` is refused.
async fn start() -> TestServer {
    let server = TestServer::start_with(
        |config| {
            let anywhere = "127.0.0.1:0".parse().unwrap();
            config.filter.rspamd = vec![anywhere];
            config.filter.milter = vec![anywhere];
            config.filter.password = Some(PASSWORD.to_owned());
        },
        |_| {},
    )
    .await;
    for (word, symbol, score) in [
        ("wonderpills", "WONDER_PILLS", "8"),
        ("deadlypills", "DEADLY_PILLS", "20"),
    ] {
        let lines = file(&server, word, format!("/\\b{word}\\b/i\n"));
        let name = format!("{word}.map");
        let add = ["map", "add", &name, &lines, "--symbol", symbol];
        done(&server, &[&add[..], &["--score", score]].concat());
    }
    server
}

fn with(words: &str) -> Vec<u8> {
    let mut message = message("bob@example.test", "alice@demo.test", words);
    message.extend_from_slice(words.as_bytes());
    message.extend_from_slice(b"\r\n");
    message
}

fn rspamc(server: &TestServer, arguments: &[&str]) -> Program {
    let address = format!("127.0.0.1:{}", port(server, "rspamd"));
    Program::new("rspamc", "rspamd")
        .args(["-h", &address])
        .args(arguments)
}

#[tokio::test(flavor = "multi_thread")]
async fn rspamc_asks_teaches_and_counts() {
    let server = start().await;
    let junk = file(&server, "junk.eml", with("wonderpills"));
    let arguments = [
        "--ip=127.0.0.1",
        "--helo=client.test",
        "--from=bob@example.test",
        "--rcpt=alice@demo.test",
        "--header=Queue-Id=4F2A",
    ];
    let asked = rspamc(&server, &[&arguments[..], &["symbols", &junk]].concat());
    let answer = text(&asked.run().await);
    assert_has(
        &answer,
        &[
            "Action: add header",
            "WONDER_PILLS (8.00)",
            // Who sent it was found out by us.
            "R_SPF_ALLOW",
            "DMARC_POLICY_ALLOW",
        ],
    );
    // The same file without a client is one that lies there: nobody is asked for whom it came.
    let asked = rspamc(&server, &["symbols", &junk]);
    let answer = text(&asked.run().await);
    assert_has(&answer, &["WONDER_PILLS"]);
    assert!(!answer.contains("R_SPF_ALLOW"), "{answer}");

    let refused = rspamc(&server, &["learn_spam", &junk]).output().await;
    let answer = text(&refused.stdout) + &text(&refused.stderr);
    assert_has(&answer, &["403"]);
    let learn = ["-P", PASSWORD, "learn_spam", &junk];
    let answer = text(&rspamc(&server, &learn).run().await);
    assert_has(&answer, &["success = true"]);
    let known = rspamc(&server, &learn).output().await;
    let answer = text(&known.stdout) + &text(&known.stderr);
    assert_has(&answer, &["learned before"]);
    let status = done(&server, &["learn", "status"]);
    assert_has(&status, &["spam   1\n", "ham    0\n"]);

    let stat = text(&rspamc(&server, &["-P", PASSWORD, "stat"]).run().await);
    assert_has(
        &stat,
        &[
            "Messages scanned: 2",
            "Messages with action add header: 2",
            "Messages learned: 1",
        ],
    );
    // What had a name is kept under it.
    let why = done(&server, &["message", "why", "4F2A"]);
    assert_has(&why, &["WONDER_PILLS", "alice@demo.test", "junk, score"]);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_map_saved_over_http_is_in_force_at_once() {
    let server = start().await;
    let address = format!("http://127.0.0.1:{}", port(&server, "rspamd"));
    let password = format!("Password: {PASSWORD}");
    let curl = |path: &str, body: Option<&str>| {
        let url = format!("{address}{path}");
        let arguments = ["-sS", "-H", &password, "-H", "Map: wonderpills.map", &url];
        let arguments = arguments.map(str::to_owned);
        let body = body.map(|body| ["--data-binary".to_owned(), body.to_owned()]);
        async move {
            let program = Program::new("curl", "curl").args(&arguments);
            let program = program.args(body.as_ref().map_or(&[][..], |body| &body[..]));
            text(&program.run().await)
        }
    };
    assert_has(&curl("/maps", None).await, &["\"deadlypills.map\""]);
    let other = file(&server, "other.eml", with("marvelpills"));
    let ask = ["symbols", &other];
    let before = text(&rspamc(&server, &ask).run().await);
    assert!(!before.contains("WONDER_PILLS"), "{before}");
    let saved = curl("/savemap", Some("/\\bmarvelpills\\b/i")).await;
    assert_has(&saved, &["\"success\":true", "\"revision\":"]);
    let after = text(&rspamc(&server, &ask).run().await);
    assert_has(&after, &["WONDER_PILLS (8.00)"]);
    let refused = curl("/savemap", Some("/(/")).await;
    assert_has(&refused, &["\"error\"", "line 1"]);
    assert_eq!(curl("/getmap", None).await, "/\\bmarvelpills\\b/i");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rspamc_hears_what_is_to_be_changed() {
    let server = start().await;
    let set = ["setting", "set", "rewrite=7", "--for", "alice@demo.test"];
    done(&server, &set);
    let junk = file(&server, "junk.eml", with("wonderpills"));
    let asked = rspamc(&server, &["--rcpt=alice@demo.test", "--json", &junk]);
    let answer = text(&asked.run().await);
    assert_has(&answer, &["\"rewrite subject\"", "[SPAM] wonderpills"]);
    let asked = rspamc(&server, &["--rcpt=bob@demo.test", "--json", &junk]);
    let answer = text(&asked.run().await);
    assert_has(&answer, &["\"add header\"", "X-Spam-Status"]);
    assert!(!answer.contains("[SPAM]"), "{answer}");
    server.stop().await;
}

/// The messages that Postfix has delivered, once there are `count`.
async fn delivered(postfix: &Postfix, count: usize) -> Vec<String> {
    let folder = postfix.path("mail").join("user/new");
    let wait = async {
        loop {
            let entries = std::fs::read_dir(&folder).into_iter().flatten().flatten();
            let paths: Vec<_> = entries.map(|entry| entry.path()).collect();
            if paths.len() >= count {
                let read = |path| std::fs::read_to_string(path).unwrap();
                return paths.into_iter().map(read).collect();
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(PATIENCE, wait)
        .await
        .unwrap_or_else(|_| panic!("{count} messages at Postfix; its log:\n{}", postfix.log()))
}

fn swaks(port: u16, words: &str) -> Program {
    let header = format!("Subject: {words}");
    Program::new("swaks", "swaks")
        .args(["--server", &format!("127.0.0.1:{port}")])
        .args(["--from", "bob@example.test", "--to", "user@user.test"])
        .args(["--ehlo", "client.test", "--header", &header])
        .args(["--header", "From: <bob@example.test>"])
        .args(["--header", "X-Spam-Status: No, trust me"])
        .args(["--body", &format!("Hello.\n{words}\n")])
}

/// A Postfix whose mail is judged at `milter` and delivered to `user/new` in its `mail`.
async fn postfix(at: u16, milter: &str) -> Postfix {
    let settings = format!(
        "smtpd_milters = inet:127.0.0.1:{milter}\nnon_smtpd_milters = inet:127.0.0.1:{milter}\n\
         milter_default_action = tempfail\nmilter_connect_timeout = 5s\n\
         virtual_mailbox_domains = user.test\nvirtual_mailbox_base = $queue_directory/../mail\n\
         virtual_mailbox_maps = static:user/\n\
         virtual_uid_maps = static:{NOBODY}\nvirtual_gid_maps = static:{NOBODY}"
    );
    Postfix::start(at, &settings).await
}

#[tokio::test(flavor = "multi_thread")]
async fn postfix_asks_our_milter_about_every_message() {
    let server = start().await;
    let at = free_port();
    let postfix = postfix(at, &port(&server, "milter")).await;
    swaks(at, "gooseberries").run().await;
    swaks(at, "wonderpills").run().await;
    let refused = swaks(at, "deadlypills").output().await;
    assert_eq!(refused.status.code(), Some(26), "{}", text(&refused.stdout));
    assert_has(
        &text(&refused.stdout),
        &["<** 550 5.7.1 Message refused: it looks like spam"],
    );
    postfix
        .program("sendmail")
        .args(["-f", "bob@example.test", "user@user.test"])
        .input("From: bob@example.test\nSubject: of a program\n\nHello.\n")
        .run()
        .await;
    let messages = delivered(&postfix, 3).await;
    for message in &messages {
        assert_has(message, &["\nX-Spam-Score: ", "\nX-Spam-Status: "]);
        assert!(!message.contains("trust me"), "{message}");
        let is_junk = message.contains("WONDER_PILLS");
        assert_eq!(is_junk, message.contains("\nX-Spam: Yes\n"), "{message}");
        assert_eq!(is_junk, message.contains("\nX-Spam-Flag: YES\n"));
    }
    assert_eq!(
        messages
            .iter()
            .filter(|message| message.contains("WONDER_PILLS"))
            .count(),
        1
    );
    // Who the client is was found out by us, of the client that Postfix has.
    assert!(
        messages
            .iter()
            .any(|message| message.contains("gooseberries") && message.contains("R_SPF_ALLOW"))
    );
    let log = postfix.log();
    assert_has(&log, &["milter-reject: END-OF-MESSAGE", "5.7.1"]);
    // Postfix's name for a message is ours too.
    let (before, _) = log.split_once(": milter-reject: END-OF-MESSAGE").unwrap();
    let queue_id = before.rsplit(' ').next().unwrap();
    let why = done(&server, &["message", "why", queue_id]);
    assert_has(&why, &["DEADLY_PILLS", "reject, score", "127.0.0.1"]);
    assert_eq!(muskox(&server, &["message", "why", "ABCDEF"]).0, Some(4));
    // When we are gone, senders are told to come again.
    server.stop().await;
    let deferred = swaks(at, "gooseberries").output().await;
    assert!(!deferred.status.success());
    assert_has(&text(&deferred.stdout), &["<** 451 4.7.1 "]);
    drop(postfix);
}
