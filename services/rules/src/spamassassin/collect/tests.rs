//! Every directive that collects, and the limits.

use super::super::lists::Lists;
use super::*;

fn collected(text: &str) -> Collected {
    collect(&[("a.cf".to_owned(), text.as_bytes())])
}

fn symbols(text: &str) -> Vec<String> {
    collected(text).drafts.into_keys().collect()
}

/// Line, directive, outcome and reason of all notes.
fn notes(text: &str) -> Vec<(usize, String, Outcome, String)> {
    let file = collected(text).report.files.remove(0);
    let notes = file.notes.into_iter();
    notes
        .map(|note| (note.line, note.directive, note.outcome, note.reason))
        .collect()
}

#[test]
fn every_kind_of_rule_is_collected() {
    let collected = collected(
        "body A /a/\nrawbody B /b/\nfull C /c/\nuri D /d/\nuri_detail E text =~ /e/\n\
         header F Subject =~ /f/\nmimeheader G Content-Type =~ /g/\nmeta H A && B\n\
         body I eval:nothing()\naskdns J _X_ A /1/\nmeta K eval:x\n",
    );
    let found: Vec<(&str, Kind, usize)> = collected
        .drafts
        .iter()
        .map(|(symbol, draft)| (symbol.as_str(), draft.kind, draft.at.line))
        .collect();
    let expected = [
        ("A", Kind::Body, 1),
        ("B", Kind::RawBody, 2),
        ("C", Kind::Full, 3),
        ("D", Kind::Uri, 4),
        ("E", Kind::UriDetail, 5),
        ("F", Kind::Header, 6),
        ("G", Kind::MimeHeader, 7),
        ("H", Kind::Meta, 8),
        ("I", Kind::Eval, 9),
        ("J", Kind::AskDns, 10),
        ("K", Kind::Meta, 11),
    ];
    assert_eq!(found, expected);
    assert_eq!(collected.report.files[0].lines, 12);
}

#[test]
fn the_last_definition_counts() {
    let collected = collect(&[
        ("1.cf".to_owned(), b"body A /a/\nbody A /b/"),
        ("2.cf".to_owned(), b"\nbody A /c/"),
    ]);
    let draft = &collected.drafts["A"];
    assert_eq!((draft.at.file, draft.at.line), (1, 2));
    assert_eq!(draft.text, b"/c/");
}

#[test]
fn conditions_choose_lines() {
    let cases: [(&str, &[&str]); 9] = [
        (
            "if (version >= 4)\nmeta A 1\nelse\nmeta B 1\nendif\nmeta C 1",
            &["A", "C"],
        ),
        (
            "if (version < 4)\nmeta A 1\nelse\nmeta B 1\nendif\nmeta C 1",
            &["B", "C"],
        ),
        (
            "ifplugin Mail::SpamAssassin::Plugin::DKIM\nmeta A 1\nendif",
            &["A"],
        ),
        (
            "ifplugin Mail::SpamAssassin::Plugin::Nothing\nmeta A 1\nendif",
            &[],
        ),
        (
            "if 0\nif 1\nmeta A 1\nelse\nmeta B 1\nendif\nelse\nmeta C 1\nendif",
            &["C"],
        ),
        (
            "if 1\nif 0\nmeta A 1\nelse\nmeta B 1\nendif\nelse\nmeta C 1\nendif",
            &["B"],
        ),
        ("if 0\nmeta A 1", &[]),
        ("if nonsense\nmeta A 1\nelse\nmeta B 1\nendif", &["B"]),
        (
            "enable_compat old\nif can(Mail::SpamAssassin::Conf::compat_old)\nmeta A 1\nendif",
            &["A"],
        ),
    ];
    for (text, expected) in cases {
        assert_eq!(symbols(text), expected, "{text}");
    }
}

#[test]
fn a_condition_ends_with_its_file() {
    let collected = collect(&[
        ("1.cf".to_owned(), b"if 0\nmeta A 1"),
        ("2.cf".to_owned(), b"meta B 1"),
    ]);
    assert!(collected.drafts.keys().eq(["B"]));
    assert_eq!(collected.report.files[0].notes[0].line, 1);
}

#[test]
fn conditions_are_nested_only_so_deep() {
    let deep = |depth: usize| {
        let (open, close) = ("if 1\n".repeat(depth), "endif\n".repeat(depth));
        symbols(&format!("{open}meta A 1\n{close}meta B 1\n"))
    };
    assert_eq!(deep(MAX_NESTING), ["A", "B"]);
    assert_eq!(deep(MAX_NESTING + 1), ["B"]);
    assert_eq!(deep(MAX_NESTING * 50), ["B"]);
}

#[test]
fn what_is_wrong_is_noted_with_its_line() {
    for (text, directive, part) in [
        ("endif", "endif", "no if"),
        ("else", "else", "no if"),
        ("if", "if", "missing"),
        ("ifplugin\nendif", "ifplugin", "missing"),
        ("body 1A /a/", "body", "no symbol"),
        ("body", "body", "no symbol"),
        ("score A", "score", "one value or four"),
        ("score A x", "score", "number"),
        ("score A inf", "score", "between"),
        ("score A 1 2", "score", "one value or four"),
        ("include other.cf", "include", "import them too"),
        ("nonsense 1", "nonsense", "no such directive"),
        ("replace_tag A", "replace_tag", "nothing"),
        ("urirhssub A", "urirhssub", "missing"),
        ("welcomelist_from", "welcomelist_from", "missing"),
    ] {
        let notes = notes(&format!("\n{text}"));
        let (line, found, outcome, reason) = &notes[0];
        assert_eq!(
            (*line, found.as_str(), *outcome),
            (2, directive, Outcome::Refused),
            "{text}"
        );
        assert!(reason.contains(part), "{text}: {reason}");
    }
}

#[test]
fn settings_are_noted_as_not_applicable() {
    for text in [
        "required_score 5",
        "trusted_networks 10/8",
        "report hello",
        "use_bayes 1",
    ] {
        assert_eq!(notes(text)[0].2, Outcome::NotApplicable, "{text}");
    }
    assert_eq!(
        notes("test A ok x\npriority A 5\nreuse A\nrequire_version 4.0"),
        []
    );
}

#[test]
fn scores_are_the_fourth_and_may_be_relative() {
    for (text, expected) in [
        ("score A 2.5", 2.5),
        ("score A 1 2 3 4", 4.0),
        ("score A 1\nscore A -3", -3.0),
        ("score A 1\nscore A (2)", 3.0),
        ("score A 1 2 3 4\nscore A (0) (0) (0) (-1)", 3.0),
        ("score A (-1)", -1.0),
        ("score A 1\nscore A 1e9", 1.0),
    ] {
        assert_eq!(collected(text).scores["A"], expected, "{text}");
    }
}

#[test]
fn descriptions_are_the_english_ones() {
    let text = "lang de describe A Deutsch\nlang en describe A English\ndescribe B   b\tc  ";
    let collected = collected(text);
    assert_eq!(collected.descriptions["A"], "English");
    assert_eq!(collected.descriptions["B"], "b c");
    let long = format!("describe A {}", "\u{e4}".repeat(5_000));
    let description = &super::collect(&[(String::new(), long.as_bytes())]).descriptions["A"];
    assert_eq!(description.chars().count(), LONGEST_DESCRIPTION);
}

#[test]
fn flags_plugins_zones_and_lists_are_collected() {
    let collected = collected(
        "tflags A multiple maxhits=3\ntflags A nice\n\
         loadplugin Mail::SpamAssassin::Plugin::DKIM\nloadplugin Other::Plugin x.pm\n\
         urirhssub U dbl.example. A 127.0.1.2\nheader R eval:check_rbl('z-lastexternal', 'z.example.')\n\
         ok_locales EN de\nwhitelist_from a@b.test\n",
    );
    assert_eq!(collected.flags["A"], "nice");
    let plugins: Vec<_> = collected.report.plugins.iter().collect();
    assert_eq!(
        plugins,
        [
            (&"DKIM".to_owned(), &true),
            (&"Other::Plugin".to_owned(), &false)
        ]
    );
    assert_eq!(collected.zones["U"].answer, "127.0.1.2");
    assert_eq!(collected.zones["set z"].name, "z.example.");
    assert_eq!(collected.locales.as_deref(), Some("en de"));
    let mut lists = Lists::new(&collected.entries);
    assert!(
        lists
            .addresses("welcomelist_from", &["from".parse().unwrap()])
            .is_some()
    );
}

#[test]
fn files_and_lines_have_limits() {
    let long = [
        b"body A /".as_slice(),
        &vec![b'a'; MAX_LINE],
        b"/\nmeta B 1",
    ]
    .concat();
    let found = collect(&[(String::new(), &long)]);
    assert!(found.drafts.keys().eq(["B"]));
    assert!(
        found.report.files[0].notes[0]
            .reason
            .contains("line is longer")
    );
    let long = vec![b'\n'; MAX_FILE + 1];
    let found = collect(&[("x".to_owned(), &long)]);
    assert!(
        found.report.files[0].notes[0]
            .reason
            .contains("file is longer")
    );
}

#[test]
fn rules_have_a_limit() {
    use std::fmt::Write as _;
    let mut text = String::new();
    for number in 0..=MAX_RULES {
        writeln!(text, "meta A{number} 1").unwrap();
    }
    let found = collected(&text);
    assert_eq!(found.drafts.len(), MAX_RULES);
    assert!(found.report.files[0].notes[0].reason.contains("more than"));
}
