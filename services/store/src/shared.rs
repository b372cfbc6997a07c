//! What the store's threads share: the fail-stop switch, the counters, the hub.

use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::watch;

use crate::metrics::Counters;
use crate::{Error, Hub};

#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) hub: Hub,
    pub(crate) counters: Counters,
    failed: watch::Sender<bool>,
    closed: AtomicBool,
}

impl Shared {
    pub(crate) fn new() -> Self {
        Self {
            hub: Hub::new(),
            counters: Counters::new(),
            failed: watch::Sender::new(false),
            closed: AtomicBool::new(false),
        }
    }

    /// Fail-stop: after an unconfirmed flush the kernel may drop the dirty pages and report success
    /// the next time, so the flush must never be tried again in this process.
    pub(crate) fn fail(&self, cause: &Error) {
        if !self.failed.send_replace(true) {
            tracing::error!(
                error = cause as &dyn std::error::Error,
                "the store stops: the disk did not confirm a write"
            );
        }
    }

    pub(crate) fn is_failed(&self) -> bool {
        *self.failed.borrow()
    }

    /// The directory may be another process's from now on.
    pub(crate) fn close(&self) {
        self.closed.store(true, Ordering::SeqCst);
    }

    /// Refuses when the store has failed or is closed.
    pub(crate) fn check(&self) -> Result<(), Error> {
        if self.is_failed() {
            Err(Error::Failed)
        } else if self.closed.load(Ordering::SeqCst) {
            Err(Error::Closed)
        } else {
            Ok(())
        }
    }

    pub(crate) fn watch_failed(&self) -> watch::Receiver<bool> {
        self.failed.subscribe()
    }
}

/// Runs `end` when the scope is left, also by a panic.
pub(crate) fn scope_end(end: impl Fn()) -> impl Drop {
    struct End<F: Fn()>(F);
    impl<F: Fn()> Drop for End<F> {
        fn drop(&mut self) {
            (self.0)();
        }
    }
    End(end)
}
