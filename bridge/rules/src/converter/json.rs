//! `org.apache.kafka.connect.json.JsonConverter`: JSON with its schema around it, or without.
//!
//! What is written is what Connect 4.3.1 writes, byte for byte where it has an order of its own.
//! What is read is read more strictly: a payload that is not of its schema's type is refused, where
//! upstream makes 0, false or null of it.
//!
//! Invariant: schemas that were read or written are kept up to `schemas.cache.size`, each no larger
//! than [`CACHED_MAX`]; a schema that is kept is one allocation for all its records.

pub(super) mod decode;
pub(super) mod encode;
pub(super) mod names;
mod number;
pub(super) mod reader;
pub(super) mod schema;
pub(super) mod text;
pub(super) mod tree;

use std::sync::Arc;

use bytes::Bytes;

use self::decode::Decoder;
use self::encode::Encoder;
use self::names::Names;
use self::reader::{Reader, Token};
use self::tree::Tree;
use super::cache::{Cache, Familiar};
use super::options::Options;
use super::{ConvertError, InvalidOptions};
use crate::connect::{Datum, SchemaRef, Value};

/// How long the text of a schema may be that is kept.
const CACHED_MAX: usize = 64 * 1024;

const ENVELOPE: &str = "JsonConverter with schemas.enable requires \"schema\" and \"payload\" \
    fields and may not contain additional fields. If you are trying to deserialize plain JSON \
    data, set schemas.enable=false in your converter configuration.";

/// The converter, with what it remembers of schemas.
#[derive(Debug, Clone)]
pub(super) struct JsonConverter {
    schemas_enable: bool,
    /// `schema.content`: the schema of everything that is read.
    content: Option<SchemaRef>,
    encoder: Encoder,
    names: Names,
    read: Cache<Box<[u8]>, Option<SchemaRef>>,
    last_read: Option<(Box<[u8]>, Option<SchemaRef>)>,
    written: Cache<SchemaRef, Arc<[u8]>>,
    familiar: Familiar<Arc<[u8]>>,
    /// How long the last one was: the next will be about as long.
    length: usize,
}

impl JsonConverter {
    pub(super) fn from_options(
        mut options: Options<'_>,
    ) -> Result<(Self, Vec<String>), InvalidOptions> {
        options.pass(&["converter.type"], &[]);
        let schemas_enable = options.boolean("schemas.enable", true);
        let schemas = options.count("schemas.cache.size", 1_000);
        let numeric = options.word("decimal.format", &[("BASE64", false), ("NUMERIC", true)]);
        let replace_null_with_default = options.boolean("replace.null.with.default", true);
        let content = options.text("schema.content").map(|text| {
            let tree = Tree::parse(text.as_bytes()).map_err(ConvertError::from)?;
            schema::read(&tree, replace_null_with_default)
        });
        let content = match content.transpose() {
            Ok(content) => content.flatten(),
            Err(error) => {
                options.wrong(format!("schema.content: {error}"));
                None
            }
        };
        let converter = Self {
            schemas_enable,
            content,
            encoder: Encoder {
                numeric_decimals: numeric,
                replace_null_with_default,
                readable_dates: false,
            },
            names: Names::new(),
            read: Cache::new(schemas),
            last_read: None,
            written: Cache::new(schemas),
            familiar: Familiar::new(schemas),
            length: 0,
        };
        Ok((converter, options.finish()?))
    }

    pub(super) fn to_connect(&mut self, bytes: Option<&[u8]>) -> Result<Datum, ConvertError> {
        let Some(bytes) = bytes else {
            return Ok(Datum::default());
        };
        if !self.schemas_enable {
            let mut reader = Reader::new(bytes);
            if reader.is_at_end() {
                return Ok(Datum::default());
            }
            let mut decoder = self.decoder();
            let value = decoder.schemaless(&mut reader)?;
            reader.end()?;
            return Ok(Datum::schemaless(value));
        }
        if let Some(schema) = self.content.clone() {
            let bytes = if Reader::new(bytes).is_at_end() { b"null" } else { bytes };
            return self.payload(schema, bytes);
        }
        if let Some(datum) = self.like_the_last(bytes) {
            return Ok(datum);
        }
        let (schema, payload) = envelope(bytes)?;
        match self.schema(schema)? {
            Some(schema) => self.payload(schema, payload),
            None => {
                let value = self.decoder().schemaless(&mut Reader::new(payload))?;
                Ok(Datum::schemaless(value))
            }
        }
    }

    /// A record whose envelope is written as the last one's, and whose payload is one of the same
    /// schema: most are. Of others nothing is said here, not even what is wrong with them.
    fn like_the_last(&mut self, bytes: &[u8]) -> Option<Datum> {
        let (text, schema) = self.last_read.as_ref()?;
        let schema = Arc::clone(schema.as_ref()?);
        let rest = bytes.strip_prefix(b"{\"schema\":")?.strip_prefix(&**text)?;
        let payload = rest.strip_prefix(b",\"payload\":")?.strip_suffix(b"}")?;
        self.payload(schema, payload).ok()
    }

    fn payload(&mut self, schema: SchemaRef, payload: &[u8]) -> Result<Datum, ConvertError> {
        let mut reader = Reader::new(payload);
        let value = self.decoder().with_schema(&mut reader, &schema)?;
        reader.end()?;
        Ok(Datum::with_schema(schema, value))
    }

    fn decoder(&mut self) -> Decoder<'_> {
        let replace_null_with_default = self.encoder.replace_null_with_default;
        Decoder { replace_null_with_default, names: &mut self.names }
    }

    /// The schema that this text says.
    fn schema(&mut self, text: &[u8]) -> Result<Option<SchemaRef>, ConvertError> {
        if let Some((known, schema)) = &self.last_read
            && **known == *text
        {
            return Ok(schema.clone());
        }
        let schema = match self.read.find(text) {
            Some(schema) => schema.clone(),
            None => {
                let tree = Tree::parse(text)?;
                let schema = schema::read(&tree, self.encoder.replace_null_with_default)?;
                if text.len() <= CACHED_MAX {
                    self.read.insert(text.into(), schema.clone());
                }
                schema
            }
        };
        if text.len() <= CACHED_MAX {
            self.last_read = Some((text.into(), schema.clone()));
        }
        Ok(schema)
    }

    pub(super) fn from_connect(&mut self, datum: &Datum) -> Result<Option<Bytes>, ConvertError> {
        if datum.schema.is_none() && datum.value == Value::Null {
            return Ok(None);
        }
        let mut out = Vec::with_capacity(self.length + self.length / 8 + 64);
        let schema = datum.schema.as_deref();
        if self.schemas_enable {
            out.extend_from_slice(b"{\"schema\":");
            match &datum.schema {
                Some(schema) => out.extend_from_slice(&self.schema_text(schema)?),
                None => out.extend_from_slice(b"null"),
            }
            out.extend_from_slice(b",\"payload\":");
            self.encoder.write(&mut out, schema, &datum.value)?;
            out.push(b'}');
        } else {
            self.encoder.write(&mut out, schema, &datum.value)?;
        }
        self.length = out.len();
        Ok(Some(Bytes::from(out)))
    }

    fn schema_text(&mut self, schema: &SchemaRef) -> Result<Arc<[u8]>, ConvertError> {
        if let Some(text) = self.familiar.find(schema) {
            return Ok(Arc::clone(text));
        }
        let text = match self.written.find(schema) {
            Some(text) => Arc::clone(text),
            None => {
                let mut text = Vec::new();
                schema::write(&mut text, schema, &self.encoder)?;
                let text: Arc<[u8]> = text.into();
                if text.len() <= CACHED_MAX {
                    self.written.insert(Arc::clone(schema), Arc::clone(&text));
                }
                text
            }
        };
        self.familiar.insert(schema, Arc::clone(&text));
        Ok(text)
    }
}

/// The texts of an envelope's schema and payload.
fn envelope(bytes: &[u8]) -> Result<(&[u8], &[u8]), ConvertError> {
    let mut reader = Reader::new(bytes);
    if reader.is_at_end() {
        return Err(ConvertError::data(ENVELOPE));
    }
    let (mut schema, mut payload, mut foreign) = (None, None, false);
    if reader.peek()? == Token::Object {
        reader.open()?;
        let mut first = true;
        while let Some(key) = reader.member(&mut first)? {
            match &*key {
                "schema" => schema = Some(reader.skip()?),
                "payload" => payload = Some(reader.skip()?),
                _ => {
                    reader.skip()?;
                    foreign = true;
                }
            }
        }
    } else {
        reader.skip()?;
    }
    reader.end()?;
    match (schema, payload) {
        (Some(schema), Some(payload)) if !foreign => Ok((schema, payload)),
        _ => Err(ConvertError::data(ENVELOPE)),
    }
}

#[cfg(test)]
mod tests;
