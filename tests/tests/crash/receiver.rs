//! A client with a stored session that remembers what it got.
//!
//! Invariant: a QoS 2 message counts when its packet id is new; the id is known from the PUBLISH to
//! the PUBREL, over reconnects [MQTT-4.3.3-10]. Acknowledgements that were held back when the
//! connection ended are never sent: the broker has to send those messages again.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use midge_codec::{
    Connack, Connect, Disconnect, Packet, PacketId, ProtocolVersion, Publish, QoS, ReasonCode,
    Suback, Subscribe, SubscribeProperties, Unsubscribe,
};
use midge_tests::{Outgoing, QOS2, filter, options};

use crate::ledger::{Ledger, Receipt, Wrong};
use crate::payload;
use crate::random::Random;
use crate::session::{self, Session};

/// When it is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Presence {
    /// Always.
    Stays,
    /// Now and then.
    Visits,
    /// Until it has subscribed, and then no more.
    Leaves,
}

/// A filter, its group, its QoS, and whether it is made and removed again and again.
pub(crate) struct Wanted(
    pub(crate) &'static str,
    pub(crate) Option<&'static str>,
    pub(crate) QoS,
    pub(crate) bool,
);

/// One of its subscriptions.
struct Held {
    /// Its number in the ledger.
    number: usize,
    topic_filter: String,
    qos: QoS,
    /// Made and removed again and again.
    changes: bool,
    wanted: bool,
    /// What the broker has confirmed.
    granted: bool,
}

/// The client.
pub(crate) struct Receiver {
    session: Session,
    inbox: usize,
    subscriptions: Vec<Held>,
    /// SUBSCRIBE and UNSUBSCRIBE without an answer: the subscription, and which it is.
    asked: BTreeMap<PacketId, (usize, bool)>,
    last_id: u16,
    receive_maximum: Option<u16>,
    released_later: BTreeSet<PacketId>,
    held_back: Vec<Packet>,
    presence: Presence,
    until: Instant,
    pings: usize,
    random: Random,
}

impl Receiver {
    pub(crate) fn new(
        name: &str,
        version: ProtocolVersion,
        presence: Presence,
        subscriptions: &[Wanted],
        mut random: Random,
        ledger: &mut Ledger,
    ) -> Receiver {
        let client_id = format!("receiver-{name}");
        let receive_maximum = random.one_of(&[None, Some(3), Some(40)]);
        let inbox = ledger.inbox(&client_id);
        let held = subscriptions.iter().map(|Wanted(topic_filter, group, qos, changes)| Held {
            number: ledger.subscription(inbox, topic_filter, *group, *qos),
            topic_filter: match group {
                Some(group) => format!("$share/{group}/{topic_filter}"),
                None => (*topic_filter).to_owned(),
            },
            qos: *qos,
            changes: *changes,
            wanted: true,
            granted: false,
        });
        Receiver {
            session: Session::new(&client_id, version, true),
            inbox,
            subscriptions: held.collect(),
            asked: BTreeMap::new(),
            last_id: 0,
            receive_maximum,
            released_later: BTreeSet::new(),
            held_back: Vec::new(),
            presence,
            until: Instant::now(),
            pings: 0,
            random,
        }
    }

    pub(crate) fn connect(&self) -> Connect {
        self.session.connect(self.receive_maximum)
    }

    /// Whether it wants a connection now.
    pub(crate) fn is_here(&self) -> bool {
        match self.presence {
            Presence::Stays => true,
            Presence::Visits => self.session.is_connected() || Instant::now() >= self.until,
            Presence::Leaves => !self.is_settled(),
        }
    }

    fn is_settled(&self) -> bool {
        self.subscriptions.iter().all(|held| held.wanted == held.granted)
    }

    /// From now on it stays, and its subscriptions with it.
    pub(crate) fn settle(&mut self) {
        self.presence = Presence::Stays;
        self.subscriptions.iter_mut().for_each(|held| held.changes = false);
    }

    /// Connected and subscribed as it wants.
    pub(crate) fn is_ready(&self) -> bool {
        self.session.is_connected() && self.is_settled() && self.asked.is_empty()
    }

    /// PINGRESPs that came.
    pub(crate) fn pings(&self) -> usize {
        self.pings
    }

    pub(crate) fn connected(&mut self, connack: &Connack, ledger: &mut Ledger) {
        if !self.session.connected(connack, ledger) {
            self.released_later.clear();
            self.subscriptions.iter_mut().for_each(|held| held.granted = false);
        }
        let stay = Duration::from_millis(5)..Duration::from_millis(150);
        self.until = Instant::now() + self.random.duration(stay);
    }

    pub(crate) fn lost(&mut self) {
        self.session.lost();
        self.held_back.clear();
        self.asked.clear();
        let away = Duration::from_millis(5)..Duration::from_millis(300);
        self.until = Instant::now() + self.random.duration(away);
    }

    pub(crate) fn packet(&mut self, packet: &Packet, ledger: &mut Ledger) {
        match packet {
            Packet::Publish(publish) => self.publish(publish, ledger),
            Packet::Pubrel(ack) => {
                self.released_later.remove(&ack.packet_id);
                self.held_back.push(Packet::Pubcomp(session::ack(ack.packet_id)));
            }
            Packet::Suback(answer) | Packet::Unsuback(answer) => self.answer(answer, ledger),
            Packet::Pingresp => self.pings += 1,
            Packet::Disconnect(_) => {}
            other => panic!("a receiver got {other:?}"),
        }
    }

    fn publish(&mut self, publish: &Publish, ledger: &mut Ledger) {
        let packet_id = publish.packet_id.expect("nothing of QoS 0 is published");
        let new = publish.qos != QOS2 || self.released_later.insert(packet_id);
        self.held_back.push(match publish.qos {
            QOS2 => Packet::Pubrec(session::ack(packet_id)),
            _ => Packet::Puback(session::ack(packet_id)),
        });
        if !new {
            return;
        }
        let Some(number) = payload::number(&publish.payload) else {
            let (topic, length) = (publish.name(), publish.payload.len());
            let name = self.session.describe();
            let text = format!("{name}: {topic}: a damaged payload of {length} bytes");
            return ledger.fault(Wrong::Damaged, &text);
        };
        let (qos, dup, at) = (publish.qos, publish.dup, ledger.now());
        ledger.received(self.inbox, publish.name(), Receipt { number, qos, dup, at });
    }

    fn answer(&mut self, answer: &Suback, ledger: &mut Ledger) {
        let Some((index, wanted)) = self.asked.remove(&answer.packet_id) else { return };
        let held = &mut self.subscriptions[index];
        if let Some(refused) = answer.reasons.iter().find(|reason| reason.is_error()) {
            let text = format!("{}: {}: {refused}", self.session.describe(), held.topic_filter);
            ledger.fault(Wrong::Refused, &text);
        }
        held.granted = wanted;
        ledger.answered(held.number, wanted);
    }

    /// Acknowledges, subscribes, and perhaps leaves: true.
    pub(crate) fn turn(&mut self, out: &mut Vec<Packet>, ledger: &mut Ledger) -> bool {
        if !self.session.is_connected() {
            return false;
        }
        if !self.random.one_in(4) {
            out.append(&mut self.held_back);
        }
        self.change();
        self.ask(out, ledger);
        let leaves = match self.presence {
            Presence::Stays => false,
            Presence::Visits => Instant::now() >= self.until && self.asked.is_empty(),
            Presence::Leaves => self.is_settled(),
        };
        // Half of them go without a word.
        if leaves && self.random.one_in(2) {
            let reason = ReasonCode::Success;
            out.push(Packet::Disconnect(Disconnect { reason, properties: None }));
        }
        leaves
    }

    fn change(&mut self) {
        for held in self.subscriptions.iter_mut().filter(|held| held.changes) {
            if held.wanted == held.granted && self.random.one_in(30) {
                held.wanted = !held.wanted;
            }
        }
    }

    fn ask(&mut self, out: &mut Vec<Packet>, ledger: &mut Ledger) {
        for (index, held) in self.subscriptions.iter().enumerate() {
            let asked = self.asked.values().any(|(asked, _)| *asked == index);
            if held.wanted == held.granted || asked {
                continue;
            }
            self.last_id = self.last_id.checked_add(1).unwrap_or(1);
            let packet_id = PacketId::new(self.last_id).expect("ids start at 1");
            self.asked.insert(packet_id, (index, held.wanted));
            ledger.asked(held.number, held.wanted);
            let topic_filter = filter(&held.topic_filter);
            out.push(if held.wanted {
                let subscriptions = vec![(topic_filter, options(held.qos))];
                let properties = SubscribeProperties::default();
                Packet::Subscribe(Subscribe { packet_id, properties, subscriptions })
            } else {
                let (user_properties, filters) = (Vec::new(), vec![topic_filter]);
                Packet::Unsubscribe(Unsubscribe { packet_id, user_properties, filters })
            });
        }
    }

    /// What it waits for.
    pub(crate) fn describe(&self) -> String {
        let unsettled = self.subscriptions.iter().filter(|held| held.wanted != held.granted);
        format!("{}: {} subscriptions not confirmed", self.session.describe(), unsettled.count())
    }
}
