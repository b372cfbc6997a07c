//! Whole files: small ones, hostile ones and Debian's.

mod debian;
mod subject;

use super::*;
use crate::{Book, Condition, Hits, Rule};

use subject::Message;

fn imported(text: &str) -> Import {
    import(&[("a.cf".to_owned(), text.as_bytes())])
}

fn rule<'i>(import: &'i Import, symbol: &str) -> Option<&'i Rule> {
    import.set.rules.iter().find(|rule| rule.symbol == symbol)
}

fn outcomes(import: &Import) -> Vec<(&str, Outcome)> {
    let notes = import.report.files.iter().flat_map(|file| &file.notes);
    notes
        .map(|note| (note.symbol.as_deref().unwrap_or_default(), note.outcome))
        .collect()
}

#[test]
fn scores_flags_and_names_say_what_a_rule_is() {
    let import = imported(
        "body A /a/\nbody T_A /a/\nbody __A /a/\nbody N /n/\ntflags N nice\nbody O /o/\n\
         score O 0\nbody M /m/\ntflags M multiple maxhits=7\nbody U /u/\ntflags U multiple\n\
         score U 1 2 3 4.5\ndescribe U Says something\nbody S /s/\ntflags S nosubject\n\
         header H To !~ /h/\ntflags H multiple\n",
    );
    let found: Vec<(&str, f32, bool, Hits)> = import
        .set
        .rules
        .iter()
        .map(|rule| (rule.symbol.as_str(), rule.score, rule.hidden, rule.hits))
        .collect();
    let expected = [
        ("A", 1.0, false, Hits::Once),
        ("T_A", 0.01, false, Hits::Once),
        ("__A", 0.0, true, Hits::Once),
        ("N", -1.0, false, Hits::Once),
        ("M", 1.0, false, Hits::Each(7)),
        ("U", 4.5, false, Hits::Each(1_000)),
        ("S", 1.0, false, Hits::Once),
        ("H", 1.0, false, Hits::Once),
    ];
    assert_eq!(found, expected);
    assert_eq!(rule(&import, "U").unwrap().description, "Says something");
    let Condition::Match { scope, .. } = &rule(&import, "S").unwrap().when else {
        panic!();
    };
    assert_eq!(scope.to_string(), "text");
    assert_eq!(
        outcomes(&import),
        [("O", Outcome::Off), ("H", Outcome::Near)]
    );
    assert_eq!(import.report.kinds[&Kind::Body].taken, 8);
    assert_eq!(import.report.total().translated, 9);
}

#[test]
fn tags_are_replaced_in_the_rules_that_are_named() {
    let import = imported(
        "body A /a<X>/\nbody B /a<X>/i\nreplace_tag X [xX]\nreplace_rules B\n\
         header C To =~ /<X>b<X>/\nreplace_rules C",
    );
    let pattern = |symbol: &str| match &rule(&import, symbol).unwrap().when {
        Condition::Match { patterns, .. } => patterns[0].to_string(),
        other => panic!("{other:?}"),
    };
    assert_eq!(pattern("A"), "/a<X>/");
    assert_eq!(pattern("B"), "/a[xX]/i");
    assert_eq!(pattern("C"), "/[xX]b[xX]/");
}

#[test]
fn what_is_refused_counts_as_nothing_in_metas() {
    let import = imported(
        "body A eval:check_razor2()\nmeta B A || C\nmeta C 1\nmeta D OFF + NONE\n\
         body OFF /a/\nscore OFF 0\nbody E /(/\nmeta F (\nmeta G E && R_SPF_FAIL",
    );
    assert_eq!(
        outcomes(&import),
        [
            ("A", Outcome::Refused),
            ("OFF", Outcome::Off),
            ("E", Outcome::Refused),
            ("F", Outcome::Refused)
        ]
    );
    let missing = &import.report.incomplete;
    assert_eq!(missing["B"], ["A"]);
    assert_eq!(missing["D"], ["OFF", "NONE"]);
    assert_eq!(missing["G"], ["E"]);
    let meta = import.report.kinds[&Kind::Meta];
    assert_eq!((meta.taken, meta.translated, meta.refused), (5, 4, 1));
    Book::new(&[&import.set]).unwrap();
}

#[test]
fn counts_that_are_not_known_are_not_compared() {
    let import = imported(
        "rawbody Q eval:check_for_mime('mime_qp_count')\nmeta A Q > 0 && Q < 64\nmeta B Q && !C",
    );
    assert_eq!(outcomes(&import), [("A", Outcome::Refused)]);
    assert!(rule(&import, "B").is_some());
}

#[test]
fn circles_are_refused() {
    let import = imported("meta A B\nmeta B A\nmeta C C\nmeta D A");
    let refused: Vec<&str> = outcomes(&import)
        .iter()
        .map(|(symbol, _)| *symbol)
        .collect();
    assert_eq!(refused, ["A", "B", "C"]);
    assert_eq!(import.report.kinds[&Kind::Meta].refused, 3);
    Book::new(&[&import.set]).unwrap();
}

#[test]
fn the_filters_own_symbols_are_left_to_it() {
    let import = imported(
        "header RDNS_NONE To =~ /x/\nheader SPF_PASS eval:check_for_spf_pass()\nmeta A SPF_PASS",
    );
    assert!(rule(&import, "RDNS_NONE").is_none());
    let pass = rule(&import, "SPF_PASS").unwrap();
    assert!(pass.hidden && pass.score == 0.0);
    assert!(rule(&import, "A").is_some() && import.report.incomplete.is_empty());
    assert_eq!(
        outcomes(&import),
        [("RDNS_NONE", Outcome::Given), ("SPF_PASS", Outcome::Given)]
    );
    assert_eq!(import.report.total().translated, 3);
}

#[test]
fn lists_without_rules_get_the_usual_ones() {
    let import =
        imported("welcomelist_from *@a.test\nblocklist_to b@c.test\nscore USER_IN_WELCOMELIST -50");
    let found: Vec<(&str, f32)> = import
        .set
        .rules
        .iter()
        .map(|rule| (rule.symbol.as_str(), rule.score))
        .collect();
    assert_eq!(
        found,
        [
            ("USER_IN_BLOCKLIST_TO", 10.0),
            ("USER_IN_WELCOMELIST", -50.0)
        ]
    );
    let own = imported("welcomelist_from *@a.test\nheader MINE eval:check_from_in_whitelist()");
    assert_eq!(own.set.rules.len(), 1);
    let off = imported("welcomelist_from *@a.test\nscore USER_IN_WELCOMELIST 0");
    assert!(off.set.rules.is_empty());
    Book::new(&[&import.set]).unwrap();
}

#[test]
fn details_of_urls_are_asked_of_all() {
    let import =
        imported("uri_detail A text =~ /bank/i domain !~ /bank\\.test/\nuri_detail B text =~ /a/");
    assert!(matches!(&rule(&import, "A").unwrap().when, Condition::All(asked) if asked.len() == 2));
    assert_eq!(outcomes(&import), [("A", Outcome::Near)]);
    assert_eq!(import.report.kinds[&Kind::UriDetail].translated, 2);
}

#[test]
fn network_rules_are_told_apart() {
    let import = imported(
        "askdns A _X_ A /1/\nheader B eval:check_rbl('x','x.example.')\n\
         urirhssub C multi.uribl.com. A 2\nbody C eval:check_uridnsbl('C')\n",
    );
    assert_eq!(
        outcomes(&import),
        [
            ("A", Outcome::Network),
            ("B", Outcome::Network),
            ("C", Outcome::Given)
        ]
    );
    assert!(rule(&import, "C").unwrap().hidden);
}

#[test]
fn absent_fields_are_decided_by_the_text_for_them() {
    let import = imported(
        "header EMPTY X-A =~ /^$/\nheader UNSET X-A =~ /^UNSET$/ [if-unset: UNSET]\n\
         header NOT X-A !~ /b/\nheader NOT_EMPTY X-A !~ /^$/\nheader IS X-A =~ /b/\n\
         header THERE exists:X-A\n",
    );
    let hits = |header: &str| Message::new(header, "").hits(&import);
    assert_eq!(hits("Subject: x\n"), ["EMPTY", "UNSET", "NOT"]);
    assert_eq!(hits("X-A: b\n"), ["NOT_EMPTY", "IS", "THERE"]);
    assert_eq!(hits("X-A: c\n"), ["NOT", "NOT_EMPTY", "THERE"]);
}

#[test]
fn text_that_is_not_utf_8_is_taken() {
    let import = import(&[(
        "a.cf".to_owned(),
        b"body A /\xe4\xff/\ndescribe A \xe4\nbody \xe4 /a/",
    )]);
    assert_eq!(import.set.rules.len(), 1);
    assert_eq!(import.set.rules[0].description, "\u{fffd}");
    let again = crate::RuleSet::parse(&import.set.to_toml()).unwrap();
    assert_eq!(again, import.set);
}

#[test]
fn hostile_files_do_no_harm() {
    let tags: String = ('A'..='J')
        .map(|tag| format!("replace_tag {tag} {}\n", "<K><K><K><K>".repeat(5_000)))
        .collect();
    for text in [
        format!(
            "{tags}replace_tag K {}\nreplace_rules X\nbody X /<A><B><C>/",
            "<A>".repeat(5_000)
        ),
        format!("body A /{}/", "(".repeat(300_000)),
        format!("body A /{}/", "a{1,65535}".repeat(3_000)),
        format!("meta A {}", "(".repeat(500_000)),
        format!("meta A {}", "!".repeat(60_000)),
        format!("if {}\nendif", "(".repeat(500_000)),
        format!("body A eval:x({})", "'a',".repeat(100_000)),
        format!("header A {}", "=~".repeat(200_000)),
        format!("uri_detail A {}", "raw =~ /a/ ".repeat(50_000)),
        format!("welcomelist_from {}", "*a?".repeat(100_000)),
        format!("score A {}", "9".repeat(100_000)),
        "\0\u{1}\n=~\n\\#".repeat(1_000),
    ] {
        let import = imported(&text);
        assert!(Book::new(&[&import.set]).is_ok());
    }
}

proptest::proptest! {
    #[test]
    fn whatever_is_imported_can_be_written_and_used(
        lines in proptest::collection::vec(proptest::sample::select(LINES.to_vec()), 0..20),
        noise in proptest::collection::vec(proptest::num::u8::ANY, 0..40),
    ) {
        let mut text = lines.join("\n").into_bytes();
        text.push(b'\n');
        text.extend(noise);
        let import = import(&[("a.cf".to_owned(), &text)]);
        let again = crate::RuleSet::parse(&import.set.to_toml());
        proptest::prop_assert_eq!(again.as_ref(), Ok(&import.set));
        proptest::prop_assert!(Book::new(&[&import.set]).is_ok());
        let total = import.report.total();
        proptest::prop_assert_eq!(total.taken, total.translated + total.refused);
    }
}

const LINES: &[&str] = &[
    "body A /a<T>/i",
    "body A /b/",
    "rawbody B m{b}s",
    "full C /c/",
    "uri D m,d,",
    "header E Subject =~ /e/ [if-unset: e]",
    "header F exists:To",
    "header G ToCc !~ /^$/",
    "mimeheader H Content-Type:raw =~ /h/",
    "meta I A && (B + C > 1) && !D",
    "meta J I || K",
    "meta K J",
    "meta L rules_matching(*) > 3",
    "header M eval:check_from_in_welcomelist()",
    "header N eval:check_freemail_replyto('reply')",
    "body O eval:html_text_match('comment', '<!.*>')",
    "header P eval:check_illegal_chars('From','0.20','2')",
    "header Q eval:check_header_count_range('Subject','2','3')",
    "uri_detail R text =~ /a/ host !~ /b/",
    "whitelist_from *@a.test b@c.test",
    "welcomelist_subject [x] *",
    "freemail_domains a.test b.*",
    "enlist_uri_host (X) a.test !b.a.test",
    "header S eval:check_uri_host_listed('X')",
    "replace_tag T [tT]",
    "replace_rules A",
    "score A 0",
    "score B 1 2 3 (4)",
    "tflags A multiple maxhits=3",
    "tflags E multiple nice",
    "if (version >= 4)",
    "ifplugin Mail::SpamAssassin::Plugin::Nothing",
    "else",
    "endif",
    "describe A \u{fc}",
];
