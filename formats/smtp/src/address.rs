//! Mail addresses: the one parser for the whole server.
//!
//! A [`Domain`] is always an A-label name in lower case, a [`Localpart`] is always unquoted content
//! that is safe to print again, so two spellings of one address compare equal (but for the letter
//! case of the local part, which belongs to the domain's owner).
//!
//! Implements RFC 5321 §4.1.2 (`Mailbox`, `Path`), RFC 6531 §3.3 (internationalised addresses) and
//! UTS 46 for domains. Deliberately refused, each with its own [`AddressError`]: source routes,
//! address literals, comments, empty local parts, control characters and the dot after a domain.
//! `%` and `!` are ordinary characters of a local part and never route anything; see
//! [`Localpart::looks_routed`]. Header addresses (RFC 5322) are `mime`'s, not ours.
//!
//! Start at [`Address::parse`].

use std::borrow::Borrow;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use idna::AsciiDenyList;
use idna::uts46::{DnsLength, Hyphens, Uts46};
use thiserror::Error;
use unicode_normalization::{IsNormalized, UnicodeNormalization as _, is_nfc_quick};

/// Octets of a local part. RFC 5321 §4.5.3.1.1 asks for 64 at least; the return addresses of mailing
/// lists and forwarders (VERP, BATV, SRS) are longer.
pub const MAX_LOCALPART: usize = 128;
/// RFC 1035 §3.1: octets of a domain name in text form without the final dot.
pub const MAX_DOMAIN: usize = 253;
/// RFC 1035 §2.3.4: octets of one label of a domain name.
pub const MAX_LABEL: usize = 63;
/// RFC 5321 §4.5.3.1.3: octets of an address, a path of 256 less its angle brackets.
pub const MAX_ADDRESS: usize = 254;
/// Octets of a domain as written (U-labels may be longer than their A-labels) that we look at.
const MAX_DOMAIN_INPUT: usize = 4 * MAX_DOMAIN;

/// Why a text is not an address we accept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Error)]
#[non_exhaustive]
pub enum AddressError {
    /// No `@` between local part and domain.
    #[error("the address has no @")]
    MissingAt,
    /// Local part and domain together exceed [`MAX_ADDRESS`].
    #[error("the address is longer than {MAX_ADDRESS} octets")]
    TooLong,
    /// A NUL, another control character, or an invisible direction or line mark.
    #[error("the address contains a control character")]
    Control,
    /// A comment in parentheses.
    #[error("the address contains a comment")]
    Comment,
    /// `@relay:user@domain`: we are nobody's router.
    #[error("source routes are not accepted")]
    SourceRoute,
    /// `user@[192.0.2.1]`: mail is addressed to domains.
    #[error("address literals are not accepted")]
    AddressLiteral,
    /// Nothing, or an empty quoted string, before the `@`.
    #[error("the local part is empty")]
    EmptyLocalpart,
    /// More than [`MAX_LOCALPART`] octets before the `@`.
    #[error("the local part is longer than {MAX_LOCALPART} octets")]
    LocalpartTooLong,
    /// A dot at either end of an unquoted local part, or two in a row.
    #[error("the local part has a misplaced dot")]
    MisplacedDot,
    /// A character that must be quoted, or a quoted string followed by something else.
    #[error("the local part contains a character that must be quoted")]
    InvalidLocalpart,
    /// A quoted local part without its closing quote.
    #[error("the quoted local part does not end")]
    UnterminatedQuote,
    /// Nothing after the `@`.
    #[error("the domain is empty")]
    EmptyDomain,
    /// More than [`MAX_DOMAIN`] octets.
    #[error("the domain is longer than {MAX_DOMAIN} octets")]
    DomainTooLong,
    /// A label of more than [`MAX_LABEL`] octets.
    #[error("a label of the domain is longer than {MAX_LABEL} octets")]
    LabelTooLong,
    /// Two dots in a row, or a dot in front.
    #[error("the domain has an empty label")]
    EmptyLabel,
    /// `example.org.`: correct in the DNS, not in mail.
    #[error("the domain ends in a dot")]
    TrailingDot,
    /// A character that no host name has, or a hyphen at the edge of a label.
    #[error("the domain contains an invalid character")]
    InvalidDomain,
    /// Not a valid internationalised name: a bad A-label, or characters UTS 46 disallows.
    #[error("the domain is not a valid internationalised name")]
    InvalidIdn,
    /// The last label has digits only, so it is an IP address without its brackets.
    #[error("the domain is a bare IP address")]
    NumericDomain,
}

/// A domain name: A-labels, lower case, 1 to 253 octets, no final dot.
///
/// Labels hold letters, digits, hyphens (not at their edges) and underscores, which real senders
/// use although RFC 5321 does not let them. Cheap to clone.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Domain(Arc<str>);

impl Domain {
    /// Reads a domain in any letter case, with A-labels or U-labels.
    ///
    /// # Errors
    /// The [`AddressError`] that names what is wrong with the domain.
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        if text.is_empty() {
            return Err(AddressError::EmptyDomain);
        }
        if text.len() > MAX_DOMAIN_INPUT {
            return Err(AddressError::DomainTooLong);
        }
        if text.chars().any(is_unsafe) {
            return Err(AddressError::Control);
        }
        if text.starts_with('[') {
            return Err(AddressError::AddressLiteral);
        }
        if text.contains('(') {
            return Err(AddressError::Comment);
        }
        let name = if text.is_ascii() && !has_a_label(text) {
            text.to_ascii_lowercase()
        } else {
            // RFC 6531 §3.3: U-labels are equivalent to their A-labels, which is what we keep.
            Uts46::new()
                .to_ascii(
                    text.as_bytes(),
                    AsciiDenyList::EMPTY,
                    Hyphens::Allow,
                    DnsLength::Ignore,
                )
                .map_err(|_| AddressError::InvalidIdn)?
                .into_owned()
        };
        check_labels(&name)?;
        Ok(Self(name.into()))
    }

    /// The name as A-labels, as it goes to the DNS and into the database.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name with U-labels where it has any, for people to read. Never a key: parse it again.
    pub fn to_unicode(&self) -> String {
        let (name, valid) =
            Uts46::new().to_unicode(self.0.as_bytes(), AsciiDenyList::EMPTY, Hyphens::Allow);
        match valid {
            Ok(()) => name.into_owned(),
            Err(_) => self.0.to_string(),
        }
    }
}

/// Whether a label starts with the ACE prefix and so must decode to a valid U-label.
fn has_a_label(ascii: &str) -> bool {
    ascii.split('.').any(|label| {
        label
            .as_bytes()
            .first_chunk::<4>()
            .is_some_and(|p| p.eq_ignore_ascii_case(b"xn--"))
    })
}

/// RFC 5321 §4.1.2: `Domain = sub-domain *("." sub-domain)`, `sub-domain = Let-dig [Ldh-str]`
/// (and underscores, see [`Domain`]).
fn check_labels(name: &str) -> Result<(), AddressError> {
    if name.is_empty() {
        return Err(AddressError::EmptyDomain);
    }
    if name.ends_with('.') && !name.ends_with("..") && name.len() > 1 {
        return Err(AddressError::TrailingDot);
    }
    let mut last_is_numeric = false;
    for label in name.split('.') {
        if label.is_empty() {
            return Err(AddressError::EmptyLabel);
        }
        let known =
            |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'_');
        if !label.bytes().all(known) || label.starts_with('-') || label.ends_with('-') {
            return Err(AddressError::InvalidDomain);
        }
        if label.len() > MAX_LABEL {
            return Err(AddressError::LabelTooLong);
        }
        last_is_numeric = label.bytes().all(|b| b.is_ascii_digit());
    }
    if name.len() > MAX_DOMAIN {
        return Err(AddressError::DomainTooLong);
    }
    if last_is_numeric {
        return Err(AddressError::NumericDomain);
    }
    Ok(())
}

/// Characters that have no place in an address and could deceive a terminal, a log or a header:
/// controls, line and paragraph separators, direction marks, the byte order mark.
fn is_unsafe(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

/// The part before the `@`: 1 to [`MAX_LOCALPART`] octets of unquoted content without control characters.
///
/// Non-ASCII content is in NFC. Compares octet by octet; whether `Ann` is `ann` is for the directory
/// to say. Cheap to clone.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Localpart(Arc<str>);

impl Localpart {
    /// Reads a local part as it stands in an address.
    ///
    /// RFC 5321 §4.1.2: `Local-part = Dot-string / Quoted-string`
    ///
    /// # Errors
    /// The [`AddressError`] that names what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        if text.starts_with('"') {
            return match unquote(text)? {
                (content, "") => Self::from_content(&content),
                _ => Err(AddressError::InvalidLocalpart),
            };
        }
        let localpart = Self::from_content(text)?;
        if text.contains('(') {
            return Err(AddressError::Comment);
        }
        if text.split('.').any(str::is_empty) {
            return Err(AddressError::MisplacedDot);
        }
        if !text.chars().all(|c| is_atext(c) || c == '.') {
            return Err(AddressError::InvalidLocalpart);
        }
        Ok(localpart)
    }

    /// Takes content that is already free of quoting, such as a name from the database.
    ///
    /// # Errors
    /// [`AddressError::EmptyLocalpart`], [`AddressError::LocalpartTooLong`] or
    /// [`AddressError::Control`].
    pub fn from_content(content: &str) -> Result<Self, AddressError> {
        if content.is_empty() {
            return Err(AddressError::EmptyLocalpart);
        }
        if content.len() > MAX_LOCALPART {
            return Err(AddressError::LocalpartTooLong);
        }
        if content.chars().any(is_unsafe) {
            return Err(AddressError::Control);
        }
        // RFC 6532 §3.1: one spelling for text that looks and means the same.
        if is_nfc_quick(content.chars()) == IsNormalized::Yes {
            return Ok(Self(content.into()));
        }
        let normalised: String = content.nfc().collect();
        if normalised.len() > MAX_LOCALPART {
            return Err(AddressError::LocalpartTooLong);
        }
        Ok(Self(normalised.into()))
    }

    /// The content without quoting: the key to look a mailbox up with, not a piece of an address
    /// (that is what `Display` prints).
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether another server might read the local part as a route: it holds `@`, `%` or `!`.
    /// Such a recipient must never be relayed on the strength of its domain alone.
    pub fn looks_routed(&self) -> bool {
        self.0.contains(['@', '%', '!'])
    }
}

/// RFC 5321 §4.1.2: Atom characters; RFC 6531 §3.3 adds everything beyond ASCII.
fn is_atext(c: char) -> bool {
    !c.is_ascii() || c.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~".contains(c)
}

/// Reads a quoted string from the front of `text`, which starts with its quote, and returns the
/// content and what follows it.
///
/// RFC 5321 §4.1.2: `Quoted-string = DQUOTE *QcontentSMTP DQUOTE`
fn unquote(text: &str) -> Result<(String, &str), AddressError> {
    let mut content = String::new();
    let mut chars = text.chars();
    chars.next();
    loop {
        match chars.next() {
            None => return Err(AddressError::UnterminatedQuote),
            Some('"') => return Ok((content, chars.as_str())),
            Some('\\') => content.push(chars.next().ok_or(AddressError::UnterminatedQuote)?),
            Some(c) => content.push(c),
        }
        if content.len() > MAX_LOCALPART {
            return Err(AddressError::LocalpartTooLong);
        }
    }
}

impl fmt::Display for Localpart {
    /// Prints a dot-string where the content is one, otherwise a quoted string.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let atom = |atom: &str| !atom.is_empty() && atom.chars().all(is_atext);
        if self.0.split('.').all(atom) {
            return f.write_str(&self.0);
        }
        f.write_str("\"")?;
        for c in self.0.chars() {
            if matches!(c, '"' | '\\') {
                f.write_str("\\")?;
            }
            write!(f, "{c}")?;
        }
        f.write_str("\"")
    }
}

/// A mailbox: local part and domain.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address {
    /// The part before the `@`.
    pub localpart: Localpart,
    /// The part after it.
    pub domain: Domain,
}

impl Address {
    /// Reads `local@domain`, nothing before or after it.
    ///
    /// RFC 5321 §4.1.2: `Mailbox = Local-part "@" Domain`
    ///
    /// # Errors
    /// The [`AddressError`] that names what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        if text.chars().any(is_unsafe) {
            return Err(AddressError::Control);
        }
        if let Some(rest) = text.strip_prefix('@') {
            let route = rest.contains(':') && rest.contains('@');
            return Err(if route {
                AddressError::SourceRoute
            } else {
                AddressError::EmptyLocalpart
            });
        }
        let (localpart, rest) = if text.starts_with('"') {
            let (content, rest) = unquote(text)?;
            (Localpart::from_content(&content)?, rest)
        } else {
            let (localpart, _) = text.split_once('@').ok_or(AddressError::MissingAt)?;
            (
                Localpart::parse(localpart)?,
                text.get(localpart.len()..).unwrap_or_default(),
            )
        };
        let domain = match rest.strip_prefix('@') {
            Some(domain) => Domain::parse(domain)?,
            None if rest.is_empty() => return Err(AddressError::MissingAt),
            None => return Err(AddressError::InvalidLocalpart),
        };
        if localpart.0.len() + 1 + domain.0.len() > MAX_ADDRESS {
            return Err(AddressError::TooLong);
        }
        Ok(Self { localpart, domain })
    }

    /// Whether the address can be sent without SMTPUTF8. The domain always can.
    pub fn is_ascii(&self) -> bool {
        self.localpart.0.is_ascii()
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.localpart, self.domain)
    }
}

/// The sender of an envelope.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ReversePath {
    /// `<>`: a notification, which must never be answered with another one.
    Null,
    /// Where notifications about the message go.
    Address(Address),
}

impl ReversePath {
    /// Reads what stands between the angle brackets of `MAIL FROM`.
    ///
    /// RFC 5321 §4.1.1.2: `Reverse-path = Path / "<>"`
    ///
    /// # Errors
    /// As [`Address::parse`].
    pub fn parse(inner: &str) -> Result<Self, AddressError> {
        if inner.is_empty() {
            return Ok(Self::Null);
        }
        Address::parse(inner).map(Self::Address)
    }

    /// The address, unless the path is null.
    pub fn as_address(&self) -> Option<&Address> {
        match self {
            Self::Null => None,
            Self::Address(address) => Some(address),
        }
    }
}

impl fmt::Display for ReversePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("<>"),
            Self::Address(address) => write!(f, "<{address}>"),
        }
    }
}

/// A recipient of an envelope.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ForwardPath {
    /// `<postmaster>` without a domain, which every server takes.
    Postmaster,
    /// Any other recipient, `postmaster@domain` among them.
    Address(Address),
}

impl ForwardPath {
    /// Reads what stands between the angle brackets of `RCPT TO`.
    ///
    /// RFC 5321 §4.1.1.3: `Forward-path` or `<Postmaster>`, the latter in any letter case
    ///
    /// # Errors
    /// As [`Address::parse`].
    pub fn parse(inner: &str) -> Result<Self, AddressError> {
        if inner.eq_ignore_ascii_case("postmaster") {
            return Ok(Self::Postmaster);
        }
        Address::parse(inner).map(Self::Address)
    }

    /// The address, unless it is the bare postmaster.
    pub fn as_address(&self) -> Option<&Address> {
        match self {
            Self::Postmaster => None,
            Self::Address(address) => Some(address),
        }
    }
}

impl fmt::Display for ForwardPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Postmaster => f.write_str("<postmaster>"),
            Self::Address(address) => write!(f, "<{address}>"),
        }
    }
}

impl From<Address> for ReversePath {
    fn from(address: Address) -> Self {
        Self::Address(address)
    }
}

impl From<Address> for ForwardPath {
    fn from(address: Address) -> Self {
        Self::Address(address)
    }
}

impl FromStr for Domain {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        Self::parse(text)
    }
}

impl FromStr for Localpart {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        Self::parse(text)
    }
}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        Self::parse(text)
    }
}

impl fmt::Display for Domain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Domain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Domain({:?})", self.as_str())
    }
}

impl fmt::Debug for Localpart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Localpart({:?})", self.as_str())
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Address({:?})", self.to_string())
    }
}

impl Borrow<str> for Domain {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl AsRef<str> for Domain {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests;
