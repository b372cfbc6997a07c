//! Parse workers that hang or end: no message waits for ever, and none is lost.

use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use dns::{Zone, ZoneServer};
use testkit::client::Smtp;
use testkit::process::{Process, Site, family};
use tokio::time::timeout;

use super::PATIENCE;

const PAGE: &str = "From: <a@example.test>\r\nTo: <ann@example.org>\r\nSubject: minutes\r\n\
    MIME-Version: 1.0\r\nContent-Type: text/html\r\n\r\n<p>As agreed.</p>\r\n";

async fn deliver(site: &Site) {
    let delivered = async {
        let mut smtp = Smtp::connect(site.mx()).await.unwrap();
        smtp.deliver("a@example.test", &["ann@example.org"], PAGE.as_bytes())
            .await
            .unwrap()
    };
    let (code, text) = timeout(PATIENCE, delivered).await.expect("a reply");
    assert_eq!(code, 250, "{text}");
}

/// Processes that read pages: those that the server's keeper has started.
fn workers(server: &Process) -> Vec<u32> {
    let family = family(server.id());
    assert!(family.len() >= 2, "no keeper: {family:?}");
    family[2..].to_vec()
}

fn signal(name: &str, pid: u32) {
    let kill = Command::new("kill").args([name, &pid.to_string()]).status();
    assert!(kill.unwrap().success());
}

#[tokio::test(flavor = "multi_thread")]
async fn mail_outlives_its_readers() {
    let names = ZoneServer::loopback(Arc::new(Zone::new())).await.unwrap();
    let site = Site::new(crate::binary());
    site.resolve_at(names.local_addr());
    let log = site.path().join("log");
    let server = site.start_logging(&log);
    let (added, text) = site.command(&["domain", "add", "example.org"]);
    assert!(added, "{text}");
    let (added, text) = site.command_with(&["account", "add", "ann@example.org"], "a secret");
    assert!(added, "{text}");
    assert_eq!(
        workers(&server),
        [0; 0],
        "none before there is something to read"
    );

    deliver(&site).await;
    let [first] = workers(&server)[..] else {
        panic!("{:?}", workers(&server));
    };
    // It has ended while it waited for the next message.
    signal("-KILL", first);
    deliver(&site).await;
    let [second] = workers(&server)[..] else {
        panic!("{:?}", workers(&server));
    };
    assert_ne!(first, second);

    // It hangs with a message, and ends.
    signal("-STOP", second);
    tokio::join!(deliver(&site), async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        signal("-KILL", second);
    });
    let keeper = family(server.id())[1];
    assert_eq!(server.terminate(), Some(0));
    let log = std::fs::read_to_string(log).unwrap();
    for sign in ["ended its reader", "no parse workers"] {
        assert!(!log.contains(sign), "{log}");
    }
    // They go with the server.
    for _ in 0..100 {
        if family_is_gone(keeper) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("the keeper stays");
}

fn family_is_gone(keeper: u32) -> bool {
    let name = std::fs::read_to_string(format!("/proc/{keeper}/comm"));
    name.map_or(true, |name| !name.starts_with("muskox"))
}
