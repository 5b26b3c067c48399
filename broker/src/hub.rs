//! What the threads of one broker share.
//!
//! Workers share no session, no socket and no lock on the way of a message but for their inboxes:
//! what is here is asked rarely, or once a batch.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use midge_bridge::Bridge;
use midge_codec::ReasonCode;
use midge_core::{DutyId, Inject, Memory, Offer, ShardId, Tap, TapId, Ticket};
use midge_store::Store;
use tokio::sync::{oneshot, watch};

use crate::auth::Authenticator;
use crate::connect::Connect;
use crate::listener::admission::Admission;
use crate::policy::Policy;
use crate::worker::inbox::{Inbox, Letter};
use crate::worker::report::Report;

/// The owner of tickets that this crate gives out; those of the bridge count from 0.
const OWN_TICKETS: u32 = u32::MAX;

/// What the threads of one broker share.
pub(crate) struct Hub {
    /// One a shard, in their order.
    pub(crate) inboxes: Vec<Inbox>,
    pub(crate) memory: Arc<Memory>,
    pub(crate) admission: Arc<Admission>,
    pub(crate) authenticator: Authenticator,
    /// `None` without persistence.
    pub(crate) store: Option<Store>,
    /// Why the store does not keep anything any more.
    failed: watch::Sender<Option<String>>,
    /// `None` before it has been started, after it has been stopped, and without connectors.
    bridge: RwLock<Option<Arc<Bridge>>>,
    /// Connectors by class; `None` as above.
    connect: Mutex<Option<Connect>>,
    /// What is in force; `None` before the start.
    policy: RwLock<Option<Arc<Policy>>>,
    /// Publishes whose outcome somebody waits for.
    waiting: Mutex<HashMap<u64, oneshot::Sender<ReasonCode>>>,
    next_ticket: AtomicU64,
}

impl Hub {
    pub(crate) fn new(
        shards: usize,
        memory: Arc<Memory>,
        authenticator: Authenticator,
        store: Option<Store>,
    ) -> Hub {
        Hub {
            inboxes: (0..shards).map(|_| Inbox::default()).collect(),
            memory,
            admission: Arc::default(),
            authenticator,
            store,
            failed: watch::Sender::new(None),
            bridge: RwLock::default(),
            connect: Mutex::default(),
            policy: RwLock::default(),
            waiting: Mutex::default(),
            next_ticket: AtomicU64::new(0),
        }
    }

    /// Connects the bridge, or takes it away.
    pub(crate) fn replace_bridge(&self, bridge: Option<Arc<Bridge>>) -> Option<Arc<Bridge>> {
        let mut slot = self.bridge.write().unwrap_or_else(PoisonError::into_inner);
        std::mem::replace(&mut *slot, bridge)
    }

    /// Asks the bridge something.
    pub(crate) fn with_bridge<T>(&self, ask: impl FnOnce(&Bridge) -> T) -> Option<T> {
        self.bridge.read().unwrap_or_else(PoisonError::into_inner).as_deref().map(ask)
    }

    /// The bridge, once it has been connected.
    pub(crate) fn bridge(&self) -> Option<Arc<Bridge>> {
        self.bridge.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Has connectors by class, or takes them away.
    pub(crate) fn replace_connect(&self, connect: Option<Connect>) -> Option<Connect> {
        let mut slot = self.connect.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::replace(&mut *slot, connect)
    }

    /// The policy in force.
    pub(crate) fn policy(&self) -> Option<Arc<Policy>> {
        self.policy.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Puts a policy in force for those who are no workers.
    pub(crate) fn set_policy(&self, policy: &Arc<Policy>) {
        *self.policy.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(policy));
    }

    /// Gives the bridge what a turn of a shard has for it.
    pub(crate) fn offer(&self, shard: ShardId, offers: &mut Vec<Offer>) {
        if self.with_bridge(|bridge| bridge.offer(shard, offers)).is_none() {
            // The broker is stopping; the publishers hear nothing and will send again.
            offers.clear();
        }
    }

    /// Publishes; the answer comes when it has been routed.
    pub(crate) fn publish(&self, mut inject: Box<Inject>) -> oneshot::Receiver<ReasonCode> {
        let (answer, answered) = oneshot::channel();
        let number = self.next_ticket.fetch_add(1, Ordering::Relaxed);
        inject.ticket = Some(Ticket { owner: OWN_TICKETS, number });
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).insert(number, answer);
        self.inject(inject);
        answered
    }

    /// Publishes for the bridge, or where nobody waits.
    pub(crate) fn inject(&self, inject: Box<Inject>) {
        let shard = ShardId::of_topic(&inject.topic, self.inboxes.len());
        self.inboxes[usize::from(shard.0)].push(Letter::Inject(inject));
    }

    /// A publish has been routed.
    pub(crate) fn injected(&self, ticket: Ticket, reason: ReasonCode) {
        if ticket.owner != OWN_TICKETS {
            self.with_bridge(|bridge| bridge.injected(ticket, reason));
            return;
        }
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(answer) = waiting.remove(&ticket.number) {
            // Who does not wait any more does not mind.
            let _ = answer.send(reason);
        }
    }

    /// The store has failed: no client hears anything any more, since what it was told might not be
    /// so after the next start.
    pub(crate) fn fail(&self, why: &str) {
        self.end_workers();
        self.failed.send_replace(Some(why.to_owned()));
    }

    /// Has all workers end at once.
    pub(crate) fn end_workers(&self) {
        for inbox in &self.inboxes {
            inbox.push(Letter::End);
        }
    }

    /// Why the store has failed, once it has.
    pub(crate) fn failure(&self) -> watch::Receiver<Option<String>> {
        self.failed.subscribe()
    }

    /// Asks every worker what it has counted.
    pub(crate) fn ask_reports(&self) -> Vec<oneshot::Receiver<Report>> {
        let ask = |inbox: &Inbox| {
            let (reply, replied) = oneshot::channel();
            inbox.push(Letter::Report(reply));
            replied
        };
        self.inboxes.iter().map(ask).collect()
    }
}

/// The hub as the bridge sees it.
pub(crate) struct BridgeHost(pub(crate) Arc<Hub>);

impl midge_bridge::Host for BridgeHost {
    fn duties_done(&self, done: &mut Vec<(ShardId, DutyId, ReasonCode)>) {
        // One batch a shard: the lock is short and the worker woken once.
        done.sort_by_key(|(shard, ..)| *shard);
        let mut done = done.drain(..).peekable();
        while let Some(&(shard, ..)) = done.peek() {
            let batch = std::iter::from_fn(|| done.next_if(|(next, ..)| *next == shard));
            let letters = batch.map(|(_, duty, reason)| Letter::DutyDone { duty, reason });
            self.0.inboxes[usize::from(shard.0)].extend(letters);
        }
    }

    fn tap_full(&self, tap: TapId, full: bool) {
        for inbox in &self.0.inboxes {
            inbox.push(Letter::TapFull { tap, full });
        }
    }

    fn inject(&self, injects: &mut Vec<Box<Inject>>) {
        // One batch a shard, as above.
        let inboxes = &self.0.inboxes;
        let home = |inject: &Inject| ShardId::of_topic(&inject.topic, inboxes.len());
        injects.sort_by_cached_key(|inject| home(inject));
        let mut injects = injects.drain(..).peekable();
        while let Some(shard) = injects.peek().map(|inject| home(inject)) {
            let batch = std::iter::from_fn(|| injects.next_if(|next| home(next) == shard));
            inboxes[usize::from(shard.0)].extend(batch.map(Letter::Inject));
        }
    }

    fn retap(&self, taps: &Arc<[Tap]>) -> Receiver<()> {
        let (done, all_done) = mpsc::channel();
        for inbox in &self.0.inboxes {
            inbox.push(Letter::Taps(Arc::clone(taps), done.clone()));
        }
        all_done
    }
}
