//! Message data decodes the same however it is cut; whatever is encoded has only whole CRLFs, ends
//! only at its end, and decodes to what was encoded.
#![no_main]

use libfuzzer_sys::fuzz_target;
use smtp::{DataDecoder, DataError, encode_data};

type Outcome = Result<(Vec<u8>, usize, bool), DataError>;

fn decode<'a>(pieces: impl Iterator<Item = &'a [u8]>, limit: u64) -> Outcome {
    let mut decoder = DataDecoder::new(limit);
    let mut message = Vec::new();
    let mut total = 0;
    for piece in pieces {
        match decoder.feed(piece, &mut message) {
            Ok(progress) => {
                total += progress.consumed;
                if progress.finished {
                    return Ok((message, total, true));
                }
                assert_eq!(progress.consumed, piece.len());
            }
            Err(DataError::TooLarge { consumed }) => {
                return Err(DataError::TooLarge {
                    consumed: total + consumed,
                });
            }
            Err(DataError::LineTooLong { consumed }) => {
                return Err(DataError::LineTooLong {
                    consumed: total + consumed,
                });
            }
            Err(error) => return Err(error),
        }
    }
    Ok((message, total, false))
}

fn assert_clean(wire: &[u8]) {
    let mut before = [b'\r', b'\n'];
    for (at, &octet) in wire.iter().enumerate() {
        assert_eq!(octet == b'\n', before[1] == b'\r');
        let ends_line = before == *b"\r\n" && wire[at..].starts_with(b".\r\n");
        assert!(!ends_line || at + 3 == wire.len());
        before = [before[1], octet];
    }
}

fuzz_target!(|input: &[u8]| {
    let Some((&chunk, input)) = input.split_first() else {
        return;
    };
    for limit in [u64::MAX, u64::from(chunk)] {
        let whole = decode(std::iter::once(input), limit);
        assert_eq!(
            decode(input.chunks(usize::from(chunk).max(1)), limit),
            whole
        );
        assert_eq!(decode(input.chunks(1), limit), whole);
    }

    let mut wire = Vec::new();
    encode_data(input, &mut wire);
    assert_clean(&wire);
    let stripped: Vec<u8> = wire.iter().copied().filter(|&octet| octet != 0).collect();
    assert_clean(&stripped);
    match decode(std::iter::once(wire.as_slice()), u64::MAX) {
        Ok((message, consumed, finished)) => {
            assert!(finished && consumed == wire.len());
            let mut again = Vec::new();
            encode_data(&message, &mut again);
            assert_eq!(again, wire);
        }
        Err(error) => assert!(matches!(error, DataError::LineTooLong { .. })),
    }
});
