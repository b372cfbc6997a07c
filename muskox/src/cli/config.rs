//! `muskox config …`

use std::path::PathBuf;

use clap::Subcommand;

use super::{Failed, Output};
use crate::config::{Config, reference};

#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// Read the configuration and say what is wrong with it
    Check,
    /// The configuration in force, with every default
    Show,
    /// All keys with their meaning and defaults, in Markdown
    Describe,
}

pub(super) fn run(verb: &Verb, path: Option<PathBuf>, output: &Output) -> Result<(), Failed> {
    match verb {
        Verb::Describe => {
            let hostname = smtp::Domain::parse("mail.example.org")
                .map_err(|error| Failed::Usage(error.to_string()))?;
            output.bytes(reference::page(&Config::new(hostname)).as_bytes());
        }
        Verb::Check => {
            let path = Config::path(path);
            Config::load(&path)?;
            output.note(format_args!("{}: good", path.display()));
        }
        Verb::Show => {
            let config = Config::load(&Config::path(path))?;
            let text =
                toml::to_string(&config).map_err(|error| Failed::Usage(error.to_string()))?;
            output.bytes(text.as_bytes());
        }
    }
    Ok(())
}
