//! The parser against tables, against PCRE2 and against hostile patterns.

mod differential;
mod generate;
mod hostile;
mod patterns;
mod trees;

use super::{Flags, Parsed, SyntaxError, parse};

fn read(pattern: &str, flags: &str) -> Result<Parsed, SyntaxError> {
    parse(pattern.as_bytes(), Flags::parse(flags).unwrap())
}
