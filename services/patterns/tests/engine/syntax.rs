//! What is easily got wrong, as a table: syntax, anchors, case, groups, references. The engine
//! must say what PCRE2 says, or refuse.

use crate::harness::{Engine, show};
use crate::oracle::Oracle;

/// Haystacks every expression is tried on, beside its own.
const HAYSTACKS: &[&[u8]] = &[
    b"",
    b"\n",
    b"a",
    b"A",
    b"ab",
    b"a\nb\n",
    b"\na\n\n",
    b"aab abb AAB\r\n",
    b"a{1,b}{,3}",
    b"x-y_z 0189",
    b"aaaaaaaaaaaaaaaa",
    b"abcabc abcABC",
    b"\x00\x07\x1b\x7f\x80\x85\xa0\xe9\xff",
    b"a.b*c[d]e(f)g|h^i$j\\k/l",
    b"foobar foo bar barfoo",
    b"01 \\8 a8 a\x01 \x018",
];

/// Expressions and flags.
const TABLE: &[(&str, &str)] = &[
    // Literals that look like operators.
    ("a{", ""),
    ("a{b", ""),
    ("a{1", ""),
    ("a{1,b}", ""),
    ("{1}", ""),
    ("}a", ""),
    ("x{a,1}", ""),
    ("]", ""),
    (r"\/\-\_\<\>\%\@\#\ ", ""),
    (r"a\.b\*c\[d\]e\(f\)g\|h\^i\$j\\k", ""),
    (r"\Qa.b*c[d]\Ee", ""),
    (r"\Qa.b", ""),
    (r"\Qa\Eb\Q\E", ""),
    (r"a\Eb", ""),
    (r"[\Qa-c\E]+", ""),
    // Escapes.
    (r"\x61\x{62}\x7f?", ""),
    (r"\x", ""),
    (r"\xg", ""),
    (r"\0", ""),
    (r"\07\033?", ""),
    (r"\o{141}", ""),
    (r"\141\142", ""),
    (r"\8", ""),
    (r"\18", ""),
    (r"(a)\18", ""),
    (r"(a)(b)?\2", ""),
    (r"\cA|\c[|\c?", ""),
    (r"\a|\e|\f", ""),
    (r"[\b]", ""),
    (r"[\a\e\f\n\r\t\0\x07\177]+", ""),
    (r"\h+", ""),
    (r"\H+", ""),
    (r"\v+", ""),
    (r"\V+", ""),
    (r"\N+", "s"),
    (r"\R", ""),
    (r"\R+b", ""),
    (r"(?>\R)\n", ""),
    (r"[\h\d]+[\V]", ""),
    // Classes.
    ("[]a]+", ""),
    ("[^]a]+", ""),
    ("[a-]+", ""),
    ("[-a]+", ""),
    (r"[a\-c]+", ""),
    (r"[\w-z]+", ""),
    (r"[a-c-z]+", ""),
    ("[[a]+", ""),
    ("[a[b]+", ""),
    ("[[:alpha:][:digit:]]+", ""),
    ("[[:^alpha:]]+", ""),
    ("[^[:space:]]+", ""),
    ("[[:word:]]+[[:punct:]]", ""),
    ("[[:xdigit:][:blank:]]+$", ""),
    ("[[:upper:]]+", "i"),
    ("[[:lower:]]+", ""),
    ("[^[:upper:]]", "i"),
    ("[^a]", "i"),
    ("[^A-Z]", "i"),
    ("[Z-a]", "i"),
    (r"[\x80-\xff]", "i"),
    (r"[^\x00-\x7f]", ""),
    (r"\xe9", "i"),
    (r"[^\W_]+", ""),
    (r"[\S\n]+", ""),
    (r"[ #]", "x"),
    // Anchors.
    ("^", ""),
    ("$", ""),
    ("^$", ""),
    ("^$", "m"),
    ("^a$", ""),
    ("^b$", "m"),
    (r"b\Z", ""),
    (r"b\z", ""),
    (r"\Ab", "m"),
    ("a$.b", "ms"),
    ("^\n", "m"),
    ("(^a|b$)", ""),
    ("(?m)^b(?-m)$", ""),
    ("a(?m:$)", ""),
    ("x*^", "m"),
    ("$\n", ""),
    ("$\n", "m"),
    (r"\n^", "m"),
    (r"\b", ""),
    (r"\B", ""),
    (r"\b\w", ""),
    (r"\Ba", ""),
    (r"a\b.", ""),
    (r"\bfoo\b", "i"),
    (r"^(?:^)*a", ""),
    // Dots.
    (".", ""),
    (".+", ""),
    (".+", "s"),
    ("a.b", "s"),
    ("(?s)a.b(?-s).", ""),
    ("(?s:.).", ""),
    // Case.
    ("aAb", "i"),
    ("(?i)a(?-i)A", ""),
    ("(?i:a)A", ""),
    ("a(?i)b|c", ""),
    ("(a(?i)b|B)A?", ""),
    ("(?i-i)a", ""),
    ("(?^:a)A", "i"),
    ("(?^i:A)b", ""),
    ("(?i)(a)b\\1", ""),
    (r"(a)(?i)\1", ""),
    (r"(abc) ?(?i:\1)", ""),
    // Extended.
    (" a b # comment ) ( [\n c ", "x"),
    (r"a\ b", "x"),
    ("a[ ]b", "x"),
    ("a +", "x"),
    ("a {2}", "x"),
    ("(?x) a # b", ""),
    ("(?x: a b )c", ""),
    (r"\Qa b\E", "x"),
    ("(?x)a(?#c d)b", ""),
    ("(?xx)[a b]+", ""),
    // Groups.
    ("()", ""),
    ("(|a)b", ""),
    ("(a|)b", ""),
    ("a||b", ""),
    ("(?:|)", ""),
    ("(?#comment)a", ""),
    ("a(?#comment)*", ""),
    ("(?<x>a)b", ""),
    ("(?'x'a)b", ""),
    ("(?P<x>a)(?P=x)", ""),
    (r"(?<x>a)\k<x>", ""),
    (r"(?<x>a)\k{x}\k'x'\g{x}", ""),
    (r"(a)\g1\g{1}\g{-1}", ""),
    (r"(a)(b)?\g{-2}", ""),
    (r"(?|(a)|(b))\1", ""),
    (r"(?|(a)(b)|(c))\2?", ""),
    (r"(?:(a)|b)*\1", ""),
    (r"(a\1?){3}", ""),
    (r"(\2b|a(b))+", ""),
    (r"\1(a)", ""),
    (r"(a)?\1b", ""),
    (r"(a*)\1$", ""),
    (r"(a*?)\1$", ""),
    (r"^(a+)\1+$", ""),
    (r"(?=(a+))\1b", ""),
    (r"(?!(a)b)\1?c", ""),
    (r"(?i)(abc).*\1", ""),
    (r"(foo|bar) ?(?:\1|x)", ""),
    // Repeats.
    ("a{0}b", ""),
    ("a{0,0}", ""),
    ("(a){0}b", ""),
    ("a{2}", ""),
    ("a{2,}", ""),
    ("a{2,3}?", ""),
    ("a{2,3}+a", ""),
    ("a{1}{2}{3}", ""),
    ("(?:a{2,3}){2}", ""),
    ("(?:a{2}){2,3}b", ""),
    ("a*?b", ""),
    ("a*+a", ""),
    ("a++b", ""),
    ("a?+ab", ""),
    ("(?:a|ab)++c", ""),
    ("(?>a|ab)c", ""),
    ("(?>a*)b", ""),
    ("(?>a+|b)+c", ""),
    ("(a*)*", ""),
    ("(a*)+b", ""),
    ("(?:a?)*?b", ""),
    ("(?:a?){5}b", ""),
    ("(?:^a?)*b", "m"),
    (r"(?:\b)*a", ""),
    (r"(?:(?=a))*a", ""),
    ("(?:a|b)*?c", ""),
    ("(?:(?:a)*b)*c", ""),
    // Looking around.
    ("a(?=b)", ""),
    ("a(?!b)", ""),
    ("(?<=a)b", ""),
    ("(?<!a)b", ""),
    ("(?<=^|\n)b", ""),
    ("(?<=a|bc)b", ""),
    (r"(?<=\ba)b", ""),
    ("(?<=(?<!a)a)b", ""),
    ("(?<=a(?=b))b", ""),
    ("(?=a)(?=.b)a", ""),
    ("(?=.*b)(?!.*x)^a", ""),
    (r"(?<!\w)foo(?!\w)", ""),
    (r"(?<=foo)(?<!xfoo)\s?bar", ""),
    ("(?!)|b", ""),
    ("(?=)a", ""),
    (r"(?<!^)a", "m"),
    (r"(?=$)\n", ""),
    ("(?<=a{2})b", ""),
    (r"(?<=\n)", ""),
    (r"(?<!\n)$", ""),
    (r"^(?!.*(?:foo|x))\w", ""),
    ("(?=(?>a+)b)a", ""),
    // The reported start.
    (r"a\Kb", ""),
    (r"(?:a\K)+", ""),
    (r"a\K|b", ""),
    (r"\Ka", ""),
    (r"(a\Kb|c)a", ""),
    (r"foo\K", ""),
    // A match at the same place after an empty one.
    ("|a", ""),
    ("a??", ""),
    ("a*?|b", ""),
    (r"\b|o+", ""),
    ("(?=a)|a", ""),
    // Refused, or understood.
    ("(?(1)a|b)", ""),
    ("(a)?(?(1)b|c)", ""),
    ("(?R)?a", ""),
    ("(a)(?1)", ""),
    ("(*FAIL)|a", ""),
    ("a(*ACCEPT)b", ""),
    ("a(*SKIP)b|.", ""),
    (r"a\G", ""),
    (r"\Xa", ""),
    (r"\Ca", ""),
    (r"(?U)a+", ""),
    (r"(?n)(a)", ""),
    (r"(?a)\w", ""),
    (r"\N{U+61}", ""),
    ("(?C1)a", ""),
    ("(?J)(?<n>a)|(?<n>b)", ""),
    ("(?P>n)(?<n>a)", ""),
    ("[[:<:]]a", ""),
    ("[[=a=]]", ""),
    ("a**", ""),
    ("a{2,1}", ""),
    ("(?<=a*)b", ""),
    ("[b-a]", ""),
    ("[[:no:]]", ""),
    ("(", ""),
    (")", ""),
    ("[a", ""),
    ("*a", ""),
    ("(?z)", ""),
    (r"(a)\2", ""),
    (r"\k<n>", ""),
    ("a\\", ""),
    ("(?#", ""),
    ("(?<n>a)(?<n>b)", ""),
    // Unicode.
    ("é", "u"),
    ("é", "iu"),
    (".", "u"),
    ("^.$", "u"),
    ("^..$", "u"),
    ("[é-ü]+", "u"),
    ("[^a]", "u"),
    (r"\x{e9}", "u"),
    (r"\x{1F600}?a", "u"),
    (r"\w+", "u"),
    (r"\W", "u"),
    (r"\s\S", "u"),
    (r"\bé", "u"),
    (r"(?<=é)b", "u"),
    (r"(?<=.)b", "u"),
    (r"(?<!é.)b", "u"),
    ("k", "iu"),
    ("ß", "iu"),
    ("[k-m]", "iu"),
    ("[^k]", "iu"),
    (r"\h\R\v", "u"),
    (r"\x{85}", "u"),
    ("é{2,3}?", "u"),
    ("(é)b?", "u"),
    (r"\pL+", "u"),
    (r"\p{Lu}\P{Lu}", "u"),
    (r"[\p{Greek}é]+", "u"),
    (r"[^\p{L}]", "u"),
];

/// Haystacks for flag u.
const UNICODE: &[&str] = &[
    "é",
    "É",
    "éb",
    "éxb",
    "aéb éé ééé",
    "K\u{212a}kſs",
    "ßẞ\u{17f}",
    "αβγ ABC Σς",
    "😀a",
    "\u{a0}\u{85}\n",
    "\u{2028}x",
    "e\u{301}b",
];

/// `\G` is `\A`: only the first of Perl's matches in a row.
#[test]
fn the_place_where_a_search_begins_is_the_haystacks_start() {
    let mut engine = Engine::of(br"\Ga", "").unwrap();
    assert_eq!(engine.matches(b"aab").unwrap(), vec![(0..1)]);
    assert!(!engine.is_match(b"ba"));
}

#[test]
fn the_table_holds() {
    let mut differences = Vec::new();
    let mut refused = Vec::new();
    for &(expression, flags) in TABLE {
        let shown = format!("/{}/{flags}", expression.escape_debug());
        let oracle = Oracle::new(expression.as_bytes(), flags);
        let engine = Engine::of(expression.as_bytes(), flags);
        let (mut engine, oracle) = match (engine, oracle) {
            (Ok(engine), Ok(oracle)) => (engine, oracle),
            (Err(reason), Ok(_)) => {
                refused.push(format!("{shown}: {reason}"));
                continue;
            }
            // Perl's and PCRE2 10.42's character zero; later versions refuse it.
            (Ok(_), Err(_)) if [r"\x", r"\xg"].contains(&expression) => continue,
            (Ok(_), Err(reason)) => {
                differences.push(format!("{shown} is accepted; {reason}"));
                continue;
            }
            (Err(_), Err(_)) => continue,
        };
        let own = [expression.as_bytes()];
        let unicode = UNICODE.iter().map(|text| text.as_bytes());
        let haystacks = HAYSTACKS.iter().copied().chain(own).chain(unicode);
        for haystack in haystacks {
            if flags.contains('u') && std::str::from_utf8(haystack).is_err() {
                continue;
            }
            let expected = oracle.matches(haystack).unwrap();
            let found = engine.is_match(haystack);
            if found == expected.is_empty() {
                let haystack = show(haystack);
                differences.push(format!("{shown}: the engine says {found} over {haystack}"));
            }
            let found = engine.matches(haystack).expect("enough fuel");
            if found != expected {
                let haystack = show(haystack);
                differences.push(format!(
                    "{shown}: {found:?} instead of {expected:?} over {haystack}"
                ));
            }
        }
    }
    println!("refused although PCRE2 takes them:\n{}", refused.join("\n"));
    assert!(
        differences.is_empty(),
        "{} differences:\n{}",
        differences.len(),
        differences.join("\n")
    );
}

/// Later versions of PCRE2 than the engine's reference read these otherwise; Perl 5.36 agrees with
/// the later ones on `{,3}` only.
#[test]
fn counts_without_a_minimum_are_literal() {
    let mut engine = Engine::of(b"^a{,3}$", "").unwrap();
    assert!(engine.is_match(b"a{,3}"));
    assert!(!engine.is_match(b"aaa"));
}
