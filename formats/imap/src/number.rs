//! Numbers of the protocol: newtypes that exclude zero where the grammar does, their parsers and
//! a decimal writer that does not allocate.

use std::fmt;
use std::num::{NonZeroU32, NonZeroU64};

use crate::error::Error;
use crate::reader::Reader;

macro_rules! non_zero_number {
    ($(#[$doc:meta])* $name:ident, $inner:ty, $primitive:ty) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name($inner);

        impl $name {
            /// `None` for zero.
            #[must_use]
            pub const fn new(value: $primitive) -> Option<Self> {
                match <$inner>::new(value) {
                    Some(inner) => Some(Self(inner)),
                    None => None,
                }
            }

            /// The number, never zero.
            #[must_use]
            pub const fn get(self) -> $primitive {
                self.0.get()
            }
        }

        impl From<$inner> for $name {
            fn from(inner: $inner) -> Self {
                Self(inner)
            }
        }

        impl From<$name> for $inner {
            fn from(value: $name) -> Self {
                value.0
            }
        }

        impl From<$name> for u64 {
            fn from(value: $name) -> Self {
                Self::from(value.get())
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

non_zero_number!(
    /// A message's unique identifier in its mailbox (RFC 9051 §2.3.1.1).
    Uid,
    NonZeroU32,
    u32
);
non_zero_number!(
    /// A message's position in the session's view of a mailbox, from 1 (RFC 9051 §2.3.1.2).
    SeqNum,
    NonZeroU32,
    u32
);
non_zero_number!(
    /// The value that, with the mailbox's name, makes UIDs unique for ever (RFC 9051 §2.3.1.1).
    UidValidity,
    NonZeroU32,
    u32
);
non_zero_number!(
    /// A mod-sequence, at most 2⁶³−1 on the wire (RFC 7162 §3.1).
    ModSeq,
    NonZeroU64,
    u64
);

/// RFC 7162 §7: the largest mod-sequence that may travel.
pub(crate) const MAX_MOD_SEQUENCE: u64 = i64::MAX.unsigned_abs();

/// Decimal digits of the largest `u64`.
const MAX_DIGITS: usize = 20;

/// Appends `value` in decimal digits.
#[inline]
pub(crate) fn push_decimal(out: &mut Vec<u8>, value: u64) {
    let mut digits = [b'0'; MAX_DIGITS];
    let mut start = MAX_DIGITS;
    let mut rest = value;
    for slot in digits.iter_mut().rev() {
        *slot = b'0' + (rest % 10) as u8;
        start -= 1;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    out.extend_from_slice(digits.get(start..).unwrap_or_default());
}

impl Reader<'_> {
    /// `number64 = 1*DIGIT ; 0 <= n <= 9,223,372,036,854,775,807`
    pub(crate) fn number64(&mut self) -> Result<u64, Error> {
        let digits = self.take_while(|b| b.is_ascii_digit());
        if digits.is_empty() {
            return Err(Error::Expected("a number"));
        }
        digits
            .iter()
            .try_fold(0_u64, |value, digit| {
                value.checked_mul(10)?.checked_add(u64::from(digit - b'0'))
            })
            .filter(|value| *value <= MAX_MOD_SEQUENCE)
            .ok_or(Error::Expected("a number below 2^63"))
    }

    /// `number = 1*DIGIT ; 0 <= n < 4,294,967,296`
    pub(crate) fn number(&mut self) -> Result<u32, Error> {
        u32::try_from(self.number64()?).map_err(|_| Error::Expected("a number below 2^32"))
    }

    /// `nz-number = digit-nz *DIGIT ; 0 < n < 4,294,967,296`
    ///
    /// Leading zeros are tolerated.
    pub(crate) fn nz_number(&mut self) -> Result<NonZeroU32, Error> {
        NonZeroU32::new(self.number()?).ok_or(Error::Expected("a number other than zero"))
    }

    /// `mod-sequence-value = 1*DIGIT ; 0 < n`
    pub(crate) fn mod_sequence(&mut self) -> Result<ModSeq, Error> {
        ModSeq::new(self.number64()?).ok_or(Error::Expected("a mod-sequence other than zero"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimal_digits() {
        for value in [0, 1, 9, 10, 99, 100, 4_294_967_295, u64::MAX] {
            let mut out = b"x".to_vec();
            push_decimal(&mut out, value);
            assert_eq!(out, format!("x{value}").into_bytes());
        }
    }

    #[test]
    fn limits() {
        let number = |text: &str| Reader::of_text(text.as_bytes()).number();
        assert_eq!(number("4294967295"), Ok(u32::MAX));
        assert!(number("4294967296").is_err());
        assert!(number("").is_err());
        assert!(number("-1").is_err());
        let number64 = |text: &str| Reader::of_text(text.as_bytes()).number64();
        assert_eq!(number64("9223372036854775807"), Ok(MAX_MOD_SEQUENCE));
        assert!(number64("9223372036854775808").is_err());
        assert!(number64("99999999999999999999999999").is_err());
        assert!(Reader::of_text(b"0").nz_number().is_err());
        assert_eq!(
            Reader::of_text(b"007").nz_number().map(NonZeroU32::get),
            Ok(7)
        );
        assert!(Reader::of_text(b"0").mod_sequence().is_err());
    }
}
