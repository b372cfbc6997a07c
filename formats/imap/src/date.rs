//! Dates of SEARCH and INTERNALDATE's date-times (RFC 9051 §9), from years 1 to 9999.

use crate::error::Error;
use crate::reader::Reader;
use crate::writer::Writer;

const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

const SECONDS_PER_DAY: i64 = 86_400;

/// A day of the proleptic Gregorian calendar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Date {
    year: u16,
    month: u8,
    day: u8,
}

impl Date {
    /// `None` unless the day exists, in years 1 to 9999.
    #[must_use]
    pub fn new(year: u16, month: u8, day: u8) -> Option<Self> {
        let leap =
            year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
        let days = match month {
            4 | 6 | 9 | 11 => 30,
            2 if leap => 29,
            2 => 28,
            1..=12 => 31,
            _ => return None,
        };
        let exists = (1..=9_999).contains(&year) && (1..=days).contains(&day);
        exists.then_some(Self { year, month, day })
    }

    /// The day `days` after 1 January 1970; years outside 1 to 9999 become the nearest day inside.
    #[must_use]
    pub fn from_unix_days(days: i64) -> Self {
        const FIRST: i64 = -719_162;
        const LAST: i64 = 2_932_896;
        // Days since 1 March of year 0, in eras of 400 years; March first puts the leap day last.
        let shifted = days.clamp(FIRST, LAST) + 719_468;
        let era = shifted.div_euclid(146_097);
        let day_of_era = shifted.rem_euclid(146_097);
        let year_of_era =
            (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let march_month = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * march_month + 2) / 5 + 1;
        let month = if march_month < 10 {
            march_month + 3
        } else {
            march_month - 9
        };
        let year = year_of_era + era * 400 + i64::from(month <= 2);
        Self {
            year: u16::try_from(year).unwrap_or(1),
            month: u8::try_from(month).unwrap_or(1),
            day: u8::try_from(day).unwrap_or(1),
        }
    }

    /// Days since 1 January 1970, negative before.
    #[must_use]
    pub fn unix_days(self) -> i64 {
        let (month, day) = (i64::from(self.month), i64::from(self.day));
        let year = i64::from(self.year) - i64::from(month <= 2);
        let era = year.div_euclid(400);
        let year_of_era = year.rem_euclid(400);
        let march_month = (month + 9) % 12;
        let day_of_year = (153 * march_month + 2) / 5 + day - 1;
        let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
        era * 146_097 + day_of_era - 719_468
    }

    /// The year, 1 to 9999.
    #[must_use]
    pub fn year(self) -> u16 {
        self.year
    }

    /// The month, 1 to 12.
    #[must_use]
    pub fn month(self) -> u8 {
        self.month
    }

    /// The day of the month, from 1.
    #[must_use]
    pub fn day(self) -> u8 {
        self.day
    }
}

/// A moment and the zone in which it is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct DateTime {
    unix_seconds: i64,
    offset_minutes: i16,
}

impl DateTime {
    /// The moment `unix_seconds` after the epoch, shown at UTC.
    #[must_use]
    pub const fn utc(unix_seconds: i64) -> Self {
        Self {
            unix_seconds,
            offset_minutes: 0,
        }
    }

    /// `None` when the zone lies a day or more from UTC.
    #[must_use]
    pub fn new(unix_seconds: i64, offset_minutes: i16) -> Option<Self> {
        (-1_439..=1_439).contains(&offset_minutes).then_some(Self {
            unix_seconds,
            offset_minutes,
        })
    }

    /// Seconds since 1970-01-01T00:00:00Z.
    #[must_use]
    pub const fn unix_seconds(self) -> i64 {
        self.unix_seconds
    }

    /// Minutes east of UTC.
    #[must_use]
    pub const fn offset_minutes(self) -> i16 {
        self.offset_minutes
    }

    /// The day in its own zone, without which SEARCH SINCE would be off by one
    /// (RFC 9051 §6.4.4: time and zone are disregarded).
    #[must_use]
    pub fn local_date(self) -> Date {
        Date::from_unix_days(self.local_seconds().div_euclid(SECONDS_PER_DAY))
    }

    fn local_seconds(self) -> i64 {
        self.unix_seconds
            .saturating_add(i64::from(self.offset_minutes) * 60)
    }
}

impl Reader<'_> {
    /// Exactly `count` digits.
    fn digits(&mut self, count: usize) -> Result<u16, Error> {
        let mut value = 0_u16;
        for _ in 0..count {
            let digit = self
                .next()
                .filter(u8::is_ascii_digit)
                .ok_or(Error::Expected("a digit"))?;
            value = value * 10 + u16::from(digit - b'0');
        }
        Ok(value)
    }

    fn small_digits(&mut self) -> Result<u8, Error> {
        u8::try_from(self.digits(2)?).map_err(|_| Error::Expected("a date"))
    }

    /// `date-month "-" date-year`, with the dash before the month.
    fn month_and_year(&mut self, day: u8) -> Result<Date, Error> {
        self.expect(b'-', "\"-\"")?;
        let name = self.take_while(|b| b.is_ascii_alphabetic());
        let month = MONTHS
            .iter()
            .zip(1_u8..)
            .find(|(month, _)| month.as_bytes().eq_ignore_ascii_case(name))
            .ok_or(Error::Expected("a month"))?
            .1;
        self.expect(b'-', "\"-\"")?;
        let year = self.digits(4)?;
        Date::new(year, month, day).ok_or(Error::Expected("an existing day"))
    }

    /// `date = date-text / DQUOTE date-text DQUOTE`
    ///
    /// `date-text = date-day "-" date-month "-" date-year`, `date-day = 1*2DIGIT`
    pub(crate) fn date(&mut self) -> Result<Date, Error> {
        let quoted = self.eat(b'"');
        let mut day = self.digits(1)?;
        if self.peek().is_some_and(|b| b.is_ascii_digit()) {
            day = day * 10 + self.digits(1)?;
        }
        let day = u8::try_from(day).map_err(|_| Error::Expected("a date"))?;
        let date = self.month_and_year(day)?;
        if quoted {
            self.expect(b'"', "a closing quote")?;
        }
        Ok(date)
    }

    /// `date-time = DQUOTE date-day-fixed "-" date-month "-" date-year SP time SP zone DQUOTE`
    ///
    /// `date-day-fixed = (SP DIGIT) / 2DIGIT`, `time = 2DIGIT ":" 2DIGIT ":" 2DIGIT`,
    /// `zone = ("+" / "-") 4DIGIT`
    pub(crate) fn date_time(&mut self) -> Result<DateTime, Error> {
        self.expect(b'"', "a date and time in quotes")?;
        let day = if self.eat(b' ') {
            self.digits(1)?
        } else {
            self.digits(2)?
        };
        let day = u8::try_from(day).map_err(|_| Error::Expected("a date"))?;
        let date = self.month_and_year(day)?;
        self.sp()?;
        let hour = self.small_digits()?;
        self.expect(b':', "\":\"")?;
        let minute = self.small_digits()?;
        self.expect(b':', "\":\"")?;
        let second = self.small_digits()?;
        // A leap second counts as the first of the next minute.
        if hour > 23 || minute > 59 || second > 60 {
            return Err(Error::Expected("a time of day"));
        }
        self.sp()?;
        let east = match self.next() {
            Some(b'+') => true,
            Some(b'-') => false,
            _ => return Err(Error::Expected("a time zone")),
        };
        let zone_hours = self.small_digits()?;
        let zone_minutes = self.small_digits()?;
        if zone_hours > 23 || zone_minutes > 59 {
            return Err(Error::Expected("a time zone"));
        }
        self.expect(b'"', "a closing quote")?;
        let distance = i16::from(zone_hours) * 60 + i16::from(zone_minutes);
        let offset = if east { distance } else { -distance };
        let clock = i64::from(hour) * 3_600 + i64::from(minute) * 60 + i64::from(second);
        let unix = date.unix_days() * SECONDS_PER_DAY + clock - i64::from(offset) * 60;
        DateTime::new(unix, offset).ok_or(Error::Expected("a time zone"))
    }
}

impl Writer<'_> {
    /// `date-text`
    pub fn date(&mut self, date: Date) -> &mut Self {
        self.number(date.day).month_and_year(date)
    }

    /// `date-time`
    pub fn date_time(&mut self, moment: DateTime) -> &mut Self {
        let local = moment.local_seconds();
        let date = Date::from_unix_days(local.div_euclid(SECONDS_PER_DAY));
        let clock = local.rem_euclid(SECONDS_PER_DAY).unsigned_abs();
        self.bytes(if date.day < 10 { b"\" " } else { b"\"" });
        self.number(date.day).month_and_year(date).sp();
        self.padded(clock / 3_600, 2)
            .bytes(b":")
            .padded(clock / 60 % 60, 2);
        self.bytes(b":").padded(clock % 60, 2);
        self.bytes(if moment.offset_minutes < 0 {
            b" -"
        } else {
            b" +"
        });
        let distance = u64::from(moment.offset_minutes.unsigned_abs());
        self.padded(distance / 60, 2)
            .padded(distance % 60, 2)
            .bytes(b"\"")
    }

    fn month_and_year(&mut self, date: Date) -> &mut Self {
        let month = MONTHS
            .get(usize::from(date.month.saturating_sub(1)))
            .copied();
        self.bytes(b"-").text(month.unwrap_or("Jan")).bytes(b"-");
        self.padded(u64::from(date.year), 4)
    }

    fn padded(&mut self, value: u64, width: u32) -> &mut Self {
        for exponent in (1..width).rev() {
            if value < 10_u64.pow(exponent) {
                self.bytes(b"0");
            }
        }
        self.number(value)
    }
}

impl std::fmt::Display for Date {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:04}-{:02}-{:02}", self.year, self.month, self.day)
    }
}

impl std::fmt::Display for DateTime {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut out = Vec::with_capacity(28);
        Writer::new(&mut out, crate::Utf8Mode::Utf8).date_time(*self);
        f.write_str(String::from_utf8_lossy(&out).trim_matches('"'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn date_time(text: &str) -> Result<DateTime, Error> {
        Reader::of_text(text.as_bytes()).date_time()
    }

    #[test]
    fn date_times() {
        let moment = date_time("\"17-Jul-1996 02:44:25 -0700\"").unwrap();
        assert_eq!(moment.unix_seconds(), 837_596_665);
        assert_eq!(moment.offset_minutes(), -420);
        assert_eq!(moment.local_date(), Date::new(1996, 7, 17).unwrap());
        assert_eq!(moment.to_string(), "17-Jul-1996 02:44:25 -0700");
        assert_eq!(
            date_time("\" 1-jan-1970 00:00:00 +0000\""),
            Ok(DateTime::utc(0))
        );
        assert_eq!(DateTime::utc(0).to_string(), " 1-Jan-1970 00:00:00 +0000");
        for bad in [
            "\"1-Jan-1970 00:00:00 +0000\"",
            "\"31-Feb-1970 00:00:00 +0000\"",
            "\"01-Jan-0000 00:00:00 +0000\"",
            "\"01-Jan-1970 24:00:00 +0000\"",
            "\"01-Jan-1970 00:60:00 +0000\"",
            "\"01-Jan-1970 00:00:00 +2400\"",
            "\"01-Jan-1970 00:00:00 0000\"",
            "\"01-Jan-1970 00:00:00 +0000",
            "01-Jan-1970 00:00:00 +0000",
        ] {
            assert!(date_time(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn dates() {
        let date = |text: &str| Reader::of_text(text.as_bytes()).date();
        assert_eq!(date("1-Feb-1994"), Ok(Date::new(1994, 2, 1).unwrap()));
        assert_eq!(date("\"29-FEB-2000\""), Ok(Date::new(2000, 2, 29).unwrap()));
        for bad in [
            "29-Feb-1900",
            "0-Jan-2000",
            "1-Foo-2000",
            "1-Jan-20",
            "\"1-Jan-2000",
            "-1-Jan-2000",
        ] {
            assert!(date(bad).is_err(), "{bad}");
        }
        assert_eq!(Date::new(1970, 1, 1).unwrap().unix_days(), 0);
        assert_eq!(Date::from_unix_days(i64::MIN), Date::new(1, 1, 1).unwrap());
        assert_eq!(
            Date::from_unix_days(i64::MAX),
            Date::new(9999, 12, 31).unwrap()
        );
    }

    #[test]
    fn extreme_moments_are_written_without_overflow() {
        for seconds in [i64::MIN, i64::MAX] {
            assert!(DateTime::new(seconds, 1_439).unwrap().to_string().len() == 26);
        }
    }

    proptest! {
        #[test]
        fn days_count_up(days in -719_162_i64..2_932_896) {
            let date = Date::from_unix_days(days);
            prop_assert_eq!(Date::new(date.year(), date.month(), date.day()), Some(date));
            prop_assert_eq!(date.unix_days(), days);
            prop_assert!(Date::from_unix_days(days + 1) > date);
        }

        #[test]
        fn a_written_moment_reads_back(
            seconds in -62_135_510_000_i64..253_402_200_000,
            offset in -1_439_i16..=1_439,
        ) {
            let moment = DateTime::new(seconds, offset).unwrap();
            let mut out = Vec::new();
            Writer::new(&mut out, crate::Utf8Mode::Utf8).date_time(moment);
            prop_assert_eq!(Reader::of_text(&out).date_time(), Ok(moment));
        }
    }
}
