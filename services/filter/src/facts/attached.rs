//! Attachments: what they are by their content, what they are called, what is inside.

use std::borrow::Cow;

use attachment::Report;

use super::parts::Parts;

/// All attachments of a message.
#[derive(Debug, Default)]
pub(crate) struct Attached {
    pub(crate) names: Vec<String>,
    pub(crate) types: Vec<Cow<'static, str>>,
    /// Names of files inside archives.
    pub(crate) inside: Vec<String>,
    pub(crate) reports: Vec<Report>,
    /// Digests of the contents, for fuzzy hashes.
    pub(crate) digests: Vec<[u8; 32]>,
    pub(crate) truncated: bool,
}

impl Attached {
    /// Takes what belongs to attachments out of `parts`; of a report that is missing, the attachment
    /// ended its reader.
    pub(crate) fn read(parts: &mut Parts, reports: Vec<Option<Report>>) -> Self {
        let mut attached = Self {
            names: std::mem::take(&mut parts.names),
            digests: std::mem::take(&mut parts.digests),
            truncated: parts.attachments_truncated,
            ..Self::default()
        };
        for report in reports {
            let report = report.unwrap_or_else(|| Report {
                kind: Cow::Borrowed("application/octet-stream"),
                damaged: true,
                unlisted: true,
                truncated: true,
                ..Report::default()
            });
            attached.types.push(report.kind.clone());
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
