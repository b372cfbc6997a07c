//! The identifiers that more than one service uses.

use std::fmt;
use std::str::FromStr;

/// An account: the key of the `account` table, always positive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AccountId(pub i64);

/// A domain: the key of the `domain` table, always positive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DomainId(pub i64);

/// A blob: 48 bits of milliseconds, so that new rows are neighbours in every index, then 80 random
/// bits. Never used again, so that a deletion cannot race an ingest.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BlobId(pub [u8; 16]);

impl fmt::Display for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for DomainId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// 32 lower-case hexadecimal digits.
impl fmt::Display for BlobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for BlobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BlobId({self})")
    }
}

/// The text is not 32 lower-case hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a blob id is 32 lower-case hexadecimal digits")]
pub struct BlobIdError;

impl FromStr for BlobId {
    type Err = BlobIdError;

    fn from_str(text: &str) -> Result<Self, BlobIdError> {
        let lower_hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        if text.len() != 32 || !text.bytes().all(lower_hex) {
            return Err(BlobIdError);
        }
        let number = u128::from_str_radix(text, 16).map_err(|_| BlobIdError)?;
        Ok(Self(number.to_be_bytes()))
    }
}

impl TryFrom<&[u8]> for BlobId {
    type Error = BlobIdError;

    fn try_from(bytes: &[u8]) -> Result<Self, BlobIdError> {
        bytes.try_into().map(Self).map_err(|_| BlobIdError)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_blob_id_reads_back_from_its_text_and_other_text_is_refused() {
        let id = BlobId([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 254, 255]);
        assert_eq!(id.to_string(), "000102030405060708090a0b0c0dfeff");
        assert_eq!(id.to_string().parse(), Ok(id));
        for wrong in [
            "",
            "00",
            "+00102030405060708090a0b0c0dfeff",
            &"F".repeat(32),
        ] {
            assert_eq!(wrong.parse::<BlobId>(), Err(BlobIdError), "{wrong}");
        }
    }
}
