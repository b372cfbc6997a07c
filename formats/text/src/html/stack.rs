//! The elements that are open, and which end when others start or end.
//!
//! This is the part of the HTML standard's tree construction that decides which style text has:
//! implied end tags, scopes, and formatting elements that live on when the block around them ends.

use super::elements::Element;
use super::look::Look;
use super::style::Style;

/// An open element.
#[derive(Debug, Clone, Copy)]
struct Open {
    element: Element,
    style: Style,
    look: Look,
}

/// What closing elements has brought about.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Closed {
    /// Elements that were not closed where they have to be, and end tags that close nothing.
    pub(super) unbalanced: usize,
    /// A link ended.
    pub(super) link: bool,
}

/// The open elements, innermost last.
#[derive(Debug)]
pub(super) struct Stack {
    open: Vec<Open>,
    /// How many there are of each.
    counts: [u32; Element::COUNT],
    limit: usize,
    /// Elements that are open beyond the limit.
    beyond: usize,
    overflowed: bool,
}

impl Stack {
    pub(super) fn new(limit: usize) -> Self {
        Self {
            open: Vec::new(),
            counts: [0; Element::COUNT],
            limit,
            beyond: 0,
            overflowed: false,
        }
    }

    /// Elements were nested deeper than the limit.
    pub(super) fn overflowed(&self) -> bool {
        self.overflowed
    }

    /// The look around an element at this place; [`Element::Other`] does for text.
    ///
    /// What stands in a table and in none of its cells is shown before the table.
    pub(super) fn look(&self, content: Element) -> Look {
        let mut around = self.open.as_slice();
        let in_table = |open: &Open| open.element.is_table_part() && !open.element.is_cell();
        if !content.is_table_part() && around.last().is_some_and(in_table) {
            let table = around.iter().rposition(|o| o.element == Element::Table);
            around = around.get(..table.unwrap_or(0)).unwrap_or_default();
        }
        around.last().map_or(Look::PAGE, |open| open.look)
    }

    /// Opens an element.
    pub(super) fn push(&mut self, element: Element, style: Style, look: Look) {
        if self.open.len() >= self.limit {
            self.overflowed = true;
            self.beyond += 1;
            return;
        }
        self.count(element, 1);
        self.open.push(Open {
            element,
            style,
            look,
        });
    }

    /// Closes what ends where `next` starts.
    pub(super) fn before(&mut self, next: Element) -> Closed {
        let mut closed = Closed::default();
        if next == Element::A && self.is_open(Element::A) {
            closed = self.end(Element::A);
        }
        if !next.is_special() {
            return closed;
        }
        let mut at = self.open.len();
        while let Some(below) = at.checked_sub(1) {
            at = below;
            let Some(open) = self.open.get(at) else { break };
            if open.element.ends_before(next) {
                self.close(at, &mut closed);
                at = at.min(self.open.len());
            } else if open.element.shields(next) {
                break;
            }
        }
        closed
    }

    /// An end tag.
    pub(super) fn end(&mut self, element: Element) -> Closed {
        let mut closed = Closed::default();
        if self.beyond > 0 {
            self.beyond -= 1;
            return closed;
        }
        match self.find(element) {
            Some(at) => self.close(at, &mut closed),
            None => closed.unbalanced += 1,
        }
        closed
    }

    /// Elements that have to be closed and are still open.
    pub(super) fn left_open(&self) -> usize {
        self.open
            .iter()
            .filter(|open| !open.element.may_stay_open())
            .count()
            + self.beyond
    }

    fn is_open(&self, element: Element) -> bool {
        self.counts.get(element as usize).is_some_and(|&n| n > 0)
    }

    fn count(&mut self, element: Element, by: i32) {
        if let Some(count) = self.counts.get_mut(element as usize) {
            *count = count.saturating_add_signed(by);
        }
    }

    /// Which open element an end tag closes.
    fn find(&self, element: Element) -> Option<usize> {
        if !self.is_open(element) {
            return None;
        }
        for (at, open) in self.open.iter().enumerate().rev() {
            if open.element == element {
                return Some(at);
            }
            let stops = match open.element {
                Element::Table => element != Element::Table || open.element == element,
                cell if cell.is_cell() => !element.is_table_part(),
                special if special.is_special() => {
                    !element.is_formatting() && !element.is_special()
                }
                _ => false,
            };
            if stops {
                return None;
            }
        }
        None
    }

    /// Closes the element at `at` and what is inside it. Formatting elements inside a block live
    /// on; what is inside a formatting element does so too, without it.
    fn close(&mut self, at: usize, closed: &mut Closed) {
        let Some(ending) = self.open.get(at).map(|open| open.element) else {
            return;
        };
        let contained = self.open.split_off(at);
        self.count(ending, -1);
        closed.link |= ending == Element::A;
        let mut inside = contained.into_iter().skip(1).peekable();
        if inside.peek().is_none() {
            return;
        }
        let inside: Vec<Open> = inside.collect();
        let keeps_blocks = ending.is_formatting() && inside.iter().any(|o| o.element.is_special());
        let keeps_formatting = !ending.is_cell() && ending != Element::Caption;
        for open in inside {
            let element = open.element;
            self.count(element, -1);
            let keeps = keeps_blocks
                || (!ending.is_formatting() && keeps_formatting && element.is_formatting());
            if !keeps_blocks && !element.may_stay_open() {
                closed.unbalanced += 1;
            }
            if keeps {
                let look = self.look(element).inside(&open.style);
                self.push(element, open.style, look);
            } else {
                closed.link |= element == Element::A;
            }
        }
        if keeps_blocks {
            closed.unbalanced += 1;
        }
    }
}
