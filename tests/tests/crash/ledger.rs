//! What the broker has promised, and what came of it.
//!
//! One thread drives all clients, so everything that happens at them has its place in one order: the
//! [`Moment`]. A message *must* come when it was first sent after the SUBACK was there and was
//! acknowledged before the UNSUBSCRIBE went out; it *may* come when its time and that of the
//! subscription touch at all.
//!
//! Invariant: a topic belongs to one publisher and one QoS, its messages count up from 0, and of
//! one topic with retained messages one is under way at a time.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use midge_codec::QoS;

mod fault;
mod verdict;

pub(crate) use fault::{Fault, Wrong};

/// When something happened at a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Moment {
    /// The order of everything.
    step: u64,
    /// How often the broker had been started by then.
    life: u32,
    milliseconds: u32,
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ms (life {}, step {})", self.milliseconds, self.life, self.step)
    }
}

/// A message.
pub(crate) struct Sent {
    pub(crate) qos: QoS,
    pub(crate) first: Moment,
    /// PUBACK or PUBREC.
    pub(crate) acknowledged: Option<Moment>,
    /// Retained with an empty payload: the topic has none then.
    pub(crate) clears: bool,
}

/// A message as it came; QoS 2: once its packet id was new.
#[derive(Clone, Copy)]
pub(crate) struct Receipt {
    pub(crate) number: usize,
    pub(crate) qos: QoS,
    pub(crate) dup: bool,
    pub(crate) at: Moment,
}

/// A subscription of a stored session, whether it is there or not.
pub(crate) struct Subscription {
    pub(crate) receiver: usize,
    /// Without `$share/NAME/`.
    pub(crate) filter: String,
    pub(crate) group: Option<&'static str>,
    pub(crate) qos: QoS,
    pub(crate) periods: Vec<Period>,
}

/// From a SUBSCRIBE to an UNSUBACK.
#[derive(Clone, Copy)]
pub(crate) struct Period {
    pub(crate) asked: Moment,
    pub(crate) granted: Option<Moment>,
    pub(crate) leaving: Option<Moment>,
    pub(crate) left: Option<Moment>,
}

/// A client with a stored session that receives.
pub(crate) struct Inbox {
    pub(crate) name: String,
    pub(crate) topics: BTreeMap<Arc<str>, Vec<Receipt>>,
}

/// All of it.
pub(crate) struct Ledger {
    started: Instant,
    step: u64,
    pub(crate) life: u32,
    pub(crate) topics: BTreeMap<Arc<str>, Vec<Sent>>,
    pub(crate) retained: BTreeMap<Arc<str>, Vec<Sent>>,
    pub(crate) subscriptions: Vec<Subscription>,
    pub(crate) inboxes: Vec<Inbox>,
    /// What was found wrong as it happened.
    pub(crate) faults: Vec<Fault>,
}

impl Ledger {
    pub(crate) fn new() -> Ledger {
        Ledger {
            started: Instant::now(),
            step: 0,
            life: 1,
            topics: BTreeMap::new(),
            retained: BTreeMap::new(),
            subscriptions: Vec::new(),
            inboxes: Vec::new(),
            faults: Vec::new(),
        }
    }

    /// The next moment.
    pub(crate) fn now(&mut self) -> Moment {
        self.step += 1;
        let milliseconds = self.started.elapsed().as_millis() as u32;
        Moment { step: self.step, life: self.life, milliseconds }
    }

    /// How much has happened.
    pub(crate) fn step(&self) -> u64 {
        self.step
    }

    /// Adds a receiving client.
    pub(crate) fn inbox(&mut self, name: &str) -> usize {
        self.inboxes.push(Inbox { name: name.to_owned(), topics: BTreeMap::new() });
        self.inboxes.len() - 1
    }

    /// Adds a subscription that a client may make.
    pub(crate) fn subscription(
        &mut self,
        receiver: usize,
        filter: &str,
        group: Option<&'static str>,
        qos: QoS,
    ) -> usize {
        let (filter, periods) = (filter.to_owned(), Vec::new());
        self.subscriptions.push(Subscription { receiver, filter, group, qos, periods });
        self.subscriptions.len() - 1
    }

    fn of(&mut self, retained: bool) -> &mut BTreeMap<Arc<str>, Vec<Sent>> {
        if retained { &mut self.retained } else { &mut self.topics }
    }

    /// A message goes out for the first time: its number within its topic.
    pub(crate) fn sent(&mut self, topic: &Arc<str>, qos: QoS, retain: Option<bool>) -> usize {
        let first = self.now();
        let clears = retain == Some(true);
        let messages = self.of(retain.is_some()).entry(Arc::clone(topic)).or_default();
        messages.push(Sent { qos, first, acknowledged: None, clears });
        messages.len() - 1
    }

    /// The number the next message of a topic will have.
    pub(crate) fn next_number(&mut self, topic: &str, retained: bool) -> usize {
        self.of(retained).get(topic).map_or(0, Vec::len)
    }

    /// The broker has taken a message over.
    pub(crate) fn acknowledged(&mut self, topic: &str, number: usize, retained: bool) {
        let now = self.now();
        let messages = self.of(retained).get_mut(topic).expect("a topic with messages");
        messages[number].acknowledged.get_or_insert(now);
    }

    /// A message has come.
    pub(crate) fn received(&mut self, receiver: usize, topic: &str, mut receipt: Receipt) {
        receipt.at = self.now();
        let Some((topic, messages)) = self.topics.get_key_value(topic) else {
            let wrong = Wrong::Unasked;
            return self.fault(wrong, &format!("{topic}, which nobody publishes to, came"));
        };
        let (topic, count) = (Arc::clone(topic), messages.len());
        if receipt.number >= count {
            let text = format!("{topic}: {} came before it was sent", receipt.number);
            return self.fault(Wrong::Damaged, &text);
        }
        self.inboxes[receiver].topics.entry(topic).or_default().push(receipt);
    }

    /// A SUBSCRIBE or UNSUBSCRIBE goes out, perhaps again.
    pub(crate) fn asked(&mut self, subscription: usize, wanted: bool) {
        let now = self.now();
        let periods = &mut self.subscriptions[subscription].periods;
        match periods.last_mut() {
            Some(period) if !wanted => _ = period.leaving.get_or_insert(now),
            Some(period) if period.left.is_none() => {}
            _ => {
                periods.push(Period { asked: now, granted: None, leaving: None, left: None });
            }
        }
    }

    /// A SUBACK or UNSUBACK has come.
    pub(crate) fn answered(&mut self, subscription: usize, wanted: bool) {
        let now = self.now();
        let period = self.subscriptions[subscription].periods.last_mut().expect("was asked for");
        let answer = if wanted { &mut period.granted } else { &mut period.left };
        answer.get_or_insert(now);
    }

    /// Something is wrong.
    pub(crate) fn fault(&mut self, wrong: Wrong, text: &str) {
        let at = self.now();
        self.faults.push(Fault { wrong, text: format!("at {at}: {text}") });
    }

    /// How many messages have been acknowledged.
    pub(crate) fn promised(&self) -> usize {
        let topics = self.topics.values().chain(self.retained.values());
        topics.flatten().filter(|sent| sent.acknowledged.is_some()).count()
    }

    /// How many messages have come.
    pub(crate) fn deliveries(&self) -> usize {
        self.inboxes.iter().flat_map(|inbox| inbox.topics.values()).map(Vec::len).sum()
    }
}
