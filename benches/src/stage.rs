//! Where a run takes place: a directory of its own, ports above 20000, and the list of what must
//! be stopped at its end, also when somebody presses Ctrl-C.

#![expect(
    clippy::disallowed_methods,
    reason = "writes the servers' configurations and reads logs"
)]

use std::ffi::OsStr;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::error::{Context as _, Error, Result};

/// How long a server may take to start or stop.
const PATIENCE: Duration = Duration::from_secs(30);
const FIRST_PORT: u16 = 20_000;
const TMPFS: i64 = 0x0102_1994;

/// A server that runs and how it is stopped.
#[derive(Debug)]
pub(crate) enum Stop {
    /// A child of ours: SIGTERM, then SIGKILL.
    Child(Child),
    /// A daemon with a stop command of its own.
    Command {
        program: PathBuf,
        arguments: Vec<String>,
        master: u32,
    },
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Stage {
    root: PathBuf,
    directory: Mutex<Option<TempDir>>,
    /// `None` once everything was stopped.
    running: Mutex<Option<Vec<Stop>>>,
    next_port: Mutex<u16>,
}

impl Stage {
    /// A new directory below `parent`, which must be on a disk.
    pub(crate) fn new(parent: &Path) -> Result<Self> {
        let kind = rustix::fs::statfs(parent).map_err(std::io::Error::from);
        if i128::from(kind.context(parent.display().to_string())?.f_type) == i128::from(TMPFS) {
            let text = "is in memory, where fsync costs nothing: name a directory on a disk with \
                        --directory";
            return Err(Error::Missing(format!("{} {text}", parent.display())));
        }
        let directory = tempfile::Builder::new()
            .prefix("muskox-bench-")
            .permissions(fs::Permissions::from_mode(0o755))
            .tempdir_in(parent)
            .context("a temporary directory")?;
        Ok(Self {
            root: directory.path().to_owned(),
            directory: Mutex::new(Some(directory)),
            running: Mutex::new(Some(Vec::new())),
            next_port: Mutex::new(FIRST_PORT),
        })
    }

    /// The run's directory.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// Makes a directory in the run's own.
    pub(crate) fn directory(&self, name: &str) -> Result<PathBuf> {
        let path = self.root.join(name);
        fs::create_dir_all(&path).context(path.display().to_string())?;
        Ok(path)
    }

    /// A loopback address that nobody listens on.
    pub(crate) fn address(&self) -> Result<SocketAddr> {
        let mut next = self
            .next_port
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let free = (*next..u16::MAX)
            .find(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok())
            .ok_or_else(|| Error::Missing("no port is free".to_owned()))?;
        *next = free + 1;
        Ok(SocketAddr::from((Ipv4Addr::LOCALHOST, free)))
    }

    /// Remembers a server to be stopped at the end.
    pub(crate) fn started(&self, stop: Stop) {
        match &mut *self.running.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(running) => running.push(stop),
            // A signal came while it started.
            None => stop.stop(),
        }
    }

    /// Stops what was started last, and waits until it is gone.
    pub(crate) fn stop_last(&self) {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(last) = running.as_mut().and_then(Vec::pop) {
            last.stop();
        }
    }

    /// Stops what runs, the last first, and removes the directory.
    pub(crate) fn strike(&self) {
        let running = self
            .running
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        for stop in running.into_iter().flatten().rev() {
            stop.stop();
        }
        // A daemon's last workers may outlive their master by a moment and still write.
        wait_until(|| fs::remove_dir_all(&self.root).is_ok() || !self.root.exists());
        drop(
            self.directory
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .take(),
        );
    }
}

impl Stop {
    fn stop(self) {
        match self {
            Self::Child(mut child) => {
                signal(child.id(), Signal::TERM);
                if !wait_until(|| matches!(child.try_wait(), Ok(Some(_)))) {
                    // It may have ended this moment.
                    let _ = child.kill();
                    let _ = child.wait();
                }
            }
            Self::Command {
                program,
                arguments,
                master,
            } => {
                // What its own command does not stop, the signal does.
                let _ = run(&program, &arguments);
                if !wait_until(|| !alive(master)) {
                    signal(master, Signal::TERM);
                    wait_until(|| !alive(master));
                }
            }
        }
    }
}

fn signal(pid: u32, signal: Signal) {
    if let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) {
        // A process that is gone needs no signal.
        let _ = kill_process(pid, signal);
    }
}

fn alive(pid: u32) -> bool {
    Path::new("/proc").join(pid.to_string()).exists()
}

/// Waits for `done`; whether it came in time.
fn wait_until(mut done: impl FnMut() -> bool) -> bool {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if done() {
            return true;
        }
        if Instant::now() > deadline {
            return false;
        }
        pause(Duration::from_millis(10));
    }
}

/// Waits until something listens on `address`; else the end of `log` is the error.
pub(crate) fn wait_for(server: &'static str, address: SocketAddr, log: &Path) -> Result<()> {
    if wait_until(|| TcpStream::connect(address).is_ok()) {
        return Ok(());
    }
    let text = fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    let tail = lines
        .get(lines.len().saturating_sub(20)..)
        .unwrap_or_default();
    Err(Error::Silent(server, tail.join("\n")))
}

/// Waits until `path` holds a process id.
pub(crate) fn wait_for_pid(server: &'static str, path: &Path) -> Result<u32> {
    let mut pid = None;
    wait_until(|| {
        pid = fs::read_to_string(path)
            .ok()
            .and_then(|text| text.trim().parse().ok());
        pid.is_some()
    });
    pid.ok_or_else(|| Error::Silent(server, format!("no process id in {}", path.display())))
}

/// Sleeps.
#[expect(
    clippy::disallowed_methods,
    reason = "a benchmark's threads have nothing to cancel"
)]
pub(crate) fn pause(time: Duration) {
    std::thread::sleep(time);
}

/// Writes a file that a server will read.
pub(crate) fn write(path: &Path, text: &str) -> Result<()> {
    fs::write(path, text).context(path.display().to_string())
}

/// Runs a program that leaves a daemon behind, which may keep `log` as its output.
pub(crate) fn launch(command: &mut Command, log: &Path) -> Result<()> {
    let program = command.get_program().to_string_lossy().into_owned();
    let file = fs::File::create(log).context(log.display().to_string())?;
    let other = file.try_clone().context(log.display().to_string())?;
    let status = command
        .stdin(Stdio::null())
        .stdout(file)
        .stderr(other)
        .status();
    if status.context(program.as_str())?.success() {
        return Ok(());
    }
    let output = fs::read_to_string(log).unwrap_or_default();
    Err(Error::Program {
        program,
        output: output.trim().to_owned(),
    })
}

/// Starts a server in the foreground, as a child, with its output in `log`.
pub(crate) fn spawn(command: &mut Command, log: &Path) -> Result<Child> {
    let program = command.get_program().to_string_lossy().into_owned();
    let file = fs::File::create(log).context(log.display().to_string())?;
    let other = file.try_clone().context(log.display().to_string())?;
    command
        .stdin(Stdio::null())
        .stdout(file)
        .stderr(other)
        .spawn()
        .context(program)
}

/// Runs a program to its end; what it printed.
pub(crate) fn run<S: AsRef<OsStr>>(program: &Path, arguments: &[S]) -> Result<String> {
    run_with(Command::new(program).args(arguments), "")
}

/// The same with its standard input.
pub(crate) fn run_with(command: &mut Command, input: &str) -> Result<String> {
    use std::io::Write as _;
    let program = command.get_program().to_string_lossy().into_owned();
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .context(program.as_str())?;
    if let Some(mut stdin) = child.stdin.take() {
        // A program that reads nothing may have ended already.
        let _ = stdin.write_all(input.as_bytes());
    }
    let output = child.wait_with_output().context(program.as_str())?;
    let mut text = String::from_utf8_lossy(&output.stdout).into_owned();
    if output.status.success() {
        return Ok(text);
    }
    text.push_str(&String::from_utf8_lossy(&output.stderr));
    Err(Error::Program {
        program,
        output: text.trim().to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_high_and_never_given_twice() {
        let stage = Stage::new(Path::new(env!("CARGO_MANIFEST_DIR"))).unwrap();
        let (one, other) = (stage.address().unwrap(), stage.address().unwrap());
        assert!(one.port() >= FIRST_PORT && other.port() > one.port());
        assert!(one.ip().is_loopback());
        stage.strike();
        assert!(!stage.root().exists());
    }

    #[test]
    fn children_are_stopped() {
        let stage = Stage::new(Path::new(env!("CARGO_MANIFEST_DIR"))).unwrap();
        let child = Command::new("sleep").arg("60").spawn().unwrap();
        let pid = child.id();
        stage.started(Stop::Child(child));
        stage.strike();
        assert!(!alive(pid));
        let late = Command::new("sleep").arg("60").spawn().unwrap();
        let pid = late.id();
        stage.started(Stop::Child(late));
        assert!(!alive(pid));
    }

    #[test]
    fn a_failure_tells_what_was_said() {
        let arguments = ["-c", "cat; echo no >&2; exit 3"];
        let error = run_with(Command::new("sh").args(arguments), "in ").unwrap_err();
        assert_eq!(error.to_string(), "sh failed: in no");
        assert_eq!(run(Path::new("echo"), &["yes"]).unwrap(), "yes\n");
    }
}
