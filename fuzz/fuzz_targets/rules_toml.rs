//! A rule file is read or refused with a place in it; what is read is written so that the same is
//! read again, and a book is made of it or refused, with a database or without.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rules::{Book, Flag, Number, RuleSet, Scope, Subject, Workspace};

/// What is compiled at most: the compiler has a target of its own.
const MOST_PATTERNS: usize = 16;

/// A message whose every scope has the same text.
struct Message<'m>(&'m [u8]);

impl Subject for Message<'_> {
    fn haystacks<'s>(&'s self, _: &Scope, into: &mut Vec<&'s [u8]>) {
        into.extend(self.0.split(|&byte| byte == b'\n'));
    }

    fn number(&self, number: Number) -> f64 {
        f64::from(number as u8)
    }

    fn holds(&self, flag: Flag) -> bool {
        flag as u8 % 2 == 0
    }
}

fuzz_target!(|input: (&str, &[u8])| {
    let (file, text) = input;
    let set = match RuleSet::parse_all(file) {
        Ok(set) => set,
        Err(errors) => {
            assert!(!errors.is_empty());
            assert!(errors.is_sorted_by_key(|error| error.place));
            assert!(errors.iter().all(|error| error.place.is_some()));
            return;
        }
    };
    let again = set.to_toml();
    assert_eq!(RuleSet::parse(&again).as_ref(), Ok(&set), "{again}");
    let Ok(book) = Book::new(&[&set]) else {
        return;
    };
    // The same set over itself changes nothing.
    let twice = Book::new(&[&set, &set]).expect("what one set may say, two may");
    assert!(book.rules().eq(twice.rules()));
    let Ok(patterns) = book.patterns() else {
        return;
    };
    if patterns.len() > MOST_PATTERNS {
        return;
    }
    let database = patterns::Compiler::new().compile(&patterns, None).database;
    let mut workspace = Workspace::new(&database);
    workspace.scratch().set_fuel(1 << 16);
    let message = Message(text);
    let scan = book.scan(&database, &mut workspace, &message);
    let conclusion = book.conclude(&scan, &[]);
    for hit in &conclusion.hits {
        assert!(hit.count > 0 && hit.score.is_finite());
        assert!(hit.options.len() <= 5);
        assert!(
            hit.options
                .iter()
                .all(|option| option.chars().count() <= 64)
        );
    }
    let scan = book.scan(&database, &mut workspace, &message);
    assert_eq!(book.conclude(&scan, &[]), conclusion);
});
