//! `muskox demo`: the whole server on loopback, without root, DNS or configuration.
//!
//! | file | what |
//! |---|---|
//! | `world.rs` | what a real server finds outside: DNS for `*.test`, a CA, servers that take mail |
//! | `capture.rs` | the SMTP server that keeps mail to the outside |
//! | `seed.rs` | accounts and mail of different kinds |
//! | `check.rs` | `--check`: the way of a message, step by step |
//!
//! The server itself is [`crate::server::Server`] with another outside. Start at [`run`].

mod capture;
mod check;
mod client;
mod seed;
mod world;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use parsebox::Keeper;

use crate::cli::{Failed, Output, runtime};
use crate::config::{Config, LogConfig, LogLevel};
use crate::logging;
use crate::sandbox;
use crate::server::{Parts, Server, StartError};
use crate::version::VERSION;

pub use capture::{CaptureServer, Captured, Captures};
pub use world::{World, ca_path};

/// Options of `muskox demo`.
#[derive(Debug, Clone, Args)]
pub struct Options {
    /// Prove the way of a message step by step and exit: 0 when all steps succeed, else 1
    #[arg(long)]
    check: bool,
    /// Keep the data in this directory; without it they are removed on exit
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Ports are the standard ones plus this
    #[arg(long, default_value_t = 10_000)]
    offset: u16,
}

/// A demo that runs.
#[derive(Debug)]
pub struct Demo {
    /// The server.
    pub server: Server,
    /// What is outside of it.
    pub world: World,
    /// Who has an account.
    pub people: Vec<Person>,
}

/// An account of the demo.
#[derive(Debug, Clone)]
pub struct Person {
    /// What it signs in with.
    pub login: String,
    /// Its password, known only here.
    pub password: String,
}

/// Runs the command.
///
/// # Errors
/// The demo cannot start, or its check fails.
pub fn run(options: Options, output: &Output) -> Result<(), Failed> {
    let level = if options.check {
        LogLevel::Error
    } else {
        LogLevel::Warn
    };
    logging::start(&LogConfig {
        level,
        ..LogConfig::default()
    });
    let kept = options.data.clone();
    let temporary = match kept {
        Some(_) => None,
        None => Some(tempfile::Builder::new().prefix("muskox-demo-").tempdir()?),
    };
    let directory = match (&kept, &temporary) {
        (Some(directory), _) => directory.as_path(),
        (None, Some(temporary)) => temporary.path(),
        (None, None) => Path::new("."),
    };
    let keeper = sandbox::start_keeper().map_err(StartError::from)?;
    runtime()?.block_on(async {
        if options.check {
            check::run(directory, keeper, output).await
        } else {
            serve(directory, &options, keeper, output).await
        }
    })
}

/// Which ports a demo takes.
#[derive(Debug, Clone, Copy)]
pub enum Ports {
    /// The standard ones plus this.
    Offset(u16),
    /// Whatever is free.
    Any,
}

impl Ports {
    fn address(self, standard: u16) -> Option<SocketAddr> {
        let port = match self {
            Self::Offset(offset) => standard.checked_add(offset)?,
            Self::Any => 0,
        };
        Some(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))
    }
}

/// The configuration of a demo whose data are in `directory`.
///
/// # Errors
/// The ports do not exist.
pub fn configuration(directory: &Path, ports: Ports) -> Result<Config, Failed> {
    let hostname =
        smtp::Domain::parse(world::HOSTNAME).map_err(|error| Failed::Usage(error.to_string()))?;
    let mut config = Config::new(hostname);
    let at = |standard| {
        let address = ports.address(standard);
        address.ok_or_else(|| Failed::Usage("the offset leads beyond port 65535".to_owned()))
    };
    config.data_dir = directory.to_owned();
    config.control.socket = directory.join("control.sock");
    config.smtp.mx = vec![at(25)?];
    config.smtp.submission = vec![at(587)?];
    config.smtp.submissions = vec![at(465)?];
    config.smtp.lmtp = vec![at(24)?];
    config.imap.listen = vec![at(143)?];
    config.imap.listen_tls = vec![at(993)?];
    config.metrics.listen = Some(at(9_090)?);
    Ok(config)
}

impl Demo {
    /// Starts the outside world and the server, and seeds an empty data directory. `keeper` starts its
    /// parse workers.
    ///
    /// # Errors
    /// What cannot be started.
    pub async fn start(config: &Config, keeper: Option<Arc<Keeper>>) -> Result<Self, StartError> {
        let world = World::start().await?;
        let parts = Parts {
            keeper,
            ..world.parts()?
        };
        let server = Server::start(config, parts).await?;
        let people = seed::people(&server.services).await?;
        world.publish_keys(&server.services).await?;
        Ok(Self {
            server,
            world,
            people,
        })
    }

    /// Stops the server, then the world.
    pub async fn stop(self) {
        self.server.stop().await;
        self.world.stop().await;
    }
}

async fn serve(
    directory: &Path,
    options: &Options,
    keeper: Option<Arc<Keeper>>,
    output: &Output,
) -> Result<(), Failed> {
    let config = configuration(directory, Ports::Offset(options.offset))?;
    let demo = Demo::start(&config, keeper).await?;
    demo.world.write_ca(directory)?;
    let seeded = seed::mail(&demo).await?;
    introduce(&demo, &config, seeded, options, output);
    wait_for_the_end().await?;
    output.note("\nstopping");
    demo.stop().await;
    Ok(())
}

async fn wait_for_the_end() -> Result<(), Failed> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        interrupted = tokio::signal::ctrl_c() => Ok(interrupted?),
        _ = terminate.recv() => Ok(()),
    }
}

/// Tells what runs where, and what to try.
fn introduce(demo: &Demo, config: &Config, seeded: usize, options: &Options, output: &Output) {
    let kept = if options.data.is_some() {
        "kept"
    } else {
        "removed on exit"
    };
    let address = |name| {
        demo.server
            .address(name)
            .map_or_else(String::new, |at| at.to_string())
    };
    let port = |name| demo.server.address(name).map_or(0, |at| at.port());
    output.line(format_args!(
        "muskox {} demo ({})   data: {} ({kept})",
        VERSION,
        std::env::consts::ARCH,
        config.data_dir.display(),
    ));
    let ok = output.good("ok");
    output.line(format_args!(
        "[{ok}] built-in DNS for *.test    [{ok}] certificate of a demo CA"
    ));
    let mail = match seeded {
        0 => "mail of before".to_owned(),
        seeded => format!("{seeded} seeded messages"),
    };
    output.line(format_args!(
        "[{ok}] {} accounts, {mail}    [{ok}] DKIM keys (RSA, Ed25519) published",
        demo.people.len()
    ));
    output.line("");
    for person in &demo.people {
        output.line(format_args!(
            "  account     {:<18} password {}",
            person.login, person.password
        ));
    }
    output.line(format_args!(
        "  MX          {}  LMTP {}",
        address("mx"),
        port("lmtp")
    ));
    output.line(format_args!(
        "  submission  {}  STARTTLS, or {} with TLS",
        address("submission"),
        port("submissions")
    ));
    output.line(format_args!(
        "  IMAP        {}  STARTTLS, or {} with TLS",
        address("imap"),
        port("imaps")
    ));
    output.line(format_args!(
        "  metrics     http://{}/metrics",
        address("metrics")
    ));
    output.line(format_args!(
        "  CA          {}",
        world::ca_path(&config.data_dir).display()
    ));
    output.line("");
    let socket = config.control.socket.display();
    output.line(format_args!(
        "  Try  swaks --server {} --from bob@example.test --to {}",
        address("mx"),
        seed::FIRST
    ));
    output.line(format_args!("       muskox --socket {socket} account list"));
    output.line(format_args!(
        "       muskox --socket {socket} captured list"
    ));
    output.line(
        "  Mail to any other *.test domain is captured, never sent; 450@ and 550@ anywhere answer so.",
    );
    output.line("  Ctrl-C stops.");
}
