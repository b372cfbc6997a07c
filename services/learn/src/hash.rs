//! Keys of rows: 64 bits of a cryptographic hash, so that nobody can choose another's.

use std::net::IpAddr;

/// The key of what `parts` name, in the name space `space`.
pub(crate) fn key(space: &str, parts: &[&[u8]]) -> i64 {
    let mut hasher = blake3::Hasher::new();
    for part in std::iter::once(&space.as_bytes()).chain(parts) {
        hasher.update(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_le_bytes());
        hasher.update(part);
    }
    let mut bytes = [0; 8];
    hasher.finalize_xof().fill(&mut bytes);
    i64::from_le_bytes(bytes)
}

/// An address or domain as it is compared: without case.
pub(crate) fn fold(text: &str) -> String {
    text.trim().to_lowercase()
}

/// The /24 or /64 of an address, as bytes.
pub(crate) fn network(address: IpAddr) -> Vec<u8> {
    match address.to_canonical() {
        IpAddr::V4(address) => address.octets().into_iter().take(3).collect(),
        IpAddr::V6(address) => address.octets().into_iter().take(8).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_do_not_run_into_each_other() {
        assert_ne!(key("a", &[b"bc", b"d"]), key("a", &[b"b", b"cd"]));
        assert_ne!(key("a", &[b"b"]), key("ab", &[b""]));
        assert_eq!(key("a", &[b"b"]), key("a", &[b"b"]));
    }

    #[test]
    fn a_mapped_address_is_the_one_it_maps() {
        let of = |text: &str| network(text.parse().unwrap());
        assert_eq!(of("192.0.2.7"), of("::ffff:192.0.2.200"));
        assert_ne!(of("192.0.2.7"), of("192.0.3.7"));
        assert_eq!(of("2001:db8:1:2::1"), of("2001:db8:1:2:ffff::9"));
        assert_ne!(of("2001:db8:1:2::1"), of("2001:db8:1:3::1"));
    }
}
