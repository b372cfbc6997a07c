//! The order of layers: folders are layers, and a crate uses its own layer's lower neighbours and
//! the layers below, never one above.

use std::io;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::Findings;

/// Every crate from the lowest to the highest. Crates on one line do not use each other.
const ORDER: &[&[&str]] = &[
    // formats: bytes in, values out
    &[
        "formats/smtp",
        "formats/sasl",
        "formats/imap",
        "formats/mime",
        "formats/text",
        "formats/attachment",
        "formats/milter",
    ],
    // services, lower ones first
    &[
        "services/ambient",
        "services/lobby",
        "services/parsebox",
        "services/patterns",
    ],
    &[
        "services/store",
        "services/dns",
        "services/tls",
        "services/rules",
        "services/antivirus",
    ],
    &[
        "services/directory",
        "services/policy",
        "services/learn",
        "services/blocklist",
    ],
    &["services/mail", "services/mailauth"],
    &["services/filter", "services/queue"],
    // protocol sessions
    &[
        "servers/smtpd",
        "servers/imapd",
        "servers/web",
        "servers/filterd",
    ],
    // the product, then what tests and measures it
    &["muskox"],
    &["testkit", "benches/probe"],
    &["tests", "benches", "torture", "xtask"],
];

/// Checks the workspace at `root`.
pub(crate) fn check(root: &Path) -> io::Result<Findings> {
    let output = Command::new("cargo")
        .args([
            "metadata",
            "--no-deps",
            "--offline",
            "--format-version",
            "1",
        ])
        .current_dir(root)
        .output()?;
    let metadata: Value = serde_json::from_slice(&output.stdout)?;
    Ok(findings(&metadata, root))
}

fn findings(metadata: &Value, root: &Path) -> Findings {
    let mut findings = Findings::new();
    for package in metadata
        .get("packages")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
    {
        let Some(folder) = folder(package.get("manifest_path"), root) else {
            continue;
        };
        let Some(level) = level(&folder) else {
            findings.push(format!(
                "{folder} has no place in the order of layers (xtask/src/layers.rs)"
            ));
            continue;
        };
        for dependency in package
            .get("dependencies")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
        {
            let Some(path) = dependency.get("path").and_then(Value::as_str) else {
                continue;
            };
            let used = relative(Path::new(path), root);
            // A crate's tests may use it with features that only they want.
            let itself = used == folder && dependency.get("kind") == Some(&Value::from("dev"));
            if itself {
                continue;
            }
            if self::level(&used).is_none_or(|used| used >= level) {
                findings.push(format!("{folder} uses {used}, which is not below it"));
            }
        }
    }
    findings
}

fn folder(manifest: Option<&Value>, root: &Path) -> Option<String> {
    Path::new(manifest?.as_str()?)
        .parent()
        .map(|folder| relative(folder, root))
}

fn relative(path: &Path, root: &Path) -> String {
    path.strip_prefix(root)
        .unwrap_or(path)
        .display()
        .to_string()
}

fn level(folder: &str) -> Option<usize> {
    ORDER.iter().position(|crates| crates.contains(&folder))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_workspace_keeps_the_order() {
        assert_eq!(check(&crate::root()).unwrap(), Findings::new());
    }

    #[test]
    fn an_arrow_upwards_sideways_or_from_an_unknown_crate_is_found() {
        let package = |folder: &str, uses: &str| {
            json!({ "manifest_path": format!("/w/{folder}/Cargo.toml"),
                    "dependencies": [{ "path": format!("/w/{uses}") }, { "name": "serde" }] })
        };
        let table = [
            ("services/store", "servers/smtpd", 1),
            ("formats/smtp", "formats/imap", 1),
            ("services/new", "formats/imap", 1),
            ("services/mail", "formats/imap", 0),
        ];
        for (folder, uses, wanted) in table {
            let metadata = json!({ "packages": [package(folder, uses)] });
            assert_eq!(
                findings(&metadata, Path::new("/w")).len(),
                wanted,
                "{folder} -> {uses}"
            );
        }
    }
}
