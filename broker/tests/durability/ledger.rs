//! What has been promised, seen from outside: who published what and had it acknowledged, who
//! subscribed to what and since when, who got what.
//!
//! Moments are numbers that count everything that clients do and see. What is broken on the way is
//! told at once; what is missing is told when everything should have arrived, or after a crash.

use std::collections::{BTreeMap, BTreeSet};

use midge_codec::{QoS, TopicFilter, TopicName};

use crate::client::Request;
use crate::label::{KEPT, Label, TOPICS};
use crate::violation::{Rule, Violation};

/// The shared subscription whose members are all stored.
pub(crate) const GROUP: &str = "g";

/// A message on its way from its publisher.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sent {
    /// When it was sent first and last.
    pub(crate) first: u64,
    pub(crate) last: u64,
    /// When its publisher was told that it is safe.
    pub(crate) acknowledged: Option<u64>,
    /// It deletes what is retained.
    pub(crate) deletes: bool,
}

/// A filter that a client has, or wants, or wants no more.
#[derive(Debug)]
pub(crate) struct Wish {
    pub(crate) filter: TopicFilter,
    pub(crate) qos: QoS,
    pub(crate) wanted: bool,
    /// It comes and goes.
    pub(crate) changes: bool,
    /// The topics it matches, as bits.
    topics: u32,
    /// Since when it is acknowledged to be there.
    pub(crate) held: Option<u64>,
    /// Since when it is acknowledged not to be there.
    pub(crate) absent: Option<u64>,
    /// When it was there before, in this session.
    past: Vec<(u64, u64)>,
}

impl Wish {
    pub(crate) fn new(filter: &str, qos: QoS, changes: bool) -> Wish {
        let filter = TopicFilter::try_from(filter).unwrap();
        let matches = |topic: &&str| filter.matches(&TopicName::try_from(*topic).expect("a topic"));
        let topics = TOPICS.iter().enumerate();
        let topics = topics.filter(|(_, topic)| matches(topic)).map(|(place, _)| 1 << place).sum();
        Wish {
            filter,
            qos,
            wanted: true,
            changes,
            topics,
            held: None,
            absent: Some(0),
            past: Vec::new(),
        }
    }

    pub(crate) fn matches(&self, label: &Label) -> bool {
        self.topics & (1 << label.topic) != 0
    }

    pub(crate) fn is_shared(&self) -> bool {
        self.filter.share_name().is_some()
    }

    /// Whether it was there from the first sending of a message to its acknowledgement, for sure.
    fn covers(&self, first: u64, acknowledged: u64) -> bool {
        let held = self.held.is_some_and(|since| since < first);
        held || self.past.iter().any(|(since, until)| *since < first && acknowledged < *until)
    }

    fn let_go(&mut self, now: u64) {
        if let Some(since) = self.held.take() {
            self.past.push((since, now));
        }
    }
}

/// A client, as far as promises were made to it.
#[derive(Debug, Default)]
pub(crate) struct View {
    pub(crate) wishes: Vec<Wish>,
    /// A CONNACK said that its session is there, and the session is to last.
    pub(crate) session: bool,
    /// What came in this session, retained messages aside.
    pub(crate) received: BTreeSet<Label>,
    /// What came at QoS 2 in this session.
    exact: BTreeSet<Label>,
    /// The last message of each publisher, topic and QoS.
    last: BTreeMap<(usize, usize, u8), Label>,
    /// Retained messages, the last of each topic.
    pub(crate) retained: BTreeMap<usize, Label>,
}

impl View {
    pub(crate) fn of(wishes: Vec<Wish>) -> View {
        View { wishes, ..View::default() }
    }
}

#[derive(Debug, Default)]
pub(crate) struct Ledger {
    clock: u64,
    pub(crate) sent: BTreeMap<Label, Sent>,
    pub(crate) views: Vec<View>,
    /// Writes to each of the topics with retained messages, in order.
    kept: BTreeMap<usize, Vec<Label>>,
    /// Who got what of [`GROUP`] at QoS 2.
    shared_exact: BTreeMap<Label, usize>,
    /// Queues have a limit: what is dropped may come after all when it is repeated.
    pub(crate) limited: bool,
    /// Who finds a queue full refuses the message, which has reached others: they may get it twice.
    pub(crate) refuses: bool,
    /// Bits of the disk were turned over: only what is told of damage is checked from then on.
    pub(crate) damaged: bool,
    /// That something is damaged has been reported.
    pub(crate) told: bool,
    /// Sessions that have gone too early, see [`Ledger::session_missing`].
    pub(crate) expired: BTreeSet<usize>,
    /// What arrived, of anything.
    pub(crate) receipts: u64,
    pub(crate) acknowledgements: u64,
}

impl Ledger {
    pub(crate) fn new(limited: bool) -> Ledger {
        Ledger { limited, ..Ledger::default() }
    }

    /// The present, which is never the same.
    pub(crate) fn now(&mut self) -> u64 {
        self.clock += 1;
        self.clock
    }

    fn raise(&self, violation: Violation) {
        if !self.damaged {
            violation.raise();
        }
    }

    pub(crate) fn made(&mut self, label: Label, retain: bool, deletes: bool) {
        let now = self.now();
        let sent = Sent { first: now, last: now, acknowledged: None, deletes };
        self.sent.insert(label, sent);
        if retain && KEPT.contains(&label.topic) {
            self.kept.entry(label.topic).or_default().push(label);
        }
    }

    pub(crate) fn made_again(&mut self, label: Label) {
        let now = self.now();
        if let Some(sent) = self.sent.get_mut(&label) {
            sent.last = now;
        }
    }

    /// A will: `due` once it has to have been published.
    pub(crate) fn will(&mut self, label: Label, due: bool) {
        let now = self.now();
        let new = Sent { first: now, last: now, acknowledged: None, deletes: false };
        let sent = self.sent.entry(label).or_insert(new);
        match due {
            true => sent.acknowledged = Some(now),
            false => *sent = new,
        }
    }

    /// A will that was due may have to wait once more.
    pub(crate) fn will_may_wait(&mut self, label: Label) {
        if let Some(sent) = self.sent.get_mut(&label) {
            sent.acknowledged = None;
        }
    }

    pub(crate) fn acknowledged(&mut self, label: Label) {
        let now = self.now();
        self.acknowledgements += 1;
        if let Some(sent) = self.sent.get_mut(&label) {
            sent.acknowledged.get_or_insert(now);
        }
    }

    /// Its publisher was told that it was not taken.
    pub(crate) fn refused(&mut self, label: Label) {
        self.abandoned(label);
    }

    /// Its publisher does not know what became of it, and will not ask.
    pub(crate) fn abandoned(&mut self, _label: Label) {
        self.now();
    }

    /// A CONNACK has come; `fresh`: of a session that has nothing yet.
    pub(crate) fn connected(&mut self, client: usize, lasts: bool, fresh: bool) {
        let now = self.now();
        let view = &mut self.views[client];
        view.session = lasts;
        for wish in view.wishes.iter_mut().filter(|_| fresh) {
            wish.absent = Some(now);
        }
    }

    /// The client has thrown its session away, or was told that it has none.
    pub(crate) fn session_ended(&mut self, client: usize) {
        let view = &mut self.views[client];
        view.session = false;
        view.received.clear();
        view.exact.clear();
        view.last.clear();
        view.retained.clear();
        for wish in &mut view.wishes {
            (wish.held, wish.absent) = (None, None);
            wish.past.clear();
        }
    }

    /// A client that did not ask for it begins without a session.
    pub(crate) fn session_missing(&mut self, client: usize) {
        if self.views[client].session && !self.expired.remove(&client) {
            let text = format!("client {client} had a session, acknowledged, that is gone");
            self.raise(Violation::of(Rule::SessionKept, text).client(client));
        }
    }

    /// A request is about to be sent; its filter.
    pub(crate) fn requested(
        &mut self,
        client: usize,
        request: Request,
        place: usize,
    ) -> (TopicFilter, QoS) {
        let now = self.now();
        let wish = &mut self.views[client].wishes[place];
        match request {
            Request::Subscribe => wish.absent = None,
            Request::Unsubscribe => wish.let_go(now),
        }
        (wish.filter.clone(), wish.qos)
    }

    pub(crate) fn subscribed(&mut self, client: usize, place: usize) {
        let now = self.now();
        self.views[client].wishes[place].held.get_or_insert(now);
    }

    /// There is no room for more; what was there before may still be.
    pub(crate) fn subscription_refused(&mut self, _client: usize, _place: usize) {
        self.now();
    }

    pub(crate) fn unsubscribed(&mut self, client: usize, place: usize) {
        let now = self.now();
        self.views[client].wishes[place].absent = Some(now);
    }

    /// Whether a client must get a message, and at which QoS.
    fn owes(view: &View, label: &Label, sent: &Sent) -> Option<u8> {
        let acknowledged = sent.acknowledged?;
        let wishes = view.wishes.iter().filter(|wish| {
            wish.matches(label) && !wish.is_shared() && wish.covers(sent.first, acknowledged)
        });
        let qos = wishes.map(|wish| label.qos.min(wish.qos as u8)).max()?;
        (qos > 0 && !sent.deletes).then_some(qos)
    }

    /// What a client must get and has not got yet, in its present session.
    pub(crate) fn owed(&self, client: usize) -> impl Iterator<Item = Label> + '_ {
        let view = &self.views[client];
        let missing = self.sent.iter().filter(move |(label, sent)| {
            Ledger::owes(view, label, sent).is_some() && !view.received.contains(label)
        });
        missing.map(|(label, _)| *label)
    }

    /// What was acknowledged of the messages that a rule takes.
    pub(crate) fn tapped(&self) -> impl Iterator<Item = Label> + '_ {
        let all = self.sent.iter().filter(|(_, sent)| sent.acknowledged.is_some());
        let labels = all.map(|(label, _)| *label);
        labels.filter(|label| label.topic().starts_with("tap/") && label.qos > 0)
    }

    /// What some member of these clients' shared subscription must get and none has got, if those
    /// that were members all the time still are.
    pub(crate) fn owed_to_group(&self, members: &[usize]) -> impl Iterator<Item = Label> + '_ {
        let views: Vec<&View> = members.iter().map(|member| &self.views[*member]).collect();
        self.sent.iter().filter_map(move |(label, sent)| {
            let acknowledged = sent.acknowledged?;
            let wishes = || {
                let wishes = views.iter().flat_map(|view| &view.wishes);
                wishes.filter(|wish| wish.is_shared() && wish.matches(label))
            };
            let stays =
                wishes().any(|wish| wish.held.is_some() && wish.covers(sent.first, acknowledged));
            let owed = label.qos == 1
                && wishes().all(|wish| wish.qos >= QoS::AtLeastOnce)
                && views.iter().all(|view| !view.received.contains(label));
            (stays && owed).then_some(*label)
        })
    }

    pub(crate) fn received(&mut self, client: usize, label: Label, qos: QoS, retain: bool) {
        self.receipts += 1;
        self.now();
        let Some(sent) = self.sent.get(&label).copied() else {
            let text = format!("client {client} gets <{label}>, which nobody sent");
            return self.raise(Violation::of(Rule::Protocol, text).client(client));
        };
        let view = &mut self.views[client];
        if retain {
            view.retained.insert(label.topic, label);
            return;
        }
        let gone = view.wishes.iter().filter(|wish| wish.matches(&label)).all(|wish| {
            // What was published before may have been waiting.
            wish.absent.is_some_and(|since| since < sent.first)
        });
        let first = view.received.insert(label);
        let exact = qos < QoS::ExactlyOnce || label.is_will() || view.exact.insert(label);
        let exact = exact || self.refuses;
        let before = view.last.get(&(label.publisher, label.topic, label.qos)).copied();
        let eligible = view.wishes.iter().any(|wish| {
            let there = wish.held.is_some_and(|since| since < sent.first);
            there && wish.matches(&label) && !wish.is_shared()
        });
        // At QoS 0 what was missed is missed, at the others what was dropped may be repeated.
        let in_order = first && eligible && (label.qos == 0 || qos > QoS::AtMostOnce);
        if in_order && !label.is_will() && !self.limited {
            view.last.insert((label.publisher, label.topic, label.qos), label);
            if let Some(before) = before.filter(|before| before.number > label.number) {
                let text = format!("client {client} gets <{label}> after <{before}>");
                let violation = Violation::of(Rule::Order, text).client(client).message(label);
                return self.raise(violation);
            }
        }
        if gone {
            let text = format!("client {client} gets <{label}>, having unsubscribed before");
            let violation = Violation::of(Rule::SubscriptionGone, text);
            return self.raise(violation.client(client).message(label));
        }
        if !exact {
            let text = format!("client {client} gets <{label}> twice");
            let violation = Violation::of(Rule::ExactlyOnce, text);
            return self.raise(violation.client(client).message(label));
        }
        self.received_of_group(client, label, qos);
    }

    /// What one member of a shared subscription got at QoS 2 no other one gets.
    fn received_of_group(&mut self, client: usize, label: Label, qos: QoS) {
        let wishes = &self.views[client].wishes;
        // Sessions that are not stored end with the broker, and so does what they had.
        let stored = |wish: &Wish| wish.filter.share_name() == Some(GROUP);
        if qos < QoS::ExactlyOnce || !wishes.iter().any(|wish| stored(wish) && wish.matches(&label))
        {
            return;
        }
        let first = *self.shared_exact.entry(label).or_insert(client);
        if first != client && !self.refuses {
            let text = format!("clients {first} and {client} get <{label}> of one group");
            let violation = Violation::of(Rule::ExactlyOnce, text).client(first);
            self.raise(violation.client(client).message(label));
        }
    }

    /// Why what is retained under a topic cannot be the newest that was acknowledged.
    pub(crate) fn stale(&self, topic: usize, found: Option<Label>) -> Option<Violation> {
        let writes = self.kept.get(&topic)?;
        let of = |label: &Label| self.sent[label];
        // A write stands unless an acknowledged one was begun when it was over.
        let newest = writes.iter().filter(|label| of(label).acknowledged.is_some());
        let newest = newest.max_by_key(|label| of(label).first).copied();
        let over = |last: u64| newest.filter(|newest| of(newest).first > last);
        let outdone = match found {
            Some(label) => over(of(&label).last),
            None => {
                let deletions = writes.iter().filter(|label| of(label).deletes);
                match deletions.map(|label| of(label).last).max() {
                    Some(last) => over(last),
                    None => newest,
                }
            }
        };
        let newest = outdone.filter(|_| !self.damaged)?;
        let text = match found {
            Some(label) => format!("<{label}> is retained, <{newest}> was acknowledged later"),
            None => format!("nothing is retained, <{newest}> was acknowledged"),
        };
        Some(Violation::of(Rule::Retained, text).message(newest).client(newest.publisher))
    }
}
