//! Two network namespaces with a cable between them, so that a client comes from somewhere else than
//! 127.0.0.0/8. Nothing of this machine's network is touched.
//!
//! A namespace lives as long as the process that holds it; these are in the run's process group, and
//! nothing has to be put away when a run is killed.

use std::fs::File;
use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::os::fd::AsFd as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use crate::context::{Result, Stopped, need_root, run};

/// The address of the side on which servers run (RFC 5737).
pub(crate) const SERVER: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
/// The address of the other side.
pub(crate) const CLIENT: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 2));
/// How long a namespace may take to appear.
const PATIENCE: Duration = Duration::from_secs(5);

/// Both sides.
#[derive(Debug)]
pub(crate) struct Pair {
    server: Namespace,
    client: Namespace,
}

impl Pair {
    /// Makes both and joins them.
    pub(crate) fn new() -> Result<Self> {
        need_root("make network namespaces")?;
        let (server, client) = (Namespace::new()?, Namespace::new()?);
        let pids = [&server, &client].map(|side| side.holder.id().to_string());
        // A container may not, whoever one is in it.
        let cable = format!(
            "link add cable netns {} type veth peer name cable netns {}",
            pids[0], pids[1]
        );
        ip(&[], &cable).map_err(|error| Stopped::NotPossible(error.to_string()))?;
        for (side, address) in [(&server, SERVER), (&client, CLIENT)] {
            let inside = side.launcher();
            ip(&inside, &format!("address add {address}/24 dev cable"))?;
            ip(&inside, "link set cable up")?;
            ip(&inside, "link set lo up")?;
        }
        Ok(Self { server, client })
    }

    /// What a program on the server's side is started with.
    pub(crate) fn launcher(&self) -> Vec<String> {
        self.server.launcher()
    }

    /// Calls `work` on the client's side, in a thread of its own.
    pub(crate) fn as_client<T: Send>(&self, work: impl FnOnce() -> T + Send) -> Result<T> {
        let namespace = File::open(self.client.path())?;
        let enter =
            || move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network));
        std::thread::scope(|scope| {
            let thread = scope.spawn(|| enter().map(|()| work()));
            match thread.join() {
                Ok(entered) => Ok(entered.map_err(io::Error::from)?),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        })
    }
}

/// `ip` with these words, in a namespace or here.
fn ip(inside: &[String], words: &str) -> Result<String> {
    let mut all: Vec<&str> = inside.iter().map(String::as_str).collect();
    all.push("ip");
    all.extend(words.split(' '));
    match all.as_slice() {
        [program, arguments @ ..] => run(program, arguments),
        [] => Ok(String::new()),
    }
}

/// A namespace, by the process that holds it. It goes with it.
#[derive(Debug)]
struct Namespace {
    holder: Child,
}

impl Namespace {
    fn new() -> Result<Self> {
        let here = std::fs::read_link("/proc/self/ns/net")?;
        // It ends when its standard input does: with this process, however that ends.
        let holder = Command::new("unshare")
            .args(["--net", "cat"])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| Stopped::NotPossible(format!("unshare: {error}")))?;
        let mut namespace = Self { holder };
        let deadline = Instant::now() + PATIENCE;
        while std::fs::read_link(namespace.path()).is_ok_and(|link| link == here) {
            let ended = namespace.holder.try_wait()?;
            if ended.is_some() || Instant::now() > deadline {
                let why = "network namespaces are not allowed".to_owned();
                return Err(Stopped::NotPossible(why));
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(namespace)
    }

    fn path(&self) -> PathBuf {
        format!("/proc/{}/ns/net", self.holder.id()).into()
    }

    fn launcher(&self) -> Vec<String> {
        let namespace = format!("--net={}", self.path().display());
        vec!["nsenter".to_owned(), namespace]
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        let _ = self.holder.kill();
        let _ = self.holder.wait();
    }
}
