//! Java's `GregorianCalendar` in UTC: Julian before 15 October 1582, weeks that begin on Sunday and
//! a first week that holds 1 January.
//!
//! Invariant: [`Moment::of`] and [`Fields::millis`] are inverse where the fields are in range; any
//! fields out of range carry over into the next larger one, as in Java's lenient mode.

use std::cmp::max;

const DAY_MS: i64 = 86_400_000;
/// 1 January 1970, counted from 1 January of the year 1 as day 1.
const EPOCH_DAY: i64 = 719_163;
/// 15 October 1582, the first day of the Gregorian calendar.
const CUTOVER_DAY: i64 = 577_736;
const CUTOVER_YEAR: i64 = 1582;

/// A moment, taken apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// The year, with 0 for 1 BC.
    pub year: i64,
    /// From 0.
    pub month: i64,
    /// Of the month, from 1.
    pub day: i64,
    /// From 1.
    pub day_of_year: i64,
    /// From 1, which is Sunday.
    pub day_of_week: i64,
    /// From 1.
    pub week_of_year: i64,
    /// From 1.
    pub week_of_month: i64,
    /// The year that the week belongs to.
    pub week_year: i64,
    /// Milliseconds since midnight.
    pub time_of_day: i64,
}

impl Moment {
    /// Takes milliseconds since the epoch apart.
    #[must_use]
    pub fn of(millis: i64) -> Self {
        let fixed = millis.div_euclid(DAY_MS) + EPOCH_DAY;
        let (year, month, day) =
            if fixed >= CUTOVER_DAY { from_gregorian(fixed) } else { from_julian(fixed) };
        let first_of_year = first_of_year(year);
        let week = week_number(first_of_year, fixed);
        let next_year = self::first_of_year(year + 1);
        let in_next_year = fixed >= on_or_before(next_year + 6, 1) - 7 && {
            let days = on_or_before(next_year + 6, 1) - next_year;
            days >= 1
        } || fixed >= next_year;
        Self {
            year,
            month,
            day,
            day_of_year: fixed - first_of_year + 1,
            day_of_week: day_of_week(fixed),
            week_of_year: if in_next_year { 1 } else { week },
            week_of_month: week_number(fixed - day + 1, fixed),
            week_year: if in_next_year { year + 1 } else { year },
            time_of_day: millis.rem_euclid(DAY_MS),
        }
    }
}

/// The fields that a parsed text sets; which of them count is decided by the order of setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Field {
    /// 0 is BC.
    Era,
    /// Of the era.
    Year,
    /// From 0.
    Month,
    /// From 1.
    WeekOfYear,
    /// From 1.
    WeekOfMonth,
    /// From 1.
    Day,
    /// From 1.
    DayOfYear,
    /// From 1, which is Sunday.
    DayOfWeek,
    /// The second Tuesday of the month.
    DayOfWeekInMonth,
    /// 1 is the afternoon.
    AmPm,
    /// From 0 to 11.
    Hour,
    /// From 0 to 23.
    HourOfDay,
    /// From 0.
    Minute,
    /// From 0.
    Second,
    /// From 0.
    Millisecond,
    /// Milliseconds east of Greenwich.
    ZoneOffset,
    /// The year that the week belongs to.
    WeekYear,
}

const FIELDS: usize = Field::WeekYear as usize + 1;

/// Fields with the order in which they were set.
#[derive(Debug, Clone, Default)]
pub struct Fields {
    values: [i32; FIELDS],
    stamps: [u32; FIELDS],
    last: u32,
}

impl Fields {
    /// Sets a field.
    pub fn set(&mut self, field: Field, value: i32) {
        self.last += 1;
        self.values[field as usize] = value;
        self.stamps[field as usize] = self.last;
    }

    /// The same, a hundred years later.
    pub fn add_century(&mut self) {
        for field in [Field::Year, Field::WeekYear] {
            let value = &mut self.values[field as usize];
            *value = value.wrapping_add(100);
        }
    }

    fn stamp(&self, field: Field) -> u32 {
        self.stamps[field as usize]
    }

    fn is_set(&self, field: Field) -> bool {
        self.stamp(field) > 0
    }

    fn value(&self, field: Field) -> i64 {
        i64::from(self.values[field as usize])
    }

    fn value_or(&self, field: Field, other: i64) -> i64 {
        if self.is_set(field) { self.value(field) } else { other }
    }

    /// Milliseconds since the epoch; none when there is no such era.
    #[must_use]
    pub fn millis(&self) -> Option<i64> {
        let mut year = self.value_or(Field::Year, 1970);
        match self.value_or(Field::Era, 1) {
            0 => year = 1 - year,
            1 => {}
            _ => return None,
        }
        let time = self.time_of_day(year);
        let days = time.div_euclid(DAY_MS);
        let fixed = if self.stamp(Field::WeekYear) > self.stamp(Field::Year) {
            self.week_date() + days
        } else {
            self.fixed_day(year, days)
        };
        let midnight = (fixed - EPOCH_DAY).wrapping_mul(DAY_MS);
        Some(
            midnight
                .wrapping_add(time.rem_euclid(DAY_MS))
                .wrapping_sub(self.value(Field::ZoneOffset)),
        )
    }

    fn time_of_day(&self, year: i64) -> i64 {
        let hour_of_day = self.stamp(Field::HourOfDay);
        let half_day = both(self.stamp(Field::Hour), self.stamp(Field::AmPm));
        let mut best = max(half_day, hour_of_day);
        if best == 0 {
            best = max(self.stamp(Field::Hour), self.stamp(Field::AmPm));
        }
        // Before Christ the calendar takes the hour of the day for set.
        let hours = if best == hour_of_day || year <= 0 && hour_of_day == 0 {
            self.value(Field::HourOfDay)
        } else {
            self.value(Field::Hour) + 12 * self.value(Field::AmPm)
        };
        let seconds = (hours * 60 + self.value(Field::Minute)) * 60 + self.value(Field::Second);
        seconds * 1000 + self.value(Field::Millisecond)
    }

    /// The day that the year, the week and the day of the week name.
    fn week_date(&self) -> i64 {
        let mut week = self.value_or(Field::WeekOfYear, 1);
        let mut day = self.value_or(Field::DayOfWeek, 1);
        if !(1..=7).contains(&day) {
            // Such days are counted from Monday.
            week += (day - 1).div_euclid(7);
            let from_monday = (day - 1).rem_euclid(7) + 1;
            day = if from_monday == 7 { 1 } else { from_monday + 1 };
        }
        let first_of_year = first_of_year(self.value(Field::WeekYear));
        first_week(first_of_year) + (day - 1) + 7 * (week - 1)
    }

    fn fixed_day(&self, year: i64, days: i64) -> i64 {
        let selection = self.select();
        let julian = || days + self.day_in(year, selection, fixed_julian);
        let gregorian = || days + self.day_in(year, selection, fixed_gregorian);
        if year > CUTOVER_YEAR {
            let gregorian = gregorian();
            if gregorian >= CUTOVER_DAY {
                return gregorian;
            }
        } else if year < CUTOVER_YEAR {
            let julian = julian();
            if julian < CUTOVER_DAY {
                return julian;
            }
            if !matches!(selection, Day::OfYear | Day::WeekOfYear) {
                return julian;
            }
        }
        if matches!(selection, Day::OfYear | Day::WeekOfYear) {
            return julian();
        }
        let (gregorian, julian) = (gregorian(), julian());
        if gregorian >= CUTOVER_DAY { gregorian } else { julian }
    }

    /// Which fields say the day: those that were set last and are complete.
    fn select(&self) -> Day {
        let week_day = self.stamp(Field::DayOfWeek);
        let of_month = self.stamp(Field::Day);
        let of_year = self.stamp(Field::DayOfYear);
        let mut week_of_month = both(self.stamp(Field::WeekOfMonth), week_day);
        let mut in_month = both(self.stamp(Field::DayOfWeekInMonth), week_day);
        let mut week_of_year = both(self.stamp(Field::WeekOfYear), week_day);
        let mut best =
            [of_month, week_of_month, in_month, of_year, week_of_year].into_iter().fold(0, max);
        if best == 0 {
            week_of_month = self.stamp(Field::WeekOfMonth);
            in_month = max(self.stamp(Field::DayOfWeekInMonth), week_day);
            week_of_year = self.stamp(Field::WeekOfYear);
            best = max(max(week_of_month, in_month), week_of_year);
            if best == 0 {
                return Day::OfMonth;
            }
        }
        let year_week = self.stamp(Field::WeekOfYear);
        if best == of_month {
            return Day::OfMonth;
        }
        if best == week_of_month && self.stamp(Field::WeekOfMonth) >= year_week
            || best == in_month && self.stamp(Field::DayOfWeekInMonth) >= year_week
        {
            let weeks = if week_of_month == in_month {
                self.stamp(Field::WeekOfMonth) >= self.stamp(Field::DayOfWeekInMonth)
            } else {
                best == week_of_month
            };
            return if weeks { Day::WeekOfMonth } else { Day::InMonth };
        }
        if best == of_year { Day::OfYear } else { Day::WeekOfYear }
    }

    fn day_in(&self, year: i64, selection: Day, fixed: fn(i64, i64) -> i64) -> i64 {
        let week_day = |other| self.value_or(Field::DayOfWeek, other);
        let month = self.value(Field::Month);
        let first_of_month = || fixed(year + month.div_euclid(12), month.rem_euclid(12));
        match selection {
            Day::OfMonth => first_of_month() + self.value_or(Field::Day, 1) - 1,
            Day::WeekOfMonth => {
                let mut first = first_week(first_of_month());
                if self.is_set(Field::DayOfWeek) {
                    first = on_or_before(first + 6, self.value(Field::DayOfWeek));
                }
                first + 7 * (self.value(Field::WeekOfMonth) - 1)
            }
            Day::InMonth => {
                let first = first_of_month();
                let count = self.value_or(Field::DayOfWeekInMonth, 1);
                if count >= 0 {
                    on_or_before(first + 7 * count - 1, week_day(1))
                } else {
                    let month = month + 1;
                    let next = fixed(year + month.div_euclid(12), month.rem_euclid(12));
                    on_or_before(next + 7 * (count + 1) - 1, week_day(1))
                }
            }
            Day::OfYear => fixed(year, 0) + self.value(Field::DayOfYear) - 1,
            Day::WeekOfYear => {
                let mut first = first_week(fixed(year, 0));
                let day = week_day(1);
                if day != 1 {
                    first = on_or_before(first + 6, day);
                }
                first + 7 * (self.value(Field::WeekOfYear) - 1)
            }
        }
    }
}

/// The fields that say the day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Day {
    OfMonth,
    WeekOfMonth,
    InMonth,
    OfYear,
    WeekOfYear,
}

/// The later of two stamps; unset when one of them is.
fn both(one: u32, other: u32) -> u32 {
    if one == 0 || other == 0 { 0 } else { max(one, other) }
}

const fn day_of_week(fixed: i64) -> i64 {
    fixed.rem_euclid(7) + 1
}

/// The last day on or before another that falls on this day of the week, which may be out of range.
const fn on_or_before(fixed: i64, day_of_week: i64) -> i64 {
    fixed - (fixed - (day_of_week - 1)).rem_euclid(7)
}

/// The Sunday that begins the week of a period's first day.
const fn first_week(first: i64) -> i64 {
    let sunday = on_or_before(first + 6, 1);
    if sunday > first { sunday - 7 } else { sunday }
}

const fn week_number(first: i64, fixed: i64) -> i64 {
    (fixed - first_week(first)).div_euclid(7) + 1
}

fn first_of_year(year: i64) -> i64 {
    if year <= CUTOVER_YEAR { fixed_julian(year, 0) } else { fixed_gregorian(year, 0) }
}

/// Days before the first of a month, in a year without a leap day.
const BEFORE_MONTH: [i64; 12] = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334];

/// The first day of a month of the Gregorian calendar.
fn fixed_gregorian(year: i64, month: i64) -> i64 {
    let before = year - 1;
    let leap = year.rem_euclid(4) == 0 && (year.rem_euclid(100) != 0 || year.rem_euclid(400) == 0);
    let years = 365 * before + before.div_euclid(4) - before.div_euclid(100);
    years + before.div_euclid(400) + before_month(month, leap) + 1
}

/// The first day of a month of the Julian calendar.
fn fixed_julian(year: i64, month: i64) -> i64 {
    let before = year - 1;
    let leap = year.rem_euclid(4) == 0;
    365 * before + before.div_euclid(4) + before_month(month, leap) - 1
}

fn before_month(month: i64, leap: bool) -> i64 {
    BEFORE_MONTH[month as usize] + i64::from(leap && month > 1)
}

fn from_gregorian(fixed: i64) -> (i64, i64, i64) {
    // 400 years have 146,097 days: near enough to be off by one year at most.
    let guess = (400 * (fixed - 1)).div_euclid(146_097) + 1;
    locate(fixed, guess, fixed_gregorian)
}

fn from_julian(fixed: i64) -> (i64, i64, i64) {
    let guess = (4 * (fixed + 1)).div_euclid(1461) + 1;
    locate(fixed, guess, fixed_julian)
}

fn locate(fixed: i64, guess: i64, first_of: fn(i64, i64) -> i64) -> (i64, i64, i64) {
    let mut year = guess;
    while first_of(year, 0) > fixed {
        year -= 1;
    }
    while first_of(year + 1, 0) <= fixed {
        year += 1;
    }
    let month = (0..12).rev().find(|&month| first_of(year, month) <= fixed).unwrap_or(0);
    (year, month, fixed - first_of(year, month) + 1)
}
