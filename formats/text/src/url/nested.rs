//! URLs that URLs carry: what redirectors lead to.

use std::borrow::Cow;
use std::collections::VecDeque;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use super::Url;
use super::host::percent_decoded;

/// URLs inside a URL, and inside those, that are told.
pub const MAX_NESTED: usize = 8;
/// How often percent-encoding is undone.
const MAX_ROUNDS: usize = 3;

/// Whether a URL carries another.
pub(super) fn is_nested(url: &Url) -> bool {
    directly(url).next().is_some()
}

/// All URLs inside a URL, outer ones first.
pub(super) fn all(url: &Url) -> Vec<Url> {
    let mut found: Vec<Url> = Vec::new();
    let mut queue: VecDeque<Url> = directly(url).take(MAX_NESTED).collect();
    while let Some(mut next) = queue.pop_front() {
        let room = MAX_NESTED - found.len();
        let before = queue.len();
        queue.extend(directly(&next).take(room));
        next.flags.nested = queue.len() > before;
        found.push(next);
        if found.len() >= MAX_NESTED {
            break;
        }
    }
    found
}

fn directly(url: &Url) -> impl Iterator<Item = Url> {
    let path = std::iter::once(url.path.as_str()).filter(|_| url.host.is_some());
    let query = url.query.as_deref().unwrap_or_default();
    let query = query.split(['&', ';']);
    let fragment = url.fragment.as_deref().unwrap_or_default();
    let parts = path.chain(query).chain(std::iter::once(fragment));
    let encoded = parts.filter_map(inside);
    let proofpoint = url
        .domain()
        .filter(|host| host.starts_with("urldefense."))
        .and_then(|_| proofpoint(url.query.as_deref()?));
    let amp = url
        .domain()
        .filter(|host| host.contains("google.") || host.ends_with("cdn.ampproject.org"))
        .and_then(|_| amp(&url.path));
    encoded.chain(proofpoint).chain(amp)
}

/// The URL inside a path or a parameter, under up to [`MAX_ROUNDS`] of encoding.
fn inside(part: &str) -> Option<Url> {
    // Too short for `http://a.b`.
    if part.len() < 10 {
        return None;
    }
    let mut text = Cow::Borrowed(part);
    for _ in 0..=MAX_ROUNDS {
        if let Some(at) = start(&text) {
            let found = text.get(at..).unwrap_or_default();
            // Proofpoint, third form: `/v3/__https://example.com/path__;…`.
            let found = found.split("__;").next().unwrap_or(found);
            return Url::parse_alone(found).filter(|url| url.host.is_some());
        }
        if !text.contains('%') {
            break;
        }
        text = Cow::Owned(percent_decoded(&text).into_owned());
    }
    let value = part.split_once('=').map_or(part, |(_, value)| value);
    if let Some(rest) = value
        .strip_prefix("www.")
        .or_else(|| value.strip_prefix("//"))
    {
        return (!rest.is_empty()).then(|| Url::parse_alone(value))?;
    }
    base64_url(value)
}

/// Where `http://`, `https://` or either with a single slash starts.
fn start(text: &str) -> Option<usize> {
    let octets = text.as_bytes();
    memchr::memchr_iter(b':', octets).find_map(|colon| {
        let slash = matches!(octets.get(colon + 1), Some(b'/' | b'\\'));
        let before = text.get(..colon)?;
        let ends = |name: &str| {
            before.len().checked_sub(name.len()).filter(|&at| {
                before
                    .get(at..)
                    .is_some_and(|s| s.eq_ignore_ascii_case(name))
            })
        };
        ends("https").or_else(|| ends("http")).filter(|_| slash)
    })
}

/// A value in base64 that is a URL: its beginning gives it away.
fn base64_url(value: &str) -> Option<Url> {
    const TOLERANT: GeneralPurpose = GeneralPurpose::new(
        &alphabet::URL_SAFE,
        GeneralPurposeConfig::new()
            .with_decode_allow_trailing_bits(true)
            .with_decode_padding_mode(DecodePaddingMode::Indifferent),
    );
    if !value.starts_with("aHR0cDovL") && !value.starts_with("aHR0cHM6Ly") {
        return None;
    }
    let value = percent_decoded(value).replace('+', "-").replace('/', "_");
    let octets = TOLERANT.decode(value.trim_end_matches('=')).ok()?;
    Url::parse_alone(&String::from_utf8_lossy(&octets)).filter(|url| url.host.is_some())
}

/// Proofpoint's second form: `?u=https-3A__example.com_path`.
fn proofpoint(query: &str) -> Option<Url> {
    let value = query.split('&').find_map(|part| part.strip_prefix("u="))?;
    let plain = value.replace('-', "%").replace('_', "/");
    Url::parse_alone(&percent_decoded(&plain)).filter(|url| url.host.is_some())
}

/// Accelerated pages: `/amp/s/example.com/path`.
fn amp(path: &str) -> Option<Url> {
    let (_, rest) = path
        .split_once("/amp/s/")
        .or_else(|| path.split_once("/c/s/"))?;
    let mut url = Url::parse_alone(rest)?;
    "https".clone_into(&mut url.scheme);
    Some(url)
}
