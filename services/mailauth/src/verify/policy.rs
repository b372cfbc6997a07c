//! The syntax of SPF records, as far as the library lets it pass.
//!
//! RFC 7208 §4.5: a domain with two records has none that counts. §4.6: a mechanism that nobody
//! knows spoils the whole record. The library takes the first record and skips such a mechanism,
//! and the `-all` behind a misspelt `include` would then disown a domain's own servers.

use smtp::address::Domain;

use super::Authenticator;

impl Authenticator {
    /// Whether the SPF record of `domain` is the only one and all of its terms are known. True when
    /// it cannot be looked at.
    pub(super) async fn policy_is_sound(&self, domain: &Domain) -> bool {
        use dns::Resolver as _;
        match self.resolver.txt(domain.as_str()).await {
            Ok(texts) => sound(&texts),
            Err(_) => true,
        }
    }
}

fn sound(texts: &[String]) -> bool {
    let mut records = texts.iter().filter_map(|text| {
        let (version, terms) = text.split_once(' ').unwrap_or((text, ""));
        version.eq_ignore_ascii_case("v=spf1").then_some(terms)
    });
    let Some(terms) = records.next() else {
        return true;
    };
    records.next().is_none() && terms.split(' ').filter(|term| !term.is_empty()).all(known)
}

/// RFC 7208 §4.6.1: `directive = [ qualifier ] mechanism`; a name before `=` makes a modifier, and
/// unknown modifiers are ignored.
fn known(term: &str) -> bool {
    const MECHANISMS: [&str; 8] = ["all", "include", "a", "mx", "ptr", "ip4", "ip6", "exists"];
    let bare = term.strip_prefix(['+', '-', '?', '~']).unwrap_or(term);
    let end = bare.find([':', '/', '=']).unwrap_or(bare.len());
    let (name, rest) = bare.split_at(end);
    if rest.starts_with('=') {
        return !name.is_empty() && bare.len() == term.len();
    }
    MECHANISMS
        .iter()
        .any(|mechanism| mechanism.eq_ignore_ascii_case(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_record_of_known_terms_is_sound() {
        for (texts, expected) in [
            (&["v=spf1 -all"][..], true),
            (&["V=SPF1"], true),
            (
                &[
                    "other",
                    "v=spf1 ip4:192.0.2.0/24 a/24 MX include:a.test ~ALL",
                    "v=spf10 x",
                ],
                true,
            ),
            (&["v=spf1 x-new=1 redirect=_spf.a.test"], true),
            (&["none here"], true),
            (&["v=spf1 inlcude:a.test -all"], false),
            (&["v=spf1 ipv4:192.0.2.1 -all"], false),
            (&["v=spf1 -x=1"], false),
            (&["v=spf1 :a"], false),
            (&["v=spf1 -all", "v=spf1 +all"], false),
        ] {
            let texts: Vec<String> = texts.iter().map(|text| (*text).to_owned()).collect();
            assert_eq!(sound(&texts), expected, "{texts:?}");
        }
    }
}
