//! Text as it is put together: white space collapsed, lines broken where blocks end.

/// What stands between the last character and the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Gap {
    None,
    Blank,
    Line,
}

/// Text that grows, up to a limit.
#[derive(Debug)]
pub(super) struct Flow {
    text: String,
    gap: Gap,
    limit: usize,
    full: bool,
}

impl Flow {
    pub(super) fn new(limit: usize) -> Self {
        Self {
            text: String::new(),
            gap: Gap::None,
            limit,
            full: false,
        }
    }

    /// Something was left out.
    pub(super) fn is_full(&self) -> bool {
        self.full
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    pub(super) fn into_text(self) -> String {
        self.text
    }

    /// Sees to a gap before whatever follows.
    pub(super) fn gap(&mut self, gap: Gap) {
        self.gap = self.gap.max(gap);
    }

    /// Adds text. White space collapses; line ends are kept if `lines` is [`Gap::Line`].
    pub(super) fn push(&mut self, text: &str, lines: Gap) {
        let mut rest = text;
        while let Some(first) = rest.chars().next() {
            let run = rest.bytes().take_while(u8::is_ascii_graphic).count();
            if run > 0 {
                let (word, after) = rest.split_at_checked(run).unwrap_or((rest, ""));
                self.put(word);
                rest = after;
                continue;
            }
            let (piece, after) = rest
                .split_at_checked(first.len_utf8())
                .unwrap_or((rest, ""));
            rest = after;
            if first == '\n' {
                self.gap(lines.max(Gap::Blank));
            } else if first.is_whitespace() {
                self.gap(Gap::Blank);
            } else if !first.is_control() {
                self.put(piece);
            }
        }
    }

    fn put(&mut self, word: &str) {
        if self.full || self.text.len() + word.len() + 1 > self.limit {
            self.full = true;
            return;
        }
        if !self.text.is_empty() {
            match self.gap {
                Gap::None => {}
                Gap::Blank => self.text.push(' '),
                Gap::Line => self.text.push('\n'),
            }
        }
        self.gap = Gap::None;
        self.text.push_str(word);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn white_space_collapses() {
        let mut flow = Flow::new(100);
        flow.gap(Gap::Line);
        flow.push(" a \u{a0}\t b\u{7}c\r\nd", Gap::None);
        flow.gap(Gap::Line);
        flow.push(" e\nf ", Gap::Line);
        assert_eq!(flow.text(), "a bc d\ne\nf");
        assert!(!flow.is_full());
        flow.push(&"x".repeat(200), Gap::None);
        assert!(flow.is_full());
        assert_eq!(flow.into_text(), "a bc d\ne\nf");
    }
}
