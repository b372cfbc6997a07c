//! `muskox alias …`

use clap::Subcommand;

use super::{Asker, Failed, Output};
use crate::control::{AliasRequest, Request};

#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// Lead an address to others, here or elsewhere
    Add {
        /// The address; `@domain` catches all that nobody else has
        address: String,
        /// Where its mail goes
        #[arg(required = true)]
        targets: Vec<String>,
        /// What it is for
        #[arg(long, default_value = "")]
        comment: String,
    },
    /// All aliases
    List {
        /// Only those of this domain
        domain: Option<String>,
    },
    /// Remove an alias
    Remove {
        /// The address
        address: String,
    },
}

pub(super) fn run(verb: &Verb, asker: &Asker, output: &Output) -> Result<(), Failed> {
    match verb {
        Verb::Add {
            address,
            targets,
            comment,
        } => {
            let request = AliasRequest::Add {
                address: address.clone(),
                targets: targets.clone(),
                comment: comment.clone(),
            };
            asker.ask(&Request::Alias(request))?;
            output.note(format_args!("added {address}"));
        }
        Verb::List { domain } => {
            let data = asker.ask(&Request::Alias(AliasRequest::List {
                domain: domain.clone(),
            }))?;
            output.data("muskox.alias.list/1", &data, |output, data| {
                let columns = [
                    ("ALIAS", "address"),
                    ("TARGETS", "targets"),
                    ("COMMENT", "comment"),
                ];
                output.table(data, &columns);
            });
        }
        Verb::Remove { address } => {
            asker.ask(&Request::Alias(AliasRequest::Remove {
                address: address.clone(),
            }))?;
            output.note(format_args!("removed {address}"));
        }
    }
    Ok(())
}
