//! Any files can be imported: the rules fit together, can be written and read again, every rule of
//! the files is counted once, and importing them again gives the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rules::spamassassin::import;
use rules::{Book, MAX_FILE, RuleSet};

fuzz_target!(|input: (&[u8], &[u8])| {
    let files = [
        ("init.pre".to_owned(), input.0),
        ("local.cf".to_owned(), input.1),
    ];
    let found = import(&files);
    assert_eq!(import(&files), found);

    let total = found.report.total();
    assert_eq!(total.taken, total.translated + total.refused);
    let by_file = found.report.files.iter().map(|file| file.tally.taken);
    assert_eq!(by_file.sum::<usize>(), total.taken);

    if let Err(errors) = Book::new(&[&found.set]) {
        panic!("the rules do not fit together: {errors:?}");
    }
    let toml = found.set.to_toml();
    if toml.len() <= MAX_FILE {
        assert_eq!(RuleSet::parse(&toml).as_ref(), Ok(&found.set));
    }
});
