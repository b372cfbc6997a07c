//! What may happen to a queue, and how it is made up.
//!
//! Every operation means something in every state: numbers choose among what is there, so that
//! shrinking may leave out any operation of a sequence.

use proptest::prelude::*;

/// Domains of other servers; all of them are one server.
pub(super) const DOMAINS: [&str; 3] = ["a.test", "b.test", "c.test"];

/// What the remote server says to a recipient, one after the other; the last one is repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    Later,
    Never,
    Taken,
}

impl Verdict {
    /// As local parts of addresses spell it.
    pub(super) const fn letter(self) -> char {
        match self {
            Self::Later => 'l',
            Self::Never => 'n',
            Self::Taken => 't',
        }
    }

    pub(super) fn of(letter: char) -> Self {
        match letter {
            'l' => Self::Later,
            'n' => Self::Never,
            't' => Self::Taken,
            other => panic!("{other:?} is no verdict"),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sender {
    /// Alice, who is told of failures.
    Alice,
    /// Alice's address, which may be forged.
    Unverified,
    /// The null reverse-path.
    Null,
}

/// How the queue goes down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Down {
    /// As `serve` ends.
    Stop,
    /// In the middle of whatever it does.
    Kill,
    /// So, and the store is closed and opened again.
    Reopen,
}

#[derive(Debug, Clone)]
pub(super) enum Operation {
    Send {
        sender: Sender,
        /// Verdicts and position in [`DOMAINS`].
        recipients: Vec<(Vec<Verdict>, usize)>,
    },
    Advance {
        seconds: u64,
    },
    Hold {
        message: usize,
    },
    Release {
        message: usize,
    },
    Retry {
        message: usize,
    },
    Delete {
        message: usize,
    },
    /// Another node, whose clock is some minutes ahead, claims what it can and dies.
    Borrow {
        message: usize,
    },
    /// The remote server keeps its answer to every final dot back, or gives it.
    Gate {
        open: bool,
    },
    Down(Down),
    Up,
    /// A message that the filter keeps back.
    Quarantine,
    ReleaseQuarantined {
        at: usize,
    },
    DeleteQuarantined {
        at: usize,
    },
    /// Deletes what came more than an hour ago.
    PurgeQuarantine,
}

pub(super) fn operation() -> impl Strategy<Value = Operation> {
    let message = any::<usize>;
    prop_oneof![
        6 => (sender(), prop::collection::vec((verdicts(), 0..DOMAINS.len()), 1..5))
            .prop_map(|(sender, recipients)| Operation::Send { sender, recipients }),
        8 => seconds().prop_map(|seconds| Operation::Advance { seconds }),
        2 => message().prop_map(|message| Operation::Hold { message }),
        2 => message().prop_map(|message| Operation::Release { message }),
        2 => message().prop_map(|message| Operation::Retry { message }),
        1 => message().prop_map(|message| Operation::Delete { message }),
        2 => message().prop_map(|message| Operation::Borrow { message }),
        3 => any::<bool>().prop_map(|open| Operation::Gate { open }),
        2 => down().prop_map(Operation::Down),
        3 => Just(Operation::Up),
        1 => Just(Operation::Quarantine),
        1 => any::<usize>().prop_map(|at| Operation::ReleaseQuarantined { at }),
        1 => any::<usize>().prop_map(|at| Operation::DeleteQuarantined { at }),
        1 => Just(Operation::PurgeQuarantine),
    ]
}

fn sender() -> impl Strategy<Value = Sender> {
    prop_oneof![
        6 => Just(Sender::Alice),
        1 => Just(Sender::Unverified),
        1 => Just(Sender::Null),
    ]
}

fn verdicts() -> impl Strategy<Value = Vec<Verdict>> {
    let verdict = prop_oneof![
        3 => Just(Verdict::Later),
        1 => Just(Verdict::Never),
        2 => Just(Verdict::Taken),
    ];
    prop::collection::vec(verdict, 1..5)
}

/// Less than a wait, a wait, a lease, a life.
fn seconds() -> impl Strategy<Value = u64> {
    prop_oneof![
        1..70_u64,
        60..340_u64,
        Just(super::LEASE.unsigned_abs()),
        Just(super::LIFETIME.unsigned_abs() + 1),
    ]
}

fn down() -> impl Strategy<Value = Down> {
    prop_oneof![Just(Down::Stop), Just(Down::Kill), Just(Down::Reopen)]
}
