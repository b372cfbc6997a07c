//! What holds for every message, whatever its octets.

use std::sync::OnceLock;

use filter::{Input, Opinion, Teaching, Verdict};
use proptest::prelude::*;
use proptest::test_runner::TestCaseError;
use tokio::runtime::Runtime;

use crate::house::{House, good, octets, symbols};

/// One house for all cases of this process.
fn house() -> &'static (Runtime, House) {
    static HOUSE: OnceLock<(Runtime, House)> = OnceLock::new();
    HOUSE.get_or_init(|| {
        let runtime = Runtime::new().unwrap();
        let house = runtime.block_on(House::new());
        (runtime, house)
    })
}

fn judge(input: &Input) -> Verdict {
    let (runtime, house) = house();
    runtime.block_on(house.judge(input))
}

fn teach(raw: Vec<u8>) -> Teaching {
    let (runtime, house) = house();
    let taught = house.filter.teach(None, Opinion::Ham, raw.into());
    runtime.block_on(taught).unwrap()
}

/// Pieces of messages: what is put together of them is nearly one.
fn piece() -> impl Strategy<Value = Vec<u8>> {
    let known: Vec<&'static [u8]> = vec![
        b"\r\n",
        b"\r\n\r\n",
        b"\n",
        b"From: a <a@example.com>\r\n",
        b"To: ann@example.org, \"b\" <b@example.org>\r\n",
        b"Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?= =?x?\r\n",
        b"Date: Thu, 01 Jan 2026 00:00:00 +0000\r\n",
        b"Message-ID: <1@example.com>\r\n",
        b"Received: from a (b [192.0.2.1]) by c with ESMTPSA id d; Thu\r\n",
        b"Content-Type: multipart/mixed; boundary=b\r\n",
        b"Content-Type: multipart/alternative; boundary=\"b\"\r\n",
        b"Content-Type: text/html; charset=utf-16\r\n",
        b"Content-Type: text/plain; charset=iso-8859-1\r\n",
        b"Content-Type: application/zip; name=a.pdf.exe\r\n",
        b"Content-Transfer-Encoding: base64\r\n",
        b"Content-Transfer-Encoding: quoted-printable\r\n",
        b"Content-Disposition: attachment; filename*=utf-8''%e2%82%ac.exe\r\n",
        b"--b\r\n",
        b"--b--\r\n",
        b"<a href='http://user@0x7f000001:99/?u=https://b.example'>https://c.example</a>",
        b"<div style='display:none;color:#fff'><b><i>hidden</b>",
        b"<table><tr><td><form><input type=password><script>",
        b"http://[::1]/ www.xn--bcher-kva.example \xe2\x80\xae\xe2\x80\x8b",
        b"UEsDBBQAAAAAAA==",
        b"=E2=82=AC=\r\n=ZZ",
        b"+49 30 1234567 $1,000.00 \xff\xfe\x00",
        b"List-Id: <l.example.com>\r\n",
        b" folded\r\n",
    ];
    prop_oneof![
        4 => prop::sample::select(known).prop_map(<[u8]>::to_vec),
        1 => prop::collection::vec(any::<u8>(), 0..40),
        1 => ".{0,40}".prop_map(String::into_bytes),
    ]
}

fn message() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(piece(), 0..40).prop_map(|pieces| pieces.concat())
}

/// Messages that have a header and a body.
fn sound() -> impl Strategy<Value = Vec<u8>> {
    let body = prop::collection::vec(piece(), 0..20).prop_map(|pieces| pieces.concat());
    let name = "[A-Z][a-z]{0,8}";
    (name, body, any::<u64>()).prop_map(|(name, body, number)| {
        let header = format!(
            "From: {name} <a@example.com>\r\nTo: ann@example.org\r\nSubject: {name}\r\n\
             Message-ID: <{number}@example.com>\r\n\r\n"
        );
        [header.into_bytes(), body].concat()
    })
}

/// Two verdicts that say the same; how long they took does not matter.
fn same(left: &Verdict, right: &Verdict) -> Result<(), TestCaseError> {
    prop_assert_eq!(&left.signals, &right.signals);
    prop_assert_eq!(&left.action, &right.action);
    prop_assert_eq!(left.score.to_bits(), right.score.to_bits());
    prop_assert_eq!(&left.shares, &right.shares);
    Ok(())
}

/// The symbols without those of rules that count the fields of the header.
fn but_counts(verdict: &Verdict) -> Vec<&str> {
    let mut symbols = symbols(verdict);
    symbols.retain(|symbol| !COUNTING.contains(symbol));
    symbols
}

const COUNTING: [&str; 1] = ["HEADER_FIELDS_FEW"];

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn any_octets_are_judged_and_twice_the_same(raw in message()) {
        let input = octets(raw);
        let first = judge(&input);
        prop_assert!(first.score.is_finite());
        same(&first, &judge(&input))?;
        let stored = Input::stored(input.raw);
        same(&judge(&stored), &judge(&stored))?;
    }

    #[test]
    fn line_ends_of_unix_are_judged_as_those_of_mail(raw in sound()) {
        let unix: Vec<u8> = raw.into_iter().filter(|&byte| byte != b'\r').collect();
        let text: Vec<Vec<u8>> = unix.split(|&byte| byte == b'\n').map(<[u8]>::to_vec).collect();
        let mail = text.join(&b"\r\n"[..]);
        let (unix, mail) = (Input::stored(unix.into()), Input::stored(mail.into()));
        prop_assert_eq!(&unix.raw, &mail.raw);
        same(&judge(&unix), &judge(&mail))?;
    }

    #[test]
    fn trace_fields_change_nothing_that_is_learned(raw in sound()) {
        let trace = b"Return-Path: <a@example.com>\r\n\
            Received: from x.example (x.example [192.0.2.7])\r\n\tby mx.example.org with ESMTP id q;\r\n\
            \tThu, 01 Jan 2026 00:00:00 +0000\r\n\
            Authentication-Results: mx.example.org;\r\n\tspf=pass\r\nX-Spam-Score: 1.00\r\n";
        teach(raw.clone());
        let traced = [&trace[..], &raw].concat();
        prop_assert_eq!(teach(traced.clone()), Teaching::Already);
        let (bare, traced) = (judge(&octets(raw)), judge(&octets(traced)));
        prop_assert_eq!(but_counts(&bare), but_counts(&traced));
    }
}

#[test]
fn the_message_alone_makes_the_verdict() {
    let first = judge(&good());
    let other = judge(&octets(b"From: x\r\n\r\ny".to_vec()));
    assert_ne!(first.signals, other.signals);
    assert_eq!(judge(&good()).signals, first.signals);
}
