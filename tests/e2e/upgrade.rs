//! Data of earlier releases in this one, and what `muskox upgrade` does.

#[path = "upgrade/fixture.rs"]
mod fixture;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use ambient::{FakeClock, SystemClock, SystemRandom, Timestamp};
use muskox::version::{CHANNEL, VERSION};
use testkit::TestServer;
use testkit::process::Site;

use crate::filter::{done, muskox};
use crate::mailflow::message;

/// `muskox upgrade check` on a data directory: its exit code, and what it printed.
fn check(data: &Path, more: &[&str]) -> (Option<i32>, String) {
    let work = tempfile::tempdir().unwrap();
    let output = Command::new(crate::binary())
        .args(["upgrade", "check", "--data"])
        .arg(data)
        .arg("--work")
        .arg(work.path())
        .args(more)
        .output()
        .unwrap();
    let left = std::fs::read_dir(&work).unwrap().count();
    assert_eq!(left, 0, "the copy is removed");
    let mut text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.push_str(&String::from_utf8_lossy(&output.stderr));
    (output.status.code(), text)
}

/// Every file below `folder` with its content. The log's index is memory of the engine's.
fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if !path.to_string_lossy().ends_with("-shm") {
                let content = std::fs::read(&path).unwrap();
                found.insert(path, content);
            }
        }
    }
    found
}

/// The time at which the data in `folder` were written: nothing in them has expired.
fn of_its_day(folder: &Path) -> Arc<FakeClock> {
    let changed = folder.join("mail.db").metadata().unwrap().modified();
    let age = changed.unwrap().duration_since(SystemTime::UNIX_EPOCH);
    let seconds = i64::try_from(age.unwrap().as_secs()).unwrap();
    Arc::new(FakeClock::new(Timestamp(seconds)))
}

#[tokio::test(flavor = "multi_thread")]
async fn data_of_every_earlier_release_hold_what_they_held() {
    for archive in fixture::all() {
        println!("{}", archive.display());
        let data = tempfile::tempdir().unwrap();
        fixture::unpack(&archive, data.path());
        let clock = of_its_day(data.path());
        let mut server = TestServer::open(data, |_| {}, |parts| parts.clock = Some(clock)).await;
        fixture::examine(&server).await;
        server
            .deliver(
                "alice",
                &message("bob@example.test", "alice@demo.test", "new"),
            )
            .await;
        server = server.restart().await;
        assert_eq!(server.messages("alice", "INBOX").await.len(), 3);
        done(&server, &["db", "check"]);
        server.stop().await;
    }
}

#[test]
fn an_upgrade_is_tried_on_a_copy_and_nothing_changes() {
    let data = tempfile::tempdir().unwrap();
    fixture::unpack(&fixture::all()[0], data.path());
    let before = files(data.path());
    let (code, text) = check(data.path(), &["--json"]);
    assert_eq!(code, Some(0), "{text}");
    for wanted in [
        "\"schema\":\"muskox.upgrade.check/1\"",
        "\"schema_from\":4,\"schema_to\":",
        "\"findings\":[]",
        "\"blobs\":3,",
    ] {
        assert!(text.contains(wanted), "no {wanted} in {text}");
    }
    let (code, text) = check(data.path(), &[]);
    assert_eq!(code, Some(0), "{text}");
    assert!(
        text.contains("schema     4 -> ") && text.contains(": 0 findings"),
        "{text}"
    );
    let mut after = files(data.path());
    after.retain(|path, content| !(path.ends_with("mail.db-wal") && content.is_empty()));
    assert!(before == after, "the original is as it was");

    let blob = before
        .keys()
        .find(|path| path.starts_with(data.path().join("blobs")));
    std::fs::write(blob.unwrap(), "rust").unwrap();
    let (code, text) = check(data.path(), &[]);
    assert_eq!(code, Some(1), "{text}");
    assert!(
        text.contains("is damaged") && text.contains(": 1 findings"),
        "{text}"
    );
    std::fs::write(data.path().join("mail.db"), [7; 8192]).unwrap();
    let (code, text) = check(data.path(), &[]);
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("file is not a database"), "{text}");
    std::fs::remove_file(data.path().join("mail.db")).unwrap();
    let (code, text) = check(data.path(), &[]);
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("has no data of this program"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_runs_on_while_its_data_are_checked_and_then_is_finalized() {
    let server = TestServer::start().await;
    let data = server.data().to_owned();
    let delivered = Arc::new(AtomicBool::new(false));
    let until = Arc::clone(&delivered);
    let checks = tokio::task::spawn_blocking(move || {
        while !until.load(Ordering::SeqCst) {
            let (code, text) = check(&data, &[]);
            assert_eq!(code, Some(0), "{text}");
        }
    });
    for number in 0..20 {
        let subject = format!("number {number}");
        let mut sent = message("bob@example.test", "alice@demo.test", &subject);
        if number % 5 == 0 {
            let noise = |line: u64| format!("{:x}\r\n", line.wrapping_mul(0x9E37_79B9_7F4A_7C15));
            sent.extend((0..4_000).map(noise).collect::<String>().into_bytes());
        }
        server.deliver("alice", &sent).await;
    }
    delivered.store(true, Ordering::SeqCst);
    checks.await.unwrap();
    assert_eq!(server.messages("alice", "INBOX").await.len(), 20);

    let text = done(&server, &["status"]);
    for (key, value) in [
        ("version", VERSION),
        ("channel", CHANNEL),
        ("created_by", VERSION),
    ] {
        assert!(text.contains(&format!("{key:<18} {value}\n")), "{text}");
    }
    let text = done(&server, &["upgrade", "status"]);
    assert!(
        text.starts_with(&format!(
            "program  {VERSION} ({CHANNEL})\ncreated  by {VERSION} at "
        )),
        "{text}"
    );
    let (code, text) = muskox(&server, &["upgrade", "finalize"]);
    assert_eq!(code, Some(2), "{text}");
    let text = done(&server, &["upgrade", "finalize", "--yes"]);
    assert!(
        text.contains("finalized: older programs are refused"),
        "{text}"
    );
    let (_, text) = muskox(&server, &["--version"]);
    assert_eq!(text, format!("muskox {VERSION}\n"));
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn data_of_a_program_to_come_are_refused_in_one_line_that_names_it() {
    let site = Site::new(crate::binary());
    let data = site.path().join("data");
    let options =
        store::StoreOptions::new(&data, Arc::new(SystemClock), Arc::new(SystemRandom::new()));
    let db = store::Db::open(options).unwrap();
    db.write::<_, store::Error, _>(|tx| {
        tx.exec("PRAGMA user_version = 1001", &[])?;
        tx.exec(
            "UPDATE provenance SET value = '1000' WHERE name = 'oldest_schema'",
            &[],
        )?;
        tx.exec(
            "UPDATE provenance SET value = '7.8.9' WHERE name = 'opened_by'",
            &[],
        )
    })
    .await
    .unwrap();
    db.close().await;
    let before = std::fs::read(data.join("mail.db")).unwrap();
    let (started, text) = site.command(&["serve"]);
    assert!(
        !started && text.contains("last opened by muskox 7.8.9"),
        "{text}"
    );
    assert_eq!(text.trim().lines().count(), 1, "{text}");
    assert_eq!(std::fs::read(data.join("mail.db")).unwrap(), before);
}

/// an upgrade that is killed is completed by the next start.
#[test]
fn kill_9_during_an_upgrade_loses_nothing() {
    for moment in 0..12 {
        let site = Site::new(crate::binary());
        let data = site.path().join("data");
        std::fs::create_dir(&data).unwrap();
        fixture::unpack(&fixture::all()[0], &data);
        let mut first = Command::new(crate::binary())
            .args(["serve", "--config"])
            .arg(site.config())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(Duration::from_millis(moment * 5));
        first.kill().unwrap();
        first.wait().unwrap();
        let second = site.start();
        let (good, text) = site.command(&["db", "check"]);
        assert!(good && text.contains("3 blobs"), "{moment}: {text}");
        let (_, text) = site.command(&["account", "list"]);
        assert!(text.contains("alice@demo.test"), "{moment}: {text}");
        assert_eq!(second.terminate(), Some(0));
    }
}
