//! What the server keeps beside its database: the self-signed certificate, where the operator has no
//! other, and the secret from which unknown names get their SCRAM credentials.

#![expect(
    clippy::disallowed_methods,
    reason = "small files, read and written before any session"
)]

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::Path;

use ambient::Random;
use tls::{Identity, load_identity};

use super::StartError;
use crate::config::Config;

/// Loads what the configuration names, else the self-signed certificate, made on the first start.
pub(super) fn load(config: &Config) -> Result<Identity, StartError> {
    if let (Some(certificate), Some(key)) = (&config.tls.certificate, &config.tls.key) {
        return Ok(load_identity(certificate, key)?);
    }
    let directory = config.data_dir.join("tls");
    let (certificate, key) = (
        directory.join("self-signed.pem"),
        directory.join("self-signed.key"),
    );
    if certificate.exists() && key.exists() {
        return Ok(load_identity(&certificate, &key)?);
    }
    let identity = Identity::self_signed(&[config.hostname.as_str(), "localhost"])?;
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(&directory)?;
    // The key first: without its certificate both are made anew.
    write(&key, identity.private_key_pem().as_bytes())?;
    write(&certificate, identity.certificate_pem().as_bytes())?;
    tracing::info!(file = %certificate.display(), "made a self-signed certificate");
    Ok(identity)
}

/// The secret that makes the SCRAM credentials of names that do not exist: kept, so that not even a
/// restart tells them from those that do. Without it, or with half of it, a new one is made.
pub(super) fn scram_seed(data: &Path, random: &dyn Random) -> std::io::Result<[u8; 32]> {
    let path = data.join("scram-seed");
    if let Ok(kept) = fs::read(&path)
        && let Ok(seed) = kept.try_into()
    {
        return Ok(seed);
    }
    let mut seed = [0; 32];
    random.fill(&mut seed);
    write(&path, &seed)?;
    Ok(seed)
}

/// Writes `octets` so that after a crash the file is whole or absent; only the owner may read it.
fn write(path: &Path, octets: &[u8]) -> std::io::Result<()> {
    let temporary = path.with_extension("tmp");
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&temporary)?;
    file.write_all(octets)?;
    file.sync_all()?;
    fs::rename(&temporary, path)?;
    match path.parent() {
        Some(directory) => fs::File::open(directory)?.sync_all(),
        None => Ok(()),
    }
}
