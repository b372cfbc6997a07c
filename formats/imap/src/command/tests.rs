use super::*;
use crate::error::MailboxNameError;
use crate::flag::{Flag, Keyword};
use crate::framing::{Event, Framer, Limits};
use crate::sequence::{By, SequenceSet};
use proptest::prelude::*;

/// Frames and parses one command; `None` when the framer has no whole command.
fn parse_in(mode: Utf8Mode, wire: &[u8]) -> Option<Result<Command, CommandError>> {
    let limits = Limits {
        text: 1 << 20,
        non_synchronizing: 1 << 20,
        strings: 1 << 20,
        message: 1 << 20,
    };
    let mut framer = Framer::new(limits);
    framer.feed(wire);
    loop {
        match framer.next_event()? {
            Event::Continue { .. } => {}
            Event::Command(raw) => return Some(Command::parse(raw, mode)),
            Event::Refused(_) => return None,
        }
    }
}

fn parse(line: &str) -> Result<Command, CommandError> {
    parse_in(Utf8Mode::ModifiedUtf7, format!("{line}\r\n").as_bytes()).expect("a whole command")
}

fn body(line: &str) -> CommandBody {
    match parse(&format!("a {line}")) {
        Ok(command) => command.body,
        Err(error) => panic!("{line}: {error}"),
    }
}

/// The command, written back.
fn canonical(line: &str) -> String {
    let mut out = Vec::new();
    let command = Command {
        tag: Tag::new("a").unwrap(),
        body: body(line),
    };
    command.encode(&mut out, Utf8Mode::ModifiedUtf7);
    let reread = parse_in(Utf8Mode::ModifiedUtf7, &out)
        .expect("framed")
        .expect("parsed");
    assert_eq!(reread, command, "{line}");
    let text = String::from_utf8(out).unwrap();
    text.strip_prefix("a ")
        .and_then(|text| text.strip_suffix("\r\n"))
        .unwrap()
        .to_owned()
}

#[test]
fn every_command_reads_and_writes() {
    for (line, expected) in [
        ("noop", "NOOP"),
        ("CAPABILITY", "CAPABILITY"),
        ("Logout", "LOGOUT"),
        ("STARTTLS", "STARTTLS"),
        ("NAMESPACE", "NAMESPACE"),
        ("IDLE", "IDLE"),
        ("CHECK", "CHECK"),
        ("CLOSE", "CLOSE"),
        ("UNSELECT", "UNSELECT"),
        ("ID NIL", "ID NIL"),
        ("ID ()", "ID NIL"),
        (
            "ID (\"name\" \"x\" \"os\" NIL)",
            "ID (\"name\" \"x\" \"os\" NIL)",
        ),
        ("authenticate plain", "AUTHENTICATE PLAIN"),
        ("AUTHENTICATE PLAIN AGEAYg==", "AUTHENTICATE PLAIN AGEAYg=="),
        ("AUTHENTICATE EXTERNAL =", "AUTHENTICATE EXTERNAL ="),
        ("LOGIN joe \"a b\\\"c\"", "LOGIN joe \"a b\\\"c\""),
        ("LOGIN joe \"\"", "LOGIN joe \"\""),
        ("LOGIN joe {3}\r\na\rb", "LOGIN joe {3+}\r\na\rb"),
        (
            "ENABLE condstore x-foo IMAP4REV2",
            "ENABLE CONDSTORE X-FOO IMAP4rev2",
        ),
        ("SELECT inbox", "SELECT INBOX"),
        ("SELECT x (condstore)", "SELECT x (CONDSTORE)"),
        ("EXAMINE \"a b\"", "EXAMINE \"a b\""),
        ("EXAMINE Entw&APw-rfe", "EXAMINE Entw&APw-rfe"),
        ("CREATE foo/", "CREATE foo"),
        (
            "CREATE foo (USE (\\drafts \\Sent))",
            "CREATE foo (USE (\\Drafts \\Sent))",
        ),
        ("DELETE foo]bar", "DELETE foo]bar"),
        ("RENAME a b/c/", "RENAME a b/c"),
        ("SUBSCRIBE a", "SUBSCRIBE a"),
        ("UNSUBSCRIBE a", "UNSUBSCRIBE a"),
        ("LIST \"\" *", "LIST \"\" (\"*\")"),
        ("LIST \"\" \"\"", "LIST \"\" (\"\")"),
        ("LIST a/ (%/b x*)", "LIST \"a/\" (\"%/b\" \"x*\")"),
        ("LIST () \"\" %", "LIST () \"\" (\"%\")"),
        (
            "LIST (subscribed recursivematch) \"\" * return (children status (messages size))",
            "LIST (SUBSCRIBED RECURSIVEMATCH) \"\" (\"*\") RETURN (CHILDREN STATUS (MESSAGES SIZE))",
        ),
        (
            "LIST (SPECIAL-USE REMOTE) \"\" * RETURN (SUBSCRIBED SPECIAL-USE)",
            "LIST (REMOTE SPECIAL-USE) \"\" (\"*\") RETURN (SUBSCRIBED SPECIAL-USE)",
        ),
        ("LIST \"\" * RETURN ()", "LIST \"\" (\"*\") RETURN ()"),
        ("LSUB \"#news.\" *", "LSUB \"#news.\" \"*\""),
        (
            "STATUS x (messages recent uidnext uidvalidity unseen deleted size highestmodseq \
             appendlimit messages)",
            "STATUS x (MESSAGES RECENT UIDNEXT UIDVALIDITY UNSEEN DELETED SIZE HIGHESTMODSEQ \
             APPENDLIMIT)",
        ),
        ("APPEND x {2}\r\nhi", "APPEND x {2+}\r\nhi"),
        (
            "APPEND x (\\seen $A) \" 1-Jan-2020 00:00:00 +0100\" ~{2}\r\n\0\0",
            "APPEND x (\\Seen $A) \" 1-Jan-2020 00:00:00 +0100\" ~{2+}\r\n\0\0",
        ),
        ("APPEND x () UTF8 (~{2}\r\nhi)", "APPEND x ~{2+}\r\nhi"),
        ("EXPUNGE", "EXPUNGE"),
        ("uid expunge 1:*", "UID EXPUNGE 1:*"),
        ("COPY 1,2:3 x", "COPY 1,2:3 x"),
        ("UID MOVE $ x", "UID MOVE $ x"),
        (
            "STORE 1 flags \\seen \\Answered",
            "STORE 1 FLAGS (\\Seen \\Answered)",
        ),
        (
            "UID STORE 1:2 -FLAGS.SILENT ()",
            "UID STORE 1:2 -FLAGS.SILENT ()",
        ),
        (
            "STORE 1 (UNCHANGEDSINCE 0) +FLAGS.SILENT (\\Deleted x)",
            "STORE 1 (UNCHANGEDSINCE 0) +FLAGS.SILENT (\\Deleted x)",
        ),
    ] {
        assert_eq!(canonical(line), expected, "{line}");
    }
}

#[test]
fn fetches() {
    for (line, expected) in [
        ("FETCH 1 FLAGS", "FETCH 1 (FLAGS)"),
        ("FETCH 1 fast", "FETCH 1 (FLAGS INTERNALDATE RFC822.SIZE)"),
        (
            "FETCH 1 ALL",
            "FETCH 1 (FLAGS INTERNALDATE RFC822.SIZE ENVELOPE)",
        ),
        (
            "FETCH 1 FULL",
            "FETCH 1 (FLAGS INTERNALDATE RFC822.SIZE ENVELOPE BODY)",
        ),
        (
            "UID FETCH 1:* (uid modseq bodystructure rfc822 rfc822.header rfc822.text)",
            "UID FETCH 1:* (UID MODSEQ BODYSTRUCTURE RFC822 RFC822.HEADER RFC822.TEXT)",
        ),
        (
            "FETCH 1 (BODY[] body.peek[1.2.mime] BODY[TEXT]<0.10>)",
            "FETCH 1 (BODY[] BODY.PEEK[1.2.MIME] BODY[TEXT]<0.10>)",
        ),
        (
            "FETCH 1 BODY.PEEK[HEADER.FIELDS (Date {4}\r\nFrom)]",
            "FETCH 1 (BODY.PEEK[HEADER.FIELDS (Date From)])",
        ),
        (
            "FETCH 1 FLAGS (changedsince 7)",
            "FETCH 1 (FLAGS) (CHANGEDSINCE 7)",
        ),
    ] {
        assert_eq!(canonical(line), expected, "{line}");
    }
    let CommandBody::Fetch(fetch) = body("FETCH 1 (BODY[] BODY.PEEK[] RFC822 RFC822.HEADER FLAGS)")
    else {
        panic!("a FETCH");
    };
    let seen: Vec<bool> = fetch.items.iter().map(FetchItem::sets_seen).collect();
    assert_eq!(seen, [true, false, true, false, false]);
    assert_eq!(
        fetch.items[2].rfc822_section(),
        Some(crate::Section::whole())
    );
}

#[test]
fn searches() {
    for (line, expected) in [
        ("SEARCH all", "SEARCH ALL"),
        ("SEARCH (ALL)", "SEARCH ALL"),
        ("SEARCH ((SEEN 1:3))", "SEARCH SEEN 1:3"),
        ("SEARCH not (seen unseen)", "SEARCH NOT (SEEN UNSEEN)"),
        (
            "SEARCH OR (OR SEEN NEW) NOT OLD",
            "SEARCH OR OR SEEN NEW NOT OLD",
        ),
        ("SEARCH (DRAFT RECENT) $", "SEARCH (DRAFT RECENT) $"),
        (
            "UID SEARCH RETURN () UID 4",
            "UID SEARCH RETURN (ALL) UID 4",
        ),
        (
            "SEARCH RETURN (save min max count) 1",
            "SEARCH RETURN (MIN MAX COUNT SAVE) 1",
        ),
        (
            "SEARCH CHARSET utf-8 SUBJECT {2}\r\né",
            "SEARCH SUBJECT {2+}\r\né",
        ),
        ("SEARCH SUBJECT \"é\"", "SEARCH SUBJECT {2+}\r\né"),
        (
            "SEARCH KEYWORD $X UNKEYWORD y UNDELETED FLAGGED",
            "SEARCH KEYWORD $X UNKEYWORD y UNDELETED FLAGGED",
        ),
        (
            "SEARCH BEFORE 1-Jan-2020 ON \"02-feb-2020\" SINCE 3-Mar-2020",
            "SEARCH BEFORE 1-Jan-2020 ON 2-Feb-2020 SINCE 3-Mar-2020",
        ),
        (
            "SEARCH SENTBEFORE 1-Jan-2020 SENTON 1-Jan-2020 SENTSINCE 1-Jan-2020",
            "SEARCH SENTBEFORE 1-Jan-2020 SENTON 1-Jan-2020 SENTSINCE 1-Jan-2020",
        ),
        (
            "SEARCH BCC a CC b FROM c TO d BODY e TEXT f HEADER X-A \"\"",
            "SEARCH BCC a CC b FROM c TO d BODY e TEXT f HEADER X-A \"\"",
        ),
        (
            "SEARCH LARGER 0 SMALLER 4294967296",
            "SEARCH LARGER 0 SMALLER 4294967296",
        ),
        (
            "SEARCH MODSEQ \"/flags/\\\\draft\" all 620 MODSEQ 0",
            "SEARCH MODSEQ 620 MODSEQ 0",
        ),
    ] {
        assert_eq!(canonical(line), expected, "{line}");
    }
}

#[test]
fn a_search_asks_only_the_leaves_it_needs() {
    let CommandBody::Search(search) =
        body("SEARCH OR (SEEN DRAFT) NOT FLAGGED OR ANSWERED DELETED")
    else {
        panic!("a SEARCH");
    };
    let ask = |set: &[Flag]| {
        let mut asked = Vec::new();
        let answer = search.query.matches(|key| {
            let SearchKey::Has(flag) = key else {
                return Err("a leaf that is no flag");
            };
            asked.push(flag.clone());
            Ok(set.contains(flag))
        });
        (answer, asked)
    };
    use Flag::{Answered, Deleted, Draft, Flagged, Seen};
    assert_eq!(
        ask(&[Seen, Draft, Answered]),
        (Ok(true), vec![Seen, Draft, Answered])
    );
    assert_eq!(
        ask(&[Deleted]),
        (Ok(true), vec![Seen, Flagged, Answered, Deleted])
    );
    assert_eq!(
        ask(&[Seen, Flagged]),
        (Ok(false), vec![Seen, Draft, Flagged])
    );
    assert_eq!(
        ask(&[]),
        (Ok(false), vec![Seen, Flagged, Answered, Deleted])
    );
}

#[test]
fn bad_commands_keep_their_tag() {
    for (line, error) in [
        ("a", Error::Expected("a space")),
        ("a FOO", Error::UnknownCommand),
        ("a UID NOOP", Error::UnknownCommand),
        ("a UID", Error::Expected("a space")),
        ("a UID UID FETCH 1 FLAGS", Error::UnknownCommand),
        ("a  NOOP", Error::UnknownCommand),
        ("a NOOP ", Error::TrailingData),
        ("a NOOP x", Error::TrailingData),
        ("a LOGIN joe", Error::Expected("a space")),
        ("a LOGIN joe ", Error::Expected("a string")),
        ("a LOGIN joe \"a\0b\"", Error::Expected("a closing quote")),
        ("a LOGIN j\u{f6}e x", Error::Expected("a space")),
        ("a SELECT \"\"", MailboxNameError::EmptyLevel.into()),
        ("a SELECT R&D", MailboxNameError::NotUtf7.into()),
        (
            "a SELECT x (QRESYNC (1 2))",
            Error::Unknown("parameter of SELECT"),
        ),
        ("a CREATE /", MailboxNameError::EmptyLevel.into()),
        ("a FETCH 1 (PREVIEW)", Error::Unknown("item to fetch")),
        ("a FETCH 1 ()", Error::Expected("an item to fetch")),
        (
            "a FETCH 0 FLAGS",
            Error::Expected("a number other than zero"),
        ),
        ("a FETCH 1 BODY[1", Error::Expected("\"]\"")),
        (
            "a FETCH 1 FLAGS (CHANGEDSINCE 0)",
            Error::Expected("a mod-sequence other than zero"),
        ),
        ("a STORE 1 FLAGS", Error::Expected("a space")),
        ("a STORE 1 FLAGS (\\Foo)", Error::Unknown("system flag")),
        ("a SEARCH", Error::Expected("a space")),
        ("a SEARCH ()", Error::Expected("an atom")),
        ("a SEARCH (ALL", Error::Expected("a space")),
        ("a SEARCH ALL)", Error::Expected("a space")),
        ("a SEARCH OR ALL", Error::Expected("a space")),
        ("a SEARCH NOT", Error::Expected("a space")),
        ("a SEARCH CHARSET KOI8-R ALL", Error::BadCharset),
        (
            "a LIST (RECURSIVEMATCH) \"\" *",
            Error::Expected("SUBSCRIBED with RECURSIVEMATCH"),
        ),
        ("a LIST \"\" ()", Error::Expected("a mailbox pattern")),
        ("a STATUS x ()", Error::Expected("a status item")),
        ("a ENABLE", Error::Expected("a space")),
        ("a AUTHENTICATE PLAIN ", Error::Expected("base64 or \"=\"")),
        ("a AUTHENTICATE PLAIN a b", Error::TrailingData),
    ] {
        let failure = parse(line).expect_err(line);
        assert_eq!(failure.error, error, "{line}");
        assert_eq!(failure.tag.as_ref().map(Tag::as_str), Some("a"), "{line}");
    }
    assert_eq!(parse("+ NOOP").map_err(|failure| failure.tag), Err(None));
    assert_eq!(parse("").map_err(|failure| failure.tag), Err(None));
}

mod bombs {
    use super::*;

    fn error(line: &str) -> Error {
        parse(line).expect_err("a bomb").error
    }

    fn is_limit(error: &Error) -> bool {
        matches!(error, Error::Limit { .. })
    }

    #[test]
    fn parentheses() {
        assert!(is_limit(&error(&format!(
            "a SEARCH {}",
            "(".repeat(500_000)
        ))));
        assert!(parse(&format!("a FETCH 1 {}", "(".repeat(500_000))).is_err());
        assert!(parse(&format!("a LIST {}", "(".repeat(500_000))).is_err());
        assert!(parse(&format!("a ID {}", "(".repeat(500_000))).is_err());
        let nested =
            |levels: usize| format!("a SEARCH {}ALL{}", "(".repeat(levels), ")".repeat(levels));
        assert!(parse(&nested(MAX_SEARCH_DEPTH - 1)).is_ok());
        assert!(is_limit(&error(&nested(MAX_SEARCH_DEPTH))));
    }

    #[test]
    fn searches() {
        assert!(is_limit(&error(&format!(
            "a SEARCH {}",
            "OR ALL ".repeat(100_000)
        ))));
        assert!(is_limit(&error(&format!(
            "a SEARCH {}",
            "NOT ".repeat(100_000)
        ))));
        let keys = |count: usize| format!("a SEARCH {}", vec!["ALL"; count].join(" "));
        assert!(parse(&keys(MAX_SEARCH_KEYS - 1)).is_ok());
        assert!(is_limit(&error(&keys(MAX_SEARCH_KEYS))));
    }

    #[test]
    fn lists() {
        let items = vec!["FLAGS"; 257].join(" ");
        assert!(is_limit(&error(&format!("a FETCH 1 ({items})"))));
        assert!(is_limit(&error(&format!(
            "a FETCH 1 BODY[{}]",
            vec!["1"; 100_000].join(".")
        ))));
        assert!(is_limit(&error(&format!(
            "a FETCH {} FLAGS",
            vec!["1"; 40_000].join(",")
        ))));
        let fields = vec!["\"a\" NIL"; MAX_ID_FIELDS + 1].join(" ");
        assert!(is_limit(&error(&format!("a ID ({fields})"))));
        assert!(is_limit(&error(&format!(
            "a ID (\"{}\" NIL)",
            "n".repeat(31)
        ))));
        assert!(is_limit(&error(&format!(
            "a ID (\"n\" \"{}\")",
            "v".repeat(1_025)
        ))));
    }
}

#[test]
fn failures_become_answers() {
    use crate::response::Encode as _;
    let answer = |line: &str| {
        let mut out = Vec::new();
        parse(line)
            .expect_err(line)
            .response()
            .encode_to(&mut out, Utf8Mode::Utf8);
        String::from_utf8(out).unwrap()
    };
    assert_eq!(answer("a FOO"), "a BAD unknown command\r\n");
    assert_eq!(answer("(a FOO"), "* BAD no valid tag\r\n");
    assert_eq!(
        answer("a SEARCH CHARSET x ALL"),
        "a NO [BADCHARSET (UTF-8)] character set is not supported\r\n"
    );
    assert_eq!(
        answer("a CREATE a//b"),
        "a NO [CANNOT] invalid mailbox name: empty hierarchy level\r\n"
    );
}

#[test]
fn secrets_stay_out_of_debug_output() {
    let login = format!("{:?}", body("LOGIN joe secret"));
    assert!(
        login.contains("joe") && !login.contains("secret"),
        "{login}"
    );
    let authenticate = format!("{:?}", body("AUTHENTICATE PLAIN c2VjcmV0"));
    assert!(!authenticate.contains("c2VjcmV0"), "{authenticate}");
    let append = format!("{:?}", body("APPEND x {6}\r\nsecret"));
    assert!(!append.contains("secret"), "{append}");
}

#[test]
fn mailboxes_follow_the_mode() {
    let utf8 = parse_in(Utf8Mode::Utf8, "a SELECT \"Entwürfe\"\r\n".as_bytes());
    let utf7 = parse_in(Utf8Mode::ModifiedUtf7, b"a SELECT Entw&APw-rfe\r\n");
    assert_eq!(utf8, utf7);
    assert!(matches!(utf8, Some(Ok(_))));
}

fn pieces() -> impl Strategy<Value = String> {
    let words = vec![
        "a",
        " ",
        " ",
        " ",
        "UID",
        "FETCH",
        "STORE",
        "SEARCH",
        "LIST",
        "STATUS",
        "APPEND",
        "ID",
        "OR",
        "NOT",
        "ALL",
        "SEEN",
        "(",
        ")",
        "1:*",
        "$",
        "2,3",
        "BODY",
        "[",
        "]",
        "HEADER.FIELDS",
        "<0.1>",
        "FLAGS",
        "+FLAGS",
        "\\Seen",
        "\"x\"",
        "\"",
        "\\",
        "{1+}\r\nx",
        "NIL",
        "RETURN",
        "MODSEQ",
        "7",
        "1-Jan-2020",
        "INBOX",
        "&AOk-",
        "CONDSTORE",
        "é",
        "\0",
        "*",
        "%",
        "MESSAGES",
        "SUBJECT",
    ];
    prop::collection::vec(prop::sample::select(words), 0..30).prop_map(|words| words.concat())
}

fn some_command() -> impl Strategy<Value = String> {
    let set = "(([1-9][0-9]?|\\*)(:([1-9]|\\*))?,){0,3}[1-9]";
    let name = "[a-zA-Z/&é\" (]{1,8}";
    prop_oneof![
        (set, "[a-z]{1,5}").prop_map(|(set, flag)| format!("STORE {set} +FLAGS (\\Seen {flag})")),
        (set, "[1-9](\\.[1-9]){0,4}")
            .prop_map(|(set, part)| format!("UID FETCH {set} (UID BODY[{part}.TEXT]<3.9>)")),
        (name, name).prop_map(|(a, b)| {
            format!(
                "SEARCH OR SUBJECT {{{}+}}\r\n{a} NOT (TEXT {{{}+}}\r\n{b} UNSEEN)",
                a.len(),
                b.len()
            )
        }),
        name.prop_map(|name| format!("CREATE {{{}+}}\r\n{name}", name.len())),
    ]
}

proptest! {
    #[test]
    fn what_parses_reads_back(line in prop_oneof![pieces(), some_command()], utf8 in any::<bool>()) {
        let mode = if utf8 { Utf8Mode::Utf8 } else { Utf8Mode::ModifiedUtf7 };
        for wire in [format!("{line}\r\n"), format!("t {line}\r\n")] {
            if let Some(Ok(command)) = parse_in(mode, wire.as_bytes()) {
                let mut out = Vec::new();
                command.encode(&mut out, mode);
                prop_assert_eq!(parse_in(mode, &out), Some(Ok(command)));
            }
        }
    }

    #[test]
    fn any_octets_are_a_command_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = Command::parse(RawCommand::from_line(&bytes), Utf8Mode::Utf8);
        let mut tagged = b"a SEARCH ".to_vec();
        tagged.extend(&bytes);
        let tag = match Command::parse(RawCommand::from_line(&tagged), Utf8Mode::Utf8) {
            Ok(command) => Some(command.tag),
            Err(failure) => failure.tag,
        };
        prop_assert_eq!(tag, Tag::new("a"));
    }
}

#[test]
fn keywords_and_sets_build_commands() {
    let command = Command {
        tag: Tag::new("a").unwrap(),
        body: CommandBody::Store(Store {
            by: By::Uid,
            set: SequenceSet::from(crate::Uid::new(7).unwrap()),
            mode: StoreMode::Add,
            announce: Announce::Silent,
            flags: vec![Flag::Keyword(Keyword::new("$Junk").unwrap())],
            unchanged_since: None,
        }),
    };
    let mut out = Vec::new();
    command.encode(&mut out, Utf8Mode::Utf8);
    assert_eq!(out, b"a UID STORE 7 +FLAGS.SILENT ($Junk)\r\n");
}
