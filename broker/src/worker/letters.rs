//! What a worker does with its letters.

use std::rc::Rc;
use std::sync::Arc;

use midge_codec::ReasonCode;
use midge_core::{Attach, ConnectionId, In, Now};
use tracing::{error, info, warn};

use crate::listener::{Listening, handshake};
use crate::logging::CONNECTION;
use crate::worker::arrival::Arrival;
use crate::worker::connection::{Connection, Reader};
use crate::worker::inbox::{Letter, NewGeneration};
use crate::worker::transport::Transport;
use crate::worker::{Worker, spawn, spawn_movable};

use crate::worker::report::Report;

impl Worker {
    /// Opens all letters that are there.
    pub(super) fn open_letters(self: &Rc<Self>) {
        let mut letters = self.letters.take();
        self.inbox().take(&mut letters);
        if !letters.is_empty() {
            let now = Worker::now();
            for letter in letters.drain(..) {
                self.open(now, letter);
            }
        }
        self.letters.replace(letters);
    }

    /// Has a client taken in soon.
    pub(crate) fn arrived(&self, arrival: Arrival<Transport>) {
        self.arrivals.borrow_mut().push(arrival);
        self.schedule();
    }

    /// Takes in the clients that have arrived, if any.
    pub(super) async fn admit(self: &Rc<Self>) {
        if self.arrivals.borrow().is_empty() {
            return;
        }
        // What others sent before they came is read first, as much as one turn reads, also on a
        // connection that one of them takes over: that it is there the event loop may still have to
        // hear.
        tokio::task::yield_now().await;
        let now = Worker::now();
        for arrival in self.arrivals.take() {
            self.attach(now, arrival);
        }
    }

    pub(super) fn open(self: &Rc<Self>, now: Now, letter: Letter) {
        let feed = |input| self.shard.borrow_mut().handle(now, input);
        match letter {
            Letter::Peer { from, message } => feed(In::Peer { from, message }),
            Letter::Arrival(arrival) => {
                let client = Arc::clone(&arrival.client);
                match arrival.attach() {
                    Ok(arrival) => self.arrivals.borrow_mut().push(arrival),
                    Err(error) => {
                        warn!(client_id = %client.client_id, %error, "socket lost on its way");
                    }
                }
            }
            // Whoever injects hears nothing any more, and does it again another time.
            Letter::Inject(_) if self.is_stopping() => {}
            Letter::Inject(inject) => self.inject(now, inject),
            Letter::DutyDone { duty, reason } => feed(In::DutyDone { duty, reason }),
            Letter::TapFull { tap, full } => feed(In::TapFull { tap, full }),
            Letter::Durable(number) => feed(In::Durable(number)),
            Letter::Loaded(answer) => self.loaded(now, *answer),
            Letter::StoreFull(full) => feed(In::StoreFull(full)),
            Letter::Taps(taps, done) => {
                feed(In::Taps(taps));
                // What the shard has offered to those who are gone goes to them before anybody hears
                // that the shard does not know them any more.
                self.collect();
                self.send_batches();
                drop(done);
            }
            Letter::Generation(new) => {
                let NewGeneration { generation, policy, opened, done } = *new;
                feed(In::Generation(generation));
                self.policy.replace(policy);
                self.change_listeners(opened);
                self.judge_logins(now);
                // Nobody listens any more when the reload was given up.
                let _ = done.send(());
            }
            Letter::Serve(opened) => {
                if let Err(error) = self.serve(opened) {
                    error!(%error, "not served by this worker");
                }
            }
            Letter::Report(reply) => {
                let _ = reply.send(self.report());
            }
            Letter::Shutdown(done) => {
                for (_, acceptor) in self.acceptors.take() {
                    acceptor.abort();
                }
                self.stop.begin(done);
                feed(In::Shutdown);
            }
            Letter::Settle(done) => self.settle(done),
            Letter::End => self.stop.end(),
        }
    }

    /// Takes a client in.
    fn attach(self: &Rc<Self>, now: Now, arrival: Arrival<Transport>) {
        if self.is_stopping() {
            return;
        }
        let Arrival { transport, unread, client, connect, assigned_client_id, login, seat } =
            arrival;
        // The rules may have changed while it was on its way.
        if !self.policy.borrow().still_admits(&client, &login) {
            spawn(handshake::turn_away(transport, client, connect.version, seat));
            return;
        }
        if self.policy.borrow().connection_messages {
            info!(
                target: CONNECTION,
                "New client connected from {} as {} (p{}, c{}, k{}{}).",
                client.address,
                client.client_id,
                protocol_number(connect.version),
                u8::from(connect.clean_start),
                connect.keep_alive,
                client.username.as_ref().map_or(String::new(), |name| format!(", u'{name}'")),
            );
        }
        let number = self.next_number.get();
        self.next_number.set(number.wrapping_add(1));
        let connection = {
            let mut connections = self.connections.borrow_mut();
            let entry = connections.vacant_entry();
            // A slot is a descriptor at least, and there are fewer of these than fit.
            let id = ConnectionId { index: entry.key() as u32, number };
            let connection = Connection::new(
                id,
                Arc::clone(&client),
                connect.version,
                login,
                transport,
                seat,
                unread,
            );
            Rc::clone(entry.insert(Rc::new(connection)))
        };
        let attach = Attach {
            connection: connection.id,
            client,
            connect,
            assigned_client_id,
            authentication: None,
        };
        self.shard.borrow_mut().handle(now, In::Attach(Box::new(attach)));
        self.read_arrival(&connection);
        // TLS may still have session tickets to send.
        self.mark_dirty(connection.id);
        spawn_movable(Reader { worker: Rc::clone(self), connection });
    }

    /// Closes listeners that the policy does not know any more, and opens new ones.
    fn change_listeners(self: &Rc<Self>, opened: Vec<Listening>) {
        let policy = self.policy();
        self.acceptors.borrow_mut().retain(|(name, acceptor)| {
            let stays = policy.listener(name).is_some();
            if !stays {
                acceptor.abort();
            }
            stays
        });
        for listening in opened {
            let name = listening.name.clone();
            if let Err(error) = listening.serve(self) {
                error!(listener = %name, %error, "not served by this worker");
            }
        }
    }

    /// Closes clients that could not log in any more as they did.
    fn judge_logins(&self, now: Now) {
        let policy = self.policy();
        let connections = self.connections.borrow();
        for (_, connection) in connections.iter() {
            if !policy.still_admits(&connection.client, &connection.login) {
                connection.end_reason.set(Some("no longer authorised"));
                self.shard.borrow_mut().handle(
                    now,
                    In::Disconnect { connection: connection.id, reason: ReasonCode::NotAuthorized },
                );
            }
        }
    }

    fn report(&self) -> Report {
        Report {
            shard: self.shard.borrow().stats(),
            bytes_received: self.bytes_received.get(),
            bytes_sent: self.bytes_sent.get(),
            sockets_accepted: self.sockets_accepted.get(),
        }
    }
}

/// The number Mosquitto's log knows a protocol version by.
fn protocol_number(version: midge_codec::ProtocolVersion) -> u8 {
    match version {
        midge_codec::ProtocolVersion::V31 => 1,
        midge_codec::ProtocolVersion::V311 => 2,
        midge_codec::ProtocolVersion::V5 => 5,
    }
}
