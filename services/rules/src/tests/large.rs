//! Books of the size that servers have.

use super::{Message, Rig};
use crate::{Book, RuleSet};

/// A map of an administrator: one rule with so many patterns.
fn map(patterns: usize) -> String {
    let lines: String = (0..patterns)
        .map(|number| format!("'/\\bword{number}x\\w+\\b/i',\n"))
        .collect();
    format!("[[rule]]\nsymbol = 'MAP'\nscore = 1\nwhen = {{ in = 'body', match = [\n{lines}] }}\n")
}

/// Rules of one pattern each, and composites of two of them.
fn rules(count: usize) -> String {
    (0..count)
        .map(|number| {
            format!(
                "[[rule]]\nsymbol = '__R{number}'\nhidden = true\n\
                 when = {{ in = 'header.subject', match = '/rule{number}\\b/' }}\n\
                 [[rule]]\nsymbol = 'C{number}'\nscore = 0.5\n\
                 when = {{ expression = '__R{number} && __R{}' }}\n",
                (number + 1) % count
            )
        })
        .collect()
}

#[test]
fn a_large_book_finds_what_a_small_one_does() {
    let (map, rules) = (map(2_000), rules(500));
    let mut rig = Rig::new(&[&map, &rules]);
    let message = Message::default()
        .text("body", "nothing word1234xyz word7xa")
        .text("header.subject", "rule3 rule4 rule499 rule0 rule77");
    let conclusion = rig.conclude(&message, &[]);
    assert_eq!(super::symbols(&conclusion), ["MAP", "C3", "C499"]);
    assert_eq!(conclusion.hits[0].options, [r"\bword7x\w+\b"]);
    let empty = rig.conclude(&Message::default(), &[]);
    assert_eq!(empty.hits, []);
}

#[test]
#[ignore = "measures: run it in release with --nocapture"]
fn building_and_scanning_ten_thousand_patterns() {
    use std::io::Write as _;
    use std::time::Instant;

    let mut out = std::io::stderr().lock();
    let (map, rules) = (map(10_000), rules(2_000));
    let start = Instant::now();
    let sets = [
        RuleSet::parse(&map).unwrap(),
        RuleSet::parse(&rules).unwrap(),
    ];
    writeln!(out, "parse: {:?}", start.elapsed()).unwrap();
    let start = Instant::now();
    let book = Book::new(&[&sets[0], &sets[1]]).unwrap();
    writeln!(out, "book: {:?}", start.elapsed()).unwrap();
    let start = Instant::now();
    let set = book.patterns().unwrap();
    writeln!(out, "pattern set of {}: {:?}", set.len(), start.elapsed()).unwrap();
    let start = Instant::now();
    let mut rig = Rig::of(book);
    writeln!(out, "compile: {:?}", start.elapsed()).unwrap();
    let message = Message::default()
        .text("body", "nothing word1234xyz word7xa ".repeat(100))
        .text("header.subject", "rule3 rule4 rule499 rule0 rule77");
    let turns = 1_000;
    let start = Instant::now();
    for _ in 0..turns {
        let scan = rig.book.scan(&rig.database, &mut rig.workspace, &message);
        std::hint::black_box(scan);
    }
    writeln!(out, "scan: {:?}", start.elapsed() / turns).unwrap();
    let start = Instant::now();
    for _ in 0..turns {
        rig.conclude(&message, &[]);
    }
    writeln!(out, "scan and conclude: {:?}", start.elapsed() / turns).unwrap();
}
