//! A cursor over one framed command: its text, with literals kept aside and taken in order.
//!
//! The parsers of grammar pieces are methods of [`Reader`], each in the file of its piece.

use crate::error::Error;
use crate::framing::{Literal, RawCommand};
use crate::mailbox::Utf8Mode;

/// A position in a command's text. Cheap to build, never copies the text.
#[derive(Debug)]
pub(crate) struct Reader<'a> {
    text: &'a [u8],
    position: usize,
    literals: std::vec::IntoIter<Literal>,
    mode: Utf8Mode,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(text: &'a [u8], literals: Vec<Literal>, mode: Utf8Mode) -> Self {
        Self {
            text,
            position: 0,
            literals: literals.into_iter(),
            mode,
        }
    }

    /// A reader over text without literals.
    #[cfg(test)]
    pub(crate) fn of_text(text: &'a [u8]) -> Self {
        Self::new(text, Vec::new(), Utf8Mode::Utf8)
    }

    /// How mailbox names travel in this session.
    pub(crate) fn mode(&self) -> Utf8Mode {
        self.mode
    }

    pub(crate) fn position(&self) -> usize {
        self.position
    }

    /// Back to a position got from [`Reader::position`]; no literal may have been taken since.
    pub(crate) fn rewind(&mut self, position: usize) {
        self.position = position.min(self.text.len());
    }

    pub(crate) fn rest(&self) -> &'a [u8] {
        self.text.get(self.position..).unwrap_or_default()
    }

    pub(crate) fn peek(&self) -> Option<u8> {
        self.text.get(self.position).copied()
    }

    pub(crate) fn next(&mut self) -> Option<u8> {
        let byte = self.peek()?;
        self.position += 1;
        Some(byte)
    }

    pub(crate) fn is_at_end(&self) -> bool {
        self.position >= self.text.len()
    }

    /// Consumes `byte` when it comes next, and says whether it did.
    pub(crate) fn eat(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.position += usize::from(found);
        found
    }

    pub(crate) fn expect(&mut self, byte: u8, what: &'static str) -> Result<(), Error> {
        if self.eat(byte) {
            Ok(())
        } else {
            Err(Error::Expected(what))
        }
    }

    /// `SP`
    pub(crate) fn sp(&mut self) -> Result<(), Error> {
        self.expect(b' ', "a space")
    }

    /// `"("`
    pub(crate) fn open(&mut self) -> Result<(), Error> {
        self.expect(b'(', "\"(\"")
    }

    /// `")"`
    pub(crate) fn close(&mut self) -> Result<(), Error> {
        self.expect(b')', "\")\"")
    }

    pub(crate) fn take_while(&mut self, accepts: impl Fn(u8) -> bool) -> &'a [u8] {
        let rest = self.rest();
        let length = rest.iter().position(|b| !accepts(*b)).unwrap_or(rest.len());
        self.position += length;
        rest.get(..length).unwrap_or_default()
    }

    /// The next literal that the framer kept aside.
    pub(crate) fn next_literal(&mut self) -> Result<Literal, Error> {
        self.literals.next().ok_or(Error::Literal)
    }

    /// `item *(SP item) ")"`, the opening parenthesis already read; an empty list when `)` follows
    /// at once. At most `limit` items.
    pub(crate) fn list_items<T>(
        &mut self,
        limit: usize,
        item: impl Fn(&mut Self) -> Result<T, Error>,
    ) -> Result<Vec<T>, Error> {
        let mut items = Vec::new();
        if self.eat(b')') {
            return Ok(items);
        }
        loop {
            if items.len() >= limit {
                return Err(Error::Limit {
                    what: "items in a list",
                    limit,
                });
            }
            items.push(item(self)?);
            if self.eat(b')') {
                return Ok(items);
            }
            self.sp()?;
        }
    }

    /// Nothing may follow: neither text nor an unused literal.
    pub(crate) fn finish(&self) -> Result<(), Error> {
        if self.is_at_end() && self.literals.len() == 0 {
            Ok(())
        } else {
            Err(Error::TrailingData)
        }
    }
}

impl RawCommand {
    /// Splits the command for a reader.
    pub(crate) fn into_parts(self) -> (Vec<u8>, Vec<Literal>) {
        (self.text, self.literals)
    }
}
