//! Each form of a condition, on messages that meet it and messages that do not.

use super::{Message, Rig};
use crate::Workspace;

/// Whether a rule with this condition holds.
fn holds(condition: &str, lists: &str, message: &Message) -> bool {
    let file = format!("{lists}\n[[rule]]\nsymbol = \"A\"\nscore = 1\nwhen = {condition}\n");
    let symbols = Rig::new(&[&file]).symbols(message, &["KNOWN"]);
    !symbols.is_empty()
}

const LISTS: &str = r#"
[list.domains]
kind = "domain"
items = ["free.test"]

[list.networks]
kind = "network"
items = ["192.0.2.0/24"]

[list.words]
kind = "word"
items = ["Yes"]
"#;

#[test]
fn each_form_holds_when_it_should() {
    let message = || {
        Message::default()
            .text("body", "Dear friend")
            .text("body", "FREE money")
            .text("from", "me@sub.free.test")
            .text("client_address", "192.0.2.1")
            .text("header.x-empty", "")
            .text("header.x-one", "Ärger")
            .text("header.x-two", "no")
            .text("header.x-two", "äRGER")
            .number("size", 1000.0)
            .number("date_skew_hours", -0.5)
            .flag("has_html")
    };
    for (condition, expected) in [
        (r"{ in = 'body', match = '/free money/i' }", true),
        (r"{ in = 'body', match = '/free money/' }", false),
        (r"{ in = 'body', match = '/friend.*free/is' }", false),
        (r"{ in = 'body', match = ['/nothing/', '/^FREE/'] }", true),
        (r"{ in = 'body', match = ['/nothing/', '/^money/'] }", false),
        (r"{ in = 'header.subject', match = '/^/' }", false),
        (r"{ in = 'header.x-empty', match = '/^$/' }", true),
        (r"{ in = 'from', list = 'domains' }", true),
        (r"{ in = 'client_address', list = 'networks' }", true),
        (r"{ in = 'from', list = 'words' }", false),
        (r"{ in = 'to', list = 'domains' }", false),
        (r"{ exists = 'header.x-empty' }", true),
        (r"{ exists = 'header.x-none' }", false),
        (r"{ number = 'size', at_least = 1000 }", true),
        (r"{ number = 'size', at_least = 1000.5 }", false),
        (r"{ number = 'size', at_most = 1000 }", true),
        (r"{ number = 'size', at_most = 999 }", false),
        (r"{ number = 'size', at_least = 1, at_most = 2000 }", true),
        (r"{ number = 'size', equals = 1000 }", true),
        (r"{ number = 'size', equals = 1001 }", false),
        (r"{ number = 'date_skew_hours', at_most = -0.5 }", true),
        (r"{ number = 'words', equals = 0 }", true),
        (r"{ flag = 'has_html' }", true),
        (r"{ flag = 'has_plain' }", false),
        (r"{ same = ['header.x-one', 'header.x-two'] }", true),
        (r"{ same = ['header.x-one', 'header.x-none'] }", false),
        (r"{ same = ['header.x-empty', 'header.x-empty'] }", false),
        (r"{ same = ['body', 'from'] }", false),
        (r"{ symbol = 'KNOWN' }", true),
        (r"{ symbol = 'UNKNOWN' }", false),
        (r"{ not = { flag = 'has_html' } }", false),
        (r"{ not = { not = { flag = 'has_html' } } }", true),
        (
            r"{ all = [{ flag = 'has_html' }, { symbol = 'KNOWN' }] }",
            true,
        ),
        (
            r"{ all = [{ flag = 'has_html' }, { flag = 'has_plain' }] }",
            false,
        ),
        (
            r"{ all = [{ flag = 'has_plain' }, { flag = 'has_html' }] }",
            false,
        ),
        (
            r"{ any = [{ flag = 'has_plain' }, { symbol = 'KNOWN' }] }",
            true,
        ),
        (
            r"{ any = [{ flag = 'has_plain' }, { flag = 'report' }] }",
            false,
        ),
        (
            r"{ of = [{ flag = 'report' }, { flag = 'has_html' }, { symbol = 'KNOWN' }], at_least = 2 }",
            true,
        ),
        (
            r"{ of = [{ flag = 'report' }, { flag = 'has_html' }, { symbol = 'KNOWN' }], at_least = 3 }",
            false,
        ),
        (
            r"{ of = [{ any = [{ flag = 'has_html' }] }, { not = { symbol = 'KNOWN' } }], at_least = 1 }",
            true,
        ),
        (r"{ expression = 'KNOWN + KNOWN == 2 && !UNKNOWN' }", true),
        (r"{ expression = 'KNOWN - 1' }", false),
        (
            r"{ all = [{ expression = 'KNOWN * 5' }, { expression = '0 - 1' }] }",
            true,
        ),
    ] {
        assert_eq!(holds(condition, LISTS, &message()), expected, "{condition}");
    }
}

#[test]
fn at_least_counts_conditions_and_not_their_values() {
    let file = r#"
        [[rule]]
        symbol = "MANY"
        score = 1
        each = 5
        when = { in = "body", match = '/x/' }

        [[rule]]
        symbol = "TWO"
        score = 1
        when = { of = [{ symbol = "MANY" }, { symbol = "NONE" }], at_least = 2 }

        [[rule]]
        symbol = "SUM"
        score = 1
        when = { expression = "MANY + NONE >= 2" }
    "#;
    let message = Message::default().text("body", "x x x");
    assert_eq!(Rig::new(&[file]).symbols(&message, &[]), ["MANY", "SUM"]);
}

#[test]
fn each_counts_matches_up_to_its_number() {
    let file = r#"
        [[rule]]
        symbol = "ONE"
        score = 0.5
        when = { in = "url", match = '/\.xyz\b/' }

        [[rule]]
        symbol = "SOME"
        score = 0.5
        each = 4
        when = { in = "url", match = '/\.xyz\b/' }

        [[rule]]
        symbol = "ALL"
        score = 0.25
        each = 100
        when = { in = "url", match = ['/\.xyz\b/', '/a/', '/never/'] }

        [[rule]]
        symbol = "OVER"
        score = 1
        when = { expression = "ALL > 8 && SOME == 4 && ONE == 1" }
    "#;
    let mut message = Message::default();
    for _ in 0..3 {
        message = message.text("url", "http://a.xyz/b.xyz");
    }
    let mut rig = Rig::new(&[file]);
    let conclusion = rig.conclude(&message, &[]);
    let found: Vec<(&str, u32, f32)> = conclusion
        .hits
        .iter()
        .map(|hit| (&*hit.symbol, hit.count, hit.score))
        .collect();
    assert_eq!(
        found,
        [
            ("ONE", 1, 0.5),
            ("SOME", 4, 2.0),
            ("ALL", 9, 2.25),
            ("OVER", 1, 1.0)
        ]
    );
    // Both kinds of rule share the pattern.
    assert_eq!(rig.book.patterns().unwrap().len(), 3);
    let none = Message::default().text("url", "http://b.test/");
    assert_eq!(rig.symbols(&none, &[]), [""; 0]);
}

#[test]
fn options_tell_what_matched() {
    let long = "x".repeat(100);
    let file = format!(
        r#"
        {LISTS}
        [[rule]]
        symbol = "SINGLE"
        score = 1
        when = {{ in = "body", match = '/money/' }}

        [[rule]]
        symbol = "SEVERAL"
        score = 1
        when = {{ in = "body", match = ['/nothing/', '/friend/', '/money/i', '/{long}/'] }}

        [[rule]]
        symbol = "LONG"
        score = 1
        when = {{ in = "body", match = ['/nothing/', '/{long}/'] }}

        [[rule]]
        symbol = "LISTED"
        score = 1
        when = {{ all = [{{ in = "from", list = "domains" }}, {{ in = "from", list = "domains" }},
                         {{ in = "client_address", list = "networks" }}] }}
    "#
    );
    let message = Message::default()
        .text("body", format!("money {long}"))
        .text("body", "friend")
        .text("from", "user@a.free.test")
        .text("client_address", "192.0.2.200");
    let conclusion = Rig::new(&[&file]).conclude(&message, &[]);
    let options: Vec<(&str, Vec<&str>)> = conclusion
        .hits
        .iter()
        .map(|hit| {
            let options = hit.options.iter().map(String::as_str).collect();
            (&*hit.symbol, options)
        })
        .collect();
    // The first in the order of the condition, whichever comes first in the message.
    assert_eq!(
        options,
        [
            ("SINGLE", vec![]),
            ("SEVERAL", vec!["friend"]),
            ("LONG", vec![&long[..64]]),
            ("LISTED", vec!["free.test", "192.0.2.0/24"]),
        ]
    );
}

#[test]
fn a_message_is_asked_once_and_only_for_what_matters() {
    let file = format!(
        r#"
        {LISTS}
        [[rule]]
        symbol = "A"
        score = 1
        when = {{ any = [
            {{ in = "body", match = '/a/' }},
            {{ in = "body", match = '/b/' }},
            {{ in = "body", list = "words" }},
            {{ exists = "to" }},
            {{ number = "size", at_least = 5 }},
            {{ number = "size", at_most = 50 }},
            {{ flag = "report" }},
        ] }}

        [[rule]]
        symbol = "B"
        score = 1
        when = {{ all = [{{ flag = "report" }}, {{ number = "size", at_most = 50 }}] }}
    "#
    );
    let message = Message::default();
    Rig::new(&[&file]).conclude(&message, &[]);
    let mut asked = message.asked.take();
    asked.sort();
    assert_eq!(asked, ["body", "report", "size", "to"]);
}

#[test]
fn a_pattern_that_runs_out_of_fuel_leaves_its_rule_undecided() {
    let file = r#"
        [[rule]]
        symbol = "SLOW"
        score = 1
        when = { in = "body", match = '/^(a+)+(?=\1)c$|^ab/' }

        [[rule]]
        symbol = "EITHER"
        score = 1
        when = { in = "body", match = ['/^(a+)+(?=\1)c$|^ab/', '/aaa/'] }

        [[rule]]
        symbol = "OTHER"
        score = 1
        when = { in = "body", match = '/never/' }
    "#;
    let mut rig = Rig::new(&[file]);
    rig.workspace.scratch().set_fuel(20_000);
    let text = format!("{}c", "a".repeat(600));
    let conclusion = rig.conclude(&Message::default().text("body", text), &[]);
    assert_eq!(super::symbols(&conclusion), ["EITHER"]);
    let undecided: Vec<&str> = conclusion.undecided.iter().map(|it| &**it).collect();
    assert_eq!(undecided, ["SLOW"]);
}

#[test]
fn a_workspace_serves_books_in_turns() {
    let first = "[[rule]]\nsymbol = 'A'\nscore = 1\nwhen = { in = 'body', match = '/a/' }";
    let rules: String = ('a'..='z')
        .map(|letter| {
            format!(
                "[[rule]]\nsymbol = 'R_{letter}'\nscore = 1\n\
                 when = {{ in = 'body', match = ['/{letter}/', '/{letter}{letter}/'] }}\n"
            )
        })
        .collect();
    let (small, large) = (Rig::new(&[first]), Rig::new(&[&rules]));
    let mut workspace = Workspace::new(&small.database);
    let message = Message::default().text("body", "az");
    for _ in 0..2 {
        for (rig, expected) in [(&small, vec!["A"]), (&large, vec!["R_a", "R_z"])] {
            let scan = rig.book.scan(&rig.database, &mut workspace, &message);
            assert_eq!(super::symbols(&rig.book.conclude(&scan, &[])), expected);
        }
    }
}
