//! A damaged database is refused; one whose checksums were made right again is refused or harmless.
#![no_main]

use std::ops::ControlFlow;
use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use patterns::{Compiler, Database, PatternSet, Scratch, seal};

/// Steps of a search: an input shall not take seconds.
const FUEL: u64 = 1 << 16;
/// Rules of all kinds: literals, lanes, anchors, look-arounds, back references, loops.
const RULES: &[u8] = b"a\tbody\ti\t\\bfree (?:money|pills)\\b\n\
    b\tbody\t\t^Dear [A-Z]\n\
    c\tbody\ti\tv[i1!|l][a4@]gr[a4@]\n\
    d\tbody\t\t(\\w+) \\1\n\
    e\tbody\t\t(?<!no )spam(?= and)\n\
    f\tbody\ts\tx(?:ab|cd){2,40}y.{3,90}z\n\
    g\tbody\t\t\\S\n\
    h\turi\ti\t\\.(?:exe|zip)$\n";
const HAYSTACKS: [&[u8]; 3] = [
    b"Dear Sir, free money and v1agra viagra the the no spam and spam and xababcdy---z",
    b"http://example.test/a.zip",
    b"",
];

static BYTES: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let (set, _) = PatternSet::read_tsv(RULES).expect("rules");
    Compiler::new()
        .compile(&set, None)
        .database
        .as_bytes()
        .to_vec()
});

fuzz_target!(|edits: Vec<(u32, u8)>| {
    let mut bytes = BYTES.clone();
    for (place, byte) in edits {
        let place = place as usize % bytes.len();
        bytes[place] = byte;
    }
    if bytes != *BYTES {
        assert!(Database::from_bytes(&bytes).is_err());
    }
    seal(&mut bytes);
    let Ok(database) = Database::from_bytes(&bytes) else {
        return;
    };
    let mut scratch = Scratch::new(&database);
    scratch.set_fuel(FUEL);
    for scope in database.scopes() {
        for haystack in HAYSTACKS {
            scope.scan(&mut scratch, haystack, |_| ControlFlow::Continue(()));
            scope.matches(&mut scratch, haystack, |found| {
                assert!(found.end <= haystack.len());
                ControlFlow::Continue(())
            });
        }
        for pattern in scope.patterns() {
            let _ = scope.explain(pattern.id).map(|text| text.to_string());
        }
    }
});
