//! The text of a message: as readers see it, as it hides, as it stands.

use std::cell::OnceCell;
use std::collections::HashSet;
use std::ops::Range;

use text::html::Page;

use super::limits::{BLOCKS, RAW_PIECE};
use super::parts::{Parts, TextKind};

/// All text parts of a message.
#[derive(Debug, Default)]
pub(crate) struct Body {
    /// The subject, then the visible paragraphs with white space as single blanks.
    pub(crate) paragraphs: Vec<String>,
    /// The visible text of all parts.
    pub(crate) text: String,
    /// What hides.
    pub(crate) hidden: String,
    /// The parts decoded, markup left in.
    raw: Vec<String>,
    pieces: Vec<(usize, Range<usize>)>,
    /// The HTML parts, read.
    pub(crate) pages: Vec<Page>,
    /// The visible text of plain parts.
    pub(crate) plain: String,
    /// Octets of the HTML parts.
    pub(crate) html_octets: usize,
    languages: OnceCell<Vec<String>>,
    pub(crate) has_plain: bool,
    pub(crate) has_html: bool,
    pub(crate) base64_needlessly: bool,
    pub(crate) parts: usize,
    pub(crate) truncated: bool,
}

impl Body {
    /// Takes the text out of `parts`; a page that is missing ended its reader.
    pub(crate) fn read(parts: &mut Parts, pages: Vec<Option<Page>>, subject: &str) -> Self {
        let mut body = Self {
            paragraphs: vec![subject.to_owned()],
            truncated: parts.text_truncated,
            ..Self::default()
        };
        let mut pages = pages.into_iter();
        for part in std::mem::take(&mut parts.texts) {
            body.parts += 1;
            body.base64_needlessly |= part.base64_needlessly;
            if part.kind == TextKind::Html {
                body.has_html = true;
                body.html_octets += part.decoded.len();
                match pages.next().flatten() {
                    Some(page) => body.add_page(page),
                    // As it stands: better than nothing to be found.
                    None => body.add_text(&part.decoded),
                }
            } else {
                body.has_plain |= part.kind == TextKind::Plain;
                body.add_text(&part.decoded);
            }
            body.keep(part.decoded);
        }
        body
    }

    fn add_page(&mut self, page: Page) {
        self.truncated |= page.truncated;
        join(&mut self.text, &page.text);
        self.paragraphs.extend(blocks(&page.text));
        join(&mut self.hidden, &page.hidden);
        self.pages.push(page);
    }

    fn add_text(&mut self, text: &str) {
        join(&mut self.text, text);
        self.paragraphs.extend(paragraphs(text));
        join(&mut self.plain, text);
    }

    fn keep(&mut self, decoded: String) {
        let number = self.raw.len();
        self.pieces
            .extend(pieces(&decoded).map(|range| (number, range)));
        self.raw.push(decoded);
    }

    /// The languages of the visible text; found out when somebody asks, which costs more than
    /// everything else here.
    pub(crate) fn languages(&self) -> &[String] {
        self.languages.get_or_init(|| {
            let found = text::language::detect(&self.text).into_iter();
            found.map(|language| language.code().to_owned()).collect()
        })
    }

    /// The decoded parts in pieces that end at line ends.
    pub(crate) fn pieces(&self) -> impl Iterator<Item = &[u8]> {
        self.pieces.iter().filter_map(|(number, range)| {
            let text = self.raw.get(*number)?;
            text.as_bytes().get(range.clone())
        })
    }

    /// Words of the plain parts that the HTML parts lack, in percent of the former.
    pub(crate) fn alternative_difference(&self) -> f64 {
        if self.pages.is_empty() || self.plain.is_empty() {
            return 0.0;
        }
        let words = |text: &str| -> HashSet<u64> {
            text::words::iterate(text)
                .map(|word| xxhash_rust::xxh3::xxh3_64(text::words::fold(word).as_bytes()))
                .collect()
        };
        let mut seen = HashSet::new();
        for page in &self.pages {
            seen.extend(words(&page.text));
        }
        let plain = words(&self.plain);
        let missing = plain.difference(&seen).count();
        percent(missing, plain.len())
    }
}

/// `part` of `whole` in percent; 0 of nothing.
pub(crate) fn percent(part: usize, whole: usize) -> f64 {
    if whole == 0 {
        return 0.0;
    }
    count(part) * 100.0 / count(whole)
}

/// A count as a number of the vocabulary.
pub(crate) fn count(count: usize) -> f64 {
    u32::try_from(count).map_or(f64::from(u32::MAX), f64::from)
}

fn join(whole: &mut String, text: &str) {
    if text.is_empty() {
        return;
    }
    if !whole.is_empty() && !whole.ends_with('\n') {
        whole.push('\n');
    }
    whole.push_str(text);
}

/// The paragraphs of plain text, as empty lines part them.
fn paragraphs(text: &str) -> Vec<String> {
    let mut all = Vec::new();
    let mut current = String::new();
    let mut end = |current: &mut String| {
        if !current.is_empty() {
            all.push(std::mem::take(current));
        }
    };
    for line in text.lines() {
        let mut is_blank = true;
        for word in line.split_whitespace() {
            is_blank = false;
            if !current.is_empty() {
                current.push(' ');
            }
            current.push_str(word);
        }
        if is_blank {
            end(&mut current);
        }
    }
    end(&mut current);
    all
}

/// The text of a page, a line for each of its blocks, in pieces of whole blocks: what belongs
/// together often stands in several.
fn blocks(text: &str) -> Vec<String> {
    let mut all = Vec::new();
    let mut current = String::new();
    for line in text.lines().filter(|line| !line.is_empty()) {
        if !current.is_empty() {
            if current.len() + line.len() >= BLOCKS {
                all.push(std::mem::take(&mut current));
            } else {
                current.push(' ');
            }
        }
        current.push_str(line);
    }
    if !current.is_empty() {
        all.push(current);
    }
    all
}

/// Ranges of at most [`RAW_PIECE`] octets that end at line ends where there are any.
fn pieces(text: &str) -> impl Iterator<Item = Range<usize>> {
    let mut start = 0;
    std::iter::from_fn(move || {
        let rest = text.get(start..).filter(|rest| !rest.is_empty())?;
        let most = rest.floor_char_boundary(RAW_PIECE.min(rest.len()));
        let length = match rest.get(..most) {
            Some(piece) if most < rest.len() => piece.rfind('\n').map_or(most, |at| at + 1),
            _ => most,
        };
        let range = start..start + length;
        start += length;
        Some(range)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paragraphs_end_at_empty_lines() {
        assert_eq!(
            paragraphs("one\n two\t2\n\n\n three\n"),
            ["one two 2", "three"]
        );
        assert!(paragraphs("").is_empty());
    }

    #[test]
    fn blocks_of_a_page_are_joined_up_to_a_length() {
        assert_eq!(blocks("one\ntwo\nthree"), ["one two three"]);
        let long = "x".repeat(BLOCKS);
        assert_eq!(blocks(&format!("one\n{long}\ntwo")), ["one", &long, "two"]);
        assert!(blocks("").is_empty());
    }

    #[test]
    fn pieces_cover_the_text_and_end_at_lines() {
        let line = "x".repeat(100) + "\n";
        let text = line.repeat(100) + &"ä".repeat(5_000);
        let ranges: Vec<_> = pieces(&text).collect();
        assert!(ranges.iter().all(|range| range.len() <= RAW_PIECE));
        let joined: String = ranges.iter().map(|range| &text[range.clone()]).collect();
        assert_eq!(joined, text);
        assert!(text[ranges[0].clone()].ends_with('\n'));
    }
}
