//! `ReplaceField`: leaves fields out and gives others new names.

use std::collections::BTreeMap;

use super::class::REPLACE_NULL_WITH_DEFAULT;
use super::fields::{basics, build, field_value, require_map, require_struct, struct_kind};
use super::schema_cache::SchemaCache;
use super::side::Side;
use super::{Failure, Transform};
use crate::connect::{ConnectRecord, Datum, Field, Map, Schema, Value};
use crate::options::{Accepted, Default, Importance, Kind, OptionDef, Options};
use crate::{java, options};

pub(super) const OPTIONS: &[OptionDef] = &[
    OptionDef::new(
        "exclude",
        Kind::List,
        Default::Text(""),
        Importance::Medium,
        "Fields to exclude. This takes precedence over the fields to include.",
    )
    .spelt(&["blacklist"])
    .accepting(&[Accepted::Distinct { empty: true }]),
    OptionDef::new(
        "include",
        Kind::List,
        Default::Text(""),
        Importance::Medium,
        "Fields to include. If specified, only these fields will be used.",
    )
    .spelt(&["whitelist"])
    .accepting(&[Accepted::Distinct { empty: true }]),
    OptionDef::new(
        "renames",
        Kind::List,
        Default::Text(""),
        Importance::Medium,
        "Field rename mappings.",
    )
    .accepting(&[Accepted::Check {
        check: check_renames,
        says: "list of colon-delimited pairs, e.g. foo:bar,abc:xyz",
    }]),
    REPLACE_NULL_WITH_DEFAULT,
];

const PURPOSE: &str = "field replacement";

#[derive(Debug)]
pub(super) struct ReplaceField {
    side: Side,
    exclude: Vec<String>,
    include: Vec<String>,
    renames: BTreeMap<String, String>,
    old_names: BTreeMap<String, String>,
    with_default: bool,
    schemas: SchemaCache,
}

impl ReplaceField {
    pub(super) fn new(side: Side, options: &Options) -> Result<Self, String> {
        let renames = parse_renames(options.list("renames"))?;
        let old_names = renames.iter().map(|(old, new)| (new.clone(), old.clone())).collect();
        Ok(Self {
            side,
            exclude: options.list("exclude").to_vec(),
            include: options.list("include").to_vec(),
            renames,
            old_names,
            with_default: options.boolean(REPLACE_NULL_WITH_DEFAULT.name),
            schemas: SchemaCache::default(),
        })
    }

    fn keeps(&self, name: &str) -> bool {
        let among = |names: &[String]| names.iter().any(|listed| listed == name);
        !among(&self.exclude) && (self.include.is_empty() || among(&self.include))
    }

    fn renamed<'a>(&'a self, name: &'a str) -> &'a str {
        self.renames.get(name).map_or(name, String::as_str)
    }

    fn without_schema(&self, value: Value) -> Result<Value, Failure> {
        let map = require_map(value, PURPOSE)?;
        let mut replaced = Map::with_capacity(map.len());
        for (key, value) in map {
            let Some(name) = key.as_str() else {
                return Err(Failure::data(format!(
                    "ReplaceField needs the keys of maps to be strings, found: {}",
                    key.java_class()
                )));
            };
            if self.keeps(name) {
                replaced.insert(Value::string(self.renamed(name)), value);
            }
        }
        Ok(Value::Map(replaced))
    }

    fn new_schema(&self, schema: &Schema) -> Result<Schema, Failure> {
        let kept = schema.fields().iter().filter(|field| self.keeps(&field.name));
        let fields = kept.map(|field| Field::new(self.renamed(&field.name), field.schema.clone()));
        Ok(basics(schema, struct_kind(fields.collect())?))
    }

    fn with_schema(&self, value: Value) -> Result<Datum, Failure> {
        let structure = require_struct(value, PURPOSE)?;
        let own = structure.schema();
        let updated = self.schemas.get_or(own, || self.new_schema(own))?;
        let values = updated.fields().iter().map(|field| {
            let old = self.old_names.get(&*field.name).map_or(&*field.name, String::as_str);
            match own.field(old) {
                Some((index, _)) => Ok(field_value(&structure, index, self.with_default).clone()),
                None => Err(Failure::data(format!("{old} is not a valid field name"))),
            }
        });
        let value = build(&updated, values.collect::<Result<_, _>>()?)?;
        Ok(Datum::with_schema(updated, value))
    }
}

fn check_renames(_: &str, value: &options::Value) -> Result<(), String> {
    match value {
        options::Value::List(mappings) => parse_renames(mappings).map(drop),
        _ => Ok(()),
    }
}

fn parse_renames(mappings: &[String]) -> Result<BTreeMap<String, String>, String> {
    let parsed = mappings.iter().map(|mapping| match java::split(mapping, ':').as_slice() {
        [old, new] => Ok(((*old).to_owned(), (*new).to_owned())),
        _ => Err(format!(
            "Invalid value {} for configuration renames: Invalid rename mapping: {mapping}",
            options::Value::List(mappings.to_vec())
        )),
    });
    parsed.collect()
}

impl Transform for ReplaceField {
    fn apply(&self, mut record: ConnectRecord) -> Result<Option<ConnectRecord>, Failure> {
        if self.side.of(&record).value.is_null() {
            return Ok(Some(record));
        }
        let datum = self.side.take(&mut record);
        let datum = if datum.schema.is_none() {
            Datum::schemaless(self.without_schema(datum.value)?)
        } else {
            self.with_schema(datum.value)?
        };
        self.side.put(&mut record, datum);
        Ok(Some(record))
    }
}
