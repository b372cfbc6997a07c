//! The SQLite back end: how a database is opened ([`open`], [`migrate`]), how a connection runs
//! statements ([`session`]), and the three kinds of thread ([`writer`], [`readers`],
//! [`checkpoint`]).

pub(crate) mod checkpoint;
pub(crate) mod migrate;
pub(crate) mod open;
pub(crate) mod readers;
pub(crate) mod session;
pub(crate) mod writer;
