//! No client message makes a mechanism panic; what is read encodes to what was sent; no message gets
//! past SCRAM without the password.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sasl::{
    Login, LoginStep, Plain, ScramClient, ScramCredential, ScramServer, Secret, decode_response,
    encode_challenge,
};

fuzz_target!(|input: &[u8]| {
    if let Ok(message) = decode_response(input)
        && input != b"="
    {
        assert_eq!(encode_challenge(&message).as_bytes(), input);
    }
    if let Ok(plain) = Plain::parse(input) {
        assert_eq!(plain.encode(), input);
    }
    let mut login = Login::new();
    if let Ok(step) = login.respond(input) {
        assert_eq!(step, LoginStep::Challenge("Password:"));
    }

    let cut = input
        .iter()
        .position(|&octet| octet == b'\n')
        .unwrap_or(input.len());
    let (first, last) = input.split_at(cut);
    let mut server = ScramServer::new("server".to_owned());
    if let Ok(username) = server.client_first(first) {
        let challenge = server.server_first(&ScramCredential::dummy(b"seed", &username));
        assert!(challenge.starts_with(b"r="));
        assert!(
            server
                .client_final(last.get(1..).unwrap_or_default())
                .is_err()
        );
    }

    let mut client = ScramClient::new("user", Secret::new("password"), "client".to_owned());
    client.client_first();
    if input.len() < 64 && client.client_final(first).is_ok() {
        assert!(client.finish(last.get(1..).unwrap_or_default()).is_err());
    }
});
