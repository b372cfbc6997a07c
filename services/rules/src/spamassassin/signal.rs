//! Symbols that the filter gives by itself: no rule is made for one of these names, and rules that
//! say the same under another name are hidden, since the filter's own symbol has a score already.

/// Symbols that are no rules.
const SIGNALS: &[&str] = &[
    "ARC_ALLOW",
    "ARC_REJECT",
    "BAYES_HAM",
    "BAYES_SPAM",
    "BROKEN_HEADERS",
    "CLAM_VIRUS",
    "CLAM_VIRUS_FAIL",
    "DMARC_BAD_POLICY",
    "DMARC_DNSFAIL",
    "DMARC_NA",
    "DMARC_POLICY_ALLOW",
    "DMARC_POLICY_QUARANTINE",
    "DMARC_POLICY_REJECT",
    "DMARC_POLICY_SOFTFAIL",
    "FUZZY_DENIED",
    "FUZZY_WHITE",
    "HFILTER_HELO_BADIP",
    "HFILTER_HELO_BAREIP",
    "HFILTER_HELO_NOT_FQDN",
    "HFILTER_HOSTNAME_UNKNOWN",
    "INVALID_DATE",
    "INVALID_FROM",
    "KNOWN_CORRESPONDENT",
    "LINE_TOO_LONG",
    "MISSING_DATE",
    "MISSING_FROM",
    "MISSING_MID",
    "MISSING_SUBJECT",
    "MISSING_TO",
    "MULTIPLE_AUTHORS",
    "MULTIPLE_FROM",
    "MULTIPLE_UNIQUE_HEADERS",
    "NON_UTF8_HEADER",
    "NUL_BYTE",
    "RDNS_DNSFAIL",
    "RDNS_NONE",
    "REPLY",
    "R_DKIM_ALLOW",
    "R_DKIM_NA",
    "R_DKIM_PERMFAIL",
    "R_DKIM_REJECT",
    "R_DKIM_TEMPFAIL",
    "R_SPF_ALLOW",
    "R_SPF_DNSFAIL",
    "R_SPF_FAIL",
    "R_SPF_NA",
    "R_SPF_NEUTRAL",
    "R_SPF_PERMFAIL",
    "R_SPF_SOFTFAIL",
];

/// What block lists say: the zone, what SpamAssassin compares its answer with, the symbol here.
const BLOCK_LISTS: &[(&str, &str, &str)] = &[
    ("zen.spamhaus.org", "127.0.0.2", "RBL_SPAMHAUS_SBL"),
    ("zen.spamhaus.org", "127.0.0.3", "RBL_SPAMHAUS_CSS"),
    (
        "zen.spamhaus.org",
        r"^127\.0\.0\.[4567]$",
        "RBL_SPAMHAUS_XBL",
    ),
    (
        "zen.spamhaus.org",
        r"^127\.0\.0\.1[01]$",
        "RBL_SPAMHAUS_PBL",
    ),
    ("dbl.spamhaus.org", "127.0.1.2", "DBL_SPAM"),
    ("dbl.spamhaus.org", "127.0.1.4", "DBL_PHISH"),
    ("dbl.spamhaus.org", "127.0.1.5", "DBL_MALWARE"),
    ("dbl.spamhaus.org", "127.0.1.6", "DBL_BOTNET"),
    ("dbl.spamhaus.org", "127.0.1.102", "DBL_ABUSE"),
    ("dbl.spamhaus.org", "127.0.1.103", "DBL_ABUSE_REDIR"),
    ("dbl.spamhaus.org", "127.0.1.104", "DBL_ABUSE_PHISH"),
    ("dbl.spamhaus.org", "127.0.1.105", "DBL_ABUSE_MALWARE"),
    ("dbl.spamhaus.org", "127.0.1.106", "DBL_ABUSE_BOTNET"),
    ("multi.surbl.org", "8", "PH_SURBL_MULTI"),
    ("multi.surbl.org", "16", "MW_SURBL_MULTI"),
    ("multi.surbl.org", "64", "ABUSE_SURBL"),
    ("multi.surbl.org", "128", "CRACKED_SURBL"),
    ("multi.uribl.com", "2", "URIBL_BLACK"),
    ("multi.uribl.com", "4", "URIBL_GREY"),
    ("multi.uribl.com", "8", "URIBL_RED"),
    ("bl.mailspike.net", "127.0.0.10", "RBL_MAILSPIKE_WORST"),
    ("bl.mailspike.net", "127.0.0.11", "RBL_MAILSPIKE_VERYBAD"),
    ("bl.mailspike.net", "127.0.0.12", "RBL_MAILSPIKE_BAD"),
    ("list.dnswl.org", r"^127\.0\.\d+\.0$", "RCVD_IN_DNSWL_NONE"),
    ("list.dnswl.org", r"^127\.0\.\d+\.1$", "RCVD_IN_DNSWL_LOW"),
    ("list.dnswl.org", r"^127\.0\.\d+\.2$", "RCVD_IN_DNSWL_MED"),
    ("list.dnswl.org", r"^127\.0\.\d+\.3$", "RCVD_IN_DNSWL_HI"),
];

/// Whether the filter gives the symbol by itself.
pub(super) fn is_given(symbol: &str) -> bool {
    SIGNALS.contains(&symbol) || BLOCK_LISTS.iter().any(|(.., given)| *given == symbol)
}

/// The symbol for what a block list says.
pub(super) fn of_block_list(zone: &str, answer: &str) -> Option<&'static str> {
    let zone = zone.strip_suffix('.').unwrap_or(zone);
    let found = BLOCK_LISTS
        .iter()
        .find(|(known, compared, _)| known.eq_ignore_ascii_case(zone) && *compared == answer);
    found.map(|&(.., symbol)| symbol)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn block_lists_are_found_by_zone_and_answer() {
        assert_eq!(
            of_block_list("Zen.Spamhaus.org.", "127.0.0.2"),
            Some("RBL_SPAMHAUS_SBL")
        );
        assert_eq!(of_block_list("multi.uribl.com", "2"), Some("URIBL_BLACK"));
        assert_eq!(of_block_list("multi.uribl.com", "1"), None);
        assert!(is_given("URIBL_BLACK") && is_given("RDNS_NONE") && !is_given("SPF_PASS"));
    }
}
