//! How jobs and answers travel: frames of a length in four octets, little end first, and that many
//! octets. A job is the list of its contents, then each content in a frame of its own; an answer is
//! the list of findings. Lists are in postcard's form.
//!
//! Neither side trusts a length: frames have limits, and memory grows with what has come.

use std::io::{self, Read, Write};

use serde::{Deserialize, Serialize};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

use crate::job::{Attachment, Finding, Item, Job};

/// Octets of the list of a job's contents.
const MAX_LIST: u32 = 4 << 20;
/// Octets of all contents of a job.
const MAX_CONTENT: u32 = 256 << 20;
/// Octets of an answer.
const MAX_ANSWER: u32 = 32 << 20;

/// A content without its octets.
#[derive(Debug, Serialize, Deserialize)]
enum Announced {
    Page,
    Attachment {
        name: Option<String>,
        declared: String,
    },
}

fn invalid(what: impl std::fmt::Display) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what.to_string())
}

fn length(octets: &[u8], limit: u32) -> io::Result<[u8; 4]> {
    let length = u32::try_from(octets.len()).map_err(invalid)?;
    within(length, limit).map(u32::to_le_bytes)
}

fn within(length: u32, limit: u32) -> io::Result<u32> {
    if length > limit {
        return Err(invalid("a frame beyond its limit"));
    }
    Ok(length)
}

/// Sends a job. The worker reads all of it before it answers.
pub(crate) async fn send_job(
    to: &mut (impl AsyncWrite + Unpin),
    items: &[Item<'_>],
) -> io::Result<()> {
    let announced: Vec<Announced> = items.iter().map(|item| item.announced()).collect();
    let list = postcard::to_allocvec(&announced).map_err(invalid)?;
    to.write_all(&length(&list, MAX_LIST)?).await?;
    to.write_all(&list).await?;
    for item in items {
        let content = item.content();
        to.write_all(&length(content, MAX_CONTENT)?).await?;
        to.write_all(content).await?;
    }
    to.flush().await
}

/// Waits for the answer.
pub(crate) async fn receive_answer(
    from: &mut (impl AsyncRead + Unpin),
) -> io::Result<Vec<Finding>> {
    let length = within(from.read_u32_le().await?, MAX_ANSWER)?;
    let mut octets = Vec::new();
    from.take(length.into()).read_to_end(&mut octets).await?;
    postcard::from_bytes(&octets).map_err(invalid)
}

/// The next job; `None` when there will be no more.
pub(crate) fn receive_job(from: &mut impl Read) -> io::Result<Option<Job>> {
    let mut first = [0; 4];
    match from.read_exact(&mut first) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        other => other?,
    }
    let list = rest(from, u32::from_le_bytes(first), MAX_LIST)?;
    let announced: Vec<Announced> = postcard::from_bytes(&list).map_err(invalid)?;
    let mut job = Job::default();
    let mut left = MAX_CONTENT;
    for announced in announced {
        from.read_exact(&mut first)?;
        let bytes = rest(from, u32::from_le_bytes(first), left)?;
        left -= u32::from_le_bytes(first);
        match announced {
            Announced::Page => job.pages.push(String::from_utf8(bytes).map_err(invalid)?),
            Announced::Attachment { name, declared } => job.attachments.push(Attachment {
                name,
                declared,
                bytes,
            }),
        }
    }
    Ok(Some(job))
}

/// What follows a length.
fn rest(from: &mut impl Read, length: u32, limit: u32) -> io::Result<Vec<u8>> {
    let length = within(length, limit)?;
    let mut octets = Vec::new();
    let got = from.take(length.into()).read_to_end(&mut octets)?;
    if u32::try_from(got) == Ok(length) {
        Ok(octets)
    } else {
        Err(io::ErrorKind::UnexpectedEof.into())
    }
}

/// Sends what was found.
pub(crate) fn send_answer(to: &mut impl Write, findings: &[Finding]) -> io::Result<()> {
    let octets = postcard::to_allocvec(findings).map_err(invalid)?;
    to.write_all(&length(&octets, MAX_ANSWER)?)?;
    to.write_all(&octets)?;
    to.flush()
}

impl Item<'_> {
    fn announced(self) -> Announced {
        match self {
            Self::Page(_) => Announced::Page,
            Self::Attachment(attachment) => Announced::Attachment {
                name: attachment.name.clone(),
                declared: attachment.declared.clone(),
            },
        }
    }
}

/// Reads a job as a worker does, of octets that anybody may have written; `None` unless they are one.
#[must_use]
pub fn decode_job(mut octets: &[u8]) -> Option<Job> {
    receive_job(&mut octets).ok().flatten()
}

/// Whether the server takes these octets, as a worker in a stranger's hands may send them, for an
/// answer: how many findings that is.
#[must_use]
pub fn decode_answer(octets: &[u8]) -> Option<usize> {
    let findings: Vec<Finding> = postcard::from_bytes(octets).ok()?;
    Some(findings.len())
}
