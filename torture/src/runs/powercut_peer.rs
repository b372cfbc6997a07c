//! The plug pulled from Debian's Postfix, by the same rig: what the most trusted server promises.
//!
//! Postfix delivers into a Maildir by its own virtual(8). An acknowledged message counts as there
//! when it is in the Maildir, or in the queue of the copied disk.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use crate::context::{Context, Result, Stopped, need_root, run as program};
use crate::disk::Disk;
use crate::figure::{Figures, Target};
use crate::ledger::{self, Ledger, Load};

const POSTFIX: &str = "/usr/sbin/postfix";
const SESSIONS: usize = 8;
/// Queues that hold accepted mail.
const QUEUES: [&str; 4] = ["incoming", "active", "deferred", "maildrop"];
/// Who owns the Maildir.
const NOBODY: u32 = 65_534;

pub(crate) fn run(context: &Context) -> Result<Figures> {
    need_root("start Postfix")?;
    if !Path::new(POSTFIX).exists() {
        return Err(Stopped::NotPossible("Postfix is not installed".to_owned()));
    }
    let cuts = context.depth(10_u64, 200);
    let disk = Disk::create(context.directory(), "disk", context.depth(512, 4_096))?;
    let postfix = Postfix::start(context.directory(), disk.path())?;
    let ledger = Arc::new(Ledger::default());
    let (mut checked, mut lost, mut damaged) = (0, 0, 0);
    for cut in 0..cuts {
        let place = (postfix.address, "EHLO");
        let load = Load::deliveries(context, place, &ledger, SESSIONS);
        std::thread::sleep(Duration::from_millis(
            100 + (cut * 73) % context.depth(500, 1_500),
        ));
        postfix.signal(disk.path(), Signal::STOP)?;
        let snapshot = ledger.snapshot();
        let copy = disk.copy("cut")?;
        postfix.signal(disk.path(), Signal::CONT)?;
        context.block_on(load.stop());
        let found = Disk::of_copy(copy)?;
        let there = stored(found.path())?;
        let queued = queued(found.path())?;
        for number in snapshot.numbers() {
            checked += 1;
            match there.get(number) {
                Some(octets) if octets.ends_with(&body(&ledger::message(*number))) => {}
                Some(_) if !queued.contains(number) => damaged += 1,
                None if !queued.contains(number) => lost += 1,
                _ => {}
            }
        }
        found.remove()?;
    }
    drop(postfix);
    let mut figures = Figures::default();
    figures.checked(checked as u64);
    figures.count("power cuts", cuts as usize, Target::Shown);
    figures.count(
        "messages acknowledged",
        ledger.acknowledged(),
        Target::AtLeast(cuts as f64),
    );
    figures.count("acknowledged messages lost", lost, Target::Shown);
    figures.count("messages damaged", damaged, Target::Shown);
    Ok(figures)
}

/// A Postfix with a configuration of its own. Stopped when dropped.
struct Postfix {
    config: PathBuf,
    address: SocketAddr,
}

impl Postfix {
    fn start(directory: &Path, disk: &Path) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = listener.local_addr()?;
        drop(listener);
        let config = directory.join("postfix");
        fs::create_dir(&config)?;
        // Its daemons run as other users and have to get through.
        for path in [directory, disk] {
            fs::set_permissions(path, fs::Permissions::from_mode(0o755))?;
        }
        for name in ["queue", "mail", "data"] {
            fs::create_dir(disk.join(name))?;
        }
        std::os::unix::fs::chown(disk.join("mail"), Some(NOBODY), Some(NOBODY))?;
        program(
            "chown",
            &["postfix", &disk.join("data").display().to_string()],
        )?;
        let port = address.port();
        fs::write(
            config.join("master.cf"),
            format!("127.0.0.1:{port} inet n - n - - smtpd\n{SERVICES}"),
        )?;
        let (log, disk) = (directory.join("postfix.log"), disk.display());
        let main = format!(
            "compatibility_level = 3.6\nqueue_directory = {disk}/queue\ndata_directory = {disk}/data\n\
             maillog_file = {}\nmaillog_file_prefixes = {}\nmyhostname = postfix.test\nmydestination =\n\
             mynetworks = 127.0.0.0/8\ninet_interfaces = loopback-only\ninet_protocols = ipv4\n\
             alias_maps =\nnotify_classes =\nsmtpd_recipient_restrictions = permit_mynetworks, reject\n\
             virtual_mailbox_domains = demo.test\nvirtual_mailbox_base = {disk}/mail\n\
             virtual_mailbox_maps = static:box/\nvirtual_uid_maps = static:{NOBODY}\n\
             virtual_gid_maps = static:{NOBODY}\nvirtual_mailbox_limit = 0\n",
            log.display(),
            directory.display(),
        );
        fs::write(config.join("main.cf"), main)?;
        program(POSTFIX, &["-c", &config.display().to_string(), "start"])?;
        Ok(Self { config, address })
    }

    /// Sends a signal to the master and all its daemons.
    fn signal(&self, disk: &Path, signal: Signal) -> Result<()> {
        let master = fs::read_to_string(disk.join("queue/pid/master.pid"))?;
        let daemons = program("pgrep", &["--parent", master.trim()])?;
        // The master comes first: it would start others for those that stand still.
        for pid in master.split_whitespace().chain(daemons.split_whitespace()) {
            let pid = pid.parse().ok().and_then(Pid::from_raw);
            if let Some(pid) = pid {
                // One may have ended by itself.
                let _ = kill_process(pid, signal);
            }
        }
        Ok(())
    }
}

impl Drop for Postfix {
    fn drop(&mut self) {
        let stopped = Command::new(POSTFIX)
            .arg("-c")
            .arg(&self.config)
            .arg("stop")
            .output();
        if !stopped.is_ok_and(|output| output.status.success()) {
            eprintln!("   Postfix did not stop");
        }
    }
}

/// The services that receive and deliver here, as master(5) wants them.
const SERVICES: &str = "\
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
error unix - - n - - error
retry unix - - n - - error
virtual unix - n n - - virtual
anvil unix - - n - 1 anvil
proxymap unix - - n - - proxymap
postlog unix-dgram n - n - 1 postlogd
";

/// The messages of the Maildir by number.
fn stored(disk: &Path) -> Result<BTreeMap<u64, Vec<u8>>> {
    let mut found = BTreeMap::new();
    for folder in ["new", "cur"] {
        let Ok(entries) = fs::read_dir(disk.join("mail/box").join(folder)) else {
            continue;
        };
        for entry in entries {
            let octets = fs::read(entry?.path())?;
            if let Some(number) = number(&octets) {
                found.insert(number, octets);
            }
        }
    }
    Ok(found)
}

/// The numbers of the messages that a start would find in the queue.
fn queued(disk: &Path) -> Result<BTreeSet<u64>> {
    let mut found = BTreeSet::new();
    let mut folders: Vec<PathBuf> = QUEUES
        .iter()
        .map(|name| disk.join("queue").join(name))
        .collect();
    while let Some(folder) = folders.pop() {
        let Ok(entries) = fs::read_dir(folder) else {
            continue;
        };
        for entry in entries {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else {
                // Postfix marks a complete file by its owner's right to execute it.
                let complete = fs::metadata(&path)?.permissions().mode() & 0o100 != 0;
                found.extend(number(&fs::read(&path)?).filter(|_| complete));
            }
        }
    }
    Ok(found)
}

/// The number in a message's Message-ID.
fn number(octets: &[u8]) -> Option<u64> {
    let text = String::from_utf8_lossy(octets);
    let (before, _) = text.split_once("@load.test>")?;
    before.rsplit_once('<')?.1.parse().ok()
}

/// The body of a message as a Maildir has it. Postfix writes the header in its own way.
fn body(message: &[u8]) -> Vec<u8> {
    let start = message.windows(4).position(|window| window == b"\r\n\r\n");
    let body = message.get(start.unwrap_or(0)..).unwrap_or_default();
    body.iter()
        .copied()
        .filter(|octet| *octet != b'\r')
        .collect()
}
