//! Encoding and parsing of replies.

use proptest::prelude::*;

use super::*;

fn encoded(reply: &Reply) -> String {
    let mut out = Vec::new();
    reply.encode(&mut out);
    String::from_utf8(out).unwrap()
}

fn parse_all(input: &[u8]) -> Result<Vec<Reply>, ReplyError> {
    let mut parser = ReplyParser::new();
    let mut replies = Vec::new();
    let mut next = parser.feed(input)?;
    while let Some(reply) = next {
        replies.push(reply);
        next = parser.feed(b"")?;
    }
    Ok(replies)
}

#[test]
fn replies_encode_with_codes_in_every_line() {
    let ok = Reply::new(250, EnhancedCode(2, 0, 0), "OK");
    assert_eq!(encoded(&ok), "250 2.0.0 OK\r\n");
    assert_eq!(
        encoded(&ok.and_line("really")),
        "250-2.0.0 OK\r\n250 2.0.0 really\r\n"
    );
    let ehlo = Reply::bare(250, "mx.example.org").and_line("PIPELINING");
    assert_eq!(encoded(&ehlo), "250-mx.example.org\r\n250 PIPELINING\r\n");
}

#[test]
fn text_cannot_break_out_of_its_line() {
    let reply = Reply::new(
        550,
        EnhancedCode(5, 1, 1),
        "no\r\n250 yes\0\u{1b}[2J\u{85}".to_owned(),
    );
    assert_eq!(encoded(&reply), "550 5.1.1 no  250 yes  [2J \r\n");
}

#[test]
fn long_text_flows_into_lines_of_512_octets() {
    for text in ["word ".repeat(400), "x".repeat(2_000), "ü".repeat(1_000)] {
        let reply = Reply::new(554, EnhancedCode(5, 7, 1), text.clone());
        let wire = encoded(&reply);
        assert!(
            wire.split_inclusive("\r\n")
                .all(|line| line.len() <= MAX_SENT_LINE),
            "{wire}"
        );
        let parsed = parse_all(wire.as_bytes()).unwrap();
        assert_eq!(parsed[0].lines().concat(), text);
    }
}

#[test]
fn replies_of_a_server_are_read() {
    let replies =
        parse_all(b"220 mx ready\r\n250-mx\r\n250-SIZE 1000\r\n250 HELP\r\n550-5.1.1 no\n550 5.1.1 such user\r\n354\r\n")
            .unwrap();
    assert_eq!(replies.len(), 4);
    assert_eq!(replies[0], Reply::bare(220, "mx ready"));
    assert_eq!(replies[1].lines(), ["mx", "SIZE 1000", "HELP"]);
    assert_eq!(
        replies[2],
        Reply::new(550, EnhancedCode(5, 1, 1), "no").and_line("such user")
    );
    assert!(replies[2].is_permanent() && !replies[2].is_transient());
    assert_eq!(replies[2].to_string(), "550 5.1.1 no such user");
    assert_eq!(replies[3], Reply::bare(354, ""));
    assert!(replies[3].is_intermediate() && !replies[3].is_positive());
}

#[test]
fn an_enhanced_code_of_another_class_is_text() {
    let replies = parse_all(b"450 5.1.1 odd\r\n").unwrap();
    assert_eq!(replies[0].enhanced(), None);
    assert_eq!(replies[0].lines(), ["5.1.1 odd"]);
}

#[test]
fn what_is_not_a_reply_is_refused() {
    for (input, error) in [
        (&b"HTTP/1.1 200 OK\r\n"[..], ReplyError::Malformed),
        (b"\r\n", ReplyError::Malformed),
        (b"25\r\n", ReplyError::Malformed),
        (b"250x\r\n", ReplyError::Malformed),
        (b"650 x\r\n", ReplyError::Malformed),
        (b"150 x\r\n", ReplyError::Malformed),
        (b"250-a\r\n251 b\r\n", ReplyError::MixedCodes),
    ] {
        assert_eq!(parse_all(input), Err(error), "{}", input.escape_ascii());
    }
}

#[test]
fn limits_hold() {
    let line = |n: usize| [b"250 ".to_vec(), vec![b'x'; n - 6], b"\r\n".to_vec()].concat();
    assert!(parse_all(&line(MAX_LINE)).is_ok());
    assert_eq!(parse_all(&line(MAX_LINE + 1)), Err(ReplyError::LineTooLong));
    assert_eq!(
        parse_all(&vec![b'2'; MAX_LINE + 1]),
        Err(ReplyError::LineTooLong)
    );
    assert_eq!(
        parse_all(&vec![b'2'; MAX_BUFFER + 1]),
        Err(ReplyError::Flood)
    );
    let many = |n: usize| ["250-x\r\n".repeat(n - 1).as_bytes(), b"250 x\r\n"].concat();
    assert_eq!(parse_all(&many(MAX_LINES)).unwrap().len(), 1);
    assert_eq!(
        parse_all(&many(MAX_LINES + 1)),
        Err(ReplyError::TooManyLines)
    );
}

#[test]
fn an_error_stays() {
    let mut parser = ReplyParser::new();
    assert_eq!(parser.feed(b"nonsense\r\n"), Err(ReplyError::Malformed));
    assert_eq!(parser.feed(b"250 OK\r\n"), Err(ReplyError::Malformed));
}

#[test]
fn injected_octets_after_a_reply_are_counted() {
    let mut parser = ReplyParser::new();
    assert!(
        parser
            .feed(b"220 go ahead\r\n250 injected\r\n")
            .unwrap()
            .is_some()
    );
    assert_eq!(parser.buffered(), 14);
    let mut parser = ReplyParser::new();
    assert!(parser.feed(b"220 go ahead\r\n").unwrap().is_some());
    assert_eq!(parser.buffered(), 0);
}

#[test]
fn enhanced_codes_parse_strictly() {
    for (text, code) in [
        ("2.0.0", Some(EnhancedCode(2, 0, 0))),
        ("5.999.999", Some(EnhancedCode(5, 999, 999))),
        ("3.0.0", None),
        ("2.0", None),
        ("2.0.0.0", None),
        ("2..0", None),
        ("2.0.1000", None),
        ("2.+1.0", None),
    ] {
        assert_eq!(EnhancedCode::parse(text), code, "{text}");
    }
}

proptest! {
    #[test]
    fn every_reply_survives_the_wire_in_any_chunks(
        class in 2u16..=5, low in 0u16..100, with_code in any::<bool>(),
        lines in prop::collection::vec("[a-zA-Zü][ -~ü]{0,60}", 1..5), chunk in 1usize..9,
    ) {
        let code = class * 100 + low;
        let enhanced = (with_code && class != 3)
            .then(|| EnhancedCode(u8::try_from(class).unwrap(), low, 7));
        let reply = Reply { code, enhanced, lines: lines.into_iter().map(Cow::Owned).collect() };
        let mut wire = Vec::new();
        reply.encode(&mut wire);
        let mut parser = ReplyParser::new();
        let mut got = Vec::new();
        for piece in wire.chunks(chunk) {
            got.extend(parser.feed(piece).unwrap());
        }
        prop_assert_eq!(got, vec![reply]);
        prop_assert_eq!(parser.buffered(), 0);
    }

    #[test]
    fn any_octets_are_read_or_refused(input in prop::collection::vec(any::<u8>(), 0..300)) {
        if let Ok(replies) = parse_all(&input) {
            for reply in replies {
                let text = encoded(&reply);
                prop_assert!(!text.trim_end_matches("\r\n").replace("\r\n", "").contains(char::is_control));
            }
        }
    }
}
