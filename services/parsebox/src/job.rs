//! What there is to read, and what was found.

use attachment::Report;
use serde::{Deserialize, Serialize};
use text::html::{self, Page};

/// What has to be read of one message.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Job {
    /// HTML, decoded.
    pub pages: Vec<String>,
    /// Attachments, decoded.
    pub attachments: Vec<Attachment>,
}

/// An attachment and what is said about it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Attachment {
    /// Its file name, decoded.
    pub name: Option<String>,
    /// Its media type as `type/subtype`.
    pub declared: String,
    /// Its content without transfer encoding.
    pub bytes: Vec<u8>,
}

/// What was found: as many pages and reports as the job had, in their order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Answer {
    /// The pages; `None` is one that ended its reader.
    pub pages: Vec<Option<Page>>,
    /// The attachments; `None` is one that ended its reader.
    pub reports: Vec<Option<Report>>,
}

/// One of the contents of a job.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Item<'a> {
    Page(&'a str),
    Attachment(&'a Attachment),
}

/// What one content comes to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Finding {
    Page(Page),
    Report(Report),
    /// The reader failed, at this place of the source.
    Failed(String),
}

impl Job {
    /// Reads everything in this process.
    #[must_use]
    pub fn read(&self) -> Answer {
        let mut answer = Answer::default();
        for item in self.items() {
            answer.add(item, Some(item.read()));
        }
        answer
    }

    /// Octets of all contents.
    #[must_use]
    pub fn octets(&self) -> usize {
        self.items().map(|item| item.content().len()).sum()
    }

    pub(crate) fn items(&self) -> impl Iterator<Item = Item<'_>> {
        let pages = self.pages.iter().map(|page| Item::Page(page));
        pages.chain(self.attachments.iter().map(Item::Attachment))
    }
}

impl Answer {
    /// How many contents ended their reader.
    #[must_use]
    pub fn lost(&self) -> usize {
        let pages = self.pages.iter().filter(|page| page.is_none()).count();
        pages
            + self
                .reports
                .iter()
                .filter(|report| report.is_none())
                .count()
    }

    pub(crate) fn add(&mut self, item: Item<'_>, finding: Option<Finding>) {
        match (item, finding) {
            (Item::Page(_), Some(Finding::Page(page))) => self.pages.push(Some(page)),
            (Item::Page(_), _) => self.pages.push(None),
            (Item::Attachment(_), Some(Finding::Report(report))) => self.reports.push(Some(report)),
            (Item::Attachment(_), _) => self.reports.push(None),
        }
    }
}

impl<'a> Item<'a> {
    pub(crate) fn content(self) -> &'a [u8] {
        match self {
            Self::Page(text) => text.as_bytes(),
            Self::Attachment(attachment) => &attachment.bytes,
        }
    }

    pub(crate) fn read(self) -> Finding {
        match self {
            Self::Page(text) => Finding::Page(html::render(text, &html::Limits::default())),
            Self::Attachment(Attachment {
                name,
                declared,
                bytes,
            }) => Finding::Report(attachment::inspect(
                name.as_deref(),
                declared,
                bytes,
                &attachment::Limits::default(),
            )),
        }
    }

    /// Whether a reader may say that of such a content.
    pub(crate) fn allows(self, finding: &Finding) -> bool {
        matches!(
            (self, finding),
            (Self::Page(_), Finding::Page(_) | Finding::Failed(_))
                | (Self::Attachment(_), Finding::Report(_) | Finding::Failed(_))
        )
    }
}
