//! A map file of mailcow is taken over or refused; what is taken over is its own import.
#![no_main]

use libfuzzer_sys::fuzz_target;
use policy::mailcow::import;

const FILES: &[&str] = &[
    "global_smtp_from_blacklist.map",
    "global_mime_from_blacklist.map",
    "global_rcpt_blacklist.map",
    "bad_words.map",
    "bad_header.map",
    "bulk_header.map",
    "ip_wl.map",
    "fishy_tlds.map",
    "monitoring_nolog.map",
    "bad_asn.map",
    "../bad_languages.map",
];

fuzz_target!(|input: (u8, &[u8])| {
    let (file, octets) = input;
    let name = FILES[usize::from(file) % FILES.len()];
    if let Ok(imported) = import(name, octets) {
        assert!(std::str::from_utf8(octets).is_err() || octets.ends_with(imported.text.as_bytes()));
        assert_eq!(import(name, imported.text.as_bytes()).ok(), Some(imported));
    }
});
