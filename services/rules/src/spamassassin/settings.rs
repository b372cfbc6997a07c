//! Directives that say nothing about what a message is: how SpamAssassin runs, what it writes,
//! what it asks and learns.

/// Directives that are passed over without a word: they steer the order or the making of rules.
const SILENT: &[&str] = &[
    "test",
    "priority",
    "reuse",
    "require_version",
    "version_tag",
    "meta_dependency",
];

/// The beginnings of settings.
const PREFIXES: &[&str] = &[
    "add_header",
    "allow_user_rules",
    "asn_",
    "auto_welcomelist_",
    "auto_whitelist_",
    "awl_",
    "bayes_",
    "clear_",
    "dcc_",
    "decode_short_urls",
    "dkim_",
    "dmarc_",
    "dns_",
    "fns_",
    "freemail_",
    "geodb_",
    "hashbl_",
    "originating_ip_headers",
    "phishing_",
    "pyzor_",
    "razor_",
    "remove_header",
    "report",
    "rbl_",
    "shortcircuit",
    "spamcop_",
    "spf_",
    "subjprefix",
    "textcat_",
    "txrep_",
    "unsafe_report",
    "uridnsbl_",
    "url_shortener",
    "use_",
    "user_awl_",
    "user_scores_",
    "util_rb_",
];

/// Settings by their whole names.
const NAMES: &[&str] = &[
    "adsp_override",
    "always_trust_envelope_sender",
    "all_spam_to_subject",
    "bounce_relays",
    "check_mx_attempts",
    "check_mx_delay",
    "def_welcomelist_from_rcvd",
    "def_whitelist_from_rcvd",
    "delist_uri_host",
    "envelope_sender_header",
    "fold_headers",
    "header_type",
    "ifplugin",
    "ignore_always_matching_regexps",
    "internal_networks",
    "lock_method",
    "max_body_length",
    "mimepart_scan_size",
    "msa_networks",
    "normalize_charset",
    "ok_languages",
    "pdf_",
    "parse_dkim_uris",
    "rawbody_part_scan_size",
    "body_part_scan_size",
    "redirector_pattern",
    "required_hits",
    "required_score",
    "rewrite_header",
    "rewrite_subject",
    "run_eval_rule_timeout",
    "score_set",
    "skip_rbl_checks",
    "skip_uribl_checks",
    "spamtrap",
    "subject_tag",
    "time_limit",
    "tld",
    "trusted_networks",
    "welcomelist_allow_relays",
    "welcomelist_bounce_relays",
    "welcomelist_from_rcvd",
    "whitelist_allow_relays",
    "whitelist_bounce_relays",
    "whitelist_from_rcvd",
];

/// What a directive that is none of the importer's is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Setting {
    /// Nothing is to be said of it.
    Silent,
    /// A setting, and what stands in its place here.
    Known(&'static str),
    /// Nobody knows it.
    Unknown,
}

/// Finds a directive.
pub(super) fn find(directive: &str) -> Setting {
    if SILENT.contains(&directive) {
        return Setting::Silent;
    }
    let listed =
        NAMES.contains(&directive) || PREFIXES.iter().any(|prefix| directive.starts_with(prefix));
    match directive {
        _ if !listed => Setting::Unknown,
        "required_score" | "required_hits" => {
            Setting::Known("thresholds are set in the spam filter's policy")
        }
        "trusted_networks" | "internal_networks" | "msa_networks" => {
            Setting::Known("own networks are set in the server's configuration")
        }
        "redirector_pattern" => Setting::Known("URLs inside URLs are always looked for"),
        "welcomelist_from_rcvd"
        | "whitelist_from_rcvd"
        | "def_welcomelist_from_rcvd"
        | "def_whitelist_from_rcvd" => {
            Setting::Known("senders are told by SPF and DKIM: use welcomelist_auth")
        }
        _ if directive.starts_with("util_rb_") => {
            Setting::Known("the public suffix list is built in")
        }
        _ if directive.starts_with("bayes_") => {
            Setting::Known("learning is set in the spam filter's configuration")
        }
        _ if directive.contains("report") => Setting::Known("messages are not wrapped in reports"),
        _ => Setting::Known("a setting of SpamAssassin without a counterpart"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_told_from_what_nobody_knows() {
        assert_eq!(find("test"), Setting::Silent);
        assert_eq!(find("priority"), Setting::Silent);
        for known in [
            "required_score",
            "trusted_networks",
            "report",
            "unsafe_report",
            "bayes_ignore_header",
            "clear_report_template",
            "util_rb_2tld",
            "redirector_pattern",
            "use_bayes",
            "dns_server",
            "report_safe",
            "url_shortener",
            "whitelist_from_rcvd",
            "adsp_override",
        ] {
            assert!(matches!(find(known), Setting::Known(_)), "{known}");
        }
        assert_eq!(find("nonsense"), Setting::Unknown);
        assert_eq!(find("bodyy"), Setting::Unknown);
    }
}
