//! Tables of command lines, and the law that every command prints as a line that parses to it.

use proptest::prelude::*;

use super::*;
use crate::address::{Address, AddressError};

const ALL: Announced = Announced { dsn: true };

fn mail(from: &str, params: MailParams) -> Command {
    Command::Mail {
        from: ReversePath::parse(from).unwrap(),
        params,
    }
}

fn rcpt(to: &str, params: RcptParams) -> Command {
    Command::Rcpt {
        to: ForwardPath::parse(to).unwrap(),
        params,
    }
}

fn auth(mechanism: &str, initial: Option<&str>) -> Command {
    Command::Auth {
        mechanism: mechanism.into(),
        initial: initial.map(Into::into),
    }
}

#[test]
fn commands_without_arguments() {
    for (line, command) in [
        ("DATA", Command::Data),
        ("data  ", Command::Data),
        ("Rset", Command::Rset),
        ("NOOP", Command::Noop),
        ("NOOP anything <at> all", Command::Noop),
        ("HELP", Command::Help),
        ("HELP MAIL", Command::Help),
        ("QUIT", Command::Quit),
        ("QUIT\t", Command::Quit),
        ("STARTTLS", Command::StartTls),
        ("VRFY ann", Command::Vrfy("ann".into())),
        ("EXPN list", Command::Expn("list".into())),
        ("AUTH plain", auth("PLAIN", None)),
        ("AUTH PLAIN =", auth("PLAIN", Some("="))),
        (
            "AUTH SCRAM-SHA-256 biws",
            auth("SCRAM-SHA-256", Some("biws")),
        ),
    ] {
        assert_eq!(Command::parse(line.as_bytes()), Ok(command), "{line}");
    }
}

#[test]
fn mail_is_read() {
    let size = |size| MailParams {
        size: Some(size),
        ..MailParams::default()
    };
    let utf8 = MailParams {
        smtputf8: true,
        ..MailParams::default()
    };
    let full = MailParams {
        size: Some(7),
        body: Body::EightBitMime,
        smtputf8: true,
        auth: Some("a=b@example.org".into()),
        ret: Some(Return::Headers),
        envid: Some("x+y z".into()),
    };
    for (line, command) in [
        ("MAIL FROM:<>", mail("", MailParams::default())),
        (
            "mail from:<a@b.example>",
            mail("a@b.example", MailParams::default()),
        ),
        (
            "MAIL FROM: <a@b.example>",
            mail("a@b.example", MailParams::default()),
        ),
        (
            "MAIL FROM:<a@b.example> SIZE=1",
            mail("a@b.example", size(1)),
        ),
        (
            "MAIL FROM:<a@b.example>  size=99999999999999999999",
            mail("a@b.example", size(u64::MAX)),
        ),
        (
            r#"MAIL FROM:<"> SIZE=1"@b.example> SIZE=2"#,
            mail(r#""> SIZE=1"@b.example"#, size(2)),
        ),
        (
            r#"MAIL FROM:<"\">"@b.example>"#,
            mail(r#""\">"@b.example"#, MailParams::default()),
        ),
        (
            "MAIL FROM:<> AUTH=<>",
            mail(
                "",
                MailParams {
                    auth: Some("<>".into()),
                    ..Default::default()
                },
            ),
        ),
        (
            "MAIL FROM:<ü@b.example> SMTPUTF8",
            mail("ü@b.example", utf8),
        ),
        (
            "MAIL FROM:<> SIZE=7 BODY=8bitmime SMTPUTF8 AUTH=a+3Db@example.org RET=hdrs ENVID=x+2By+20z",
            mail("", full),
        ),
        ("MAIL FROM:<> BODY=7BIT", mail("", MailParams::default())),
    ] {
        assert_eq!(
            Command::parse_announced(line.as_bytes(), ALL),
            Ok(command),
            "{line}"
        );
    }
}

#[test]
fn rcpt_is_read() {
    let notify = |notify| RcptParams {
        notify: Some(notify),
        orcpt: None,
    };
    let orcpt = OriginalRecipient {
        kind: "rfc822".into(),
        address: "a+b@x.example".into(),
    };
    for (line, command) in [
        (
            "RCPT TO:<Postmaster>",
            rcpt("postmaster", RcptParams::default()),
        ),
        (
            "rcpt to:<a@b.example>",
            rcpt("a@b.example", RcptParams::default()),
        ),
        (
            "RCPT TO:<a@b.example> NOTIFY=never",
            rcpt("a@b.example", notify(Notify::Never)),
        ),
        (
            "RCPT TO:<a@b.example> NOTIFY=DELAY,FAILURE",
            rcpt(
                "a@b.example",
                notify(Notify::On {
                    success: false,
                    failure: true,
                    delay: true,
                }),
            ),
        ),
        (
            "RCPT TO:<a@b.example> ORCPT=RFC822;a+2Bb@x.example",
            rcpt(
                "a@b.example",
                RcptParams {
                    notify: None,
                    orcpt: Some(orcpt),
                },
            ),
        ),
    ] {
        assert_eq!(
            Command::parse_announced(line.as_bytes(), ALL),
            Ok(command),
            "{line}"
        );
    }
}

/// Each line with its error and the start of its reply.
fn assert_refused(table: &[(&[u8], CommandError, &str)]) {
    for (line, error, reply) in table {
        let got = Command::parse(line);
        assert_eq!(got.as_ref(), Err(error), "{}", line.escape_ascii());
        let text = error.reply().to_string();
        assert!(text.starts_with(reply), "{} → {text}", line.escape_ascii());
    }
}

#[test]
fn lines_that_are_no_commands_get_their_reply() {
    use CommandError as E;
    assert_refused(&[
        (&b""[..], E::Empty, "500 5.5.2"),
        (b"  ", E::Empty, "500 5.5.2"),
        (b" NOOP", E::Unrecognized, "500 5.5.1"),
        (b"NOOPS", E::Unrecognized, "500 5.5.1"),
        (b"\x16\x03\x01", E::Unrecognized, "500 5.5.1"),
        (b"BDAT 100 LAST", E::NotImplemented, "502 5.5.1"),
        (b"BDAT 0", E::NotImplemented, "502 5.5.1"),
        (b"ETRN x", E::NotImplemented, "502 5.5.1"),
        (b"GET / HTTP/1.1", E::ForeignProtocol, "554 5.5.1"),
        (b"Host: mx.example.org", E::ForeignProtocol, "554 5.5.1"),
        (b"NOOP \xff", E::NotUtf8, "500 5.5.2"),
        (b"VRFY a\0b", E::Control, "500 5.5.2"),
        (b"MAIL FROM:<a\tb@c.example>", E::Control, "500 5.5.2"),
        (b"EHLO", E::Syntax("EHLO hostname"), "501 5.5.4"),
        (b"EHLO a b", E::Syntax("EHLO hostname"), "501 5.5.4"),
        (b"DATA now", E::Syntax("DATA"), "501 5.5.4"),
        (b"STARTTLS x", E::Syntax("STARTTLS"), "501 5.5.4"),
        (b"QUIT now", E::Syntax("QUIT"), "501 5.5.4"),
        (b"VRFY", E::Syntax("VRFY string"), "501 5.5.4"),
        (
            b"AUTH",
            E::Syntax("AUTH mechanism [initial-response]"),
            "501 5.5.4",
        ),
        (
            b"AUTH PL@IN",
            E::Syntax("AUTH mechanism [initial-response]"),
            "501 5.5.4",
        ),
        (
            b"AUTH PLAIN a b",
            E::Syntax("AUTH mechanism [initial-response]"),
            "501 5.5.4",
        ),
    ]);
}

#[test]
fn malformed_paths_get_their_reply() {
    let syntax_mail = CommandError::Syntax("MAIL FROM:<address> [parameters]");
    let syntax_rcpt = CommandError::Syntax("RCPT TO:<address> [parameters]");
    assert_refused(&[
        (b"MAIL", syntax_mail.clone(), "501 5.5.4"),
        (b"MAIL FROM", syntax_mail.clone(), "501 5.5.4"),
        (b"MAIL FROM:a@b.example", syntax_mail.clone(), "501 5.5.4"),
        (b"MAIL FROM:<a@b.example", syntax_mail.clone(), "501 5.5.4"),
        (
            b"MAIL FROM:<a@b.example>SIZE=1",
            syntax_mail.clone(),
            "501 5.5.4",
        ),
        (b"MAIL FROM:<\"a>", syntax_mail.clone(), "501 5.5.4"),
        (b"MAIL TO:<a@b.example>", syntax_mail, "501 5.5.4"),
        (b"RCPT FROM:<a@b.example>", syntax_rcpt.clone(), "501 5.5.4"),
        ("RCPT Tü:<a@b.example>".as_bytes(), syntax_rcpt, "501 5.5.4"),
    ]);
}

#[test]
fn bad_addresses_and_parameters_get_their_reply() {
    use AddressError as A;
    use CommandError as E;
    assert_refused(&[
        (b"MAIL FROM:<a>", E::Sender(A::MissingAt), "553 5.1.7"),
        (b"RCPT TO:<>", E::Recipient(A::MissingAt), "553 5.1.3"),
        (
            b"RCPT TO:<\"\"@b.example>",
            E::Recipient(A::EmptyLocalpart),
            "553 5.1.3",
        ),
        (
            b"RCPT TO:<@a.example:c@b.example>",
            E::Recipient(A::SourceRoute),
            "553 5.1.3",
        ),
        (
            b"RCPT TO:<a@[192.0.2.1]>",
            E::Recipient(A::AddressLiteral),
            "553 5.1.3",
        ),
        (
            b"RCPT TO:<a@b.example.>",
            E::Recipient(A::TrailingDot),
            "553 5.1.3",
        ),
        (
            "MAIL FROM:<ü@b.example>".as_bytes(),
            E::NeedsSmtpUtf8,
            "553 5.6.7",
        ),
        (
            b"MAIL FROM:<> FOO=1",
            E::UnknownParameter("FOO".into()),
            "555 5.5.4",
        ),
        (
            b"MAIL FROM:<> RET=FULL",
            E::UnknownParameter("RET".into()),
            "555 5.5.4",
        ),
        (
            b"RCPT TO:<a@b.example> NOTIFY=NEVER",
            E::UnknownParameter("NOTIFY".into()),
            "555 5.5.4",
        ),
        (
            b"MAIL FROM:<> SIZE=1 SIZE=1",
            E::DuplicateParameter("SIZE"),
            "501 5.5.4",
        ),
        (b"MAIL FROM:<> SIZE", E::BadParameter("SIZE"), "501 5.5.4"),
        (
            b"MAIL FROM:<> SIZE=-1",
            E::BadParameter("SIZE"),
            "501 5.5.4",
        ),
        (
            b"MAIL FROM:<> SIZE=999999999999999999999",
            E::BadParameter("SIZE"),
            "501 5.5.4",
        ),
        (
            b"MAIL FROM:<> BODY=BINARYMIME",
            E::BadParameter("BODY"),
            "501 5.5.4",
        ),
        (
            b"MAIL FROM:<> SMTPUTF8=1",
            E::BadParameter("SMTPUTF8"),
            "501 5.5.4",
        ),
        (
            b"MAIL FROM:<> AUTH=+0D+0A",
            E::BadParameter("AUTH"),
            "501 5.5.4",
        ),
        (
            b"MAIL FROM:<> AUTH=a+",
            E::BadParameter("AUTH"),
            "501 5.5.4",
        ),
    ]);
}

#[test]
fn cve_2020_10967_empty_quoted_localpart() {
    let error = Command::parse(b"RCPT TO:<\"\"@example.org>").unwrap_err();
    assert_eq!(error, CommandError::Recipient(AddressError::EmptyLocalpart));
}

#[test]
fn cve_2019_16928_long_ehlo() {
    let line = [b"EHLO ", vec![b'A'; 11_000].as_slice()].concat();
    assert_eq!(
        Command::parse(&line),
        Err(CommandError::Syntax("EHLO hostname"))
    );
}

#[test]
fn cve_2026_40686_truncated_utf8() {
    for line in [
        &b"MAIL FROM:<a\xe2\x82"[..],
        b"RCPT TO:<a@b\xf0\x9f\x98>",
        b"VRFY \xc3",
    ] {
        assert_eq!(
            Command::parse(line),
            Err(CommandError::NotUtf8),
            "{}",
            line.escape_ascii()
        );
    }
}

#[test]
fn wrong_dsn_parameters_are_refused() {
    for (line, keyword) in [
        ("MAIL FROM:<> RET=ALL", "RET"),
        ("MAIL FROM:<> ENVID=a+2", "ENVID"),
        ("RCPT TO:<a@b.example> NOTIFY=", "NOTIFY"),
        ("RCPT TO:<a@b.example> NOTIFY=NEVER,DELAY", "NOTIFY"),
        ("RCPT TO:<a@b.example> ORCPT=a@b.example", "ORCPT"),
        ("RCPT TO:<a@b.example> ORCPT=rfc822;", "ORCPT"),
        ("RCPT TO:<a@b.example> ORCPT=;a", "ORCPT"),
        ("RCPT TO:<a@b.example> ORCPT=rfc822;a+00", "ORCPT"),
    ] {
        let got = Command::parse_announced(line.as_bytes(), ALL);
        assert_eq!(got, Err(CommandError::BadParameter(keyword)), "{line}");
    }
    let long = format!("MAIL FROM:<> ENVID={}", "x".repeat(101));
    assert!(Command::parse_announced(long.as_bytes(), ALL).is_err());
}

#[test]
fn an_unknown_keyword_is_echoed_short_and_safe() {
    let line = format!("MAIL FROM:<> ü{}", "x".repeat(1_000));
    let error = Command::parse(line.as_bytes()).unwrap_err();
    assert_eq!(
        error,
        CommandError::UnknownParameter(format!("?{}", "x".repeat(31)))
    );
}

#[test]
fn credentials_stay_out_of_debug_output() {
    let command = Command::parse(b"AUTH PLAIN AGFubgBzZWNyZXQ=").unwrap();
    assert_eq!(format!("{command:?}"), "Command(AUTH PLAIN [redacted])");
}

#[test]
fn only_foreign_protocols_close_the_connection() {
    assert!(Command::parse(b"POST / HTTP/1.1").unwrap_err().must_close());
    assert!(!Command::parse(b"FOO").unwrap_err().must_close());
}

fn params() -> impl Strategy<Value = MailParams> {
    let text = || prop::option::of("[ -~]{0,20}");
    let ret = prop::option::of(prop::sample::select(vec![Return::Full, Return::Headers]));
    (
        any::<Option<u64>>(),
        any::<bool>(),
        any::<bool>(),
        text(),
        ret,
        text(),
    )
        .prop_map(|(size, eight, smtputf8, auth, ret, envid)| {
            let body = if eight {
                Body::EightBitMime
            } else {
                Body::SevenBit
            };
            MailParams {
                size,
                body,
                smtputf8,
                auth,
                ret,
                envid,
            }
        })
}

proptest! {
    #[test]
    fn mail_prints_as_it_parses(localpart in "[ -~]{1,20}", params in params()) {
        let localpart = crate::Localpart::from_content(&localpart).unwrap();
        let domain = crate::Domain::parse("example.org").unwrap();
        let from = ReversePath::Address(Address { localpart, domain });
        let command = Command::Mail { from, params };
        let line = command.to_string();
        prop_assert_eq!(Command::parse_announced(line.as_bytes(), ALL), Ok(command), "{}", line);
    }

    #[test]
    fn any_line_is_read_or_refused(line in prop::collection::vec(any::<u8>(), 0..80)) {
        let _ = Command::parse_announced(&line, ALL);
    }

    #[test]
    fn what_is_read_prints_as_it_parses(
        verb in "(MAIL FROM:|RCPT TO:|EHLO |AUTH |VRFY |NOOP )",
        rest in "(<[a@.\" \\\\>%ü]{0,9}>)?( (SIZE=1|BODY=7BIT|AUTH=<>|NOTIFY=NEVER|ORCPT=x;a+20|SMTPUTF8|[a-z=+]{1,5})){0,3}",
    ) {
        let line = verb + &rest;
        if let Ok(command) = Command::parse_announced(line.as_bytes(), ALL) {
            let printed = command.to_string();
            let again = Command::parse_announced(printed.as_bytes(), ALL);
            prop_assert_eq!(again, Ok(command), "{}", printed);
        }
    }
}
