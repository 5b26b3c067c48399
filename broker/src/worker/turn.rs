//! A worker's turn: what the shard wants done after all ready connections have fed it.
//!
//! One turn writes each socket at most once, leaves one batch with each other shard, one with the
//! store and one with the bridge. What becomes possible by these writes is done in the next turn, after other
//! connections have been read: a client that takes fast does not keep the worker to itself.

use std::pin::pin;
use std::rc::Rc;
use std::time::Duration;

use midge_core::{ConnectionId, In, Out};
use tokio::time::{Instant, sleep_until};

use crate::worker::Worker;
use crate::worker::commits::Load;
use crate::worker::inbox::Letter;
use crate::worker::transport::Written;

/// How long to sleep when the shard waits for nothing.
const IDLE: Duration = Duration::from_secs(24 * 60 * 60);

impl Worker {
    /// The worker's own task: letters, timers, turns; until it has been told to end.
    pub(super) async fn drive(self: &Rc<Self>) {
        let mut alarm = pin!(sleep_until(Instant::now() + IDLE));
        loop {
            let rang = tokio::select! {
                biased;
                () = self.inbox().awake() => false,
                () = &mut alarm => true,
            };
            self.open_letters();
            self.admit().await;
            if self.stop.is_ended() {
                // What is to be stored goes; no client hears anything any more.
                self.collect();
                self.send_batches();
                return;
            }
            if self.is_due() {
                self.shard.borrow_mut().tick(Worker::now());
            }
            self.turn();
            let deadline = self.deadline().map(Instant::from_std);
            // An alarm that comes too early costs one look; setting it anew each turn costs more.
            let wanted = deadline.unwrap_or_else(|| Instant::now() + IDLE);
            if rang || wanted < alarm.deadline() {
                alarm.as_mut().reset(wanted);
            }
            self.answer_those_who_stop();
        }
    }

    fn is_due(&self) -> bool {
        self.deadline().is_some_and(|deadline| deadline <= std::time::Instant::now())
    }

    fn turn(self: &Rc<Self>) {
        self.scheduled.set(false);
        self.collect();
        self.send_batches();
        let mut written = self.write_dirty();
        let any = !written.is_empty();
        if any {
            let now = Worker::now();
            let mut shard = self.shard.borrow_mut();
            for connection in written.drain(..) {
                shard.handle(now, In::Written(connection));
            }
        }
        // Its memory is for the next turn.
        self.written.replace(written);
        if any {
            self.collect();
            self.send_batches();
            if !self.dirty.borrow().is_empty() {
                self.schedule();
            }
        }
    }

    /// Takes the shard's outputs.
    pub(super) fn collect(self: &Rc<Self>) {
        loop {
            let Some(out) = self.shard.borrow_mut().poll() else { return };
            self.perform(out);
        }
    }

    /// Does one thing that the shard wants done, or puts it to what goes out at the end of the turn.
    pub(super) fn perform(self: &Rc<Self>, out: Out) {
        match out {
            Out::Flush(connection) => self.dirty.borrow_mut().push(connection),
            Out::Close(connection) => self.close(connection),
            // The reading task asks the shard before it reads.
            Out::Pause(_) => {}
            Out::Resume(connection) => {
                if let Some(connection) = self.connection(connection) {
                    connection.wake();
                }
            }
            Out::Peer { to, message } => {
                let letter = Letter::Peer { from: self.id, message };
                self.outgoing.borrow_mut()[usize::from(to.0)].push(letter);
            }
            Out::Offer(offer) => self.offers.borrow_mut().push(offer),
            Out::Commit(operations) => self.commits.push(operations),
            Out::Load { queue, from, below, max_entries, max_bytes } => {
                self.load(Load { queue, from, below, max_entries, max_bytes });
            }
            Out::Injected { ticket, reason } => self.hub.injected(ticket, reason),
        }
    }

    pub(super) fn send_batches(&self) {
        self.commits.submit();
        for (inbox, letters) in self.hub.inboxes.iter().zip(self.outgoing.borrow_mut().iter_mut()) {
            if !letters.is_empty() {
                inbox.extend(letters.drain(..));
            }
        }
        let mut offers = self.offers.borrow_mut();
        if !offers.is_empty() {
            self.hub.offer(self.id, &mut offers);
        }
    }

    /// Writes every connection that has something, once; returns those that have nothing left.
    fn write_dirty(&self) -> Vec<ConnectionId> {
        let mut dirty = self.dirty.take();
        let mut written = self.written.take();
        for id in dirty.drain(..) {
            if self.write(id) {
                written.push(id);
            }
        }
        // Keeps the memory for the next turn.
        let mut next = self.dirty.borrow_mut();
        if next.is_empty() {
            *next = dirty;
        }
        written
    }

    /// Writes one connection; whether the shard has to hear that its output became empty.
    fn write(&self, id: ConnectionId) -> bool {
        let Some(connection) = self.connection(id) else { return false };
        if connection.blocked.get() || connection.mute.get() {
            return false;
        }
        let mut transport = connection.transport.borrow_mut();
        let Some(transport) = transport.as_mut() else { return false };
        let mut shard = self.shard.borrow_mut();
        let mut nothing = midge_core::Output::default();
        let output = shard.output(id);
        let had_output = output.as_ref().is_some_and(|output| !output.is_empty());
        let mut sent = self.bytes_sent.get();
        let result = transport.write(output.unwrap_or(&mut nothing), &mut sent);
        self.bytes_sent.set(sent);
        match result {
            Ok(Written::All) => had_output,
            Ok(Written::Blocked) => {
                connection.blocked.set(true);
                // Its task waits for the socket.
                connection.wake();
                false
            }
            // What the client sent before it went may still be there to read, a DISCONNECT even;
            // after it the reading task meets the end and reports it.
            Err(_) => {
                connection.mute.set(true);
                connection.wake();
                false
            }
        }
    }
}
