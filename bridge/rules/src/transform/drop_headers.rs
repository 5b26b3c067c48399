//! `DropHeaders`: leaves headers out by their names.

use super::{Failure, Transform};
use crate::connect::ConnectRecord;
use crate::options::{Accepted, Default, Importance, Kind, OptionDef, Options};

pub(super) const OPTIONS: &[OptionDef] = &[OptionDef::new(
    "headers",
    Kind::List,
    Default::Required,
    Importance::High,
    "The name of the headers to be removed.",
)
.accepting(&[Accepted::Distinct { empty: false }])];

#[derive(Debug)]
pub(super) struct DropHeaders {
    headers: Vec<String>,
}

impl DropHeaders {
    pub(super) fn new(options: &Options) -> Self {
        Self { headers: options.list("headers").to_vec() }
    }
}

impl Transform for DropHeaders {
    fn apply(&self, mut record: ConnectRecord) -> Result<Option<ConnectRecord>, Failure> {
        record.headers.retain(|header| !self.headers.iter().any(|name| **name == *header.name));
        Ok(Some(record))
    }
}
