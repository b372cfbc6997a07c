//! Flags and keywords (RFC 9051 §2.3.2).

use std::fmt;
use std::sync::Arc;

use crate::atom::is_atom_char;
use crate::error::Error;
use crate::reader::Reader;
use crate::writer::Writer;

/// Flags in one command; what a mailbox may hold in all is the mail service's matter.
pub(crate) const MAX_FLAGS: usize = 256;

/// A user-defined flag: an atom of at most [`Keyword::MAX_LENGTH`] octets. Compared without regard
/// to ASCII case, as RFC 9051 §2.3.2 asks; the first spelling is what is shown.
#[derive(Clone)]
pub struct Keyword(Arc<str>);

impl Keyword {
    /// The longest keyword.
    pub const MAX_LENGTH: usize = 100;

    /// `None` unless `text` is an atom that short.
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        let valid =
            !text.is_empty() && text.len() <= Self::MAX_LENGTH && text.bytes().all(is_atom_char);
        valid.then(|| Self(text.into()))
    }

    /// The keyword as it was first spelt.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl PartialEq for Keyword {
    fn eq(&self, other: &Self) -> bool {
        self.0.eq_ignore_ascii_case(&other.0)
    }
}

impl Eq for Keyword {}

impl PartialOrd for Keyword {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Keyword {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        let folded = |keyword: &Self| {
            keyword
                .0
                .bytes()
                .map(|b| b.to_ascii_lowercase())
                .collect::<Vec<_>>()
        };
        folded(self).cmp(&folded(other))
    }
}

impl std::hash::Hash for Keyword {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        for byte in self.0.bytes() {
            state.write_u8(byte.to_ascii_lowercase());
        }
    }
}

impl fmt::Debug for Keyword {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Keyword({})", self.0)
    }
}

impl fmt::Display for Keyword {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A flag that a message can carry and a client can set. `\Recent` is not one: it belongs to the
/// session and is only ever written, see [`crate::response::FetchWriter::recent_flags`].
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Flag {
    /// `\Seen`
    Seen,
    /// `\Answered`
    Answered,
    /// `\Flagged`
    Flagged,
    /// `\Deleted`
    Deleted,
    /// `\Draft`
    Draft,
    /// `$Forwarded`, `$Junk`, a user's own.
    Keyword(Keyword),
}

impl Flag {
    /// The five system flags, in the order in which they are written.
    pub const SYSTEM: [Self; 5] = [
        Self::Answered,
        Self::Flagged,
        Self::Deleted,
        Self::Seen,
        Self::Draft,
    ];

    /// The flag as it is written, a system flag with its backslash.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Seen => "\\Seen",
            Self::Answered => "\\Answered",
            Self::Flagged => "\\Flagged",
            Self::Deleted => "\\Deleted",
            Self::Draft => "\\Draft",
            Self::Keyword(keyword) => keyword.as_str(),
        }
    }

    /// The flag written as `text`; `None` for `\Recent`, unknown system flags and what is no
    /// keyword.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        match text.strip_prefix('\\') {
            Some(name) => Self::SYSTEM.into_iter().find(|flag| {
                flag.as_str()
                    .get(1..)
                    .is_some_and(|n| n.eq_ignore_ascii_case(name))
            }),
            None => Keyword::new(text).map(Self::Keyword),
        }
    }
}

impl fmt::Display for Flag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Reader<'_> {
    /// `flag = "\Answered" / "\Flagged" / "\Deleted" / "\Seen" / "\Draft" / flag-keyword /
    /// flag-extension`
    ///
    /// `None` for `\Recent`. Quirk: clients that copy a message's flags send it in APPEND and
    /// STORE; it cannot be set, and is passed over.
    fn flag(&mut self) -> Result<Option<Flag>, Error> {
        let system = self.eat(b'\\');
        let name = self.atom_text()?;
        if !system {
            return Keyword::new(name)
                .map(|keyword| Some(Flag::Keyword(keyword)))
                .ok_or(Error::Limit {
                    what: "octets in a keyword",
                    limit: Keyword::MAX_LENGTH,
                });
        }
        if name.eq_ignore_ascii_case("Recent") {
            return Ok(None);
        }
        // RFC 9051 §2.3.2: system flags not defined by a standard must not be used.
        Flag::parse(&format!("\\{name}"))
            .map(Some)
            .ok_or(Error::Unknown("system flag"))
    }

    /// `flag-list = "(" [flag *(SP flag)] ")"`, without repetitions.
    pub(crate) fn flag_list(&mut self) -> Result<Vec<Flag>, Error> {
        self.open()?;
        Ok(without_repetitions(self.list_items(MAX_FLAGS, Self::flag)?))
    }

    /// `(flag *(SP flag))`: what STORE takes instead of a list.
    pub(crate) fn bare_flags(&mut self) -> Result<Vec<Flag>, Error> {
        let mut flags = vec![self.flag()?];
        while self.eat(b' ') {
            if flags.len() >= MAX_FLAGS {
                return Err(Error::Limit {
                    what: "flags",
                    limit: MAX_FLAGS,
                });
            }
            flags.push(self.flag()?);
        }
        Ok(without_repetitions(flags))
    }
}

fn without_repetitions(flags: Vec<Option<Flag>>) -> Vec<Flag> {
    let mut seen = std::collections::HashSet::new();
    flags
        .into_iter()
        .flatten()
        .filter(|flag| seen.insert(flag.clone()))
        .collect()
}

impl Writer<'_> {
    /// `flag-list`
    pub fn flags<'f>(&mut self, flags: impl IntoIterator<Item = &'f Flag>) -> &mut Self {
        self.parenthesized(flags, |writer, flag| {
            writer.text(flag.as_str());
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flag_lists() {
        let parse = |text: &str| Reader::of_text(text.as_bytes()).flag_list();
        let keyword = |text: &str| Flag::Keyword(Keyword::new(text).unwrap());
        assert_eq!(parse("()"), Ok(vec![]));
        assert_eq!(
            parse(r"(\seen \RECENT $Junk)"),
            Ok(vec![Flag::Seen, keyword("$Junk")])
        );
        assert_eq!(
            parse(r"(a A \Seen \seen)"),
            Ok(vec![keyword("a"), Flag::Seen])
        );
        for bad in [
            r"(\Foo)", "( a)", "(a )", "(a", "a", r"(\)", "(a  b)", "(a(b))",
        ] {
            assert!(parse(bad).is_err(), "{bad}");
        }
        let many = vec!["a"; MAX_FLAGS + 1].join(" ");
        assert!(parse(&format!("({many})")).is_err());
        assert!(Reader::of_text(many.as_bytes()).bare_flags().is_err());
    }

    #[test]
    fn keywords_ignore_case() {
        assert_eq!(Keyword::new("$Junk"), Keyword::new("$junk"));
        assert!(Keyword::new("").is_none());
        assert!(Keyword::new("a b").is_none());
        assert!(Keyword::new("a]").is_none());
        assert_eq!(Flag::parse(r"\DRAFT"), Some(Flag::Draft));
        assert_eq!(Flag::parse(r"\Recent"), None);
    }
}
