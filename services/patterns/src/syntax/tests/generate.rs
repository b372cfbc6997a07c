//! Patterns made at random, from the constructs that both engines know.

use super::super::sample::Random;

/// How deep groups go.
const DEPTH: usize = 4;

/// A pattern and flags.
pub(super) fn pattern(random: &mut Random) -> (String, String) {
    let unicode = random.one_in(4);
    let flags: String = "imsx"
        .chars()
        .filter(|_| random.one_in(4))
        .chain(unicode.then_some('u'))
        .collect();
    let mut generator = Generator {
        random,
        unicode,
        groups: 0,
        looks: 0,
    };
    let pattern = generator.alternatives(0);
    (pattern, flags)
}

struct Generator<'r> {
    random: &'r mut Random,
    unicode: bool,
    /// Groups opened so far.
    groups: usize,
    looks: usize,
}

impl Generator<'_> {
    fn alternatives(&mut self, depth: usize) -> String {
        let count = if self.random.one_in(3) {
            2 + self.random.below(2)
        } else {
            1
        };
        let branches: Vec<String> = (0..count).map(|_| self.branch(depth)).collect();
        branches.join("|")
    }

    fn branch(&mut self, depth: usize) -> String {
        let count = 1 + self.random.below(4);
        let mut items = String::new();
        for _ in 0..count {
            if !self.random.one_in(12) {
                items += &self.item(depth);
            }
        }
        items
    }

    fn item(&mut self, depth: usize) -> String {
        let deeper = depth < DEPTH;
        match self.random.below(16) {
            0 => {
                return self
                    .random
                    .pick(&["^", "$", "\\b", "\\B", "\\A", "\\z", "\\Z"])
                    .to_string();
            }
            1 if self.looks == 0 && self.random.one_in(3) => return "\\K".into(),
            2 if self.random.one_in(3) => {
                return self
                    .random
                    .pick(&["(?i)", "(?-i)", "(?s)", "(?m)", "(?x)", "(?^)"])
                    .to_string();
            }
            _ => {}
        }
        let item = match self.random.below(16) {
            0..=2 if deeper => {
                self.groups += 1;
                format!("({})", self.alternatives(depth + 1))
            }
            3..=4 if deeper => format!("(?:{})", self.alternatives(depth + 1)),
            5 if deeper => format!("(?>{})", self.alternatives(depth + 1)),
            6 if deeper => {
                self.looks += 1;
                let inside = self.alternatives(depth + 1);
                self.looks -= 1;
                format!("({}{inside})", self.random.pick(&["?=", "?!"]))
            }
            7 if deeper => {
                let branches: Vec<String> =
                    (0..=self.random.below(2)).map(|_| self.fixed()).collect();
                format!(
                    "({}{})",
                    self.random.pick(&["?<=", "?<!"]),
                    branches.join("|")
                )
            }
            8..=9 if self.groups > 0 => {
                let group = 1 + self.random.below(self.groups.min(9));
                format!("\\g{{{group}}}")
            }
            _ => self.character(),
        };
        item + &self.quantifier()
    }

    fn quantifier(&mut self) -> String {
        if !self.random.one_in(3) {
            return String::new();
        }
        let counts = *self.random.pick(&[
            "*", "+", "?", "*", "+", "?", "{2}", "{1,2}", "{0,3}", "{2,}", "{0}", "{1}",
        ]);
        let greed = *self.random.pick(&["", "", "", "?", "+"]);
        format!("{counts}{greed}")
    }

    /// Characters of a fixed number.
    fn fixed(&mut self) -> String {
        let count = 1 + self.random.below(3);
        (0..count)
            .map(|_| {
                let character = self.character();
                if character == "\\R" {
                    "a".into()
                } else {
                    character
                }
            })
            .collect()
    }

    fn character(&mut self) -> String {
        const PLAIN: &[&str] = &[
            "a",
            "b",
            "A",
            "B",
            "a",
            "b",
            "1",
            "_",
            "-",
            "\\n",
            ".",
            "\\.",
            "\\w",
            "\\d",
            "\\s",
            "\\W",
            "\\S",
            "\\D",
            "\\h",
            "\\v",
            "\\N",
            "\\R",
            "[ab]",
            "[^a]",
            "[^\\w]",
            "[a-c1]",
            "[[:alpha:]]",
            "[[:^digit:]b]",
            "[\\s_-]",
            "[]a]",
            "[^\\n-~]",
            "\\x61",
            "\\101",
            "[[:upper:]]",
            "\\Qb\\E",
            "[aB]",
            " ",
        ];
        const WIDE: &[&str] = &[
            "é",
            "É",
            "[éa]",
            "[^é]",
            "\\x{e9}",
            "\\pL",
            "\\p{Nd}",
            "[\\p{Greek}1]",
            "k",
            "ſ",
            "[à-ï]",
            "\\x{1F600}",
            "[^\\PL]",
            "€",
            "\\x{17f}",
        ];
        let set = if self.unicode && self.random.one_in(3) {
            WIDE
        } else {
            PLAIN
        };
        self.random.pick(set).to_string()
    }
}
