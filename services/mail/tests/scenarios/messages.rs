//! APPEND, STORE, COPY, MOVE, EXPUNGE, quota, threads.

use ambient::Timestamp;
use imap::Flag;
use mail::{Batch, Error, FlagMode, FlagSet, Flags, Keyword, MAX_KEYWORDS, NewMessage, Quota};
use mime::Summary;
use store::{AccountId, blob};

use crate::house::{House, START, flags, message, new_account, uids};

#[tokio::test]
async fn an_appended_message_comes_back_octet_for_octet() {
    let house = House::new().await;
    let raw = "Subject: hello\r\nDate: Tue, 1 Jul 2003 10:52:37 +0200\r\n\r\nbody\r\n";
    let uid = house
        .append("INBOX", raw, "\\Flagged $Junk $junk Tag tag")
        .await;
    assert_eq!(house.show("INBOX").await, ["1 \\Flagged $Junk Tag"]);
    let view = house.open("INBOX").await;
    let entry = *view.entries().first().unwrap();
    assert_eq!((entry.uid, view.highest_modseq()), (uid, entry.modseq));
    let id = view.snapshot().message_id(&entry);
    assert_eq!(house.mail.message_bytes(id).await.unwrap(), raw);
    assert_eq!(house.mail.message_range(id, 9..14).await.unwrap(), "hello");
    assert_eq!(
        house.mail.message_range(id, 20..999).await.unwrap(),
        raw[20..]
    );
    assert!(
        house
            .mail
            .message_range(id, 500..999)
            .await
            .unwrap()
            .is_empty()
    );
    let rows = house
        .mail
        .fold_rows(house.account, vec![entry], Vec::new(), |rows, row| {
            let summary = Summary::decode(row.summary).unwrap();
            rows.push((
                row.size,
                row.received_at,
                row.sent_at,
                summary.envelope.subject,
            ));
        });
    let expected = (
        u32::try_from(raw.len()).unwrap(),
        Timestamp(START),
        Some(Timestamp(1_057_049_557)),
        Some(b"hello".to_vec()),
    );
    assert_eq!(rows.await.unwrap(), [expected]);
    house.close().await;
}

#[tokio::test]
async fn a_prefix_stands_before_the_blob_in_every_reading() {
    let house = House::new().await;
    let (inbox, account) = (house.mailbox("INBOX").await, house.account);
    let raw = b"Subject: shared\r\n\r\nbody\r\n";
    let prefix = b"Return-Path: <a@b>\r\n";
    let staged = house
        .mail
        .db()
        .blobs()
        .stage(raw.to_vec().into())
        .await
        .unwrap();
    let whole = [&prefix[..], raw].concat();
    let summary = Summary::parse(&whole);
    let appended = house.mail.db().write(move |tx| {
        blob::insert(tx, &staged, 1)?;
        let new = NewMessage {
            mailbox: inbox,
            blob: &staged,
            prefix,
            summary: &summary,
            received_at: Timestamp(5),
            flags: &FlagSet::default(),
            quota: Quota::Enforce,
        };
        mail::append(tx, account, &new)
    });
    let id = appended.await.unwrap().message;
    assert_eq!(house.mail.message_bytes(id).await.unwrap(), whole);
    for (start, end) in [
        (0, 6),
        (8, 19),
        (15, 30),
        (20, 27),
        (30, 99),
        (0, 99),
        (44, 45),
        (6, 6),
    ] {
        let part = house.mail.message_range(id, start..end).await.unwrap();
        let clip = |at: u64| usize::try_from(at).unwrap().min(whole.len());
        assert_eq!(part, whole[clip(start)..clip(end)], "{start}..{end}");
    }
    let wanted = house.open("INBOX").await.entries().to_vec();
    let batch = Batch { wanted, budget: 1 };
    let read = house
        .mail
        .fold_messages(account, batch, Vec::new(), |all, row, bytes| {
            all.push((row.size as usize, bytes.to_vec()));
        });
    assert_eq!(read.await.unwrap(), (vec![(whole.len(), whole)], 1));
    house.close().await;
}

#[tokio::test]
async fn messages_are_read_in_order_until_the_budget_is_spent() {
    let house = House::new().await;
    house.fill("INBOX", 9).await;
    house.fill("Sent", 3).await;
    house.fill("INBOX", 3).await;
    let inbox = house.mailbox("INBOX").await;
    house
        .mail
        .destroy(house.account, inbox, &uids([4]))
        .await
        .unwrap();
    let entries = house.open("INBOX").await.entries().to_vec();
    // Out of order, with gaps, and one that is gone.
    let order = [10, 9, 0, 1, 2, 3, 7, 8, 5];
    let mut wanted: Vec<_> = order.iter().map(|at| entries[*at]).collect();
    house
        .mail
        .destroy(house.account, inbox, &uids([2]))
        .await
        .unwrap();
    let read = house
        .mail
        .fold_rows(house.account, wanted.clone(), Vec::new(), |uids, row| {
            uids.push(row.entry.uid.get());
        });
    assert_eq!(read.await.unwrap(), [12, 11, 1, 3, 5, 9, 10, 7]);
    let mut read = Vec::new();
    while !wanted.is_empty() {
        let batch = Batch {
            wanted: wanted.clone(),
            budget: 50,
        };
        let (uids, done) = house
            .mail
            .fold_messages(house.account, batch, Vec::new(), |uids, row, _| {
                uids.push(row.entry.uid.get());
            })
            .await
            .unwrap();
        assert!((1..=4).contains(&done) && uids.len() <= 3);
        read.extend(uids);
        wanted.drain(..done);
    }
    assert_eq!(read, [12, 11, 1, 3, 5, 9, 10, 7]);
    house.close().await;
}

/// RFC 9051 §6.4.6; a message whose flags stay the same keeps its mod-sequence.
#[tokio::test]
async fn store_changes_what_changes_and_nothing_else() {
    let house = House::new().await;
    house.fill("INBOX", 5).await;
    let all = uids(1..=9);
    let store = async |change, since| house.store("INBOX", &all, change, since).await;
    assert_eq!(
        house
            .store("INBOX", &uids([2, 4]), (FlagMode::Add, "\\Seen"), None)
            .await
            .0,
        "2,4"
    );
    assert_eq!(store((FlagMode::Add, "\\Seen"), None).await.0, "1,3,5");
    let before = house.status("INBOX").await;
    assert_eq!(store((FlagMode::Add, "\\Seen"), None).await.0, "");
    assert_eq!(
        store((FlagMode::Remove, "absent \\Draft"), None).await.0,
        ""
    );
    assert_eq!(store((FlagMode::Replace, "\\Seen"), None).await.0, "");
    assert_eq!(house.status("INBOX").await, before);
    assert_eq!(
        house
            .store("INBOX", &uids([3]), (FlagMode::Add, "Blue $MDNSent"), None)
            .await
            .0,
        "3"
    );
    assert_eq!(store((FlagMode::Add, "BLUE red"), None).await.0, "1:5");
    assert_eq!(store((FlagMode::Remove, "blue"), None).await.0, "1:5");
    let shown = house.show("INBOX").await;
    assert_eq!(
        shown,
        [
            "1 \\Seen red",
            "2 \\Seen red",
            "3 \\Seen $MDNSent red",
            "4 \\Seen red",
            "5 \\Seen red"
        ]
    );
    assert_eq!(store((FlagMode::Replace, "\\Deleted"), None).await.0, "1:5");
    assert_eq!(house.show("INBOX").await[2], "3 \\Deleted");
    let status = house.status("INBOX").await;
    assert_eq!((status.unseen, status.deleted), (5, 5));
    house.close().await;
}

/// RFC 7162 §3.1.3.
#[tokio::test]
async fn unchangedsince_leaves_alone_what_has_changed() {
    let house = House::new().await;
    house.fill("INBOX", 4).await;
    let since = house.status("INBOX").await.highest_modseq;
    house
        .store("INBOX", &uids([2]), (FlagMode::Add, "\\Seen"), None)
        .await;
    let (changed, modified) = house
        .store(
            "INBOX",
            &uids(1..=4),
            (FlagMode::Add, "\\Flagged"),
            Some(since),
        )
        .await;
    assert_eq!((changed.as_str(), modified.as_str()), ("1,3:4", "2"));
    let (changed, modified) = house
        .store("INBOX", &uids(1..=4), (FlagMode::Add, "tag"), Some(0))
        .await;
    assert_eq!((changed.as_str(), modified.as_str()), ("", "1:4"));
    house.close().await;
}

#[tokio::test]
async fn keywords_of_a_message_are_limited() {
    let house = House::new().await;
    let keywords = |prefix: &str, count: usize| {
        (0..count)
            .map(|n| format!("{prefix}{n}"))
            .collect::<Vec<_>>()
            .join(" ")
    };
    house
        .append("INBOX", "x", &keywords("a", MAX_KEYWORDS))
        .await;
    let inbox = house.mailbox("INBOX").await;
    let store = |text: &str| mail::FlagStore {
        change: mail::FlagChange {
            mode: FlagMode::Add,
            set: flags(text),
        },
        unchanged_since: None,
    };
    let add = async |text: &str| {
        house
            .mail
            .set_flags(house.account, inbox, &uids([1]), &store(text))
            .await
    };
    assert!(matches!(add("one-more").await, Err(Error::TooManyKeywords)));
    assert!(add("A1 a2").await.unwrap().changed.is_empty());
    let too_many = message("x", &keywords("b", MAX_KEYWORDS + 1));
    let refused = house
        .mail
        .append_message(house.account, inbox, too_many)
        .await;
    assert!(matches!(refused, Err(Error::TooManyKeywords)));
    house.close().await;
}

/// RFC 9051 §6.4.7: a copy has flags and INTERNALDATE of the original and is independent of it.
#[tokio::test]
async fn a_copy_goes_its_own_way() {
    let house = House::new().await;
    house
        .append("INBOX", "Subject: one\r\n\r\n", "\\Seen Tag")
        .await;
    house.fill("INBOX", 3).await;
    house.fill("Archive", 2).await;
    house.clock.advance(std::time::Duration::from_secs(1000));
    let (from, to) = (house.mailbox("INBOX").await, house.mailbox("Archive").await);
    let used = house.used().await;
    let outcome = house
        .mail
        .copy(house.account, from, &uids([1, 3, 4, 77]), to)
        .await
        .unwrap();
    assert_eq!(outcome.source.to_string(), "1,3:4");
    assert_eq!(outcome.destination.to_string(), "3:5");
    assert_eq!(
        outcome.uidvalidity,
        house.status("Archive").await.uidvalidity
    );
    assert!(house.used().await.0 > used.0 && house.used().await.1 == used.1 + 3);
    assert_eq!(
        house.show("Archive").await,
        ["1", "2", "3 \\Seen Tag", "4", "5"]
    );
    house
        .store(
            "Archive",
            &uids([3]),
            (FlagMode::Replace, "\\Deleted Other"),
            None,
        )
        .await;
    assert_eq!(house.show("INBOX").await[0], "1 \\Seen Tag");
    let entries = house.open("Archive").await.entries().to_vec();
    let dates = house
        .mail
        .fold_rows(house.account, entries, Vec::new(), |dates, row| {
            dates.push(row.received_at.0 - START);
        });
    assert_eq!(dates.await.unwrap(), [0; 5]);
    // The original goes, the copy on the same blob stays readable.
    house
        .mail
        .destroy(house.account, from, &uids([1]))
        .await
        .unwrap();
    let view = house.open("Archive").await;
    let copy = view.snapshot().message_id(&view.entries()[2]);
    assert_eq!(
        house.mail.message_bytes(copy).await.unwrap(),
        "Subject: one\r\n\r\n"
    );
    house.close().await;
}

/// RFC 9051 §6.4.7: a COPY that fails leaves the target as it was.
#[tokio::test]
async fn a_copy_beyond_the_quota_is_undone() {
    let house = House::new().await;
    house.fill("INBOX", 10).await;
    // Enough for the first transaction's messages, not for all.
    let copies: u32 = 60;
    let (inbox, junk) = (house.mailbox("INBOX").await, house.mailbox("Junk").await);
    for _ in 0..copies {
        house
            .mail
            .copy(house.account, inbox, &uids(1..=10), junk)
            .await
            .unwrap();
    }
    let (used, _) = house.used().await;
    house.set_quota(used + 520 * 21).await;
    let trash = house.mailbox("Trash").await;
    let refused = house
        .mail
        .copy(house.account, junk, &uids(1..=600), trash)
        .await;
    assert!(matches!(refused, Err(Error::OverQuota)));
    assert_eq!(house.show("Trash").await, [""; 0]);
    assert_eq!(house.used().await.0, used);
    // A move needs no space.
    let moved = house
        .mail
        .move_messages(house.account, junk, &uids(1..=600), trash)
        .await
        .unwrap();
    assert_eq!(moved.source.to_string(), "1:600");
    assert_eq!(moved.destination.len(), 600);
    assert_eq!(house.used().await.0, used);
    house.close().await;
}

/// RFC 6851, RFC 9051 §6.4.8.
#[tokio::test]
async fn a_moved_message_keeps_its_identity_and_gets_a_new_uid() {
    let house = House::new().await;
    house.fill("INBOX", 3).await;
    house
        .store("INBOX", &uids([2]), (FlagMode::Add, "\\Answered tag"), None)
        .await;
    let (from, to) = (house.mailbox("INBOX").await, house.mailbox("Archive").await);
    let before = house.open("INBOX").await;
    let moved = house
        .mail
        .move_messages(house.account, from, &uids([2, 3]), to)
        .await
        .unwrap();
    assert_eq!(
        (moved.source.to_string(), moved.destination.to_string()),
        ("2:3".into(), "1:2".into())
    );
    assert_eq!(house.show("INBOX").await, ["1"]);
    assert_eq!(house.show("Archive").await, ["1 \\Answered tag", "2"]);
    let after = house.open("Archive").await;
    assert_eq!(after.entries()[0].message, before.entries()[1].message);
    let gone = house
        .mail
        .vanished(house.account, from, before.highest_modseq())
        .await
        .unwrap();
    assert_eq!(gone, [2..=3]);
    // Into the same mailbox: new UIDs, nothing else.
    let again = house
        .mail
        .move_messages(house.account, to, &uids([1]), to)
        .await
        .unwrap();
    assert_eq!(again.destination.to_string(), "3");
    assert_eq!(house.show("Archive").await, ["2", "3 \\Answered tag"]);
    house.close().await;
}

/// RFC 9051 §6.4.3, §6.4.9.
#[tokio::test]
async fn expunge_removes_what_is_deleted_and_remembers_the_uids() {
    let house = House::new().await;
    house.fill("INBOX", 8).await;
    let inbox = house.mailbox("INBOX").await;
    house
        .store(
            "INBOX",
            &uids([1, 2, 3, 5, 8]),
            (FlagMode::Add, "\\Deleted"),
            None,
        )
        .await;
    let since = house.status("INBOX").await.highest_modseq;
    let only = uids([2, 3, 4]);
    let gone = house
        .mail
        .expunge(house.account, inbox, Some(&only))
        .await
        .unwrap();
    assert_eq!(gone.to_string(), "2:3");
    assert!(house.status("INBOX").await.highest_modseq > since);
    let gone = house
        .mail
        .expunge(house.account, inbox, None)
        .await
        .unwrap();
    assert_eq!(gone.to_string(), "1,5,8");
    let after = house.status("INBOX").await;
    assert!(
        house
            .mail
            .expunge(house.account, inbox, None)
            .await
            .unwrap()
            .is_empty()
    );
    assert_eq!(house.status("INBOX").await, after);
    assert_eq!(house.show("INBOX").await, ["4", "6", "7"]);
    let vanished = house
        .mail
        .vanished(house.account, inbox, since)
        .await
        .unwrap();
    assert_eq!(vanished, [1..=1, 2..=3, 5..=5, 8..=8]);
    // The last UID is not used again.
    assert_eq!(house.append("INBOX", "x", "").await.get(), 9);
    house.close().await;
}

#[tokio::test]
async fn bulk_changes_take_several_transactions() {
    let house = House::new().await;
    house.fill("INBOX", 10).await;
    let inbox = house.mailbox("INBOX").await;
    for _ in 0..7 {
        let len = u32::try_from(house.open("INBOX").await.entries().len()).unwrap();
        house
            .mail
            .copy(house.account, inbox, &uids(1..=len), inbox)
            .await
            .unwrap();
    }
    let all = uids(1..=1280);
    let before = house.status("INBOX").await;
    assert_eq!(before.messages, 1280);
    let (changed, _) = house
        .store("INBOX", &all, (FlagMode::Add, "\\Deleted"), None)
        .await;
    assert_eq!(changed, "1:1280");
    assert_eq!(
        house.status("INBOX").await.highest_modseq,
        before.highest_modseq + 3
    );
    house
        .store(
            "INBOX",
            &uids([5, 600, 1280]),
            (FlagMode::Remove, "\\Deleted"),
            None,
        )
        .await;
    let gone = house
        .mail
        .expunge(house.account, inbox, None)
        .await
        .unwrap();
    assert_eq!(gone.to_string(), "1:4,6:599,601:1279");
    let status = house.status("INBOX").await;
    assert_eq!(
        (status.messages, status.deleted, status.uidnext),
        (3, 0, 1281)
    );
    house.close().await;
}

#[tokio::test]
async fn over_quota_refuses_one_recipient_and_leaves_the_transaction_usable() {
    let house = House::new().await;
    let full = new_account(&house.mail, "full@example.org").await;
    let accounts = [full, house.account];
    house.set_quota(60).await;
    house
        .mail
        .db()
        .write::<_, store::Error, _>(move |tx| {
            tx.exec(
                "UPDATE account SET quota_bytes = 10 WHERE id = ?1",
                &[full.into()],
            )
        })
        .await
        .unwrap();
    let raw = b"Subject: quota\r\n\r\n0123456789\r\n".to_vec();
    let summary = Summary::parse(&raw);
    let staged = house.mail.db().blobs().stage(raw.into()).await.unwrap();
    let deliver = async |quota: Quota| {
        let (staged, summary) = (staged.clone(), summary.clone());
        house
            .mail
            .db()
            .write(move |tx| {
                let mut delivered = Vec::new();
                for account in accounts {
                    let mailbox = mail::mailbox_by_role(tx, account, mail::Role::Inbox)?;
                    let new = NewMessage {
                        mailbox: mailbox.ok_or(Error::NoMailbox)?,
                        blob: &staged,
                        prefix: b"",
                        summary: &summary,
                        received_at: tx.now(),
                        flags: &FlagSet::default(),
                        quota,
                    };
                    match mail::append(tx, account, &new) {
                        Ok(appended) => delivered.push((account, appended.uid.get())),
                        Err(Error::OverQuota) => {}
                        Err(error) => return Err(error),
                    }
                }
                blob::retain(tx, &staged.id, u32::try_from(delivered.len()).unwrap())?;
                Ok::<Vec<(AccountId, u32)>, Error>(delivered)
            })
            .await
            .unwrap()
    };
    // The blob's row must exist before the messages that refer to it.
    let first = staged.clone();
    house
        .mail
        .db()
        .write(move |tx| blob::insert(tx, &first, 0))
        .await
        .unwrap();
    assert_eq!(deliver(Quota::Enforce).await, [(house.account, 1)]);
    assert_eq!(deliver(Quota::Enforce).await, [(house.account, 2)]);
    assert_eq!(deliver(Quota::Enforce).await, []);
    assert_eq!(
        deliver(Quota::Ignore).await,
        [(full, 1), (house.account, 3)]
    );
    let refused = house.mail.append_message(
        house.account,
        house.mailbox("Sent").await,
        message("a message too many for this account", ""),
    );
    assert!(matches!(refused.await, Err(Error::OverQuota)));
    house.close().await;
}

#[tokio::test]
async fn replies_join_the_thread_of_what_they_answer() {
    let house = House::new().await;
    let append = async |header: &str| {
        house
            .append("INBOX", &format!("Subject: same\r\n{header}\r\n\r\n"), "")
            .await
    };
    append("Message-ID: <1@x>").await;
    append("Message-ID: <2@x>").await;
    append("Message-ID: <3@x>\r\nIn-Reply-To: <1@x>").await;
    append("X: no identifiers").await;
    append("X: no identifiers").await;
    // The parent arrives after its child.
    append("Message-ID: <6@x>\r\nReferences: <late@x>").await;
    append("Message-ID: <late@x>").await;
    // Connects two threads: joins the older.
    append("Message-ID: <8@x>\r\nReferences: <2@x> <1@x>").await;
    append("Message-ID: <9@x>\r\nReferences: <unknown@x> <8@x>").await;
    let entries = house.open("INBOX").await.entries().to_vec();
    let threads = house
        .mail
        .fold_rows(house.account, entries, Vec::new(), |threads, row| {
            threads.push(row.thread);
        });
    // A thread is called after the number of its first message.
    let threads = threads.await.unwrap();
    let numbers: Vec<i64> = threads
        .iter()
        .map(|thread| thread - threads[0] + 1)
        .collect();
    assert_eq!(numbers, [1, 2, 1, 4, 5, 6, 6, 1, 1]);
    house.close().await;
}

/// RFC 8621 §4: one message in several mailboxes has one set of flags.
#[tokio::test]
async fn a_linked_message_shares_flags_and_survives_leaving_one_mailbox() {
    let house = House::new().await;
    house.fill("INBOX", 2).await;
    let (inbox, archive) = (house.mailbox("INBOX").await, house.mailbox("Archive").await);
    let account = house.account;
    let view = house.open("INBOX").await;
    let id = view.snapshot().message_id(&view.entries()[0]);
    let link = async |to| {
        house
            .mail
            .db()
            .write(move |tx| mail::link(tx, account, id, to))
            .await
    };
    let used = house.used().await;
    assert_eq!(link(archive).await.unwrap().get(), 1);
    assert!(matches!(link(archive).await, Err(Error::Exists)));
    assert_eq!(house.used().await, used);
    let before = house.status("Archive").await.highest_modseq;
    house
        .store(
            "INBOX",
            &uids([1, 2]),
            (FlagMode::Add, "\\Seen shared"),
            None,
        )
        .await;
    assert_eq!(house.show("Archive").await, ["1 \\Seen shared"]);
    let archived = house.status("Archive").await;
    assert!(archived.highest_modseq > before && archived.unseen == 0);
    house.check().await;
    // Moved to where it is already: it arrives there anew, and one entry is left.
    let moved = house
        .mail
        .move_messages(account, inbox, &uids([1, 2]), archive)
        .await
        .unwrap();
    assert_eq!(
        (moved.source.to_string(), moved.destination.to_string()),
        ("1:2".into(), "2:3".into())
    );
    house.check().await;
    assert_eq!(link(inbox).await.unwrap().get(), 3);
    house
        .mail
        .destroy(account, archive, &uids([2]))
        .await
        .unwrap();
    assert_eq!(house.show("INBOX").await, ["3 \\Seen shared"]);
    house.check().await;
    house
        .mail
        .destroy(account, inbox, &uids([3]))
        .await
        .unwrap();
    assert!(matches!(
        house.mail.message_bytes(id).await,
        Err(Error::NoMessage)
    ));
    assert_eq!(house.used().await.1, 1);
    house.close().await;
}

#[tokio::test]
async fn the_last_reference_gives_up_the_blob() {
    let house = House::new().await;
    house.append("INBOX", "Subject: x\r\n\r\n", "").await;
    let (inbox, trash) = (house.mailbox("INBOX").await, house.mailbox("Trash").await);
    house
        .mail
        .copy(house.account, inbox, &uids([1]), trash)
        .await
        .unwrap();
    house
        .mail
        .destroy(house.account, inbox, &uids([1]))
        .await
        .unwrap();
    let released = async || {
        let sql = "SELECT COUNT(*) FROM blob WHERE refs = 0";
        let count = house
            .mail
            .db()
            .read(move |rx| rx.query_one(sql, &[], |row| row.int(0)));
        count.await.map(Option::unwrap) as Result<i64, store::Error>
    };
    assert_eq!(released().await.unwrap(), 0);
    house
        .mail
        .destroy(house.account, trash, &uids([1]))
        .await
        .unwrap();
    assert_eq!(released().await.unwrap(), 1);
    house.close().await;
}

/// RFC 9051 §2.3.1.1: no UID is used twice. The last is 2³²−2, so that UIDNEXT is still a number.
#[tokio::test]
async fn used_up_uids_are_refused_and_change_nothing() {
    let house = House::new().await;
    house.fill("Sent", 2).await;
    let (sent, inbox) = (house.mailbox("Sent").await, house.mailbox("INBOX").await);
    let last = "UPDATE mailbox SET uidnext = 4294967294 WHERE id = ?1";
    let set = move |tx: &mut dyn store::Tx| tx.exec(last, &[inbox.0.into()]);
    house
        .mail
        .db()
        .write::<_, store::Error, _>(set)
        .await
        .unwrap();
    let used = house.used().await;
    let both = uids([1, 2]);
    let (mail, account) = (&house.mail, house.account);
    let refused = mail.copy(account, sent, &both, inbox).await;
    assert!(matches!(refused, Err(Error::Exhausted)));
    let refused = mail.move_messages(account, sent, &both, inbox).await;
    assert!(matches!(refused, Err(Error::Exhausted)));
    assert_eq!(house.used().await, used);
    assert_eq!(house.append("INBOX", "x", "").await.get(), u32::MAX - 1);
    let refused = mail.append_message(account, inbox, message("x", "")).await;
    assert!(matches!(refused, Err(Error::Exhausted)));
    assert_eq!(house.show("INBOX").await, ["4294967294"]);
    house.close().await;
}

#[test]
fn known_keywords_are_flags() {
    let set: FlagSet = [Flag::Keyword(Keyword::new("$forwarded").unwrap())]
        .iter()
        .collect();
    assert_eq!((set.flags(), set.keywords().len()), (Flags::FORWARDED, 0));
}
