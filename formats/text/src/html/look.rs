//! How text inside an element looks, and whether that can be read.

use super::colour::{self, Paint};
use super::style::{Length, Style};
use super::{HIDDEN_CONTRAST, HIDDEN_SIZE, LOW_CONTRAST, TINY_SIZE};

/// A pixel, in the thousandths that styles are measured in.
const PIXEL: i64 = 1_000;
/// The size browsers show text in.
const DEFAULT_SIZE: i64 = 16 * PIXEL;
/// The largest size that is told apart.
const MAX_SIZE: i64 = 10_000 * PIXEL;

/// What text looks like; inherited by what an element contains.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Look {
    /// Nothing in here is seen, whatever it says.
    gone: bool,
    invisible: bool,
    size: i64,
    colour: Paint,
    /// Somebody has said which colour.
    coloured: bool,
    background: Paint,
    /// Somebody has said which background.
    backed: bool,
    pub(super) preformatted: bool,
}

/// Whether text of some look can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Legibility {
    pub(super) hidden: bool,
    pub(super) tiny: bool,
    pub(super) faint: bool,
}

/// Whether colours are known although no attribute or inline style states them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Colours {
    /// What is not stated is as browsers have it.
    Known,
    /// Rules that were not understood may set them.
    Doubtful,
}

impl Look {
    /// Black on white.
    pub(super) const PAGE: Self = Self {
        gone: false,
        invisible: false,
        size: DEFAULT_SIZE,
        colour: Paint::Solid([0; 3]),
        coloured: false,
        background: Paint::Solid([255; 3]),
        backed: false,
        preformatted: false,
    };

    /// The look inside an element of that style.
    pub(super) fn inside(&self, style: &Style) -> Self {
        let mut look = *self;
        let positioned = style.positioned == Some(true);
        let flat = |size: Option<i64>| size.is_some_and(|size| size <= PIXEL);
        look.gone |= style.removed == Some(true)
            || style.clear == Some(true)
            || style.mso_hidden == Some(true)
            || style.shifted == Some(true)
            || (positioned && (style.offset == Some(true) || style.clipped == Some(true)))
            || (style.cut == Some(true) && (flat(style.width) || flat(style.height)));
        look.invisible = style.invisible.unwrap_or(look.invisible);
        look.preformatted = style.preformatted.unwrap_or(look.preformatted);
        if let Some(size) = style.size {
            look.size = match size {
                Length::Pixels(pixels) => pixels,
                Length::Share(share) => self.size.saturating_mul(share) / 1_000,
            }
            .clamp(0, MAX_SIZE);
        }
        if let Some(colour) = style.colour {
            look.colour = colour;
            look.coloured = true;
        }
        match style.background {
            Some(Paint::Transparent) | None => {}
            Some(paint) => {
                look.background = paint;
                look.backed = true;
            }
        }
        if style.picture == Some(true) {
            look.background = Paint::Unknown;
        }
        look
    }

    /// The look of what `hidden`, `<template>` and the like contain.
    pub(super) fn vanish(&mut self) {
        self.gone = true;
    }

    /// Nothing at all is seen of what has this look, pictures neither.
    pub(super) fn is_gone(&self) -> bool {
        self.gone || self.invisible
    }

    /// Links have a colour of their own, unless a style says otherwise.
    pub(super) fn as_link(&self) -> Self {
        Self {
            colour: Paint::Unknown,
            coloured: false,
            ..*self
        }
    }

    /// Whether text of this look can be read.
    pub(super) fn legibility(&self, colours: Colours) -> Legibility {
        let below = |pixels: u32| self.size <= i64::from(pixels) * PIXEL;
        let known = self.coloured && (self.backed || colours == Colours::Known);
        let contrast = match (self.colour, self.background) {
            (Paint::Transparent, _) => 0,
            (Paint::Solid(colour), Paint::Solid(background)) if known => {
                colour::distance(colour, background)
            }
            _ => u8::MAX,
        };
        Legibility {
            hidden: self.gone
                || self.invisible
                || below(HIDDEN_SIZE)
                || contrast <= HIDDEN_CONTRAST,
            tiny: !self.gone && self.size > 0 && below(TINY_SIZE),
            faint: !self.gone && contrast <= LOW_CONTRAST,
        }
    }
}
