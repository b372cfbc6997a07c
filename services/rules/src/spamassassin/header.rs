//! What `header`, `mimeheader` and `uri_detail` rules look at.

use super::line::word;
use super::pattern;
use crate::model::{Condition, PatternText};
use crate::vocabulary::{HeaderPart, Plain, Scope};

/// Fields that a message has once, so that the first and the last are the field.
const SINGLE: &[&str] = &[
    "from",
    "sender",
    "reply-to",
    "to",
    "cc",
    "subject",
    "date",
    "message-id",
    "return-path",
    "content-type",
    "mime-version",
];

/// What is asked of a field.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Test {
    /// Whether it is there.
    Exists(Vec<Scope>),
    /// Whether its value matches, or does not.
    Match {
        /// Where its values are.
        scopes: Vec<Scope>,
        /// `!~`.
        negated: bool,
        /// The pattern.
        pattern: PatternText,
        /// What stands for the value when the field is not there.
        unset: Vec<u8>,
    },
}

impl Test {
    /// The condition, given whether the pattern matches what stands for an absent field.
    pub(super) fn condition(self, unset_matches: bool) -> Condition {
        let exists = |scopes: &[Scope]| any(scopes.iter().cloned().map(Condition::Exists));
        match self {
            Self::Exists(scopes) => exists(&scopes),
            Self::Match {
                scopes,
                negated,
                pattern,
                ..
            } => {
                let matches = any(scopes.iter().map(|scope| Condition::Match {
                    scope: scope.clone(),
                    patterns: vec![pattern.clone()],
                }));
                match (negated, unset_matches) {
                    (false, false) => matches,
                    (false, true) => any([matches, not(exists(&scopes))]),
                    (true, false) => not(matches),
                    (true, true) => Condition::All(vec![exists(&scopes), not(matches)]),
                }
            }
        }
    }
}

/// One of the conditions; itself if there is one only.
pub(super) fn any(conditions: impl IntoIterator<Item = Condition>) -> Condition {
    let mut conditions: Vec<Condition> = conditions.into_iter().collect();
    match conditions.len() {
        1 => conditions.swap_remove(0),
        _ => Condition::Any(conditions),
    }
}

/// The opposite.
pub(super) fn not(condition: Condition) -> Condition {
    Condition::Not(Box::new(condition))
}

/// Reads what follows the name of a `header` or `mimeheader` rule.
///
/// # Errors
///
/// Why it asks nothing that can be answered.
pub(super) fn read(directive: &str, text: &[u8]) -> Result<Test, String> {
    let mime = directive == "mimeheader";
    if let Some(name) = text.strip_prefix(b"exists:") {
        let name = String::from_utf8_lossy(name.trim_ascii());
        let name = name.strip_suffix(':').unwrap_or(&name);
        return scopes(name, mime).map(Test::Exists);
    }
    let operator = text
        .windows(2)
        .position(|at| at == b"=~" || at == b"!~")
        .ok_or_else(|| "there is neither =~ nor !~".to_owned())?;
    let (name, rest) = text.split_at(operator);
    let (operator, rest) = rest.split_at(2);
    let name = String::from_utf8_lossy(name.trim_ascii());
    let scopes = scopes(name.strip_suffix(':').unwrap_or(&name), mime)?;
    let (rest, unset) = split_unset(rest.trim_ascii());
    let pattern = pattern::whole(rest)?;
    let (scopes, pattern) = match first_received(&scopes, &pattern) {
        Some(pattern) => (vec![Scope::Plain(Plain::Headers)], pattern),
        None => (scopes, pattern),
    };
    Ok(Test::Match {
        scopes,
        negated: operator == b"!~",
        pattern,
        unset: unset.to_vec(),
    })
}

/// SpamAssassin joins the Received fields, so `^` without flag m is the start of the first one. A
/// pattern that begins so becomes one over all fields that passes over those before.
fn first_received(scopes: &[Scope], pattern: &PatternText) -> Option<PatternText> {
    let received = Scope::Header {
        name: "received".to_owned(),
        part: HeaderPart::Value,
    };
    let rest = pattern.expression.strip_prefix(b"^")?;
    if scopes != [received] || pattern.flags.multi_line || pattern.flags.extended {
        return None;
    }
    // An alternative outside of groups would not begin with ^.
    let mut depth = 0_usize;
    let mut escaped = false;
    for &byte in rest {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'(' | b'[' => depth += 1,
            b')' | b']' => depth = depth.saturating_sub(1),
            b'|' if depth == 0 => return None,
            _ => {}
        }
    }
    let front = r"\A(?:(?!(?i:Received:))[^\n]*\n)*+(?i:Received:)[ \t]*+";
    Some(PatternText {
        expression: [front.as_bytes(), rest].concat(),
        flags: pattern.flags,
    })
}

/// The pattern, and what `[if-unset: …]` after it says.
fn split_unset(text: &[u8]) -> (&[u8], &[u8]) {
    const SIGN: &[u8] = b"[if-unset:";
    let Some(inner) = text.strip_suffix(b"]") else {
        return (text, b"");
    };
    let Some(start) = inner.windows(SIGN.len()).rposition(|at| at == SIGN) else {
        return (text, b"");
    };
    let (pattern, unset) = inner.split_at(start);
    let unset = unset.get(SIGN.len()..).unwrap_or_default();
    (pattern.trim_ascii(), unset.trim_ascii())
}

fn scopes(spec: &str, mime: bool) -> Result<Vec<Scope>, String> {
    let mut pieces = spec.split(':');
    let name = pieces.next().unwrap_or_default();
    let modifiers: Vec<&str> = pieces.collect();
    let sound = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte);
    if name.is_empty() || name.len() > 76 || !name.bytes().all(sound) {
        return Err(format!(
            "{:?} is no field",
            name.chars().take(40).collect::<String>()
        ));
    }
    let scopes = if mime {
        let raw = match modifiers.as_slice() {
            [] => false,
            ["raw"] => true,
            _ => {
                return Err(format!(
                    "mimeheader has no modifier {:?}",
                    modifiers.join(":")
                ));
            }
        };
        if name == "ALL" {
            return Err("all fields of a MIME part at once are not known".to_owned());
        }
        let name = name.to_ascii_lowercase();
        vec![Scope::Mime { name, raw }]
    } else {
        of_message(name, &modifiers)?
    };
    // A field whose name ends like one of our modifiers cannot be told apart.
    match scopes
        .iter()
        .find(|scope| scope.to_string().parse().as_ref() != Ok(*scope))
    {
        Some(_) => Err(format!("the field {name} cannot be looked at")),
        None => Ok(scopes),
    }
}

fn of_message(name: &str, modifiers: &[&str]) -> Result<Vec<Scope>, String> {
    let mut part = None;
    for &modifier in modifiers {
        match modifier {
            "first" | "last" if SINGLE.contains(&name.to_ascii_lowercase().as_str()) => {}
            // The name as it stands is part of the field as it stands.
            "raw" if part == Some("name") => part = Some("raw"),
            "raw" | "addr" | "name" | "host" | "domain"
                if part.is_none() || part == Some(modifier) =>
            {
                part = Some(modifier);
            }
            other => return Err(format!("{name}:{other} is not known")),
        }
    }
    let plain = |plain: Plain| Ok(vec![Scope::Plain(plain)]);
    match (name, part) {
        ("ALL", Some("raw")) => return plain(Plain::HeadersRaw),
        ("ALL", None) => return plain(Plain::Headers),
        // The part of the header that strangers wrote, as it stands: all of it when the message
        // came from them directly.
        ("ALL-EXTERNAL" | "ALL-UNTRUSTED", None | Some("raw")) => return plain(Plain::HeadersRaw),
        ("EnvelopeFrom", None | Some("addr" | "raw")) => return plain(Plain::EnvelopeFrom),
        ("EnvelopeFrom", Some("host" | "domain")) => return plain(Plain::EnvelopeFromDomain),
        ("X-Spam-Relays-Trusted" | "X-Spam-Relays-Internal", None) => {
            return plain(Plain::RelaysTrusted);
        }
        ("X-Spam-Relays-Untrusted" | "X-Spam-Relays-External", None) => {
            return plain(Plain::RelaysUntrusted);
        }
        _ if name.starts_with("ALL-") => return Err(format!("{name} is not known")),
        _ => {}
    }
    let lower = name.to_ascii_lowercase();
    let domains = match lower.as_str() {
        _ if !matches!(part, Some("host" | "domain")) => None,
        "from" => Some(Plain::FromDomain),
        "reply-to" => Some(Plain::ReplyToDomain),
        "tocc" => Some(Plain::ToDomain),
        _ => return Err(format!("the domains of {name} are not known")),
    };
    if let Some(domains) = domains {
        return plain(domains);
    }
    let part = match part {
        None => HeaderPart::Value,
        Some("raw") => HeaderPart::Raw,
        Some("name") => HeaderPart::Name,
        Some(_) => HeaderPart::Address,
    };
    let field = |name: &str| Scope::Header {
        name: name.to_owned(),
        part,
    };
    // These are no fields; in other letters they are.
    match name {
        "MESSAGEID" if part == HeaderPart::Value => plain(Plain::MessageIds),
        "MESSAGEID" => Ok(["message-id", "resent-message-id", "x-message-id"]
            .map(field)
            .to_vec()),
        "ToCc" => Ok(["to", "cc"].map(field).to_vec()),
        _ => Ok(vec![field(&lower)]),
    }
}

/// What a `uri_detail` rule asks of URLs.
///
/// Each of its keys is asked of all URLs: nothing ties the keys to one URL.
///
/// # Errors
///
/// Why it asks nothing that can be answered.
pub(super) fn read_uri_detail(text: &[u8]) -> Result<Vec<(Scope, bool, PatternText)>, String> {
    let mut asked = Vec::new();
    let mut rest = text.trim_ascii();
    while !rest.is_empty() {
        if asked.len() >= 32 {
            return Err("it has too many keys".to_owned());
        }
        let end = rest
            .iter()
            .position(|&byte| byte.is_ascii_whitespace() || byte == b'=' || byte == b'!')
            .unwrap_or(rest.len());
        let (key, after) = rest.split_at(end);
        let (operator, after) = match after.trim_ascii() {
            [b'=', b'~', after @ ..] => (false, after),
            [b'!', b'~', after @ ..] => (true, after),
            _ => return Err("there is neither =~ nor !~".to_owned()),
        };
        let scope = match key {
            b"raw" | b"cleaned" => Plain::Url,
            b"text" => Plain::LinkText,
            b"domain" => Plain::UrlDomain,
            b"host" => Plain::UrlHost,
            other => {
                let key: String = String::from_utf8_lossy(other).chars().take(40).collect();
                return Err(format!("the key {key} of URLs is not known"));
            }
        };
        let (pattern, after) = pattern::leading(after.trim_ascii())?;
        asked.push((Scope::Plain(scope), operator, pattern));
        rest = after.trim_ascii();
    }
    match asked.is_empty() {
        true => Err("it asks nothing".to_owned()),
        false => Ok(asked),
    }
}

/// The name of a rule and what follows it.
///
/// # Errors
///
/// When it is none.
pub(super) fn symbol(rest: &[u8]) -> Result<(&str, &[u8]), String> {
    let (name, rest) = word(rest);
    let text = std::str::from_utf8(name).unwrap_or_default();
    match crate::limits::symbol(text) {
        Ok(()) => Ok((text, rest)),
        Err(error) => Err(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scope_of(text: &str) -> Result<String, String> {
        let test = read("header", format!("{text} =~ /x/").as_bytes())?;
        let Test::Match { scopes, .. } = test else {
            panic!("{text}");
        };
        let names: Vec<String> = scopes.iter().map(ToString::to_string).collect();
        Ok(names.join(" "))
    }

    #[test]
    fn fields_have_their_scopes() {
        let cases = [
            ("Subject", "header.subject"),
            ("Subject:raw", "header.subject.raw"),
            ("Subject:raw:raw", "header.subject.raw"),
            ("From:addr", "header.from.address"),
            ("From:name", "header.from.name"),
            ("From:name:raw", "header.from.raw"),
            ("From:addr:first", "header.from.address"),
            ("From:domain", "from.domain"),
            ("Reply-To:host", "reply_to.domain"),
            ("ALL", "headers"),
            ("ALL:raw", "headers.raw"),
            ("ALL-EXTERNAL", "headers.raw"),
            ("ToCc", "header.to header.cc"),
            ("ToCc:addr", "header.to.address header.cc.address"),
            ("EnvelopeFrom", "envelope_from"),
            ("EnvelopeFrom:addr", "envelope_from"),
            ("MESSAGEID", "message_ids"),
            ("MessageID", "header.messageid"),
            ("X-Spam-Relays-Internal", "relays.trusted"),
            ("X-Spam-Relays-External", "relays.untrusted"),
            ("X-Foo:", "header.x-foo"),
        ];
        for (text, expected) in cases {
            assert_eq!(scope_of(text), Ok(expected.to_owned()), "{text}");
        }
        for text in [
            "",
            "a b",
            "Received:first",
            "Received:ip",
            "From:raw:addr",
            "ALL-TRUSTED",
            "X.raw",
            "List-Id:domain",
            "From:nonsense",
        ] {
            assert!(scope_of(text).is_err(), "{text}");
        }
    }

    #[test]
    fn an_absent_field_has_the_text_that_is_given() {
        let read = |text: &str| read("header", text.as_bytes()).unwrap();
        let Test::Match { unset, pattern, .. } = read(r"To !~ /[a]]/i [if-unset: un set]") else {
            panic!();
        };
        assert_eq!(unset, b"un set");
        assert_eq!(pattern.to_string(), "/[a]]/i");
        let Test::Match { unset, .. } = read("To =~ /[a]/") else {
            panic!();
        };
        assert_eq!(unset, b"");
    }

    #[test]
    fn conditions_say_what_holds_of_absent_fields() {
        let scope: Scope = "header.to".parse().unwrap();
        let exists = Condition::Exists(scope.clone());
        let matches = Condition::Match {
            scope,
            patterns: vec![PatternText::parse("/x/").unwrap()],
        };
        let condition =
            |text: &str, unset| read("header", text.as_bytes()).unwrap().condition(unset);
        assert_eq!(condition("exists:To", false), exists);
        assert_eq!(condition("To =~ /x/", false), matches);
        assert_eq!(
            condition("To =~ /x/", true),
            Condition::Any(vec![matches.clone(), not(exists.clone())])
        );
        assert_eq!(condition("To !~ /x/", false), not(matches.clone()));
        assert_eq!(
            condition("To !~ /x/", true),
            Condition::All(vec![exists, not(matches)])
        );
    }

    #[test]
    fn the_start_of_received_is_that_of_the_first() {
        let read = |text: &str| match read("header", text.as_bytes()) {
            Ok(Test::Match { scopes, .. }) => scopes[0].to_string(),
            other => panic!("{other:?}"),
        };
        assert_eq!(read("Received =~ /^from (?:a|b) [|]/i"), "headers");
        for text in [
            "Received =~ /from/",
            "Received =~ /^from/m",
            "Received =~ /^from|by/",
            "Received:raw =~ /^from/",
            "Subject =~ /^from/",
        ] {
            assert_ne!(read(text), "headers", "{text}");
        }
    }

    #[test]
    fn mime_parts_have_fields_too() {
        let scopes = |text: &str| match read("mimeheader", text.as_bytes()) {
            Ok(Test::Match { scopes, .. } | Test::Exists(scopes)) => Ok(scopes[0].to_string()),
            Err(reason) => Err(reason),
        };
        assert_eq!(
            scopes("Content-Type =~ /x/"),
            Ok("mime.content-type".to_owned())
        );
        assert_eq!(
            scopes("Content-ID:raw =~ /x/"),
            Ok("mime.content-id.raw".to_owned())
        );
        assert!(scopes("Content-Type:addr =~ /x/").is_err());
        assert!(scopes("ALL =~ /x/").is_err());
    }

    #[test]
    fn details_of_urls_are_read() {
        let read = |text: &str| {
            read_uri_detail(text.as_bytes()).map(|asked| {
                let shown = asked.iter().map(|(scope, negated, pattern)| {
                    format!("{scope} {} {pattern}", if *negated { "!~" } else { "=~" })
                });
                shown.collect::<Vec<_>>().join(", ")
            })
        };
        assert_eq!(
            read("text =~ /a b/i  domain !~ m{c} raw=~/d/"),
            Ok("link_text =~ /a b/i, url.domain !~ /c/, url =~ /d/".to_owned())
        );
        for text in [
            "",
            "text",
            "text =~",
            "text =~ /a",
            "type =~ /a/",
            "text /a/",
        ] {
            assert!(read(text).is_err(), "{text}");
        }
    }
}
