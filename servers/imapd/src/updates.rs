//! What the client is told without having asked: EXISTS, EXPUNGE, FETCH of flags.
//!
//! RFC 9051 §5.2: new messages and changed flags may be told with every command's answer. §7.5.1:
//! EXPUNGE changes what sequence numbers mean, so not while the client may be using them: never
//! without a command in progress, nor during FETCH, STORE and SEARCH (their UID forms may).

use imap::response::{Exists, Expunged, FetchWriter, FlagsData};
use imap::{By, CommandBody, Flag, Keyword, ModSeq};
use mail::{Changes, Entry, Flags, Snapshot};

use crate::client::{Client, Failure};
use crate::io::Ended;
use crate::selected::{Selected, number};

/// How a command wants its client told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Manner {
    /// RFC 9051 §6.4.9: what a UID command causes names UIDs.
    pub(crate) by: By,
    pub(crate) expunges: Expunges,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Expunges {
    Tell,
    Withhold,
}

/// What of a message is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Told {
    Flags,
    /// RFC 7162 §3.1.3: after STORE with .SILENT.
    ModSeqOnly,
}

impl Manner {
    /// While nothing is said about numbers.
    pub(crate) const ANY: Self = Self {
        by: By::Seq,
        expunges: Expunges::Tell,
    };

    /// While the client may be using numbers.
    pub(crate) const fn withholding(by: By) -> Self {
        Self {
            by,
            expunges: Expunges::Withhold,
        }
    }

    /// `None` when the command leaves nothing to tell.
    pub(crate) fn of(body: &CommandBody) -> Option<Self> {
        let withheld_by_number = |by| Self {
            by,
            expunges: if by == By::Seq {
                Expunges::Withhold
            } else {
                Expunges::Tell
            },
        };
        Some(match body {
            CommandBody::Fetch(fetch) => withheld_by_number(fetch.by),
            CommandBody::Store(store) => withheld_by_number(store.by),
            CommandBody::Search(search) => withheld_by_number(search.by),
            CommandBody::Copy(copy) | CommandBody::Move(copy) => Self {
                by: copy.by,
                expunges: Expunges::Tell,
            },
            CommandBody::Expunge(expunge) if expunge.uids.is_some() => Self {
                by: By::Uid,
                expunges: Expunges::Tell,
            },
            CommandBody::Select(_)
            | CommandBody::Examine(_)
            | CommandBody::Close
            | CommandBody::Unselect
            | CommandBody::Logout => return None,
            _ => Self::ANY,
        })
    }
}

impl Selected {
    /// Looks for news and tells them.
    pub(crate) async fn tell_news(
        &mut self,
        client: &mut Client,
        manner: Manner,
    ) -> Result<(), Failure> {
        let changes = self.refresh(client).await?;
        self.tell(client, &changes, manner).await?;
        Ok(())
    }

    /// Takes in what has happened. What it answers must be told before the next command.
    pub(crate) async fn refresh(&mut self, client: &Client) -> Result<Changes, Failure> {
        match self.view.refresh(&client.server.mail).await {
            Ok(changes) => Ok(changes),
            // RFC 2180 §3.3: a client whose mailbox is gone is disconnected.
            Err(mail::Error::NoMailbox) => Err(Ended::Deselected.into()),
            Err(error) => Err(error.into()),
        }
    }

    pub(crate) async fn tell(
        &mut self,
        client: &mut Client,
        changes: &Changes,
        manner: Manner,
    ) -> Result<(), Ended> {
        if changes.is_empty() {
            return Ok(());
        }
        self.tell_keywords(client, changes);
        for position in &changes.flags {
            self.tell_message(client, *position, manner.by, Told::Flags);
            client.io.flush_if_large().await?;
        }
        if manner.expunges == Expunges::Tell {
            self.tell_expunges(client).await?;
        }
        if !changes.new.is_empty() {
            let length = u32::try_from(self.view.entries().len()).unwrap_or(u32::MAX);
            client.say(&Exists(length));
        }
        Ok(())
    }

    /// Tells what has been expunged; from then on the view is without it.
    async fn tell_expunges(&mut self, client: &mut Client) -> Result<(), Ended> {
        for number in self.view.apply_expunges(&client.server.mail).numbers {
            client.say(&Expunged(number));
            client.io.flush_if_large().await?;
        }
        Ok(())
    }

    /// Tells what a message's flags are now.
    pub(crate) fn tell_message(&self, client: &mut Client, position: usize, by: By, told: Told) {
        let snapshot = self.view.snapshot();
        let Some((entry, number)) = snapshot.entries().get(position).zip(number(position)) else {
            return;
        };
        let condstore = client.dialect.condstore;
        let mut writer = client.writer();
        let mut fetch = FetchWriter::begin(&mut writer, number);
        if by == By::Uid {
            fetch.uid(entry.uid);
        }
        if told == Told::Flags {
            write_flags(&mut fetch, snapshot, entry);
        }
        // RFC 7162 §3.1: once the client wants them, in every unsolicited FETCH.
        if condstore && let Some(mod_seq) = ModSeq::new(entry.modseq) {
            fetch.mod_seq(mod_seq);
        }
        fetch.end();
    }

    /// RFC 9051 §7.3.5: a keyword is announced with FLAGS before a message has it.
    pub(crate) fn tell_keywords(&mut self, client: &mut Client, changes: &Changes) {
        let entries = self.view.entries();
        let changed = changes.flags.iter().filter_map(|at| entries.get(*at));
        let new = entries.get(changes.new.clone()).unwrap_or_default();
        let mut with_keywords = changed
            .chain(new)
            .filter(|entry| entry.flags.contains(Flags::HAS_KEYWORDS));
        let is_known = |keyword| self.keywords.binary_search(keyword).is_ok();
        if with_keywords.all(|entry| self.view.keywords(entry).iter().all(is_known)) {
            return;
        }
        self.keywords = self.view.snapshot().all_keywords();
        client.say(&FlagsData(&self.flags()));
    }

    /// Every flag that a message of the mailbox may have.
    pub(crate) fn flags(&self) -> Vec<Flag> {
        let bits = Flags::SHOWN.names().filter_map(Flag::parse);
        bits.chain(self.keywords.iter().cloned().map(Flag::Keyword))
            .collect()
    }
}

/// `FLAGS (…)` of an entry.
pub(crate) fn write_flags(fetch: &mut FetchWriter<'_, '_>, snapshot: &Snapshot, entry: &Entry) {
    fetch.other("FLAGS", |writer| {
        let keywords = snapshot.keywords(entry).iter().map(Keyword::as_str);
        // Names that live as long as the keywords'.
        let bits = entry.flags.names().map(|name| -> &str { name });
        writer.parenthesized(bits.chain(keywords), |writer, name| {
            writer.text(name);
        });
    });
}
