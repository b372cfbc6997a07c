//! What is said about any message is one header field, fields that claim to be ours are all found,
//! and what is signed here verifies here.
#![no_main]

use std::ops::Range;
use std::sync::LazyLock;

use fuzz::{HOSTNAME, Site};
use libfuzzer_sys::fuzz_target;
use mailauth::sign::{Algorithm, GeneratedKey, SigningKey, dns_name, generate, sign};
use mailauth::{DkimVerdict, Outcome, Session};
use mime::header;
use smtp::{Domain, ReversePath};

const SIGNER: &str = "sender.test";
const SELECTOR: &str = "s";
/// Signatures of others, beyond which ours may be one too many.
const MOST_SIGNATURES: usize = 4;

static KEY: LazyLock<GeneratedKey> = LazyLock::new(|| generate(Algorithm::Ed25519).expect("a key"));

/// RFC 8601 §2.2: one field, folded, of printable characters.
fn check_field(header: &str) {
    let lines: Vec<&str> = header
        .strip_suffix("\r\n")
        .expect("an end")
        .split("\r\n")
        .collect();
    let start = format!("Authentication-Results: {HOSTNAME};");
    assert!(
        lines[0].starts_with(start.trim_end_matches(';')),
        "{header:?}"
    );
    assert!(lines[1..].iter().all(|line| line.starts_with([' ', '\t'])));
    let is_text = |character: char| character == '\t' || !character.is_control();
    assert!(
        lines
            .iter()
            .all(|line| line.chars().all(is_text) && !line.trim().is_empty())
    );
}

fn without(raw: &[u8], ranges: &[Range<usize>]) -> Vec<u8> {
    let is_kept = |at: &usize| !ranges.iter().any(|range| range.contains(at));
    (0..raw.len()).filter(is_kept).map(|at| raw[at]).collect()
}

/// Whether a message is as received messages are, every line ending in CRLF, and its header nothing
/// but fields: what else is there is not the same for every reader, and no signature helps.
fn is_sound(raw: &[u8]) -> bool {
    let mut lines: Vec<&[u8]> = raw.split(|&octet| octet == b'\n').collect();
    let ends =
        |line: &&[u8]| line.iter().position(|&octet| octet == b'\r') == line.len().checked_sub(1);
    let fields: usize = header::fields(raw).map(|field| field.range.len()).sum();
    let blank = header::header_end(raw) - fields;
    // A name may be folded away from its colon, and is then a field for some.
    let has_colon = |field: header::Field<'_>| {
        let first = raw[field.range].split(|&octet| octet == b'\n').next();
        first.is_some_and(|line| line.contains(&b':'))
    };
    lines.pop().is_some_and(<[u8]>::is_empty)
        && lines.iter().all(ends)
        && matches!(blank, 0 | 2)
        && header::fields(raw).all(has_colon)
        // RFC 6376 §2.8: a form feed is no white space, which not every verifier knows.
        && !raw.contains(&b'\x0c')
}

fuzz_target!(|input: (bool, &str, &[u8])| {
    let (is_null, helo, raw) = input;
    let from = if is_null { "<>" } else { "<a@sender.test>" };
    Site::lend(|site| {
        let signer = Domain::parse(SIGNER).expect("a name");
        let name = dns_name(&signer, SELECTOR);
        site.zone.remove(&name).txt(&name, &KEY.dns_txt());
        let key = SigningKey::from_der(&signer, SELECTOR, &KEY.private_key).expect("a key");
        let from = match smtp::Command::parse(format!("MAIL FROM:{from}").as_bytes()) {
            Ok(smtp::Command::Mail { from, .. }) => from,
            _ => ReversePath::Null,
        };
        let session = Session {
            ip: [192, 0, 2, 1].into(),
            helo,
            from: &from,
        };
        let ask = |raw: &[u8]| {
            site.runtime
                .block_on(site.authenticator.message(raw, &session))
        };
        let results = ask(raw);
        check_field(&results.header);
        assert!(
            results
                .forged
                .windows(2)
                .all(|pair| pair[0].end <= pair[1].start)
        );
        let rest = without(raw, &results.forged);
        assert!(ask(&rest).forged.is_empty());

        let signatures = header::fields(raw).filter(|field| field.is("DKIM-Signature"));
        if !is_sound(raw) || signatures.count() >= MOST_SIGNATURES {
            return;
        }
        if let Ok(fields) = sign(raw, &[key], site.clock.now()) {
            let results = ask(&[&fields[..], raw].concat());
            let passes =
                |verdict: &DkimVerdict| verdict.domain == SIGNER && verdict.result == Outcome::Pass;
            assert!(results.dkim.iter().any(passes), "{:?}", results.dkim);
        }
    });
});
