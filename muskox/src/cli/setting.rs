//! `muskox setting …`: thresholds, tags, limits, networks, special addresses.

use clap::{Args, Subcommand};
use serde_json::Value;

use super::rules::live;
use super::{Asker, Failed, Output};
use crate::control::{Request, SettingRequest};

#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// What is set
    Show {
        /// For this account (an address) or domain; for everybody when left out
        #[arg(long = "for", value_name = "OWNER")]
        owner: Option<String>,
    },
    /// Set something: greylist, junk, rewrite, quarantine, reject, discard (scores),
    /// subject_prefix, tagged (plain, subject, subfolder), spam (junk, quarantine), limit (100 / 1h)
    Set(Set),
    /// Give an address a role
    Role {
        /// The address
        address: String,
        /// internal, ham_trap, spam_trap, or none
        role: String,
    },
    /// Addresses with a role
    Roles,
    /// Networks with a meaning
    #[command(subcommand)]
    Network(Network),
}

#[derive(Debug, Args)]
pub(super) struct Set {
    /// KEY=VALUE; KEY= unsets
    #[arg(required = true)]
    values: Vec<String>,
    /// For this account (an address) or domain; for everybody when left out
    #[arg(long = "for", value_name = "OWNER")]
    owner: Option<String>,
}

#[derive(Debug, Subcommand)]
pub(super) enum Network {
    /// All of them, or those an account may send from
    List {
        /// Of this account
        #[arg(long)]
        account: Option<String>,
    },
    /// Add one
    Add {
        /// The network, such as 192.0.2.0/24
        network: String,
        /// own: its hops are believed; forwarding: it forwards mail; forwarding_unfiltered: and
        /// what it forwards is not filtered; submission: an account may send from there only
        purpose: String,
        /// The account, for submission
        #[arg(long)]
        account: Option<String>,
        /// Why
        #[arg(long, default_value = "")]
        comment: String,
    },
    /// Remove one
    Remove {
        /// Its number, as `list` shows it
        id: i64,
        /// Of this account
        #[arg(long)]
        account: Option<String>,
    },
}

pub(super) fn run(verb: &Verb, asker: &Asker, output: &Output) -> Result<(), Failed> {
    let ask = |request| asker.ask(&Request::Setting(request));
    match verb {
        Verb::Show { owner } => {
            let data = ask(SettingRequest::Show {
                owner: owner.clone(),
            })?;
            output.data("muskox.setting.show/1", &data, |output, data| {
                for (key, value) in data.as_object().into_iter().flatten() {
                    if *value != Value::Null {
                        let value = value
                            .as_str()
                            .map_or_else(|| value.to_string(), str::to_owned);
                        output.line(format_args!("{key:<16} {value}"));
                    }
                }
            });
        }
        Verb::Set(set) => {
            let (mut values, mut unset) = (Vec::new(), Vec::new());
            for pair in &set.values {
                match pair.split_once('=') {
                    Some((key, "")) => unset.push(key.to_owned()),
                    Some((key, value)) => values.push((key.to_owned(), value.to_owned())),
                    None => return Err(Failed::Usage(format!("{pair:?} is not KEY=VALUE"))),
                }
            }
            let data = ask(SettingRequest::Set {
                owner: set.owner.clone(),
                values,
                unset,
            })?;
            live(output, &set.values.join(", "), &data);
        }
        Verb::Role { address, role } => {
            let data = ask(SettingRequest::Role {
                address: address.clone(),
                role: (role != "none").then(|| role.clone()),
            })?;
            live(output, address, &data);
        }
        Verb::Roles => {
            let data = ask(SettingRequest::Roles)?;
            output.data("muskox.setting.roles/1", &data, |output, data| {
                output.table(data, &[("ADDRESS", "address"), ("ROLE", "role")]);
            });
        }
        Verb::Network(network) => self::network(network, asker, output)?,
    }
    Ok(())
}

fn network(verb: &Network, asker: &Asker, output: &Output) -> Result<(), Failed> {
    let ask = |request| asker.ask(&Request::Setting(request));
    match verb {
        Network::List { account } => {
            let data = ask(SettingRequest::Networks {
                account: account.clone(),
            })?;
            output.data("muskox.setting.networks/1", &data, |output, data| {
                let columns = [
                    ("ID", "id"),
                    ("NETWORK", "network"),
                    ("PURPOSE", "purpose"),
                    ("COMMENT", "comment"),
                ];
                output.table(data, &columns);
            });
        }
        Network::Add {
            network,
            purpose,
            account,
            comment,
        } => {
            let data = ask(SettingRequest::AddNetwork {
                network: network.clone(),
                purpose: purpose.clone(),
                account: account.clone(),
                comment: comment.clone(),
            })?;
            live(output, network, &data);
        }
        Network::Remove { id, account } => {
            let data = ask(SettingRequest::RemoveNetwork {
                account: account.clone(),
                id: *id,
            })?;
            live(output, "the networks", &data);
        }
    }
    Ok(())
}
