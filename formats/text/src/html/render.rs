//! A page rendered, tag by tag.

use std::borrow::Cow;

use super::colour;
use super::elements::Element;
use super::flow::{Flow, Gap};
use super::look::{Colours, Look};
use super::sheet::Sheet;
use super::stack::{Closed, Stack};
use super::style::{self, Declared, Length, Style};
use super::tokens::{self, Sink, StartTag};
use super::{
    Image, Limits, Link, LinkKind, MAX_BASE, MAX_LINK_TEXT, MAX_URL, Page, Resource, ResourceKind,
    is_remote,
};

/// Renders a page.
#[must_use]
pub fn render(html: &str, limits: &Limits) -> Page {
    let input = cut(html, limits.input);
    let sheet = Sheet::of(input, limits.links);
    let mut renderer = Renderer {
        limits: *limits,
        page: Page {
            truncated: input.len() < html.len(),
            ..Page::default()
        },
        stack: Stack::new(limits.depth),
        shown: Flow::new(limits.text),
        hidden: Flow::new(limits.text),
        title: Flow::new(MAX_LINK_TEXT),
        raw: Raw::None,
        link: None,
        colours: if sheet.is_intricate() {
            Colours::Doubtful
        } else {
            Colours::Known
        },
        sheet,
    };
    tokens::feed(input, &mut renderer);
    renderer.finish()
}

/// What the text of the element at hand is, if not text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Raw {
    None,
    /// A script, a style, the content of a frame.
    Dropped,
    Title,
}

/// A link that is open: its index and where its text starts.
#[derive(Debug, Clone, Copy)]
struct OpenLink {
    index: usize,
    shown: usize,
    hidden: usize,
    images: usize,
}

#[derive(Debug)]
struct Renderer {
    limits: Limits,
    page: Page,
    sheet: Sheet,
    colours: Colours,
    stack: Stack,
    shown: Flow,
    hidden: Flow,
    title: Flow,
    raw: Raw,
    link: Option<OpenLink>,
}

impl Sink for Renderer {
    fn text(&mut self, text: &str) {
        match self.raw {
            Raw::None => self.write(text),
            Raw::Dropped => {}
            Raw::Title => self.title.push(text, Gap::None),
        }
    }

    fn start(&mut self, tag: &StartTag<'_>) {
        self.page.tags += 1;
        let element = Element::named(tag.name);
        let closed = self.stack.before(element);
        self.settle(closed);
        self.break_around(element);
        let style = self.style_of(element, tag);
        let parent = self.stack.look(element);
        let mut look = if element == Element::A && tag.get("href").is_some() {
            parent.as_link().inside(&style)
        } else {
            parent.inside(&style)
        };
        match element {
            Element::Template | Element::Datalist => look.vanish(),
            Element::Pre | Element::Xmp | Element::Textarea => look.preformatted = true,
            _ => {}
        }
        self.effect(element, tag, &style, &look);
        if !element.is_void() {
            self.stack.push(element, style, look);
        }
    }

    fn end(&mut self, name: &[u8]) {
        self.raw = Raw::None;
        let element = Element::named(name);
        self.break_around(element);
        // Browsers take `</br>` and a stray `</p>` for empty elements, and `</body>` lightly.
        if element.is_void() || matches!(element, Element::Body | Element::Html) {
            return;
        }
        let mut closed = self.stack.end(element);
        if element == Element::P {
            closed.unbalanced = 0;
        }
        self.settle(closed);
    }
}

impl Renderer {
    /// Adds text where its look puts it.
    fn write(&mut self, text: &str) {
        let look = self.stack.look(Element::Other);
        let legibility = look.legibility(self.colours);
        let lines = if look.preformatted {
            Gap::Line
        } else {
            Gap::None
        };
        if (legibility.hidden || legibility.tiny || legibility.faint)
            && text.contains(char::is_alphanumeric)
        {
            let facts = &mut self.page.facts;
            facts.hidden_text |= legibility.hidden;
            facts.tiny_text |= legibility.tiny;
            facts.low_contrast |= legibility.faint;
        }
        if legibility.hidden {
            self.hidden.push(text, lines);
        } else {
            self.shown.push(text, lines);
        }
    }

    fn break_around(&mut self, element: Element) {
        if element.is_block() || element == Element::Br {
            self.shown.gap(Gap::Line);
            self.hidden.gap(Gap::Line);
        } else if element.is_cell() {
            self.shown.gap(Gap::Blank);
            self.hidden.gap(Gap::Blank);
        }
    }

    fn settle(&mut self, closed: Closed) {
        self.page.unbalanced += closed.unbalanced;
        if closed.link {
            self.close_link();
        }
    }

    /// What attributes and sheets say of an element; notes handlers and backgrounds on the way.
    fn style_of(&mut self, element: Element, tag: &StartTag<'_>) -> Style {
        let mut declared = Declared::default();
        let (mut class, mut id, mut inline) = (None, None, None);
        for (name, value) in tag.attributes() {
            match name {
                b"class" => class = class.or(Some(value)),
                b"id" => id = id.or(Some(value)),
                b"style" => inline = inline.or(Some(value)),
                b"hidden" => declared.normal.removed = Some(true),
                b"bgcolor" => declared.normal.background = colour::attribute(&value),
                b"color" if element == Element::Font => {
                    declared.normal.colour = colour::attribute(&value);
                }
                b"text" if element == Element::Body => {
                    declared.normal.colour = colour::attribute(&value);
                }
                b"size" if element == Element::Font => {
                    declared.normal.size = font_size(&value).or(declared.normal.size);
                }
                b"background" => {
                    declared.normal.picture = Some(true);
                    self.resource(ResourceKind::Background, &value);
                }
                b"href" | b"src" | b"action" | b"formaction" | b"data" => {
                    self.page.facts.script |= is_script(&value);
                }
                handler if is_handler(handler) && !value.trim().is_empty() => {
                    self.page.facts.script = true;
                }
                _ => {}
            }
        }
        match element {
            Element::Small => declared.normal.size = Some(Length::Share(833)),
            Element::Big => declared.normal.size = Some(Length::Share(1_200)),
            _ => {}
        }
        let mut pictures: Vec<&str> = Vec::new();
        let inline = inline.unwrap_or(Cow::Borrowed(""));
        let mut own = Declared::default();
        own.read(&inline, |url| pictures.push(url));
        for url in pictures {
            self.resource(ResourceKind::Background, url);
        }
        // Attributes weigh less than any rule.
        let mut style = declared.normal;
        let mut stated = self
            .sheet
            .style(tag.name, class.as_deref(), id.as_deref(), &own);
        if element.is_cell() {
            // Cells grow with their content.
            (stated.width, stated.height) = (None, None);
        }
        style.merge(&stated);
        style
    }

    /// What an element does besides holding text.
    fn effect(&mut self, element: Element, tag: &StartTag<'_>, style: &Style, look: &Look) {
        let facts = &mut self.page.facts;
        match element {
            Element::A => {
                if let Some(href) = tag.get("href") {
                    self.open_link(&href);
                }
            }
            Element::Area => {
                if let Some(href) = tag.get("href") {
                    let text = tag.get("alt").unwrap_or_default();
                    self.link(LinkKind::Area, &href, &text);
                }
            }
            Element::Form => {
                facts.form = true;
                if let Some(action) = tag.get("action") {
                    self.link(LinkKind::Form, &action, "");
                }
            }
            Element::Input => self.input(tag, style, look),
            Element::Button => {
                if let Some(action) = tag.get("formaction") {
                    self.link(LinkKind::Button, &action, "");
                }
            }
            Element::Img | Element::Image => self.image(tag, style, look),
            Element::Base => {
                if let Some(href) = tag.get("href").filter(|_| self.page.base.is_none()) {
                    let href = clean(&href);
                    if !href.is_empty() {
                        facts.base = true;
                        self.page.base = Some(href);
                    }
                }
            }
            Element::Iframe | Element::Frame | Element::Frameset => {
                facts.frame = true;
                self.raw = if element == Element::Iframe {
                    Raw::Dropped
                } else {
                    self.raw
                };
                self.attribute(ResourceKind::Frame, tag, "src");
            }
            Element::Object | Element::Embed | Element::Applet => {
                facts.object = true;
                for name in ["data", "src", "code", "archive"] {
                    self.attribute(ResourceKind::Object, tag, name);
                }
            }
            Element::Script => {
                facts.script = true;
                self.raw = Raw::Dropped;
                self.attribute(ResourceKind::Script, tag, "src");
            }
            Element::Video | Element::Audio | Element::Source => {
                self.attribute(ResourceKind::Media, tag, "src");
                self.attribute(ResourceKind::Media, tag, "poster");
            }
            Element::Style | Element::Noembed | Element::Noframes => self.raw = Raw::Dropped,
            Element::Title => self.raw = Raw::Title,
            Element::Link => self.style_sheet(tag),
            Element::Meta => self.meta(tag),
            _ => {}
        }
    }

    fn style_sheet(&mut self, tag: &StartTag<'_>) {
        let relation = tag.get("rel").unwrap_or_default();
        if relation
            .split_ascii_whitespace()
            .any(|word| word.eq_ignore_ascii_case("stylesheet"))
        {
            self.attribute(ResourceKind::StyleSheet, tag, "href");
        }
    }

    fn meta(&mut self, tag: &StartTag<'_>) {
        let refreshes = tag
            .get("http-equiv")
            .is_some_and(|name| name.trim().eq_ignore_ascii_case("refresh"));
        let content = tag.get("content").unwrap_or_default();
        if refreshes && let Some((_, target)) = content.split_once([';', ',']) {
            let target = target.trim();
            let target = match target.split_once('=') {
                Some((word, rest)) if word.trim().eq_ignore_ascii_case("url") => rest.trim(),
                _ => target,
            };
            self.page.facts.refresh = true;
            self.resource(ResourceKind::Refresh, target.trim_matches(['"', '\'']));
        }
    }

    fn input(&mut self, tag: &StartTag<'_>, style: &Style, look: &Look) {
        let kind = tag.get("type").unwrap_or_default();
        let is = |word: &str| kind.trim().eq_ignore_ascii_case(word);
        self.page.facts.password |= is("password");
        if let Some(action) = tag.get("formaction") {
            self.link(LinkKind::Button, &action, "");
        }
        if is("image") {
            self.image(tag, style, look);
        } else if is("submit") || is("button") || is("reset") {
            let value = tag.get("value").unwrap_or_default();
            // Buttons have colours of their own.
            let flow = if look.is_gone() {
                &mut self.hidden
            } else {
                &mut self.shown
            };
            flow.gap(Gap::Blank);
            flow.push(&value, Gap::None);
            flow.gap(Gap::Blank);
        }
    }

    fn image(&mut self, tag: &StartTag<'_>, style: &Style, look: &Look) {
        let Some(src) = tag.get("src") else {
            return;
        };
        if self.page.images.len() >= self.limits.links {
            self.page.truncated = true;
            return;
        }
        let size = |name: &str, styled: Option<i64>| {
            let pixels = match styled {
                Some(pixels) => Some(pixels),
                None => match style::length(&tag.get(name)?) {
                    Some(Length::Pixels(pixels)) => Some(pixels),
                    _ => None,
                },
            };
            pixels.map(|pixels| u32::try_from(pixels / 1_000).unwrap_or(0))
        };
        let image = Image {
            src: clean(&src),
            alt: line(&tag.get("alt").unwrap_or_default()),
            width: size("width", style.width),
            height: size("height", style.height),
            hidden: look.is_gone(),
            linked: self.link.is_some(),
        };
        self.page.images.push(image);
    }

    fn attribute(&mut self, kind: ResourceKind, tag: &StartTag<'_>, name: &str) {
        if let Some(value) = tag.get(name) {
            self.resource(kind, &value);
        }
    }

    fn resource(&mut self, kind: ResourceKind, href: &str) {
        let href = clean(href);
        if href.is_empty() {
            return;
        }
        if self.page.resources.len() >= self.limits.links {
            self.page.truncated = true;
            return;
        }
        self.page.resources.push(Resource { kind, href });
    }

    /// A link that has no content.
    fn link(&mut self, kind: LinkKind, href: &str, text: &str) {
        if self.page.links.len() >= self.limits.links {
            self.page.truncated = true;
            return;
        }
        self.page.links.push(Link {
            href: clean(href),
            text: line(text),
            kind,
            hidden: self.stack.look(Element::Other).is_gone(),
            image: false,
        });
    }

    fn open_link(&mut self, href: &str) {
        let index = self.page.links.len();
        self.link(LinkKind::Anchor, href, "");
        if self.page.links.len() > index {
            self.link = Some(OpenLink {
                index,
                shown: self.shown.text().len(),
                hidden: self.hidden.text().len(),
                images: self.page.images.len(),
            });
        }
    }

    fn close_link(&mut self) {
        let Some(open) = self.link.take() else {
            return;
        };
        let Some(link) = self.page.links.get_mut(open.index) else {
            return;
        };
        let shown = self.shown.text().get(open.shown..).unwrap_or_default();
        let hidden = self.hidden.text().get(open.hidden..).unwrap_or_default();
        let images = self.page.images.get(open.images..).unwrap_or_default();
        link.image = !images.is_empty();
        link.text = line(shown);
        if link.text.is_empty() && !images.iter().any(|image| !image.hidden) {
            link.text = line(hidden);
            link.hidden |= !link.text.is_empty() || link.image;
        }
    }

    fn finish(mut self) -> Page {
        self.close_link();
        for url in std::mem::take(&mut self.sheet.imports) {
            self.resource(ResourceKind::StyleSheet, &url);
        }
        for url in std::mem::take(&mut self.sheet.pictures) {
            self.resource(ResourceKind::Background, &url);
        }
        let mut page = self.page;
        page.unbalanced += self.stack.left_open();
        page.facts.unbalanced = page.unbalanced > 0;
        page.truncated |= self.stack.overflowed()
            || self.sheet.is_full()
            || self.shown.is_full()
            || self.hidden.is_full();
        page.text = self.shown.into_text();
        page.hidden = self.hidden.into_text();
        page.title = self.title.into_text();
        if let Some(base) = page.base.as_deref().filter(|base| base.len() <= MAX_BASE) {
            let links = page.links.iter_mut().map(|link| &mut link.href);
            let images = page.images.iter_mut().map(|image| &mut image.src);
            let resources = page.resources.iter_mut().map(|resource| &mut resource.href);
            for href in links.chain(images).chain(resources) {
                if let Some(joined) = join(base, href) {
                    *href = joined;
                }
            }
        }
        page.facts.remote_style = page
            .resources
            .iter()
            .any(|resource| resource.kind == ResourceKind::StyleSheet && is_remote(&resource.href));
        page
    }
}

/// The start of a text, at most `limit` octets.
fn cut(text: &str, limit: usize) -> &str {
    if text.len() <= limit {
        return text;
    }
    text.get(..text.floor_char_boundary(limit)).unwrap_or(text)
}

/// A URL as browsers read an attribute: no control characters at its ends, no tabs and line ends.
fn clean(url: &str) -> String {
    let url = url.trim_matches(|c: char| c <= ' ');
    let mut url = cut(url, MAX_URL).to_owned();
    url.retain(|c| !c.is_control());
    url
}

/// Text in one line, cut.
fn line(text: &str) -> String {
    let mut out = String::new();
    for word in cut(text, MAX_LINK_TEXT).split_whitespace() {
        if !out.is_empty() {
            out.push(' ');
        }
        out.extend(word.chars().filter(|c| !c.is_control()));
    }
    out
}

/// An attribute that holds a script.
fn is_handler(name: &[u8]) -> bool {
    name.len() > 4 && name.starts_with(b"on") && name.iter().all(u8::is_ascii_lowercase)
}

/// A URL that is a script; blanks and control characters do not help.
fn is_script(url: &str) -> bool {
    let mut letters = url.bytes().filter(|b| *b > b' ');
    let mut start = [0u8; 11];
    for (slot, byte) in start.iter_mut().zip(&mut letters) {
        *slot = byte.to_ascii_lowercase();
    }
    start.starts_with(b"javascript:") || start.starts_with(b"vbscript:")
}

/// The `size` of `<font>`: 1 to 7, or relative to 3.
fn font_size(value: &str) -> Option<Length> {
    let value = value.trim();
    let (sign, digits) = match value.as_bytes().first()? {
        b'+' => (1, value.get(1..)?),
        b'-' => (-1, value.get(1..)?),
        _ => (0, value),
    };
    let end = digits
        .bytes()
        .take(3)
        .take_while(u8::is_ascii_digit)
        .count();
    let number: i32 = digits.get(..end)?.parse().ok()?;
    let step = if sign == 0 { number } else { 3 + sign * number };
    let pixels = match step {
        ..=1 => 10,
        2 => 13,
        3 => 16,
        4 => 18,
        5 => 24,
        6 => 32,
        _ => 48,
    };
    Some(Length::Pixels(pixels * 1_000))
}

/// `href` as seen from `base`; none if it stands on its own.
fn join(base: &str, href: &str) -> Option<String> {
    let scheme_end = href.find([':', '/', '?', '#', '\\']);
    if href.is_empty() || scheme_end.is_some_and(|at| href.get(at..=at) == Some(":")) {
        return None;
    }
    let (scheme, rest) = base.split_once("://")?;
    let authority = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at_checked(authority)?;
    let slash = |at: usize| matches!(href.as_bytes().get(at), Some(b'/' | b'\\'));
    if slash(0) && slash(1) {
        return Some(format!("{scheme}:{href}"));
    }
    if slash(0) {
        return Some(format!("{scheme}://{authority}{href}"));
    }
    if href.starts_with('#') {
        return None;
    }
    let path = path.split(['?', '#']).next().unwrap_or_default();
    if href.starts_with('?') {
        return Some(format!("{scheme}://{authority}{path}{href}"));
    }
    let folder = path
        .rfind('/')
        .and_then(|at| path.get(..=at))
        .unwrap_or("/");
    Some(format!("{scheme}://{authority}{folder}{href}"))
}
