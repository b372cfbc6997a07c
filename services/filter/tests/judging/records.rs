//! Verdicts as they are kept.

use ambient::Timestamp;
use filter::record::{self, Record};

use crate::house::{ANN, BOB, House, NOW, ann, bob, fields, good, recipient, with};

impl House {
    async fn keep(&self, record: &Record) {
        let packed = record.packed();
        self.db.write(move |tx| packed.write(tx)).await.unwrap();
    }
}

#[tokio::test]
async fn a_record_is_found_by_its_name_and_by_the_messages() {
    let house = House::new().await;
    let input = with(good(), |input| {
        input.recipients = vec![recipient(ann(), ANN), recipient(bob(), BOB)];
    });
    let verdict = house.judge(&input).await;
    let record = Record::new("abc123", Timestamp(NOW), &input, &verdict);
    assert_eq!(record.message_id, "1@example.com");
    assert_eq!(record.subject, "Lunch");
    assert_eq!(record.recipients.len(), 2);
    assert_eq!(record.signals.len(), verdict.signals.len());
    house.keep(&record).await;
    for name in [
        "abc123",
        "1@example.com",
        "<1@example.com>",
        " <1@example.com> ",
    ] {
        let found = record::find(&house.db, name).await.unwrap();
        assert_eq!(found, std::slice::from_ref(&record), "{name:?}");
    }
    assert!(record::find(&house.db, "other").await.unwrap().is_empty());
    // Mail servers use their short names again: the last record of a name counts.
    let mut other = record.clone();
    other.subject = "another".to_owned();
    house.keep(&other).await;
    assert_eq!(record::find(&house.db, "abc123").await.unwrap(), [other]);
}

#[tokio::test]
async fn what_strangers_wrote_is_cut() {
    let house = House::new().await;
    let input = with(
        fields(&format!("Subject: {}\n", "x".repeat(5_000))),
        |input| input.helo = "h".repeat(5_000),
    );
    let verdict = house.judge(&input).await;
    let record = Record::new("long", Timestamp(NOW), &input, &verdict);
    assert_eq!((record.subject.len(), record.helo.len()), (300, 300));
    house.keep(&record).await;
    assert_eq!(record::find(&house.db, "long").await.unwrap(), [record]);
}

#[tokio::test]
async fn a_long_identifier_is_found_by_its_whole() {
    let house = House::new().await;
    let id = format!("{}@example.com", "i".repeat(400));
    let input = fields(&format!("Message-ID: <{id}>\n"));
    let verdict = house.judge(&input).await;
    let record = Record::new("long", Timestamp(NOW), &input, &verdict);
    house.keep(&record).await;
    let found = record::find(&house.db, &format!("<{id}>")).await.unwrap();
    assert_eq!(found, [record]);
}

#[tokio::test]
async fn old_records_go_and_the_latest_come_first() {
    let house = House::new().await;
    let verdict = house.judge(&good()).await;
    for age in 0..1_200 {
        let at = Timestamp(NOW - age);
        let record = Record::new(&format!("r{age}"), at, &good(), &verdict);
        house.keep(&record).await;
    }
    let latest = record::latest(&house.db, 3).await.unwrap();
    let names: Vec<&str> = latest.iter().map(|record| record.id.as_str()).collect();
    assert_eq!(names, ["r0", "r1", "r2"]);
    assert_eq!(
        record::find(&house.db, "1@example.com")
            .await
            .unwrap()
            .len(),
        10
    );
    let deleted = record::purge(&house.db, Timestamp(NOW - 9)).await.unwrap();
    assert_eq!(deleted, 1_190);
    let left = record::latest(&house.db, 5_000).await.unwrap();
    assert_eq!(left.len(), 10);
    assert_eq!(
        record::purge(&house.db, Timestamp(NOW - 9)).await.unwrap(),
        0
    );
}
