//! The clients: one implementation for both sides, blocking, cheap enough not to be what is
//! measured.

pub(crate) mod imap;
pub(crate) mod smtp;

use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use crate::error::{Context as _, Result};

/// How long a server may be silent: longer than any operation here takes.
const SILENCE: Duration = Duration::from_secs(180);

fn connect(address: SocketAddr) -> Result<TcpStream> {
    let what = format!("connecting to {address}");
    let stream = TcpStream::connect(address).context(what.as_str())?;
    stream.set_nodelay(true).context(what.as_str())?;
    stream
        .set_read_timeout(Some(SILENCE))
        .context(what.as_str())?;
    Ok(stream)
}
