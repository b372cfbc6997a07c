//! Carries out requests of the control socket with the services.

use std::net::SocketAddr;

use directory::{AccountState, AliasName, NewAccount, NewAlias, NewDomain, NewPassword, Page};
use sasl::Secret;
use serde_json::{Value, json};
use smtp::{Address, Domain};

use super::protocol::{AccountRequest, AliasRequest, DomainRequest, Failure, FailureKind, Request};
use crate::demo::Captures;
use crate::server::{Services, with_causes};
use crate::version::{CHANNEL, VERSION};

mod filtering;
mod keys;
mod mail;
mod policy;
mod upgrade;

pub(crate) use keys::{dkim_record, first_keys};

/// What requests work on.
#[derive(Debug)]
pub struct Handler {
    services: Services,
    addresses: Vec<(&'static str, SocketAddr)>,
    hostname: Domain,
    captures: Option<Captures>,
}

type Outcome = Result<Value, Failure>;

impl Handler {
    /// A handler over a server's services. `captures` are those of the demo.
    #[must_use]
    pub fn new(
        services: Services,
        addresses: Vec<(&'static str, SocketAddr)>,
        hostname: Domain,
        captures: Option<Captures>,
    ) -> Self {
        Self {
            services,
            addresses,
            hostname,
            captures,
        }
    }

    /// Carries out a request.
    ///
    /// # Errors
    /// Why it was not carried out; nothing has changed then.
    pub async fn handle(&self, request: Request) -> Outcome {
        match request {
            Request::Domain(request) => self.domain(request).await,
            Request::Account(request) => self.account(request).await,
            Request::Alias(request) => self.alias(request).await,
            Request::Dkim(request) => self.dkim(request).await,
            Request::Queue(request) => self.queue(request).await,
            Request::Captured(request) => self.captured(&request),
            Request::Message(request) => self.message(request).await,
            Request::Quarantine(request) => self.quarantine(request).await,
            Request::Learn(request) => self.learn(request).await,
            Request::Filter(request) => self.filter(request).await,
            Request::Rules(request) => self.rules(request).await,
            Request::Map(request) => self.map(request).await,
            Request::Sender(request) => self.sender(request).await,
            Request::Setting(request) => self.setting(request).await,
            Request::Upgrade(request) => self.upgrade(request).await,
            Request::Status => self.status().await,
            Request::Check => self.check().await,
        }
    }

    async fn domain(&self, request: DomainRequest) -> Outcome {
        let directory = &self.services.directory;
        match request {
            DomainRequest::Add {
                name,
                alias_of,
                quota_bytes,
            } => {
                let name = domain(&name)?;
                let alias_of = alias_of.as_deref().map(domain).transpose()?;
                let is_alias = alias_of.is_some();
                let new = NewDomain {
                    alias_of,
                    quota_bytes,
                    ..NewDomain::new(name.clone())
                };
                directory.create_domain(new).await?;
                if !is_alias {
                    first_keys(directory, &name).await?;
                }
                self.dns_records(&name).await
            }
            DomainRequest::List => {
                let domains = directory.list_domains().await?;
                serde_json::to_value(domains).map_err(internal)
            }
            DomainRequest::Remove { name } => {
                let name = domain(&name)?;
                directory.remove_domain(&name).await?;
                Ok(Value::Null)
            }
            DomainRequest::Dns { name } => {
                let name = domain(&name)?;
                directory.domain(&name).await?;
                self.dns_records(&name).await
            }
        }
    }

    async fn account(&self, request: AccountRequest) -> Outcome {
        let directory = &self.services.directory;
        let id = async |name: &str| -> Result<store::AccountId, Failure> {
            Ok(directory.account(&address(name)?).await?.id)
        };
        match request {
            AccountRequest::Add {
                address: name,
                password,
                hashed,
                full_name,
                quota_bytes,
            } => {
                let password = if hashed {
                    NewPassword::Hashed(password)
                } else {
                    NewPassword::Clear(Secret::new(password))
                };
                let new = NewAccount {
                    full_name,
                    quota_bytes,
                    ..NewAccount::new(address(&name)?, password)
                };
                self.services.create_account(new).await?;
                self.postmaster(&address(&name)?).await?;
                Ok(Value::Null)
            }
            AccountRequest::List { domain: of } => {
                let of = of.as_deref().map(domain).transpose()?;
                let accounts = directory
                    .list_accounts(of.as_ref(), Page::default())
                    .await?;
                serde_json::to_value(accounts).map_err(internal)
            }
            AccountRequest::Remove { address } => {
                self.services.remove_account(id(&address).await?).await?;
                Ok(Value::Null)
            }
            AccountRequest::Password { address, password } => {
                let password = NewPassword::Clear(Secret::new(password));
                directory
                    .set_password(id(&address).await?, password)
                    .await?;
                Ok(Value::Null)
            }
            AccountRequest::Quota {
                address,
                quota_bytes,
            } => {
                directory
                    .set_quota(id(&address).await?, quota_bytes)
                    .await?;
                Ok(Value::Null)
            }
            AccountRequest::Enable { address } => {
                directory
                    .set_active(id(&address).await?, AccountState::Active)
                    .await?;
                Ok(Value::Null)
            }
            AccountRequest::Disable { address, receiving } => {
                let state = if receiving {
                    AccountState::ReceiveOnly
                } else {
                    AccountState::Disabled
                };
                directory.set_active(id(&address).await?, state).await?;
                Ok(Value::Null)
            }
        }
    }

    /// RFC 5321 §4.5.1: every domain has a postmaster. The first account gets its mail until
    /// somebody says otherwise.
    async fn postmaster(&self, first: &Address) -> Result<(), Failure> {
        let postmaster = address(&format!("postmaster@{}", first.domain))?;
        let new = NewAlias {
            name: AliasName::Address(postmaster),
            targets: vec![first.clone()],
            comment: "made with the first account".to_owned(),
        };
        match self.services.directory.create_alias(new).await {
            Ok(()) | Err(directory::Error::Exists(_)) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    async fn alias(&self, request: AliasRequest) -> Outcome {
        let directory = &self.services.directory;
        let name = |text: &str| -> Result<AliasName, Failure> {
            text.parse().map_err(|error| invalid(text, &error))
        };
        match request {
            AliasRequest::Add {
                address: alias,
                targets,
                comment,
            } => {
                let targets: Result<Vec<Address>, Failure> =
                    targets.iter().map(|target| address(target)).collect();
                let new = NewAlias {
                    name: name(&alias)?,
                    targets: targets?,
                    comment,
                };
                directory.create_alias(new).await?;
                Ok(Value::Null)
            }
            AliasRequest::List { domain: of } => {
                let of = of.as_deref().map(domain).transpose()?;
                let aliases = directory.list_aliases(of.as_ref(), Page::default()).await?;
                let aliases: Vec<Value> = aliases
                    .iter()
                    .map(|alias| {
                        json!({
                            "address": alias.name.to_string(),
                            "targets": alias.targets.iter().map(ToString::to_string).collect::<Vec<_>>(),
                            "active": alias.active,
                            "comment": alias.comment,
                        })
                    })
                    .collect();
                Ok(Value::Array(aliases))
            }
            AliasRequest::Remove { address: alias } => {
                directory.remove_alias(&name(&alias)?).await?;
                Ok(Value::Null)
            }
        }
    }

    async fn status(&self) -> Outcome {
        let queued = self.services.queue.count().await?;
        let data = self.services.db.provenance().await?;
        let mut status = serde_json::Map::new();
        status.insert("version".into(), VERSION.into());
        status.insert("channel".into(), CHANNEL.into());
        status.insert("hostname".into(), self.hostname.to_string().into());
        status.insert(
            "store".into(),
            if self.services.db.is_failed() {
                "failed"
            } else {
                "good"
            }
            .into(),
        );
        status.insert("schema".into(), data.schema.into());
        if let Some(version) = data.created_by {
            status.insert("created_by".into(), version.into());
        }
        status.insert("queued_messages".into(), queued.into());
        for (name, address) in &self.addresses {
            status.insert((*name).into(), address.to_string().into());
        }
        Ok(Value::Object(status))
    }
}

fn domain(text: &str) -> Result<Domain, Failure> {
    Domain::parse(text).map_err(|error| invalid(text, &error))
}

fn address(text: &str) -> Result<Address, Failure> {
    Address::parse(text).map_err(|error| invalid(text, &error))
}

fn invalid(text: &str, error: &dyn std::fmt::Display) -> Failure {
    Failure::new(FailureKind::Invalid, format!("{text:?}: {error}"))
}

fn internal(error: impl std::fmt::Display) -> Failure {
    Failure::new(FailureKind::Internal, error)
}

impl From<directory::Error> for Failure {
    fn from(error: directory::Error) -> Self {
        use directory::Error;
        let kind = match &error {
            Error::Exists(_) | Error::InUse { .. } | Error::LastAdministrator => {
                FailureKind::Conflict
            }
            Error::NotFound(_) => FailureKind::NotFound,
            Error::Store(_) | Error::Hook(_) | Error::Internal(_) | Error::Busy => {
                FailureKind::Internal
            }
            _ => FailureKind::Invalid,
        };
        Self::new(kind, with_causes(&error))
    }
}
