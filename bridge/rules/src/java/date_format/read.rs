//! Reading a moment by a pattern, as leniently as Java does.

use super::super::calendar::{Field, Fields, Moment};
use super::{DAYS, Item, MONTHS, ZONE};

/// The letters whose numbers stand without delimiter after another number (`yyyyMMdd`).
fn is_numeric(letter: char, count: usize) -> bool {
    match letter {
        'G' | 'E' | 'a' | 'z' | 'Z' | 'X' => false,
        'M' | 'L' => count <= 2,
        _ => true,
    }
}

struct Reader<'a> {
    text: &'a [char],
    position: usize,
    fields: Fields,
    century_start: i64,
    /// A year of two digits that may be of either century.
    ambiguous: bool,
}

pub(super) fn read(items: &[Item], text: &str, century_start: i64) -> Option<i64> {
    let text: Vec<char> = text.chars().collect();
    let fields = Fields::default();
    let mut reader = Reader { text: &text, position: 0, fields, century_start, ambiguous: false };
    for (index, item) in items.iter().enumerate() {
        match item {
            Item::Literal(literal) => reader.literal(literal)?,
            Item::Field { letter, count } => {
                let obeys = matches!(items.get(index + 1),
                    Some(Item::Field { letter, count }) if is_numeric(*letter, *count));
                reader.field(*letter, *count, obeys)?;
            }
        }
    }
    if reader.position == 0 {
        return None;
    }
    let millis = reader.fields.millis()?;
    if reader.ambiguous && millis < century_start {
        reader.fields.add_century();
        return reader.fields.millis();
    }
    Some(millis)
}

impl Reader<'_> {
    fn literal(&mut self, literal: &str) -> Option<()> {
        for expected in literal.chars() {
            if self.text.get(self.position) != Some(&expected) {
                return None;
            }
            self.position += 1;
        }
        Some(())
    }

    fn field(&mut self, letter: char, count: usize, obeys: bool) -> Option<()> {
        let start = self.position;
        let mut after_spaces = start;
        while matches!(self.text.get(after_spaces)?, ' ' | '\t') {
            after_spaces += 1;
        }
        match letter {
            'G' => self.name(
                &[("BC", 0), ("AD", 1), ("Before Christ", 0), ("Anno Domini", 1)],
                Field::Era,
            ),
            'E' => {
                let names: Vec<(&str, i32)> =
                    (1..).zip(DAYS).map(|(day, name)| (name, day)).collect();
                self.name(&names, Field::DayOfWeek).or_else(|| self.short(&names, Field::DayOfWeek))
            }
            'a' => self.name(&[("AM", 0), ("PM", 1)], Field::AmPm),
            'M' | 'L' if count > 2 => {
                let names: Vec<(&str, i32)> =
                    (0..).zip(MONTHS).map(|(month, name)| (name, month)).collect();
                self.name(&names, Field::Month).or_else(|| self.short(&names, Field::Month))
            }
            'z' | 'Z' => self.zone(start, after_spaces),
            'X' => self.iso_zone(after_spaces, count),
            _ => self.number(letter, count, obeys, after_spaces),
        }
    }

    fn number(&mut self, letter: char, count: usize, obeys: bool, from: usize) -> Option<()> {
        let end = if obeys { self.position + count } else { self.text.len() };
        let (value, end) = read_number(self.text.get(..end)?, from)?;
        let digits = self.text[from..end].iter().all(char::is_ascii_digit);
        self.position = end;
        let (field, value) = match letter {
            'y' | 'Y' => {
                let field = if letter == 'y' { Field::Year } else { Field::WeekYear };
                let two = count <= 2 && end - from == 2 && digits;
                (field, if two { self.in_century(value) } else { value })
            }
            'M' | 'L' => (Field::Month, value.wrapping_sub(1)),
            'k' => (Field::HourOfDay, if value == 24 { 0 } else { value }),
            'h' => (Field::Hour, if value == 12 { 0 } else { value }),
            'u' => {
                let counted_from_sunday = match value {
                    7 => 1,
                    1..=6 => value + 1,
                    _ => value,
                };
                (Field::DayOfWeek, counted_from_sunday)
            }
            'd' => (Field::Day, value),
            'D' => (Field::DayOfYear, value),
            'F' => (Field::DayOfWeekInMonth, value),
            'w' => (Field::WeekOfYear, value),
            'W' => (Field::WeekOfMonth, value),
            'H' => (Field::HourOfDay, value),
            'K' => (Field::Hour, value),
            'm' => (Field::Minute, value),
            's' => (Field::Second, value),
            'S' => (Field::Millisecond, value),
            _ => unreachable!("the pattern was compiled"),
        };
        self.fields.set(field, value);
        Some(())
    }

    /// Two digits are a year of the century that began eighty years ago.
    fn in_century(&mut self, value: i32) -> i32 {
        let start = Moment::of(self.century_start).year as i32;
        self.ambiguous = value == start % 100;
        value + start / 100 * 100 + if value < start % 100 { 100 } else { 0 }
    }

    /// The longest of the names, in any case; spaces before it are not skipped.
    fn name(&mut self, names: &[(&str, i32)], field: Field) -> Option<()> {
        let found = names.iter().filter(|(name, _)| self.starts_with(self.position, name));
        let (name, value) = found.max_by_key(|(name, _)| name.len())?;
        self.position += name.len();
        self.fields.set(field, *value);
        Some(())
    }

    /// The same by their first three letters.
    fn short(&mut self, names: &[(&str, i32)], field: Field) -> Option<()> {
        let short: Vec<(&str, i32)> =
            names.iter().map(|(name, value)| (&name[..3], *value)).collect();
        self.name(&short, field)
    }

    fn starts_with(&self, from: usize, name: &str) -> bool {
        let Some(text) = self.text.get(from..from + name.len()) else {
            return false;
        };
        text.iter().zip(name.chars()).all(|(found, expected)| found.eq_ignore_ascii_case(&expected))
    }

    fn zone(&mut self, start: usize, from: usize) -> Option<()> {
        if let Some(sign) = sign_of(self.text.get(from)) {
            return self.numeric_zone(from + 1, sign, 0, false);
        }
        if self.starts_with(start, "GMT") {
            let from = start + 3;
            let Some(sign) = sign_of(self.text.get(from)) else {
                self.fields.set(Field::ZoneOffset, 0);
                self.position = from;
                return Some(());
            };
            return self.numeric_zone(from + 1, sign, 0, true);
        }
        let name = [ZONE, "UTC"].into_iter().find(|name| self.starts_with(from, name))?;
        self.fields.set(Field::ZoneOffset, 0);
        self.position = from + name.len();
        Some(())
    }

    fn iso_zone(&mut self, from: usize, count: usize) -> Option<()> {
        if self.text.get(from) == Some(&'Z') {
            self.fields.set(Field::ZoneOffset, 0);
            self.position = from + 1;
            return Some(());
        }
        let sign = sign_of(self.text.get(from))?;
        self.numeric_zone(from + 1, sign, count, count == 3)
    }

    /// `hh`, `hhmm` or `hh:mm` after the sign; a colon allows an hour of one digit where `count`
    /// does not say otherwise.
    fn numeric_zone(&mut self, from: usize, sign: i32, count: usize, colon: bool) -> Option<()> {
        let mut index = from;
        let mut hours = self.digit(index)?;
        index += 1;
        match self.digit(index) {
            Some(second) => {
                hours = hours * 10 + second;
                index += 1;
            }
            // One digit needs something after it.
            None if count > 0 || !colon || index >= self.text.len() => return None,
            None => {}
        }
        let mut minutes = 0;
        if count != 1 {
            if colon {
                if self.text.get(index) != Some(&':') {
                    return None;
                }
                index += 1;
            }
            minutes = self.digit(index)? * 10 + self.digit(index + 1)?;
            index += 2;
        }
        if hours > 23 || minutes > 59 {
            return None;
        }
        self.fields.set(Field::ZoneOffset, sign * (hours * 60 + minutes) * 60_000);
        self.position = index;
        Some(())
    }

    fn digit(&self, index: usize) -> Option<i32> {
        self.text.get(index)?.to_digit(10).map(|digit| digit as i32)
    }
}

fn sign_of(character: Option<&char>) -> Option<i32> {
    match character? {
        '+' => Some(1),
        '-' => Some(-1),
        _ => None,
    }
}

/// A whole number as `DecimalFormat` reads one: a minus, digits and, though nobody asked for it, an
/// exponent. Then, as `intValue`: beyond 64 bits the nearest of 32 bits, within them the lowest.
fn read_number(text: &[char], from: usize) -> Option<(i32, usize)> {
    let (negative, start) =
        if text.get(from) == Some(&'-') { (true, from + 1) } else { (false, from) };
    let end = digits_end(text, start);
    if end == start {
        return None;
    }
    let digits: String = text[start..end].iter().collect();
    let mut scientific = digits.clone();
    let mut position = end;
    if matches!(text.get(end), Some('E')) {
        let minus = text.get(end + 1) == Some(&'-');
        let first = end + 1 + usize::from(minus);
        let last = digits_end(text, first);
        if last > first {
            scientific.push('e');
            scientific.extend(&text[end + 1..last]);
            position = last;
        }
    }
    let sign: i64 = if negative { -1 } else { 1 };
    let value = match digits.parse::<i64>() {
        Ok(value) if position == end => (sign * value) as i32,
        _ => {
            let value = scientific.parse::<f64>().ok()? * f64::from(sign as i32);
            let whole = value.fract() == 0.0 && value.abs() < 9.2e18;
            if whole { value as i64 as i32 } else { value as i32 }
        }
    };
    Some((value, position))
}

fn digits_end(text: &[char], start: usize) -> usize {
    let digits = text.get(start..).unwrap_or(&[]).iter().take_while(|c| c.is_ascii_digit());
    start + digits.count()
}
