//! What comes over a worker's socket, from either side, is read or refused, and is never more than has
//! come: a length that is only announced makes nothing.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|octets: &[u8]| {
    if let Some(job) = parsebox::decode_job(octets) {
        let attachments = job.attachments.iter();
        let names: usize = attachments
            .map(|attachment| {
                attachment.declared.len() + attachment.name.as_ref().map_or(0, String::len)
            })
            .sum();
        assert!(job.octets() + names <= octets.len());
        // Each content has a length of its own.
        assert!(4 * (job.pages.len() + job.attachments.len()) <= octets.len());
    }
    // A finding is an octet at least.
    assert!(parsebox::decode_answer(octets).is_none_or(|findings| findings < octets.len()));
});
