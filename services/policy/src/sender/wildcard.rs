//! Wildcards: `*` stands for anything, also for nothing; everything else stands for itself.
//!
//! A wildcard is kept as the literals between its stars. Matching looks for them from the left,
//! one after the other, which is enough when nothing but `*` varies; there is no backtracking.

/// Stars of one wildcard.
pub(crate) const MOST_STARS: usize = 16;

/// A wildcard, split at its stars. It has at least one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Wildcard {
    /// What the text begins with.
    head: Box<str>,
    /// What follows in this order.
    middle: Box<[Box<str>]>,
    /// What the text ends with.
    tail: Box<str>,
}

/// By which literal a wildcard is found.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Anchor<'a> {
    /// Texts whose domain is this one or below it.
    Domain(&'a str),
    /// Texts that begin with this.
    Head(&'a str),
    /// Any text.
    None,
}

impl Wildcard {
    /// Splits a text that has a star; `None` when it has none.
    pub(crate) fn new(text: &str) -> Option<Self> {
        let (head, rest) = text.split_once('*')?;
        let (middle, tail) = rest.rsplit_once('*').unwrap_or(("", rest));
        Some(Self {
            head: head.into(),
            middle: middle
                .split('*')
                .filter(|literal| !literal.is_empty())
                .map(Box::from)
                .collect(),
            tail: tail.into(),
        })
    }

    /// Whether it stands for the text.
    pub(crate) fn matches(&self, text: &str) -> bool {
        let Some(rest) = text.strip_prefix(&*self.head) else {
            return false;
        };
        let Some(mut rest) = rest.strip_suffix(&*self.tail) else {
            return false;
        };
        for literal in &self.middle {
            match rest.split_once(&**literal) {
                Some((_, after)) => rest = after,
                None => return false,
            }
        }
        true
    }

    /// The longest run of whole labels that every text it stands for ends with, or what every
    /// such text begins with.
    pub(crate) fn anchor(&self) -> Anchor<'_> {
        // What precedes the first dot of the tail may be a part of a label, unless an @ does.
        let labels = match self.tail.rsplit_once('@') {
            Some((_, domain)) => domain,
            None => self.tail.split_once('.').map_or("", |(_, labels)| labels),
        };
        if !labels.is_empty() {
            Anchor::Domain(labels)
        } else if !self.head.is_empty() {
            Anchor::Head(&self.head)
        } else {
            Anchor::None
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What `*` means, said as plainly as possible.
    fn naive(pattern: &[char], text: &[char]) -> bool {
        match (pattern.split_first(), text.split_first()) {
            (None, None) => true,
            (Some(('*', rest)), None) => naive(rest, text),
            (Some(('*', rest)), Some((_, after))) => naive(rest, text) || naive(pattern, after),
            (Some((wanted, rest)), Some((found, after))) => wanted == found && naive(rest, after),
            _ => false,
        }
    }

    #[test]
    fn anchors_are_whole_labels() {
        for (text, anchor) in [
            ("*@*.example.test", Anchor::Domain("example.test")),
            ("news-*@x.test", Anchor::Domain("x.test")),
            ("*@x.test", Anchor::Domain("x.test")),
            ("*shop.test", Anchor::Domain("test")),
            ("*.shop.test", Anchor::Domain("shop.test")),
            ("a@b*c.test", Anchor::Domain("test")),
            ("*test", Anchor::None),
            ("news-*", Anchor::Head("news-")),
            ("news@*", Anchor::Head("news@")),
            ("*", Anchor::None),
            ("*@*", Anchor::None),
        ] {
            assert_eq!(Wildcard::new(text).unwrap().anchor(), anchor, "{text}");
        }
        assert_eq!(Wildcard::new("nothing"), None);
    }

    proptest! {
        #[test]
        fn matching_agrees_with_the_definition(
            pattern in "[ab@.*]{0,10}", text in "[ab@.]{0,12}", cut in 0_usize..12,
        ) {
            if let Some(wildcard) = Wildcard::new(&pattern) {
                // Half of the texts are made from the pattern, so that many match.
                let made = pattern.replace('*', &text[..cut.min(text.len())]);
                for text in [&text, &made] {
                    let chars: Vec<char> = text.chars().collect();
                    let wanted = naive(&pattern.chars().collect::<Vec<_>>(), &chars);
                    prop_assert_eq!(wildcard.matches(text), wanted, "{} {}", &pattern, text);
                    if wanted {
                        let domain = text.rsplit('@').next().unwrap();
                        let sound = match wildcard.anchor() {
                            Anchor::Domain(labels) => {
                                domain == labels || domain.ends_with(&format!(".{labels}"))
                            }
                            Anchor::Head(head) => text.starts_with(head),
                            Anchor::None => true,
                        };
                        prop_assert!(sound, "{} {}", &pattern, text);
                    }
                }
            }
        }
    }
}
