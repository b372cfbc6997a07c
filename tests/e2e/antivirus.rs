//! Viruses: the real clamd with a signature of our own, through SMTP.
//!
//! Debian's package `clamav-daemon` must be installed; its signatures are not needed.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use muskox::config::OnFailure;
use testkit::TestServer;

use crate::filter::{done, send};
use crate::mailflow::message;

/// The two halves of the EICAR test file, which scanners know. This file must not contain it.
const EICAR: [&str; 2] = [
    r"X5O!P%@AP[4\PZX54(P^)7CC)7}$EI",
    "CAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*",
];

const SENDER: &str = "bob@example.test";
const TO: [&str; 1] = ["alice@demo.test"];

/// A clamd in a folder of its own; it stops when this is dropped.
struct Clamd {
    process: Child,
    folder: tempfile::TempDir,
}

impl Drop for Clamd {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Clamd {
    /// Starts one and waits until it listens; it reads its signatures first.
    fn start() -> Self {
        let program = "/usr/sbin/clamd";
        assert!(
            Path::new(program).exists(),
            "clamd is missing: apt-get install --no-install-recommends clamav-daemon"
        );
        let folder = tempfile::tempdir().unwrap();
        let database = folder.path().join("database");
        std::fs::create_dir(&database).unwrap();
        // A signature anywhere in files of any type, in hexadecimal.
        let hexadecimal: String = EICAR
            .concat()
            .bytes()
            .map(|octet| format!("{octet:02x}"))
            .collect();
        let signature = format!("Muskox.Test.Eicar:0:*:{hexadecimal}\n");
        std::fs::write(database.join("muskox.ndb"), signature).unwrap();
        let configuration = format!(
            "LocalSocket {0}/clamd.ctl\nDatabaseDirectory {0}/database\nTemporaryDirectory {0}\n\
             Foreground yes\n",
            folder.path().display()
        );
        let path = folder.path().join("clamd.conf");
        std::fs::write(&path, configuration).unwrap();
        let process = Command::new(program)
            .arg("--config-file")
            .arg(&path)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::inherit())
            .spawn()
            .unwrap();
        let mut clamd = Self { process, folder };
        let begin = Instant::now();
        while std::os::unix::net::UnixStream::connect(clamd.socket()).is_err() {
            let ended = clamd.process.try_wait().unwrap();
            assert!(ended.is_none(), "clamd ended: {ended:?}");
            assert!(begin.elapsed() < Duration::from_secs(60));
            std::thread::sleep(Duration::from_millis(50));
        }
        clamd
    }

    fn socket(&self) -> PathBuf {
        self.folder.path().join("clamd.ctl")
    }
}

/// A server that asks `clamd`.
async fn server(clamd: &Clamd, on_failure: OnFailure) -> TestServer {
    let socket = clamd.socket().to_str().unwrap().to_owned();
    TestServer::start_with(
        |config| {
            config.antivirus.clamd = Some(socket);
            config.antivirus.on_failure = on_failure;
        },
        |_| {},
    )
    .await
}

/// A message with an attachment.
fn attached(content: &str) -> Vec<u8> {
    let plain = String::from_utf8(message(SENDER, TO[0], "invoice")).unwrap();
    let (header, _) = plain.split_once("\r\n\r\n").unwrap();
    format!(
        "{header}\r\nMIME-Version: 1.0\r\n\
         Content-Type: application/octet-stream; name=\"invoice.bin\"\r\n\
         Content-Transfer-Encoding: base64\r\n\r\n{}\r\n",
        BASE64.encode(content)
    )
    .into_bytes()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_virus_is_refused_and_mail_waits_for_a_scanner_that_is_gone() {
    let clamd = Clamd::start();
    let server = server(&clamd, OnFailure::Defer).await;
    let virus = attached(&EICAR.concat());
    let reply = send(&server, SENDER, &TO, &virus).await;
    assert_eq!(reply.0, 550, "{reply:?}");
    let why = done(&server, &["message", "why", "invoice@example.test"]);
    assert!(
        why.contains("CLAM_VIRUS") && why.contains("Muskox.Test.Eicar"),
        "{why}"
    );
    let harmless = attached("nothing");
    assert_eq!(send(&server, SENDER, &TO, &harmless).await.0, 250);
    drop(clamd);
    let reply = send(&server, SENDER, &TO, &harmless).await;
    assert_eq!(reply.0, 451, "{reply:?}");
    assert!(!reply.1.contains("clamd"), "{reply:?}");
    assert_eq!(server.messages("alice", "INBOX").await.len(), 1);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn mail_goes_its_way_unscanned_where_the_operator_wants_it() {
    let clamd = Clamd::start();
    let server = server(&clamd, OnFailure::Accept).await;
    drop(clamd);
    let reply = send(&server, SENDER, &TO, &attached("nothing")).await;
    assert_eq!(reply.0, 250, "{reply:?}");
    let why = done(&server, &["message", "why", "invoice@example.test"]);
    assert!(why.contains("CLAM_VIRUS_FAIL"), "{why}");
    assert_eq!(server.messages("alice", "INBOX").await.len(), 1);
    server.stop().await;
}
