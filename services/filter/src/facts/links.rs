//! Where a message leads: URLs of text, links, images, forms and names, each once.

use std::collections::{HashMap, HashSet};

use text::html::Page;
use text::url::{self, Found, Url};

use super::attached::Attached;
use super::body::Body;
use super::limits::MAX_URLS;
use super::people::{registrable, related};

/// All URLs of a message.
#[derive(Debug, Default)]
pub(crate) struct Links {
    /// As written, and normalised where that differs.
    pub(crate) urls: Vec<String>,
    pub(crate) hosts: Vec<String>,
    pub(crate) domains: Vec<String>,
    pub(crate) tlds: Vec<String>,
    pub(crate) paths: Vec<String>,
    /// What readers see of links.
    pub(crate) texts: Vec<String>,
    pub(crate) addresses: Vec<String>,
    pub(crate) parsed: Vec<Url>,
    /// Links of HTML parts.
    pub(crate) links: usize,
    pub(crate) images: usize,
    pub(crate) remote_images: usize,
    /// A link shows one domain and leads to another.
    pub(crate) mismatch: bool,
    /// A link shows https and leads to http.
    pub(crate) downgrade: bool,
    pub(crate) truncated: bool,
}

/// Keeps the order of first appearance.
#[derive(Default)]
struct Seen {
    /// By normal form: which of the parsed ones.
    numbers: HashMap<String, usize>,
    urls: HashSet<String>,
    hosts: HashSet<String>,
    domains: HashSet<String>,
    tlds: HashSet<String>,
}

fn once(seen: &mut HashSet<String>, list: &mut Vec<String>, item: &str) {
    if !item.is_empty() && !seen.contains(item) {
        seen.insert(item.to_owned());
        list.push(item.to_owned());
    }
}

impl Links {
    pub(crate) fn read(body: &Body, attached: &Attached) -> Self {
        let mut links = Self::default();
        let mut seen = Seen::default();
        for found in url::find(&body.text) {
            links.add(found.written, found.url, &mut seen);
        }
        for page in &body.pages {
            links.page(page, &mut seen);
        }
        for name in &attached.names {
            for found in url::find(name) {
                links.add(found.written, found.url, &mut seen);
            }
        }
        let mut addresses = HashSet::new();
        for address in url::addresses(&body.text).take(MAX_URLS) {
            once(&mut addresses, &mut links.addresses, &address.address);
        }
        links
    }

    fn page(&mut self, page: &Page, seen: &mut Seen) {
        self.links += page.links.len();
        self.images += page.images.len();
        for link in &page.links {
            let target = self.written(&link.href, seen);
            if !link.text.is_empty() {
                self.texts.push(link.text.clone());
            }
            if let Some(target) = target {
                self.compare(&link.text, target);
            }
        }
        for image in &page.images {
            if image.is_remote() {
                self.remote_images += 1;
                self.written(&image.src, seen);
            }
        }
        for resource in &page.resources {
            self.written(&resource.href, seen);
        }
    }

    /// Whether a link's text shows another place than it leads to. A name among other words, as in
    /// "Example.com: today's news", is no address.
    fn compare(&mut self, text: &str, target: usize) {
        let Some(target) = self.parsed.get(target) else {
            return;
        };
        let Some(shown) = url::find(text).next() else {
            return;
        };
        let (Some(host), Some(name)) = (target.domain(), shown.url.domain()) else {
            return;
        };
        self.mismatch |= is_address(&shown, text) && !related(name, host);
        self.downgrade |=
            !shown.url.flags.bare && shown.url.scheme == "https" && target.scheme == "http";
    }

    /// Takes in a URL as it is written; its index among the parsed ones.
    fn written(&mut self, written: &str, seen: &mut Seen) -> Option<usize> {
        self.add(written, Url::parse(written)?, seen)
    }

    fn add(&mut self, written: &str, parsed: Url, seen: &mut Seen) -> Option<usize> {
        if self.parsed.len() >= MAX_URLS {
            self.truncated = true;
            return None;
        }
        let normalised = parsed.normalised();
        if let Some(&number) = seen.numbers.get(&normalised) {
            return Some(number);
        }
        seen.numbers.insert(normalised.clone(), self.parsed.len());
        once(&mut seen.urls, &mut self.urls, written);
        once(&mut seen.urls, &mut self.urls, &normalised);
        self.place(&parsed, seen);
        for nested in parsed.nested() {
            once(&mut seen.urls, &mut self.urls, &nested.normalised());
            self.place(&nested, seen);
        }
        self.parsed.push(parsed);
        Some(self.parsed.len() - 1)
    }

    fn place(&mut self, parsed: &Url, seen: &mut Seen) {
        if let Some(host) = &parsed.host {
            once(&mut seen.hosts, &mut self.hosts, &host.to_string());
        }
        if let Some(name) = parsed.domain() {
            once(&mut seen.domains, &mut self.domains, registrable(name));
            let tld = name.rsplit('.').next().unwrap_or_default();
            once(&mut seen.tlds, &mut self.tlds, tld);
        }
        let path = parsed.path_and_more();
        if path.len() > 1 {
            self.paths.push(path);
        }
    }

    /// Whether any URL is like that.
    pub(crate) fn any(&self, is: impl Fn(&Url) -> bool) -> bool {
        self.parsed.iter().any(is)
    }
}

/// Whether readers take it for an address: it says `https:` or `www.`, or it is all there is.
fn is_address(shown: &Found<'_>, text: &str) -> bool {
    let www = |start: &str| start.eq_ignore_ascii_case("www.");
    !shown.url.flags.bare
        || shown.written.get(..4).is_some_and(www)
        || text.trim_matches(|c: char| !c.is_alphanumeric())
            == shown.written.trim_matches(|c: char| !c.is_alphanumeric())
}
