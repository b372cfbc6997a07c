//! Mailbox names, patterns over them, and special uses (RFC 9051 §5.1, §6.3.9; RFC 6154).
//!
//! A name is UTF-8 inside the server, whatever the session speaks. Unicode normalisation is left
//! to the mail service, which compares names.

use std::fmt;
use std::str::FromStr;

use crate::atom::is_list_char;
use crate::error::{Error, MailboxNameError};
use crate::reader::Reader;
use crate::utf7;
use crate::writer::Writer;

/// The hierarchy delimiter of every mailbox.
pub const DELIMITER: char = '/';

/// How mailbox names and quoted strings travel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Utf8Mode {
    /// IMAP4rev1: modified UTF-7 names, ASCII in quotes.
    #[default]
    ModifiedUtf7,
    /// After `ENABLE IMAP4rev2` or `ENABLE UTF8=ACCEPT`: UTF-8.
    Utf8,
}

/// A mailbox's name: UTF-8 without control characters, levels separated by `/`, none empty, at
/// most [`Self::MAX_LENGTH`] octets and [`Self::MAX_DEPTH`] levels. A first level that spells
/// INBOX in any case is `INBOX`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MailboxName(Box<str>);

impl MailboxName {
    /// Octets of UTF-8.
    pub const MAX_LENGTH: usize = 1_000;
    /// Levels of hierarchy.
    pub const MAX_DEPTH: usize = 64;

    /// Checks and folds `name`.
    ///
    /// # Errors
    /// Says which rule the name breaks.
    pub fn new(name: &str) -> Result<Self, MailboxNameError> {
        if name.len() > Self::MAX_LENGTH {
            return Err(MailboxNameError::TooLong);
        }
        if name.chars().any(is_forbidden) {
            return Err(MailboxNameError::Control);
        }
        if name.split(DELIMITER).any(str::is_empty) {
            return Err(MailboxNameError::EmptyLevel);
        }
        if name.split(DELIMITER).count() > Self::MAX_DEPTH {
            return Err(MailboxNameError::TooDeep);
        }
        Ok(Self(fold_inbox(name).into()))
    }

    /// The INBOX.
    #[must_use]
    pub fn inbox() -> Self {
        Self("INBOX".into())
    }

    /// The name as the client wrote it.
    ///
    /// # Errors
    /// When the octets are not a name in `mode`, or the name breaks a rule of [`Self::new`].
    pub fn from_wire(wire: &[u8], mode: Utf8Mode) -> Result<Self, MailboxNameError> {
        Self::new(&decode_wire(wire, mode)?)
    }

    /// The name as the session writes it, not yet quoted: see [`Writer::mailbox`].
    #[must_use]
    pub fn to_wire(&self, mode: Utf8Mode) -> Vec<u8> {
        encode_wire(&self.0, mode)
    }

    /// The whole name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether this is the INBOX itself.
    #[must_use]
    pub fn is_inbox(&self) -> bool {
        &*self.0 == "INBOX"
    }

    /// The mailbox one level up.
    #[must_use]
    pub fn parent(&self) -> Option<Self> {
        self.0
            .rsplit_once(DELIMITER)
            .map(|(parent, _)| Self(parent.into()))
    }

    /// The last level.
    #[must_use]
    pub fn leaf(&self) -> &str {
        self.0
            .rsplit_once(DELIMITER)
            .map_or(&self.0, |(_, leaf)| leaf)
    }

    /// Whether `self` lies anywhere below `ancestor`.
    #[must_use]
    pub fn is_below(&self, ancestor: &Self) -> bool {
        self.0
            .strip_prefix(&*ancestor.0)
            .is_some_and(|rest| rest.starts_with(DELIMITER))
    }
}

impl fmt::Display for MailboxName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for MailboxName {
    type Err = MailboxNameError;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::new(name)
    }
}

impl AsRef<str> for MailboxName {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

/// RFC 9051 §5.1: names are Net-Unicode: no C0 or C1 controls, no DEL, no U+2028 or U+2029.
fn is_forbidden(character: char) -> bool {
    character.is_control() || matches!(character, '\u{2028}' | '\u{2029}')
}

/// RFC 9051 §5.1: INBOX is one name in every case; its children share it.
fn fold_inbox(name: &str) -> String {
    let (first, rest) = name.split_at(name.find(DELIMITER).unwrap_or(name.len()));
    if first.eq_ignore_ascii_case("INBOX") {
        format!("INBOX{rest}")
    } else {
        name.to_owned()
    }
}

fn decode_wire(wire: &[u8], mode: Utf8Mode) -> Result<String, MailboxNameError> {
    match mode {
        Utf8Mode::ModifiedUtf7 => utf7::decode(wire).ok_or(MailboxNameError::NotUtf7),
        Utf8Mode::Utf8 => std::str::from_utf8(wire)
            .map(str::to_owned)
            .map_err(|_| MailboxNameError::NotUtf8),
    }
}

fn encode_wire(name: &str, mode: Utf8Mode) -> Vec<u8> {
    match mode {
        Utf8Mode::ModifiedUtf7 => {
            let mut wire = Vec::with_capacity(name.len());
            utf7::encode(name, &mut wire);
            wire
        }
        Utf8Mode::Utf8 => name.as_bytes().to_vec(),
    }
}

/// What LIST and LSUB look for: a reference joined with a pattern, in which `*` stands for
/// anything and `%` for anything within one level.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListPattern(Box<str>);

impl ListPattern {
    /// Checks a pattern (or the reference before it); both may be empty.
    ///
    /// # Errors
    /// For control characters and patterns longer than a name.
    pub fn new(pattern: &str) -> Result<Self, MailboxNameError> {
        if pattern.len() > MailboxName::MAX_LENGTH {
            return Err(MailboxNameError::TooLong);
        }
        if pattern.chars().any(is_forbidden) {
            return Err(MailboxNameError::Control);
        }
        Ok(Self(pattern.into()))
    }

    /// The pattern as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether the pattern is empty: `LIST "" ""` asks for the delimiter only.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// RFC 9051 §6.3.9: the pattern interpreted from `self` as the reference. A pattern that
    /// begins with `/` stands alone.
    ///
    /// # Errors
    /// When the two together are too long.
    pub fn join(&self, pattern: &Self) -> Result<Self, MailboxNameError> {
        if pattern.0.starts_with(DELIMITER) {
            return Ok(pattern.clone());
        }
        Self::new(&format!("{}{}", self.0, pattern.0))
    }

    /// Whether `name` matches. Time is at most the product of both lengths.
    #[must_use]
    pub fn matches(&self, name: &MailboxName) -> bool {
        let pattern: Vec<char> = fold_inbox(&self.0).chars().collect();
        // `live` holds, for each prefix of the pattern, whether it matches the name so far.
        let mut live = Vec::with_capacity(pattern.len() + 1);
        let mut reachable = true;
        live.push(true);
        for symbol in &pattern {
            reachable = reachable && matches!(symbol, '*' | '%');
            live.push(reachable);
        }
        for character in name.as_str().chars() {
            let mut before = live.first().copied().unwrap_or(false);
            let mut reached = false;
            if let Some(empty) = live.first_mut() {
                *empty = false;
            }
            for (slot, symbol) in live.iter_mut().skip(1).zip(&pattern) {
                let stays = *slot;
                let now = match symbol {
                    '*' => stays || before || reached,
                    '%' => character != DELIMITER && (stays || before) || reached,
                    literal => before && *literal == character,
                };
                before = stays;
                reached = now;
                *slot = now;
            }
        }
        live.last().copied().unwrap_or(false)
    }
}

/// What a mailbox is for (RFC 6154 §2, RFC 8457).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SpecialUse {
    /// `\All`: every message of the account.
    All,
    /// `\Archive`
    Archive,
    /// `\Drafts`
    Drafts,
    /// `\Flagged`: every flagged message.
    Flagged,
    /// `\Important` (RFC 8457)
    Important,
    /// `\Junk`
    Junk,
    /// `\Sent`
    Sent,
    /// `\Trash`
    Trash,
}

impl SpecialUse {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::All,
        Self::Archive,
        Self::Drafts,
        Self::Flagged,
        Self::Important,
        Self::Junk,
        Self::Sent,
        Self::Trash,
    ];

    /// The attribute with its backslash.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::All => "\\All",
            Self::Archive => "\\Archive",
            Self::Drafts => "\\Drafts",
            Self::Flagged => "\\Flagged",
            Self::Important => "\\Important",
            Self::Junk => "\\Junk",
            Self::Sent => "\\Sent",
            Self::Trash => "\\Trash",
        }
    }

    /// The use written `\Name`, in any case.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|special| special.as_str().eq_ignore_ascii_case(text))
    }
}

impl fmt::Display for SpecialUse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Reader<'_> {
    /// `mailbox = "INBOX" / astring`
    pub(crate) fn mailbox(&mut self) -> Result<MailboxName, Error> {
        let wire = self.astring()?;
        Ok(MailboxName::from_wire(&wire, self.mode())?)
    }

    /// `mailbox` in CREATE. RFC 9051 §6.3.4: a trailing delimiter announces children and is not
    /// part of the name.
    pub(crate) fn new_mailbox(&mut self) -> Result<MailboxName, Error> {
        let wire = self.astring()?;
        let name = wire.strip_suffix(b"/").unwrap_or(&wire);
        Ok(MailboxName::from_wire(name, self.mode())?)
    }

    /// `mailbox` as LIST's reference: any text, also none.
    pub(crate) fn list_reference(&mut self) -> Result<ListPattern, Error> {
        let wire = self.astring()?;
        self.list_pattern(&wire)
    }

    /// `list-mailbox = 1*list-char / string`
    pub(crate) fn list_mailbox(&mut self) -> Result<ListPattern, Error> {
        if matches!(self.peek(), Some(b'"' | b'{')) {
            let wire = self.string()?;
            return self.list_pattern(&wire);
        }
        let wire = self.take_while(is_list_char);
        if wire.is_empty() {
            return Err(Error::Expected("a mailbox pattern"));
        }
        self.list_pattern(wire)
    }

    fn list_pattern(&self, wire: &[u8]) -> Result<ListPattern, Error> {
        Ok(ListPattern::new(&decode_wire(wire, self.mode())?)?)
    }
}

impl Writer<'_> {
    /// `mailbox`
    pub fn mailbox(&mut self, name: &MailboxName) -> &mut Self {
        // Plain ASCII, nearly every name, is the same in both modes.
        if name.0.is_ascii() && !name.0.contains('&') {
            return self.astring(name.0.as_bytes());
        }
        let wire = name.to_wire(self.mode());
        self.astring(&wire)
    }

    /// `list-mailbox`, always as a string.
    pub fn list_pattern(&mut self, pattern: &ListPattern) -> &mut Self {
        let wire = encode_wire(&pattern.0, self.mode());
        self.string(&wire)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names() {
        let name = |text: &str| MailboxName::new(text).map(|name| name.as_str().to_owned());
        assert_eq!(name("inBox"), Ok("INBOX".into()));
        assert_eq!(name("inbox/Sub"), Ok("INBOX/Sub".into()));
        assert_eq!(name("inboxes"), Ok("inboxes".into()));
        assert_eq!(name("a/Inbox"), Ok("a/Inbox".into()));
        for (text, error) in [
            ("", MailboxNameError::EmptyLevel),
            ("/a", MailboxNameError::EmptyLevel),
            ("a/", MailboxNameError::EmptyLevel),
            ("a//b", MailboxNameError::EmptyLevel),
            ("a\0", MailboxNameError::Control),
            ("a\u{85}", MailboxNameError::Control),
            ("a\u{2028}", MailboxNameError::Control),
        ] {
            assert_eq!(name(text), Err(error), "{text:?}");
        }
        assert!(name(&"a".repeat(1_000)).is_ok());
        assert_eq!(name(&"a".repeat(1_001)), Err(MailboxNameError::TooLong));
        assert!(name(&["a"; 64].join("/")).is_ok());
        assert_eq!(name(&["a"; 65].join("/")), Err(MailboxNameError::TooDeep));
    }

    #[test]
    fn families() {
        let name = |text: &str| MailboxName::new(text).unwrap();
        assert_eq!(name("a/b/c").parent(), Some(name("a/b")));
        assert_eq!(name("a").parent(), None);
        assert_eq!(name("a/b").leaf(), "b");
        assert!(name("a/b/c").is_below(&name("a")));
        assert!(!name("ab").is_below(&name("a")));
        assert!(!name("a").is_below(&name("a")));
    }

    #[test]
    fn patterns() {
        for (pattern, name, expected) in [
            ("*", "a/b/c", true),
            ("%", "a", true),
            ("%", "a/b", false),
            ("%/%", "a/b", true),
            ("a/%", "a/b", true),
            ("a/%", "a", false),
            ("a*", "a", true),
            ("a%", "a", true),
            ("a%b", "a/b", false),
            ("a*b", "a/b", true),
            ("*b*", "abc", true),
            ("*%*%*", "x", true),
            ("", "a", false),
            ("inbox", "INBOX", true),
            ("InBox/*", "INBOX/x", true),
            ("archive", "Archive", false),
            ("%ä%", "xäy", true),
            ("a%/c", "ab/c", true),
            ("%%", "ab", true),
            ("a", "ab", false),
            ("ab", "a", false),
        ] {
            let matches = ListPattern::new(pattern)
                .unwrap()
                .matches(&MailboxName::new(name).unwrap());
            assert_eq!(matches, expected, "{pattern} on {name}");
        }
    }

    #[test]
    fn references() {
        let pattern = |text: &str| ListPattern::new(text).unwrap();
        assert_eq!(pattern("a/").join(&pattern("%")), Ok(pattern("a/%")));
        assert_eq!(pattern("a/").join(&pattern("/b")), Ok(pattern("/b")));
    }

    #[test]
    fn wire_forms() {
        let name = MailboxName::new("Entwürfe").unwrap();
        assert_eq!(name.to_wire(Utf8Mode::ModifiedUtf7), b"Entw&APw-rfe");
        assert_eq!(name.to_wire(Utf8Mode::Utf8), "Entwürfe".as_bytes());
        assert!(MailboxName::from_wire("é".as_bytes(), Utf8Mode::ModifiedUtf7).is_err());
        assert!(MailboxName::from_wire(b"\xff", Utf8Mode::Utf8).is_err());
        assert_eq!(
            MailboxName::from_wire(b"R&D", Utf8Mode::Utf8).unwrap(),
            MailboxName::from_wire(b"R&-D", Utf8Mode::ModifiedUtf7).unwrap()
        );
    }

    /// The definition of RFC 9051 §6.3.9, as slow as it is short.
    fn naive(pattern: &[char], name: &[char]) -> bool {
        match (pattern, name) {
            ([], _) => name.is_empty(),
            (['*', rest @ ..], _) => {
                naive(rest, name) || (!name.is_empty() && naive(pattern, &name[1..]))
            }
            (['%', rest @ ..], _) => {
                naive(rest, name)
                    || (!name.is_empty() && name[0] != DELIMITER && naive(pattern, &name[1..]))
            }
            ([first, rest @ ..], [other, after @ ..]) => first == other && naive(rest, after),
            _ => false,
        }
    }

    proptest! {
        #[test]
        fn matching_agrees_with_its_definition(pattern in "[ab/%*]{0,8}", name in "[ab]{1,3}(/[ab]{1,2}){0,3}") {
            let (symbols, characters): (Vec<char>, Vec<char>) =
                (pattern.chars().collect(), name.chars().collect());
            let matches = ListPattern::new(&pattern).unwrap().matches(&MailboxName::new(&name).unwrap());
            prop_assert_eq!(matches, naive(&symbols, &characters));
        }

        #[test]
        fn a_written_name_reads_back(text in any::<String>(), utf8 in any::<bool>()) {
            let mode = if utf8 { Utf8Mode::Utf8 } else { Utf8Mode::ModifiedUtf7 };
            if let Ok(name) = MailboxName::new(&text) {
                prop_assert_eq!(MailboxName::from_wire(&name.to_wire(mode), mode), Ok(name));
            }
        }
    }
}
