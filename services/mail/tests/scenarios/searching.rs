//! SEARCH over stored messages.

use imap::Keyword;
use mail::{Field, Flags, Key, SearchQuery};

use crate::house::{House, START};

async fn find(house: &House, query: impl Into<SearchQuery>) -> Vec<usize> {
    let view = house.open("INBOX").await;
    house
        .mail
        .search(view.snapshot().clone(), query.into())
        .await
        .unwrap()
}

/// Six messages, a day apart.
async fn filled() -> House {
    let house = House::new().await;
    let messages = [
        (
            "Subject: Invoice 17\r\nFrom: Ann <ann@example.org>\r\n\r\nPlease pay.\r\n",
            "\\Seen",
        ),
        (
            "Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\nTo: bob@example.net\r\n\r\nServus\r\n",
            "Blue",
        ),
        (
            "Subject: lunch\r\nCc: Ann <ann@example.org>\r\nX-Tag: a\r\n\r\ninvoice later\r\n",
            "",
        ),
        (
            "Subject: coded\r\nContent-Transfer-Encoding: base64\r\n\
             Content-Type: text/plain; charset=utf-8\r\n\r\nV2lyIHphaGxlbiBtb3JnZW4sIMOEcmdlcg==\r\n",
            "\\Seen \\Flagged",
        ),
        (
            "Date: Tue, 01 Jul 2003 23:30:00 -0200\r\nBcc: eve@example.com\r\n\r\n",
            "\\Deleted",
        ),
        (
            "Subject: long\r\n\r\n0123456789012345678901234567890123456789\r\n",
            "$Junk",
        ),
    ];
    for (raw, flags) in messages {
        house.append("INBOX", raw, flags).await;
        house.clock.advance(std::time::Duration::from_secs(86_400));
    }
    house
}

fn header(field: Field, text: &str) -> Key {
    Key::Header {
        field,
        text: text.into(),
    }
}

#[tokio::test]
async fn every_key_finds_what_it_should() {
    let house = filled().await;
    let keyword = |text: &str| Key::Keyword(Keyword::new(text).unwrap());
    for (key, expected) in [
        (Key::All, vec![0, 1, 2, 3, 4, 5]),
        (Key::Flags(Flags::SEEN), vec![0, 3]),
        (Key::Flags(Flags::SEEN.with(Flags::FLAGGED)), vec![3]),
        (Key::Flags(Flags::JUNK), vec![5]),
        (keyword("bLUE"), vec![1]),
        (keyword("red"), vec![]),
        (Key::Numbers(vec![2..=3, 6..=9]), vec![1, 2, 5]),
        (Key::Uids(vec![1..=1, 5..=u32::MAX]), vec![0, 4, 5]),
        (Key::ModSeq(u64::MAX), vec![]),
        (Key::Larger(120), vec![3]),
        (Key::Smaller(1), vec![]),
        (Key::ReceivedBefore(START + 86_400), vec![0]),
        (Key::ReceivedSince(START + 4 * 86_400), vec![4, 5]),
        (Key::SentSince(12_234), vec![4]),
        (Key::SentSince(12_235), vec![]),
        (Key::SentBefore(12_235), vec![4]),
        (Key::SentBefore(12_234), vec![]),
        (header(Field::Subject, "INVOICE"), vec![0]),
        (header(Field::Subject, "grüSSe"), vec![]),
        (header(Field::Subject, "GRÜß"), vec![1]),
        (header(Field::Subject, ""), vec![0, 1, 2, 3, 5]),
        (header(Field::From, "ann@"), vec![0]),
        (header(Field::To, "BOB@example"), vec![1]),
        (header(Field::Cc, "ann"), vec![2]),
        (header(Field::Bcc, "eve"), vec![4]),
        (header(Field::named("X-Tag"), ""), vec![2]),
        (header(Field::named("x-tag"), "A"), vec![2]),
        (header(Field::named("x-tag"), "b"), vec![]),
        (header(Field::named("SUBJECT"), "lunch"), vec![2]),
        (Key::Body("invoice".into()), vec![2]),
        (Key::Text("invoice".into()), vec![0, 2]),
        (Key::Body("ÄRGER".into()), vec![3]),
        (Key::Text("servus".into()), vec![1]),
        (Key::Text("nowhere".into()), vec![]),
    ] {
        assert_eq!(find(&house, key.clone()).await, expected, "{key:?}");
    }
    house.close().await;
}

#[tokio::test]
async fn conditions_combine() {
    let house = filled().await;
    let mut query = SearchQuery::new();
    assert_eq!(find(&house, query.clone()).await, [0, 1, 2, 3, 4, 5]);
    let invoice = query.push(Key::Text("invoice".into()));
    let seen = query.push(Key::Flags(Flags::SEEN));
    let both = query.push(Key::And(vec![invoice, seen]));
    assert_eq!(find(&house, query.clone()).await, [0]);
    let either = query.push(Key::Or(invoice, seen));
    assert_eq!(find(&house, query.clone()).await, [0, 2, 3]);
    let not_both = query.push(Key::Not(both));
    query.push(Key::And(vec![either, not_both]));
    assert_eq!(find(&house, query.clone()).await, [2, 3]);
    query.push(Key::And(Vec::new()));
    assert_eq!(find(&house, query).await, [0, 1, 2, 3, 4, 5]);
    // A node of another query is nowhere in this one.
    assert_eq!(find(&house, Key::Or(invoice, both)).await, [0_usize; 0]);
    house.close().await;
}

#[tokio::test]
async fn many_messages_are_searched_in_chunks_and_stay_in_order() {
    let house = House::new().await;
    house.fill("INBOX", 20).await;
    let inbox = house.mailbox("INBOX").await;
    for _ in 0..4 {
        let len = u32::try_from(house.open("INBOX").await.entries().len()).unwrap();
        let all = crate::house::uids(1..=len);
        house
            .mail
            .copy(house.account, inbox, &all, inbox)
            .await
            .unwrap();
    }
    let expected: Vec<usize> = (0..320).filter(|at| (at % 20) + 1 == 17).collect();
    assert_eq!(find(&house, header(Field::Subject, "17")).await, expected);
    assert_eq!(
        find(&house, Key::Text("subject: 17".into())).await,
        expected
    );
    assert_eq!(find(&house, Key::Body("body".into())).await.len(), 320);
    // One that is expunged while the view still shows it is left out.
    let view = house.open("INBOX").await;
    house
        .mail
        .destroy(house.account, inbox, &crate::house::uids([17]))
        .await
        .unwrap();
    let found = house
        .mail
        .search(view.snapshot().clone(), Key::Body("body".into()).into());
    assert_eq!(found.await.unwrap().len(), 319);
    house.close().await;
}
