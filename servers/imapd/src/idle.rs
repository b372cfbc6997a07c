//! IDLE.

use imap::response::{Continuation, Status, StatusResponse};
use tokio::time::Instant;

use crate::client::{Answer, Client, done};
use crate::io::Ended;
use crate::metrics::Held;
use crate::selected::Selected;
use crate::updates::Manner;

impl Client {
    /// RFC 9051 §6.3.13: tells the news of the selected mailbox as they come, until DONE.
    pub(crate) async fn idle(&mut self, mut selected: Option<&mut Selected>) -> Answer {
        let _idle = Held::new(&self.server.metrics.idle);
        let deadline = Instant::now() + self.server.limits.idle_timeout;
        self.say(&Continuation::Ready);
        if let Some(selected) = selected.as_deref_mut() {
            selected.tell_news(self, Manner::ANY).await?;
        }
        loop {
            match self.io.framer.next_line() {
                Some(imap::framing::Line::Text(line)) if line.eq_ignore_ascii_case(b"DONE") => {
                    return Ok(done("IDLE"));
                }
                Some(imap::framing::Line::Text(_)) => {
                    return Ok(StatusResponse::new(Status::Bad, "DONE was expected"));
                }
                Some(imap::framing::Line::TooLong) => return Err(Ended::Abuse.into()),
                None => {}
            }
            self.io.flush().await?;
            let changed = tokio::select! {
                filled = self.io.fill(deadline) => {
                    filled?;
                    false
                }
                () = news(selected.as_deref()) => true,
            };
            if let Some(selected) = selected.as_deref_mut().filter(|_| changed) {
                selected.tell_news(self, Manner::ANY).await?;
            }
        }
    }
}

/// Completes when there may be something to tell.
async fn news(selected: Option<&Selected>) {
    match selected {
        Some(selected) => selected.view.changed().await,
        None => std::future::pending().await,
    }
}
