//! ID (RFC 2971): fields that name a client or a server.

use crate::error::Error;
use crate::reader::Reader;
use crate::writer::Writer;

/// RFC 2971 §3.3: no more fields.
pub const MAX_ID_FIELDS: usize = 30;

/// RFC 2971 §3.3: no longer field name.
const MAX_NAME: usize = 30;

/// RFC 2971 §3.3: no longer value.
const MAX_VALUE: usize = 1_024;

/// What a client says of itself, or the server answers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Id {
    /// Names (at most 30 octets) and values (at most 1,024), at most [`MAX_ID_FIELDS`]. It is what
    /// the other side claims: for logs only, escaped.
    pub fields: Vec<(String, Option<String>)>,
}

impl Id {
    /// `id = "ID" SP id-params-list`
    ///
    /// `id-params-list = "(" *(string SP nstring) ")" / nil`
    pub(super) fn parse(reader: &mut Reader<'_>) -> Result<Self, Error> {
        reader.sp()?;
        if reader.eat_word("NIL") {
            return Ok(Self::default());
        }
        reader.open()?;
        let fields = reader.list_items(MAX_ID_FIELDS, |reader| {
            let name = utf8(reader.string()?)?;
            reader.sp()?;
            let value = reader.nstring()?.map(utf8).transpose()?;
            if name.len() > MAX_NAME {
                return Err(Error::Limit {
                    what: "octets in a field name",
                    limit: MAX_NAME,
                });
            }
            if value.as_ref().is_some_and(|value| value.len() > MAX_VALUE) {
                return Err(Error::Limit {
                    what: "octets in a field value",
                    limit: MAX_VALUE,
                });
            }
            Ok((name, value))
        })?;
        Ok(Self { fields })
    }
}

fn utf8(bytes: Vec<u8>) -> Result<String, Error> {
    String::from_utf8(bytes).map_err(|_| Error::NotUtf8)
}

impl Writer<'_> {
    /// `id-params-list`
    pub(crate) fn id_fields(&mut self, id: &Id) -> &mut Self {
        if id.fields.is_empty() {
            return self.bytes(b"NIL");
        }
        self.parenthesized(&id.fields, |writer, (name, value)| {
            writer
                .string(name.as_bytes())
                .sp()
                .nstring(value.as_ref().map(|v| v.as_bytes()));
        })
    }
}
