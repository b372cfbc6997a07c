//! STORE: changing flags and keywords.
//!
//! A message whose flags would stay the same is not touched and keeps its mod-sequence. Flags
//! belong to the message: when it has entries in several mailboxes, all of them change and get the
//! mod-sequence (only JMAP makes such messages; IMAP's COPY makes independent ones).

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use imap::{Uid, UidSet};
use store::{AccountId, Tx};

use crate::change::{Change, Delta};
use crate::chunk::{Ranges, Scope};
use crate::flags::FlagMode;
use crate::ids::signed;
use crate::mailbox::status as mailbox_status;
use crate::{
    Error, FlagChange, Flags, MAX_KEYWORDS, Mail, MailboxId, MessageId, judgement, keyword,
};

const SELECT: &str = "SELECT uid, message_id, modseq, flags FROM entry \
    WHERE mailbox_id = ?1 AND uid BETWEEN ?2 AND ?3 ORDER BY uid";
const UPDATE_RUN: &str = "UPDATE entry SET flags = (flags & ?4) | ?5, modseq = ?6 \
    WHERE mailbox_id = ?1 AND uid BETWEEN ?2 AND ?3";
const UPDATE_MESSAGE: &str = "UPDATE entry SET flags = ?2, modseq = ?3 WHERE message_id = ?1";
const MAILBOXES: &str = "SELECT mailbox_id FROM entry WHERE message_id = ?1";

#[cfg(test)]
pub(crate) const STATEMENTS: &[&str] = &[SELECT, UPDATE_RUN, UPDATE_MESSAGE, MAILBOXES];

/// What a STORE did.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct StoreOutcome {
    /// Messages whose flags are different now. The session's next refresh shows how.
    pub changed: UidSet,
    /// RFC 7162 §3.1.3: messages left alone because they have changed since UNCHANGEDSINCE.
    pub modified: UidSet,
}

/// What [`Mail::set_flags`] is to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FlagStore {
    /// The change.
    pub change: FlagChange,
    /// RFC 7162 §3.1.3 UNCHANGEDSINCE: messages with a greater mod-sequence are left alone.
    pub unchanged_since: Option<u64>,
}

impl Mail {
    /// RFC 9051 §6.4.6: changes the flags of those of `uids` that exist. On return the change is
    /// on disk. Many messages are changed in several transactions; an error may leave the first of
    /// them changed.
    ///
    /// # Errors
    /// [`Error::NoMailbox`], [`Error::TooManyKeywords`].
    pub async fn set_flags(
        &self,
        account: AccountId,
        mailbox: MailboxId,
        uids: &UidSet,
        store: &FlagStore,
    ) -> Result<StoreOutcome, Error> {
        store.change.set.check()?;
        let chunks = self.chunks(mailbox, Scope::Uids(uids), Flags::NONE).await?;
        let store = std::sync::Arc::new(store.clone());
        let done = self
            .write_chunks(chunks, move |tx, ranges| {
                Storing::begin(tx, account, mailbox, &store)?.run(ranges)
            })
            .await?;
        let mut outcome = StoreOutcome::default();
        for piece in done {
            outcome
                .changed
                .extend(piece.changed.iter().filter_map(Uid::new));
            outcome
                .modified
                .extend(piece.modified.iter().filter_map(Uid::new));
        }
        Ok(outcome)
    }
}

/// One message as it was found.
struct Found {
    uid: Uid,
    message: MessageId,
    modseq: u64,
    flags: Flags,
}

/// One transaction of a STORE.
struct Storing<'t, 's> {
    change: Change<'t>,
    mailbox: MailboxId,
    store: &'s FlagStore,
    /// By mailbox: a message in several mailboxes changes the counters of all.
    deltas: BTreeMap<MailboxId, Delta>,
    outcome: StoreOutcome,
}

impl<'t, 's> Storing<'t, 's> {
    fn begin(
        tx: &'t mut dyn Tx,
        account: AccountId,
        mailbox: MailboxId,
        store: &'s FlagStore,
    ) -> Result<Self, Error> {
        let change = Change::begin(tx, account)?;
        // Checks that the mailbox is the account's.
        mailbox_status(change.tx, account, mailbox)?;
        let outcome = StoreOutcome::default();
        Ok(Self {
            change,
            mailbox,
            store,
            deltas: BTreeMap::new(),
            outcome,
        })
    }

    fn run(mut self, ranges: &Ranges) -> Result<StoreOutcome, Error> {
        for range in ranges {
            self.range(range)?;
        }
        for (mailbox, delta) in std::mem::take(&mut self.deltas) {
            self.change.count(mailbox, delta)?;
        }
        if !self.outcome.changed.is_empty() {
            self.change.announce();
        }
        Ok(self.outcome)
    }

    /// Changes the messages of one range, neighbours that change alike in one statement.
    fn range(&mut self, range: &RangeInclusive<u32>) -> Result<(), Error> {
        let mut run: Option<RangeInclusive<u32>> = None;
        for found in self.find(range)? {
            if self.changes_bits_only(&found) {
                let first = run.as_ref().map_or(found.uid.get(), |run| *run.start());
                run = Some(first..=found.uid.get());
                continue;
            }
            self.update_run(run.take())?;
            self.single(&found)?;
        }
        self.update_run(run)
    }

    fn find(&mut self, range: &RangeInclusive<u32>) -> Result<Vec<Found>, Error> {
        let params = [
            self.mailbox.0.into(),
            (*range.start()).into(),
            (*range.end()).into(),
        ];
        let rows = self.change.tx.query_all(SELECT, &params, |row| {
            let (message, modseq) = (MessageId(row.int(1)?), row.u64(2)?);
            let flags = Flags::from_bits(row.u32(3)?);
            Ok(Uid::new(row.u32(0)?).map(|uid| Found {
                uid,
                message,
                modseq,
                flags,
            }))
        })?;
        Ok(rows.into_iter().flatten().collect())
    }

    /// Counts a message that changes in its bits, in this mailbox only; false for every other.
    fn changes_bits_only(&mut self, found: &Found) -> bool {
        let change = &self.store.change;
        let after = change.bits_after(found.flags);
        let alone = after != found.flags
            && !found.flags.contains(Flags::SHARED)
            && !change.touches_keywords(found.flags)
            && !self.is_modified(found);
        if alone {
            *self.deltas.entry(self.mailbox).or_default() += Delta::between(found.flags, after);
            self.outcome.changed.insert(found.uid);
        }
        alone
    }

    /// RFC 7162 §3.1.3: whether the message has changed since the client looked.
    fn is_modified(&self, found: &Found) -> bool {
        self.store
            .unchanged_since
            .is_some_and(|since| found.modseq > since)
    }

    fn update_run(&mut self, run: Option<RangeInclusive<u32>>) -> Result<(), Error> {
        let Some(run) = run else { return Ok(()) };
        let (set, clear) = self.store.change.masks();
        self.change.tx.exec(
            UPDATE_RUN,
            &[
                self.mailbox.0.into(),
                (*run.start()).into(),
                (*run.end()).into(),
                (!clear.bits()).into(),
                set.bits().into(),
                signed(self.change.modseq).into(),
            ],
        )?;
        Ok(())
    }

    /// A message that changes in its keywords, or in several mailboxes, or not at all.
    fn single(&mut self, found: &Found) -> Result<(), Error> {
        if self.is_modified(found) {
            self.outcome.modified.insert(found.uid);
            return Ok(());
        }
        let mut after = self.store.change.bits_after(found.flags);
        let mut changed = after != found.flags;
        if self.store.change.touches_keywords(found.flags) {
            let before = if found.flags.contains(Flags::HAS_KEYWORDS) {
                keyword::of(self.change.tx, found.message)?
            } else {
                Vec::new()
            };
            let changes = self.store.change.keyword_changes(&before);
            let left = before.len() + changes.add.len() - changes.remove.len();
            if left > MAX_KEYWORDS && self.store.change.mode == FlagMode::Add {
                return Err(Error::TooManyKeywords);
            }
            keyword::remove(self.change.tx, found.message, &changes.remove)?;
            keyword::add(self.change.tx, found.message, &changes.add)?;
            if let Some(opinion) = judgement::of_keywords(&changes.add) {
                judgement::note(self.change.tx, [found.message], opinion)?;
            }
            changed |= !changes.is_empty();
            after = after.without(Flags::HAS_KEYWORDS);
            if left > 0 {
                after = after.with(Flags::HAS_KEYWORDS);
            }
        }
        if changed {
            self.update_message(found, after)
        } else {
            Ok(())
        }
    }

    /// Sets the flags of all entries of a message.
    fn update_message(&mut self, found: &Found, after: Flags) -> Result<(), Error> {
        let delta = Delta::between(found.flags, after);
        if found.flags.contains(Flags::SHARED) {
            let params = [found.message.0.into()];
            let mailboxes = self
                .change
                .tx
                .query_all(MAILBOXES, &params, |row| row.int(0).map(MailboxId))?;
            for mailbox in mailboxes {
                *self.deltas.entry(mailbox).or_default() += delta;
            }
        } else {
            *self.deltas.entry(self.mailbox).or_default() += delta;
        }
        let modseq = signed(self.change.modseq);
        let params = [found.message.0.into(), after.bits().into(), modseq.into()];
        self.change.tx.exec(UPDATE_MESSAGE, &params)?;
        self.outcome.changed.insert(found.uid);
        Ok(())
    }
}
