//! Kafka, and what a producer has under way to it: requests in order for each partition.
//!
//! What has arrived is a record and stays one; its acknowledgement comes later, or never, and then
//! the same comes again.

use std::collections::BTreeSet;

use midge_bridge::spool::Report;
use midge_core::Position;

use crate::label::Label;
use crate::random::Random;

const PARTITIONS: usize = 2;

#[derive(Clone, Copy, Debug)]
struct Request {
    position: Position,
    label: Label,
    arrived: bool,
}

#[derive(Debug, Default)]
pub(crate) struct Kafka {
    /// In the order of their arrival, twice where they came twice.
    pub(crate) records: Vec<Label>,
    pub(crate) known: BTreeSet<Label>,
    requests: [Vec<Request>; PARTITIONS],
    pub(crate) away: bool,
}

impl Kafka {
    pub(crate) fn send(&mut self, position: Position, label: Label) {
        // The key of a record is its MQTT topic.
        let partition = label.topic % PARTITIONS;
        self.requests[partition].push(Request { position, label, arrived: false });
    }

    /// The next requests of a partition arrive, so many of them at most.
    pub(crate) fn arrive(&mut self, partition: usize, most: usize) -> bool {
        let coming = self.requests[partition % PARTITIONS].iter_mut();
        let coming = coming.filter(|request| !request.arrived);
        let mut moved = false;
        for request in coming.take(if self.away { 0 } else { most }) {
            (request.arrived, moved) = (true, true);
            self.records.push(request.label);
            self.known.insert(request.label);
        }
        moved
    }

    /// The producer hears what has arrived in a partition, so many of it at most.
    pub(crate) fn acknowledge(&mut self, partition: usize, most: usize) -> Vec<Position> {
        let requests = &mut self.requests[partition % PARTITIONS];
        let arrived = requests.iter().take_while(|request| request.arrived).count();
        let heard = if self.away { 0 } else { arrived.min(most) };
        requests.drain(..heard).map(|request| request.position).collect()
    }

    /// Acknowledgements of a partition are lost: what it was about is sent again.
    pub(crate) fn lose_acknowledgements(&mut self, partition: usize) {
        for request in &mut self.requests[partition % PARTITIONS] {
            request.arrived = false;
        }
    }

    /// A producer that has failed gives up one request: whether it arrived is known of some.
    pub(crate) fn purge(&mut self, random: &mut Random) -> Option<(Position, Report)> {
        let first = random.below(PARTITIONS);
        let requests = (0..PARTITIONS).map(|step| (first + step) % PARTITIONS);
        let partition = requests.into_iter().find(|place| !self.requests[*place].is_empty())?;
        let requests = &mut self.requests[partition];
        let request = requests.remove(random.below(requests.len()));
        let heard = request.arrived && random.chance(50);
        Some((request.position, if heard { Report::Delivered } else { Report::Again }))
    }

    /// The producer is gone; what it had sent may still arrive.
    pub(crate) fn crash(&mut self, random: &mut Random) {
        for partition in 0..PARTITIONS {
            let most = random.below(self.requests[partition].len() + 1);
            self.arrive(partition, most);
            self.requests[partition].clear();
        }
    }

    pub(crate) fn is_idle(&self) -> bool {
        self.requests.iter().all(Vec::is_empty)
    }
}
