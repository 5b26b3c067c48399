//! `io.confluent.connect.avro.AvroConverter`: Avro with the id of its schema in front.
//!
//! The wire format is a zero byte, the id in four bytes, most significant first, and Avro's binary
//! encoding. Values are read and written by a plan made once for each schema, without a tree between.
//!
//! Invariant: what is remembered of schemas is bounded by `schemas.cache.size`; a question is asked
//! again only when its answer has been forgotten or was a refusal.

mod compile;
mod decode;
mod default;
mod encode;
mod from_connect;
mod plan;
mod schema;

use std::sync::Arc;

use bytes::{Buf, Bytes};

use self::plan::{AvroData, Compiled};
use self::schema::AvroSchema;
use super::cache::{Cache, Familiar};
use super::json::names::Names;
use super::options::Options;
use super::registry::SubjectNameStrategy;
use super::{Answer, ConvertError, InvalidOptions, Question, RegistryOptions, SchemaText, Side};
use crate::connect::{Datum, SchemaRef};

/// How many refusals are kept until the record that needed the answer comes again.
const REFUSALS_MAX: usize = 64;

/// Options of upstream that change nothing here, whatever they say.
const PASSED: &[&str] = &[
    "converter.type",
    "http.connect.timeout.ms",
    "http.read.timeout.ms",
    "latest.cache.size",
    "latest.cache.ttl.sec",
    "latest.compatibility.strict",
    "max.schemas.per.subject",
    "missing.cache.size",
    "missing.id.cache.ttl.sec",
    "missing.schema.cache.ttl.sec",
    "missing.version.cache.ttl.sec",
];

/// Options of upstream that are refused unless they are off.
const OFF: &[&str] = &[
    "allow.optional.map.keys",
    "avro.reflection.allow.null",
    "avro.use.logical.type.converters",
    "discard.type.doc.default",
    "flatten.singleton.unions",
    "generalized.sum.type.support",
    "scrub.invalid.names",
];

/// The converter, with what it remembers of schemas.
#[derive(Debug, Clone)]
pub(super) struct AvroConverter {
    side: Side,
    registry: RegistryOptions,
    strategy: SubjectNameStrategy,
    auto_register: bool,
    use_latest: bool,
    normalize: bool,
    data: AvroData,
    names: Names,
    /// What ids stand for.
    readers: Cache<u32, Arc<Compiled>>,
    last_reader: Option<(u32, Arc<Compiled>)>,
    /// What schemas of Connect are in Avro.
    translated: Cache<Option<SchemaRef>, Arc<Translated>>,
    ids: Cache<(Arc<str>, Arc<str>), u32>,
    latest: Cache<Arc<str>, (u32, Arc<Compiled>)>,
    writers: Familiar<Writer>,
    schemaless_writer: Option<Writer>,
    refusals: Cache<Question, String>,
    length: usize,
}

#[derive(Debug)]
struct Translated {
    text: Arc<str>,
    compiled: Arc<Compiled>,
}

/// How the last value of a schema was written: the next is mostly written the same way.
#[derive(Debug, Clone)]
struct Writer {
    kafka_topic: Arc<str>,
    id: u32,
    compiled: Arc<Compiled>,
}

impl AvroConverter {
    pub(super) fn from_options(
        side: Side,
        mut options: Options<'_>,
    ) -> Result<(Self, Vec<String>), InvalidOptions> {
        options.pass(PASSED, &[]);
        for name in OFF {
            if options.boolean(name, false) {
                options.expected(name, "true", "false: it is not supported");
            }
        }
        let registry = RegistryOptions::read(&mut options);
        let strategy = SubjectNameStrategy::read(&mut options, side);
        let schemas = options.count("schemas.cache.config", 1_000);
        let schemas = options.count("schemas.cache.size", schemas).max(1);
        let data = AvroData {
            connect_meta_data: options.boolean("connect.meta.data", true),
            enhanced: options.boolean("enhanced.avro.schema.support", false),
            ignore_default_for_nullables: options.boolean("ignore.default.for.nullables", false),
        };
        let auto_register = options.boolean("auto.register.schemas", true);
        let use_latest = options.boolean("use.latest.version", false);
        let converter = Self {
            side,
            registry,
            strategy,
            auto_register,
            use_latest,
            normalize: options.boolean("normalize.schemas", false),
            data,
            names: Names::new(),
            readers: Cache::new(schemas),
            last_reader: None,
            translated: Cache::new(schemas),
            ids: Cache::new(schemas),
            latest: Cache::new(schemas),
            writers: Familiar::new(schemas),
            schemaless_writer: None,
            refusals: Cache::new(REFUSALS_MAX),
            length: 0,
        };
        Ok((converter, options.finish()?))
    }

    pub(super) const fn registry(&self) -> &RegistryOptions {
        &self.registry
    }

    pub(super) fn to_connect(
        &mut self,
        kafka_topic: &str,
        bytes: Option<&Bytes>,
    ) -> Result<Datum, ConvertError> {
        let Some(bytes) = bytes else {
            return Ok(Datum::default());
        };
        let failed = |what: String| {
            ConvertError::Data(format!(
                "Failed to deserialize data for topic {kafka_topic} to Avro: {what}"
            ))
        };
        let mut body = bytes.clone();
        if body.try_get_u8() != Ok(0) {
            return Err(failed("Unknown magic byte!".into()));
        }
        let Ok(id) = body.try_get_u32() else {
            return Err(failed(format!("found {} bytes, expected 5 at least", bytes.len())));
        };
        let compiled = self.reader(id)?;
        let schema = compiled.schema.clone();
        if encode::is_raw(&compiled.plan, schema.as_deref()) {
            return Ok(Datum { schema, value: crate::connect::Value::Bytes(body) });
        }
        match decode::Decoder::new(body, &mut self.names).whole(&compiled.plan) {
            Ok(value) => Ok(Datum { schema, value }),
            Err(ConvertError::Data(what)) => Err(failed(format!("{what} (schema id {id})"))),
            Err(ask) => Err(ask),
        }
    }

    fn reader(&mut self, id: u32) -> Result<Arc<Compiled>, ConvertError> {
        if let Some((known, compiled)) = &self.last_reader
            && *known == id
        {
            return Ok(Arc::clone(compiled));
        }
        let Some(compiled) = self.readers.find(&id).cloned() else {
            return Err(self.ask(Question::Schema { id }));
        };
        self.last_reader = Some((id, Arc::clone(&compiled)));
        Ok(compiled)
    }

    pub(super) fn from_connect(
        &mut self,
        kafka_topic: &str,
        datum: &Datum,
    ) -> Result<Option<Bytes>, ConvertError> {
        if encode::is_tombstone(datum.schema.as_deref(), &datum.value) {
            return Ok(None);
        }
        let Writer { id, compiled, .. } = self.writer(kafka_topic, datum)?;
        let mut out = Vec::with_capacity(self.length + self.length / 8 + 32);
        out.push(0);
        out.extend_from_slice(&id.to_be_bytes());
        match &datum.value {
            crate::connect::Value::Bytes(bytes)
                if encode::is_raw(&compiled.plan, datum.schema.as_deref()) =>
            {
                out.extend_from_slice(bytes);
            }
            value => {
                let ignore_default_for_nullables = self.data.ignore_default_for_nullables;
                let encoder = encode::Encoder { ignore_default_for_nullables };
                encoder.value(&mut out, &compiled.plan, value)?;
            }
        }
        self.length = out.len();
        Ok(Some(Bytes::from(out)))
    }

    fn writer(&mut self, kafka_topic: &str, datum: &Datum) -> Result<Writer, ConvertError> {
        let known = match &datum.schema {
            Some(schema) => self.writers.find(schema),
            None => self.schemaless_writer.as_ref(),
        };
        if let Some(writer) = known.filter(|writer| *writer.kafka_topic == *kafka_topic) {
            return Ok(writer.clone());
        }
        let (id, compiled) = self.find_writer(kafka_topic, &datum.schema)?;
        let writer = Writer { kafka_topic: kafka_topic.into(), id, compiled };
        match &datum.schema {
            Some(schema) => self.writers.insert(schema, writer.clone()),
            None => self.schemaless_writer = Some(writer.clone()),
        }
        Ok(writer)
    }

    fn find_writer(
        &mut self,
        kafka_topic: &str,
        schema: &Option<SchemaRef>,
    ) -> Result<(u32, Arc<Compiled>), ConvertError> {
        let translated = self.translated(schema)?;
        let record_name = translated.compiled.record_name.as_deref();
        let subject = self.strategy.subject(self.side, kafka_topic, record_name);
        let subject: Arc<str> = match subject {
            Some(subject) => subject.into(),
            None => {
                return Err(ConvertError::data(format!(
                    "In configuration {:?} the value must be a record, but its schema has no name",
                    self.strategy
                )));
            }
        };
        // As upstream: a schema that is registered by itself needs no other.
        if self.use_latest && !self.auto_register {
            return match self.latest.find(&subject) {
                Some((id, compiled)) => Ok((*id, Arc::clone(compiled))),
                None => Err(self.ask(Question::Latest { subject })),
            };
        }
        let key = (subject, Arc::clone(&translated.text));
        if let Some(id) = self.ids.find(&key) {
            return Ok((*id, Arc::clone(&translated.compiled)));
        }
        let ((subject, schema), normalize) = (key, self.normalize);
        Err(self.ask(match self.auto_register {
            true => Question::Register { subject, schema, normalize },
            false => Question::Lookup { subject, schema, normalize },
        }))
    }

    fn translated(&mut self, schema: &Option<SchemaRef>) -> Result<Arc<Translated>, ConvertError> {
        if let Some(known) = self.translated.find(schema) {
            return Ok(Arc::clone(known));
        }
        let text = from_connect::avro_text(schema.as_deref(), self.data)?;
        let compiled = Arc::new(compile::compile(&AvroSchema::parse(&text, &[])?, self.data)?);
        let translated = Arc::new(Translated { text: text.into(), compiled });
        self.translated.insert(schema.clone(), Arc::clone(&translated));
        Ok(translated)
    }

    /// The question, or what the registry said to it a moment ago.
    fn ask(&mut self, question: Question) -> ConvertError {
        match self.refusals.remove(&question) {
            Some(refusal) => ConvertError::Data(refusal),
            None => ConvertError::Ask(Box::new(question)),
        }
    }

    /// Takes an answer, or a refusal: the next record that needs it fails with it, and the one
    /// after that asks again.
    pub(super) fn answer(&mut self, question: Question, answer: Result<Answer, String>) {
        let taken = match (&question, answer) {
            (Question::Schema { id }, Ok(Answer::Schema(text))) => {
                self.compiled(&text).map(|compiled| self.readers.insert(*id, compiled))
            }
            (
                Question::Register { subject, schema, .. }
                | Question::Lookup { subject, schema, .. },
                Ok(Answer::Id(id)),
            ) => {
                self.ids.insert((Arc::clone(subject), Arc::clone(schema)), id);
                Ok(())
            }
            (Question::Latest { subject }, Ok(Answer::Latest(id, text))) => self
                .compiled(&text)
                .map(|compiled| self.latest.insert(Arc::clone(subject), (id, compiled))),
            (_, Err(refusal)) => Err(refusal),
            (_, Ok(_)) => Err("the registry's answer is none to the question".to_owned()),
        };
        if let Err(refusal) = taken {
            self.refusals.insert(question, refusal);
        }
    }

    fn compiled(&self, text: &SchemaText) -> Result<Arc<Compiled>, String> {
        let schema = AvroSchema::parse(&text.text, &text.references);
        let compiled = schema.and_then(|schema| compile::compile(&schema, self.data));
        compiled.map(Arc::new).map_err(|error| error.to_string())
    }
}

/// Reads Avro without a registry, by a schema that is known beforehand.
#[derive(Debug, Clone)]
pub(super) struct AvroReader {
    compiled: Arc<Compiled>,
    names: Names,
}

impl AvroReader {
    pub(super) fn new(text: &str) -> Result<Self, ConvertError> {
        let data = AvroData {
            connect_meta_data: true,
            enhanced: false,
            ignore_default_for_nullables: false,
        };
        let compiled = Arc::new(compile::compile(&AvroSchema::parse(text, &[])?, data)?);
        Ok(Self { compiled, names: Names::new() })
    }

    pub(super) fn read(&mut self, bytes: &Bytes) -> Result<Datum, ConvertError> {
        let decoder = decode::Decoder::new(bytes.clone(), &mut self.names);
        let value = decoder.whole(&self.compiled.plan)?;
        Ok(Datum { schema: self.compiled.schema.clone(), value })
    }
}

#[cfg(test)]
mod tests;
