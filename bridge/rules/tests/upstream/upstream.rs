//! Apache Kafka's own code, asked by lines of JSON (`tests/connect/Upstream.java`).

use std::io::{BufRead, BufReader, Read, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::{LazyLock, Mutex, PoisonError};

use serde_json::Value as Json;

/// One process for all tests; it ends when this one does, which closes its input.
static UPSTREAM: LazyLock<Mutex<Upstream>> = LazyLock::new(|| Mutex::new(Upstream::start()));

struct Upstream {
    process: Child,
    answers: BufReader<ChildStdout>,
}

impl Upstream {
    fn start() -> Self {
        let program =
            PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/connect/upstream");
        let mut process = Command::new(program)
            .arg("run")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("tests/connect/upstream starts");
        let answers = BufReader::new(process.stdout.take().expect("a pipe"));
        Self { process, answers }
    }

    fn ask(&mut self, questions: &[Json]) -> Vec<Json> {
        let input = self.process.stdin.as_mut().expect("a pipe");
        let lines: String = questions.iter().map(|question| format!("{question}\n")).collect();
        std::thread::scope(|scope| {
            // It answers while it is still being asked: neither pipe may fill up.
            let writer = scope.spawn(move || input.write_all(lines.as_bytes()));
            let answers = self.answers.by_ref().lines().take(questions.len());
            let answers: Vec<Json> = answers
                .map(|line| serde_json::from_str(&line.expect("a line")).expect("JSON"))
                .collect();
            writer.join().expect("the writer").expect("all questions are taken");
            assert_eq!(answers.len(), questions.len(), "an answer to each question");
            answers
        })
    }
}

/// Asks all questions, and returns the answers in their order.
pub(crate) fn ask(questions: &[Json]) -> Vec<Json> {
    UPSTREAM.lock().unwrap_or_else(PoisonError::into_inner).ask(questions)
}
