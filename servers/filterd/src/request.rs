//! From an HTTP request's fields to what the filter is asked.

use std::io::Read as _;

use axum::http::HeaderMap;
use bytes::Bytes;

use crate::judge::CheckRequest;

/// Recipients of one request.
const RECIPIENTS_MAX: usize = 1_000;

/// Why a request cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadRequest {
    /// Nothing to check.
    #[error("the message is empty")]
    Empty,
    /// Only a path, or a name in shared memory.
    #[error("messages by file name or shared memory are not supported; send the message")]
    ByName,
    /// Other than zstd, or with a dictionary.
    #[error("this compression is not supported; zstd without a dictionary is")]
    Compression,
    /// Not what the compression writes.
    #[error("the message does not decompress")]
    Broken,
    /// More octets than the limit.
    #[error("the message is too large")]
    TooLarge,
    /// The client fell silent.
    #[error("the message did not come in time")]
    Slow,
}

/// The fields of Rspamd's protocol, about the message `message`.
pub fn check(headers: &HeaderMap, message: Bytes) -> CheckRequest {
    let recipients = headers.get_all("rcpt").iter().flat_map(|value| {
        // Several may stand in one field.
        let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
        let each: Vec<String> = value.split(',').map(|path| bare(path).to_owned()).collect();
        each
    });
    CheckRequest {
        message,
        client: value(headers, "ip").and_then(|ip| {
            let ip = ip.trim_start_matches('[').trim_end_matches(']');
            ip.strip_prefix("IPv6:").unwrap_or(ip).parse().ok()
        }),
        helo: value(headers, "helo"),
        hostname: value(headers, "hostname").filter(|name| known(name)),
        sender: value(headers, "from").map(|path| bare(&path).to_owned()),
        recipients: recipients
            .filter(|path| !path.is_empty())
            .take(RECIPIENTS_MAX)
            .collect(),
        user: value(headers, "user").filter(|user| known(user)),
        queue_id: value(headers, "queue-id").filter(|id| known(id)),
        deliver_to: value(headers, "deliver-to").map(|path| bare(&path).to_owned()),
        pass_all: value(headers, "pass").is_some_and(|pass| pass.eq_ignore_ascii_case("all")),
        cut: false,
    }
}

fn value(headers: &HeaderMap, name: &str) -> Option<String> {
    let value = headers.get(name)?;
    Some(String::from_utf8_lossy(value.as_bytes()).trim().to_owned())
}

/// Whether something was said at all: mail servers write `unknown` for nothing.
fn known(text: &str) -> bool {
    !text.is_empty() && !text.eq_ignore_ascii_case("unknown")
}

/// The address without its angle brackets.
fn bare(path: &str) -> &str {
    let path = path.trim();
    path.strip_prefix('<')
        .and_then(|path| path.strip_suffix('>'))
        .unwrap_or(path)
}

/// How the body of a request is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// The message as it is.
    Plain,
    /// One or more zstd frames.
    Zstd,
}

/// What the fields say about the body.
///
/// # Errors
///
/// When the body is not the message, or is compressed with something else.
pub fn encoding(headers: &HeaderMap) -> Result<Encoding, BadRequest> {
    if headers.contains_key("shm") || headers.contains_key("file") || headers.contains_key("path") {
        return Err(BadRequest::ByName);
    }
    if headers.contains_key("dictionary") {
        return Err(BadRequest::Compression);
    }
    let named = |name| value(headers, name).map(|value| value.to_ascii_lowercase());
    let compression = named("compression").or_else(|| named("content-encoding"));
    match compression.as_deref() {
        None | Some("" | "identity") => Ok(Encoding::Plain),
        Some("zstd") => Ok(Encoding::Zstd),
        Some(_) => Err(BadRequest::Compression),
    }
}

/// The message itself, at most `limit` octets of it. Blocks.
///
/// # Errors
///
/// When `body` is not zstd, or holds more than `limit` octets.
pub fn decompress(body: &[u8], limit: usize) -> Result<Bytes, BadRequest> {
    let decoder = zstd::stream::read::Decoder::new(body).map_err(|_| BadRequest::Broken)?;
    let mut message = Vec::new();
    let most = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    decoder
        .take(most)
        .read_to_end(&mut message)
        .map_err(|_| BadRequest::Broken)?;
    if message.len() > limit {
        return Err(BadRequest::TooLarge);
    }
    Ok(message.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(fields: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for &(name, value) in fields {
            headers.append(name, value.parse().unwrap());
        }
        headers
    }

    #[test]
    fn fields_become_the_request() {
        let fields = headers(&[
            ("ip", "2001:db8::1"),
            ("helo", "helo.test"),
            ("hostname", "unknown"),
            ("from", "<a@b.test>"),
            ("rcpt", "<c@d.test>"),
            ("rcpt", "e@f.test, g@h.test"),
            ("user", "alice"),
            ("queue-id", "4F2A"),
            ("deliver-to", "c@d.test"),
            ("pass", "all"),
        ]);
        let request = check(&fields, Bytes::from_static(b"x"));
        assert_eq!(request.client, Some("2001:db8::1".parse().unwrap()));
        assert_eq!(
            (request.helo.as_deref(), request.hostname),
            (Some("helo.test"), None)
        );
        assert_eq!(request.sender.as_deref(), Some("a@b.test"));
        assert_eq!(request.recipients, ["c@d.test", "e@f.test", "g@h.test"]);
        assert_eq!(
            (request.user.as_deref(), request.queue_id.as_deref()),
            (Some("alice"), Some("4F2A"))
        );
        assert!(request.pass_all);
        let request = check(
            &headers(&[("from", "<>"), ("ip", "nonsense")]),
            Bytes::new(),
        );
        assert_eq!(
            (request.sender.as_deref(), request.client),
            (Some(""), None)
        );
    }

    #[test]
    fn compression_is_zstd_or_refused() {
        let zstd = headers(&[("compression", "ZSTD")]);
        assert_eq!(encoding(&zstd), Ok(Encoding::Zstd));
        assert_eq!(encoding(&headers(&[])), Ok(Encoding::Plain));
        let gzip = headers(&[("content-encoding", "gzip")]);
        assert_eq!(encoding(&gzip), Err(BadRequest::Compression));
        assert_eq!(encoding(&headers(&[("shm", "x")])), Err(BadRequest::ByName));
        let packed = zstd::stream::encode_all([b'x'; 1_000].as_slice(), 1).unwrap();
        assert_eq!(decompress(&packed, 1_000).unwrap().len(), 1_000);
        assert_eq!(decompress(&packed, 999), Err(BadRequest::TooLarge));
        assert_eq!(decompress(b"nonsense", 999), Err(BadRequest::Broken));
    }
}
