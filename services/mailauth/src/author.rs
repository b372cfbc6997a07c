//! Who wrote a message.
//!
//! DMARC stands on one domain, and many ways to deceive a reader begin with a From that two
//! programs read differently. So nothing is guessed here: one From field with exactly one plain
//! address has an author, anything else has none.
//!
//! RFC 5322 §3.6.2, RFC 9989 (several authors), RFC 6854 (groups in From).

use smtp::address::Domain;

/// The author of a message according to its From field.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Author {
    /// One From field with one address, of this domain.
    One(Domain),
    /// No From field, or an empty one.
    #[default]
    Missing,
    /// Several From fields, or several addresses in it, or a group.
    Several,
    /// A From field whose address cannot be used.
    Invalid,
}

impl Author {
    /// The domain of the one author.
    #[must_use]
    pub fn domain(&self) -> Option<&Domain> {
        match self {
            Self::One(domain) => Some(domain),
            _ => None,
        }
    }

    /// Why there is no one author.
    pub(crate) fn defect(&self) -> Option<&'static str> {
        match self {
            Self::One(_) => None,
            Self::Missing => Some("no author"),
            Self::Several => Some("more than one author"),
            Self::Invalid => Some("unusable author address"),
        }
    }

    /// Reads the header of `raw`.
    pub(crate) fn find(raw: &[u8]) -> Self {
        let mut from = mime::header::fields(raw).filter(|field| field.is("from"));
        let Some(field) = from.next() else {
            return Self::Missing;
        };
        if from.next().is_some() {
            return Self::Several;
        }
        // A NUL cuts the address short for some readers and not for others.
        if field.value.contains(&0) {
            return Self::Invalid;
        }
        match mime::parse_addresses(field.value).as_slice() {
            [] => Self::Missing,
            [one] => Self::from_address(one).unwrap_or(Self::Invalid),
            _ => Self::Several,
        }
    }

    fn from_address(address: &mime::EnvelopeAddress) -> Option<Self> {
        let mailbox = address.mailbox.as_deref()?;
        // `<ann@bank.example@evil.example>` shows one domain and is checked under the other.
        if mailbox.is_empty() || mailbox.contains(&b'@') {
            return None;
        }
        let host = std::str::from_utf8(address.host.as_deref()?).ok()?;
        Domain::parse(host).ok().map(Self::One)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(domain: &str) -> Author {
        Author::One(Domain::parse(domain).unwrap())
    }

    #[test]
    fn only_one_plain_address_is_an_author() {
        let cases: [(&str, Author); 16] = [
            ("From: ann@Example.TEST\r\n", one("example.test")),
            (
                "From: \"bank@bank.test\" <ann@evil.test>\r\n",
                one("evil.test"),
            ),
            (
                "From: =?utf-8?q?bank=40bank.test?= <ann@evil.test>\r\n",
                one("evil.test"),
            ),
            ("from :\r\n <ann@example.test>\r\n", one("example.test")),
            ("From: ann@b\u{fc}cher.test\r\n", one("xn--bcher-kva.test")),
            ("Subject: none\r\n", Author::Missing),
            ("From:\r\n", Author::Missing),
            ("From: a@a.test\r\nFrom: b@b.test\r\n", Author::Several),
            ("From: a@a.test\r\nFROM : b@b.test\r\n", Author::Several),
            ("From: a@a.test, b@b.test\r\n", Author::Several),
            ("From: a@a.test, b@a.test\r\n", Author::Several),
            ("From: group: a@a.test;\r\n", Author::Several),
            ("From: a@bank.test\0@evil.test\r\n", Author::Invalid),
            ("From: <a@bank.test@evil.test>\r\n", Author::Invalid),
            ("From: postmaster\r\n", Author::Invalid),
            ("From: a@[192.0.2.1]\r\n", Author::Invalid),
        ];
        for (header, author) in cases {
            let raw = format!("{header}\r\nFrom: body@body.test\r\n");
            assert_eq!(Author::find(raw.as_bytes()), author, "{header:?}");
        }
    }
}
