//! What came in one turn of the loop: the bytes once, and for whom they are.
//!
//! Subscribers get places in these bytes and no copy of them; two publishers' frames that lie beside
//! each other are one piece.

use std::io::{self, ErrorKind};
use std::ops::Range;

use crate::connection::Connection;
use crate::frames;

/// One read takes as much as a socket buffer usually holds.
const READ_BYTES: usize = 256 * 1024;
/// A frame that is longer than this, or one that is not whole by then, closes its connection.
const MOST_PARTIAL: usize = 2 << 20;
/// What a turn reads before it writes.
const TURN_BYTES: usize = 2 * MOST_PARTIAL;

pub(crate) struct Turn {
    bytes: Vec<u8>,
    used: usize,
    /// Places of connections that something came for.
    dirty: Vec<usize>,
}

impl Turn {
    pub(crate) fn new() -> Self {
        Self { bytes: vec![0; TURN_BYTES], used: 0, dirty: Vec::new() }
    }

    /// Whether one more read has a place, whatever is left of the one before.
    pub(crate) fn has_room(&self) -> bool {
        self.bytes.len() - self.used >= MOST_PARTIAL + READ_BYTES
    }

    /// Reads from a publisher and tells where the whole frames lie.
    pub(crate) fn read(&mut self, from: &mut Connection) -> io::Result<Range<usize>> {
        let start = self.used;
        let had = start + from.partial.len();
        self.bytes[start..had].copy_from_slice(&from.partial);
        let end = had + from.read(&mut self.bytes[had..had + READ_BYTES])?;
        let whole = frames::whole(&self.bytes[start..end]).ok_or(ErrorKind::InvalidData)?;
        self.used = start + whole;
        from.partial.clear();
        from.partial.extend_from_slice(&self.bytes[self.used..end]);
        if from.partial.len() > MOST_PARTIAL {
            return Err(ErrorKind::InvalidData.into());
        }
        Ok(start..self.used)
    }

    /// Puts frames on the way to a subscriber.
    pub(crate) fn pass(&mut self, place: usize, to: &mut Connection, frames: Range<usize>) {
        if frames.is_empty() {
            return;
        }
        match to.pieces.last_mut() {
            Some(last) if last.end == frames.start => last.end = frames.end,
            Some(_) => to.pieces.push(frames),
            None => {
                self.dirty.push(place);
                to.pieces.push(frames);
            }
        }
    }

    pub(crate) fn bytes(&self, piece: &Range<usize>) -> &[u8] {
        &self.bytes[piece.clone()]
    }

    pub(crate) fn dirty(&self) -> impl Iterator<Item = usize> {
        self.dirty.iter().copied()
    }

    pub(crate) fn end(&mut self) {
        self.used = 0;
        self.dirty.clear();
    }
}
