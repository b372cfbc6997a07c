//! The numbers of the vocabulary: messages as text, and what is counted.

use filter::Input;
use rules::Number;

use crate::files;
use crate::house::{HEADER, House, crlf, fields, good, holds, mail, page, parts, says, with};

/// A number, a message, and the number's value for it.
struct Count(Number, Input, f64);

fn text(body: &str) -> String {
    format!("Content-Type: text/plain\n\n{body}\n")
}

fn html(body: &str) -> String {
    format!("Content-Type: text/html\n\n{body}\n")
}

fn of_texts() -> Vec<Count> {
    let long = "x".repeat(300);
    vec![
        Count(Number::Words, says("one two three\n"), 3.0),
        Count(Number::Lines, says("one\n\nthree\n"), 3.0),
        Count(Number::Lines, says(""), 0.0),
        Count(Number::TextLength, says("h\u{e9}llo"), 5.0),
        Count(Number::LongestLine, says(&format!("a\n{long}\nb\n")), 300.0),
        Count(Number::TextCapitals, says("ABCd"), 75.0),
        Count(Number::TextCapitals, says("1234"), 0.0),
        Count(
            Number::TextNonAscii,
            mail(&format!(
                "{HEADER}Content-Type: text/plain; charset=utf-8\n\nab\u{e9}\u{e8}"
            )),
            50.0,
        ),
        Count(Number::BlankLines, says("one\n \n\nfour\n"), 50.0),
        Count(Number::BlankLines, says(""), 0.0),
        Count(Number::MixedScriptWords, mixed_scripts(), 1.0),
        Count(Number::MixedScriptWords, good(), 0.0),
        Count(Number::PhoneNumbers, says("call +49 30 1234567 now\n"), 1.0),
        Count(
            Number::PhoneNumbers,
            says("in 2026 there are 365 days\n"),
            0.0,
        ),
        Count(
            Number::MoneyAmounts,
            says("you won $1,000.00 and 500 EUR\n"),
            2.0,
        ),
        Count(Number::MoneyAmounts, says("we are 12 people\n"), 0.0),
        Count(Number::ZeroWidth, zero_width(), 3.0),
        Count(Number::ZeroWidth, good(), 0.0),
    ]
}

fn mixed_scripts() -> Input {
    mail(&format!(
        "{HEADER}Content-Type: text/plain; charset=utf-8\n\nyour p\u{430}ypal account\n"
    ))
}

fn zero_width() -> Input {
    let input = "From: =?utf-8?q?An=E2=80=8Bna?= <anna@example.com>\n\
         Subject: =?utf-8?q?Lu=E2=80=8Bnch?=\n\
         Content-Type: text/plain; charset=utf-8\n\nfr\u{200b}ee\n";
    mail(input)
}

fn of_headers() -> Vec<Count> {
    let subject = |text: &str| fields(&format!("Subject: {text}\n"));
    vec![
        Count(Number::HeaderFields, good(), 6.0),
        Count(
            Number::HeaderSize,
            mail("From: a@example.com\n\nx\n"),
            // The line and the empty one after it.
            23.0,
        ),
        Count(Number::Size, mail("From: a@example.com\n\nx\n"), 26.0),
        Count(
            Number::SubjectLength,
            subject("=?utf-8?q?=C3=A9t=C3=A9?="),
            3.0,
        ),
        Count(Number::SubjectLetters, subject("R2-D2!"), 2.0),
        Count(Number::SubjectCapitals, subject("ABcd 12"), 50.0),
        Count(Number::SubjectCapitals, subject("12"), 0.0),
        Count(Number::SubjectMarks, subject("What? Now!!"), 3.0),
        Count(
            Number::SubjectCurrency,
            subject("$5 and =?utf-8?q?=E2=82=AC7?="),
            2.0,
        ),
        Count(Number::Received, fields("Received: a\nReceived: b\n"), 2.0),
        Count(Number::Received, good(), 0.0),
        Count(Number::DateSkewHours, good(), 0.0),
        Count(
            Number::DateSkewHours,
            fields("Date: Fri, 02 Jan 2026 05:30:00 +0000\n"),
            29.0,
        ),
        Count(
            Number::DateSkewHours,
            fields("Date: Wed, 31 Dec 2025 22:00:00 +0000\n"),
            -2.0,
        ),
        Count(Number::DateSkewHours, fields("Date: someday\n"), 0.0),
        Count(
            Number::Addressees,
            fields("Cc: a@example.org, b@example.org\n"),
            3.0,
        ),
        Count(Number::Recipients, good(), 1.0),
        Count(
            Number::Recipients,
            with(good(), |input| input.recipients.clear()),
            0.0,
        ),
        Count(Number::FromIllegal, from(b"abc\xe9\x01<a@e>"), 20.0),
        Count(
            Number::FromIllegal,
            from("\u{e9}t\u{e9} <a@e.c>".as_bytes()),
            0.0,
        ),
        Count(
            Number::HeaderIllegal,
            crate::house::octets(b"X: \xe9\xe9\xe9\r\n\r\n".to_vec()),
            30.0,
        ),
        Count(Number::HeaderIllegal, good(), 0.0),
    ]
}

fn from(value: &[u8]) -> Input {
    let rest: &[u8] = b"\r\nTo: ann@example.org\r\n\r\nHello\r\n";
    crate::house::octets([b"From: ", value, rest].concat())
}

fn of_pages() -> Vec<Count> {
    let images = "<p>Look</p><img src='https://example.net/a.png'><img src='cid:b'>";
    let links = "<p><a href='https://example.net/a'>a</a> <a href='https://example.net/a'>b</a> \
        <a href='https://www.example.com/'>c</a></p>";
    let alternative = parts(
        "alternative",
        &[text("one two three four"), html("<p>one two</p>")],
    );
    vec![
        Count(
            Number::HiddenLength,
            page("<p>a</p><p style='display:none'>h\u{e9}llo</p>"),
            5.0,
        ),
        Count(Number::HiddenLength, good(), 0.0),
        Count(Number::Links, page(links), 3.0),
        Count(Number::Urls, page(links), 2.0),
        Count(Number::UrlDomains, page(links), 2.0),
        Count(
            Number::Urls,
            says("https://example.net/a www.example.net\n"),
            2.0,
        ),
        Count(
            Number::UrlDomains,
            says("https://example.net/a www.example.net\n"),
            1.0,
        ),
        Count(Number::Urls, good(), 0.0),
        Count(Number::Images, page(images), 2.0),
        Count(Number::RemoteImages, page(images), 1.0),
        // 17 octets with the line end, 4 visible characters.
        Count(Number::HtmlPerText, page("<p>a b c d</p>"), 4.0),
        Count(Number::HtmlPerText, good(), 0.0),
        Count(
            Number::HtmlText,
            page("<p>ab</p><!-- no --><script>no</script>"),
            2.0,
        ),
        Count(Number::AlternativeDifference, alternative.clone(), 50.0),
        Count(Number::AlternativeDifference, good(), 0.0),
        Count(
            Number::PlainPerHtml,
            parts("alternative", &[text("012345"), html("0123456789abcd")]),
            50.0,
        ),
        Count(Number::PlainPerHtml, good(), 100.0),
        Count(Number::Parts, alternative.clone(), 3.0),
        Count(Number::Parts, good(), 1.0),
        Count(Number::TextParts, alternative, 2.0),
    ]
}

fn of_files() -> Vec<Count> {
    let archive = files::zip(&[("a.txt", b"a", 0), ("b/c.txt", b"c", 0)]);
    let carries = || files::carries("files.zip", "application/zip", &archive);
    vec![
        Count(Number::Attachments, carries(), 1.0),
        Count(Number::Attachments, good(), 0.0),
        Count(Number::ArchiveFiles, carries(), 2.0),
        Count(Number::TextParts, carries(), 1.0),
        Count(Number::Base64Line, carries(), 76.0),
        Count(Number::Base64Line, good(), 0.0),
    ]
}

fn all() -> Vec<Count> {
    let rows = [of_texts(), of_headers(), of_pages(), of_files()];
    rows.into_iter().flatten().collect()
}

#[tokio::test]
async fn numbers_are_what_they_say() {
    let house = House::new().await;
    let mut wrong = Vec::new();
    for Count(number, input, wanted) in all() {
        let condition = format!("number = '{number}', equals = {wanted:?}");
        if !holds(&house.filter, &condition, &input) {
            let found = (-100..=1_000)
                .find(|guess| {
                    let guess = format!("number = '{number}', equals = {guess}.0");
                    holds(&house.filter, &guess, &input)
                })
                .map_or_else(|| "something else".to_owned(), |found| found.to_string());
            let text = String::from_utf8_lossy(&input.raw).into_owned();
            wrong.push(format!("{number} is {found}, not {wanted}, of:\n{text}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[test]
fn every_number_has_a_row() {
    let rows = all();
    let missing: Vec<&str> = Number::ALL
        .iter()
        .filter(|number| !rows.iter().any(|Count(asked, _, _)| asked == *number))
        .map(|number| number.name())
        .collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[tokio::test]
async fn bounds_of_numbers_are_inclusive() {
    let house = House::new().await;
    let input = fields("Received: a\nReceived: b\n");
    assert_eq!(crlf("\n"), b"\r\n");
    for (bounds, wanted) in [
        ("at_least = 2", true),
        ("at_least = 3", false),
        ("at_most = 2", true),
        ("at_most = 1", false),
        ("at_least = 1, at_most = 3", true),
    ] {
        let condition = format!("number = 'received', {bounds}");
        assert_eq!(holds(&house.filter, &condition, &input), wanted, "{bounds}");
    }
}
