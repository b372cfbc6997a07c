//! Rate limits: so many messages in a time.

use std::fmt;
use std::num::NonZeroU32;
use std::str::FromStr;

/// So many messages in so many seconds. As JSON it is its text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RateLimit {
    /// Messages.
    pub messages: NonZeroU32,
    /// Seconds.
    pub seconds: NonZeroU32,
}

/// The text is not a rate limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a rate limit is written like 100 / 1h, with s, m, h or d")]
pub struct RateLimitError;

/// Seconds of a rate limit: a year.
const LONGEST: u32 = 366 * DAY;
const DAY: u32 = 86_400;
const UNITS: [(char, u32); 4] = [('d', DAY), ('h', 3_600), ('m', 60), ('s', 1)];

impl FromStr for RateLimit {
    type Err = RateLimitError;

    /// `N / s|m|h|d` or `N / Ks|m|h|d`: 100 / 1h, 5/m.
    fn from_str(text: &str) -> Result<Self, RateLimitError> {
        let number = |text: &str| {
            let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
            digits.then(|| text.parse::<NonZeroU32>().ok()).flatten()
        };
        let (messages, time) = text.split_once('/').ok_or(RateLimitError)?;
        let time = time.trim().to_ascii_lowercase();
        let unit = time.chars().next_back().ok_or(RateLimitError)?;
        let (_, seconds) = UNITS
            .into_iter()
            .find(|(letter, _)| *letter == unit)
            .ok_or(RateLimitError)?;
        let count = match time.strip_suffix(unit).map(str::trim_end) {
            None | Some("") => NonZeroU32::MIN,
            Some(count) => number(count).ok_or(RateLimitError)?,
        };
        let seconds = count
            .get()
            .checked_mul(seconds)
            .filter(|&seconds| seconds <= LONGEST)
            .and_then(NonZeroU32::new)
            .ok_or(RateLimitError)?;
        let messages = number(messages.trim()).ok_or(RateLimitError)?;
        Ok(Self { messages, seconds })
    }
}

/// In the largest unit that fits.
impl fmt::Display for RateLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.seconds.get();
        let fits = UNITS
            .into_iter()
            .find(|(_, unit)| seconds.is_multiple_of(*unit));
        let (letter, unit) = fits.unwrap_or(('s', 1));
        write!(f, "{} / {}{letter}", self.messages, seconds / unit)
    }
}

impl TryFrom<String> for RateLimit {
    type Error = RateLimitError;

    fn try_from(text: String) -> Result<Self, RateLimitError> {
        text.parse()
    }
}

impl From<RateLimit> for String {
    fn from(limit: RateLimit) -> Self {
        limit.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_read_and_printed() {
        for (written, printed) in [
            ("100 / h", "100 / 1h"),
            ("5/m", "5 / 1m"),
            ("10 / 30S", "10 / 30s"),
            ("1 / 120m", "1 / 2h"),
            ("7 / 24 h", "7 / 1d"),
            ("4294967295/366d", "4294967295 / 366d"),
        ] {
            let limit: RateLimit = written.parse().unwrap();
            assert_eq!(limit.to_string(), printed);
            assert_eq!(printed.parse(), Ok(limit));
        }
        for wrong in [
            "",
            "/",
            "100",
            "100 /",
            "/ h",
            "0 / h",
            "-1 / h",
            "+1 / h",
            "1 / 0h",
            "1 / w",
            "1 / 367d",
            "1 / 9999999999d",
            "1 / h / h",
            "99999999999 / h",
            "1 / 1.5h",
            "1 / é",
        ] {
            assert_eq!(wrong.parse::<RateLimit>(), Err(RateLimitError), "{wrong}");
        }
    }
}
