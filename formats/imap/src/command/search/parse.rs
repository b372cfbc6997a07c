//! Reading and writing search keys without recursion.

use super::query::{KeyId, MAX_SEARCH_DEPTH, MAX_SEARCH_KEYS, SearchKey, SearchQuery};
use crate::error::Error;
use crate::flag::{Flag, Keyword};
use crate::reader::Reader;
use crate::writer::Writer;

/// A key that waits for others.
enum Open {
    /// The whole program, or a parenthesis: the keys so far.
    Group {
        keys: Vec<KeyId>,
        parenthesized: bool,
    },
    /// `NOT`
    Not,
    /// `OR`, with its first key once that is read.
    Or(Option<KeyId>),
}

/// The tree under construction.
struct Builder {
    keys: Vec<SearchKey>,
    open: Vec<Open>,
}

impl Builder {
    fn push(&mut self, key: SearchKey) -> Result<KeyId, Error> {
        if self.keys.len() >= MAX_SEARCH_KEYS {
            return Err(Error::Limit {
                what: "search keys",
                limit: MAX_SEARCH_KEYS,
            });
        }
        self.keys.push(key);
        Ok(KeyId(self.keys.len() - 1))
    }

    fn begin(&mut self, open: Open) -> Result<(), Error> {
        if self.open.len() >= MAX_SEARCH_DEPTH {
            return Err(Error::Limit {
                what: "levels of a search",
                limit: MAX_SEARCH_DEPTH,
            });
        }
        self.open.push(open);
        Ok(())
    }

    /// A group of one key is that key.
    fn close_group(&mut self, keys: Vec<KeyId>) -> Result<KeyId, Error> {
        match keys.as_slice() {
            [only] => Ok(*only),
            _ => self.push(SearchKey::And(keys)),
        }
    }

    /// A key is complete: hands it to what waits for it. Says whether another key must follow.
    fn complete(&mut self, key: KeyId, reader: &mut Reader<'_>) -> Result<Next, Error> {
        let mut key = key;
        loop {
            match self.open.pop() {
                Some(Open::Not) => key = self.push(SearchKey::Not(key))?,
                Some(Open::Or(None)) => {
                    reader.sp()?;
                    self.open.push(Open::Or(Some(key)));
                    return Ok(Next::Key);
                }
                Some(Open::Or(Some(first))) => key = self.push(SearchKey::Or(first, key))?,
                Some(Open::Group {
                    mut keys,
                    parenthesized,
                }) => {
                    keys.push(key);
                    let ends = if parenthesized {
                        reader.eat(b')')
                    } else {
                        reader.is_at_end()
                    };
                    if !ends {
                        reader.sp()?;
                        self.open.push(Open::Group {
                            keys,
                            parenthesized,
                        });
                        return Ok(Next::Key);
                    }
                    key = self.close_group(keys)?;
                }
                None => return Ok(Next::End),
            }
        }
    }
}

/// What the grammar wants after a complete key.
#[derive(PartialEq)]
enum Next {
    Key,
    End,
}

/// What one word begins.
enum Word {
    Leaf(SearchKey),
    Open(Open),
}

impl Reader<'_> {
    /// `search-key *(SP search-key)` up to the end of the command.
    pub(super) fn search_query(&mut self) -> Result<SearchQuery, Error> {
        let top = Open::Group {
            keys: Vec::new(),
            parenthesized: false,
        };
        let mut builder = Builder {
            keys: Vec::new(),
            open: vec![top],
        };
        loop {
            if self.eat(b'(') {
                builder.begin(Open::Group {
                    keys: Vec::new(),
                    parenthesized: true,
                })?;
                continue;
            }
            match self.search_key()? {
                Word::Open(open) => {
                    self.sp()?;
                    builder.begin(open)?;
                }
                Word::Leaf(leaf) => {
                    let key = builder.push(leaf)?;
                    if builder.complete(key, self)? == Next::End {
                        return Ok(SearchQuery::from_keys(builder.keys));
                    }
                }
            }
        }
    }

    /// `search-key = "ALL" / "ANSWERED" / "BCC" SP astring / "BEFORE" SP date / … / sequence-set /
    /// "(" search-key *(SP search-key) ")"`, without the parenthesis.
    fn search_key(&mut self) -> Result<Word, Error> {
        if self
            .peek()
            .is_some_and(|b| b.is_ascii_digit() || matches!(b, b'*' | b'$'))
        {
            return Ok(Word::Leaf(SearchKey::Set(self.sequence_set()?)));
        }
        let name = self.atom_text()?.to_ascii_uppercase();
        if let Some(key) = flag_key(&name) {
            return Ok(Word::Leaf(key));
        }
        match name.as_str() {
            "NOT" => return Ok(Word::Open(Open::Not)),
            "OR" => return Ok(Word::Open(Open::Or(None))),
            _ => {}
        }
        self.key_with_argument(&name).map(Word::Leaf)
    }

    fn key_with_argument(&mut self, name: &str) -> Result<SearchKey, Error> {
        let key: fn(&mut Self) -> Result<SearchKey, Error> = match name {
            "UID" => |r| r.sequence_set().map(SearchKey::Uid),
            "KEYWORD" => |r| r.keyword().map(SearchKey::Has),
            "UNKEYWORD" => |r| r.keyword().map(SearchKey::Lacks),
            "BEFORE" => |r| r.date().map(SearchKey::Before),
            "ON" => |r| r.date().map(SearchKey::On),
            "SINCE" => |r| r.date().map(SearchKey::Since),
            "SENTBEFORE" => |r| r.date().map(SearchKey::SentBefore),
            "SENTON" => |r| r.date().map(SearchKey::SentOn),
            "SENTSINCE" => |r| r.date().map(SearchKey::SentSince),
            "LARGER" => |r| r.number64().map(SearchKey::Larger),
            "SMALLER" => |r| r.number64().map(SearchKey::Smaller),
            "MODSEQ" => Self::mod_seq_key,
            "BCC" => |r| r.astring_utf8().map(SearchKey::Bcc),
            "CC" => |r| r.astring_utf8().map(SearchKey::Cc),
            "FROM" => |r| r.astring_utf8().map(SearchKey::From),
            "SUBJECT" => |r| r.astring_utf8().map(SearchKey::Subject),
            "TO" => |r| r.astring_utf8().map(SearchKey::To),
            "BODY" => |r| r.astring_utf8().map(SearchKey::Body),
            "TEXT" => |r| r.astring_utf8().map(SearchKey::Text),
            "HEADER" => Self::header_key,
            _ => return Err(Error::Unknown("search key")),
        };
        self.sp()?;
        key(self)
    }

    /// `"HEADER" SP header-fld-name SP astring`
    fn header_key(&mut self) -> Result<SearchKey, Error> {
        let field = self.header_field_name()?;
        self.sp()?;
        Ok(SearchKey::Header {
            field,
            value: self.astring_utf8()?,
        })
    }

    /// `"KEYWORD" SP flag-keyword`
    fn keyword(&mut self) -> Result<Flag, Error> {
        let keyword = Keyword::new(self.atom_text()?);
        keyword.map(Flag::Keyword).ok_or(Error::Limit {
            what: "octets in a keyword",
            limit: Keyword::MAX_LENGTH,
        })
    }

    /// `search-modsequence = "MODSEQ" [search-modseq-ext] SP mod-sequence-valzer` (RFC 7162 §7)
    ///
    /// `search-modseq-ext = SP entry-name SP entry-type-req`
    ///
    /// RFC 7162 §3.1.5: a server without mod-sequences per metadata item disregards the entry.
    fn mod_seq_key(&mut self) -> Result<SearchKey, Error> {
        if self.peek() == Some(b'"') {
            self.string()?;
            self.sp()?;
            if !["all", "priv", "shared"]
                .into_iter()
                .any(|word| self.eat_word(word))
            {
                return Err(Error::Unknown("entry type"));
            }
            self.sp()?;
        }
        self.number64().map(SearchKey::ModSeq)
    }
}

/// The keys that are one word.
fn flag_key(name: &str) -> Option<SearchKey> {
    Some(match name {
        "ALL" => SearchKey::All,
        "ANSWERED" => SearchKey::Has(Flag::Answered),
        "DELETED" => SearchKey::Has(Flag::Deleted),
        "DRAFT" => SearchKey::Has(Flag::Draft),
        "FLAGGED" => SearchKey::Has(Flag::Flagged),
        "SEEN" => SearchKey::Has(Flag::Seen),
        "UNANSWERED" => SearchKey::Lacks(Flag::Answered),
        "UNDELETED" => SearchKey::Lacks(Flag::Deleted),
        "UNDRAFT" => SearchKey::Lacks(Flag::Draft),
        "UNFLAGGED" => SearchKey::Lacks(Flag::Flagged),
        "UNSEEN" => SearchKey::Lacks(Flag::Seen),
        "RECENT" => SearchKey::Recent,
        "OLD" => SearchKey::Old,
        "NEW" => SearchKey::New,
        _ => return None,
    })
}

/// What is still to write.
enum Task {
    Key(KeyId),
    Text(&'static str),
}

impl Writer<'_> {
    /// The query as a search program.
    pub(super) fn search_query(&mut self, query: &SearchQuery) -> &mut Self {
        let mut tasks = match query.get(query.root()) {
            // Keys side by side need no parenthesis at the top.
            Some(SearchKey::And(keys)) => side_by_side(keys),
            _ => vec![Task::Key(query.root())],
        };
        while let Some(task) = tasks.pop() {
            let key = match task {
                Task::Text(text) => {
                    self.text(text);
                    continue;
                }
                Task::Key(id) => query.get(id),
            };
            match key {
                Some(SearchKey::Not(child)) => {
                    self.text("NOT ");
                    tasks.push(Task::Key(*child));
                }
                Some(SearchKey::Or(first, second)) => {
                    self.text("OR ");
                    tasks.extend([Task::Key(*second), Task::Text(" "), Task::Key(*first)]);
                }
                Some(SearchKey::And(keys)) => {
                    self.text("(");
                    tasks.push(Task::Text(")"));
                    tasks.extend(side_by_side(keys));
                }
                Some(leaf) => self.search_leaf(leaf),
                None => {}
            }
        }
        self
    }

    fn search_leaf(&mut self, key: &SearchKey) {
        match key {
            SearchKey::Set(set) => self.sequence_set(set),
            SearchKey::Uid(set) => self.text("UID ").sequence_set(set),
            SearchKey::Has(Flag::Keyword(keyword)) => self.text("KEYWORD ").text(keyword.as_str()),
            SearchKey::Lacks(Flag::Keyword(keyword)) => {
                self.text("UNKEYWORD ").text(keyword.as_str())
            }
            SearchKey::Has(flag) => self.text(&flag_word(flag)),
            SearchKey::Lacks(flag) => self.text("UN").text(&flag_word(flag)),
            SearchKey::Recent => self.text("RECENT"),
            SearchKey::Old => self.text("OLD"),
            SearchKey::New => self.text("NEW"),
            SearchKey::Before(date) => self.text("BEFORE ").date(*date),
            SearchKey::On(date) => self.text("ON ").date(*date),
            SearchKey::Since(date) => self.text("SINCE ").date(*date),
            SearchKey::SentBefore(date) => self.text("SENTBEFORE ").date(*date),
            SearchKey::SentOn(date) => self.text("SENTON ").date(*date),
            SearchKey::SentSince(date) => self.text("SENTSINCE ").date(*date),
            SearchKey::Larger(size) => self.text("LARGER ").number(*size),
            SearchKey::Smaller(size) => self.text("SMALLER ").number(*size),
            SearchKey::ModSeq(value) => self.text("MODSEQ ").number(*value),
            SearchKey::Bcc(text) => self.text("BCC ").astring(text.as_bytes()),
            SearchKey::Cc(text) => self.text("CC ").astring(text.as_bytes()),
            SearchKey::From(text) => self.text("FROM ").astring(text.as_bytes()),
            SearchKey::Subject(text) => self.text("SUBJECT ").astring(text.as_bytes()),
            SearchKey::To(text) => self.text("TO ").astring(text.as_bytes()),
            SearchKey::Body(text) => self.text("BODY ").astring(text.as_bytes()),
            SearchKey::Text(text) => self.text("TEXT ").astring(text.as_bytes()),
            SearchKey::Header { field, value } => self
                .text("HEADER ")
                .astring(field.as_bytes())
                .sp()
                .astring(value.as_bytes()),
            // Not, Or and And are no leaves.
            _ => self.text("ALL"),
        };
    }
}

/// A system flag as a search key.
fn flag_word(flag: &Flag) -> String {
    flag.as_str().trim_start_matches('\\').to_ascii_uppercase()
}

/// The tasks that write keys with spaces between, last first.
fn side_by_side(keys: &[KeyId]) -> Vec<Task> {
    let mut tasks = Vec::with_capacity(keys.len() * 2);
    for (index, key) in keys.iter().rev().enumerate() {
        if index > 0 {
            tasks.push(Task::Text(" "));
        }
        tasks.push(Task::Key(*key));
    }
    tasks
}
