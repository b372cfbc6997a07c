//! The record of a verdict is found again as it was written, by its name and by the message's.
#![no_main]

use std::sync::LazyLock;

use filter::record::{RecordedShare, RecordedSignal, find};
use filter::{Record, Timing};
use fuzz::Store;
use libfuzzer_sys::fuzz_target;

static STORE: LazyLock<Store> = LazyLock::new(Store::open);

/// Every text of a record, piece by piece.
fn record(text: &str, number: i16) -> Record {
    let mut pieces = text.split('\u{1}').map(str::to_owned);
    let mut next = || pieces.next().unwrap_or_default();
    let score = f32::from(number) / 8.0;
    Record {
        id: "record".to_owned(),
        at: i64::from(number),
        message_id: "message".to_owned(),
        ip: next(),
        helo: next(),
        sender: next(),
        subject: next(),
        size: u64::from(number.unsigned_abs()),
        action: next(),
        score,
        required: -score,
        revision: 1,
        timing: Timing::default(),
        recipients: vec![RecordedShare {
            recipient: next(),
            score,
            action: next(),
        }],
        signals: vec![RecordedSignal {
            symbol: next(),
            score,
            description: next(),
            recipient: Some(next()),
            options: pieces.collect(),
        }],
    }
}

fuzz_target!(|input: (i16, &str)| {
    let (number, text) = input;
    let record = record(text, number);
    let packed = record.packed();
    STORE.runtime.block_on(async {
        STORE
            .db
            .write(move |tx| packed.write(tx))
            .await
            .expect("written");
        for name in ["record", " <message> "] {
            let found = find(&STORE.db, name).await.expect("an answer");
            assert_eq!(found, [record.clone()]);
        }
    });
});
