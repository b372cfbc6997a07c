//! Damaged programs are refused, or run without harm.

use super::super::{Machine, Program, emit};
use super::nodes::{Generator, Kind, mark, text};
use super::{compile, machine};
use crate::syntax::sample::Random;

const FUEL: u64 = 20_000;

/// Runs everything there is to run.
fn exercise(program: &Program<'_>, machine: &mut Machine, entry: (u32, u32), text: &[u8]) {
    machine.fuel = FUEL;
    program.confirm(machine, entry, text, text.len() / 2);
    machine.fuel = FUEL;
    program.decide(machine, text);
    machine.fuel = FUEL;
    let _ = program.find(machine, text, 0);
    machine.fuel = FUEL;
    program.matches_at_start(machine, text);
    machine.fuel = FUEL;
    program.simulate(machine, text);
}

#[test]
fn damaged_programs_are_refused_or_harmless() {
    let mut random = Random(5);
    let mut machine = machine(FUEL);
    let (mut refused, mut accepted) = (0, 0);
    for _ in 0..400 {
        let mut generator = Generator {
            random: &mut random,
            kind: Kind::Irregular,
            groups: 0,
        };
        let node = generator.node(4);
        let Ok(code) = compile(&node) else {
            continue;
        };
        assert!(Program::verify(&code.bytes).is_ok());
        for _ in 0..20 {
            let mut bytes = code.bytes.clone();
            for _ in 0..=random.below(3) {
                let at = random.below(bytes.len());
                match random.below(4) {
                    0 => bytes[at] ^= 1 << random.below(8),
                    1 => bytes[at] = *random.pick(&[0, 1, 0xff, 0x7f, 0x80]),
                    2 => bytes[at] = u8::try_from(random.below(26)).unwrap(),
                    _ => {
                        let from = random.below(bytes.len());
                        bytes[at] = bytes[from];
                    }
                }
            }
            if random.one_in(20) {
                bytes.truncate(random.below(bytes.len()));
            }
            match Program::verify(&bytes) {
                Ok(_) => accepted += 1,
                Err(_) => refused += 1,
            }
            // Even what was refused must do no harm.
            if let Some(program) = Program::trusted(&bytes) {
                let entry = (
                    u32::try_from(random.below(80)).unwrap(),
                    u32::try_from(random.below(80)).unwrap(),
                );
                let text = text(&mut random, 40);
                exercise(&program, &mut machine, entry, &text);
            }
        }
    }
    assert!(refused > 2000 && accepted > 500, "{refused} {accepted}");
}

#[test]
fn entries_are_only_those_of_marks() {
    let mut random = Random(6);
    let mut seen = 0;
    for _ in 0..200 {
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
        for entry in &code.entries {
            assert!(program.accepts_entry(entry.forward, entry.reverse));
            assert!(!program.accepts_entry(entry.forward, u32::MAX));
            seen += 1;
        }
    }
    assert!(seen > 100, "{seen}");
}

#[test]
fn emission_is_deterministic() {
    let pattern = super::read(
        r"(?:foo|bar|baz|[a-z]+x|qu{3,900}y(?:ab|c){3,90})+\d\s\w",
        "i",
    );
    let once = compile(&pattern.node).unwrap();
    for _ in 0..5 {
        assert_eq!(compile(&pattern.node).unwrap().bytes, once.bytes);
    }
}
