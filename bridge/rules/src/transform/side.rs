//! Which half of a record a transform works on.

use crate::connect::{ConnectRecord, Datum};

/// The `$Key` or `$Value` of a class.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Key,
    Value,
}

impl Side {
    /// Takes the half out of a record, to put another one back.
    pub(super) fn take(self, record: &mut ConnectRecord) -> Datum {
        std::mem::take(self.of_mut(record))
    }

    pub(super) fn of(self, record: &ConnectRecord) -> &Datum {
        match self {
            Self::Key => &record.key,
            Self::Value => &record.value,
        }
    }

    pub(super) fn put(self, record: &mut ConnectRecord, datum: Datum) {
        *self.of_mut(record) = datum;
    }

    fn of_mut(self, record: &mut ConnectRecord) -> &mut Datum {
        match self {
            Self::Key => &mut record.key,
            Self::Value => &mut record.value,
        }
    }
}
