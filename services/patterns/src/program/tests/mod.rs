//! Programs against the naive matcher, against PCRE2, against brute force and against damage.

mod confirmation;
mod corruption;
mod nodes;
mod searches;

use super::{Answer, Code, EmitError, Machine, Program, emit};
use crate::syntax::{Flags, Greed, Look, Node, Parsed, Repeat, Sense, parse};

/// Enough for any small text.
const FUEL: u64 = 1_000_000;

fn read(pattern: &str, flags: &str) -> Parsed {
    parse(pattern.as_bytes(), Flags::parse(flags).unwrap()).unwrap()
}

/// What the planner may make of a pattern: a tree without captures and the like that accepts at
/// least as much.
fn relax(node: &Node) -> Node {
    let all = |nodes: &[Node]| nodes.iter().map(relax).collect();
    match node {
        Node::Concat(nodes) => Node::Concat(all(nodes)),
        Node::Alternation(nodes) => Node::Alternation(all(nodes)),
        Node::Repeat(repeat) => Node::Repeat(Box::new(Repeat {
            node: relax(&repeat.node),
            min: repeat.min,
            max: repeat.max,
            greed: match repeat.greed {
                Greed::Possessive => Greed::Greedy,
                greed => greed,
            },
        })),
        Node::Capture { node, .. } | Node::Atomic(node) => relax(node),
        Node::Look(look) if super::first::irregular(&look.node) => {
            if look.sense == Sense::Negative {
                return Node::Empty;
            }
            Node::Look(Box::new(Look {
                node: relax(&look.node),
                ..(**look).clone()
            }))
        }
        Node::Backreference { .. } => Node::Repeat(Box::new(Repeat {
            node: Node::Set(crate::byteset::ByteSet::ALL),
            min: 0,
            max: None,
            greed: Greed::Lazy,
        })),
        node => node.clone(),
    }
}

/// The program of a tree without marks.
fn compile(node: &Node) -> Result<Code, EmitError> {
    let exact = super::first::irregular(node).then_some(node);
    emit(&relax(node), 0, exact, None)
}

fn machine(fuel: u64) -> Machine {
    let mut machine = Machine::new();
    machine.fuel = fuel;
    machine
}

/// What `decide` says by backtracking, and what the simulation alone says.
fn decide_both(program: &Program<'_>, machine: &mut Machine, text: &[u8]) -> (Answer, Answer) {
    machine.fuel = FUEL;
    let decided = program.decide(machine, text);
    machine.fuel = FUEL;
    (decided, program.simulate(machine, text))
}
