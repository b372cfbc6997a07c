//! Where responses and commands are written: a `Vec<u8>`, the session's mode, and the small moves
//! that all encoders share. Grammar pieces add their own methods in their own files.

use crate::mailbox::Utf8Mode;
use crate::number::push_decimal;

/// How literals are announced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LiteralStyle {
    /// `{n}`: in responses.
    Synchronizing,
    /// `{n+}`: in commands to a server with LITERAL+ (RFC 7888).
    NonSynchronizing,
}

/// Appends protocol elements to a buffer. Writing never fails and never allocates beyond the
/// buffer's own growth.
#[derive(Debug)]
pub struct Writer<'a> {
    out: &'a mut Vec<u8>,
    mode: Utf8Mode,
    literals: LiteralStyle,
}

impl<'a> Writer<'a> {
    /// A writer of responses at the end of `out`, for a session in `mode`.
    pub fn new(out: &'a mut Vec<u8>, mode: Utf8Mode) -> Self {
        Self {
            out,
            mode,
            literals: LiteralStyle::Synchronizing,
        }
    }

    /// A writer of commands at the end of `out`: literals do not wait for the server.
    pub fn for_commands(out: &'a mut Vec<u8>, mode: Utf8Mode) -> Self {
        Self {
            out,
            mode,
            literals: LiteralStyle::NonSynchronizing,
        }
    }

    /// How mailbox names and quoted strings travel in this session.
    #[must_use]
    pub fn mode(&self) -> Utf8Mode {
        self.mode
    }

    pub(crate) fn literal_style(&self) -> LiteralStyle {
        self.literals
    }

    /// Octets as they are: the caller vouches for the grammar.
    #[inline]
    pub fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        self.out.extend_from_slice(bytes);
        self
    }

    /// Text as it is: the caller vouches for the grammar.
    #[inline]
    pub fn text(&mut self, text: &str) -> &mut Self {
        self.bytes(text.as_bytes())
    }

    /// A number in decimal.
    #[inline]
    pub fn number(&mut self, value: impl Into<u64>) -> &mut Self {
        push_decimal(self.out, value.into());
        self
    }

    /// `SP`
    #[inline]
    pub fn sp(&mut self) -> &mut Self {
        self.out.push(b' ');
        self
    }

    /// `CRLF`
    #[inline]
    pub fn crlf(&mut self) -> &mut Self {
        self.bytes(b"\r\n")
    }

    /// `"(" item *(SP item) ")"`, or `()` when there is none.
    pub fn parenthesized<T>(
        &mut self,
        items: impl IntoIterator<Item = T>,
        mut write: impl FnMut(&mut Self, T),
    ) -> &mut Self {
        self.bytes(b"(");
        for (index, item) in items.into_iter().enumerate() {
            if index > 0 {
                self.sp();
            }
            write(self, item);
        }
        self.bytes(b")")
    }
}
