//! Conversations with the filter's side of the protocol.
#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

use std::net::Ipv4Addr;

use milter::{
    Actions, Command, Error, Message, Negotiation, Options, Peer, Protocol, Response, Session,
    Step, Text,
};

/// What Postfix 3.7 offers.
const OFFER: Protocol = Protocol(0x1f_ffff);

fn negotiated(options: Options, protocol: Protocol) -> (Session, Negotiation) {
    let mut session = Session::new(options);
    let offer = Negotiation {
        version: 6,
        actions: Actions(0x1ff),
        protocol,
        macros: Vec::new(),
    };
    match session.take(Command::Negotiate(offer)).unwrap() {
        Step::Send(Response::Negotiate(agreed)) => (session, agreed),
        other => panic!("{other:?}"),
    }
}

fn macros(step: u8, values: &[(&str, &str)]) -> Command {
    let values = values.iter().map(|&(n, v)| (n.into(), v.into())).collect();
    Command::Macros { step, values }
}

fn mail(path: &str) -> Command {
    Command::Mail {
        path: path.into(),
        arguments: vec!["SIZE=10".into()],
    }
}

fn rcpt(path: &str) -> Command {
    Command::Rcpt {
        path: path.into(),
        arguments: Vec::new(),
    }
}

fn header(name: &str, value: &str) -> Command {
    Command::Header {
        name: name.into(),
        value: value.into(),
    }
}

fn connect() -> Command {
    Command::Connect {
        host: "client.test".into(),
        peer: Peer::Inet(Ipv4Addr::new(192, 0, 2, 1), 4_000),
    }
}

/// Takes all, none of which is answered.
fn silent(session: &mut Session, commands: impl IntoIterator<Item = Command>) {
    for command in commands {
        let shown = format!("{command:?}");
        assert_eq!(session.take(command), Ok(Step::Silent), "{shown}");
    }
}

fn end(session: &mut Session, piece: &[u8]) -> Message {
    match session.take(Command::EndOfBody(piece.to_vec())) {
        Ok(Step::Judge(message)) => *message,
        other => panic!("{other:?}"),
    }
}

fn value<'a>(message: &'a Message, name: &str) -> &'a [u8] {
    message.macro_value(name).map_or(b"-", |value| value)
}

#[test]
fn a_message_is_collected() {
    let (mut session, agreed) = negotiated(Options::default(), OFFER);
    assert_eq!(agreed.version, 6);
    assert!(
        agreed
            .protocol
            .has(Protocol::LEADING_SPACE | Protocol::SKIP | Protocol::NO_REPLY_HEADER)
    );
    assert!(!agreed.protocol.has(Protocol::NO_REPLY_BODY));
    assert!(agreed.actions.has(Actions::ADD_HEADERS) && !agreed.actions.has(Actions::CHANGE_BODY));
    silent(
        &mut session,
        [
            macros(b'C', &[("j", "mx.test"), ("{daemon_name}", "smtpd")]),
            connect(),
            Command::Helo("helo.test".into()),
            macros(b'M', &[("i", "NOQUEUE"), ("{auth_authen}", "alice")]),
            mail("<a@client.test>"),
            rcpt("<b@mx.test>"),
            rcpt("<c@mx.test>"),
            macros(b'T', &[("i", "4F2A")]),
            Command::Data,
            header("Subject", " hello\n\tworld"),
            header("X-Tight", "value"),
            Command::EndOfHeaders,
        ],
    );
    let more = session.take(Command::Body(b"line one\r\n".to_vec()));
    assert_eq!(more, Ok(Step::Send(Response::Continue)));
    let message = end(&mut session, b"line two\r\n");
    assert_eq!(
        message.octets,
        b"Subject: hello\r\n\tworld\r\nX-Tight:value\r\n\r\nline one\r\nline two\r\n"
    );
    assert_eq!(&*message.sender.address, b"a@client.test");
    assert_eq!(message.sender.arguments, [Text::from("SIZE=10")]);
    let recipients: Vec<&[u8]> = message.recipients.iter().map(|to| &*to.address).collect();
    assert_eq!(recipients, [b"b@mx.test", b"c@mx.test"]);
    assert_eq!(message.connection.helo, Some("helo.test".into()));
    assert_eq!(
        message.connection.peer,
        Peer::Inet(Ipv4Addr::new(192, 0, 2, 1), 4_000)
    );
    assert_eq!(value(&message, "i"), b"4F2A");
    assert_eq!(value(&message, "auth_authen"), b"alice");
    assert_eq!(value(&message, "j"), b"mx.test");
    assert_eq!(message.occurrences("SUBJECT"), 1);
    assert!(!message.cut);
}

#[test]
fn an_mta_that_knows_less_gets_its_answers() {
    let (mut session, agreed) = negotiated(Options::default(), Protocol::default());
    assert_eq!(agreed.protocol, Protocol::default());
    let commands = [
        connect(),
        Command::Helo("helo.test".into()),
        mail("<>"),
        rcpt("<b@mx.test>"),
        header("Subject", "hello"),
        Command::EndOfHeaders,
        Command::Body(b"text".to_vec()),
    ];
    for command in commands {
        assert_eq!(session.take(command), Ok(Step::Send(Response::Continue)));
    }
    let message = end(&mut session, b"");
    // Without the flag one space after the colon is taken for granted.
    assert_eq!(message.octets, b"Subject: hello\r\n\r\ntext");
    assert!(message.sender.address.is_empty());
}

#[test]
fn several_messages_share_a_connection_and_nothing_else() {
    let (mut session, _) = negotiated(Options::default(), OFFER);
    silent(
        &mut session,
        [
            macros(b'C', &[("j", "mx.test")]),
            connect(),
            Command::Helo("helo.test".into()),
            macros(b'M', &[("{auth_authen}", "alice")]),
            mail("<one@client.test>"),
            rcpt("<b@mx.test>"),
            header("Subject", " one"),
            Command::Abort,
            macros(b'M', &[("i", "2")]),
            mail("<two@client.test>"),
            rcpt("<c@mx.test>"),
            header("Subject", " two"),
        ],
    );
    let message = end(&mut session, b"");
    assert_eq!(message.octets, b"Subject: two\r\n\r\n");
    assert_eq!(message.recipients.len(), 1);
    assert_eq!(
        (value(&message, "auth_authen"), value(&message, "i")),
        (b"-".as_slice(), b"2".as_slice())
    );
    silent(
        &mut session,
        [mail("<three@client.test>"), rcpt("<c@mx.test>")],
    );
    let message = end(&mut session, b"x");
    assert_eq!(message.connection.helo, Some("helo.test".into()));
    assert_eq!(
        (value(&message, "i"), value(&message, "j")),
        (b"-".as_slice(), b"mx.test".as_slice())
    );
    silent(
        &mut session,
        [
            Command::QuitNewConnection,
            connect(),
            mail("<four@client.test>"),
        ],
    );
    assert_eq!(end(&mut session, b"").connection.helo, None);
    assert_eq!(session.take(Command::Quit), Ok(Step::Close));
}

#[test]
fn what_comes_at_the_wrong_time_is_an_error() {
    let mut session = Session::new(Options::default());
    assert_eq!(
        session.take(connect()),
        Err(Error::OutOfOrder("connection"))
    );
    let offer = |version| {
        Command::Negotiate(Negotiation {
            version,
            ..Negotiation::default()
        })
    };
    assert_eq!(session.take(offer(1)), Err(Error::Version(1)));
    let (mut session, _) = negotiated(Options::default(), OFFER);
    assert_eq!(
        session.take(offer(6)),
        Err(Error::OutOfOrder("negotiation"))
    );
    for (command, name) in [
        (rcpt("<b@mx.test>"), "RCPT"),
        (Command::Data, "DATA"),
        (header("a", "b"), "header field"),
        (Command::EndOfHeaders, "end of header"),
        (Command::Body(Vec::new()), "body"),
        (Command::EndOfBody(Vec::new()), "end of body"),
    ] {
        assert_eq!(session.take(command), Err(Error::OutOfOrder(name)));
    }
    silent(&mut session, [mail("<>"), header("a", "b")]);
    assert_eq!(
        session.take(rcpt("<b@mx.test>")),
        Err(Error::OutOfOrder("RCPT"))
    );
}

#[test]
fn limits_cut_and_say_so() {
    let options = Options {
        size: 40,
        fields: 2,
        recipients: 1,
        ..Options::default()
    };
    let (mut session, _) = negotiated(options, OFFER);
    silent(
        &mut session,
        [
            mail("<>"),
            rcpt("<a@x.test>"),
            rcpt("<b@x.test>"),
            Command::EndOfHeaders,
        ],
    );
    let long = session.take(Command::Body(vec![b'x'; 50]));
    assert_eq!(long, Ok(Step::Send(Response::Skip)));
    let message = end(&mut session, b"more");
    assert_eq!((message.octets.len(), message.cut), (40, true));
    assert_eq!(
        (message.recipients.len(), message.recipients_left_out),
        (1, 1)
    );
    let fields = (0..3).map(|index| header("a", &index.to_string()));
    silent(&mut session, [mail("<>")].into_iter().chain(fields));
    let message = end(&mut session, b"");
    assert_eq!(
        (message.octets.as_slice(), message.cut),
        (b"a:0\r\na:1\r\n\r\n".as_slice(), true)
    );
    // Without SKIP the pieces are not answered at all.
    let (mut session, agreed) = negotiated(options, Protocol(OFFER.0 & !Protocol::SKIP.0));
    assert!(agreed.protocol.has(Protocol::NO_REPLY_BODY));
    silent(
        &mut session,
        [
            mail("<>"),
            Command::EndOfHeaders,
            Command::Body(vec![b'x'; 50]),
        ],
    );
    assert!(end(&mut session, b"").cut);
}

#[test]
fn a_field_stays_one_field() {
    let (mut session, _) = negotiated(Options::default(), OFFER);
    silent(
        &mut session,
        [
            mail("<>"),
            header("Subject", " a\r\n b\nInjected: c\n\nbody"),
            header("Two\r\nNames:", "\rx"),
            header(" Space", "y"),
        ],
    );
    let message = end(&mut session, b"");
    assert_eq!(
        message.octets,
        b"Subject: a\r\n b\r\n Injected: c\r\n \r\n body\r\nTwo??Names?: x\r\n?Space:y\r\n\r\n"
    );
}

#[test]
fn macros_are_bounded() {
    let (mut session, _) = negotiated(Options::default(), OFFER);
    let long = "x".repeat(40 * 1024);
    silent(
        &mut session,
        [
            mail("<>"),
            macros(b'R', &[("one", &long)]),
            macros(b'E', &[("two", &long), ("i", "1")]),
            macros(b'?', &[("three", "3")]),
        ],
    );
    let message = end(&mut session, b"");
    assert!(message.macro_value("one").is_some());
    for missing in ["two", "i", "three"] {
        assert_eq!(message.macro_value(missing), None);
    }
}
