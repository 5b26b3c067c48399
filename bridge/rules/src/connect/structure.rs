//! A struct's values.
//!
//! Invariant: there is one value for every field of the schema, in the schema's order.

use std::hash::{Hash, Hasher};

use super::{SchemaMismatch, SchemaRef, Type, Value, validate};

/// Named fields with their schema.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Struct {
    schema: SchemaRef,
    values: Vec<Value>,
}

impl Struct {
    /// A struct with every field null, whatever its schema says; [`validate`] judges it when it is
    /// whole.
    ///
    /// # Panics
    /// When the schema is not that of a struct.
    #[must_use]
    pub fn new(schema: SchemaRef) -> Self {
        assert_eq!(schema.type_of(), Type::Struct, "a struct needs the schema of one");
        let values = vec![Value::Null; schema.fields().len()];
        Self { schema, values }
    }

    /// Its schema.
    #[must_use]
    pub const fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// The values, one by field.
    #[must_use]
    pub fn values(&self) -> &[Value] {
        &self.values
    }

    /// The values, one by field, to keep.
    #[must_use]
    pub fn into_values(self) -> Vec<Value> {
        self.values
    }

    /// A field's value as it is; `None` when there is no such field.
    #[must_use]
    pub fn without_default(&self, field: &str) -> Option<&Value> {
        let (index, _) = self.schema.field(field)?;
        self.values.get(index)
    }

    /// A field's value, or the default of its schema where it is null; `None` when there is no such
    /// field. Java's `Struct.get`.
    #[must_use]
    pub fn value(&self, field: &str) -> Option<&Value> {
        let (index, _) = self.schema.field(field)?;
        Some(self.value_at(index))
    }

    /// The same by the field's place.
    ///
    /// # Panics
    /// When the schema has fewer fields.
    #[must_use]
    pub fn value_at(&self, index: usize) -> &Value {
        let value = &self.values[index];
        if value.is_null()
            && let Some(default) = &self.schema.fields()[index].schema.default
        {
            return default;
        }
        value
    }

    /// Sets a field.
    ///
    /// # Errors
    /// When there is no such field, or the value is not one of its schema. Java's `Struct.put`.
    pub fn put(&mut self, field: &str, value: Value) -> Result<(), SchemaMismatch> {
        let Some((index, found)) = self.schema.field(field) else {
            return Err(SchemaMismatch(format!("{field} is not a valid field name")));
        };
        validate(Some(field), &found.schema, &value)?;
        self.values[index] = value;
        Ok(())
    }

    /// Sets a field by its place without judging the value.
    ///
    /// # Panics
    /// When the schema has fewer fields.
    pub fn set_at(&mut self, index: usize, value: Value) {
        self.values[index] = value;
    }
}

impl Hash for Struct {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.values.hash(state);
    }
}
