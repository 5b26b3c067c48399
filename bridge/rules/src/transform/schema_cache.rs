//! The schemas that a transform made of others.
//!
//! Invariant: at most [`KEPT`] of them; what is found is what building would give again.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use super::Failure;
use crate::connect::{Schema, SchemaRef};

/// As many as Connect keeps.
const KEPT: usize = 16;

/// Schemas by those they were made of, the latest used first.
#[derive(Debug, Default)]
pub(super) struct SchemaCache {
    made: Mutex<VecDeque<(SchemaRef, SchemaRef)>>,
}

impl SchemaCache {
    /// What was made of a schema, or is made now.
    pub(super) fn get_or(
        &self,
        of: &SchemaRef,
        make: impl FnOnce() -> Result<Schema, Failure>,
    ) -> Result<SchemaRef, Failure> {
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        // Most often it is the very same schema; an equal one is looked for only then.
        let found = made.iter().position(|(source, _)| Arc::ptr_eq(source, of));
        let found = found.or_else(|| made.iter().position(|(source, _)| source == of));
        if let Some(index) = found {
            let (_, schema) = made.remove(index).expect("found");
            made.push_front((Arc::clone(of), Arc::clone(&schema)));
            return Ok(schema);
        }
        let schema = Arc::new(make()?);
        made.truncate(KEPT - 1);
        made.push_front((Arc::clone(of), Arc::clone(&schema)));
        Ok(schema)
    }
}
