//! The template language: literal text with `${variable}` in it, `$$` for one `$`.
//!
//! A template is compiled once; what cannot have a value in any message is an error then, with the
//! column (characters, counted from 1), what was found and what was expected.

use std::num::NonZeroUsize;

/// Why a text is no template.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("column {column}: found {found}, expected {expected}")]
pub struct TemplateError {
    /// Where, in characters from 1.
    pub column: usize,
    /// What stands there.
    pub found: String,
    /// What could.
    pub expected: &'static str,
}

/// The variables that one kind of template knows.
pub(crate) trait Variable: Sized {
    /// All of them, for messages.
    const EXPECTED: &'static str;

    /// Reads what stands between the braces.
    fn parse(name: &str) -> Option<Self>;

    /// As it is written.
    fn written(&self) -> String;
}

/// A compiled template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Template<V> {
    parts: Vec<Part<V>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part<V> {
    Literal(String),
    Variable(V),
}

impl<V: Variable> Template<V> {
    /// Compiles.
    pub(crate) fn parse(text: &str) -> Result<Template<V>, TemplateError> {
        let mut parts = Vec::new();
        let mut literal = String::new();
        let mut rest = text;
        while let Some(at) = rest.find('$') {
            literal.push_str(&rest[..at]);
            let column = text[..text.len() - rest.len() + at].chars().count() + 1;
            let after = &rest[at + 1..];
            if let Some(after) = after.strip_prefix('$') {
                literal.push('$');
                rest = after;
                continue;
            }
            let Some(body) = after.strip_prefix('{') else {
                let found = after.chars().next();
                return Err(TemplateError {
                    column: column + 1,
                    found: found.map_or_else(|| "the end".to_owned(), |c| format!("{c:?}")),
                    expected: "'{' after '$', or '$$' for a '$'",
                });
            };
            let Some(end) = body.find('}') else {
                return Err(TemplateError {
                    column: text.chars().count() + 1,
                    found: "the end".to_owned(),
                    expected: "'}'",
                });
            };
            let variable = V::parse(&body[..end]).ok_or_else(|| TemplateError {
                column: column + 2,
                found: format!("{:?}", &body[..end]),
                expected: V::EXPECTED,
            })?;
            if !literal.is_empty() {
                parts.push(Part::Literal(std::mem::take(&mut literal)));
            }
            parts.push(Part::Variable(variable));
            rest = &body[end + 1..];
        }
        literal.push_str(rest);
        if !literal.is_empty() {
            parts.push(Part::Literal(literal));
        }
        Ok(Template { parts })
    }

    /// Appends the text for one message; `push` appends the value of a variable, or says why not.
    pub(crate) fn render<E>(
        &self,
        out: &mut String,
        mut push: impl FnMut(&V, &mut String) -> Result<(), E>,
    ) -> Result<(), E> {
        for part in &self.parts {
            match part {
                Part::Literal(text) => out.push_str(text),
                Part::Variable(variable) => push(variable, out)?,
            }
        }
        Ok(())
    }

    /// The text, when it is the same for all messages.
    pub(crate) fn constant(&self) -> Option<&str> {
        match self.parts.as_slice() {
            [] => Some(""),
            [Part::Literal(text)] => Some(text),
            _ => None,
        }
    }

    /// All literal text, part by part, and whether the template begins with it.
    pub(crate) fn literals(&self) -> impl Iterator<Item = (bool, &str)> {
        self.parts.iter().enumerate().filter_map(|(index, part)| match part {
            Part::Literal(text) => Some((index == 0, text.as_str())),
            Part::Variable(_) => None,
        })
    }
}

/// The variables of a source rule: they speak of an MQTT publish.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum SourceVariable {
    /// The whole MQTT topic.
    Topic,
    /// One of its levels, counted from 1; empty levels count, as in MQTT.
    Level(NonZeroUsize),
    /// The publisher's client id.
    ClientId,
    /// The publisher's user name.
    Username,
}

impl Variable for SourceVariable {
    const EXPECTED: &'static str =
        "topic, topic[N] with N counted from 1, clientid or username between the braces";

    fn parse(name: &str) -> Option<SourceVariable> {
        match name {
            "topic" => Some(SourceVariable::Topic),
            "clientid" => Some(SourceVariable::ClientId),
            "username" => Some(SourceVariable::Username),
            _ => {
                let level = name.strip_prefix("topic[")?.strip_suffix(']')?;
                // `parse` alone would take "+1".
                if !level.bytes().all(|byte| byte.is_ascii_digit()) {
                    return None;
                }
                level.parse().ok().map(SourceVariable::Level)
            }
        }
    }

    fn written(&self) -> String {
        match self {
            SourceVariable::Topic => "${topic}".to_owned(),
            SourceVariable::Level(level) => format!("${{topic[{level}]}}"),
            SourceVariable::ClientId => "${clientid}".to_owned(),
            SourceVariable::Username => "${username}".to_owned(),
        }
    }
}

/// The variables of a sink rule: they speak of a Kafka record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum SinkVariable {
    /// The Kafka topic.
    Topic,
    /// The record's key, which must be text.
    Key,
    /// The last header of this name, which must be text.
    Header(String),
    /// The partition's number.
    Partition,
}

impl Variable for SinkVariable {
    const EXPECTED: &'static str = "topic, key, header.NAME or partition between the braces";

    fn parse(name: &str) -> Option<SinkVariable> {
        match name {
            "topic" => Some(SinkVariable::Topic),
            "key" => Some(SinkVariable::Key),
            "partition" => Some(SinkVariable::Partition),
            _ => {
                let header = name.strip_prefix("header.")?;
                (!header.is_empty()).then(|| SinkVariable::Header(header.to_owned()))
            }
        }
    }

    fn written(&self) -> String {
        match self {
            SinkVariable::Topic => "${topic}".to_owned(),
            SinkVariable::Key => "${key}".to_owned(),
            SinkVariable::Header(name) => format!("${{header.{name}}}"),
            SinkVariable::Partition => "${partition}".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests;
