//! A map of any kind is read or refused with places in it; what is read prints as lines that are
//! read as the same. A file of mailcow's is recognised or refused, and what it becomes is accepted.
#![no_main]

use libfuzzer_sys::fuzz_target;
use policy::{Error, Kind, MOST_LINE_ERRORS, SenderPattern, compile_check, mailcow};

const FILES: [&str; 4] = ["bad_words.map", "ip_wl.map", "bad_asn.map", "unknown.map"];

fuzz_target!(|input: (u8, &[u8])| {
    let (choice, bytes) = input;
    let kind = Kind::ALL[usize::from(choice) % Kind::ALL.len()];
    if let Ok(text) = std::str::from_utf8(bytes) {
        match compile_check(kind, text) {
            Ok(lines) => {
                let printed: Vec<String> =
                    lines.iter().map(|line| line.entry.to_string()).collect();
                let again = compile_check(kind, &printed.join("\n")).expect("what was printed");
                assert!(
                    again
                        .iter()
                        .map(|line| &line.entry)
                        .eq(lines.iter().map(|line| &line.entry))
                );
            }
            Err(errors) => {
                assert!((1..=MOST_LINE_ERRORS).contains(&errors.len()));
                assert!(errors.is_sorted_by_key(|error| error.line));
                for error in errors {
                    let line = text.lines().nth(error.line - 1).unwrap_or_default();
                    assert!(
                        (1..=line.chars().count() + 1).contains(&error.column),
                        "{error}"
                    );
                }
            }
        }
        if let Ok(pattern) = text.parse::<SenderPattern>() {
            let printed = pattern.to_string();
            assert_eq!(
                printed.parse::<SenderPattern>().expect("what was printed"),
                pattern
            );
        }
    }
    let file = FILES[usize::from(choice) % FILES.len()];
    match mailcow::import(file, bytes) {
        Ok(imported) => {
            let again = mailcow::import(file, imported.text.as_bytes()).expect("what was imported");
            assert_eq!(again, imported);
        }
        Err(error) => assert!(matches!(error, Error::Lines(_) | Error::UnknownFile(_))),
    }
});
