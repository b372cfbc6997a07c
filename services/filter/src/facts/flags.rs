//! The facts of the vocabulary that hold or do not.

use std::collections::{BTreeSet, HashSet};

use attachment::Report;
use mime::Structure;
use rules::Flag;
use text::html::Page;
use text::url::Host;

use super::fields::{Fields, domain_of};
use super::people::related;
use super::{Facts, oddities};
use crate::input::Origin;

/// Visible characters below which a page of images has no text.
const IMAGE_ONLY_TEXT: usize = 40;

/// Whether a fact holds; its definition is its documentation.
pub(super) fn holds(facts: &Facts<'_>, flag: Flag) -> bool {
    let input = facts.input;
    let fields = &facts.fields;
    match flag {
        Flag::Authenticated => input.origin == Origin::Authenticated || facts.client_is_own,
        Flag::ClientIsNear => input.client_is_near(),
        Flag::NullSender => facts.people.sender.is_empty(),
        Flag::HasPlain => facts.body.has_plain,
        Flag::HasHtml => facts.body.has_html,
        Flag::SubjectEncodedNeedlessly => is_encoded_needlessly(fields, "Subject"),
        Flag::FromEncodedNeedlessly => is_encoded_needlessly(fields, "From"),
        Flag::HeaderEightBit => !fields.section().is_ascii(),
        Flag::TextBase64Needlessly => facts.body.base64_needlessly,
        Flag::TextDirectionOverride => facts.measures().direction_overrides > 0,
        Flag::TextEmpty => facts.measures().letters == 0,
        Flag::SignedOrEncrypted => has_type(&input.summary.structure, &SIGNED),
        Flag::MailingList => fields.has("List-Id") || fields.has("List-Post"),
        Flag::Report => has_type(&input.summary.structure, &[("multipart", "report")]),
        Flag::Automatic => is_automatic(fields),
        Flag::Calendar => has_type(&input.summary.structure, &[("text", "calendar")]),
        Flag::BudgetExceeded => facts.over_budget(),
        _ => of_html(facts, flag)
            .or_else(|| of_urls(facts, flag))
            .or_else(|| of_people(facts, flag))
            .or_else(|| of_attachments(facts, flag))
            .or_else(|| oddities::holds(facts, flag))
            .unwrap_or(false),
    }
}

fn of_html(facts: &Facts<'_>, flag: Flag) -> Option<bool> {
    let any = |is: fn(&Page) -> bool| facts.body.pages.iter().any(is);
    Some(match flag {
        Flag::HtmlHiddenText => any(|page| page.facts.hidden_text),
        Flag::HtmlTinyText => any(|page| page.facts.tiny_text),
        Flag::HtmlLowContrast => any(|page| page.facts.low_contrast),
        Flag::HtmlForm => any(|page| page.facts.form),
        Flag::HtmlPassword => any(|page| page.facts.password),
        Flag::HtmlScript => any(|page| page.facts.script),
        Flag::HtmlFrame => any(|page| page.facts.frame),
        Flag::HtmlObject => any(|page| page.facts.object),
        Flag::HtmlRemoteStyle => any(|page| page.facts.remote_style),
        Flag::HtmlRefresh => any(|page| page.facts.refresh),
        Flag::HtmlBase => any(|page| page.facts.base),
        Flag::HtmlUnbalanced => any(|page| page.facts.unbalanced),
        Flag::HtmlImageOnly => {
            let visible = facts.body.text.chars().filter(|c| c.is_alphanumeric());
            facts.links.images > 0 && visible.take(IMAGE_ONLY_TEXT).count() < IMAGE_ONLY_TEXT
        }
        _ => return None,
    })
}

fn of_urls(facts: &Facts<'_>, flag: Flag) -> Option<bool> {
    let links = &facts.links;
    Some(match flag {
        Flag::LinkMismatch => links.mismatch,
        Flag::LinkDowngrade => links.downgrade,
        Flag::UrlIp => links.any(|url| matches!(url.host, Some(Host::Ipv4(_) | Host::Ipv6(_)))),
        Flag::UrlObfuscatedIp => links.any(|url| url.flags.obfuscated_ip),
        Flag::UrlUser => links.any(|url| url.user.is_some() && url.scheme.starts_with("http")),
        Flag::UrlPort => links.any(|url| url.port.is_some()),
        Flag::UrlPunycode => links.any(|url| url.flags.punycode),
        Flag::UrlHomograph => links.any(|url| url.flags.homograph),
        Flag::UrlObfuscated => links.any(|url| url.flags.obfuscated_host),
        Flag::UrlNested => links.any(|url| url.flags.nested),
        Flag::UrlScript => links.any(|url| matches!(url.scheme.as_str(), "data" | "javascript")),
        Flag::UrlRecipient => {
            let paths = links.paths.join("\n").to_lowercase();
            stands_in(&paths.replace("%40", "@"), &facts.people.recipients)
        }
        _ => return None,
    })
}

/// Whether one of the addresses stands anywhere in a text. Looks once at each `@`, however many
/// addresses there are.
fn stands_in(text: &str, addresses: &[String]) -> bool {
    let known: HashSet<&str> = addresses.iter().map(String::as_str).collect();
    let lengths: BTreeSet<(usize, usize)> = addresses
        .iter()
        .filter_map(|address| address.rsplit_once('@'))
        .map(|(user, domain)| (user.len(), domain.len()))
        .collect();
    text.match_indices('@').any(|(at, _)| {
        lengths.iter().any(|(before, behind)| {
            let start = at.checked_sub(*before);
            let found = start.and_then(|start| text.get(start..at + 1 + behind));
            found.is_some_and(|found| known.contains(found))
        })
    })
}

fn of_people(facts: &Facts<'_>, flag: Flag) -> Option<bool> {
    let people = &facts.people;
    let author = people.author();
    let author_domain = domain_of(author);
    Some(match flag {
        Flag::FromNameIsAddress => people.from_names.iter().any(|name| {
            text::url::addresses(name).any(|shown| !shown.address.eq_ignore_ascii_case(author))
        }),
        Flag::FromNameIsDomain => people.from_names.iter().any(|name| {
            text::url::find(name).any(|found| {
                let host = found.url.domain();
                host.is_some_and(|host| !related(host, author_domain))
            })
        }),
        Flag::FromIsRecipient => {
            !author.is_empty() && people.recipients.iter().any(|r| r == author)
        }
        Flag::EnvelopeFromDiffers => {
            let sender = domain_of(&people.sender);
            !sender.is_empty() && !author_domain.is_empty() && !related(sender, author_domain)
        }
        Flag::ReplyToDiffers => {
            let mut domains = people.reply_to_domains.iter();
            !author_domain.is_empty() && domains.any(|domain| !related(domain, author_domain))
        }
        Flag::ReplyToIsFrom => !author.is_empty() && people.reply_to.iter().any(|r| r == author),
        Flag::RecipientHidden => {
            !people.recipients.is_empty()
                && !people.recipients.iter().any(|r| people.to.contains(r))
        }
        Flag::ToUndisclosed => {
            let to = facts.fields.value("To");
            people.to.is_empty() || to.to_ascii_lowercase().contains("undisclosed")
        }
        _ => return None,
    })
}

fn of_attachments(facts: &Facts<'_>, flag: Flag) -> Option<bool> {
    let attached = &facts.attached;
    Some(match flag {
        Flag::AttachmentExecutable => {
            attached.any(|report| report.executable || report.dangerous_name)
        }
        Flag::AttachmentDoubleExtension => attached.any(|report| report.double_extension),
        Flag::AttachmentMismatch => attached.any(|report| report.mismatch),
        Flag::AttachmentEncrypted => attached.any(|report| report.encrypted),
        Flag::AttachmentMacro => attached.any(|report| report.macros),
        Flag::AttachmentAutoMacro => attached.any(|report| report.auto_macro),
        Flag::AttachmentRemote => attached.any(|report| report.remote),
        Flag::AttachmentNested => attached.any(|report| report.nested),
        Flag::AttachmentBomb => attached.any(Report::is_bomb_or_damaged),
        Flag::ArchiveExecutable => attached.any(|report| report.executable_inside),
        Flag::AttachmentActivePdf => attached.any(|report| report.active_pdf),
        _ => return None,
    })
}

/// Types of signed and encrypted messages (RFC 8551, RFC 3156).
const SIGNED: [(&str, &str); 4] = [
    ("multipart", "signed"),
    ("multipart", "encrypted"),
    ("application", "pkcs7-mime"),
    ("application", "x-pkcs7-mime"),
];

fn has_type(structure: &Structure, types: &[(&str, &str)]) -> bool {
    structure.parts.iter().any(|part| {
        types
            .iter()
            .any(|(media, subtype)| part.content_type.is(media, subtype))
    })
}

/// RFC 2047: encoded words are for what ASCII does not have.
fn is_encoded_needlessly(fields: &Fields<'_>, name: &str) -> bool {
    fields.first(name).is_some_and(|field| {
        let encoded = field.raw.windows(2).any(|pair| pair == b"=?");
        // An encoded question mark or equals sign is how encoded words themselves are quoted.
        encoded && field.value().is_ascii() && !field.value().contains("=?")
    })
}

/// RFC 3834: mail that a program sent on its own says so.
fn is_automatic(fields: &Fields<'_>) -> bool {
    let said = fields.value("Auto-Submitted");
    (!said.is_empty() && !said.eq_ignore_ascii_case("no"))
        || fields.has("X-Autoreply")
        || fields.has("X-Autorespond")
        || fields
            .value("Precedence")
            .eq_ignore_ascii_case("auto_reply")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_found_wherever_they_stand() {
        let known = ["ann@example.org".to_owned(), "b@c.d".to_owned()];
        for (text, wanted) in [
            ("/?a=ann@example.org", true),
            ("ann@example.org", true),
            ("/joann@example.org.net", true),
            ("@@b@c.d", true),
            ("\u{e9}b@c.d\u{e9}", true),
            ("\u{e9}nn@example.org", false),
            ("ann@example.or", false),
            ("@example.org", false),
            ("ann@c.d", false),
            ("x@c.d", false),
            ("", false),
        ] {
            let found = known.iter().any(|address| text.contains(address.as_str()));
            assert_eq!(stands_in(text, &known), found, "{text}");
            assert_eq!(found, wanted, "{text}");
        }
        assert!(!stands_in("a@b", &[]));
    }
}
