//! A point's time: what a field holds, as nanoseconds since the epoch.
//!
//! Integers count in a unit, numbers with a fraction are seconds, text is ISO 8601 (or the digits of
//! an integer), and a moment is one already.

use crate::connect::Value;
use crate::kcql::TimestampUnit;

/// Nanoseconds since the epoch; `None` for null.
///
/// # Errors
/// What was found and what was expected.
pub(super) fn nanoseconds(value: &Value, unit: TimestampUnit) -> Result<Option<i64>, String> {
    let time = match value {
        Value::Null => return Ok(None),
        Value::Int8(number) => counted(i64::from(*number), unit),
        Value::Int16(number) => counted(i64::from(*number), unit),
        Value::Int32(number) => counted(i64::from(*number), unit),
        Value::Int64(number) => counted(*number, unit),
        Value::Timestamp(millis) => counted(*millis, TimestampUnit::Milliseconds),
        // The digits that identify the number: 0.1 is a tenth, not what lies nearest to it.
        Value::Float32(number) => seconds(&number.to_string()),
        Value::Float64(number) => seconds(&number.to_string()),
        Value::Decimal(decimal) => match decimal.to_i64_exact() {
            Some(number) if decimal.scale <= 0 => counted(number, unit),
            // Beyond the range, whatever the digits are.
            _ if decimal.digits() - i64::from(decimal.scale) > 12 => None,
            _ => seconds(&decimal.to_string()),
        },
        Value::String(text) => {
            let text = text.trim();
            let time = match text.parse::<i64>() {
                Ok(number) => counted(number, unit),
                Err(_) => match date_time(text) {
                    Some(time) => time,
                    None => {
                        let shown: String = text.chars().take(64).collect();
                        return Err(format!("found {shown:?}, expected a time of ISO 8601"));
                    }
                },
            };
            return in_range(time);
        }
        other => {
            let found = other.java_class();
            return Err(format!("found a {found}, expected a number or a time of ISO 8601"));
        }
    };
    in_range(time)
}

fn in_range(time: Option<i64>) -> Result<Option<i64>, String> {
    let expected = "found a time beyond 64 bits of nanoseconds, expected one from 1677 to 2262";
    time.map(Some).ok_or_else(|| expected.to_owned())
}

fn counted(number: i64, unit: TimestampUnit) -> Option<i64> {
    number.checked_mul(match unit {
        TimestampUnit::Nanoseconds => 1,
        TimestampUnit::Microseconds => 1_000,
        TimestampUnit::Milliseconds => 1_000_000,
        TimestampUnit::Seconds => 1_000_000_000,
    })
}

/// A decimal number of seconds; digits beyond nanoseconds are cut. `None` for what is none.
fn seconds(text: &str) -> Option<i64> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let time = counted(number(whole)?, TimestampUnit::Seconds)?.checked_add(nanos(fraction)?)?;
    Some(if negative { -time } else { time })
}

/// Digits behind the point of a second.
fn nanos(fraction: &str) -> Option<i64> {
    let digits = fraction.get(..fraction.len().min(9))?;
    let number = if digits.is_empty() { 0 } else { number(digits)? };
    Some(number * 10_i64.pow(9 - digits.len() as u32))
}

/// Digits and nothing else.
fn number(digits: &str) -> Option<i64> {
    let all = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    all.then(|| digits.parse().ok()).flatten()
}

/// ISO 8601: a date, and a time of the day with or without fraction and zone; without a zone it is
/// UTC. `None`: it is none; `Some(None)`: it is out of range.
fn date_time(text: &str) -> Option<Option<i64>> {
    let (date, time) = match text.split_once(['T', 't', ' ']) {
        Some((date, time)) => (date, Some(time)),
        None => (text, None),
    };
    let mut parts = date.splitn(3, '-');
    let part = |text: Option<&str>, length: usize| {
        text.filter(|text| text.len() == length).and_then(number)
    };
    let (year, month, day) =
        (part(parts.next(), 4)?, part(parts.next(), 2)?, part(parts.next(), 2)?);
    if !(1..=12).contains(&month) || !(1..=days_in(year, month)).contains(&day) {
        return None;
    }
    let (mut second, mut nanosecond) = (days_since_epoch(year, month, day) * 86_400, 0);
    if let Some(time) = time {
        let (clock, zone) = zoned(time)?;
        let (clock, fraction) = clock.split_once(['.', ',']).unwrap_or((clock, "0"));
        if fraction.is_empty() || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        nanosecond = nanos(fraction)?;
        let mut parts = clock.splitn(3, ':');
        let hour = part(parts.next(), 2).filter(|hour| *hour < 24)?;
        let minute = part(parts.next(), 2).filter(|minute| *minute < 60)?;
        let of_minute = match parts.next() {
            // A leap second is the first of the next minute.
            Some(text) => part(Some(text), 2).filter(|second| *second <= 60)?,
            None => 0,
        };
        second += hour * 3_600 + minute * 60 + of_minute - zone;
    }
    let whole = second.checked_mul(1_000_000_000);
    Some(whole.and_then(|whole| whole.checked_add(nanosecond)))
}

/// A time of the day, and the seconds that its zone is east of Greenwich.
fn zoned(time: &str) -> Option<(&str, i64)> {
    if let Some(clock) = time.strip_suffix(['Z', 'z']) {
        return Some((clock, 0));
    }
    let Some(place) = time.rfind(['+', '-']) else { return Some((time, 0)) };
    let (clock, zone) = time.split_at(place);
    let (sign, zone) = (if zone.starts_with('-') { -1 } else { 1 }, &zone[1..]);
    let digits = zone.replacen(':', "", 1);
    let (hours, minutes) = match digits.len() {
        2 => (number(&digits)?, 0),
        4 => (number(digits.get(..2)?)?, number(digits.get(2..)?)?),
        _ => return None,
    };
    (hours <= 18 && minutes < 60).then_some((clock, sign * (hours * 3_600 + minutes * 60)))
}

const fn days_in(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days since 1970-01-01, by the algorithm of Howard Hinnant's `days_from_civil`.
const fn days_since_epoch(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}
