//! Measures the classifier on a labelled corpus: `bayes DIRECTORY`, which holds `ham` and `spam`
//! with a message in each file.
//!
//! Of each class the messages with an even place are learned and those with an odd one judged, then
//! the other way round. Words are cut crudely: the filter's own way of taking messages apart gives
//! more. Also measures what judging costs with a million words known.
#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_macros,
    clippy::cast_precision_loss,
    reason = "a tool for developers that reads files and prints numbers"
)]

use std::path::Path;
use std::time::Instant;

use learn::bayes::{Model, Tokenizer, Word};
use learn::{Class, Tokens};
use mime::{Structure, decode};

/// Header fields whose words are marks.
const FIELDS: [&str; 4] = ["from", "x-mailer", "user-agent", "to"];

/// Fields whose presence is a mark.
const PRESENT: [&str; 3] = ["list-id", "in-reply-to", "references"];

const MOST_WORDS: usize = 6_000;

struct Message {
    name: String,
    class: Class,
    even: bool,
    tokens: Tokens,
}

fn words(text: &str) -> impl Iterator<Item = String> + '_ {
    text.split(|c: char| !(c.is_alphanumeric() || "$!'’-_".contains(c)))
        .map(|word| word.trim_matches(['-', '\'']).to_lowercase())
        .filter(|word| !word.is_empty())
}

/// Hosts of links, and their last two labels.
fn hosts(text: &str) -> Vec<String> {
    let mut hosts = Vec::new();
    for (at, _) in text.match_indices("://") {
        let rest = text.get(at + 3..).unwrap_or_default();
        let end = rest
            .find(|c: char| !(c.is_ascii_alphanumeric() || ".-".contains(c)))
            .unwrap_or(rest.len());
        let host = rest.get(..end).unwrap_or_default().to_lowercase();
        let labels: Vec<&str> = host.split('.').collect();
        if let [.., second, top] = labels.as_slice() {
            hosts.push(format!("{second}.{top}"));
        }
        hosts.push(host);
    }
    hosts
}

fn marks(raw: &[u8], structure: &Structure) -> Vec<String> {
    let mut marks = Vec::new();
    for field in FIELDS {
        let value = decode::header(raw, field).unwrap_or_default();
        marks.extend(words(&value).map(|word| format!("{field}:{word}")));
        for address in value
            .split(['<', '>', ' ', ','])
            .filter(|part| part.contains('@'))
        {
            let address = address.to_lowercase();
            let domain = address.rsplit('@').next().unwrap_or_default();
            marks.push(format!("{field}-domain:{domain}"));
            marks.push(format!("{field}-address:{address}"));
        }
    }
    let id = decode::header(raw, "message-id").unwrap_or_default();
    marks.push(format!("id:{}", id.rsplit('@').next().unwrap_or_default()));
    for field in PRESENT {
        if decode::header(raw, field).is_some() {
            marks.push(format!("has:{field}"));
        }
    }
    for part in structure.leaves() {
        let kind = &part.content_type;
        let kind = String::from_utf8_lossy(&kind.media).into_owned()
            + "/"
            + &String::from_utf8_lossy(&kind.subtype);
        if kind.starts_with("text/") {
            let text = decode::part_text(raw, part);
            marks.extend(hosts(&text).into_iter().map(|host| format!("url:{host}")));
            if kind == "text/html" {
                let tags = text.split('<').skip(1);
                marks.extend(tags.take(2_000).filter_map(|tag| {
                    let name: String = tag.chars().take_while(char::is_ascii_alphabetic).collect();
                    (!name.is_empty()).then(|| format!("tag:{}", name.to_lowercase()))
                }));
            }
        }
        marks.push(format!("type:{kind}"));
    }
    marks
}

fn tokens(raw: &[u8]) -> Tokens {
    let structure = Structure::parse(raw);
    let mut tokenizer = Tokenizer::new();
    for word in words(&decode::header(raw, "subject").unwrap_or_default()) {
        tokenizer.push(Word::Subject(&word));
    }
    for word in words(&decode::body_text(raw, &structure)).take(MOST_WORDS) {
        tokenizer.push(Word::Body(&word));
    }
    for mark in marks(raw, &structure) {
        tokenizer.push(Word::Mark(&mark));
    }
    tokenizer.finish()
}

fn read(corpus: &Path, folder: &str, class: Class) -> std::io::Result<Vec<Message>> {
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(corpus.join(folder))? {
        paths.push(entry?.path());
    }
    paths.sort();
    let mut messages = Vec::new();
    for (place, path) in paths.iter().enumerate() {
        messages.push(Message {
            name: path.file_name().unwrap_or_default().display().to_string(),
            class,
            even: place % 2 == 0,
            tokens: tokens(&std::fs::read(path)?),
        });
    }
    Ok(messages)
}

/// The share of spam in percent that is above the ham of place `place`, the worst first.
fn caught(ham: &[(f64, &str)], spam: &[(f64, &str)], place: usize) -> f64 {
    let limit = ham.get(place).map_or(0.0, |ham| ham.0);
    share(
        spam.iter().filter(|spam| spam.0 > limit).count(),
        spam.len(),
    )
}

fn share(part: usize, all: usize) -> f64 {
    part as f64 * 100.0 / all.max(1) as f64
}

fn accuracy(messages: &[Message]) {
    let (mut ham, mut spam) = (Vec::new(), Vec::new());
    for even in [true, false] {
        let mut model = Model::new(2_000_000);
        for message in messages.iter().filter(|message| message.even == even) {
            model.learn(message.class, &message.tokens);
        }
        println!(
            "learned half: {} words, {} bytes",
            model.words(),
            model.bytes()
        );
        for message in messages.iter().filter(|message| message.even != even) {
            let probability = model.score(&message.tokens).probability.unwrap_or(0.5);
            match message.class {
                Class::Ham => ham.push((probability, message.name.as_str())),
                Class::Spam => spam.push((probability, message.name.as_str())),
            }
        }
    }
    ham.sort_by(|a, b| b.0.total_cmp(&a.0));
    for permille in [0, 1, 2, 5, 10] {
        let place = ham.len() * permille / 1_000;
        println!(
            "{permille:>3} ‰ of ham lost: {:.2} % of spam caught",
            caught(&ham, &spam, place)
        );
    }
    for limit in [0.5, 0.8, 0.9, 0.95, 0.98, 0.99, 0.999] {
        let above = |all: &[(f64, &str)]| all.iter().filter(|one| one.0 >= limit).count();
        let below = |all: &[(f64, &str)]| all.iter().filter(|one| one.0 <= 1.0 - limit).count();
        println!(
            "at {limit}: {:.2} % of spam, {} of {} ham; ham below {:.3}: {:.2} %, spam {} of {}",
            share(above(&spam), spam.len()),
            above(&ham),
            ham.len(),
            1.0 - limit,
            share(below(&ham), ham.len()),
            below(&spam),
            spam.len()
        );
    }
    for (probability, name) in ham.iter().take(5) {
        println!("worst ham {probability:.4} {name}");
    }
}

/// Fills a model to a million words and judges every message.
fn cost(messages: &[Message]) {
    let mut model = Model::new(2_000_000);
    for message in messages {
        model.learn(message.class, &message.tokens);
    }
    for number in 0.. {
        if model.words() >= 1_000_000 {
            break;
        }
        let class = if number % 2 == 0 {
            Class::Ham
        } else {
            Class::Spam
        };
        let words: Vec<String> = (0..300).map(|word| format!("w{number}-{word}")).collect();
        model.learn(
            class,
            &Tokens::of(words.iter().map(|word| Word::Body(word))),
        );
    }
    let begun = Instant::now();
    let known: u32 = messages
        .iter()
        .map(|message| model.score(&message.tokens).known)
        .sum();
    let elapsed = begun.elapsed();
    let count = messages.len().max(1) as f64;
    println!(
        "{} words in {} bytes: {:.1} µs to judge a message of {:.0} known tokens",
        model.words(),
        model.bytes(),
        elapsed.as_secs_f64() * 1e6 / count,
        f64::from(known) / count
    );
}

fn main() -> std::io::Result<()> {
    let corpus = std::env::args_os()
        .nth(1)
        .ok_or_else(|| std::io::Error::other("usage: bayes DIRECTORY"))?;
    let corpus = Path::new(&corpus);
    let mut messages = read(corpus, "ham", Class::Ham)?;
    messages.extend(read(corpus, "spam", Class::Spam)?);
    accuracy(&messages);
    cost(&messages);
    Ok(())
}
