//! Functions about text, HTML, URLs and MIME.

use super::{
    Call, Knowledge, Verdict, above, all, at_least, at_most, below, between, caseless, field, flag,
    matches, plain, symbol,
};
use crate::model::Condition;
use crate::spamassassin::header::{any, not};
use crate::spamassassin::pattern;
use crate::vocabulary::{Flag, Number, Plain, Scope};

const LOCALES: &str = "mail in all languages is fine";
const EMPTY: &str = "there is nothing on the list";

pub(super) fn translate(call: &Call, knowledge: &mut Knowledge<'_, '_>) -> Option<Verdict> {
    text(call)
        .or_else(|| html(call))
        .or_else(|| links(call))
        .or_else(|| mime(call))
        .map(Verdict::Rule)
        .or_else(|| charset(call, knowledge))
        .or_else(|| hosts(call, knowledge))
        .or_else(|| defect(call))
}

fn text(call: &Call) -> Option<Condition> {
    Some(match call.function.as_str() {
        "check_for_uppercase" => all([
            at_least(Number::TextLength, 200.0),
            between(Number::TextCapitals, call.number(0)?, call.number(1)),
        ]),
        "check_blank_line_ratio" => all([
            at_least(Number::Lines, call.number(2).unwrap_or(1.0)),
            between(Number::BlankLines, call.number(0)?, call.number(1)),
        ]),
        "check_body_length" => below(Number::TextLength, call.number(0)?),
        "check_body_8bits" => matches(plain(Plain::Body), r"[\x80-\xff]{8}"),
        "multipart_alternative_difference" => between(
            Number::AlternativeDifference,
            call.number(0)?,
            call.number(1),
        ),
        "check_mime_multipart_ratio" => all([
            at_least(Number::PlainPerHtml, 100.0 * call.number(0)?),
            below(Number::PlainPerHtml, 100.0 * call.number(1)?),
        ]),
        _ => return None,
    })
}

/// A pattern over HTML as it stands.
fn markup(expression: &str) -> Condition {
    all([
        flag(Flag::HasHtml),
        matches(plain(Plain::RawBody), expression),
    ])
}

fn tag(name: &str) -> Option<String> {
    let sound = (1..=20).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_alphanumeric());
    sound.then(|| name.to_ascii_lowercase())
}

fn html(call: &Call) -> Option<Condition> {
    Some(match call.function.as_str() {
        "html_test" => match call.argument(0) {
            "html" => flag(Flag::HasHtml),
            "font_low_contrast" => flag(Flag::HtmlLowContrast),
            "font_near_invisible" | "font_invisible" => flag(Flag::HtmlHiddenText),
            "embeds" => flag(Flag::HtmlObject),
            "javascript" => flag(Flag::HtmlScript),
            "forms" => flag(Flag::HtmlForm),
            "form_action_mailto" => {
                markup(r#"<form\s[^>]{0,1000}\baction\s{0,9}=\s{0,9}["']?\s{0,9}mailto:"#)
            }
            _ => return None,
        },
        "html_range" if call.argument(0) == "length" => {
            between(Number::HtmlText, call.number(1)?, call.number(2))
        }
        "html_eval" if call.argument(0) == "length" => compared(call.argument(1))?,
        "html_image_only" => all([
            at_least(Number::Images, 1.0),
            between(Number::HtmlText, call.number(0)?, call.number(1)),
        ]),
        "html_tag_exists" => markup(&format!(r"<{}(?![\w:.-])", tag(call.argument(0))?)),
        "html_tag_balance" if call.argument(1).split_whitespace().eq(["!=", "0"]) => {
            let tag = tag(call.argument(0))?;
            let open = matches(plain(Plain::RawBody), &format!(r"<{tag}(?![\w:.-])"));
            let close = matches(plain(Plain::RawBody), &format!(r"</{tag}(?![\w:.-])"));
            let odd = any([
                all([open.clone(), not(close.clone())]),
                all([close, not(open)]),
            ]);
            all([flag(Flag::HasHtml), odd])
        }
        "html_text_match" => text_of(call.argument(0), call.argument(1))?,
        "check_iframe_src" => markup(r#"<iframe\s[^>]{0,1000}\bsrc\s{0,9}=\s{0,9}["']?\w"#),
        _ => return None,
    })
}

/// `< 384`
fn compared(text: &str) -> Option<Condition> {
    let text = text.trim();
    let digits = text.trim_start_matches(['<', '>', '=', '!']);
    let bound: f64 = digits
        .trim()
        .parse()
        .ok()
        .filter(|bound: &f64| bound.is_finite())?;
    let condition = match text.strip_suffix(digits)? {
        "<" => below(Number::HtmlText, bound),
        "<=" => at_most(Number::HtmlText, bound),
        ">" => above(Number::HtmlText, bound),
        ">=" => at_least(Number::HtmlText, bound),
        _ => return None,
    };
    Some(all([flag(Flag::HasHtml), condition]))
}

/// Matches of a pattern with comments, titles or what stands between link tags.
fn text_of(what: &str, expression: &str) -> Option<Condition> {
    match (what, expression) {
        ("comment", _) => {
            let pattern = pattern::bare(expression).ok()?;
            // What is no comment would match a pattern that does not ask for one.
            pattern.expression.starts_with(b"<!").then(|| {
                let scope = plain(Plain::RawBody);
                let patterns = vec![pattern];
                all([flag(Flag::HasHtml), Condition::Match { scope, patterns }])
            })
        }
        ("anchor", "<img>") => Some(markup(
            r"<a\s[^>]{0,2000}>(?:[^<]|<(?!/a\b|img\b)){0,500}<img\b",
        )),
        ("title", expression) => {
            let count = expression.strip_prefix(".{")?.strip_suffix('}')?;
            let count: u16 = count.trim_end_matches(',').parse().ok()?;
            Some(markup(&format!("<title[^>]{{0,100}}>[^<]{{{count}}}")))
        }
        _ => None,
    }
}

fn links(call: &Call) -> Option<Condition> {
    Some(match call.function.as_str() {
        "check_https_http_mismatch" => flag(Flag::LinkDowngrade),
        "check_https_ip_mismatch" => all([
            flag(Flag::UrlIp),
            flag(Flag::LinkMismatch),
            matches(plain(Plain::LinkText), r"^\s*https://[a-z]"),
        ]),
        _ => return None,
    })
}

fn mime(call: &Call) -> Option<Condition> {
    let encoding = |name: &str| {
        let scope = Scope::Mime {
            name: "content-transfer-encoding".to_owned(),
            raw: false,
        };
        let expression = format!(r"^\s*{name}");
        any([
            matches(scope, &expression),
            matches(field("content-transfer-encoding"), &expression),
        ])
    };
    Some(match (call.function.as_str(), call.argument(0)) {
        ("check_for_mime", "mime_base64_count") => encoding("base64"),
        ("check_for_mime", "mime_qp_count") => encoding("quoted-printable"),
        ("check_for_mime", "mime_attachment") => at_least(Number::Attachments, 1.0),
        ("check_for_mime", "mime_base64_encoded_text") => flag(Flag::TextBase64Needlessly),
        ("check_for_mime", "mime_qp_long_line") => flag(Flag::MimeLongQuotedLine),
        ("check_for_mime", "mime_bad_iso_charset") => {
            let scope = Scope::Mime {
                name: "content-type".to_owned(),
                raw: false,
            };
            let strange = r#"\bcharset\s*=\s*"?iso-(?!8859-\d{1,2}(?!\d)|2022-|10646|ir-)\w"#;
            Condition::Match {
                scope,
                patterns: vec![caseless(strange)],
            }
        }
        ("check_for_mime_html", _) => flag(Flag::HasHtml),
        ("check_for_mime_html_only", _) => all([flag(Flag::HasHtml), not(flag(Flag::HasPlain))]),
        ("check_ma_non_text", _) => flag(Flag::MimeAlternativeOther),
        ("check_for_ascii_text_illegal", _) => flag(Flag::TextUndeclaredEightBit),
        ("check_base64_length", _) => {
            let least = at_least(Number::Base64Line, call.number(0)?);
            match call.number(1) {
                Some(most) => all([least, at_most(Number::Base64Line, most)]),
                None => least,
            }
        }
        ("check_microsoft_executable", _) => flag(Flag::AttachmentExecutable),
        ("check_suspect_name", _) => flag(Flag::AttachmentDoubleExtension),
        _ => return None,
    })
}

fn charset(call: &Call, knowledge: &Knowledge<'_, '_>) -> Option<Verdict> {
    let asks = match call.function.as_str() {
        "check_for_faraway_charset"
        | "check_for_faraway_charset_in_headers"
        | "html_charset_faraway" => true,
        "check_for_mime" => call.argument(0) == "mime_faraway_charset",
        _ => false,
    };
    (asks && knowledge.all_locales).then_some(Verdict::Idle(LOCALES))
}

fn hosts(call: &Call, knowledge: &mut Knowledge<'_, '_>) -> Option<Verdict> {
    let list = match call.function.as_str() {
        "check_uri_host_in_blocklist" | "check_uri_host_in_blacklist" => "BLOCK",
        "check_uri_host_in_welcomelist" | "check_uri_host_in_whitelist" => "WELCOME",
        "check_uri_host_listed" => call.argument(0),
        _ => return None,
    };
    let list = format!("hosts_{list}");
    let condition = knowledge.lists.hosts(&list, &plain(Plain::UrlHost));
    Some(condition.map_or(Verdict::Idle(EMPTY), Verdict::Rule))
}

/// What the reader of messages stumbles over, which the filter tells itself.
fn defect(call: &Call) -> Option<Verdict> {
    let name = match (call.function.as_str(), call.argument(0)) {
        ("check_msg_parse_flags", "truncated_header") => "HEADER_TOO_LONG",
        ("check_msg_parse_flags", "missing_head_body_separator") => "UNTERMINATED_HEADER",
        ("check_for_mime", "mimepart_limit_exceeded") => "MIME_TOO_MANY_PARTS",
        _ => return None,
    };
    Some(Verdict::Signal(symbol(name)))
}
