//! Another broker as a host of sources: what it publishes is offered to the rules of one task.
//!
//! Invariant: no message is offered to a rule that is not in force, and each to every rule that
//! takes it, once: [`Routes`] says on which connection. The broker is told that a message has been
//! taken when all those rules have said so. What is refused for good is acknowledged too, or it would
//! come for ever; what is given up at the end of a task is not, so it comes again.

use std::collections::HashMap;
use std::sync::mpsc::{self, Receiver};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Instant;

use midge_codec::{Publish, QoS, ReasonCode, TopicFilter};
use midge_core::{DutyId, Inject, Memory, Message, Offer, Origin, ShardId, Tap, TapId};
use tokio::runtime::Handle;
use tracing::{debug, warn};

use super::link::{Link, Route, Side, Signals, Trouble};
use super::routes::{Placed, Routes};
use super::session::{Event, Receipt, Session};
use super::{Voice, identity, tls};
use crate::bridge::Bridge;
use crate::connect::plan::RemoteBroker;
use crate::host::Host;
use crate::source::now as present;

/// Where a duty's number says which connection it belongs to.
const CONNECTION_SHIFT: u32 = 48;
const RECEIPT_MASK: u64 = (1 << CONNECTION_SHIFT) - 1;
/// As many connections can be told apart.
const CONNECTIONS_MAX: usize = 1 << 8;

/// The task that a source's connections work for.
pub(crate) struct Task {
    pub(crate) broker: RemoteBroker,
    /// The QoS subscribed with.
    pub(crate) qos: QoS,
    /// By rule, in their order.
    pub(crate) filters: Vec<Vec<TopicFilter>>,
    pub(crate) voice: Voice,
    /// What to do when the broker refuses a subscription.
    pub(crate) failed: Arc<dyn Fn(String) + Send + Sync>,
}

/// Another broker, as sources see it.
pub(crate) struct Source {
    shared: Arc<Shared>,
    links: Mutex<Vec<Link>>,
}

/// What the connections share with the bridge.
struct Shared {
    bridge: Weak<Bridge>,
    routes: Routes,
    /// Held while messages are offered, and what follows from that is noted in `answers`.
    taps: Mutex<Taps>,
    answers: Mutex<Answers>,
    /// By connection.
    signals: Vec<Arc<Signals>>,
}

/// The rules of the task.
struct Taps {
    /// How many it has.
    rules: usize,
    /// Those in force, whether somebody waits for them, and what they take.
    in_force: Vec<(TapId, bool, Placed)>,
    /// Whether all have ever been in force.
    has_begun: bool,
}

/// What the rules say of messages.
struct Answers {
    /// Rules that can take no more.
    full: Vec<TapId>,
    /// By connection: what duties have come to.
    done: Vec<Vec<(Receipt, ReasonCode)>>,
}

impl Source {
    /// Connects as soon as a rule is in force.
    ///
    /// # Errors
    /// When files of certificates cannot be used, or names be sent.
    pub(crate) fn start(runtime: &Handle, task: Task) -> Result<Source, String> {
        let Task { broker, qos, filters, voice, failed } = task;
        let routes = Routes::new(filters.iter().map(Vec::as_slice));
        let count = routes.subscriptions().len();
        if count > CONNECTIONS_MAX {
            return Err(format!(
                "found filters that overlap in {count} ways, expected at most {CONNECTIONS_MAX}"
            ));
        }
        let with_tls = broker.addresses.iter().any(|(tls, ..)| *tls);
        let tls = with_tls.then(|| tls::config(&broker.tls)).transpose()?;
        let taps = Taps { rules: filters.len(), in_force: Vec::new(), has_begun: false };
        let answers = Answers { full: Vec::new(), done: vec![Vec::new(); count] };
        let shared = Arc::new(Shared {
            bridge: voice.bridge.clone(),
            routes,
            taps: Mutex::new(taps),
            answers: Mutex::new(answers),
            signals: (0..count).map(|_| Arc::default()).collect(),
        });
        let mut links = Vec::new();
        for connection in 0..count {
            let identity = identity(&broker, connection)?;
            let route = Route {
                broker: broker.clone(),
                tls: tls.clone(),
                timeout: identity.timeout,
                voice: voice.clone(),
                connection,
                failed: Arc::clone(&failed),
            };
            let session = Session::new(identity, Instant::now());
            let side = Connection {
                shared: Arc::clone(&shared),
                number: connection,
                qos,
                came: Vec::new(),
                waiting: HashMap::new(),
                resting: Vec::new(),
                memory: Memory::new(usize::MAX),
            };
            let signals = Arc::clone(&shared.signals[connection]);
            links.push(Link::start(runtime, signals, route, session, side));
        }
        Ok(Source { shared, links: Mutex::new(links) })
    }
}

impl Shared {
    fn taps(&self) -> MutexGuard<'_, Taps> {
        self.taps.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn answers(&self) -> MutexGuard<'_, Answers> {
        self.answers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wake(&self) {
        self.signals.iter().for_each(|signals| signals.wake());
    }
}

impl Taps {
    /// Whether messages can be offered: to all rules, or one that rests would miss what the broker
    /// is told has been taken.
    fn are_in_force(&self) -> bool {
        self.in_force.len() == self.rules
    }
}

impl Host for Source {
    fn duties_done(&self, done: &mut Vec<(ShardId, DutyId, ReasonCode)>) {
        let mut answers = self.shared.answers();
        for (_, DutyId(duty), reason) in done.drain(..) {
            let connection = (duty >> CONNECTION_SHIFT) as usize;
            if let Some(of_connection) = answers.done.get_mut(connection) {
                of_connection.push((Receipt(duty & RECEIPT_MASK), reason));
            }
        }
        drop(answers);
        self.shared.wake();
    }

    fn tap_full(&self, tap: TapId, full: bool) {
        let mut answers = self.shared.answers();
        answers.full.retain(|other| *other != tap);
        if full {
            answers.full.push(tap);
        }
        drop(answers);
        self.shared.wake();
    }

    /// A source publishes nothing.
    fn inject(&self, injects: &mut Vec<Box<Inject>>) {
        injects.clear();
    }

    fn retap(&self, taps: &Arc<[Tap]>) -> Receiver<()> {
        let routes = &self.shared.routes;
        let in_force = taps.iter().map(|tap| (tap.id, tap.waits, routes.place(&tap.filters)));
        let in_force = in_force.collect();
        let mut taps = self.shared.taps();
        taps.in_force = in_force;
        taps.has_begun |= taps.are_in_force();
        drop(taps);
        self.shared.wake();
        mpsc::channel().1
    }

    fn end(&self) {
        let links = std::mem::take(&mut *self.links.lock().unwrap_or_else(PoisonError::into_inner));
        links.iter().for_each(Link::begin_end);
        links.iter().for_each(Link::finish_end);
    }
}

/// One connection of a source.
struct Connection {
    shared: Arc<Shared>,
    number: usize,
    qos: QoS,
    /// What has come and has not been offered.
    came: Vec<(Publish, Option<Receipt>)>,
    /// How many rules have not taken a message yet, and why one does not, if so.
    waiting: HashMap<Receipt, (usize, ReasonCode)>,
    /// Messages that were refused while rules rested: for good, or since the task ends.
    resting: Vec<Receipt>,
    memory: Arc<Memory>,
}

impl Side for Connection {
    fn is_wanted(&self) -> bool {
        self.shared.taps().has_begun
    }

    fn is_reading(&self) -> bool {
        self.shared.taps().are_in_force() && self.shared.answers().full.is_empty()
    }

    fn discards_session(&self) -> bool {
        false
    }

    fn event(&mut self, now: Instant, session: &mut Session, event: Event) -> Result<(), Trouble> {
        match event {
            // A session that is present may have other filters all the same: those of an earlier
            // process, or of the last time that a broker saved it before it was killed.
            Event::Connected { .. } => {
                session.subscribe(now, &self.shared.routes.subscriptions()[self.number], self.qos);
            }
            Event::Subscribed(reasons) => {
                let filters = &self.shared.routes.subscriptions()[self.number];
                for (filter, reason) in filters.iter().zip(reasons) {
                    if reason.is_error() {
                        return Err(Trouble::Final(format!(
                            "the broker refuses the subscription to {:?}: {reason}",
                            filter.text().as_str()
                        )));
                    }
                    if (reason as u8) < self.qos as u8 {
                        let (wanted, granted) = (self.qos as u8, reason as u8);
                        warn!(%filter, wanted, granted, "the broker grants a lower QoS");
                    }
                }
            }
            Event::Message(publish, receipt) => self.came.push((publish, receipt)),
            // A source publishes nothing.
            Event::Delivered(_) => {}
        }
        Ok(())
    }

    fn turn(&mut self, now: Instant, session: &mut Session) -> Result<(), Trouble> {
        self.offer(now, session);
        self.settle(now, session)
    }

    fn away(&mut self, _: Instant, _: Instant, session: &mut Session) -> Option<Instant> {
        // What was taken in the meantime is known when it comes again.
        let now = Instant::now();
        let settled = self.settle(now, session);
        if let Err(trouble) = settled {
            debug!(error = %trouble, "messages will come again");
        }
        None
    }
}

impl Connection {
    /// Offers what has come to the rules.
    fn offer(&mut self, now: Instant, session: &mut Session) {
        if self.came.is_empty() {
            return;
        }
        let Some(bridge) = self.shared.bridge.upgrade() else { return };
        let shared = Arc::clone(&self.shared);
        // Held, so that nothing is offered to a rule that has gone.
        let taps = shared.taps();
        if !taps.are_in_force() {
            return;
        }
        let mut offers = Vec::new();
        let mut taken = Vec::new();
        for (publish, receipt) in std::mem::take(&mut self.came) {
            let Some(topic) = publish.topic else { continue };
            let rules = taps.in_force.iter();
            let rules = rules.filter(|(.., placed)| placed.takes(self.number, &topic));
            let rules: Vec<(TapId, bool)> = rules.map(|(tap, waits, _)| (*tap, *waits)).collect();
            let waits = rules.iter().filter(|(_, waits)| *waits).count();
            match receipt {
                Some(receipt) if waits > 0 => {
                    self.waiting.insert(receipt, (waits, ReasonCode::Success));
                }
                Some(receipt) => taken.push(receipt),
                None => {}
            }
            if rules.is_empty() {
                debug!(%topic, "no rule takes a message of the broker");
                continue;
            }
            let Publish { payload, qos, retain, .. } = publish;
            let received = present().unix_millis;
            // MQTT does not say who published it.
            let message = Message::new(
                topic,
                payload,
                qos,
                retain,
                None,
                None,
                received,
                Origin::Broker,
                Vec::new(),
            );
            let message = message.keep(&self.memory);
            let duty = receipt.map(|receipt| self.duty(receipt));
            offers.extend(rules.into_iter().map(|(tap, waits)| Offer {
                tap,
                message: Arc::clone(&message),
                duty: duty.filter(|_| waits),
            }));
        }
        // Offers of one rule go together.
        offers.sort_by_key(|offer| offer.tap);
        bridge.offer(ShardId(0), &mut offers);
        drop(taps);
        for receipt in taken {
            session.acknowledge(now, receipt);
        }
    }

    fn duty(&self, Receipt(receipt): Receipt) -> DutyId {
        DutyId((self.number as u64) << CONNECTION_SHIFT | receipt)
    }

    /// Tells the broker of what has been taken.
    fn settle(&mut self, now: Instant, session: &mut Session) -> Result<(), Trouble> {
        let done = std::mem::take(&mut self.shared.answers().done[self.number]);
        let in_force = self.shared.taps().are_in_force();
        let mut again = Ok(());
        for (receipt, reason) in done {
            let Some((left, worst)) = self.waiting.get_mut(&receipt) else { continue };
            *left -= 1;
            if reason.is_error() {
                *worst = reason;
            }
            if *left > 0 {
                continue;
            }
            let worst = *worst;
            self.waiting.remove(&receipt);
            match worst {
                // The log did not take it, which is no fault of the message.
                ReasonCode::QuotaExceeded => {
                    session.forget(receipt);
                    again = Err(Trouble::Again("the log is full"));
                }
                reason if reason.is_error() => self.resting.push(receipt),
                _ => session.acknowledge(now, receipt),
            }
        }
        if in_force {
            // Refused for good, which has been counted and logged.
            for receipt in std::mem::take(&mut self.resting) {
                session.acknowledge(now, receipt);
            }
        }
        again
    }
}
