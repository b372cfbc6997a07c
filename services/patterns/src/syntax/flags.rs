//! The flags of a pattern, written as Perl writes them after the closing slash.

use std::fmt;
use std::str::FromStr;

/// What a pattern is compiled with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Flags {
    /// `i`: letters match in either case. ASCII letters only, without `unicode`.
    pub caseless: bool,
    /// `m`: `^` and `$` match at every line.
    pub multi_line: bool,
    /// `s`: `.` matches a line feed too.
    pub dot_all: bool,
    /// `x`: white space and comments in the pattern mean nothing.
    pub extended: bool,
    /// `u`: pattern and haystack are UTF-8, and `.` and classes match code points.
    pub unicode: bool,
}

/// A letter that is not a flag.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown flag {0:?}")]
pub struct UnknownFlag(pub char);

impl Flags {
    /// Reads letters of `imsxu` in any order; one may be repeated.
    ///
    /// # Errors
    ///
    /// [`UnknownFlag`] for any other character.
    pub fn parse(letters: &str) -> Result<Self, UnknownFlag> {
        let mut flags = Self::default();
        for letter in letters.chars() {
            match letter {
                'i' => flags.caseless = true,
                'm' => flags.multi_line = true,
                's' => flags.dot_all = true,
                'x' => flags.extended = true,
                'u' => flags.unicode = true,
                other => return Err(UnknownFlag(other)),
            }
        }
        Ok(flags)
    }

    /// One bit per flag, in the order of [`Display`](fmt::Display): `i` is 1, `u` is 16.
    #[must_use]
    pub fn bits(self) -> u8 {
        self.letters()
            .iter()
            .rev()
            .fold(0, |bits, &(_, set)| bits << 1 | u8::from(set))
    }

    fn letters(self) -> [(char, bool); 5] {
        [
            ('i', self.caseless),
            ('m', self.multi_line),
            ('s', self.dot_all),
            ('x', self.extended),
            ('u', self.unicode),
        ]
    }
}

impl FromStr for Flags {
    type Err = UnknownFlag;

    fn from_str(letters: &str) -> Result<Self, UnknownFlag> {
        Self::parse(letters)
    }
}

impl fmt::Display for Flags {
    /// The letters in the order `imsxu`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use fmt::Write as _;
        self.letters()
            .iter()
            .filter(|(_, set)| *set)
            .try_for_each(|&(letter, _)| f.write_char(letter))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_are_written_in_one_order() {
        for (given, canonical, bits) in [
            ("", "", 0),
            ("smi", "ims", 7),
            ("uxx", "xu", 24),
            ("m", "m", 2),
        ] {
            let flags = Flags::parse(given).unwrap();
            assert_eq!(flags.to_string(), canonical);
            assert_eq!(flags.bits(), bits);
            assert_eq!(canonical.parse(), Ok(flags));
        }
        assert_eq!(Flags::parse("ig"), Err(UnknownFlag('g')));
    }
}
