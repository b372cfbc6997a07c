//! What may happen to an account, and how it is made up.
//!
//! Every operation means something in every state: numbers choose among what is there, so that
//! shrinking may leave out any operation of a sequence.

use mail::FlagMode;
use proptest::prelude::*;

/// Mailboxes that operations are about; the default ones beside the INBOX are left alone.
pub(super) const NAMES: [&str; 6] = ["INBOX", "a", "a/b", "a/b/c", "d", "d/e"];
/// Bits and keywords of any kind.
pub(super) const FLAGS: [&str; 6] = ["\\Seen", "\\Deleted", "\\Flagged", "$Junk", "red", "Blue"];

/// Positions in [`NAMES`] and [`FLAGS`].
type Name = usize;
type Flags = Vec<usize>;
/// Some of a mailbox's messages: positions, counted round and round.
pub(super) type Which = Vec<usize>;

#[derive(Debug, Clone)]
pub(super) enum Operation {
    /// A client puts a message into a mailbox, if the quota lets it.
    Append {
        to: Name,
        flags: Flags,
        octets: usize,
    },
    /// A message from outside comes into the INBOX, whatever the quota.
    Deliver {
        octets: usize,
    },
    Store {
        from: Name,
        which: Which,
        mode: FlagMode,
        flags: Flags,
        /// UNCHANGEDSINCE one of the mod-sequences that the mailbox has had.
        since: Option<usize>,
    },
    Copy {
        from: Name,
        which: Which,
        to: Name,
    },
    Move {
        from: Name,
        which: Which,
        to: Name,
    },
    /// One message into another mailbox as well, as JMAP does.
    Link {
        from: Name,
        which: usize,
        to: Name,
    },
    /// Removes what has `\Deleted`.
    Expunge {
        from: Name,
        which: Option<Which>,
    },
    /// Removes whatever the flags.
    Destroy {
        from: Name,
        which: Which,
    },
    Create {
        name: Name,
    },
    Delete {
        name: Name,
    },
    Rename {
        from: Name,
        to: Name,
    },
    /// Leaves the account so much room, or sets no limit.
    Quota {
        room: Option<u64>,
    },
    /// A session refreshes; whether it may announce expunges.
    Look {
        session: usize,
        expunges: bool,
    },
    /// The store is closed and opened again; sessions come back and catch up.
    Reopen,
}

pub(super) fn operation() -> impl Strategy<Value = Operation> {
    prop_oneof![
        8 => (name(), flags(), octets())
            .prop_map(|(to, flags, octets)| Operation::Append { to, flags, octets }),
        2 => octets().prop_map(|octets| Operation::Deliver { octets }),
        6 => (name(), which(), mode(), flags(), prop::option::of(any::<usize>())).prop_map(
            |(from, which, mode, flags, since)| {
                Operation::Store { from, which, mode, flags, since }
            }
        ),
        3 => (name(), which(), name()).prop_map(|(from, which, to)| {
            Operation::Copy { from, which, to }
        }),
        3 => (name(), which(), name()).prop_map(|(from, which, to)| {
            Operation::Move { from, which, to }
        }),
        1 => (name(), any::<usize>(), name())
            .prop_map(|(from, which, to)| Operation::Link { from, which, to }),
        3 => (name(), prop::option::of(which()))
            .prop_map(|(from, which)| Operation::Expunge { from, which }),
        1 => (name(), which()).prop_map(|(from, which)| Operation::Destroy { from, which }),
        3 => name().prop_map(|name| Operation::Create { name }),
        1 => name().prop_map(|name| Operation::Delete { name }),
        1 => (name(), name()).prop_map(|(from, to)| Operation::Rename { from, to }),
        1 => prop::option::of(0..400_u64).prop_map(|room| Operation::Quota { room }),
        5 => (0..2_usize, any::<bool>())
            .prop_map(|(session, expunges)| Operation::Look { session, expunges }),
        1 => Just(Operation::Reopen),
    ]
}

fn name() -> impl Strategy<Value = Name> {
    prop_oneof![2 => Just(0), 3 => 0..NAMES.len()]
}

fn which() -> impl Strategy<Value = Which> {
    prop::collection::vec(any::<usize>(), 0..4)
}

fn flags() -> impl Strategy<Value = Flags> {
    prop::collection::vec(0..FLAGS.len(), 0..3)
}

fn mode() -> impl Strategy<Value = FlagMode> {
    prop_oneof![
        Just(FlagMode::Add),
        Just(FlagMode::Remove),
        Just(FlagMode::Replace)
    ]
}

/// Octets of a body: few, or more than fit into a row.
fn octets() -> impl Strategy<Value = usize> {
    prop_oneof![9 => 0..200_usize, 1 => 20_000..60_000_usize]
}
