//! Attachments: what they are by their content, what they are called, what is inside.

use attachment::{Limits, Report};
use mime::{Kind, Part, Structure};

use super::limits::{MAX_ATTACHED, MAX_ATTACHMENTS};

/// All attachments of a message.
#[derive(Debug, Default)]
pub(crate) struct Attached {
    pub(crate) names: Vec<String>,
    pub(crate) types: Vec<&'static str>,
    /// Names of files inside archives.
    pub(crate) inside: Vec<String>,
    pub(crate) reports: Vec<Report>,
    /// Digests of the contents, for fuzzy hashes.
    pub(crate) digests: Vec<[u8; 32]>,
    pub(crate) truncated: bool,
}

/// Attachments smaller than this have no digest of their own: too many are alike by chance.
const DIGEST_LEAST: usize = 512;

impl Attached {
    pub(crate) fn read(raw: &[u8], structure: &Structure) -> Self {
        let mut attached = Self::default();
        let mut left = MAX_ATTACHED;
        for part in structure.leaves().filter(|part| is_looked_into(part)) {
            if attached.reports.len() >= MAX_ATTACHMENTS {
                attached.truncated = true;
                break;
            }
            let name = mime::decode::filename(part);
            let bytes = mime::decode::part_bytes(raw, part);
            let Some(rest) = left.checked_sub(bytes.len()) else {
                attached.truncated = true;
                break;
            };
            left = rest;
            let content = &part.content_type;
            let declared = format!(
                "{}/{}",
                String::from_utf8_lossy(&content.media),
                String::from_utf8_lossy(&content.subtype)
            );
            let report =
                attachment::inspect(name.as_deref(), &declared, &bytes, &Limits::default());
            if bytes.len() >= DIGEST_LEAST {
                attached.digests.push(*blake3::hash(&bytes).as_bytes());
            }
            attached.names.extend(name);
            attached.types.push(report.kind);
            attached.inside.extend(report.names.iter().cloned());
            attached.truncated |= report.truncated;
            attached.reports.push(report);
        }
        attached
    }

    /// Whether any attachment is like that.
    pub(crate) fn any(&self, is: impl Fn(&Report) -> bool) -> bool {
        self.reports.iter().any(is)
    }
}

/// Text that readers see is no attachment, unless it has a name.
fn is_looked_into(part: &Part) -> bool {
    part.kind == Kind::Leaf
        && (part.is_attachment()
            || part.content_type.media != b"text"
            || mime::decode::filename(part).is_some())
}
