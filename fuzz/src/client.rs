//! A client's end of a connection that never leaves memory.

use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;
use tls::AnyStream;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};
use tokio::task::yield_now;
use tokio::time::timeout;

use crate::site::HOSTNAME;

/// Octets on their way in one direction.
const PIPE: usize = 64 << 10;
/// Pieces that one sending is cut into at most.
const PIECES: usize = 24;
/// How long a server may be silent.
const PATIENCE: Duration = Duration::from_secs(8);

/// RFC 8446 §5.1, §6: how the last words begin to a client that was told to start TLS and did not,
/// and their length.
const ALERT: [u8; 5] = [21, 3, 3, 0, 2];
const ALERT_LENGTH: usize = 7;

/// How the octets of a sending are cut: this many at a time, all at once for none.
#[derive(Debug, Clone, Copy)]
pub struct Pace(pub u8);

impl Pace {
    fn pieces(self, octets: &[u8]) -> std::slice::Chunks<'_, u8> {
        let size = match self.0 {
            0 => octets.len(),
            size => usize::from(size).max(octets.len() / PIECES),
        };
        octets.chunks(size.max(1))
    }
}

/// The server has closed the connection.
#[derive(Debug, Clone, Copy)]
pub struct Ended;

/// A client that sends at its pace and keeps what it has not looked at.
pub struct Client {
    stream: Option<AnyStream>,
    pace: Pace,
    /// What has arrived and not been taken.
    pub arrived: Vec<u8>,
}

impl Client {
    /// A client, and the server's end.
    pub fn new(pace: Pace) -> (Self, AnyStream) {
        let (ours, theirs): (DuplexStream, DuplexStream) = tokio::io::duplex(PIPE);
        let client = Self {
            stream: Some(AnyStream::over(ours)),
            pace,
            arrived: Vec::new(),
        };
        (client, AnyStream::over(theirs))
    }

    fn stream(&mut self) -> &mut AnyStream {
        self.stream.as_mut().expect("a connection")
    }

    /// Sends `octets` in pieces, each of which the server may see alone.
    pub async fn send(&mut self, octets: &[u8]) -> Result<(), Ended> {
        let pace = self.pace;
        let stream = self.stream();
        for piece in pace.pieces(octets) {
            stream.write_all(piece).await.map_err(|_| Ended)?;
            stream.flush().await.map_err(|_| Ended)?;
            yield_now().await;
        }
        Ok(())
    }

    /// Sends `octets` so that the server sees them together.
    pub async fn send_whole(&mut self, octets: &[u8]) -> Result<(), Ended> {
        let pace = std::mem::replace(&mut self.pace, Pace(0));
        let sent = self.send(octets).await;
        self.pace = pace;
        sent
    }

    /// Waits for more to arrive.
    pub async fn fill(&mut self) -> Result<(), Ended> {
        let stream = self.stream.as_mut().expect("a connection");
        match timeout(PATIENCE, stream.read_buf(&mut self.arrived)).await {
            Err(_elapsed) => panic!(
                "silence after {:?}",
                self.arrived.escape_ascii().to_string()
            ),
            Ok(Ok(0) | Err(_)) => Err(Ended),
            Ok(Ok(_)) => Ok(()),
        }
    }

    /// Goes on under TLS.
    pub async fn encrypt(&mut self, trust: &Arc<ClientConfig>) {
        let stream = self.stream.take().expect("a connection");
        let secured = timeout(PATIENCE, stream.connect(Arc::clone(trust), HOSTNAME)).await;
        self.stream = Some(secured.expect("an answer").expect("a handshake"));
    }

    /// Sends `octets` without waiting for anything, then nothing more, and keeps all that the server
    /// says until it closes the connection.
    pub async fn pour(&mut self, octets: &[u8]) {
        let (mut from, mut to) = tokio::io::split(self.stream.take().expect("a connection"));
        let pace = self.pace;
        let pour = async {
            for piece in pace.pieces(octets) {
                if to.write_all(piece).await.is_err() || to.flush().await.is_err() {
                    return;
                }
                yield_now().await;
            }
            let _ = to.shutdown().await;
        };
        let drain = timeout(PATIENCE, from.read_to_end(&mut self.arrived));
        let ((), drained) = tokio::join!(pour, drain);
        // Who goes without TLS's goodbye goes all the same.
        let _ = drained.expect("an end of the session");
        if let Some((said, _)) = self.arrived.split_last_chunk::<ALERT_LENGTH>()
            && self.arrived[said.len()..].starts_with(&ALERT)
        {
            self.arrived.truncate(said.len());
        }
    }
}
