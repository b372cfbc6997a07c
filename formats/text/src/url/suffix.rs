//! What of a host name can be registered, by the public suffix list.

/// The registrable domain of a host: its public suffix and one label before. `None` for a suffix
/// itself and for addresses. The host is in lower case, A-labels.
///
/// A name whose last label is on no list counts as registered below that label.
#[must_use]
pub fn registrable(host: &str) -> Option<&str> {
    if !is_name(host) {
        return None;
    }
    psl::domain_str(host)
}

/// The last label of a host name. `None` for addresses.
#[must_use]
pub fn tld(host: &str) -> Option<&str> {
    if !is_name(host) {
        return None;
    }
    host.rsplit('.').next()
}

/// Whether a host name lies below a suffix of the public suffix list.
#[must_use]
pub fn is_known_suffix(host: &str) -> bool {
    is_name(host) && psl::suffix(host.as_bytes()).is_some_and(|suffix| suffix.is_known())
}

/// Not empty, no empty labels, not ending in a number.
fn is_name(host: &str) -> bool {
    host.split('.').all(|label| !label.is_empty())
        && host
            .rsplit('.')
            .next()
            .is_some_and(|last| !last.bytes().all(|b| b.is_ascii_digit()) && !last.contains(':'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suffixes() {
        for (host, domain, last) in [
            ("www.example.com", Some("example.com"), Some("com")),
            ("example.co.uk", Some("example.co.uk"), Some("uk")),
            ("a.b.example.co.uk", Some("example.co.uk"), Some("uk")),
            ("co.uk", None, Some("uk")),
            ("com", None, Some("com")),
            ("user.github.io", Some("user.github.io"), Some("io")),
            ("a.user.github.io", Some("user.github.io"), Some("io")),
            ("a.b.internal", Some("b.internal"), Some("internal")),
            (
                "www.xn--85x722f.xn--55qx5d.cn",
                Some("xn--85x722f.xn--55qx5d.cn"),
                Some("cn"),
            ),
            ("192.0.2.1", None, None),
            ("2001:db8::1", None, None),
            ("", None, None),
            ("a..com", None, None),
        ] {
            assert_eq!(registrable(host), domain, "{host}");
            assert_eq!(tld(host), last, "{host}");
        }
        assert!(is_known_suffix("example.com"));
        assert!(is_known_suffix("example.xn--p1ai"));
        assert!(!is_known_suffix("example.internal"));
        assert!(!is_known_suffix("setup.exe"));
    }
}
