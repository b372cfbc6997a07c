//! Patterns and the trees they become, or where and why they are refused.

use super::super::{
    Assertion, Construct, Direction, Greed, Look, Node, Repeat, Sense, SyntaxReason,
};
use super::read;
use crate::byteset::ByteSet;

fn set(bytes: &[u8]) -> Node {
    Node::Set(bytes.iter().copied().collect())
}

fn text(bytes: &[u8]) -> Node {
    Node::string(bytes)
}

fn all(nodes: &[Node]) -> Node {
    Node::concat(nodes.to_vec())
}

fn any(nodes: &[Node]) -> Node {
    Node::Alternation(nodes.to_vec())
}

fn times(node: Node, min: u32, max: Option<u32>, greed: Greed) -> Node {
    Node::Repeat(Box::new(Repeat {
        node,
        min,
        max,
        greed,
    }))
}

fn star(node: Node) -> Node {
    times(node, 0, None, Greed::Greedy)
}

fn look(direction: Direction, sense: Sense, node: Node) -> Node {
    Node::Look(Box::new(Look {
        direction,
        sense,
        node,
    }))
}

fn group(group: u32, node: Node) -> Node {
    Node::Capture {
        group,
        node: Box::new(node),
    }
}

fn again(group: u32, caseless: bool) -> Node {
    Node::Backreference { group, caseless }
}

fn check(cases: &[(&str, &str, Node)]) {
    for (pattern, flags, tree) in cases {
        let parsed = read(pattern, flags).unwrap_or_else(|error| panic!("{pattern}: {error}"));
        assert_eq!(parsed.node, *tree, "{pattern:?} {flags}");
    }
}

#[test]
fn characters() {
    let not_newline = Node::Set(ByteSet::of(b'\n').complement());
    check(&[
        ("", "", Node::Empty),
        ("aB", "i", all(&[set(b"aA"), set(b"bB")])),
        ("a.", "", all(&[set(b"a"), not_newline.clone()])),
        (".", "s", Node::Set(ByteSet::ALL)),
        ("\\N", "s", not_newline),
        ("\\<\\>\\/\\-", "", text(b"<>/-")),
        (
            "\\a\\e\\f\\n\\r\\t\\0\\x41\\x\\x4g\\cA\\c?",
            "",
            text(b"\x07\x1b\x0c\n\r\t\0A\0\x04g\x01\x7f"),
        ),
        ("\\101\\x{42}\\o{103}\\18", "", text(b"ABC\x018")),
        (
            "\\Qa.[\\E.\\Q",
            "s",
            all(&[text(b"a.["), Node::Set(ByteSet::ALL)]),
        ),
        ("a\\Q\\E*", "", star(set(b"a"))),
        ("\\Qab\\E*", "", all(&[set(b"a"), star(set(b"b"))])),
        ("a{,2}{x}{", "", text(b"a{,2}{x}{")),
        ("é", "", text(b"\xc3\xa9")),
        ("é", "i", text(b"\xc3\xa9")),
        ("é", "iu", all(&[set(b"\xc3"), set(b"\xa9\x89")])),
        ("\\xe9", "u", text(b"\xc3\xa9")),
        ("\\x{e9}\\N{U+e9}", "u", text(b"\xc3\xa9\xc3\xa9")),
        ("k", "iu", any(&[set(b"kK"), text(b"\xe2\x84\xaa")])),
        ("a b #c\n\\ d(?#e)f", "x", text(b"ab df")),
        ("(?x: a b ) c", "", text(b"ab c")),
    ]);
}

#[test]
fn classes() {
    check(&[
        ("[]a]", "", set(b"]a")),
        (
            "[^]a]",
            "",
            Node::Set(ByteSet::of(b']').with(b'a').complement()),
        ),
        ("[a-cx-]", "", set(b"abcx-")),
        ("[-a]", "", set(b"-a")),
        ("[+--]", "", set(b"+,-")),
        ("[a\\]b]", "", set(b"ab]")),
        (
            "[\\Qa-]\\E-_]",
            "",
            Node::Set(ByteSet::range(b']'..=b'_').with(b'a').with(b'-')),
        ),
        ("[\\b\\g\\8\\101]", "", set(b"\x08g8A")),
        (
            "[^a]",
            "i",
            Node::Set(ByteSet::of(b'a').with(b'A').complement()),
        ),
        (
            "[[:upper:]]",
            "i",
            Node::Set(ByteSet::range(b'a'..=b'z').fold_case()),
        ),
        (
            "[[:upper:]x]",
            "",
            Node::Set(ByteSet::range(b'A'..=b'Z').with(b'x')),
        ),
        ("[[:^ascii:]]", "", Node::Set(ByteSet::range(0x80..=0xFF))),
        (
            "[a[:digit:]b:]",
            "",
            Node::Set(ByteSet::range(b'0'..=b'9').union(ByteSet::of(b'a').with(b'b').with(b':'))),
        ),
        ("[[:x]", "", set(b"[:x")),
        (
            "[\\d\\-.]",
            "",
            Node::Set(ByteSet::range(b'0'..=b'9').with(b'-').with(b'.')),
        ),
        ("\\s", "", set(b" \t\n\x0b\x0c\r")),
        (
            "\\h\\v",
            "",
            all(&[set(b" \t\xa0"), set(b"\n\x0b\x0c\r\x85")]),
        ),
        (
            "\\W",
            "",
            Node::Set(
                (0..=255)
                    .filter(|&byte: &u8| !super::super::is_word(byte))
                    .collect(),
            ),
        ),
        ("[\\D\\d]", "", Node::Set(ByteSet::ALL)),
        (
            "\\p{Lu}",
            "",
            Node::Set(
                ByteSet::range(b'A'..=b'Z')
                    .union(ByteSet::range(0xC0..=0xD6))
                    .union(ByteSet::range(0xD8..=0xDE)),
            ),
        ),
        ("[ a]", "x", set(b" a")),
        ("(?xx)[ a\t]", "", set(b"a")),
        ("[éa]", "u", any(&[set(b"a"), text(b"\xc3\xa9")])),
        ("[^\\x00-\\x{10fffe}]", "u", text(b"\xf4\x8f\xbf\xbf")),
    ]);
}

#[test]
fn groups_and_references() {
    check(&[
        ("(a)(b)", "", text(b"ab")),
        ("(a|b)c", "", all(&[set(b"ab"), set(b"c")])),
        (
            "(?:ab|cd|e|f)",
            "",
            any(&[text(b"ab"), text(b"cd"), set(b"ef")]),
        ),
        (
            "(a)(b)\\2",
            "",
            all(&[set(b"a"), group(1, set(b"b")), again(1, false)]),
        ),
        (
            "(a)(?i)\\g{-1}",
            "",
            all(&[group(1, set(b"a")), again(1, true)]),
        ),
        (
            "(?<n>a)\\k<n>(?P=n)\\g{n}\\k'n'\\k{n}",
            "",
            all(&[
                group(1, set(b"a")),
                again(1, false),
                again(1, false),
                again(1, false),
                again(1, false),
                again(1, false),
            ]),
        ),
        (
            "\\k{n}(?'n'a)",
            "",
            all(&[again(1, false), group(1, set(b"a"))]),
        ),
        ("\\g+1(a)", "", all(&[again(1, false), group(1, set(b"a"))])),
        (
            "(?|(a)|(b))(c)\\1\\2",
            "",
            all(&[
                any(&[group(1, set(b"a")), group(1, set(b"b"))]),
                group(2, set(b"c")),
                again(1, false),
                again(2, false),
            ]),
        ),
        ("(a){0}\\1", "", Node::FAIL),
        (
            "(?n)(a)(?<n>b)\\1",
            "",
            all(&[set(b"a"), group(1, set(b"b")), again(1, false)]),
        ),
        (
            "(?i)a(?-i)b(?i:c(?^)d)e",
            "",
            all(&[set(b"aA"), set(b"b"), set(b"cC"), text(b"de")]),
        ),
        (
            "(a(?i)b|c)d",
            "",
            all(&[any(&[all(&[set(b"a"), set(b"bB")]), set(b"cC")]), set(b"d")]),
        ),
        (
            "(?>a*)b",
            "",
            all(&[Node::Atomic(Box::new(star(set(b"a")))), set(b"b")]),
        ),
        ("(?>ab)", "", text(b"ab")),
        ("(*atomic:a*)", "", Node::Atomic(Box::new(star(set(b"a"))))),
        (
            "\\R",
            "",
            Node::Atomic(Box::new(any(&[text(b"\r\n"), set(b"\n\x0b\x0c\r\x85")]))),
        ),
    ]);
    assert_eq!(read("(a)(b)(c)\\3\\1", "").unwrap().groups, 2);
    assert_eq!(read("(a)(b)", "").unwrap().groups, 0);
}

#[test]
fn repetitions() {
    let a = || set(b"a");
    check(&[
        (
            "a*b+c?",
            "",
            all(&[
                star(a()),
                times(set(b"b"), 1, None, Greed::Greedy),
                times(set(b"c"), 0, Some(1), Greed::Greedy),
            ]),
        ),
        (
            "a*?b+?",
            "",
            all(&[
                times(a(), 0, None, Greed::Lazy),
                times(set(b"b"), 1, None, Greed::Lazy),
            ]),
        ),
        ("a*+", "", times(a(), 0, None, Greed::Possessive)),
        (
            "a{2}b{2,}c{2,3}",
            "",
            all(&[
                times(a(), 2, Some(2), Greed::Greedy),
                times(set(b"b"), 2, None, Greed::Greedy),
                times(set(b"c"), 2, Some(3), Greed::Greedy),
            ]),
        ),
        ("a{2}?", "", times(a(), 2, Some(2), Greed::Greedy)),
        (
            "(?:ab?){2}+",
            "",
            times(
                all(&[a(), times(set(b"b"), 0, Some(1), Greed::Greedy)]),
                2,
                Some(2),
                Greed::Possessive,
            ),
        ),
        (
            "(?U)a*b*?",
            "",
            all(&[times(a(), 0, None, Greed::Lazy), star(set(b"b"))]),
        ),
        (
            "a * + (?#x) b",
            "x",
            all(&[times(a(), 0, None, Greed::Possessive), set(b"b")]),
        ),
        ("a{1}b{0}", "", a()),
        ("(?=a)*b", "", set(b"b")),
        (
            "(?=a)+b",
            "",
            all(&[look(Direction::Ahead, Sense::Positive, a()), set(b"b")]),
        ),
        ("(?:)+", "", Node::Empty),
        (
            ".{2}",
            "u",
            times(read(".", "u").unwrap().node, 2, Some(2), Greed::Greedy),
        ),
    ]);
}

#[test]
fn places() {
    let place = |assertion| Node::Assert(assertion);
    check(&[
        (
            "^$",
            "",
            all(&[place(Assertion::Start), place(Assertion::EndOrNewline)]),
        ),
        (
            "^$",
            "m",
            all(&[place(Assertion::LineStart), place(Assertion::LineEnd)]),
        ),
        (
            "\\A\\Z\\z",
            "m",
            all(&[
                place(Assertion::Start),
                place(Assertion::EndOrNewline),
                place(Assertion::End),
            ]),
        ),
        (
            "\\b\\B",
            "",
            all(&[
                place(Assertion::WordBoundary),
                place(Assertion::NotWordBoundary),
            ]),
        ),
        (
            "(?:\\Ga|(?i)\\Gb)",
            "",
            any(&[
                all(&[place(Assertion::Start), set(b"a")]),
                all(&[place(Assertion::Start), set(b"bB")]),
            ]),
        ),
        ("a\\Kb", "", all(&[set(b"a"), Node::Keep, set(b"b")])),
        (
            "(?<!a|bc)d",
            "",
            all(&[
                look(
                    Direction::Behind,
                    Sense::Negative,
                    any(&[set(b"a"), text(b"bc")]),
                ),
                set(b"d"),
            ]),
        ),
        (
            "(*nla:a)",
            "",
            look(Direction::Ahead, Sense::Negative, set(b"a")),
        ),
        ("a(?!)|(*F)|(*FAIL:x)", "", all(&[set(b"a"), Node::FAIL])),
        // With u a match begins at a character.
        (
            "\\B",
            "u",
            all(&[
                look(
                    Direction::Ahead,
                    Sense::Negative,
                    Node::Set(ByteSet::range(0x80..=0xBF)),
                ),
                place(Assertion::NotWordBoundary),
            ]),
        ),
    ]);
}

#[test]
fn refusals() {
    use SyntaxReason as R;
    let unsupported = [
        ("a(?R)", Construct::Recursion),
        ("a(?1)", Construct::Recursion),
        ("a(?-1)", Construct::Recursion),
        ("a(?&n)", Construct::Recursion),
        ("a(?P>n)", Construct::Recursion),
        ("a\\g<n>", Construct::Recursion),
        ("a(?(1)b)", Construct::Conditional),
        ("a(?C1)", Construct::Callout),
        ("a(*COMMIT)", Construct::Verb),
        ("a(*UTF)", Construct::Verb),
        ("a(*:x)", Construct::Verb),
        ("a(*sr:x)", Construct::ScriptRun),
        ("a(?*x)", Construct::NonAtomicLook),
        ("a(?<*x)", Construct::NonAtomicLook),
        ("a\\C", Construct::CodeUnit),
        ("a\\X", Construct::Grapheme),
        ("a\\G", Construct::MatchStart),
        ("a\\N{x}", Construct::NamedCharacter),
    ];
    for (pattern, construct) in unsupported {
        let error = read(pattern, "").unwrap_err();
        assert_eq!(
            (error.offset, error.reason),
            (1, R::Unsupported(construct)),
            "{pattern}"
        );
    }
    let wrong: &[(&str, usize, SyntaxReason)] = &[
        ("ab(c", 2, R::UnclosedGroup),
        ("ab)c", 2, R::UnopenedGroup),
        ("ab[c", 2, R::UnclosedClass),
        ("a(?#b", 1, R::UnclosedComment),
        ("a(?y)", 3, R::UnknownFlag),
        ("a(?i-s-m)", 6, R::UnknownFlag),
        ("a(?{b})", 1, R::UnknownGroup),
        ("a(?Pb)", 1, R::UnknownGroup),
        ("a(*NO)", 1, R::UnknownVerb),
        ("a(?J)", 3, R::Unsupported(Construct::DuplicateNames)),
        ("*a", 0, R::NothingToRepeat),
        ("a|+", 2, R::NothingToRepeat),
        ("a**", 2, R::NothingToRepeat),
        ("^*", 1, R::NothingToRepeat),
        ("a(?i)*", 5, R::NothingToRepeat),
        ("a{2}{3}", 4, R::NothingToRepeat),
        ("a{65536}", 1, R::CountTooLarge),
        ("a{3,2}", 1, R::CountsOutOfOrder),
        ("a\\", 1, R::TrailingBackslash),
        ("a\\y", 1, R::UnknownEscape(b'y')),
        ("[a\\B]", 2, R::EscapeInClass(b'B')),
        ("a\\x{g}", 1, R::BadNumber),
        ("a\\x{41 }", 1, R::BadNumber),
        ("a\\o{}", 1, R::BadNumber),
        ("a\\c\n", 1, R::BadControl),
        ("a\\400", 1, R::NoSuchCodePoint),
        ("a\\p{No such}", 1, R::UnknownProperty),
        ("a\\p", 1, R::UnknownProperty),
        ("[a[:no:]]", 2, R::UnknownPosixClass),
        ("a[:alpha:]", 1, R::PosixOutsideClass),
        ("[a[.x.]]", 2, R::CollatingElement),
        ("[xz-a]", 2, R::RangeOutOfOrder),
        ("[xa-\\d]", 2, R::RangeOfClass),
        ("[\\d-z]", 3, R::RangeOfClass),
        ("[[:digit:]-z]", 10, R::RangeOfClass),
        ("a\\g", 1, R::BadReference),
        ("a\\kn", 1, R::BadReference),
        ("a\\2(b)", 1, R::NoSuchGroup),
        ("a\\81", 1, R::NoSuchGroup),
        ("a\\k<n>", 1, R::NoSuchGroup),
        ("a\\g{-1}", 1, R::NoSuchGroup),
        ("a(?<1>b)", 4, R::BadName),
        ("a(?<n b)", 4, R::BadName),
        ("(?<n>a)(?<n>b)", 7, R::DuplicateName),
        ("(?|(?<n>a)|(?<m>b))", 11, R::NamesDiffer),
        ("a(?<=b*)", 1, R::LookBehindVaries),
        ("a(?<=(?:b|cd))", 1, R::LookBehindVaries),
        ("a(?=\\K)", 4, R::KeepInLook),
    ];
    for (pattern, offset, reason) in wrong {
        let error = read(pattern, "").unwrap_err();
        assert_eq!(
            (error.offset, &error.reason),
            (*offset, reason),
            "{pattern}"
        );
    }
    let error = super::parse(b"ab\xFFc", super::Flags::parse("u").unwrap()).unwrap_err();
    assert_eq!(error.to_string(), "at byte 2: the pattern is not UTF-8");
    assert_eq!(
        read("\\x{d800}", "u").unwrap_err().reason,
        R::NoSuchCodePoint
    );
    assert_eq!(
        read("a(?1)", "").unwrap_err().to_string(),
        "at byte 1: recursions and calls of groups are not supported"
    );
}
