//! What a start found in the journal, held against what was promised before.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use midge_codec::QoS;
use midge_core::stored::{Entry, Key, SessionRecord};
use midge_core::{Now, QueueId};
use midge_store::Journal;

use crate::bridge::Bridge;
use crate::label::{KEPT, Label, TOPICS};
use crate::ledger::Ledger;
use crate::power::Power;
use crate::violation::{Rule, Violation};

#[derive(Debug, Default)]
pub(crate) struct Recovered {
    /// Queues, by client id.
    sessions: BTreeMap<String, QueueId>,
    subscriptions: BTreeSet<(QueueId, String)>,
    entries: BTreeMap<QueueId, BTreeSet<Label>>,
    retained: BTreeMap<usize, Label>,
    /// Wills that are still to be published, or were being published.
    wills: BTreeSet<Label>,
}

impl Recovered {
    pub(crate) fn keyed(&mut self, now: Now, key: &Bytes, value: &Bytes) {
        match Key::read(key) {
            Ok(Key::Session(client_id)) => {
                if let Ok(record) = SessionRecord::read(value.clone(), now) {
                    self.sessions.insert(client_id.to_string(), record.queue);
                    let will = record.will.and_then(|will| Label::read(&will.payload));
                    self.wills.extend(will);
                }
            }
            Ok(Key::Subscription(queue, filter)) => {
                self.subscriptions.insert((queue, filter.text().to_string()));
            }
            Ok(Key::Retained(topic)) => {
                let entry = value.get(8..).map(|entry| Entry::read(entry.to_vec().into(), now));
                if let Some(Ok(Entry(message))) = entry
                    && let Some(label) = Label::read(&message.payload)
                    && let Some(place) = TOPICS.iter().position(|known| *known == topic.as_str())
                {
                    self.retained.insert(place, label);
                }
            }
            Ok(Key::Will(..)) => {
                if let Ok(Entry(message)) = Entry::read(value.clone(), now) {
                    self.wills.extend(Label::read(&message.payload));
                }
            }
            _ => {}
        }
    }

    pub(crate) fn queues(&mut self, now: Now, journal: &Journal<Power>) {
        for (id, _) in journal.queues() {
            let loaded = journal.load(id, 0, u64::MAX, usize::MAX, usize::MAX);
            let entries = loaded.map(|loaded| loaded.entries).unwrap_or_default();
            let labels = entries.into_iter().filter_map(|entry| {
                let Entry(message) = Entry::read(entry.entry, now).ok()?;
                Label::read(&message.payload)
            });
            self.entries.insert(QueueId(id.0), labels.collect());
        }
    }

    fn has(&self, client: usize, label: &Label) -> bool {
        let queue = self.sessions.get(&format!("client-{client}"));
        let entries = queue.and_then(|queue| self.entries.get(queue));
        self.wills.contains(label) || entries.is_some_and(|entries| entries.contains(label))
    }

    /// Holds it against the promises. `may_be_gone`: sessions whose time may be over; `group`: the
    /// members of the shared subscription that are all stored.
    pub(crate) fn check(
        &self,
        ledger: &Ledger,
        group: &[usize],
        may_be_gone: impl Fn(usize) -> bool,
    ) -> Result<(), Violation> {
        for client in 0..ledger.views.len() {
            if ledger.views[client].session && !may_be_gone(client) {
                self.check_session(ledger, client)?;
            }
        }
        for label in ledger.owed_to_group(group).filter(|_| !ledger.limited) {
            if !group.iter().any(|member| self.has(*member, &label)) {
                let text = format!("the crash has lost <{label}> of the shared group");
                return Err(Violation::of(Rule::NothingLost, text).message(label));
            }
        }
        for topic in KEPT {
            if let Some(violation) = ledger.stale(topic, self.retained.get(&topic).copied()) {
                return Err(violation);
            }
        }
        Ok(())
    }

    /// What the bridge had put on the disk.
    pub(crate) fn in_spool(&self) -> BTreeSet<Label> {
        let queues = self.entries.iter().filter(|(id, _)| id.0 >> 63 == 1);
        queues.flat_map(|(_, labels)| labels.iter().copied()).collect()
    }

    /// What was acknowledged of a rule's messages is in Kafka or in the spool, or was dropped.
    pub(crate) fn check_spool(&self, ledger: &Ledger, bridge: &Bridge) -> Result<(), Violation> {
        let spool = self.in_spool();
        let mut lost = ledger.tapped().filter(|label| !spool.contains(label));
        let lost = lost.by_ref().filter(|label| !bridge.kafka.known.contains(label));
        let lost: Vec<Label> = lost.collect();
        match lost.first() {
            Some(label) if lost.len() as u64 > bridge.dropped => {
                let text = format!("the crash has lost <{label}>, which was for Kafka");
                Err(Violation::of(Rule::Kafka, text).message(*label).client(label.publisher))
            }
            _ => Ok(()),
        }
    }

    fn check_session(&self, ledger: &Ledger, client: usize) -> Result<(), Violation> {
        let Some(queue) = self.sessions.get(&format!("client-{client}")) else {
            let text = format!("the crash has lost the session of client {client}");
            return Err(Violation::of(Rule::SessionKept, text).client(client));
        };
        for wish in &ledger.views[client].wishes {
            let filter = wish.filter.text().to_string();
            let found = self.subscriptions.contains(&(*queue, filter.clone()));
            if wish.held.is_some() && !found {
                let text = format!("the crash has lost {filter} of client {client}");
                return Err(Violation::of(Rule::SubscriptionKept, text).client(client));
            }
            if wish.absent.is_some() && found {
                let text = format!("the crash has brought back {filter} of client {client}");
                return Err(Violation::of(Rule::SubscriptionGone, text).client(client));
            }
        }
        for label in ledger.owed(client).filter(|_| !ledger.limited) {
            if label.qos > QoS::AtMostOnce as u8 && !self.has(client, &label) {
                let text = format!("the crash has lost <{label}> of client {client}");
                return Err(Violation::of(Rule::NothingLost, text).client(client).message(label));
            }
        }
        Ok(())
    }
}
