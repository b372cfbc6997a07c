//! What clamd answers to `INSTREAM`.

/// Characters of a signature's name.
pub const MAX_NAME: usize = 128;

/// The daemon's opinion.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scanned {
    /// No signature matches.
    Clean,
    /// A signature matches.
    Infected {
        /// Its name: 1 to [`MAX_NAME`] letters, digits and `.-_:/+()`; others became `_`.
        name: String,
    },
}

impl Scanned {
    /// What an answer means; none when it is none that is known.
    ///
    /// `stream: OK`, `stream: NAME FOUND`; everything else is an error of the daemon's.
    #[must_use]
    pub fn parse(reply: &[u8]) -> Option<Self> {
        let reply = reply.strip_prefix(b"stream: ")?;
        if reply == b"OK" {
            return Some(Self::Clean);
        }
        let name = reply.strip_suffix(b" FOUND")?;
        let name = harmless(name.trim_ascii());
        (!name.is_empty()).then_some(Self::Infected { name })
    }
}

/// The name of a signature, which is written to logs and header fields.
fn harmless(name: &[u8]) -> String {
    String::from_utf8_lossy(name)
        .chars()
        .take(MAX_NAME)
        .map(|c| match c {
            _ if c.is_ascii_alphanumeric() => c,
            '.' | '-' | '_' | ':' | '/' | '+' | '(' | ')' => c,
            _ => '_',
        })
        .collect()
}

/// Octets of the daemon's as a short text without control characters, for errors.
pub(crate) fn excerpt(reply: &[u8]) -> String {
    String::from_utf8_lossy(reply)
        .chars()
        .filter(|c| !c.is_control())
        .take(100)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replies() {
        let infected = |name: &str| {
            Some(Scanned::Infected {
                name: name.to_owned(),
            })
        };
        let long = [b"stream: ", "a".repeat(500).as_bytes(), b" FOUND"].concat();
        for (reply, meant) in [
            (&b"stream: OK"[..], Some(Scanned::Clean)),
            (
                b"stream: Win.Test.EICAR_HDB-1 FOUND",
                infected("Win.Test.EICAR_HDB-1"),
            ),
            (b"stream: a(1:2)/b FOUND", infected("a(1:2)/b")),
            (
                b"stream: evil\r\nX-Spam: no FOUND",
                infected("evil__X-Spam:_no"),
            ),
            (b"stream: \xff\xfe FOUND", infected("__")),
            (&long, infected(&"a".repeat(MAX_NAME))),
            (b"stream:  FOUND", None),
            (b"stream: FOUND", None),
            (b"stream: OK ", None),
            (b"INSTREAM size limit exceeded. ERROR", None),
            (b"UNKNOWN COMMAND", None),
            (b"", None),
        ] {
            assert_eq!(Scanned::parse(reply), meant, "{}", excerpt(reply));
        }
    }
}
