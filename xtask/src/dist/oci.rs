//! The image for containers: an OCI image layout of every architecture in one archive, written
//! without a daemon.
//!
//! The image holds the program that needs nothing else, certificates of public authorities, and a
//! user without rights. Its root may be read-only: the program writes below the directory of its
//! data and `/run/muskox` (the demo below `/tmp`). OCI has no health check; `Healthcheck` is
//! Docker's, which Podman reads as well and others ignore.

use std::collections::BTreeMap;
use std::io::{self, Read as _};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use flate2::read::GzDecoder;
use serde_json::{Value, json};

use super::build::Arch;
use super::content::Content;
use super::release::Release;
use super::sha256;
use super::tree::{Tree, gzip};

/// The number of the user and the group that the program runs as.
const USER: u64 = 10001;
/// Where its mail is: the one directory that must be kept.
const DATA: &str = "var/lib/muskox";
/// Nanoseconds in a second, the unit of a health check's times.
const SECOND: u64 = 1_000_000_000;
/// Octets of Base64 in a line of PEM.
const PEM_LINE: usize = 64;

const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar+gzip";

/// The image of one architecture.
#[derive(Debug)]
pub(super) struct Image {
    arch: Arch,
    /// The one layer, before compression.
    layer: Vec<u8>,
}

impl Image {
    /// The image for `arch`.
    pub(super) fn of(content: &Content, release: &Release, arch: Arch) -> io::Result<Self> {
        let mut files = Tree::default();
        files.program("usr/bin/muskox", content.alone.clone());
        files.file("etc/ssl/certs/ca-certificates.crt", authorities());
        files.file(
            "etc/passwd",
            format!(
                "root:x:0:0:root:/:/sbin/nologin\n\
                 muskox:x:{USER}:{USER}:Muskox mail server:/{DATA}:/sbin/nologin\n"
            ),
        );
        files.file("etc/group", format!("root:x:0:\nmuskox:x:{USER}:\n"));
        files.directory("etc/muskox", 0o755, 0);
        files.file(
            "usr/share/doc/muskox/muskox.toml",
            content.configuration.clone(),
        );
        files.file(
            "usr/share/doc/muskox/LICENSES-OF-CRATES",
            content.licences.clone(),
        );
        files.directory(DATA, 0o700, USER);
        files.directory("run/muskox", 0o750, USER);
        files.directory("tmp", 0o1777, 0);
        let layer = files.tar(release.epoch())?;
        Ok(Self { arch, layer })
    }

    /// Adds the blobs of the image; gives back its descriptor.
    fn add_to(&self, blobs: &mut Blobs, release: &Release) -> io::Result<Value> {
        let compressed = blobs.add(LAYER, gzip(&self.layer)?);
        let config = blobs.add(CONFIG, serde_json::to_vec(&self.config(release))?);
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": config,
            "layers": [compressed],
            "annotations": labels(release),
        });
        let mut descriptor = blobs.add(MANIFEST, serde_json::to_vec(&manifest)?);
        if let Some(descriptor) = descriptor.as_object_mut() {
            let mut platform = json!({ "architecture": self.arch.name(), "os": "linux" });
            if let (Arch::Arm64, Some(platform)) = (self.arch, platform.as_object_mut()) {
                platform.insert("variant".to_owned(), "v8".into());
            }
            descriptor.insert("platform".to_owned(), platform);
        }
        Ok(descriptor)
    }

    fn config(&self, release: &Release) -> Value {
        let ports = [25, 143, 465, 587, 993].map(|port| (format!("{port}/tcp"), json!({})));
        let mut config = json!({
            "created": release.dated("%Y-%m-%dT%H:%M:%SZ"),
            "architecture": self.arch.name(),
            "os": "linux",
            "config": {
                "User": format!("{USER}:{USER}"),
                "Env": ["PATH=/usr/bin"],
                "Entrypoint": ["/usr/bin/muskox"],
                "Cmd": ["serve"],
                "WorkingDir": format!("/{DATA}"),
                "ExposedPorts": BTreeMap::from(ports),
                "Volumes": { format!("/{DATA}"): {} },
                "StopSignal": "SIGTERM",
                "Labels": labels(release),
                "Healthcheck": {
                    "Test": ["CMD", "/usr/bin/muskox", "status"],
                    "Interval": 30 * SECOND,
                    "Timeout": 10 * SECOND,
                    "StartPeriod": 30 * SECOND,
                    "Retries": 3,
                },
            },
            "rootfs": {
                "type": "layers",
                "diff_ids": [format!("sha256:{}", sha256(&self.layer))],
            },
            "history": [{
                "created": release.dated("%Y-%m-%dT%H:%M:%SZ"),
                "created_by": "cargo xtask dist",
            }],
        });
        if let (Arch::Arm64, Some(config)) = (self.arch, config.as_object_mut()) {
            config.insert("variant".to_owned(), "v8".into());
        }
        config
    }
}

/// What the image says about itself.
fn labels(release: &Release) -> Value {
    json!({
        "org.opencontainers.image.title": "Muskox",
        "org.opencontainers.image.description": "A complete self-hosted mail server in one binary",
        "org.opencontainers.image.version": release.name(),
        "org.opencontainers.image.revision": release.revision,
        "org.opencontainers.image.created": release.dated("%Y-%m-%dT%H:%M:%SZ"),
        "org.opencontainers.image.licenses": "MIT OR Apache-2.0",
        "org.opencontainers.image.source": "https://github.com/muskox-mail/muskox",
        "muskox.channel": release.channel.name(),
    })
}

/// The certificates of Mozilla's list, as the locked version of its crate has them.
fn authorities() -> String {
    let mut bundle = String::new();
    for certificate in webpki_root_certs::TLS_SERVER_ROOT_CERTS {
        bundle.push_str("-----BEGIN CERTIFICATE-----\n");
        let mut rest = BASE64.encode(certificate);
        while !rest.is_empty() {
            let after = rest.split_off(rest.len().min(PEM_LINE));
            bundle.push_str(&rest);
            bundle.push('\n');
            rest = after;
        }
        bundle.push_str("-----END CERTIFICATE-----\n");
    }
    bundle
}

/// An archive with an image layout: one tag that leads to an index of all `images`.
pub(super) fn archive(images: &[Image], release: &Release) -> io::Result<Vec<u8>> {
    let mut blobs = Blobs::default();
    let manifests = images
        .iter()
        .map(|image| image.add_to(&mut blobs, release))
        .collect::<io::Result<Vec<_>>>()?;
    let list = json!({
        "schemaVersion": 2,
        "mediaType": INDEX,
        "manifests": manifests,
        "annotations": labels(release),
    });
    let mut list = blobs.add(INDEX, serde_json::to_vec(&list)?);
    if let Some(list) = list.as_object_mut() {
        // What Podman and Docker call the image when they load it.
        let name = json!({
            "org.opencontainers.image.ref.name": format!("muskox:{}", release.name()),
            "io.containerd.image.name": format!("localhost/muskox:{}", release.name()),
        });
        list.insert("annotations".to_owned(), name);
    }
    let index = json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": [list] });
    let mut files = Tree::default();
    files.file("oci-layout", r#"{"imageLayoutVersion":"1.0.0"}"#);
    files.file("index.json", serde_json::to_vec(&index)?);
    for (digest, blob) in blobs.0 {
        files.file(&format!("blobs/sha256/{digest}"), blob);
    }
    files.tar(release.epoch())
}

/// The layer of the image for `arch` in an archive, as a tar archive.
pub(super) fn layer(archive: &[u8], arch: Arch) -> io::Result<Vec<u8>> {
    let files = entries(archive)?;
    let read = |descriptor: &Value| -> Option<&Vec<u8>> {
        let digest = descriptor.get("digest")?.as_str()?;
        files.get(&format!("blobs/{}", digest.replace(':', "/")))
    };
    let parsed = |descriptor: &Value| serde_json::from_slice::<Value>(read(descriptor)?).ok();
    let found = || -> Option<&Vec<u8>> {
        let index: Value = serde_json::from_slice(files.get("index.json")?).ok()?;
        let list = parsed(index.pointer("/manifests/0")?)?;
        let manifests = list.get("manifests")?.as_array()?;
        let manifest = manifests.iter().find(|manifest| {
            manifest.pointer("/platform/architecture") == Some(&Value::from(arch.name()))
        })?;
        read(parsed(manifest)?.pointer("/layers/0")?)
    };
    let compressed = found()
        .ok_or_else(|| io::Error::other(format!("the archive has no image for {}", arch.name())))?;
    let mut layer = Vec::new();
    GzDecoder::new(compressed.as_slice()).read_to_end(&mut layer)?;
    Ok(layer)
}

/// The files of a tar archive.
fn entries(archive: &[u8]) -> io::Result<BTreeMap<String, Vec<u8>>> {
    let mut files = BTreeMap::new();
    for entry in tar::Archive::new(archive).entries()? {
        let mut entry = entry?;
        let path = entry.path()?.display().to_string();
        let mut content = Vec::new();
        entry.read_to_end(&mut content)?;
        files.insert(path, content);
    }
    Ok(files)
}

/// Contents by their SHA-256.
#[derive(Debug, Default)]
struct Blobs(BTreeMap<String, Vec<u8>>);

impl Blobs {
    /// Adds one; gives back its descriptor.
    fn add(&mut self, media_type: &str, content: Vec<u8>) -> Value {
        let digest = sha256(&content);
        let descriptor = json!({
            "mediaType": media_type,
            "digest": format!("sha256:{digest}"),
            "size": content.len(),
        });
        self.0.insert(digest, content);
        descriptor
    }
}

#[cfg(test)]
mod tests {
    use super::super::release::{Channel, example};
    use super::*;

    fn images() -> [Image; 2] {
        let content = Content {
            shared: b"shared".to_vec(),
            alone: b"alone".to_vec(),
            man: Tree::default(),
            completions: Tree::default(),
            configuration: Vec::new(),
            pages: Tree::default(),
            licences: String::new(),
        };
        let release = example(Channel::Nightly);
        [Arch::Amd64, Arch::Arm64].map(|arch| Image::of(&content, &release, arch).unwrap())
    }

    #[test]
    fn every_descriptor_leads_to_a_blob_of_its_digest_and_size() {
        let release = example(Channel::Nightly);
        let archive = archive(&images(), &release).unwrap();
        assert_eq!(archive, super::archive(&images(), &release).unwrap());
        let files = entries(&archive).unwrap();
        let mut open: Vec<Value> = vec![serde_json::from_slice(&files["index.json"]).unwrap()];
        let mut blobs = 0;
        while let Some(value) = open.pop() {
            if let Some(digest) = value["digest"].as_str() {
                let hash = digest.strip_prefix("sha256:").unwrap();
                let blob = &files[&format!("blobs/sha256/{hash}")];
                assert_eq!(sha256(blob), hash);
                assert_eq!(value["size"], blob.len());
                blobs += 1;
                if value["mediaType"].as_str().unwrap().ends_with("+json") {
                    open.push(serde_json::from_slice(blob).unwrap());
                }
            }
            for name in ["manifests", "layers"] {
                open.extend(value[name].as_array().into_iter().flatten().cloned());
            }
            // A manifest's is a descriptor; an image's own is what it runs.
            if value["config"]["digest"].is_string() {
                open.push(value["config"].clone());
            }
        }
        // An index; for each architecture a manifest, a configuration and a layer.
        assert_eq!(blobs, 7);
        let [amd64, arm64] = images();
        assert_eq!(layer(&archive, Arch::Amd64).unwrap(), amd64.layer);
        assert_eq!(layer(&archive, Arch::Arm64).unwrap(), arm64.layer);
    }

    #[test]
    fn an_image_runs_as_a_user_without_a_name_who_owns_the_data() {
        let [amd64, arm64] = images();
        let release = example(Channel::Nightly);
        let config = arm64.config(&release);
        assert_eq!(config["config"]["User"], "10001:10001");
        assert_eq!(config["architecture"], "arm64");
        assert_eq!(config["variant"], "v8");
        assert_eq!(
            config["config"]["Labels"]["org.opencontainers.image.version"],
            "0.1.0-nightly.20261129"
        );
        assert!(amd64.config(&release)["variant"].is_null());
        let mut layer = tar::Archive::new(amd64.layer.as_slice());
        let owned: Vec<_> = layer
            .entries()
            .unwrap()
            .map(Result::unwrap)
            .filter(|entry| entry.header().uid().unwrap() == USER)
            .map(|entry| entry.path().unwrap().display().to_string())
            .collect();
        assert_eq!(owned, ["run/muskox/", "var/lib/muskox/"]);
    }

    #[test]
    fn the_bundle_of_authorities_is_pem() {
        let bundle = authorities();
        let begins = bundle.matches("BEGIN CERTIFICATE").count();
        assert_eq!(begins, webpki_root_certs::TLS_SERVER_ROOT_CERTS.len());
        assert!(begins > 50);
        assert!(bundle.lines().all(|line| line.len() <= PEM_LINE));
    }
}
