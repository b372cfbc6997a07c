//! The callers' end of the writer's queue.

use std::sync::Arc;

use tokio::sync::mpsc;

use super::job::{Call, Request};
use crate::shared::Shared;
use crate::{Error, Tx};

/// Closures that may wait for the writer before a caller waits to hand one in.
const QUEUE: usize = 1_024;

/// Hands closures to the writer and waits for its answers. The writer ends with the last of them.
#[derive(Debug)]
pub(crate) struct Writes {
    queue: mpsc::Sender<Request>,
    shared: Arc<Shared>,
}

impl Writes {
    /// Both ends of a new queue.
    pub(crate) fn new(shared: Arc<Shared>) -> (Self, mpsc::Receiver<Request>) {
        let (queue, requests) = mpsc::channel(QUEUE);
        (Self { queue, shared }, requests)
    }

    /// See [`crate::Db::write`].
    pub(crate) async fn write<T, E, F>(&self, closure: F) -> Result<T, E>
    where
        F: FnMut(&mut dyn Tx) -> Result<T, E> + Send + 'static,
        E: From<Error> + Send + 'static,
        T: Send + 'static,
    {
        let (call, answer) = Call::new(closure);
        let request = Request::Write(Box::new(call));
        self.queue.send(request).await.map_err(|_| self.gone())?;
        answer.await.map_err(|_| self.gone())?
    }

    /// See [`crate::Db::write_blocking`].
    pub(crate) fn write_blocking<T, E, F>(&self, closure: F) -> Result<T, E>
    where
        F: FnMut(&mut dyn Tx) -> Result<T, E> + Send + 'static,
        E: From<Error> + Send + 'static,
        T: Send + 'static,
    {
        let (call, answer) = Call::new(closure);
        let request = Request::Write(Box::new(call));
        self.queue.blocking_send(request).map_err(|_| self.gone())?;
        answer.blocking_recv().map_err(|_| self.gone())?
    }

    /// Asks the writer to run what is queued and to end.
    pub(crate) async fn close(&self) {
        // Fails when an earlier call has closed the queue.
        let _ = self.queue.send(Request::Close).await;
    }

    /// [`Writes::close`] for threads outside of the runtime.
    pub(crate) fn close_blocking(&self) {
        let _ = self.queue.blocking_send(Request::Close);
    }

    /// Requests that wait for the writer.
    pub(crate) fn queued(&self) -> usize {
        self.queue
            .max_capacity()
            .saturating_sub(self.queue.capacity())
    }

    /// Why the writer is gone.
    fn gone(&self) -> Error {
        if self.shared.is_failed() {
            Error::Failed
        } else {
            Error::Closed
        }
    }
}
