//! A command line is read or refused, and one that is read prints as a line that reads the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use smtp::Command;
use smtp::command::Announced;

fuzz_target!(|line: &[u8]| {
    let announced = Announced { dsn: true };
    match Command::parse_announced(line, announced) {
        Ok(command) => {
            let printed = command.to_string();
            assert!(!printed.contains(char::is_control), "{printed:?}");
            assert_eq!(
                Command::parse_announced(printed.as_bytes(), announced),
                Ok(command)
            );
        }
        Err(error) => {
            let mut reply = Vec::new();
            error.reply().encode(&mut reply);
            assert!(reply.starts_with(b"5") && reply.ends_with(b"\r\n"));
        }
    }
});
