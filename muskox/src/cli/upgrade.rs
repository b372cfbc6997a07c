//! `muskox upgrade …`: from one version of the program to the next.

mod check;

use clap::Subcommand;
use serde_json::Value;

use super::output::{cell, printable};
use super::{Asker, Failed, Output};
use crate::control::{Request, UpgradeRequest};

#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// Which programs wrote the data, and whether an older one may open them
    Status,
    /// Try the upgrade to this program on a copy of the data
    Check(check::Options),
    /// End the time in which the version before can open the data
    Finalize {
        /// There is no way back
        #[arg(long)]
        yes: bool,
    },
}

pub(super) fn run(verb: &Verb, asker: &Asker, output: &Output) -> Result<(), Failed> {
    let request = match verb {
        Verb::Check(options) => return check::run(options, asker, output),
        Verb::Status => UpgradeRequest::Status,
        Verb::Finalize { yes: true } => UpgradeRequest::Finalize,
        Verb::Finalize { yes: false } => {
            return Err(Failed::Usage(
                "no older program will be able to open the data; say so with --yes".to_owned(),
            ));
        }
    };
    let data = asker.ask(&Request::Upgrade(request))?;
    output.data("muskox.upgrade.status/1", &data, show);
    Ok(())
}

fn show(output: &Output, data: &Value) {
    let text = |key: &str| cell(data.get(key));
    output.line(format_args!(
        "program  {} ({})",
        text("version"),
        text("channel")
    ));
    output.line(format_args!("created  {}", by(data, "created")));
    output.line(format_args!("opened   {}", by(data, "opened")));
    output.line(format_args!("schema   {}", text("schema")));
    output.line(if data.get("schema") == data.get("oldest_schema") {
        "finalized: older programs are refused".to_owned()
    } else {
        format!(
            "not finalized: programs from schema {} on can open the data",
            text("oldest_schema")
        )
    });
}

/// Which program did something, and when.
fn by(data: &Value, what: &str) -> String {
    let text = |end| data.get(format!("{what}_{end}")).and_then(Value::as_str);
    match (text("by"), text("at")) {
        (Some(version), Some(date)) => printable(&format!("by {version} at {date}")),
        _ => "by a version that left no note".to_owned(),
    }
}
