//! Emission of a program: its sections and their assembly.

use super::emitter::{Emitter, MOST_REGISTERS, Marks, Meaning, Pool, Section};
use super::first::{Way, sides};
use super::instruction::{Word, has_target, op, width};
use super::search::Starts;
use super::simulate::Layout;
use super::{Code, EmitError, Entry, KEEPS, SIMULATED};
use crate::syntax::{Assertion, Node};

/// Emits a program.
///
/// `confirm` is the tree with the marks 0 to `marks - 1`, each exactly once, none of them inside a
/// look-around or a repetition other than `?`, `*` and `+`. `exact` has the pattern's full meaning
/// if `confirm` has not; `ordered` is the tree whose order of alternatives is the pattern's, if
/// neither `exact` nor, without that, `confirm` serves.
pub(crate) fn emit(
    confirm: &Node,
    marks: u32,
    exact: Option<&Node>,
    ordered: Option<&Node>,
) -> Result<Code, EmitError> {
    let mut pool = Pool::default();
    let (existence, marked) = (Meaning::Existence, Marks::Entered(marks));
    let (forward, mut registers) =
        Emitter::emit(confirm, Way::Forward, existence, marked, &mut pool)?;
    let (reverse, more) = Emitter::emit(confirm, Way::Backward, existence, marked, &mut pool)?;
    registers = registers.max(more);
    let mut in_order = |node: &Node| {
        let (section, more) = Emitter::emit(
            node,
            Way::Forward,
            Meaning::Ordered,
            Marks::Ignored,
            &mut pool,
        )?;
        registers = registers.max(more);
        Ok::<_, EmitError>(section)
    };
    let exact_section = exact.map(&mut in_order).transpose()?;
    let last = ordered.or(if exact.is_some() { None } else { Some(confirm) });
    let ordered_section = last.map(&mut in_order).transpose()?;
    // The forward section serves if it says the same.
    let ordered_section = ordered_section
        .filter(|section| exact.is_some() || section.words != forward.words || forward.start != 0);
    let keeps = [&exact_section, &ordered_section]
        .into_iter()
        .flatten()
        .any(|section| section.words.iter().any(|word| word.op == op::KEEP));
    let assembly = Assembly {
        anchors: [
            anchor(confirm),
            exact.map_or(0, anchor),
            last.map_or(0, anchor),
        ],
        forward,
        reverse,
        exact: exact_section,
        ordered: ordered_section,
        registers: registers.max(u32::from(keeps)),
        keeps,
    };
    assembly.finish(pool)
}

/// Sections to be put together.
struct Assembly {
    forward: Section,
    reverse: Section,
    exact: Option<Section>,
    ordered: Option<Section>,
    /// Flags of [`Starts`] for the forward, exact and ordered section.
    anchors: [u16; 3],
    registers: u32,
    keeps: bool,
}

impl Assembly {
    fn finish(self, mut pool: Pool) -> Result<Code, EmitError> {
        let [in_forward, in_exact, in_ordered] = self.anchors;
        let starts = [
            starts(Some(&self.forward), in_forward, &mut pool)?,
            starts(self.exact.as_ref(), in_exact, &mut pool)?,
            starts(self.ordered.as_ref(), in_ordered, &mut pool)?,
        ];
        if self.registers > MOST_REGISTERS {
            return Err(EmitError::TooLarge);
        }
        let mut code: Vec<[u8; 8]> = Vec::new();
        append(&mut code, &self.forward)?;
        let simulated = Layout::new(code.len()).lay_out(&code).is_some();
        let reverse = append(&mut code, &self.reverse)?;
        let exact = match &self.exact {
            Some(section) => append(&mut code, section)?,
            None => length(&code)?,
        };
        let ordered = match &self.ordered {
            Some(section) => append(&mut code, section)?,
            None => length(&code)?,
        };
        let entries = self.entries(reverse);
        let listed = listed(&entries);
        let mut flags = 0;
        if simulated {
            flags |= SIMULATED;
        }
        if self.keeps {
            flags |= KEEPS;
        }
        let header = [
            length(&code)?,
            length(pool.sets())?,
            length(&listed)?,
            self.registers,
            flags,
            reverse,
            exact,
            ordered,
            self.forward.start,
            self.forward.search,
        ];
        let bytes = header
            .map(u32::to_le_bytes)
            .concat()
            .into_iter()
            .chain(starts.into_iter().flat_map(Starts::to_bytes))
            .chain(listed.into_iter().flatten())
            .chain(code.into_iter().flatten())
            .chain(pool.sets().iter().flatten().copied())
            .collect();
        Ok(Code { bytes, entries })
    }

    fn entries(&self, reverse: u32) -> Vec<Entry> {
        let marks = self.forward.marks.iter().zip(&self.reverse.marks);
        marks
            .map(|(&(forward, ahead), &(backward, behind))| {
                let (before, after) = sides(ahead, behind);
                Entry {
                    forward,
                    reverse: reverse + backward,
                    before,
                    after,
                }
            })
            .collect()
    }
}

fn length<T>(items: &[T]) -> Result<u32, EmitError> {
    u32::try_from(items.len()).map_err(|_| EmitError::TooLarge)
}

/// The program's own list of entries.
fn listed(entries: &[Entry]) -> Vec<[u8; 8]> {
    let mut pairs: Vec<(u32, u32)> = entries
        .iter()
        .map(|entry| (entry.forward, entry.reverse))
        .collect();
    pairs.sort_unstable();
    pairs.dedup();
    pairs
        .into_iter()
        .map(|(forward, reverse)| {
            let [f0, f1, f2, f3] = forward.to_le_bytes();
            let [r0, r1, r2, r3] = reverse.to_le_bytes();
            [f0, f1, f2, f3, r0, r1, r2, r3]
        })
        .collect()
}

/// Adds a section, whose targets become absolute, and returns where it starts.
fn append(code: &mut Vec<[u8; 8]>, section: &Section) -> Result<u32, EmitError> {
    let base = length(code)?;
    let mut operands = 0;
    for word in &section.words {
        let mut word: Word = *word;
        if operands > 0 {
            operands -= 1;
        } else {
            operands = width(word.op) - 1;
            if has_target(word.op) {
                word.c += base;
            }
        }
        code.push(word.to_bytes());
    }
    Ok(base)
}

fn starts(section: Option<&Section>, anchor: u16, pool: &mut Pool) -> Result<Starts, EmitError> {
    let Some(section) = section else {
        return Ok(Starts::default());
    };
    let side = section.first.side();
    let edge = if side.edge { Starts::EDGE } else { 0 };
    Ok(Starts::new(
        pool.set(side.bytes)?,
        side.bytes,
        anchor | edge,
    ))
}

/// Whether all matches start at the start of the haystack or of a line: flags of [`Starts`].
fn anchor(node: &Node) -> u16 {
    match node {
        Node::Assert(Assertion::Start) => Starts::ANCHORED,
        Node::Assert(Assertion::LineStart) => Starts::LINES,
        Node::Concat(nodes) => nodes
            .iter()
            .find(|node| !matches!(node, Node::Mark(_) | Node::Empty | Node::Keep))
            .map_or(0, anchor),
        Node::Alternation(nodes) => nodes
            .iter()
            .map(anchor)
            .reduce(|all, one| if all == one { all } else { 0 })
            .unwrap_or(0),
        Node::Capture { node, .. } | Node::Atomic(node) => anchor(node),
        Node::Repeat(repeat) if repeat.min > 0 => anchor(&repeat.node),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::byteset::ByteSet;

    #[test]
    fn anchors_are_seen_through_groups() {
        let start = Node::Assert(Assertion::Start);
        let byte = Node::Set(ByteSet::of(b'a'));
        let both = Node::Alternation(vec![
            Node::Concat(vec![start.clone(), byte.clone()]),
            start.clone(),
        ]);
        assert_eq!(anchor(&both), Starts::ANCHORED);
        assert_eq!(anchor(&Node::Alternation(vec![start, byte])), 0);
    }

    #[test]
    fn marks_must_be_there_once() {
        let mark = Node::Mark(0);
        let twice = Node::Concat(vec![mark.clone(), mark]);
        assert_eq!(
            emit(&twice, 1, None, None).err(),
            Some(EmitError::MisplacedMark)
        );
        assert_eq!(
            emit(&Node::Empty, 1, None, None).err(),
            Some(EmitError::MisplacedMark)
        );
        assert_eq!(
            emit(&Node::Mark(1), 1, None, None).err(),
            Some(EmitError::MisplacedMark)
        );
    }
}
