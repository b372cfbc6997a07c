//! Instructions: words of eight bytes, little-endian.
//!
//! Every instruction starts with a [`Word`]; some are followed by operand words, see [`width`].
//! "Next" is the byte the direction of the code consumes next: the one after the position in
//! forward code, the one before it in backward code.

/// Operations. The comments name the fields of the first word, and the words that follow it.
pub(super) mod op {
    /// Never matches.
    pub(crate) const FAIL: u8 = 0;
    /// The end of a section or of an inner program: matched.
    pub(crate) const MATCH: u8 = 1;
    /// Consumes the byte `a`.
    pub(crate) const BYTE: u8 = 2;
    /// Consumes a byte of set `b`.
    pub(crate) const SET: u8 = 3;
    /// Consumes `a` bytes (1 to 8). Word 1: the value, word 2: the mask; in haystack order, zero
    /// beyond `a`. Each byte must equal the value's where the mask has ones.
    pub(crate) const MASKED: u8 = 4;
    /// Consumes bytes of set `b`, as many as there are but at most `c` of word 1 and at least `c`;
    /// then demands the guard: set `b` of word 1, or the edge if `a` has
    /// [`NEXT_EDGE`](super::NEXT_EDGE). Word 1 says with `a` (see [`super::scan`]) and `op` (a
    /// byte) how to find the end of the run quickly.
    pub(crate) const RUN: u8 = 5;
    /// The same fields, shortest first, at every length after which the guard holds.
    pub(crate) const LAZY: u8 = 6;
    /// The same fields, longest first, at every length after which the guard holds.
    pub(crate) const GREEDY: u8 = 7;
    /// Goes to `c`.
    pub(crate) const JUMP: u8 = 8;
    /// Goes to `c`, and, should that fail, on.
    pub(crate) const FORK: u8 = 9;
    /// On, or to `c`, or first one and then the other. On is possible when the next byte is in set
    /// `b` (at the edge: [`NEXT_EDGE`](super::NEXT_EDGE) in `a`), `c` when it is in set `c` of word
    /// 1 ([`TARGET_EDGE`](super::TARGET_EDGE)); `c` comes first with
    /// [`TARGET_FIRST`](super::TARGET_FIRST).
    pub(crate) const BRANCH: u8 = 10;
    /// Looks the next byte up in the table of 256 bytes that starts at set `c`; the edge is `b`.
    /// The result is which of the `a` jumps that follow is taken; `a` or more: none, fails.
    pub(crate) const SWITCH: u8 = 11;
    /// Demands the condition numbered `a`, see [`assertion`](super::assertion).
    pub(crate) const ASSERT: u8 = 12;
    /// Demands that the byte after the position (`a` has [`PEEK_AHEAD`](super::PEEK_AHEAD)) or
    /// before it is in set `b`; at the edge, that `a` has [`NEXT_EDGE`](super::NEXT_EDGE).
    pub(crate) const PEEK: u8 = 13;
    /// Demands that the inner program, which follows up to `c`, matches here, or, with
    /// [`LOOK_NEGATIVE`](super::LOOK_NEGATIVE) in `a`, that it does not. It is forward code with
    /// [`LOOK_AHEAD`](super::LOOK_AHEAD), backward code without.
    pub(crate) const LOOK: u8 = 14;
    /// Runs the inner program, which follows up to `c`, and goes on from where it ends; what it
    /// could have matched otherwise is forgotten.
    pub(crate) const ATOMIC: u8 = 15;
    /// Sets counter `b` to zero. What follows up to `c` is the loop: [`COUNT`], [`STEP`], the
    /// body, a jump to the [`COUNT`].
    pub(crate) const ENTER: u8 = 16;
    /// Decides whether the loop of counter `b` goes on, as [`BRANCH`] does with the flags `a`:
    /// below the minimum it does, at the maximum it goes to `c`. Word 1: set `b` for going on,
    /// minimum `c`. Word 2: set `b` for leaving, maximum `c`.
    pub(crate) const COUNT: u8 = 17;
    /// Adds one to counter `b`. `c` is the loop's [`COUNT`].
    pub(crate) const STEP: u8 = 18;
    /// Remembers the position in register `b`.
    pub(crate) const PLACE: u8 = 19;
    /// Goes to `c` if the position is the one in register `b` and the counter `b` of word 1 has
    /// reached `c` of word 1 (which may be zero: no counter).
    pub(crate) const ADVANCE: u8 = 20;
    /// A group opens: register `b` is its start, should it close.
    pub(crate) const OPEN: u8 = 21;
    /// A group closes: registers `b + 1` and `b + 2` become its start and end.
    pub(crate) const CLOSE: u8 = 22;
    /// Consumes the text between registers `b + 1` and `b + 2`; `a` is 1 if ASCII case is ignored.
    pub(crate) const BACKREFERENCE: u8 = 23;
    /// The reported match starts here: register 0.
    pub(crate) const KEEP: u8 = 24;
}

/// How the end of a run is found.
pub(super) mod scan {
    /// Byte by byte.
    pub(crate) const SET: u8 = 0;
    /// The set is every byte.
    pub(crate) const ALL: u8 = 1;
    /// The set is every byte but one.
    pub(crate) const ALL_BUT_ONE: u8 = 2;
}

/// Going on is possible at the edge of the haystack.
pub(super) const NEXT_EDGE: u8 = 1;
/// Going to the target is possible at the edge of the haystack.
pub(super) const TARGET_EDGE: u8 = 2;
/// The target comes first.
pub(super) const TARGET_FIRST: u8 = 4;
/// [`op::PEEK`] tests the byte after the position.
pub(super) const PEEK_AHEAD: u8 = 2;
/// [`op::LOOK`] looks ahead.
pub(super) const LOOK_AHEAD: u8 = 1;
/// [`op::LOOK`] wants no match.
pub(super) const LOOK_NEGATIVE: u8 = 2;
/// A maximum that stands for no end, a register that holds nothing.
pub(super) const NONE: u32 = u32::MAX;
/// An [`op::SWITCH`] result that is no jump.
pub(super) const NO_JUMP: u8 = u8::MAX;
/// Sets that a table of an [`op::SWITCH`] takes the place of.
pub(super) const TABLE_SETS: u32 = 8;

/// Eight bytes of code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(super) struct Word {
    /// The operation, see [`op`].
    pub(super) op: u8,
    /// Flags or a small number.
    pub(super) a: u8,
    /// A set or a register.
    pub(super) b: u16,
    /// A target or a count.
    pub(super) c: u32,
}

impl Word {
    /// Decodes eight bytes.
    #[inline(always)]
    pub(super) fn from_bytes(bytes: [u8; 8]) -> Self {
        let [op, a, b0, b1, c0, c1, c2, c3] = bytes;
        Self {
            op,
            a,
            b: u16::from_le_bytes([b0, b1]),
            c: u32::from_le_bytes([c0, c1, c2, c3]),
        }
    }

    /// Encodes.
    pub(super) fn to_bytes(self) -> [u8; 8] {
        let [b0, b1] = self.b.to_le_bytes();
        let [c0, c1, c2, c3] = self.c.to_le_bytes();
        [self.op, self.a, b0, b1, c0, c1, c2, c3]
    }
}

/// How many words an operation takes, its own included. The jumps of an [`op::SWITCH`] are
/// instructions of their own.
#[inline(always)]
pub(super) fn width(op: u8) -> usize {
    // Without branches: operations come in an order no processor foresees.
    1 + usize::from(is_one_of(op, WIDE)) + usize::from(is_one_of(op, WIDEST))
}

/// Whether `c` is a target.
#[inline(always)]
pub(super) fn has_target(op: u8) -> bool {
    is_one_of(op, LEADING)
}

/// Operations of two words or more, as bits.
const WIDE: u32 = bits(&[
    op::MASKED,
    op::COUNT,
    op::RUN,
    op::LAZY,
    op::GREEDY,
    op::BRANCH,
    op::ADVANCE,
]);
/// Operations of three words.
const WIDEST: u32 = bits(&[op::MASKED, op::COUNT]);
/// Operations whose `c` is a target.
const LEADING: u32 = bits(&[
    op::JUMP,
    op::FORK,
    op::BRANCH,
    op::LOOK,
    op::ATOMIC,
    op::ENTER,
    op::COUNT,
    op::STEP,
    op::ADVANCE,
]);

const fn bits(mut ops: &[u8]) -> u32 {
    let mut bits = 0;
    while let [op, rest @ ..] = ops {
        bits |= 1 << *op;
        ops = rest;
    }
    bits
}

#[inline(always)]
fn is_one_of(op: u8, bits: u32) -> bool {
    bits.checked_shr(op.into()).unwrap_or(0) & 1 == 1
}

/// A number of the file as an index.
#[inline(always)]
pub(super) fn index(value: u32) -> usize {
    // Lossless wherever usize has 32 bits or more.
    usize::try_from(value).unwrap_or(usize::MAX)
}

/// Conditions by number.
pub(super) mod assertion {
    use crate::syntax::Assertion;

    /// All, by number.
    const ALL: [Assertion; 7] = [
        Assertion::Start,
        Assertion::LineStart,
        Assertion::End,
        Assertion::EndOrNewline,
        Assertion::LineEnd,
        Assertion::WordBoundary,
        Assertion::NotWordBoundary,
    ];

    /// The condition of a number.
    #[inline]
    pub(crate) fn decode(number: u8) -> Option<Assertion> {
        ALL.get(usize::from(number)).copied()
    }

    /// The number of a condition.
    pub(crate) fn encode(assertion: Assertion) -> u8 {
        (0..=u8::MAX)
            .zip(ALL)
            .find_map(|(number, candidate)| (candidate == assertion).then_some(number))
            .unwrap_or(u8::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_survive_encoding() {
        let word = Word {
            op: op::BRANCH,
            a: 7,
            b: 0x1234,
            c: 0xdead_beef,
        };
        assert_eq!(word.to_bytes(), [10, 7, 0x34, 0x12, 0xef, 0xbe, 0xad, 0xde]);
        assert_eq!(Word::from_bytes(word.to_bytes()), word);
    }

    #[test]
    fn every_assertion_has_a_number() {
        for number in 0..7 {
            let assertion = assertion::decode(number).expect("known");
            assert_eq!(assertion::encode(assertion), number);
        }
        assert_eq!(assertion::decode(7), None);
    }
}
