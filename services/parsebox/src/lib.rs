//! Pages, archives and documents, read in processes that can do nothing else.
//!
//! What a stranger sends may be made to break whoever reads it. The readers of HTML and of
//! attachments therefore run in workers: processes without files, without sockets, with bounded memory and
//! processor time for each job. A worker that ends takes the content down that ended it, and nothing
//! else: the others of its message are read again by a new worker.
//!
//! | file | what |
//! |---|---|
//! | `job.rs` | what there is to read, and what was found |
//! | `wire.rs` | how that travels |
//! | `pool.rs` | the server's side: workers that wait, those that hang, those that ended |
//! | `keeper.rs` | the process that starts workers, since the server may not start programs |
//! | `worker.rs` | the process that reads |
//! | `confine.rs` | what keeper and worker give up |
//!
//! A server starts its [`Keeper`] before it has threads or gives up rights, and makes a [`Parsebox`] of it in its runtime;
//! the same program runs [`keep`] and [`work`] when it is started with [`KEEPER`] and [`WORKER`]. Where no
//! program can be started (by an emulator), [`Parsebox::in_process`] reads by itself.
//!
//! Not here: the structure of messages, which is read in the server; text that is no HTML.
#![deny(missing_docs)]

mod confine;
mod job;
mod keeper;
mod pool;
#[cfg(test)]
mod tests;
mod wire;
mod worker;

pub use confine::confine_worker;
pub use job::{Answer, Attachment, Job};
pub use keeper::{Keeper, keep};
pub use pool::Parsebox;
pub use wire::{decode_answer, decode_job};
pub use worker::work;

/// The command of the program that runs [`keep`].
pub const KEEPER: &str = "parse-keeper";
/// The command of the program that runs [`work`].
pub const WORKER: &str = "parse-worker";

/// What goes wrong at the start.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The system refuses.
    #[error("parse workers: {what}: {source}")]
    System {
        /// What was tried.
        what: &'static str,
        /// What the system says.
        source: std::io::Error,
    },
    /// The rules of a filter are refused.
    #[error("parse workers: {what}: {reason}")]
    Rules {
        /// Of which.
        what: &'static str,
        /// Why.
        reason: String,
    },
}

impl Error {
    /// For `map_err`: what was tried when the system refused.
    fn at<E: Into<std::io::Error>>(what: &'static str) -> impl Fn(E) -> Self {
        move |error| Self::System {
            what,
            source: error.into(),
        }
    }

    fn rules(what: &'static str, reason: &dyn std::fmt::Display) -> Self {
        Self::Rules {
            what,
            reason: reason.to_string(),
        }
    }
}
