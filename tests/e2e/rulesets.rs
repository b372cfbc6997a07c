//! Rule sets on the command line, and pattern databases over restarts.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use dns::{Zone, ZoneServer};
use testkit::TestServer;
use testkit::client::{PATIENCE, Smtp};
use testkit::process::{Process, Site};

use crate::filter::{done, file, muskox, send};
use crate::mailflow::message;

const SENDER: &str = "bob@example.test";
const TO: [&str; 1] = ["alice@demo.test"];

const RULES: &str = "name = \"fruit\"\n\n[[rule]]\nsymbol = \"FRUIT\"\nscore = 20.0\n\
    description = \"fruit is not wanted\"\nwhen = { in = \"body\", match = '/\\bgooseberr(?:y|ies)\\b/i' }\n";

fn fruity() -> Vec<u8> {
    let mut sent = message(SENDER, TO[0], "fruit");
    sent.extend_from_slice(b"A gooseberry.\r\n");
    sent
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rule_set_is_checked_stored_switched_and_removed() {
    let server = TestServer::start().await;
    let bad = RULES.replace("\"body\"", "\"bodi\"");
    let bad = file(&server, "bad.toml", bad);
    for verb in ["check", "add"] {
        let (code, text) = muskox(&server, &["rules", verb, &bad]);
        assert_eq!(code, Some(1), "{text}");
        assert!(
            text.contains("line 7, column 15: ") && text.contains("did you mean \"body\"?"),
            "{text}"
        );
    }
    let good = file(&server, "good.toml", RULES);
    let text = done(&server, &["rules", "check", &good]);
    assert!(text.contains("1 rules"), "{text}");
    assert_eq!(send(&server, SENDER, &TO, &fruity()).await.0, 250);
    let text = done(&server, &["rules", "add", &good]);
    assert!(text.contains("live in revision "), "{text}");
    let list = done(&server, &["rules", "list"]);
    assert!(list.contains("fruit"), "{list}");
    for (verb, wanted) in [("disable", 250), ("enable", 550), ("remove", 250)] {
        done(&server, &["rules", verb, "fruit"]);
        let reply = send(&server, SENDER, &TO, &fruity()).await;
        assert_eq!(reply.0, wanted, "{verb}: {reply:?}");
    }
    let (code, text) = muskox(&server, &["rules", "remove", "fruit"]);
    assert_eq!(code, Some(4), "{text}");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_rules_of_spamassassin_are_taken_over() {
    let folder = "/usr/share/spamassassin";
    assert!(
        Path::new(folder).is_dir(),
        "SpamAssassin's rules are missing: apt-get install spamassassin"
    );
    let server = TestServer::start().await;
    let before = done(&server, &["rules", "status"]);
    let import = ["rules", "import", "spamassassin", folder];
    let text = done(&server, &import);
    assert!(text.contains("rule set spamassassin: live in "), "{text}");
    let after = done(&server, &["rules", "status"]);
    let rules = |text: &str| -> u64 {
        let layer = text
            .lines()
            .find(|line| line.starts_with("rules "))
            .unwrap();
        let (before, _) = layer.split_once(" rules,").unwrap();
        before.rsplit(' ').next().unwrap().parse().unwrap()
    };
    assert!(rules(&after) > rules(&before) + 1_000, "{before}{after}");
    assert!(
        after.lines().any(|line| line.starts_with("maps ")),
        "{after}"
    );
    let list = done(&server, &["rules", "list"]);
    assert!(
        list.contains("spamassassin") && list.contains(folder),
        "{list}"
    );
    // Honest mail is still let in.
    let sent = message(SENDER, TO[0], "Lunch on Thursday?");
    assert_eq!(send(&server, SENDER, &TO, &sent).await.0, 250);
    assert_eq!(server.messages("alice", "INBOX").await.len(), 1);
    server.stop().await;
}

/// Every file of the cache.
fn cached(site: &Site) -> Vec<PathBuf> {
    let mut folders = vec![site.cache()];
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.metadata().unwrap().len() > 0 {
                files.push(path);
            }
        }
    }
    files
}

/// Waits until both layers have a good file in the cache: mail does not wait for it.
async fn until_stored(site: &Site) {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    let good = |layer: &str| {
        cached(site).iter().any(|path| {
            let is_of_it = path.parent().is_some_and(|parent| parent.ends_with(layer));
            let verify = ["patterns", "verify", path.to_str().unwrap()];
            is_of_it && path.extension().unwrap() == "patterns" && site.command(&verify).0
        })
    };
    while !(good("maps") && good("rules")) {
        assert!(tokio::time::Instant::now() < deadline, "{:?}", cached(site));
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// The lines about pattern databases; both layers, and nothing to worry about.
fn ready(log: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(log).unwrap();
    assert!(
        !text.contains(" WARN ") && !text.contains(" ERROR "),
        "{text}"
    );
    let lines: Vec<String> = text
        .lines()
        .filter(|line| line.contains("pattern database ready"))
        // What is looked at again and stays is no news.
        .filter(|line| !line.contains("origin=\"unchanged\""))
        .map(str::to_owned)
        .collect();
    for layer in ["layer=\"maps\"", "layer=\"rules\""] {
        assert!(
            lines.iter().any(|line| line.contains(layer)),
            "no {layer} in {text}"
        );
    }
    lines
}

/// Mail is taken, and the administrator's rule refuses what it is there to refuse.
async fn mail_flows(site: &Site) {
    let mut smtp = Smtp::connect(site.mx()).await.unwrap();
    let sent = message(SENDER, TO[0], "after a start");
    let reply = smtp.deliver(SENDER, &TO, &sent).await.unwrap();
    assert_eq!(reply.0, 250, "{reply:?}");
    let reply = smtp.deliver(SENDER, &TO, &fruity()).await.unwrap();
    assert_eq!(reply.0, 550, "{reply:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn pattern_databases_are_loaded_again_and_made_again_when_they_are_no_good() {
    let dns = ZoneServer::loopback(Arc::new(Zone::new())).await.unwrap();
    let site = Site::new(crate::binary());
    site.resolve_at(dns.local_addr());
    let log = site.path().join("log");
    let rules = site.path().join("fruit.toml");
    std::fs::write(&rules, RULES).unwrap();
    let start = || -> Process { site.start_logging(&log) };

    let process = start();
    assert!(site.command(&["domain", "add", "demo.test"]).0);
    let account = ["account", "add", TO[0], "--random"];
    assert!(site.command(&account).0);
    let (good, text) = site.command(&["rules", "add", rules.to_str().unwrap()]);
    assert!(good, "{text}");
    mail_flows(&site).await;
    until_stored(&site).await;
    process.kill();

    let all_are = |origin: &str| {
        let origin = format!("origin=\"{origin}\"");
        let lines = ready(&log);
        assert!(lines.iter().all(|line| line.contains(&origin)), "{lines:?}");
        lines
    };
    let process = start();
    mail_flows(&site).await;
    all_are("loaded");
    process.kill();

    for damage in [flip as fn(&Path), cut, empty] {
        cached(&site).iter().for_each(|path| damage(path));
        let process = start();
        mail_flows(&site).await;
        let lines = all_are("compiled");
        assert!(
            lines.iter().all(|line| !line.contains("reason=\"\"")),
            "{lines:?}"
        );
        until_stored(&site).await;
        process.kill();
    }

    std::fs::remove_dir_all(site.cache()).unwrap();
    let process = start();
    mail_flows(&site).await;
    all_are("compiled");
    until_stored(&site).await;
    assert_eq!(process.terminate(), Some(0));

    let process = start();
    all_are("loaded");
    assert_eq!(process.terminate(), Some(0));
    dns.stop().await;
}

fn flip(path: &Path) {
    let mut octets = std::fs::read(path).unwrap();
    let middle = octets.len() / 2;
    octets[middle] ^= 1;
    std::fs::write(path, octets).unwrap();
}

fn cut(path: &Path) {
    let octets = std::fs::read(path).unwrap();
    std::fs::write(path, &octets[..octets.len() - 1]).unwrap();
}

fn empty(path: &Path) {
    std::fs::write(path, b"").unwrap();
}
