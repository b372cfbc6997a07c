//! ISO 32000-1 §7.3.8 and §7.5.7: streams of a PDF, as far as they matter here: those that hold
//! objects and those that are embedded files.

use memchr::memmem;

use crate::bytes::{clamped, contains, from, head};

/// Octets before a stream in which its dictionary is looked for.
const MAX_DICTIONARY: usize = 2048;

/// Keywords that are looked at.
const MAX_KEYWORDS: usize = 20_000;

/// What a stream is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A stream of objects.
    Objects,
    /// An embedded file.
    File,
}

/// A stream that matters.
#[derive(Debug)]
pub(crate) struct Stream<'a> {
    pub(crate) kind: Kind,
    /// Whether it is deflated, and nothing else.
    pub(crate) deflated: bool,
    /// Whether it stands as it is.
    pub(crate) plain: bool,
    /// From its first octet to the end of the file, or to the keyword that ends it.
    pub(crate) data: &'a [u8],
}

/// The streams that matter, in the order of the file.
pub(crate) fn streams(file: &[u8]) -> impl Iterator<Item = Stream<'_>> {
    memmem::find_iter(file, b"stream")
        .take(MAX_KEYWORDS)
        .filter_map(move |at| stream(file, at))
}

fn stream(file: &[u8], at: usize) -> Option<Stream<'_>> {
    let window = file.get(at.saturating_sub(MAX_DICTIONARY)..at)?;
    // "endstream" is no beginning.
    if window.ends_with(b"end") {
        return None;
    }
    let start = memmem::rfind(window, b"obj").unwrap_or(0);
    let dictionary = unescape(from(window, start));
    let kind = if contains(&dictionary, b"/ObjStm") {
        Kind::Objects
    } else if contains(&dictionary, b"/EmbeddedFile") {
        Kind::File
    } else {
        return None;
    };
    let after = from(file, at.saturating_add(6));
    let after = after.strip_prefix(b"\r").unwrap_or(after);
    let after = after.strip_prefix(b"\n").unwrap_or(after);
    let filtered = contains(&dictionary, b"/Filter");
    let deflated = contains(&dictionary, b"/FlateDecode") || contains(&dictionary, b"/Fl ");
    let others = [
        &b"/ASCIIHexDecode"[..],
        b"/ASCII85Decode",
        b"/LZWDecode",
        b"/Crypt",
        b"/RunLength",
    ];
    let others = others.iter().any(|name| contains(&dictionary, name));
    Some(Stream {
        kind,
        deflated: deflated && !others,
        plain: !filtered,
        data: after,
    })
}

impl Stream<'_> {
    /// The octets of a stream that stands as it is, at most `length` and up to its end.
    pub(crate) fn stored(&self, length: usize) -> &[u8] {
        let window = clamped(self.data, 0, length);
        head(
            window,
            memmem::find(window, b"endstream").unwrap_or(window.len()),
        )
    }
}

/// §7.3.5: names with `#xx` as what they stand for. Only short pieces are handed in.
pub(crate) fn unescape(octets: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(octets.len());
    let mut rest = octets;
    while let Some((&first, after)) = rest.split_first() {
        rest = after;
        if first == b'#'
            && let Some((octet, after)) = escaped(after)
        {
            plain.push(octet);
            rest = after;
            continue;
        }
        plain.push(first);
    }
    plain
}

fn escaped(after: &[u8]) -> Option<(u8, &[u8])> {
    let (digits, rest) = after.split_first_chunk::<2>()?;
    let high = char::from(digits[0]).to_digit(16)?;
    let low = char::from(digits[1]).to_digit(16)?;
    Some((u8::try_from(high * 16 + low).ok()?, rest))
}
