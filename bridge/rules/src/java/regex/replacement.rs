//! What a match is replaced with.

/// A replacement, read against the groups of an expression.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replacement {
    parts: Vec<Part>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    Group(usize),
}

/// Why a replacement is none, in Java's words.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidReplacement {
    /// A backslash at the end.
    #[error("character to be escaped is missing")]
    Escape,
    /// A dollar at the end.
    #[error("Illegal group reference: group index is missing")]
    MissingIndex,
    /// A dollar before something else.
    #[error("Illegal group reference")]
    Reference,
    /// A number without group.
    #[error("No group {0}")]
    NoGroup(usize),
    /// A name without group.
    #[error("No group with name {{{0}}}")]
    NoName(String),
    /// A name that does not end.
    #[error("named capturing group is missing trailing '}}'")]
    OpenName,
}

impl Replacement {
    pub(super) fn parse(text: &str, groups: &[Option<String>]) -> Result<Self, InvalidReplacement> {
        let mut parts = Vec::new();
        let mut literal = String::new();
        let mut characters = text.chars().peekable();
        while let Some(character) = characters.next() {
            match character {
                '\\' => literal.push(characters.next().ok_or(InvalidReplacement::Escape)?),
                '$' => {
                    let next = *characters.peek().ok_or(InvalidReplacement::MissingIndex)?;
                    let group = if next == '{' {
                        characters.next();
                        let mut name = String::new();
                        while let Some(part) = characters.next_if(char::is_ascii_alphanumeric) {
                            name.push(part);
                        }
                        if characters.next() != Some('}') {
                            return Err(InvalidReplacement::OpenName);
                        }
                        groups
                            .iter()
                            .position(|group| group.as_ref() == Some(&name))
                            .ok_or(InvalidReplacement::NoName(name))?
                    } else {
                        let digit = |character: char| character.to_digit(10).map(|d| d as usize);
                        let mut group = digit(next).ok_or(InvalidReplacement::Reference)?;
                        characters.next();
                        if group >= groups.len() {
                            return Err(InvalidReplacement::NoGroup(group));
                        }
                        // More digits belong to it as long as there is such a group.
                        while let Some(next) = characters.peek().copied().and_then(digit) {
                            if group * 10 + next >= groups.len() {
                                break;
                            }
                            group = group * 10 + next;
                            characters.next();
                        }
                        group
                    };
                    if !literal.is_empty() {
                        parts.push(Part::Text(std::mem::take(&mut literal)));
                    }
                    parts.push(Part::Group(group));
                }
                other => literal.push(other),
            }
        }
        if !literal.is_empty() {
            parts.push(Part::Text(literal));
        }
        Ok(Self { parts })
    }

    /// A group that took no part in the match is nothing.
    pub(super) fn append(&self, text: &mut String, captures: &fancy_regex::Captures<'_, str>) {
        for part in &self.parts {
            match part {
                Part::Text(literal) => text.push_str(literal),
                Part::Group(group) => {
                    text.push_str(captures.get(*group).map_or("", |found| found.as_str()));
                }
            }
        }
    }
}
