//! What there is to know about one message: read once, asked by rules, classifiers and network
//! checks.
//!
//! | file | what |
//! |---|---|
//! | `fields.rs` | the header, decoded field by field when asked |
//! | `parts.rs` | the parts, decoded; what somebody else has to read of them |
//! | `body.rs` | text parts: what a reader sees, what hides, what stands there |
//! | `links.rs` | URLs and addresses of text, links, images |
//! | `attached.rs` | attachments: types, names, archives, macros |
//! | `people.rs` | author, recipients, who is shown as whom |
//! | `relays.rs` | the way of the message |
//! | `numbers.rs`, `flags.rs` | the vocabulary of rules, answered from the above |
//! | `oddities.rs` | the part of it that takes a closer look |
//! | `limits.rs` | how much is looked at |
//!
//! Start at [`Parts::decode`], then [`Facts::read`].

mod attached;
mod body;
mod fields;
mod flags;
mod limits;
mod links;
mod numbers;
mod oddities;
mod parts;
mod people;
mod relays;

use std::cell::OnceCell;
use std::net::IpAddr;

use parsebox::Answer;
use rules::{Flag, Number, Plain, Scope, Subject};
use smtp::address::Domain;

use crate::input::Input;
use attached::Attached;
use body::Body;
use fields::Fields;
use limits::{MAX_FULL, MAX_PART_FIELDS};
use links::Links;
use people::People;
use relays::Relay;

pub(crate) use fields::domain_of;
pub(crate) use parts::Parts;
pub(crate) use people::registrable;
pub(crate) use relays::{client_of, is_near};

/// Everything that was read of a message.
pub(crate) struct Facts<'a> {
    pub(crate) input: &'a Input,
    /// Seconds since 1970 at which the message is judged.
    pub(crate) now: i64,
    pub(crate) fields: Fields<'a>,
    pub(crate) body: Body,
    pub(crate) links: Links,
    pub(crate) attached: Attached,
    pub(crate) people: People,
    pub(crate) relays: Vec<Relay>,
    /// Parts that ended their reader.
    pub(crate) lost: usize,
    /// Whether the client is in a network of ours.
    client_is_own: bool,
    /// The relays as rules see them: those we trust, and the others.
    trusted: String,
    untrusted: String,
    client_name: String,
    client_address: String,
    part_fields: OnceCell<Vec<PartField>>,
    measures: OnceCell<text::measure::Measures>,
    raw_defects: OnceCell<Vec<mime::Defect>>,
}

/// Where and when a message is judged.
#[derive(Debug)]
pub(crate) struct Setting<'a, F> {
    /// The server's own name, for the hop from the client.
    pub(crate) hostname: &'a Domain,
    /// Seconds since 1970.
    pub(crate) now: i64,
    /// Whose hops are believed.
    pub(crate) is_own: F,
}

/// A field of a MIME part.
struct PartField {
    name: String,
    raw: Vec<u8>,
    value: String,
}

impl<'a> Facts<'a> {
    /// Brings together what there is to know; `read` are the decoded parts and what was found in them.
    pub(crate) fn read(
        input: &'a Input,
        (mut parts, answer): (Parts, Answer),
        setting: Setting<'_, impl Fn(IpAddr) -> bool>,
    ) -> Self {
        let Setting {
            hostname,
            now,
            is_own,
        } = setting;
        let raw: &[u8] = &input.raw;
        let lost = answer.lost();
        let fields = Fields::read(raw);
        let body = Body::read(&mut parts, answer.pages, fields.value("Subject"));
        let attached = Attached::read(&mut parts, answer.reports);
        let links = Links::read(&body, &attached);
        let people = People::read(input, &fields);
        let client_name = input
            .auth
            .client_name()
            .map_or_else(String::new, |name| name.as_str().to_owned());
        let relays = relays_of(input, &fields, hostname, &client_name);
        let near = relays
            .iter()
            .take_while(|relay| relay.is_near() || is_own(relay.address))
            .count();
        let (trusted, untrusted) = relays.split_at(near);
        Self {
            lost,
            client_is_own: is_own(input.ip.to_canonical()),
            trusted: relays::rendered(trusted),
            untrusted: relays::rendered(untrusted),
            client_address: input.ip.to_canonical().to_string(),
            client_name,
            input,
            now,
            fields,
            body,
            links,
            attached,
            people,
            relays,
            part_fields: OnceCell::new(),
            measures: OnceCell::new(),
            raw_defects: OnceCell::new(),
        }
    }

    /// Counts over the visible text.
    pub(crate) fn measures(&self) -> &text::measure::Measures {
        self.measures
            .get_or_init(|| text::measure::Measures::of(&self.body.text))
    }

    /// What is wrong with the message's form.
    pub(crate) fn defects(&self) -> &[mime::Defect] {
        self.raw_defects
            .get_or_init(|| mime::malformed(&self.input.raw))
    }

    fn part_fields(&self) -> &[PartField] {
        self.part_fields.get_or_init(|| {
            let parts = &self.input.summary.structure.parts;
            parts
                .iter()
                .flat_map(|part| mime::header::fields(part.header_of(&self.input.raw)))
                .take(MAX_PART_FIELDS)
                .map(|field| PartField {
                    name: String::from_utf8_lossy(field.name).to_ascii_lowercase(),
                    raw: field.value.trim_ascii_start().to_vec(),
                    value: mime::decode::header_text(field.value),
                })
                .collect()
        })
    }

    fn plain<'s>(&'s self, scope: Plain, into: &mut Vec<&'s [u8]>) {
        let one = |text: &'s str, into: &mut Vec<&'s [u8]>| {
            if !text.is_empty() {
                into.push(text.as_bytes());
            }
        };
        let list = |texts: &'s [String], into: &mut Vec<&'s [u8]>| {
            into.extend(texts.iter().map(|text| text.as_bytes()));
        };
        let people = &self.people;
        match scope {
            Plain::Headers => into.push(self.fields.decoded()),
            Plain::HeadersRaw => into.push(self.fields.section()),
            Plain::Full => into.push(self.full()),
            Plain::Body => list(&self.body.paragraphs, into),
            Plain::RawBody => into.extend(self.body.pieces()),
            Plain::Text => one(&self.body.text, into),
            Plain::HiddenText => one(&self.body.hidden, into),
            Plain::Url => list(&self.links.urls, into),
            Plain::UrlHost => list(&self.links.hosts, into),
            Plain::UrlDomain => list(&self.links.domains, into),
            Plain::UrlTld => list(&self.links.tlds, into),
            Plain::UrlPath => list(&self.links.paths, into),
            Plain::LinkText => list(&self.links.texts, into),
            Plain::BodyAddress => list(&self.links.addresses, into),
            Plain::From => list(&people.from, into),
            Plain::FromName => list(&people.from_names, into),
            Plain::FromDomain => list(&people.from_domains, into),
            Plain::ReplyTo => list(&people.reply_to, into),
            Plain::ReplyToDomain => list(&people.reply_to_domains, into),
            Plain::EnvelopeFrom => into.push(people.sender.as_bytes()),
            Plain::EnvelopeFromDomain => one(domain_of(&people.sender), into),
            Plain::Recipient => list(&people.recipients, into),
            Plain::RecipientDomain => list(&people.recipient_domains, into),
            Plain::To => list(&people.to, into),
            Plain::ToDomain => list(&people.to_domains, into),
            Plain::AttachmentName => list(&self.attached.names, into),
            Plain::AttachmentType => {
                into.extend(self.attached.types.iter().map(|kind| kind.as_bytes()));
            }
            Plain::ArchiveName => list(&self.attached.inside, into),
            Plain::Helo => one(&self.input.helo, into),
            Plain::ClientName => one(&self.client_name, into),
            Plain::ClientAddress => one(&self.client_address, into),
            Plain::Language => list(self.body.languages(), into),
            Plain::RelaysTrusted => into.push(self.trusted.as_bytes()),
            Plain::RelaysUntrusted => into.push(self.untrusted.as_bytes()),
            Plain::MessageIds => {
                for name in ["Message-ID", "Resent-Message-ID", "X-Message-ID"] {
                    into.extend(
                        self.fields
                            .named(name)
                            .map(|field| field.value().as_bytes()),
                    );
                }
            }
        }
    }

    fn full(&self) -> &[u8] {
        let raw = &self.input.raw;
        raw.get(..MAX_FULL).unwrap_or(raw)
    }

    /// Whether something was too large, too deep or too much.
    pub(crate) fn over_budget(&self) -> bool {
        let cut = |defect: &mime::Defect| {
            matches!(defect, mime::Defect::TooDeep | mime::Defect::TooManyParts)
        };
        self.fields.truncated
            || self.defects().iter().any(cut)
            || self.body.truncated
            || self.links.truncated
            || self.attached.truncated
            || self.input.raw.len() > MAX_FULL
                && self.body.text.len() + self.body.hidden.len() > MAX_FULL
    }
}

impl Subject for Facts<'_> {
    fn haystacks<'s>(&'s self, scope: &Scope, into: &mut Vec<&'s [u8]>) {
        match scope {
            Scope::Header { name, part } => self.fields.part(name, *part, into),
            Scope::Mime { name, raw } => {
                let fields = self
                    .part_fields()
                    .iter()
                    .filter(|field| field.name == *name);
                into.extend(fields.map(|field| match raw {
                    true => field.raw.as_slice(),
                    false => field.value.as_bytes(),
                }));
            }
            Scope::Plain(plain) => self.plain(*plain, into),
        }
    }

    fn number(&self, number: Number) -> f64 {
        numbers::number(self, number)
    }

    fn holds(&self, flag: Flag) -> bool {
        flags::holds(self, flag)
    }
}

/// The hop from the client to us, then those of the header, the latest first.
fn relays_of(
    input: &Input,
    fields: &Fields<'_>,
    hostname: &Domain,
    client_name: &str,
) -> Vec<Relay> {
    let first = Relay {
        address: input.ip.to_canonical(),
        name: client_name.to_owned(),
        helo: input.helo.to_lowercase(),
        by: hostname.as_str().to_owned(),
        id: String::new(),
        authenticated: input.origin == crate::Origin::Authenticated,
    };
    let mut relays = vec![first];
    relays.extend(relays::of_header(fields));
    relays
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_that_ended_their_reader_are_told_and_hide_nothing() {
        let raw = b"From: <a@example.test>\r\nMIME-Version: 1.0\r\n\
            Content-Type: multipart/mixed; boundary=b\r\n\r\n\
            --b\r\nContent-Type: text/html\r\n\r\n<p>cheap <b>pills</b>\r\n\
            --b\r\nContent-Type: application/zip; name=\"x.zip\"\r\n\r\nPK\r\n--b--\r\n";
        let input = Input::stored(raw.to_vec().into());
        let (parts, job) = Parts::decode(&input.raw, &input.summary.structure);
        assert_eq!((job.pages.len(), job.attachments.len()), (1, 1));
        let lost = Answer {
            pages: vec![None],
            reports: vec![None],
        };
        let setting = Setting {
            hostname: &Domain::parse("mx.example.test").unwrap(),
            now: 0,
            is_own: |_| false,
        };
        let facts = Facts::read(&input, (parts, lost), setting);
        assert_eq!(facts.lost, 2);
        assert!(facts.over_budget());
        assert!(
            facts.body.text.contains("<b>pills</b>"),
            "{}",
            facts.body.text
        );
        assert_eq!(facts.attached.names, ["x.zip"]);
        assert!(
            facts
                .attached
                .any(|report| report.damaged && report.unlisted)
        );
    }
}
