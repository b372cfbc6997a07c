//! Writes the Authentication-Results field.
//!
//! Everything that a sender chose passes through [`value`], which lets no character through that
//! could end a value, open a comment or start another result.
//!
//! RFC 8601 §2.2 (syntax), §2.7 (results and properties), RFC 6008 (`header.b`).

use std::fmt::Write as _;
use std::net::IpAddr;

use smtp::address::Domain;

use crate::results::{AuthResults, DkimVerdict, Outcome, SpfIdentity};

/// Signatures that are shown; the others are as good as absent.
const SIGNATURES_MAX: usize = 10;
/// Characters of one value that are shown.
const VALUE_MAX: usize = 320;

/// The field for `results`, folded, ended by CRLF.
pub(crate) fn field(authserv_id: &Domain, ip: IpAddr, results: &AuthResults) -> String {
    let mut field = format!("Authentication-Results: {authserv_id}");
    spf(&mut field, results);
    dkim(&mut field, &results.dkim);
    dmarc(&mut field, results);
    if results.arc.result != Outcome::None {
        resinfo(&mut field, "arc", results.arc.result, None);
        if let (Outcome::Pass, Some(sealer)) = (results.arc.result, results.arc.sealers.last()) {
            property(&mut field, "policy.sealer", sealer);
        }
    }
    resinfo(&mut field, "iprev", results.iprev.result, None);
    property(&mut field, "policy.iprev", &ip.to_string());
    field.push_str("\r\n");
    field
}

fn spf(field: &mut String, results: &AuthResults) {
    let spf = &results.spf;
    resinfo(field, "spf", spf.result, None);
    match spf.identity {
        SpfIdentity::MailFrom => property(field, "smtp.mailfrom", &spf.sender),
        SpfIdentity::Helo => property(field, "smtp.helo", &spf.sender),
    }
}

fn dkim(field: &mut String, verdicts: &[DkimVerdict]) {
    if verdicts.is_empty() {
        resinfo(field, "dkim", Outcome::None, None);
    }
    for verdict in verdicts.iter().take(SIGNATURES_MAX) {
        resinfo(field, "dkim", verdict.result, verdict.reason);
        for (name, text) in [
            ("header.d", &verdict.domain),
            ("header.s", &verdict.selector),
            ("header.b", &verdict.signature),
        ] {
            if !text.is_empty() {
                property(field, name, text);
            }
        }
    }
}

fn dmarc(field: &mut String, results: &AuthResults) {
    let dmarc = &results.dmarc;
    resinfo(field, "dmarc", dmarc.result, dmarc.reason);
    if matches!(dmarc.result, Outcome::Pass | Outcome::Fail) {
        // The policy that applies, test mode taken into account.
        property(field, "policy.dmarc", dmarc.policy.as_str());
    }
    if let Some(domain) = &dmarc.domain {
        property(field, "header.from", domain.as_str());
    }
}

/// RFC 8601 §2.2: `resinfo = [CFWS] ";" methodspec [ CFWS reasonspec ] *( CFWS propspec )`, each on
/// a line of its own. A reason is one of our own texts.
fn resinfo(field: &mut String, method: &str, result: Outcome, reason: Option<&'static str>) {
    let _ = write!(field, ";\r\n\t{method}={result}");
    if let Some(reason) = reason {
        let _ = write!(field, " reason=\"{reason}\"");
    }
}

fn property(field: &mut String, name: &str, text: &str) {
    let _ = write!(field, " {name}={}", value(text));
}

/// A sender's text as a value: characters of a token and `@` stand as they are, some others need
/// quotes, and what could be misread by a lax reader even in quotes becomes `_`.
pub(crate) fn value(text: &str) -> String {
    let safe: String = text
        .chars()
        .take(VALUE_MAX)
        .map(|c| match c {
            '"' | '\\' | '(' | ')' | ';' | '<' | '>' => '_',
            c if c.is_ascii_graphic() => c,
            _ => '_',
        })
        .collect();
    let bare = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '+' | '@');
    if !safe.is_empty() && safe.chars().all(bare) {
        safe
    } else {
        format!("\"{safe}\"")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::{DmarcVerdict, Policy, SpfOutcome};
    use proptest::prelude::*;

    #[test]
    fn the_field_reads_as_it_should() {
        let mut results = AuthResults {
            spf: SpfOutcome {
                result: Outcome::Pass,
                identity: SpfIdentity::MailFrom,
                domain: None,
                sender: "ann@example.test".into(),
            },
            ..AuthResults::default()
        };
        results.dkim.push(DkimVerdict {
            domain: "example.test".into(),
            selector: "s1".into(),
            result: Outcome::Fail,
            reason: Some("body hash mismatch"),
            signature: "abc/+=12".into(),
        });
        results.dmarc = DmarcVerdict {
            result: Outcome::Pass,
            policy: Policy::Reject,
            domain: Some(Domain::parse("example.test").unwrap()),
            ..DmarcVerdict::default()
        };
        let id = Domain::parse("mx.example.test").unwrap();
        let ip = IpAddr::from([192, 0, 2, 1]);
        assert_eq!(
            field(&id, ip, &results),
            "Authentication-Results: mx.example.test;\r\n\
             \tspf=pass smtp.mailfrom=ann@example.test;\r\n\
             \tdkim=fail reason=\"body hash mismatch\" header.d=example.test header.s=s1 \
             header.b=\"abc/+=12\";\r\n\
             \tdmarc=pass policy.dmarc=reject header.from=example.test;\r\n\
             \tiprev=none policy.iprev=192.0.2.1\r\n"
        );
    }

    #[test]
    fn injections_come_out_harmless() {
        for (text, shown) in [
            ("a@b.test", "a@b.test"),
            ("", "\"\""),
            ("a; dkim=pass", "\"a__dkim=pass\""),
            ("\"@x.test", "_@x.test"),
            ("a(b)@c", "a_b_@c"),
            ("a\0b\r\nX: y", "\"a_b__X:_y\""),
            ("2001:db8::1", "\"2001:db8::1\""),
            ("j\u{f6}rg@c", "j_rg@c"),
        ] {
            assert_eq!(value(text), shown, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn no_text_can_leave_its_value(text in any::<String>()) {
            let shown = value(&text);
            let inner = shown.strip_prefix('"').and_then(|s| s.strip_suffix('"')).unwrap_or(&shown);
            prop_assert!(inner.bytes().all(|b| b.is_ascii_graphic()));
            let forbidden = ['"', '\\', '(', ')', ';', '<', '>'];
            prop_assert!(!inner.contains(forbidden));
        }
    }
}
