//! Names the build: `MUSKOX_CHANNEL` is `stable` (unless told) or `nightly`, and a nightly's
//! `MUSKOX_BUILD` is what follows in its version, such as a date. Both come from the packager.

use std::io::Write as _;

fn main() -> Result<(), String> {
    let told = |name| std::env::var(name).ok();
    let package = told("CARGO_PKG_VERSION").ok_or("no version")?;
    let channel = told("MUSKOX_CHANNEL").unwrap_or_else(|| "stable".to_owned());
    let version = version(&package, &channel, told("MUSKOX_BUILD").as_deref())?;
    let lines = format!(
        "cargo::rustc-env=MUSKOX_VERSION={version}\n\
         cargo::rustc-env=MUSKOX_CHANNEL={channel}\n\
         cargo::rerun-if-env-changed=MUSKOX_CHANNEL\n\
         cargo::rerun-if-env-changed=MUSKOX_BUILD\n\
         cargo::rerun-if-changed=build.rs\n"
    );
    let written = std::io::stdout().write_all(lines.as_bytes());
    written.map_err(|error| error.to_string())
}

/// The version of a build in the form of semver: `0.1.0`, or `0.1.0-nightly.20261128`.
pub(crate) fn version(package: &str, channel: &str, build: Option<&str>) -> Result<String, String> {
    match (channel, build) {
        ("stable", None) => Ok(package.to_owned()),
        ("stable", Some(_)) => Err("MUSKOX_BUILD is for MUSKOX_CHANNEL=nightly".to_owned()),
        ("nightly", Some(build)) if is_identifiers(build) => {
            Ok(format!("{package}-nightly.{build}"))
        }
        ("nightly", _) => Err(
            "MUSKOX_CHANNEL=nightly needs MUSKOX_BUILD, such as 20261128 or 20261128.a1b2c3d"
                .to_owned(),
        ),
        _ => Err(format!("MUSKOX_CHANNEL={channel}: stable or nightly")),
    }
}

/// Semver's identifiers between dots: letters, digits and hyphens, numbers without a leading zero.
fn is_identifiers(text: &str) -> bool {
    text.split('.').all(|part| {
        let number = part.bytes().all(|byte| byte.is_ascii_digit());
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        !part.is_empty()
            && part.bytes().all(allowed)
            && !(number && part.len() > 1 && part.starts_with('0'))
    })
}
