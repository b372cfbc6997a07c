//! The bill of materials: every crate linked into the program, as CycloneDX 1.5 in JSON.
//!
//! Libraries in C are in crates that bring their source (aws-lc-sys, libsqlite3-sys, zstd-sys,
//! libmimalloc-sys) and are not listed beside them. The program that needs nothing else contains
//! the C library of the machine that built it as well, which no crate names.

use std::io;

use serde_json::{Value, json};

use super::crates::{Crate, Crates, Key};
use super::release::Release;

/// The document, the same octets for the same crates.
pub(super) fn write(crates: &Crates, release: &Release) -> io::Result<Vec<u8>> {
    let components: Vec<_> = crates
        .0
        .iter()
        .filter(|((name, _), _)| name != "muskox")
        .map(|(key, linked)| component(key, linked))
        .collect();
    let dependencies: Vec<_> = crates
        .0
        .iter()
        .map(|(key, linked)| {
            let uses: Vec<_> = linked.uses.iter().map(purl).collect();
            json!({ "ref": purl(key), "dependsOn": uses })
        })
        .collect();
    let program: Vec<_> = crates
        .0
        .iter()
        .filter(|((name, _), _)| name == "muskox")
        .map(|(key, linked)| {
            let mut program = component(key, linked);
            if let Some(program) = program.as_object_mut() {
                program.insert("type".to_owned(), "application".into());
                let revision = json!([{ "name": "muskox:revision", "value": release.revision }]);
                program.insert("properties".to_owned(), revision);
            }
            program
        })
        .collect();
    let document = json!({
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {
            "timestamp": release.dated("%Y-%m-%dT%H:%M:%SZ"),
            "component": program.first(),
        },
        "components": components,
        "dependencies": dependencies,
    });
    let mut bytes = serde_json::to_vec_pretty(&document)?;
    bytes.push(b'\n');
    Ok(bytes)
}

fn component(key: &Key, linked: &Crate) -> Value {
    let (name, version) = key;
    let mut component = json!({
        "type": "library",
        "bom-ref": purl(key),
        "name": name,
        "version": version,
        "licenses": [{ "expression": linked.licence }],
        "purl": purl(key),
    });
    if let Some(component) = component.as_object_mut() {
        if let Some(checksum) = &linked.checksum {
            let hashes = json!([{ "alg": "SHA-256", "content": checksum }]);
            component.insert("hashes".to_owned(), hashes);
        }
        if let Some(repository) = &linked.repository {
            let references = json!([{ "type": "vcs", "url": repository }]);
            component.insert("externalReferences".to_owned(), references);
        }
    }
    component
}

/// A crate's package URL.
fn purl((name, version): &Key) -> String {
    // Of what versions may contain, only `+` means something else in a URL.
    format!("pkg:cargo/{name}@{}", version.replace('+', "%2B"))
}

#[cfg(test)]
mod tests {
    use super::super::build::Arch;
    use super::super::release::{Channel, example};
    use super::*;

    #[test]
    fn every_reference_in_the_document_leads_to_a_component_of_it() {
        let crates = Crates::linked(&crate::root(), Arch::Arm64).unwrap();
        let bytes = write(&crates, &example(Channel::Stable)).unwrap();
        assert_eq!(bytes, write(&crates, &example(Channel::Stable)).unwrap());
        let document: Value = serde_json::from_slice(&bytes).unwrap();
        let mut known: Vec<_> = document["components"]
            .as_array()
            .unwrap()
            .iter()
            .map(|component| component["bom-ref"].as_str().unwrap())
            .collect();
        known.push(
            document["metadata"]["component"]["bom-ref"]
                .as_str()
                .unwrap(),
        );
        for dependency in document["dependencies"].as_array().unwrap() {
            assert!(known.contains(&dependency["ref"].as_str().unwrap()));
            for used in dependency["dependsOn"].as_array().unwrap() {
                assert!(known.contains(&used.as_str().unwrap()), "{used}");
            }
        }
        assert!(known.len() > 100);
    }

    #[test]
    fn a_version_with_metadata_is_a_valid_url() {
        let key = ("zstd-sys".to_owned(), "2.0.15+zstd.1.5.7".to_owned());
        assert_eq!(purl(&key), "pkg:cargo/zstd-sys@2.0.15%2Bzstd.1.5.7");
    }
}
