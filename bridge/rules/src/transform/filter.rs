//! `Filter`: drops every record; a predicate says which ones it sees.

use super::{Failure, Transform};
use crate::connect::ConnectRecord;

#[derive(Debug)]
pub(super) struct Filter;

impl Transform for Filter {
    fn apply(&self, _: ConnectRecord) -> Result<Option<ConnectRecord>, Failure> {
        Ok(None)
    }
}
