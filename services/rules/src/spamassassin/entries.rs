//! Directives that put addresses, hosts and phrases on lists.

use super::line::{word, words};
use super::lists::Entries;

/// Which list a directive is about, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Directive {
    list: &'static str,
    form: Form,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// Addresses.
    Addresses,
    /// Addresses to be taken away.
    Without,
    /// An address and the domain that signs for it.
    Signed,
    /// Domains of addresses, or addresses.
    Domains,
    /// One phrase.
    Phrase,
    /// Hosts.
    Hosts,
    /// A name in parentheses, then addresses.
    NamedAddresses,
    /// A name in parentheses, then hosts.
    NamedHosts,
    /// Perhaps a name in parentheses, then hosts to be taken away.
    WithoutHosts,
}

/// By their present names.
const DIRECTIVES: &[(&str, &str, Form)] = &[
    ("welcomelist_from", "welcomelist_from", Form::Addresses),
    ("unwelcomelist_from", "welcomelist_from", Form::Without),
    (
        "def_welcomelist_from",
        "def_welcomelist_from",
        Form::Addresses,
    ),
    ("blocklist_from", "blocklist_from", Form::Addresses),
    ("unblocklist_from", "blocklist_from", Form::Without),
    ("welcomelist_to", "welcomelist_to", Form::Addresses),
    ("more_spam_to", "more_spam_to", Form::Addresses),
    ("all_spam_to", "all_spam_to", Form::Addresses),
    ("blocklist_to", "blocklist_to", Form::Addresses),
    ("welcomelist_auth", "welcomelist_auth", Form::Addresses),
    ("unwelcomelist_auth", "welcomelist_auth", Form::Without),
    (
        "def_welcomelist_auth",
        "def_welcomelist_auth",
        Form::Addresses,
    ),
    (
        "welcomelist_from_spf",
        "welcomelist_from_spf",
        Form::Addresses,
    ),
    (
        "unwelcomelist_from_spf",
        "welcomelist_from_spf",
        Form::Without,
    ),
    (
        "def_welcomelist_from_spf",
        "def_welcomelist_from_spf",
        Form::Addresses,
    ),
    (
        "welcomelist_from_dkim",
        "welcomelist_from_dkim",
        Form::Signed,
    ),
    (
        "unwelcomelist_from_dkim",
        "welcomelist_from_dkim",
        Form::Without,
    ),
    (
        "def_welcomelist_from_dkim",
        "def_welcomelist_from_dkim",
        Form::Signed,
    ),
    (
        "undef_welcomelist_from_dkim",
        "def_welcomelist_from_dkim",
        Form::Without,
    ),
    ("welcomelist_subject", "welcomelist_subject", Form::Phrase),
    ("blocklist_subject", "blocklist_subject", Form::Phrase),
    ("welcomelist_uri_host", "hosts_WELCOME", Form::Hosts),
    ("blocklist_uri_host", "hosts_BLOCK", Form::Hosts),
    ("enlist_addrlist", "addresses_", Form::NamedAddresses),
    ("enlist_uri_host", "hosts_", Form::NamedHosts),
    ("delist_uri_host", "hosts_", Form::WithoutHosts),
    ("freemail_domains", "freemail_domains", Form::Domains),
    (
        "freemail_welcomelist",
        "freemail_welcomelist",
        Form::Domains,
    ),
];

/// Finds a directive, under its former name too.
pub(super) fn list(directive: &str) -> Option<Directive> {
    let current = directive
        .replace("whitelist", "welcomelist")
        .replace("blacklist", "blocklist");
    DIRECTIVES
        .iter()
        .find(|(name, ..)| *name == current)
        .map(|&(_, list, form)| Directive { list, form })
}

/// Takes a directive's entries.
///
/// # Errors
///
/// What is wrong with them. Those before are taken.
pub(super) fn take(entries: &mut Entries, directive: Directive, rest: &[u8]) -> Result<(), String> {
    let Directive { list, form } = directive;
    if rest.is_empty() && form != Form::WithoutHosts {
        return Err("an entry is missing".to_owned());
    }
    match form {
        Form::Addresses | Form::Hosts => add(entries, list, words(rest)),
        Form::Without => {
            words(rest).for_each(|entry| entries.remove(list, &entry));
            Ok(())
        }
        // The domain that signs is the author's or one that DMARC takes for it.
        Form::Signed => add(entries, list, words(rest).take(1)),
        Form::Domains => {
            let domains = words(rest).map(|entry| match entry.contains('@') {
                true => entry,
                false => format!("*@{entry}"),
            });
            add(entries, list, domains)
        }
        Form::Phrase => entries.add(list, &String::from_utf8_lossy(rest)),
        Form::NamedAddresses | Form::NamedHosts => {
            let (name, rest) = named(rest)?;
            add(entries, &format!("{list}{name}"), words(rest))
        }
        Form::WithoutHosts => {
            let (name, rest) = named(rest)?;
            let list = format!("{list}{name}");
            match rest {
                b"" => entries.clear(&list),
                rest => words(rest).for_each(|entry| entries.remove(&list, &entry)),
            }
            Ok(())
        }
    }
}

fn add(
    entries: &mut Entries,
    list: &str,
    words: impl Iterator<Item = String>,
) -> Result<(), String> {
    let mut result = Ok(());
    for word in words {
        let added = entries.add(list, &word);
        result = result.and(added);
    }
    result
}

/// `(NAME) …`
fn named(rest: &[u8]) -> Result<(String, &[u8]), String> {
    let (name, rest) = word(rest);
    let name = String::from_utf8_lossy(name);
    let inner = name
        .strip_prefix('(')
        .and_then(|name| name.strip_suffix(')'));
    let sound = |name: &&str| {
        let inner = |byte: u8| byte.is_ascii_alphanumeric() || b"_-".contains(&byte);
        (1..=64).contains(&name.len()) && name.bytes().all(inner)
    };
    match inner.filter(sound) {
        Some(name) => Ok((name.to_owned(), rest)),
        None => Err("the list's name in parentheses is missing".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::lists::Lists;
    use super::*;

    fn items(lines: &[&str], list_name: &str) -> Vec<String> {
        let mut entries = Entries::default();
        for line in lines {
            let (directive, rest) = word(line.as_bytes());
            let directive = list(std::str::from_utf8(directive).unwrap()).unwrap();
            take(&mut entries, directive, rest).unwrap();
        }
        let mut lists = Lists::new(&entries);
        let scope = "from".parse().unwrap();
        if list_name.starts_with("hosts") {
            lists.hosts(list_name, &scope);
        } else {
            lists.addresses(list_name, &[scope]);
        }
        lists
            .into_made()
            .into_values()
            .flat_map(|list| list.items)
            .collect()
    }

    #[test]
    fn every_directive_reaches_its_list() {
        let cases: [(&[&str], &str, &[&str]); 12] = [
            (
                &["whitelist_from a@b.test *@c.test"],
                "welcomelist_from",
                &["a@b.test", "@c.test"],
            ),
            (
                &[
                    "welcomelist_from a@b.test c@d.test",
                    "unwhitelist_from A@B.test",
                ],
                "welcomelist_from",
                &["c@d.test"],
            ),
            (
                &["blacklist_from a@b.test"],
                "blocklist_from",
                &["a@b.test"],
            ),
            (&["blocklist_to a@b.test"], "blocklist_to", &["a@b.test"]),
            (&["all_spam_to a@b.test"], "all_spam_to", &["a@b.test"]),
            (
                &["def_whitelist_auth *@*.b.test"],
                "def_welcomelist_auth",
                &[".b.test"],
            ),
            (
                &["welcomelist_from_dkim *@b.test c.test"],
                "welcomelist_from_dkim",
                &["@b.test"],
            ),
            (
                &["freemail_domains b.test *.c.test"],
                "freemail_domains",
                &[".c.test", "@b.test"],
            ),
            (
                &["freemail_whitelist d@b.test"],
                "freemail_welcomelist",
                &["d@b.test"],
            ),
            (
                &["enlist_addrlist (X) *@b.test"],
                "addresses_X",
                &["@b.test"],
            ),
            (
                &[
                    "enlist_uri_host (X) b.test c.test",
                    "delist_uri_host (X) c.test",
                ],
                "hosts_X",
                &["b.test"],
            ),
            (&["blacklist_uri_host b.test"], "hosts_BLOCK", &["b.test"]),
        ];
        for (lines, list, expected) in cases {
            assert_eq!(items(lines, list), expected, "{lines:?}");
        }
    }

    #[test]
    fn what_is_missing_is_said() {
        let mut entries = Entries::default();
        for line in [
            "welcomelist_from",
            "enlist_addrlist *@b.test",
            "enlist_addrlist (a b) *@b.test",
            "enlist_uri_host ()",
        ] {
            let (directive, rest) = word(line.as_bytes());
            let directive = list(std::str::from_utf8(directive).unwrap()).unwrap();
            assert!(take(&mut entries, directive, rest).is_err(), "{line}");
        }
        assert_eq!(list("welcomelist"), None);
    }
}
