//! Between the clients and their shards: bytes go as far as chance lets them.

use bytes::{Buf, BytesMut};
use midge_codec::decode;
use midge_core::In;

use super::World;

/// What a broken network may still hold for one connection, in bytes.
const PIPE_BYTES: usize = 2_048;

impl World {
    /// Some bytes of a client reach its shard, which takes the whole packets among them.
    pub(crate) fn client_to_server(&mut self, number: usize) -> bool {
        let Some((shard, id)) = self.clients[number].connection else { return false };
        let client = &mut self.clients[number];
        if client.to_server.is_empty() || self.shards[usize::from(shard.0)].is_paused(id) {
            return false;
        }
        // A packet that is cut stays with the client until more of it may go: what the decoder
        // keeps of a partial packet is its own concern and tested there.
        let version = client.character.version;
        let mut buffer = std::mem::take(&mut client.to_server);
        let mut packets = 1 + self.random.below(4);
        while packets > 0 && !self.shards[usize::from(shard.0)].is_paused(id) {
            packets -= 1;
            let Some(packet) = decode(&mut buffer, version, u32::MAX).unwrap() else { break };
            self.handle(shard, In::Packet { connection: id, packet });
        }
        let client = &mut self.clients[number];
        if client.connection == Some((shard, id)) {
            buffer.unsplit(std::mem::take(&mut client.to_server));
            client.to_server = buffer;
        }
        true
    }

    /// The shard's driver writes what the socket takes; the client reads it.
    pub(crate) fn server_to_client(&mut self, number: usize) -> bool {
        let Some((shard, id)) = self.clients[number].connection else { return false };
        let room = if self.clients[number].slow {
            PIPE_BYTES.saturating_sub(self.clients[number].from_server.len())
        } else {
            1 + self.random.below(2 * PIPE_BYTES)
        };
        let mut bytes = BytesMut::new();
        let mut moved = false;
        if let Some(output) = self.shards[usize::from(shard.0)].output(id) {
            take(output, room, &mut bytes);
            let emptied = output.is_empty();
            moved = !bytes.is_empty();
            self.clients[number].from_server.extend_from_slice(&bytes);
            if moved && emptied {
                self.handle(shard, In::Written(id));
            }
        }
        if !self.clients[number].slow && self.random.chance(80) {
            moved |= !self.clients[number].from_server.is_empty();
            self.client_reads(number);
        }
        moved
    }

    pub(crate) fn client_reads(&mut self, number: usize) {
        self.clients[number].read(&mut self.ledger);
    }
}

pub(super) fn take(output: &mut midge_core::Output, room: usize, into: &mut BytesMut) {
    let mut parts = [std::io::IoSlice::new(&[]); 8];
    let used = output.parts(&mut parts);
    let mut whole = BytesMut::new();
    for part in &parts[..used] {
        whole.extend_from_slice(part);
    }
    whole.truncate(room);
    output.advance(whole.remaining());
    into.extend_from_slice(&whole);
}
