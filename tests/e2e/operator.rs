//! What an operator does: configuration, command line, signals, metrics.

use std::process::Command;

use testkit::TestServer;
use testkit::process::Site;

const PASSWORD: &str = "correct horse battery";

fn muskox(arguments: &[&str]) -> (Option<i32>, String) {
    let output = Command::new(crate::binary())
        .args(arguments)
        .output()
        .unwrap();
    let mut text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.push_str(&String::from_utf8_lossy(&output.stderr));
    (output.status.code(), text)
}

#[test]
fn a_configuration_that_is_no_good_is_one_clear_line_and_exit_code_7() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("muskox.toml");
    let table = [
        (
            "hostnam = \"a.test\"",
            ":1: unknown key `hostnam`; did you mean `hostname`?",
        ),
        ("hostname = \"a.test\"\n\0", ":2: "),
        ("hostname = \"a.test\"\n[smtp]\nmx = [\"nowhere\"]", ":3: "),
    ];
    for (text, wanted) in table {
        std::fs::write(&file, text).unwrap();
        let (code, printed) = muskox(&["serve", "--config", file.to_str().unwrap()]);
        assert_eq!(code, Some(7), "{text:?}: {printed}");
        assert!(printed.contains(wanted), "{text:?}: {printed}");
        assert_eq!(printed.trim_end().lines().count(), 1, "{printed}");
    }
    let (code, printed) = muskox(&["serve", "--config", "/nowhere/muskox.toml"]);
    assert_eq!(code, Some(7), "{printed}");
}

#[test]
fn commands_without_a_server_say_so_with_exit_code_3() {
    let (code, printed) = muskox(&["--socket", "/nowhere/control.sock", "domain", "list"]);
    assert_eq!(code, Some(3), "{printed}");
    assert!(printed.contains("muskox serve"), "{printed}");
}

#[test]
fn the_command_line_administers_a_running_server() {
    let site = Site::new(crate::binary());
    let process = site.start();
    let run = |arguments: &[&str]| site.command(arguments);
    let (good, text) = run(&["domain", "add", "demo.test"]);
    assert!(good, "{text}");
    for wanted in [
        "MX",
        "v=spf1",
        "v=DKIM1; k=rsa; p=",
        "v=DKIM1; k=ed25519; p=",
        "v=DMARC1",
    ] {
        assert!(text.contains(wanted), "no {wanted} in {text}");
    }
    assert!(!run(&["domain", "add", "demo.test"]).0, "a second time");
    assert!(run(&["domain", "add", "alias.test", "--alias-of", "demo.test"]).0);
    let (good, text) = site.command_with(
        &["account", "add", "a@demo.test", "--quota", "1G"],
        PASSWORD,
    );
    assert!(good, "{text}");
    let (good, text) = site.command_with(&["account", "add", "short@demo.test"], "abc");
    assert!(!good && text.contains("8 characters"), "{text}");
    let (good, text) = run(&["account", "add", "made@demo.test", "--random"]);
    assert!(good && text.lines().last().unwrap().len() >= 20, "{text}");
    assert!(
        run(&[
            "alias",
            "add",
            "team@demo.test",
            "a@demo.test",
            "b@example.net"
        ])
        .0
    );
    assert!(run(&["alias", "add", "@demo.test", "a@demo.test"]).0);
    let (_, text) = run(&["alias", "list"]);
    assert!(
        text.contains("team@demo.test") && text.contains("b@example.net"),
        "{text}"
    );
    let (_, text) = run(&["--json", "account", "list"]);
    assert!(
        text.starts_with('{') && text.contains("\"schema\":\"muskox.account.list/1\""),
        "{text}"
    );
    assert!(text.contains("1073741824"), "{text}");
    let (_, text) = run(&[
        "dkim",
        "generate",
        "demo.test",
        "s2",
        "--algorithm",
        "ed25519",
    ]);
    assert!(text.contains("s2._domainkey.demo.test"), "{text}");
    assert!(run(&["dkim", "remove", "demo.test", "s2"]).0);
    let (good, text) = run(&["account", "remove", "a@demo.test"]);
    assert!(!good && text.contains("--yes"), "{text}");
    assert!(run(&["alias", "remove", "team@demo.test"]).0);
    assert!(run(&["alias", "remove", "@demo.test"]).0);
    let (_, text) = run(&["alias", "list"]);
    assert!(text.contains("postmaster@demo.test"), "{text}");
    assert!(run(&["account", "remove", "a@demo.test", "--yes"]).0);
    assert!(
        !run(&["domain", "remove", "demo.test"]).0,
        "it still has an account"
    );
    let (_, text) = run(&["queue", "list"]);
    assert!(text.contains("the queue is empty"), "{text}");
    assert!(!run(&["queue", "show", "1"]).0);
    let (good, text) = run(&["db", "check"]);
    assert!(good, "{text}");
    assert_eq!(process.terminate(), Some(0));
}

#[test]
fn sighup_takes_the_new_certificate_and_refuses_a_bad_one() {
    let site = Site::new(crate::binary());
    let process = site.start();
    let pid = process.id().to_string();
    std::fs::write(site.config(), "hostname = 1").unwrap();
    assert!(
        Command::new("kill")
            .args(["-HUP", &pid])
            .status()
            .unwrap()
            .success()
    );
    std::thread::sleep(std::time::Duration::from_millis(300));
    let socket = site.path().join("control.sock");
    let (code, text) = muskox(&["--socket", socket.to_str().unwrap(), "status"]);
    assert_eq!(code, Some(0), "the server goes on with what it has: {text}");
    assert_eq!(process.terminate(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_count_what_happens() {
    let server = TestServer::start().await;
    server
        .deliver(
            "alice",
            b"From: <sender@example.test>\r\nSubject: counted\r\n\r\nHello\r\n",
        )
        .await;
    let text = http(server.address("metrics"), "/metrics").await;
    for wanted in [
        "muskox_build_info{version=",
        "muskox_smtp_messages_received_total{listener=\"Mx\",verdict=\"Accepted\"} 1",
        "muskox_local_deliveries_total 1",
        "muskox_store_commit_duration_seconds_bucket",
        "process_resident_memory_bytes ",
        "# EOF",
    ] {
        assert!(text.contains(wanted), "no {wanted:?} in {text}");
    }
    assert!(
        http(server.address("metrics"), "/healthz")
            .await
            .ends_with("ok\n")
    );
    assert!(
        http(server.address("metrics"), "/readyz")
            .await
            .ends_with("ready\n")
    );
    server.stop().await;
}

async fn http(address: std::net::SocketAddr, path: &str) -> String {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut response = String::new();
    stream.read_to_string(&mut response).await.unwrap();
    response
}

#[test]
fn the_service_manager_hears_when_the_server_is_ready_and_when_it_stops() {
    let site = Site::new(crate::binary());
    let socket = site.path().join("notify.sock");
    let listener = std::os::unix::net::UnixDatagram::bind(&socket).unwrap();
    listener
        .set_read_timeout(Some(std::time::Duration::from_secs(20)))
        .unwrap();
    let mut child = Command::new(crate::binary())
        .args(["serve", "--config"])
        .arg(site.config())
        .env("NOTIFY_SOCKET", &socket)
        .spawn()
        .unwrap();
    let hear = |wanted: &str| {
        let mut buffer = [0; 256];
        loop {
            let length = listener.recv(&mut buffer).unwrap();
            let text = String::from_utf8_lossy(&buffer[..length]).into_owned();
            if text.contains(wanted) {
                return;
            }
        }
    };
    hear("READY=1");
    assert!(site.command(&["status"]).0, "ready means that it answers");
    let pid = child.id().to_string();
    let sent = Command::new("kill").args(["-TERM", &pid]).status().unwrap();
    assert!(sent.success());
    hear("STOPPING=1");
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn install_service_writes_a_unit_that_runs_this_binary() {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().to_str().unwrap();
    let (code, printed) = muskox(&["install-service", "--root", path]);
    assert_eq!(code, Some(0), "{printed}");
    let unit = root.path().join("etc/systemd/system/muskox.service");
    let unit = std::fs::read_to_string(unit).unwrap();
    let binary = crate::binary().canonicalize().unwrap();
    let start = format!("ExecStart={} serve\n", binary.display());
    assert!(unit.contains(&start), "no {start:?} in {unit}");
    for wanted in [
        "User=muskox",
        "CapabilityBoundingSet=CAP_NET_BIND_SERVICE",
        "Type=notify",
    ] {
        assert!(unit.contains(wanted), "no {wanted} in {unit}");
    }
    assert!(root.path().join("etc/sysusers.d/muskox.conf").exists());
}
