//! `muskox domain …`

use clap::Subcommand;

use super::output::parse_size;
use super::{Asker, Failed, Output};
use crate::control::{DomainRequest, Request};

#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// Receive mail for a domain; makes its DKIM keys
    Add {
        /// The domain
        name: String,
        /// Make it another name of this domain: every address also exists there
        #[arg(long, value_name = "DOMAIN")]
        alias_of: Option<String>,
        /// Quota of new accounts, as in 500M or 2G
        #[arg(long, default_value = "unlimited", value_parser = parse_size)]
        quota: u64,
    },
    /// All domains
    List,
    /// Stop receiving mail for a domain without accounts
    Remove {
        /// The domain
        name: String,
    },
    /// The DNS records a domain needs
    Dns {
        /// The domain
        name: String,
    },
}

pub(super) fn run(verb: &Verb, asker: &Asker, output: &Output) -> Result<(), Failed> {
    match verb {
        Verb::Add {
            name,
            alias_of,
            quota,
        } => {
            let request = DomainRequest::Add {
                name: name.clone(),
                alias_of: alias_of.clone(),
                quota_bytes: *quota,
            };
            let data = asker.ask(&Request::Domain(request))?;
            output.data("muskox.domain/1", &data, |output, data| {
                output.line(format_args!("added {name}; its DNS records:\n"));
                records(output, data);
            });
        }
        Verb::List => {
            let data = asker.ask(&Request::Domain(DomainRequest::List))?;
            output.data("muskox.domain.list/1", &data, |output, data| {
                let columns = [
                    ("DOMAIN", "name"),
                    ("ALIAS OF", "alias_of"),
                    ("ACCOUNTS", "accounts"),
                    ("ALIASES", "aliases"),
                ];
                output.table(data, &columns);
            });
        }
        Verb::Remove { name } => {
            asker.ask(&Request::Domain(DomainRequest::Remove {
                name: name.clone(),
            }))?;
            output.note(format_args!("removed {name}"));
        }
        Verb::Dns { name } => {
            let data = asker.ask(&Request::Domain(DomainRequest::Dns { name: name.clone() }))?;
            output.data("muskox.domain.dns/1", &data, records);
        }
    }
    Ok(())
}

/// Prints DNS records: one block each, so that a long TXT value can be copied whole.
pub(super) fn records(output: &Output, data: &serde_json::Value) {
    output.table(
        data,
        &[
            ("NAME", "name"),
            ("TYPE", "type"),
            ("VALUE", "value"),
            ("WHY", "why"),
        ],
    );
}
