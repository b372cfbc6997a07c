//! Why a pattern is refused.

use super::{
    MAX_CLASS_SIZE, MAX_COUNT, MAX_DEPTH, MAX_EXPRESSION, MAX_GROUPS, MAX_LOOK_BEHIND, MAX_NAME,
};

/// A pattern that cannot be compiled.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("at byte {offset}: {reason}")]
pub struct SyntaxError {
    /// Where in the pattern the construct at fault begins, in bytes.
    pub offset: usize,
    /// What is wrong with it.
    pub reason: SyntaxReason,
}

impl SyntaxError {
    pub(super) fn new(offset: usize, reason: SyntaxReason) -> Self {
        Self { offset, reason }
    }
}

/// What is wrong with a pattern.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SyntaxReason {
    /// More bytes than a pattern may have.
    #[error("the pattern is longer than {MAX_EXPRESSION} bytes")]
    TooLong,
    /// Too many groups inside each other.
    #[error("groups are nested more than {MAX_DEPTH} deep")]
    TooDeep,
    /// Classes of code points that would become too large a tree.
    #[error("the classes have more than {MAX_CLASS_SIZE} ranges of code points and nodes together")]
    TooLarge,
    /// More groups than can be numbered.
    #[error("there are more than {MAX_GROUPS} groups")]
    TooManyGroups,
    /// With flag u the pattern must be UTF-8.
    #[error("the pattern is not UTF-8")]
    NotUtf8,
    /// `(` without `)`.
    #[error("the group is not closed")]
    UnclosedGroup,
    /// `)` without `(`.
    #[error("there is no group to close")]
    UnopenedGroup,
    /// `[` without `]`.
    #[error("the character class is not closed")]
    UnclosedClass,
    /// `(?#` without `)`.
    #[error("the comment is not closed")]
    UnclosedComment,
    /// `(?` or `(?P` and a character that has no meaning there.
    #[error("what follows `(?` is no kind of group")]
    UnknownGroup,
    /// A letter in `(?…)` that is no flag, or a second hyphen.
    #[error("unknown flag in `(?…)`")]
    UnknownFlag,
    /// `(*NAME)` that is not known.
    #[error("unknown verb or assertion `(*…`")]
    UnknownVerb,
    /// A quantifier after nothing, after another or after an assertion such as `^`.
    #[error("the quantifier has nothing to repeat")]
    NothingToRepeat,
    /// A count in braces that is too large.
    #[error("a repetition count is larger than {MAX_COUNT}")]
    CountTooLarge,
    /// `{3,2}`.
    #[error("the repetition counts are out of order")]
    CountsOutOfOrder,
    /// A backslash at the end.
    #[error("the pattern ends with a backslash")]
    TrailingBackslash,
    /// A backslash and an ASCII letter without meaning.
    #[error("unknown escape `\\{}`", char::from(*.0))]
    UnknownEscape(u8),
    /// An escape without meaning inside a class.
    #[error("`\\{}` has no meaning in a character class", char::from(*.0))]
    EscapeInClass(u8),
    /// `\x{…}`, `\o{…}` or `\N{U+…}` that is incomplete.
    #[error("the code point is not written correctly")]
    BadNumber,
    /// `\c` before something else than printable ASCII.
    #[error("`\\c` needs a printable ASCII character")]
    BadControl,
    /// A code point that is too large, or a surrogate.
    #[error("the code point does not exist")]
    NoSuchCodePoint,
    /// `\p{…}` with an unknown name.
    #[error("unknown Unicode property")]
    UnknownProperty,
    /// `[[:name:]]` with an unknown name.
    #[error("unknown POSIX class name")]
    UnknownPosixClass,
    /// `[:alpha:]` on its own.
    #[error("POSIX classes are only known inside a character class")]
    PosixOutsideClass,
    /// `[[.x.]]` and `[[=x=]]`.
    #[error("POSIX collating elements are not supported")]
    CollatingElement,
    /// `[z-a]`.
    #[error("the range is out of order")]
    RangeOutOfOrder,
    /// `[a-\d]` or `[\d-z]`.
    #[error("a range cannot begin or end with a class")]
    RangeOfClass,
    /// `\g` or `\k` without a number or name.
    #[error("the back reference is not written correctly")]
    BadReference,
    /// A reference to a group that is not there.
    #[error("there is no such group to refer to")]
    NoSuchGroup,
    /// A name that is empty, begins with a digit or is not ended.
    #[error("the group's name is not written correctly")]
    BadName,
    /// A name that is too long.
    #[error("a group's name is longer than {MAX_NAME} bytes")]
    NameTooLong,
    /// Two groups of one name.
    #[error("two groups have the same name")]
    DuplicateName,
    /// Groups of a branch reset with one number and two names.
    #[error("two groups of the same number have different names")]
    NamesDiffer,
    /// A look-behind with a branch whose length varies.
    #[error("a branch of the look-behind does not have a fixed length")]
    LookBehindVaries,
    /// A look-behind that looks too far.
    #[error("the look-behind is longer than {MAX_LOOK_BEHIND} characters")]
    LookBehindTooLong,
    /// `\K` in a look-around.
    #[error("`\\K` is not allowed in a look-around")]
    KeepInLook,
    /// Something of Perl or PCRE2 that this engine does not do.
    #[error("{0} are not supported")]
    Unsupported(Construct),
}

/// What is refused although Perl or PCRE2 knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Construct {
    /// `(?R)`, `(?1)`, `(?&name)`, `\g<name>`.
    #[error("recursions and calls of groups")]
    Recursion,
    /// `(?(condition)yes|no)`.
    #[error("conditional groups")]
    Conditional,
    /// `(?C…)`.
    #[error("callouts")]
    Callout,
    /// `(*ACCEPT)`, `(*COMMIT)`, `(*UTF)` and the like.
    #[error("verbs other than (*FAIL)")]
    Verb,
    /// `(*sr:…)`.
    #[error("script runs")]
    ScriptRun,
    /// `(?*…)` and `(?<*…)`.
    #[error("non-atomic look-arounds")]
    NonAtomicLook,
    /// `(?J)`.
    #[error("duplicate group names (flag J)")]
    DuplicateNames,
    /// `\C`.
    #[error("single code units (\\C)")]
    CodeUnit,
    /// `\X`.
    #[error("grapheme clusters (\\X)")]
    Grapheme,
    /// `\G` behind something.
    #[error("match-start assertions (\\G) behind the pattern's start")]
    MatchStart,
    /// `\N{name}`.
    #[error("named characters (\\N{{…}})")]
    NamedCharacter,
}
