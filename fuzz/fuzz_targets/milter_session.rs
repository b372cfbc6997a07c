//! Whatever an MTA says, a message has the fields it was told of and stays within its limits.
#![no_main]

use libfuzzer_sys::fuzz_target;
use milter::{Framer, Options, Session, Step};

fuzz_target!(|input: &[u8]| {
    let options = Options {
        size: 500,
        fields: 10,
        recipients: 5,
        ..Options::default()
    };
    let mut framer = Framer::new(1_000);
    let mut session = Session::new(options);
    framer.feed(input);
    while let Ok(Some(command)) = framer.next_command() {
        let message = match session.take(command) {
            Ok(Step::Judge(message)) => message,
            Ok(Step::Close) | Err(_) => return,
            Ok(_) => continue,
        };
        // The empty line may still be added when the header has filled the message.
        assert!(message.octets.len() <= options.size + 2);
        assert!(message.recipients.len() <= options.recipients);
        let mut lines = message.octets.split_inclusive(|&octet| octet == b'\n');
        let mut fields = 0;
        loop {
            let line = lines.next().expect("an empty line ends the header");
            assert!(line.ends_with(b"\r\n"));
            if line == b"\r\n" {
                break;
            }
            fields += usize::from(!line.starts_with(b" ") && !line.starts_with(b"\t"));
        }
        assert!(fields == message.fields.len() && fields <= options.fields);
    }
});
