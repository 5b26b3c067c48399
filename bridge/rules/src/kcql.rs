//! KCQL, the language in which Lenses' connectors say what goes where: text to [`Statement`]s, and
//! those to what a source, an MQTT sink or an InfluxDB sink does.
//!
//! Invariants: statements keep their order, and none is dropped; what is not understood is a
//! [`KcqlError`] with line, column, what was found and what was expected, never passed over; a
//! clause that a use does not obey is an error or a [`Warning`] of that use.

mod clauses;
mod error;
mod explain;
mod keywords;
mod lexer;
mod names;
mod parser;
mod path;
mod statement;
mod uses;

use std::sync::Arc;

pub use error::{KcqlError, Place, Span, Warning};
pub use explain::Line;
pub use path::{Column, Field, SEGMENTS_MAX, Selection, Taken, dotted};
pub use statement::{Clause, Mode, Name, Statement, Tag, TimestampFrom, TimestampUnit};
pub use uses::{
    InfluxSink, Measurement, MqttSink, MqttTarget, Obedience, Source, TopicRegex, Use, obedience,
};

/// The longest text, in bytes.
pub const TEXT_MAX: usize = 256 * 1024;
/// The most statements of a text.
pub const STATEMENTS_MAX: usize = 1000;
/// The most entries of one list: columns, tags, keys, properties.
pub const ENTRIES_MAX: usize = 1000;

/// A text that was understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kcql {
    /// In the order of the text.
    pub statements: Vec<Statement>,
    /// About the text itself; each use may have more.
    pub warnings: Vec<Warning>,
}

/// What the statements of a text are for one use.
#[derive(Clone, Debug)]
pub struct Resolved<T> {
    /// In the order of the text.
    pub statements: Vec<T>,
    /// What is accepted and yet worth a word, those of the text included.
    pub warnings: Vec<Warning>,
}

impl Kcql {
    /// Reads a text: one statement or more, with `;` between them.
    pub fn parse(text: &str) -> Result<Kcql, KcqlError> {
        if text.len() > TEXT_MAX {
            let found = format!("{} bytes", text.len());
            let expected = format!("at most {TEXT_MAX} bytes");
            return Err(KcqlError::new("", Span::default(), found, expected));
        }
        parser::parse(&Arc::from(text))
    }

    /// What a source (MQTT to Kafka) does with it; all mistakes otherwise.
    pub fn sources(&self) -> Result<Resolved<Source>, Vec<KcqlError>> {
        self.resolved(Statement::for_source)
    }

    /// What an MQTT sink (Kafka to MQTT) does with it; all mistakes otherwise.
    pub fn mqtt_sinks(&self) -> Result<Resolved<MqttSink>, Vec<KcqlError>> {
        self.resolved(Statement::for_mqtt_sink)
    }

    /// What an InfluxDB sink does with it; all mistakes otherwise.
    pub fn influx_sinks(&self) -> Result<Resolved<InfluxSink>, Vec<KcqlError>> {
        self.resolved(Statement::for_influx)
    }

    fn resolved<T>(
        &self,
        resolve: impl Fn(&Statement) -> Result<(T, Vec<Warning>), Vec<KcqlError>>,
    ) -> Result<Resolved<T>, Vec<KcqlError>> {
        let mut resolved = Resolved { statements: Vec::new(), warnings: self.warnings.clone() };
        let mut errors = Vec::new();
        for statement in &self.statements {
            match resolve(statement) {
                Ok((statement, warnings)) => {
                    resolved.statements.push(statement);
                    resolved.warnings.extend(warnings);
                }
                Err(more) => errors.extend(more),
            }
        }
        if errors.is_empty() { Ok(resolved) } else { Err(errors) }
    }
}

#[cfg(test)]
mod tests;
