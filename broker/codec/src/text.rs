//! UTF-8 Encoded Strings (1.5.4).
//!
//! Invariant: a `Text` that exists is valid; nothing checks its bytes a second time.

use bytes::Bytes;

/// A string as MQTT allows it: valid UTF-8, no U+0000, at most 65,535 bytes; shared, cheap to clone.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Text(Bytes);

/// Why bytes are no MQTT string.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidText {
    /// [MQTT-1.5.4-1]
    #[error("not valid UTF-8 from byte {valid_up_to}")]
    NotUtf8 {
        /// Where the valid part ends.
        valid_up_to: usize,
    },
    /// [MQTT-1.5.4-2]
    #[error("U+0000 at byte {at}")]
    Nul {
        /// Where it stands.
        at: usize,
    },
    /// The length prefix has two bytes.
    #[error("{bytes} bytes, at most 65,535 fit")]
    TooLong {
        /// Its length.
        bytes: usize,
    },
}

impl Text {
    /// The empty string.
    pub const fn empty() -> Text {
        Text(Bytes::new())
    }

    /// A constant.
    ///
    /// # Panics
    /// When it holds U+0000 or more than 65,535 bytes: a mistake of ours.
    pub fn from_static(text: &'static str) -> Text {
        assert!(!text.as_bytes().contains(&0), "U+0000 in a constant");
        assert!(text.len() <= usize::from(u16::MAX), "a constant of more than 65,535 bytes");
        Text(Bytes::from_static(text.as_bytes()))
    }

    /// Checks and wraps without copying.
    pub fn from_bytes(bytes: Bytes) -> Result<Text, InvalidText> {
        if bytes.len() > usize::from(u16::MAX) {
            return Err(InvalidText::TooLong { bytes: bytes.len() });
        }
        if let Err(error) = std::str::from_utf8(&bytes) {
            return Err(InvalidText::NotUtf8 { valid_up_to: error.valid_up_to() });
        }
        // `contains` is far quicker than `position` where, as always but once, there is none.
        if bytes.contains(&0) {
            let at = bytes.iter().position(|byte| *byte == 0).unwrap_or_default();
            return Err(InvalidText::Nul { at });
        }
        Ok(Text(bytes))
    }

    /// The characters.
    pub fn as_str(&self) -> &str {
        // Checking again would cost as much as decoding: every route and write comes through here.
        // SAFETY: the field is private, and all that makes a Text has checked its bytes
        // (`from_bytes`), got them as `str` (`from_static`) or as a Text (`detached`), or has none
        // (`empty`, `default`); `Bytes` never change.
        #[allow(unsafe_code)]
        unsafe {
            std::str::from_utf8_unchecked(&self.0)
        }
    }

    /// The shared bytes.
    pub fn as_bytes(&self) -> &Bytes {
        &self.0
    }

    /// The same string in another buffer, which must hold the same bytes.
    ///
    /// # Panics
    /// When it does not: a mistake of ours.
    pub fn moved_to(&self, bytes: Bytes) -> Text {
        assert!(self.0 == bytes, "another string");
        Text(bytes)
    }

    /// A copy that does not keep the buffer it was read from alive.
    pub fn detached(&self) -> Text {
        Text(Bytes::copy_from_slice(&self.0))
    }
}

impl std::ops::Deref for Text {
    type Target = str;

    fn deref(&self) -> &str {
        self.as_str()
    }
}

impl std::fmt::Debug for Text {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Debug::fmt(self.as_str(), f)
    }
}

impl std::fmt::Display for Text {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

impl TryFrom<&str> for Text {
    type Error = InvalidText;

    fn try_from(text: &str) -> Result<Text, InvalidText> {
        Text::from_bytes(Bytes::copy_from_slice(text.as_bytes()))
    }
}

impl TryFrom<String> for Text {
    type Error = InvalidText;

    fn try_from(text: String) -> Result<Text, InvalidText> {
        Text::from_bytes(Bytes::from(text.into_bytes()))
    }
}
