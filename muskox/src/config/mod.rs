//! `muskox.toml`: what the server is told before it starts.
//!
//! Accounts, domains and rules are not here: they live in the database. Every key has a default
//! and a line in [`mod@reference`]; an unknown key is an error with file, line and a suggestion.
//! Start at [`Config::load`].

mod error;
mod model;
pub mod reference;

pub use error::ConfigError;
pub(crate) use error::nearest;
pub use model::{
    AntivirusConfig, Config, ControlConfig, DnsConfig, FilterConfig, ImapConfig, LogConfig,
    LogFormat, LogLevel, MetricsConfig, OnFailure, QueueConfig, SmtpConfig, StoreConfig, TlsConfig,
};

use std::path::{Path, PathBuf};

/// Where the configuration is looked for when neither `--config` nor `MUSKOX_CONFIG` names it.
pub const DEFAULT_PATH: &str = "/etc/muskox/muskox.toml";

impl Config {
    /// Reads and checks the file at `path`.
    ///
    /// # Errors
    /// The file cannot be read, is not TOML, has an unknown key or a value that makes no sense.
    #[expect(
        clippy::disallowed_methods,
        reason = "the configuration is read before any reactor"
    )]
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path).map_err(|source| ConfigError::Unreadable {
            path: path.to_owned(),
            source,
        })?;
        Self::parse(&text, path)
    }

    /// Parses `text`, which came from `path`.
    ///
    /// # Errors
    /// As [`Config::load`], but for reading.
    pub fn parse(text: &str, path: &Path) -> Result<Self, ConfigError> {
        let config: Self =
            toml::from_str(text).map_err(|error| ConfigError::syntax(&error, text, path))?;
        config.check(path)?;
        Ok(config)
    }

    /// The path to read: `--config`, else `MUSKOX_CONFIG`, else [`DEFAULT_PATH`].
    #[must_use]
    pub fn path(option: Option<PathBuf>) -> PathBuf {
        option
            .or_else(|| std::env::var_os("MUSKOX_CONFIG").map(PathBuf::from))
            .unwrap_or_else(|| PathBuf::from(DEFAULT_PATH))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Config, String> {
        Config::parse(text, Path::new("muskox.toml")).map_err(|error| error.to_string())
    }

    #[test]
    fn the_smallest_file_names_only_the_host() {
        let config = parse("hostname = \"mail.example.org\"").unwrap();
        assert_eq!(config.hostname.as_str(), "mail.example.org");
        assert_eq!(config.smtp.mx, ["[::]:25".parse().unwrap()]);
    }

    #[test]
    fn errors_say_where_and_what_to_do() {
        let table = [
            (
                "hostnam = \"a.test\"",
                "muskox.toml:1: unknown key `hostnam`; did you mean `hostname`?",
            ),
            (
                "hostname = \"a.test\"\n[smtp]\nmax_mesage_bytes = 1",
                "muskox.toml:3: unknown key `max_mesage_bytes`; did you mean `max_message_bytes`?",
            ),
            (
                "hostname = \"a.test\"\nzzz = 1",
                "muskox.toml:2: unknown key `zzz`",
            ),
            ("", "muskox.toml:1: missing key `hostname`"),
            ("hostname = \"mail..test\"", "muskox.toml:1: "),
            (
                "hostname = \"a.test\"\n[tls]\ncertificate = \"a\"",
                "muskox.toml: [tls] ",
            ),
            (
                "hostname = \"a.test\"\n[filter]\njunk_score = 9\nreject_score = 5",
                "muskox.toml: [filter] ",
            ),
            ("hostname = ", "muskox.toml:1: "),
            (
                "hostname = \"a\\tb\\u0007\"",
                "muskox.toml:1: `a\\tb\\u{7}` ",
            ),
            ("\"a\\nb\" = 1", "muskox.toml:1: unknown key `a\\nb`"),
        ];
        for (text, wanted) in table {
            let error = parse(text).unwrap_err();
            assert!(error.starts_with(wanted), "{text:?} gave {error:?}");
            assert!(!error.contains(char::is_control), "one line: {error:?}");
        }
    }
}
