//! Duties: what has to be safe before a QoS 1 or 2 publish is acknowledged.
//!
//! A duty outlives the connection that made it. Its number is never used twice, so a late report
//! finds either its own duty or none.

use hashbrown::HashMap;
use midge_codec::{PacketId, QoS, ReasonCode};

use crate::{DutyId, Ticket};

#[derive(Debug)]
pub(crate) struct Duty {
    pub(crate) answer: Answer,
    /// Starts at 1, which routing gives back when it has ended.
    pub(crate) pending: u32,
    /// What the acknowledgement says in the end.
    pub(crate) worst: ReasonCode,
    /// The commit that is one of its parts, and may have to be the last.
    pub(crate) gathering: Option<u64>,
}

/// Who is told when a duty is met.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Answer {
    /// A client, by PUBACK or PUBREC.
    Client {
        session: u32,
        incarnation: u32,
        packet_id: PacketId,
        qos: QoS,
        /// Of topic and payload: a DUP of the same attaches to this duty.
        digest: u64,
    },
    /// Whoever injected the publish.
    Ticket(Ticket),
}

#[derive(Debug, Default)]
pub(crate) struct Duties {
    open: HashMap<u64, Duty>,
    number: u64,
}

impl Duties {
    pub(crate) fn open(&mut self, duty: Duty) -> DutyId {
        self.number += 1;
        self.open.insert(self.number, duty);
        DutyId(self.number)
    }

    pub(crate) fn get_mut(&mut self, id: DutyId) -> Option<&mut Duty> {
        self.open.get_mut(&id.0)
    }

    /// Counts one part as met (or refused); returns the duty when it was the last.
    pub(crate) fn met(&mut self, id: DutyId, reason: ReasonCode) -> Option<Duty> {
        let duty = self.open.get_mut(&id.0)?;
        if reason.is_error() || !duty.worst.is_error() && reason > duty.worst {
            duty.worst = duty.worst.max(reason);
        }
        duty.pending -= 1;
        (duty.pending == 0).then(|| self.open.remove(&id.0)).flatten()
    }

    pub(crate) fn len(&self) -> usize {
        self.open.len()
    }
}
