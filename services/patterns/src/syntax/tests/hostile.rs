//! Patterns made to hurt: refused or read at once.

use std::time::{Duration, Instant};

use super::super::{MAX_CLASS_SIZE, MAX_COUNT, MAX_DEPTH, MAX_EXPRESSION, SyntaxReason};
use super::read;

/// Far more than any of these takes, and far less than one that does not end.
const PATIENCE: Duration = Duration::from_secs(20);

#[test]
fn each_is_refused_for_its_reason() {
    let long = |unit: &str| unit.repeat(MAX_EXPRESSION / unit.len());
    let cases = [
        (long("("), "", SyntaxReason::TooDeep),
        (long("(?:"), "", SyntaxReason::TooDeep),
        (long("(?=(?<!(?>(?|"), "", SyntaxReason::TooDeep),
        (long("(*pla:"), "", SyntaxReason::TooDeep),
        (long("["), "", SyntaxReason::UnclosedClass),
        (long("[:"), "", SyntaxReason::UnclosedClass),
        (long("[[:a"), "", SyntaxReason::UnclosedClass),
        (long("[[:"), "i", SyntaxReason::UnclosedClass),
        (long("(?#"), "", SyntaxReason::UnclosedComment),
        ("a{65535}{65535}".into(), "", SyntaxReason::NothingToRepeat),
        (
            format!("a{{{}}}", "9".repeat(60_000)),
            "",
            SyntaxReason::CountTooLarge,
        ),
        (
            format!("\\{}", "9".repeat(60_000)),
            "",
            SyntaxReason::NoSuchGroup,
        ),
        (
            format!("\\x{{{}}}", "f".repeat(60_000)),
            "",
            SyntaxReason::NoSuchCodePoint,
        ),
        (
            format!("(?<{}>a)", "n".repeat(60_000)),
            "",
            SyntaxReason::NameTooLong,
        ),
        (long("\\pL"), "u", SyntaxReason::TooLarge),
        (
            format!("[{}]", "\\pL".repeat(20_000)),
            "ui",
            SyntaxReason::TooLarge,
        ),
        (long("[^\\W\\PL]"), "ui", SyntaxReason::TooLarge),
        (long("a") + "b", "", SyntaxReason::TooLong),
    ];
    for (pattern, flags, reason) in cases {
        let start = Instant::now();
        let error = read(&pattern, flags).unwrap_err();
        assert_eq!(error.reason, reason, "{}", &pattern[..20]);
        assert!(start.elapsed() < PATIENCE, "{}", &pattern[..20]);
    }
}

#[test]
fn trees_are_linear_in_the_pattern() {
    let long = |unit: &str| unit.repeat(MAX_EXPRESSION / unit.len());
    let deep =
        |open: &str, close: &str| format!("{}a{}", open.repeat(MAX_DEPTH), close.repeat(MAX_DEPTH));
    let cases = [
        (long("a"), "i"),
        (long("a|"), ""),
        (long("()"), ""),
        (long("(a)\\1"), ""),
        (long("[^a]"), "iu"),
        (long("."), "u"),
        (long("[a-z]"), "iu"),
        (long("\\Q"), ""),
        (long("\\E{"), ""),
        (long("{1,"), ""),
        (long("[[:a:"), ""),
        (long("(?i)(?-i)"), ""),
        (long("(?#)"), ""),
        (long("#\n"), "x"),
        (long("[\\0-\\x{10ffff}]"), "iu"),
        (long("a{65535}"), ""),
        (deep("(", ")*"), ""),
        (deep("(?:", "){65535}"), ""),
        (deep("(?:", "|b){2,65535}+"), ""),
        (deep("(?=", ")"), ""),
        (deep("(?<!", ")"), "u"),
        (deep("(", "\\1)+"), "i"),
        (deep("(?>", "b?)"), ""),
    ];
    for (pattern, flags) in cases {
        let start = Instant::now();
        // Some are refused; what counts is that they are read quickly and become no large tree.
        if let Ok(parsed) = read(&pattern, flags) {
            let limit = 2 * pattern.len() + MAX_CLASS_SIZE;
            let count = parsed.node.count();
            assert!(
                count < limit,
                "{count} nodes: {}",
                &pattern[..20.min(pattern.len())]
            );
            parsed.node.min_len();
            parsed.node.max_len();
        }
        let took = start.elapsed();
        assert!(
            took < PATIENCE,
            "{took:?}: {}",
            &pattern[..20.min(pattern.len())]
        );
    }
}

#[test]
fn limits_are_where_they_are_said_to_be() {
    let nested = |depth: usize| "(".repeat(depth) + &")".repeat(depth);
    assert!(read(&nested(MAX_DEPTH), "").is_ok());
    let error = read(&nested(MAX_DEPTH + 1), "").unwrap_err();
    assert_eq!(
        (error.offset, error.reason),
        (MAX_DEPTH, SyntaxReason::TooDeep)
    );
    assert!(read(&"a".repeat(MAX_EXPRESSION), "").is_ok());
    assert!(read(&format!("a{{{MAX_COUNT}}}"), "").is_ok());
    assert!(read(&format!("a{{{}}}", MAX_COUNT + 1), "").is_err());
    assert!(read(&format!("(?<={})", "a".repeat(60_000)), "").is_ok());
    assert!(read("(?<=a{65535})", "").is_ok());
    let error = read("b(?<=aa{65535})", "").unwrap_err();
    assert_eq!(
        (error.offset, error.reason),
        (1, SyntaxReason::LookBehindTooLong)
    );
    assert!(read("(?<=(?:a{65535}){65535})", "").is_err());
}

#[test]
fn no_bytes_make_it_panic() {
    const PIECES: &[&[u8]] = &[
        b"(", b")", b"[", b"]", b"{", b"}", b"\\", b"?", b"*", b"+", b"|", b"^", b"-", b":", b"=",
        b"<", b">", b"!", b"#", b",", b"1", b"9", b"a", b"x", b"Q", b"E", b"p", b"k", b"g", b"N",
        b"U", b"P", b"[:", b":]", b"(?", b"(*", b"\xC3", b"\xA9", b"\xFF", b"\n", b" ", b"o", b"c",
        b"L", b"$", b".", b"&", b"'",
    ];
    let mut random = super::super::sample::Random(7);
    for round in 0..60_000 {
        let length = random.below(12);
        let pattern: Vec<u8> = (0..length)
            .flat_map(|_| *random.pick(PIECES))
            .copied()
            .collect();
        let mut flags =
            super::Flags::parse(random.pick::<&str>(&["", "i", "x", "u", "iux"])).unwrap();
        flags.dot_all = round % 2 == 0;
        if let Err(error) = super::parse(&pattern, flags) {
            assert!(error.offset <= pattern.len(), "{pattern:?}: {error}");
        }
    }
}
