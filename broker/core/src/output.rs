//! Bytes for one connection, gathered between two writes.

use std::collections::VecDeque;
use std::io::IoSlice;

use bytes::{Buf, Bytes};

/// Payloads from this size on are written from where they are; smaller ones are copied, which
/// costs less than one more part of a vectored write.
pub(crate) const SHARE_BYTES: usize = 2 * 1024;

/// From this size on the written part of a buffer that never quite empties is cut off.
const COMPACT_BYTES: usize = 64 * 1024;

/// What a connection has to send: encoded packets in order, large payloads as shared parts between
/// them. Holds no memory while it is empty.
#[derive(Debug, Default)]
pub struct Output {
    encoded: Vec<u8>,
    /// How much of `encoded` has been written.
    written: usize,
    /// Shared parts and where in `encoded` each comes.
    shared: VecDeque<(usize, Bytes)>,
    shared_bytes: usize,
}

impl Output {
    /// Bytes not yet written.
    pub fn len(&self) -> usize {
        self.encoded.len() - self.written + self.shared_bytes
    }

    /// Whether all is written.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Fills `parts` with what comes next, for a vectored write; returns how many it used.
    pub fn parts<'a>(&'a self, parts: &mut [IoSlice<'a>]) -> usize {
        let mut used = 0;
        let mut at = self.written;
        for (position, bytes) in &self.shared {
            if at < *position {
                if used == parts.len() {
                    return used;
                }
                parts[used] = IoSlice::new(&self.encoded[at..*position]);
                at = *position;
                used += 1;
            }
            if used == parts.len() {
                return used;
            }
            parts[used] = IoSlice::new(bytes);
            used += 1;
        }
        if at < self.encoded.len() && used < parts.len() {
            parts[used] = IoSlice::new(&self.encoded[at..]);
            used += 1;
        }
        used
    }

    /// Forgets `bytes` that have been written.
    ///
    /// # Panics
    /// When there are not that many: a mistake of the caller.
    pub fn advance(&mut self, mut bytes: usize) {
        assert!(bytes <= self.len(), "more written than there was");
        while bytes > 0 {
            let until = self.shared.front().map_or(self.encoded.len(), |(position, _)| *position);
            let plain = (until - self.written).min(bytes);
            self.written += plain;
            bytes -= plain;
            if bytes == 0 {
                break;
            }
            let (_, part) = self.shared.front_mut().expect("bytes left must be shared");
            let taken = part.len().min(bytes);
            part.advance(taken);
            self.shared_bytes -= taken;
            bytes -= taken;
            if part.is_empty() {
                self.shared.pop_front();
            }
        }
        if self.written >= COMPACT_BYTES && self.written * 2 >= self.encoded.len() {
            self.encoded.drain(..self.written);
            for (position, _) in &mut self.shared {
                *position -= self.written;
            }
            self.written = 0;
        }
    }

    /// Where encoded packets go.
    pub(crate) fn encoded(&mut self) -> &mut Vec<u8> {
        &mut self.encoded
    }

    /// Appends a payload: shared when it is large, copied otherwise.
    pub(crate) fn push_payload(&mut self, payload: &Bytes) {
        if payload.len() < SHARE_BYTES {
            self.encoded.extend_from_slice(payload);
        } else {
            self.shared_bytes += payload.len();
            self.shared.push_back((self.encoded.len(), payload.clone()));
        }
    }

    /// Gives a buffer to write into; what was there must be empty.
    pub(crate) fn lend(&mut self, buffer: Vec<u8>) {
        debug_assert!(self.encoded.is_empty() && buffer.is_empty());
        self.encoded = buffer;
    }

    /// Whether it holds a buffer at all.
    pub(crate) fn has_buffer(&self) -> bool {
        self.encoded.capacity() > 0
    }

    /// Takes the buffer back once all is written.
    pub(crate) fn reclaim(&mut self) -> Vec<u8> {
        debug_assert!(self.is_empty());
        self.written = 0;
        let mut buffer = std::mem::take(&mut self.encoded);
        buffer.clear();
        buffer
    }
}
