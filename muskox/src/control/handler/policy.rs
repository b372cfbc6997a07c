//! Rules, maps, lists and settings: what administrators say to the filter.
//!
//! Each answer names the revision that is live: it is given once the change is on disk and in force.

use std::str::FromStr;
use std::time::Instant;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use policy::{
    EntryPage, MapChange, NewEntry, NewNetwork, NewRuleSet, Owner, Part, RuleSetChange,
    SenderPattern, Settings, Verdict,
};
use serde_json::{Value, json};

use super::mail::date;
use super::{Handler, Outcome, address, domain, internal, invalid};
use crate::control::filtering::{MapRequest, NewMap, RulesRequest, SenderRequest, SettingRequest};
use crate::control::protocol::{Failure, FailureKind};

/// Entries of a list that are shown at a time.
const PAGE: u32 = 10_000;

impl Handler {
    /// Whose something is: everybody's, a domain's, an account's.
    pub(super) async fn owner(&self, owner: Option<&str>) -> Result<Owner, Failure> {
        let directory = &self.services.directory;
        match owner {
            None => Ok(Owner::Global),
            Some(name) if name.contains('@') => {
                Ok(Owner::Account(directory.account(&address(name)?).await?.id))
            }
            Some(name) => Ok(Owner::Domain(directory.domain(&domain(name)?).await?.id)),
        }
    }

    pub(super) async fn account_id(
        &self,
        account: Option<&str>,
    ) -> Result<Option<store::AccountId>, Failure> {
        Ok(match account {
            None => None,
            Some(name) => Some(self.services.directory.account(&address(name)?).await?.id),
        })
    }

    /// Puts changed maps and rules in force and says which revision is live.
    async fn live(&self, started: Instant) -> Outcome {
        let (revision, layers) = self
            .services
            .filter
            .refresh()
            .await
            .map_err(|error| Failure::new(FailureKind::Invalid, error))?;
        let refused: Vec<String> = layers
            .iter()
            .flat_map(|layer| layer.refused.clone())
            .collect();
        Ok(json!({
            "revision": revision,
            "policy": self.services.policy.snapshot().revision(),
            "milliseconds": (started.elapsed().as_secs_f64() * 1e5).round() / 100.0,
            "refused": refused,
        }))
    }

    pub(super) async fn rules(&self, request: RulesRequest) -> Outcome {
        let started = Instant::now();
        let policy = &self.services.policy;
        match request {
            RulesRequest::Status => {
                return serde_json::to_value(self.services.filter.rules_status()).map_err(internal);
            }
            RulesRequest::List => {
                let sets = policy.rule_sets().await?;
                return Ok(sets
                    .iter()
                    .map(|set| {
                        json!({
                            "name": set.name,
                            "position": set.position,
                            "enabled": set.enabled,
                            "size": set.size,
                            "source": set.source,
                            "updated": date(set.updated_at),
                        })
                    })
                    .collect());
            }
            RulesRequest::Show { name } => {
                return Ok(json!({ "toml": policy.rule_set_toml(&name).await? }));
            }
            RulesRequest::Put {
                name,
                toml,
                position,
                source,
            } => {
                self.services
                    .filter
                    .check(&name, &toml)
                    .map_err(|error| Failure::new(FailureKind::Invalid, error))?;
                policy
                    .put_rule_set(NewRuleSet {
                        name,
                        toml,
                        position,
                        enabled: true,
                        source,
                    })
                    .await?;
            }
            RulesRequest::Enable { name, enabled } => {
                let change = RuleSetChange {
                    position: None,
                    enabled: Some(enabled),
                };
                policy.change_rule_set(&name, change).await?;
            }
            RulesRequest::Remove { name } => {
                policy.remove_rule_set(&name).await?;
            }
        }
        self.live(started).await
    }

    pub(super) async fn map(&self, request: MapRequest) -> Outcome {
        let started = Instant::now();
        let policy = &self.services.policy;
        match request {
            MapRequest::List => return Ok(policy.maps().await?.iter().map(map_row).collect()),
            MapRequest::Show { name } => {
                return serde_json::to_value(policy.map(&name).await?).map_err(internal);
            }
            MapRequest::Set { name, text } => {
                let change = MapChange {
                    text: Some(text),
                    ..MapChange::default()
                };
                policy.change_map(&name, change).await?;
            }
            MapRequest::Add(new) => {
                policy.create_map(new_map(new)?).await?;
            }
            MapRequest::Change {
                name,
                score,
                active,
            } => {
                let change = MapChange {
                    score,
                    active,
                    ..MapChange::default()
                };
                policy.change_map(&name, change).await?;
            }
            MapRequest::Remove { name } => {
                policy.remove_map(&name).await?;
            }
            MapRequest::Import { file, content } => {
                let content = STANDARD
                    .decode(content)
                    .map_err(|error| invalid(&file, &error))?;
                policy.import_mailcow(&file, content).await?;
            }
            MapRequest::Try {
                name,
                text,
                messages,
            } => return self.try_map(&name, text, messages).await,
        }
        self.live(started).await
    }

    pub(super) async fn sender(&self, request: SenderRequest) -> Outcome {
        let started = Instant::now();
        let policy = &self.services.policy;
        match request {
            SenderRequest::List { owner } => {
                let owner = self.owner(owner.as_deref()).await?;
                let page = EntryPage {
                    after: None,
                    limit: PAGE,
                };
                let entries = policy.entries(owner, page).await?;
                return serde_json::to_value(entries).map_err(internal);
            }
            SenderRequest::Add {
                owner,
                verdict,
                patterns,
                comment,
            } => {
                let owner = self.owner(owner.as_deref()).await?;
                let verdict: Verdict = word(&verdict)?;
                let entries: Result<Vec<NewEntry>, Failure> = patterns
                    .iter()
                    .map(|pattern| {
                        Ok(NewEntry {
                            pattern: SenderPattern::from_str(pattern)
                                .map_err(|error| invalid(pattern, &error))?,
                            verdict,
                            part: Part::Both,
                            comment: comment.clone(),
                        })
                    })
                    .collect();
                policy.add_entries(owner, entries?).await?;
            }
            SenderRequest::Contacts { account, addresses } => {
                let id = self
                    .services
                    .directory
                    .account(&address(&account)?)
                    .await?
                    .id;
                let addresses: Result<Vec<_>, Failure> =
                    addresses.iter().map(|one| address(one)).collect();
                policy.set_contacts(id, &addresses?).await?;
            }
            SenderRequest::Remove { owner, ids } => {
                let owner = self.owner(owner.as_deref()).await?;
                policy.remove_entries(owner, ids).await?;
            }
        }
        self.live(started).await
    }

    pub(super) async fn setting(&self, request: SettingRequest) -> Outcome {
        let started = Instant::now();
        let policy = &self.services.policy;
        match request {
            SettingRequest::Show { owner } => {
                let owner = self.owner(owner.as_deref()).await?;
                return Ok(shown(&policy.settings(owner).await?));
            }
            SettingRequest::Set {
                owner,
                values,
                unset,
            } => {
                let owner = self.owner(owner.as_deref()).await?;
                let mut settings = policy.settings(owner).await?;
                for (key, value) in &values {
                    set(&mut settings, key, Some(value))?;
                }
                for key in &unset {
                    set(&mut settings, key, None)?;
                }
                policy.set_settings(owner, settings).await?;
            }
            SettingRequest::Role {
                address: name,
                role,
            } => {
                let name = address(&name)?;
                match role {
                    Some(role) => policy.set_role(&name, word(&role)?, "").await?,
                    None => policy.unset_role(&name).await?,
                };
            }
            SettingRequest::Roles => {
                return serde_json::to_value(policy.all_roles().await?).map_err(internal);
            }
            SettingRequest::AddNetwork {
                network,
                purpose,
                account,
                comment,
            } => {
                let new = NewNetwork {
                    network: network.parse().map_err(|error| invalid(&network, &error))?,
                    purpose: word(&purpose)?,
                    account: self.account_id(account.as_deref()).await?,
                    comment,
                };
                policy.add_network(new).await?;
            }
            SettingRequest::RemoveNetwork { account, id } => {
                let account = self.account_id(account.as_deref()).await?;
                policy.remove_network(account, id).await?;
            }
            SettingRequest::Networks { account } => {
                let account = self.account_id(account.as_deref()).await?;
                let networks = policy.networks(account).await?;
                return Ok(networks
                    .iter()
                    .map(|network| {
                        json!({
                            "id": network.id,
                            "network": network.network.to_string(),
                            "purpose": network.purpose.name(),
                            "comment": network.comment,
                        })
                    })
                    .collect());
            }
        }
        self.live(started).await
    }
}

/// A word of the policy's own.
fn word<T: FromStr<Err = policy::Error>>(text: &str) -> Result<T, Failure> {
    text.parse()
        .map_err(|error: policy::Error| invalid(text, &error))
}

fn map_row(map: &policy::MapRecord) -> Value {
    let lines = map
        .text
        .lines()
        .filter(|line| !line.trim().is_empty() && !line.trim_start().starts_with('#'));
    json!({
        "name": map.name,
        "kind": map.kind.name(),
        "scope": map.scope,
        "symbol": map.symbol,
        // As people write it, not as a float of half the size has it.
        "score": (f64::from(map.score) * 1_000.0).round() / 1_000.0,
        "effect": map.effect.name(),
        "lines": lines.count(),
        "active": map.active,
        "edited": map.updated_at.map(date),
    })
}

fn new_map(new: NewMap) -> Result<policy::NewMap, Failure> {
    Ok(policy::NewMap {
        kind: word(&new.kind)?,
        effect: word(&new.effect)?,
        name: new.name,
        symbol: new.symbol,
        scope: new.scope,
        score: new.score,
        description: new.description,
        text: new.text,
    })
}

fn shown(settings: &Settings) -> Value {
    let thresholds = &settings.thresholds;
    json!({
        "greylist": thresholds.greylist,
        "junk": thresholds.junk,
        "rewrite": thresholds.rewrite,
        "quarantine": thresholds.quarantine,
        "reject": thresholds.reject,
        "discard": thresholds.discard,
        "subject_prefix": settings.subject_prefix,
        "tagged": settings.tagged.map(policy::Tagged::name),
        "spam": settings.spam.map(policy::SpamPlace::name),
        "limit": settings.limit.map(|limit| limit.to_string()),
    })
}

/// Sets or unsets one setting.
fn set(settings: &mut Settings, key: &str, value: Option<&String>) -> Result<(), Failure> {
    let score = || -> Result<Option<f32>, Failure> {
        value
            .map(|text| text.parse().map_err(|error| invalid(text, &error)))
            .transpose()
    };
    let thresholds = &mut settings.thresholds;
    match key {
        "greylist" => thresholds.greylist = score()?,
        "junk" => thresholds.junk = score()?,
        "rewrite" => thresholds.rewrite = score()?,
        "quarantine" => thresholds.quarantine = score()?,
        "reject" => thresholds.reject = score()?,
        "discard" => thresholds.discard = score()?,
        "subject_prefix" => settings.subject_prefix = value.cloned(),
        "tagged" => settings.tagged = value.map(|text| word(text)).transpose()?,
        "spam" => settings.spam = value.map(|text| word(text)).transpose()?,
        "limit" => {
            settings.limit = value
                .map(|text| text.parse().map_err(|error| invalid(text, &error)))
                .transpose()?;
        }
        _ => {
            let known = "greylist, junk, rewrite, quarantine, reject, discard, subject_prefix, \
                         tagged, spam, limit";
            let text = format!("there is no setting {key:?}; there are {known}");
            return Err(Failure::new(FailureKind::Invalid, text));
        }
    }
    Ok(())
}

impl From<policy::Error> for Failure {
    fn from(error: policy::Error) -> Self {
        use policy::Error;
        let kind = match &error {
            Error::NotFound(_) => FailureKind::NotFound,
            Error::Exists(_) => FailureKind::Conflict,
            Error::Store(_) | Error::Internal(_) => FailureKind::Internal,
            _ => FailureKind::Invalid,
        };
        Self::new(kind, error)
    }
}
