//! The rules of Debian's `spamassassin` package.

use std::sync::LazyLock;

use patterns::Compiler;

use super::subject::Message;
use super::*;
use crate::{Flag, Number, RuleSet};

/// What `./test` installs, and where it puts its rules.
const PACKAGE: &str = "spamassassin";
const RULES: &str = "/usr/share/spamassassin";
const SITE: &str = "/etc/spamassassin";

static IMPORT: LazyLock<Import> = LazyLock::new(|| {
    let mut files = Vec::new();
    for (folder, extension) in [(SITE, "pre"), (RULES, "cf"), (SITE, "cf")] {
        let entries = std::fs::read_dir(folder).unwrap_or_else(|error| {
            panic!("{folder}: {error}: install the Debian package {PACKAGE} (./test does)")
        });
        let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
        paths.retain(|path| path.extension().is_some_and(|found| found == extension));
        paths.sort();
        files.extend(paths.into_iter().map(|path| {
            let name = path.display().to_string();
            #[expect(clippy::disallowed_methods, reason = "a test reads files")]
            let content = std::fs::read(&path).unwrap();
            (name, content)
        }));
    }
    let files: Vec<(String, &[u8])> = files
        .iter()
        .map(|(name, content)| (name.clone(), content.as_slice()))
        .collect();
    import(&files)
});

#[test]
#[expect(
    clippy::disallowed_macros,
    reason = "the table is for who runs the test"
)]
fn at_least_95_percent_of_each_kind_work() {
    let report = &IMPORT.report;
    println!("{report}");
    println!(
        "{} rules; {} metas lack a part",
        report.rules,
        report.incomplete.len()
    );
    for (symbol, missing) in &report.incomplete {
        println!("{symbol} lacks {missing:?}");
    }
    for outcome in [Outcome::Refused, Outcome::Network, Outcome::Near] {
        for (file, note) in report.notes(outcome) {
            let symbol = note.symbol.as_deref().unwrap_or_default();
            let Note {
                line,
                directive,
                reason,
                ..
            } = note;
            println!("{outcome:?} {file}:{line} {directive} {symbol}: {reason}");
        }
    }
    // Fewer than these means that the reader has lost some.
    for (kind, fewest) in [
        (Kind::Body, 600),
        (Kind::RawBody, 55),
        (Kind::Uri, 120),
        (Kind::Header, 600),
        (Kind::Meta, 850),
    ] {
        let tally = report.kinds[&kind];
        assert!(
            tally.taken >= fewest,
            "only {} {}",
            tally.taken,
            kind.name()
        );
        assert!(tally.per_mille() >= 950, "{}: {tally:?}", kind.name());
    }
    let unknown: Vec<_> = report
        .notes(Outcome::Refused)
        .filter(|(_, note)| note.symbol.is_none())
        .collect();
    assert!(
        unknown.is_empty(),
        "lines that are not understood: {unknown:#?}"
    );
}

#[test]
fn all_of_it_compiles_and_fits_together() {
    let book = Book::new(&[&IMPORT.set]).unwrap();
    let patterns = book.patterns().unwrap();
    let compiled = Compiler::new().compile(&patterns, None);
    assert!(compiled.refused.is_empty(), "{:#?}", compiled.refused);
    assert!(
        compiled.database.len() > 1_400,
        "{}",
        compiled.database.len()
    );
}

#[test]
fn it_can_be_written_and_read_again() {
    let toml = IMPORT.set.to_toml();
    assert_eq!(RuleSet::parse(&toml).as_ref(), Ok(&IMPORT.set));
}

fn assert_hits(message: &Message, expected: &[&str], unexpected: &[&str]) {
    let hits = message.hits(&IMPORT);
    for symbol in expected {
        assert!(
            hits.iter().any(|hit| hit == symbol),
            "{symbol} is not among {hits:?}"
        );
    }
    for symbol in unexpected {
        assert!(
            !hits.iter().any(|hit| hit == symbol),
            "{symbol} is among {hits:?}"
        );
    }
}

#[test]
fn an_advance_fee_fraud_is_noticed() {
    let header = "From: Barrister John <someone99@gmail.com>\n\
        Reply-To: Other <other77@yahoo.com>\nTo: undisclosed-recipients:;\n\
        Subject: URGENT BUSINESS PROPOSAL\nDate: Mon, 1 Jan 2024 10:00:00 +0000\n\
        Message-ID: <1@gmail.com>\n";
    let text = "Dear Friend,\n\nI am the personal attorney to a deceased customer of the bank who \
        died with his next of kin in a plane crash. The sum of US$15,500,000.00 million dollars \
        is in a dormant account of the bank of Nigeria. This transaction is 100% risk free.";
    let mut message = Message::new(header, text);
    message.put("reply_to", "other77@yahoo.com");
    message.put("envelope_from", "someone99@gmail.com");
    message.numbers.insert(Number::SubjectLength, 24.0);
    message.numbers.insert(Number::SubjectLetters, 22.0);
    message.numbers.insert(Number::SubjectCapitals, 100.0);
    assert_hits(
        &message,
        &["FREEMAIL_FROM", "FREEMAIL_REPLYTO", "SUBJ_ALL_CAPS"],
        &["HTML_MESSAGE", "MIME_HTML_ONLY", "NO_RELAYS_X"],
    );
}

#[test]
fn html_alone_is_noticed() {
    let header = "From: Shop <news@shop.test>\nTo: You <you@example.test>\n\
        Subject: Viagra and more\nContent-Type: text/html\n";
    let text = "<html><body><a href=\"http://pills.test/\">click</a></body></html>";
    let mut message = Message::new(header, text);
    message.flags = vec![Flag::HasHtml, Flag::LinkDowngrade];
    assert_hits(
        &message,
        &["HTML_MESSAGE", "MIME_HTML_ONLY", "HTTPS_HTTP_MISMATCH"],
        &["FREEMAIL_FROM", "SUBJ_ALL_CAPS", "MISSING_HEADERS"],
    );
}

#[test]
fn a_plain_letter_is_none_of_it() {
    let header = "From: Ann <ann@example.test>\nTo: Bob <bob@example.test>\n\
        Subject: Lunch on Friday\nDate: Mon, 1 Jan 2024 10:00:00 +0000\n\
        Message-ID: <5f3c2a@example.test>\nReceived: from mx (mx [192.0.2.1]) by us\n";
    let mut message = Message::new(header, "Shall we meet at noon?\n\nAnn");
    message.put("relays.untrusted", "[ ip=192.0.2.1 rdns=mx.example.test helo=mx.example.test by=us ident= envfrom= intl=0 id= auth= msa=0 ]");
    message.numbers.insert(Number::Received, 1.0);
    let hits = message.hits(&IMPORT);
    let book = Book::new(&[&IMPORT.set]).unwrap();
    let score: f32 = hits.iter().filter_map(|hit| book.score_of(hit)).sum();
    assert!(score < 1.0, "{hits:?}");
}
