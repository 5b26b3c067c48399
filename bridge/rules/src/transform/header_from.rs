//! `HeaderFrom`: copies or moves fields of the key or value to headers.

use std::sync::Arc;

use super::class::REPLACE_NULL_WITH_DEFAULT;
use super::fields::{
    all_values, basics, build, entry, field_of, field_value, fields_of, require_map,
    require_struct, struct_kind,
};
use super::schema_cache::SchemaCache;
use super::side::Side;
use super::{Failure, Transform};
use crate::connect::{ConnectRecord, Datum, Header, Schema, SchemaRef, Struct, Value};
use crate::options::{Accepted, Default, Importance, Kind, OptionDef, Options};

pub(super) const OPTIONS: &[OptionDef] = &[
    OptionDef::new(
        "fields",
        Kind::List,
        Default::Required,
        Importance::High,
        "Field names in the record whose values are to be copied or moved to headers.",
    )
    .accepting(&[Accepted::NonEmptyList]),
    OptionDef::new(
        "headers",
        Kind::List,
        Default::Required,
        Importance::High,
        "Header names, in the same order as the field names listed in the fields configuration \
         property.",
    )
    .accepting(&[Accepted::NonEmptyList]),
    OptionDef::new(
        "operation",
        Kind::String,
        Default::Required,
        Importance::High,
        "Either <code>move</code> if the fields are to be moved to the headers (removed from the \
         key/value), or <code>copy</code> if the fields are to be copied to the headers (retained \
         in the key/value).",
    )
    .accepting(&[Accepted::OneOf(&["move", "copy"])]),
    REPLACE_NULL_WITH_DEFAULT,
];

#[derive(Debug)]
pub(super) struct HeaderFrom {
    side: Side,
    fields: Vec<String>,
    headers: Vec<Arc<str>>,
    moves: bool,
    with_default: bool,
    schemas: SchemaCache,
}

impl HeaderFrom {
    pub(super) fn new(side: Side, options: &Options) -> Result<Self, String> {
        let (fields, headers) = (options.list("fields"), options.list("headers"));
        if fields.len() != headers.len() {
            return Err("'fields' config must have the same number of elements as 'headers' \
                 config."
                .to_owned());
        }
        Ok(Self {
            side,
            fields: fields.to_vec(),
            headers: headers.iter().map(|name| Arc::from(name.as_str())).collect(),
            moves: options.string("operation") == "move",
            with_default: options.boolean(REPLACE_NULL_WITH_DEFAULT.name),
            schemas: SchemaCache::default(),
        })
    }

    fn purpose(&self) -> &'static str {
        if self.moves { "header move" } else { "header copy" }
    }

    fn takes(&self, name: &str) -> bool {
        self.fields.iter().any(|field| field == name)
    }

    fn without_schema(&self, value: Value, headers: &mut Vec<Header>) -> Result<Value, Failure> {
        let mut map = require_map(value, self.purpose())?;
        let found: Vec<Value> =
            self.fields.iter().map(|name| entry(&map, name).cloned().unwrap_or_default()).collect();
        for ((field, name), value) in self.fields.iter().zip(&self.headers).zip(found) {
            headers.push(Header { name: name.clone(), datum: Datum::schemaless(value) });
            if self.moves {
                map.shift_remove(&Value::string(field.as_str()));
            }
        }
        Ok(Value::Map(map))
    }

    fn with_schema(
        &self,
        schema: &SchemaRef,
        value: Value,
        headers: &mut Vec<Header>,
    ) -> Result<Datum, Failure> {
        let structure = require_struct(value, self.purpose())?;
        let found: Vec<Value> =
            self.fields.iter().map(|field| self.value(&structure, field)).collect();
        let datum = if self.moves {
            self.without_fields(schema, structure)?
        } else {
            Datum::with_schema(schema.clone(), Value::Struct(Box::new(structure)))
        };
        for ((field, name), value) in self.fields.iter().zip(&self.headers).zip(found) {
            let Some(field) = field_of(schema, field)? else {
                return Err(Failure::missing(format!("Field does not exist: {field}")));
            };
            if value.is_null() && !field.schema.optional {
                return Err(Failure::data(format!(
                    "A null value requires an optional schema but was {}",
                    field.schema
                )));
            }
            let datum = Datum::with_schema(field.schema.clone(), value);
            headers.push(Header { name: name.clone(), datum });
        }
        Ok(datum)
    }

    /// The struct without what goes to headers.
    fn without_fields(&self, schema: &SchemaRef, structure: Struct) -> Result<Datum, Failure> {
        let moved = self.moved_schema(schema)?;
        let own = structure.schema().clone();
        let values = all_values(structure, self.with_default).into_iter().zip(own.fields());
        let kept = values.filter(|(_, field)| !self.takes(&field.name)).map(|(value, _)| value);
        let value = build(&moved, kept.collect())?;
        Ok(Datum::with_schema(moved, value))
    }

    fn value(&self, structure: &Struct, field: &str) -> Value {
        let found = structure.schema().field(field);
        found.map_or(Value::Null, |(index, _)| {
            field_value(structure, index, self.with_default).clone()
        })
    }

    fn moved_schema(&self, schema: &SchemaRef) -> Result<SchemaRef, Failure> {
        self.schemas.get_or(schema, || {
            let fields = fields_of(schema)?.iter().filter(|field| !self.takes(&field.name));
            let kept: Vec<_> = fields.cloned().collect();
            Ok::<Schema, Failure>(basics(schema, struct_kind(kept)?))
        })
    }
}

impl Transform for HeaderFrom {
    fn apply(&self, mut record: ConnectRecord) -> Result<Option<ConnectRecord>, Failure> {
        let Datum { schema, value } = self.side.take(&mut record);
        let datum = match schema {
            None => Datum::schemaless(self.without_schema(value, &mut record.headers)?),
            Some(schema) => self.with_schema(&schema, value, &mut record.headers)?,
        };
        self.side.put(&mut record, datum);
        Ok(Some(record))
    }
}
