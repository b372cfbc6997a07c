//! What is learned says the same from memory, from the journal and from the folded pages, is a
//! probability, and is gone when it is taken back.
#![no_main]

use std::sync::LazyLock;

use fuzz::Store;
use learn::bayes::Word;
use learn::{Bayes, Class, Learn, Options, Owner, Tokens};
use libfuzzer_sys::fuzz_target;

/// Messages of one execution.
const MOST: usize = 8;

static STORE: LazyLock<Store> = LazyLock::new(Store::open);

/// A classifier that has read nothing yet.
fn bayes() -> Bayes {
    let mut options = Options::default();
    options.bayes.min_learns = 1;
    Learn::new(&STORE.db, &STORE.clock, &options).bayes
}

/// A message: words, and one that starts with `#` is a mark.
fn tokens(line: &str) -> Tokens {
    Tokens::of(line.split(' ').map(|word| match word.strip_prefix('#') {
        Some(mark) => Word::Mark(mark),
        None => Word::Body(word),
    }))
}

fuzz_target!(|text: &str| {
    let messages: Vec<(Class, [u8; 32], Tokens)> = text
        .lines()
        .take(MOST)
        .zip(0..)
        .map(|(line, number)| match line.strip_prefix('!') {
            Some(line) => (Class::Spam, [number; 32], tokens(line)),
            None => (Class::Ham, [number; 32], tokens(line)),
        })
        .collect();
    STORE.runtime.block_on(async {
        let first = bayes();
        for (class, digest, tokens) in &messages {
            first
                .learn(Owner::Global, *class, digest, tokens)
                .await
                .expect("learned");
        }
        let mut before = Vec::new();
        for (_, _, tokens) in &messages {
            let said = first
                .classify(Owner::Global, tokens)
                .await
                .expect("an answer");
            assert!(
                said.probability
                    .is_none_or(|probability| (0.0..=1.0).contains(&probability))
            );
            assert!(said.known as usize <= tokens.len());
            before.push(said);
        }
        for is_folded in [false, true] {
            if is_folded {
                first.compact(Owner::Global).await.expect("folded");
            }
            let again = bayes();
            for ((_, _, tokens), before) in messages.iter().zip(&before) {
                let said = again
                    .classify(Owner::Global, tokens)
                    .await
                    .expect("an answer");
                assert_eq!(said, *before);
            }
        }
        for (_, digest, tokens) in &messages {
            assert!(
                first
                    .unlearn(Owner::Global, digest, tokens)
                    .await
                    .expect("taken back")
            );
        }
        for (_, _, tokens) in &messages {
            let said = first
                .classify(Owner::Global, tokens)
                .await
                .expect("an answer");
            assert_eq!((said.known, said.probability), (0, None));
        }
        first.forget(Owner::Global).await.expect("forgotten");
    });
});
