//! The classifier on disk and in memory.

use super::*;
use crate::bayes::{self, Model, Tokens, Word};
use crate::{Class, Error, Learned, Owner, Source};

fn tokens(text: &str) -> Tokens {
    Tokens::of(text.split(' ').map(Word::Body))
}

fn digest(number: usize) -> [u8; 32] {
    *blake3::hash(&number.to_le_bytes()).as_bytes()
}

/// The `number`-th message of a class.
fn message(class: Class, number: usize) -> Tokens {
    match class {
        Class::Spam => tokens(&format!("cheap pills for you order at shop{number} today")),
        Class::Ham => tokens(&format!(
            "minutes of our meeting on budget item{number} attached"
        )),
    }
}

fn options(min_learns: u64) -> Options {
    Options {
        bayes: bayes::Options {
            min_learns,
            ..bayes::Options::default()
        },
        ..Options::default()
    }
}

async fn train(rig: &Rig, owner: Owner, numbers: std::ops::Range<usize>) {
    for number in numbers {
        let class = if number % 2 == 0 {
            Class::Ham
        } else {
            Class::Spam
        };
        let learned = rig
            .learn
            .bayes
            .learn(owner, class, &digest(number), &message(class, number))
            .await
            .unwrap();
        assert_eq!(learned, Learned::New);
    }
}

async fn probability(rig: &Rig, owner: Owner, tokens: &Tokens) -> (Option<f64>, Source) {
    let result = rig.learn.bayes.classify(owner, tokens).await.unwrap();
    (result.probability, result.from)
}

#[tokio::test]
async fn an_accounts_own_counts_come_first_then_everybodys_then_none() {
    let rig = Rig::with(options(10)).await;
    let (anna, bert) = (Owner::Account(ANNA), Owner::Account(BERT));
    let spam = message(Class::Spam, 1_000);
    assert_eq!(probability(&rig, anna, &spam).await, (None, Source::Nobody));
    train(&rig, anna, 0..19).await;
    assert_eq!(
        probability(&rig, anna, &spam).await,
        (None, Source::Nobody),
        "nine of one class are not ten"
    );
    train(&rig, anna, 19..20).await;
    let (own, from) = probability(&rig, anna, &spam).await;
    assert_eq!(from, Source::Account);
    assert!(own.unwrap() > 0.95, "{own:?}");
    let (all, from) = probability(&rig, bert, &spam).await;
    assert_eq!(
        (all, from),
        (own, Source::Global),
        "what one learns, all learn"
    );
    let stats = rig.learn.bayes.stats(anna).await.unwrap();
    assert_eq!((stats.learned_ham, stats.learned_spam), (10, 10));
}

#[tokio::test]
async fn a_message_counts_once_and_changes_sides_as_often_as_told() {
    let mut rig = Rig::with(options(1)).await;
    let anna = Owner::Account(ANNA);
    let text = message(Class::Spam, 1);
    let steps = [
        (Class::Spam, Learned::New, (0, 1)),
        (Class::Spam, Learned::Already, (0, 1)),
        (Class::Ham, Learned::Changed, (1, 0)),
        (Class::Ham, Learned::Already, (1, 0)),
        (Class::Spam, Learned::Changed, (0, 1)),
    ];
    for (class, wanted, counts) in steps {
        let learned = rig.learn.bayes.learn(anna, class, &digest(1), &text).await;
        assert_eq!(learned.unwrap(), wanted);
        for owner in [anna, Owner::Global] {
            let stats = rig.learn.bayes.stats(owner).await.unwrap();
            assert_eq!((stats.learned_ham, stats.learned_spam), counts);
        }
        rig.reopen().await;
    }
    assert!(
        rig.learn
            .bayes
            .unlearn(anna, &digest(1), &text)
            .await
            .unwrap()
    );
    assert!(
        !rig.learn
            .bayes
            .unlearn(anna, &digest(1), &text)
            .await
            .unwrap()
    );
    let stats = rig.learn.bayes.stats(anna).await.unwrap();
    assert_eq!((stats.learned_ham, stats.learned_spam), (0, 0));
    rig.learn.bayes.compact(anna).await.unwrap();
    assert_eq!(
        rig.count("SELECT count(*) FROM bayes_page WHERE owner = 1")
            .await,
        0
    );
}

#[tokio::test]
async fn journal_pages_and_memory_agree_with_a_model_that_saw_everything() {
    let mut rig = Rig::with(options(10)).await;
    let mut model = Model::new(bayes::Options::default().max_words);
    let anna = Owner::Account(ANNA);
    for round in 0..6 {
        let numbers = round * 20..(round + 1) * 20;
        train(&rig, anna, numbers.clone()).await;
        for number in numbers {
            let class = if number % 2 == 0 {
                Class::Ham
            } else {
                Class::Spam
            };
            model.learn(class, &message(class, number));
        }
        match round {
            0 | 3 => rig.learn.bayes.compact(anna).await.unwrap(),
            1 | 4 => rig.reopen().await,
            _ => {}
        }
        for class in [Class::Ham, Class::Spam] {
            let unseen = message(class, 9_999);
            let wanted = model.score(&unseen).probability;
            assert!(wanted.is_some());
            assert_eq!(
                probability(&rig, anna, &unseen).await,
                (wanted, Source::Account)
            );
        }
    }
    rig.learn.bayes.compact(anna).await.unwrap();
    assert_eq!(
        rig.count("SELECT count(*) FROM bayes_journal WHERE owner = 1")
            .await,
        0
    );
    assert!(
        rig.count("SELECT count(*) FROM bayes_journal WHERE owner = 0")
            .await
            > 0
    );
}

#[tokio::test]
async fn a_long_journal_is_folded_without_being_asked() {
    let rig = Rig::with(options(1)).await;
    let words: Vec<String> = (0..1_800).map(|number| format!("word{number}")).collect();
    let long = Tokens::of(words.iter().map(|word| Word::Body(word)));
    assert!(long.len() > 7_000);
    // 43 kB a message: the seventh is beyond 256 KiB.
    for number in 0..7 {
        let name = digest(number);
        let learned = rig
            .learn
            .bayes
            .learn(Owner::Global, Class::Spam, &name, &long);
        learned.await.unwrap();
    }
    for _ in 0..500 {
        if rig.count("SELECT count(*) FROM bayes_page").await > 0 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(rig.count("SELECT count(*) FROM bayes_page").await, 1);
    assert_eq!(rig.count("SELECT count(*) FROM bayes_journal").await, 0);
    assert_eq!(rig.count("SELECT journal_bytes FROM bayes_owner").await, 0);
}

#[tokio::test]
async fn a_full_owner_ages_the_same_in_memory_and_from_disk() {
    let mut options = options(5);
    options.bayes.max_words = 120;
    options.bayes.also_global = false;
    let mut rig = Rig::with(options).await;
    let anna = Owner::Account(ANNA);
    // Counts are in memory from here on.
    train(&rig, anna, 0..12).await;
    probability(&rig, anna, &message(Class::Spam, 1)).await;
    train(&rig, anna, 12..60).await;
    let unseen = message(Class::Spam, 9_999);
    let in_memory = probability(&rig, anna, &unseen).await;
    assert!(in_memory.0.unwrap() > 0.8);
    rig.reopen().await;
    assert_eq!(probability(&rig, anna, &unseen).await, in_memory);
    rig.learn.bayes.compact(anna).await.unwrap();
    rig.reopen().await;
    assert_eq!(probability(&rig, anna, &unseen).await, in_memory);
    let weight = rig.count("SELECT weight_spam FROM bayes_owner").await;
    assert!(weight < 30, "counts were halved: {weight}");
    let stats = rig.learn.bayes.stats(anna).await.unwrap();
    assert_eq!(stats.learned_spam, 30, "messages are not");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn learning_and_judging_at_once_loses_no_message() {
    let mut rig = Rig::with(options(1)).await;
    let anna = Owner::Account(ANNA);
    let mut tasks = Vec::new();
    for worker in 0..4 {
        let learn = rig.learn.clone();
        tasks.push(tokio::spawn(async move {
            for number in (worker..80).step_by(4) {
                let class = if number % 2 == 0 {
                    Class::Ham
                } else {
                    Class::Spam
                };
                let text = message(class, number);
                learn
                    .bayes
                    .learn(anna, class, &digest(number), &text)
                    .await
                    .unwrap();
                learn.bayes.classify(anna, &text).await.unwrap();
                if number % 20 == 3 {
                    learn.bayes.compact(anna).await.unwrap();
                }
            }
        }));
    }
    for task in tasks {
        task.await.unwrap();
    }
    let unseen = message(Class::Ham, 9_999);
    let in_memory = probability(&rig, anna, &unseen).await;
    let mut model = Model::new(1_000_000);
    for number in 0..80 {
        let class = if number % 2 == 0 {
            Class::Ham
        } else {
            Class::Spam
        };
        model.learn(class, &message(class, number));
    }
    assert_eq!(in_memory.0, model.score(&unseen).probability);
    rig.reopen().await;
    assert_eq!(probability(&rig, anna, &unseen).await, in_memory);
    let stats = rig.learn.bayes.stats(anna).await.unwrap();
    assert_eq!((stats.learned_ham, stats.learned_spam), (40, 40));
}

#[tokio::test]
async fn a_dropped_request_is_completed() {
    let rig = Rig::with(options(1)).await;
    let text = message(Class::Spam, 1);
    let name = digest(1);
    let request = rig
        .learn
        .bayes
        .learn(Owner::Global, Class::Spam, &name, &text);
    // Polled once, then dropped.
    assert!(tokio::time::timeout(Duration::ZERO, request).await.is_err());
    let again = rig
        .learn
        .bayes
        .learn(Owner::Global, Class::Spam, &name, &text);
    assert_eq!(again.await.unwrap(), Learned::Already);
}

#[tokio::test]
async fn memory_stays_below_its_limit_and_answers_stay_the_same() {
    let mut options = options(1);
    options.bayes.cache_bytes = 1;
    let rig = Rig::with(options).await;
    let owners = [Owner::Account(ANNA), Owner::Account(BERT)];
    for owner in owners {
        train(&rig, owner, 0..8).await;
    }
    let unseen = message(Class::Spam, 9_999);
    let first = probability(&rig, owners[0], &unseen).await;
    let one = rig.learn.bayes.cached_bytes();
    assert!(one > 0);
    assert_eq!(probability(&rig, owners[1], &unseen).await, first);
    assert_eq!(rig.learn.bayes.cached_bytes(), one, "the other was dropped");
    assert_eq!(probability(&rig, owners[0], &unseen).await, first);
}

#[tokio::test]
async fn an_owner_is_forgotten_and_so_is_a_deleted_account() {
    let rig = Rig::with(options(1)).await;
    let (anna, bert) = (Owner::Account(ANNA), Owner::Account(BERT));
    train(&rig, anna, 0..8).await;
    let text = message(Class::Spam, 1);
    assert_eq!(probability(&rig, anna, &text).await.1, Source::Account);
    rig.learn.bayes.forget(anna).await.unwrap();
    assert_eq!(probability(&rig, anna, &text).await.1, Source::Global);
    for table in [
        "SELECT count(*) FROM bayes_journal WHERE owner = 1",
        "SELECT count(*) FROM bayes_learned WHERE owner = 1",
    ] {
        assert_eq!(rig.count(table).await, 0);
    }
    train(&rig, bert, 100..102).await;
    assert_eq!(
        rig.count("SELECT count(*) FROM bayes_learned WHERE owner = 2")
            .await,
        2
    );
    rig.exec("DELETE FROM account WHERE id = 2").await;
    assert_eq!(
        rig.count("SELECT count(*) FROM bayes_learned WHERE owner = 2")
            .await,
        0
    );
    let gone = rig
        .learn
        .bayes
        .learn(bert, Class::Spam, &digest(7), &text)
        .await;
    assert!(matches!(gone, Err(Error::NoAccount)), "{gone:?}");
}

#[tokio::test]
async fn damaged_pages_are_an_error_until_the_owner_starts_over() {
    let mut rig = Rig::with(options(1)).await;
    train(&rig, Owner::Global, 0..8).await;
    rig.learn.bayes.compact(Owner::Global).await.unwrap();
    rig.exec("UPDATE bayes_page SET data = x'00'").await;
    rig.reopen().await;
    let text = message(Class::Spam, 1);
    let damaged = rig.learn.bayes.classify(Owner::Global, &text).await;
    assert!(matches!(damaged, Err(Error::Damaged(_))), "{damaged:?}");
    rig.learn.bayes.forget(Owner::Global).await.unwrap();
    assert_eq!(
        probability(&rig, Owner::Global, &text).await.1,
        Source::Nobody
    );
}

#[tokio::test]
async fn learned_messages_are_forgotten_after_half_a_year() {
    let rig = Rig::with(options(1)).await;
    train(&rig, Owner::Global, 0..2).await;
    rig.pass(bayes::LEARNED_LIFETIME);
    train(&rig, Owner::Global, 2..4).await;
    assert_eq!(rig.learn.purge(rig.now()).await.unwrap(), 0);
    rig.pass(1);
    assert_eq!(rig.learn.purge(rig.now()).await.unwrap(), 2);
    assert_eq!(rig.count("SELECT count(*) FROM bayes_learned").await, 2);
}
