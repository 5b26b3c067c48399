//! A whole JSON value in memory: for schemas, which are read once and then kept.
//!
//! Invariant: it is no deeper than what the reader reads, and has each key once; of equal keys the
//! last counts, in the place of the first, as with Jackson.

use indexmap::IndexMap;

use super::reader::{JsonError, Number, Reader, Token};
use super::text;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Tree {
    Null,
    Boolean(bool),
    /// As it is written.
    Number(String),
    String(String),
    Array(Vec<Tree>),
    Object(IndexMap<String, Tree>),
}

impl Tree {
    /// A text that is one value.
    pub(crate) fn parse(text: &[u8]) -> Result<Self, JsonError> {
        let mut reader = Reader::new(text);
        let tree = Self::read(&mut reader)?;
        reader.end()?;
        Ok(tree)
    }

    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self, JsonError> {
        Ok(match reader.peek()? {
            Token::Null => {
                reader.null()?;
                Self::Null
            }
            Token::Boolean => Self::Boolean(reader.boolean()?),
            Token::Number => Self::Number(reader.number()?.text.to_owned()),
            Token::String => Self::String(reader.string()?.into_owned()),
            Token::Array => {
                reader.open()?;
                let (mut first, mut elements) = (true, Vec::new());
                while reader.element(&mut first)? {
                    elements.push(Self::read(reader)?);
                }
                Self::Array(elements)
            }
            Token::Object => {
                reader.open()?;
                let (mut first, mut members) = (true, IndexMap::new());
                while let Some(key) = reader.member(&mut first)? {
                    let key = key.into_owned();
                    members.insert(key, Self::read(reader)?);
                }
                Self::Object(members)
            }
        })
    }

    /// Writes it.
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Null => out.extend_from_slice(b"null"),
            Self::Boolean(value) => {
                out.extend_from_slice(if *value { b"true" } else { b"false" });
            }
            Self::Number(number) => out.extend_from_slice(number.as_bytes()),
            Self::String(value) => text::string(out, value),
            Self::Array(elements) => {
                out.push(b'[');
                for (index, element) in elements.iter().enumerate() {
                    if index > 0 {
                        out.push(b',');
                    }
                    element.write(out);
                }
                out.push(b']');
            }
            Self::Object(members) => {
                out.push(b'{');
                for (index, (key, member)) in members.iter().enumerate() {
                    if index > 0 {
                        out.push(b',');
                    }
                    text::string(out, key);
                    out.push(b':');
                    member.write(out);
                }
                out.push(b'}');
            }
        }
    }

    /// An object's member.
    pub(crate) fn member(&self, key: &str) -> Option<&Self> {
        match self {
            Self::Object(members) => members.get(key),
            _ => None,
        }
    }

    pub(crate) fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(text) => Some(text),
            _ => None,
        }
    }

    pub(crate) fn as_number(&self) -> Option<Number<'_>> {
        match self {
            Self::Number(text) => Some(Number { text, integral: !text.contains(['.', 'e', 'E']) }),
            _ => None,
        }
    }

    pub(crate) fn as_i32(&self) -> Option<i32> {
        self.as_number()?.as_i64()?.try_into().ok()
    }

    pub(crate) fn as_boolean(&self) -> Option<bool> {
        match self {
            Self::Boolean(value) => Some(*value),
            _ => None,
        }
    }

    pub(crate) fn as_array(&self) -> Option<&[Self]> {
        match self {
            Self::Array(elements) => Some(elements),
            _ => None,
        }
    }

    pub(crate) fn as_object(&self) -> Option<&IndexMap<String, Self>> {
        match self {
            Self::Object(members) => Some(members),
            _ => None,
        }
    }
}
