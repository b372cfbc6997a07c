//! What an operator may change.

use std::collections::BTreeMap;

use sasl::Secret;
use serde::Deserialize;

use crate::builtin::builtin;
use crate::list::{Ask, List};

/// Why a configuration cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// An override names no list.
    #[error("there is no list called {0:?}")]
    UnknownList(String),
    /// Two lists have one name.
    #[error("there are two lists called {0:?}")]
    DuplicateList(String),
    /// A list is enabled and has no zone without a key.
    #[error("the list {0:?} needs a key")]
    MissingKey(String),
    /// A key was given to a list that has no use for it.
    #[error("the list {0:?} takes no key")]
    NeedlessKey(String),
    /// A key that is no label of a domain name. The key itself is not shown.
    #[error("the key of the list {0:?} is not a word of letters, digits and hyphens")]
    InvalidKey(String),
    /// A list is asked about mail addresses and does not say how they are hashed.
    #[error("the list {0:?} asks about mail addresses and names no hash")]
    MissingHash(String),
}

/// A change to one of the lists.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Override {
    /// Whether it is asked. With a key and without this, it is.
    pub enabled: Option<bool>,
    /// Another zone, a mirror of one's own for instance.
    pub zone: Option<String>,
    /// The key that the list's operator gave. Not shown anywhere.
    #[serde(deserialize_with = "key")]
    pub key: Option<Secret>,
}

fn key<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Secret>, D::Error> {
    Ok(Option::<String>::deserialize(deserializer)?.map(Secret::from))
}

/// How long answers are kept, in seconds. The resolver does not say how long they hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Times {
    /// An answer.
    pub positive: u32,
    /// That there is none.
    pub negative: u32,
    /// That nobody could tell.
    pub failure: u32,
    /// How long a list that does not answer is left alone.
    pub silent: u32,
    /// How long a list that refuses to answer is left alone.
    pub refused: u32,
}

impl Default for Times {
    fn default() -> Self {
        Self {
            positive: 900,
            negative: 300,
            failure: 20,
            silent: 60,
            refused: 900,
        }
    }
}

/// Everything about network signals that can be set.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The lists. Default: [`builtin`].
    pub lists: Vec<List>,
    /// Changes to them by name.
    pub overrides: BTreeMap<String, Override>,
    /// Milliseconds after which what has come counts.
    pub deadline: u32,
    /// Questions per message.
    pub questions: usize,
    /// Questions of one message at once.
    pub parallel: usize,
    /// Domains and hosts of links per message.
    pub links: usize,
    /// Mail addresses per message.
    pub emails: usize,
    /// Received addresses per message.
    pub received: usize,
    /// Answers kept.
    pub cache: usize,
    /// How long they are kept.
    pub times: Times,
    /// The zone that knows the origin of IPv4 addresses, `origin.asn.cymru.com` or
    /// `asn.rspamd.com`. Empty: it is not asked.
    pub origin: String,
    /// The same for IPv6, `origin6.asn.cymru.com` or `asn6.rspamd.com`.
    pub origin6: String,
    /// Whether it is checked that mail to a sender's domain has somewhere to go.
    pub mail_hosts: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            lists: builtin().to_vec(),
            overrides: BTreeMap::new(),
            deadline: 2_500,
            questions: 200,
            parallel: 64,
            links: 20,
            emails: 10,
            received: 5,
            cache: 20_000,
            times: Times::default(),
            origin: String::new(),
            origin6: String::new(),
            mail_hosts: true,
        }
    }
}

impl Config {
    /// Gives every list of Spamhaus that works with it the key of the Data Query Service.
    pub fn set_spamhaus_key(&mut self, key: &Secret) {
        for list in &self.lists {
            let Some(zone) = &list.keyed_zone else {
                continue;
            };
            // Data on addresses of people, and every link resolved, is the operator's own choice.
            let quiet = !list.asks.contains(&Ask::Email) && !list.asks.contains(&Ask::UrlAddress);
            if zone.ends_with(".dq.spamhaus.net") {
                let change = self.overrides.entry(list.name.clone()).or_default();
                change.key = Some(key.clone());
                change.enabled = change.enabled.or(Some(quiet));
            }
        }
    }

    /// The lists to ask, overrides applied.
    ///
    /// # Errors
    /// The first [`ConfigError`].
    pub fn effective(&self) -> Result<Vec<List>, ConfigError> {
        let known = |name: &String| self.lists.iter().any(|list| list.name == *name);
        if let Some(unknown) = self.overrides.keys().find(|name| !known(name)) {
            return Err(ConfigError::UnknownList(unknown.clone()));
        }
        let mut lists: Vec<List> = Vec::new();
        for list in &self.lists {
            let list = self.overridden(list)?;
            if lists.iter().any(|earlier| earlier.name == list.name) {
                return Err(ConfigError::DuplicateList(list.name));
            }
            lists.push(list);
        }
        lists.retain(|list| list.enabled);
        Ok(lists)
    }

    fn overridden(&self, list: &List) -> Result<List, ConfigError> {
        let mut list = list.clone();
        let name = || list.name.clone();
        if let Some(change) = self.overrides.get(&list.name) {
            if let Some(key) = &change.key {
                let key = key.expose();
                let valid = |b: u8| b.is_ascii_alphanumeric() || b == b'-';
                if key.is_empty() || !key.bytes().all(valid) {
                    return Err(ConfigError::InvalidKey(name()));
                }
                let keyed = list
                    .keyed_zone
                    .as_deref()
                    .ok_or_else(|| ConfigError::NeedlessKey(name()))?;
                list.zone = keyed.replace("{key}", key);
                list.enabled = true;
            }
            if let Some(zone) = &change.zone {
                list.zone.clone_from(zone);
            }
            list.enabled = change.enabled.unwrap_or(list.enabled);
        }
        if list.enabled && list.zone.is_empty() {
            return Err(ConfigError::MissingKey(list.name));
        }
        if list.asks.contains(&Ask::Email) && list.email_hash.is_none() {
            return Err(ConfigError::MissingHash(list.name));
        }
        list.zone = list.zone.trim_matches('.').to_ascii_lowercase();
        Ok(list)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(overrides: &str) -> Config {
        toml::from_str(overrides).unwrap()
    }

    fn zone_of(lists: &[List], name: &str) -> Option<String> {
        let list = lists.iter().find(|list| list.name == name)?;
        Some(list.zone.clone())
    }

    #[test]
    fn a_key_changes_the_zone_enables_the_list_and_is_not_shown() {
        let mut config = config("[overrides.zrd]\nenabled = false");
        config.set_spamhaus_key(&Secret::new("abcKEY123"));
        let lists = config.effective().unwrap();
        assert_eq!(
            zone_of(&lists, "spamhaus").unwrap(),
            "abckey123.zen.dq.spamhaus.net"
        );
        assert_eq!(
            zone_of(&lists, "dbl").unwrap(),
            "abckey123.dbl.dq.spamhaus.net"
        );
        for left_off in ["zrd", "hbl", "spamhaus_url"] {
            assert_eq!(zone_of(&lists, left_off), None);
        }
        assert!(!format!("{config:?}").contains("abcKEY123"));
    }

    #[test]
    fn overrides_change_zone_and_state() {
        let lists = config("[overrides.spamcop]\nenabled = false\n[overrides.surbl]\nenabled = true\nzone = \"Surbl.example.\"")
            .effective()
            .unwrap();
        assert_eq!(zone_of(&lists, "spamcop"), None);
        assert_eq!(zone_of(&lists, "surbl").unwrap(), "surbl.example");
    }

    #[test]
    fn mistakes_are_named() {
        let error = |text: &str| config(text).effective().unwrap_err();
        let list = |name: &str| name.to_owned();
        assert_eq!(
            error("[overrides.nolist]"),
            ConfigError::UnknownList(list("nolist"))
        );
        assert_eq!(
            error("[overrides.zrd]\nenabled = true"),
            ConfigError::MissingKey(list("zrd"))
        );
        assert_eq!(
            error("[overrides.dbl]\nkey = \"a.b\""),
            ConfigError::InvalidKey(list("dbl"))
        );
        assert_eq!(
            error("[overrides.spamcop]\nkey = \"a\""),
            ConfigError::NeedlessKey(list("spamcop"))
        );
        let mut twice = Config::default();
        twice.lists.push(twice.lists[0].clone());
        assert_eq!(
            twice.effective(),
            Err(ConfigError::DuplicateList(list("spamhaus")))
        );
    }
}
