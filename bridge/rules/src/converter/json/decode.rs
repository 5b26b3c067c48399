//! From the text of a payload to a value, with its schema or without.
//!
//! Invariant: a value that comes out of a schema is one of that schema. Nothing is rounded or cut
//! to fit: what does not fit is refused.

use std::sync::Arc;

use base64::Engine as _;
use bytes::Bytes;

use super::names::Names;
use super::reader::{JsonError, Reader, Token};
use super::text;
use crate::connect::{Decimal, Kind, LogicalType, Map, Schema, SchemaRef, Struct, Value};
use crate::converter::ConvertError;

/// How a payload is read.
pub(in crate::converter) struct Decoder<'n> {
    pub(in crate::converter) replace_null_with_default: bool,
    pub(in crate::converter) names: &'n mut Names,
}

impl From<JsonError> for ConvertError {
    fn from(error: JsonError) -> Self {
        Self::data(format!(
            "Converting byte[] to Kafka Connect data failed due to serialization error: {error}"
        ))
    }
}

const DAY_MS: i64 = 86_400_000;

impl Decoder<'_> {
    /// A value without schema: whole numbers are `int64` or, when they are larger, decimals.
    pub(in crate::converter) fn schemaless(
        &mut self,
        reader: &mut Reader<'_>,
    ) -> Result<Value, ConvertError> {
        Ok(match reader.peek()? {
            Token::Null => {
                reader.null()?;
                Value::Null
            }
            Token::Boolean => Value::Boolean(reader.boolean()?),
            Token::Number => {
                let number = reader.number()?;
                if number.integral {
                    match number.text.parse() {
                        Ok(value) => Value::Int64(value),
                        Err(_) => decimal(number.as_decimal(), number.text)?,
                    }
                } else {
                    Value::Float64(number.as_f64().ok_or_else(|| out_of_range(number.text))?)
                }
            }
            Token::String => Value::String(Arc::from(reader.string()?)),
            Token::Array => {
                reader.open()?;
                let (mut first, mut values) = (true, Vec::new());
                while reader.element(&mut first)? {
                    values.push(self.schemaless(reader)?);
                }
                Value::Array(values)
            }
            Token::Object => {
                reader.open()?;
                let (mut first, mut map) = (true, Map::new());
                while let Some(key) = reader.member(&mut first)? {
                    let value = self.schemaless(reader)?;
                    map.insert(Value::String(self.names.intern(&key)), value);
                }
                Value::Map(map)
            }
        })
    }

    /// A value of a schema.
    pub(super) fn with_schema(
        &mut self,
        reader: &mut Reader<'_>,
        schema: &SchemaRef,
    ) -> Result<Value, ConvertError> {
        let token = reader.peek()?;
        if token == Token::Null {
            reader.null()?;
            return self.null(schema);
        }
        if let Some(name) = schema.name.as_deref()
            && let Some(logical) = LogicalType::named(name)
        {
            return logical_value(reader, token, schema, logical);
        }
        match &schema.kind {
            Kind::Boolean if token == Token::Boolean => Ok(Value::Boolean(reader.boolean()?)),
            Kind::Int8 => whole(reader, token, schema).map(Value::Int8),
            Kind::Int16 => whole(reader, token, schema).map(Value::Int16),
            Kind::Int32 => whole(reader, token, schema).map(Value::Int32),
            Kind::Int64 => whole(reader, token, schema).map(Value::Int64),
            Kind::Float32 if token == Token::Number => {
                let number = reader.number()?;
                Ok(Value::Float32(number.as_f32().ok_or_else(|| out_of_range(number.text))?))
            }
            Kind::Float64 if token == Token::Number => {
                let number = reader.number()?;
                Ok(Value::Float64(number.as_f64().ok_or_else(|| out_of_range(number.text))?))
            }
            // What is no number is written as a string, so it is read from one.
            Kind::Float32 | Kind::Float64 if token == Token::String => {
                let name = reader.string()?;
                let value = text::special(&name).ok_or_else(|| mismatch(schema, token))?;
                Ok(match schema.kind {
                    Kind::Float32 => Value::Float32(value as f32),
                    _ => Value::Float64(value),
                })
            }
            Kind::String if token == Token::String => {
                Ok(Value::String(Arc::from(reader.string()?)))
            }
            Kind::Bytes if token == Token::String => Ok(Value::Bytes(bytes(&reader.string()?)?)),
            Kind::Array(element) if token == Token::Array => {
                reader.open()?;
                let (mut first, mut values) = (true, Vec::new());
                while reader.element(&mut first)? {
                    values.push(self.with_schema(reader, element)?);
                }
                Ok(Value::Array(values))
            }
            Kind::Map(keys, values) if matches!(keys.kind, Kind::String) => {
                self.object(reader, token, values)
            }
            Kind::Map(keys, values) => self.pairs(reader, token, keys, values),
            Kind::Struct(_) => self.structure(reader, token, schema),
            _ => Err(mismatch(schema, token)),
        }
    }

    fn null(&self, schema: &SchemaRef) -> Result<Value, ConvertError> {
        match &schema.default {
            // A default cannot know the schema that it is part of.
            Some(Value::Struct(default)) if self.replace_null_with_default => {
                let mut structure = Struct::new(Arc::clone(schema));
                for (index, value) in default.values().iter().enumerate() {
                    structure.set_at(index, value.clone());
                }
                Ok(Value::Struct(Box::new(structure)))
            }
            Some(default) if self.replace_null_with_default => Ok(default.clone()),
            _ if schema.optional => Ok(Value::Null),
            _ => Err(ConvertError::data(format!(
                "Invalid null value for required {} field",
                schema.type_of().json_name().to_uppercase()
            ))),
        }
    }

    fn object(
        &mut self,
        reader: &mut Reader<'_>,
        token: Token,
        values: &SchemaRef,
    ) -> Result<Value, ConvertError> {
        if token != Token::Object {
            return Err(ConvertError::data(format!(
                "Maps with string fields should be encoded as JSON objects, but found {}",
                token.name()
            )));
        }
        reader.open()?;
        let (mut first, mut map) = (true, Map::new());
        while let Some(key) = reader.member(&mut first)? {
            let value = self.with_schema(reader, values)?;
            map.insert(Value::String(self.names.intern(&key)), value);
        }
        Ok(Value::Map(map))
    }

    /// A map whose keys are no strings: an array of arrays of two.
    fn pairs(
        &mut self,
        reader: &mut Reader<'_>,
        token: Token,
        keys: &SchemaRef,
        values: &SchemaRef,
    ) -> Result<Value, ConvertError> {
        if token != Token::Array {
            return Err(ConvertError::data(format!(
                "Maps with non-string fields should be encoded as JSON array of tuples, but found {}",
                token.name()
            )));
        }
        reader.open()?;
        let (mut first, mut map) = (true, Map::new());
        while reader.element(&mut first)? {
            let token = reader.peek()?;
            if token != Token::Array {
                return Err(ConvertError::data(format!(
                    "Found invalid map entry instead of array tuple: {}",
                    token.name()
                )));
            }
            reader.open()?;
            let (mut inner, mut pair, mut found) = (true, Vec::with_capacity(2), 0);
            while reader.element(&mut inner)? {
                match found {
                    0 => pair.push(self.with_schema(reader, keys)?),
                    1 => pair.push(self.with_schema(reader, values)?),
                    _ => drop(reader.skip()?),
                }
                found += 1;
            }
            let Ok([key, value]) = <[Value; 2]>::try_from(pair) else {
                return Err(tuple_length(found));
            };
            if found != 2 {
                return Err(tuple_length(found));
            }
            map.insert(key, value);
        }
        Ok(Value::Map(map))
    }

    fn structure(
        &mut self,
        reader: &mut Reader<'_>,
        token: Token,
        schema: &SchemaRef,
    ) -> Result<Value, ConvertError> {
        if token != Token::Object {
            return Err(ConvertError::data(format!(
                "Structs should be encoded as JSON objects, but found {}",
                token.name()
            )));
        }
        reader.open()?;
        let fields = schema.fields();
        let mut structure = Struct::new(Arc::clone(schema));
        let mut present = vec![false; fields.len()];
        let (mut first, mut expected) = (true, 0);
        while let Some(key) = reader.member(&mut first)? {
            // Members mostly come in the order of the fields.
            let (passed, coming) = fields.split_at(expected);
            let found = coming.iter().position(|field| *field.name == *key);
            let found = found.map(|place| place + expected);
            let found = found.or_else(|| passed.iter().position(|field| *field.name == *key));
            let Some(index) = found else {
                reader.skip()?;
                continue;
            };
            structure.set_at(index, self.with_schema(reader, &fields[index].schema)?);
            present[index] = true;
            expected = index + 1;
        }
        for (index, _) in present.iter().enumerate().filter(|(_, present)| !**present) {
            structure.set_at(index, self.null(&fields[index].schema)?);
        }
        Ok(Value::Struct(Box::new(structure)))
    }
}

fn tuple_length(found: usize) -> ConvertError {
    ConvertError::data(format!("Found invalid map entry, expected length 2 but found :{found}"))
}

fn mismatch(schema: &Schema, token: Token) -> ConvertError {
    ConvertError::data(format!(
        "Invalid type for {}, found {}",
        schema.type_of().json_name().to_uppercase(),
        token.name()
    ))
}

fn out_of_range(number: &str) -> ConvertError {
    ConvertError::data(format!("Invalid number {number}, expected one in the range of its type"))
}

fn decimal(decimal: Option<Decimal>, number: &str) -> Result<Value, ConvertError> {
    decimal.map(Value::Decimal).ok_or_else(|| out_of_range(number))
}

fn whole<T: TryFrom<i64>>(
    reader: &mut Reader<'_>,
    token: Token,
    schema: &Schema,
) -> Result<T, ConvertError> {
    if token != Token::Number {
        return Err(mismatch(schema, token));
    }
    let number = reader.number()?;
    let value = number.as_i64().and_then(|value| value.try_into().ok());
    value.ok_or_else(|| {
        ConvertError::data(format!(
            "Invalid number {}, expected one of {}",
            number.text,
            schema.type_of().json_name().to_uppercase()
        ))
    })
}

fn bytes(text: &str) -> Result<Bytes, ConvertError> {
    match text::BASE64.decode(text) {
        Ok(bytes) => Ok(Bytes::from(bytes)),
        Err(error) => Err(ConvertError::data(format!("Invalid bytes field: {error}"))),
    }
}

fn logical_value(
    reader: &mut Reader<'_>,
    token: Token,
    schema: &Schema,
    logical: LogicalType,
) -> Result<Value, ConvertError> {
    let (name, underlying) = match logical {
        LogicalType::Decimal => ("Decimal", "numeric or bytes"),
        LogicalType::Date => ("Date", "integer"),
        LogicalType::Time => ("Time", "integer"),
        LogicalType::Timestamp => ("Timestamp", "integral"),
    };
    let invalid = || {
        ConvertError::data(format!(
            "Invalid type for {name}, underlying representation should be {underlying} but was {}",
            token.name()
        ))
    };
    match (logical, token) {
        (LogicalType::Decimal, Token::Number) => {
            let number = reader.number()?;
            decimal(number.as_decimal(), number.text)
        }
        (LogicalType::Decimal, Token::String) => {
            let bytes = bytes(&reader.string()?)
                .map_err(|_| ConvertError::data("Invalid bytes for Decimal field"))?;
            Ok(Value::Decimal(Decimal::from_bytes(&bytes, scale(schema)?)))
        }
        (LogicalType::Decimal, _) => Err(invalid()),
        (_, Token::Number) => {
            let number = reader.number()?;
            let value = number.integral.then(|| number.text.parse::<i64>().ok()).flatten();
            let value = value.ok_or_else(invalid)?;
            if logical == LogicalType::Timestamp {
                return Ok(Value::Timestamp(value));
            }
            let value = i32::try_from(value).map_err(|_| invalid())?;
            moment(logical, value)
        }
        _ => Err(invalid()),
    }
}

/// A day, or a time of the day, as Connect's `Date` and `Time` read them.
pub(in crate::converter) fn moment(
    logical: LogicalType,
    value: i32,
) -> Result<Value, ConvertError> {
    match logical {
        LogicalType::Date => Ok(Value::Timestamp(i64::from(value) * DAY_MS)),
        _ if (0..=DAY_MS).contains(&i64::from(value)) => Ok(Value::Timestamp(i64::from(value))),
        _ => Err(ConvertError::data(
            "Time values must use number of milliseconds greater than 0 and less than 86400000",
        )),
    }
}

/// The scale that a decimal's schema says.
pub(in crate::converter) fn scale(schema: &Schema) -> Result<i32, ConvertError> {
    let Some(scale) = schema.parameter("scale") else {
        return Err(ConvertError::data("Invalid Decimal schema: scale parameter not found."));
    };
    let invalid = |_| ConvertError::data("Invalid scale parameter found in Decimal schema: ");
    scale.parse().map_err(invalid)
}
