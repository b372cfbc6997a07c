//! DKIM keys and the DNS records of a domain.

use directory::{Directory, DkimAlgorithm as Algorithm, DkimKeyRecord, NewDkimKey, PrivateKey};
use mailauth::sign;
use serde_json::{Value, json};
use smtp::Domain;

use super::{Handler, Outcome, domain};
use crate::control::protocol::{DkimAlgorithm, DkimRequest};

impl Handler {
    pub(super) async fn dkim(&self, request: DkimRequest) -> Outcome {
        let directory = &self.services.directory;
        match request {
            DkimRequest::Generate {
                domain: name,
                selector,
                algorithm,
            } => {
                let name = domain(&name)?;
                generate(directory, &name, &selector, algorithm).await?;
                let keys = directory.list_dkim_keys(&name).await?;
                let made = keys.iter().filter(|key| key.selector == selector);
                Ok(made.map(key_record).collect())
            }
            DkimRequest::List { domain: of } => {
                let domains = match of {
                    Some(name) => vec![domain(&name)?],
                    None => {
                        let domains = directory.list_domains().await?;
                        domains.into_iter().map(|domain| domain.name).collect()
                    }
                };
                let mut listed = Vec::new();
                for name in domains {
                    for key in directory.list_dkim_keys(&name).await? {
                        let (record, value) = dkim_record(&key);
                        listed.push(json!({
                            "domain": key.domain.to_string(),
                            "selector": key.selector,
                            "algorithm": key.algorithm.as_str(),
                            "active": key.active,
                            "name": record,
                            "value": value,
                        }));
                    }
                }
                Ok(Value::Array(listed))
            }
            DkimRequest::Remove {
                domain: name,
                selector,
            } => {
                directory
                    .remove_dkim_key(&domain(&name)?, &selector)
                    .await?;
                Ok(Value::Null)
            }
        }
    }

    /// What has to be in DNS so that mail for and from the domain works and is trusted.
    pub(super) async fn dns_records(&self, name: &Domain) -> Outcome {
        let mut records = vec![
            record(
                name.to_string(),
                "MX",
                format!("10 {}.", self.hostname),
                "mail arrives here",
            ),
            record(
                name.to_string(),
                "TXT",
                "v=spf1 mx ~all".into(),
                "only this server sends",
            ),
        ];
        for key in self.services.directory.list_dkim_keys(name).await? {
            records.push(key_record(&key));
        }
        let policy = format!("v=DMARC1; p=none; rua=mailto:postmaster@{name}");
        records.push(record(
            format!("_dmarc.{name}"),
            "TXT",
            policy,
            "what others do with forgeries",
        ));
        Ok(Value::Array(records))
    }
}

fn record(name: String, kind: &str, value: String, why: &str) -> Value {
    json!({ "name": name, "type": kind, "value": value, "why": why })
}

fn key_record(key: &DkimKeyRecord) -> Value {
    let (name, value) = dkim_record(key);
    record(name, "TXT", value, "verifies our signatures")
}

/// RFC 6376 §3.6: where a key stands in DNS, and its TXT record.
pub(crate) fn dkim_record(key: &DkimKeyRecord) -> (String, String) {
    let algorithm = match key.algorithm {
        Algorithm::RsaSha256 => sign::Algorithm::Rsa2048,
        Algorithm::Ed25519Sha256 => sign::Algorithm::Ed25519,
    };
    (
        sign::dns_name(&key.domain, &key.selector),
        sign::dns_txt(algorithm, &key.public_key),
    )
}

/// A new domain's keys: RSA for everybody, Ed25519 beside it.
pub(crate) async fn first_keys(
    directory: &Directory,
    name: &Domain,
) -> Result<(), directory::Error> {
    generate(directory, name, "s1-rsa", DkimAlgorithm::Rsa).await?;
    generate(directory, name, "s1-ed25519", DkimAlgorithm::Ed25519).await
}

async fn generate(
    directory: &Directory,
    name: &Domain,
    selector: &str,
    algorithm: DkimAlgorithm,
) -> Result<(), directory::Error> {
    let (kind, algorithm) = match algorithm {
        DkimAlgorithm::Rsa => (sign::Algorithm::Rsa2048, Algorithm::RsaSha256),
        DkimAlgorithm::Ed25519 => (sign::Algorithm::Ed25519, Algorithm::Ed25519Sha256),
    };
    // RSA keys take a good part of a second to find.
    let key = tokio::task::spawn_blocking(move || sign::generate(kind));
    let key = key
        .await
        .map_err(directory::Error::hook)?
        .map_err(directory::Error::hook)?;
    let new = NewDkimKey {
        domain: name.clone(),
        selector: selector.to_owned(),
        algorithm,
        private_key_der: PrivateKey::new(key.private_key),
        public_key: key.public_key,
    };
    directory.add_dkim_key(new).await
}
