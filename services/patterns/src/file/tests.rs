//! Files that are damaged, by accident or on purpose.

use std::ops::ControlFlow;
use std::path::Path;

use proptest::prelude::*;

use super::layout::{ENGINE, FORMAT, HEADER, Header, Kind, SectionRecord};
use super::seal;
use crate::tests::{VARIED, database};
use crate::{Database, LoadError, Scratch};

const TEXT: &[u8] = b"Dear friend, viagra v1agr4 ABCDEFGHI aaaa not spam spam\nunsubscribe\n \
    begin free pills end 123 \xe2\x82\xac 5 http://www.example.com/x.zip RE: re: \xc3\xa9\xc3\xa9";

/// Refused, or scanned without harm.
fn try_out(bytes: &[u8]) -> Result<(), LoadError> {
    let database = Database::from_bytes(bytes)?;
    let mut scratch = Scratch::new(&database);
    scratch.set_fuel(10_000);
    for scope in database.scopes() {
        scope.scan(&mut scratch, TEXT, |_| ControlFlow::Continue(()));
        scope.scan(&mut scratch, b"", |_| ControlFlow::Continue(()));
        let mut limit = 1_000;
        scope.matches(&mut scratch, TEXT, |_| {
            limit -= 1;
            if limit == 0 {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        });
        for info in scope.patterns() {
            scope
                .explain(info.id)
                .map(|explanation| explanation.to_string());
        }
    }
    assert!(database.refused().count() < 100);
    Ok(())
}

fn sections(bytes: &[u8]) -> usize {
    use zerocopy::FromBytes;
    Header::ref_from_prefix(bytes).unwrap().0.sections.get() as usize
}

fn section(database: &Database, name: &str) -> std::ops::Range<usize> {
    let layout = database.layout();
    let section = layout.sections.iter().find(|section| section.name == name);
    let section = section.unwrap();
    let start = usize::try_from(section.offset).unwrap();
    start..start + usize::try_from(section.length).unwrap()
}

#[test]
fn a_saved_file_is_the_same_database() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("set.patterns");
    let first = database(VARIED);
    first.save(&path).unwrap();
    let opened = Database::open(&path).unwrap();
    assert!(opened.as_bytes() == first.as_bytes());
    // The file is replaced under a database that is in use, and no other file is left.
    let second = database(&VARIED[..3]);
    second.save(&path).unwrap();
    assert!(opened.as_bytes() == first.as_bytes());
    opened.verify().unwrap();
    assert_eq!(Database::open(&path).unwrap().digest(), second.digest());
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1);

    assert!(
        first
            .save(&directory.path().join("missing/set.patterns"))
            .is_err()
    );
    assert!(first.save(Path::new("/")).is_err());
    assert!(first.save(directory.path()).is_err());
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1);
}

#[test]
fn what_is_no_file_or_no_database_is_told_apart() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("x");
    let open = || Database::open(&path).unwrap_err();
    assert!(matches!(open(), LoadError::Io(error) if error.kind() == std::io::ErrorKind::NotFound));
    for content in ["", "x", "not a database, but long enough for a header, "] {
        std::fs::write(&path, content.repeat(5)).unwrap();
        assert!(matches!(open(), LoadError::NotADatabase));
    }
    assert!(matches!(
        Database::open(directory.path()).unwrap_err(),
        LoadError::NotADatabase
    ));
}

#[test]
fn another_version_is_named() {
    let good = database(VARIED).as_bytes().to_vec();
    let mut other = good.clone();
    other[8] += 1;
    let error = Database::from_bytes(&other).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "written in version {}.{ENGINE}, this program reads {FORMAT}.{ENGINE}",
            FORMAT + 1
        )
    );
    let mut other = good;
    other[12] += 1;
    assert!(matches!(
        Database::from_bytes(&other).unwrap_err(),
        LoadError::Checksum { section: "header" }
    ));
    seal(&mut other);
    assert!(matches!(
        Database::from_bytes(&other).unwrap_err(),
        LoadError::Version { found, .. } if found.engine == ENGINE + 1
    ));
}

#[test]
fn every_flipped_bit_of_header_and_section_table_is_found() {
    let good = database(VARIED).as_bytes().to_vec();
    let end = HEADER + sections(&good) * size_of::<SectionRecord>();
    for byte in 0..end {
        for bit in 0..8 {
            let mut bad = good.clone();
            bad[byte] ^= 1 << bit;
            assert!(Database::from_bytes(&bad).is_err(), "byte {byte} bit {bit}");
            // With right checksums too, except for the digest of the set, which is only a name.
            seal(&mut bad);
            let name = 48..80;
            let header_checksum = HEADER - 8..HEADER;
            let table_checksum = 40..48;
            let in_record = |byte: usize| (byte - HEADER) % size_of::<SectionRecord>();
            let restored = name.contains(&byte)
                || table_checksum.contains(&byte)
                || header_checksum.contains(&byte)
                || (byte >= HEADER && in_record(byte) >= 24);
            assert_eq!(
                Database::from_bytes(&bad).is_ok(),
                restored,
                "byte {byte} bit {bit}, sealed"
            );
        }
    }
}

#[test]
fn every_flipped_bit_of_the_rest_is_found() {
    let good = database(&VARIED[..2]).as_bytes().to_vec();
    let mut bad = good.clone();
    for byte in HEADER..good.len() {
        let bit = 1 << (byte % 8);
        bad[byte] ^= bit;
        assert!(Database::from_bytes(&bad).is_err(), "byte {byte}");
        bad[byte] ^= bit;
    }
}

#[test]
fn a_file_of_another_length_is_refused() {
    let good = database(VARIED).as_bytes().to_vec();
    for length in 0..good.len() {
        let error = Database::from_bytes(&good[..length]).unwrap_err();
        match error {
            LoadError::NotADatabase => assert!(length < 8),
            LoadError::Truncated { found, .. } => assert_eq!(found, length as u64),
            other => panic!("{length} bytes: {other}"),
        }
    }
    let mut long = good;
    long.resize(long.len() + 64, 0);
    assert!(matches!(
        Database::from_bytes(&long),
        Err(LoadError::Truncated { .. })
    ));
}

#[test]
fn padding_must_be_zero() {
    let database = database(VARIED);
    let good = database.as_bytes();
    let mut covered = vec![false; good.len()];
    covered[..HEADER + sections(good) * size_of::<SectionRecord>()].fill(true);
    for section in database.layout().sections {
        let start = usize::try_from(section.offset).unwrap();
        let length = usize::try_from(section.length).unwrap();
        covered[start..start + length].fill(true);
    }
    let mut padding = 0;
    for (byte, _) in covered.iter().enumerate().filter(|(_, covered)| !**covered) {
        let mut bad = good.to_vec();
        bad[byte] = 1;
        seal(&mut bad);
        assert!(matches!(
            Database::from_bytes(&bad),
            Err(LoadError::Damaged {
                section: "sections",
                ..
            })
        ));
        padding += 1;
    }
    assert!(padding > 100);
}

#[test]
fn sections_in_another_place_are_refused() {
    let good = database(VARIED).as_bytes().to_vec();
    let count = sections(&good);
    let record = |number: usize| {
        let start = HEADER + number * size_of::<SectionRecord>();
        start..start + size_of::<SectionRecord>()
    };
    for first in 0..count {
        for second in 0..first {
            let mut bad = good.clone();
            let (a, b) = (good[record(first)].to_vec(), good[record(second)].to_vec());
            bad[record(first)].copy_from_slice(&b);
            bad[record(second)].copy_from_slice(&a);
            seal(&mut bad);
            assert!(
                matches!(Database::from_bytes(&bad), Err(LoadError::Damaged { .. })),
                "sections {first} and {second}"
            );
        }
    }
}

#[test]
fn forged_numbers_are_refused_where_they_stand() {
    let database = database(VARIED);
    let good = database.as_bytes();
    let refused = |kind: Kind, at: usize, what: &[u8]| {
        let mut bad = good.to_vec();
        let start = section(&database, kind.name()).start + at;
        bad[start..start + what.len()].copy_from_slice(what);
        seal(&mut bad);
        match Database::from_bytes(&bad) {
            Err(LoadError::Damaged { section, reason }) => (section, reason),
            other => panic!("{kind:?} {at}: {other:?}"),
        }
    };
    let high = [0xff; 4];
    // Units: number of sets; digest order; offset.
    assert_eq!(
        refused(Kind::Units, 0, &high).1,
        "a unit has a wrong length"
    );
    assert_eq!(
        refused(Kind::Index, 0, &[0xff; 32]).1,
        "the index is not in order"
    );
    assert_eq!(
        refused(Kind::Index, 32, &high).1,
        "they do not follow each other"
    );
    // Patterns: id, unit, texts, lengths, flags.
    assert_eq!(
        refused(Kind::Patterns, 0, &high).1,
        "the ids are not in order"
    );
    assert_eq!(refused(Kind::Patterns, 4, &high).1, "one has no unit");
    for at in [8, 16, 20] {
        assert_eq!(refused(Kind::Patterns, at, &high).0, "patterns");
    }
    assert_eq!(
        refused(Kind::Patterns, 24, &[0x20]).1,
        "one has unknown flags"
    );
    // Arms: every field.
    for at in [0, 4, 5, 6, 7, 8, 12, 16, 20, 24, 32, 64, 95] {
        let start = section(&database, "arms").start + at;
        let other = [!good[start]];
        assert_eq!(
            refused(Kind::Arms, at, &other).1,
            "one is not that of its unit"
        );
    }
    // Scopes: length of a name, text.
    assert_eq!(refused(Kind::Scopes, 0, &high).0, "scopes");
    assert_eq!(refused(Kind::Scopes, 4, &[9]).1, "an unknown kind of text");
    assert_eq!(refused(Kind::Refused, 0, &high).1, "they are cut off");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// Whatever the bytes say: refused, or scanned without panic, hang or a step outside.
    #[test]
    fn forged_files_do_no_harm(
        edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0_u8..4), 1..6)
    ) {
        static GOOD: std::sync::OnceLock<Vec<u8>> = std::sync::OnceLock::new();
        let good = GOOD.get_or_init(|| database(VARIED).as_bytes().to_vec());
        let mut bad = good.clone();
        let start = HEADER + sections(good) * size_of::<SectionRecord>();
        for (place, value, how) in edits {
            let at = start + place.index(bad.len() - start);
            let byte = &mut bad[at];
            *byte = match how {
                0 => value,
                1 => *byte ^ 1 << (value % 8),
                2 => byte.wrapping_add(1),
                _ => byte.wrapping_sub(1),
            };
        }
        prop_assert!(bad == *good || try_out(&bad).is_err());
        seal(&mut bad);
        let _ = try_out(&bad);
    }
}
