//! `ExtractField`: puts a field in the place of the whole key or value.

use super::class::REPLACE_NULL_WITH_DEFAULT;
use super::fields::{require_map_ref, require_struct_ref};
use super::path::FieldPath;
use super::side::Side;
use super::{Failure, Transform};
use crate::connect::{ConnectRecord, Datum, Value};
use crate::options::{Accepted, Default, Importance, Kind, OptionDef, Options};

pub(super) const OPTIONS: &[OptionDef] = &[
    OptionDef::new(
        "field",
        Kind::String,
        Default::Required,
        Importance::Medium,
        "Field name to extract.",
    ),
    REPLACE_NULL_WITH_DEFAULT,
    OptionDef::new(
        "field.syntax.version",
        Kind::String,
        Default::Text("V1"),
        Importance::High,
        "Defines the version of the syntax to access fields. If set to <code>V1</code>, then the \
         field paths are limited to access the elements at the root level of the struct or map. \
         If set to <code>V2</code>, the syntax will support accessing nested elements. To access \
         nested elements, dotted notation is used. If dots are already included in the field \
         name, then backtick pairs can be used to wrap field names containing dots. E.g. to \
         access the subfield <code>baz</code> from a field named \"foo.bar\" in a struct/map the \
         following format can be used to access its elements: \"<code>foo.bar</code>.baz\".",
    )
    .accepting(&[Accepted::OneOfAnyCase(&["V1", "V2"])]),
];

const PURPOSE: &str = "field extraction";

#[derive(Debug)]
pub(super) struct ExtractField {
    side: Side,
    given: String,
    path: FieldPath,
    with_default: bool,
}

impl ExtractField {
    pub(super) fn new(side: Side, options: &Options) -> Result<Self, String> {
        let given = options.string("field").to_owned();
        let path = if options.string("field.syntax.version").eq_ignore_ascii_case("V2") {
            FieldPath::nested(&given)?
        } else {
            FieldPath::root(&given)
        };
        let with_default = options.boolean(REPLACE_NULL_WITH_DEFAULT.name);
        Ok(Self { side, given, path, with_default })
    }

    fn extract(&self, datum: &Datum) -> Result<Datum, Failure> {
        let Some(schema) = &datum.schema else {
            if datum.value.is_null() {
                return Ok(Datum::default());
            }
            let map = require_map_ref(&datum.value, PURPOSE)?;
            return Ok(Datum::schemaless(self.path.value_from_map(map)?));
        };
        let structure = match &datum.value {
            Value::Null => None,
            value => Some(require_struct_ref(value, PURPOSE)?),
        };
        let Some(field) = self.path.field_from(schema)? else {
            return Err(Failure::argument(format!("Unknown field: {}", self.given)));
        };
        let value = match structure {
            Some(structure) => self.path.value_from_struct(structure, self.with_default)?,
            None => Value::Null,
        };
        Ok(Datum::with_schema(field.schema.clone(), value))
    }
}

impl Transform for ExtractField {
    fn apply(&self, mut record: ConnectRecord) -> Result<Option<ConnectRecord>, Failure> {
        let datum = self.extract(self.side.of(&record))?;
        self.side.put(&mut record, datum);
        Ok(Some(record))
    }
}
