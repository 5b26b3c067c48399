//! Values out of tokens.

use super::super::{Datum, Decimal, Kind, LogicalType, Map, Schema, SchemaRef, Value};
use super::tokens::Tokens;
use super::{DATE, DAY_MS, DEPTH_MAX, TIME, TIMESTAMP};
use crate::java::DateFormat;

/// This text is no array, map or embedded value.
struct NoValue;

/// What was read; null has neither schema nor value.
type Read = Result<Option<Datum>, NoValue>;

pub(super) fn read(text: &str) -> Option<Datum> {
    let mut tokens = Tokens::new(text);
    parse(&mut tokens, false, 0).unwrap_or_else(|NoValue| Some(string(text)))
}

fn string(text: &str) -> Datum {
    Datum::with_schema(Schema::new(Kind::String).into(), Value::string(text))
}

fn simple(kind: Kind, value: Value) -> Datum {
    Datum::with_schema(Schema::new(kind).into(), value)
}

fn parse(tokens: &mut Tokens, embedded: bool, depth: usize) -> Read {
    if !tokens.has_next() {
        return Ok(None);
    }
    if embedded && tokens.take_if("\"") {
        return Ok(Some(quoted(tokens)));
    }
    if take_literal(tokens, embedded, "null") {
        return Ok(None);
    }
    for (text, truth) in [("true", true), ("false", false)] {
        if take_literal(tokens, embedded, text) {
            return Ok(Some(simple(Kind::Boolean, Value::Boolean(truth))));
        }
    }
    let start = tokens.mark();
    if depth < DEPTH_MAX {
        let collected = if tokens.take_if("[") {
            Some(array(tokens, depth + 1))
        } else if tokens.take_if("{") {
            Some(map(tokens, depth + 1))
        } else {
            None
        };
        match collected {
            Some(Ok(datum)) => return Ok(Some(datum)),
            Some(Err(NoValue)) => tokens.rewind_to(start),
            None => {}
        }
    }
    let token = tokens.take();
    let trimmed = crate::java::trim(&token);
    if trimmed.is_empty() {
        return Ok(Some(string(&token)));
    }
    single(tokens, embedded, trimmed)
}

/// A word that stands alone, or inside of something.
fn take_literal(tokens: &mut Tokens, embedded: bool, literal: &str) -> bool {
    let start = tokens.mark();
    if tokens.take_if(literal) && (embedded || !tokens.has_next()) {
        return true;
    }
    tokens.rewind_to(start);
    false
}

fn single(tokens: &mut Tokens, embedded: bool, token: &str) -> Read {
    let first = token.chars().next().unwrap_or_default();
    if first.is_ascii_digit()
        && let Some(moment) = moment_of_tokens(tokens, token)
    {
        return Ok(Some(moment));
    }
    if (first.is_ascii_digit() || first == '+' || first == '-')
        && let Some(number) = number(token)
    {
        return Ok(Some(number));
    }
    if embedded { Err(NoValue) } else { Ok(Some(string(&tokens.original()))) }
}

fn quoted(tokens: &mut Tokens) -> Datum {
    let mut content = String::new();
    while tokens.has_next() && !tokens.take_if("\"") {
        content.push_str(&tokens.take());
    }
    moment(&content).unwrap_or_else(|| string(&content))
}

fn array(tokens: &mut Tokens, depth: usize) -> Result<Datum, NoValue> {
    let mut values = Vec::new();
    let mut schemas = Merged::default();
    while tokens.has_next() {
        if tokens.take_if("]") {
            if let Some(element) = &schemas.common {
                values = align_all(element, values)?;
            }
            let element = schemas.common.unwrap_or_else(unknown);
            return Ok(simple(Kind::Array(element), Value::Array(values)));
        }
        if tokens.take_if(",") {
            return Err(NoValue);
        }
        let element = parse(tokens, true, depth)?;
        schemas.merge(element.as_ref());
        values.push(element.unwrap_or_default().value);
        let place = tokens.mark();
        if tokens.take_if("]") {
            tokens.rewind_to(place);
        } else if !tokens.take_if(",") {
            return Err(NoValue);
        }
    }
    Err(NoValue)
}

fn map(tokens: &mut Tokens, depth: usize) -> Result<Datum, NoValue> {
    let mut map = Map::new();
    let mut keys = Merged::default();
    let mut values = Merged::default();
    while tokens.has_next() {
        if tokens.take_if("}") {
            let (key_found, value_found) = (keys.common.is_some(), values.common.is_some());
            let key = keys.common.unwrap_or_else(unknown);
            let value = values.common.unwrap_or_else(unknown);
            if key_found {
                let aligned = map.into_iter().map(|(found_key, found)| {
                    let found = if value_found { align(&value, found)? } else { found };
                    Ok((align(&key, found_key)?, found))
                });
                map = aligned.collect::<Result<Map, NoValue>>()?;
            }
            return Ok(simple(Kind::Map(key, value), Value::Map(map)));
        }
        if tokens.take_if(",") {
            return Err(NoValue);
        }
        let key = parse(tokens, true, depth)?;
        if key.as_ref().is_none_or(|key| key.value.is_null()) || !tokens.take_if(":") {
            return Err(NoValue);
        }
        let value = parse(tokens, true, depth)?;
        keys.merge(key.as_ref());
        values.merge(value.as_ref());
        map.insert(key.unwrap_or_default().value, value.unwrap_or_default().value);
        tokens.take_if(",");
    }
    Err(NoValue)
}

/// What Connect leaves without schema: the elements of which nothing, or nothing common, is known.
fn unknown() -> SchemaRef {
    Schema::optional(Kind::String).into()
}

/// The schema that the elements of an array have in common.
#[derive(Default)]
struct Merged {
    common: Option<SchemaRef>,
    incompatible: bool,
}

impl Merged {
    fn merge(&mut self, datum: Option<&Datum>) {
        let Some(schema) = datum.and_then(|datum| datum.schema.as_ref()) else { return };
        if self.incompatible {
            return;
        }
        self.common = match &self.common {
            None => Some(schema.clone()),
            // Of one type the later one counts.
            Some(common) if common.type_of() == schema.type_of() => Some(schema.clone()),
            Some(common) => match (width(common), width(schema)) {
                (Some(one), Some(other)) if other > one => Some(schema.clone()),
                (Some(_), Some(_)) => Some(common.clone()),
                _ => None,
            },
        };
        self.incompatible = self.common.is_none();
    }
}

/// Numbers hold what is narrower.
fn width(schema: &Schema) -> Option<u8> {
    Some(match schema.kind {
        Kind::Int8 => 1,
        Kind::Int16 => 2,
        Kind::Int32 => 3,
        Kind::Int64 => 4,
        Kind::Float32 => 5,
        Kind::Float64 => 6,
        _ => return None,
    })
}

fn align_all(schema: &Schema, values: Vec<Value>) -> Result<Vec<Value>, NoValue> {
    values.into_iter().map(|value| align(schema, value)).collect()
}

/// A value of the common schema.
fn align(schema: &Schema, value: Value) -> Result<Value, NoValue> {
    let logical = schema.logical_type();
    let (long, double) = match &value {
        Value::Null => return Err(NoValue),
        Value::Int8(number) => (i64::from(*number), f64::from(*number)),
        Value::Int16(number) => (i64::from(*number), f64::from(*number)),
        Value::Int32(number) => (i64::from(*number), f64::from(*number)),
        Value::Int64(number) => (*number, *number as f64),
        Value::Float32(number) => (*number as i64, f64::from(*number)),
        Value::Float64(number) => (*number as i64, *number),
        // A moment is no number, unless the schema is that of one.
        Value::Timestamp(_) if logical.is_none() => return Err(NoValue),
        _ => return Ok(value),
    };
    Ok(match (&schema.kind, logical) {
        (_, Some(LogicalType::Date)) => Value::Timestamp(i64::from(long as i32) * DAY_MS),
        (_, Some(LogicalType::Time)) => {
            let millis = i64::from(long as i32);
            if !(0..=DAY_MS).contains(&millis) {
                return Err(NoValue);
            }
            Value::Timestamp(millis)
        }
        (_, Some(LogicalType::Timestamp)) => Value::Timestamp(long),
        (Kind::Int8, _) => Value::Int8(long as i8),
        (Kind::Int16, _) => Value::Int16(long as i16),
        (Kind::Int32, _) => Value::Int32(long as i32),
        (Kind::Int64, _) => Value::Int64(long),
        (Kind::Float32, _) if matches!(value, Value::Float32(_)) => value,
        (Kind::Float32, _) => Value::Float32(double as f32),
        (Kind::Float64, _) => Value::Float64(double),
        _ => value,
    })
}

/// Times have colons, which part them into five tokens where no backslash stands before.
fn moment_of_tokens(tokens: &mut Tokens, token: &str) -> Option<Datum> {
    let place = tokens.mark();
    if let Some(remainder) = tokens.take_all(4)
        && let Some(found) = moment(&format!("{token}{remainder}"))
    {
        return Some(found);
    }
    tokens.rewind_to(place);
    moment(token)
}

fn moment(token: &str) -> Option<Datum> {
    let token = token.replace("\\:", ":");
    let (pattern, logical) = match token.chars().count() {
        13 => (TIME, LogicalType::Time),
        24 => (TIMESTAMP, LogicalType::Timestamp),
        10 => (DATE, LogicalType::Date),
        _ => return None,
    };
    let millis = DateFormat::new(pattern, 0).expect("the pattern is ours").read(&token)?;
    let schema = Schema::logical(logical, None);
    Some(Datum::with_schema(schema.into(), Value::Timestamp(millis)))
}

fn number(token: &str) -> Option<Datum> {
    let decimal = Decimal::parse(token)?;
    if let Some(long) = decimal.to_i64_exact() {
        return Some(if let Ok(number) = i8::try_from(long) {
            simple(Kind::Int8, Value::Int8(number))
        } else if let Ok(number) = i16::try_from(long) {
            simple(Kind::Int16, Value::Int16(number))
        } else if let Ok(number) = i32::try_from(long) {
            simple(Kind::Int32, Value::Int32(number))
        } else {
            simple(Kind::Int64, Value::Int64(long))
        });
    }
    let (single, double) = (decimal.to_f32(), decimal.to_f64());
    Some(if single.is_finite() && decimal.scale != 0 {
        simple(Kind::Float32, Value::Float32(single))
    } else if double.is_finite() && decimal.scale != 0 {
        simple(Kind::Float64, Value::Float64(double))
    } else {
        let schema = Schema::logical(LogicalType::Decimal, Some(decimal.scale));
        Datum::with_schema(schema.into(), Value::Decimal(decimal))
    })
}
