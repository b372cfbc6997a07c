//! mailcow's map files, as they lie in `data/conf/rspamd/custom`.
//!
//! Only those that mailcow lets administrators edit, and three more of the folder; each becomes
//! the text of the built-in map of its name. Its exports of other kinds are not read here.

use crate::map::{Kind, builtin, compile_check};
use crate::{Error, LONGEST_MAP, MapChange, Policy};

const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// A file that was recognised and whose lines can be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Imported {
    /// The built-in map it belongs to.
    pub map: String,
    /// What its text will be.
    pub text: String,
}

/// Reads a file. The name may have folders in front.
///
/// Octets of a pattern that are not UTF-8 become escapes of the same meaning; in comments they are
/// replaced.
///
/// # Errors
/// [`Error::UnknownFile`], [`Error::Lines`].
pub fn import(file_name: &str, bytes: &[u8]) -> Result<Imported, Error> {
    let name = file_name.rsplit(['/', '\\']).next().unwrap_or(file_name);
    let map = builtin::find(name)
        .ok_or_else(|| Error::UnknownFile(file_name.chars().take(100).collect()))?;
    if bytes.len() > LONGEST_MAP {
        return Err(Error::TooMuch {
            what: "octets of a map",
            most: LONGEST_MAP,
        });
    }
    let mut bytes = bytes;
    while let Some(rest) = bytes.strip_prefix(BYTE_ORDER_MARK) {
        bytes = rest;
    }
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        Err(_) => repaired(map.kind, bytes),
    };
    compile_check(map.kind, &text).map_err(Error::Lines)?;
    Ok(Imported {
        map: map.name,
        text,
    })
}

/// UTF-8 of the same meaning, as far as there is one.
fn repaired(kind: Kind, bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        let pattern = kind == Kind::Pattern && line.trim_ascii_start().starts_with(b"/");
        for chunk in line.utf8_chunks() {
            text.push_str(chunk.valid());
            for byte in chunk.invalid() {
                if pattern {
                    // After a backslash the octet stands for itself; the escape takes it over.
                    let open = text.len() - text.trim_end_matches('\\').len();
                    let backslash = if open.is_multiple_of(2) { "\\" } else { "" };
                    text.push_str(&format!("{backslash}x{byte:02X}"));
                } else {
                    text.push(char::REPLACEMENT_CHARACTER);
                }
            }
        }
    }
    text
}

impl Policy {
    /// Imports one of mailcow's map files in place of the built-in map's text. Live when it
    /// returns; the answer is the new revision.
    ///
    /// # Errors
    /// As [`import`], and the store's.
    pub async fn import_mailcow(&self, file_name: &str, bytes: Vec<u8>) -> Result<u64, Error> {
        let file_name = file_name.to_owned();
        let imported = tokio::task::spawn_blocking(move || import(&file_name, &bytes))
            .await
            .map_err(|_| Error::Internal("an import was cut short"))??;
        let change = MapChange {
            text: Some(imported.text),
            ..MapChange::default()
        };
        self.change_map(&imported.map, change).await
    }
}
