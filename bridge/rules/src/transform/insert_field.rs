//! `InsertField`: adds fields with what is known of the record, or with a fixed text.

use super::class::REPLACE_NULL_WITH_DEFAULT;
use super::fields::{all_values, basics, put, require_map, require_struct, struct_kind};
use super::schema_cache::SchemaCache;
use super::side::Side;
use super::{Failure, Transform};
use crate::connect::{
    ConnectRecord, Datum, Field, Kind as SchemaKind, LogicalType, Schema, Struct, Value,
};
use crate::options::{Default, Importance, Kind, OptionDef, Options};

macro_rules! field_option {
    ($name:literal, $words:literal) => {
        OptionDef::new(
            $name,
            Kind::String,
            Default::Null,
            Importance::Medium,
            concat!(
                $words,
                "Suffix with <code>!</code> to make this a required field, or <code>?</code> to \
                 keep it optional (the default)."
            ),
        )
    };
}

pub(super) const OPTIONS: &[OptionDef] = &[
    field_option!("topic.field", "Field name for Kafka topic. "),
    field_option!("partition.field", "Field name for Kafka partition. "),
    field_option!(
        "offset.field",
        "Field name for Kafka offset - only applicable to sink connectors.<br/>"
    ),
    field_option!("timestamp.field", "Field name for record timestamp. "),
    field_option!("static.field", "Field name for static data field. "),
    OptionDef::new(
        "static.value",
        Kind::String,
        Default::Null,
        Importance::Medium,
        "Static field value, if field name configured.",
    ),
    REPLACE_NULL_WITH_DEFAULT,
];

const PURPOSE: &str = "field insertion";

#[derive(Debug)]
pub(super) struct InsertField {
    side: Side,
    insertions: Vec<Insertion>,
    with_default: bool,
    schemas: SchemaCache,
}

#[derive(Debug)]
struct Insertion {
    field: String,
    optional: bool,
    what: What,
}

#[derive(Debug)]
enum What {
    Topic,
    Partition,
    Offset,
    Timestamp,
    Static(String),
}

impl InsertField {
    pub(super) fn new(side: Side, options: &Options) -> Result<Self, String> {
        let mut insertions = Vec::new();
        let mut insert = |name: &str, what: What| {
            let Some(spec) = options.text(name) else { return };
            let (field, optional) = match spec.strip_suffix('!') {
                Some(field) => (field, false),
                None => (spec.strip_suffix('?').unwrap_or(spec), true),
            };
            insertions.push(Insertion { field: field.to_owned(), optional, what });
        };
        insert("topic.field", What::Topic);
        insert("partition.field", What::Partition);
        insert("offset.field", What::Offset);
        insert("timestamp.field", What::Timestamp);
        match (options.text("static.field"), options.text("static.value")) {
            (Some(field), None) => {
                return Err(format!(
                    "Invalid value null for configuration static.value: No value specified for \
                     static field: {field}"
                ));
            }
            (_, value) => {
                insert("static.field", What::Static(value.unwrap_or_default().to_owned()));
            }
        }
        if insertions.is_empty() {
            return Err("No field insertion configured".to_owned());
        }
        let with_default = options.boolean(REPLACE_NULL_WITH_DEFAULT.name);
        Ok(Self { side, insertions, with_default, schemas: SchemaCache::default() })
    }

    fn new_schema(&self, schema: &Schema) -> Result<Schema, Failure> {
        let mut fields = schema.fields().to_vec();
        for insertion in &self.insertions {
            let mut schema = match insertion.what {
                What::Topic | What::Static(_) => Schema::new(SchemaKind::String),
                What::Partition => Schema::new(SchemaKind::Int32),
                What::Offset => Schema::new(SchemaKind::Int64),
                What::Timestamp => Schema::logical(LogicalType::Timestamp, None),
            };
            schema.optional = insertion.optional;
            fields.push(Field::new(insertion.field.as_str(), schema));
        }
        Ok(basics(schema, struct_kind(fields)?))
    }
}

impl Insertion {
    /// The value; none when the record has nothing of the kind. A timestamp is a moment where a
    /// schema says so.
    fn value(&self, record: &ConnectRecord, schema: bool) -> Result<Option<Value>, Failure> {
        Ok(match &self.what {
            What::Topic => Some(Value::String(record.kafka_topic.clone())),
            What::Partition => record.partition.map(Value::Int32),
            What::Offset => match record.offset {
                Some(offset) => Some(Value::Int64(offset)),
                None => {
                    return Err(Failure::data(format!(
                        "Only SinkRecord supported for [{PURPOSE}], found: \
                         org.apache.kafka.connect.source.SourceRecord"
                    )));
                }
            },
            What::Timestamp if schema => record.timestamp.map(Value::Timestamp),
            What::Timestamp => record.timestamp.map(Value::Int64),
            What::Static(text) => Some(Value::string(text.as_str())),
        })
    }
}

impl Transform for InsertField {
    fn apply(&self, mut record: ConnectRecord) -> Result<Option<ConnectRecord>, Failure> {
        if self.side.of(&record).value.is_null() {
            return Ok(Some(record));
        }
        let datum = self.side.take(&mut record);
        let datum = if datum.schema.is_none() {
            let mut map = require_map(datum.value, PURPOSE)?;
            for insertion in &self.insertions {
                if let Some(value) = insertion.value(&record, false)? {
                    map.insert(Value::string(insertion.field.as_str()), value);
                }
            }
            Datum::schemaless(Value::Map(map))
        } else {
            let structure = require_struct(datum.value, PURPOSE)?;
            let own = structure.schema().clone();
            let updated = self.schemas.get_or(&own, || self.new_schema(&own))?;
            let mut made = Struct::new(updated.clone());
            for (index, value) in all_values(structure, self.with_default).into_iter().enumerate() {
                put(&mut made, index, value)?;
            }
            for (index, insertion) in (own.fields().len()..).zip(&self.insertions) {
                // What the record does not have stays null, though the field be required.
                if let Some(value) = insertion.value(&record, true)? {
                    put(&mut made, index, value)?;
                }
            }
            Datum::with_schema(updated, Value::Struct(Box::new(made)))
        };
        self.side.put(&mut record, datum);
        Ok(Some(record))
    }
}
