use super::*;
use proptest::prelude::*;

const APPEND_LIMIT: u64 = 100_000;

/// Feeds `input` in chunks of the given size and shows the events, one line each.
fn events(limits: Limits, input: &[u8], chunk: usize) -> Vec<String> {
    let mut framer = Framer::new(limits);
    let mut shown = Vec::new();
    for chunk in input.chunks(chunk.max(1)) {
        framer.feed(chunk);
        while let Some(event) = framer.next_event() {
            shown.push(show(event));
        }
    }
    shown
}

fn show(event: Event) -> String {
    match event {
        Event::Continue { size, usage } => format!("continue {usage:?} {size}"),
        Event::Command(command) => {
            let literals: Vec<String> = command
                .literals
                .iter()
                .map(|l| format!(" [{}]", String::from_utf8_lossy(&l.bytes)))
                .collect();
            format!(
                "{}{}",
                String::from_utf8_lossy(&command.text),
                literals.concat()
            )
        }
        Event::Refused(refused) => {
            let tag = refused.tag.map_or("*".into(), |tag| tag.to_string());
            format!("refused {tag} {:?} {:?}", refused.reason, refused.then)
        }
    }
}

fn after_login(input: &str) -> Vec<String> {
    let limits = Limits::after_login(APPEND_LIMIT);
    let whole = events(limits, input.as_bytes(), usize::MAX);
    assert_eq!(events(limits, input.as_bytes(), 1), whole, "octet by octet");
    whole
}

#[test]
fn lines_and_literals() {
    assert_eq!(after_login("a NOOP\r\nb NOOP\r\n"), ["a NOOP", "b NOOP"]);
    assert_eq!(
        after_login("a LOGIN {3}\r\nfoo {3+}\r\nb\r\n\r\nc NOOP\r\n"),
        [
            "continue String 3",
            "a LOGIN {3}\r\n {3+}\r\n [foo] [b\r\n]",
            "c NOOP"
        ]
    );
    assert_eq!(
        after_login("a SELECT {0+}\r\n\r\n"),
        ["a SELECT {0+}\r\n []"]
    );
    assert_eq!(
        after_login("a APPEND {1+}\r\nx (\\Seen) {5}\r\nhello\r\n"),
        [
            "continue Message 5",
            "a APPEND {1+}\r\n (\\Seen) {5}\r\n [x] [hello]"
        ]
    );
    assert_eq!(
        after_login("a APPEND x ~{2+}\r\n\0\0\r\n"),
        ["a APPEND x ~{2+}\r\n [\0\0]"]
    );
    assert_eq!(
        after_login("a APPEND x UTF8 (~{2+}\r\nhi)\r\n"),
        ["a APPEND x UTF8 (~{2+}\r\n) [hi]"]
    );
    assert_eq!(
        after_login("a UID SEARCH SUBJECT {1+}\r\nx\r\n"),
        ["a UID SEARCH SUBJECT {1+}\r\n [x]"]
    );
}

#[test]
fn literals_are_judged_before_they_are_read() {
    let forbidden = "refused a Forbidden Continue";
    for line in [
        "a NOOP {3}\r\n",
        "a FOO {3}\r\n",
        "a STORE 1 FLAGS {3}\r\n",
        "a UID LOGIN {3}\r\n",
        "a LOGIN x{3}\r\n",
        "a SEARCH SUBJECT \"x{3}\r\n",
        "a SELECT ~{3}\r\n",
        "a AUTHENTICATE {3}\r\n",
        "a {3}\r\n",
    ] {
        assert_eq!(after_login(line), [forbidden], "{line}");
    }
    // No tag can be read: the answer is untagged.
    assert_eq!(after_login("{3}\r\n"), ["refused * Forbidden Continue"]);
    // The octets of a refused non-synchronizing literal are never taken for commands.
    assert_eq!(
        after_login("a NOOP {8+}\r\nx NOOP\r\n\r\nb NOOP\r\n"),
        [forbidden, "b NOOP"]
    );
    assert_eq!(
        after_login("a SELECT \"x {4+}\r\n\"\r\nx\r\nb NOOP\r\n"),
        ["a SELECT \"x {4+}\r\n [\"\r\nx]", "b NOOP"]
    );
    // A second message.
    assert_eq!(
        after_login("a APPEND x {1+}\r\nm {1+}\r\nn\r\nb NOOP\r\n"),
        [forbidden, "b NOOP"]
    );
}

#[test]
fn sizes() {
    assert_eq!(
        after_login("a SELECT {4294967296}\r\nb NOOP\r\n"),
        ["refused a TooLarge Continue", "b NOOP"]
    );
    assert_eq!(
        after_login("a APPEND x {100001}\r\nb NOOP\r\n"),
        ["refused a MessageTooBig Continue", "b NOOP"]
    );
    assert_eq!(
        after_login("a APPEND x {100000}\r\n"),
        ["continue Message 100000"]
    );
    assert_eq!(
        after_login("a SELECT {99999999999999999999}\r\n"),
        ["refused a TooLarge Continue"]
    );
    // Nobody reads four gigabytes to stay in step.
    assert_eq!(
        after_login("a SELECT {4294967296+}\r\nb NOOP\r\n"),
        ["refused a TooLarge Close"]
    );

    let body = "x".repeat(4_097);
    let input = format!("a APPEND x {{4097+}}\r\n{body}\r\nb NOOP\r\n");
    assert_eq!(
        after_login(&input),
        ["refused a NotSynchronizing Continue", "b NOOP"]
    );

    let one = format!("{{4096+}}\r\n{} ", "x".repeat(4_096));
    let input = format!("a SEARCH SUBJECT {}ALL\r\nb NOOP\r\n", one.repeat(257));
    assert_eq!(
        after_login(&input),
        ["refused a TooLarge Continue", "b NOOP"]
    );

    let input = format!(
        "a SEARCH {}ALL\r\nb NOOP\r\n",
        "{1+}\r\nx ".repeat(MAX_LITERALS + 1)
    );
    assert_eq!(
        after_login(&input),
        ["refused a TooMany Continue", "b NOOP"]
    );
}

#[test]
fn before_login_little_is_read() {
    let limits = Limits::before_login();
    let shown = |input: &str| events(limits, input.as_bytes(), usize::MAX);
    assert_eq!(
        shown("a APPEND x {1}\r\n"),
        ["refused a Forbidden Continue"]
    );
    assert_eq!(shown("a LOGIN {8193}\r\n"), ["refused a TooLarge Continue"]);
    let long = format!("a LOGIN {}\r\nb NOOP\r\n", "x".repeat(8_192));
    assert_eq!(shown(&long), ["refused a TooLong Continue", "b NOOP"]);
    let flood = "x".repeat(1 << 20);
    assert_eq!(shown(&flood), ["refused * TooLong Close"]);
}

#[test]
fn an_overlong_line_keeps_its_literal_announcement_in_view() {
    let text = "x".repeat(70_000);
    let input = format!("a SEARCH {text} {{8+}}\r\nz NOOP\r\n\r\nb NOOP\r\n");
    assert_eq!(
        after_login(&input),
        ["refused a TooLong Continue", "b NOOP"]
    );
}

#[test]
fn line_ends_are_strict_but_answered() {
    assert_eq!(
        after_login("a NOOP\nb NOOP\r\n"),
        ["refused a LineEnd Continue", "b NOOP"]
    );
    assert_eq!(
        after_login("a\nb NOOP\r\n"),
        ["refused a LineEnd Continue", "b NOOP"]
    );
    assert_eq!(after_login("a NO\rOP\r\n"), ["refused a LineEnd Continue"]);
    assert_eq!(
        after_login("a SELECT {3}\nb NOOP\r\n"),
        ["refused a LineEnd Continue", "b NOOP"]
    );
}

#[test]
fn lines_between_commands() {
    let mut framer = Framer::new(Limits::after_login(0));
    framer.feed(b"a IDLE\r\nDO");
    assert!(matches!(framer.next_event(), Some(Event::Command(_))));
    assert_eq!(framer.next_line(), None);
    framer.feed(b"NE\r\nb NOOP\r\n");
    assert_eq!(framer.next_line(), Some(Line::Text(b"DONE".to_vec())));
    assert!(matches!(framer.next_event(), Some(Event::Command(_))));
    assert!(framer.is_idle());

    framer.feed(&[b'A'; MAX_ANSWER + 1]);
    assert_eq!(framer.next_line(), Some(Line::TooLong));
    framer.feed(b"\r\n");
    assert_eq!(framer.next_line(), None);
    assert_eq!(framer.next_event(), None);
}

#[test]
fn nothing_crosses_the_tls_handshake() {
    let mut framer = Framer::new(Limits::before_login());
    framer.feed(b"a STARTTLS\r\nb LOGIN x y\r\n");
    assert!(matches!(framer.next_event(), Some(Event::Command(_))));
    assert_eq!(framer.discard_input(), 13);
    assert_eq!(framer.next_event(), None);
    assert!(framer.is_idle());
}

#[test]
fn a_literal_can_be_declined() {
    let mut framer = Framer::new(Limits::after_login(10));
    framer.feed(b"a APPEND x {5}\r\n");
    assert!(matches!(
        framer.next_event(),
        Some(Event::Continue { size: 5, .. })
    ));
    framer.abandon();
    framer.feed(b"b NOOP\r\n");
    assert_eq!(
        framer.next_event(),
        Some(Event::Command(RawCommand::from_line(b"b NOOP")))
    );
}

#[test]
fn announced_sizes_allocate_nothing() {
    let mut framer = Framer::new(Limits::after_login(u64::MAX));
    framer.feed(b"a APPEND x {18446744073709551615}\r\n");
    assert!(matches!(
        framer.next_event(),
        Some(Event::Continue { size: u64::MAX, .. })
    ));
    framer.feed(b"abc");
    assert_eq!(framer.next_event(), None);
    assert!(framer.command.literals[0].bytes.capacity() as u64 <= LITERAL_RESERVE);
}

#[test]
fn an_idle_framer_keeps_no_buffer() {
    let mut framer = Framer::new(Limits::after_login(0));
    let many = b"a NOOP\r\n".repeat(10_000);
    framer.feed(&many);
    assert_eq!(std::iter::from_fn(|| framer.next_event()).count(), 10_000);
    assert_eq!(framer.input.capacity(), 0);
}

#[test]
fn debug_output_has_no_content() {
    let mut framer = Framer::new(Limits::before_login());
    framer.feed(b"a LOGIN user {6+}\r\nsecret\r\n");
    let shown = format!("{:?}", framer.next_event());
    assert!(
        !shown.contains("secret") && !shown.contains("115, 101"),
        "{shown}"
    );
}

proptest! {
    #[test]
    fn chunks_do_not_matter(
        parts in prop::collection::vec(
            prop::sample::select(vec![
                "a ", "NOOP", "LOGIN ", "APPEND ", "x ", "{3}\r\n", "{3+}\r\n", "~{2+}\r\n", "\r\n",
                "\n", "\r", "(", "\"", "{0+}\r\n", "SEARCH ", "UID ", "{99+}\r\n", "{9999999}\r\n",
                "{99999+}\r\n", "12345678901234567890123456789012345678901234567890",
                "{99999999999999999999+}\r\n", "{000000000000000000000000000001+}\r\n",
            ]),
            0..40,
        ),
        sizes in prop::collection::vec(1_usize..50, 1..20),
    ) {
        let input = parts.concat().into_bytes();
        let limits = Limits { text: 300, non_synchronizing: 50, strings: 60, message: 80 };
        let whole = events(limits, &input, usize::MAX);
        let mut framer = Framer::new(limits);
        let mut shown = Vec::new();
        let mut rest = &input[..];
        for size in sizes.iter().cycle() {
            let (chunk, after) = rest.split_at((*size).min(rest.len()));
            framer.feed(chunk);
            shown.extend(std::iter::from_fn(|| framer.next_event()).map(show));
            rest = after;
            if rest.is_empty() {
                break;
            }
        }
        prop_assert_eq!(shown, whole);
    }
}
