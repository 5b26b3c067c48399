//! What the other side has answered, as long as the offsets do not know of it.
//!
//! Those who answer (shards, the connection to another broker, InfluxDB's writer) put it down here
//! and go on; the consumer's thread takes all at once.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use midge_codec::ReasonCode;

use super::lock;

/// What became of a publish or a point.
#[derive(Clone, Debug)]
pub(crate) enum Outcome {
    /// A broker has answered.
    Answered(ReasonCode),
    /// It was not taken: why.
    Refused(Arc<str>),
}

/// Outcomes by tickets.
#[derive(Default)]
pub(crate) struct Outcomes {
    returned: Mutex<Returned>,
    more: Condvar,
}

#[derive(Default)]
struct Returned {
    outcomes: Vec<(u64, Outcome)>,
    /// With how many of them the consumer's thread is to be woken, while it waits.
    wanted: Option<usize>,
}

impl Outcomes {
    /// Some have come.
    pub(crate) fn came(&self, outcomes: impl IntoIterator<Item = (u64, Outcome)>) {
        let mut returned = lock(&self.returned);
        returned.outcomes.extend(outcomes);
        let came = returned.outcomes.len();
        // One call of the system a wait, not one a record.
        if returned.wanted.take_if(|wanted| came >= *wanted).is_some() {
            drop(returned);
            self.more.notify_all();
        }
    }

    pub(crate) fn take(&self) -> Vec<(u64, Outcome)> {
        std::mem::take(&mut lock(&self.returned).outcomes)
    }

    /// Waits until so many have come, or for so long.
    pub(super) fn wait(&self, wanted: usize, longest: Duration) {
        let mut returned = lock(&self.returned);
        if returned.outcomes.len() < wanted {
            returned.wanted = Some(wanted);
            let waited = self.more.wait_timeout(returned, longest);
            waited.unwrap_or_else(PoisonError::into_inner).0.wanted = None;
        }
    }
}
