//! Expressions as trees of our own, written independently of the engine's parser: they print
//! themselves and make strings that they (probably) match.

use std::fmt;

use crate::random::Random;

/// The longest string [`Expression::sample`] makes, about.
const LONGEST_SAMPLE: usize = 4096;

/// One expression or a part of it.
#[derive(Clone, Debug)]
pub(crate) enum Expression {
    /// One byte of a set.
    Byte {
        source: String,
        set: Bytes,
    },
    /// A fixed string.
    Text {
        source: String,
        bytes: Vec<u8>,
    },
    /// Matches no byte: anchors, boundaries, flags, `\K`. The bytes help the condition to hold.
    Place {
        source: String,
        help: Vec<u8>,
    },
    /// Look-ahead or look-behind, by its opening: `(?=`, `(?!`, `(?<=`, `(?<!`.
    Look {
        opening: &'static str,
        inner: Box<Expression>,
    },
    Concat(Vec<Expression>),
    Alternation(Vec<Expression>),
    Repeat {
        inner: Box<Expression>,
        min: usize,
        max: Option<usize>,
        /// As written: `*`, `{2,3}?`.
        source: String,
    },
    /// By its opening: `(`, `(?:`, `(?>`, `(?i:`; a number if its text can be referred to.
    Group {
        opening: String,
        number: Option<usize>,
        inner: Box<Expression>,
    },
    Reference {
        source: String,
        number: usize,
    },
}

/// A set of byte values.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Bytes(Box<[bool; 256]>);

impl Bytes {
    pub(crate) fn none() -> Self {
        Self(Box::new([false; 256]))
    }

    pub(crate) fn of(accepts: impl Fn(u8) -> bool) -> Self {
        let mut set = Self::none();
        for byte in 0..=u8::MAX {
            set.0[usize::from(byte)] = accepts(byte);
        }
        set
    }

    pub(crate) fn contains(&self, byte: u8) -> bool {
        self.0[usize::from(byte)]
    }

    pub(crate) fn add(&mut self, other: &Self) {
        for (mine, theirs) in self.0.iter_mut().zip(other.0.iter()) {
            *mine |= theirs;
        }
    }

    pub(crate) fn complement(&self) -> Self {
        Self::of(|byte| !self.contains(byte))
    }

    /// With both cases of every letter.
    pub(crate) fn folded(&self) -> Self {
        Self::of(|byte| {
            self.contains(byte.to_ascii_lowercase()) || self.contains(byte.to_ascii_uppercase())
        })
    }

    /// One of them; printable ones are preferred, since texts are mostly that.
    fn pick(&self, random: &mut Random) -> Option<u8> {
        let start = random.byte();
        let from = |start: u8| (0..=u8::MAX).map(move |step| start.wrapping_add(step));
        let printable = |byte: &u8| byte.is_ascii_graphic() || *byte == b' ';
        if random.chance(75)
            && let Some(byte) = from(start).find(|byte| printable(byte) && self.contains(*byte))
        {
            return Some(byte);
        }
        from(start).find(|&byte| self.contains(byte))
    }
}

impl fmt::Debug for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes: Vec<u8> = (0..=u8::MAX).filter(|&byte| self.contains(byte)).collect();
        write!(f, "[{}]", bytes.escape_ascii())
    }
}

impl fmt::Display for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Byte { source, .. }
            | Self::Text { source, .. }
            | Self::Place { source, .. }
            | Self::Reference { source, .. } => f.write_str(source),
            Self::Look { opening, inner } => write!(f, "{opening}{inner})"),
            Self::Concat(parts) => parts.iter().try_for_each(|part| write!(f, "{part}")),
            Self::Alternation(branches) => {
                for (index, branch) in branches.iter().enumerate() {
                    if index > 0 {
                        f.write_str("|")?;
                    }
                    write!(f, "{branch}")?;
                }
                Ok(())
            }
            Self::Repeat { inner, source, .. } => write!(f, "{inner}{source}"),
            Self::Group { opening, inner, .. } => write!(f, "{opening}{inner})"),
        }
    }
}

impl Expression {
    /// A string that it probably matches.
    pub(crate) fn sample(&self, random: &mut Random) -> Vec<u8> {
        let mut sampler = Sampler {
            random,
            text: Vec::new(),
            groups: Vec::new(),
        };
        sampler.run(self);
        sampler.text
    }
}

struct Sampler<'a> {
    random: &'a mut Random,
    text: Vec<u8>,
    /// What the groups matched last, by number.
    groups: Vec<Vec<u8>>,
}

impl Sampler<'_> {
    fn run(&mut self, expression: &Expression) {
        match expression {
            Expression::Byte { set, .. } => self.text.extend(set.pick(self.random)),
            Expression::Text { bytes, .. } => self.text.extend(bytes),
            Expression::Place { help, .. } => {
                if self.random.chance(30) {
                    self.text.extend(help);
                }
            }
            Expression::Look { opening, inner } => {
                // Text before makes a look-behind hold, text after a look-ahead, sometimes.
                let often = match *opening {
                    "(?<=" => 100,
                    "(?=" => 40,
                    _ => 3,
                };
                if self.random.chance(often) {
                    self.run(inner);
                }
            }
            Expression::Concat(parts) => parts.iter().for_each(|part| self.run(part)),
            Expression::Alternation(branches) => {
                let branch = &branches[self.random.below(branches.len())];
                self.run(branch);
            }
            Expression::Repeat {
                inner, min, max, ..
            } => self.repeat(inner, *min, *max),
            Expression::Group { number, inner, .. } => {
                let start = self.text.len();
                self.run(inner);
                if let Some(number) = *number {
                    if self.groups.len() <= number {
                        self.groups.resize(number + 1, Vec::new());
                    }
                    self.groups[number] = self.text[start..].to_vec();
                }
            }
            Expression::Reference { number, .. } => {
                let group = self.groups.get(*number).cloned();
                self.text.extend(group.unwrap_or_default());
            }
        }
    }

    fn repeat(&mut self, inner: &Expression, min: usize, max: Option<usize>) {
        let spread = max.map_or(4, |max| max - min);
        let more = match self.random.below(4) {
            0 => 0,
            1 => spread.min(1),
            2 => self.random.below(spread.min(6) + 1),
            // The far end of a counted repeat, at times.
            _ if self.random.chance(20) => spread.min(300),
            _ => self.random.below(spread.min(40) + 1),
        };
        for _ in 0..min + more {
            if self.text.len() > LONGEST_SAMPLE {
                break;
            }
            self.run(inner);
        }
    }
}

/// A near miss or another spelling of `text`.
pub(crate) fn mutate(text: &[u8], random: &mut Random) -> Vec<u8> {
    let mut text = text.to_vec();
    for _ in 0..1 + random.below(3) {
        if text.is_empty() {
            text.push(random.byte());
            continue;
        }
        let at = random.below(text.len());
        match random.below(9) {
            0 => {
                text[at] ^= if text[at].is_ascii_alphabetic() {
                    0x20
                } else {
                    1
                }
            }
            1 => drop(text.remove(at)),
            2 => text.insert(at, text[at]),
            3 => text[at] = text[at].wrapping_add(1),
            4 => text[at] = text[at].wrapping_sub(1),
            5 => text.insert(at, *random.pick(b" \n\r\t.-_aZ0\x80\xc3\xff\x00")),
            6 => text.truncate(at),
            7 => drop(text.drain(..at)),
            _ => text.iter_mut().for_each(|byte| {
                if random.chance(50) && byte.is_ascii_alphabetic() {
                    *byte ^= 0x20;
                }
            }),
        }
    }
    text
}

/// Text that stands around samples.
pub(crate) fn filler(random: &mut Random, longest: usize) -> Vec<u8> {
    const WORDS: &[&str] = &[
        "the",
        "of",
        "and",
        "offer",
        "Dear",
        "click",
        "here",
        "http://",
        "www.",
        ".com",
        "free",
        "money",
        "<a href=\"",
        "\">",
        "</a>",
        "&nbsp;",
        "100%",
        "$1,000",
        "Viagra",
        "\r\n",
        "\n",
        "\n\n",
        "\t",
        "  ",
        "-",
        "_",
        "=20",
        "é",
        "ß",
        "中文",
        "\u{202e}",
        "@",
        "a",
        "b",
        "0",
        "7",
    ];
    let mut text = Vec::new();
    let length = random.below(longest + 1);
    while text.len() < length {
        text.extend(random.pick(WORDS).as_bytes());
        if random.chance(70) {
            text.push(b' ');
        }
        if random.chance(3) {
            text.push(random.byte());
        }
    }
    text
}
