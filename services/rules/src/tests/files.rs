//! Rule files: what they say, what is wrong with them and where, and that they are written as they
//! are read.

use proptest::prelude::*;

use super::generate;
use crate::{
    Book, Condition, Expression, Hits, ListKind, MAX_DEPTH, MAX_ERRORS, MAX_FILE, MAX_PATTERNS,
    Number, PatternText, Plain, Prefilter, Reason, RuleSet, Scope,
};

const EVERYTHING: &str = r#"
name = "example"
description = "For tests"
disabled = ["OLD"]

[scores]
BAYES_SPAM = 3.5
OLD = -1

[group.subject]
description = "What the subject says"
max = 8.0
min = -2
signals = ["MISSING_SUBJECT"]

[list.freemail]
kind = "domain"
items = ["example-free.test"]

[[rule]]
symbol = "SUBJECT_ALL_CAPS"
score = 2.0
group = "subject"
description = "The subject shouts"
when = { all = [
  { number = "subject_letters", at_least = 10 },
  { not = { in = "from", list = "freemail" } },
] }

[[rule]]
symbol = "MANY_LINKS"
score = 0.1
each = 0x0A
when = { in = "url", match = '/\.xyz\b/i' }

[[rule]]
symbol = "__HIDDEN"
hidden = true
when = { expression = "A && !B" }

[[rule]]
symbol = "LET_IN"
prefilter = "accept"
when = { of = [{ symbol = "A" }, { exists = "header.x-a.raw" }], at_least = 2 }
"#;

#[test]
fn a_file_is_read() {
    let set = RuleSet::parse(EVERYTHING).unwrap();
    assert_eq!((&*set.name, &*set.description), ("example", "For tests"));
    assert!(set.disabled.contains("OLD"));
    assert_eq!(set.scores["BAYES_SPAM"], 3.5);
    let group = &set.groups["subject"];
    assert_eq!((group.max, group.min), (Some(8.0), Some(-2.0)));
    assert!(group.signals.contains("MISSING_SUBJECT"));
    assert_eq!(set.lists["freemail"].kind, ListKind::Domain);
    let [caps, links, hidden, accept] = set.rules.as_slice() else {
        panic!("{:?}", set.rules);
    };
    assert_eq!(caps.group.as_deref(), Some("subject"));
    assert_eq!(
        caps.when,
        Condition::All(vec![
            Condition::Number {
                number: Number::SubjectLetters,
                at_least: Some(10.0),
                at_most: None
            },
            Condition::Not(Box::new(Condition::Listed {
                scope: Scope::Plain(Plain::From),
                list: "freemail".into()
            })),
        ])
    );
    assert_eq!((links.score, links.hits), (0.1, Hits::Each(10)));
    assert_eq!(
        links.when,
        Condition::Match {
            scope: Scope::Plain(Plain::Url),
            patterns: vec![PatternText::new(r"\.xyz\b", "i").unwrap()]
        }
    );
    assert!(hidden.hidden && hidden.score == 0.0);
    let expression = Expression::parse("A && !B").unwrap();
    assert_eq!(hidden.when, Condition::Expression(expression));
    assert_eq!(accept.prefilter, Some(Prefilter::Accept));
    assert!(matches!(&accept.when, Condition::AtLeast(2, two) if two.len() == 2));
    assert_eq!(RuleSet::parse(&set.to_toml()), Ok(set));
}

#[test]
fn an_empty_file_is_a_set_without_rules() {
    assert_eq!(RuleSet::parse(""), Ok(RuleSet::default()));
}

/// The mistakes of a file.
fn mistakes(file: &str) -> Vec<String> {
    super::lines(&RuleSet::parse_all(file).unwrap_err())
}

/// The mistakes of a rule whose condition begins at line 3, column 8.
fn condition(condition: &str) -> Vec<String> {
    mistakes(&format!(
        "[[rule]]\nsymbol = 'A'\nwhen = {condition}\nscore = 1"
    ))
}

/// Checks conditions and what is said about them, a mistake a line.
fn check(cases: &[(&str, &str)]) {
    for (text, expected) in cases {
        let expected: Vec<String> = expected
            .lines()
            .map(|line| format!("line {}", line.trim_start()))
            .collect();
        assert_eq!(condition(text), expected, "{text}");
    }
}

#[test]
fn mistakes_in_keys_and_patterns_are_told_with_their_place() {
    check(&[
        (
            "5",
            "3, column 8: A: this has to be a table, not an integer",
        ),
        (
            "{}",
            "3, column 8: A: a condition needs one of the keys in, exists, number, flag, same, \
             symbol, all, any, of, not, expression",
        ),
        (
            "{ exist = 'to' }",
            "3, column 10: A: there is no key \"exist\" here; did you mean \"exists\"?",
        ),
        (
            "{ in = 'body', matches = '/a/' }",
            "3, column 8: A: the key \"match\" is missing\n\
             3, column 23: A: there is no key \"matches\" here; did you mean \"match\"?",
        ),
        (
            "{ in = 'bodi', match = '/a/' }",
            "3, column 15: A: there is no scope \"bodi\"; did you mean \"body\"?",
        ),
        (
            "{ in = 'body', match = 'a' }",
            "3, column 31: A: a pattern is written /expression/flags or m{expression}flags, unlike \"a\"",
        ),
        (
            "{ in = 'body', match = ['/a/', '/ä/', '/b/g'] }",
            "3, column 46: A: \"g\" are no flags: they are letters of \"imsxu\"; inside the \
             expression write \\/ or use m{…}",
        ),
        (
            "{ in = 'body', match = [] }",
            "3, column 31: A: there have to be patterns",
        ),
        (
            "{ in = 'body', match = '/a/', list = 'b' }",
            "3, column 45: A: \"match\" and \"list\" are two conditions: join them by all or any",
        ),
    ]);
}

#[test]
fn mistakes_in_conditions_are_told_with_their_place() {
    check(&[
        (
            "{ flag = 'report', symbol = 'B' }",
            "3, column 8: A: \"flag\" and \"symbol\" are two conditions: join them by all or any",
        ),
        (
            "{ flag = 'reports' }",
            "3, column 17: A: there is no flag \"reports\"; did you mean \"report\"?",
        ),
        (
            "{ number = 'sise', at_least = 1 }",
            "3, column 19: A: there is no number \"sise\"; did you mean \"size\"?",
        ),
        (
            "{ number = 'size' }",
            "3, column 19: A: a number needs at_least, at_most or equals",
        ),
        (
            "{ number = 'size', at_least = 5, at_most = 4 }",
            "3, column 19: A: no number lies between these bounds",
        ),
        (
            "{ number = 'size', at_least = nan }",
            "3, column 19: A: no number lies between these bounds",
        ),
        (
            "{ number = 'size', at_least = '5' }",
            "3, column 38: A: this has to be a number, not a string",
        ),
        (
            "{ number = 'size', equals = 5, at_most = 9 }",
            "3, column 8: A: \"equals\" and \"at_least or at_most\" are two conditions: join them by all or any",
        ),
        (
            "{ same = ['from'] }",
            "3, column 17: A: this has to be an array of two scopes, not an array of more or fewer",
        ),
        (
            "{ all = [] }",
            "3, column 16: A: there have to be conditions",
        ),
        (
            "{ of = [{ flag = 'report' }], at_least = 2 }",
            "3, column 15: A: at_least lies between 1 and the number of conditions, which is 1",
        ),
        (
            "{ of = [{ flag = 'report' }] }",
            "3, column 8: A: the key \"at_least\" is missing",
        ),
        (
            "{ all = [{ flag = 'report' }], at_least = 1 }",
            "3, column 39: A: there is no key \"at_least\" here",
        ),
        (
            "{ symbol = '1A' }",
            "3, column 19: A: \"1A\" is no symbol: it has 1 to 64 letters, digits and underscores \
             and begins with no digit",
        ),
        (
            "{ expression = 'A &&' }",
            "3, column 23: A: character 5 of the expression: an operand is missing",
        ),
        (
            "{ not = { not = { exists = 'x' } } }",
            "3, column 35: A: there is no scope \"x\"",
        ),
    ]);
}

#[test]
fn mistakes_around_conditions_are_told_with_their_place() {
    let when = "when = { flag = 'report' }\n";
    for (file, expected) in [
        (
            "nane = 'x'",
            vec!["line 1, column 1: there is no key \"nane\" here; did you mean \"name\"?"],
        ),
        (
            "name = 5",
            vec!["line 1, column 8: this has to be a string, not an integer"],
        ),
        (
            "\n\nname = ",
            vec!["line 3, column 8: string values must be quoted, expected literal string"],
        ),
        (
            "rule = []\n[scores]\n1A = 20000",
            vec![
                "line 3, column 1: \"1A\" is no symbol: it has 1 to 64 letters, digits and \
                 underscores and begins with no digit",
                "line 3, column 6: a score lies between -10000 and 10000",
            ],
        ),
        (
            "name = 'g'\n[group.a]\nmax = -1\nmin = 1\ndescr = ''",
            vec![
                "g: line 3, column 7: max of a group is not negative, min is not positive",
                "g: line 4, column 7: max of a group is not negative, min is not positive",
                "g: line 5, column 1: there is no key \"descr\" here; did you mean \"description\"?",
            ],
        ),
        (
            "[list.a]\nkind = 'domains'\nitems = []",
            vec![
                "line 2, column 8: \"domains\" is none of address, domain, network, word, suffix; \
                 did you mean \"domain\"?",
            ],
        ),
        (
            "[list.a]\nkind = 'network'\nitems = [\n'10.0.0.0/8',\n'10.0.0/8', 5]",
            vec![
                "line 5, column 1: \"10.0.0/8\" is no network or address",
                "line 5, column 13: this has to be a string, not an integer",
            ],
        ),
        (
            &format!("[[rule]]\nsymbol = 'A'\n{when}[[rule]]\nscore = 1\n{when}"),
            vec![
                "line 1, column 1: A: the key \"score\" is missing",
                "line 4, column 1: the key \"symbol\" is missing",
            ],
        ),
        (
            &format!(
                "[[rule]]\nsymbol = 'A'\nscore = inf\n{when}[[rule]]\nsymbol = 'A'\nscore = 1\n{when}"
            ),
            vec![
                "line 3, column 9: A: a score lies between -10000 and 10000",
                "line 6, column 10: A: the set has two rules of this symbol",
            ],
        ),
        (
            &format!(
                "[[rule]]\nsymbol = 'A'\nscore = 1\neach = 0\nprefilter = 'accept'\nhidden = true\n{when}"
            ),
            vec![
                "line 4, column 8: A: each lies between 1 and 1000000",
                "line 4, column 8: A: each needs a condition that is nothing but one match",
                "line 5, column 13: A: a hidden rule cannot accept or reject a message",
            ],
        ),
        (
            "[[rule]]\nsymbol = 'A'\nscore = 1",
            vec!["line 1, column 1: A: the key \"when\" is missing"],
        ),
    ] {
        assert_eq!(mistakes(file), expected, "{file}");
    }
}

#[test]
fn of_many_mistakes_the_first_ones_are_told() {
    let file = "[[rule]]\nsymbol = '1'\n".repeat(3 * MAX_ERRORS);
    let errors = RuleSet::parse_all(&file).unwrap_err();
    assert_eq!(errors.len(), MAX_ERRORS);
    assert!(errors.is_sorted_by_key(|error| error.place));
    assert_eq!(RuleSet::parse(&file).unwrap_err(), errors[0]);
}

/// A rule whose condition is nested so deep.
fn nested(depth: usize) -> String {
    format!(
        "[[rule]]\nsymbol = 'A'\nscore = 1\nwhen = {}{{ flag = 'report' }}{}\n",
        "{ all = [".repeat(depth - 1),
        "] }".repeat(depth - 1)
    )
}

#[test]
fn hostile_files_are_refused_soon() {
    assert!(RuleSet::parse(&nested(MAX_DEPTH)).is_ok());
    let error = RuleSet::parse(&nested(MAX_DEPTH + 1)).unwrap_err();
    assert_eq!(error.reason, Reason::TooDeep);
    // What the TOML parser itself refuses.
    let error = RuleSet::parse(&nested(100_000)).unwrap_err();
    assert!(matches!(error.reason, Reason::Toml(_)));
    let error = RuleSet::parse(&"[".repeat(1 << 20)).unwrap_err();
    assert!(matches!(error.reason, Reason::Toml(_)));

    let error = RuleSet::parse(&"#".repeat(MAX_FILE + 1)).unwrap_err();
    assert_eq!(error.reason, Reason::TooLong);
    assert!(RuleSet::parse(&"#".repeat(MAX_FILE)).is_ok());
    let line = "g".repeat(1 << 20);
    let error = RuleSet::parse(&format!("{line} = 1")).unwrap_err();
    assert!(error.to_string().len() < 500);
    let rule = |symbol: &str, score: &str, pattern: &str| {
        format!(
            "[[rule]]\nsymbol = '{symbol}'\nscore = {score}\nwhen = {{ in = 'body', match = '{pattern}' }}"
        )
    };
    let error = RuleSet::parse(&rule(&line, "1", "/a/")).unwrap_err();
    assert!(error.to_string().len() < 500);
    for pattern in [&*line, &format!("/{line}/"), &format!("/a/{line}")] {
        let error = RuleSet::parse(&rule("A", "1", pattern)).unwrap_err();
        assert!(matches!(error.reason, Reason::Pattern(_)));
        assert!(error.to_string().len() < 500);
    }
    for score in [
        "1e999",
        "99999999999999999999999999",
        "-10001",
        "nan",
        "0xFFFFFFFFFFFF",
    ] {
        assert!(RuleSet::parse(&rule("A", score, "/a/")).is_err(), "{score}");
    }
    let many = format!("[{}]", "'/a/',".repeat(MAX_PATTERNS + 1));
    let file = rule("A", "1", "/a/").replace("'/a/'", &many);
    let error = RuleSet::parse(&file).unwrap_err();
    let (what, most) = ("patterns", MAX_PATTERNS);
    assert_eq!(error.reason, Reason::TooMany { what, most });
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn a_set_is_read_as_it_was_written(set in generate::set()) {
        let file = set.to_toml();
        let read = RuleSet::parse_all(&file);
        prop_assert_eq!(read.as_ref(), Ok(&set), "{}", file);
        // Only circles are left to go wrong.
        if let Err(errors) = Book::new(&[&set]) {
            let circles = errors.iter().all(|error| matches!(error.reason, Reason::Cycle(_)));
            prop_assert!(circles, "{:?}\n{}", errors, file);
        }
    }

    #[test]
    fn scopes_are_read_as_they_are_written(scope in generate::scope()) {
        prop_assert_eq!(scope.to_string().parse(), Ok(scope));
    }

    #[test]
    fn any_text_is_read_or_refused(
        lines in proptest::collection::vec("[a-z]{1,6} = .{0,12}|\\[\\[rule\\]\\]|\\PC{0,12}", 0..8),
    ) {
        let file = lines.join("\n");
        match RuleSet::parse_all(&file) {
            Ok(set) => prop_assert_eq!(RuleSet::parse(&set.to_toml()), Ok(set)),
            Err(errors) => prop_assert!(!errors.is_empty()),
        }
    }
}
