//! Rule sets together: what overrides what, what is summed, what goes wrong.

use super::{Message, Rig, mistakes, symbols};
use crate::{
    Book, Condition, Expression, Hits, Known, Plain, Prefilter, Reason, Rule, RuleSet, Scope,
};

/// A rule of a flag, in a file.
fn rule(symbol: &str, score: f32, flag: &str) -> String {
    format!("[[rule]]\nsymbol = '{symbol}'\nscore = {score}\nwhen = {{ flag = '{flag}' }}\n")
}

fn expression(symbol: &str, text: &str) -> String {
    format!("[[rule]]\nsymbol = '{symbol}'\nscore = 1\nwhen = {{ expression = '{text}' }}\n")
}

#[test]
fn a_later_set_overrides_rules_lists_scores_and_switches_off() {
    let first = [
        rule("A", 1.0, "report"),
        rule("B", 2.0, "report"),
        rule("C", 3.0, "report"),
        "[list.l]\nkind = 'word'\nitems = ['one']\n".into(),
        "[[rule]]\nsymbol = 'L'\nscore = 1\nwhen = { in = 'helo', list = 'l' }\n".into(),
    ]
    .concat();
    let second = [
        "disabled = ['C', 'SIGNAL_OFF']\n[scores]\nB = 0\nSIGNAL = -4.5\nL = 7\n".into(),
        rule("A", -1.0, "has_html"),
        rule("D", 4.0, "report"),
        "[list.l]\nkind = 'suffix'\nitems = ['two']\n".into(),
    ]
    .concat();
    let message = Message::default().flag("report").text("helo", "one-two");
    let mut rig = Rig::new(&[&first, &second]);
    let conclusion = rig.conclude(&message, &[]);
    let hits: Vec<(&str, f32)> = conclusion
        .hits
        .iter()
        .map(|hit| (&*hit.symbol, hit.score))
        .collect();
    assert_eq!(hits, [("B", 0.0), ("L", 7.0), ("D", 4.0)]);
    assert_eq!(rig.symbols(&message.flag("has_html"), &[])[0], "A");
    let book = &rig.book;
    let rules: Vec<(&str, f32)> = book
        .rules()
        .map(|rule| (&*rule.symbol, rule.score))
        .collect();
    assert_eq!(rules, [("A", -1.0), ("B", 0.0), ("L", 7.0), ("D", 4.0)]);
    assert_eq!(book.score_of("SIGNAL"), Some(-4.5));
    assert_eq!(book.score_of("OTHER"), None);
    assert!(book.is_disabled("SIGNAL_OFF") && book.is_disabled("C") && !book.is_disabled("A"));
    assert_eq!(book.rule("B").unwrap().score, 0.0);
    assert_eq!(book.rule("C"), None);

    // A set that defines a rule again has the last word.
    let third = rule("C", 5.0, "report") + &rule("B", 6.0, "report");
    let mut rig = Rig::new(&[&first, &second, &third]);
    let conclusion = rig.conclude(&Message::default().flag("report"), &[]);
    let hits: Vec<(&str, f32)> = conclusion
        .hits
        .iter()
        .map(|hit| (&*hit.symbol, hit.score))
        .collect();
    assert_eq!(hits, [("B", 6.0), ("C", 5.0), ("D", 4.0)]);
}

#[test]
fn composites_are_evaluated_after_what_they_are_made_of() {
    let file = [
        expression("LAST", "MIDDLE && SIGNAL"),
        expression("MIDDLE", "FIRST + FIRST == 2"),
        expression("DOUBLE", "SIGNAL == 2"),
        expression("OFF", "GONE || UNHEARD_OF"),
        rule("FIRST", 1.0, "report"),
        rule("GONE", 1.0, "report"),
    ]
    .concat();
    let off = "disabled = ['GONE']";
    let mut rig = Rig::new(&[&file, off]);
    let message = Message::default().flag("report");
    assert_eq!(rig.symbols(&message, &[]), ["MIDDLE", "FIRST"]);
    assert_eq!(
        rig.symbols(&message, &["SIGNAL"]),
        ["LAST", "MIDDLE", "FIRST"]
    );
    assert_eq!(
        rig.symbols(&message, &["SIGNAL", "SIGNAL", "OTHER"]),
        ["LAST", "MIDDLE", "DOUBLE", "FIRST"]
    );
    // A rule's symbol among the signals changes nothing.
    assert_eq!(rig.symbols(&Message::default(), &["FIRST"]), [""; 0]);
    let unresolved: Vec<&str> = rig.book.unresolved().collect();
    assert_eq!(unresolved, ["SIGNAL", "UNHEARD_OF"]);
}

#[test]
fn hidden_rules_count_for_others_only() {
    let file = [
        expression("SHOWN", "__A"),
        "[[rule]]\nsymbol = '__A'\nhidden = true\nscore = 9\ngroup = 'g'\nwhen = { flag = 'report' }\n"
            .into(),
        "[group.g]\nmax = 1\n".into(),
    ]
    .concat();
    let conclusion = Rig::new(&[&file]).conclude(&Message::default().flag("report"), &[]);
    assert_eq!(symbols(&conclusion), ["SHOWN"]);
    assert_eq!(conclusion.caps, []);
}

#[test]
fn the_first_prefilter_that_holds_decides() {
    let file = [
        rule("PLAIN", 1.0, "report"),
        rule("REFUSE", 1.0, "has_html").replace("score", "prefilter = 'reject'\nscore"),
        rule("LET_IN", 1.0, "report").replace("score", "prefilter = 'accept'\nscore"),
    ]
    .concat();
    let mut rig = Rig::new(&[&file]);
    let report = || Message::default().flag("report");
    assert_eq!(rig.conclude(&Message::default(), &[]).prefilter, None);
    assert_eq!(
        rig.conclude(&report(), &[]).prefilter,
        Some((Prefilter::Accept, 1))
    );
    assert_eq!(
        rig.conclude(&report().flag("has_html"), &[]).prefilter,
        Some((Prefilter::Reject, 1))
    );
}

#[test]
fn groups_are_capped_good_and_bad_apart() {
    let grouped = |symbol: &str, score: f32| {
        rule(symbol, score, "report").replace("score", "group = 'g'\nscore")
    };
    let file = [
        grouped("A", 3.0),
        grouped("B", 4.5),
        grouped("C", -2.0),
        rule("D", 50.0, "report"),
        "[group.g]\nmax = 6\nmin = -1.5\nsignals = ['SIGNAL']\n".into(),
        "[group.h]\nmax = 5\nsignals = ['OTHER', 'SIGNAL']\n".into(),
    ]
    .concat();
    let rig = &mut Rig::new(&[&file]);
    let mut caps = |known: &[(&str, f32)]| -> Vec<(String, f32)> {
        let message = Message::default().flag("report");
        let known: Vec<Known<'_>> = known
            .iter()
            .map(|&(symbol, score)| Known { symbol, score })
            .collect();
        let scan = rig.book.scan(&rig.database, &mut rig.workspace, &message);
        let caps = rig.book.conclude(&scan, &known).caps;
        caps.into_iter()
            .map(|(group, correction)| (group.to_string(), correction))
            .collect()
    };
    assert_eq!(caps(&[]), [("g".into(), -1.0)]);
    assert_eq!(caps(&[("SIGNAL", 1.0)]), [("g".into(), -2.0)]);
    assert_eq!(
        caps(&[("OTHER", 7.0), ("NOBODY", 99.0), ("A", 99.0)]),
        [("g".into(), -1.0), ("h".into(), -2.0)]
    );
    assert_eq!(rig.book.group_of("A").map(|group| &**group), Some("g"));
    assert_eq!(rig.book.group_of("SIGNAL").map(|group| &**group), Some("g"));
    assert_eq!(rig.book.group_of("D"), None);
    assert_eq!(rig.book.group_of("NOBODY"), None);
}

#[test]
fn what_does_not_fit_together_is_named() {
    let circle = [
        expression("A", "B"),
        expression("B", "C || D"),
        expression("C", "A"),
        expression("E", "A"),
    ]
    .concat();
    assert_eq!(
        mistakes(&[&circle]),
        ["these rules depend on each other in a circle: A, B, C"]
    );
    assert_eq!(
        mistakes(&[&expression("A", "!A")]),
        ["these rules depend on each other in a circle: A"]
    );
    let list = "name = 's'\n[list.freemail]\nkind = 'word'\nitems = []\n[[rule]]\nsymbol = 'A'\n\
                score = 1\nwhen = { not = { in = 'from', list = 'fremail' } }";
    assert_eq!(
        mistakes(&[list]),
        ["s: A: there is no list \"fremail\"; did you mean \"freemail\"?"]
    );
    // It may be another set's.
    let other = "[list.fremail]\nkind = 'word'\nitems = []";
    Rig::new(&[list, other]);
    // A rule that is overridden is not looked at.
    Rig::new(&[list, &rule("A", 1.0, "report")]);
}

/// A rule that code made.
fn made(symbol: &str, when: Condition) -> Rule {
    Rule {
        symbol: symbol.into(),
        score: 1.0,
        description: String::new(),
        group: None,
        hidden: false,
        hits: Hits::Once,
        prefilter: None,
        when,
    }
}

#[test]
fn what_code_made_is_checked_as_files_are() {
    let flag = || Condition::Flag(crate::Flag::Report);
    let mut deep = flag();
    for _ in 0..crate::MAX_DEPTH {
        deep = Condition::Not(Box::new(deep));
    }
    let raw = Scope::Header {
        name: "a.raw".into(),
        part: crate::HeaderPart::Value,
    };
    let body = Scope::Plain(Plain::Body);
    let patterns = Vec::new();
    let expression = Expression::parse("B").unwrap();
    let reasons = [
        made("1", flag()),
        Rule {
            score: f32::NAN,
            ..made("B", flag())
        },
        Rule {
            hits: Hits::Each(2),
            ..made("C", Condition::Expression(expression))
        },
        made("D", deep),
        made("E", Condition::Exists(raw)),
        made(
            "F",
            Condition::Match {
                scope: body,
                patterns,
            },
        ),
        made("G", Condition::Any(vec![])),
        made("H", Condition::Symbol("a b".into())),
        made("H", flag()),
    ];
    let set = RuleSet {
        rules: reasons.into(),
        ..RuleSet::default()
    };
    let errors = Book::new(&[&set]).unwrap_err();
    let reasons: Vec<Reason> = errors.into_iter().map(|error| error.reason).collect();
    assert_eq!(
        reasons,
        [
            Reason::Symbol("1".into()),
            Reason::Score,
            Reason::EachNeedsMatch,
            Reason::TooDeep,
            Reason::Scope("header.a.raw".into()),
            Reason::Empty("patterns"),
            Reason::Empty("conditions"),
            Reason::Symbol("a b".into()),
            Reason::Duplicate,
        ]
    );
}

#[test]
fn equal_patterns_are_one_and_carry_a_symbol() {
    let file = "
        [[rule]]
        symbol = 'A'
        score = 1
        when = { in = 'body', match = ['/x/', '/y/'] }
        [[rule]]
        symbol = 'B'
        score = 1
        when = { in = 'body', match = ['/y/', '/x/i', '/y/'] }
        [[rule]]
        symbol = 'C'
        score = 1
        when = { in = 'url', match = '/x/' }
    ";
    let mut rig = Rig::new(&[file]);
    let mut names = Vec::new();
    for scope in rig.database.scopes() {
        names.push(format!("{} {:?}", scope.name(), scope.text()));
        names.extend(scope.patterns().map(|pattern| {
            let expression = String::from_utf8_lossy(pattern.expression).into_owned();
            format!("{} {expression} {}", pattern.id, pattern.name)
        }));
    }
    assert_eq!(
        names,
        [
            "body Prose",
            "0 x A",
            "1 y A",
            "2 x B",
            "url Address",
            "0 x C"
        ]
    );
    let found = rig.symbols(&Message::default().text("body", "X"), &[]);
    assert_eq!(found, ["B"]);
    let found = rig.symbols(&Message::default().text("body", "y"), &[]);
    assert_eq!(found, ["A", "B"]);
}
