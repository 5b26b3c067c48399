//! Points of InfluxDB made of records: measurement, tags, fields and time, and their lines of the
//! line protocol.
//!
//! Invariant: a point has a measurement and a field at least, and its line is one to InfluxDB: nothing
//! that a record holds ends it early or adds to it. Numbers are never rounded but to the 64 bits that
//! InfluxDB keeps.

mod fields;
mod line;
mod time;

use crate::connect::{ConnectRecord, Datum};
use crate::converter::Converter;
use crate::kcql::{Field, InfluxSink, Measurement, Tag, Taken, TimestampFrom, TimestampUnit};
use crate::projection::{self, Missing, Projection, ProjectionError};

pub use fields::FieldValue;

/// A point.
#[derive(Clone, Debug, PartialEq)]
pub struct Point {
    /// Where it belongs.
    pub measurement: String,
    /// Names and values, none of them empty.
    pub tags: Vec<(String, String)>,
    /// Names and values, at least one.
    pub fields: Vec<(String, FieldValue)>,
    /// Nanoseconds since the epoch; `None`: when it is written.
    pub time_ns: Option<i64>,
}

/// Why a record is no point.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PointError {
    /// The record has not what the statement names.
    #[error(transparent)]
    Projection(#[from] ProjectionError),
    /// The measurement has no name of one: what was found and what was expected.
    #[error("measurement {0}")]
    Measurement(String),
    /// Every field is null, or there is none.
    #[error("found no field that is not null, expected one at least")]
    NoFields,
    /// A field that is none in InfluxDB.
    #[error("field {name}: {why}")]
    Field {
        /// Its name.
        name: String,
        /// What was found and what was expected.
        why: String,
    },
    /// A tag that is none.
    #[error("tag {name}: found a value of type {found}, expected text, a number or a boolean")]
    Tag {
        /// Its name.
        name: String,
        /// What is there.
        found: &'static str,
    },
    /// A time that is none.
    #[error("timestamp {column}: {why}")]
    Time {
        /// The field as it is written.
        column: String,
        /// What was found and what was expected.
        why: String,
    },
}

/// A statement, ready to make points.
#[derive(Clone, Debug)]
pub struct PointRule {
    kafka_topic: String,
    measurement: Measurement,
    fields: Projection,
    tags: Vec<Tag>,
    timestamp: TimestampFrom,
    unit: TimestampUnit,
    /// Whether something is named that lies inside of it.
    looks_into_value: bool,
    looks_into_key: bool,
    /// Reads text and bytes.
    json: Converter,
}

impl PointRule {
    /// Makes it ready.
    #[must_use]
    pub fn new(statement: &InfluxSink) -> PointRule {
        let columns = statement.selection.columns.iter();
        let columns = columns.filter_map(|column| match &column.taken {
            Taken::One { field, .. } => Some(field),
            Taken::AllOfValue(_) | Taken::AllOfKey(_) => None,
        });
        let tags = statement.tags.iter().filter_map(|tag| match tag {
            Tag::Field { field, .. } => Some(field),
            Tag::Constant { .. } => None,
        });
        let target = match &statement.measurement {
            Measurement::Field(field) => Some(field),
            Measurement::Literal(_) => None,
        };
        let time = match &statement.timestamp {
            TimestampFrom::Field(field) => Some(field),
            TimestampFrom::SystemTime => None,
        };
        let named: Vec<&Field> = columns.chain(tags).chain(target).chain(time).collect();
        let takes = |all: fn(&Taken) -> bool| {
            statement.selection.columns.iter().any(|column| all(&column.taken))
        };
        let inside = |is: fn(&Field) -> Option<&Vec<String>>| {
            named.iter().any(|field| is(field).is_some_and(|path| !path.is_empty()))
        };
        PointRule {
            kafka_topic: statement.kafka_topic.clone(),
            measurement: statement.measurement.clone(),
            fields: Projection::new(&statement.selection, Missing::Refused),
            tags: statement.tags.clone(),
            timestamp: statement.timestamp.clone(),
            unit: statement.timestamp_unit,
            looks_into_value: takes(|taken| matches!(taken, Taken::AllOfValue(_)))
                || inside(|field| match field {
                    Field::Value(path) => Some(path),
                    _ => None,
                }),
            looks_into_key: takes(|taken| matches!(taken, Taken::AllOfKey(_)))
                || inside(|field| match field {
                    Field::Key(path) => Some(path),
                    _ => None,
                }),
            json: projection::json_converter(),
        }
    }

    /// The topic whose records it is about.
    #[must_use]
    pub fn kafka_topic(&self) -> &str {
        &self.kafka_topic
    }

    /// The point of a record; `None` for one without a value.
    ///
    /// # Errors
    /// Why it can never be one.
    pub fn point(&mut self, record: &ConnectRecord) -> Result<Option<Point>, PointError> {
        if record.value.value.is_null() {
            return Ok(None);
        }
        let read = self.read(record)?;
        let record = read.as_ref().unwrap_or(record);
        let taken = self.fields.fields(record, &record.kafka_topic)?;
        let point = Point {
            measurement: self.measurement(record)?,
            tags: self.tags(record)?,
            fields: fields::of(&taken)?,
            time_ns: self.time(record)?,
        };
        Ok(Some(point))
    }

    /// The record with text and bytes read as the JSON they hold, where something inside is named.
    fn read(&mut self, record: &ConnectRecord) -> Result<Option<ConnectRecord>, ProjectionError> {
        let mut read = |looks: bool, datum: &Datum, part| match looks {
            true => projection::read_json(&mut self.json, datum, part),
            false => Ok(None),
        };
        let value = read(self.looks_into_value, &record.value, "value")?;
        let key = read(self.looks_into_key, &record.key, "key")?;
        if value.is_none() && key.is_none() {
            return Ok(None);
        }
        let mut record = record.clone();
        record.value = value.unwrap_or(record.value);
        record.key = key.unwrap_or(record.key);
        Ok(Some(record))
    }

    fn measurement(&self, record: &ConnectRecord) -> Result<String, PointError> {
        let name = match &self.measurement {
            Measurement::Literal(name) => name.clone(),
            Measurement::Field(field) => {
                projection::text_of(record, field).map_err(PointError::Measurement)?
            }
        };
        // A line that begins with # is a comment, and nothing in the protocol makes it another.
        if name.is_empty() || name.starts_with('#') {
            let expected = "expected a name that is not empty and does not begin with #";
            return Err(PointError::Measurement(format!("found {name:?}, {expected}")));
        }
        Ok(name)
    }

    /// The tags that the record has: missing, null and empty ones are left out, for InfluxDB knows no
    /// tag without a value.
    fn tags(&self, record: &ConnectRecord) -> Result<Vec<(String, String)>, PointError> {
        let mut tags = Vec::with_capacity(self.tags.len());
        for tag in &self.tags {
            let (name, value) = match tag {
                Tag::Constant { name, value } => (name, value.clone()),
                Tag::Field { name, field } => {
                    let Some(value) = projection::place(record, field)? else { continue };
                    let text = fields::text(&value)
                        .map_err(|found| PointError::Tag { name: name.clone(), found })?;
                    match text {
                        Some(text) => (name, text),
                        None => continue,
                    }
                }
            };
            if !value.is_empty() {
                tags.push((name.clone(), value));
            }
        }
        Ok(tags)
    }

    fn time(&self, record: &ConnectRecord) -> Result<Option<i64>, PointError> {
        let TimestampFrom::Field(field) = &self.timestamp else { return Ok(None) };
        let Some(value) = projection::place(record, field)? else { return Ok(None) };
        // The record's own time is known to be in milliseconds.
        let unit = match field {
            Field::Timestamp => TimestampUnit::Milliseconds,
            _ => self.unit,
        };
        time::nanoseconds(&value, unit)
            .map_err(|why| PointError::Time { column: field.to_string(), why })
    }
}

#[cfg(test)]
mod tests;
