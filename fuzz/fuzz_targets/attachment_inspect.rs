//! An inspection never panics, keeps its limits, and says the same twice.
#![no_main]

use attachment::{Limits, inspect};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    // The first octet chooses a name, so that every reader's way by name is taken.
    let (choice, bytes) = input.split_first().unwrap_or((&0, input));
    let names = [
        "a.zip",
        "photo.jpg   .scr",
        "invoice.pdf",
        "a.tar.gz",
        "a\u{202e}fdp.exe",
        "",
    ];
    let name = names[usize::from(*choice) % names.len()];
    let limits = Limits {
        names: 50,
        name_length: 40,
        unpacked: 1 << 20,
        entry: 256 << 10,
        entries: 500,
        ..Limits::default()
    };
    let report = inspect(Some(name), "application/pdf", bytes, &limits);
    assert!(report.names.len() <= limits.names);
    for name in &report.names {
        assert!(name.chars().count() <= limits.name_length);
        assert!(!name.contains(char::is_control));
    }
    assert!(report.unpacked <= limits.unpacked);
    assert!(report.words.windows(2).all(|pair| pair[0] < pair[1]));
    assert_eq!(
        report,
        inspect(Some(name), "application/pdf", bytes, &limits)
    );
});
