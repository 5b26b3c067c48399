//! The settings, one table row each: name, accepted values, default, meaning, and where it goes.
//!
//! Both front ends and the reference page are made from these rows, so a setting means the same in
//! `midge.toml`, in the environment and as a directive of `mosquitto.conf`.

pub(crate) mod bridge;
pub(crate) mod broker;
pub(crate) mod connect;
pub(crate) mod listener;
pub(crate) mod persistence;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::time::Duration;

use config::{Value, ValueKind};

use crate::secret::Secret;

/// One setting of a section whose draft is `T`.
pub(crate) struct Setting<T: 'static> {
    /// The key in `midge.toml`.
    pub(crate) key: &'static str,
    /// The directive of `mosquitto.conf` that means the same.
    pub(crate) directive: Option<&'static str>,
    /// The default, as the reference page shows it.
    pub(crate) default: &'static str,
    /// What it does, as the reference page says it.
    pub(crate) meaning: &'static str,
    /// Which values it takes and where they go.
    pub(crate) take: Take<T>,
}

/// Which values a setting takes and where they go.
pub(crate) enum Take<T: 'static> {
    Bool(fn(&mut T, bool)),
    Int(RangeInclusive<i64>, fn(&mut T, i64)),
    Text(fn(&mut T, String)),
    Secret(fn(&mut T, Secret)),
    Choice(&'static [&'static str], fn(&mut T, &str)),
    List(fn(&mut T, Vec<String>)),
    Choices(&'static [&'static str], fn(&mut T, &[String])),
    /// Long, with Mosquitto's units.
    Period(fn(&mut T, Duration)),
    /// Short or long, with units of our own: Mosquitto's `m` is a month.
    Interval(fn(&mut T, Duration)),
    Properties(fn(&mut T, BTreeMap<String, String>)),
}

impl<T> Setting<T> {
    /// Whether `mosquitto.conf` gives it the rest of the line, and only once.
    pub(crate) fn takes_rest_of_line(&self) -> bool {
        matches!(self.take, Take::Text(_) | Take::Secret(_) | Take::List(_))
    }

    /// The accepted values in words.
    pub(crate) fn expected(&self) -> String {
        match &self.take {
            Take::Bool(_) => "true or false".to_owned(),
            Take::Int(range, _) if *range.end() == i64::MAX => {
                format!("a whole number, {} or more", range.start())
            }
            Take::Int(range, _) => {
                format!("a whole number from {} to {}", range.start(), range.end())
            }
            Take::Text(_) | Take::Secret(_) => "text that is not empty".to_owned(),
            Take::Choice(accepted, _) => format!("one of {}", accepted.join(", ")),
            Take::List(_) => "a list of text".to_owned(),
            Take::Choices(accepted, _) => format!("a list of {}", accepted.join(", ")),
            Take::Period(_) => "a number followed by h, d, w, m or y".to_owned(),
            Take::Interval(_) => "a number followed by ms, s, min, h or d".to_owned(),
            Take::Properties(_) => "a table of properties".to_owned(),
        }
    }

    /// Takes a value written as text: from `mosquitto.conf` or from the environment.
    pub(crate) fn take_text(&self, target: &mut T, text: &str) -> Result<(), String> {
        let mismatch = || self.mismatch(&quoted(text));
        match &self.take {
            Take::Bool(set) => set(target, parse_bool(text).ok_or_else(mismatch)?),
            Take::Int(range, set) => {
                let number = parse_int(text).filter(|n| range.contains(n)).ok_or_else(mismatch)?;
                set(target, number);
            }
            Take::Text(set) if !text.is_empty() => set(target, text.to_owned()),
            Take::Secret(set) if !text.is_empty() => set(target, Secret::new(text)),
            Take::Text(_) | Take::Secret(_) => return Err(mismatch()),
            Take::Choice(accepted, set) => {
                set(target, one_of(accepted, text).ok_or_else(mismatch)?);
            }
            Take::List(set) => set(target, list_items(text)),
            Take::Choices(accepted, set) => {
                let items = list_items(text);
                self.each_of(accepted, &items)?;
                set(target, &items);
            }
            Take::Period(set) => set(target, parse_period(text).ok_or_else(mismatch)?),
            Take::Interval(set) => set(target, parse_interval(text).ok_or_else(mismatch)?),
            Take::Properties(_) => return Err(mismatch()),
        }
        Ok(())
    }

    /// Takes a value of `midge.toml`.
    pub(crate) fn take_toml(&self, target: &mut T, value: &Value) -> Result<(), String> {
        let mismatch = || self.mismatch(&shown(&value.kind));
        match (&self.take, &value.kind) {
            (Take::Bool(set), ValueKind::Boolean(on)) => set(target, *on),
            (Take::Int(range, set), ValueKind::I64(number)) if range.contains(number) => {
                set(target, *number);
            }
            (
                Take::Text(_)
                | Take::Secret(_)
                | Take::Choice(..)
                | Take::Period(_)
                | Take::Interval(_),
                ValueKind::String(text),
            ) => return self.take_text(target, text),
            // One item may be written without the brackets.
            (Take::List(set), ValueKind::String(text)) => set(target, vec![text.clone()]),
            (Take::List(set), ValueKind::Array(items)) => {
                set(target, texts(items).ok_or_else(mismatch)?);
            }
            (Take::Choices(accepted, set), ValueKind::Array(items)) => {
                let items = texts(items).ok_or_else(mismatch)?;
                self.each_of(accepted, &items)?;
                set(target, &items);
            }
            (Take::Properties(set), ValueKind::Table(table)) => {
                let mut properties = BTreeMap::new();
                for (name, value) in table {
                    let text = scalar(&value.kind).ok_or_else(|| {
                        format!(
                            "property {name}: found {}, expected text, a number or a boolean",
                            kind_name(&value.kind)
                        )
                    })?;
                    properties.insert(name.clone(), text);
                }
                set(target, properties);
            }
            _ => return Err(mismatch()),
        }
        Ok(())
    }

    fn each_of(&self, accepted: &[&str], items: &[String]) -> Result<(), String> {
        match items.iter().find(|item| one_of(accepted, item).is_none()) {
            Some(item) => Err(self.mismatch(&quoted(item))),
            None => Ok(()),
        }
    }

    fn mismatch(&self, found: &str) -> String {
        match self.take {
            // The value of a secret is never shown.
            Take::Secret(_) => format!("expected {}", self.expected()),
            _ => format!("found {found}, expected {}", self.expected()),
        }
    }
}

/// The row of a key.
pub(crate) fn by_key<T>(rows: &'static [Setting<T>], key: &str) -> Option<&'static Setting<T>> {
    rows.iter().find(|row| row.key == key)
}

/// The row of a directive of `mosquitto.conf`.
pub(crate) fn by_directive<T>(
    rows: &'static [Setting<T>],
    directive: &str,
) -> Option<&'static Setting<T>> {
    rows.iter().find(|row| row.directive == Some(directive))
}

/// Text between quotes, shortened and without control characters.
pub(crate) fn quoted(text: &str) -> String {
    const SHOWN_CHARS: usize = 80;
    if text.is_empty() {
        return "nothing".to_owned();
    }
    let short: String = text.chars().take(SHOWN_CHARS).flat_map(char::escape_debug).collect();
    if text.chars().nth(SHOWN_CHARS).is_some() {
        format!("\"{short}…\"")
    } else {
        format!("\"{short}\"")
    }
}

fn parse_bool(text: &str) -> Option<bool> {
    match text {
        "true" | "1" => Some(true),
        "false" | "0" => Some(false),
        _ => None,
    }
}

/// A number as C's `strtol` with base 0 reads it: decimal, `0x` hexadecimal, leading `0` octal.
pub(crate) fn parse_int(text: &str) -> Option<i64> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    if !digits.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let hexadecimal = digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X"));
    let (digits, radix) = match hexadecimal {
        Some(hexadecimal) => (hexadecimal, 16),
        None if digits.len() > 1 && digits.starts_with('0') => (&digits[1..], 8),
        None => (digits, 10),
    };
    if !digits.starts_with(|c: char| c.is_digit(radix)) {
        return None;
    }
    let number = i64::from_str_radix(digits, radix).ok()?;
    Some(if negative { -number } else { number })
}

fn parse_period(text: &str) -> Option<Duration> {
    const HOUR: u64 = 3600;
    const DAY: u64 = 24 * HOUR;
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let seconds = match unit {
        "h" => HOUR,
        "d" => DAY,
        "w" => 7 * DAY,
        "m" => 30 * DAY,
        "y" => 365 * DAY,
        _ => return None,
    };
    let count: u32 = digits.parse().ok().filter(|count| *count > 0)?;
    u64::from(count).checked_mul(seconds).map(Duration::from_secs)
}

/// A period as `spool_max_age` takes it: a number followed by ms, s, min, h or d.
pub fn parse_interval(text: &str) -> Option<Duration> {
    let unit_at = text.find(|c: char| !c.is_ascii_digit())?;
    let (digits, unit) = text.split_at(unit_at);
    let milliseconds: u64 = match unit {
        "ms" => 1,
        "s" => 1000,
        "min" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return None,
    };
    let count: u32 = digits.parse().ok().filter(|count| *count > 0)?;
    Some(Duration::from_millis(u64::from(count) * milliseconds))
}

fn one_of<'t>(accepted: &[&str], text: &'t str) -> Option<&'t str> {
    accepted.contains(&text).then_some(text)
}

fn list_items(text: &str) -> Vec<String> {
    text.split(',').map(str::trim).filter(|item| !item.is_empty()).map(str::to_owned).collect()
}

fn texts(items: &[Value]) -> Option<Vec<String>> {
    let text = |item: &Value| match &item.kind {
        ValueKind::String(text) if !text.is_empty() => Some(text.clone()),
        _ => None,
    };
    items.iter().map(text).collect()
}

fn scalar(kind: &ValueKind) -> Option<String> {
    match kind {
        ValueKind::String(text) => Some(text.clone()),
        ValueKind::Boolean(on) => Some(on.to_string()),
        ValueKind::I64(number) => Some(number.to_string()),
        ValueKind::Float(number) => Some(number.to_string()),
        _ => None,
    }
}

/// A value as an error message shows it.
fn shown(kind: &ValueKind) -> String {
    match kind {
        ValueKind::String(text) => quoted(text),
        _ => scalar(kind).unwrap_or_else(|| kind_name(kind).to_owned()),
    }
}

pub(crate) fn kind_name(kind: &ValueKind) -> &'static str {
    match kind {
        ValueKind::Nil => "nothing",
        ValueKind::Table(_) => "a table",
        ValueKind::Array(_) => "a list",
        ValueKind::String(_) => "text",
        ValueKind::Boolean(_) => "a boolean",
        _ => "a number",
    }
}
