//! The numbers of the vocabulary.

use rules::Number;

use super::body::{count, percent};
use super::{Facts, oddities};

/// Bounds what a share of nearly nothing can be.
const HTML_PER_TEXT_MAX: f64 = 1_000_000.0;
/// Seconds of an hour.
const HOUR: i64 = 3_600;

/// The value of a number; its definition is its documentation.
pub(super) fn number(facts: &Facts<'_>, number: Number) -> f64 {
    let subject = facts.fields.value("Subject");
    let body = &facts.body;
    let links = &facts.links;
    match number {
        Number::Size => count(facts.input.raw.len()),
        Number::HeaderFields => count(facts.fields.all().len()),
        Number::HeaderSize => count(facts.fields.section().len()),
        Number::LongestLine => count(longest_line(&facts.input.raw)),
        Number::TextLength => count(facts.measures().characters),
        Number::Words => count(facts.measures().words),
        Number::Lines => count(body.text.lines().count()),
        Number::HiddenLength => count(body.hidden.chars().count()),
        Number::TextCapitals => percent(facts.measures().capitals, facts.measures().letters),
        Number::TextNonAscii => percent(facts.measures().non_ascii, facts.measures().characters),
        Number::SubjectLength => count(subject.chars().count()),
        Number::SubjectLetters => count(letters(subject)),
        Number::SubjectCapitals => {
            let capitals = subject.chars().filter(|c| c.is_uppercase()).count();
            percent(capitals, letters(subject))
        }
        Number::SubjectMarks => count(subject.matches(['!', '?', '¡', '¿']).count()),
        Number::SubjectCurrency => count(subject.matches(['$', '€', '£', '¥', '₿']).count()),
        Number::Urls => count(links.parsed.len()),
        Number::UrlDomains => count(links.domains.len()),
        Number::Links => count(links.links),
        Number::Images => count(links.images),
        Number::RemoteImages => count(links.remote_images),
        Number::HtmlPerText => html_per_text(facts),
        Number::AlternativeDifference => body.alternative_difference(),
        Number::Recipients => count(facts.people.recipients.len()),
        Number::Addressees => count(facts.people.to.len()),
        Number::Parts => count(facts.input.summary.structure.parts.len()),
        Number::TextParts => count(body.parts),
        Number::Attachments => count(facts.attached.reports.len()),
        Number::ArchiveFiles => count(facts.attached.inside.len()),
        Number::Received => count(facts.fields.named("Received").count()),
        Number::DateSkewHours => date_skew(facts),
        Number::ZeroWidth => count(zero_width(facts, subject)),
        Number::MixedScriptWords => count(facts.measures().mixed_script_words),
        Number::PhoneNumbers => count(facts.measures().phone_numbers),
        Number::MoneyAmounts => count(facts.measures().money_amounts),
        _ => oddities::number(facts, number).unwrap_or(0.0),
    }
}

fn letters(text: &str) -> usize {
    text.chars().filter(|c| c.is_alphabetic()).count()
}

fn longest_line(raw: &[u8]) -> usize {
    raw.split(|&byte| byte == b'\n')
        .map(|line| line.strip_suffix(b"\r").unwrap_or(line).len())
        .max()
        .unwrap_or(0)
}

fn html_per_text(facts: &Facts<'_>) -> f64 {
    if !facts.body.has_html {
        return 0.0;
    }
    let visible: usize = facts
        .body
        .pages
        .iter()
        .map(|page| page.text.chars().filter(|c| !c.is_whitespace()).count())
        .sum();
    (count(facts.body.html_octets) / count(visible.max(1))).min(HTML_PER_TEXT_MAX)
}

fn date_skew(facts: &Facts<'_>) -> f64 {
    let Some(sent) = facts.input.summary.sent_at else {
        return 0.0;
    };
    let hours = sent.saturating_sub(facts.now) / HOUR;
    let bounded = hours.clamp(i64::from(i32::MIN), i64::from(i32::MAX));
    i32::try_from(bounded).map_or(0.0, f64::from)
}

fn zero_width(facts: &Facts<'_>, subject: &str) -> usize {
    let names = facts.people.from_names.iter().map(String::as_str);
    facts.measures().zero_width
        + names
            .chain([subject])
            .map(|text| text::measure::Measures::of(text).zero_width)
            .sum::<usize>()
}
