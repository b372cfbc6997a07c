//! The command line's end of the control socket.

use std::path::{Path, PathBuf};

use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::UnixStream;

use super::{Failure, MAX_LINE, Reply, Request};

/// Why no answer came.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Nobody listens there.
    #[error("no server answers on {}: {source} (start it with `muskox serve`, or name its socket with --socket)", path.display())]
    NotRunning {
        /// The socket.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// The connection broke.
    #[error("the server closed the connection: {0}")]
    Broken(#[from] std::io::Error),
    /// The reply is not one of ours: another version answers.
    #[error("the server's reply cannot be read: {0}")]
    Unreadable(#[from] serde_json::Error),
    /// The server says no.
    #[error(transparent)]
    Failed(#[from] Failure),
}

/// A connection to a running server.
#[derive(Debug)]
pub struct Client {
    stream: BufReader<UnixStream>,
}

impl Client {
    /// Connects to the socket at `path`.
    ///
    /// # Errors
    /// [`ClientError::NotRunning`].
    pub async fn connect(path: &Path) -> Result<Self, ClientError> {
        let stream = UnixStream::connect(path)
            .await
            .map_err(|source| ClientError::NotRunning {
                path: path.to_owned(),
                source,
            })?;
        Ok(Self {
            stream: BufReader::new(stream),
        })
    }

    /// Asks, and waits for the answer's data.
    ///
    /// # Errors
    /// The connection breaks, or the server answers with a [`Failure`].
    pub async fn ask(&mut self, request: &Request) -> Result<Value, ClientError> {
        let mut line = serde_json::to_vec(request)?;
        line.push(b'\n');
        self.stream.write_all(&line).await?;
        let mut reply = String::new();
        let limit = u64::try_from(MAX_LINE).unwrap_or(u64::MAX);
        (&mut self.stream).take(limit).read_line(&mut reply).await?;
        if reply.is_empty() {
            return Err(std::io::Error::from(std::io::ErrorKind::UnexpectedEof).into());
        }
        match serde_json::from_str(&reply)? {
            Reply::Done(data) => Ok(data),
            Reply::Failed(failure) => Err(failure.into()),
        }
    }
}
