//! A message as a set of hashes.
//!
//! Running text gives single words and pairs of words that stand at most four apart (orthogonal
//! sparse bigrams: Siefkes, Assis, Chhabra, Yerazunis, "Combining Winnow and Orthogonal Sparse
//! Bigrams for Incremental Spam Filtering", 2004). Marks (what header fields and links say) stand
//! for themselves. Words come folded; this module neither splits nor folds.

use std::collections::HashSet;

use xxhash_rust::xxh3::xxh3_64_with_seed;

/// The most tokens of running text in one message. Later ones are left out.
pub const MAX_WORD_TOKENS: usize = 7_168;

/// The most tokens of marks in one message. Later ones are left out.
pub const MAX_MARK_TOKENS: usize = 1_024;

/// The most tokens of one message.
pub const MAX_TOKENS: usize = MAX_WORD_TOKENS + MAX_MARK_TOKENS;

/// The longest word in bytes that is looked at; of a longer one only its beginning.
pub const MAX_WORD: usize = 64;

/// How far apart the words of a pair are at most.
const DISTANCE: usize = 4;

/// The kind of a token that is a single word. Kinds 1 to 4 are pairs of that distance.
pub(crate) const SINGLE: u8 = 0;

/// The kind of a token that is a mark.
pub(crate) const MARK: u8 = 5;

const KIND_BITS: u64 = 7;

/// Bytes of a fingerprint as it is stored.
pub(crate) const STORED: usize = 6;

/// One thing a message says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Word<'a> {
    /// A word of the body, folded.
    Body(&'a str),
    /// A word of the subject, folded.
    Subject(&'a str),
    /// Something else, with a prefix that says what: `from-domain:example.com`, `url:example.org`.
    Mark(&'a str),
    /// The text ends here: words before and after are no neighbours.
    Break,
}

/// The words just seen, nearest first.
#[derive(Debug, Clone, Copy, Default)]
struct Window([Option<u64>; DISTANCE]);

impl Window {
    fn push(&mut self, word: u64) {
        let [first, second, third, _] = self.0;
        self.0 = [Some(word), first, second, third];
    }
}

/// Makes [`Tokens`] of words, one after the other.
#[derive(Debug, Default)]
pub struct Tokenizer {
    body: Window,
    subject: Window,
    seen: HashSet<u64>,
    words: usize,
    marks: usize,
}

impl Tokenizer {
    /// Nothing read yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads one word. Empty ones are passed over.
    pub fn push(&mut self, word: Word<'_>) {
        match word {
            Word::Body("") | Word::Subject("") | Word::Mark("") => {}
            Word::Body(text) => {
                let mut window = self.body;
                self.running(&mut window, hash(text, 0x626f_6479));
                self.body = window;
            }
            Word::Subject(text) => {
                let mut window = self.subject;
                self.running(&mut window, hash(text, 0x7375_626a));
                self.subject = window;
            }
            Word::Mark(text) => {
                if self.marks < MAX_MARK_TOKENS && self.add(hash(text, 0x6d61_726b), MARK) {
                    self.marks += 1;
                }
            }
            Word::Break => {
                self.body = Window::default();
                self.subject = Window::default();
            }
        }
    }

    /// The tokens of what was read.
    #[must_use]
    pub fn finish(self) -> Tokens {
        let mut tokens: Vec<u64> = self.seen.into_iter().collect();
        tokens.sort_unstable();
        Tokens(tokens)
    }

    fn running(&mut self, window: &mut Window, word: u64) {
        self.add_word(word, SINGLE);
        for (distance, before) in (1u8..).zip(window.0) {
            let Some(before) = before else { break };
            let mut pair = [0; 16];
            let (left, right) = pair.split_at_mut(8);
            left.copy_from_slice(&before.to_le_bytes());
            right.copy_from_slice(&word.to_le_bytes());
            self.add_word(xxh3_64_with_seed(&pair, u64::from(distance)), distance);
        }
        window.push(word);
    }

    fn add_word(&mut self, hash: u64, kind: u8) {
        if self.words < MAX_WORD_TOKENS && self.add(hash, kind) {
            self.words += 1;
        }
    }

    fn add(&mut self, hash: u64, kind: u8) -> bool {
        self.seen.insert((hash & !KIND_BITS) | u64::from(kind))
    }
}

/// What a message says, as at most [`MAX_TOKENS`] hashes in ascending order, each once. The same on
/// every platform.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tokens(Vec<u64>);

impl Tokens {
    /// The tokens of `words`.
    pub fn of<'a>(words: impl IntoIterator<Item = Word<'a>>) -> Self {
        let mut tokenizer = Tokenizer::new();
        for word in words {
            tokenizer.push(word);
        }
        tokenizer.finish()
    }

    /// How many.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether the message says nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Fingerprint and kind of each, ascending by fingerprint, each fingerprint once.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u64, u8)> {
        let mut last = None;
        self.0.iter().filter_map(move |&token| {
            let fingerprint = fingerprint(token);
            if last.replace(fingerprint) == Some(fingerprint) {
                return None;
            }
            let kind = u8::try_from(token & KIND_BITS).unwrap_or(MARK);
            Some((fingerprint, kind))
        })
    }

    /// The fingerprints alone.
    pub(crate) fn fingerprints(&self) -> Vec<u64> {
        self.iter().map(|(fingerprint, _)| fingerprint).collect()
    }
}

/// The upper 48 bits; never 0, which marks a free place.
fn fingerprint(token: u64) -> u64 {
    (token >> 16).max(1)
}

/// Fingerprints as a row of the journal keeps them.
pub(crate) fn pack(fingerprints: &[u64]) -> Vec<u8> {
    let mut packed = Vec::with_capacity(fingerprints.len() * STORED);
    for fingerprint in fingerprints {
        packed.extend(fingerprint.to_le_bytes().into_iter().take(STORED));
    }
    packed
}

/// The reverse of [`pack`]; `None` unless the length is right.
pub(crate) fn unpack(packed: &[u8]) -> Option<Vec<u64>> {
    let chunks = packed.chunks_exact(STORED);
    if !chunks.remainder().is_empty() {
        return None;
    }
    Some(
        chunks
            .map(|chunk| {
                let mut bytes = [0; 8];
                for (to, from) in bytes.iter_mut().zip(chunk) {
                    *to = *from;
                }
                u64::from_le_bytes(bytes)
            })
            .collect(),
    )
}

fn hash(text: &str, seed: u64) -> u64 {
    let bytes = text.as_bytes();
    xxh3_64_with_seed(bytes.get(..MAX_WORD).unwrap_or(bytes), seed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(text: &str) -> Tokens {
        Tokens::of(text.split(' ').map(Word::Body))
    }

    #[test]
    fn words_pair_with_the_four_before_them() {
        let count = |text| body(text).len();
        assert_eq!(count(""), 0);
        assert_eq!(count("a"), 1);
        assert_eq!(count("a b"), 3);
        // Six words: 6 single, and 1 + 2 + 3 + 4 + 4 pairs.
        assert_eq!(count("a b c d e f"), 20);
        assert_eq!(count("a a a a a a"), 5, "a pair counts once per distance");
    }

    #[test]
    fn order_place_and_distance_matter() {
        assert_ne!(body("a b"), body("b a"));
        let marked = Tokens::of([Word::Mark("a"), Word::Mark("b")]);
        let subject = Tokens::of([Word::Subject("a"), Word::Subject("b")]);
        assert_ne!(body("a b"), subject);
        assert_eq!(marked.len(), 2);
        let broken = Tokens::of([Word::Body("a"), Word::Break, Word::Body("b")]);
        assert_eq!(broken.len(), 2);
    }

    #[test]
    fn the_subject_does_not_end_the_neighbourhood_of_the_body() {
        let mixed = Tokens::of([Word::Body("a"), Word::Subject("x"), Word::Body("b")]);
        assert_eq!(mixed.len(), 4);
    }

    #[test]
    fn a_long_text_leaves_room_for_marks() {
        let words: Vec<String> = (0..10_000).map(|n| format!("w{n}")).collect();
        let tokens = Tokens::of(
            words
                .iter()
                .map(|word| Word::Body(word))
                .chain(words.iter().map(|word| Word::Mark(word))),
        );
        assert_eq!(tokens.len(), MAX_TOKENS);
        let marks = tokens.iter().filter(|(_, kind)| *kind == MARK).count();
        assert_eq!(marks, MAX_MARK_TOKENS);
    }

    #[test]
    fn hashes_are_those_of_every_other_build() {
        // Counts on disk depend on these numbers.
        let tokens = Tokens::of([Word::Body("viagra"), Word::Mark("url:example.com")]);
        assert_eq!(tokens.0, HASHES);
    }

    const HASHES: [u64; 2] = [8_650_173_937_650_707_525, 18_442_598_350_889_429_832];

    #[test]
    fn fingerprints_survive_packing_and_damage_is_seen() {
        let fingerprints = body("a b c d").fingerprints();
        let packed = pack(&fingerprints);
        assert_eq!(unpack(&packed).unwrap(), fingerprints);
        assert_eq!(unpack(&packed[1..]), None);
    }
}
