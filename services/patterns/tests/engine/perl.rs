//! Perl itself, which every Debian has, as the last word on its own expressions.

use std::io::Write;
use std::process::{Command, Stdio};

/// Reads questions, each three strings with their lengths before them, and answers each with a
/// letter: 1 and 0 for a match and none, x when the expression does not compile.
const SCRIPT: &str = r#"
binmode STDIN; local $/; my $input = <STDIN>; my $at = 0;
sub take { my $length = unpack "V", substr($input, $at, 4); $at += 4 + $length;
           return substr($input, $at - $length, $length) }
no warnings; my ($last, $compiled) = ("");
while ($at < length $input) {
    my ($flags, $expression, $haystack) = (take(), take(), take());
    if ("$flags $expression" ne $last) {
        $last = "$flags $expression";
        $compiled = eval { length $flags ? qr/(?$flags)$expression/ : qr/$expression/ };
    }
    print !defined $compiled ? "x" : $haystack =~ $compiled ? "1" : "0";
}
"#;

/// One expression, its flags (`imsx`) and a haystack.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Question<'a> {
    pub(crate) expression: &'a [u8],
    pub(crate) flags: &'a str,
    pub(crate) haystack: &'a [u8],
}

/// Whether each matches; none where Perl refuses the expression. Equal expressions that follow
/// each other are compiled once.
pub(crate) fn answers(questions: &[Question<'_>]) -> Vec<Option<bool>> {
    let mut input = Vec::new();
    for question in questions {
        // One character above 255 makes Perl read the whole expression as Unicode, but for this.
        let wide = question.expression.windows(3).any(|at| at == br"\x{");
        let flags = format!("{}{}", question.flags, if wide { "aa" } else { "" });
        for field in [flags.as_bytes(), question.expression, question.haystack] {
            input.extend(u32::try_from(field.len()).unwrap().to_le_bytes());
            input.extend(field);
        }
    }
    let mut child = Command::new("perl")
        .args(["-e", SCRIPT])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("perl (package perl-base, essential) runs");
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(&input).unwrap();
    drop(stdin);
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    assert_eq!(output.stdout.len(), questions.len(), "perl stopped early");
    let read = |&letter: &u8| (letter != b'x').then_some(letter == b'1');
    output.stdout.iter().map(read).collect()
}

#[test]
fn perl_answers() {
    let ask = |expression: &'static [u8], flags, haystack: &'static [u8]| Question {
        expression,
        flags,
        haystack,
    };
    let questions = [
        ask(b"^a.c$", "is", b"A\nC\n"),
        ask(b"^a.c$", "i", b"A\nC\n"),
        ask(b"(", "", b""),
        ask(br"[\x{456}]\b", "", b"\xe9"),
        ask(br"a\b", "", b"a\xe9"),
    ];
    let expected = [Some(true), Some(false), None, Some(false), Some(true)];
    assert_eq!(answers(&questions), expected);
}
