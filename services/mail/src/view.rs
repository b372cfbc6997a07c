//! A session's view of a mailbox: the messages under the sequence numbers the client knows.
//!
//! RFC 9051 §7.5.1: sequence numbers change only when the client is told, and it must not be told
//! of an expunge while it may be using them. So [`View::refresh`] takes in new messages and changed
//! flags at once, but keeps what has been expunged, and [`View::apply_expunges`] removes it when
//! the session may say so.

use std::ops::Range;
use std::sync::Arc;

use imap::{Keyword, MailboxName, SeqNum, Uid, UidSet};
use store::{AccountId, Hub};
use tokio::sync::watch;

use crate::mailbox::{mailbox_by_name, status};
use crate::snapshot::{Difference, vanished_since};
use crate::{Entry, Error, Mail, MailboxId, Snapshot, UidValidity};

/// One session's view of a mailbox.
#[derive(Debug)]
pub struct View {
    shown: Arc<Snapshot>,
    /// Expunged, but still shown; ascending.
    gone: Vec<Uid>,
    /// The account's newest mod-sequence, as the hub announces it.
    news: watch::Receiver<u64>,
}

/// What [`View::refresh`] has found. Positions count from 0; the sequence number is one more.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Changes {
    /// The positions of messages that have arrived: empty, or up to the end of the view. To be
    /// announced with EXISTS.
    pub new: Range<usize>,
    /// Known messages whose flags, keywords or mod-sequence have changed, ascending.
    pub flags: Vec<usize>,
    /// Whether [`View::apply_expunges`] has something to do.
    pub expunged: bool,
}

impl Changes {
    /// Whether there is nothing to tell the client.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.new.is_empty() && self.flags.is_empty() && !self.expunged
    }
}

/// What [`View::apply_expunges`] has removed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Expunged {
    /// The sequence numbers in descending order: sent as EXPUNGE in this order they need no
    /// renumbering.
    pub numbers: Vec<SeqNum>,
    /// The UIDs, for VANISHED.
    pub uids: UidSet,
}

impl Mail {
    /// Opens a mailbox: the state of this moment.
    ///
    /// # Errors
    /// [`Error::NoMailbox`].
    pub async fn open(&self, account: AccountId, name: &MailboxName) -> Result<View, Error> {
        let news = watch_account(self.db().hub(), account);
        let (mail, name) = (self.clone(), name.clone());
        let shown = self
            .db()
            .read(move |rx| {
                let mailbox = mailbox_by_name(rx, account, &name)?.ok_or(Error::NoMailbox)?;
                let uidvalidity = status(rx, account, mailbox)?.uidvalidity;
                let kept = mail.cache().get(mailbox);
                let Some(mut kept) = kept.filter(|kept| kept.uidvalidity() == uidvalidity) else {
                    mail.cache().forget(mailbox);
                    return Ok::<_, Error>(Arc::new(Snapshot::load(rx, account, mailbox)?));
                };
                if let Some(difference) = kept.difference(rx)? {
                    mail.cache().release(&kept);
                    let snapshot = Arc::make_mut(&mut kept);
                    let gone = snapshot.positions(&difference.vanished);
                    let gone = uids(snapshot, &gone);
                    snapshot.update(difference);
                    snapshot.remove(&gone);
                }
                Ok(kept)
            })
            .await?;
        let shown = self.cache().put(shown);
        Ok(View {
            shown,
            gone: Vec::new(),
            news,
        })
    }

    /// RFC 7162 §3.2.5.1: the UIDs that have left a mailbox after the mod-sequence `since`, for
    /// VANISHED (EARLIER). May name UIDs the client never knew.
    ///
    /// # Errors
    /// [`Error::NoMailbox`].
    pub async fn vanished(
        &self,
        account: AccountId,
        mailbox: MailboxId,
        since: u64,
    ) -> Result<Vec<std::ops::RangeInclusive<u32>>, Error> {
        self.db()
            .read(move |rx| {
                status(rx, account, mailbox)?;
                vanished_since(rx, mailbox, since)
            })
            .await
    }
}

/// Subscribed before the state is read, so that no change falls between.
fn watch_account(hub: &Hub, account: AccountId) -> watch::Receiver<u64> {
    let mut news = hub.watch_account(account);
    news.mark_unchanged();
    news
}

fn uids(snapshot: &Snapshot, positions: &[usize]) -> Vec<Uid> {
    positions
        .iter()
        .filter_map(|at| snapshot.entries().get(*at))
        .map(|entry| entry.uid)
        .collect()
}

impl View {
    /// Takes in what has happened since the last refresh: new messages and changed flags are part
    /// of the view from now on, expunges wait for [`View::apply_expunges`].
    ///
    /// Costs nothing when nothing has happened in the account. Cancel-safe: what was not returned
    /// is found again.
    ///
    /// # Errors
    /// [`Error::NoMailbox`] when the mailbox has been deleted: the session must end its selection.
    pub async fn refresh(&mut self, mail: &Mail) -> Result<Changes, Error> {
        let mut changes = Changes {
            new: self.shown.entries().len()..self.shown.entries().len(),
            flags: Vec::new(),
            expunged: !self.gone.is_empty(),
        };
        if !self.news.has_changed().unwrap_or(true) {
            return Ok(changes);
        }
        // A clone, so that a cancelled refresh has not seen the news.
        let mut seen = self.news.clone();
        seen.mark_unchanged();
        let shown = Arc::clone(&self.shown);
        let difference = mail.db().read(move |rx| shown.difference(rx)).await?;
        self.news = seen;
        if let Some(difference) = difference {
            self.take_in(mail, difference, &mut changes);
        }
        Ok(changes)
    }

    fn take_in(&mut self, mail: &Mail, difference: Difference, changes: &mut Changes) {
        mail.cache().release(&self.shown);
        let shown = Arc::make_mut(&mut self.shown);
        let gone = shown.positions(&difference.vanished);
        let gone = uids(shown, &gone);
        let touched = shown.update(difference);
        changes.new = touched.first_new..shown.entries().len();
        changes.flags = touched.changed;
        self.gone.extend(gone);
        self.gone.sort_unstable();
        self.gone.dedup();
        changes.expunged = !self.gone.is_empty();
        self.share(mail);
    }

    /// Shares a snapshot that shows the truth with other sessions.
    fn share(&mut self, mail: &Mail) {
        if self.gone.is_empty() {
            self.shown = mail.cache().put(Arc::clone(&self.shown));
        }
    }

    /// Removes what has been expunged from the view. To be called when the session may send
    /// EXPUNGE or VANISHED.
    ///
    /// RFC 9051 §7.5.1: not during FETCH, STORE, SEARCH, nor when no command is in progress.
    pub fn apply_expunges(&mut self, mail: &Mail) -> Expunged {
        if self.gone.is_empty() {
            return Expunged::default();
        }
        let numbers = self
            .gone
            .iter()
            .rev()
            .filter_map(|uid| self.number(*uid))
            .collect();
        Arc::make_mut(&mut self.shown).remove(&self.gone);
        let uids = std::mem::take(&mut self.gone).into_iter().collect();
        self.share(mail);
        Expunged { numbers, uids }
    }

    /// Completes when something in the account has changed since the last refresh: IDLE waits
    /// here. Cancel-safe. When the store is closed it never completes.
    pub async fn changed(&self) {
        let mut news = self.news.clone();
        if news.has_changed().unwrap_or(false) {
            return;
        }
        // A clone, so that the refresh that follows still sees the news.
        if news.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// The state that is shown, to be handed to [`Mail::search`] and the readers of messages.
    #[must_use]
    pub const fn snapshot(&self) -> &Arc<Snapshot> {
        &self.shown
    }

    /// Whose mailbox it is.
    #[must_use]
    pub fn account(&self) -> AccountId {
        self.shown.account()
    }

    /// Which mailbox it is.
    #[must_use]
    pub fn mailbox(&self) -> MailboxId {
        self.shown.mailbox()
    }

    /// UIDVALIDITY.
    #[must_use]
    pub fn uidvalidity(&self) -> UidValidity {
        self.shown.uidvalidity()
    }

    /// UIDNEXT.
    #[must_use]
    pub fn uidnext(&self) -> u32 {
        self.shown.uidnext()
    }

    /// HIGHESTMODSEQ as far as the view knows.
    #[must_use]
    pub fn highest_modseq(&self) -> u64 {
        self.shown.highest_modseq()
    }

    /// The messages as the client knows them: the first has sequence number 1.
    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        self.shown.entries()
    }

    /// The message with a sequence number.
    #[must_use]
    pub fn get(&self, number: SeqNum) -> Option<&Entry> {
        usize::try_from(number.get())
            .ok()
            .and_then(|number| self.shown.entries().get(number - 1))
    }

    /// The sequence number of a UID.
    #[must_use]
    pub fn number(&self, uid: Uid) -> Option<SeqNum> {
        let position = self.shown.position(uid)?;
        u32::try_from(position + 1).ok().and_then(SeqNum::new)
    }

    /// The keywords of an entry of this view that are not bits of its flags, sorted.
    #[must_use]
    pub fn keywords(&self, entry: &Entry) -> &[Keyword] {
        self.shown.keywords(entry)
    }
}
