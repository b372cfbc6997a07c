//! Programs of Debian that people use with a mail server, each against the whole server.
//!
//! | program | package | what |
//! |---|---|---|
//! | swaks | `swaks` | mail to the MX; submission with STARTTLS and AUTH |
//! | msmtp | `msmtp` | submission |
//! | mbsync | `isync` | all mailboxes down, one message up, the same octets |
//! | mutt | `mutt` | sends through `smtps`, reads through `imaps` |
//! | curl | `curl` | the same, byte by byte |
//! | imaplib, smtplib | `python3` | the same, see `interop/client.py` |
//! | Postfix | `postfix` | as the server before ours and as the one after ours; needs root |
//!
//! A program that is missing fails its test with the name of its package; one that hangs is ended
//! after [`PATIENCE`]. Every client verifies our certificate; our queue takes any, as SMTP does.

#![expect(
    clippy::disallowed_methods,
    reason = "small files for other programs, in a test"
)]

use std::io::ErrorKind;
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::time::Duration;

use testkit::{PASSWORD, TestServer};
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

/// How long a program may take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A program of Debian with its arguments.
pub(crate) struct Program {
    command: Command,
    package: &'static str,
    input: Vec<u8>,
    input_ends: bool,
}

impl Program {
    pub(crate) fn new(name: &str, package: &'static str) -> Self {
        let mut command = Command::new(name);
        command.env("LC_ALL", "C.UTF-8").kill_on_drop(true);
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        Self {
            command,
            package,
            input: Vec::new(),
            input_ends: true,
        }
    }

    pub(crate) fn args<S: AsRef<std::ffi::OsStr>>(
        mut self,
        args: impl IntoIterator<Item = S>,
    ) -> Self {
        self.command.args(args);
        self
    }

    fn env(mut self, name: &str, value: impl AsRef<std::ffi::OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    pub(crate) fn input(mut self, input: impl Into<Vec<u8>>) -> Self {
        self.input = input.into();
        self
    }

    /// Keeps its input open as long as it runs.
    ///
    /// `script` turns the end of its input into a Ctrl-D on the terminal, which mutt takes for
    /// "delete this thread" when it comes before the keys of the test.
    fn input_stays_open(mut self) -> Self {
        self.input_ends = false;
        self
    }

    /// Runs it to its end, whatever that is.
    pub(crate) async fn output(mut self) -> Output {
        let mut child = match self.command.spawn() {
            Ok(child) => child,
            Err(error) if error.kind() == ErrorKind::NotFound => panic!(
                "{:?} is missing: apt-get install {}",
                self.command.as_std().get_program(),
                self.package
            ),
            Err(error) => panic!("{:?}: {error}", self.command),
        };
        let mut stdin = child.stdin.take().expect("a pipe");
        let input = self.input;
        let feed = async move {
            // A program that doesn't read all of it says why in its output.
            let _ = stdin.write_all(&input).await;
            (!self.input_ends).then_some(stdin)
        };
        let work = async { tokio::join!(feed, child.wait_with_output()) };
        match tokio::time::timeout(PATIENCE, work).await {
            Ok((_open, output)) => output.expect("the output"),
            Err(_) => panic!("{:?} has not ended after {PATIENCE:?}", self.command),
        }
    }

    /// Runs it; it must succeed. What it wrote to its standard output.
    pub(crate) async fn run(self) -> Vec<u8> {
        let what = format!("{:?}", self.command.as_std());
        let output = self.output().await;
        assert!(
            output.status.success(),
            "{what}: {}\n{}\n{}",
            output.status,
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr),
        );
        output.stdout
    }
}

pub(crate) fn text(octets: &[u8]) -> String {
    String::from_utf8_lossy(octets).into_owned()
}

/// A file that only its owner can read, as programs want it for a password.
fn private(path: &Path, content: &str) -> PathBuf {
    std::fs::write(path, content).expect("a file");
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).expect("its mode");
    path.to_owned()
}

pub(crate) fn scratch() -> tempfile::TempDir {
    tempfile::tempdir().expect("a temporary directory")
}

pub(crate) fn port(server: &TestServer, listener: &str) -> String {
    server.address(listener).port().to_string()
}

/// The only message of alice's INBOX.
async fn received(server: &TestServer) -> String {
    text(&server.wait_for("alice", "INBOX", 1).await[0])
}

pub(crate) fn assert_has(message: &str, parts: &[&str]) {
    for part in parts {
        assert!(message.contains(part), "no {part:?} in:\n{message}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn swaks_delivers_to_the_mx() {
    let server = TestServer::start().await;
    let port = port(&server, "mx");
    Program::new("swaks", "swaks")
        .args(["-4", "--server", "localhost", "--port", &port])
        .args(["--ehlo", "swaks.test"])
        .args(["--from", "sender@example.test", "--to", "alice@demo.test"])
        .args([
            "--header",
            "Subject: swaks to MX",
            "--body",
            "one line\n.\n..two dots\n",
        ])
        .run()
        .await;
    let message = received(&server).await;
    assert_has(
        &message,
        &[
            "Subject: swaks to MX\r\n",
            "\r\none line\r\n.\r\n..two dots\r\n",
        ],
    );
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn swaks_submits_with_every_mechanism() {
    let server = TestServer::start().await;
    let port = port(&server, "submission");
    let ca = server.ca_file();
    for (count, mechanism) in ["PLAIN", "LOGIN"].into_iter().enumerate() {
        let subject = format!("Subject: swaks {mechanism}");
        Program::new("swaks", "swaks")
            .args([
                "-4",
                "--server",
                "localhost",
                "--port",
                &port,
                "--ehlo",
                "swaks.test",
            ])
            .args([
                "--tls",
                "--tls-verify",
                "--tls-ca-path",
                ca.to_str().expect("UTF-8"),
            ])
            .args(["--auth", mechanism, "--auth-user", "bob@demo.test"])
            .args(["--auth-password", PASSWORD])
            .args(["--from", "bob@demo.test", "--to", "alice@demo.test"])
            .args(["--header", &subject])
            .run()
            .await;
        let messages = server.wait_for("alice", "INBOX", count + 1).await;
        assert_has(
            &text(&messages[count]),
            &[&format!("{subject}\r\n"), "ESMTPSA"],
        );
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn msmtp_submits() {
    let server = TestServer::start().await;
    let directory = scratch();
    for (count, (listener, starttls)) in [("submission", "on"), ("submissions", "off")]
        .into_iter()
        .enumerate()
    {
        let config = private(
            &directory.path().join("msmtprc"),
            &format!(
                "account default\nhost localhost\nport {}\ntls on\ntls_starttls {starttls}\n\
                 tls_trust_file {}\nauth plain\nuser bob@demo.test\npassword {PASSWORD}\n\
                 from bob@demo.test\n",
                port(&server, listener),
                server.ca_file().display(),
            ),
        );
        Program::new("msmtp", "msmtp")
            .args([
                "--file".as_ref(),
                config.as_os_str(),
                "alice@demo.test".as_ref(),
            ])
            .input("From: bob@demo.test\nTo: alice@demo.test\nSubject: msmtp\n\ngrüße\n.\nend\n")
            .run()
            .await;
        let messages = server.wait_for("alice", "INBOX", count + 1).await;
        let message = text(&messages[count]);
        assert_has(
            &message,
            &["Subject: msmtp\r\n", "\r\n\r\ngrüße\r\n.\r\nend\r\n"],
        );
    }
    server.stop().await;
}

/// The files of a Maildir folder, LF only and without mbsync's own header, sorted.
fn maildir(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for part in ["new", "cur"] {
        for entry in std::fs::read_dir(folder.join(part)).expect("a Maildir") {
            let octets = std::fs::read(entry.expect("an entry").path()).expect("a message");
            found.push(comparable(&octets));
        }
    }
    found.sort();
    found
}

/// A message with LF, which is what mbsync writes, and without the header mbsync adds; escaped, so
/// that a difference can be read.
fn comparable(message: &[u8]) -> String {
    let mut lines = Vec::new();
    let mut in_header = true;
    for line in message.split_inclusive(|octet| *octet == b'\n') {
        in_header = in_header && !matches!(line, b"\r\n" | b"\n");
        if in_header && line.starts_with(b"X-TUID: ") {
            continue;
        }
        match line.strip_suffix(b"\r\n") {
            Some(line) => lines.extend([line, b"\n"].concat()),
            None => lines.extend_from_slice(line),
        }
    }
    lines.escape_ascii().to_string()
}

fn comparables(messages: &[Vec<u8>]) -> Vec<String> {
    let mut found: Vec<_> = messages.iter().map(|message| comparable(message)).collect();
    found.sort();
    found
}

/// Messages of all kinds that mbsync can take: it skips a message without the empty line after the
/// header, and NUL and bare CR aren't its business.
fn corpus() -> Vec<Vec<u8>> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/messages");
    let mut paths: Vec<_> = std::fs::read_dir(folder)
        .expect("the messages")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|name| name == "eml"))
        .filter(|path| !path.ends_with("binary.eml") && !path.ends_with("header-only.eml"))
        .collect();
    paths.sort();
    paths
        .iter()
        .map(|path| std::fs::read(path).expect("a message"))
        .collect()
}

struct Mbsync {
    directory: tempfile::TempDir,
    config: PathBuf,
}

impl Mbsync {
    fn new(server: &TestServer) -> Self {
        let directory = scratch();
        let mail = directory.path().join("mail");
        std::fs::create_dir(&mail).expect("a directory");
        let config = private(
            &directory.path().join("mbsyncrc"),
            &format!(
                "IMAPAccount demo\nHost localhost\nPort {}\nUser alice@demo.test\n\
                 Pass \"{PASSWORD}\"\nAuthMechs LOGIN\nSSLType IMAPS\nSystemCertificates no\n\
                 CertificateFile {}\n\n\
                 IMAPStore far\nAccount demo\n\n\
                 MaildirStore near\nPath {mail}/\nInbox {mail}/INBOX\nSubFolders Verbatim\n\n\
                 Channel all\nFar :far:\nNear :near:\nPatterns *\nCreate Both\nExpunge Both\n\
                 SyncState *\n",
                port(server, "imaps"),
                server.ca_file().display(),
                mail = mail.display(),
            ),
        );
        Self { directory, config }
    }

    fn folder(&self, name: &str) -> PathBuf {
        self.directory.path().join("mail").join(name)
    }

    async fn sync(&self) {
        Program::new("mbsync", "isync")
            .args(["-c".as_ref(), self.config.as_os_str(), "-a".as_ref()])
            .env("HOME", self.directory.path())
            .run()
            .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn mbsync_keeps_two_sides_the_same() {
    let server = TestServer::start().await;
    let corpus = corpus();
    assert!(corpus.len() > 5, "only {} messages", corpus.len());
    let mut imap = server.imap("alice").await;
    assert!(
        imap.command("CREATE Lists/rust")
            .await
            .expect("an answer")
            .is_ok()
    );
    for message in &corpus {
        for mailbox in ["INBOX", "Lists/rust"] {
            let answer = imap.append(mailbox, message).await.expect("an answer");
            assert!(answer.is_ok(), "{answer:?}");
        }
    }
    let mbsync = Mbsync::new(&server);
    mbsync.sync().await;
    for folder in ["INBOX", "Lists/rust"] {
        assert_eq!(
            maildir(&mbsync.folder(folder)),
            comparables(&corpus),
            "{folder}"
        );
    }
    let ours = "From: alice@demo.test\nSubject: from here\n\nünïcode, trailing space \n.\n\n";
    std::fs::write(mbsync.folder("INBOX").join("cur/1.here:2,FS"), ours).expect("a message");
    mbsync.sync().await;
    let messages = server.wait_for("alice", "INBOX", corpus.len() + 1).await;
    let pushed = messages.last().expect("a message");
    assert_eq!(comparable(pushed), comparable(ours.as_bytes()));
    assert!(
        !text(pushed).replace("\r\n", "").contains('\n'),
        "every line ends with CRLF"
    );
    let answer = imap.command("EXAMINE INBOX").await.expect("an answer");
    assert!(answer.is_ok(), "{answer:?}");
    let answer = imap.command("FETCH * (FLAGS)").await.expect("an answer");
    assert_has(&answer.text().concat(), &["\\Seen", "\\Flagged"]);
    // Nothing to do: nothing changes on either side.
    mbsync.sync().await;
    assert_eq!(maildir(&mbsync.folder("INBOX")), comparables(&messages));
    assert_eq!(server.messages("alice", "INBOX").await, messages);
    // What is deleted here is gone there.
    for part in ["Lists/rust/cur", "Lists/rust/new"] {
        for entry in std::fs::read_dir(mbsync.folder(part)).expect("a Maildir") {
            std::fs::remove_file(entry.expect("an entry").path()).expect("a message less");
        }
    }
    mbsync.sync().await;
    assert!(server.messages("alice", "Lists/rust").await.is_empty());
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn mutt_sends_and_reads() {
    let server = TestServer::start().await;
    let directory = scratch();
    let copy = directory.path().join("copy");
    let settings = private(
        &directory.path().join("muttrc"),
        &format!(
            "set ssl_ca_certificates_file=\"{}\"\n\
             set ssl_force_tls=yes\nset folder=~\nset from=bob@demo.test\nset use_envelope_from=yes\n\
             set copy=no\nset smtp_url=\"smtps://bob%40demo.test@localhost:{}\"\n\
             set smtp_pass=\"{PASSWORD}\"\nset smtp_authenticators=\"plain\"\n\
             set imap_user=alice@demo.test\nset imap_pass=\"{PASSWORD}\"\n\
             set imap_authenticators=\"login\"\nset confirmcreate=no\nset confirmappend=no\n\
             set quit=yes\nset mbox_type=mbox\nset move=no\nset certificate_file=\"\"\n",
            server.ca_file().display(),
            port(&server, "submissions"),
        ),
    );
    let settings = settings.to_str().expect("UTF-8");
    Program::new("mutt", "mutt")
        .args([
            "-n",
            "-F",
            settings,
            "-s",
            "mutt wrote this",
            "alice@demo.test",
        ])
        .env("HOME", directory.path())
        .input("the body\n.\n")
        .run()
        .await;
    let message = received(&server).await;
    assert_has(
        &message,
        &["Subject: mutt wrote this\r\n", "\r\n\r\nthe body\r\n.\r\n"],
    );
    // It needs a terminal to read mail, which is what `script` has; in the foreground, so nothing
    // that starts process groups of its own (`timeout` under a plain `sh`) may stand between.
    let reading = format!(
        "source {settings}\nsave-hook . {}\npush \"<copy-message><enter><quit>\"\n",
        copy.display()
    );
    let reading = private(&directory.path().join("reading"), &reading);
    let folder = format!("imaps://localhost:{}/INBOX", port(&server, "imaps"));
    let mutt = format!("exec mutt -n -F {} -f {folder}", reading.display());
    let screen = Program::new("script", "bsdutils")
        .args(["--quiet", "--return", "--command", &mutt, "/dev/null"])
        .env("HOME", directory.path())
        .env("TERM", "vt100")
        .input_stays_open()
        .run()
        .await;
    let copied = std::fs::read_to_string(&copy).unwrap_or_else(|_| panic!("{}", text(&screen)));
    assert_has(
        &copied,
        &["\nSubject: mutt wrote this\n", "\n\nthe body\n.\n"],
    );
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn curl_submits_and_fetches() {
    let server = TestServer::start().await;
    let ca = server.ca_file();
    let curl = |login: &str| {
        Program::new("curl", "curl")
            .args([
                "-4",
                "--silent",
                "--show-error",
                "--cacert",
                ca.to_str().expect("UTF-8"),
            ])
            .args(["--user", &format!("{login}@demo.test:{PASSWORD}")])
    };
    let message = "From: bob@demo.test\r\nSubject: curl\r\n\r\na\r\n.\r\n..\r\n ünïcode \r\n\r\n";
    curl("bob")
        .args([
            "--mail-from",
            "bob@demo.test",
            "--mail-rcpt",
            "alice@demo.test",
        ])
        .args(["--upload-file", "-"])
        .args([format!(
            "smtps://localhost:{}/client.test",
            port(&server, "submissions")
        )])
        .input(message)
        .run()
        .await;
    let stored = received(&server).await;
    assert!(
        stored.ends_with("\r\n\r\na\r\n.\r\n..\r\n ünïcode \r\n\r\n"),
        "{stored:?}"
    );
    assert_has(&stored, &["\r\nSubject: curl\r\n"]);
    let url = format!("imaps://localhost:{}/INBOX", port(&server, "imaps"));
    let fetched = curl("alice")
        .args([format!("{url};MAILINDEX=1")])
        .run()
        .await;
    assert_eq!(text(&fetched), stored);
    let found = curl("alice")
        .args(["--request", "UID SEARCH SUBJECT curl", &url])
        .run()
        .await;
    assert_eq!(text(&found).trim_end(), "* SEARCH 1");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_libraries_of_python_send_and_read() {
    let server = TestServer::start().await;
    Program::new("python3", "python3")
        .args([concat!(env!("CARGO_MANIFEST_DIR"), "/interop/client.py")])
        .env("CA", server.ca_file())
        .env("PASSWORD", PASSWORD)
        .env("SUBMISSION", port(&server, "submission"))
        .env("SUBMISSIONS", port(&server, "submissions"))
        .env("IMAPS", port(&server, "imaps"))
        .run()
        .await;
    server.stop().await;
}

/// A Postfix with its own configuration, queue and port, stopped when it is dropped.
pub(crate) struct Postfix {
    directory: tempfile::TempDir,
}

/// Who owns the mail that Postfix delivers: nobody.
pub(crate) const NOBODY: u32 = 65_534;

/// Its services.
const SERVICES: &str = include_str!("../interop/master.cf");

impl Postfix {
    /// Starts one that takes mail at `port` of loopback.
    pub(crate) async fn start(port: u16, settings: &str) -> Self {
        let directory = scratch();
        let path = directory.path();
        let owner = std::fs::metadata(path).expect("our directory").uid();
        assert_eq!(
            owner, 0,
            "Postfix starts only for root: run this test as root"
        );
        // Its daemons run as other users and have to get through.
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).expect("a mode");
        for name in ["config", "queue", "data", "mail"] {
            std::fs::create_dir(path.join(name)).expect("a directory");
        }
        let nobody = Some(NOBODY);
        std::os::unix::fs::chown(path.join("mail"), nobody, nobody).expect("an owner");
        Program::new("chown", "coreutils")
            .args(["postfix".as_ref(), path.join("data").as_os_str()])
            .run()
            .await;
        let write = |name: &str, content: &str| {
            std::fs::write(path.join("config").join(name), content).expect("a file");
        };
        write(
            "master.cf",
            &format!("127.0.0.1:{port} inet n - n - - smtpd\n{SERVICES}"),
        );
        write(
            "main.cf",
            &format!(
                "compatibility_level = 3.6\n\
                 queue_directory = {path}/queue\ndata_directory = {path}/data\n\
                 maillog_file = {path}/log\nmaillog_file_prefixes = {path}\n\
                 myhostname = postfix.test\nmydestination =\nmynetworks = 127.0.0.0/8\n\
                 inet_interfaces = loopback-only\ninet_protocols = ipv4\nalias_maps =\n\
                 smtp_host_lookup = native\nnotify_classes =\n\
                 smtpd_recipient_restrictions = permit_mynetworks, reject\n{settings}\n",
                path = path.display(),
            ),
        );
        let this = Self { directory };
        this.program("postfix").args(["start"]).run().await;
        this
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub(crate) fn program(&self, name: &str) -> Program {
        let config = self.path("config");
        let option = if name == "sendmail" { "-C" } else { "-c" };
        Program::new(&format!("/usr/sbin/{name}"), "postfix")
            .args([option.as_ref(), config.as_os_str()])
    }

    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.path("log")).unwrap_or_default()
    }
}

impl Drop for Postfix {
    fn drop(&mut self) {
        let stopped = std::process::Command::new("/usr/sbin/postfix")
            .args([
                "-c".as_ref(),
                self.path("config").as_os_str(),
                "stop".as_ref(),
            ])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        if std::thread::panicking() {
            eprintln!("{stopped:?}; Postfix's log:\n{}", self.log());
        }
    }
}

/// A port of loopback that was free a moment ago.
pub(crate) fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    listener.local_addr().expect("an address").port()
}

#[tokio::test(flavor = "multi_thread")]
async fn postfix_relays_to_us() {
    let server = TestServer::start().await;
    let postfix = Postfix::start(
        free_port(),
        &format!(
            "relayhost = [localhost]:{}\nsmtp_tls_security_level = secure\n\
             smtp_tls_loglevel = 1\nsmtp_tls_CAfile = {}",
            port(&server, "mx"),
            server.ca_file().display(),
        ),
    )
    .await;
    // The CA's file lies in the server's directory, which Postfix reads before it drops root.
    let body: String = (0..2_000)
        .map(|line| format!(".{line} ünïcode\n"))
        .collect();
    let message = format!(
        "From: sender@example.test\nTo: alice@demo.test, bob@demo.test\nSubject: relayed\n\
         MIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\n\
         Content-Transfer-Encoding: 8bit\n\n{body}"
    );
    postfix
        .program("sendmail")
        .args([
            "-i",
            "-f",
            "sender@example.test",
            "alice@demo.test",
            "bob@demo.test",
        ])
        .input(message)
        .run()
        .await;
    let body = format!("\r\n\r\n{}", body.replace('\n', "\r\n"));
    for account in ["alice", "bob"] {
        let message = text(&server.wait_for(account, "INBOX", 1).await[0]);
        assert_has(
            &message,
            &[
                "\r\nSubject: relayed\r\n",
                "spf=pass",
                "with ESMTPS",
                "postfix.test",
            ],
        );
        assert!(message.ends_with(&body), "{message}");
    }
    assert_has(
        &postfix.log(),
        &["Verified TLS connection established", "status=sent (250 2."],
    );
    // A recipient who doesn't exist comes back at once as Postfix's own report.
    postfix
        .program("sendmail")
        .args(["-i", "-f", "bob@demo.test", "nobody@demo.test"])
        .input("From: sender@example.test\nSubject: to nobody\n\n.\n")
        .run()
        .await;
    let messages = server.wait_for("bob", "INBOX", 2).await;
    let report = text(&messages[1]);
    assert_has(
        &report,
        &[
            "Return-Path: <>",
            "multipart/report",
            "Status: 5.1.1",
            "to nobody",
        ],
    );
    drop(postfix);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn our_queue_delivers_to_postfix() {
    let port = free_port();
    let keys = scratch();
    let (key, certificate) = (keys.path().join("key.pem"), keys.path().join("cert.pem"));
    Program::new("openssl", "openssl")
        .args([
            "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
        ])
        .args([
            "-subj",
            "/CN=mx.target.test",
            "-addext",
            "subjectAltName=DNS:mx.target.test",
        ])
        .args([
            "-keyout".as_ref(),
            key.as_os_str(),
            "-out".as_ref(),
            certificate.as_os_str(),
        ])
        .run()
        .await;
    let postfix = Postfix::start(
        port,
        &format!(
            "virtual_mailbox_domains = target.test\n\
             virtual_mailbox_maps = inline:{{user@target.test=user/}}\n\
             virtual_mailbox_base = $queue_directory/../mail\n\
             virtual_uid_maps = static:{NOBODY}\nvirtual_gid_maps = static:{NOBODY}\n\
             smtpd_tls_security_level = encrypt\nsmtpd_tls_received_header = yes\n\
             smtpd_tls_key_file = {}\nsmtpd_tls_cert_file = {}\n\
             smtpd_reject_unlisted_recipient = yes",
            key.display(),
            certificate.display(),
        ),
    )
    .await;
    let server = TestServer::start_with(|_| {}, |parts| parts.mx_port = Some(port)).await;
    server.world.zone.a("mx.target.test", Ipv4Addr::LOCALHOST);
    server.world.zone.mx("target.test", 10, "mx.target.test");
    let body = "a\r\n.\r\n..\r\nünïcode, trailing space \r\n\r\nend\r\n";
    let message = format!(
        "From: alice@demo.test\r\nTo: user@target.test\r\nSubject: outbound\r\n\
         MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\
         Content-Transfer-Encoding: 8bit\r\n\r\n{body}"
    );
    let to = ["user@target.test", "missing@target.test"];
    let mut submission = server.submission("alice").await;
    let reply = submission
        .deliver("alice@demo.test", &to, message.as_bytes())
        .await;
    assert_eq!(
        reply.expect("a reply").0,
        250,
        "{}",
        submission.client.log()
    );
    let folder = postfix.path("mail").join("user/new");
    let arrived = tokio::time::timeout(PATIENCE, async {
        loop {
            let found = std::fs::read_dir(&folder)
                .ok()
                .and_then(|mut entries| entries.next());
            if let Some(Ok(entry)) = found {
                return std::fs::read_to_string(entry.path()).expect("a message");
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    });
    let arrived = arrived.await.expect("the message at Postfix");
    assert_has(
        &arrived,
        &["\nSubject: outbound\n", "using TLSv1.3", "mail.demo.test"],
    );
    assert!(
        arrived.ends_with(&format!("\n\n{}", body.replace("\r\n", "\n"))),
        "{arrived}"
    );
    // Postfix refuses the other recipient, and alice hears of it.
    let report = received(&server).await;
    assert_has(
        &report,
        &["multipart/report", "missing@target.test", "Status: 5.1.1"],
    );
    server.stop().await;
}
