//! The table of functions.

use super::*;
use crate::spamassassin::entries;
use crate::spamassassin::line::word;
use crate::spamassassin::lists::Entries;

fn translated(text: &str, lines: &[&str], symbol: &str) -> Verdict {
    let mut entries = Entries::default();
    for line in lines {
        let (directive, rest) = word(line.as_bytes());
        let directive = entries::list(std::str::from_utf8(directive).unwrap()).unwrap();
        entries::take(&mut entries, directive, rest).unwrap();
    }
    let zone = |name: &str, answer: &str| Zone {
        name: name.to_owned(),
        answer: answer.to_owned(),
    };
    let zones = BTreeMap::from([
        ("set zen".to_owned(), zone("zen.spamhaus.org.", "")),
        (
            "URIBL_DBL_SPAM".to_owned(),
            zone("dbl.spamhaus.org.", "127.0.1.2"),
        ),
    ]);
    let mut lists = Lists::new(&entries);
    let mut knowledge = Knowledge {
        lists: &mut lists,
        zones: &zones,
        symbol,
        all_locales: true,
    };
    translate(&Call::parse(text.as_bytes()).unwrap(), &mut knowledge)
}

/// The condition as rule files write it.
fn shown(verdict: Verdict) -> String {
    let (prefix, when) = match verdict {
        Verdict::Rule(when) => ("", when),
        Verdict::Signal(when) => ("signal ", when),
        other => return format!("{other:?}"),
    };
    let set = crate::RuleSet {
        name: "x".into(),
        rules: vec![crate::Rule {
            symbol: "X".into(),
            score: 1.0,
            description: String::new(),
            group: None,
            hidden: false,
            hits: crate::Hits::Once,
            prefilter: None,
            when,
        }],
        ..crate::RuleSet::default()
    };
    let toml = set.to_toml();
    assert_eq!(crate::RuleSet::parse(&toml).as_ref(), Ok(&set), "{toml}");
    format!("{prefix}{:?}", set.rules[0].when)
}

#[test]
fn calls_are_read() {
    let call =
        |text: &str| Call::parse(text.as_bytes()).map(|call| (call.function, call.arguments));
    let arguments = |arguments: &[&str]| arguments.iter().map(|&x| x.to_owned()).collect();
    for (text, function, expected) in [
        ("a()", "a", &[][..]),
        ("a", "a", &[]),
        ("a('b', \"c\")", "a", &["b", "c"]),
        ("a ( 1, 2 )", "a", &["1", "2"]),
        ("a('(b,c)','')", "a", &["(b,c)", ""]),
        ("a(b)", "a", &["b"]),
    ] {
        assert_eq!(
            call(text),
            Ok((function.to_owned(), arguments(expected))),
            "{text}"
        );
    }
    for text in ["", "a(", "a('b)", "a('b' 'c')", "a b()", "(a)"] {
        assert!(call(text).is_err(), "{text}");
    }
}

#[test]
fn functions_without_a_counterpart_are_refused_by_name() {
    let Verdict::Refused(reason) = translated("check_razor2()", &[], "X") else {
        panic!();
    };
    assert_eq!(reason, "check_razor2() has no counterpart");
}

#[test]
fn every_function_in_the_table_gives_a_condition_that_can_be_written() {
    for text in [
        "check_for_uppercase('25','50')",
        "check_blank_line_ratio('80','90','4')",
        "check_body_length('128')",
        "check_body_8bits()",
        "multipart_alternative_difference('99','100')",
        "check_mime_multipart_ratio('0.00','0.01')",
        "html_test('html')",
        "html_test('form_action_mailto')",
        "html_range('length','0','1024')",
        "html_range('length','9','inf')",
        "html_eval('length','< 384')",
        "html_image_only('0400','0800')",
        "html_tag_exists('script')",
        "html_tag_balance('body', '!= 0')",
        "html_text_match('comment', '<!.*?>')",
        "html_text_match('title', '.{120}')",
        "html_text_match('anchor', '<img>')",
        "check_iframe_src()",
        "check_https_http_mismatch('1','10')",
        "check_https_ip_mismatch()",
        "check_for_mime('mime_base64_count')",
        "check_for_mime('mime_qp_count')",
        "check_for_mime('mime_attachment')",
        "check_for_mime('mime_base64_encoded_text')",
        "check_for_mime('mime_qp_long_line')",
        "check_for_mime('mime_bad_iso_charset')",
        "check_for_mime_html()",
        "check_for_mime_html_only()",
        "check_ma_non_text()",
        "check_for_ascii_text_illegal()",
        "check_base64_length('78','79')",
        "check_base64_length('79')",
        "check_microsoft_executable()",
        "check_suspect_name()",
        "check_for_missing_to_header()",
        "check_header_count_range('Subject','2','999')",
        "check_header_count_range('Subject','2','3')",
        "check_illegal_chars('From','0.20','2')",
        "check_illegal_chars('Subject','0.00','2')",
        "check_illegal_chars('ALL','0.010','2')",
        "subject_is_all_caps()",
        "check_for_shifted_date('-6','-3')",
        "check_for_shifted_date('undef','-96')",
        "check_for_shifted_date('2920','undef')",
        "check_for_to_in_subject('user')",
        "sorted_recipients()",
        "check_unresolved_template()",
        "check_no_relays()",
        "check_all_trusted()",
        "helo_ip_mismatch()",
        "check_mailfrom_matches_rcvd()",
        "check_equal_from_domains()",
        "check_for_matching_env_and_hdr_from()",
        "check_fromname_spoof()",
        "check_fromname_equals_to()",
        "check_fromname_equals_replyto()",
        "gated_through_received_hdr_remover()",
        "check_for_forged_gmail_received_headers()",
        "check_for_forged_yahoo_received_headers()",
        "check_for_no_hotmail_received_headers()",
    ] {
        let found = translated(text, &[], "X");
        assert!(matches!(found, Verdict::Rule(_)), "{text}: {found:?}");
        shown(found);
    }
}

#[test]
fn arguments_that_mean_nothing_are_refused() {
    for text in [
        "check_for_uppercase('x','50')",
        "check_body_length('inf')",
        "html_test('nonsense')",
        "html_range('bad_tag_ratio','0','1')",
        "html_eval('length','what')",
        "html_tag_exists('a b')",
        "html_text_match('title','(')",
        "html_text_match('comment','x')",
        "check_header_count_range('a b','2','3')",
        "check_illegal_chars('To','0','2')",
        "check_for_shifted_date('undef','undef')",
        "check_bayes('0.40','0.60')",
        "check_dkim_valid('a b')",
        "check_base64_length()",
    ] {
        let found = translated(text, &[], "X");
        assert!(matches!(found, Verdict::Refused(_)), "{text}: {found:?}");
    }
}

#[test]
fn what_the_filter_says_itself_is_a_signal() {
    for (text, part) in [
        ("check_for_spf_pass()", "R_SPF_ALLOW"),
        ("check_for_spf_fail()", "R_SPF_FAIL"),
        ("check_for_spf_softfail()", "R_SPF_SOFTFAIL"),
        ("check_for_spf_neutral()", "R_SPF_NEUTRAL"),
        ("check_for_spf_none()", "R_SPF_NA"),
        ("check_for_spf_temperror()", "R_SPF_DNSFAIL"),
        ("check_for_spf_permerror()", "R_SPF_PERMFAIL"),
        ("check_dkim_signed()", "dkim-signature"),
        ("check_dkim_valid()", "R_DKIM_ALLOW"),
        ("check_dkim_valid('a.test','b.test')", r"dkim-signature"),
        ("check_dkim_valid_author_sig()", "DMARC_POLICY_ALLOW"),
        ("check_dkim_valid_envelopefrom()", "EnvelopeFromDiffers"),
        ("check_dmarc_pass()", "DMARC_POLICY_ALLOW"),
        ("check_dmarc_reject()", "DMARC_POLICY_REJECT"),
        ("check_dmarc_quarantine()", "DMARC_POLICY_QUARANTINE"),
        ("check_dmarc_none()", "DMARC_POLICY_SOFTFAIL"),
        ("check_dmarc_missing()", "DMARC_NA"),
        ("check_arc_signed()", "arc-seal"),
        ("check_arc_valid()", "ARC_ALLOW"),
        ("check_bayes('0.99','1.00')", "BAYES_SPAM"),
        ("check_bayes('0.00','0.01')", "BAYES_HAM"),
        (
            "check_msg_parse_flags('truncated_header')",
            "HEADER_TOO_LONG",
        ),
        (
            "check_for_mime('mimepart_limit_exceeded')",
            "MIME_TOO_MANY_PARTS",
        ),
        (
            "check_rbl('zen-lastexternal','zen.spamhaus.org.','^127\\.0\\.0\\.[4567]$')",
            "RBL_SPAMHAUS_XBL",
        ),
        (
            "check_rbl_sub('zen-lastexternal','127.0.0.2')",
            "RBL_SPAMHAUS_SBL",
        ),
        ("check_uridnsbl('URIBL_DBL_SPAM')", "DBL_SPAM"),
    ] {
        let found = shown(translated(text, &[], "X"));
        assert!(
            found.starts_with("signal ") && found.contains(part),
            "{text}: {found}"
        );
    }
}

#[test]
fn block_lists_that_are_not_asked_are_told() {
    for text in [
        "check_rbl('x','rbl.example.')",
        "check_rbl_sub('y','1')",
        "check_uridnsbl('OTHER')",
        "check_dns_sender()",
    ] {
        let found = translated(text, &[], "X");
        assert!(matches!(found, Verdict::Network(_)), "{text}: {found:?}");
    }
    // A rule of the same name would be made of itself.
    let found = translated("check_uridnsbl('URIBL_DBL_SPAM')", &[], "DBL_SPAM");
    assert!(matches!(found, Verdict::Network(_)));
}

#[test]
fn lists_are_asked_when_there_is_something_on_them() {
    for (text, line) in [
        ("check_from_in_welcomelist()", "welcomelist_from *@a.test"),
        ("check_from_in_whitelist()", "whitelist_from *@a.test"),
        (
            "check_from_in_default_whitelist()",
            "def_welcomelist_from *@a.test",
        ),
        ("check_from_in_blacklist()", "blocklist_from *@a.test"),
        ("check_to_in_welcomelist()", "welcomelist_to a@a.test"),
        ("check_to_in_more_spam()", "more_spam_to a@a.test"),
        ("check_to_in_all_spam()", "all_spam_to a@a.test"),
        ("check_to_in_blocklist()", "blocklist_to a@a.test"),
        ("check_from_in_list('X')", "enlist_addrlist (X) a@a.test"),
        (
            "check_replyto_in_list('X')",
            "enlist_addrlist (X) *@*.a.test",
        ),
        (
            "check_for_spf_welcomelist_from()",
            "welcomelist_from_spf *@a.test",
        ),
        (
            "check_for_def_spf_whitelist_from()",
            "def_welcomelist_auth *@a.test",
        ),
        (
            "check_for_dkim_welcomelist_from()",
            "welcomelist_from_dkim *@a.test",
        ),
        (
            "check_for_def_dkim_whitelist_from()",
            "def_whitelist_auth *@a.test",
        ),
        (
            "check_subject_in_welcomelist()",
            "welcomelist_subject hello",
        ),
        ("check_subject_in_blacklist()", "blocklist_subject buy *"),
        ("check_uri_host_in_blocklist()", "blocklist_uri_host a.test"),
        (
            "check_uri_host_in_whitelist()",
            "welcomelist_uri_host a.test",
        ),
        ("check_uri_host_listed('X')", "enlist_uri_host (X) a.test"),
        ("check_freemail_from()", "freemail_domains a.test"),
        (
            "check_freemail_header('Reply-To','\\d@')",
            "freemail_domains a.*",
        ),
        (
            "check_freemail_header('EnvelopeFrom')",
            "freemail_domains a.test",
        ),
        ("check_freemail_replyto('reply')", "freemail_domains a.test"),
        (
            "check_freemail_replyto('replyto')",
            "freemail_domains a.test",
        ),
    ] {
        let idle = translated(text, &[], "X");
        assert!(matches!(idle, Verdict::Idle(_)), "{text}: {idle:?}");
        let found = translated(text, &[line], "X");
        assert!(matches!(found, Verdict::Rule(_)), "{text}: {found:?}");
        shown(found);
    }
}

#[test]
fn welcome_senders_are_welcome_only_when_confirmed() {
    let found = shown(translated(
        "check_for_def_dkim_whitelist_from()",
        &["def_welcomelist_auth *@a.test"],
        "X",
    ));
    assert!(
        found.contains("DMARC_POLICY_ALLOW") && found.contains("R_DKIM_ALLOW"),
        "{found}"
    );
    let found = shown(translated(
        "check_for_spf_whitelist_from()",
        &["welcomelist_auth *@a.test"],
        "X",
    ));
    assert!(found.contains("R_SPF_ALLOW"), "{found}");
}

#[test]
fn nothing_is_far_away_while_all_languages_are_fine() {
    let entries = Entries::default();
    let mut lists = Lists::new(&entries);
    for text in [
        "check_for_faraway_charset()",
        "check_for_mime('mime_faraway_charset')",
    ] {
        let call = Call::parse(text.as_bytes()).unwrap();
        for all_locales in [true, false] {
            let mut knowledge = Knowledge {
                lists: &mut lists,
                zones: &BTreeMap::new(),
                symbol: "X",
                all_locales,
            };
            let idle = matches!(translate(&call, &mut knowledge), Verdict::Idle(_));
            assert_eq!(idle, all_locales, "{text}");
        }
    }
}
