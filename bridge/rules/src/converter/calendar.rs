//! Moments as people read them, in UTC and the Gregorian calendar.
//!
//! Invariant: every number of days or milliseconds that fits its type has a text.

use std::fmt;

pub(super) const DAY_MS: i64 = 86_400_000;

/// A day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Date {
    year: i64,
    month: u8,
    day: u8,
    /// 0 is a Sunday.
    weekday: u8,
}

/// A time of the day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Time {
    ms: i64,
}

impl Date {
    /// Days since 1970-01-01, by the algorithm of Howard Hinnant's `civil_from_days`.
    pub(super) const fn of_days(days: i64) -> Self {
        let shifted = days + 719_468;
        let era = shifted.div_euclid(146_097);
        let day_of_era = shifted.rem_euclid(146_097);
        let year_of_era =
            (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let shifted_month = (5 * day_of_year + 2) / 153;
        let day = (day_of_year - (153 * shifted_month + 2) / 5 + 1) as u8;
        let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 } as u8;
        let year = year_of_era + era * 400 + if month <= 2 { 1 } else { 0 };
        Self { year, month, day, weekday: (days + 4).rem_euclid(7) as u8 }
    }
}

impl Time {
    pub(super) const fn of_ms(ms: i64) -> Self {
        Self { ms }
    }
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}-{:02}", self.year, self.month, self.day)
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { ms } = self;
        let (hours, minutes) = (ms / 3_600_000, ms / 60_000 % 60);
        write!(f, "{hours:02}:{minutes:02}:{:02}.{:03}", ms / 1_000 % 60, ms % 1_000)
    }
}

/// A moment as Java's `Date.toString` writes it where the time zone is UTC.
pub(super) struct JavaDate(pub(super) i64);

impl fmt::Display for JavaDate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const DAYS: [&str; 7] = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
        const MONTHS: [&str; 12] =
            ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
        let date = Date::of_days(self.0.div_euclid(DAY_MS));
        let ms = self.0.rem_euclid(DAY_MS);
        write!(
            f,
            "{} {} {:02} {:02}:{:02}:{:02} UTC {}",
            DAYS[usize::from(date.weekday)],
            MONTHS[usize::from(date.month) - 1],
            date.day,
            ms / 3_600_000,
            ms / 60_000 % 60,
            ms / 1_000 % 60,
            date.year
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_and_times_are_those_of_the_calendar() {
        for (days, text) in [
            (0, "1970-01-01"),
            (-1, "1969-12-31"),
            (18_321, "2020-02-29"),
            (11_016, "2000-02-29"),
            (-25_509, "1900-02-28"),
            (-25_508, "1900-03-01"),
            (2_932_896, "9999-12-31"),
        ] {
            assert_eq!(Date::of_days(days).to_string(), text);
        }
        assert_eq!(Time::of_ms(45_296_789).to_string(), "12:34:56.789");
        assert_eq!(JavaDate(1_582_980_123_456).to_string(), "Sat Feb 29 12:42:03 UTC 2020");
        assert_eq!(JavaDate(-1).to_string(), "Wed Dec 31 23:59:59 UTC 1969");
        let _ = (JavaDate(i64::MIN).to_string(), JavaDate(i64::MAX).to_string());
    }
}
