//! `muskox account …`

use std::io::IsTerminal as _;

use clap::Subcommand;

use super::output::parse_size;
use super::{Asker, Failed, Output};
use crate::control::{AccountRequest, Request};

#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// Add an account; the password is read from standard input, or made and printed
    Add {
        /// The address that signs in and receives
        address: String,
        /// The person's name
        #[arg(long, default_value = "")]
        name: String,
        /// Most mail it may keep, as in 500M or 2G [default: the domain's]
        #[arg(long, value_parser = parse_size)]
        quota: Option<u64>,
        /// Standard input holds a password hash of another server, as in {SHA512-CRYPT}$6$…
        #[arg(long)]
        hashed: bool,
        /// Make a random password and print it, whatever standard input holds
        #[arg(long, conflicts_with = "hashed")]
        random: bool,
    },
    /// All accounts
    List {
        /// Only those of this domain
        domain: Option<String>,
    },
    /// Remove an account and all its mail
    Remove {
        /// The account
        address: String,
        /// Do it without asking
        #[arg(long)]
        yes: bool,
    },
    /// Set a password, read from standard input
    Password {
        /// The account
        address: String,
    },
    /// Set the most mail an account may keep
    Quota {
        /// The account
        address: String,
        /// As in 500M, 2G or unlimited
        #[arg(value_parser = parse_size)]
        quota: u64,
    },
    /// Let an account sign in and receive again
    Enable {
        /// The account
        address: String,
    },
    /// Keep an account from signing in, and its mail out
    Disable {
        /// The account
        address: String,
        /// It still receives mail
        #[arg(long)]
        receiving: bool,
    },
}

pub(super) fn run(verb: &Verb, asker: &Asker, output: &Output) -> Result<(), Failed> {
    let simple = |request: AccountRequest, done: String| -> Result<(), Failed> {
        asker.ask(&Request::Account(request))?;
        output.note(done);
        Ok(())
    };
    match verb {
        Verb::Add { .. } => add(verb, asker, output),
        Verb::List { domain } => {
            let request = AccountRequest::List {
                domain: domain.clone(),
            };
            let data = asker.ask(&Request::Account(request))?;
            output.data("muskox.account.list/1", &data, |output, data| {
                let columns = [
                    ("ACCOUNT", "address"),
                    ("NAME", "full_name"),
                    ("STATE", "state"),
                    ("MESSAGES", "used_count"),
                    ("BYTES", "used_bytes"),
                    ("QUOTA", "quota_bytes"),
                ];
                output.table(data, &columns);
            });
            Ok(())
        }
        Verb::Remove { address, yes: true } => simple(
            AccountRequest::Remove {
                address: address.clone(),
            },
            format!("removed {address} and its mail"),
        ),
        Verb::Remove {
            address,
            yes: false,
        } => Err(Failed::Usage(format!(
            "this deletes all mail of {address}; say so with --yes"
        ))),
        Verb::Password { address } => simple(
            AccountRequest::Password {
                address: address.clone(),
                password: read_password()?,
            },
            format!("password of {address} set"),
        ),
        Verb::Quota { address, quota } => simple(
            AccountRequest::Quota {
                address: address.clone(),
                quota_bytes: *quota,
            },
            format!("quota of {address} set"),
        ),
        Verb::Enable { address } => simple(
            AccountRequest::Enable {
                address: address.clone(),
            },
            format!("{address} enabled"),
        ),
        Verb::Disable { address, receiving } => simple(
            AccountRequest::Disable {
                address: address.clone(),
                receiving: *receiving,
            },
            format!("{address} disabled"),
        ),
    }
}

fn add(verb: &Verb, asker: &Asker, output: &Output) -> Result<(), Failed> {
    let Verb::Add {
        address,
        name,
        quota,
        hashed,
        random,
    } = verb
    else {
        return Ok(());
    };
    let made = *random || (!*hashed && std::io::stdin().is_terminal());
    let password = if made {
        random_password()
    } else {
        read_password()?
    };
    let request = AccountRequest::Add {
        address: address.clone(),
        password: password.clone(),
        hashed: *hashed,
        full_name: name.clone(),
        quota_bytes: *quota,
    };
    asker.ask(&Request::Account(request))?;
    output.note(format_args!("added {address}"));
    if made {
        output.note("its password, shown only now:");
        output.line(password);
    }
    Ok(())
}

/// A password nobody guesses: 100 random bits in groups that can be typed.
pub(crate) fn random_password() -> String {
    let random: &dyn ambient::Random = &ambient::SystemRandom::new();
    let groups: Vec<String> = (0..4).map(|_| random.token(5)).collect();
    groups.join("-")
}

fn read_password() -> Result<String, Failed> {
    let mut line = String::new();
    std::io::stdin().read_line(&mut line)?;
    let password = line.trim_end_matches(['\r', '\n']);
    if password.is_empty() {
        return Err(Failed::Usage("no password on standard input".to_owned()));
    }
    Ok(password.to_owned())
}
