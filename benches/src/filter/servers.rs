//! The filters under measurement: Muskox, Rspamd with Redis, spamd.
//!
//! Rspamd runs with the configuration and the rules of Debian's package, and overrides that name
//! addresses, switch off what asks the network, what holds mail back and its milter, and switch on
//! the classifier. Muskox runs with its defaults and the same switches.

#![expect(
    clippy::disallowed_methods,
    reason = "removes caches of compiled patterns in the run's own directory"
)]

use std::fs;
use std::net::SocketAddr;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use super::client::PASSWORD;
use crate::error::{Context as _, Result};
use crate::packages::{REDIS, RSPAMD, SPAMASSASSIN_RULES, SPAMD};
use crate::stage::{Stage, Stop, pause, run, run_with, spawn, wait_for, write};

/// How long a server may take until it listens everywhere.
const PATIENCE: Duration = Duration::from_secs(30);

/// The user that Debian's Rspamd runs as.
const RSPAMD_USER: &str = "_rspamd";

/// Muskox with a database of its own.
#[derive(Debug)]
pub(super) struct Muskox<'a> {
    stage: &'a Stage,
    binary: &'a Path,
    directory: PathBuf,
    pub(super) filter: SocketAddr,
}

impl<'a> Muskox<'a> {
    /// Writes the configuration.
    pub(super) fn new(stage: &'a Stage, binary: &'a Path, nameserver: SocketAddr) -> Result<Self> {
        let directory = stage.directory("muskox")?;
        let (filter, metrics) = (stage.address()?, stage.address()?);
        let text = format!(
            "hostname = \"mail.bench.test\"\ndata_dir = {:?}\n\
             [smtp]\nmx = []\nsubmission = []\nsubmissions = []\nlmtp = []\n\
             [imap]\nlisten = []\nlisten_tls = []\n\
             [dns]\nnameservers = [\"{nameserver}\"]\n\
             [metrics]\nlisten = \"{metrics}\"\n\
             [control]\nsocket = {:?}\n[service]\nroot = true\n\
             [filter]\nrspamd = [\"{filter}\"]\npassword = \"{PASSWORD}\"\n\
             network = false\nautolearn = false\n",
            directory.join("data"),
            directory.join("control.sock"),
        );
        write(&directory.join("muskox.toml"), &text)?;
        Ok(Self {
            stage,
            binary,
            directory,
            filter,
        })
    }

    /// Starts it; the process, which need not listen yet.
    pub(super) fn start(&self) -> Result<u32> {
        let mut command = self.command();
        let child = spawn(command.arg("serve"), &self.directory.join("muskox.log"))?;
        let pid = child.id();
        self.stage.started(Stop::Child(child));
        Ok(pid)
    }

    /// Waits until it listens everywhere; the control socket comes last.
    pub(super) fn wait(&self) -> Result<()> {
        let log = self.directory.join("muskox.log");
        wait_for("muskox", self.filter, &log)?;
        let asked = Instant::now();
        while let Err(error) = UnixStream::connect(self.socket()) {
            if asked.elapsed() > PATIENCE {
                return Err(error).context(self.socket().display().to_string());
            }
            pause(Duration::from_millis(1));
        }
        Ok(())
    }

    /// Forgets compiled patterns; not while it runs.
    pub(super) fn chill(&self) -> Result<()> {
        let cache = self.directory.join("data/cache");
        match fs::remove_dir_all(&cache) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
            result => result.context(cache.display().to_string()),
        }
    }

    /// Its control socket.
    pub(super) fn socket(&self) -> PathBuf {
        self.directory.join("control.sock")
    }

    /// Takes over SpamAssassin's rules.
    pub(super) fn import(&self) -> Result<()> {
        let mut command = self.command();
        command.args(["rules", "import", "spamassassin", SPAMASSASSIN_RULES]);
        run_with(&mut command, "").map(drop)
    }

    fn command(&self) -> Command {
        let mut command = Command::new(self.binary);
        command
            .arg("--config")
            .arg(self.directory.join("muskox.toml"))
            .env_remove("MUSKOX_SOCKET");
        command
    }
}

/// Rspamd; its Redis runs as long as the stage stands.
#[derive(Debug)]
pub(super) struct Rspamd<'a> {
    stage: &'a Stage,
    directory: PathBuf,
    pub(super) filter: SocketAddr,
    /// Where it is taught.
    pub(super) controller: SocketAddr,
    pub(super) redis: u32,
}

impl<'a> Rspamd<'a> {
    /// Writes the configuration and starts Redis.
    pub(super) fn new(stage: &'a Stage, nameserver: SocketAddr) -> Result<Self> {
        let directory = stage.directory("rspamd")?;
        for name in ["local.d", "db", "run", "log", "redis"] {
            stage.directory(&format!("rspamd/{name}"))?;
        }
        let (filter, controller) = (stage.address()?, stage.address()?);
        let redis = stage.address()?;
        let off = "enabled = false;\n".to_owned();
        let files = [
            (
                "options.inc",
                format!(
                    "dns {{ nameserver = [\"{}:{}:10\"]; }}\nlocal_addrs = [];\n",
                    nameserver.ip(),
                    nameserver.port()
                ),
            ),
            (
                "worker-normal.inc",
                format!("bind_socket = \"{filter}\";\ncount = 1;\n"),
            ),
            (
                "worker-controller.inc",
                format!("bind_socket = \"{controller}\";\npassword = \"{PASSWORD}\";\n"),
            ),
            ("worker-proxy.inc", off.clone()),
            ("redis.conf", format!("servers = \"{redis}\";\n")),
            (
                "classifier-bayes.conf",
                "backend = \"redis\";\nautolearn = false;\n".to_owned(),
            ),
            ("rbl.conf", off.clone()),
            ("fuzzy_check.conf", off.clone()),
            ("asn.conf", off.clone()),
            ("greylist.conf", off.clone()),
            ("ratelimit.conf", off),
        ];
        for (name, text) in files {
            write(&directory.join("local.d").join(name), &text)?;
        }
        let config = directory.join("redis.conf");
        let text = format!(
            "bind 127.0.0.1\nport {}\ndir {}\nsave \"\"\nappendonly no\ndaemonize no\n",
            redis.port(),
            directory.join("redis").display()
        );
        write(&config, &text)?;
        let log = directory.join("redis.log");
        let child = spawn(Command::new(REDIS).arg(&config), &log)?;
        let pid = child.id();
        stage.started(Stop::Child(child));
        wait_for("redis", redis, &log)?;
        Ok(Self {
            stage,
            directory,
            filter,
            controller,
            redis: pid,
        })
    }

    /// Starts it; the main process, whose workers need not listen yet.
    pub(super) fn start(&self) -> Result<u32> {
        run(
            Path::new("chown"),
            &["-R", RSPAMD_USER, &self.directory.display().to_string()],
        )?;
        let path = |name: &str| self.directory.join(name).display().to_string();
        let mut command = Command::new(RSPAMD);
        command
            .args(["-f", "-u", RSPAMD_USER, "-g", RSPAMD_USER])
            .args(["-c", "/etc/rspamd/rspamd.conf"])
            .arg(format!("--var=LOCAL_CONFDIR={}", self.directory.display()))
            .arg(format!("--var=DBDIR={}", path("db")))
            .arg(format!("--var=RUNDIR={}", path("run")))
            .arg(format!("--var=LOGDIR={}", path("log")));
        let child = spawn(&mut command, &self.directory.join("rspamd.log"))?;
        let pid = child.id();
        self.stage.started(Stop::Child(child));
        Ok(pid)
    }

    /// Waits until it listens.
    pub(super) fn wait(&self) -> Result<()> {
        let log = self.directory.join("log/rspamd.log");
        wait_for("rspamd", self.controller, &log)?;
        wait_for("rspamd", self.filter, &log)
    }

    /// Forgets compiled patterns; not while it runs.
    pub(super) fn chill(&self) -> Result<()> {
        let database = self.directory.join("db");
        let name = || database.display().to_string();
        for entry in fs::read_dir(&database).context(name())?.flatten() {
            if entry.file_name().to_string_lossy().contains(".hs") {
                fs::remove_file(entry.path()).context(name())?;
            }
        }
        Ok(())
    }

    /// Uses SpamAssassin's rules from the next start on.
    pub(super) fn import(&self) -> Result<()> {
        let text = format!("ruleset = \"{SPAMASSASSIN_RULES}/*.cf\";\n");
        write(&self.directory.join("local.d/spamassassin.conf"), &text)
    }
}

/// Starts spamd without network tests and classifier, one child; its address and its process.
pub(super) fn spamd(stage: &Stage) -> Result<(SocketAddr, u32)> {
    let directory = stage.directory("spamd")?;
    let address = stage.address()?;
    let log = directory.join("spamd.log");
    let mut command = Command::new(SPAMD);
    command
        .args(["--local", "--nouser-config", "--syslog=stderr"])
        .args(["--max-children=1", "--min-children=1", "--listen=127.0.0.1"])
        .arg(format!("--port={}", address.port()))
        .args(["--cf=use_bayes 0", "--username=nobody"]);
    let child = spawn(&mut command, &log)?;
    let pid = child.id();
    stage.started(Stop::Child(child));
    wait_for("spamd", address, &log)?;
    Ok((address, pid))
}
