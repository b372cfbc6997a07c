//! Where `tracing` events go: standard error, as text or as JSON lines.

use std::io::IsTerminal as _;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::time::FormatTime;

use crate::config::{LogConfig, LogFormat, LogLevel};

/// Starts logging for the life of the process; the first call wins.
///
/// Text from strangers is escaped: values are recorded with `Debug`, and the JSON writer escapes
/// what JSON asks for.
pub(crate) fn start(config: &LogConfig) {
    let level = match config.level {
        LogLevel::Error => "error",
        LogLevel::Warn => "warn",
        LogLevel::Info => "info",
        LogLevel::Debug => "debug",
        LogLevel::Trace => "trace",
    };
    let filter = EnvFilter::try_from_env("MUSKOX_LOG").unwrap_or_else(|_| {
        EnvFilter::new(format!(
            "{level},hickory_proto=off,hickory_resolver=off,mail_auth=off,rustls=off"
        ))
    });
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal());
    // A second start (tests, the demo's check) keeps the first one's settings.
    let _ = match config.format {
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
        LogFormat::Text if under_systemd() => builder.without_time().try_init(),
        LogFormat::Text => builder.with_timer(Seconds).try_init(),
    };
}

/// Whether the journal reads standard error: it adds the time itself.
fn under_systemd() -> bool {
    std::env::var_os("JOURNAL_STREAM").is_some()
}

/// `2026-11-23T23:43:52Z`: one time format in every line.
struct Seconds;

impl FormatTime for Seconds {
    fn format_time(
        &self,
        writer: &mut tracing_subscriber::fmt::format::Writer<'_>,
    ) -> std::fmt::Result {
        let now = ambient::Clock::now(&ambient::SystemClock);
        match jiff::Timestamp::from_second(now.0) {
            Ok(now) => write!(writer, "{now}"),
            Err(_) => write!(writer, "{now}"),
        }
    }
}
