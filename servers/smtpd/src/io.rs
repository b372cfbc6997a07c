//! The connection of a session: lines in, replies out, message data in.
//!
//! Replies are collected and sent before the session waits for input, so that a pipelining client
//! gets them together (RFC 2920). Every wait has a deadline.

use std::io;
use std::time::Duration;

use smtp::Reply;
use smtp::data::{DataDecoder, DataError};
use smtp::line::{Expect, Framed, LineError, LineReader};
use tls::AnyStream;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::{Instant, timeout, timeout_at};
use tokio_util::sync::CancellationToken;

/// How much is read at a time.
const CHUNK: usize = 64 * 1024;
/// How long a client may take to read our replies.
const SEND_TIMEOUT: Duration = Duration::from_secs(120);

/// Why no more input comes.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Ended {
    /// The client closed the connection, or it broke.
    #[error("connection lost")]
    Lost,
    /// The client was silent for too long.
    #[error("timeout")]
    Timeout,
    /// The server stops.
    #[error("shutdown")]
    Shutdown,
    /// A newer client needed the place of one that had proved nothing.
    #[error("made room for another client")]
    Evicted,
    /// The client does not speak SMTP.
    #[error(transparent)]
    Line(#[from] LineError),
}

impl From<io::Error> for Ended {
    fn from(_: io::Error) -> Self {
        Self::Lost
    }
}

/// What a client sent where a command may stand.
#[derive(Debug)]
pub(crate) enum Input {
    Line(Vec<u8>),
    TooLong,
}

pub(crate) struct Io {
    pub(crate) stream: AnyStream,
    input: Vec<u8>,
    output: Vec<u8>,
    lines: LineReader,
    shutdown: CancellationToken,
}

impl Io {
    pub(crate) fn new(stream: AnyStream, shutdown: CancellationToken) -> Self {
        Self {
            stream,
            input: Vec::new(),
            output: Vec::new(),
            lines: LineReader::new(),
            shutdown,
        }
    }

    /// Queues a reply; [`Io::flush`] or the next wait for input sends it.
    pub(crate) fn reply(&mut self, reply: &Reply) {
        reply.encode(&mut self.output);
    }

    pub(crate) async fn flush(&mut self) -> Result<(), Ended> {
        if self.output.is_empty() {
            return Ok(());
        }
        let send = async {
            self.stream.write_all(&self.output).await?;
            self.stream.flush().await
        };
        match timeout(SEND_TIMEOUT, send).await {
            Ok(sent) => sent?,
            Err(_elapsed) => return Err(Ended::Timeout),
        }
        self.output.clear();
        Ok(())
    }

    /// The next line, at the latest at `deadline`.
    pub(crate) async fn line(&mut self, expect: Expect, deadline: Instant) -> Result<Input, Ended> {
        loop {
            let (input, consumed) = match self.lines.next_line(&self.input, expect)? {
                Framed::Line { line, consumed } => (Some(Input::Line(line.to_vec())), consumed),
                Framed::TooLong { consumed } => (Some(Input::TooLong), consumed),
                Framed::Partial { consumed } => (None, consumed),
            };
            self.input.drain(..consumed);
            if let Some(input) = input {
                return Ok(input);
            }
            self.flush().await?;
            self.fill(deadline).await?;
        }
    }

    /// Feeds buffered or new octets to `decoder`; `Ok(true)` at the end of the message.
    /// After an error that need not close the session, the message has been read to its end.
    pub(crate) async fn data(
        &mut self,
        decoder: &mut DataDecoder,
        message: &mut Vec<u8>,
        deadline: Instant,
    ) -> Result<Result<bool, DataError>, Ended> {
        if self.input.is_empty() {
            self.fill(deadline).await?;
        }
        match decoder.feed(&self.input, message) {
            Ok(progress) => {
                self.input.drain(..progress.consumed);
                Ok(Ok(progress.finished))
            }
            Err(error) => {
                if let DataError::TooLarge { consumed } | DataError::LineTooLong { consumed } =
                    error
                {
                    self.input.drain(..consumed);
                }
                Ok(Err(error))
            }
        }
    }

    async fn fill(&mut self, deadline: Instant) -> Result<(), Ended> {
        self.input.reserve(if self.input.capacity() == 0 {
            4096
        } else {
            CHUNK
        });
        tokio::select! {
            biased;
            () = self.shutdown.cancelled() => Err(Ended::Shutdown),
            read = timeout_at(deadline, self.stream.read_buf(&mut self.input)) => match read {
                Err(_elapsed) => Err(Ended::Timeout),
                Ok(Ok(0) | Err(_)) => Err(Ended::Lost),
                Ok(Ok(_)) => Ok(()),
            }
        }
    }

    /// Whether the client has sent more than was asked for.
    pub(crate) fn has_input(&self) -> bool {
        !self.input.is_empty()
    }

    /// Forgets what was sent in clear before TLS (CVE-2011-0411).
    pub(crate) fn discard_input(&mut self) {
        self.input.clear();
        self.lines = LineReader::new();
    }

    /// Says goodbye on the transport; nobody waits for it.
    pub(crate) async fn close(&mut self) {
        let _ = timeout(Duration::from_secs(2), self.stream.shutdown()).await;
    }
}
