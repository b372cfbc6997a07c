//! The set of patterns a database is compiled from.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use crate::error::{SetError, TsvError, TsvReason};
use crate::{Flags, Text};

/// The most patterns of a set, over all scopes.
pub const MOST_PATTERNS: usize = 1_000_000;
/// The most scopes of a set.
pub const MOST_SCOPES: usize = 256;
/// The longest name of a scope or a pattern, in bytes.
pub const LONGEST_NAME: usize = 255;
/// The longest expression a set takes, in bytes. (The parser's own limit may be lower; a pattern
/// beyond that one is refused alone.)
pub const LONGEST_EXPRESSION: usize = 1 << 20;

/// What the digest of a set begins with, so that no other digest of the program equals it.
const DIGEST_CONTEXT: &[u8] = b"muskox pattern set 1\n";

/// One pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    /// What a match is reported as; unique within its scope.
    pub id: u32,
    /// The expression, in Perl's syntax without delimiters; any bytes.
    pub expression: Vec<u8>,
    /// Its modifiers.
    pub flags: Flags,
}

/// A pattern as a set keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) name: String,
    pub(crate) pattern: Pattern,
}

/// The patterns that are applied to one kind of haystack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ScopeSet {
    pub(crate) text: Text,
    /// By id.
    pub(crate) entries: BTreeMap<u32, Entry>,
}

/// Patterns, grouped by scope: the part of a message they are applied to, such as `body`, `uri` or
/// `header:subject`. Neither scopes nor patterns have an order beside that of their names and ids:
/// equal sets give equal databases.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PatternSet {
    scopes: BTreeMap<String, ScopeSet>,
    len: usize,
}

impl PatternSet {
    /// An empty set.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a pattern without a name to a scope that holds this kind of text.
    ///
    /// # Errors
    ///
    /// When the id is taken, the scope holds another kind of text, or a limit is reached; the set
    /// is then as it was.
    pub fn add(&mut self, scope: &str, text: Text, pattern: Pattern) -> Result<(), SetError> {
        self.add_named(scope, text, "", pattern)
    }

    /// As [`add`](Self::add), with a name that the database keeps for people to read.
    ///
    /// # Errors
    ///
    /// See [`add`](Self::add).
    pub fn add_named(
        &mut self,
        scope: &str,
        text: Text,
        name: &str,
        pattern: Pattern,
    ) -> Result<(), SetError> {
        if scope.is_empty() || scope.len() > LONGEST_NAME {
            return Err(SetError::ScopeName);
        }
        if name.len() > LONGEST_NAME {
            return Err(SetError::PatternName);
        }
        if pattern.expression.len() > LONGEST_EXPRESSION {
            return Err(SetError::ExpressionTooLong);
        }
        if self.len >= MOST_PATTERNS {
            return Err(SetError::TooManyPatterns);
        }
        match self.scopes.get(scope) {
            Some(known) if known.text != text => {
                return Err(SetError::OtherText {
                    scope: scope.to_owned(),
                });
            }
            Some(known) if known.entries.contains_key(&pattern.id) => {
                return Err(SetError::DuplicateId {
                    scope: scope.to_owned(),
                    id: pattern.id,
                });
            }
            None if self.scopes.len() >= MOST_SCOPES => return Err(SetError::TooManyScopes),
            Some(_) | None => {}
        }
        self.scopes
            .entry(scope.to_owned())
            .or_insert_with(|| ScopeSet {
                text,
                entries: BTreeMap::new(),
            })
            .entries
            .insert(
                pattern.id,
                Entry {
                    name: name.to_owned(),
                    pattern,
                },
            );
        self.len += 1;
        Ok(())
    }

    /// How many patterns it has.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether it has none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The BLAKE3 digest of everything in it: the name by which its database is stored and found.
    #[must_use]
    pub fn digest(&self) -> Digest {
        let mut hasher = blake3::Hasher::new();
        hasher.update(DIGEST_CONTEXT);
        hasher.update(&(self.scopes.len() as u64).to_le_bytes());
        let field = |hasher: &mut blake3::Hasher, bytes: &[u8]| {
            hasher.update(&(bytes.len() as u64).to_le_bytes());
            hasher.update(bytes);
        };
        for (name, scope) in &self.scopes {
            field(&mut hasher, name.as_bytes());
            hasher.update(&[scope.text.code()]);
            hasher.update(&(scope.entries.len() as u64).to_le_bytes());
            for (id, entry) in &scope.entries {
                hasher.update(&id.to_le_bytes());
                hasher.update(&[entry.pattern.flags.bits()]);
                field(&mut hasher, entry.name.as_bytes());
                field(&mut hasher, &entry.pattern.expression);
            }
        }
        Digest(*hasher.finalize().as_bytes())
    }

    /// The scopes by name.
    pub(crate) fn scopes(&self) -> impl ExactSizeIterator<Item = (&str, &ScopeSet)> {
        self.scopes
            .iter()
            .map(|(name, scope)| (name.as_str(), scope))
    }

    /// Reads lines of `name<TAB>scope<TAB>flags<TAB>expression`; empty lines and those that begin
    /// with `#` are passed over. The expression may hold any byte but a line feed; the kind of
    /// text is that of [`Text::of_scope`]. Gives the set and the patterns' names: the ids are the
    /// indices of the names, in the order of the lines.
    ///
    /// # Errors
    ///
    /// A line that is not such a line or that the set does not take.
    pub fn read_tsv(table: &[u8]) -> Result<(Self, Vec<String>), TsvError> {
        let mut set = Self::new();
        let mut names = Vec::new();
        for (index, line) in table.split(|&byte| byte == b'\n').enumerate() {
            if line.is_empty() || line.starts_with(b"#") {
                continue;
            }
            let id = u32::try_from(names.len()).unwrap_or(u32::MAX);
            let name = set.read_line(line, id).map_err(|reason| TsvError {
                line: index + 1,
                reason,
            })?;
            names.push(name);
        }
        Ok((set, names))
    }

    fn read_line(&mut self, line: &[u8], id: u32) -> Result<String, TsvReason> {
        let mut fields = line.splitn(4, |&byte| byte == b'\t');
        let mut word = || {
            let field = fields.next().ok_or(TsvReason::Fields)?;
            std::str::from_utf8(field).map_err(|_| TsvReason::Encoding)
        };
        let (name, scope, flags) = (word()?, word()?, word()?);
        let expression = fields.next().ok_or(TsvReason::Fields)?.to_vec();
        let flags = Flags::parse(flags).map_err(|_| TsvReason::Flags(flags.to_owned()))?;
        let pattern = Pattern {
            id,
            expression,
            flags,
        };
        self.add_named(scope, Text::of_scope(scope), name, pattern)?;
        Ok(name.to_owned())
    }
}

impl Text {
    /// The kind of text that a scope of this name holds in tables of patterns, see
    /// [`PatternSet::read_tsv`]: `body` holds prose, `rawbody` and `full` markup, `uri` addresses,
    /// `header:…` and `mimeheader:…` header fields, anything else prose.
    #[must_use]
    pub fn of_scope(scope: &str) -> Self {
        match scope.split(':').next().unwrap_or(scope) {
            "rawbody" | "full" => Self::Markup,
            "uri" => Self::Address,
            "header" | "mimeheader" => Self::Header,
            _ => Self::Prose,
        }
    }

    /// The number that stands for it in files and digests.
    pub(crate) fn code(self) -> u8 {
        match self {
            Self::Prose => 0,
            Self::Markup => 1,
            Self::Address => 2,
            Self::Header => 3,
        }
    }

    /// The kind with this number.
    pub(crate) fn from_code(code: u8) -> Option<Self> {
        match code {
            0 => Some(Self::Prose),
            1 => Some(Self::Markup),
            2 => Some(Self::Address),
            3 => Some(Self::Header),
            _ => None,
        }
    }
}

/// A BLAKE3 digest; shown and read as 64 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest(pub [u8; 32]);

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A text is not 64 lower-case hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a digest has 64 lower-case hexadecimal digits")]
pub struct NotADigest;

impl FromStr for Digest {
    type Err = NotADigest;

    fn from_str(text: &str) -> Result<Self, NotADigest> {
        let nibble = |digit: u8| match digit {
            b'0'..=b'9' => Ok(digit - b'0'),
            b'a'..=b'f' => Ok(digit - b'a' + 10),
            _ => Err(NotADigest),
        };
        let (pairs, rest) = text.as_bytes().as_chunks::<2>();
        if pairs.len() != 32 || !rest.is_empty() {
            return Err(NotADigest);
        }
        let mut bytes = [0; 32];
        for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
            *byte = nibble(*high)? << 4 | nibble(*low)?;
        }
        Ok(Self(bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pattern(id: u32, expression: &str) -> Pattern {
        Pattern {
            id,
            expression: expression.into(),
            flags: Flags::parse("i").unwrap(),
        }
    }

    #[test]
    fn ids_are_unique_within_a_scope_and_a_scope_keeps_its_text() {
        let mut set = PatternSet::new();
        set.add("body", Text::Prose, pattern(1, "a")).unwrap();
        set.add("uri", Text::Address, pattern(1, "a")).unwrap();
        let before = set.clone();
        assert_eq!(
            set.add("body", Text::Prose, pattern(1, "b")),
            Err(SetError::DuplicateId {
                scope: "body".into(),
                id: 1
            })
        );
        assert_eq!(
            set.add("body", Text::Markup, pattern(2, "b")),
            Err(SetError::OtherText {
                scope: "body".into()
            })
        );
        assert_eq!(
            set.add("", Text::Markup, pattern(2, "b")),
            Err(SetError::ScopeName)
        );
        assert_eq!(set, before);
        assert_eq!(set.len(), 2);
    }

    #[test]
    fn the_digest_depends_on_every_part_but_not_on_the_order() {
        let build = |entries: &[(&str, Text, &str, u32, &str)]| {
            let mut set = PatternSet::new();
            for &(scope, text, name, id, expression) in entries {
                set.add_named(scope, text, name, pattern(id, expression))
                    .unwrap();
            }
            set.digest()
        };
        let first = ("body", Text::Prose, "A", 1, "a");
        let second = ("body", Text::Prose, "B", 2, "b");
        let digest = build(&[first, second]);
        assert_eq!(digest, build(&[second, first]));
        for other in [
            ("bodx", Text::Prose, "B", 2, "b"),
            ("body", Text::Prose, "C", 2, "b"),
            ("body", Text::Prose, "B", 3, "b"),
            ("body", Text::Prose, "B", 2, "c"),
        ] {
            assert_ne!(digest, build(&[first, other]));
        }
        assert_ne!(
            build(&[("x", Text::Prose, "", 2, "b")]),
            build(&[("x", Text::Markup, "", 2, "b")])
        );
        assert_eq!(digest.to_string().parse(), Ok(digest));
        assert_eq!("00".parse::<Digest>(), Err(NotADigest));
        assert_eq!("0G".repeat(32).parse::<Digest>(), Err(NotADigest));
    }

    #[test]
    fn tables_are_read_with_any_bytes_in_the_expression() {
        let table = b"# rules\nA\tbody\ti\tgu[e\xe8]\tx\n\nB\theader:subject\t\t^a$\nC\turi\tm\t\n";
        let (set, names) = PatternSet::read_tsv(table).unwrap();
        assert_eq!(names, ["A", "B", "C"]);
        let scopes: Vec<_> = set.scopes().collect();
        assert_eq!(scopes[0].0, "body");
        let entry = &scopes[0].1.entries[&0];
        assert_eq!(entry.pattern.expression, b"gu[e\xe8]\tx");
        assert_eq!(scopes[1].1.text, Text::Header);
        assert_eq!(scopes[2].1.text, Text::Address);
        assert_eq!(scopes[2].1.entries[&2].pattern.expression, b"");

        let refused = |table: &[u8]| PatternSet::read_tsv(table).unwrap_err();
        assert_eq!(
            refused(b"\nA\tbody\ti"),
            TsvError {
                line: 2,
                reason: TsvReason::Fields
            }
        );
        assert_eq!(
            refused(b"A\tbody\tQ\tx").reason,
            TsvReason::Flags("Q".into())
        );
        assert_eq!(refused(b"\xff\tbody\tQ\tx").reason, TsvReason::Encoding);
        assert_eq!(
            refused(b"A\t\t\tx").reason,
            TsvReason::Set(SetError::ScopeName)
        );
    }

    #[test]
    fn codes_of_texts_are_their_own_inverse() {
        for text in [Text::Prose, Text::Markup, Text::Address, Text::Header] {
            assert_eq!(Text::from_code(text.code()), Some(text));
        }
        assert_eq!(Text::from_code(4), None);
    }
}
