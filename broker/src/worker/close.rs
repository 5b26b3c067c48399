//! How connections end: lost by the peer, closed by the shard.

use std::rc::Rc;
use std::time::Duration;

use midge_core::{ConnectionId, In};
use tracing::info;

use crate::logging::CONNECTION;
use crate::worker::connection::Connection;
use crate::worker::transport::Written;
use crate::worker::{Worker, spawn};

/// How long a client that is being closed has to take its last bytes and close its own side.
const LINGER: Duration = Duration::from_secs(5);

/// The same when the broker stops: who waits for it to end waits for the slowest client.
const LINGER_STOPPING: Duration = Duration::from_secs(1);

impl Worker {
    /// The socket is at its end or broken.
    pub(super) fn lost(&self, connection: &Connection, error: Option<&std::io::Error>) {
        if connection.is_ended() {
            return;
        }
        let client_id = &connection.client.client_id;
        if self.policy.borrow().connection_messages {
            match error {
                None => info!(target: CONNECTION, "Client {client_id} closed its connection."),
                Some(error) => {
                    info!(target: CONNECTION, "Client {client_id} disconnected: {error}.");
                }
            }
        }
        self.forget(connection);
        self.shard.borrow_mut().handle(Worker::now(), In::Closed(connection.id));
        self.schedule();
    }

    /// The shard has done with a connection: what is left is written, then the socket closed.
    pub(super) fn close(self: &Rc<Self>, id: ConnectionId) {
        let output = self.shard.borrow_mut().take_output(id);
        let Some(connection) = self.connection(id) else { return };
        let transport = connection.transport.take();
        let seat = connection.seat.take();
        if self.policy.borrow().connection_messages {
            let client_id = &connection.client.client_id;
            match connection.end_reason.get() {
                None => info!(target: CONNECTION, "Client {client_id} disconnected."),
                Some(why) => info!(target: CONNECTION, "Client {client_id} disconnected: {why}."),
            }
        }
        self.forget(&connection);
        let Some(mut transport) = transport else { return };
        let mut output = output.unwrap_or_default();
        // A client that has sent DISCONNECT sends nothing more [MQTT-3.14.4-2], so nothing that comes
        // could make the kernel take back what it has for it: no need to wait for its end.
        if connection.leaving.get() && transport.tls().is_none() {
            let mut sent = 0;
            let written = transport.write(&mut output, &mut sent);
            self.bytes_sent.set(self.bytes_sent.get() + sent);
            if matches!(written, Ok(Written::All)) {
                return;
            }
        }
        self.closing.set(self.closing.get() + 1);
        let linger = if self.is_stopping() { LINGER_STOPPING } else { LINGER };
        let worker = Rc::clone(self);
        spawn(async move {
            let mut sent = 0;
            // Whether it went well is the peer's concern alone.
            let _ = tokio::time::timeout(linger, async {
                transport.write_all(&mut output, &mut sent).await?;
                transport.shutdown().await
            })
            .await;
            worker.bytes_sent.set(worker.bytes_sent.get() + sent);
            worker.closing.set(worker.closing.get() - 1);
            // Its seat is free only now: sockets that linger count as connections.
            drop(seat);
            worker.schedule();
        });
    }

    fn forget(&self, connection: &Connection) {
        connection.end();
        connection.transport.take();
        connection.seat.take();
        self.connections.borrow_mut().try_remove(connection.id.index as usize);
    }
}
