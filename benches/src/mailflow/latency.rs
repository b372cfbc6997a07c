//! One message at a time: how soon it is accepted, and how soon a client in IDLE hears of it.

use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use super::load::{Load, Message, smtp_address};
use crate::certificate::Certificate;
use crate::client::imap::Imap;
use crate::client::smtp::Smtp;
use crate::error::{Error, Result};
use crate::servers::Server;
use crate::stage::pause;

/// Between messages, so that each finds an idle server.
const PAUSE: Duration = Duration::from_millis(50);
const PATIENCE: Duration = Duration::from_secs(20);

/// Of one message, in milliseconds.
#[derive(Debug, Clone, Copy)]
pub(super) struct Delay {
    /// From the dot that ends the data to the answer 250.
    pub(super) accept_ms: f64,
    /// From the answer to EXISTS in IDLE; 0 when EXISTS was first.
    pub(super) push_ms: f64,
}

/// Sends the messages of `load` one by one; each recipient has a client in IDLE.
pub(super) fn measure(
    server: &Server,
    certificate: &Certificate,
    load: &Load,
) -> Result<Vec<Delay>> {
    let mut smtp = Smtp::connect(smtp_address(server)?)?;
    let mut delays = Vec::new();
    let mut messages: Vec<&Message> = load.sessions.iter().flatten().collect();
    messages.sort_by(|one, other| one.to.cmp(&other.to));
    for group in messages.chunk_by(|one, other| one.to == other.to) {
        let Some(first) = group.first() else { continue };
        let pushes = idle(server, certificate, first)?;
        for message in group {
            pause(PAUSE);
            let moments = smtp.deliver(&message.from, &message.to, &message.text)?;
            let pushed = pushes.recv_timeout(PATIENCE).map_err(|_| Error::Answer {
                server: server.name.to_owned(),
                said: "nothing in IDLE after a delivery".to_owned(),
            })?;
            delays.push(Delay {
                accept_ms: milliseconds(moments.accepted.duration_since(moments.sent)),
                // Saturates: some servers notify before the answer has crossed the wire.
                push_ms: milliseconds(pushed.saturating_duration_since(moments.accepted)),
            });
        }
    }
    smtp.quit()?;
    Ok(delays)
}

/// Starts a client in IDLE on the recipient's INBOX; when it heard EXISTS.
///
/// The client's thread ends with the connection, which the server's end closes at the latest.
fn idle(
    server: &Server,
    certificate: &Certificate,
    message: &Message,
) -> Result<Receiver<Instant>> {
    let account = message.to.split('@').next().unwrap_or_default();
    let mut imap = Imap::connect(server, certificate, account)?;
    imap.command("SELECT INBOX")?;
    imap.idle()?;
    let (heard, pushes) = channel();
    std::thread::spawn(move || {
        while imap.read_exists().is_ok() {
            if heard.send(Instant::now()).is_err() {
                return;
            }
        }
    });
    Ok(pushes)
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1_000.0
}
