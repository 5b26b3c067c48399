//! From a Kafka record to points of InfluxDB.

use super::error::{PipelineError, Stage};
use super::sink::{SinkParts, SinkPipeline};
use crate::converter::{Answer, Question, RegistryOptions, Side};
use crate::influx::PointRule;
use crate::kcql::InfluxSink;
use crate::sink::Record;

/// What it says of itself where something is refused.
const CONNECTOR: &str = "io.lenses.streamreactor.connect.influx.InfluxSinkConnector";

/// A pipeline from Kafka to InfluxDB. It remembers schemas, so each thread has its own.
///
/// Invariant: points that take their time from the clock have different times, whatever the clock
/// says: two of the same would be one in the database.
#[derive(Clone, Debug)]
pub struct InfluxPipeline {
    /// Converters and transforms.
    reading: SinkPipeline,
    statements: Vec<PointRule>,
    /// The last time that was taken from the clock.
    last_ns: i64,
}

impl InfluxPipeline {
    /// A pipeline of these parts, whose own statements have to be none.
    #[must_use]
    pub fn new(parts: SinkParts, statements: &[InfluxSink]) -> InfluxPipeline {
        InfluxPipeline {
            reading: SinkPipeline::new(parts),
            statements: statements.iter().map(PointRule::new).collect(),
            last_ns: i64::MIN,
        }
    }

    /// The lines of a record: one for each statement about its topic, none when a transform drops it
    /// or when it has no value. `now_ns` are nanoseconds since the epoch.
    ///
    /// # Errors
    /// Why there are none, or none yet.
    pub fn lines(
        &mut self,
        record: &Record<'_>,
        offset: i64,
        timestamp: Option<i64>,
        now_ns: i64,
    ) -> Result<Vec<String>, PipelineError> {
        let Some(record) = self.reading.record(record, offset, timestamp)? else {
            return Ok(Vec::new());
        };
        let mut lines = Vec::new();
        let about = |statement: &&mut PointRule| statement.kafka_topic() == &*record.kafka_topic;
        for statement in self.statements.iter_mut().filter(about) {
            let point = statement
                .point(&record)
                .map_err(|error| PipelineError::of_task(Stage::TaskPut, CONNECTOR, error))?;
            if let Some(point) = point {
                if point.time_ns.is_none() {
                    self.last_ns = now_ns.max(self.last_ns.saturating_add(1));
                }
                lines.push(point.line(self.last_ns));
            }
        }
        Ok(lines)
    }

    /// The schema registries it asks, by side.
    pub fn registries(&self) -> impl Iterator<Item = (Side, &RegistryOptions)> {
        self.reading.registries()
    }

    /// What a schema registry said to a question of this pipeline.
    pub fn answer(&mut self, side: Side, question: Question, answer: Result<Answer, String>) {
        self.reading.answer(side, question, answer);
    }
}
