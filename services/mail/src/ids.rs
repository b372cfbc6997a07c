//! Identifiers of mailboxes and messages, and the conversions between Rust's unsigned numbers and
//! the signed 64-bit integers of the database.

use std::fmt;

use store::AccountId;

/// A mailbox, unique in the whole store: the account's id in the upper half, a number that the
/// account gives out once, to a mailbox or a message, in the lower half. A rename keeps it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MailboxId(pub i64);

/// A message, unique in the whole store: the account's id in the upper half, a number that the
/// account gives out once in the lower half.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MessageId(pub i64);

impl MailboxId {
    /// The mailbox `number` of `account`.
    #[must_use]
    pub(crate) const fn new(account: AccountId, number: u32) -> Self {
        Self((account.0 << 32) | number as i64)
    }
}

impl MessageId {
    /// The message `number` of `account`.
    #[must_use]
    pub const fn new(account: AccountId, number: u32) -> Self {
        Self((account.0 << 32) | number as i64)
    }

    /// The account that owns the message.
    #[must_use]
    pub const fn account(self) -> AccountId {
        AccountId(self.0 >> 32)
    }

    /// The number in the account.
    #[must_use]
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the lower half is what is asked for"
    )]
    pub const fn number(self) -> u32 {
        self.0 as u32
    }
}

impl fmt::Display for MailboxId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        MessageId(self.0).fmt(f)
    }
}

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.account().0, self.number())
    }
}

/// A count, size or mod-sequence for the database; what does not fit there compares as the most.
pub(crate) fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// The length of something in memory as the database counts.
pub(crate) fn count(length: usize) -> i64 {
    i64::try_from(length).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_id_gives_back_its_halves() {
        for (account, number) in [(1, 1), (7, u32::MAX), (2_000_000_000, 0)] {
            let id = MessageId::new(AccountId(account), number);
            assert_eq!((id.account(), id.number()), (AccountId(account), number));
        }
    }
}
