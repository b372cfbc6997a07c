//! Functions about header fields, addresses, relays and authentication.

use super::{
    Call, Knowledge, Verdict, all, at_least, at_most, below, field, flag, matches, plain, symbol,
};
use crate::model::Condition;
use crate::spamassassin::header::{any, not};
use crate::spamassassin::pattern;
use crate::vocabulary::{Flag, HeaderPart, Number, Plain, Scope};

const EMPTY: &str = "there is nothing on the list";

/// The name that a function has today.
pub(super) fn current_name(function: &str) -> String {
    function
        .replace("whitelist", "welcomelist")
        .replace("blacklist", "blocklist")
}

pub(super) fn translate(call: &Call, knowledge: &mut Knowledge<'_, '_>) -> Option<Verdict> {
    fields(call)
        .or_else(|| relays(call))
        .or_else(|| names(call))
        .or_else(|| provider(call))
        .map(Verdict::Rule)
        .or_else(|| authentication(call).map(Verdict::Signal))
        .or_else(|| listed(call, knowledge))
        .or_else(|| freemail(call, knowledge))
        .or_else(|| configured(call))
}

fn fields(call: &Call) -> Option<Condition> {
    Some(match call.function.as_str() {
        "check_for_missing_to_header" => all([
            not(Condition::Exists(field("to"))),
            not(Condition::Exists(field("apparently-to"))),
        ]),
        "check_header_count_range" => {
            let name = call.argument(0);
            let sound = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
            if name.is_empty() || name.len() > 76 || !name.bytes().all(sound) {
                return None;
            }
            let times = |count: u16| {
                let expression = format!(r"(?m:(?:^{name}:[^\n]*\n?[\s\S]*?){{{count}}})");
                matches(plain(Plain::Headers), &expression)
            };
            let least: u16 = call
                .argument(1)
                .parse()
                .ok()
                .filter(|&count| count <= 100)?;
            match call.argument(2).parse::<u16>() {
                Ok(most) if most < 100 => all([times(least), not(times(most + 1))]),
                _ => times(least),
            }
        }
        "check_illegal_chars" => illegal(call)?,
        "subject_is_all_caps" => all([
            at_least(Number::SubjectLength, 10.0),
            at_least(Number::SubjectLetters, 1.0),
            at_least(Number::SubjectCapitals, 100.0),
            matches(field("subject"), r"\S\s+\S"),
        ]),
        "check_for_shifted_date" => {
            let bound = |index: usize| match call.argument(index) {
                "undef" | "" => Some(None),
                _ => call.number(index).map(Some),
            };
            match (bound(0)?, bound(1)?) {
                (Some(least), Some(most)) => all([
                    at_least(Number::DateSkewHours, least),
                    below(Number::DateSkewHours, most),
                ]),
                (Some(least), None) => at_least(Number::DateSkewHours, least),
                (None, Some(most)) => below(Number::DateSkewHours, most),
                (None, None) => return None,
            }
        }
        "check_for_to_in_subject" if call.argument(0) == "user" => flag(Flag::SubjectRecipient),
        "sorted_recipients" => flag(Flag::RecipientsSorted),
        "check_unresolved_template" => matches(
            plain(Plain::HeadersRaw),
            r"(?m-i:^(?!(?i:x-|received|dkim-|arc-|authentication-))[^:\s]{1,76}:[^\n]*%[A-Z][A-Z_-])",
        ),
        _ => return None,
    })
}

/// Octets that no header field may have: a share of them, and a count.
fn illegal(call: &Call) -> Option<Condition> {
    let percent = 100.0 * call.number(1)?;
    let count: u16 = call
        .argument(2)
        .parse()
        .ok()
        .filter(|&count| count <= 100)?;
    let octet = r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\xff]";
    let counted = |scope: Scope| {
        let expression = format!("(?s:(?:{octet}.*?){{{count}}})");
        matches(scope, &expression)
    };
    let raw = |name: &str| Scope::Header {
        name: name.to_owned(),
        part: HeaderPart::Raw,
    };
    Some(match call.argument(0) {
        "From" => all([counted(raw("from")), at_least(Number::FromIllegal, percent)]),
        "ALL" => all([
            counted(plain(Plain::HeadersRaw)),
            at_least(Number::HeaderIllegal, percent),
        ]),
        "Subject" if percent == 0.0 => counted(raw("subject")),
        _ => return None,
    })
}

fn relays(call: &Call) -> Option<Condition> {
    let private = r"(?:10|127|169\.254|192\.168|172\.(?:1[6-9]|2\d|3[01]))\.";
    Some(match call.function.as_str() {
        "check_no_relays" => at_most(Number::Received, 0.0),
        "check_all_trusted" => all([
            matches(plain(Plain::RelaysTrusted), r"\[ "),
            not(matches(plain(Plain::RelaysUntrusted), r"\[ ")),
        ]),
        "helo_ip_mismatch" => {
            let address = r"\d{1,3}\.\d{1,3}\.\d{1,3}\.";
            matches(
                plain(Plain::RelaysUntrusted),
                &format!(
                    r"\[ ip=(?!{private})({address})\d{{1,3}} rdns=\S* helo=(?!{private}|\1){address}\d{{1,3}} "
                ),
            )
        }
        "check_mailfrom_matches_rcvd" => flag(Flag::EnvelopeFromClient),
        _ => return None,
    })
}

fn names(call: &Call) -> Option<Condition> {
    let same = |left: Plain, right: Plain| Condition::Same(plain(left), plain(right));
    Some(match call.function.as_str() {
        "check_equal_from_domains" => flag(Flag::EnvelopeFromDiffers),
        "check_for_matching_env_and_hdr_from" => same(Plain::EnvelopeFrom, Plain::From),
        "check_fromname_spoof" => flag(Flag::FromNameIsAddress),
        "check_fromname_equals_to" => same(Plain::FromName, Plain::To),
        "check_fromname_equals_replyto" => same(Plain::FromName, Plain::ReplyTo),
        _ => return None,
    })
}

/// The author has an address of a provider, and nothing in the header is that provider's.
fn provider(call: &Call) -> Option<Condition> {
    let author_is = |domain: &str| {
        let scope = Scope::Header {
            name: "from".to_owned(),
            part: HeaderPart::Address,
        };
        matches(scope, &format!(r"[@.]{domain}\.com$"))
    };
    let relay_is = |domain: &str| {
        let expression = format!(r" rdns=\S+\.{domain}\.com ");
        any([
            matches(plain(Plain::RelaysTrusted), &expression),
            matches(plain(Plain::RelaysUntrusted), &expression),
        ])
    };
    let gated = || {
        let list = r"^contact \S+@\S+; run by ezmlm";
        any([
            not(Condition::Exists(field("received"))),
            matches(field("mailing-list"), list),
        ])
    };
    Some(match call.function.as_str() {
        "gated_through_received_hdr_remover" => gated(),
        "check_for_forged_gmail_received_headers" => all([
            author_is("gmail"),
            not(any([
                matches(
                    field("x-received"),
                    r"\bby (?:10\.|2002:a)\S+ with SMTP id ",
                ),
                matches(
                    field("received"),
                    r"\bby smtp\.(?:googlemail|gmail)\.com with ",
                ),
                matches(field("x-gm-message-state"), r"\S{60}"),
            ])),
        ]),
        "check_for_forged_yahoo_received_headers" => all([
            author_is("yahoo"),
            not(any([
                gated(),
                relay_is("yahoo"),
                matches(field("received"), r"\bby \S+\.yahoo\.com\b"),
            ])),
        ]),
        "check_for_no_hotmail_received_headers" => all([
            author_is("hotmail"),
            not(any([
                gated(),
                relay_is("(?:hotmail|outlook)"),
                matches(
                    field("received"),
                    r"\b(?:from|by) \S*\.(?:hotmail|outlook)\.com\b",
                ),
            ])),
        ]),
        _ => return None,
    })
}

/// What SPF, DKIM, DMARC, ARC and the Bayes filter say, which have symbols of the filter's own.
fn authentication(call: &Call) -> Option<Condition> {
    Some(match call.function.as_str() {
        "check_for_spf_pass" => symbol("R_SPF_ALLOW"),
        "check_for_spf_fail" => symbol("R_SPF_FAIL"),
        "check_for_spf_softfail" => symbol("R_SPF_SOFTFAIL"),
        "check_for_spf_neutral" => symbol("R_SPF_NEUTRAL"),
        "check_for_spf_none" => symbol("R_SPF_NA"),
        "check_for_spf_temperror" => symbol("R_SPF_DNSFAIL"),
        "check_for_spf_permerror" => symbol("R_SPF_PERMFAIL"),
        "check_dkim_signed" => Condition::Exists(field("dkim-signature")),
        "check_dkim_valid" if call.arguments.is_empty() => symbol("R_DKIM_ALLOW"),
        "check_dkim_valid" => all([symbol("R_DKIM_ALLOW"), signed_by(&call.arguments)?]),
        "check_dkim_dependable" => symbol("R_DKIM_ALLOW"),
        "check_dkim_valid_author_sig" => author_is_sure(),
        "check_dkim_valid_envelopefrom" => {
            all([author_is_sure(), not(flag(Flag::EnvelopeFromDiffers))])
        }
        "check_dmarc_pass" => symbol("DMARC_POLICY_ALLOW"),
        "check_dmarc_reject" => symbol("DMARC_POLICY_REJECT"),
        "check_dmarc_quarantine" => symbol("DMARC_POLICY_QUARANTINE"),
        "check_dmarc_none" => symbol("DMARC_POLICY_SOFTFAIL"),
        "check_dmarc_missing" => symbol("DMARC_NA"),
        "check_arc_signed" => Condition::Exists(field("arc-seal")),
        "check_arc_valid" => symbol("ARC_ALLOW"),
        "check_bayes" => match (call.number(0)?, call.number(1)?) {
            (least, most) if least >= 0.99 && most >= 1.0 => symbol("BAYES_SPAM"),
            (least, most) if least <= 0.0 && most <= 0.01 => symbol("BAYES_HAM"),
            _ => return None,
        },
        _ => return None,
    })
}

/// A valid signature, and an author's domain that answers for the message: the signature may be
/// another's, but then SPF spoke for the author.
fn author_is_sure() -> Condition {
    all([symbol("R_DKIM_ALLOW"), symbol("DMARC_POLICY_ALLOW")])
}

fn signed_by(domains: &[String]) -> Option<Condition> {
    let sound = |domain: &String| {
        let inner = |byte: u8| byte.is_ascii_alphanumeric() || b".-".contains(&byte);
        !domain.is_empty() && domain.len() <= 253 && domain.bytes().all(inner)
    };
    if !domains.iter().all(sound) {
        return None;
    }
    let domains: Vec<String> = domains
        .iter()
        .map(|domain| domain.replace('.', r"\."))
        .collect();
    let expression = format!(
        r"\bd\s*=\s*(?:[\w.-]+\.)?(?:{})\s*(?:;|$)",
        domains.join("|")
    );
    Some(matches(field("dkim-signature"), &expression))
}

fn listed(call: &Call, knowledge: &mut Knowledge<'_, '_>) -> Option<Verdict> {
    let from = [plain(Plain::From), plain(Plain::EnvelopeFrom)];
    let to = [plain(Plain::To), plain(Plain::Recipient)];
    let mut on = |list: &str, scopes: &[Scope]| knowledge.lists.addresses(list, scopes);
    let subject = field("subject");
    let condition = match current_name(&call.function).as_str() {
        "check_from_in_welcomelist" => on("welcomelist_from", &from),
        "check_from_in_default_welcomelist" => on("def_welcomelist_from", &from),
        "check_from_in_blocklist" => on("blocklist_from", &from),
        "check_to_in_welcomelist" => on("welcomelist_to", &to),
        "check_to_in_more_spam" => on("more_spam_to", &to),
        "check_to_in_all_spam" => on("all_spam_to", &to),
        "check_to_in_blocklist" => on("blocklist_to", &to),
        "check_from_in_list" => on(&format!("addresses_{}", call.argument(0)), &from),
        "check_replyto_in_list" => {
            let scope = [plain(Plain::ReplyTo)];
            on(&format!("addresses_{}", call.argument(0)), &scope)
        }
        "check_for_spf_welcomelist_from" => by_spf(knowledge, ""),
        "check_for_def_spf_welcomelist_from" => by_spf(knowledge, "def_"),
        "check_for_dkim_welcomelist_from" => by_dkim(knowledge, ""),
        "check_for_def_dkim_welcomelist_from" => by_dkim(knowledge, "def_"),
        "check_subject_in_welcomelist" => knowledge.lists.phrases("welcomelist_subject", &subject),
        "check_subject_in_blocklist" => knowledge.lists.phrases("blocklist_subject", &subject),
        _ => return None,
    };
    Some(condition.map_or(Verdict::Idle(EMPTY), Verdict::Rule))
}

/// The envelope sender is on a list, and SPF speaks for it.
fn by_spf(knowledge: &mut Knowledge<'_, '_>, which: &str) -> Option<Condition> {
    let scope = [plain(Plain::EnvelopeFrom)];
    let mut on = |list: &str| {
        let name = format!("{which}welcomelist_{list}");
        knowledge.lists.addresses(&name, &scope)
    };
    let listed: Vec<Condition> = [on("from_spf"), on("auth")].into_iter().flatten().collect();
    (!listed.is_empty()).then(|| all([symbol("R_SPF_ALLOW"), any(listed)]))
}

/// The author is on a list, and the author's domain answers for the message.
fn by_dkim(knowledge: &mut Knowledge<'_, '_>, which: &str) -> Option<Condition> {
    let scope = [plain(Plain::From)];
    let mut on = |list: &str| {
        let name = format!("{which}welcomelist_{list}");
        knowledge.lists.addresses(&name, &scope)
    };
    let listed: Vec<Condition> = [on("from_dkim"), on("auth")]
        .into_iter()
        .flatten()
        .collect();
    (!listed.is_empty()).then(|| all([author_is_sure(), any(listed)]))
}

fn freemail(call: &Call, knowledge: &mut Knowledge<'_, '_>) -> Option<Verdict> {
    let from = [plain(Plain::From), plain(Plain::EnvelopeFrom)];
    let author = [plain(Plain::From)];
    let reply = [plain(Plain::ReplyTo)];
    let condition = match call.function.as_str() {
        "check_freemail_from" => of_freemail(knowledge, &from, call.argument(0))?,
        "check_freemail_header" => {
            let name = call.argument(0);
            let name = name.strip_suffix(":addr").unwrap_or(name);
            let scope = match name {
                "EnvelopeFrom" => plain(Plain::EnvelopeFrom),
                _ => Scope::Header {
                    name: name.to_ascii_lowercase(),
                    part: HeaderPart::Address,
                },
            };
            if scope.to_string().parse().as_ref() != Ok(&scope) {
                return None;
            }
            of_freemail(knowledge, &[scope], call.argument(1))?
        }
        "check_freemail_replyto" => {
            let author_is = of_freemail(knowledge, &author, "")?;
            let reply_is = of_freemail(knowledge, &reply, "")?;
            let body_is = of_freemail(knowledge, &[plain(Plain::BodyAddress)], "")?;
            match (author_is, reply_is, body_is) {
                (Some(author_is), Some(reply_is), Some(body_is)) => Some(replies(
                    call.argument(0) == "reply",
                    author_is,
                    reply_is,
                    body_is,
                )),
                _ => None,
            }
        }
        _ => return None,
    };
    Some(condition.map_or(Verdict::Idle(EMPTY), Verdict::Rule))
}

/// Author and Reply-To are different free mail addresses, or the text names another one than that
/// which a reply goes to.
fn replies(
    to_author: bool,
    author_is: Condition,
    reply_is: Condition,
    body_is: Condition,
) -> Condition {
    let same = |left: Plain, right: Plain| Condition::Same(plain(left), plain(right));
    let different = all([
        author_is.clone(),
        reply_is.clone(),
        not(same(Plain::From, Plain::ReplyTo)),
    ]);
    let other_in_text = all([
        reply_is,
        body_is.clone(),
        not(same(Plain::ReplyTo, Plain::BodyAddress)),
    ]);
    if !to_author {
        return any([different, other_in_text]);
    }
    let other_than_author = all([
        author_is,
        not(Condition::Exists(field("reply-to"))),
        body_is,
        not(same(Plain::From, Plain::BodyAddress)),
    ]);
    any([different, other_in_text, other_than_author])
}

/// That an address is one of a free mail provider. `None` when the function's pattern is wrong.
fn of_freemail(
    knowledge: &mut Knowledge<'_, '_>,
    scopes: &[Scope],
    expression: &str,
) -> Option<Option<Condition>> {
    let Some(mut condition) = knowledge.lists.addresses("freemail_domains", scopes) else {
        return Some(None);
    };
    if let Some(exempt) = knowledge.lists.addresses("freemail_welcomelist", scopes) {
        condition = all([condition, not(exempt)]);
    }
    if !expression.is_empty() {
        let pattern = pattern::bare(expression).ok()?;
        let matches = scopes.iter().map(|scope| Condition::Match {
            scope: scope.clone(),
            patterns: vec![pattern.clone()],
        });
        condition = all([condition, any(matches)]);
    }
    Some(Some(condition))
}

/// Functions that answer no unless something is configured that nobody configures here.
fn configured(call: &Call) -> Option<Verdict> {
    match current_name(&call.function).as_str() {
        "have_any_bounce_relays" | "check_welcomelist_bounce_relays" => Some(Verdict::Idle(
            "relays of bounces are not configured: answers to forged mail are told otherwise",
        )),
        _ => None,
    }
}
