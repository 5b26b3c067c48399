//! Topic Names and Topic Filters (4.7).
//!
//! Invariant: they are valid because they exist.

use crate::{InvalidText, Text};

/// A Topic Name: not empty, no wildcards.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TopicName(Text);

/// A Topic Filter: not empty, wildcards where the standard allows them, possibly of a shared
/// subscription (`$share/{ShareName}/{filter}`, 4.8.2).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TopicFilter {
    text: Text,
    /// Where the filter proper starts: 0 without a ShareName.
    filter_at: u16,
}

/// Why a string is no Topic Name or Topic Filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidTopic {
    /// Not even a string.
    #[error(transparent)]
    Text(#[from] InvalidText),
    /// [MQTT-4.7.3-1]
    #[error("empty, at least one character was expected")]
    Empty,
    /// [MQTT-3.3.2-2]
    #[error("wildcard {wildcard:?} at byte {at}, a Topic Name has none")]
    Wildcard {
        /// `+` or `#`.
        wildcard: char,
        /// Where it stands.
        at: usize,
    },
    /// [MQTT-4.7.1-1]
    #[error("'#' at byte {at}, expected alone in its level and last")]
    MultiLevel {
        /// Where it stands.
        at: usize,
    },
    /// [MQTT-4.7.1-2]
    #[error("'+' at byte {at}, expected alone in its level")]
    SingleLevel {
        /// Where it stands.
        at: usize,
    },
    /// [MQTT-4.8.2-1], [MQTT-4.8.2-2]
    #[error("'$share' without a share name and a filter, expected $share/NAME/FILTER")]
    Share,
}

impl TopicName {
    /// Checks a string.
    pub fn new(text: Text) -> Result<TopicName, InvalidTopic> {
        if text.as_bytes().is_empty() {
            return Err(InvalidTopic::Empty);
        }
        match text.as_bytes().iter().position(|byte| matches!(byte, b'+' | b'#')) {
            Some(at) => {
                Err(InvalidTopic::Wildcard { wildcard: char::from(text.as_bytes()[at]), at })
            }
            None => Ok(TopicName(text)),
        }
    }

    /// The characters.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// The string it was made of.
    pub fn text(&self) -> &Text {
        &self.0
    }

    /// The same name in another buffer, which must hold the same bytes.
    ///
    /// # Panics
    /// When it does not: a mistake of ours.
    pub fn moved_to(&self, bytes: bytes::Bytes) -> TopicName {
        TopicName(self.0.moved_to(bytes))
    }

    /// A copy that does not keep the buffer it was read from alive.
    pub fn detached(&self) -> TopicName {
        TopicName(self.0.detached())
    }

    /// Its levels, in order; empty ones count (4.7.1.1).
    pub fn levels(&self) -> impl Iterator<Item = &str> {
        self.as_str().split('/')
    }
}

impl TopicFilter {
    /// Checks a string.
    pub fn new(text: Text) -> Result<TopicFilter, InvalidTopic> {
        let filter_at = match text.strip_prefix("$share/") {
            None if text.as_str() == "$share" => return Err(InvalidTopic::Share),
            None => 0,
            Some(rest) => {
                let (name, filter) = rest.split_once('/').ok_or(InvalidTopic::Share)?;
                if name.is_empty() || name.contains(['+', '#']) || filter.is_empty() {
                    return Err(InvalidTopic::Share);
                }
                text.len() - filter.len()
            }
        };
        check_filter(&text.as_str()[filter_at..], filter_at)?;
        // A Text has at most 65,535 bytes, so an offset into it fits.
        Ok(TopicFilter { filter_at: filter_at as u16, text })
    }

    /// As the client wrote it, with `$share/…`.
    pub fn text(&self) -> &Text {
        &self.text
    }

    /// The ShareName of a shared subscription.
    pub fn share_name(&self) -> Option<&str> {
        match self.filter_at {
            0 => None,
            at => Some(&self.text.as_str()["$share/".len()..usize::from(at) - 1]),
        }
    }

    /// The filter proper, without `$share/{ShareName}/`.
    pub fn filter(&self) -> &str {
        &self.text.as_str()[usize::from(self.filter_at)..]
    }

    /// Whether it has a wildcard.
    pub fn has_wildcards(&self) -> bool {
        self.filter().contains(['+', '#'])
    }

    /// Whether a Topic Name matches (4.7).
    pub fn matches(&self, topic: &TopicName) -> bool {
        let filter = self.filter();
        // [MQTT-4.7.2-1]: a leading wildcard leaves out topics that begin with '$'.
        if topic.as_str().starts_with('$') && filter.starts_with(['+', '#']) {
            return false;
        }
        let mut levels = topic.levels();
        for expected in filter.split('/') {
            if expected == "#" {
                return true;
            }
            match levels.next() {
                Some(level) if expected == "+" || expected == level => {}
                _ => return false,
            }
        }
        levels.next().is_none()
    }

    /// A copy that does not keep the buffer it was read from alive.
    pub fn detached(&self) -> TopicFilter {
        TopicFilter { text: self.text.detached(), filter_at: self.filter_at }
    }
}

fn check_filter(filter: &str, offset: usize) -> Result<(), InvalidTopic> {
    if filter.is_empty() {
        return Err(InvalidTopic::Empty);
    }
    let mut at = offset;
    let mut levels = filter.split('/').peekable();
    while let Some(level) = levels.next() {
        if let Some(found) = level.find('#')
            && (level.len() > 1 || levels.peek().is_some())
        {
            return Err(InvalidTopic::MultiLevel { at: at + found });
        }
        if let Some(found) = level.find('+')
            && level.len() > 1
        {
            return Err(InvalidTopic::SingleLevel { at: at + found });
        }
        at += level.len() + 1;
    }
    Ok(())
}

impl TryFrom<&str> for TopicName {
    type Error = InvalidTopic;

    fn try_from(text: &str) -> Result<TopicName, InvalidTopic> {
        TopicName::new(Text::try_from(text)?)
    }
}

impl TryFrom<&str> for TopicFilter {
    type Error = InvalidTopic;

    fn try_from(text: &str) -> Result<TopicFilter, InvalidTopic> {
        TopicFilter::new(Text::try_from(text)?)
    }
}

impl std::fmt::Display for TopicName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

impl std::fmt::Display for TopicFilter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.text.as_str())
    }
}
