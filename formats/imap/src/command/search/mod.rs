//! SEARCH and UID SEARCH (RFC 9051 §6.4.4, RFC 4731, RFC 7162 §3.1.5).
//!
//! Strings to look for are UTF-8: other character sets are refused with BADCHARSET. The keys are a
//! [`SearchQuery`], a tree kept flat.

mod parse;
mod query;

pub use query::{KeyId, MAX_SEARCH_DEPTH, MAX_SEARCH_KEYS, SearchKey, SearchQuery};

use crate::error::Error;
use crate::reader::Reader;
use crate::sequence::By;
use crate::writer::Writer;

/// Return options in one command.
const MAX_OPTIONS: usize = 16;

/// What the answer says; never nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SearchReturn {
    /// `MIN`: the smallest number.
    pub min: bool,
    /// `MAX`: the largest number.
    pub max: bool,
    /// `ALL`: all numbers as a set.
    pub all: bool,
    /// `COUNT`: how many.
    pub count: bool,
    /// `SAVE`: keep the result for `$`.
    pub save: bool,
}

impl SearchReturn {
    /// RFC 9051 §6.4.4: `RETURN ()` stands for `RETURN (ALL)`.
    pub const ALL: Self = Self {
        min: false,
        max: false,
        all: true,
        count: false,
        save: false,
    };
}

/// Which messages to find.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Search {
    /// What the answer counts.
    pub by: By,
    /// `Some` asks for an ESEARCH response. RFC 9051 §6.4.4: after `ENABLE IMAP4rev2`, `None` too
    /// is answered so.
    pub returns: Option<SearchReturn>,
    /// What they must be like.
    pub query: SearchQuery,
}

impl Search {
    /// `search = "SEARCH" [search-return-opts] SP search-program`
    ///
    /// `search-program = ["CHARSET" SP charset SP] search-key *(SP search-key)`
    pub(super) fn parse(reader: &mut Reader<'_>, by: By) -> Result<Self, Error> {
        reader.sp()?;
        let mut returns = None;
        if reader.eat_word("RETURN") {
            reader.sp()?;
            reader.open()?;
            returns = Some(reader.search_returns()?);
            reader.sp()?;
        }
        if reader.eat_word("CHARSET") {
            reader.sp()?;
            let charset = reader.astring()?;
            let known = ["UTF-8", "US-ASCII"];
            if !known
                .iter()
                .any(|name| name.as_bytes().eq_ignore_ascii_case(&charset))
            {
                return Err(Error::BadCharset);
            }
            reader.sp()?;
        }
        let query = reader.search_query()?;
        Ok(Self { by, returns, query })
    }

    pub(super) fn encode(&self, writer: &mut Writer<'_>) {
        writer.uid_prefix(self.by).bytes(b"SEARCH ");
        if let Some(returns) = self.returns {
            let options = [
                (returns.min, "MIN"),
                (returns.max, "MAX"),
                (returns.all, "ALL"),
                (returns.count, "COUNT"),
                (returns.save, "SAVE"),
            ];
            writer.bytes(b"RETURN ");
            writer.parenthesized(
                options.into_iter().filter(|option| option.0),
                |writer, option| {
                    writer.text(option.1);
                },
            );
            writer.sp();
        }
        writer.search_query(&self.query);
    }
}

impl Reader<'_> {
    /// `search-return-opts = SP "RETURN" SP "(" [search-return-opt *(SP search-return-opt)] ")"`
    ///
    /// `search-return-opt = "MIN" / "MAX" / "ALL" / "COUNT" / "SAVE"`
    fn search_returns(&mut self) -> Result<SearchReturn, Error> {
        let mut returns = SearchReturn {
            all: false,
            ..SearchReturn::ALL
        };
        let options = self.list_items(MAX_OPTIONS, |reader| {
            Ok(reader.atom_text()?.to_ascii_uppercase())
        })?;
        if options.is_empty() {
            return Ok(SearchReturn::ALL);
        }
        for option in options {
            match option.as_str() {
                "MIN" => returns.min = true,
                "MAX" => returns.max = true,
                "ALL" => returns.all = true,
                "COUNT" => returns.count = true,
                "SAVE" => returns.save = true,
                _ => return Err(Error::Unknown("return option of SEARCH")),
            }
        }
        Ok(returns)
    }
}
