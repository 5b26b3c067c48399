//! The broker ends in the middle of things, and starts again.

use std::time::Duration;

use midge::storage::queue_summary;
use midge_bridge::{Kept, STATE};
use midge_core::stored::Recovery;
use midge_core::{In, QueueId, Shard, ShardId};
use midge_store::Report;

use super::{World, taps};
use crate::cast::MEMBERS;
use crate::mutation::Mutation;
use crate::recovered::Recovered;
use crate::trace::About;
use crate::violation::{Rule, Violation};

impl World {
    /// Crashes when the time has come, or the power has failed while something was written.
    pub(super) fn crash_if_due(&mut self) {
        if self.disk.power.is_cut() {
            return self.crash(true);
        }
        if let Some(left) = &mut self.dying {
            match left.checked_sub(1) {
                Some(fewer) => *left = fewer,
                // A process that exits leaves the system's memory as it is; the power may fail too.
                None => {
                    let power = self.random.chance(30);
                    self.crash(power);
                }
            }
            return;
        }
        if self.random.below(10_000) < self.plan.crashes {
            match self.random.below(4) {
                0 => self.crash(false),
                1 => self.crash(true),
                _ => {
                    let changes = self.random.below(12) as u32;
                    self.trace.note(About::All, || format!("{changes} more changes to files work"));
                    self.disk.power.fail_after(Some(changes));
                }
            }
        }
    }

    /// The process is gone; `power`: the system too, and what was not synced survives in part.
    pub(crate) fn crash(&mut self, power: bool) {
        self.crashes += 1;
        self.dying = None;
        for number in 0..self.clients.len() {
            // What was on the wire may still arrive.
            if self.random.chance(50) {
                self.client_reads(number);
            }
        }
        self.trace.note(About::All, || match power {
            true => "POWER CUT".to_owned(),
            false => "KILLED".to_owned(),
        });
        for number in 0..self.clients.len() {
            self.loses(number);
        }
        self.owners.clear();
        // Nobody was told that a will is safe: where its publishing is not stored, its delay begins
        // anew, and the client may come back.
        for will in std::mem::take(&mut self.published_wills) {
            if will.delay_millis > 0 {
                self.ledger.will_may_wait(will.label);
            }
        }
        let dropped = self.shards.iter().map(|shard| shard.stats().dropped.total());
        self.dropped_before += dropped.sum::<u64>();
        let shards = match self.plan.reshards {
            true => 1 + self.random.below(4),
            false => self.shards.len(),
        };
        self.shards.clear();
        self.links.clear();
        self.bridge.crash();
        if self.memory.used() > 0 {
            let text = format!("{} bytes are held when all is gone", self.memory.used());
            Violation::of(Rule::Bounds, text).raise();
        }
        let seed = self.random.next();
        self.disk.crash(power.then_some(seed));
        if self.plan.flips && !self.calm && power && self.random.chance(30) {
            let flip = self.disk.power.files.flip_bit(self.random.next(), ".segment");
            self.trace.note(About::All, || format!("a bit is turned over: {flip:?}"));
            self.ledger.damaged |= flip.is_some();
            self.disk.damaged |= flip.is_some();
            self.bridge.damaged |= flip.is_some();
        }
        self.disk.power.files.limit_free(None);
        self.disk.power.files.fail_syncs(0);
        let down = match self.random.below(4) {
            0 => self.random.below(60_000),
            _ => self.random.below(3_000),
        };
        self.now.instant += Duration::from_millis(down as u64);
        self.now.unix_millis += down as u64;
        self.start(shards);
    }

    /// Starts the broker on what the disk holds.
    pub(crate) fn start(&mut self, shards: usize) {
        self.full = false;
        self.restarted_at = self.millis();
        let was_damaged = self.ledger.damaged;
        let report = loop {
            if !self.calm && self.plan.crashes > 0 && self.random.chance(15) {
                self.disk.power.fail_after(Some(self.random.below(12) as u32));
            }
            if let Some(report) = self.disk.open(shards + 1) {
                break report;
            }
            self.trace.note(About::All, || "the power fails while it starts".to_owned());
            // It has logged and mended what it found damaged: the next start finds that in order.
            self.ledger.told |= self.ledger.damaged;
            let seed = self.random.next();
            self.disk.crash(Some(seed));
        };
        self.trace.note(About::All, || format!("starts with {shards} shards: {report:?}"));
        if !report.is_clean() && !was_damaged {
            let text = format!("damage is reported where there is none: {:?}", report.corrupt);
            Violation::of(Rule::Damage, text).raise();
        }
        let generation = self.generation();
        self.shards = (0..shards)
            .map(|id| {
                let (generation, memory) = (generation.clone(), self.memory.clone());
                let mut shard = Shard::new(ShardId(id as u8), shards, generation, memory);
                shard.handle(self.now, In::Taps(taps()));
                shard.with_store()
            })
            .collect();
        self.restore(shards, &report);
        // All of them have told each other before anybody comes.
        while self.peer_message() {}
    }

    fn restore(&mut self, shards: usize, report: &Report) {
        let (mut recovery, mut recovered) = (Recovery::default(), Recovered::default());
        let mut kept = Kept::default();
        let mut unreadable = u64::from(!report.corrupt.is_empty());
        if unreadable > 0 {
            recovery.damaged();
        }
        let journal = self.disk.journal();
        for found in journal.keyed(b"") {
            let Ok((key, value)) = found else {
                unreadable += 1;
                continue;
            };
            recovered.keyed(self.now, &key, &value);
            match recovery.keyed(self.now, &key, value.clone()) {
                Ok(true) => {}
                Ok(false) if key.first() == Some(&STATE) => kept.keyed.push((key, value)),
                Ok(false) => {}
                Err(_) => unreadable += 1,
            }
        }
        for (id, summary) in journal.queues() {
            if id.0 >> 63 == 1 {
                kept.queues.push((QueueId(id.0), summary));
                continue;
            }
            let mut summary = queue_summary(&summary);
            if self.mutation == Some(Mutation::ForgetPositions) && summary.entries == 0 {
                summary.last = 0;
            }
            recovery.queue(QueueId(id.0), summary);
        }
        recovered.queues(self.now, journal);
        self.ledger.told |= !report.is_clean() || !report.torn.is_empty() || unreadable > 0;
        let sound = recovered.check(&self.ledger, &MEMBERS, |number| self.may_be_gone(number));
        let sound = sound.and_then(|()| recovered.check_spool(&self.ledger, &self.bridge));
        match sound {
            Err(violation) if !self.ledger.damaged => violation.raise(),
            // Not a bit goes missing in silence.
            Err(violation) if !self.ledger.told => {
                self.ledger.damaged = false;
                Violation::of(Rule::Damage, format!("nobody says so: {}", violation.text)).raise()
            }
            _ => {}
        }
        self.bridge.start(&kept, &recovered.in_spool());
        let (restored, mut clear) = recovery.finish(self.now, shards, &self.memory);
        clear.sort_by_key(|operation| format!("{operation:?}"));
        if unreadable == 0 {
            self.disk.write(clear);
        }
        for (place, restored) in restored.into_iter().enumerate() {
            self.shards[place].restore(self.now, restored);
            self.drain(ShardId(place as u8));
        }
    }
}
