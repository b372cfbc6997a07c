//! Confirmation from every mark at every position.

use std::collections::BTreeSet;

use super::super::{Answer, Program, emit};
use super::nodes::{Generator, Kind, ends, mark, text};
use super::{FUEL, machine};
use crate::syntax::Node;
use crate::syntax::sample::{Random, mutate, sample};

fn truth(node: &Node, text: &[u8], wanted: (u32, usize)) -> bool {
    let starts: BTreeSet<_> = (0..=text.len()).map(|start| (start, false)).collect();
    ends(node, text, &starts, Some(wanted))
        .iter()
        .any(|(_, passed)| *passed)
}

#[test]
fn confirmation_is_what_brute_force_finds() {
    let mut random = Random(1);
    let mut machine = machine(FUEL);
    let (mut yes, mut no, mut refused) = (0, 0, 0);
    for _ in 0..1500 {
        let plain = Generator {
            random: &mut random,
            kind: Kind::Regular,
            groups: 0,
        }
        .node(4);
        let mut marks = 0;
        let node = mark(&plain, &mut random, &mut marks);
        let code = emit(&node, marks, None, None).unwrap();
        let program = Program::verify(&code.bytes).unwrap();
        let parsed = crate::syntax::Parsed {
            node: plain,
            groups: 0,
        };
        for round in 0..6 {
            let mut text = match round {
                0 | 1 => text(&mut random, 8),
                2 | 3 => sample(&parsed, &mut random),
                _ => {
                    let text = sample(&parsed, &mut random);
                    mutate(&text, &mut random)
                }
            };
            text.truncate(24);
            for (number, entry) in (0..).zip(&code.entries) {
                assert!(program.accepts_entry(entry.forward, entry.reverse));
                for at in 0..=text.len() {
                    machine.fuel = FUEL;
                    let entries = (entry.forward, entry.reverse);
                    let answer = program.confirm(&mut machine, entries, &text, at);
                    let expected = truth(&node, &text, (number, at));
                    let context = || {
                        format!(
                            "mark {number} at {at} of {:?} in {node:?}",
                            text.escape_ascii().to_string()
                        )
                    };
                    if answer == Answer::Exhausted {
                        refused += 1;
                        continue;
                    }
                    assert_eq!(answer == Answer::Yes, expected, "{}", context());
                    let before = at.checked_sub(1).and_then(|at| text.get(at)).copied();
                    let sides =
                        entry.before.allows(before) && entry.after.allows(text.get(at).copied());
                    assert!(sides || !expected, "sides: {}", context());
                    if expected { yes += 1 } else { no += 1 }
                }
            }
        }
    }
    assert!(yes > 5_000 && no > 5_000, "{yes} {no}");
    assert!(refused * 100 < yes + no, "{refused} of {}", yes + no);
}

#[test]
fn sides_use_the_assertions_next_to_the_mark() {
    let node = Node::Concat(vec![
        super::read("\\b", "").node,
        Node::Mark(0),
        super::read("foo", "").node,
    ]);
    let code = emit(&node, 1, None, None).unwrap();
    let [entry] = code.entries.as_slice() else {
        panic!("one mark")
    };
    assert!(entry.before.allows(None) && entry.before.allows(Some(b' ')));
    assert!(!entry.before.allows(Some(b'o')));
    assert!(entry.after.allows(Some(b'f')) && !entry.after.allows(Some(b'o')));
    assert!(!entry.after.allows(None));
}

#[test]
fn fuel_runs_out() {
    let node = Node::Concat(vec![Node::Mark(0), super::read("(?:a+)+$", "").node]);
    let code = emit(&node, 1, None, None).unwrap();
    let program = Program::verify(&code.bytes).unwrap();
    let entries = (code.entries[0].forward, code.entries[0].reverse);
    let mut text = vec![b'a'; 60];
    text.push(b'b');
    let mut machine = machine(10_000);
    assert_eq!(
        program.confirm(&mut machine, entries, &text, 0),
        Answer::Exhausted
    );
    assert_eq!(machine.fuel, 0);
}
