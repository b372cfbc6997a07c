//! Serves a [`Zone`] over UDP and TCP on one address.
//!
//! Authoritative answers only, no recursion. Every limit is a constant here: question size, TCP
//! connections, time without a question. A malformed question is dropped.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hickory_proto::op::{Edns, Message, MessageType, Metadata, OpCode, ResponseCode};
use hickory_proto::rr::rdata::SOA;
use hickory_proto::rr::{Name, RData, Record};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::zone::{Answer, Zone};

/// Largest question read.
const QUESTION_MAX: usize = 4_096;
/// RFC 1035 §2.3.4: what a client without EDNS can take over UDP.
const UDP_PLAIN: u16 = 512;
/// What leaves over UDP at most, whatever the client offers: no fragments.
const UDP_MAX: u16 = 1_232;
/// TCP connections at once.
const CONNECTIONS_MAX: usize = 64;
/// Longest wait for the next question or for an answer to be taken.
const IDLE: Duration = Duration::from_secs(10);
/// Pause after a socket error, so that a persistent one does not spin.
const PAUSE: Duration = Duration::from_millis(20);
/// How often a free port is tried that must be free for both transports.
const BIND_TRIES: usize = 16;

/// A running server; dropping it stops it.
#[derive(Debug)]
pub struct ZoneServer {
    address: SocketAddr,
    stop: CancellationToken,
    tasks: JoinSet<()>,
}

impl ZoneServer {
    /// Serves `zone` on `address` over UDP and TCP; port 0 takes one that is free for both.
    ///
    /// # Errors
    /// What the operating system says to the bind.
    pub async fn bind(address: SocketAddr, zone: Arc<Zone>) -> io::Result<Self> {
        let (udp, tcp) = bind_both(address).await?;
        let address = tcp.local_addr()?;
        let stop = CancellationToken::new();
        let mut tasks = JoinSet::new();
        tasks.spawn(serve_udp(udp, Arc::clone(&zone), stop.clone()));
        tasks.spawn(serve_tcp(tcp, zone, stop.clone()));
        Ok(Self {
            address,
            stop,
            tasks,
        })
    }

    /// Serves `zone` on a free port of the loopback interface.
    ///
    /// # Errors
    /// What the operating system says to the bind.
    pub async fn loopback(zone: Arc<Zone>) -> io::Result<Self> {
        Self::bind(SocketAddr::from(([127, 0, 0, 1], 0)), zone).await
    }

    /// Where it listens.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Stops and waits until the sockets are closed.
    pub async fn stop(mut self) {
        self.stop.cancel();
        while self.tasks.join_next().await.is_some() {}
    }
}

impl Drop for ZoneServer {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

async fn bind_both(address: SocketAddr) -> io::Result<(UdpSocket, TcpListener)> {
    let mut tries = 0;
    loop {
        let tcp = TcpListener::bind(address).await?;
        match UdpSocket::bind(tcp.local_addr()?).await {
            Ok(udp) => return Ok((udp, tcp)),
            Err(error) if address.port() != 0 || tries >= BIND_TRIES => return Err(error),
            Err(_) => tries += 1,
        }
    }
}

async fn serve_udp(socket: UdpSocket, zone: Arc<Zone>, stop: CancellationToken) {
    let mut question = vec![0; QUESTION_MAX];
    loop {
        let received = tokio::select! {
            () = stop.cancelled() => return,
            received = socket.recv_from(&mut question) => received,
        };
        let (length, client) = match received {
            Ok(received) => received,
            Err(error) => {
                tracing::debug!(%error, "dns zone server cannot receive");
                tokio::time::sleep(PAUSE).await;
                continue;
            }
        };
        let Some(reply) = question
            .get(..length)
            .and_then(|q| reply(&zone, q, Transport::Udp))
        else {
            continue;
        };
        if let Err(error) = socket.send_to(&reply, client).await {
            tracing::debug!(%error, "dns zone server cannot send");
        }
    }
}

async fn serve_tcp(listener: TcpListener, zone: Arc<Zone>, stop: CancellationToken) {
    let slots = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        while connections.try_join_next().is_some() {}
        match accepted {
            Ok((stream, _)) => {
                let Ok(slot) = Arc::clone(&slots).try_acquire_owned() else {
                    continue;
                };
                let zone = Arc::clone(&zone);
                connections.spawn(async move {
                    if let Err(error) = converse(stream, &zone).await {
                        tracing::debug!(%error, "dns zone server lost a connection");
                    }
                    drop(slot);
                });
            }
            Err(error) => {
                tracing::debug!(%error, "dns zone server cannot accept");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

/// RFC 1035 §4.2.2: every message is preceded by its length in two octets.
async fn converse(mut stream: TcpStream, zone: &Zone) -> io::Result<()> {
    loop {
        let length = match tokio::time::timeout(IDLE, stream.read_u16()).await {
            Ok(Ok(length)) => usize::from(length),
            Ok(Err(error)) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(()),
            Ok(Err(error)) => return Err(error),
            Err(_idle) => return Ok(()),
        };
        if length > QUESTION_MAX {
            return Ok(());
        }
        let mut question = vec![0; length];
        tokio::time::timeout(IDLE, stream.read_exact(&mut question)).await??;
        let Some(reply) = reply(zone, &question, Transport::Tcp) else {
            continue;
        };
        let Ok(length) = u16::try_from(reply.len()) else {
            return Ok(());
        };
        let mut framed = Vec::with_capacity(reply.len() + 2);
        framed.extend_from_slice(&length.to_be_bytes());
        framed.extend_from_slice(&reply);
        tokio::time::timeout(IDLE, stream.write_all(&framed)).await??;
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Transport {
    Udp,
    Tcp,
}

/// The encoded answer to an encoded question; `None` when nothing should be sent.
fn reply(zone: &Zone, question: &[u8], transport: Transport) -> Option<Vec<u8>> {
    let question = Message::from_vec(question).ok()?;
    if question.metadata.message_type != MessageType::Query {
        return None;
    }
    let mut reply = Message::new(question.metadata.id, MessageType::Response, OpCode::Query);
    reply.metadata = Metadata::response_from_request(&question.metadata);
    reply.metadata.authoritative = true;
    let mut limit = UDP_PLAIN;
    if let Some(edns) = &question.edns {
        limit = edns.max_payload().clamp(UDP_PLAIN, UDP_MAX);
        let mut edns = Edns::new();
        edns.set_max_payload(UDP_MAX);
        reply.set_edns(edns);
    }
    let query = question.queries.first();
    match query {
        Some(query) if question.metadata.op_code == OpCode::Query => {
            reply.add_query(query.clone());
            fill(
                &mut reply,
                zone,
                zone.answer(query.name(), query.query_type()),
            )?;
        }
        _ => reply.metadata.response_code = ResponseCode::NotImp,
    }
    let encoded = reply.to_vec().ok()?;
    if transport == Transport::Udp && encoded.len() > usize::from(limit) {
        return reply.truncate().to_vec().ok();
    }
    Some(encoded)
}

fn fill(reply: &mut Message, zone: &Zone, answer: Answer) -> Option<()> {
    let ttl = zone.ttl();
    match answer {
        Answer::Silence => return None,
        Answer::Servfail => reply.metadata.response_code = ResponseCode::ServFail,
        Answer::NoSuchName => {
            reply.metadata.response_code = ResponseCode::NXDomain;
            reply.add_authority(start_of_authority(ttl));
        }
        Answer::Records(records) => {
            if records.is_empty() {
                reply.add_authority(start_of_authority(ttl));
            }
            for (owner, data) in records {
                reply.add_answer(Record::from_rdata(owner, ttl, data));
            }
        }
    }
    Some(())
}

/// RFC 2308 §3: the SOA in a negative answer says how long it may be kept.
fn start_of_authority(ttl: u32) -> Record {
    let soa = SOA::new(Name::root(), Name::root(), 1, 3_600, 600, 86_400, ttl);
    Record::from_rdata(Name::root(), ttl, RData::SOA(soa))
}
