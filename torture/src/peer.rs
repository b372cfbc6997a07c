//! Debian's Postfix and Dovecot with configurations of their own, on a disk of their own.
//!
//! Both are as their packages make them where it matters: Postfix flushes its queue files, and
//! Dovecot's `mail_fsync` stays at its default. Nothing is installed here.

use std::collections::BTreeSet;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use testkit::client::{Client, Imap};

use crate::context::{Context, Result, Stopped, need_root, run as program};
use crate::ledger;

const POSTFIX: &str = "/usr/sbin/postfix";
const DOVECOT: &str = "/usr/sbin/dovecot";
/// What else has to be there.
const LMTP: &str = "/usr/lib/dovecot/lmtp";
/// Queues that hold accepted mail.
const QUEUES: [&str; 4] = ["incoming", "active", "deferred", "maildrop"];
/// Who owns the Maildir.
const NOBODY: u32 = 65_534;
/// How long a start may take.
const START_TIMEOUT: Duration = Duration::from_secs(30);

/// What a start is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Start {
    /// The first one.
    First,
    /// One after a power cut, with process ids of its own: a lock on the disk that names a process
    /// must not find the one alive that was there before the cut.
    AfterCut,
}

/// Both servers, running. Stopped when dropped.
#[derive(Debug)]
pub(crate) struct Peer {
    dovecot: Dovecot,
    postfix: Postfix,
}

impl Peer {
    /// Says what is missing.
    pub(crate) fn possible() -> Result<()> {
        need_root("start Postfix and Dovecot")?;
        match [POSTFIX, DOVECOT, LMTP]
            .iter()
            .find(|path| !Path::new(path).exists())
        {
            Some(missing) => Err(Stopped::NotPossible(format!("there is no {missing}"))),
            None => Ok(()),
        }
    }

    /// Starts both on what lies on a disk, with configurations of this name; returns when both
    /// answer.
    pub(crate) fn start(context: &Context, name: &str, disk: &Path, start: Start) -> Result<Self> {
        let directory = context.directory().join(name);
        fs::create_dir(&directory)?;
        // Their daemons run as other users and have to get through.
        for path in [context.directory(), &directory, disk] {
            fs::set_permissions(path, fs::Permissions::from_mode(0o755))?;
        }
        let ports = [(); 3].map(|()| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)));
        let mut addresses = Vec::new();
        for port in ports {
            addresses.push(port?.local_addr()?);
        }
        let [smtp, imap, lmtp] = addresses.as_slice() else {
            return Err(Stopped::Failed("three ports were asked for".to_owned()));
        };
        let dovecot = Dovecot::start(&directory, disk, (*imap, *lmtp), start)?;
        for address in [*imap, *lmtp] {
            context.block_on(greeted(address))?;
        }
        let postfix = Postfix::start(&directory, disk, (*smtp, *lmtp))?;
        context.block_on(greeted(*smtp))?;
        Ok(Self { dovecot, postfix })
    }

    /// Where mail comes in.
    pub(crate) fn smtp(&self) -> SocketAddr {
        self.postfix.smtp
    }

    /// A session of the load's account.
    pub(crate) async fn sign_in(&self) -> std::io::Result<Imap> {
        ledger::log_in(Imap::connect(self.dovecot.imap).await?).await
    }

    /// What Dovecot has logged last.
    pub(crate) fn last_words(&self) -> String {
        let log = fs::read_to_string(&self.dovecot.log).unwrap_or_default();
        log.lines().next_back().unwrap_or_default().to_owned()
    }

    /// Sends a signal to both masters and all their daemons.
    pub(crate) fn signal(&self, signal: Signal) -> Result<()> {
        signal_all(&self.postfix.master()?, signal)?;
        signal_all(&self.dovecot.child.id().to_string(), signal)
    }

    /// Waits until everything is delivered, and says what is not.
    pub(crate) fn drain(&self, patience: Duration) -> Result<BTreeSet<u64>> {
        let deadline = Instant::now() + patience;
        loop {
            let left = queued(&self.postfix.queue)?;
            if left.is_empty() || Instant::now() > deadline {
                return Ok(left);
            }
            self.postfix.command("flush")?;
            std::thread::sleep(Duration::from_millis(200));
        }
    }
}

/// Waits until somebody says hello there.
async fn greeted(address: SocketAddr) -> Result<()> {
    let deadline = Instant::now() + START_TIMEOUT;
    loop {
        let hello = async { Client::connect(address).await?.line().await };
        match hello.await {
            Ok(Some(_)) => return Ok(()),
            _ if Instant::now() > deadline => {
                return Err(Stopped::Failed(format!("nobody answers at {address}")));
            }
            _ => tokio::time::sleep(Duration::from_millis(10)).await,
        }
    }
}

/// The master comes first: it would start others for those that stand still.
fn signal_all(master: &str, signal: Signal) -> Result<()> {
    let daemons = program("pgrep", &["--parent", master])?;
    for pid in std::iter::once(master).chain(daemons.split_whitespace()) {
        if let Some(pid) = pid.parse().ok().and_then(Pid::from_raw) {
            // One may have ended by itself.
            let _ = kill_process(pid, signal);
        }
    }
    Ok(())
}

#[derive(Debug)]
struct Dovecot {
    child: Child,
    /// What ends it: unshare(1) hears nothing else, and takes everything with it.
    ending: Signal,
    imap: SocketAddr,
    log: PathBuf,
}

impl Dovecot {
    fn start(
        directory: &Path,
        disk: &Path,
        (imap, lmtp): (SocketAddr, SocketAddr),
        start: Start,
    ) -> Result<Self> {
        let mail = disk.join("mail");
        fs::create_dir_all(&mail)?;
        chown(&mail, Some(NOBODY), Some(NOBODY))?;
        let users = directory.join("users");
        fs::write(
            &users,
            format!("{}:{{PLAIN}}{}\n", ledger::ACCOUNT, ledger::PASSWORD),
        )?;
        let config = directory.join("dovecot.conf");
        let (here, mail) = (directory.display(), mail.display());
        let text = format!(
            "protocols = imap lmtp\nbase_dir = {here}/run\nstate_dir = {here}/state\n\
             log_path = {here}/dovecot.log\nssl = no\ndisable_plaintext_auth = no\n\
             mail_location = maildir:{mail}/%u\n\
             passdb {{\n  driver = passwd-file\n  args = {}\n}}\n\
             userdb {{\n  driver = static\n  args = uid={NOBODY} gid={NOBODY} home={mail}/%u\n}}\n\
             service imap-login {{\n  inet_listener imap {{\n    address = 127.0.0.1\n    port = {}\n  }}\n\
             \x20 inet_listener imaps {{\n    port = 0\n  }}\n}}\n\
             service lmtp {{\n  inet_listener lmtp {{\n    address = 127.0.0.1\n    port = {}\n  }}\n}}\n",
            users.display(),
            imap.port(),
            lmtp.port(),
        );
        fs::write(&config, text)?;
        let (mut command, ending) = match start {
            Start::First => (Command::new(DOVECOT), Signal::TERM),
            Start::AfterCut => {
                let mut apart = Command::new("unshare");
                apart.args(["--pid", "--fork", "--kill-child", DOVECOT]);
                (apart, Signal::KILL)
            }
        };
        command.arg("-F").arg("-c").arg(&config);
        let child = command.stdin(Stdio::null()).spawn()?;
        Ok(Self {
            child,
            ending,
            imap,
            log: directory.join("dovecot.log"),
        })
    }
}

impl Drop for Dovecot {
    fn drop(&mut self) {
        if let Some(pid) = Pid::from_raw(self.child.id().cast_signed()) {
            let _ = kill_process(pid, self.ending);
        }
        let _ = self.child.wait();
    }
}

#[derive(Debug)]
struct Postfix {
    config: PathBuf,
    queue: PathBuf,
    smtp: SocketAddr,
}

impl Postfix {
    fn start(
        directory: &Path,
        disk: &Path,
        (smtp, lmtp): (SocketAddr, SocketAddr),
    ) -> Result<Self> {
        let config = directory.join("postfix");
        fs::create_dir(&config)?;
        let (queue, data) = (disk.join("queue"), disk.join("data"));
        for path in [&queue, &data] {
            fs::create_dir_all(path)?;
        }
        // The log as well: its daemons make it when they have something to say of a queue's files.
        for path in [data.as_path(), directory] {
            program("chown", &["postfix", &path.display().to_string()])?;
        }
        let master = format!("127.0.0.1:{} inet n - n - - smtpd\n{SERVICES}", smtp.port());
        fs::write(config.join("master.cf"), master)?;
        let here = directory.display();
        let main = format!(
            "compatibility_level = 3.6\nqueue_directory = {}\ndata_directory = {}\n\
             maillog_file = {here}/postfix.log\nmaillog_file_prefixes = {here}\n\
             myhostname = postfix.test\nmydestination =\nlocal_header_rewrite_clients =\n\
             mynetworks = 127.0.0.0/8\ninet_interfaces = loopback-only\ninet_protocols = ipv4\n\
             alias_maps =\nnotify_classes =\nsmtpd_recipient_restrictions = permit_mynetworks, reject\n\
             virtual_mailbox_domains = demo.test\nvirtual_mailbox_maps = static:box/\n\
             virtual_transport = lmtp:inet:127.0.0.1:{}\n",
            queue.display(),
            data.display(),
            lmtp.port(),
        );
        fs::write(config.join("main.cf"), main)?;
        let postfix = Self {
            config,
            queue,
            smtp,
        };
        postfix.command("start")?;
        Ok(postfix)
    }

    fn command(&self, verb: &str) -> Result<String> {
        program(POSTFIX, &["-c", &self.config.display().to_string(), verb])
    }

    /// The process id of its master.
    fn master(&self) -> Result<String> {
        let pid = fs::read_to_string(self.queue.join("pid/master.pid"))?;
        Ok(pid.trim().to_owned())
    }
}

impl Drop for Postfix {
    fn drop(&mut self) {
        if let Err(error) = self.command("stop") {
            eprintln!("   Postfix did not stop: {error}");
        }
    }
}

/// The services that receive and deliver here, as master(5) wants them.
const SERVICES: &str = "\
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
flush unix n - n 1000? 0 flush
error unix - - n - - error
retry unix - - n - - error
lmtp unix - - n - - lmtp
anvil unix - - n - 1 anvil
proxymap unix - - n - - proxymap
showq unix n - n - - showq
postlog unix-dgram n - n - 1 postlogd
";

/// The numbers of the messages that wait in a queue.
fn queued(queue: &Path) -> Result<BTreeSet<u64>> {
    let mut found = BTreeSet::new();
    let mut folders: Vec<PathBuf> = QUEUES.iter().map(|name| queue.join(name)).collect();
    while let Some(folder) = folders.pop() {
        let Ok(entries) = fs::read_dir(folder) else {
            continue;
        };
        for entry in entries {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else if let (Ok(octets), Ok(metadata)) = (fs::read(&path), fs::metadata(&path)) {
                // It may be delivered meanwhile. Postfix marks a complete file by its owner's right
                // to execute it.
                let complete = metadata.permissions().mode() & 0o100 != 0;
                found.extend(number(&octets).filter(|_| complete));
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_queue_file_tells_the_number_of_its_message() {
        let file = b"\0\x01junk load@example.test N\x1aMessage-ID: <42@load.test>N\x00";
        assert_eq!(number(file), Some(42));
        assert_eq!(number(b"nothing"), None);
    }
}
