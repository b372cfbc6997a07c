//! Arms and estimates in words, for the operator.

use std::fmt::{self, Display, Formatter, Write};

use super::arm::{Arm, Estimate, Position};
use crate::byteset::ByteSet;

/// How many strings of an arm are shown.
const SHOWN_STRINGS: usize = 8;

impl Display for Arm {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Literal {
                strings,
                mark,
                distance,
            } => {
                f.write_str("strings ")?;
                for (number, string) in strings.iter().take(SHOWN_STRINGS).enumerate() {
                    let comma = if number == 0 { "" } else { ", " };
                    write!(f, "{comma}\"{}\"", string.escape_ascii())?;
                }
                if let Some(more @ 1..) = strings.len().checked_sub(SHOWN_STRINGS) {
                    write!(f, " and {more} more")?;
                }
                write!(f, ", mark {mark}")?;
                if *distance > 0 {
                    write!(f, " {distance} bytes on")?;
                }
                Ok(())
            }
            Self::Lane {
                positions,
                mark,
                distance,
            } => {
                f.write_str("classes ")?;
                for position in positions {
                    write!(f, "{position}")?;
                }
                write!(f, ", mark {mark}")?;
                write!(f, " {} before the end", u64::from(*distance) + 1)
            }
            Self::Anchored => f.write_str("the start of the text"),
            Self::Whole => f.write_str("all of the text"),
        }
    }
}

impl Display for Position {
    /// As a pattern would say it: `[ab](?:[-])*`.
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        set(f, self.enter)?;
        if !self.stay.is_empty() {
            set(f, self.stay)?;
            f.write_char('*')?;
        }
        Ok(())
    }
}

fn set(f: &mut Formatter<'_>, set: ByteSet) -> fmt::Result {
    match set.single() {
        Some(byte) if byte.is_ascii_alphanumeric() => f.write_char(char::from(byte)),
        _ if set == ByteSet::ALL => f.write_char('.'),
        _ => write!(f, "{set:?}"),
    }
}

impl Display for Estimate {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:.1} candidates and {:.1} µs per MB",
            self.candidates, self.microseconds
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arms_read_as_sentences() {
        let literal = Arm::Literal {
            strings: (0..10).map(|n| vec![b'a' + n, b'\n']).collect(),
            mark: 2,
            distance: 0,
        };
        let shown = literal.to_string();
        assert!(shown.starts_with(r#"strings "a\n", "b\n""#), "{shown}");
        assert!(shown.ends_with("\"h\\n\" and 2 more, mark 2"), "{shown}");
        let lane = Arm::Lane {
            positions: vec![
                Position {
                    enter: ByteSet::of(b'v').with(b'V'),
                    stay: ByteSet::of(b'_'),
                },
                Position {
                    enter: ByteSet::of(b'i'),
                    stay: ByteSet::EMPTY,
                },
            ],
            mark: 0,
            distance: 0,
        };
        assert_eq!(
            lane.to_string(),
            "classes [Vv][_]*i, mark 0 1 before the end"
        );
        assert_eq!(Arm::Whole.to_string(), "all of the text");
    }
}
