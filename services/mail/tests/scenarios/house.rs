//! A store with one account, for tests.

use std::sync::Arc;

use ambient::{FakeClock, SystemRandom, Timestamp};
use bytes::Bytes;
use imap::Flag;
use mail::{
    ClientMessage, FlagChange, FlagMode, FlagSet, FlagStore, Mail, MailboxId, MailboxName,
    MailboxStatus, Uid, UidSet, View,
};
use store::{AccountId, Db, StoreOptions, Tx};
use tempfile::TempDir;

pub(crate) const START: i64 = 1_700_000_000;

/// Ends a scenario with [`House::close`], which runs every consistency check.
pub(crate) struct House {
    pub(crate) mail: Mail,
    pub(crate) account: AccountId,
    pub(crate) clock: Arc<FakeClock>,
    dir: TempDir,
}

/// Opens the store in `dir`.
fn open(dir: &TempDir, clock: &Arc<FakeClock>) -> Mail {
    let random = Arc::new(SystemRandom::new());
    let options = StoreOptions::new(dir.path(), clock.clone(), random);
    Mail::new(Db::open(options).unwrap())
}

impl House {
    pub(crate) async fn new() -> Self {
        let dir = TempDir::new().unwrap();
        let clock = Arc::new(FakeClock::new(Timestamp(START)));
        let mail = open(&dir, &clock);
        let account = new_account(&mail, "ann@example.org").await;
        Self {
            mail,
            account,
            clock,
            dir,
        }
    }

    /// Checks everything and closes the store.
    pub(crate) async fn close(self) {
        self.check().await;
        self.mail.db().close().await;
    }

    /// Closes the store and opens it again, as a restart does.
    pub(crate) async fn reopen(&mut self) {
        self.mail.db().close().await;
        self.mail = open(&self.dir, &self.clock);
    }

    pub(crate) async fn check(&self) {
        let findings: Vec<_> = self
            .mail
            .fsck()
            .await
            .unwrap()
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(findings, [""; 0]);
    }

    pub(crate) async fn mailbox(&self, mailbox: &str) -> MailboxId {
        self.mail.find(self.account, &name(mailbox)).await.unwrap()
    }

    pub(crate) async fn append(&self, mailbox: &str, raw: &str, flags: &str) -> Uid {
        let mailbox = self.mailbox(mailbox).await;
        let message = message(raw, flags);
        self.mail
            .append_message(self.account, mailbox, message)
            .await
            .unwrap()
            .uid
    }

    /// Appends `count` short messages.
    pub(crate) async fn fill(&self, mailbox: &str, count: u32) {
        for n in 1..=count {
            self.append(mailbox, &format!("Subject: {n}\r\n\r\nbody\r\n"), "")
                .await;
        }
    }

    /// Changes flags; answers the UIDs that were changed and those that had been meanwhile.
    pub(crate) async fn store(
        &self,
        mailbox: &str,
        numbers: &UidSet,
        change: (FlagMode, &str),
        unchanged_since: Option<u64>,
    ) -> (String, String) {
        let change = FlagChange {
            mode: change.0,
            set: flags(change.1),
        };
        let store = FlagStore {
            change,
            unchanged_since,
        };
        let mailbox = self.mailbox(mailbox).await;
        let outcome = self
            .mail
            .set_flags(self.account, mailbox, numbers, &store)
            .await
            .unwrap();
        (outcome.changed.to_string(), outcome.modified.to_string())
    }

    pub(crate) async fn open(&self, mailbox: &str) -> View {
        self.mail.open(self.account, &name(mailbox)).await.unwrap()
    }

    pub(crate) async fn status(&self, mailbox: &str) -> MailboxStatus {
        self.mail
            .status(self.account, &name(mailbox))
            .await
            .unwrap()
    }

    /// Octets and messages the account is charged for.
    pub(crate) async fn used(&self) -> (i64, i64) {
        let account = self.account;
        self.mail
            .db()
            .read::<_, store::Error, _>(move |rx| {
                let sql = "SELECT used_bytes, used_count FROM account WHERE id = ?1";
                rx.query_one(sql, &[account.into()], |row| Ok((row.int(0)?, row.int(1)?)))
            })
            .await
            .unwrap()
            .unwrap()
    }

    /// `UID flags keywords` of every message.
    pub(crate) async fn show(&self, mailbox: &str) -> Vec<String> {
        show(&self.open(mailbox).await)
    }

    pub(crate) async fn set_quota(&self, octets: i64) {
        let account = self.account;
        self.mail
            .db()
            .write::<_, store::Error, _>(move |tx| {
                let sql = "UPDATE account SET quota_bytes = ?2 WHERE id = ?1";
                tx.exec(sql, &[account.into(), octets.into()])
            })
            .await
            .unwrap();
    }
}

/// An account with the default mailboxes.
pub(crate) async fn new_account(mail: &Mail, address: &'static str) -> AccountId {
    mail.db()
        .write::<_, mail::Error, _>(move |tx| {
            let account = insert_account(tx, address)?;
            mail::provision(tx, account)?;
            Ok(account)
        })
        .await
        .unwrap()
}

fn insert_account(tx: &mut dyn Tx, address: &str) -> Result<AccountId, store::Error> {
    let domain = "INSERT INTO domain (name, created_at) VALUES ('example.org', 0) \
        ON CONFLICT (name) DO UPDATE SET active = 1 RETURNING id";
    let domain = tx.query_one(domain, &[], |row| row.int(0))?.unwrap();
    let account =
        "INSERT INTO account (name, domain_id, created_at) VALUES (?1, ?2, 0) RETURNING id";
    let id = tx.query_one(account, &[address.into(), domain.into()], |row| row.int(0))?;
    Ok(AccountId(id.unwrap()))
}

pub(crate) fn show(view: &View) -> Vec<String> {
    view.entries()
        .iter()
        .map(|entry| {
            let mut words = vec![entry.uid.to_string()];
            words.extend(entry.flags.names().map(str::to_owned));
            words.extend(view.keywords(entry).iter().map(ToString::to_string));
            words.join(" ")
        })
        .collect()
}

pub(crate) fn name(text: &str) -> MailboxName {
    MailboxName::new(text).unwrap()
}

pub(crate) fn flags(text: &str) -> FlagSet {
    text.split_whitespace()
        .map(|word| Flag::parse(word).unwrap())
        .collect()
}

pub(crate) fn message(raw: &str, flag_names: &str) -> ClientMessage {
    let bytes = Bytes::copy_from_slice(raw.as_bytes());
    ClientMessage {
        bytes,
        flags: flags(flag_names),
        received_at: None,
    }
}

pub(crate) fn uids(numbers: impl IntoIterator<Item = u32>) -> UidSet {
    numbers.into_iter().filter_map(Uid::new).collect()
}
