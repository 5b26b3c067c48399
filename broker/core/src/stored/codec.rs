//! Bytes of records, written and read: every read is bounded by what is there.

use bytes::{Buf, BufMut, Bytes, BytesMut};
use midge_codec::{Text, TopicFilter, TopicName};

/// A record is not what it should be.
#[derive(Debug, PartialEq, Eq)]
pub struct Damaged {
    /// What was being read.
    pub what: &'static str,
    /// What was wrong with it.
    pub why: String,
}

impl std::fmt::Display for Damaged {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.what, self.why)
    }
}

impl std::error::Error for Damaged {}

/// What is left to read of a record.
pub(super) struct Reader {
    what: &'static str,
    bytes: Bytes,
}

impl Reader {
    /// A record whose layout has this number.
    pub(super) fn of_layout(what: &'static str, bytes: Bytes, layout: u8) -> Result<Self, Damaged> {
        let mut reader = Reader::new(what, bytes);
        match reader.u8()? {
            found if found == layout => Ok(reader),
            found => Err(reader.damaged(format!("layout {found}, expected {layout}"))),
        }
    }

    pub(super) fn new(what: &'static str, bytes: Bytes) -> Reader {
        Reader { what, bytes }
    }

    pub(super) fn damaged(&self, why: impl Into<String>) -> Damaged {
        Damaged { what: self.what, why: why.into() }
    }

    fn take(&mut self, count: usize) -> Result<Bytes, Damaged> {
        if count > self.bytes.len() {
            let why = format!("{} bytes left, expected {count}", self.bytes.len());
            return Err(self.damaged(why));
        }
        Ok(self.bytes.split_to(count))
    }

    pub(super) fn u8(&mut self) -> Result<u8, Damaged> {
        Ok(self.take(1)?[0])
    }

    pub(super) fn u32(&mut self) -> Result<u32, Damaged> {
        Ok(self.take(4)?.get_u32())
    }

    pub(super) fn u64(&mut self) -> Result<u64, Damaged> {
        Ok(self.take(8)?.get_u64())
    }

    pub(super) fn blob(&mut self) -> Result<Bytes, Damaged> {
        let length = self.u32()? as usize;
        self.take(length)
    }

    pub(super) fn text(&mut self) -> Result<Text, Damaged> {
        let bytes = self.blob()?;
        Text::from_bytes(bytes).map_err(|error| self.damaged(error.to_string()))
    }

    pub(super) fn filter(&mut self) -> Result<TopicFilter, Damaged> {
        let text = self.text()?;
        TopicFilter::new(text).map_err(|error| self.damaged(error.to_string()))
    }

    pub(super) fn topic(&mut self) -> Result<TopicName, Damaged> {
        let text = self.text()?;
        TopicName::new(text).map_err(|error| self.damaged(error.to_string()))
    }

    pub(super) fn rest(self) -> Bytes {
        self.bytes
    }

    pub(super) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }
}

/// Appends a byte string with its length. Nothing that a packet can carry has 4 GiB.
pub(super) fn put_blob(out: &mut BytesMut, bytes: &[u8]) {
    out.put_u32(bytes.len() as u32);
    out.put_slice(bytes);
}
