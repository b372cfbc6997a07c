//! COPY and MOVE, and a message in several mailboxes.
//!
//! A copy is a new message on the same blob: its flags are its own from then on. A moved message
//! keeps its identity and gets a UID of the target. For one message in two mailboxes see `shared`.

use std::ops::RangeInclusive;

use imap::{Uid, UidSet};
use store::{AccountId, BlobId, Tx, blob};

use crate::append::insert_entry;
use crate::change::{Change, Delta};
use crate::chunk::{Ranges, Scope};
use crate::expunge::vanish;
use crate::ids::signed;
use crate::{
    Error, Flags, Mail, MailboxId, MessageId, UidValidity, judgement, keyword, mailbox, shared,
};

const SELECT: &str = "SELECT e.uid, e.message_id, e.flags, m.size, m.blob_id \
    FROM entry e JOIN message m ON m.id = e.message_id \
    WHERE e.mailbox_id = ?1 AND e.uid BETWEEN ?2 AND ?3 ORDER BY e.uid";
const COPY_MESSAGE: &str = "INSERT INTO message (id, account_id, blob_id, size, received_at, \
    sent_at, thread_id, created, prefix, envelope) \
    SELECT ?2, account_id, blob_id, size, received_at, sent_at, thread_id, ?3, prefix, envelope \
    FROM message WHERE id = ?1";
const MOVE_ENTRY: &str = "UPDATE entry SET mailbox_id = ?3, uid = ?4, modseq = ?5 \
    WHERE mailbox_id = ?1 AND uid = ?2";

#[cfg(test)]
pub(crate) const STATEMENTS: &[&str] = &[SELECT, COPY_MESSAGE, MOVE_ENTRY];

/// Where messages were copied or moved to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CopyOutcome {
    /// The target's UIDVALIDITY.
    pub uidvalidity: UidValidity,
    /// The messages' UIDs in the source, ascending.
    pub source: UidSet,
    /// Their UIDs in the target: the n-th number belongs to the n-th of `source`.
    pub destination: UidSet,
    /// Octets of the messages, as the quota counts them.
    pub size: u64,
}

/// From which mailbox to which.
#[derive(Debug, Clone, Copy)]
struct Route {
    account: AccountId,
    from: MailboxId,
    to: MailboxId,
}

/// UIDs of messages in source and target.
type Pairs = Vec<(Uid, Uid)>;

/// What is done with the messages of one transaction: [`copy`] or [`relocate`].
type Step = fn(&mut Transfer<'_>, &[Found]) -> Result<Pairs, Error>;

impl Mail {
    /// RFC 9051 §6.4.7: copies those of `uids` that exist, with flags and INTERNALDATE.
    ///
    /// # Errors
    /// [`Error::NoMailbox`] for either mailbox, [`Error::OverQuota`]: the copies made by then are
    /// removed again, as the RFC demands.
    pub async fn copy(
        &self,
        account: AccountId,
        from: MailboxId,
        uids: &UidSet,
        to: MailboxId,
    ) -> Result<CopyOutcome, Error> {
        let route = Route { account, from, to };
        let (outcome, error) = self.transfer(route, Scope::Uids(uids), copy).await?;
        if let Some(error) = error {
            self.destroy(account, to, &outcome.destination).await?;
            return Err(error);
        }
        Ok(outcome)
    }

    /// RFC 6851, RFC 9051 §6.4.8: moves those of `uids` that exist. Many messages are moved in
    /// several transactions; an error may leave the first of them moved.
    ///
    /// # Errors
    /// [`Error::NoMailbox`] for either mailbox.
    pub async fn move_messages(
        &self,
        account: AccountId,
        from: MailboxId,
        uids: &UidSet,
        to: MailboxId,
    ) -> Result<CopyOutcome, Error> {
        let route = Route { account, from, to };
        match self.transfer(route, Scope::Uids(uids), relocate).await? {
            (outcome, None) => Ok(outcome),
            (_, Some(error)) => Err(error),
        }
    }

    /// Moves every message of a mailbox.
    pub(crate) async fn move_all(
        &self,
        account: AccountId,
        from: MailboxId,
        to: MailboxId,
    ) -> Result<(), Error> {
        let route = Route { account, from, to };
        self.transfer(route, Scope::All, relocate)
            .await?
            .1
            .map_or(Ok(()), Err)
    }

    /// Runs `step` chunk by chunk, in order, so that the UIDs of the target follow the source's.
    /// Answers what was done and the error that ended it.
    async fn transfer(
        &self,
        route: Route,
        scope: Scope<'_>,
        step: Step,
    ) -> Result<(CopyOutcome, Option<Error>), Error> {
        let target = self
            .db()
            .read(move |rx| mailbox::status(rx, route.account, route.to))
            .await?;
        let mut outcome = CopyOutcome {
            uidvalidity: target.uidvalidity,
            source: UidSet::new(),
            destination: UidSet::new(),
            size: 0,
        };
        for ranges in self.chunks(route.from, scope, Flags::NONE).await? {
            let done = self
                .db()
                .write(move |tx| Transfer::begin(tx, route)?.run(&ranges, step))
                .await;
            match done {
                Ok((pairs, size)) => {
                    outcome.source.extend(pairs.iter().map(|pair| pair.0));
                    outcome.destination.extend(pairs.iter().map(|pair| pair.1));
                    outcome.size += size;
                }
                Err(error) => return Ok((outcome, Some(error))),
            }
        }
        Ok((outcome, None))
    }
}

/// A message in the source mailbox.
struct Found {
    uid: Uid,
    message: MessageId,
    flags: Flags,
    size: u64,
    blob: BlobId,
}

/// One transaction of a COPY or MOVE.
struct Transfer<'t> {
    change: Change<'t>,
    route: Route,
    /// What leaves the source.
    left: Delta,
    /// What comes into the target.
    came: Delta,
}

impl<'t> Transfer<'t> {
    fn begin(tx: &'t mut dyn Tx, route: Route) -> Result<Self, Error> {
        let change = Change::begin(tx, route.account)?;
        mailbox::status(change.tx, route.account, route.from)?;
        Ok(Self {
            change,
            route,
            left: Delta::default(),
            came: Delta::default(),
        })
    }

    fn run(mut self, ranges: &Ranges, step: Step) -> Result<(Pairs, u64), Error> {
        let mut found = Vec::new();
        for range in ranges {
            self.find(range, &mut found)?;
        }
        if found.is_empty() {
            return Ok((Vec::new(), 0));
        }
        let pairs = step(&mut self, &found)?;
        let opinion = judgement::of_move(self.change.tx, self.route.from, self.route.to)?;
        if let Some(opinion) = opinion {
            let messages = found.iter().map(|message| message.message);
            judgement::note(self.change.tx, messages, opinion)?;
        }
        if self.left != Delta::default() {
            self.change.count(self.route.from, self.left.negated())?;
        }
        self.change.count(self.route.to, self.came)?;
        self.change.announce();
        Ok((pairs, found.iter().map(|message| message.size).sum()))
    }

    fn find(&mut self, range: &RangeInclusive<u32>, found: &mut Vec<Found>) -> Result<(), Error> {
        let params = [
            self.route.from.0.into(),
            (*range.start()).into(),
            (*range.end()).into(),
        ];
        self.change.tx.query_all(SELECT, &params, |row| {
            if let Some(uid) = Uid::new(row.u32(0)?) {
                found.push(Found {
                    uid,
                    message: MessageId(row.int(1)?),
                    flags: Flags::from_bits(row.u32(2)?),
                    size: row.u64(3)?,
                    blob: row.blob_id(4)?,
                });
            }
            Ok(())
        })?;
        Ok(())
    }

    /// Takes a UID of the target for each of `messages`.
    fn take_uids(&mut self, messages: usize) -> Result<impl Iterator<Item = Uid> + use<>, Error> {
        let (first, _) = self.change.take_uids(self.route.to, messages)?;
        Ok((first..=u32::MAX).filter_map(Uid::new))
    }

    /// Takes a message's entry out of the source and puts it into the target.
    fn move_entry(&mut self, message: &Found, uid: Uid) -> Result<(), Error> {
        self.change.tx.exec(
            MOVE_ENTRY,
            &[
                self.route.from.0.into(),
                message.uid.get().into(),
                self.route.to.0.into(),
                uid.get().into(),
                signed(self.change.modseq).into(),
            ],
        )?;
        self.came += Delta::of(message.flags, message.size);
        Ok(())
    }

    /// Takes a message out of the target when it is there already, so that it arrives anew: its
    /// UID there.
    fn displace(&mut self, message: &Found) -> Result<Option<Uid>, Error> {
        if self.route.from == self.route.to || !message.flags.contains(Flags::SHARED) {
            return Ok(None);
        }
        let uid = shared::take_out(&mut self.change, message.message, self.route.to)?;
        if uid.is_some() {
            self.came += Delta::of(message.flags, message.size).negated();
        }
        Ok(uid)
    }
}

/// Copies messages.
fn copy(transfer: &mut Transfer<'_>, found: &[Found]) -> Result<Pairs, Error> {
    let size = found.iter().map(|message| message.size).sum();
    let first = transfer.change.take_numbers(found.len(), size)?;
    let uids = transfer.take_uids(found.len())?;
    let mut pairs = Vec::with_capacity(found.len());
    for ((message, uid), number) in found.iter().zip(uids).zip(first..) {
        let change = &mut transfer.change;
        let id = change.message(number);
        let params = [
            message.message.0.into(),
            id.0.into(),
            signed(change.modseq).into(),
        ];
        change.tx.exec(COPY_MESSAGE, &params)?;
        blob::retain(change.tx, &message.blob, 1)?;
        let flags = message.flags.without(Flags::SHARED);
        insert_entry(change, transfer.route.to, uid, id, flags)?;
        if flags.contains(Flags::HAS_KEYWORDS) {
            keyword::copy(change.tx, message.message, id)?;
        }
        transfer.came += Delta::of(flags, message.size);
        pairs.push((message.uid, uid));
    }
    Ok(pairs)
}

/// Moves messages.
fn relocate(transfer: &mut Transfer<'_>, found: &[Found]) -> Result<Pairs, Error> {
    let uids = transfer.take_uids(found.len())?;
    let mut pairs = Vec::with_capacity(found.len());
    let mut displaced = Vec::new();
    for (message, uid) in found.iter().zip(uids) {
        let before = transfer.displace(message)?;
        transfer.move_entry(message, uid)?;
        if before.is_some() {
            shared::settle(&mut transfer.change, message.message)?;
        }
        displaced.extend(before);
        transfer.left += Delta::of(message.flags, message.size);
        pairs.push((message.uid, uid));
    }
    displaced.sort_unstable();
    vanish(&mut transfer.change, transfer.route.to, &displaced)?;
    let left: Vec<Uid> = found.iter().map(|message| message.uid).collect();
    vanish(&mut transfer.change, transfer.route.from, &left)?;
    Ok(pairs)
}
