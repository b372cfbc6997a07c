//! The connection of a session: commands in, responses out.
//!
//! Responses are collected and sent when there are [`FLUSH_AT`] octets of them, or before the
//! session waits for input, so that a pipelining client gets them together. Every wait has a
//! deadline. A waiting session holds no buffers.

use std::future::poll_fn;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::task::{Poll, ready};
use std::time::Duration;

use imap::Framer;
use imap::framing::Line;
use prometheus_client::metrics::counter::Counter;
use tls::AnyStream;
use tokio::io::{AsyncRead as _, AsyncWriteExt as _, ReadBuf};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, sleep, timeout, timeout_at};
use tokio_util::sync::CancellationToken;

/// How much is read at a time: a TLS record.
const CHUNK: usize = 16 * 1024;
/// Octets of responses that are sent together.
pub(crate) const FLUSH_AT: usize = 64 * 1024;
/// How long a client may take to read [`FLUSH_AT`] octets.
const SEND_TIMEOUT: Duration = Duration::from_secs(120);
/// How long an answer in progress may take once the server stops.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// Why a session ends.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Ended {
    /// The client has said LOGOUT.
    #[error("logout")]
    Logout,
    /// The client closed the connection, or it broke.
    #[error("connection lost")]
    Lost,
    /// The client was silent for too long.
    #[error("timeout")]
    Timeout,
    /// The server stops.
    #[error("shutdown")]
    Shutdown,
    /// A newer client needed the place of one that has not signed in.
    #[error("made room for another client")]
    Evicted,
    /// The client does not speak IMAP, or too much of it.
    #[error("too many bad commands")]
    Abuse,
    /// Too many failed sign-ins.
    #[error("too many failed sign-ins")]
    Guessing,
    /// There was no memory for what the client wants to send.
    #[error("no memory for a literal")]
    Busy,
    /// Somebody deleted the selected mailbox.
    #[error("selected mailbox was deleted")]
    Deselected,
}

/// Octets for the client, and the share of the server's memory they occupy.
#[derive(Debug, Default)]
pub(crate) struct Piece {
    pub(crate) octets: Vec<u8>,
    pub(crate) share: Option<OwnedSemaphorePermit>,
}

pub(crate) struct Io {
    pub(crate) stream: AnyStream,
    pub(crate) framer: Framer,
    pub(crate) output: Vec<u8>,
    /// Ends the session.
    stop: CancellationToken,
    sent: Counter,
}

impl Io {
    pub(crate) fn new(
        stream: AnyStream,
        framer: Framer,
        stop: CancellationToken,
        sent: Counter,
    ) -> Self {
        Self {
            stream,
            framer,
            output: Vec::new(),
            stop,
            sent,
        }
    }

    /// From now on `stop` ends the session.
    pub(crate) fn stop_at(&mut self, stop: CancellationToken) {
        self.stop = stop;
    }

    /// Sends what has been written.
    pub(crate) async fn flush(&mut self) -> Result<(), Ended> {
        if self.output.is_empty() {
            return Ok(());
        }
        let (stream, output, stop) = (&mut self.stream, &self.output, &self.stop);
        let send = async {
            for piece in output.chunks(FLUSH_AT) {
                let sent = timeout(SEND_TIMEOUT, stream.write_all(piece)).await;
                sent.map_err(|_elapsed| Ended::Lost)?
                    .map_err(|_| Ended::Lost)?;
            }
            let flushed = timeout(SEND_TIMEOUT, stream.flush()).await;
            flushed
                .map_err(|_elapsed| Ended::Lost)?
                .map_err(|_| Ended::Lost)
        };
        let stopped = async {
            stop.cancelled().await;
            sleep(LAST_WORDS).await;
        };
        tokio::select! {
            biased;
            sent = send => sent?,
            () = stopped => return Err(Ended::Lost),
        }
        self.sent
            .inc_by(u64::try_from(self.output.len()).unwrap_or(0));
        self.output.clear();
        Ok(())
    }

    /// Sends what has been written if it is worth it.
    pub(crate) async fn flush_if_large(&mut self) -> Result<(), Ended> {
        if self.output.len() < FLUSH_AT {
            Ok(())
        } else {
            self.flush().await
        }
    }

    /// Adds octets to what has been written, and sends it if it is worth it.
    pub(crate) async fn put(&mut self, piece: Piece) -> Result<(), Ended> {
        let Piece { octets, share } = piece;
        if self.output.len() + octets.len() > FLUSH_AT {
            self.flush().await?;
        }
        if self.output.is_empty() {
            self.output = octets;
        } else {
            self.output.extend_from_slice(&octets);
        }
        self.flush_if_large().await?;
        drop(share);
        Ok(())
    }

    /// Waits for input and feeds it to the framer. Cancel-safe.
    pub(crate) async fn fill(&mut self, deadline: Instant) -> Result<(), Ended> {
        if self.output.is_empty() && self.output.capacity() > 0 {
            self.output = Vec::new();
        }
        let (stream, framer) = (&mut self.stream, &mut self.framer);
        // The buffer lives on the stack, and only while there is something to read.
        let read = poll_fn(|context| {
            let mut octets = [const { MaybeUninit::uninit() }; CHUNK];
            let mut buffer = ReadBuf::uninit(&mut octets);
            let read = ready!(Pin::new(&mut *stream).poll_read(context, &mut buffer));
            framer.feed(buffer.filled());
            Poll::Ready(read.map(|()| buffer.filled().len()))
        });
        tokio::select! {
            biased;
            () = self.stop.cancelled() => Err(Ended::Shutdown),
            read = timeout_at(deadline, read) => match read {
                Err(_elapsed) => Err(Ended::Timeout),
                Ok(Ok(0) | Err(_)) => Err(Ended::Lost),
                Ok(Ok(_)) => Ok(()),
            }
        }
    }

    /// The next line that is no command. Cancel-safe once there is nothing to send.
    pub(crate) async fn line(&mut self, deadline: Instant) -> Result<Vec<u8>, Ended> {
        loop {
            match self.framer.next_line() {
                Some(Line::Text(text)) => return Ok(text),
                Some(Line::TooLong) => return Err(Ended::Abuse),
                None => {
                    self.flush().await?;
                    self.fill(deadline).await?;
                }
            }
        }
    }

    /// Waits, unless the session ends before.
    pub(crate) async fn pause(&mut self, duration: Duration) -> Result<(), Ended> {
        self.flush().await?;
        tokio::select! {
            biased;
            () = self.stop.cancelled() => Err(Ended::Shutdown),
            () = sleep(duration) => Ok(()),
        }
    }

    /// Says goodbye on the transport; nobody waits for it.
    pub(crate) async fn close(&mut self) {
        let _ = timeout(LAST_WORDS, self.stream.shutdown()).await;
    }
}
