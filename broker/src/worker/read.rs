//! From a readable socket to packets in the shard.

use std::ops::ControlFlow;
use std::task::{Context, Poll};

use bytes::BytesMut;
use midge_codec::Packet;
use midge_core::In;
use tracing::{debug, info};

use crate::logging::{PACKETS, SUBSCRIBE, UNSUBSCRIBE};
use crate::worker::connection::Connection;
use crate::worker::transport::packet_len;
use crate::worker::{READ_BYTES, TURN_BYTES, Worker};

/// An incomplete packet from this size on is completed in a buffer of its own, which its payload
/// then keeps; a smaller one is put back in front of the worker's buffer.
const OWN_BUFFER_BYTES: usize = 16 * 1024;

/// Whose buffer bytes are in.
#[derive(Clone, Copy)]
enum Owner {
    Worker,
    Connection,
}

/// Why decoding stopped.
enum Decoded {
    /// What is left is the beginning of a packet, or nothing.
    All,
    /// The client has to wait; what is left may hold packets.
    Paused,
    /// The bytes were no packets.
    Garbage,
}

impl Worker {
    /// Reads and decodes what a connection has, within its share of the turn. Never ready before
    /// the connection has ended.
    pub(super) fn read(&self, connection: &Connection, cx: &mut Context<'_>) -> Poll<()> {
        let mut budget = TURN_BYTES;
        loop {
            if self.shard.borrow().is_paused(connection.id) {
                return Poll::Pending;
            }
            if connection.backlog.replace(false) {
                let mut backlog = connection.unread.take();
                if self.consume(connection, &mut backlog, Owner::Connection).is_break() {
                    return Poll::Pending;
                }
            }
            let (mut buffer, owner) = self.lend_buffer(connection);
            let polled = {
                let mut transport = connection.transport.borrow_mut();
                let Some(transport) = transport.as_mut() else { return Poll::Ready(()) };
                let mut cipher = self.cipher.borrow_mut();
                let polled = transport.poll_read(cx, &mut buffer, &mut cipher);
                if transport.wants_write() {
                    self.mark_dirty(connection.id);
                }
                polled
            };
            let bytes = match polled {
                Poll::Pending => {
                    self.put_aside(connection, &mut buffer, owner);
                    self.return_buffer(buffer, owner);
                    return Poll::Pending;
                }
                Poll::Ready(Ok(bytes)) if bytes > 0 => bytes,
                Poll::Ready(end) => {
                    self.return_buffer(buffer, owner);
                    self.lost(connection, end.err().as_ref());
                    return Poll::Ready(());
                }
            };
            self.count_received(bytes);
            if connection.deaf.get() {
                buffer.clear();
            }
            let flow = self.consume(connection, &mut buffer, owner);
            self.return_buffer(buffer, owner);
            if flow.is_break() {
                return Poll::Pending;
            }
            budget = budget.saturating_sub(bytes);
            if budget == 0 {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
        }
    }

    /// Decodes what came together with CONNECT, before anybody who comes behind takes the client
    /// over: what it says with its last word, that it leaves, counts.
    pub(super) fn read_arrival(&self, connection: &Connection) {
        let paused = self.shard.borrow().is_paused(connection.id);
        if !paused && connection.backlog.replace(false) {
            let mut backlog = connection.unread.take();
            // A client that has to wait is read on when it need not any more.
            let _ = self.consume(connection, &mut backlog, Owner::Connection);
        }
    }

    /// Decodes what `buffer` holds and keeps what is left; breaks when the client has to wait.
    fn consume(
        &self,
        connection: &Connection,
        buffer: &mut BytesMut,
        owner: Owner,
    ) -> ControlFlow<()> {
        let flow = match self.decode(connection, buffer) {
            Decoded::All => ControlFlow::Continue(()),
            Decoded::Paused => {
                connection.backlog.set(!buffer.is_empty());
                ControlFlow::Break(())
            }
            Decoded::Garbage => {
                // Read on, to meet the end of the socket, but do not listen.
                connection.deaf.set(true);
                buffer.clear();
                ControlFlow::Continue(())
            }
        };
        self.put_aside(connection, buffer, owner);
        self.schedule();
        flow
    }

    fn decode(&self, connection: &Connection, buffer: &mut BytesMut) -> Decoded {
        let now = Worker::now();
        let maximum = self.policy.borrow().max_packet_size;
        let mut shard = self.shard.borrow_mut();
        loop {
            match midge_codec::decode(buffer, connection.version, maximum) {
                Ok(Some(packet)) => {
                    log_packet(connection, &packet);
                    if let Packet::Disconnect(_) = packet {
                        connection.leaving.set(true);
                    }
                    shard.handle(now, In::Packet { connection: connection.id, packet });
                    if shard.is_paused(connection.id) {
                        return Decoded::Paused;
                    }
                }
                Ok(None) => return Decoded::All,
                Err(error) => {
                    let client_id = &connection.client.client_id;
                    info!("Client {client_id} disconnected due to malformed packet: {error}.");
                    let reason = error.reason();
                    shard.handle(now, In::Malformed { connection: connection.id, reason });
                    return Decoded::Garbage;
                }
            }
        }
    }

    /// The buffer to read into, with the beginning of the connection's packet in it.
    fn lend_buffer(&self, connection: &Connection) -> (BytesMut, Owner) {
        let mut unread = connection.unread.take();
        if let Some(wanted) = large_packet_len(&unread) {
            // Grows with what really comes: a header promises more than its sender may send.
            let missing = wanted.saturating_sub(unread.len());
            unread.reserve(missing.min(unread.len().max(OWN_BUFFER_BYTES)));
            return (unread, Owner::Connection);
        }
        let mut buffer = self.buffer.take();
        buffer.clear();
        buffer.reserve(READ_BYTES);
        buffer.extend_from_slice(&unread);
        (buffer, Owner::Worker)
    }

    /// Keeps what is left of `buffer` with the connection; the worker's own buffer stays with the
    /// worker, so from it these bytes are copied.
    fn put_aside(&self, connection: &Connection, buffer: &mut BytesMut, owner: Owner) {
        if buffer.is_empty() {
            return;
        }
        let kept = match owner {
            Owner::Connection if large_packet_len(buffer).is_some() => std::mem::take(buffer),
            _ => BytesMut::from(&buffer[..]),
        };
        let before = connection.unread.replace(kept);
        debug_assert!(before.is_empty(), "bytes were lost");
    }

    /// Gives the worker its buffer back; one that a connection owned just goes.
    fn return_buffer(&self, buffer: BytesMut, owner: Owner) {
        if let Owner::Worker = owner {
            self.buffer.replace(buffer);
        }
    }
}

/// The length of the packet that `bytes` begin with, when it deserves a buffer of its own.
fn large_packet_len(bytes: &[u8]) -> Option<usize> {
    packet_len(bytes).filter(|wanted| *wanted >= OWN_BUFFER_BYTES)
}

/// The lines of `log_type subscribe`, `unsubscribe` and `debug`.
fn log_packet(connection: &Connection, packet: &Packet) {
    let client_id = &connection.client.client_id;
    match packet {
        Packet::Publish(publish) => debug!(
            target: PACKETS,
            "Received PUBLISH from {client_id} (d{}, q{}, r{}, m{}, '{}', ... ({} bytes))",
            u8::from(publish.dup),
            publish.qos as u8,
            u8::from(publish.retain),
            publish.packet_id.map_or(0, std::num::NonZeroU16::get),
            publish.topic.as_ref().map_or("", |topic| topic.as_str()),
            publish.payload.len(),
        ),
        Packet::Subscribe(subscribe) => {
            for (filter, options) in &subscribe.subscriptions {
                info!(target: SUBSCRIBE, "{client_id} {} {filter}", options.qos as u8);
            }
        }
        Packet::Unsubscribe(unsubscribe) => {
            for filter in &unsubscribe.filters {
                info!(target: UNSUBSCRIBE, "{client_id} {filter}");
            }
        }
        other => debug!(target: PACKETS, "Received {} from {client_id}", name(other)),
    }
}

fn name(packet: &Packet) -> &'static str {
    match packet {
        Packet::Connect(_) => "CONNECT",
        Packet::Connack(_) => "CONNACK",
        Packet::Publish(_) => "PUBLISH",
        Packet::Puback(_) => "PUBACK",
        Packet::Pubrec(_) => "PUBREC",
        Packet::Pubrel(_) => "PUBREL",
        Packet::Pubcomp(_) => "PUBCOMP",
        Packet::Subscribe(_) => "SUBSCRIBE",
        Packet::Suback(_) => "SUBACK",
        Packet::Unsubscribe(_) => "UNSUBSCRIBE",
        Packet::Unsuback(_) => "UNSUBACK",
        Packet::Pingreq => "PINGREQ",
        Packet::Pingresp => "PINGRESP",
        Packet::Disconnect(_) => "DISCONNECT",
        Packet::Auth(_) => "AUTH",
    }
}
