//! Decoding and encoding of message data, above all the smuggling sequences.

use proptest::prelude::*;

use super::*;

const NO_LIMIT: u64 = u64::MAX;

/// The decoded message and what was left of the input, or the error without its position.
fn decode(pieces: &[&[u8]], limit: u64) -> Result<(Vec<u8>, bool, usize), DataError> {
    let mut decoder = DataDecoder::new(limit);
    let mut out = Vec::new();
    let mut total = 0;
    for piece in pieces {
        let progress = decoder.feed(piece, &mut out).map_err(|error| match error {
            DataError::TooLarge { consumed } => DataError::TooLarge {
                consumed: total + consumed,
            },
            DataError::LineTooLong { consumed } => DataError::LineTooLong {
                consumed: total + consumed,
            },
            error => error,
        })?;
        total += progress.consumed;
        if progress.finished {
            return Ok((out, true, total));
        }
        assert_eq!(progress.consumed, piece.len());
    }
    Ok((out, false, total))
}

/// Every way of cutting in two, and octet by octet, gives the result of one piece.
fn decode_every_way(input: &[u8], limit: u64) -> Result<(Vec<u8>, bool, usize), DataError> {
    let whole = decode(&[input], limit);
    for at in 0..=input.len() {
        let (a, b) = input.split_at(at);
        assert_eq!(
            decode(&[a, b], limit),
            whole,
            "cut at {at}: {}",
            input.escape_ascii()
        );
    }
    let octets: Vec<&[u8]> = input.chunks(1).collect();
    assert_eq!(
        decode(&octets, limit),
        whole,
        "octets: {}",
        input.escape_ascii()
    );
    whole
}

fn encode(message: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    encode_data(message, &mut out);
    out
}

/// No CR without LF, no LF without CR, and the end only at the end.
fn assert_clean(wire: &[u8]) {
    for (at, &octet) in wire.iter().enumerate() {
        match octet {
            b'\r' => assert_eq!(wire.get(at + 1), Some(&b'\n'), "{}", wire.escape_ascii()),
            b'\n' => assert_eq!(wire[at - 1], b'\r', "{}", wire.escape_ascii()),
            _ => {}
        }
    }
    let framed = [b"\r\n", wire].concat();
    let end = memchr::memmem::find(&framed, b"\r\n.\r\n").unwrap();
    assert_eq!(end + 5, framed.len(), "{}", wire.escape_ascii());
}

/// The sequences that some server once took for the end of a message, and what we say to them.
/// `None`: an ordinary line.
const SMUGGLING: &[(&[u8], Option<DataError>)] = &[
    (b"\n.\n", Some(DataError::BareLf)),
    (b"\n.\r\n", Some(DataError::BareLf)),
    (b"\r.\r", Some(DataError::BareCr)),
    (b"\r.\r\n", Some(DataError::BareCr)),
    (b"\r\n.\n", Some(DataError::BareLf)),
    (b"\r\n.\r", Some(DataError::BareCr)),
    (b"\n\n.\r\n", Some(DataError::BareLf)),
    (b"\r\n\0.\r\n", None),
    (b"\r\n.\r\r\n", Some(DataError::BareCr)),
    (b"\r\r\n.\r\r\n", Some(DataError::BareCr)),
];

#[test]
fn smuggled_ends_never_end_a_message() {
    let start = b"Subject: outer\r\n\r\nlegitimate";
    let smuggled =
        b"MAIL FROM:<admin@example.org>\r\nRCPT TO:<a@example.org>\r\nDATA\r\nforged\r\n.\r\n";
    for (sequence, error) in SMUGGLING {
        let input = [&start[..], sequence, smuggled].concat();
        let result = decode_every_way(&input, NO_LIMIT);
        match error {
            Some(error) => assert_eq!(result, Err(*error), "{}", sequence.escape_ascii()),
            None => {
                let (message, finished, consumed) = result.unwrap();
                assert!(finished);
                assert_eq!(
                    consumed,
                    input.len(),
                    "the smuggled commands are part of the message"
                );
                assert_eq!(message, &input[..input.len() - 3]);
            }
        }
    }
}

#[test]
fn smuggled_ends_at_the_very_start_never_end_a_message() {
    for (input, error) in [
        (&b".\n"[..], DataError::BareLf),
        (b".\r\r\n", DataError::BareCr),
        (b".\rQUIT", DataError::BareCr),
        (b"\n.\r\n", DataError::BareLf),
        (b"\r.\r\n", DataError::BareCr),
    ] {
        assert_eq!(
            decode_every_way(input, NO_LIMIT),
            Err(error),
            "{}",
            input.escape_ascii()
        );
    }
}

#[test]
fn smuggled_ends_in_stored_messages_are_disarmed_on_the_way_out() {
    for (sequence, _) in SMUGGLING {
        let message = [b"outer", *sequence, b"MAIL FROM:<>\r\n"].concat();
        let wire = encode(&message);
        assert_clean(&wire);
        // A receiver that drops NULs sees no end either.
        let stripped: Vec<u8> = wire.iter().copied().filter(|&octet| octet != 0).collect();
        assert_clean(&stripped);
    }
}

#[test]
fn a_failed_decoder_stays_failed() {
    let mut decoder = DataDecoder::new(NO_LIMIT);
    let mut out = Vec::new();
    assert_eq!(decoder.feed(b"a\nb", &mut out), Err(DataError::BareLf));
    assert_eq!(decoder.feed(b"\r\n.\r\n", &mut out), Err(DataError::BareLf));
    assert_eq!(decoder.feed(b"", &mut out), Err(DataError::BareLf));
    assert!(DataError::BareLf.must_close());
}

#[test]
fn messages_are_decoded() {
    for (wire, message) in [
        (&b".\r\n"[..], &b""[..]),
        (b"\r\n.\r\n", b"\r\n"),
        (b"a\r\n.\r\n", b"a\r\n"),
        (b"..\r\n.\r\n", b".\r\n"),
        (b"...a\r\n.\r\n", b"..a\r\n"),
        (b".a\r\n.\r\n", b"a\r\n"),
        (b"a.\r\n.\r\n", b"a.\r\n"),
        (b"a\r\n\r\n..\r\n.\r\n", b"a\r\n\r\n.\r\n"),
        (b"\xff\0\x80\r\n.\r\n", b"\xff\0\x80\r\n"),
    ] {
        let input = [wire, b"QUIT\r\n"].concat();
        let result = decode_every_way(&input, NO_LIMIT);
        assert_eq!(
            result,
            Ok((message.to_vec(), true, wire.len())),
            "{}",
            wire.escape_ascii()
        );
    }
    assert_eq!(
        decode_every_way(b"a\r\n.", NO_LIMIT),
        Ok((b"a\r\n".to_vec(), false, 4))
    );
}

#[test]
fn the_size_limit_is_exact_and_reported_at_the_end() {
    let input = b"12345678\r\n.\r\nQUIT\r\n";
    assert!(decode_every_way(input, 10).is_ok());
    assert_eq!(
        decode_every_way(input, 9),
        Err(DataError::TooLarge { consumed: 13 })
    );

    let mut decoder = DataDecoder::new(1_000);
    let mut out = Vec::new();
    for _ in 0..1_000 {
        decoder.feed(&[b'x'; 900], &mut out).unwrap();
        decoder.feed(b"\r\n", &mut out).unwrap();
    }
    assert!(out.len() <= 1_000);
    assert_eq!(decoder.size(), 902_000);
    assert_eq!(
        decoder.feed(b".\r\n", &mut out),
        Err(DataError::TooLarge { consumed: 3 })
    );
}

#[test]
fn the_line_limit_is_exact_and_reported_at_the_end() {
    let message = |n: usize| [vec![b'x'; n], b"\r\nshort\r\n.\r\n".to_vec()].concat();
    let fits = message(MAX_DATA_LINE);
    assert!(decode(&[&fits], NO_LIMIT).is_ok());
    let over = message(MAX_DATA_LINE + 1);
    let error = Err(DataError::LineTooLong {
        consumed: over.len(),
    });
    assert_eq!(decode(&[&over], NO_LIMIT), error);
    let pieces: Vec<&[u8]> = over.chunks(7).collect();
    assert_eq!(decode(&pieces, NO_LIMIT), error);
}

#[test]
fn messages_are_encoded() {
    for (message, wire) in [
        (&b""[..], &b".\r\n"[..]),
        (b"a", b"a\r\n.\r\n"),
        (b"a\r\n", b"a\r\n.\r\n"),
        (b".", b"..\r\n.\r\n"),
        (b".\r\n", b"..\r\n.\r\n"),
        (b"a\n.\nb", b"a\r\n..\r\nb\r\n.\r\n"),
        (b"a\r.\rb\r", b"a\r\n..\r\nb\r\n.\r\n"),
        (b"a\r\r\n", b"a\r\n\r\n.\r\n"),
        (b"\0.\r\n", b".\0.\r\n.\r\n"),
    ] {
        assert_eq!(encode(message), wire, "{}", message.escape_ascii());
    }
}

proptest! {
    #[test]
    fn encoding_is_undone_by_decoding(lines in prop::collection::vec("[.a\0ü]{0,5}", 0..6)) {
        let message: String = lines.iter().map(|line| format!("{line}\r\n")).collect();
        let wire = encode(message.as_bytes());
        assert_clean(&wire);
        let wire_len = wire.len();
        prop_assert_eq!(decode(&[&wire], NO_LIMIT), Ok((message.into_bytes(), true, wire_len)));
    }

    #[test]
    fn whatever_is_stored_leaves_clean(message in prop::collection::vec(
        prop::sample::select(&b"\r\n.\0a"[..]), 0..24,
    )) {
        let wire = encode(&message);
        assert_clean(&wire);
        let stripped: Vec<u8> = wire.iter().copied().filter(|&octet| octet != 0).collect();
        assert_clean(&stripped);
        let (decoded, finished, _) = decode(&[&wire], NO_LIMIT).unwrap();
        prop_assert!(finished);
        prop_assert_eq!(encode(&decoded), wire);
    }

    #[test]
    fn chunks_make_no_difference(
        input in "([a.]{0,4}\r\n){0,5}(\\.\r\n)?[a.\r\n]{0,5}", limit in 0u64..24,
    ) {
        let _ = decode_every_way(input.as_bytes(), limit);
    }
}
