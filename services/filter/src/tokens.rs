//! What the classifier learns of a message: its words, and marks of how it was made and where it
//! leads.

use learn::Tokens;
use learn::bayes::{Tokenizer, Word};

use crate::facts::{Facts, domain_of};

/// Words of the body that are looked at.
const MAX_BODY_WORDS: usize = 4_000;
/// Hosts and domains of links that become marks.
const MAX_LINKS: usize = 100;
/// Fields whose names become marks.
const MAX_FIELDS: usize = 100;
/// Fields whose words become marks: who made the message and how it is packed.
const TOLD: [&str; 8] = [
    "X-Mailer",
    "User-Agent",
    "Content-Type",
    "Content-Transfer-Encoding",
    "Precedence",
    "Organization",
    "List-Id",
    "X-Priority",
];
/// Words of such a field.
const MAX_TOLD: usize = 12;

/// Reads a message for the classifier.
pub(crate) fn of(facts: &Facts<'_>) -> Tokens {
    let mut tokenizer = Tokenizer::new();
    let subject = facts.fields.value("Subject");
    for word in text::words::iterate(subject) {
        tokenizer.push(Word::Subject(&text::words::fold(word)));
    }
    tokenizer.push(Word::Break);
    for line in facts.body.paragraphs.iter().skip(1) {
        let words = text::words::iterate(line);
        for word in words.take(MAX_BODY_WORDS) {
            tokenizer.push(Word::Body(&text::words::fold(word)));
        }
    }
    let mut mark = |kind: &str, value: &str| {
        tokenizer.push(Word::Mark(&format!("{kind}:{}", value.to_lowercase())));
    };
    people(facts, &mut mark);
    for host in facts.links.hosts.iter().take(MAX_LINKS) {
        mark("host", host);
    }
    for domain in facts.links.domains.iter().take(MAX_LINKS) {
        mark("link", domain);
    }
    for tld in &facts.links.tlds {
        mark("tld", tld);
    }
    for name in TOLD {
        for field in facts.fields.named(name) {
            for word in field
                .value()
                .split([' ', ';', '/', '"', '='])
                .take(MAX_TOLD)
            {
                if !word.is_empty() {
                    mark(name, word);
                }
            }
        }
    }
    for field in facts.fields.all().iter().take(MAX_FIELDS) {
        mark("field", &String::from_utf8_lossy(field.name));
    }
    for kind in &facts.attached.types {
        mark("attached", kind);
    }
    for name in facts.attached.names.iter().chain(&facts.attached.inside) {
        if let Some((_, extension)) = name.rsplit_once('.') {
            mark("extension", extension);
        }
    }
    for flag in rules::Flag::ALL {
        if TELLING.contains(flag) && rules::Subject::holds(facts, *flag) {
            mark("flag", flag.name());
        }
    }
    tokenizer.finish()
}

/// Facts that are cheap to ask and tell ham from spam.
const TELLING: [rules::Flag; 12] = [
    rules::Flag::HasPlain,
    rules::Flag::HasHtml,
    rules::Flag::HtmlHiddenText,
    rules::Flag::HtmlForm,
    rules::Flag::HtmlImageOnly,
    rules::Flag::LinkMismatch,
    rules::Flag::UrlIp,
    rules::Flag::ToUndisclosed,
    rules::Flag::RecipientHidden,
    rules::Flag::MailingList,
    rules::Flag::ReplyToDiffers,
    rules::Flag::HeaderEightBit,
];

fn people(facts: &Facts<'_>, mark: &mut impl FnMut(&str, &str)) {
    let people = &facts.people;
    for address in &people.from {
        mark("from", address);
    }
    for domain in &people.from_domains {
        mark("from-domain", domain);
    }
    for name in &people.from_names {
        for word in text::words::iterate(name) {
            mark("from-name", word);
        }
    }
    for domain in &people.reply_to_domains {
        mark("reply-to", domain);
    }
    mark("sender", domain_of(&people.sender));
    for relay in facts.relays.iter().skip(1) {
        mark("relay", crate::facts::registrable(&relay.name));
    }
}
