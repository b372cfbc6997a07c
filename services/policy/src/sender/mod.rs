//! Allow and deny lists: the rows of `sender_entry`.
//!
//! An entry means addresses, domains, wildcards or networks ([`SenderPattern`]) and belongs to an
//! account, a domain or everybody. Of the lists that know a sender the narrowest counts; within a
//! list what allows counts more than what denies.

mod index;
mod pattern;
mod table;
mod wildcard;

pub use index::{Met, Sender};
pub use pattern::{SenderKind, SenderPattern};
pub use table::{EntryPage, EntryRecord, MOST_ACCOUNT_ENTRIES, MOST_ENTRIES, NewEntry};

pub(crate) use index::Senders;
pub(crate) use pattern::{Means, folded, key};
#[cfg(test)]
pub(crate) use table::STATEMENTS;
pub(crate) use table::load;

use crate::owner::words;

words! {
    /// What becomes of a sender on a list.
    Verdict, "verdict" {
        /// Its mail is welcome.
        Allow = "allow",
        /// Its mail is not wanted.
        Deny = "deny",
    }
}

words! {
    /// What an entry is compared with. Entries that are networks are compared with the client.
    Part, "part of a sender" {
        /// Envelope sender and header From.
        Both = "both",
        /// The envelope sender only.
        Envelope = "envelope",
        /// The header's From only.
        Header = "header",
    }
}

impl Part {
    pub(crate) fn covers(self, met: Met) -> bool {
        match self {
            Self::Both => true,
            Self::Envelope => met == Met::Envelope,
            Self::Header => met == Met::Header,
        }
    }
}
