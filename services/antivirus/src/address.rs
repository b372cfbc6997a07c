//! Where clamd listens.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

/// The address of a ClamAV daemon.
///
/// Written as an absolute path (`/run/clamav/clamd.ctl`, also with `unix:` in front) or as host and
/// port (`127.0.0.1:3310`, `[::1]:3310`, `clamd.example:3310`, also with `tcp:` in front).
#[derive(Debug, Clone, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Address {
    /// A Unix socket by its absolute path.
    Unix(PathBuf),
    /// Host and port.
    Tcp(String),
}

/// A text is no address of a daemon.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is neither an absolute path nor host:port")]
pub struct AddressError(String);

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let refuse = || AddressError(text.chars().take(100).collect());
        let path = text.strip_prefix("unix:").unwrap_or(text);
        if path.starts_with('/') && path.len() > 1 && !path.contains('\0') {
            return Ok(Self::Unix(PathBuf::from(path)));
        }
        let place = text.strip_prefix("tcp:").unwrap_or(text);
        let (host, port) = place.rsplit_once(':').ok_or_else(refuse)?;
        let bracketed = host.starts_with('[') && host.ends_with(']');
        let bare = !host.is_empty() && !host.contains([':', '/', ' ', '[', ']']);
        match port.parse::<u16>() {
            Ok(1..) if bare || bracketed => Ok(Self::Tcp(place.to_owned())),
            _ => Err(refuse()),
        }
    }
}

impl TryFrom<String> for Address {
    type Error = AddressError;

    fn try_from(text: String) -> Result<Self, AddressError> {
        text.parse()
    }
}

impl From<Address> for String {
    fn from(address: Address) -> Self {
        address.to_string()
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => write!(f, "{}", path.display()),
            // A host may be called like the scheme.
            Self::Tcp(place) if place.starts_with("tcp:") => write!(f, "tcp:{place}"),
            Self::Tcp(place) => f.write_str(place),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        let unix = |path: &str| Ok(Address::Unix(PathBuf::from(path)));
        let tcp = |place: &str| Ok(Address::Tcp(place.to_owned()));
        assert_eq!("/run/clamd.ctl".parse(), unix("/run/clamd.ctl"));
        assert_eq!("unix:/run/clamd.ctl".parse(), unix("/run/clamd.ctl"));
        assert_eq!("127.0.0.1:3310".parse(), tcp("127.0.0.1:3310"));
        assert_eq!("tcp:[::1]:3310".parse(), tcp("[::1]:3310"));
        assert_eq!("clamd.test:3310".parse(), tcp("clamd.test:3310"));
        let named_tcp: Address = "tcp:tcp:3310".parse().unwrap();
        assert_eq!(named_tcp.to_string().parse(), Ok(named_tcp));
        for wrong in [
            "",
            "/",
            "clamd",
            "host:",
            ":3310",
            "host:0",
            "host:65536",
            "::1:3310",
            "a b:1",
        ] {
            assert!(wrong.parse::<Address>().is_err(), "{wrong:?}");
        }
    }
}
