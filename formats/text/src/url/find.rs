//! URLs in plain text.
//!
//! Text is cut at blanks, angle brackets and quotes; in each piece schemes and host names are looked
//! for. What stands behind a URL as punctuation of the sentence is not part of it, nor is a bracket
//! that was opened before it. RFC 3986 appendix C: a URL in angle brackets may be broken over lines.

use std::ops::Range;

use super::{DEFANGED, MAX_URL_LENGTH, MAX_URLS, SPECIAL, Url, is_known_suffix};
use crate::script;

/// Octets in angle brackets in which the end of a broken URL is looked for.
const MAX_WRAPPED: usize = 2_048;
/// Octets of a piece of text without blanks; longer ones are cut.
const MAX_PIECE: usize = 2 * MAX_URL_LENGTH;
/// Possible URLs that are looked at in a text, found to be one or not.
const MAX_ATTEMPTS: usize = 4 * MAX_URLS;
/// Schemes without a host that are found in text.
const FOUND_OPAQUE: [&str; 8] = [
    "bitcoin",
    "data",
    "javascript",
    "mailto",
    "sms",
    "tel",
    "vbscript",
    "whatsapp",
];
/// Top-level domains that are extensions of file names too: `setup.py` is no host.
const FILE_NAMES: [&str; 11] = [
    "ai", "cc", "md", "mov", "pl", "ps", "py", "rs", "sh", "so", "zip",
];

/// A URL in a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found<'t> {
    /// Where it stands, in octets.
    pub range: Range<usize>,
    /// As it is written there.
    pub written: &'t str,
    /// What it says.
    pub url: Url,
}

/// Finds the URLs of a text in order, at most [`MAX_URLS`].
pub fn find(text: &str) -> impl Iterator<Item = Found<'_>> {
    Finder {
        text,
        at: 0,
        piece: 0..0,
        attempts: 0,
    }
    .take(MAX_URLS)
}

struct Finder<'t> {
    text: &'t str,
    /// What lies before has been searched.
    at: usize,
    /// What is left of the piece at hand.
    piece: Range<usize>,
    attempts: usize,
}

/// What may be a URL.
struct Candidate {
    range: Range<usize>,
    /// Where to go on if it is none.
    otherwise: usize,
}

impl<'t> Iterator for Finder<'t> {
    type Item = Found<'t>;

    fn next(&mut self) -> Option<Found<'t>> {
        while self.attempts < MAX_ATTEMPTS {
            while self.piece.is_empty() {
                self.piece = next_piece(self.text, self.at)?;
                self.at = self.piece.end;
            }
            let Some(Candidate { range, otherwise }) = self.candidate() else {
                self.piece.start = self.piece.end;
                continue;
            };
            self.attempts += 1;
            let written = self.text.get(range.clone()).unwrap_or_default();
            let url = Url::parse(written);
            let resume = if url.is_some() { range.end } else { otherwise };
            self.at = self.at.max(resume);
            self.piece.start = resume.max(self.piece.start).min(self.piece.end);
            if let Some(url) = url {
                return Some(Found {
                    range,
                    written,
                    url,
                });
            }
        }
        None
    }
}

impl Finder<'_> {
    /// The next possible URL of the piece.
    fn candidate(&self) -> Option<Candidate> {
        let Range { start, end } = self.piece;
        let piece = self.text.get(start..end)?;
        let scheme = scheme_start(piece);
        // Host names before the scheme come first.
        let before = scheme.map_or(piece, |(at, _)| piece.get(..at).unwrap_or_default());
        if let Some(bare) = bare_host(before, self.text.get(..start).unwrap_or_default()) {
            let range = start + bare.start..start + bare.end;
            return Some(Candidate {
                otherwise: range.end,
                range,
            });
        }
        let (at, body) = scheme?;
        let (from, body) = (start + at, start + body);
        if let Some(wrapped) = self.wrapped(from) {
            return Some(Candidate {
                range: from..wrapped,
                otherwise: body,
            });
        }
        let stop = self
            .text
            .floor_char_boundary(end.min(from + MAX_URL_LENGTH));
        let stop = body + next_scheme(self.text.get(body..stop).unwrap_or_default());
        let written = self.text.get(from..stop).unwrap_or_default();
        Some(Candidate {
            range: from..from + trimmed_length(written),
            otherwise: body,
        })
    }

    /// Where a URL in angle brackets ends that goes on in the next line.
    fn wrapped(&self, from: usize) -> Option<usize> {
        let before = from.checked_sub(1)?;
        if self.text.as_bytes().get(before) != Some(&b'<') {
            return None;
        }
        let rest = self.text.as_bytes().get(from..)?;
        let rest = rest.get(..MAX_WRAPPED).unwrap_or(rest);
        let end = memchr::memchr2(b'>', b'<', rest)?;
        let inside = rest.get(..end)?;
        if rest.get(end) != Some(&b'>') || !inside.contains(&b'\n') {
            return None;
        }
        // Blanks only where a line begins or ends.
        let mut lines = inside.split(|&b| b == b'\n').map(<[u8]>::trim_ascii);
        lines
            .all(|line| !line.is_empty() && !line.iter().any(u8::is_ascii_whitespace))
            .then_some(from + end)
    }
}

/// The next piece of text, from `at`, that has a dot or a colon in it.
fn next_piece(text: &str, at: usize) -> Option<Range<usize>> {
    let octets = text.as_bytes();
    let mut start = at;
    let mut promising = false;
    let mut here = at;
    while let Some(&octet) = octets.get(here) {
        let mut width = 1;
        let mut ends = octet <= b' ' || matches!(octet, b'<' | b'>' | b'"' | b'`' | 0x7f);
        if octet >= 0x80 {
            let mut rest = text.get(here..)?.chars();
            let c = rest.next()?;
            width = c.len_utf8();
            ends = ends_piece(c, rest.next());
            promising |= !ends && matches!(c, '\u{3002}' | '\u{ff0e}' | '\u{ff61}');
        } else if octet == b'.' || octet == b':' {
            promising = true;
        } else if octet == b'[' || octet == b'(' {
            // `example[dot]com`
            promising |= octets
                .get(here + 1..here + 4)
                .is_some_and(|word| word.eq_ignore_ascii_case(b"dot"));
        }
        if ends || here - start >= MAX_PIECE {
            if promising {
                return Some(start..here);
            }
            start = if ends { here + width } else { here };
        }
        here += width;
    }
    promising.then_some(start..text.len())
}

/// Characters outside ASCII at which no URL goes on. Full-width dots may stand in a host.
fn ends_piece(c: char, next: Option<char>) -> bool {
    match c {
        '\u{3002}' | '\u{ff0e}' | '\u{ff61}' => !next.is_some_and(|c| c.is_ascii_alphanumeric()),
        '«' | '»' | '“' | '”' | '„' | '‹' | '›' | '…' | '（' | '）' | '，' | '：' | '；' | '！'
        | '？' | '、' | '「' | '」' | '『' | '』' | '【' | '】' | '《' | '》' => true,
        _ => c.is_whitespace() || c.is_control(),
    }
}

/// Where the first scheme of a piece starts, and where what follows it does.
fn scheme_start(piece: &str) -> Option<(usize, usize)> {
    let octets = piece.as_bytes();
    memchr::memchr_iter(b':', octets).find_map(|colon| {
        let defanged = colon > 0
            && octets.get(colon - 1) == Some(&b'[')
            && octets.get(colon + 1) == Some(&b']');
        let (name_end, body) = if defanged {
            (colon - 1, colon + 2)
        } else {
            (colon, colon + 1)
        };
        let head = octets.get(name_end.saturating_sub(12)..name_end)?;
        let length = head
            .iter()
            .rev()
            .take_while(|b| b.is_ascii_alphanumeric() || **b == b'*')
            .count();
        let name = piece.get(name_end - length..name_end)?;
        let slashes = octets
            .get(body..body + 2)
            .is_some_and(|two| two.iter().all(|b| matches!(b, b'/' | b'\\')));
        if slashes {
            let names = SPECIAL
                .iter()
                .map(|(name, _)| *name)
                .chain(DEFANGED.iter().map(|(name, _)| *name));
            let longest = names
                .filter(|known| {
                    name.len()
                        .checked_sub(known.len())
                        .and_then(|at| name.get(at..))
                        .is_some_and(|tail| tail.eq_ignore_ascii_case(known))
                })
                .map(str::len)
                .max()?;
            return Some((name_end - longest, body + 2));
        }
        let known = FOUND_OPAQUE
            .iter()
            .any(|known| name.eq_ignore_ascii_case(known));
        let follows = octets
            .get(body)
            .is_some_and(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'%'));
        (known && follows && !defanged).then_some((name_end - length, body))
    })
}

/// Where in a piece a second URL starts that is no part of the first: behind `,`, `;`, `|` or a
/// closing bracket.
fn next_scheme(body: &str) -> usize {
    let octets = body.as_bytes();
    memchr::memmem::find_iter(octets, b"http")
        .find(|&at| {
            let parted = at
                .checked_sub(1)
                .and_then(|before| octets.get(before))
                .is_some_and(|b| matches!(b, b',' | b';' | b'|' | b')' | b']' | b'}'));
            let rest = octets.get(at + 4..).unwrap_or_default();
            parted && (rest.starts_with(b"://") || rest.starts_with(b"s://"))
        })
        .unwrap_or(body.len())
}

/// How long a URL is without the punctuation of the sentence it stands in.
fn trimmed_length(written: &str) -> usize {
    let mut depth = [0i32; 3];
    for octet in written.bytes() {
        match octet {
            b'(' => depth[0] += 1,
            b')' => depth[0] -= 1,
            b'[' => depth[1] += 1,
            b']' => depth[1] -= 1,
            b'{' => depth[2] += 1,
            b'}' => depth[2] -= 1,
            _ => {}
        }
    }
    let mut rest = written;
    while let Some(last) = rest.chars().next_back() {
        let bracket = match last {
            ')' => Some(0),
            ']' => Some(1),
            '}' => Some(2),
            _ => None,
        };
        let drop = match bracket.and_then(|kind| depth.get_mut(kind)) {
            Some(open) if *open < 0 => {
                *open += 1;
                true
            }
            Some(_) => false,
            None => matches!(
                last,
                '.' | ','
                    | ';'
                    | ':'
                    | '!'
                    | '?'
                    | '\''
                    | '*'
                    | '_'
                    | '~'
                    | '('
                    | '['
                    | '{'
                    | '|'
                    | '^'
                    | '’'
                    | '‘'
                    | '\u{3002}'
                    | '\u{ff0e}'
            ),
        };
        if !drop {
            break;
        }
        if matches!(last, '(' | '[' | '{') {
            let kind = usize::from(last == '[') + 2 * usize::from(last == '{');
            if let Some(open) = depth.get_mut(kind) {
                *open -= 1;
            }
        }
        rest = rest.get(..rest.len() - last.len_utf8()).unwrap_or_default();
    }
    rest.len()
}

/// A host without a scheme, with its path: `www.example.com/x`, `example[.]com`.
fn bare_host(piece: &str, before: &str) -> Option<Range<usize>> {
    let mut from = 0;
    while let Some(rest) = piece.get(from..).filter(|rest| !rest.is_empty()) {
        let start = from + rest.find(is_host_character)?;
        let length = host_length(piece.get(start..)?);
        let end = start + length;
        let previous = piece
            .get(..start)
            .and_then(|text| text.chars().next_back())
            .or_else(|| before.chars().next_back());
        let next = piece.get(end..).and_then(|text| text.chars().next());
        from = end.max(start + 1);
        while !piece.is_char_boundary(from) {
            from += 1;
        }
        let host = piece.get(start..end).unwrap_or_default();
        let attached = matches!(
            previous,
            Some('@' | '/' | '\\' | '=' | '&' | '%' | '$' | '#')
        );
        if attached || next == Some('@') {
            continue;
        }
        let host = host.trim_end_matches(['.', '-', '_']);
        let followed = end == start + host.len() && matches!(next, Some('/' | ':' | '?' | '#'));
        // `10.0.0.0/8` is a network.
        let letter = |text: &str| text.starts_with(|c: char| c.is_alphabetic());
        let has_path = followed
            && next == Some('/')
            && (piece.get(end + 1..).is_some_and(letter) || host.contains(char::is_alphabetic));
        if !is_likely_host(host, has_path) {
            continue;
        }
        if !followed {
            return Some(start..start + host.len());
        }
        let rest = piece.get(start..).unwrap_or_default();
        let stop = rest.floor_char_boundary(MAX_URL_LENGTH);
        let rest = rest.get(..stop).unwrap_or(rest);
        // `user:name@host` and `host:text` are no hosts with ports.
        let port = |text: &str| text.starts_with(|c: char| c.is_ascii_digit());
        if next == Some(':') && !rest.get(host.len() + 1..).is_some_and(port) {
            return Some(start..start + host.len());
        }
        let length = host.len() + next_scheme(rest.get(host.len()..).unwrap_or_default());
        let rest = rest.get(..length).unwrap_or(rest);
        return Some(start..start + trimmed_length(rest));
    }
    None
}

fn is_host_character(c: char) -> bool {
    c.is_ascii_alphanumeric() || (!c.is_ascii() && c.is_alphanumeric())
}

/// Octets of the host name a text starts with, de-fanged dots included.
fn host_length(text: &str) -> usize {
    let mut length = 0;
    while let Some(rest) = text.get(length..) {
        let Some(c) = rest.chars().next() else { break };
        let dot = [
            "[.]", "(.)", "{.}", "[dot]", "(dot)", "{dot}", "[DOT]", "(DOT)",
        ]
        .iter()
        .find(|dot| matches!(c, '[' | '(' | '{') && rest.starts_with(*dot));
        if let Some(dot) = dot {
            length += dot.len();
        } else if is_host_character(c)
            || matches!(c, '.' | '-' | '_' | '\u{3002}' | '\u{ff0e}' | '\u{ff61}')
            || (!c.is_ascii() && script::is_invisible(c))
        {
            length += c.len_utf8();
        } else {
            break;
        }
    }
    length
}

/// Whether a name in a text is meant as a host.
fn is_likely_host(written: &str, has_path: bool) -> bool {
    let dotted = written.contains(['.', '[', '(', '{', '\u{3002}', '\u{ff0e}', '\u{ff61}']);
    if !dotted || written.len() < 4 || written.len() > 2 * super::MAX_HOST {
        return false;
    }
    let Some(Url {
        host: Some(host), ..
    }) = Url::parse_alone(written)
    else {
        return false;
    };
    let super::Host::Domain(name) = host else {
        // A version, or the host of a URL: only a path tells.
        return has_path && written.matches('.').count() == 3;
    };
    if name.starts_with("www.") {
        return true;
    }
    let Some((_, last)) = name.rsplit_once('.') else {
        return false;
    };
    // The end of a sentence without a blank behind it: `done.In`.
    let written_last = written
        .rsplit(['.', ']', ')', '}'])
        .next()
        .unwrap_or_default();
    let mut letters = written_last.chars();
    let titled = letters.next().is_some_and(char::is_uppercase) && letters.any(char::is_lowercase);
    let file = !has_path && FILE_NAMES.contains(&last) && name.matches('.').count() == 1;
    !titled && !file && is_known_suffix(&name)
}
