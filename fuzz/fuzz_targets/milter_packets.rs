//! Packets read the same however they are cut; what was read encodes to packets that read the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use milter::{Command, Error, Framer, Response};

type Read<T> = (Vec<T>, Option<Error>);

fn read<T>(
    input: &[u8],
    chunk: usize,
    next: fn(&mut Framer) -> Result<Option<T>, Error>,
) -> Read<T> {
    let mut framer = Framer::new(4_096);
    let mut packets = Vec::new();
    for piece in input.chunks(chunk) {
        framer.feed(piece);
        loop {
            match next(&mut framer) {
                Ok(Some(packet)) => packets.push(packet),
                Ok(None) => break,
                Err(error) => return (packets, Some(error)),
            }
        }
    }
    (packets, None)
}

fuzz_target!(|input: &[u8]| {
    let whole = input.len().max(1);
    let commands = read::<Command>(input, whole, Framer::next_command);
    assert_eq!(read(input, 1, Framer::next_command), commands);
    let mut wire = Vec::new();
    commands
        .0
        .iter()
        .for_each(|command| command.encode(&mut wire));
    assert_eq!(
        read(&wire, wire.len().max(1), Framer::next_command),
        (commands.0, None)
    );

    let responses = read::<Response>(input, whole, Framer::next_response);
    assert_eq!(read(input, 1, Framer::next_response), responses);
    let mut wire = Vec::new();
    responses
        .0
        .iter()
        .for_each(|response| response.encode(&mut wire));
    // A percent sign may have come alone and goes twice, so a packet may outgrow the limit.
    let (again, error) = read(&wire, wire.len().max(1), Framer::next_response);
    assert!(error.is_none() || matches!(error, Some(Error::TooLong(_))));
    assert_eq!(again[..], responses.0[..again.len()]);
    assert!(error.is_some() || again.len() == responses.0.len());
});
