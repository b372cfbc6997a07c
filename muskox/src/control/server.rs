//! The server's end of the control socket.

use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Arc;

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::{Failure, FailureKind, Handler, MAX_LINE, Reply, Request};

/// Binds the socket at `path` and answers on it until `shutdown`. A stale socket file of a server
/// that is gone is replaced; the data directory's lock already says that no other server runs.
///
/// # Errors
/// The socket cannot be made.
pub async fn serve(
    path: &Path,
    handler: Arc<Handler>,
    shutdown: CancellationToken,
) -> io::Result<impl Future<Output = ()> + Send + 'static> {
    if let Some(directory) = path.parent() {
        tokio::fs::create_dir_all(directory).await?;
    }
    match tokio::fs::remove_file(path).await {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(path)?;
    tokio::fs::set_permissions(path, std::fs::Permissions::from_mode(0o660)).await?;
    let path = path.to_owned();
    Ok(async move {
        let mut sessions = JoinSet::new();
        loop {
            tokio::select! {
                () = shutdown.cancelled() => break,
                accepted = listener.accept() => match accepted {
                    Ok((stream, _)) => {
                        sessions.spawn(session(stream, Arc::clone(&handler)));
                    }
                    Err(error) => {
                        tracing::warn!(%error, "control socket cannot accept");
                        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
                    }
                },
                Some(_) = sessions.join_next() => {}
            }
        }
        let _ = tokio::fs::remove_file(&path).await;
    })
}

async fn session(stream: UnixStream, handler: Arc<Handler>) {
    if let Err(error) = converse(stream, &handler).await {
        tracing::debug!(%error, "control connection ended");
    }
}

async fn converse(stream: UnixStream, handler: &Handler) -> io::Result<()> {
    let mut stream = BufReader::new(stream);
    loop {
        let mut line = String::new();
        let limit = u64::try_from(MAX_LINE).unwrap_or(u64::MAX);
        if (&mut stream).take(limit).read_line(&mut line).await? == 0 {
            return Ok(());
        }
        let reply = match serde_json::from_str::<Request>(&line) {
            Ok(request) => match handler.handle(request).await {
                Ok(data) => Reply::Done(data),
                Err(failure) => Reply::Failed(failure),
            },
            Err(error) => Reply::Failed(Failure::new(FailureKind::Invalid, error)),
        };
        let mut encoded = serde_json::to_vec(&reply)?;
        encoded.push(b'\n');
        stream.write_all(&encoded).await?;
    }
}
