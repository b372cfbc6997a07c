//! The check of a whole database: what the store and the mailboxes find about themselves.

use mail::Mail;
use serde::Serialize;
use store::Db;

/// What a check found.
#[derive(Debug, Serialize)]
pub(crate) struct Verification {
    /// Blobs whose bytes were read.
    pub(crate) blobs: u64,
    /// Bytes of them.
    pub(crate) bytes: u64,
    /// One line each; none is good.
    pub(crate) findings: Vec<String>,
}

/// Recomputes every counter and reference, and reads every blob.
pub(crate) async fn verify(db: &Db, mail: &Mail) -> Result<Verification, mail::Error> {
    let store = db.fsck().await?;
    let mailboxes = mail.fsck().await?;
    let mut findings: Vec<String> = store.problems.iter().map(ToString::to_string).collect();
    findings.extend(mailboxes.iter().map(ToString::to_string));
    if store.more > 0 {
        findings.push(format!("and {} more", store.more));
    }
    Ok(Verification {
        blobs: store.blobs,
        bytes: store.bytes,
        findings,
    })
}
