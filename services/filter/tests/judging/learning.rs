//! What verdicts and people teach, and what is remembered of it.

use std::sync::Arc;

use filter::{Action, Input, Opinion, Origin, Teaching, Tuning};
use learn::Owner;
use mailauth::AuthResults;
use store::AccountId;

use crate::house::{
    ANN, BOB, House, address, ann, bob, crlf, fields, genuine, good, has, mail, recipient,
    score_of, symbols, with,
};

/// Messages of either class until the classifier says something.
const ENOUGH: usize = 200;

/// A rule that counts `score` for every message.
fn always(score: f32) -> String {
    format!(
        "[[rule]]\nsymbol = \"ALWAYS\"\nscore = {score:.1}\ndescription = \"always\"\n\
         when = {{ exists = \"header.from\" }}\n"
    )
}

/// The `number`th message of a kind: its words are its kind's, its sender is its own.
fn text(kind: &str, number: usize) -> String {
    let words = match kind {
        "spam" => "casino jackpot bonus winner lottery prize million claim instant payout",
        _ => "meeting agenda minutes budget project review schedule office notes draft",
    };
    format!(
        "From: u{number} <u{number}@sender{number}.example>\nTo: ann@example.org\n\
         Subject: number {number}\nMessage-ID: <{kind}{number}@sender.example>\n\
         Date: Thu, 01 Jan 2026 00:00:00 +0000\n\n{words} n{number}\n"
    )
}

impl House {
    async fn learned(&self) -> (u64, u64) {
        let stats = self.learn.bayes.stats(Owner::Global).await.unwrap();
        (stats.learned_spam, stats.learned_ham)
    }

    async fn teach(&self, account: Option<AccountId>, opinion: Opinion, text: &str) -> Teaching {
        let raw = crlf(text).into();
        self.filter.teach(account, opinion, raw).await.unwrap()
    }
}

#[tokio::test]
async fn one_message_counts_once_whatever_servers_add() {
    let house = House::new().await;
    let plain = text("spam", 1);
    assert_eq!(
        house.teach(None, Opinion::Spam, &plain).await,
        Teaching::New
    );
    let traced = format!(
        "Return-Path: <u1@sender1.example>\nReceived: from a.example (a.example [192.0.2.1])\n\
         \tby mx.example.org with ESMTP id 1; Thu, 01 Jan 2026 00:00:00 +0000\n\
         Authentication-Results: mx.example.org; spf=pass\nX-Spam-Score: 9.00\n\
         X-Spam-Status: Yes, score=9.00\n\ttests=A,B\n{plain}"
    );
    assert_eq!(
        house.teach(None, Opinion::Spam, &traced).await,
        Teaching::Already
    );
    assert_eq!(
        house.teach(None, Opinion::Ham, &traced).await,
        Teaching::Changed
    );
    assert_eq!(house.learned().await, (0, 1));
    let unix = house
        .filter
        .teach(None, Opinion::Ham, plain.into_bytes().into());
    assert_eq!(unix.await.unwrap(), Teaching::Already);
    let other = text("spam", 2);
    assert_eq!(house.teach(None, Opinion::Ham, &other).await, Teaching::New);
}

#[tokio::test]
async fn words_are_known_after_enough_messages_of_both_classes() {
    let house = House::new().await;
    let spam = mail(&text("spam", 9_999));
    let wanted = mail(&text("ham", 9_999));
    for number in 0..ENOUGH {
        house
            .teach(None, Opinion::Spam, &text("spam", number))
            .await;
        if number + 1 < ENOUGH {
            house.teach(None, Opinion::Ham, &text("ham", number)).await;
        }
    }
    let early = house.judge(&spam).await;
    assert!(
        !symbols(&early)
            .iter()
            .any(|symbol| symbol.starts_with("BAYES"))
    );
    house.teach(None, Opinion::Ham, &text("ham", ENOUGH)).await;
    let judged = house.judge(&spam).await;
    assert!(score_of(&judged, "BAYES_SPAM").unwrap() > 3.0, "{judged:?}");
    let judged = house.judge(&wanted).await;
    assert!(score_of(&judged, "BAYES_HAM").unwrap() < -1.0, "{judged:?}");
    assert!(judged.score < early.score);
}

#[tokio::test]
async fn an_account_that_has_taught_enough_is_judged_by_its_own_words() {
    let house = House::keeping(
        Tuning::default(),
        learn::Options {
            bayes: learn::bayes::Options {
                min_learns: 20,
                also_global: false,
                ..learn::bayes::Options::default()
            },
            ..learn::Options::default()
        },
    )
    .await;
    for number in 0..20 {
        house
            .teach(None, Opinion::Spam, &text("spam", number))
            .await;
        house.teach(None, Opinion::Ham, &text("ham", number)).await;
        // Ann likes what everybody calls spam.
        house
            .teach(Some(ANN), Opinion::Ham, &text("spam", number))
            .await;
        house
            .teach(Some(ANN), Opinion::Spam, &text("ham", number))
            .await;
    }
    let input = with(mail(&text("spam", 9_999)), |input| {
        input.recipients = vec![recipient(ann(), ANN), recipient(bob(), BOB)];
    });
    let verdict = house.judge(&input).await;
    assert!(
        verdict.score_for(&bob()) > verdict.score + 3.0,
        "{verdict:?}"
    );
    assert!(
        verdict.score_for(&ann()) < verdict.score - 1.0,
        "{verdict:?}"
    );
    // What one recipient's words are is not for the others.
    let header = verdict.header();
    assert!(!header.contains("BAYES"), "{header}");
}

#[tokio::test]
async fn reported_texts_are_known_again() {
    let house = House::new().await;
    let long = "the quick brown fox jumps over the lazy dog while seven wizards brew a strong \
        potion of roots and leaves for the old king who lives beyond the silver mountains";
    let report = |name: &str| format!("From: {name}@example.com\nSubject: {name}\n\n{long}\n");
    for name in ["one", "two", "three"] {
        house.teach(None, Opinion::Spam, &report(name)).await;
    }
    let verdict = house.judge(&mail(&report("four"))).await;
    assert!(
        score_of(&verdict, "FUZZY_DENIED").unwrap() > 10.0,
        "{verdict:?}"
    );
    assert!(!has(&house.judge(&good()).await, "FUZZY_DENIED"));
    // What one user thinks is a hint.
    let other = house
        .judge(&mail(&report("four").replace("wizards", "witches")))
        .await;
    assert!(has(&other, "FUZZY_DENIED"), "{:?}", symbols(&other));
    // Whoever changes their mind takes it back.
    for name in ["one", "two", "three"] {
        house.teach(None, Opinion::Ham, &report(name)).await;
    }
    let verdict = house.judge(&mail(&report("four"))).await;
    assert!(!has(&verdict, "FUZZY_DENIED"), "{:?}", symbols(&verdict));
    assert!(has(&verdict, "FUZZY_WHITE"), "{:?}", symbols(&verdict));
}

fn from_number(number: usize) -> Input {
    fields(&format!("Message-ID: <n{number}@example.com>\n"))
}

#[tokio::test]
async fn clear_verdicts_teach_and_others_do_not() {
    let house = House::with(Tuning {
        learn_spam: 12.0,
        learn_ham: -4.5,
        ..Tuning::default()
    })
    .await;
    let base = house.judge(&good()).await.score;
    for (number, total, taught) in [
        (1, 11.9, false),
        (2, 12.0, true),
        (3, -4.4, false),
        (4, -4.5, true),
    ] {
        let score = total - base;
        house.rule_set("always", &exactly(score)).await.unwrap();
        let before = house.learned().await;
        let judged = house.judged(&from_number(number)).await;
        assert!(
            (judged.verdict.score - total).abs() < 0.01,
            "{:?}",
            judged.verdict
        );
        if taught {
            house
                .settle(judged, || async { house.learned().await != before })
                .await;
        } else {
            let weight = house.weight().await;
            house
                .settle(judged, || async { house.weight().await > weight })
                .await;
            assert_eq!(house.learned().await, before, "{total}");
        }
    }
    assert_eq!(house.learned().await, (1, 1));
}

/// A rule that counts `score`, to the thousandth, for every message.
fn exactly(score: f32) -> String {
    format!(
        "[[rule]]\nsymbol = \"ALWAYS\"\nscore = {score:.3}\ndescription = \"always\"\n\
         when = {{ exists = \"header.from\" }}\n"
    )
}

impl House {
    /// How many messages the reputation of the client's address rests on.
    async fn weight(&self) -> f64 {
        let client = learn::reputation::Subject::Address([198, 51, 100, 1].into());
        self.learn.reputation.score(client).await.unwrap().weight
    }
}

#[tokio::test]
async fn what_the_classifier_itself_says_does_not_teach_it() {
    let house = House::with(Tuning {
        learn_spam: 2.0,
        learn_ham: -100.0,
        ..Tuning::default()
    })
    .await;
    for number in 0..ENOUGH {
        house
            .teach(None, Opinion::Spam, &text("spam", number))
            .await;
        house.teach(None, Opinion::Ham, &text("ham", number)).await;
    }
    let before = house.learned().await;
    let input = with(mail(&text("spam", 9_999)), |input| input.auth = genuine());
    let judged = house.judged(&input).await;
    let words = score_of(&judged.verdict, "BAYES_SPAM").unwrap();
    let rest = judged.verdict.score - words;
    assert!(
        judged.verdict.score >= 2.0 && rest < 2.0,
        "{:?}",
        judged.verdict
    );
    let weight = house.weight().await;
    house
        .settle(judged, || async { house.weight().await > weight })
        .await;
    assert_eq!(house.learned().await, before);
}

#[tokio::test]
async fn one_class_waits_for_the_other() {
    let house = House::with(Tuning {
        learn_spam: 12.0,
        ..Tuning::default()
    })
    .await;
    house.rule_set("always", &always(30.0)).await.unwrap();
    for number in 0..50 {
        let before = house.learned().await;
        let judged = house.judged(&from_number(number)).await;
        house
            .settle(judged, || async { house.learned().await != before })
            .await;
    }
    let judged = house.judged(&from_number(50)).await;
    let weight = house.weight().await;
    house
        .settle(judged, || async { house.weight().await > weight })
        .await;
    assert_eq!(house.learned().await, (50, 0));
    for number in 0..6 {
        house.teach(None, Opinion::Ham, &text("ham", number)).await;
    }
    let judged = house.judged(&from_number(51)).await;
    house
        .settle(judged, || async { house.learned().await == (51, 6) })
        .await;
}

#[tokio::test]
async fn nothing_is_learned_where_it_is_switched_off() {
    let house = House::with(Tuning {
        autolearn: false,
        ..Tuning::default()
    })
    .await;
    house.rule_set("always", &always(30.0)).await.unwrap();
    let judged = house.judged(&good()).await;
    house
        .settle(judged, || async { house.weight().await > 0.0 })
        .await;
    assert_eq!(house.learned().await, (0, 0));
}

#[tokio::test]
async fn where_spam_came_from_is_remembered() {
    let house = House::with(Tuning {
        autolearn: false,
        ..Tuning::default()
    })
    .await;
    house.rule_set("always", &always(30.0)).await.unwrap();
    for number in 0..30 {
        let weight = house.weight().await;
        let input = with(from_number(number), |input| input.auth = genuine());
        let judged = house.judged(&input).await;
        assert!(judged.verdict.is_spam());
        house
            .settle(judged, || async { house.weight().await > weight })
            .await;
    }
    house.learn.tick().await.unwrap();
    house.rule_set("always", &always(0.0)).await.unwrap();
    let genuine_input = with(good(), |input| input.auth = genuine());
    let verdict = house.judge(&genuine_input).await;
    for symbol in [
        "IP_REPUTATION_SPAM",
        "DOMAIN_REPUTATION_SPAM",
        "SENDER_REPUTATION_SPAM",
    ] {
        assert!(
            score_of(&verdict, symbol).unwrap() > 1.0,
            "{symbol}: {verdict:?}"
        );
    }
    // Known of itself, it is not judged by its neighbours; they are.
    assert!(!has(&verdict, "NETWORK_REPUTATION_SPAM"));
    let neighbour = with(good(), |input| input.ip = [198, 51, 100, 77].into());
    assert!(has(
        &house.judge(&neighbour).await,
        "NETWORK_REPUTATION_SPAM"
    ));
    // Who is not known to be genuine neither has a reputation nor spoils one.
    let forged = house.judge(&good()).await;
    assert!(
        !has(&forged, "DOMAIN_REPUTATION_SPAM"),
        "{:?}",
        symbols(&forged)
    );
    let elsewhere = with(good(), |input| input.ip = [203, 0, 113, 1].into());
    let verdict = house.judge(&elsewhere).await;
    assert!(
        !symbols(&verdict)
            .iter()
            .any(|symbol| symbol.contains("REPUTATION"))
    );
}

/// Ann writes to Anna.
fn sent() -> Input {
    let input = mail(
        "From: ann@example.org\nTo: anna@example.com\nSubject: Lunch?\n\
         Message-ID: <question@example.org>\nDate: Thu, 01 Jan 2026 00:00:00 +0000\n\nToday?\n",
    );
    with(input, |input| {
        input.origin = Origin::Authenticated;
        input.account = Some(ANN);
        input.auth = Arc::new(AuthResults::default());
        input.recipients = vec![filter::Recipient::new(address("anna@example.com"))];
    })
}

#[tokio::test]
async fn answers_and_friends_are_welcome_when_they_are_genuine() {
    let house = House::new().await;
    let answer = fields("In-Reply-To: <question@example.org>\n");
    let with_auth = |input: &Input| {
        with(input.clone(), |input| {
            input.auth = genuine();
            input.recipients = vec![recipient(ann(), ANN), recipient(bob(), BOB)];
        })
    };
    let before = house.judge(&with_auth(&answer)).await;
    assert!(!has(&before, "REPLY") && !has(&before, "KNOWN_CORRESPONDENT"));
    let judged = house.judged(&sent()).await;
    assert_eq!(judged.verdict.action, Action::Accept);
    let known = || async {
        let people = &house.learn.correspondents;
        people
            .is_correspondent(ANN, "anna@example.com")
            .await
            .unwrap()
    };
    house.settle(judged, known).await;
    let verdict = house.judge(&with_auth(&answer)).await;
    assert!(has(&verdict, "REPLY") && !has(&verdict, "KNOWN_CORRESPONDENT"));
    assert!(verdict.score_for(&ann()) < verdict.score_for(&bob()));
    assert_eq!(verdict.score_for(&bob()), verdict.score);
    let friend = house.judge(&with_auth(&good())).await;
    assert!(has(&friend, "KNOWN_CORRESPONDENT") && !has(&friend, "REPLY"));
    assert!(friend.score_for(&ann()) < friend.score_for(&bob()));
    // The same from whoever may pretend to be Anna.
    let forged = house.judge(&answer).await;
    assert!(!has(&forged, "REPLY") && !has(&forged, "KNOWN_CORRESPONDENT"));
    // SPF makes genuine whose envelope and author agree, and nobody else.
    for (sender, wanted) in [("bounce@example.com", true), ("anna@example.net", false)] {
        let input = with(answer.clone(), |input| {
            input.from = smtp::address::ReversePath::Address(address(sender));
            let mut auth = AuthResults::clone(&input.auth);
            auth.spf.result = mailauth::Outcome::Pass;
            input.auth = Arc::new(auth);
        });
        assert_eq!(has(&house.judge(&input).await, "REPLY"), wanted, "{sender}");
    }
}
