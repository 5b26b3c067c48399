//! Java's `SimpleDateFormat`: patterns of letters, for writing and for lenient reading.
//!
//! Invariant: the zone is UTC and the names are English. What a text says of a zone is read as an
//! offset or as UTC's own names; other names of zones are not known here.

mod read;
mod write;

use super::calendar::Moment;

/// The letters of a pattern.
const LETTERS: &str = "GyMdkHmsSEDFwWahKzZYuXL";

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const DAYS: [&str; 7] =
    ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];
const ZONE: &str = "Coordinated Universal Time";

/// A compiled pattern.
#[derive(Debug, Clone)]
pub struct DateFormat {
    pattern: String,
    items: Vec<Item>,
    century_start: i64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Item {
    Literal(String),
    Field { letter: char, count: usize },
}

/// Why a pattern is none, in Java's words.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidPattern {
    /// A letter without meaning.
    #[error("Illegal pattern character '{0}'")]
    Letter(char),
    /// A quote that does not end.
    #[error("Unterminated quote")]
    Quote,
    /// More than three `X`.
    #[error("invalid ISO 8601 format: length={0}")]
    IsoZone(usize),
}

impl DateFormat {
    /// Compiles a pattern. Years of two digits are read as the eighty before `now` (milliseconds
    /// since the epoch) and the twenty after it.
    ///
    /// # Errors
    /// When the pattern is none.
    pub fn new(pattern: &str, now: i64) -> Result<Self, InvalidPattern> {
        Ok(Self {
            pattern: pattern.to_owned(),
            items: compile(pattern)?,
            century_start: eighty_years_before(now),
        })
    }

    /// The pattern as it was given.
    #[must_use]
    pub fn pattern(&self) -> &str {
        &self.pattern
    }

    /// Writes a moment, in milliseconds since the epoch.
    #[must_use]
    pub fn write(&self, millis: i64) -> String {
        write::write(&self.items, millis)
    }

    /// Reads a moment at the beginning of a text, in milliseconds since the epoch; what follows it
    /// is left alone, as Java does.
    #[must_use]
    pub fn read(&self, text: &str) -> Option<i64> {
        read::read(&self.items, text, self.century_start)
    }
}

fn compile(pattern: &str) -> Result<Vec<Item>, InvalidPattern> {
    let mut items: Vec<Item> = Vec::new();
    let mut characters = pattern.chars().peekable();
    let mut quoted = false;
    while let Some(character) = characters.next() {
        if character == '\'' {
            if characters.next_if_eq(&'\'').is_some() {
                literal(&mut items, '\'');
            } else {
                quoted = !quoted;
            }
        } else if quoted || !character.is_ascii_alphabetic() {
            literal(&mut items, character);
        } else if LETTERS.contains(character) {
            let mut count = 1;
            while characters.next_if_eq(&character).is_some() {
                count += 1;
            }
            if character == 'X' && count > 3 {
                return Err(InvalidPattern::IsoZone(count));
            }
            items.push(Item::Field { letter: character, count });
        } else {
            return Err(InvalidPattern::Letter(character));
        }
    }
    if quoted { Err(InvalidPattern::Quote) } else { Ok(items) }
}

fn literal(items: &mut Vec<Item>, character: char) {
    if let Some(Item::Literal(text)) = items.last_mut() {
        text.push(character);
    } else {
        items.push(Item::Literal(character.to_string()));
    }
}

/// Java's `Calendar.add(YEAR, -80)`.
fn eighty_years_before(now: i64) -> i64 {
    use super::calendar::{Field, Fields};
    let moment = Moment::of(now);
    let mut fields = Fields::default();
    let year = moment.year - 80;
    let leap_day = moment.month == 1 && moment.day == 29;
    let in_leap_year = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    fields.set(Field::Year, year as i32);
    fields.set(Field::Month, moment.month as i32);
    fields.set(Field::Day, if leap_day && !in_leap_year { 28 } else { moment.day as i32 });
    fields.set(Field::Millisecond, moment.time_of_day as i32);
    fields.millis().expect("the era is ours")
}

#[cfg(test)]
mod tests;
