//! What must hold after a storm.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use midge_codec::{QoS, TopicName};
use midge_core::{Footprint, In, Inject};

use crate::client::{Client, Label, Received};
use crate::world::{World, topics};

/// QoS 1 at least once, QoS 2 exactly once, in order. Where memory and queues were small, what is
/// missing has been counted as dropped.
pub(crate) fn everything_arrived(world: &World) {
    let mut lost = Vec::new();
    for client in &world.clients {
        let Some((filter, _)) = &client.filter else { continue };
        if filter.share_name().is_none() && client.persistent {
            in_order(world, client);
            complete(world, client, &mut lost);
        }
    }
    shared_group(world, &mut lost);
    let dropped: u64 = world.shards.iter().map(|shard| shard.stats().dropped.total()).sum();
    let may_miss = if world.tight { dropped } else { 0 };
    assert!(lost.len() as u64 <= may_miss, "{dropped} were dropped, lost: {lost:?}");
}

fn live(client: &Client) -> impl Iterator<Item = &Received> {
    client.received.iter().filter(|received| !received.retain)
}

fn complete<'a>(world: &'a World, client: &Client, lost: &mut Vec<&'a Label>) {
    let (filter, subscribed) = client.filter.as_ref().unwrap();
    let Some(since) = client.subscribed_at else {
        panic!("client {} has no SUBACK", client.number)
    };
    let mut counts: HashMap<&Label, usize> = HashMap::new();
    for received in live(client) {
        *counts.entry(&received.label).or_default() += 1;
    }
    for publisher in &world.clients {
        for label in &publisher.finished {
            let topic = TopicName::try_from(label.topic.as_str()).unwrap();
            if world.made[label] <= since || !filter.matches(&topic) {
                continue;
            }
            let count = counts.get(label).copied().unwrap_or(0);
            let qos = label.qos.min(*subscribed as u8);
            if qos >= 1 && count == 0 {
                lost.push(label);
            }
            assert!(qos < 2 || count <= 1, "twice: client {} and {label:?}", client.number);
        }
    }
}

/// First receipts of each publisher, topic and QoS come in the order of publishing
/// ([MQTT-4.6.0-5]).
fn in_order(world: &World, client: &Client) {
    let since = client.subscribed_at.unwrap_or(u64::MAX);
    let mut seen = BTreeSet::new();
    let mut last: BTreeMap<(usize, &str, u8), u64> = BTreeMap::new();
    for Received { label, qos, .. } in live(client) {
        // What was published before, or missed at QoS 0, may come as a repetition after later ones.
        let missed = label.qos > 0 && *qos == QoS::AtMostOnce;
        if world.made[label] <= since || missed {
            continue;
        }
        if *qos == QoS::ExactlyOnce {
            assert!(seen.insert(label), "client {} got {label:?} twice", client.number);
        } else if !seen.insert(label) {
            continue;
        }
        // At QoS 1 what was dropped may come after all, when its publisher repeats it.
        if world.tight && label.qos == 1 {
            continue;
        }
        let last = last.entry((label.publisher, &label.topic, label.qos)).or_default();
        assert!(*last < label.number, "client {}: {label:?} after {last}", client.number);
        *last = label.number;
    }
}

/// Every QoS 1 message of a shared subscription reaches some member, also when members leave; at
/// QoS 2 no message reaches two.
fn shared_group<'a>(world: &'a World, lost: &mut Vec<&'a Label>) {
    let members: Vec<&Client> = world
        .clients
        .iter()
        .filter(|client| {
            client.filter.as_ref().is_some_and(|(filter, _)| filter.share_name().is_some())
        })
        .collect();
    let since = members.iter().filter_map(|client| client.subscribed_at).min().unwrap_or(u64::MAX);
    let mut receipts: HashMap<&Label, Vec<QoS>> = HashMap::new();
    for received in members.iter().flat_map(|client| live(client)) {
        receipts.entry(&received.label).or_default().push(received.qos);
    }
    let quality = members.iter().map(|client| client.filter.as_ref().unwrap().1).min();
    for label in world.clients.iter().flat_map(|client| &client.finished) {
        if !label.topic.starts_with("shared/") || world.made[label] <= since {
            continue;
        }
        // [MQTT-4.8.2-5]: what went to a member at QoS 2 ends with that member's session.
        if label.qos == 1 && quality >= Some(QoS::AtLeastOnce) && !receipts.contains_key(label) {
            lost.push(label);
        }
        let got = receipts.get(label).map(Vec::as_slice).unwrap_or_default();
        let exact = got.iter().filter(|qos| **qos == QoS::ExactlyOnce).count();
        assert!(exact <= 1, "{exact} members got {label:?} at QoS 2");
    }
}

/// Whoever asks, in whichever shard, gets the same retained messages.
pub(crate) fn retained_messages_agree(world: &mut World) {
    let mut answers: Vec<BTreeSet<Label>> = Vec::new();
    for _ in 0..6 {
        let number = world.newcomer("#");
        let retained = world.clients[number]
            .received
            .iter()
            .filter(|received| received.retain)
            .map(|received| received.label.clone())
            .collect();
        answers.push(retained);
    }
    for answer in &answers {
        assert_eq!(answer, &answers[0]);
        let topics: BTreeSet<&str> = answer.iter().map(|label| label.topic.as_str()).collect();
        assert_eq!(topics.len(), answer.len(), "two retained messages of one topic: {answer:?}");
    }
}

/// Everyone is gone and nothing is retained: no session, timer, subscription or byte remains.
pub(crate) fn nothing_is_left(world: &mut World) {
    for topic in topics() {
        let inject = Inject {
            ticket: None,
            client: None,
            topic: TopicName::try_from(topic).unwrap(),
            payload: bytes::Bytes::new(),
            qos: QoS::AtMostOnce,
            retain: true,
            properties: None,
            trail: vec![midge_codec::Text::from_static("rule")],
            mark: None,
        };
        world.handle(midge_core::ShardId(0), In::Inject(Box::new(inject)));
    }
    world.settle_peers();
    for shard in &world.shards {
        let timers = shard.footprint().timers;
        assert!(
            timers <= topics().count(),
            "{timers} timers, none but for deletions were expected"
        );
    }
    world.forget();
    for shard in &world.shards {
        assert_eq!(shard.footprint(), Footprint::default());
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
        assert_eq!(now, [0; 8], "{stats:?}");
    }
    assert_eq!(world.memory.used(), 0, "bytes of messages that nobody has");
}
