//! `InsertHeader`: adds a header with the same value to every record.

use std::sync::Arc;

use super::{Failure, Transform};
use crate::connect::{ConnectRecord, Header, literal};
use crate::options::{Accepted, Default, Importance, Kind, OptionDef, Options};

pub(super) const OPTIONS: &[OptionDef] = &[
    OptionDef::new(
        "header",
        Kind::String,
        Default::Required,
        Importance::High,
        "The name of the header.",
    )
    .accepting(&[Accepted::NonNull]),
    OptionDef::new(
        "value.literal",
        Kind::String,
        Default::Required,
        Importance::High,
        "The literal value that is to be set as the header value on all records.",
    )
    .accepting(&[Accepted::NonNull]),
];

#[derive(Debug)]
pub(super) struct InsertHeader {
    header: Header,
}

impl InsertHeader {
    pub(super) fn new(options: &Options) -> Self {
        let datum = literal::read(options.string("value.literal"));
        Self { header: Header { name: Arc::from(options.string("header")), datum } }
    }
}

impl Transform for InsertHeader {
    fn apply(&self, mut record: ConnectRecord) -> Result<Option<ConnectRecord>, Failure> {
        record.headers.push(self.header.clone());
        Ok(Some(record))
    }
}
