//! What happens to a record that does not come through: Connect's `errors.*`.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use midge_config::Hidden;
use midge_rules::pipeline::{KafkaRecord, PipelineError, Stage};
use tracing::warn;

use crate::connect::Failed;
use crate::connect::plan::{DeadLetters, Errors, Retry};
use crate::dead_letters::DeadLetterTopic;

/// The header of a dead letter whose value is left out: how many bytes it had.
const OMITTED: &str = "__connect.errors.value.omitted";

/// How a task deals with records that do not come through.
pub(crate) struct ErrorHandling {
    connector: String,
    task: usize,
    errors: Errors,
    /// What is refused here is passed over, whatever `errors` say.
    skip: Option<Stage>,
    /// Whether the dead-letter topic is there.
    topic: Option<DeadLetterTopic>,
    failed: Failed,
    has_failed: AtomicBool,
    /// What references of the connector's properties stood for.
    hidden: Hidden,
}

/// A record as it came, for the dead-letter topic.
pub(crate) struct Original {
    pub(crate) key: Option<Bytes>,
    pub(crate) value: Option<Bytes>,
    pub(crate) headers: Vec<(Arc<str>, Option<Bytes>)>,
    pub(crate) timestamp: Option<i64>,
    /// Kafka topic, partition and offset of a record that was read.
    pub(crate) place: Option<(Arc<str>, i32, i64)>,
}

/// What is to be done.
#[derive(Debug)]
pub(crate) enum Judgement {
    /// It is passed over.
    Skip,
    /// It goes to the dead-letter topic instead.
    DeadLetter(Box<KafkaRecord>),
    /// The task has failed, which has been told.
    Fail,
}

impl ErrorHandling {
    pub(crate) fn new(
        connector: &str,
        task: usize,
        errors: Errors,
        skip: Option<Stage>,
        topic: Option<DeadLetterTopic>,
        failed: Failed,
    ) -> Self {
        let (connector, has_failed) = (connector.to_owned(), AtomicBool::new(false));
        let hidden = Hidden::default();
        ErrorHandling { connector, task, errors, skip, topic, failed, has_failed, hidden }
    }

    /// The same with texts that are in no message, be it to the log or to the dead-letter topic.
    pub(crate) fn hiding(self, hidden: Hidden) -> Self {
        ErrorHandling { hidden, ..self }
    }

    /// How long what may pass is tried again.
    pub(crate) fn retry(&self) -> Retry {
        self.errors.retry
    }

    /// Whether what does not come through has to wait for its topic.
    pub(crate) fn waits_for_topic(&self) -> bool {
        self.errors.tolerate && self.topic.as_ref().is_some_and(|topic| !topic.is_there())
    }

    /// Whether the task has failed.
    pub(crate) fn has_failed(&self) -> bool {
        self.has_failed.load(Ordering::Relaxed)
    }

    /// Judges a record that can never come through.
    pub(crate) fn judge(
        &self,
        error: &PipelineError,
        original: impl FnOnce() -> Original,
    ) -> Judgement {
        let PipelineError::Refused { stage, class, exception, message } = error else {
            return Judgement::Skip;
        };
        let message = &self.hidden.hide(message);
        let needs_original =
            self.errors.dead_letters.is_some() || self.errors.log.is_some_and(|log| log.messages);
        let original = needs_original.then(original);
        if let Some(log) = self.errors.log {
            let place = original.as_ref().and_then(|original| original.place.as_ref());
            let place = place.filter(|_| log.messages);
            warn!(
                connector = self.connector,
                task = self.task,
                stage = stage.name(),
                place = ?place,
                error = message,
                "a record does not come through"
            );
        }
        if self.skip == Some(*stage) {
            let (connector, error) = (&self.connector, message);
            warn!(connector, task = self.task, stage = stage.name(), error, "passed over");
            return Judgement::Skip;
        }
        if !self.errors.tolerate {
            self.fail(&trace(*stage, class, exception, message));
            return Judgement::Fail;
        }
        match (&self.errors.dead_letters, original) {
            (Some(letters), Some(original)) => {
                let why = (*stage, *class, *exception, message.as_str());
                let record = self.dead_letter(letters, why, original);
                Judgement::DeadLetter(Box::new(record))
            }
            _ => Judgement::Skip,
        }
    }

    /// The task cannot go on; told once.
    pub(crate) fn fail(&self, trace: &str) {
        if !self.has_failed.swap(true, Ordering::Relaxed) {
            (self.failed)(trace.to_owned());
        }
    }

    fn dead_letter(
        &self,
        letters: &DeadLetters,
        (stage, class, exception, message): (Stage, &str, &str, &str),
        original: Original,
    ) -> KafkaRecord {
        let Original { key, value, mut headers, timestamp, place } = original;
        if letters.context_headers {
            let mut add = |name: &str, value: String| {
                let name = Arc::from(format!("__connect.errors.{name}"));
                headers.push((name, Some(Bytes::from(value))));
            };
            if let Some((topic, partition, offset)) = place {
                add("topic", topic.to_string());
                add("partition", partition.to_string());
                add("offset", offset.to_string());
            }
            add("connector.name", self.connector.clone());
            add("task.id", self.task.to_string());
            add("stage", stage.name().to_owned());
            add("class.name", class.to_owned());
            add("exception.class.name", exception.to_owned());
            add("exception.message", message.to_owned());
            add("exception.stacktrace", stack(stage, class, exception, message));
        }
        KafkaRecord {
            kafka_topic: Arc::clone(&letters.kafka_topic),
            partition: None,
            key,
            value,
            timestamp,
            headers,
        }
    }
}

/// A dead letter without its value, for one that Kafka finds too large; none if it has no value.
pub(crate) fn without_value(mut letter: Box<KafkaRecord>) -> Option<Box<KafkaRecord>> {
    let value = letter.value.take()?;
    letter.headers.push((Arc::from(OMITTED), Some(Bytes::from(value.len().to_string()))));
    Some(letter)
}

/// The trace of a task whose record the other side does not take: by which policy, which record, and
/// why.
pub(crate) fn put_trace(policy: &str, of: &str, why: &str) -> String {
    let exception = "org.apache.kafka.connect.errors.ConnectException";
    format!(
        "{exception}: Exiting WorkerSinkTask due to unrecoverable exception.\n\
         Caused by: {exception}: Error policy is set to {policy}: {of}: {why}\n\tat TASK_PUT"
    )
}

/// A trace as Connect's tools expect one: the exception, and where.
fn trace(stage: Stage, class: &str, exception: &str, message: &str) -> String {
    format!(
        "org.apache.kafka.connect.errors.ConnectException: Tolerance exceeded in error handler\n\
         Caused by: {}",
        stack(stage, class, exception, message)
    )
}

/// The error's own part of it, which is all of a record that is tolerated.
fn stack(stage: Stage, class: &str, exception: &str, message: &str) -> String {
    format!("{exception}: {message}\n\tat {class} ({})", stage.name())
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    fn refused() -> PipelineError {
        PipelineError::Refused {
            stage: Stage::ValueConverter,
            class: "a.Converter",
            exception: "an.Exception",
            message: "no".to_owned(),
        }
    }

    fn original() -> Original {
        Original {
            key: None,
            value: Some(Bytes::from_static(b"v")),
            headers: vec![(Arc::from("h"), None)],
            timestamp: Some(1),
            place: Some((Arc::from("t"), 2, 3)),
        }
    }

    fn handling(errors: Errors) -> (ErrorHandling, Arc<Mutex<Vec<String>>>) {
        let traces = Arc::new(Mutex::new(Vec::new()));
        let told = Arc::clone(&traces);
        let failed = Box::new(move |trace| told.lock().unwrap().push(trace));
        (ErrorHandling::new("c", 4, errors, None, None, failed), traces)
    }

    #[test]
    fn without_tolerance_the_task_fails_once_with_a_trace() {
        let (handling, traces) = handling(Errors::default());
        assert!(matches!(handling.judge(&refused(), original), Judgement::Fail));
        assert!(matches!(handling.judge(&refused(), original), Judgement::Fail));
        let traces = traces.lock().unwrap();
        assert_eq!(traces.len(), 1);
        assert!(traces[0].contains("Caused by: an.Exception: no\n\tat a.Converter"), "{traces:?}");
        assert!(handling.has_failed());
    }

    #[test]
    fn no_dead_letter_and_no_trace_has_what_a_reference_stood_for() {
        let secret = ("${env:A}".to_owned(), midge_config::Secret::new("no"));
        let letters = DeadLetters {
            kafka_topic: "d".into(),
            replication_factor: None,
            context_headers: true,
        };
        let tolerant = Errors { tolerate: true, dead_letters: Some(letters), ..Errors::default() };
        let (keeping, _) = handling(tolerant);
        let keeping = keeping.hiding(Hidden::new([&secret]));
        let Judgement::DeadLetter(record) = keeping.judge(&refused(), original) else {
            panic!("it goes to the topic");
        };
        let header = |name: &str| {
            let found = record.headers.iter().find(|(header, _)| header.ends_with(name));
            String::from_utf8_lossy(found.unwrap().1.as_ref().unwrap()).into_owned()
        };
        assert_eq!(header("exception.message"), "${env:A}");
        assert!(header("exception.stacktrace").contains("an.Exception: ${env:A}\n"));
    }

    #[test]
    fn a_tolerated_record_is_passed_over_or_goes_to_the_dead_letter_topic_with_its_context() {
        let tolerant = Errors { tolerate: true, ..Errors::default() };
        let (skipping, _) = handling(tolerant.clone());
        assert!(matches!(skipping.judge(&refused(), original), Judgement::Skip));
        let letters = DeadLetters {
            kafka_topic: Arc::from("dlq"),
            replication_factor: Some(1),
            context_headers: true,
        };
        let (keeping, traces) = handling(Errors { dead_letters: Some(letters), ..tolerant });
        let Judgement::DeadLetter(record) = keeping.judge(&refused(), original) else {
            panic!("it goes to the topic");
        };
        assert_eq!((&*record.kafka_topic, record.value.as_deref()), ("dlq", Some(&b"v"[..])));
        let header = |name: &str| {
            let name = format!("__connect.errors.{name}");
            let found = record.headers.iter().find(|(header, _)| **header == *name);
            let value = found.and_then(|(_, value)| value.clone()).expect("it is there");
            String::from_utf8(value.to_vec()).unwrap()
        };
        assert_eq!(&*record.headers[0].0, "h");
        assert_eq!(
            (header("topic"), header("partition"), header("offset")),
            ("t".to_owned(), "2".to_owned(), "3".to_owned())
        );
        assert_eq!((header("connector.name"), header("task.id")), ("c".to_owned(), "4".to_owned()));
        assert_eq!(header("stage"), "VALUE_CONVERTER");
        assert_eq!(header("exception.message"), "no");
        let stack = "an.Exception: no\n\tat a.Converter (VALUE_CONVERTER)";
        assert_eq!(header("exception.stacktrace"), stack, "nothing has been exceeded");
        assert!(traces.lock().unwrap().is_empty());
    }
}
