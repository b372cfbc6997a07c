//! URLs and e-mail addresses: found in text, taken apart as leniently as browsers do.
//!
//! [`find`] finds URLs in plain text, with a scheme or without, de-fanged ones too; [`addresses`]
//! finds e-mail addresses. [`Url::parse`] takes apart what a page or a text names as a URL: the
//! rules are those of the WHATWG URL standard, because that is what a click does, and where a
//! browser would give up (a port that is no number) the host still counts. Hosts come out as
//! A-labels in lower case, addresses in their usual form.
//!
//! RFC 3986 (URIs), RFC 6068 (`mailto:`), UTS 46 by the crate `idna`, the public suffix list by the
//! crate `psl`.

mod address;
mod find;
mod host;
mod nested;
mod suffix;

use std::fmt::{self, Write as _};

pub use address::{Mailbox, addresses};
pub use find::{Found, find};
pub use host::{Host, MAX_HOST};
pub use nested::MAX_NESTED;
pub use suffix::{is_known_suffix, registrable, tld};

/// Octets of a URL that are read; the rest is cut off.
pub const MAX_URL_LENGTH: usize = 4_096;
/// URLs, and e-mail addresses, that are found in one text.
pub const MAX_URLS: usize = 2_000;

/// Schemes that have a host and take backslashes for slashes, with their ports.
const SPECIAL: [(&str, u16); 6] = [
    ("http", 80),
    ("https", 443),
    ("ftp", 21),
    ("ftps", 990),
    ("ws", 80),
    ("wss", 443),
];
/// How people write `http` so that it is not clicked.
const DEFANGED: [(&str, &str); 6] = [
    ("hxxp", "http"),
    ("hxxps", "https"),
    ("hxtp", "http"),
    ("htxp", "http"),
    ("h**p", "http"),
    ("h**ps", "https"),
];
/// Schemes without a host that are known in mail.
const OPAQUE: [&str; 24] = [
    "about",
    "bitcoin",
    "blob",
    "callto",
    "cid",
    "data",
    "ethereum",
    "file",
    "geo",
    "intent",
    "javascript",
    "magnet",
    "mailto",
    "market",
    "mid",
    "news",
    "sip",
    "skype",
    "sms",
    "tel",
    "tg",
    "vbscript",
    "whatsapp",
    "xmpp",
];

/// A URL, taken apart.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Url {
    /// Its scheme in lower case, without the colon; `http` if it had none.
    pub scheme: String,
    /// What stands before the `@` of its authority, password included; not empty.
    pub user: Option<String>,
    /// Its host. Schemes such as `mailto:` have none.
    pub host: Option<Host>,
    /// Its port, if it is not that of its scheme.
    pub port: Option<u16>,
    /// Its path; without a host, all that follows the scheme. Percent signs stand only before two
    /// digits, and only what has to be escaped is.
    pub path: String,
    /// What follows `?`.
    pub query: Option<String>,
    /// What follows `#`.
    pub fragment: Option<String>,
    /// What is odd about it.
    pub flags: Flags,
}

/// What is odd about a URL.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Flags {
    /// It was written without a scheme.
    pub bare: bool,
    /// It was de-fanged: `hxxp`, `example[.]com`.
    pub defanged: bool,
    /// Its host is an IPv4 address in octal, hexadecimal, with fewer than four numbers.
    pub obfuscated_ip: bool,
    /// Its host was escaped with percent signs, or had invisible characters or full-width forms.
    pub obfuscated_host: bool,
    /// Its host has a label in punycode, as written or made from what was written.
    pub punycode: bool,
    /// A label of its host mixes scripts, or is of letters that look like Latin ones.
    pub homograph: bool,
    /// It carries another URL: see [`Url::nested`].
    pub nested: bool,
}

impl Url {
    /// Takes a URL apart. `None` if it is none: no known scheme and no host that could be one, or a
    /// host that cannot be.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut url = Self::parse_alone(text)?;
        url.flags.nested = nested::is_nested(&url);
        Some(url)
    }

    /// The URLs in its path, query and fragment, plain, percent-encoded or as known redirectors
    /// encode them; URLs within those too. At most [`MAX_NESTED`].
    #[must_use]
    pub fn nested(&self) -> Vec<Self> {
        nested::all(self)
    }

    /// The name of its host, if that is no address.
    #[must_use]
    pub fn domain(&self) -> Option<&str> {
        match &self.host {
            Some(Host::Domain(name)) => Some(name),
            _ => None,
        }
    }

    /// Path, query and fragment.
    #[must_use]
    pub fn path_and_more(&self) -> String {
        let mut out = self.path.clone();
        self.append_more(&mut out);
        out
    }

    /// The URL in its usual form: parsing it again yields the same, if it is not longer than
    /// [`MAX_URL_LENGTH`].
    #[must_use]
    pub fn normalised(&self) -> String {
        let mut out = String::with_capacity(self.path.len() + 64);
        out.push_str(&self.scheme);
        out.push(':');
        if let Some(host) = &self.host {
            out.push_str("//");
            if let Some(user) = &self.user {
                out.push_str(user);
                out.push('@');
            }
            let _ = write!(out, "{host}");
            if let Some(port) = self.port {
                let _ = write!(out, ":{port}");
            }
        }
        out.push_str(&self.path);
        self.append_more(&mut out);
        out
    }

    fn append_more(&self, out: &mut String) {
        for (mark, part) in [('?', &self.query), ('#', &self.fragment)] {
            if let Some(part) = part {
                out.push(mark);
                out.push_str(part);
            }
        }
    }

    /// [`Url::parse`], without looking for URLs inside.
    fn parse_alone(text: &str) -> Option<Self> {
        let text = tidy(text);
        let mut flags = Flags::default();
        let (scheme, rest) = split_scheme(&text, &mut flags)?;
        if OPAQUE.contains(&scheme.as_str()) {
            return Some(Self {
                scheme,
                user: None,
                host: None,
                port: None,
                path: rest.to_owned(),
                query: None,
                fragment: None,
                flags,
            });
        }
        let rest = rest.trim_start_matches(['/', '\\']);
        let end = rest.find(['/', '\\', '?', '#']).unwrap_or(rest.len());
        let (authority, rest) = rest.split_at_checked(end)?;
        let (user, authority) = match authority.rsplit_once('@') {
            Some((user, authority)) => (Some(escape(user)), authority),
            None => (None, authority),
        };
        let (host, port) = split_port(authority);
        let host = host::parse(host, &mut flags)?;
        if flags.bare && !is_plausible(&host) {
            return None;
        }
        let default = SPECIAL.iter().find(|(name, _)| *name == scheme);
        let port = port.filter(|&port| default.is_none_or(|(_, usual)| *usual != port));
        let (rest, fragment) = split_part(rest, '#');
        let (path, query) = split_part(rest, '?');
        Some(Self {
            scheme,
            user: user.filter(|user| !user.is_empty()),
            host: Some(host),
            port,
            path: flatten(&escape(&path.replace('\\', "/"))),
            query: query.map(escape),
            fragment: fragment.map(escape),
            flags,
        })
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.normalised())
    }
}

/// Cuts, and takes away what browsers do: control characters, and blanks at the ends.
fn tidy(text: &str) -> String {
    let text = text.trim_matches(|c: char| c <= ' ' || c.is_control());
    let text = text
        .get(..text.floor_char_boundary(MAX_URL_LENGTH))
        .unwrap_or(text);
    let mut text = text.to_owned();
    text.retain(|c| !c.is_control());
    text.truncate(text.trim_end_matches(' ').len());
    text
}

/// The scheme and what follows its colon. A text without one is taken for `http://`.
fn split_scheme<'t>(text: &'t str, flags: &mut Flags) -> Option<(String, &'t str)> {
    let end = text.find([':', '/', '\\', '?', '#', '@', '.', '%']);
    if let Some(end) = end
        && let Some((name, rest)) = text.split_at_checked(end)
        && let Some(rest) = rest.strip_prefix(':')
        && !name.is_empty()
    {
        let (name, rest) = match (name.strip_suffix('['), rest.strip_prefix(']')) {
            (Some(name), Some(rest)) => {
                flags.defanged = true;
                (name, rest)
            }
            _ => (name, rest),
        };
        let name = name.trim_end().to_ascii_lowercase();
        if let Some((_, meant)) = DEFANGED.iter().find(|(written, _)| *written == name) {
            flags.defanged = true;
            return Some(((*meant).to_owned(), rest));
        }
        let known = SPECIAL.iter().any(|(special, _)| *special == name);
        if known || OPAQUE.contains(&name.as_str()) {
            return Some((name, rest));
        }
        let sound = name.starts_with(|c: char| c.is_ascii_lowercase())
            && name
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-'));
        return (sound && rest.starts_with("//")).then_some((name, rest));
    }
    flags.bare = !text.starts_with("//") && !text.starts_with("\\\\");
    Some(("http".to_owned(), text))
}

/// Host and port. A port that is none is left out.
fn split_port(authority: &str) -> (&str, Option<u16>) {
    if authority.starts_with('[')
        && let Some(end) = authority.find(']')
        && let Some((host, rest)) = authority.split_at_checked(end + 1)
        && (rest.is_empty() || rest.starts_with(':'))
    {
        return (
            host,
            rest.strip_prefix(':').and_then(|port| port.parse().ok()),
        );
    }
    match authority.rsplit_once(':') {
        Some((host, port)) => (host, port.parse().ok()),
        None => (authority, None),
    }
}

/// Whether a host without a scheme before it is likely to be meant as one.
fn is_plausible(host: &Host) -> bool {
    match host {
        Host::Domain(name) => {
            is_known_suffix(name) || (name.starts_with("www.") && name.matches('.').count() >= 2)
        }
        _ => true,
    }
}

fn split_part(text: &str, mark: char) -> (&str, Option<&str>) {
    match text.split_once(mark) {
        Some((before, after)) => (before, Some(after)),
        None => (text, None),
    }
}

/// Escapes what has to be, and nothing else: blanks and stray percent signs are, letters, digits
/// and `-._~` are not. Escapes come out in capitals.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find([' ', '%']) {
        let (before, after) = rest.split_at_checked(at).unwrap_or((rest, ""));
        out.push_str(before);
        rest = after.get(1..).unwrap_or_default();
        if after.starts_with(' ') {
            out.push_str("%20");
            continue;
        }
        let Some(octet) = host::escaped(rest) else {
            out.push_str("%25");
            continue;
        };
        rest = rest.get(2..).unwrap_or_default();
        let plain = char::from(octet);
        if octet.is_ascii_alphanumeric() || "-._~".contains(plain) {
            out.push(plain);
        } else {
            let _ = write!(out, "%{octet:02X}");
        }
    }
    out.push_str(rest);
    out
}

/// A path without `.` and `..`; it starts with a slash.
fn flatten(path: &str) -> String {
    if !path.contains("/.") {
        return if path.is_empty() {
            "/".to_owned()
        } else {
            path.to_owned()
        };
    }
    let mut out = String::with_capacity(path.len());
    let mut parts = path.split('/').skip(1).peekable();
    while let Some(part) = parts.next() {
        let last = parts.peek().is_none();
        match part {
            "." | ".." => {
                if part == ".." {
                    out.truncate(out.rfind('/').unwrap_or(0));
                }
                if last {
                    out.push('/');
                }
            }
            _ => {
                out.push('/');
                out.push_str(part);
            }
        }
    }
    out
}

#[cfg(test)]
mod tests;
