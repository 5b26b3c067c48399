//! Writing a moment by a pattern.

use super::super::calendar::Moment;
use super::{DAYS, Item, MONTHS, ZONE};

pub(super) fn write(items: &[Item], millis: i64) -> String {
    let moment = Moment::of(millis);
    let mut text = String::new();
    for item in items {
        match item {
            Item::Literal(literal) => text.push_str(literal),
            Item::Field { letter, count } => field(&mut text, *letter, *count, &moment),
        }
    }
    text
}

fn field(text: &mut String, letter: char, count: usize, moment: &Moment) {
    let time = moment.time_of_day;
    let hour = time / 3_600_000;
    match letter {
        'G' => text.push_str(if moment.year <= 0 { "BC" } else { "AD" }),
        'y' => {
            let of_era = if moment.year <= 0 { 1 - moment.year } else { moment.year };
            year(text, of_era, count);
        }
        'Y' => year(text, moment.week_year, count),
        'M' | 'L' => match count {
            1 | 2 => number(text, moment.month + 1, count),
            3 => text.push_str(&MONTHS[moment.month as usize][..3]),
            _ => text.push_str(MONTHS[moment.month as usize]),
        },
        'E' => {
            let name = DAYS[moment.day_of_week as usize - 1];
            text.push_str(if count >= 4 { name } else { &name[..3] });
        }
        'a' => text.push_str(if hour < 12 { "AM" } else { "PM" }),
        'z' => text.push_str(if count >= 4 { ZONE } else { "UTC" }),
        'Z' => text.push_str("+0000"),
        'X' => text.push('Z'),
        'd' => number(text, moment.day, count),
        'D' => number(text, moment.day_of_year, count),
        'F' => number(text, (moment.day - 1) / 7 + 1, count),
        'w' => number(text, moment.week_of_year, count),
        'W' => number(text, moment.week_of_month, count),
        'u' => {
            let from_monday = if moment.day_of_week == 1 { 7 } else { moment.day_of_week - 1 };
            number(text, from_monday, count);
        }
        'H' => number(text, hour, count),
        'k' => number(text, if hour == 0 { 24 } else { hour }, count),
        'K' => number(text, hour % 12, count),
        'h' => number(text, if hour % 12 == 0 { 12 } else { hour % 12 }, count),
        'm' => number(text, time / 60_000 % 60, count),
        's' => number(text, time / 1000 % 60, count),
        'S' => number(text, time % 1000, count),
        _ => unreachable!("the pattern was compiled"),
    }
}

/// Two letters are two digits of the year, any other count pads.
fn year(text: &mut String, year: i64, count: usize) {
    if count == 2 { number(text, year % 100, 2) } else { number(text, year, count) }
}

fn number(text: &mut String, value: i64, digits: usize) {
    if value < 0 {
        text.push('-');
    }
    let value = value.unsigned_abs().to_string();
    for _ in value.len()..digits {
        text.push('0');
    }
    text.push_str(&value);
}
