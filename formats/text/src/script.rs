//! Scripts of characters: what is mixed, what looks like something else, what is not seen at all.
//!
//! The property comes from the crate `unicode-script` (UAX 24); which mixtures are usual follows
//! UTS 39 §5.2 ("highly restrictive").

use unicode_script::{Script, UnicodeScript as _};

/// A character that takes no room: zero-width ones, joiners, marks of direction, fillers.
///
/// UAX 44, Default_Ignorable_Code_Point, as far as it is seen in mail.
#[must_use]
pub fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
        | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}'
        | '\u{ffa0}' | '\u{e0000}'..='\u{e0fff}')
}

/// A character that turns the direction of writing: embeddings, overrides and isolates.
#[must_use]
pub fn turns_direction(c: char) -> bool {
    matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Which scripts letters belong to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Mixture {
    latin: bool,
    cyrillic: bool,
    greek: bool,
    han: bool,
    kana: bool,
    hangul: bool,
    bopomofo: bool,
    /// The first script that is none of these.
    other: Option<Script>,
    several_others: bool,
}

impl Mixture {
    /// Takes note of a character; what belongs to no script in particular does not count.
    pub(crate) fn add(&mut self, c: char) {
        if c.is_ascii() {
            self.latin |= c.is_ascii_alphabetic();
            return;
        }
        match c.script() {
            Script::Common | Script::Inherited | Script::Unknown => {}
            Script::Latin => self.latin = true,
            Script::Cyrillic => self.cyrillic = true,
            Script::Greek => self.greek = true,
            Script::Han => self.han = true,
            Script::Hiragana | Script::Katakana => self.kana = true,
            Script::Hangul => self.hangul = true,
            Script::Bopomofo => self.bopomofo = true,
            script => {
                self.several_others |= self.other.is_some_and(|other| other != script);
                self.other = Some(script);
            }
        }
    }

    /// Whether the scripts are no usual mixture. Latin goes with those of Chinese, Japanese and
    /// Korean, and with no other.
    pub(crate) fn is_odd(&self) -> bool {
        let east = self.han || self.kana || self.hangul || self.bopomofo;
        let alphabets = [
            self.latin && !east,
            self.cyrillic,
            self.greek,
            self.other.is_some(),
            east,
        ];
        alphabets.iter().filter(|&&used| used).count() > 1
            || self.several_others
            || [self.kana, self.hangul, self.bopomofo]
                .iter()
                .filter(|&&used| used)
                .count()
                > 1
    }
}

/// Whether a label of a host name is not what it looks like: scripts mixed, or letters of another
/// script, or rare Latin ones, in the place of common ones.
pub(crate) fn is_deceptive(label: &str) -> bool {
    if label.is_ascii() {
        return false;
    }
    let mut mixture = Mixture::default();
    let (mut letters, mut alike) = (0usize, 0usize);
    for c in label.chars().filter(|c| c.is_alphabetic()) {
        mixture.add(c);
        letters += 1;
        alike += usize::from(looks_latin(c));
    }
    let rare = label
        .chars()
        .any(|c| looks_latin(c) && c.script() == Script::Latin);
    mixture.is_odd() || rare || (letters > 0 && letters == alike)
}

/// A letter outside ASCII that looks like one of a to z.
fn looks_latin(c: char) -> bool {
    matches!(
        c,
        // Cyrillic.
        'а' | 'с' | 'ԁ' | 'е' | 'һ' | 'і' | 'ј' | 'ӏ' | 'о' | 'р' | 'ԛ' | 'ѕ' | 'ѵ' | 'ԝ' | 'х'
        | 'у' | 'ү' | 'ь' | 'к' | 'ո' | 'г' | 'т' | 'м'
        // Greek.
        | 'α' | 'ι' | 'κ' | 'ν' | 'ο' | 'ρ' | 'τ' | 'υ' | 'χ' | 'γ' | 'η' | 'ω' | 'ϲ' | 'ϳ'
        // Latin letters of phonetics and small capitals.
        | 'ɑ' | 'ɡ' | 'ı' | 'ɩ' | 'ʟ' | 'ᴏ' | 'ᴠ' | 'ᴡ' | 'ᴢ' | 'ꜱ' | 'ƅ' | 'ɴ' | 'ʏ' | 'ᴄ' | 'ɪ'
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deceptive_labels() {
        for (label, expected) in [
            ("paypal", false),
            ("pаypal", true), // Cyrillic а
            ("рауса", true),  // all Cyrillic, all look-alikes
            ("почта", false), // Russian that could not be Latin
            ("ονοκο", true),  // Greek look-alikes
            ("ελλάδα", false),
            ("bücher", false),
            ("faceboοk", true), // Greek ο
            ("ɡoogle", true),
            ("日本語", false),
            ("楽天card", false),
            ("한국", false),
            ("カナかな", false),
            ("かな한국", true),
            ("שלום", false),
            ("שלוםa", true),
            ("ไทย", false),
            ("123", false),
        ] {
            assert_eq!(is_deceptive(label), expected, "{label}");
        }
    }
}
