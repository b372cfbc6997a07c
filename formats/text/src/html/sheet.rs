//! Style sheets in `<style>`: rules whose selector is an element, a class, an id or `element.class`.
//!
//! Selectors with descendants, attributes or states are not applied; when such a rule sets colours
//! the sheet says so ([`Sheet::is_intricate`]), for then colours cannot be told. Of `@media` only
//! what holds on every screen is read. Sheets are collected before the page is rendered, because
//! browsers apply them to what stands above them too.

use std::borrow::Cow;
use std::collections::HashMap;

use super::style::{Declared, Style};

/// Selectors that are kept of all sheets of a page.
pub const MAX_SELECTORS: usize = 4_000;
/// Octets of one selector; longer ones are none of ours.
const MAX_SELECTOR: usize = 100;
/// Classes of an element that are looked up.
const MAX_CLASSES: usize = 16;

/// All rules of a page.
#[derive(Debug, Default)]
pub(super) struct Sheet {
    rules: HashMap<String, Declared>,
    intricate: bool,
    full: bool,
    /// What `@import` names.
    pub(super) imports: Vec<String>,
    /// What `url()` names.
    pub(super) pictures: Vec<String>,
    limit: usize,
}

impl Sheet {
    /// Collects the sheets of a page; at most `limit` URLs of each kind.
    pub(super) fn of(html: &str, limit: usize) -> Self {
        let mut sheet = Self {
            limit,
            ..Self::default()
        };
        for css in embedded(html) {
            sheet.read(css);
        }
        sheet
    }

    /// Some rule we cannot apply sets colours.
    pub(super) fn is_intricate(&self) -> bool {
        self.intricate
    }

    /// There were more than [`MAX_SELECTORS`].
    pub(super) fn is_full(&self) -> bool {
        self.full
    }

    /// What holds of an element, by precedence; `inline` is its own `style`.
    pub(super) fn style(
        &self,
        name: &[u8],
        class: Option<&str>,
        id: Option<&str>,
        inline: &Declared,
    ) -> Style {
        if self.rules.is_empty() {
            let mut style = inline.normal;
            style.merge(&inline.important);
            return style;
        }
        let mut found: Vec<&Declared> = Vec::new();
        let name = String::from_utf8_lossy(name);
        let mut key = String::new();
        let mut look_up = |element: &str, mark: &str, word: &str| {
            key.clear();
            key.push_str(element);
            key.push_str(mark);
            key.push_str(word);
            key.make_ascii_lowercase();
            found.extend(self.rules.get(&key));
        };
        look_up("*", "", "");
        look_up(&name, "", "");
        let classes = || {
            let words = class.unwrap_or_default().split_ascii_whitespace();
            words
                .filter(|word| word.len() < MAX_SELECTOR)
                .take(MAX_CLASSES)
        };
        classes().for_each(|word| look_up("", ".", word));
        classes().for_each(|word| look_up(&name, ".", word));
        if let Some(id) = id.filter(|id| id.len() < MAX_SELECTOR) {
            look_up("", "#", id);
            look_up(&name, "#", id);
        }
        let mut style = Style::default();
        found.iter().for_each(|d| style.merge(&d.normal));
        style.merge(&inline.normal);
        found.iter().for_each(|d| style.merge(&d.important));
        style.merge(&inline.important);
        style
    }

    fn read(&mut self, css: &str) {
        let css = without_comments(css);
        let mut rest: &str = &css;
        loop {
            rest = rest.trim_start_matches(|c: char| c.is_ascii_whitespace() || c == '}');
            rest = rest.strip_prefix("<!--").unwrap_or(rest);
            rest = rest.strip_prefix("-->").unwrap_or(rest);
            let Some(stop) = memchr::memchr2(b'{', b';', rest.as_bytes()) else {
                break;
            };
            let (prelude, after) = rest.split_at_checked(stop).unwrap_or((rest, ""));
            let prelude = prelude.trim();
            let inside = after.get(1..).unwrap_or_default();
            if after.starts_with(';') {
                self.import(prelude);
                rest = inside;
            } else if let Some(rule) = prelude.strip_prefix('@') {
                rest = if holds_on_screen(rule) {
                    inside
                } else {
                    after_block(inside)
                };
            } else {
                let (body, after) = inside.split_once('}').unwrap_or((inside, ""));
                self.rule(prelude, body);
                rest = after;
            }
        }
        self.import(rest.trim());
    }

    fn import(&mut self, text: &str) {
        let Some(rest) = strip_word(text, "@import") else {
            return;
        };
        let rest = rest.trim();
        let rest = strip_word(rest, "url(").unwrap_or(rest).trim_start();
        let end = rest
            .char_indices()
            .skip(1)
            .find(|(_, c)| matches!(c, '"' | '\'' | ')' | ' '))
            .map_or(rest.len(), |(at, _)| at);
        let target = rest.get(..end).unwrap_or(rest).trim_matches(['"', '\'']);
        if !target.is_empty() && self.imports.len() < self.limit {
            self.imports.push(target.to_owned());
        }
    }

    fn rule(&mut self, selectors: &str, body: &str) {
        let mut declared = Declared::default();
        let (pictures, limit) = (&mut self.pictures, self.limit);
        declared.read(body, |url| {
            if pictures.len() < limit {
                pictures.push(url.to_owned());
            }
        });
        if declared == Declared::default() {
            return;
        }
        let [normal, important] = [declared.normal, declared.important];
        let paints = [normal, important]
            .iter()
            .any(|s| s.background.is_some() || s.colour.is_some() || s.picture.is_some());
        for selector in selectors.split(',').map(str::trim) {
            if !is_simple(selector) {
                // States change what is there, not what is seen first.
                self.intricate |= paints && !selector.contains(':');
                continue;
            }
            if self.rules.len() >= MAX_SELECTORS {
                self.full = true;
                return;
            }
            let known = self.rules.entry(selector.to_ascii_lowercase()).or_default();
            known.normal.merge(&normal);
            known.important.merge(&important);
        }
    }
}

fn strip_word<'t>(text: &'t str, word: &str) -> Option<&'t str> {
    let (start, rest) = text.split_at_checked(word.len())?;
    start.eq_ignore_ascii_case(word).then_some(rest)
}

/// `*`, `name`, `.class`, `#id`, `name.class`, `name#id`.
fn is_simple(selector: &str) -> bool {
    if selector == "*" {
        return true;
    }
    if selector.is_empty() || selector.len() > MAX_SELECTOR {
        return false;
    }
    let word = |text: &str| {
        text.bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_') || b >= 0x80)
    };
    match selector.split_once(['.', '#']) {
        Some((element, name)) => !name.is_empty() && word(element) && word(name),
        None => word(selector),
    }
}

/// `media screen`, `media all`, `supports …`, `layer …`: what is inside counts.
fn holds_on_screen(rule: &str) -> bool {
    let (name, query) = rule
        .split_once(|c: char| c.is_ascii_whitespace())
        .unwrap_or((rule, ""));
    let query = query.trim();
    if name.eq_ignore_ascii_case("media") {
        return query.split(',').map(str::trim).any(|query| {
            let query = strip_word(query, "only ").unwrap_or(query).trim();
            query.is_empty()
                || query.eq_ignore_ascii_case("screen")
                || query.eq_ignore_ascii_case("all")
        });
    }
    name.eq_ignore_ascii_case("supports") || name.eq_ignore_ascii_case("layer")
}

/// What follows the block that has been entered.
fn after_block(text: &str) -> &str {
    let mut depth = 1u32;
    for at in memchr::memchr2_iter(b'{', b'}', text.as_bytes()) {
        if text.as_bytes().get(at) == Some(&b'{') {
            depth += 1;
        } else {
            depth -= 1;
            if depth == 0 {
                return text.get(at + 1..).unwrap_or_default();
            }
        }
    }
    ""
}

fn without_comments(css: &str) -> Cow<'_, str> {
    if memchr::memmem::find(css.as_bytes(), b"/*").is_none() {
        return Cow::Borrowed(css);
    }
    let mut out = String::with_capacity(css.len());
    let mut rest = css;
    while let Some((before, after)) = rest.split_once("/*") {
        out.push_str(before);
        out.push(' ');
        rest = after.split_once("*/").map_or("", |(_, after)| after);
    }
    out.push_str(rest);
    Cow::Owned(out)
}

/// The contents of `<style>` outside of comments.
fn embedded(html: &str) -> impl Iterator<Item = &str> {
    let mut rest = html;
    std::iter::from_fn(move || {
        loop {
            let at = memchr::memchr(b'<', rest.as_bytes())?;
            rest = rest.get(at + 1..)?;
            if let Some(comment) = rest.strip_prefix("!--") {
                rest = after_comment(comment);
            } else if let Some(tag) = strip_word(rest, "style")
                && tag.starts_with(|c: char| c.is_ascii_whitespace() || matches!(c, '>' | '/'))
            {
                let (_, css) = tag.split_once('>')?;
                let end = end_of_style(css);
                let (css, after) = css.split_at_checked(end)?;
                rest = after;
                return Some(css);
            }
        }
    })
}

fn after_comment(comment: &str) -> &str {
    // `<!-->` and `<!--->` are whole comments.
    for short in [">", "->"] {
        if let Some(after) = comment.strip_prefix(short) {
            return after;
        }
    }
    let bytes = comment.as_bytes();
    for at in memchr::memmem::find_iter(bytes, b"--") {
        for end in ["-->", "--!>"] {
            if let Some(after) = comment.get(at..).and_then(|rest| rest.strip_prefix(end)) {
                return after;
            }
        }
        // `--->` ends a comment as well; the search above does not look at overlapping finds.
        if let Some(after) = comment
            .get(at + 1..)
            .and_then(|rest| rest.strip_prefix("-->"))
        {
            return after;
        }
    }
    ""
}

fn end_of_style(css: &str) -> usize {
    memchr::memmem::find_iter(css.as_bytes(), b"</")
        .find(|&at| {
            css.get(at + 2..)
                .is_some_and(|rest| strip_word(rest, "style").is_some())
        })
        .unwrap_or(css.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn removed(sheet: &Sheet, name: &str, class: &str, id: &str) -> bool {
        let style = sheet.style(name.as_bytes(), Some(class), Some(id), &Declared::default());
        style.removed == Some(true)
    }

    #[test]
    fn selectors() {
        let sheet = Sheet::of(
            "<STYLE type='text/css'><!-- @import url(\"https://x.test/a.css\");
             .Gone, p#one { display:none }
             @media print { div { display: none } }
             @media only screen and (max-width: 600px) { span { display: none } b {} }
             @media screen { i { display: none } }
             td.x { display: none } /* u { display:none } */ a b { color: red }
             .back { display: none !important } --></style>
             <!-- <style>h1 { display: none }</style> -->
             <style>h2{display:none;background:url(https://x.test/b.png)}</style",
            10,
        );
        for (name, class, id, expected) in [
            ("div", "a gone", "", true),
            ("p", "", "ONE", true),
            ("div", "", "one", false),
            ("div", "", "", false),
            ("span", "", "", false),
            ("i", "", "", true),
            ("td", "x", "", true),
            ("th", "x", "", false),
            ("u", "", "", false),
            ("h1", "", "", false),
            ("h2", "", "", true),
        ] {
            assert_eq!(
                removed(&sheet, name, class, id),
                expected,
                "{name} {class} {id}"
            );
        }
        assert!(sheet.is_intricate());
        assert_eq!(sheet.imports, ["https://x.test/a.css"]);
        assert_eq!(sheet.pictures, ["https://x.test/b.png"]);
        let mut inline = Declared::default();
        inline.read("display: block", |_| ());
        assert_eq!(sheet.style(b"h2", None, None, &inline).removed, Some(false));
        assert_eq!(
            sheet.style(b"p", Some("back"), None, &inline).removed,
            Some(true)
        );
    }

    #[test]
    fn comments_end_as_in_browsers() {
        for (comment, rest) in [
            ("x-->y", "y"),
            (">y", "y"),
            ("->y", "y"),
            ("--->y", "y"),
            ("a--!>y", "y"),
            ("a-- >y", ""),
            ("x----->y", "y"),
        ] {
            assert_eq!(after_comment(comment), rest, "{comment:?}");
        }
    }
}
