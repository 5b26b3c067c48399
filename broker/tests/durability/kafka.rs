//! Kafka, as far as a shard sees it: what it is offered is reported some time later.

use std::collections::{BTreeSet, VecDeque};

use midge_codec::ReasonCode;
use midge_core::{In, Offer, ShardId};

use crate::label::Label;
use crate::random::Random;

#[derive(Debug, Default)]
pub(crate) struct Kafka {
    offered: VecDeque<(ShardId, Offer)>,
    pub(crate) records: Vec<Label>,
    pub(crate) known: BTreeSet<Label>,
}

impl Kafka {
    pub(crate) fn offer(&mut self, shard: ShardId, offer: Offer) {
        self.offered.push_back((shard, offer));
    }

    pub(crate) fn step(&mut self, _random: &mut Random) -> Option<(ShardId, In)> {
        let (shard, offer) = self.offered.pop_front()?;
        if let Some(label) = Label::read(&offer.message.payload) {
            self.records.push(label);
            self.known.insert(label);
        }
        let duty = offer.duty?;
        Some((shard, In::DutyDone { duty, reason: ReasonCode::Success }))
    }

    pub(crate) fn crash(&mut self) {
        self.offered.clear();
    }

    pub(crate) fn is_idle(&self) -> bool {
        self.offered.is_empty()
    }
}
