//! Many clients at once, from many addresses of loopback.

use std::fs;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use rustix::process::{Resource, getrlimit, setrlimit};
use testkit::client::{Client, Imap, Smtp};
use tokio::net::{TcpSocket, TcpStream};

use crate::context::{Result, Stopped};
use crate::ledger;

/// Lets this process, and the servers it starts, hold so many connections.
pub(crate) fn allow(connections: u64) -> Result<()> {
    let mut limit = getrlimit(Resource::Nofile);
    let wanted = connections + 200;
    if limit.maximum.is_some_and(|most| most < wanted) {
        return Err(Stopped::NotPossible(format!(
            "{wanted} open files are not allowed here"
        )));
    }
    limit.current = Some(limit.current.unwrap_or(0).max(wanted));
    setrlimit(Resource::Nofile, limit).map_err(io::Error::from)?;
    Ok(())
}

/// A connection from the address of a number: 60 numbers have the same.
pub(crate) async fn connect(number: usize, to: SocketAddr) -> io::Result<TcpStream> {
    let network = u8::try_from(1 + number / 60 / 250).unwrap_or(u8::MAX);
    let host = u8::try_from(1 + number / 60 % 250).unwrap_or(u8::MAX);
    let socket = TcpSocket::new_v4()?;
    socket.bind(SocketAddr::from((Ipv4Addr::new(127, 9, network, host), 0)))?;
    socket.connect(to).await
}

/// A session of the load's account from the address of a number. One account may have only so many
/// sessions from one address.
pub(crate) async fn sign_in(number: usize, imaps: SocketAddr) -> io::Result<Imap> {
    let config = tls::outbound_config(tls::Verification::Opportunistic);
    let client = Client::from_plain(connect(number, imaps).await?)
        .start_tls(config.map_err(io::Error::other)?, "localhost")
        .await?;
    ledger::log_in(Imap::over(client).await?).await
}

/// What polite clients found.
#[derive(Debug, Default)]
pub(crate) struct Polite {
    /// Milliseconds each needed.
    pub(crate) milliseconds: Vec<f64>,
    /// How many were not served.
    pub(crate) failed: usize,
}

impl Polite {
    /// One client after the other says hello at `address` until `until`.
    pub(crate) async fn visit(&mut self, address: SocketAddr, until: Instant) {
        while Instant::now() < until {
            let started = Instant::now();
            let greeted = async {
                let client = Client::connect(address).await?;
                let mut smtp = Smtp { client };
                let greeting = smtp.reply().await?;
                let hello = smtp.command("EHLO polite.test").await?;
                let bye = smtp.command("QUIT").await?;
                io::Result::Ok([greeting.0, hello.0, bye.0])
            };
            match tokio::time::timeout(Duration::from_secs(5), greeted).await {
                Ok(Ok([220, 250, 221])) => {
                    self.milliseconds
                        .push(started.elapsed().as_secs_f64() * 1_000.0);
                }
                _ => self.failed += 1,
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

/// Seconds of CPU time that a process has used.
pub(crate) fn cpu_seconds(pid: u32) -> f64 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let Some((_, rest)) = stat.rsplit_once(')') else {
        return f64::NAN;
    };
    // proc(5): user and system time are the fields 14 and 15; the first here is the third.
    let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
    let ticks = [11, 12]
        .iter()
        .filter_map(|at| fields.get(*at)?.parse::<f64>().ok());
    ticks.sum::<f64>() / rustix::param::clock_ticks_per_second() as f64
}

/// A line of `/proc/PID/status` in MiB: `VmRSS` now, `VmHWM` at its highest.
pub(crate) fn memory_mib(pid: u32, field: &str) -> f64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
    let kibibytes =
        line.and_then(|line| line.trim().strip_suffix(" kB")?.trim().parse::<f64>().ok());
    kibibytes.map_or(f64::NAN, |kibibytes| kibibytes / 1_024.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_has_used_time_and_memory() {
        let pid = std::process::id();
        assert!(cpu_seconds(pid) >= 0.0);
        assert!(memory_mib(pid, "VmRSS") > 0.5);
        assert!(memory_mib(pid, "VmHWM") >= memory_mib(pid, "VmRSS"));
        assert!(memory_mib(pid, "VmNone").is_nan());
    }
}
