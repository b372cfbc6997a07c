//! The filter for other mail servers: Rspamd's HTTP protocol and milter.
//!
//! What a message is worth is decided by a [`Judge`], which is passed in; here are only the
//! protocols. [`http::serve`] answers what `rspamc`, Rspamd's clients and mail servers with an HTTP
//! interface to it ask (`/checkv2`, `/learnspam`, `/stat`, …); the administrator's [`Maps`] are read
//! and saved there, too. [`milter::serve`] is what Postfix
//! and Sendmail talk to: it checks at the end of a message and answers by the verdict's action.
//!
//! Not here: Rspamd's own encryption (HTTPCrypt), its web interface, messages given by file name
//! or shared memory, compression with a dictionary. Both listeners belong on loopback or a private
//! network: whoever reaches them may have messages checked.
//!
//! Start at [`Judge`].

mod edits;
pub mod http;
mod json;
mod judge;
mod maps;
pub mod milter;
pub mod request;

pub use judge::{
    Action, CheckError, CheckReply, CheckRequest, Edits, Field, Judge, LearnClass, LearnReply,
    LearnRequest, Statistics, Symbol,
};
pub use maps::{MapError, MapSaved, MapSummary, Maps};
