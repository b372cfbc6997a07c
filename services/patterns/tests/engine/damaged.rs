//! Files that were damaged by accident are refused; files that were damaged on purpose, with right
//! checksums, are refused or do no harm.

use std::collections::BTreeMap;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use patterns::{Compiler, Database, Flags, Pattern, PatternSet, Scratch, Text, seal};

use crate::expression::filler;
use crate::harness::scan;
use crate::random::Random;

/// Damaged files tried, of each sort.
const FILES: u64 = 1_000;
/// The longest that one may take.
const PATIENCE: Duration = Duration::from_secs(20);
/// The most that memory may grow meanwhile, in bytes.
const MEMORY: usize = 512 << 20;

/// A database with every kind of section, arm and instruction.
fn database() -> Database {
    const PATTERNS: &[(&str, &str, &str)] = &[
        ("body", "free (?:money|offer)s?", "i"),
        ("body", r"\b(?:viagra|cialis|levitra)\b", "i"),
        ("body", r"v[i1l|!]a?gr[a@4]", "i"),
        ("body", r"^dear\s+(?:friend|\w+@\w+)", "im"),
        ("body", r"(\w+) \1 \1", ""),
        ("body", r"(?<!not )spam(?!mer)", ""),
        ("body", r"a[^b]{0,50}b[^c]{3,80}c", ""),
        ("body", r"(?>a+)b", ""),
        ("body", r"[0-9a-f]{32}", ""),
        ("body", r"\S", ""),
        ("body", r"(?:x{2,5}y{1,9}){3,40}z", ""),
        ("body", "é.€", "u"),
        ("header:subject", r"^\s*$", ""),
        ("header:subject", r"\ARe: .*\z", "s"),
        ("header:subject", r"[A-Z]{10}", ""),
        ("uri", r"^https?://[^/]+\.(?:top|xyz)/", "i"),
        ("uri", r"//\d+\.\d+\.\d+\.\d+/", ""),
        ("uri", r"(", ""),
    ];
    let mut set = PatternSet::new();
    for (id, &(scope, expression, flags)) in (0..).zip(PATTERNS) {
        let pattern = Pattern {
            id,
            expression: expression.into(),
            flags: Flags::parse(flags).unwrap(),
        };
        set.add(scope, Text::of_scope(scope), pattern).unwrap();
    }
    Compiler::new().compile(&set, None).database
}

fn haystacks() -> Vec<Vec<u8>> {
    let mut random = Random::new(9);
    let mut haystacks: Vec<Vec<u8>> = (0..6).map(|_| filler(&mut random, 400)).collect();
    haystacks.push(Vec::new());
    haystacks.push(b"Dear Friend,\nfree money, v1agra a a a xxyyxxyyxxyyz spam".to_vec());
    haystacks.push(b"a".repeat(2_000));
    haystacks.push((0..=u8::MAX).collect());
    haystacks
}

/// Changes bytes as disks, transfers and programs do. Says how.
fn damage(bytes: &mut Vec<u8>, random: &mut Random) -> &'static str {
    let length = bytes.len();
    let at = random.below(length);
    let span = 1 + random.below(200.min(length - at));
    match random.below(9) {
        0 | 1 => {
            bytes[at] ^= 1 << random.below(8);
            "a flipped bit"
        }
        2 => {
            for _ in 0..1 + random.below(20) {
                let at = random.below(length);
                bytes[at] = random.byte();
            }
            "random bytes"
        }
        3 => {
            bytes.truncate(at);
            "cut off"
        }
        4 => {
            bytes.extend(std::iter::repeat_n(random.byte() & 1, span));
            "continued"
        }
        5 => {
            bytes[at..at + span].fill(if random.chance(50) { 0 } else { 0xff });
            "a filled range"
        }
        6 => {
            let piece: Vec<u8> = bytes.drain(at..at + span).collect();
            let to = random.below(bytes.len());
            bytes.splice(to..to, piece);
            "a moved range"
        }
        7 => {
            drop(bytes.drain(at..at + span));
            "a hole"
        }
        _ => {
            let block = 64 * (1 + random.below(8));
            let blocks = length / block;
            let (one, other) = (random.below(blocks) * block, random.below(blocks) * block);
            for offset in 0..block {
                bytes.swap(one + offset, other + offset);
            }
            "exchanged blocks"
        }
    }
}

/// Writes a number that does harm where numbers are believed. Says what.
fn forge(bytes: &mut [u8], database: &Database, random: &mut Random) -> String {
    let layout = database.layout();
    let sections: Vec<_> = layout
        .sections
        .iter()
        .filter(|section| section.length > 0)
        .collect();
    let section = random.pick(&sections);
    let start = usize::try_from(section.offset).unwrap();
    let length = usize::try_from(section.length).unwrap();
    let width = *random.pick(&[1_usize, 2, 4, 4, 4, 8]);
    let at = start + random.below((length / width).max(1)) * width;
    let end = (at + width).min(bytes.len());
    let old = bytes[at..end]
        .iter()
        .rev()
        .fold(0_u64, |value, &byte| value << 8 | u64::from(byte));
    let new = match random.below(9) {
        0 => 0,
        1 => 1,
        2 => u64::MAX,
        3 => 0x7fff_ffff,
        4 => section.length,
        5 => old.wrapping_add(1),
        6 => old.wrapping_sub(1),
        7 => old ^ 1 << random.below(width * 8),
        _ => random.next(),
    };
    bytes[at..end].copy_from_slice(&new.to_le_bytes()[..end - at]);
    section.name.to_owned()
}

/// The most memory this process has had, in bytes.
fn peak() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status
        .lines()
        .find(|line| line.starts_with("VmHWM:"))
        .unwrap();
    let kibibytes: usize = line.split_whitespace().nth(1).unwrap().parse().unwrap();
    kibibytes * 1024
}

/// What became of the files, by kind of damage.
type Summary = BTreeMap<String, BTreeMap<String, usize>>;

/// Runs `file` for numbers from 0, in a thread of its own, and loses patience with it.
fn watched(file: impl Fn(u64) -> (String, String) + Send + 'static) -> Summary {
    let (sender, receiver) = mpsc::channel();
    let before = peak();
    let worker = std::thread::spawn(move || {
        for number in 0..FILES {
            let begun = Instant::now();
            let result = file(number);
            assert!(begun.elapsed() < PATIENCE, "file {number} took too long");
            sender.send(result).unwrap();
        }
    });
    let mut summary = Summary::new();
    for number in 0..FILES {
        match receiver.recv_timeout(PATIENCE) {
            Ok((kind, outcome)) => {
                *summary.entry(kind).or_default().entry(outcome).or_default() += 1;
            }
            Err(mpsc::RecvTimeoutError::Timeout) => panic!("file {number} hangs"),
            Err(mpsc::RecvTimeoutError::Disconnected) => break,
        }
    }
    worker.join().expect("no file makes it panic");
    assert!(peak() < before + MEMORY, "memory grew to {}", peak());
    summary
}

fn print(summary: &Summary) {
    for (kind, outcomes) in summary {
        println!("{kind}:");
        for (outcome, count) in outcomes {
            println!("  {count:4} {outcome}");
        }
    }
}

#[test]
fn accidental_damage_is_refused() {
    let original = database();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("database");
    let summary = watched(move |number| {
        let mut random = Random::new(number);
        let mut bytes = original.as_bytes().to_vec();
        let mut kind = "";
        while bytes == original.as_bytes() {
            kind = damage(&mut bytes, &mut random);
        }
        let error = Database::from_bytes(&bytes).expect_err("damage is noticed");
        if number % 20 == 0 {
            std::fs::write(&path, &bytes).unwrap();
            let mapped = Database::open(&path).expect_err("damage is noticed");
            assert_eq!(mapped.to_string(), error.to_string());
        }
        (kind.to_owned(), reason(&error.to_string()))
    });
    print(&summary);
}

/// A reason without its numbers.
fn reason(text: &str) -> String {
    text.chars()
        .filter(|letter| !letter.is_ascii_digit())
        .collect()
}

#[test]
fn forged_files_are_refused_or_harmless() {
    let original = database();
    let haystacks = haystacks();
    let summary = watched(move |number| {
        let mut random = Random::new(1_000_000 + number);
        let mut bytes = original.as_bytes().to_vec();
        let mut kind = String::new();
        while bytes == original.as_bytes() {
            for _ in 0..1 + random.below(3) {
                kind = forge(&mut bytes, &original, &mut random);
            }
        }
        if random.chance(10) {
            kind = damage(&mut bytes, &mut random).to_owned();
        }
        if random.chance(10) {
            // The header and the table of sections.
            let at = 4 * random.below(512.min(bytes.len()) / 4);
            let value = [0, 1, u32::MAX, 64][random.below(4)];
            if let Some(place) = bytes.get_mut(at..at + 4) {
                place.copy_from_slice(&value.to_le_bytes());
                kind = "the header".to_owned();
            }
        }
        seal(&mut bytes);
        let outcome = match Database::from_bytes(&bytes) {
            Err(error) => reason(&error.to_string()),
            Ok(forged) => {
                run(&forged, &haystacks);
                "harmless".to_owned()
            }
        };
        (kind, outcome)
    });
    print(&summary);
    let harmless: usize = summary
        .values()
        .filter_map(|outcomes| outcomes.get("harmless"))
        .sum();
    println!("{harmless} of {FILES} were harmless, the others refused");
}

/// Everything one can do with a database.
fn run(database: &Database, haystacks: &[Vec<u8>]) {
    let mut scratch = Scratch::new(database);
    for scope in database.scopes() {
        for haystack in haystacks {
            let _ = scan(scope, &mut scratch, haystack);
            let mut rest = 100;
            scope.matches(&mut scratch, haystack, |found| {
                assert!(found.start <= haystack.len() && found.end <= haystack.len());
                rest -= 1;
                match rest {
                    0 => std::ops::ControlFlow::Break(()),
                    _ => std::ops::ControlFlow::Continue(()),
                }
            });
        }
        for pattern in scope.patterns() {
            let _ = scope
                .explain(pattern.id)
                .map(|explanation| explanation.to_string());
        }
    }
    let _ = Compiler::new().compile(&PatternSet::new(), Some(database));
}
