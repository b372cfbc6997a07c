//! Bombs end within the limits, and any change of any fixture keeps the promises.

use proptest::prelude::*;

use super::build::{self, Zip};
use super::content;
use crate::{Limits, Report, inspect};

/// What holds of every report.
fn check(report: &Report, limits: &Limits) {
    assert!(report.names.len() <= limits.names);
    for name in &report.names {
        assert!(name.chars().count() <= limits.name_length);
        assert!(!name.contains(char::is_control), "{name:?}");
    }
    assert!(report.unpacked <= limits.unpacked);
    assert!(report.words.is_sorted());
    assert!(!report.kind.is_empty());
}

/// Deflated zeros, in one piece for each thousand of 1 MiB.
fn gigabyte() -> Vec<u8> {
    use flate2::{Compression, write::GzEncoder};
    use std::io::Write as _;
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    let zeros = vec![0; 1 << 20];
    for _ in 0..1024 {
        encoder.write_all(&zeros).unwrap();
    }
    encoder.finish().unwrap()
}

#[test]
fn a_gigabyte_of_zeros() {
    let limits = Limits::default();
    let bomb = gigabyte();
    let report = content(&bomb);
    assert!(report.bomb && report.truncated);
    check(&report, &limits);
    // Inside a ZIP archive, as a member that is worth a look.
    let report = content(&build::zip(&[("a.gz", &bomb)]));
    assert!(report.bomb && report.nested);
    check(&report, &limits);
    // A member that is not, but says how large it is.
    let zip = Zip::default().entry("zeros", 0, [1_000_000, 1_000_000_000], 0);
    assert!(content(&[b"PK\x03\x04".to_vec(), zip.done()].concat()).bomb);
}

#[test]
fn deeply_nested() {
    let mut octets = build::zip(&[("a.txt", b"x")]);
    for _ in 0..3 {
        octets = build::zip(&[("a.zip", &octets), ("b.zip", &octets)]);
    }
    let report = content(&octets);
    assert!(report.nested && !report.bomb);
    assert_eq!(report.names.len(), 2 + 4 + 8 + 8);
    let report = content(&build::zip(&[("a.zip", &octets)]));
    assert!(report.nested && report.bomb && report.truncated);
}

#[test]
fn overlapping_entries() {
    let zip = Zip::default().add("a", &[b'x'; 1000], 0);
    let size = u32::try_from(zip.locals.len() - 31).unwrap();
    let zip = (0..500).fold(zip, |zip, number| {
        zip.entry(&format!("b{number}"), 0, [size, 1000], 0)
    });
    let report = content(&zip.done());
    assert!(report.bomb);
    check(&report, &Limits::default());
}

#[test]
fn small_limits_are_kept() {
    let limits = Limits {
        names: 3,
        name_length: 8,
        unpacked: 5_000,
        entry: 2_000,
        entries: 20,
        ..Limits::default()
    };
    for octets in fixtures() {
        check(&inspect(None, "", &octets, &limits), &limits);
    }
    let name = "a long name with an end.exe";
    let many: Vec<(&str, &[u8])> = (0..30).map(|_| (name, &b"x"[..])).collect();
    let report = inspect(None, "", &build::zip(&many), &limits);
    assert_eq!(report.names, [" end.exe"; 3]);
    assert!(report.truncated);
}

#[test]
fn chains_that_run_in_circles() {
    let mut octets = build::compound([0; 16], &[("Workbook", &[7; 9000])]);
    // Every sector leads to the first.
    octets[512..1024].chunks_exact_mut(4).for_each(|next| {
        next.copy_from_slice(&1_u32.to_le_bytes());
    });
    check(&content(&octets), &Limits::default());
    // The image's directory holds itself.
    let mut image = build::iso(&[("A;1", "a", b"x")]);
    let record: Vec<u8> = image[16 * 2048 + 156..16 * 2048 + 190].to_vec();
    image[19 * 2048 + 42..19 * 2048 + 76].copy_from_slice(&record);
    image[19 * 2048 + 42 + 33] = b'x';
    assert_eq!(content(&image).names, ["a"]);
}

fn fixtures() -> Vec<Vec<u8>> {
    let program = build::program();
    let files: [(&str, &[u8]); 2] = [("readme.txt", b"text"), ("a/setup.exe", &program)];
    let project = build::with_project(
        "Sub AutoOpen()\r\nShell x\r\nEnd Sub",
        &[("Workbook", b"x")],
    );
    let package = build::package("run.exe", &program);
    let zip = build::zip(&files);
    vec![
        build::zip(&[("inner.zip", &zip), ("b.tar", &build::tar(&files))]),
        build::tar(&files),
        build::gzip(&build::tar(&files)),
        build::rar_4(&files.map(|(name, octets)| (name, octets, 0))),
        build::rar_5(&[("a.txt", b"x", false), ("b.exe", b"y", true)]),
        build::seven_zip(&["a.txt", "b.exe"]),
        build::cab(&["a.txt", "b.exe"]),
        build::iso(&[("A.TXT;1", "a.txt", b"x"), ("B.EXE;1", "b.exe", &program)]),
        build::tnef(&files),
        build::zip(&[
            ("[Content_Types].xml", b"<a/>"),
            ("word/_rels/a.rels", b"<Relationship Type='x/frame' Target='http://a' TargetMode='External'/>"),
            ("word/document.xml", b"<w:instrText>DDE x</w:instrText>"),
            ("word/vbaProject.bin", &project),
        ]),
        project,
        build::compound([0; 16], &[("\u{1}Ole10Native", &package), ("Workbook", &[9; 5000])]),
        [&b"%PDF-1.7\n<</OpenAction 7 0 R>> 5 0 obj <</Type/ObjStm/Filter/FlateDecode>> stream\n"[..],
            &build::zlib(b"7 0 <</S /URI>>"), b"\nendstream"].concat(),
        b"{\\rtf1 {\\*\\objdata 0105000002000000080000005061636b61676500000000000000}{\\*\\template http://a}}".to_vec(),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn mutated_fixtures(
        which in 0_usize..14,
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..12),
        cut in prop::option::of(any::<prop::sample::Index>()),
    ) {
        let mut octets = fixtures().swap_remove(which);
        for (place, octet) in changes {
            let place = place.index(octets.len());
            octets[place] = octet;
        }
        if let Some(cut) = cut {
            octets.truncate(cut.index(octets.len()));
        }
        let limits = Limits { unpacked: 100_000, names: 10, ..Limits::default() };
        let report = inspect(Some("a.bin"), "application/pdf", &octets, &limits);
        check(&report, &limits);
        prop_assert_eq!(&report, &inspect(Some("a.bin"), "application/pdf", &octets, &limits));
    }

    #[test]
    fn any_octets(octets in prop::collection::vec(any::<u8>(), 0..600), name in ".{0,40}") {
        let limits = Limits::default();
        check(&inspect(Some(&name), "image/png", &octets, &limits), &limits);
    }
}
