//! Perl's pattern syntax: bytes in, a tree of byte sets out.
//!
//! The reference is PCRE2 10.42 without `PCRE2_UCP`, over bytes; flag u is its `PCRE2_UTF`. Start
//! at [`parse`]; `parser` descends, `escape`, `class` and `group` read what begins with `\`, `[`
//! and `(`, `groups` numbers the groups, `build` makes the nodes.
//!
//! What differs from PCRE2 10.42 on purpose:
//!
//! - Recursion and calls, conditionals, callouts, verbs other than `(*FAIL)`, script runs,
//!   non-atomic look-arounds, duplicate names, `\C` and `\X` are refused, and `\G` anywhere but at
//!   the start, where it is `\A`.
//! - A pattern is not too large because it would be when unrolled: `(?:a{65535}){65535}` is a tree
//!   of three nodes.
//! - Over bytes, `\x{456}` is Perl's: a character that never occurs. PCRE2 refuses it.
//! - A back reference in a look-behind to a group that is still open or comes later is refused,
//!   and after `(?|`, which PCRE2 looks for in the whole pattern.
//! - With flags i and u a back reference ignores the case of ASCII letters only.
//! - With flag u, bytes of the haystack that are not UTF-8 are matched by nothing; PCRE2 refuses
//!   such haystacks.
//! - Bidi classes are unknown, and Unicode's version is that of `regex-syntax`.
//!
//! Later versions of PCRE2 differ from 10.42 in what they read as `{,n}`, `{ 1, 2 }` and `\x{ 41 }`,
//! accept look-behinds of varying length and `[\k]`, refuse `\x` without digits, and with flag i
//! take `\p{Lu}` for any cased letter.

mod build;
mod class;
mod error;
mod escape;
mod flags;
mod group;
mod groups;
mod measure;
#[cfg(test)]
pub(crate) mod naive;
mod node;
mod parser;
mod points;
mod property;
#[cfg(test)]
pub(crate) mod sample;
#[cfg(test)]
mod tests;

pub use error::{Construct, SyntaxError, SyntaxReason};
pub use flags::{Flags, UnknownFlag};
pub(crate) use node::{Assertion, Direction, Greed, Look, Node, Repeat, Sense, is_word};

/// The longest pattern, in bytes. (SpamAssassin's rules, with their tags replaced, reach 224 KB.)
pub const MAX_EXPRESSION: usize = 256 * 1024;
/// How deep groups may be nested.
pub const MAX_DEPTH: usize = 250;
/// The largest count of a repetition.
pub const MAX_COUNT: u32 = 65_535;
/// The most groups of a pattern.
pub const MAX_GROUPS: u32 = 65_535;
/// The longest name of a group, in bytes.
pub const MAX_NAME: usize = 32;
/// How far a look-behind may look, in characters.
pub const MAX_LOOK_BEHIND: u32 = 65_535;
/// With flag u, how many ranges of code points and nodes for them all classes of a pattern may have
/// together: `.` has about 30, `\p{L}` about 1500.
pub const MAX_CLASS_SIZE: usize = 256 * 1024;

/// A pattern that has been read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Parsed {
    /// The pattern.
    pub(crate) node: Node,
    /// How many groups are remembered, because a back reference needs them: they are numbered from
    /// 1 without gaps. (A number stands on several [`Node::Capture`]s after a branch reset.)
    pub(crate) groups: u32,
}

/// Reads a pattern.
///
/// # Errors
///
/// The first thing in it that is wrong or not supported, and where.
pub(crate) fn parse(expression: &[u8], flags: Flags) -> Result<Parsed, SyntaxError> {
    parser::Parser::parse(expression, flags)
}
