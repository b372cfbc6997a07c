//! The database: transactions with group commit, the schema, blobs, change notification.
//!
//! All domain code of the services is written once, synchronously, as closures over [`Tx`] and
//! [`Reader`]; [`Db::write`] and [`Db::read`] run them on the store's own threads. A write is
//! answered after its transaction is on disk, never before, and its [`Event`]s reach the [`Hub`]
//! after that. Message bodies are blobs ([`Blobs`]): small ones live in their row, large ones in
//! files that are durable before the row exists.
//!
//! Behind these types is SQLite today (one writer thread, several readers). Nothing public names
//! it, so that PostgreSQL and S3 can take its place without a change in a caller.
//!
//! Not here: the SQL of domains, accounts, mail and queue. It belongs to the services that own
//! those tables; only the `blob` table is this crate's. Start at [`Db`], then [`Tx`], then
//! [`blob`].
#![deny(missing_docs)]

pub mod blob;
mod copy;
mod db;
mod error;
mod fault;
mod fsck;
mod group;
mod hub;
mod id;
mod metrics;
mod options;
mod place;
mod provenance;
mod shared;
mod sqlite;
#[cfg(test)]
mod tests;
mod transaction;
mod value;

pub use blob::{Blobs, StagedBlob, Swept};
pub use copy::{Copied, copy};
pub use db::Db;
pub use error::{Error, Violation};
pub use fault::{Fault, Faults, Operation};
pub use fsck::{FsckReport, Problem};
pub use hub::{Event, Hub};
pub use id::{AccountId, BlobId, DomainId};
pub use metrics::{Histogram, Metrics};
pub use options::StoreOptions;
pub use provenance::Provenance;
pub use transaction::{Reader, Tx};
pub use value::{Row, Value};
