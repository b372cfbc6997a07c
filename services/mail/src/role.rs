//! What a mailbox is for.

use std::fmt;

use imap::SpecialUse;

/// A mailbox's purpose; at most one mailbox of an account has each. RFC 6154 without the virtual
/// mailboxes `\All` and `\Flagged`, and the INBOX.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Where mail arrives.
    Inbox,
    /// Mail kept, out of the way.
    Archive,
    /// Mail being written.
    Drafts,
    /// Mail that matters (RFC 8457).
    Important,
    /// Mail judged unwanted.
    Junk,
    /// Mail sent.
    Sent,
    /// Mail thrown away.
    Trash,
}

impl Role {
    const ALL: [Self; 7] = [
        Self::Inbox,
        Self::Archive,
        Self::Drafts,
        Self::Important,
        Self::Junk,
        Self::Sent,
        Self::Trash,
    ];

    /// The name in the database and in JMAP (RFC 8621 §2): lower case.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Inbox => "inbox",
            Self::Archive => "archive",
            Self::Drafts => "drafts",
            Self::Important => "important",
            Self::Junk => "junk",
            Self::Sent => "sent",
            Self::Trash => "trash",
        }
    }

    /// The role called `name` (lower case).
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.as_str() == name)
    }

    /// The attribute in LIST; the INBOX has none.
    #[must_use]
    pub const fn special_use(self) -> Option<SpecialUse> {
        Some(match self {
            Self::Inbox => return None,
            Self::Archive => SpecialUse::Archive,
            Self::Drafts => SpecialUse::Drafts,
            Self::Important => SpecialUse::Important,
            Self::Junk => SpecialUse::Junk,
            Self::Sent => SpecialUse::Sent,
            Self::Trash => SpecialUse::Trash,
        })
    }

    /// The role behind an attribute; `None` for `\All` and `\Flagged`, which no stored mailbox can
    /// be.
    #[must_use]
    pub fn from_special_use(special_use: SpecialUse) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|role| role.special_use() == Some(special_use))
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_attributes_lead_back_to_their_role() {
        for role in Role::ALL {
            assert_eq!(Role::parse(role.as_str()), Some(role));
            assert_eq!(
                role.special_use()
                    .and_then(Role::from_special_use)
                    .is_none(),
                role == Role::Inbox
            );
        }
        assert_eq!(Role::from_special_use(SpecialUse::All), None);
    }
}
