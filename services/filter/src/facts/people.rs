//! Who writes to whom: by the envelope, and by what readers are shown.

use super::fields::{Fields, Mailbox, domain_of};
use crate::input::Input;

/// Addresses are in lower case throughout.
#[derive(Debug, Default)]
pub(crate) struct People {
    pub(crate) from: Vec<String>,
    pub(crate) from_names: Vec<String>,
    pub(crate) from_domains: Vec<String>,
    pub(crate) reply_to: Vec<String>,
    pub(crate) reply_to_domains: Vec<String>,
    /// To and Cc.
    pub(crate) to: Vec<String>,
    pub(crate) to_domains: Vec<String>,
    /// The envelope sender; empty for a report.
    pub(crate) sender: String,
    pub(crate) recipients: Vec<String>,
    pub(crate) recipient_domains: Vec<String>,
}

impl People {
    pub(crate) fn read(input: &Input, fields: &Fields<'_>) -> Self {
        let mut people = Self {
            sender: input.sender(),
            ..Self::default()
        };
        for mailbox in fields.mailboxes(&["From"]) {
            people.from.push(mailbox.address.clone());
            if !mailbox.name.is_empty() {
                people.from_names.push(mailbox.name.clone());
            }
        }
        let addresses = |names: &[&str]| -> Vec<String> {
            let found = names
                .iter()
                .flat_map(|name| fields.named(name))
                .flat_map(|field| field.mailboxes());
            found
                .map(|mailbox: &Mailbox| mailbox.address.clone())
                .collect()
        };
        people.reply_to = addresses(&["Reply-To"]);
        people.to = addresses(&["To", "Cc"]);
        people.recipients = input
            .recipients
            .iter()
            .map(|recipient| recipient.address.to_string().to_lowercase())
            .collect();
        people.from_domains = domains(&people.from);
        people.reply_to_domains = domains(&people.reply_to);
        people.to_domains = domains(&people.to);
        people.recipient_domains = domains(&people.recipients);
        people
    }

    /// The one author's address; empty when there is none.
    pub(crate) fn author(&self) -> &str {
        self.from.first().map_or("", String::as_str)
    }
}

/// The domains of addresses, each once, in order.
fn domains(addresses: &[String]) -> Vec<String> {
    let mut domains: Vec<String> = Vec::new();
    let mut seen = std::collections::HashSet::new();
    for address in addresses {
        let domain = domain_of(address);
        if !domain.is_empty() && seen.insert(domain) {
            domains.push(domain.to_owned());
        }
    }
    domains
}

/// The part of a domain that its owner registered; the domain itself when that cannot be told.
pub(crate) fn registrable(domain: &str) -> &str {
    text::url::registrable(domain).unwrap_or(domain)
}

/// Whether two domains have the same owner, as far as names tell.
pub(crate) fn related(left: &str, right: &str) -> bool {
    registrable(left).eq_ignore_ascii_case(registrable(right))
}
