//! What must hold when everything has arrived.

use std::collections::{BTreeMap, BTreeSet};

use midge_core::Footprint;

use crate::cast::MEMBERS;
use crate::label::{KEPT, Label};
use crate::violation::{Rule, Violation};
use crate::world::World;

/// Everything that was acknowledged has reached all that it was for. Where queues were limited,
/// what is missing has been counted as dropped.
pub(crate) fn everything_arrived(world: &World) {
    let mut lost = Vec::new();
    for client in &world.clients {
        // Sessions that are not stored give way when memory is short.
        if client.character.lasting || !world.plan.tight {
            lost.extend(world.ledger.owed(client.number).map(|label| (client.number, label)));
        }
    }
    lost.extend(world.ledger.owed_to_group(&MEMBERS).map(|label| (MEMBERS[0], label)));
    let stats = world.shards.iter().map(|shard| shard.stats().dropped.total());
    let dropped = world.dropped_before + stats.sum::<u64>();
    let may_miss = if world.plan.limited { dropped } else { 0 };
    if lost.len() as u64 > may_miss && !world.ledger.damaged {
        let (client, label) = lost[0];
        let more = lost.len() - 1;
        let text = format!("client {client} never got <{label}>, {more} others; {dropped} dropped");
        Violation::of(Rule::NothingLost, text).client(client).message(label).raise();
    }
}

/// Kafka has what was acknowledged, each topic in the order of publishing. Where the log had a
/// policy to drop, what is missing has been counted, and what is dropped just before a crash may
/// come late.
pub(crate) fn kafka_has_everything(world: &World) {
    let kafka = &world.bridge.kafka;
    let lost: Vec<Label> =
        world.ledger.tapped().filter(|label| !kafka.known.contains(label)).collect();
    if world.ledger.damaged {
        return;
    }
    if let Some(label) = lost.first().filter(|_| lost.len() as u64 > world.bridge.dropped) {
        let text = format!("Kafka never got <{label}>, {} others", lost.len() - 1);
        Violation::of(Rule::Kafka, text).message(*label).client(label.publisher).raise();
    }
    if world.bridge.dropped > 0 {
        return;
    }
    let mut last: BTreeMap<(usize, usize, u8), Label> = BTreeMap::new();
    let mut last_of_topic: BTreeMap<usize, Label> = BTreeMap::new();
    let mut seen = BTreeSet::new();
    for label in kafka.records.iter().filter(|label| seen.insert(**label)) {
        let before = last.insert((label.publisher, label.topic, label.qos), *label);
        let before = before.filter(|before| before.number > label.number);
        // Among publishers: the order in which the rule was offered them.
        let other = last_of_topic.insert(label.topic, *label);
        let places = &world.bridge.places;
        let other = other.filter(|other| places[other] > places[label]);
        if let Some(before) = before.or(other) {
            let text = format!("Kafka got <{label}> after <{before}>");
            Violation::of(Rule::Kafka, text).message(*label).raise();
        }
    }
}

/// Whoever asks, in whichever shard, gets the same retained messages, and the newest.
pub(crate) fn retained_messages_are_the_newest(world: &mut World) {
    let mut answers: Vec<BTreeMap<usize, Label>> = Vec::new();
    for _ in 0..2 * world.shards.len() {
        let number = world.newcomer("kept/#");
        answers.push(world.ledger.views[number].retained.clone());
    }
    for answer in &answers {
        for topic in KEPT {
            if let Some(violation) = world.ledger.stale(topic, answer.get(&topic).copied()) {
                violation.raise();
            }
        }
        if *answer != answers[0] {
            let text = format!("shards disagree: {answer:?} and {:?}", answers[0]);
            Violation::of(Rule::Retained, text).raise();
        }
    }
}

/// Segments on top of what is live: one being filled, two in reserve, four dead ones that are not
/// worth emptying yet, and what deletions and queues' states take, which are not counted as live.
const SPARE: u64 = 10;

/// A journal takes little more of the disk than what lives in it.
pub(crate) fn the_disk_is_bounded(world: &World) {
    let stats = world.disk.journal().stats();
    let bound = 3 * stats.live_bytes + SPARE * world.disk.segment_bytes();
    if stats.disk_bytes > bound && !world.ledger.damaged {
        Violation::of(Rule::Bounds, format!("the journal takes more than {bound}: {stats:?}"))
            .raise();
    }
}

/// Everyone is gone and nothing is retained: no session, queue, key, timer or byte remains.
pub(crate) fn nothing_is_left(world: &mut World) {
    let raise = |text: String| Violation::of(Rule::Bounds, text).raise();
    for shard in &world.shards {
        let footprint = shard.footprint();
        if footprint != Footprint::default() {
            raise(format!("a shard still holds {footprint:?}"));
        }
        let stats = shard.stats();
        let now = [
            stats.clients_connected,
            stats.clients_disconnected,
            stats.subscriptions,
            stats.shared_subscriptions,
            stats.retained,
            stats.inflight,
            stats.queued,
            stats.queued_bytes,
        ];
        if now != [0; 8] {
            raise(format!("a shard still counts {stats:?}"));
        }
    }
    if world.memory.used() > 0 {
        raise(format!("{} bytes of messages that nobody has", world.memory.used()));
    }
    let journal = world.disk.journal();
    let keys: Vec<String> = journal
        .keyed(b"")
        .filter_map(Result::ok)
        .map(|(key, _)| key.escape_ascii().to_string())
        .filter(|key| !key.starts_with(['B', 'K', 'V']))
        .collect();
    let queues: Vec<_> = journal.queues().filter(|(id, _)| id.0 >> 63 == 0).collect();
    world.bridge.assert_empty();
    let spooled: u64 =
        journal.queues().filter(|(id, _)| id.0 >> 63 == 1).map(|(_, queue)| queue.entries).sum();
    if spooled > 0 && !world.ledger.damaged {
        raise(format!("the store still has {spooled} messages of the spool"));
    }
    if (!keys.is_empty() || !queues.is_empty()) && !world.ledger.damaged {
        raise(format!("the store still has {keys:?}, {queues:?}"));
    }
}
