//! A part of the file being read: a chunk, or the properties in one.
//!
//! Invariant: it never leaves its part. Whatever is read is checked first, and what is wrong is told
//! with its place in the file.

use midge_codec::QoS;

use super::DatabaseError;

/// The seconds up to which a number is a time: some 34,000 years.
const LATEST_SECONDS: i64 = 1 << 40;

pub(super) struct Reader<'f> {
    file: &'f [u8],
    at: usize,
    end: usize,
    chunk: &'static str,
}

impl<'f> Reader<'f> {
    /// The whole file.
    pub(super) fn new(file: &'f [u8], chunk: &'static str) -> Reader<'f> {
        Reader { file, at: 0, end: file.len(), chunk }
    }

    /// The next `length` bytes as a part of their own.
    pub(super) fn part(
        &mut self,
        length: usize,
        chunk: &'static str,
    ) -> Result<Reader<'f>, DatabaseError> {
        let at = self.at;
        self.bytes(length, chunk)?;
        Ok(Reader { file: self.file, at, end: at + length, chunk })
    }

    pub(super) fn left(&self) -> usize {
        self.end - self.at
    }

    pub(super) fn at(&self) -> usize {
        self.at
    }

    /// What is wrong at a place of this part.
    pub(super) fn wrong(
        &self,
        offset: usize,
        found: impl Into<String>,
        expected: impl Into<String>,
    ) -> DatabaseError {
        let (found, expected) = (found.into(), expected.into());
        DatabaseError::Damaged { offset, chunk: self.chunk, found, expected }
    }

    /// Nothing may be left.
    pub(super) fn finish(&self) -> Result<(), DatabaseError> {
        match self.left() {
            0 => Ok(()),
            left => Err(self.wrong(self.at, format!("{left} more bytes"), "its end")),
        }
    }

    pub(super) fn bytes(&mut self, length: usize, what: &str) -> Result<&'f [u8], DatabaseError> {
        let left = self.left();
        if length > left {
            let expected = format!("{length} bytes of {what}");
            return Err(self.wrong(self.at, format!("{left} bytes to its end"), expected));
        }
        let bytes = &self.file[self.at..self.at + length];
        self.at += length;
        Ok(bytes)
    }

    fn array<const N: usize>(&mut self, what: &str) -> Result<[u8; N], DatabaseError> {
        let bytes = self.bytes(N, what)?;
        Ok(bytes.try_into().expect("as many bytes as were asked for"))
    }

    pub(super) fn u8(&mut self, what: &str) -> Result<u8, DatabaseError> {
        Ok(u8::from_be_bytes(self.array(what)?))
    }

    pub(super) fn u16(&mut self, what: &str) -> Result<u16, DatabaseError> {
        Ok(u16::from_be_bytes(self.array(what)?))
    }

    pub(super) fn u32(&mut self, what: &str) -> Result<u32, DatabaseError> {
        Ok(u32::from_be_bytes(self.array(what)?))
    }

    /// A number that only names something: its byte order does not matter.
    pub(super) fn id(&mut self, what: &str) -> Result<u64, DatabaseError> {
        Ok(u64::from_ne_bytes(self.array(what)?))
    }

    /// A time in the byte order of whoever wrote it; 0 is none.
    pub(super) fn time(&mut self, what: &str) -> Result<Option<i64>, DatabaseError> {
        let at = self.at;
        let bytes = self.array(what)?;
        let [little, big] = [i64::from_le_bytes(bytes), i64::from_be_bytes(bytes)];
        match [little, big].into_iter().find(|time| (0..LATEST_SECONDS).contains(time)) {
            Some(0) => Ok(None),
            Some(time) => Ok(Some(time)),
            None => Err(self.wrong(at, format!("{little}"), format!("{what} in seconds"))),
        }
    }

    pub(super) fn qos(&mut self) -> Result<QoS, DatabaseError> {
        let at = self.at;
        match self.u8("a QoS")? {
            0 => Ok(QoS::AtMostOnce),
            1 => Ok(QoS::AtLeastOnce),
            2 => Ok(QoS::ExactlyOnce),
            other => Err(self.wrong(at, format!("QoS {other}"), "0, 1 or 2")),
        }
    }

    /// Text of a length read before; never empty.
    pub(super) fn text(&mut self, length: u16, what: &str) -> Result<&'f str, DatabaseError> {
        let at = self.at;
        if length == 0 {
            return Err(self.wrong(at, "nothing", what));
        }
        self.text_or_empty(length, what)
    }

    pub(super) fn text_or_empty(
        &mut self,
        length: u16,
        what: &str,
    ) -> Result<&'f str, DatabaseError> {
        let at = self.at;
        let bytes = self.bytes(length.into(), what)?;
        let text = std::str::from_utf8(bytes).map_err(|error| {
            self.wrong(at + error.valid_up_to(), "bytes that are not UTF-8", what)
        })?;
        match text.find('\0') {
            Some(nul) => Err(self.wrong(at + nul, "U+0000", what)),
            None => Ok(text),
        }
    }

    /// Text that may be missing.
    pub(super) fn optional_text(
        &mut self,
        length: u16,
        what: &str,
    ) -> Result<Option<&'f str>, DatabaseError> {
        Ok(Some(self.text_or_empty(length, what)?).filter(|text| !text.is_empty()))
    }

    /// A Variable Byte Integer (1.5.5).
    pub(super) fn variable(&mut self, what: &str) -> Result<u32, DatabaseError> {
        let at = self.at;
        let mut value = 0;
        for shift in [0, 7, 14, 21] {
            let byte = self.u8(what)?;
            value |= u32::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(self.wrong(at, "a fifth byte", format!("four bytes at most of {what}")))
    }
}
