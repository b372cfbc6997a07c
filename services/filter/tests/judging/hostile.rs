//! Messages made to hurt: each is judged, and what was cut is said.

use std::fmt::Write as _;
use std::time::Instant;

use filter::{Input, Recipient, Verdict};

use crate::files;
use crate::house::{
    HEADER, House, address, fields, has, holds, mail, page, parts, says, symbols, with,
};

/// Judges a message; how long it took goes to whoever looks at the output.
async fn judge(house: &House, name: &str, input: &Input) -> Verdict {
    let started = Instant::now();
    let verdict = house.judge(input).await;
    let took = started.elapsed();
    let timing = verdict.timing;
    #[expect(clippy::disallowed_macros, reason = "for whoever runs this test alone")]
    {
        println!(
            "{name}: {took:?}, facts {} us, rules {} us",
            timing.facts, timing.rules
        );
    }
    assert!(
        !has(&verdict, "FILTER_FAILED") && !has(&verdict, "RULES_MISSING"),
        "{name}"
    );
    assert!(verdict.signals.len() > 2, "{name}: {:?}", symbols(&verdict));
    verdict
}

async fn cut(name: &str, input: &Input) {
    let house = House::new().await;
    let verdict = judge(&house, name, input).await;
    assert!(
        has(&verdict, "BUDGET_EXCEEDED"),
        "{name}: {:?}",
        symbols(&verdict)
    );
}

#[tokio::test]
async fn strings_that_make_expressions_backtrack() {
    let house = House::new().await;
    for (name, text) in [
        ("a", "a".repeat(900_000)),
        ("blanks", " ".repeat(900_000)),
        ("ab", "ab ".repeat(300_000)),
        ("digits", "1234567890 ".repeat(80_000)),
        ("dots", "a.".repeat(400_000)),
        ("at", "a@".repeat(400_000)),
        ("marks", "!?$".repeat(300_000)),
        ("words", "free money now click here ".repeat(35_000)),
        ("quotes", "\"<(".repeat(300_000)),
    ] {
        judge(&house, name, &says(&text)).await;
        judge(
            &house,
            &format!("{name} in lines"),
            &says(&text.replace(' ', "\n")),
        )
        .await;
    }
}

#[tokio::test]
async fn strings_that_make_readers_of_markup_look_again() {
    let house = House::new().await;
    for (name, text) in [
        ("tags", "<".repeat(900_000)),
        ("open", "<div>".repeat(180_000)),
        ("comments", "<!--".repeat(220_000)),
        ("entities", "&amp".repeat(220_000)),
        ("hash entities", "&#".repeat(400_000)),
        ("attributes", format!("<a {}>", "a=b ".repeat(220_000))),
        (
            "styles",
            format!("<p style='{}'>x", "color:red;".repeat(80_000)),
        ),
        (
            "classes",
            format!(
                "<style>{}</style>{}",
                ".a{color:red}".repeat(20_000),
                "<b class=a>".repeat(50_000)
            ),
        ),
        ("tables", "<table><tr><td>".repeat(60_000)),
        ("wrong ends", "<b></i>".repeat(120_000)),
        ("formatting", "<b><p>".repeat(150_000)),
    ] {
        judge(&house, name, &page(&text)).await;
    }
}

#[tokio::test]
async fn a_hundred_thousand_links() {
    let mut plain = String::new();
    let mut markup = String::new();
    for number in 0..100_000 {
        let _ = writeln!(plain, "http://h{number}.example.com/{number}");
        let _ = write!(
            markup,
            "<a href=\"http://h{number}.example.net/\">h{number}.example.com</a>"
        );
    }
    cut("plain links", &says(&plain)).await;
    cut("links of a page", &page(&markup)).await;
}

#[tokio::test]
async fn ten_thousand_parts() {
    let part = "Content-Type: text/plain\n\nHello\n".to_owned();
    cut("parts", &parts("mixed", &vec![part; 10_000])).await;
    let file = "Content-Type: application/octet-stream; name=a.bin\n\nHello\n".to_owned();
    cut("files", &parts("mixed", &vec![file; 10_000])).await;
}

#[tokio::test]
async fn parts_in_parts() {
    let house = House::new().await;
    let mut text = HEADER.to_owned();
    for level in 0..5_000 {
        let _ = write!(
            text,
            "Content-Type: multipart/mixed; boundary=b{level}\n\n--b{level}\n"
        );
    }
    text.push_str("\nHello\n");
    let verdict = judge(&house, "nested", &mail(&text)).await;
    for symbol in ["MIME_TOO_DEEP", "BUDGET_EXCEEDED"] {
        assert!(has(&verdict, symbol), "{:?}", symbols(&verdict));
    }
    let messages = format!(
        "{HEADER}{}",
        "Content-Type: message/rfc822\n\n".repeat(5_000)
    );
    let verdict = judge(&house, "messages", &mail(&messages)).await;
    for symbol in ["MIME_TOO_DEEP", "BUDGET_EXCEEDED"] {
        assert!(has(&verdict, symbol), "{:?}", symbols(&verdict));
    }
}

#[tokio::test]
async fn headers_without_end() {
    let house = House::new().await;
    let long = "x".repeat(1 << 20);
    for (name, field) in [
        ("subject", format!("Subject: {long}\n")),
        (
            "words of a subject",
            format!("Subject: {}\n", "=?utf-8?q?a?= ".repeat(70_000)),
        ),
        (
            "addresses",
            format!("To: {}\n", "a@example.com, ".repeat(60_000)),
        ),
        ("comments", format!("To: {}\n", "(".repeat(900_000))),
        ("groups", format!("To: {}\n", "a:b;".repeat(200_000))),
        (
            "references",
            format!("References: {}\n", "<a@b> ".repeat(150_000)),
        ),
        (
            "parameters",
            format!("Content-Type: text/plain; {}\n", "a=b; ".repeat(150_000)),
        ),
        (
            "names",
            format!("From: {}<a@example.com>\n", "\"a\" ".repeat(200_000)),
        ),
    ] {
        judge(&house, name, &fields(&field)).await;
    }
    cut("long subject", &fields(&format!("Subject: {long}\n"))).await;
    let hop =
        "Received: from a (b [192.0.2.1]) by c with ESMTP id d; Thu, 01 Jan 2026 00:00:00 +0000\n";
    cut("received", &fields(&hop.repeat(100_000))).await;
}

#[tokio::test]
async fn archives_that_explode() {
    let house = House::new().await;
    let bomb = files::bomb();
    let told = "flag = 'attachment.bomb'";
    let one = files::carries("a.zip", "application/zip", &bomb);
    judge(&house, "bomb", &one).await;
    assert!(holds(&house.filter, told, &one));
    let mut nested = bomb.clone();
    for _ in 0..6 {
        nested = files::zip(&[("a.zip", &nested, 0), ("b.zip", &nested, 0)]);
    }
    let deep = files::carries("a.zip", "application/zip", &nested);
    judge(&house, "nested bombs", &deep).await;
    assert!(holds(&house.filter, told, &deep));
    let many = vec![files::attachment("a.zip", "application/zip", &bomb); 40];
    judge(&house, "forty bombs", &parts("mixed", &many)).await;
}

#[tokio::test]
async fn thirty_megabytes() {
    let house = House::new().await;
    let noise: Vec<u8> = (0..30_u32 << 20)
        .scan(1_u32, |state, _| {
            *state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            Some((*state >> 24) as u8)
        })
        .collect();
    judge(
        &house,
        "file",
        &files::carries("a.bin", "application/octet-stream", &noise),
    )
    .await;
    let words = "Hello there, this is text. ".repeat(1 << 20);
    cut("text", &says(&words)).await;
    let coded = files::base64(words.as_bytes());
    let text =
        format!("{HEADER}Content-Type: text/html\nContent-Transfer-Encoding: base64\n\n{coded}\n");
    cut("coded page", &mail(&text)).await;
    let two = vec![files::attachment("a.bin", "application/octet-stream", &noise); 2];
    cut("two files", &parts("mixed", &two)).await;
}

#[tokio::test]
async fn a_thousand_recipients() {
    let house = House::new().await;
    let mut markup = String::new();
    for number in 0..1_000 {
        let _ = write!(
            markup,
            "<a href='http://a.example/{number}{}'>b</a>",
            "x".repeat(900)
        );
    }
    let everyone = |input: Input| {
        with(input, |input| {
            let numbers = 0..1_000;
            let all = numbers
                .map(|number| Recipient::new(address(&format!("recipient{number}@example.org"))));
            input.recipients = all.collect();
        })
    };
    judge(&house, "long links", &everyone(page(&markup))).await;
    let names = "\"recipient of things\" <a@example.com>, ".repeat(20_000);
    judge(
        &house,
        "names",
        &everyone(fields(&format!("From: {names}\n"))),
    )
    .await;
    let subject = format!("Subject: {}\n", "recipient ".repeat(6_000));
    judge(&house, "subject", &everyone(fields(&subject))).await;
    let to = format!("To: {}\n", "someone@example.org, ".repeat(10_000));
    judge(&house, "addressees", &everyone(fields(&to))).await;
}
