//! The binary as a process of its own: started, watched, killed and started again on the same data.

use std::ffi::{OsStr, OsString};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// A running `muskox serve`. Killed when dropped.
#[derive(Debug)]
pub struct Process {
    child: Child,
}

/// A place for a server: its directory, configuration and ports, the same over restarts.
#[derive(Debug)]
pub struct Site {
    directory: Directory,
    /// The program and its first arguments: an emulator's before the binary, or the binary alone.
    program: Vec<OsString>,
    environment: Vec<(OsString, OsString)>,
    /// MX, LMTP, IMAP with TLS, metrics, submission.
    ports: [u16; 5],
}

/// Where a site lies.
#[derive(Debug)]
enum Directory {
    /// In a directory that goes with the site.
    Own(tempfile::TempDir),
    /// In somebody else's.
    Given(PathBuf),
}

/// Where nobody answers.
const NAMESERVER: &str = "127.0.0.1:9";
const START_TIMEOUT: Duration = Duration::from_secs(60);

impl Site {
    /// A new empty site for `binary`.
    #[must_use]
    pub fn new(binary: &Path) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        Self::made(Directory::Own(directory), binary)
    }

    /// A site in a directory that exists, with what lies there.
    #[must_use]
    pub fn at(directory: &Path, binary: &Path) -> Self {
        Self::made(Directory::Given(directory.to_owned()), binary)
    }

    fn made(directory: Directory, binary: &Path) -> Self {
        let site = Self {
            directory,
            program: vec![binary.into()],
            environment: Vec::new(),
            ports: free_ports(),
        };
        site.configure(NAMESERVER);
        site
    }

    fn configure(&self, nameserver: &str) {
        let [mx, lmtp, imaps, metrics, submission] = self.ports;
        let data = self.path().join("data");
        let text = format!(
            "hostname = \"mail.demo.test\"\ndata_dir = {data:?}\n\
             [smtp]\nmx = [\"127.0.0.1:{mx}\"]\nsubmissions = []\n\
             submission = [\"127.0.0.1:{submission}\"]\n\
             lmtp = [\"127.0.0.1:{lmtp}\"]\n\
             [imap]\nlisten = []\nlisten_tls = [\"127.0.0.1:{imaps}\"]\n\
             [dns]\nnameservers = [\"{nameserver}\"]\n\
             [metrics]\nlisten = \"127.0.0.1:{metrics}\"\n\
             [control]\nsocket = {:?}\n[log]\nlevel = \"warn\"\n\
             [service]\nroot = true\n",
            self.path().join("control.sock"),
        );
        std::fs::write(self.config(), text).expect("a configuration");
    }

    /// Runs the binary by another program from now on: an emulator, a tracer, a limiter.
    #[must_use]
    pub fn under<S: AsRef<OsStr>>(mut self, launcher: &[S]) -> Self {
        let binary = self.program.pop();
        self.program = launcher
            .iter()
            .map(|word| word.as_ref().to_owned())
            .collect();
        self.program.extend(binary);
        self
    }

    /// The same place for another binary, run by itself.
    #[must_use]
    pub fn with_binary(mut self, binary: &Path) -> Self {
        self.program = vec![binary.into()];
        self
    }

    /// With a variable in the environment of everything that is run from now on.
    #[must_use]
    pub fn with_variable(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.environment.push((name.into(), value.as_ref().into()));
        self
    }

    /// Adds sections to the configuration, from the server's next start on.
    pub fn add_configuration(&self, text: &str) {
        let mut all = std::fs::read_to_string(self.config()).expect("the configuration");
        all.push_str(text);
        std::fs::write(self.config(), all).expect("a configuration");
    }

    /// The site's directory.
    #[must_use]
    pub fn path(&self) -> &Path {
        match &self.directory {
            Directory::Own(directory) => directory.path(),
            Directory::Given(path) => path,
        }
    }

    /// Its configuration.
    #[must_use]
    pub fn config(&self) -> PathBuf {
        self.path().join("muskox.toml")
    }

    /// Lets the server ask this name server from its next start on; without one it gets no answers.
    pub fn resolve_at(&self, nameserver: SocketAddr) {
        let text = std::fs::read_to_string(self.config()).expect("the configuration");
        let text = text.replace(NAMESERVER, &nameserver.to_string());
        std::fs::write(self.config(), text).expect("a configuration");
    }

    /// The directory of what can be made again.
    #[must_use]
    pub fn cache(&self) -> PathBuf {
        self.path().join("data/cache")
    }

    /// Where other mail servers connect.
    #[must_use]
    pub fn mx(&self) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::LOCALHOST, self.ports[0]))
    }

    /// Where LMTP listens.
    #[must_use]
    pub fn lmtp(&self) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::LOCALHOST, self.ports[1]))
    }

    /// Where IMAP over TLS listens.
    #[must_use]
    pub fn imaps(&self) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::LOCALHOST, self.ports[2]))
    }

    /// Where users send mail, after STARTTLS.
    #[must_use]
    pub fn submission(&self) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::LOCALHOST, self.ports[4]))
    }

    /// Starts the server and waits until it answers.
    #[must_use]
    pub fn start(&self) -> Process {
        self.started(&mut self.serve())
    }

    /// The same; it logs what it does, one line for each step, to `log`, which is emptied first.
    #[must_use]
    pub fn start_logging(&self, log: &Path) -> Process {
        let log = std::fs::File::create(log).expect("a log");
        let mut command = self.serve();
        command.env("MUSKOX_LOG", "info").stderr(log);
        self.started(&mut command)
    }

    fn program(&self) -> Command {
        let [first, rest @ ..] = self.program.as_slice() else {
            panic!("a site has a program");
        };
        let mut command = Command::new(first);
        command.args(rest).envs(self.environment.iter().cloned());
        command
    }

    fn serve(&self) -> Command {
        let mut command = self.program();
        command
            .args(["serve", "--config"])
            .arg(self.config())
            .stdin(Stdio::null())
            .stdout(Stdio::null());
        command
    }

    fn started(&self, command: &mut Command) -> Process {
        let child = command.spawn().expect("the server starts");
        let mut process = Process { child };
        let deadline = Instant::now() + START_TIMEOUT;
        while !self.command(&["status"]).0 {
            let ended = process.child.try_wait().expect("the process is ours");
            assert!(ended.is_none(), "the server ended at once: {ended:?}");
            assert!(Instant::now() < deadline, "the server does not answer");
            std::thread::sleep(Duration::from_millis(10));
        }
        process
    }

    /// Runs `muskox` against this site: whether it succeeded, and what it printed.
    #[must_use]
    pub fn command(&self, arguments: &[&str]) -> (bool, String) {
        self.command_with(arguments, "")
    }

    /// The same with standard input.
    #[must_use]
    pub fn command_with(&self, arguments: &[&str], input: &str) -> (bool, String) {
        use std::io::Write as _;
        let mut child = self
            .program()
            .arg("--config")
            .arg(self.config())
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the command starts");
        let mut stdin = child.stdin.take().expect("a pipe");
        // A command that reads nothing may have ended already.
        let _ = stdin.write_all(input.as_bytes());
        drop(stdin);
        let output = child.wait_with_output().expect("the command ends");
        let mut text = String::from_utf8_lossy(&output.stdout).into_owned();
        text.push_str(&String::from_utf8_lossy(&output.stderr));
        (output.status.success(), text)
    }
}

impl Process {
    /// Ends the process as a power cut would: no goodbye, nothing flushed.
    pub fn kill(mut self) {
        self.child.kill().expect("the process is ours");
        self.child.wait().expect("the process is ours");
    }

    /// Asks the process to stop and waits for it; its exit code.
    pub fn terminate(mut self) -> Option<i32> {
        let pid = self.child.id().to_string();
        let sent = Command::new("kill")
            .args(["-TERM", &pid])
            .status()
            .expect("kill(1)");
        assert!(sent.success());
        self.child.wait().expect("the process is ours").code()
    }

    /// The same for at most `patience`; `None` when it had to be killed.
    pub fn terminate_within(mut self, patience: Duration) -> Option<ExitStatus> {
        let deadline = Instant::now() + patience;
        // It may have ended by itself.
        let _ = Command::new("kill")
            .args(["-TERM", &self.child.id().to_string()])
            .stderr(Stdio::null())
            .status();
        while Instant::now() < deadline {
            if let Some(status) = self.child.try_wait().expect("the process is ours") {
                return Some(status);
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        None
    }

    /// Whether it has ended by itself.
    pub fn has_ended(&mut self) -> bool {
        self.child
            .try_wait()
            .expect("the process is ours")
            .is_some()
    }

    /// Its process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Ports that were free a moment ago.
fn free_ports() -> [u16; 5] {
    let sockets =
        [(); 5].map(|()| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port"));
    sockets.map(|socket| socket.local_addr().expect("an address").port())
}

/// A process and those it has started, directly or not.
#[must_use]
pub fn family(first: u32) -> Vec<u32> {
    let mut pids = vec![first];
    let mut next = 0;
    while let Some(pid) = pids.get(next) {
        // One that has just ended has no children.
        for entry in std::fs::read_dir(format!("/proc/{pid}/task"))
            .into_iter()
            .flatten()
            .flatten()
        {
            let children =
                std::fs::read_to_string(entry.path().join("children")).unwrap_or_default();
            let children = children.split_ascii_whitespace();
            pids.extend(children.filter_map(|pid| pid.parse::<u32>().ok()));
        }
        next += 1;
    }
    pids
}
