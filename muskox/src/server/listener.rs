//! Accept loops: one for each listening socket, with limits on sessions and calm on errors.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustls::ServerConfig;
use tls::AnyStream;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// How long an accept loop rests after the system refused a connection (too many open files):
/// trying again at once would only burn the processor.
const REST: Duration = Duration::from_millis(200);
/// How long sessions may take to say goodbye once the server stops.
const GOODBYE: Duration = Duration::from_secs(10);
const BACKLOG: u32 = 1024;

/// Sessions in progress under a limit, in all and from one address.
#[derive(Debug)]
pub(super) struct Slots {
    total: usize,
    each: usize,
    taken: Mutex<(usize, HashMap<IpAddr, usize>)>,
}

impl Slots {
    pub(super) fn new(total: usize, each: usize) -> Arc<Self> {
        Arc::new(Self {
            total,
            each,
            taken: Mutex::default(),
        })
    }

    /// A place for a session from `address`, held until the guard is dropped.
    fn take(self: &Arc<Self>, address: IpAddr) -> Option<Slot> {
        let address = address.to_canonical();
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let (total, by_address) = &mut *taken;
        let mine = by_address.get(&address).copied().unwrap_or_default();
        if *total >= self.total || mine >= self.each {
            return None;
        }
        *total += 1;
        by_address.insert(address, mine + 1);
        Some(Slot {
            slots: Arc::clone(self),
            address,
        })
    }
}

/// A taken place.
#[derive(Debug)]
struct Slot {
    slots: Arc<Slots>,
    address: IpAddr,
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut taken = self
            .slots
            .taken
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let (total, by_address) = &mut *taken;
        *total = total.saturating_sub(1);
        if let Some(mine) = by_address.get_mut(&self.address) {
            *mine -= 1;
            if *mine == 0 {
                by_address.remove(&self.address);
            }
        }
    }
}

/// A listening socket and what its sessions need before they start.
pub(super) struct Listener {
    pub(super) name: &'static str,
    pub(super) socket: TcpListener,
    /// TLS from the first octet.
    pub(super) implicit_tls: Option<Arc<ServerConfig>>,
    pub(super) slots: Arc<Slots>,
    /// What a client reads that finds no place.
    pub(super) busy: &'static [u8],
}

/// Binds `address`. An IPv6 wildcard also takes IPv4; where the host has no IPv6 it takes IPv4
/// alone.
pub(super) fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    match try_bind(address) {
        Err(error)
            if address.ip() == IpAddr::V6(std::net::Ipv6Addr::UNSPECIFIED)
                && error.kind() != io::ErrorKind::AddrInUse
                && error.kind() != io::ErrorKind::PermissionDenied =>
        {
            try_bind(SocketAddr::from((
                std::net::Ipv4Addr::UNSPECIFIED,
                address.port(),
            )))
        }
        result => result,
    }
}

fn try_bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() {
        TcpSocket::new_v4()?
    } else {
        TcpSocket::new_v6()?
    };
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

impl Listener {
    /// Accepts until `shutdown`, then waits a little for the sessions to end.
    pub(super) async fn run<F, S>(self, session: F, shutdown: CancellationToken)
    where
        F: Fn(AnyStream, SocketAddr) -> S + Clone + Send + Sync + 'static,
        S: Future<Output = ()> + Send + 'static,
    {
        let mut sessions = JoinSet::new();
        loop {
            tokio::select! {
                () = shutdown.cancelled() => break,
                accepted = self.socket.accept() => match accepted {
                    Ok((stream, peer)) => self.start(stream, peer, &session, &mut sessions),
                    Err(error) => {
                        tracing::warn!(listener = self.name, %error, "cannot accept a connection");
                        tokio::time::sleep(REST).await;
                    }
                },
                Some(ended) = sessions.join_next() => report(self.name, ended),
            }
        }
        drop(self.socket);
        let all_ended = async {
            while let Some(ended) = sessions.join_next().await {
                report(self.name, ended);
            }
        };
        let _ = tokio::time::timeout(GOODBYE, all_ended).await;
    }

    fn start<F, S>(
        &self,
        stream: TcpStream,
        peer: SocketAddr,
        session: &F,
        sessions: &mut JoinSet<()>,
    ) where
        F: Fn(AnyStream, SocketAddr) -> S + Clone + Send + Sync + 'static,
        S: Future<Output = ()> + Send + 'static,
    {
        let Some(slot) = self.slots.take(peer.ip()) else {
            // The socket's buffer is empty: this either fits at once or is not worth a wait.
            if self.implicit_tls.is_none() {
                let _ = stream.try_write(self.busy);
            }
            return;
        };
        let _ = stream.set_nodelay(true);
        let (session, implicit_tls) = (session.clone(), self.implicit_tls.clone());
        let name = self.name;
        sessions.spawn(async move {
            let stream = AnyStream::over(stream);
            let stream = match implicit_tls {
                None => stream,
                Some(config) => match stream.accept(config).await {
                    Ok(stream) => stream,
                    Err(error) => {
                        tracing::debug!(listener = name, %peer, %error, "no TLS handshake");
                        return;
                    }
                },
            };
            session(stream, peer).await;
            drop(slot);
        });
    }
}

fn report(listener: &str, ended: Result<(), tokio::task::JoinError>) {
    if let Err(error) = ended
        && error.is_panic()
    {
        tracing::error!(listener, %error, "a session panicked; the others go on");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_limited_in_all_and_by_address_and_come_back() {
        let slots = Slots::new(3, 2);
        let (one, two): (IpAddr, IpAddr) = ([192, 0, 2, 1].into(), [192, 0, 2, 2].into());
        let first = slots.take(one).unwrap();
        let _second = slots.take("::ffff:192.0.2.1".parse().unwrap()).unwrap();
        assert!(
            slots.take(one).is_none(),
            "a third from the same address, mapped or not"
        );
        let _third = slots.take(two).unwrap();
        assert!(slots.take(two).is_none(), "a fourth in all");
        drop(first);
        assert!(slots.take(two).is_some());
    }
}
