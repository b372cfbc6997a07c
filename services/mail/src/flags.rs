//! Flags and keywords of a message.
//!
//! The five system flags and a few keywords that every client knows are bits of [`Flags`]; a user's
//! own keywords are rows of `keyword` and their presence is the bit [`Flags::HAS_KEYWORDS`], so that
//! most messages need no look at that table. [`FlagSet`] is both together, as IMAP shows them.

use std::fmt;

use imap::{Flag, Keyword};

use crate::Error;

/// Keywords of one message beyond those that are bits.
pub const MAX_KEYWORDS: usize = 100;

/// A set of flag bits. Two bits are the store's own and never shown: see [`Flags::SHOWN`].
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Flags(u32);

impl Flags {
    /// No flag.
    pub const NONE: Self = Self(0);
    /// `\Seen`
    pub const SEEN: Self = Self(1);
    /// `\Answered`
    pub const ANSWERED: Self = Self(1 << 1);
    /// `\Flagged`
    pub const FLAGGED: Self = Self(1 << 2);
    /// `\Draft`
    pub const DRAFT: Self = Self(1 << 3);
    /// `\Deleted`
    pub const DELETED: Self = Self(1 << 4);
    /// `$Forwarded`
    pub const FORWARDED: Self = Self(1 << 5);
    /// `$Junk`
    pub const JUNK: Self = Self(1 << 6);
    /// `$NotJunk`
    pub const NOT_JUNK: Self = Self(1 << 7);
    /// `$MDNSent`
    pub const MDN_SENT: Self = Self(1 << 8);
    /// `$Phishing`
    pub const PHISHING: Self = Self(1 << 9);
    /// `$Important`
    pub const IMPORTANT: Self = Self(1 << 10);

    /// Every bit that stands for a flag or keyword a client sees and sets.
    pub const SHOWN: Self = Self((1 << 11) - 1);

    /// The message has entries in several mailboxes.
    pub(crate) const SHARED: Self = Self(1 << 30);
    /// The message has rows in `keyword`.
    pub const HAS_KEYWORDS: Self = Self(1 << 31);

    /// Every bit except the given ones.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Both sets together.
    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// The bits in both sets.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// Whether every bit of `other` is set.
    #[must_use]
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Whether no bit is set.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The bits as stored.
    #[must_use]
    pub const fn bits(self) -> u32 {
        self.0
    }

    /// The set of these stored bits.
    #[must_use]
    pub const fn from_bits(bits: u32) -> Self {
        Self(bits)
    }

    /// The bit of a flag or keyword, if it is one.
    #[must_use]
    pub fn of(flag: &Flag) -> Option<Self> {
        Some(match flag {
            Flag::Seen => Self::SEEN,
            Flag::Answered => Self::ANSWERED,
            Flag::Flagged => Self::FLAGGED,
            Flag::Draft => Self::DRAFT,
            Flag::Deleted => Self::DELETED,
            Flag::Keyword(keyword) => {
                KEYWORD_BITS
                    .iter()
                    .find(|(_, name)| name.eq_ignore_ascii_case(keyword.as_str()))?
                    .0
            }
        })
    }

    /// The names of the bits that are shown, in the order in which they are written.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        SYSTEM_BITS
            .into_iter()
            .chain(KEYWORD_BITS)
            .filter(move |(bit, _)| self.contains(*bit))
            .map(|(_, name)| name)
    }
}

impl fmt::Debug for Flags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.names()).finish()?;
        let own = self.without(Self::SHOWN);
        if own.is_empty() {
            Ok(())
        } else {
            write!(f, "+{:#x}", own.0)
        }
    }
}

const SYSTEM_BITS: [(Flags, &str); 5] = [
    (Flags::ANSWERED, "\\Answered"),
    (Flags::FLAGGED, "\\Flagged"),
    (Flags::DELETED, "\\Deleted"),
    (Flags::SEEN, "\\Seen"),
    (Flags::DRAFT, "\\Draft"),
];

/// Keywords registered with IANA (RFC 5788) that clients set often enough to be bits.
const KEYWORD_BITS: [(Flags, &str); 6] = [
    (Flags::FORWARDED, "$Forwarded"),
    (Flags::JUNK, "$Junk"),
    (Flags::NOT_JUNK, "$NotJunk"),
    (Flags::MDN_SENT, "$MDNSent"),
    (Flags::PHISHING, "$Phishing"),
    (Flags::IMPORTANT, "$Important"),
];

/// Flags and keywords as a client names them: bits of [`Flags::SHOWN`] and keywords that are not
/// bits, sorted, none twice.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct FlagSet {
    flags: Flags,
    keywords: Vec<Keyword>,
}

impl FlagSet {
    /// The flags that are bits.
    #[must_use]
    pub const fn flags(&self) -> Flags {
        self.flags
    }

    /// The keywords that are not bits.
    #[must_use]
    pub fn keywords(&self) -> &[Keyword] {
        &self.keywords
    }

    /// Whether nothing is set.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.flags.is_empty() && self.keywords.is_empty()
    }

    /// Fails with [`Error::TooManyKeywords`] when one message cannot have them all.
    pub(crate) fn check(&self) -> Result<(), Error> {
        if self.keywords.len() > MAX_KEYWORDS {
            Err(Error::TooManyKeywords)
        } else {
            Ok(())
        }
    }
}

impl From<Flags> for FlagSet {
    fn from(flags: Flags) -> Self {
        Self {
            flags: flags.and(Flags::SHOWN),
            keywords: Vec::new(),
        }
    }
}

impl FromIterator<Flag> for FlagSet {
    fn from_iter<I: IntoIterator<Item = Flag>>(flags: I) -> Self {
        let mut set = Self::default();
        for flag in flags {
            match (Flags::of(&flag), flag) {
                (Some(bit), _) => set.flags = set.flags.with(bit),
                (None, Flag::Keyword(keyword)) => set.keywords.push(keyword),
                // Every flag that is no keyword is a bit.
                (None, _) => {}
            }
        }
        set.keywords.sort();
        set.keywords.dedup();
        set
    }
}

impl<'f> FromIterator<&'f Flag> for FlagSet {
    fn from_iter<I: IntoIterator<Item = &'f Flag>>(flags: I) -> Self {
        flags.into_iter().cloned().collect()
    }
}

/// What STORE does with the flags it names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FlagMode {
    /// `+FLAGS`
    Add,
    /// `-FLAGS`
    Remove,
    /// `FLAGS`
    Replace,
}

/// A change to the flags of messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FlagChange {
    /// What to do.
    pub mode: FlagMode,
    /// With which flags.
    pub set: FlagSet,
}

impl FlagChange {
    /// The shown bits after the change; the store's own stay.
    #[must_use]
    pub(crate) const fn bits_after(&self, before: Flags) -> Flags {
        let named = self.set.flags;
        match self.mode {
            FlagMode::Add => before.with(named),
            FlagMode::Remove => before.without(named),
            FlagMode::Replace => before.without(Flags::SHOWN).with(named),
        }
    }

    /// The bits that the change sets and clears, whatever was there before.
    pub(crate) const fn masks(&self) -> (Flags, Flags) {
        let named = self.set.flags;
        match self.mode {
            FlagMode::Add => (named, Flags::NONE),
            FlagMode::Remove => (Flags::NONE, named),
            FlagMode::Replace => (named, Flags::SHOWN.without(named)),
        }
    }

    /// Whether the keywords of a message with these bits may change.
    pub(crate) fn touches_keywords(&self, before: Flags) -> bool {
        match self.mode {
            FlagMode::Add => !self.set.keywords.is_empty(),
            FlagMode::Remove => {
                !self.set.keywords.is_empty() && before.contains(Flags::HAS_KEYWORDS)
            }
            FlagMode::Replace => {
                !self.set.keywords.is_empty() || before.contains(Flags::HAS_KEYWORDS)
            }
        }
    }

    /// The keywords to add to and remove from a message that has `before` (sorted).
    pub(crate) fn keyword_changes(&self, before: &[Keyword]) -> KeywordChanges {
        let named = &self.set.keywords;
        let missing = || {
            named
                .iter()
                .filter(|keyword| before.binary_search(keyword).is_err())
                .cloned()
        };
        let others = || {
            before
                .iter()
                .filter(|keyword| named.binary_search(keyword).is_err())
        };
        let present = || {
            before
                .iter()
                .filter(|keyword| named.binary_search(keyword).is_ok())
        };
        match self.mode {
            FlagMode::Add => KeywordChanges {
                add: missing().collect(),
                remove: Vec::new(),
            },
            FlagMode::Remove => KeywordChanges {
                add: Vec::new(),
                remove: present().cloned().collect(),
            },
            FlagMode::Replace => KeywordChanges {
                add: missing().collect(),
                remove: others().cloned().collect(),
            },
        }
    }
}

/// What a [`FlagChange`] means for the keywords of one message.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct KeywordChanges {
    pub(crate) add: Vec<Keyword>,
    pub(crate) remove: Vec<Keyword>,
}

impl KeywordChanges {
    pub(crate) fn is_empty(&self) -> bool {
        self.add.is_empty() && self.remove.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn set(text: &str) -> FlagSet {
        text.split_whitespace()
            .map(|word| Flag::parse(word).unwrap())
            .collect()
    }

    #[test]
    fn every_bit_has_one_name_that_leads_back_to_it() {
        let names: Vec<_> = Flags::SHOWN.names().collect();
        assert_eq!(names.len(), Flags::SHOWN.bits().count_ones() as usize);
        let back = names
            .iter()
            .map(|name| Flags::of(&Flag::parse(name).unwrap()).unwrap());
        assert_eq!(back.fold(Flags::NONE, Flags::with), Flags::SHOWN);
    }

    #[test]
    fn known_keywords_are_bits_in_any_case_and_others_are_not() {
        let set = set("\\Seen $junk tag TAG other");
        assert_eq!(set.flags(), Flags::SEEN.with(Flags::JUNK));
        assert_eq!(set.keywords().len(), 2);
    }

    #[test]
    fn replace_keeps_the_bits_of_the_store() {
        let change = FlagChange {
            mode: FlagMode::Replace,
            set: set("\\Seen"),
        };
        let before = Flags::FLAGGED.with(Flags::HAS_KEYWORDS);
        assert_eq!(
            change.bits_after(before),
            Flags::SEEN.with(Flags::HAS_KEYWORDS)
        );
        assert!(change.touches_keywords(before));
    }

    fn modes() -> impl Strategy<Value = FlagMode> {
        prop_oneof![
            Just(FlagMode::Add),
            Just(FlagMode::Remove),
            Just(FlagMode::Replace)
        ]
    }

    proptest! {
        #[test]
        fn masks_agree_with_bits_after(named in 0_u32..2048, before in any::<u32>(), mode in modes()) {
            let change = FlagChange { mode, set: Flags::from_bits(named).into() };
            let before = Flags::from_bits(before);
            let (set, clear) = change.masks();
            prop_assert_eq!(before.without(clear).with(set), change.bits_after(before));
        }

        #[test]
        fn keyword_changes_lead_from_before_to_after(
            before in prop::collection::btree_set("[a-e]", 0..5),
            named in prop::collection::btree_set("[a-e]", 0..5),
            mode in modes(),
        ) {
            let keywords = |names: &std::collections::BTreeSet<String>| -> Vec<Keyword> {
                names.iter().map(|name| Keyword::new(name).unwrap()).collect()
            };
            let change = FlagChange {
                mode,
                set: keywords(&named).into_iter().map(Flag::Keyword).collect(),
            };
            let changes = change.keyword_changes(&keywords(&before));
            let mut after = before.clone();
            for gone in &changes.remove {
                prop_assert!(after.remove(gone.as_str()));
            }
            for new in &changes.add {
                prop_assert!(after.insert(new.as_str().to_owned()));
            }
            let want: std::collections::BTreeSet<String> = match mode {
                FlagMode::Add => before.union(&named).cloned().collect(),
                FlagMode::Remove => before.difference(&named).cloned().collect(),
                FlagMode::Replace => named,
            };
            prop_assert_eq!(after, want);
        }
    }
}
