//! Messages name themselves in their payload, so that whoever gets one knows which it is.

use std::fmt;

use bytes::Bytes;

/// The topics of this world.
pub(crate) const TOPICS: [&str; 14] = [
    "a/one", "a/two", "b/one", "tap/x", "tap/y", "shared/y", "toggle/z", "pair/p", "kept/0",
    "kept/1", "kept/2", "kept/3", "will/w", "tap/z",
];
/// Where retained messages are, one topic for each of the first publishers.
pub(crate) const KEPT: std::ops::Range<usize> = 8..12;
/// Where wills go.
pub(crate) const WILL: usize = 12;
/// What anyone publishes to.
pub(crate) const COMMON: [usize; 9] = [0, 1, 2, 3, 4, 5, 6, 7, 13];

/// A message: `publisher topic qos number`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Label {
    pub(crate) publisher: usize,
    /// A place in [`TOPICS`].
    pub(crate) topic: usize,
    pub(crate) qos: u8,
    /// Counts this publisher's messages of this topic.
    pub(crate) number: u64,
}

impl Label {
    pub(crate) fn topic(&self) -> &'static str {
        TOPICS[self.topic]
    }

    pub(crate) fn is_will(&self) -> bool {
        self.topic == WILL
    }

    /// With so many more bytes behind it.
    pub(crate) fn payload(&self, padding: usize) -> Bytes {
        let Label { publisher, topic, qos, number } = self;
        let mut text = format!("{publisher} {topic} {qos} {number} ");
        text.extend(std::iter::repeat_n('.', padding));
        Bytes::from(text)
    }

    pub(crate) fn read(payload: &[u8]) -> Option<Label> {
        let text = std::str::from_utf8(payload).ok()?;
        let mut words = text.split(' ');
        Some(Label {
            publisher: words.next()?.parse().ok()?,
            topic: words.next()?.parse().ok()?,
            qos: words.next()?.parse().ok()?,
            number: words.next()?.parse().ok()?,
        })
    }
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Label { publisher, qos, number, .. } = self;
        write!(f, "{} of {publisher}, QoS {qos}, no. {number}", self.topic())
    }
}
