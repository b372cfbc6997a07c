//! What whoever writes rules does: compile, look into the file, try it on mail.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

const RULES: &str = "# scope by scope\n\
    PILLS\tbody\ti\t\\bcheap (?:pills|viagra)\\b\n\
    \n\
    LOTTERY\tbody\ti\tyou have won [0-9]{1,9} euros?\n\
    TWICE\tbody\t\t\\b([a-z]+) \\1\\b\n\
    BROKEN\tbody\t\t(unclosed\n\
    URGENT\theader:subject\ti\t^urgent\n\
    SHORT_LINK\turi\ti\t^https?://[a-z]{1,4}\\.example/\n";

/// A folder with rules, their database and some mail.
struct Desk {
    folder: tempfile::TempDir,
}

struct Printed {
    code: Option<i32>,
    data: String,
    notes: String,
}

impl Desk {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let desk = Self { folder };
        desk.write("rules.tsv", RULES);
        desk
    }

    fn compiled() -> Self {
        let desk = Self::new();
        let printed = desk.run(&["compile", "rules.tsv", "--output", "rules.patterns"]);
        assert_eq!(printed.code, Some(0), "{}{}", printed.data, printed.notes);
        desk
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(crate::binary());
        command
            .arg("patterns")
            .args(arguments)
            .current_dir(self.folder.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    fn run(&self, arguments: &[&str]) -> Printed {
        self.run_with(arguments, "")
    }

    fn run_with(&self, arguments: &[&str], input: &str) -> Printed {
        let mut child = self.command(arguments).spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        // A command that reads nothing may have ended already.
        let _ = stdin.write_all(input.as_bytes());
        drop(stdin);
        let output = child.wait_with_output().unwrap();
        Printed {
            code: output.status.code(),
            data: String::from_utf8(output.stdout).unwrap(),
            notes: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

/// The words of the line that begins with `first`.
fn row<'a>(text: &'a str, first: &str) -> Vec<&'a str> {
    text.lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>())
        .find(|words| words.first() == Some(&first))
        .unwrap_or_else(|| panic!("no line {first} in {text}"))
}

#[test]
fn compile_counts_scopes_and_says_where_a_refused_rule_is() {
    let desk = Desk::new();
    let printed = desk.run(&["compile", "rules.tsv", "--output", "rules.patterns"]);
    assert_eq!(printed.code, Some(0), "{}", printed.notes);
    assert_eq!(printed.notes, "", "notes are for terminals and trouble");
    assert_eq!(row(&printed.data, "body"), ["body", "3", "1"]);
    assert_eq!(
        row(&printed.data, "header:subject"),
        ["header:subject", "1", "0"]
    );
    assert_eq!(row(&printed.data, "uri"), ["uri", "1", "0"]);
    let refused = row(&printed.data, "BROKEN");
    assert_eq!(refused[..3], ["BROKEN", "body", "rules.tsv:6"]);
    assert!(
        refused[3..].starts_with(&["at", "byte", "0:"]),
        "{refused:?}"
    );
    assert!(
        printed.data.contains("5 compiled, 0 reused"),
        "{}",
        printed.data
    );
    let printed = desk.run(&[
        "compile",
        "--json",
        "rules.tsv",
        "--output",
        "other.patterns",
    ]);
    for wanted in [
        "\"schema\":\"muskox.patterns.compile/1\"",
        "\"file\":\"other.patterns\"",
        "\"line\":6",
        "\"name\":\"BROKEN\"",
    ] {
        assert!(
            printed.data.contains(wanted),
            "no {wanted} in {}",
            printed.data
        );
    }
    assert_eq!(
        std::fs::read(desk.path("rules.patterns")).unwrap(),
        std::fs::read(desk.path("other.patterns")).unwrap(),
        "the same rules make the same bytes"
    );
}

#[test]
fn strict_writes_nothing_when_a_rule_is_refused() {
    let desk = Desk::new();
    let arguments = ["compile", "--strict", "rules.tsv", "-o", "rules.patterns"];
    let printed = desk.run(&arguments);
    assert_eq!(printed.code, Some(1));
    assert!(printed.data.contains("rules.tsv:6"), "{}", printed.data);
    assert!(!desk.path("rules.patterns").exists());
    desk.write("rules.tsv", "GOOD\tbody\t\tword\n");
    assert_eq!(desk.run(&arguments).code, Some(0));
    assert!(desk.path("rules.patterns").exists());
}

#[test]
fn compiling_again_reuses_what_has_not_changed() {
    let desk = Desk::compiled();
    desk.write("more.tsv", "ADDED\tbody\t\tanother rule");
    let arguments = ["compile", "rules.tsv", "more.tsv", "-o", "rules.patterns"];
    let printed = desk.run(&arguments);
    assert!(
        printed.data.contains("1 compiled, 5 reused"),
        "{}",
        printed.data
    );
    let printed = desk.run(&["compile", "rules.tsv", "-o", "new.patterns"]);
    assert!(
        printed.data.contains("5 compiled, 0 reused"),
        "{}",
        printed.data
    );
    let arguments = ["compile", "rules.tsv", "-o", "newer.patterns", "--previous"];
    let printed = desk.run(&[&arguments[..], &["rules.patterns"]].concat());
    assert!(
        printed.data.contains("0 compiled, 5 reused"),
        "{}",
        printed.data
    );
    let printed = desk.run(&[&arguments[..], &["nowhere.patterns"]].concat());
    assert_eq!(printed.code, Some(0));
    assert!(
        printed.notes.contains("nowhere.patterns: "),
        "{}",
        printed.notes
    );
}

#[test]
fn compile_overwrites_databases_only_and_points_at_bad_lines() {
    let desk = Desk::new();
    let printed = desk.run(&["compile", "rules.tsv", "-o", "rules.tsv"]);
    assert_eq!(printed.code, Some(2), "{}", printed.notes);
    assert_eq!(
        std::fs::read_to_string(desk.path("rules.tsv")).unwrap(),
        RULES
    );
    desk.write("bad.tsv", "A\tbody\t\tx\nB\tbody\tq\ty\n");
    let printed = desk.run(&["compile", "rules.tsv", "bad.tsv", "-o", "x.patterns"]);
    assert_eq!(printed.code, Some(1));
    assert!(
        printed.notes.contains("bad.tsv:2: unknown flag"),
        "{}",
        printed.notes
    );
    assert_eq!(printed.notes.lines().count(), 1, "{}", printed.notes);
    assert!(!desk.path("x.patterns").exists());
    let printed = desk.run(&["compile", "nowhere.tsv", "-o", "x.patterns"]);
    assert_eq!(printed.code, Some(1));
    assert!(printed.notes.contains("nowhere.tsv"), "{}", printed.notes);
}

#[test]
fn scan_says_which_rules_match_which_files() {
    let desk = Desk::compiled();
    desk.write("mail/b.txt", "Cheap PILLS here, cheap viagra there");
    desk.write("mail/a/deep.txt", "the the end: you have won 500 euros");
    desk.write("mail/c.txt", "nothing");
    std::os::unix::fs::symlink("..", desk.path("mail/loop")).unwrap();
    let scan =
        |more: &[&str]| desk.run(&[&["scan", "rules.patterns", "--scope", "body"], more].concat());
    let printed = scan(&["mail"]);
    assert_eq!(printed.code, Some(0), "{}", printed.notes);
    assert_eq!(printed.notes, "");
    assert_eq!(
        printed.data,
        "mail/a/deep.txt: LOTTERY\nmail/a/deep.txt: TWICE\nmail/b.txt: PILLS\n"
    );
    let printed = scan(&["--offsets", "mail/b.txt"]);
    assert_eq!(
        printed.data,
        "mail/b.txt: PILLS [0-11]\nmail/b.txt: PILLS [18-30]\n"
    );
    let printed = scan(&["--count", "mail", "mail/b.txt"]);
    assert_eq!(row(&printed.data, "PILLS"), ["PILLS", "2"]);
    assert_eq!(row(&printed.data, "TWICE"), ["TWICE", "1"]);
    let printed = scan(&["--json", "--offsets", "mail/b.txt"]);
    assert!(
        printed
            .data
            .contains("\"schema\":\"muskox.patterns.scan/1\"")
            && printed.data.contains("\"end\":30"),
        "{}",
        printed.data
    );
    let printed = scan(&["mail/c.txt"]);
    assert_eq!(printed.code, Some(1), "as grep: nothing matches");
    assert_eq!(printed.data, "");
    let printed = scan(&["mail/c.txt", "nowhere", "mail/b.txt"]);
    assert_eq!(printed.code, Some(1));
    assert_eq!(printed.data, "mail/b.txt: PILLS\n", "it goes on");
    assert!(printed.notes.contains("nowhere: "), "{}", printed.notes);
}

#[test]
fn scan_takes_lines_and_standard_input() {
    let desk = Desk::compiled();
    let scan = ["scan", "rules.patterns", "--scope", "uri", "-"];
    let uris = "http://long.host.example/\nhttps://abc.example/x\r\nhttp://x.example/\n";
    let printed = desk.run_with(&[&scan[..], &["--lines"]].concat(), uris);
    assert_eq!(printed.data, "-:2: SHORT_LINK\n-:3: SHORT_LINK\n");
    let printed = desk.run_with(&scan, uris);
    assert_eq!(printed.code, Some(1), "`^` is the start of the whole text");
}

#[test]
fn a_reader_that_has_had_enough_is_no_crash() {
    let desk = Desk::compiled();
    desk.write("long.txt", "cheap pills\n".repeat(20_000));
    let mut child = desk
        .command(&[
            "scan",
            "rules.patterns",
            "--scope",
            "body",
            "--lines",
            "long.txt",
        ])
        .spawn()
        .unwrap();
    drop(child.stdin.take());
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    let notes = String::from_utf8_lossy(&output.stderr);
    assert!(!notes.contains("panicked"), "{notes}");
    assert_eq!(output.status.code(), Some(0), "{notes}");
}

#[test]
fn explain_tells_how_a_rule_is_found() {
    let desk = Desk::compiled();
    let printed = desk.run(&["explain", "rules.patterns", "PILLS"]);
    assert_eq!(printed.code, Some(0), "{}", printed.notes);
    for wanted in ["PILLS", "body", "cheap", "literal"] {
        assert!(
            printed.data.contains(wanted),
            "no {wanted} in {}",
            printed.data
        );
    }
    let printed = desk.run(&["explain", "rules.patterns", "PILS"]);
    assert_eq!(printed.code, Some(4));
    assert!(
        printed.notes.contains("did you mean `PILLS`?"),
        "{}",
        printed.notes
    );
    let printed = desk.run(&["explain", "rules.patterns", "BROKEN"]);
    assert_eq!(printed.code, Some(1), "it is there, but refused");
    assert!(printed.notes.contains("at byte 0"), "{}", printed.notes);
    let printed = desk.run(&["explain", "--expression", "unmistakable", "--flags", "i"]);
    assert_eq!(printed.code, Some(0), "{}", printed.notes);
    assert!(printed.data.contains("literal"), "{}", printed.data);
    let printed = desk.run(&["explain", "--expression", "a(b"]);
    assert_eq!(printed.code, Some(1));
    assert!(printed.notes.contains("at byte 1"), "{}", printed.notes);
    assert_eq!(
        desk.run(&["explain", "--expression", "a", "--flags", "q"])
            .code,
        Some(2)
    );
    assert_eq!(desk.run(&["explain"]).code, Some(2));
}

#[test]
fn inspect_shows_what_is_in_a_file() {
    let desk = Desk::compiled();
    let printed = desk.run(&["inspect", "rules.patterns"]);
    assert_eq!(printed.code, Some(0), "{}", printed.notes);
    assert_eq!(row(&printed.data, "body")[..3], ["body", "prose", "3"]);
    assert_eq!(row(&printed.data, "uri")[..3], ["uri", "address", "1"]);
    for wanted in ["digest", "version", "BROKEN", "at byte 0", "literals"] {
        assert!(
            printed.data.contains(wanted),
            "no {wanted} in {}",
            printed.data
        );
    }
    let printed = desk.run(&["inspect", "--json", "rules.patterns"]);
    assert!(
        printed
            .data
            .contains("\"schema\":\"muskox.patterns.inspect/1\""),
        "{}",
        printed.data
    );
}

#[test]
fn verify_says_what_is_wrong_with_a_file() {
    let desk = Desk::compiled();
    let printed = desk.run(&["verify", "rules.patterns"]);
    assert_eq!(printed.code, Some(0), "{}", printed.notes);
    let good = std::fs::read(desk.path("rules.patterns")).unwrap();
    let mut flipped = good.clone();
    let middle = flipped.len() / 2;
    flipped[middle] ^= 1;
    desk.write("flipped.patterns", flipped);
    desk.write("cut.patterns", &good[..good.len() - 1]);
    desk.write("foreign.patterns", "#!/bin/sh\n");
    for (file, wanted) in [
        ("flipped.patterns", "checksum"),
        ("cut.patterns", "bytes instead of"),
        ("foreign.patterns", "not a pattern database"),
        ("nowhere.patterns", "No such file"),
    ] {
        for verb in ["verify", "inspect"] {
            let printed = desk.run(&[verb, file]);
            assert_eq!(printed.code, Some(1), "{verb} {file}");
            assert!(printed.notes.contains(wanted), "{file}: {}", printed.notes);
            assert!(printed.notes.contains(file), "{}", printed.notes);
        }
    }
    let printed = desk.run(&["scan", "rules.patterns", "--scope", "boby", "."]);
    assert_eq!(printed.code, Some(4));
    assert!(
        printed.notes.contains("header:subject"),
        "{}",
        printed.notes
    );
}
