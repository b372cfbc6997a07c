//! A write closure on its way to the writer and back.

use std::panic::{AssertUnwindSafe, catch_unwind};

use tokio::sync::oneshot;

use crate::{Error, Tx};

/// A write closure with its way to answer.
pub(crate) trait Job: Send {
    /// Runs the closure and keeps its result; says whether it wants its changes kept.
    fn run(&mut self, tx: &mut dyn Tx) -> bool;
    /// Drops the closure and answers. An `Ok` of the closure becomes `overruled` if there is one.
    fn answer(self: Box<Self>, overruled: Option<Error>);
}

/// What the writer receives.
pub(crate) enum Request {
    Write(Box<dyn Job>),
    /// Run what is queued, then end.
    Close,
}

/// The [`Job`] of a closure.
pub(crate) struct Call<F, T, E> {
    closure: F,
    result: Option<Result<T, E>>,
    reply: oneshot::Sender<Result<T, E>>,
}

impl<F, T, E> Call<F, T, E> {
    pub(crate) fn new(closure: F) -> (Self, oneshot::Receiver<Result<T, E>>) {
        let (reply, answer) = oneshot::channel();
        (
            Self {
                closure,
                result: None,
                reply,
            },
            answer,
        )
    }
}

impl<F, T, E> Job for Call<F, T, E>
where
    F: FnMut(&mut dyn Tx) -> Result<T, E> + Send,
    E: From<Error> + Send,
    T: Send,
{
    fn run(&mut self, tx: &mut dyn Tx) -> bool {
        let result = catch_unwind(AssertUnwindSafe(|| (self.closure)(tx)))
            .unwrap_or_else(|_| Err(Error::Panicked.into()));
        let keep = result.is_ok();
        self.result = Some(result);
        keep
    }

    fn answer(self: Box<Self>, overruled: Option<Error>) {
        let Self {
            closure,
            result,
            reply,
        } = *self;
        drop(closure);
        let result = match (result, overruled) {
            (Some(Err(error)), _) => Err(error),
            (_, Some(error)) => Err(error.into()),
            (Some(Ok(value)), None) => Ok(value),
            (None, None) => Err(Error::Closed.into()),
        };
        // Whoever asked may have stopped waiting.
        drop(reply.send(result));
    }
}
