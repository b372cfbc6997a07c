//! Which languages a text is in.
//!
//! Scripts that one language uses, or a few, decide by themselves; languages in Latin, Cyrillic,
//! Arabic, Hebrew and Devanagari letters are told apart by the crate `whatlang` (trigrams and
//! alphabets). A text must be long enough, and the answer be clear, or there is none: a rule on a
//! language had better not hold by chance. The answer depends on nothing but the text.

use std::fmt;

use unicode_script::{Script, UnicodeScript as _};
use whatlang::Lang;

/// Octets of text that are looked at, letters or not.
pub const MAX_TEXT: usize = 16 * 1024;
/// Octets that are given to the telling apart by trigrams.
const MAX_SAMPLE: usize = 2 * 1024;
/// Letters a text in an alphabet must have.
pub const MIN_LETTERS: usize = 60;
/// Characters a text in a script of its own must have.
pub const MIN_OWN: usize = 6;
/// Share of the letters, in percent, that a script must have to count beside the main one.
const MIN_SHARE: usize = 20;
/// How sure the telling apart must be.
const MIN_CONFIDENCE: f64 = 0.7;

/// A language by its two letters (ISO 639-1), such as `en`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Language([u8; 2]);

impl Language {
    /// Its two letters.
    #[must_use]
    pub fn code(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl fmt::Display for Language {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl fmt::Debug for Language {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

/// The languages of a text, the main one first, one for each script that matters; none if it cannot
/// be told.
#[must_use]
pub fn detect(text: &str) -> Vec<Language> {
    let text = text
        .get(..text.floor_char_boundary(MAX_TEXT))
        .unwrap_or(text);
    let mut kinds = Kinds::default();
    text.chars().for_each(|c| kinds.count(c));
    let total: usize = kinds.0.iter().sum();
    let mut found: Vec<(usize, Language)> = Vec::new();
    for (kind, count) in Kind::ALL.into_iter().zip(kinds.0) {
        if count * 100 < total * MIN_SHARE || count == 0 {
            continue;
        }
        let language = match kind {
            // Japanese is written with both.
            Kind::Han if kinds.of(Kind::Kana) * 20 > count => None,
            Kind::Han => own(count, *b"zh"),
            Kind::Kana => own(count, *b"ja"),
            Kind::Hangul => own(count, *b"ko"),
            Kind::Greek => own(count, *b"el"),
            Kind::Thai => own(count, *b"th"),
            Kind::Georgian => own(count, *b"ka"),
            Kind::Armenian => own(count, *b"hy"),
            Kind::Bengali => own(count, *b"bn"),
            Kind::Tamil => own(count, *b"ta"),
            Kind::Telugu => own(count, *b"te"),
            Kind::Gujarati => own(count, *b"gu"),
            Kind::Other => None,
            Kind::Latin | Kind::Cyrillic | Kind::Arabic | Kind::Hebrew | Kind::Devanagari => (count
                >= MIN_LETTERS)
                .then(|| by_trigrams(text, kind))
                .flatten(),
        };
        found.extend(language.map(|language| (count, language)));
    }
    if found.is_empty() && kinds.of(Kind::Kana) >= MIN_OWN {
        // Few kana among many characters of Han are Japanese all the same.
        found.extend(own(kinds.of(Kind::Kana), *b"ja").map(|language| (0, language)));
    }
    found.sort_by_key(|(count, _)| std::cmp::Reverse(*count));
    let mut languages: Vec<Language> = Vec::new();
    for (_, language) in found {
        if !languages.contains(&language) {
            languages.push(language);
        }
    }
    languages
}

fn own(count: usize, code: [u8; 2]) -> Option<Language> {
    (count >= MIN_OWN).then_some(Language(code))
}

/// The language of the words in a text that are in one script.
fn by_trigrams(text: &str, kind: Kind) -> Option<Language> {
    let mut sample = String::new();
    let mut blank = true;
    for c in text.chars() {
        if Kind::of(c) == Some(kind) || (!blank && c == '\'') {
            sample.push(c);
            blank = false;
        } else if !blank {
            sample.push(' ');
            blank = true;
        }
        if sample.len() >= MAX_SAMPLE {
            break;
        }
    }
    let info = whatlang::detect(&sample)?;
    if info.confidence() < MIN_CONFIDENCE {
        return None;
    }
    code(info.lang()).map(Language)
}

/// The two letters of a language, if it has any.
fn code(language: Lang) -> Option<[u8; 2]> {
    Some(*match language {
        Lang::Epo => b"eo",
        Lang::Eng => b"en",
        Lang::Rus => b"ru",
        Lang::Spa => b"es",
        Lang::Por => b"pt",
        Lang::Ita => b"it",
        Lang::Fra => b"fr",
        Lang::Deu => b"de",
        Lang::Ukr => b"uk",
        Lang::Ara => b"ar",
        Lang::Hin => b"hi",
        Lang::Heb => b"he",
        Lang::Yid => b"yi",
        Lang::Pol => b"pl",
        Lang::Jav => b"jv",
        Lang::Nob => b"no",
        Lang::Dan => b"da",
        Lang::Swe => b"sv",
        Lang::Fin => b"fi",
        Lang::Tur => b"tr",
        Lang::Nld => b"nl",
        Lang::Hun => b"hu",
        Lang::Ces => b"cs",
        Lang::Bul => b"bg",
        Lang::Bel => b"be",
        Lang::Mar => b"mr",
        Lang::Ron => b"ro",
        Lang::Slv => b"sl",
        Lang::Hrv => b"hr",
        Lang::Srp => b"sr",
        Lang::Mkd => b"mk",
        Lang::Lit => b"lt",
        Lang::Lav => b"lv",
        Lang::Est => b"et",
        Lang::Vie => b"vi",
        Lang::Nep => b"ne",
        Lang::Urd => b"ur",
        Lang::Ind => b"id",
        Lang::Uzb => b"uz",
        Lang::Aze => b"az",
        Lang::Pes => b"fa",
        Lang::Tgl => b"tl",
        Lang::Tuk => b"tk",
        Lang::Zul => b"zu",
        Lang::Sna => b"sn",
        Lang::Aka => b"ak",
        Lang::Afr => b"af",
        Lang::Lat => b"la",
        Lang::Slk => b"sk",
        Lang::Cat => b"ca",
        _ => return None,
    })
}

/// Scripts, as far as they matter here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Latin,
    Cyrillic,
    Arabic,
    Hebrew,
    Devanagari,
    Han,
    Kana,
    Hangul,
    Greek,
    Thai,
    Georgian,
    Armenian,
    Bengali,
    Tamil,
    Telugu,
    Gujarati,
    Other,
}

impl Kind {
    const COUNT: usize = Self::Other as usize + 1;
    const ALL: [Self; Self::COUNT] = [
        Self::Latin,
        Self::Cyrillic,
        Self::Arabic,
        Self::Hebrew,
        Self::Devanagari,
        Self::Han,
        Self::Kana,
        Self::Hangul,
        Self::Greek,
        Self::Thai,
        Self::Georgian,
        Self::Armenian,
        Self::Bengali,
        Self::Tamil,
        Self::Telugu,
        Self::Gujarati,
        Self::Other,
    ];

    /// The script of a letter; marks and common characters have none.
    fn of(c: char) -> Option<Self> {
        if c.is_ascii() {
            return c.is_ascii_alphabetic().then_some(Self::Latin);
        }
        Some(match c.script() {
            Script::Common | Script::Inherited | Script::Unknown => return None,
            Script::Latin => Self::Latin,
            Script::Cyrillic => Self::Cyrillic,
            Script::Arabic => Self::Arabic,
            Script::Hebrew => Self::Hebrew,
            Script::Devanagari => Self::Devanagari,
            Script::Han => Self::Han,
            Script::Hiragana | Script::Katakana => Self::Kana,
            Script::Hangul => Self::Hangul,
            Script::Greek => Self::Greek,
            Script::Thai => Self::Thai,
            Script::Georgian => Self::Georgian,
            Script::Armenian => Self::Armenian,
            Script::Bengali => Self::Bengali,
            Script::Tamil => Self::Tamil,
            Script::Telugu => Self::Telugu,
            Script::Gujarati => Self::Gujarati,
            _ => Self::Other,
        })
    }
}

#[derive(Default)]
struct Kinds([usize; Kind::COUNT]);

impl Kinds {
    fn count(&mut self, c: char) {
        if let Some(count) = Kind::of(c).and_then(|kind| self.0.get_mut(kind as usize)) {
            *count += 1;
        }
    }

    fn of(&self, kind: Kind) -> usize {
        self.0.get(kind as usize).copied().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn languages() {
        for (text, expected) in [
            (
                "The quick brown fox jumps over the lazy dog, and then it goes home to sleep in the sun.",
                &["en"][..],
            ),
            (
                "Sehr geehrte Damen und Herren, anbei erhalten Sie die gewünschten Unterlagen für das nächste Jahr.",
                &["de"],
            ),
            (
                "Bonjour, veuillez trouver ci-joint la facture du mois dernier, merci de votre confiance.",
                &["fr"],
            ),
            (
                "Уважаемые коллеги, направляем вам документы, которые вы просили на прошлой неделе.",
                &["ru"],
            ),
            ("これは日本語の文章です。", &["ja"]),
            ("这是一个中文句子，没有假名。", &["zh"]),
            ("안녕하세요 여러분", &["ko"]),
            ("Καλημέρα σας", &["el"]),
            ("สวัสดีครับ", &["th"]),
            ("Hello", &[]),
            ("", &[]),
            ("12345 67890 !!!", &[]),
            (
                "Dear friend, this is an offer that you cannot refuse, please read it with care. 这是一个中文句子没有假名请仔细阅读谢谢您的合作",
                &["en", "zh"],
            ),
        ] {
            let found = detect(text);
            let codes: Vec<&str> = found.iter().map(Language::code).collect();
            assert_eq!(codes, expected, "{text}");
        }
    }
}
