//! `muskox dkim …`

use clap::Subcommand;

use super::{Asker, Failed, Output, domain};
use crate::control::{DkimAlgorithm, DkimRequest, Request};

#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// Make a key and sign with it from now on; publish its record first
    Generate {
        /// The domain
        domain: String,
        /// The name of the key in DNS, as in s2026a
        selector: String,
        /// RSA for everybody, Ed25519 beside it
        #[arg(long, value_enum, default_value_t = DkimAlgorithm::Rsa)]
        algorithm: DkimAlgorithm,
    },
    /// All keys with their DNS records
    List {
        /// Only those of this domain
        domain: Option<String>,
    },
    /// Remove a key
    Remove {
        /// The domain
        domain: String,
        /// The key
        selector: String,
    },
}

pub(super) fn run(verb: &Verb, asker: &Asker, output: &Output) -> Result<(), Failed> {
    match verb {
        Verb::Generate {
            domain,
            selector,
            algorithm,
        } => {
            let request = DkimRequest::Generate {
                domain: domain.clone(),
                selector: selector.clone(),
                algorithm: *algorithm,
            };
            let data = asker.ask(&Request::Dkim(request))?;
            output.data("muskox.dkim/1", &data, domain::records);
        }
        Verb::List { domain } => {
            let data = asker.ask(&Request::Dkim(DkimRequest::List {
                domain: domain.clone(),
            }))?;
            output.data("muskox.dkim.list/1", &data, |output, data| {
                let columns = [
                    ("DOMAIN", "domain"),
                    ("SELECTOR", "selector"),
                    ("ALGORITHM", "algorithm"),
                    ("NAME", "name"),
                    ("VALUE", "value"),
                ];
                output.table(data, &columns);
            });
        }
        Verb::Remove { domain, selector } => {
            let request = DkimRequest::Remove {
                domain: domain.clone(),
                selector: selector.clone(),
            };
            asker.ask(&Request::Dkim(request))?;
            output.note(format_args!("removed {selector} of {domain}"));
        }
    }
    Ok(())
}
