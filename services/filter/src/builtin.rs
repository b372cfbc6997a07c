//! The signals that need no rules.
//!
//! Each group is a table from what was found to symbol, score and explanation. Symbols and scores
//! follow Rspamd's where it has one; a score of zero explains without deciding.

use mailauth::{AuthResults, DmarcVerdict, Outcome, Policy};
use mime::Defect;

use crate::input::{Input, Origin};
use crate::signal::Signals;

type Entry = (&'static str, f32, &'static str);

/// Everything that is noticed without rules.
pub(crate) fn collect(input: &Input, defects: &[Defect], signals: &mut Signals) {
    if input.origin == Origin::Outside {
        sender(&input.auth, signals);
        if !input.client_is_near() {
            client(input, signals);
        }
    }
    form(input, defects, signals);
}

fn note(signals: &mut Signals, (symbol, score, description): Entry) {
    signals.add(symbol, score, description);
}

/// SPF, DKIM, DMARC and ARC.
fn sender(auth: &AuthResults, signals: &mut Signals) {
    note(signals, spf(auth.spf.result));
    note(signals, dkim(auth));
    note(signals, dmarc(&auth.dmarc));
    match auth.arc.result {
        // Anyone can seal: a chain is worth nothing until its sealers are known.
        Outcome::Pass => signals.add("ARC_ALLOW", 0.0, "the ARC chain is valid"),
        Outcome::Fail => signals.add("ARC_REJECT", 0.0, "the ARC chain is broken"),
        _ => {}
    }
}

fn spf(result: Outcome) -> Entry {
    match result {
        Outcome::Pass => (
            "R_SPF_ALLOW",
            -0.2,
            "the sender's domain vouches for the client",
        ),
        Outcome::Fail => ("R_SPF_FAIL", 1.0, "the sender's domain disowns the client"),
        Outcome::SoftFail => (
            "R_SPF_SOFTFAIL",
            0.5,
            "the sender's domain doubts the client",
        ),
        Outcome::Neutral => ("R_SPF_NEUTRAL", 0.0, "the sender's domain does not say"),
        Outcome::None => ("R_SPF_NA", 0.0, "the sender's domain has no SPF record"),
        Outcome::TempError => ("R_SPF_DNSFAIL", 0.0, "SPF could not be looked up"),
        Outcome::PermError => ("R_SPF_PERMFAIL", 0.0, "the SPF record is unusable"),
    }
}

/// One signal for all signatures: the best result counts.
fn dkim(auth: &AuthResults) -> Entry {
    let any = |result| auth.dkim.iter().any(|verdict| verdict.result == result);
    if any(Outcome::Pass) {
        ("R_DKIM_ALLOW", -0.2, "a signature is valid")
    } else if any(Outcome::TempError) {
        (
            "R_DKIM_TEMPFAIL",
            0.0,
            "a signature's key could not be looked up",
        )
    } else if any(Outcome::Fail) {
        ("R_DKIM_REJECT", 1.0, "no signature is valid")
    } else if any(Outcome::PermError) {
        ("R_DKIM_PERMFAIL", 0.0, "no signature is usable")
    } else {
        ("R_DKIM_NA", 0.0, "no signature")
    }
}

fn dmarc(verdict: &DmarcVerdict) -> Entry {
    match (verdict.result, verdict.policy) {
        (Outcome::Pass, _) => (
            "DMARC_POLICY_ALLOW",
            -0.5,
            "the author's domain is authentic",
        ),
        (Outcome::Fail, Policy::Reject) => (
            "DMARC_POLICY_REJECT",
            2.0,
            "the author's domain asks to refuse this",
        ),
        (Outcome::Fail, Policy::Quarantine) => (
            "DMARC_POLICY_QUARANTINE",
            1.5,
            "the author's domain asks to suspect this",
        ),
        (Outcome::Fail, Policy::None) => (
            "DMARC_POLICY_SOFTFAIL",
            0.1,
            "the author's domain is not authentic",
        ),
        (Outcome::TempError, _) => ("DMARC_DNSFAIL", 0.0, "DMARC could not be looked up"),
        (Outcome::PermError, _) => ("DMARC_BAD_POLICY", 0.5, "DMARC cannot be applied"),
        _ => ("DMARC_NA", 0.0, "the author's domain has no DMARC policy"),
    }
}

/// The client's reverse name and what it calls itself.
fn client(input: &Input, signals: &mut Signals) {
    match input.auth.iprev.result {
        Outcome::PermError => signals.add("RDNS_NONE", 1.0, "the client has no name"),
        Outcome::TempError => signals.add("RDNS_DNSFAIL", 0.0, "no name could be looked up"),
        Outcome::Fail => {
            signals.add(
                "HFILTER_HOSTNAME_UNKNOWN",
                2.5,
                "the client's name is not its own",
            );
        }
        _ => {}
    }
    if let Some(entry) = helo(input) {
        note(signals, entry);
    }
}

/// RFC 5321 §4.1.1.1: the client gives its fully qualified name, or an address literal.
fn helo(input: &Input) -> Option<Entry> {
    let name = input.helo.as_str();
    if name.parse::<std::net::IpAddr>().is_ok() {
        return Some((
            "HFILTER_HELO_BAREIP",
            3.0,
            "the client calls itself by a bare address",
        ));
    }
    if let Some(literal) = name
        .strip_prefix('[')
        .and_then(|name| name.strip_suffix(']'))
    {
        let tagged = literal
            .get(..5)
            .is_some_and(|tag| tag.eq_ignore_ascii_case("IPv6:"));
        let address = if tagged {
            literal.get(5..).unwrap_or_default()
        } else {
            literal
        };
        let own = address
            .parse()
            .is_ok_and(|ip: std::net::IpAddr| ip.to_canonical() == input.ip.to_canonical());
        return (!own).then_some((
            "HFILTER_HELO_BADIP",
            4.5,
            "the client calls itself by another's address",
        ));
    }
    if smtp::address::Domain::parse(name).is_err() || !name.contains('.') {
        return Some((
            "HFILTER_HELO_NOT_FQDN",
            2.0,
            "the client's own name is no full name",
        ));
    }
    None
}

/// How the message is made.
fn form(input: &Input, defects: &[Defect], signals: &mut Signals) {
    for found in defects {
        note(signals, defect(*found));
    }
    let envelope = &input.summary.envelope;
    if envelope.to.is_empty() && envelope.cc.is_empty() {
        signals.add("MISSING_TO", 0.5, "no visible recipient");
    }
    if envelope.subject.as_ref().is_none_or(Vec::is_empty) {
        signals.add("MISSING_SUBJECT", 0.5, "no subject");
    }
}

/// The symbol of a defect.
pub(crate) fn symbol(found: Defect) -> &'static str {
    defect(found).0
}

fn defect(defect: Defect) -> Entry {
    match defect {
        Defect::MissingDate => ("MISSING_DATE", 1.0, "no Date"),
        Defect::InvalidDate => ("INVALID_DATE", 1.5, "a Date that is none"),
        Defect::MissingFrom => ("MISSING_FROM", 4.0, "no From"),
        Defect::MultipleFrom => ("MULTIPLE_FROM", 8.0, "more than one From field"),
        Defect::InvalidFrom => ("INVALID_FROM", 2.0, "a From without an address"),
        Defect::MultipleAuthors => ("MULTIPLE_AUTHORS", 2.0, "more than one author"),
        Defect::MissingMessageId => ("MISSING_MID", 2.5, "no Message-ID"),
        Defect::DuplicateField => ("MULTIPLE_UNIQUE_HEADERS", 3.0, "a field that occurs twice"),
        Defect::MalformedField => (
            "BROKEN_HEADERS",
            3.0,
            "a line in the header that is no field",
        ),
        Defect::UnterminatedHeader => {
            ("UNTERMINATED_HEADER", 0.0, "no empty line after the header")
        }
        Defect::NulByte => ("NUL_BYTE", 2.0, "a NUL octet"),
        Defect::BareLineBreak => ("BARE_LINE_BREAK", 0.5, "a line break that is no CRLF"),
        Defect::EightBitHeader => ("NON_UTF8_HEADER", 1.0, "a header in an unnamed charset"),
        Defect::HeaderTooLong => ("HEADER_TOO_LONG", 3.0, "an overlong header"),
        Defect::LineTooLong => ("LINE_TOO_LONG", 0.2, "a line over 998 octets"),
        Defect::TooDeep => ("MIME_TOO_DEEP", 5.0, "parts nested absurdly deep"),
        Defect::TooManyParts => ("MIME_TOO_MANY_PARTS", 5.0, "absurdly many parts"),
        Defect::UnterminatedMultipart => ("MIME_UNTERMINATED", 0.5, "a multipart without an end"),
        Defect::MissingBoundary => ("MIME_BAD_BOUNDARY", 1.0, "a multipart without its boundary"),
        Defect::InvalidContentType => ("MIME_BAD_CONTENT_TYPE", 0.5, "an unreadable Content-Type"),
        // The list may grow: what is not named here yet is shown and does not count.
        _ => ("MALFORMED", 0.0, "a defect of form"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use smtp::address::ReversePath;

    fn helo_symbol(name: &str, ip: &str) -> Option<&'static str> {
        let input = Input {
            raw: bytes::Bytes::new(),
            summary: mime::Summary::parse(b"").into(),
            auth: AuthResults::default().into(),
            ip: ip.parse().unwrap(),
            helo: name.into(),
            from: ReversePath::Null,
            recipients: Vec::new(),
            origin: Origin::Outside,
            account: None,
            received_at: None,
        };
        helo(&input).map(|(symbol, _, _)| symbol)
    }

    #[test]
    fn helo_names_are_judged() {
        for (name, expected) in [
            ("mail.example.test", None),
            ("[192.0.2.1]", None),
            ("[192.0.2.2]", Some("HFILTER_HELO_BADIP")),
            ("[IPv6:2001:db8::1]", Some("HFILTER_HELO_BADIP")),
            ("[]", Some("HFILTER_HELO_BADIP")),
            ("192.0.2.1", Some("HFILTER_HELO_BAREIP")),
            ("2001:db8::1", Some("HFILTER_HELO_BAREIP")),
            ("localhost", Some("HFILTER_HELO_NOT_FQDN")),
            ("", Some("HFILTER_HELO_NOT_FQDN")),
            ("a..b", Some("HFILTER_HELO_NOT_FQDN")),
        ] {
            assert_eq!(helo_symbol(name, "::ffff:192.0.2.1"), expected, "{name:?}");
        }
        assert_eq!(helo_symbol("[ipv6:2001:db8::1]", "2001:db8::1"), None);
    }
}
