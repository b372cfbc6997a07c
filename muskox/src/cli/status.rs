//! `muskox status` and `muskox db …`

use clap::Subcommand;
use serde_json::Value;

use super::{Asker, Failed, Output};
use crate::control::Request;

#[derive(Debug, Subcommand)]
pub(super) enum DbVerb {
    /// Recompute every counter and reference, and read every blob
    Check,
}

pub(super) fn run(asker: &Asker, output: &Output) -> Result<(), Failed> {
    let data = asker.ask(&Request::Status)?;
    output.data("muskox.status/1", &data, |output, data| {
        for (key, value) in data.as_object().into_iter().flatten() {
            let value = value
                .as_str()
                .map_or_else(|| value.to_string(), ToOwned::to_owned);
            output.line(format_args!("{key:<18} {value}"));
        }
    });
    Ok(())
}

pub(super) fn check(asker: &Asker, output: &Output) -> Result<(), Failed> {
    let data = asker.ask(&Request::Check)?;
    let findings = data
        .get("findings")
        .and_then(Value::as_array)
        .map_or(0, Vec::len);
    output.data("muskox.db.check/1", &data, |output, data| {
        for finding in data
            .get("findings")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
        {
            output.line(super::output::printable(
                finding.as_str().unwrap_or_default(),
            ));
        }
        let number = |key| data.get(key).and_then(Value::as_u64).unwrap_or_default();
        output.line(format_args!(
            "{} blobs, {} bytes: {findings} findings",
            number("blobs"),
            number("bytes")
        ));
    });
    if findings == 0 {
        Ok(())
    } else {
        Err(Failed::Negative("the database has damage".to_owned()))
    }
}
