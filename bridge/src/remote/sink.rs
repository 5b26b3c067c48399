//! Another broker as the host of a sink: what the sink injects is published there.
//!
//! Invariant: every inject has one outcome: Success when the broker has the message, or an error
//! when it cannot be sent or the broker has been away for longer than connecting may take. What
//! waits here is bounded by what the sink has under way.

use std::collections::VecDeque;
use std::sync::mpsc::{self, Receiver};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use midge_codec::{Publish, ReasonCode};
use midge_core::{DutyId, Inject, ShardId, Tap, TapId, Ticket};
use tokio::runtime::Handle;

use super::link::{Link, Route, Side, Signals, Trouble};
use super::session::{Event, Session};
use super::{Voice, identity, tls};
use crate::bridge::Bridge;
use crate::connect::plan::RemoteBroker;
use crate::host::Host;

/// Bytes that wait to be written before no more is published.
const OUTPUT_BYTES: usize = 64 << 10;

/// Another broker, as a sink sees it.
pub(crate) struct Sink {
    queue: Arc<Mutex<VecDeque<Box<Inject>>>>,
    signals: Arc<Signals>,
    link: Mutex<Option<Link>>,
}

impl Sink {
    /// Connects at once.
    ///
    /// # Errors
    /// When files of certificates cannot be used, or names be sent.
    pub(crate) fn start(
        runtime: &Handle,
        broker: &RemoteBroker,
        voice: Voice,
        failed: Arc<dyn Fn(String) + Send + Sync>,
    ) -> Result<Sink, String> {
        let with_tls = broker.addresses.iter().any(|(tls, ..)| *tls);
        let tls = with_tls.then(|| tls::config(&broker.tls)).transpose()?;
        let identity = identity(broker, 0)?;
        let timeout = identity.timeout;
        let queue = Arc::new(Mutex::default());
        let signals = Arc::<Signals>::default();
        let bridge = voice.bridge.clone();
        let route = Route { broker: broker.clone(), tls, timeout, voice, connection: 0, failed };
        let session = Session::new(identity, Instant::now());
        let waiting = Arc::clone(&queue);
        let side = Connection { bridge, queue: waiting, timeout, has_begun: false };
        let link = Link::start(runtime, Arc::clone(&signals), route, session, side);
        Ok(Sink { queue, signals, link: Mutex::new(Some(link)) })
    }
}

impl Host for Sink {
    /// A sink takes nothing that could have a duty.
    fn duties_done(&self, done: &mut Vec<(ShardId, DutyId, ReasonCode)>) {
        done.clear();
    }

    fn tap_full(&self, _: TapId, _: bool) {}

    fn inject(&self, injects: &mut Vec<Box<Inject>>) {
        lock(&self.queue).extend(injects.drain(..));
        self.signals.wake();
    }

    fn retap(&self, _: &Arc<[Tap]>) -> Receiver<()> {
        mpsc::channel().1
    }

    fn end(&self) {
        if let Some(link) = lock(&self.link).take() {
            link.begin_end();
            link.finish_end();
        }
    }
}

struct Connection {
    bridge: Weak<Bridge>,
    queue: Arc<Mutex<VecDeque<Box<Inject>>>>,
    /// How long the broker may be away before that is an error.
    timeout: Duration,
    /// Whether the session is of this process.
    has_begun: bool,
}

impl Side for Connection {
    fn is_wanted(&self) -> bool {
        true
    }

    /// What comes are acknowledgements.
    fn is_reading(&self) -> bool {
        true
    }

    /// What an earlier process had in flight comes from Kafka again, under other packet ids; a
    /// broker that remembers the old ones would take the new messages for those.
    fn discards_session(&self) -> bool {
        !self.has_begun
    }

    fn event(&mut self, _: Instant, _: &mut Session, event: Event) -> Result<(), Trouble> {
        match event {
            Event::Connected { .. } => self.has_begun = true,
            Event::Delivered(ticket) => self.outcome(ticket, ReasonCode::Success),
            // Nothing is subscribed with; what comes even so is nobody's.
            Event::Message(..) | Event::Subscribed(_) => {}
        }
        Ok(())
    }

    fn turn(&mut self, now: Instant, session: &mut Session) -> Result<(), Trouble> {
        while session.has_room() && session.output().len() < OUTPUT_BYTES {
            let Some(inject) = lock(&self.queue).pop_front() else { break };
            let Inject { ticket, topic, payload, qos, retain, .. } = *inject;
            let publish = Publish {
                dup: false,
                qos,
                retain,
                topic: Some(topic),
                packet_id: None,
                topic_alias: None,
                properties: None,
                payload,
            };
            if !session.publish(now, ticket, publish)
                && let Some(ticket) = ticket
            {
                self.outcome(ticket, ReasonCode::PacketTooLarge);
            }
        }
        Ok(())
    }

    fn away(&mut self, now: Instant, since: Instant, session: &mut Session) -> Option<Instant> {
        let due = since + self.timeout;
        if now < due {
            return Some(due);
        }
        let queued = std::mem::take(&mut *lock(&self.queue));
        let queued = queued.into_iter().filter_map(|inject| inject.ticket);
        for ticket in session.give_up().into_iter().chain(queued) {
            self.outcome(ticket, ReasonCode::ServerUnavailable);
        }
        None
    }
}

impl Connection {
    fn outcome(&self, ticket: Ticket, reason: ReasonCode) {
        if let Some(bridge) = self.bridge.upgrade() {
            bridge.injected(ticket, reason);
        }
    }
}

fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}
