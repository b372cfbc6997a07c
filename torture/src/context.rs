//! What a run gets.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use dns::{Zone, ZoneServer};
use testkit::process::{Process, Site};

use crate::Options;
use crate::figure::{Figures, Target};

/// Why a run has no figures.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Stopped {
    /// This machine or this user cannot do it; the reason names what is missing.
    #[error("not possible here: {0}")]
    NotPossible(String),
    /// It went wrong.
    #[error("{0}")]
    Failed(String),
}

impl From<std::io::Error> for Stopped {
    fn from(error: std::io::Error) -> Self {
        Self::Failed(error.to_string())
    }
}

/// What a run comes to.
pub(crate) type Result<T> = std::result::Result<T, Stopped>;

/// The surroundings of a run.
#[derive(Debug)]
pub(crate) struct Context {
    options: Options,
    binary: OnceLock<PathBuf>,
    directory: tempfile::TempDir,
    starts: AtomicUsize,
    runtime: tokio::runtime::Runtime,
}

impl Context {
    pub(crate) fn new(options: Options) -> Self {
        let scratch = options.scratch.clone().unwrap_or_else(std::env::temp_dir);
        Self {
            options,
            binary: OnceLock::new(),
            directory: tempfile::tempdir_in(scratch).expect("a temporary directory"),
            starts: AtomicUsize::new(0),
            runtime: tokio::runtime::Runtime::new().expect("a runtime"),
        }
    }

    /// `quick` or `full`.
    pub(crate) fn depth<T>(&self, quick: T, full: T) -> T {
        if self.options.full { full } else { quick }
    }

    /// `quick` or `full`, as it is written into the figures.
    pub(crate) fn depth_name(&self) -> &'static str {
        self.depth("quick", "full")
    }

    /// The options, for figures.
    pub(crate) fn options(&self) -> &Options {
        &self.options
    }

    /// A directory that goes with the run.
    pub(crate) fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// The server's binary.
    pub(crate) fn binary(&self) -> &Path {
        self.binary.get_or_init(|| {
            self.options.binary.clone().unwrap_or_else(|| {
                let mut cargo = Command::new("cargo");
                cargo.args(["build", "--quiet", "--release", "--package", "muskox"]);
                build(&mut cargo);
                root().join("target/release/muskox")
            })
        })
    }

    /// The server's binary for ARM64.
    pub(crate) fn arm64(&self) -> Result<PathBuf> {
        if let Some(binary) = &self.options.arm64 {
            return Ok(binary.clone());
        }
        let mut script = Command::new(root().join(".ci/arm64"));
        script.args([
            "cargo",
            "build",
            "--quiet",
            "--locked",
            "--profile",
            "emulated",
            "--package",
            "muskox",
        ]);
        build(&mut script);
        Ok(root().join("target/arm64/aarch64-unknown-linux-gnu/emulated/muskox"))
    }

    /// A new site for the binary.
    pub(crate) fn site(&self) -> Site {
        Site::new(self.binary())
    }

    /// Starts a server; what it logs is kept for [`Context::panics`].
    pub(crate) fn start(&self, site: &Site) -> Process {
        let log = self.log(self.starts.fetch_add(1, Ordering::SeqCst));
        let started = catch_unwind(AssertUnwindSafe(|| site.start_logging(&log)));
        started.unwrap_or_else(|panic| {
            eprintln!("{}", std::fs::read_to_string(&log).unwrap_or_default());
            resume_unwind(panic)
        })
    }

    fn log(&self, number: usize) -> PathBuf {
        self.directory().join(format!("server-{number}.log"))
    }

    /// Has a running server look for mistakes in its store, and says whether it found any.
    pub(crate) fn check(&self, site: &Site, figures: &mut Figures) {
        let (clean, text) = site.command(&["db", "check"]);
        if !clean {
            eprintln!("{text}");
        }
        let findings = usize::from(!clean);
        figures.count("findings of `db check`", findings, Target::Exactly(0.0));
    }

    /// Stops a server, and says whether it ended well and whether any of this run has panicked.
    pub(crate) fn end(&self, process: Process, figures: &mut Figures) {
        let unclean = usize::from(process.terminate() != Some(0));
        figures.count("exits that were not clean", unclean, Target::Exactly(0.0));
        figures.count("panics", self.panics(), Target::Exactly(0.0));
    }

    /// Lines about panics that the servers of this run have logged.
    pub(crate) fn panics(&self) -> usize {
        let mut count = 0;
        for number in 0..self.starts.load(Ordering::SeqCst) {
            let log = std::fs::read(self.log(number)).unwrap_or_default();
            for line in String::from_utf8_lossy(&log).lines() {
                if line.contains("panicked") {
                    eprintln!("   {line}");
                    count += 1;
                }
            }
        }
        count
    }

    /// Prints what the servers of this run have warned of, the end of it.
    pub(crate) fn tell_worries(&self) {
        for number in 0..self.starts.load(Ordering::SeqCst) {
            let log = std::fs::read_to_string(self.log(number)).unwrap_or_default();
            let worries: Vec<&str> = log
                .lines()
                .filter(|line| !line.contains(" INFO "))
                .collect();
            for line in worries.iter().skip(worries.len().saturating_sub(10)) {
                eprintln!("   server {number}: {line}");
            }
        }
    }

    /// A name server that knows no name, and says so at once.
    pub(crate) fn names(&self) -> Result<ZoneServer> {
        Ok(self.block_on(ZoneServer::loopback(Arc::new(Zone::new())))?)
    }

    /// Runs `future` to its end.
    pub(crate) fn block_on<F: Future>(&self, future: F) -> F::Output {
        self.runtime.block_on(future)
    }

    /// Runs `future` beside what follows.
    pub(crate) fn spawn<F>(&self, future: F) -> tokio::task::JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        self.runtime.spawn(future)
    }
}

/// The folder of the workspace.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .unwrap_or_else(|| Path::new("."))
}

fn build(command: &mut Command) {
    let status = command.current_dir(root()).status();
    assert!(
        status.is_ok_and(|status| status.success()),
        "{command:?} failed"
    );
}

/// Runs a program that must succeed, and returns what it printed.
pub(crate) fn run(program: &str, arguments: &[&str]) -> Result<String> {
    let output = Command::new(program)
        .args(arguments)
        .output()
        .map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => {
                Stopped::NotPossible(format!("there is no program {program}"))
            }
            _ => Stopped::Failed(format!("{program}: {error}")),
        })?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    if output.status.success() {
        Ok(text)
    } else {
        let errors = String::from_utf8_lossy(&output.stderr);
        Err(Stopped::Failed(format!(
            "{program} {arguments:?}: {text}{errors}"
        )))
    }
}

/// Refuses a run that only root can do.
pub(crate) fn need_root(why: &str) -> Result<()> {
    if rustix::process::geteuid().is_root() {
        Ok(())
    } else {
        Err(Stopped::NotPossible(format!("only root may {why}")))
    }
}
