//! HTML to what a reader sees, and to what HTML mail hides, links and loads.
//!
//! [`render`] reads a page once. It follows the HTML standard where that decides what is seen: tag
//! soup, implied end tags, formatting that survives the block it was opened in, raw text. It does
//! not lay out: a block is a line, a table cell a blank. Of styles it knows what makes text
//! unreadable, from attributes, `style` and simple rules of `<style>`; see `style` and `sheet`.
//!
//! Work is linear in the input (times [`MAX_DEPTH`] at worst), memory bounded by [`Limits`]. Nothing
//! fails; what was cut off is told by [`Page::truncated`].

use serde::{Deserialize, Serialize};

mod colour;
mod elements;
mod flow;
mod look;
mod render;
mod sheet;
mod stack;
mod style;
mod tokens;

pub use render::render;
pub use sheet::MAX_SELECTORS;
pub use tokens::MAX_ATTRIBUTES;

/// Octets of HTML that are read by default.
pub const MAX_INPUT: usize = 4 * 1024 * 1024;
/// Octets of text, shown and hidden each, that are kept by default.
pub const MAX_TEXT: usize = 1024 * 1024;
/// Links, images, and other resources each that are kept by default.
pub const MAX_LINKS: usize = 2_000;
/// Elements that may be open at a time by default.
pub const MAX_DEPTH: usize = 256;
/// Octets of a URL; the rest is cut off. Pictures inside `data:` URLs are no more than that.
pub const MAX_URL: usize = 4_096;
/// Octets of a base address; a longer one is not applied.
pub const MAX_BASE: usize = 512;
/// Octets of the text of a link and of the title; the rest is cut off.
pub const MAX_LINK_TEXT: usize = 2_048;
/// Pixels of text that is as good as hidden.
pub const HIDDEN_SIZE: u32 = 2;
/// Pixels of text that is hard to read.
pub const TINY_SIZE: u32 = 4;
/// Difference to the background, in each of three channels of 0 to 255, up to which text is hidden.
pub const HIDDEN_CONTRAST: u8 = 16;
/// Difference to the background up to which text is hard to read.
pub const LOW_CONTRAST: u8 = 40;

/// How much of a page is read and kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Octets of HTML that are read.
    pub input: usize,
    /// Octets of text, shown and hidden each.
    pub text: usize,
    /// Links, images, and other resources each.
    pub links: usize,
    /// Elements that may be open at a time; styles of deeper ones are not seen.
    pub depth: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            input: MAX_INPUT,
            text: MAX_TEXT,
            links: MAX_LINKS,
            depth: MAX_DEPTH,
        }
    }
}

/// What became of a page.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Page {
    /// What a reader sees: a line for each block and line break, no empty lines, single blanks
    /// (table cells too), no control characters but `\n`. Invisible characters such as U+200B are
    /// left in.
    pub text: String,
    /// What a reader does not see although it is text, in the same form.
    pub hidden: String,
    /// The title, one line.
    pub title: String,
    /// Links and forms, in order.
    pub links: Vec<Link>,
    /// Images, in order.
    pub images: Vec<Image>,
    /// What else is loaded or named, in order.
    pub resources: Vec<Resource>,
    /// The base address, already applied to relative URLs.
    pub base: Option<String>,
    /// Start tags.
    pub tags: usize,
    /// End tags that close nothing, and elements that are not closed where they have to be.
    pub unbalanced: usize,
    /// What the page does.
    pub facts: Facts,
    /// A limit was met: something is missing.
    pub truncated: bool,
}

/// What a page does.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    /// It hides letters or digits by style or attribute.
    pub hidden_text: bool,
    /// It shows letters or digits in [`TINY_SIZE`] or less, but not in none.
    pub tiny_text: bool,
    /// It shows letters or digits in nearly the colour of their background.
    pub low_contrast: bool,
    /// It has a form.
    pub form: bool,
    /// It asks for a password.
    pub password: bool,
    /// It has a script, an event handler or a URL that is a script.
    pub script: bool,
    /// It has a frame.
    pub frame: bool,
    /// It embeds an object, applet or embed.
    pub object: bool,
    /// It loads a style sheet from elsewhere.
    pub remote_style: bool,
    /// It refreshes to another page.
    pub refresh: bool,
    /// It sets a base address.
    pub base: bool,
    /// [`Page::unbalanced`] is not zero.
    pub unbalanced: bool,
}

/// What kind of link it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum LinkKind {
    /// `<a>`.
    Anchor,
    /// An area of an image map.
    Area,
    /// Where a form is sent to.
    Form,
    /// Where a button sends its form to.
    Button,
}

/// Something a reader can follow.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    /// Where to: without tabs, line ends and blanks around it, the base applied.
    pub href: String,
    /// What the reader sees of it, one line; if it is hidden, what is hidden. For areas the
    /// alternative text.
    pub text: String,
    /// Its kind.
    pub kind: LinkKind,
    /// Nothing of it can be seen.
    pub hidden: bool,
    /// There is an image in it.
    pub image: bool,
}

/// An image the page shows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Image {
    /// From where: `https:`, `cid:`, `data:` and others, as [`Link::href`].
    pub src: String,
    /// Its alternative text.
    pub alt: String,
    /// Its width in pixels, as far as the page says.
    pub width: Option<u32>,
    /// Its height in pixels, as far as the page says.
    pub height: Option<u32>,
    /// It stands where nothing is seen.
    pub hidden: bool,
    /// It stands in a link.
    pub linked: bool,
}

impl Image {
    /// Loaded from elsewhere, not part of the message.
    #[must_use]
    pub fn is_remote(&self) -> bool {
        is_remote(&self.src)
    }
}

/// What kind of resource it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum ResourceKind {
    /// A style sheet, linked or imported.
    StyleSheet,
    /// The content of a frame.
    Frame,
    /// A background picture, by attribute or style.
    Background,
    /// An object, applet or embed.
    Object,
    /// A script.
    Script,
    /// Sound or moving pictures.
    Media,
    /// Where a refresh leads to.
    Refresh,
}

/// Something else the page loads or names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resource {
    /// Its kind.
    pub kind: ResourceKind,
    /// From where, as [`Link::href`].
    pub href: String,
}

/// A URL that leads over the network.
pub(crate) fn is_remote(url: &str) -> bool {
    let scheme = |name: &str| {
        url.get(..name.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(name))
    };
    scheme("http:") || scheme("https:") || scheme("ftp:") || scheme("//") || scheme("\\\\")
}

#[cfg(test)]
mod tests;
