//! Address lists as an IMAP envelope shows them.
//!
//! One pass, no backtracking, lenient: every list yields something presentable. Encoded words stay
//! encoded. This reader serves display and search; addresses the server acts upon go through the
//! strict parser of the SMTP crate.
//!
//! RFC 5322 §3.4, §4.4 (source routes); RFC 9051 §7.5.2 (group markers).

/// Addresses read per message, those of enclosed messages included.
pub const MAX_ADDRESSES: usize = 10_240;

/// One entry of an address list.
///
/// RFC 9051 §7.5.2: an entry without host opens a group (`mailbox` is its name) and one without
/// mailbox closes it. Groups are always closed and never nest.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EnvelopeAddress {
    /// Display name without quotes, or a trailing comment where there is none.
    pub name: Option<Vec<u8>>,
    /// Local part without quotes, or the group's name; `None` closes a group.
    pub mailbox: Option<Vec<u8>>,
    /// Domain or address literal; empty when an address has none; `None` marks a group.
    pub host: Option<Vec<u8>>,
}

/// The addresses of one field value, at most [`MAX_ADDRESSES`].
#[must_use]
pub fn parse(value: &[u8]) -> Vec<EnvelopeAddress> {
    let mut list = Vec::new();
    read(value, &mut list, &mut MAX_ADDRESSES.clone());
    list
}

/// Appends the addresses of `value` to `list` as long as there is budget.
pub(crate) fn read(value: &[u8], list: &mut Vec<EnvelopeAddress>, budget: &mut usize) {
    if *budget == 0 {
        return;
    }
    let mut reader = Reader {
        input: value,
        pos: 0,
        list,
        budget,
        group: Group::Outside,
        words: Words {
            text: Vec::with_capacity(64),
            ..Words::default()
        },
        angle: None,
        comment: Vec::new(),
    };
    reader.run();
}

/// Text collected word by word, with the place of the last unquoted `@`.
#[derive(Default)]
struct Words {
    text: Vec<u8>,
    at: Option<usize>,
    space: bool,
}

impl Words {
    /// White space between words becomes one space.
    fn make_room(&mut self) {
        if self.space && !self.text.is_empty() {
            self.text.push(b' ');
        }
        self.space = false;
    }

    fn push(&mut self, byte: u8) {
        self.make_room();
        if byte == b'@' {
            self.at = Some(self.text.len());
        }
        self.text.push(byte);
    }

    /// Local part and domain; white space around dots and `@` is not part of either.
    fn split(&self) -> (Vec<u8>, Vec<u8>) {
        let Some((local, domain)) = self.at.and_then(|at| self.text.split_at_checked(at)) else {
            return (self.text.clone(), Vec::new());
        };
        let domain = domain.get(1..).unwrap_or_default();
        let tight = |text: &[u8]| text.iter().copied().filter(|&b| b != b' ').collect();
        (local.trim_ascii().to_vec(), tight(domain))
    }

    fn clear(&mut self) {
        self.text.clear();
        self.at = None;
        self.space = false;
    }
}

#[derive(PartialEq, Eq)]
enum Group {
    Outside,
    Inside,
}

struct Reader<'v, 'l> {
    input: &'v [u8],
    pos: usize,
    list: &'l mut Vec<EnvelopeAddress>,
    budget: &'l mut usize,
    group: Group,
    /// What stands outside angle brackets: a display name, an address or a group's name.
    words: Words,
    /// What stands inside angle brackets.
    angle: Option<(Vec<u8>, Vec<u8>)>,
    comment: Vec<u8>,
}

impl Reader<'_, '_> {
    fn bump(&mut self) -> Option<u8> {
        let byte = self.input.get(self.pos).copied()?;
        self.pos += 1;
        Some(byte)
    }

    /// RFC 5322 §3.4: `address-list = (address *("," address))`, `group = display-name ":"
    /// [group-list] ";"`.
    fn run(&mut self) {
        while *self.budget > 0 {
            let Some(byte) = self.bump() else { break };
            match byte {
                b',' => self.finish_mailbox(),
                b';' => {
                    self.finish_mailbox();
                    self.close_group();
                }
                b':' if self.opens_group() => self.open_group(),
                b'<' => {
                    if self.angle.is_some() {
                        self.finish_mailbox();
                    }
                    self.read_angle();
                }
                b'(' => self.read_comment(),
                b' ' | b'\t' | b'\r' | b'\n' | 0 => self.words.space = true,
                _ if self.angle.is_some() => {}
                b'"' => read_quoted(self.input, &mut self.pos, &mut self.words),
                b'[' if self.words.at.is_some() => {
                    read_literal(self.input, &mut self.pos, &mut self.words);
                }
                _ => self.words.push(byte),
            }
        }
        if *self.budget > 0 {
            self.finish_mailbox();
        }
        self.close_group();
    }

    fn opens_group(&self) -> bool {
        self.group == Group::Outside && self.angle.is_none() && self.words.at.is_none()
    }

    fn open_group(&mut self) {
        self.group = Group::Inside;
        let name = self.words.text.clone();
        self.words.clear();
        self.comment.clear();
        self.list.push(EnvelopeAddress {
            name: None,
            mailbox: Some(name),
            host: None,
        });
        *self.budget -= 1;
    }

    fn close_group(&mut self) {
        if self.group == Group::Inside {
            self.group = Group::Outside;
            self.list.push(EnvelopeAddress::default());
            *self.budget = self.budget.saturating_sub(1);
        }
    }

    /// Ends the current mailbox, if there is any.
    fn finish_mailbox(&mut self) {
        let address = if let Some((mailbox, host)) = self.angle.take() {
            Some((non_empty(&self.words.text), mailbox, host))
        } else if self.words.text.is_empty() {
            None
        } else {
            let (mailbox, host) = self.words.split();
            Some((None, mailbox, host))
        };
        if let Some((name, mailbox, host)) = address
            && (name.is_some() || !mailbox.is_empty() || !host.is_empty())
        {
            let name = name.or_else(|| non_empty(&self.comment));
            self.list.push(EnvelopeAddress {
                name,
                mailbox: Some(mailbox),
                host: Some(host),
            });
            *self.budget -= 1;
        }
        self.words.clear();
        self.comment.clear();
    }

    /// RFC 5322 §3.4, §4.4: `angle-addr = "<" [route ":"] addr-spec ">"`; the cursor stands behind
    /// the bracket. A bracket that is never closed ends at the comma.
    fn read_angle(&mut self) {
        let mut inner = Words {
            text: Vec::with_capacity(64),
            ..Words::default()
        };
        let mut route = false;
        while let Some(byte) = self.bump() {
            match byte {
                b'>' => break,
                b',' if !route => {
                    self.pos -= 1;
                    break;
                }
                b'@' if inner.text.is_empty() => route = true,
                b':' if route => {
                    inner.clear();
                    route = false;
                }
                b'(' => self.read_comment(),
                b' ' | b'\t' | b'\r' | b'\n' | 0 => {}
                b'"' => read_quoted(self.input, &mut self.pos, &mut inner),
                b'[' => read_literal(self.input, &mut self.pos, &mut inner),
                _ => inner.push(byte),
            }
        }
        self.angle = Some(inner.split());
    }

    /// RFC 5322 §3.2.2: comments nest. The text of the last one is kept: old mailers put the name
    /// there. The cursor stands behind the parenthesis.
    fn read_comment(&mut self) {
        self.comment.clear();
        self.words.space = true;
        let mut depth = 1_usize;
        while let Some(byte) = self.bump() {
            match byte {
                b'\\' => {
                    let escaped = self.bump().filter(|&escaped| is_text(escaped));
                    self.comment.extend(escaped);
                    continue;
                }
                b'(' => depth += 1,
                b')' if depth == 1 => break,
                b')' => depth -= 1,
                _ if !is_text(byte) => continue,
                _ => {}
            }
            self.comment.push(byte);
        }
    }
}

/// RFC 5322 §3.2.4: the content of a quoted string, the cursor behind the opening quote.
fn read_quoted(input: &[u8], pos: &mut usize, words: &mut Words) {
    words.make_room();
    while let Some(&byte) = input.get(*pos) {
        *pos += 1;
        match byte {
            b'"' => return,
            b'\\' => {
                words
                    .text
                    .extend(input.get(*pos).filter(|&&escaped| is_text(escaped)));
                *pos += 1;
            }
            _ if is_text(byte) => words.text.push(byte),
            _ => {}
        }
    }
}

/// RFC 5322 §3.4.1: a domain literal is kept with its brackets.
fn read_literal(input: &[u8], pos: &mut usize, words: &mut Words) {
    words.push(b'[');
    while let Some(&byte) = input.get(*pos) {
        *pos += 1;
        if !byte.is_ascii_whitespace() && byte != 0 {
            words.text.push(byte);
        }
        if byte == b']' {
            return;
        }
    }
}

/// Whether an octet may stand in a value: line breaks come from folding, NUL stands nowhere.
const fn is_text(byte: u8) -> bool {
    !matches!(byte, b'\r' | b'\n' | 0)
}

fn non_empty(text: &[u8]) -> Option<Vec<u8>> {
    let text = text.trim_ascii();
    (!text.is_empty()).then(|| text.to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn show(value: &str) -> String {
        let part = |text: &Option<Vec<u8>>| match text {
            Some(text) => format!("[{}]", text.escape_ascii()),
            None => "-".into(),
        };
        let entries = parse(value.as_bytes());
        let entries = entries
            .iter()
            .map(|a| format!("{} {} {}", part(&a.name), part(&a.mailbox), part(&a.host)));
        entries.collect::<Vec<_>>().join("; ")
    }

    #[test]
    fn lists() {
        for (value, want) in [
            ("a@b", "- [a] [b]"),
            (
                " John Doe <john@example.com>",
                "[John Doe] [john] [example.com]",
            ),
            (
                "\"Doe,  \\\"J\\\"\"\r\n <j@d>, x@y",
                "[Doe,  \\\"J\\\"] [j] [d]; - [x] [y]",
            ),
            (
                "john@doe.example (John (the) Doe)",
                "[John (the) Doe] [john] [doe.example]",
            ),
            ("a . b @ c . d", "- [a . b] [c.d]"),
            ("\"a b\"@c", "- [a b] [c]"),
            ("\"a@b\"@c", "- [a@b] [c]"),
            ("<@r1,@r2:a@b>, c@d", "- [a] [b]; - [c] [d]"),
            ("x <a@[192.0.2.1]>", "[x] [a] [[192.0.2.1]]"),
            ("a@[IPv6:: :1]", "- [a] [[IPv6:::1]]"),
            (
                "G: a@b, C <c@d>;, e@f",
                "- [G] -; - [a] [b]; [C] [c] [d]; - - -; - [e] [f]",
            ),
            (
                "undisclosed-recipients:;",
                "- [undisclosed-recipients] -; - - -",
            ),
            ("G: a@b", "- [G] -; - [a] [b]; - - -"),
            ("root", "- [root] []"),
            ("Foo <>", "[Foo] [] []"),
            ("<>", ""),
            (", ,; ,", ""),
            ("a@b; c@d", "- [a] [b]; - [c] [d]"),
            ("=?utf-8?q?J=C3=B6?= <j@d>", "[=?utf-8?q?J=C3=B6?=] [j] [d]"),
            ("<a@b> <c@d>", "- [a] [b]; - [c] [d]"),
            ("Never <a@b, c@d", "[Never] [a] [b]; - [c] [d]"),
            ("a@b@c", "- [a@b] [c]"),
            ("(((((", ""),
            ("\"open", "- [open] []"),
            ("\"a\\\r\n b\\\0\" <c@d> (e\\\n)", "[a b] [c] [d]"),
            ("j@x.org <j@y.org>", "[j@x.org] [j] [y.org]"),
        ] {
            assert_eq!(show(value), want, "{value:?}");
        }
    }

    #[test]
    fn a_million_addresses_are_capped_and_groups_closed() {
        let list = parse(format!("G: {}", "a@b,".repeat(1_000_000)).as_bytes());
        assert_eq!(list.len(), MAX_ADDRESSES + 1);
        assert_eq!(list.last(), Some(&EnvelopeAddress::default()));
    }
}
