//! What goes into a statement and what comes out of it.

use ambient::Timestamp;
use rusqlite::ToSql;
use rusqlite::types::{ToSqlOutput, ValueRef};

use crate::{AccountId, BlobId, DomainId, Error};

/// A parameter of a statement. `&[account.into(), name.into()]` makes a list of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Value<'a> {
    /// SQL NULL.
    Null,
    /// A 64-bit integer.
    Int(i64),
    /// UTF-8 text.
    Text(&'a str),
    /// A byte string.
    Bytes(&'a [u8]),
}

impl ToSql for Value<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match *self {
            Self::Null => ValueRef::Null,
            Self::Int(value) => ValueRef::Integer(value),
            Self::Text(value) => ValueRef::Text(value.as_bytes()),
            Self::Bytes(value) => ValueRef::Blob(value),
        }))
    }
}

macro_rules! int_value {
    ($($type:ty => $into:expr),* $(,)?) => {$(
        impl From<$type> for Value<'_> {
            fn from(value: $type) -> Self {
                Self::Int(($into)(value))
            }
        }
    )*};
}

int_value! {
    i64 => |value| value,
    i32 => i64::from,
    u32 => i64::from,
    u16 => i64::from,
    u8 => i64::from,
    bool => i64::from,
    AccountId => |id: AccountId| id.0,
    DomainId => |id: DomainId| id.0,
    Timestamp => |time: Timestamp| time.0,
}

impl<'a> From<&'a str> for Value<'a> {
    fn from(value: &'a str) -> Self {
        Self::Text(value)
    }
}

impl<'a> From<&'a String> for Value<'a> {
    fn from(value: &'a String) -> Self {
        Self::Text(value)
    }
}

impl<'a> From<&'a [u8]> for Value<'a> {
    fn from(value: &'a [u8]) -> Self {
        Self::Bytes(value)
    }
}

impl<'a, const N: usize> From<&'a [u8; N]> for Value<'a> {
    fn from(value: &'a [u8; N]) -> Self {
        Self::Bytes(value)
    }
}

impl<'a> From<&'a Vec<u8>> for Value<'a> {
    fn from(value: &'a Vec<u8>) -> Self {
        Self::Bytes(value)
    }
}

impl<'a> From<&'a bytes::Bytes> for Value<'a> {
    fn from(value: &'a bytes::Bytes) -> Self {
        Self::Bytes(value)
    }
}

impl<'a> From<&'a BlobId> for Value<'a> {
    fn from(value: &'a BlobId) -> Self {
        Self::Bytes(&value.0)
    }
}

impl<'a, V: Into<Value<'a>>> From<Option<V>> for Value<'a> {
    fn from(value: Option<V>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

/// One row of a result, valid during the call that receives it. Columns count from 0.
#[derive(Debug)]
pub struct Row<'a> {
    row: &'a rusqlite::Row<'a>,
}

impl<'a> Row<'a> {
    pub(crate) fn new(row: &'a rusqlite::Row<'a>) -> Self {
        Self { row }
    }

    fn value(&self, index: usize) -> Result<ValueRef<'_>, Error> {
        self.row.get_ref(index).map_err(|_| Error::Column {
            index,
            expected: "in the result",
        })
    }

    /// A 64-bit integer.
    pub fn int(&self, index: usize) -> Result<i64, Error> {
        self.opt_int(index)?.ok_or(Error::Column {
            index,
            expected: "an integer",
        })
    }

    /// An integer from 0 to 2^32 - 1.
    pub fn u32(&self, index: usize) -> Result<u32, Error> {
        u32::try_from(self.int(index)?).map_err(|_| Error::Column {
            index,
            expected: "32 bits",
        })
    }

    /// An integer from 0 to 2^63 - 1.
    pub fn u64(&self, index: usize) -> Result<u64, Error> {
        u64::try_from(self.int(index)?).map_err(|_| Error::Column {
            index,
            expected: "unsigned",
        })
    }

    /// 0 is false, every other integer true.
    pub fn bool(&self, index: usize) -> Result<bool, Error> {
        Ok(self.int(index)? != 0)
    }

    /// Seconds since 1970.
    pub fn time(&self, index: usize) -> Result<Timestamp, Error> {
        self.int(index).map(Timestamp)
    }

    /// UTF-8 text.
    pub fn text(&self, index: usize) -> Result<&str, Error> {
        self.opt_text(index)?.ok_or(Error::Column {
            index,
            expected: "text",
        })
    }

    /// A byte string.
    pub fn bytes(&self, index: usize) -> Result<&[u8], Error> {
        self.opt_bytes(index)?.ok_or(Error::Column {
            index,
            expected: "bytes",
        })
    }

    /// The sixteen bytes of a blob's id.
    pub fn blob_id(&self, index: usize) -> Result<BlobId, Error> {
        BlobId::try_from(self.bytes(index)?).map_err(|_| Error::Column {
            index,
            expected: "a blob id",
        })
    }

    /// An integer, or `None` for NULL.
    pub fn opt_int(&self, index: usize) -> Result<Option<i64>, Error> {
        match self.value(index)? {
            ValueRef::Integer(value) => Ok(Some(value)),
            ValueRef::Null => Ok(None),
            _ => Err(Error::Column {
                index,
                expected: "an integer",
            }),
        }
    }

    /// Text, or `None` for NULL.
    pub fn opt_text(&self, index: usize) -> Result<Option<&str>, Error> {
        match self.value(index)? {
            ValueRef::Text(value) => {
                std::str::from_utf8(value)
                    .map(Some)
                    .map_err(|_| Error::Column {
                        index,
                        expected: "UTF-8",
                    })
            }
            ValueRef::Null => Ok(None),
            _ => Err(Error::Column {
                index,
                expected: "text",
            }),
        }
    }

    /// Bytes, or `None` for NULL.
    pub fn opt_bytes(&self, index: usize) -> Result<Option<&[u8]>, Error> {
        match self.value(index)? {
            ValueRef::Blob(value) => Ok(Some(value)),
            ValueRef::Null => Ok(None),
            _ => Err(Error::Column {
                index,
                expected: "bytes",
            }),
        }
    }
}
