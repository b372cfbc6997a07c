//! Dates of messages: read leniently, written strictly.
//!
//! Reading takes words in any order that still makes sense, so that RFC 5322, its obsolete forms
//! and the `asctime` style of old mailers are all understood. A leap second reads as the second
//! before it. No clock and no time zone database: a date without a zone is UTC.
//!
//! RFC 5322 §3.3, §4.3; RFC 9051 §9 `date-time`.

use jiff::Timestamp;
use jiff::civil::{Date, DateTime, Time, date};
use jiff::tz::Offset;

/// Octets of a date that are looked at.
const MAX_DATE: usize = 256;

const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

const WEEKDAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];

/// RFC 5322 §4.3 `obs-zone`: hours east of UTC.
const ZONES: [(&str, i32); 12] = [
    ("GMT", 0),
    ("UTC", 0),
    ("UT", 0),
    ("Z", 0),
    ("EST", -5),
    ("EDT", -4),
    ("CST", -6),
    ("CDT", -5),
    ("MST", -7),
    ("MDT", -6),
    ("PST", -8),
    ("PDT", -7),
];

/// A moment with the offset its writer lived by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// Seconds since 1970 UTC.
    pub seconds: i64,
    /// Seconds east of UTC, within a day.
    pub offset: i32,
}

impl Moment {
    /// Days since 1970-01-01 on the writer's calendar.
    ///
    /// RFC 9051 §6.4.4: SENTBEFORE, SENTON and SENTSINCE disregard the time zone.
    #[must_use]
    pub fn day(self) -> i64 {
        (self.seconds + i64::from(self.offset)).div_euclid(86_400)
    }
}

/// Reads a `Date` value as seconds since 1970 UTC.
#[must_use]
pub fn parse(value: &[u8]) -> Option<i64> {
    parse_moment(value).map(|moment| moment.seconds)
}

/// Reads a `Date` value: day, month, year and time must be there, the rest may be missing.
#[must_use]
pub fn parse_moment(value: &[u8]) -> Option<Moment> {
    let mut found = Found::default();
    let mut comment = 0_usize;
    let value = value.get(..MAX_DATE).unwrap_or(value);
    let separates = |b: &u8| b.is_ascii_whitespace() || matches!(b, b',' | b'(' | b')' | 0);
    let mut rest = value;
    while !rest.is_empty() {
        let end = rest.iter().position(separates).unwrap_or(rest.len());
        let (word, tail) = rest.split_at_checked(end)?;
        if comment == 0 && !word.is_empty() {
            found.take(word);
        }
        match tail.first() {
            Some(b'(') => comment += 1,
            Some(b')') => comment = comment.saturating_sub(1),
            _ => {}
        }
        rest = tail.get(1..).unwrap_or_default();
    }
    found.finish()
}

/// Writes a `Date` value in UTC: `Thu, 01 Jan 1970 00:00:00 +0000`.
///
/// Seconds beyond the years 0 to 9999 are clamped.
#[must_use]
pub fn format(seconds: i64) -> String {
    let at = utc(seconds);
    let weekday = name(&WEEKDAYS, at.weekday().to_monday_zero_offset());
    let month = name(&MONTHS, at.month() - 1);
    let (day, year) = (at.day(), at.year());
    format!("{weekday}, {day:02} {month} {year:04} {} +0000", at.time())
}

/// Writes an IMAP `date-time` without its quotes, in UTC: `17-Jul-1996 09:44:25 +0000`.
///
/// RFC 9051 §9 `date-time = DQUOTE date-day-fixed "-" date-month "-" date-year SP time SP zone
/// DQUOTE`, the day padded with a space.
#[must_use]
pub fn format_internal(seconds: i64) -> String {
    let at = utc(seconds);
    let month = name(&MONTHS, at.month() - 1);
    let (day, year) = (at.day(), at.year());
    format!("{day:2}-{month}-{year:04} {} +0000", at.time())
}

/// Reads an IMAP `date-time` without its quotes, strictly, as seconds since 1970 UTC.
#[must_use]
pub fn parse_internal(value: &[u8]) -> Option<i64> {
    let text = std::str::from_utf8(value).ok()?;
    let (day, rest) = text.split_at_checked(2)?;
    let day = digits(day.strip_prefix(' ').unwrap_or(day))?;
    let rest = rest.strip_prefix('-')?;
    let (month, rest) = rest.split_once('-')?;
    let (year, rest) = rest.split_once(' ')?;
    let (time, zone) = rest.split_once(' ')?;
    if year.len() != 4 || time.len() != 8 || zone.len() != 5 || month.len() != 3 {
        return None;
    }
    let mut found = Found {
        day: Some(day),
        month: month_of(month),
        ..Found::default()
    };
    found.year = Some(digits(year)?);
    found.time = clock(time.as_bytes());
    found.offset = Some(numeric_zone(zone.as_bytes())?);
    found.finish().map(|moment| moment.seconds)
}

/// The parts of a date met so far.
#[derive(Default)]
struct Found {
    day: Option<u16>,
    month: Option<i8>,
    year: Option<u16>,
    time: Option<(i8, i8, i8)>,
    offset: Option<i32>,
}

impl Found {
    fn take(&mut self, word: &[u8]) {
        let Some(first) = word.first() else { return };
        if self.time.is_none() && word.contains(&b':') {
            self.time = clock(word);
        } else if matches!(first, b'+' | b'-') {
            self.offset = self.offset.or_else(|| numeric_zone(word));
        } else if first.is_ascii_digit() {
            self.take_number(word);
        } else if let Ok(word) = std::str::from_utf8(word) {
            match month_of(word) {
                Some(month) if self.month.is_none() => self.month = Some(month),
                _ if self.offset.is_none() => self.offset = named_zone(word),
                _ => {}
            }
        }
    }

    /// A day comes before a year unless it cannot be one; `17-Jul-1996` is three words in one.
    fn take_number(&mut self, word: &[u8]) {
        let mut pieces = word
            .split(|&b| b == b'-')
            .map(|piece| std::str::from_utf8(piece).ok());
        let Some(number) = pieces.next().flatten() else {
            return;
        };
        let Some(value) = digits(number) else { return };
        if self.day.is_none() && number.len() <= 2 {
            self.day = Some(value);
        } else if self.year.is_none() {
            self.year = full_year(value, number.len());
        }
        for piece in pieces.flatten() {
            match digits(piece) {
                Some(value) if self.year.is_none() => self.year = full_year(value, piece.len()),
                None if self.month.is_none() => self.month = month_of(piece),
                _ => {}
            }
        }
    }

    fn finish(self) -> Option<Moment> {
        let (hour, minute, second) = self.time?;
        let day = i8::try_from(self.day?).ok()?;
        let year = i16::try_from(self.year?).ok()?;
        let (month, offset) = (self.month?, self.offset.unwrap_or(0));
        let time = Time::new(hour, minute, second.min(59), 0).ok()?;
        let local = Date::new(year, month, day).ok()?.to_datetime(time);
        let seconds = Offset::UTC.to_timestamp(local).ok()?.as_second();
        Some(Moment {
            seconds: seconds - i64::from(offset),
            offset,
        })
    }
}

/// RFC 5322 §4.3: two digits up to 49 mean 20xx, others and three digits count from 1900.
fn full_year(value: u16, digits: usize) -> Option<u16> {
    match digits {
        1 | 2 if value < 50 => Some(value + 2000),
        1..=3 => Some(value + 1900),
        4 => Some(value),
        _ => None,
    }
}

/// `hour ":" minute [":" second]`; fractions of a second are dropped.
fn clock(word: &[u8]) -> Option<(i8, i8, i8)> {
    let text = std::str::from_utf8(word).ok()?;
    let mut pieces = text.split(':');
    let mut next = || {
        pieces
            .next()
            .map(|piece| digits(piece.split('.').next().unwrap_or_default()))
    };
    let (hour, minute) = (next()??, next()??);
    let second = next().unwrap_or(Some(0))?;
    (hour < 24 && minute < 60 && second <= 60).then_some(())?;
    Some((
        i8::try_from(hour).ok()?,
        i8::try_from(minute).ok()?,
        i8::try_from(second).ok()?,
    ))
}

/// RFC 5322 §3.3 `zone = ("+" / "-") 4DIGIT`, a colon allowed between; in seconds east of UTC.
fn numeric_zone(word: &[u8]) -> Option<i32> {
    let (sign, rest) = match word.split_first()? {
        (b'+', rest) => (1, rest),
        (b'-', rest) => (-1, rest),
        _ => return None,
    };
    let number: Vec<u8> = rest
        .iter()
        .copied()
        .filter(|&b| b != b':')
        .take(5)
        .collect();
    let value = i32::from(digits(std::str::from_utf8(&number).ok()?)?);
    let (hours, minutes) = (value / 100, value % 100);
    (number.len() == 4 && hours < 24 && minutes < 60)
        .then_some(sign * (hours * 3600 + minutes * 60))
}

/// A zone by name; unknown and military ones (RFC 5322 §4.3) are none, which is UTC.
fn named_zone(word: &str) -> Option<i32> {
    let (_, hours) = ZONES
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case(word))?;
    Some(hours * 3600)
}

/// The month whose English name starts the word.
fn month_of(word: &str) -> Option<i8> {
    let short = word.get(..3)?;
    let at = MONTHS
        .iter()
        .position(|month| month.eq_ignore_ascii_case(short))?;
    i8::try_from(at + 1).ok()
}

/// A number of one to five digits and nothing else.
fn digits(text: &str) -> Option<u16> {
    (text.len() <= 5 && text.bytes().all(|b| b.is_ascii_digit())).then(|| text.parse().ok())?
}

fn utc(seconds: i64) -> DateTime {
    let lowest = date(0, 1, 1).at(0, 0, 0, 0);
    let at = Timestamp::from_second(seconds).unwrap_or(match seconds < 0 {
        true => Timestamp::MIN,
        false => Timestamp::MAX,
    });
    let at = Timestamp::from_second(at.as_second()).unwrap_or_default();
    Offset::UTC.to_datetime(at).max(lowest)
}

fn name(names: &[&'static str], at: i8) -> &'static str {
    usize::try_from(at)
        .ok()
        .and_then(|at| names.get(at))
        .copied()
        .unwrap_or("Jan")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn reads_what_mailers_write() {
        for (value, want) in [
            ("Thu, 01 Jan 1970 00:00:00 +0000", Some(0)),
            ("Thu, 1 Jan 1970 01:00:00 +0100 (CET)", Some(0)),
            (" 1 Jan 70 00:00 GMT", Some(0)),
            ("1 Jan 1970 00:00:01", Some(1)),
            ("Wed, 31 Dec 1969 19:00:00 EST", Some(0)),
            ("Thu Jan  1 00:00:00 1970", Some(0)),
            ("Thu Jan  1 00:00:00 UTC 1970", Some(0)),
            ("1-Jan-1970 00:00:00 +0000", Some(0)),
            ("1-Jan-70 00:00:00.123 +00:00", Some(0)),
            ("Thursday, January 1, 1970 00:00:05 -0000", Some(5)),
            ("Sat, 31 Dec 2016 23:59:60 +0000", Some(1_483_228_799)),
            ("Fri, 30 Feb 2024 00:00:00 +0000", None),
            ("Fri, 1 Feb 2024 24:00:00 +0000", None),
            ("Fri, 1 Feb 2024", None),
            ("1 Jan 99999 00:00:00 +0000", None),
            ("", None),
            ("((((((((", None),
            ("\u{e9} 1 Jan 1970 00:00:00 \u{ff}\u{ff}", Some(0)),
        ] {
            assert_eq!(parse(value.as_bytes()), want, "{value:?}");
        }
    }

    #[test]
    fn day_is_the_writers() {
        let late = parse_moment(b"Thu, 1 Jan 1970 23:30:00 -0500").unwrap();
        assert_eq!((late.day(), late.seconds), (0, 102_600));
    }

    #[test]
    fn internal_dates() {
        assert_eq!(format_internal(837_596_665), "17-Jul-1996 09:44:25 +0000");
        assert_eq!(format_internal(0), " 1-Jan-1970 00:00:00 +0000");
        assert_eq!(
            parse_internal(b"17-Jul-1996 02:44:25 -0700"),
            Some(837_596_665)
        );
        for bad in [
            "7-Jul-1996 02:44:25 -0700",
            "17-Jul-96 02:44:25 -0700",
            "17-Jul-1996 2:44:25 -0700",
            "17-Jul-1996 02:44:25",
            "17-Jux-1996 02:44:25 -0700",
            "31-Feb-1996 02:44:25 -0700",
            "",
        ] {
            assert_eq!(parse_internal(bad.as_bytes()), None, "{bad}");
        }
    }

    #[test]
    fn extremes_are_clamped() {
        assert_eq!(format(i64::MIN), "Sat, 01 Jan 0000 00:00:00 +0000");
        assert!(format(i64::MAX).contains("Dec 9999"));
    }

    proptest! {
        #[test]
        fn round_trips(seconds in -60_000_000_000_i64..250_000_000_000) {
            prop_assert_eq!(parse(format(seconds).as_bytes()), Some(seconds));
            prop_assert_eq!(parse_internal(format_internal(seconds).as_bytes()), Some(seconds));
        }

        #[test]
        fn never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = parse_moment(&bytes);
            let _ = parse_internal(&bytes);
        }
    }
}
