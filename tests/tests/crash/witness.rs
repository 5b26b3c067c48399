//! A client that comes right after a start and looks at what is retained.

use std::collections::BTreeMap;
use std::sync::Arc;

use midge_codec::{
    Connack, Connect, Packet, PacketId, ProtocolVersion, Publish, QoS, Subscribe,
    SubscribeProperties,
};
use midge_tests::{Outgoing, QOS1, filter, options};

use crate::ledger::{Ledger, Wrong};
use crate::payload;
use crate::session::{self, Session};

/// The client, with the promises as they were when it came.
pub(crate) struct Witness {
    session: Session,
    promises: BTreeMap<Arc<str>, Option<usize>>,
    /// The newest number that came of each topic.
    got: BTreeMap<Arc<str>, usize>,
    subscribed: bool,
}

impl Witness {
    pub(crate) fn new(number: usize, ledger: &Ledger) -> Witness {
        Witness {
            session: Session::new(&format!("witness-{number}"), ProtocolVersion::V5, false),
            promises: ledger.retained_promise(),
            got: BTreeMap::new(),
            subscribed: false,
        }
    }

    pub(crate) fn connect(&self) -> Connect {
        self.session.connect(None)
    }

    pub(crate) fn connected(&mut self, connack: &Connack, out: &mut Vec<Packet>, l: &mut Ledger) {
        self.session.connected(connack, l);
        let subscriptions = vec![(filter("state/#"), options(QOS1))];
        out.push(Packet::Subscribe(Subscribe {
            packet_id: PacketId::MIN,
            properties: SubscribeProperties::default(),
            subscriptions,
        }));
    }

    pub(crate) fn packet(&mut self, packet: &Packet, out: &mut Vec<Packet>, ledger: &mut Ledger) {
        match packet {
            Packet::Suback(_) => self.subscribed = true,
            Packet::Publish(publish) => {
                if let (QoS::AtLeastOnce, Some(packet_id)) = (publish.qos, publish.packet_id) {
                    out.push(Packet::Puback(session::ack(packet_id)));
                }
                self.publish(publish, ledger);
            }
            Packet::Disconnect(_) | Packet::Pingresp => {}
            other => panic!("a witness got {other:?}"),
        }
    }

    fn publish(&mut self, publish: &Publish, ledger: &mut Ledger) {
        // Cleared meanwhile.
        if publish.payload.is_empty() {
            return;
        }
        match payload::number(&publish.payload) {
            Some(number) => _ = self.got.insert(publish.name().into(), number),
            None => ledger.fault(Wrong::Damaged, &format!("retained: {}", publish.name())),
        }
    }

    /// The first topic whose promise is not seen kept yet.
    pub(crate) fn missing(&self, ledger: &Ledger) -> Option<String> {
        let kept = |topic: &Arc<str>, promise: Option<usize>| {
            self.subscribed && ledger.keeps(topic, promise, self.got.get(topic).copied())
        };
        let (topic, promise) = self.promises.iter().find(|(topic, it)| !kept(topic, **it))?;
        let got = self.got.get(topic);
        Some(format!("{topic}: number {promise:?} was acknowledged, {got:?} is retained"))
    }

    /// Topics on which something is retained that has been cleared for good, or is not the last.
    pub(crate) fn left_over(&self, ledger: &Ledger) -> Vec<String> {
        let last = |topic: &str| {
            let messages = &ledger.retained[topic];
            messages.last().filter(|sent| !sent.clears).map(|_| messages.len() - 1)
        };
        let wrong = self.got.iter().filter(|(topic, got)| last(topic) != Some(**got));
        wrong.map(|(topic, got)| format!("{topic}: {got}, not {:?}", last(topic))).collect()
    }
}
