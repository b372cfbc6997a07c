//! The few properties of CSS that decide whether text can be read.
//!
//! What is looked at is visibility, size, colours, position and the size of boxes. Everything else
//! of a declaration list is passed over; `url()` in any property is reported.

use super::colour::{self, Paint};

/// A length as thousandths: of a CSS pixel, or of what it is relative to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Length {
    /// An absolute length in thousandths of a pixel.
    Pixels(i64),
    /// A share of the parent's, in thousandths.
    Share(i64),
}

/// Pixels by which something must be moved to count as off the screen.
const FAR: i64 = -500_000;
/// The largest number that is read, in thousandths.
const MAX_NUMBER: i64 = 1_000_000_000;
/// Opacity in thousandths under which nothing is seen.
const MIN_OPACITY: i64 = 100;

macro_rules! style {
    ($($(#[doc = $doc:literal])+ $field:ident: $kind:ty,)+) => {
        /// What declarations say, as far as we care.
        #[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
        pub(super) struct Style { $($(#[doc = $doc])+ pub(super) $field: Option<$kind>,)+ }

        impl Style {
            /// Takes over whatever `other` says.
            pub(super) fn merge(&mut self, other: &Self) {
                $(if other.$field.is_some() { self.$field = other.$field; })+
            }
        }
    };
}

style! {
    /// `display: none`.
    removed: bool,
    /// `visibility`.
    invisible: bool,
    /// `opacity` so low that nothing is seen.
    clear: bool,
    /// `mso-hide: all`.
    mso_hidden: bool,
    /// `font-size`.
    size: Length,
    /// `color`.
    colour: Paint,
    /// `background`, `background-color`.
    background: Paint,
    /// A background picture or gradient.
    picture: bool,
    /// `position` is not static.
    positioned: bool,
    /// An offset or margin far off the screen.
    offset: bool,
    /// A margin or indent far off the screen.
    shifted: bool,
    /// `clip` or `clip-path` to nothing.
    clipped: bool,
    /// `overflow: hidden`.
    cut: bool,
    /// `width` or `max-width`, thousandths of a pixel.
    width: i64,
    /// `height` or `max-height`, thousandths of a pixel.
    height: i64,
    /// `white-space` keeps line ends.
    preformatted: bool,
}

/// Declarations with and without `!important`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Declared {
    pub(super) normal: Style,
    pub(super) important: Style,
}

impl Declared {
    /// Reads a list of declarations, adding to what is there; hands out what `url()` names.
    pub(super) fn read<'c>(&mut self, css: &'c str, mut url: impl FnMut(&'c str)) {
        let mut rest = css;
        while !rest.is_empty() {
            let end = declaration_end(rest);
            let (declaration, after) = rest.split_at_checked(end).unwrap_or((rest, ""));
            rest = after.strip_prefix(';').unwrap_or(after);
            let Some((name, value)) = declaration.split_once(':') else {
                continue;
            };
            let mut value = value.trim();
            let mut style = &mut self.normal;
            if let Some((before, word)) = value.rsplit_once('!')
                && word.trim().eq_ignore_ascii_case("important")
            {
                value = before.trim_end();
                style = &mut self.important;
            }
            for name in urls(value) {
                url(name);
            }
            style.declare(name.trim(), value);
        }
    }
}

/// Where the first `;` outside of quotes and parentheses is.
fn declaration_end(css: &str) -> usize {
    let mut quote = 0u8;
    let mut depth = 0u32;
    for (at, byte) in css.bytes().enumerate() {
        match byte {
            b'\n' => quote = 0,
            _ if quote != 0 && byte == quote => quote = 0,
            _ if quote != 0 => {}
            b'"' | b'\'' => quote = byte,
            b'(' => depth += 1,
            b')' => depth = depth.saturating_sub(1),
            b';' if depth == 0 => return at,
            _ => {}
        }
    }
    css.len()
}

/// What the `url()`s of a value name.
fn urls(value: &str) -> impl Iterator<Item = &str> {
    let mut rest = value;
    std::iter::from_fn(move || {
        loop {
            let at = memchr::memchr(b'(', rest.as_bytes())?;
            let (before, after) = rest.split_at_checked(at)?;
            rest = after.get(1..)?;
            let named = before
                .len()
                .checked_sub(3)
                .and_then(|start| before.get(start..))
                .is_some_and(|word| word.eq_ignore_ascii_case("url"));
            if named {
                let (inside, after) = rest.split_once(')').unwrap_or((rest, ""));
                rest = after;
                return Some(inside.trim().trim_matches(['"', '\'']).trim());
            }
        }
    })
}

impl Style {
    fn declare(&mut self, name: &str, value: &str) {
        let mut buffer = [0u8; 20];
        let Some(lower) = buffer.get_mut(..name.len()) else {
            return;
        };
        lower.copy_from_slice(name.as_bytes());
        lower.make_ascii_lowercase();
        let is = |word: &str| value.eq_ignore_ascii_case(word);
        match &*lower {
            b"display" => self.removed = Some(is("none")),
            b"visibility" => self.invisible = Some(is("hidden") || is("collapse")),
            b"opacity" => self.clear = number(value).map(|(n, _)| n < MIN_OPACITY),
            b"mso-hide" => self.mso_hidden = Some(is("all")),
            b"font-size" => self.size = font_size(value).or(self.size),
            b"font" => self.size = font_shorthand(value).or(self.size),
            b"color" => self.colour = colour::parse(value).or(self.colour),
            b"background" | b"background-color" | b"background-image" => self.paint(value),
            b"position" => self.positioned = Some(!is("static")),
            b"left" | b"top" | b"right" | b"bottom" => {
                self.offset = Some(self.offset == Some(true) || far(value));
            }
            b"text-indent" | b"margin-left" | b"margin-top" | b"margin-right" => {
                self.shifted = Some(self.shifted == Some(true) || far(value));
            }
            b"clip" | b"clip-path" => self.clipped = Some(clips_all(value)),
            b"overflow" | b"overflow-x" | b"overflow-y" => {
                self.cut = Some(is("hidden") || is("clip"));
            }
            b"width" | b"max-width" => self.width = smaller(self.width, value),
            b"height" | b"max-height" => self.height = smaller(self.height, value),
            b"white-space" => {
                self.preformatted = Some(is("pre") || is("pre-wrap") || is("pre-line"));
            }
            _ => {}
        }
    }

    fn paint(&mut self, value: &str) {
        if value.contains('(') {
            let mut words = value.split('(');
            let picture = words.next().is_some_and(|first| {
                let word = first.rsplit([' ', ',']).next().unwrap_or(first);
                !word.eq_ignore_ascii_case("rgb") && !word.eq_ignore_ascii_case("rgba")
            });
            if picture {
                self.picture = Some(true);
            } else {
                self.background = colour::parse(value);
            }
            return;
        }
        // The shorthand: the word that is a colour counts.
        let words = value.split_ascii_whitespace();
        let found = words
            .filter_map(colour::parse)
            .find(|paint| !matches!(paint, Paint::Unknown));
        if let Some(paint) = found {
            self.background = Some(paint);
        }
    }
}

fn smaller(known: Option<i64>, value: &str) -> Option<i64> {
    match length(value) {
        Some(Length::Pixels(pixels)) => Some(known.map_or(pixels, |known| known.min(pixels))),
        Some(Length::Share(0)) => Some(0),
        _ => known,
    }
}

fn far(value: &str) -> bool {
    match length(value) {
        Some(Length::Pixels(pixels)) => pixels <= FAR,
        Some(Length::Share(share)) => share <= -5_000,
        None => false,
    }
}

fn clips_all(value: &str) -> bool {
    let Some((name, inside)) = value.split_once('(') else {
        return false;
    };
    let inside = inside.trim_end_matches(')');
    if name.eq_ignore_ascii_case("rect") {
        let edges = inside
            .split([',', ' '])
            .map(str::trim)
            .filter(|e| !e.is_empty());
        let mut count = 0;
        let mut tiny = true;
        for edge in edges {
            count += 1;
            tiny &= matches!(length(edge), Some(Length::Pixels(p)) if p.abs() <= 1_000);
        }
        return count == 4 && tiny;
    }
    name.eq_ignore_ascii_case("inset")
        && matches!(length(inside.trim()), Some(Length::Share(share)) if share >= 500)
}

/// A decimal number in thousandths, and what follows it.
fn number(text: &str) -> Option<(i64, &str)> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let mut value: i64 = 0;
    let mut scale: Option<i64> = None;
    let mut seen = false;
    let mut end = digits.len();
    for (at, byte) in digits.bytes().enumerate() {
        match (byte, scale) {
            (b'0'..=b'9', None) => {
                value = (value * 10 + i64::from(byte - b'0') * 1000).min(MAX_NUMBER);
            }
            (b'0'..=b'9', Some(unit)) => {
                value += i64::from(byte - b'0') * unit;
                scale = Some(unit / 10);
            }
            (b'.', None) => {
                scale = Some(100);
                continue;
            }
            _ => {
                end = at;
                break;
            }
        }
        seen = true;
    }
    let value = if negative { -value } else { value };
    seen.then(|| (value, digits.get(end..).unwrap_or_default()))
}

/// A length with its unit; one without is in pixels.
pub(super) fn length(text: &str) -> Option<Length> {
    let (value, unit) = number(text.trim())?;
    let mut buffer = [0u8; 4];
    let unit = unit.trim();
    let lower = buffer.get_mut(..unit.len())?;
    lower.copy_from_slice(unit.as_bytes());
    lower.make_ascii_lowercase();
    Some(match &*lower {
        b"" | b"px" => Length::Pixels(value),
        b"pt" => Length::Pixels(value * 4 / 3),
        b"pc" | b"rem" => Length::Pixels(value * 16),
        b"in" => Length::Pixels(value * 96),
        b"cm" => Length::Pixels(value * 38),
        b"mm" => Length::Pixels(value * 4),
        // A window of 800 pixels.
        b"vw" | b"vh" | b"vmin" | b"vmax" => Length::Pixels(value * 8),
        b"em" => Length::Share(value),
        b"ex" | b"ch" => Length::Share(value / 2),
        b"%" => Length::Share(value / 100),
        _ => return None,
    })
}

fn font_size(value: &str) -> Option<Length> {
    const NAMED: [(&str, Length); 9] = [
        ("xx-small", Length::Pixels(9_000)),
        ("x-small", Length::Pixels(10_000)),
        ("small", Length::Pixels(13_000)),
        ("medium", Length::Pixels(16_000)),
        ("large", Length::Pixels(18_000)),
        ("x-large", Length::Pixels(24_000)),
        ("xx-large", Length::Pixels(32_000)),
        ("smaller", Length::Share(833)),
        ("larger", Length::Share(1_200)),
    ];
    length(value).or_else(|| {
        NAMED
            .iter()
            .find(|(name, _)| value.eq_ignore_ascii_case(name))
            .map(|(_, length)| *length)
    })
}

/// The size in `font: italic bold 12px/30px Georgia, serif`: the first word that is a length and no
/// weight.
fn font_shorthand(value: &str) -> Option<Length> {
    value
        .split_ascii_whitespace()
        .map(|word| word.split('/').next().unwrap_or(word))
        .filter(|word| !matches!(word.len(), 3) || !word.bytes().all(|b| b.is_ascii_digit()))
        .find_map(length)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(css: &str) -> (Declared, Vec<String>) {
        let mut declared = Declared::default();
        let mut found = Vec::new();
        declared.read(css, |url| found.push(url.to_owned()));
        (declared, found)
    }

    #[test]
    fn lengths() {
        for (text, expected) in [
            ("12px", Some(Length::Pixels(12_000))),
            ("1.5PX", Some(Length::Pixels(1_500))),
            ("-9999px", Some(Length::Pixels(-9_999_000))),
            ("9pt", Some(Length::Pixels(12_000))),
            (".5em", Some(Length::Share(500))),
            ("50%", Some(Length::Share(500))),
            ("0", Some(Length::Pixels(0))),
            ("99999999999999999999px", Some(Length::Pixels(MAX_NUMBER))),
            ("px", None),
            (".", None),
            ("1foo", None),
            ("1é", None),
        ] {
            assert_eq!(length(text), expected, "{text:?}");
        }
    }

    #[test]
    fn declarations() {
        let (declared, urls) = read(
            "DISPLAY : None !important; background: url('data:image/png;base64,AA') #fff; \
             font: bold 700 1px/2px x; color:WHITE;;; nonsense; opacity:.0",
        );
        assert_eq!(declared.important.removed, Some(true));
        assert_eq!(declared.normal.removed, None);
        assert_eq!(declared.normal.size, Some(Length::Pixels(1_000)));
        assert_eq!(declared.normal.colour, Some(Paint::Solid([255; 3])));
        assert_eq!(declared.normal.picture, Some(true));
        assert_eq!(declared.normal.clear, Some(true));
        assert_eq!(urls, ["data:image/png;base64,AA"]);
    }

    #[test]
    fn clips() {
        assert!(clips_all("rect(0, 0, 0, 0)"));
        assert!(clips_all("rect(1px 1px 1px 1px)"));
        assert!(clips_all("inset(100%)"));
        assert!(!clips_all("rect(0, 100px, 100px, 0)"));
        assert!(!clips_all("auto"));
    }
}
