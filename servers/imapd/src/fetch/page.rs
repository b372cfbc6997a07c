//! Formatting a chunk of messages, wherever it is read.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::sync::Arc;

use imap::response::FetchWriter;
use imap::{DateTime, ModSeq, SeqNum, Writer};
use mail::{Entry, Message, Snapshot};
use mime::{Envelope, Summary};

use super::plan::{Item, Name, Plan, SectionItem};
use super::section::Resolver;
use super::shape::{Enveloped, Tree};
use crate::updates::write_flags;

/// One message of the answer.
#[derive(Debug, Clone, Copy)]
pub(super) struct Line {
    pub(super) number: SeqNum,
    pub(super) entry: Entry,
    /// Its flags are told even if nobody asked, since the command has changed them.
    pub(super) fresh: bool,
    pub(super) fresh_mod_seq: bool,
}

/// The answer for some messages, in the making. Rows come in the order of the lines; lines without
/// a row have been expunged.
pub(super) struct Page {
    plan: Arc<Plan>,
    snapshot: Arc<Snapshot>,
    lines: VecDeque<Line>,
    pub(super) octets: Vec<u8>,
    /// Lines whose stored summary cannot be read: the message is to be parsed again.
    pub(super) stale: Vec<Line>,
    /// Lines that had no row.
    pub(super) missing: usize,
}

/// Where the octets of sections come from.
pub(super) enum Octets<'o> {
    /// Nobody asked for any.
    None,
    /// The whole message.
    Whole(&'o [u8]),
    /// Those of each section, in the plan's order.
    Sections(&'o [Option<Vec<u8>>]),
}

/// A message's summary, as far as the plan needs it.
enum Known {
    Nothing,
    Envelope(Box<Envelope>),
    Summary(Box<Summary>),
}

impl Known {
    fn envelope(&self) -> Option<&Envelope> {
        match self {
            Self::Nothing => None,
            Self::Envelope(envelope) => Some(envelope),
            Self::Summary(summary) => Some(&summary.envelope),
        }
    }

    fn structure(&self) -> Option<&mime::Structure> {
        match self {
            Self::Summary(summary) => Some(&summary.structure),
            _ => None,
        }
    }
}

impl Page {
    pub(super) fn new(plan: Arc<Plan>, snapshot: Arc<Snapshot>, lines: Vec<Line>) -> Self {
        Self {
            plan,
            snapshot,
            lines: lines.into(),
            octets: Vec::new(),
            stale: Vec::new(),
            missing: 0,
        }
    }

    /// No more rows come.
    pub(super) fn finish(mut self) -> Self {
        self.missing += self.lines.len();
        self.lines.clear();
        self
    }

    /// Adds a message.
    pub(super) fn add(&mut self, message: &Message<'_>, octets: &Octets<'_>) {
        let Some(line) = self.take_line(message) else {
            return;
        };
        let known = match (self.know(message), octets) {
            (Some(known), _) => known,
            // A summary is a cache: the message itself says the same.
            (None, Octets::Whole(raw)) => Known::Summary(Box::new(Summary::parse(raw))),
            (None, _) => return self.stale.push(line),
        };
        let Self {
            plan,
            snapshot,
            octets: out,
            ..
        } = self;
        let mut writer = Writer::new(out, plan.mode);
        let mut fetch = Self::write_entry(&mut writer, plan, snapshot, &line);
        let mut sections = Sections {
            octets,
            known: &known,
            next: 0,
            resolver: Resolver::default(),
        };
        for item in &plan.items {
            match item {
                Item::InternalDate => {
                    fetch.internal_date(DateTime::utc(message.received_at.0));
                }
                Item::Size => {
                    fetch.rfc822_size(message.size.into());
                }
                Item::Envelope => {
                    if let Some(envelope) = known.envelope() {
                        fetch.envelope(&Enveloped(envelope));
                    }
                }
                Item::Structure(extensions) => {
                    if let Some(structure) = known.structure() {
                        fetch.body_structure(&Tree(structure), *extensions);
                    }
                }
                Item::Section(section) => sections.write(&mut fetch, section),
            }
        }
        fetch.end();
    }

    /// The line of a message; those before it have no row.
    fn take_line(&mut self, message: &Message<'_>) -> Option<Line> {
        loop {
            let line = self.lines.pop_front()?;
            if line.entry.uid == message.entry.uid {
                return Some(line);
            }
            self.missing += 1;
        }
    }

    fn know(&self, message: &Message<'_>) -> Option<Known> {
        if self.plan.wants_structure() {
            let summary = Summary::decode(message.summary).ok()?;
            return Some(Known::Summary(Box::new(summary)));
        }
        if self.plan.wants_envelope() {
            let envelope = Summary::decode_envelope(message.summary).ok()?;
            return Some(Known::Envelope(Box::new(envelope)));
        }
        Some(Known::Nothing)
    }

    /// Begins a message's answer with what the view knows.
    pub(super) fn write_entry<'w, 'a>(
        writer: &'w mut Writer<'a>,
        plan: &Plan,
        snapshot: &Snapshot,
        line: &Line,
    ) -> FetchWriter<'w, 'a> {
        let mut fetch = FetchWriter::begin(writer, line.number);
        if plan.uid {
            fetch.uid(line.entry.uid);
        }
        if plan.flags || line.fresh {
            write_flags(&mut fetch, snapshot, &line.entry);
        }
        if (plan.mod_seq || line.fresh_mod_seq)
            && let Some(mod_seq) = ModSeq::new(line.entry.modseq)
        {
            fetch.mod_seq(mod_seq);
        }
        fetch
    }
}

/// The sections of one message.
struct Sections<'o, 'k> {
    octets: &'o Octets<'o>,
    known: &'k Known,
    /// Which section comes next.
    next: usize,
    resolver: Resolver,
}

impl Sections<'_, '_> {
    fn write(&mut self, fetch: &mut FetchWriter<'_, '_>, item: &SectionItem) {
        let at = self.next;
        self.next += 1;
        let octets: Option<Cow<'_, [u8]>> = match self.octets {
            Octets::None => None,
            Octets::Whole(raw) => self.resolver.resolve(raw, self.known.structure(), item),
            Octets::Sections(sections) => sections
                .get(at)
                .and_then(Option::as_deref)
                .map(Cow::Borrowed),
        };
        let octets = octets.as_deref();
        match &item.name {
            Name::Body(section) => {
                fetch.body_section(section, item.partial.map(|partial| partial.first), octets);
            }
            Name::Rfc822 => {
                fetch.rfc822(octets.unwrap_or_default());
            }
            Name::Rfc822Header => {
                fetch.rfc822_header(octets.unwrap_or_default());
            }
            Name::Rfc822Text => {
                fetch.rfc822_text(octets.unwrap_or_default());
            }
        }
    }
}
