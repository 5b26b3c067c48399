//! Between the shards, the journal and the bridge.

use midge_bridge::spool;
use midge_core::ShardId;

use super::World;
use crate::disk::{Load, Loaded};

impl World {
    /// The bridge or Kafka does something; whether there was something to do.
    pub(crate) fn kafka_answers(&mut self) -> bool {
        if self.bridge.is_idle() {
            return false;
        }
        let mut moved = self.bridge.step(self.now);
        self.carry_out();
        for _ in 0..self.bridge.letters_at_once() {
            let Some((shard, input)) = self.bridge.letter() else { break };
            moved = true;
            self.handle(shard, input);
        }
        moved
    }

    /// Does what the bridge asks for.
    pub(crate) fn carry_out(&mut self) {
        let place = self.shards.len();
        for wish in self.bridge.tick(self.now, place) {
            match wish {
                spool::Output::Commit(operations) => self.disk.submit(place, operations),
                spool::Output::Load { queue, from, below, max_entries, max_bytes } => {
                    let load = Load { queue, from, below, max_entries, max_bytes };
                    self.disk.want(place, load);
                }
                other => unreachable!("{other:?} is not for the store"),
            }
        }
    }

    /// What was durable or loaded for the bridge.
    pub(super) fn bridge_hears(&mut self, number: u64) {
        self.bridge.durable(number);
        self.carry_out();
    }

    pub(super) fn bridge_reads(&mut self, loaded: Loaded) {
        let Loaded { entries, end, lost, .. } = loaded;
        self.bridge.loaded(self.now, spool::Loaded { entries, end, lost });
        self.carry_out();
    }

    pub(super) fn offered(&mut self, shard: ShardId, offer: midge_core::Offer) {
        self.bridge.offer(self.now, shard, offer);
    }
}
