//! What a pipeline asks schema registries, and their answers.
//!
//! Nobody waits: a question is asked on the registry's own thread, and the thread that has asked is
//! woken by the answer. A registry that is away is asked again after a pause that grows, for as long
//! as `errors.retry.*` say.
//!
//! Invariant: a question is given up only after an attempt that failed since it was first asked.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::Thread;
use std::time::Instant;

use midge_rules::converter::{Answer, Question, RegistryOptions, Side};
use midge_rules::pipeline::{PipelineError, Stage};

use crate::connect::plan::Retry;
use crate::connect::registry::{Registry, RegistryError, RegistryThread};

/// Questions that wait for a registry that is away. Each holds up what has asked it, so they are few;
/// what is left of partitions that have gone is thrown away at this number.
const WAITING_MAX: usize = 1_024;

/// A question's answer, or the registry's refusal.
pub(crate) type Answered = (Side, Question, Result<Answer, String>);

/// What comes of asking.
pub(crate) enum Asked {
    /// There will be an answer; why there is none for now, if it is known.
    Waits(Option<String>),
    /// There has been none for too long.
    GivenUp(PipelineError),
}

/// The registries of a pipeline.
pub(crate) struct Questions {
    threads: Vec<(Side, RegistryThread)>,
    retry: Retry,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    /// Under way.
    asked: HashSet<(Side, Question)>,
    answers: Vec<Answered>,
    /// Those that were asked in vain.
    waiting: HashMap<(Side, Question), Waiting>,
}

/// A question that its registry has not answered.
struct Waiting {
    since: Instant,
    attempts: u32,
    /// Until when it is not asked again.
    until: Instant,
    why: Option<String>,
}

impl Questions {
    /// Connects to nothing yet; certificates are read.
    pub(crate) fn new<'a>(
        registries: impl Iterator<Item = (Side, &'a RegistryOptions)>,
        retry: Retry,
    ) -> Result<Questions, String> {
        let mut threads = Vec::new();
        for (side, options) in registries {
            let registry = Registry::new(options)?;
            let thread = RegistryThread::spawn(registry)
                .map_err(|error| format!("a thread cannot be started: {error}"))?;
            threads.push((side, thread));
        }
        Ok(Questions { threads, retry, state: Arc::default() })
    }

    /// Asks, unless that is under way or has to wait; `asker` is woken when there is an answer.
    pub(crate) fn ask(&self, side: Side, question: Question, asker: Thread) -> Asked {
        let key = (side, question.clone());
        let why = match lock(&self.state).begin(Instant::now(), key, &self.retry) {
            Begun::Ask(why) => why,
            Begun::Not(asked) => return asked,
        };
        let thread = self.threads.iter().find(|(of, _)| *of == side);
        let (_, thread) = thread.expect("a converter that asks has a registry");
        let (shared, retry) = (Arc::clone(&self.state), self.retry);
        let asked = question.clone();
        let taken = thread.ask(question, move |answer| {
            lock(&shared).answered(Instant::now(), (side, asked), answer, &retry);
            asker.unpark();
        });
        if taken.is_err() {
            // Asked again with the next attempt.
            lock(&self.state).asked.clear();
        }
        Asked::Waits(why)
    }

    /// Whether answers have come that nobody has taken yet.
    pub(crate) fn has_answers(&self) -> bool {
        !lock(&self.state).answers.is_empty()
    }

    /// The answers that have come.
    pub(crate) fn answers(&self) -> Vec<Answered> {
        std::mem::take(&mut lock(&self.state).answers)
    }
}

/// What has to be done to have a question asked.
enum Begun {
    /// Ask it.
    Ask(Option<String>),
    /// Nothing.
    Not(Asked),
}

impl State {
    fn begin(&mut self, now: Instant, key: (Side, Question), retry: &Retry) -> Begun {
        if self.asked.contains(&key) {
            let why = self.waiting.get(&key).and_then(|waiting| waiting.why.clone());
            return Begun::Not(Asked::Waits(why));
        }
        if self.waiting.len() >= WAITING_MAX {
            self.waiting.clear();
        }
        let waiting = self.waiting.entry(key.clone()).or_insert_with(|| Waiting {
            since: now,
            attempts: 0,
            until: now,
            why: None,
        });
        let why = waiting.why.clone();
        if waiting.attempts > 0 && retry.is_over(now.duration_since(waiting.since)) {
            self.waiting.remove(&key);
            return Begun::Not(Asked::GivenUp(given_up(key.0, why.unwrap_or_default())));
        }
        if now < waiting.until {
            return Begun::Not(Asked::Waits(why));
        }
        self.asked.insert(key);
        Begun::Ask(why)
    }

    fn answered(
        &mut self,
        now: Instant,
        key: (Side, Question),
        answer: Result<Answer, RegistryError>,
        retry: &Retry,
    ) {
        self.asked.remove(&key);
        match answer {
            Err(error) if error.is_away() => {
                if let Some(waiting) = self.waiting.get_mut(&key) {
                    waiting.attempts = waiting.attempts.saturating_add(1);
                    waiting.until = now + retry.delay(waiting.attempts);
                    waiting.why = Some(error.to_string());
                }
            }
            answer => {
                self.waiting.remove(&key);
                let (side, question) = key;
                self.answers.push((side, question, answer.map_err(|error| error.to_string())));
            }
        }
    }
}

/// A registry that has been away for too long is the converter's error.
fn given_up(side: Side, message: String) -> PipelineError {
    PipelineError::Refused {
        stage: match side {
            Side::Key => Stage::KeyConverter,
            Side::Value => Stage::ValueConverter,
        },
        class: "io.confluent.connect.avro.AvroConverter",
        exception: "org.apache.kafka.connect.errors.RetriableException",
        message,
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::connect::plan::Within;

    fn key() -> (Side, Question) {
        (Side::Value, Question::Schema { id: 7 })
    }

    fn away() -> Result<Answer, RegistryError> {
        Err(RegistryError::Away { url: "u".to_owned(), reason: "gone".to_owned() })
    }

    fn retry(within: Within, delay_max: u64) -> Retry {
        Retry { within, delay_max: Duration::from_millis(delay_max) }
    }

    fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    /// Whether it is asked; why it is given up, if it is.
    fn begin(state: &mut State, now: Instant, retry: &Retry) -> (bool, Option<String>) {
        match state.begin(now, key(), retry) {
            Begun::Ask(_) => (true, None),
            Begun::Not(Asked::Waits(_)) => (false, None),
            Begun::Not(Asked::GivenUp(error)) => (false, Some(error.to_string())),
        }
    }

    #[test]
    fn a_registry_that_is_away_is_asked_again_after_pauses_that_grow_up_to_the_longest() {
        let (mut state, start) = (State::default(), Instant::now());
        let retry = retry(Within::Ever, 1_000);
        let mut now = start;
        for pause in [300, 600, 1_000, 1_000] {
            assert_eq!(begin(&mut state, now, &retry), (true, None));
            assert_eq!(begin(&mut state, now, &retry), (false, None), "it is under way");
            state.answered(now, key(), away(), &retry);
            assert_eq!(begin(&mut state, now + ms(pause - 1), &retry), (false, None));
            now += ms(pause);
        }
    }

    #[test]
    fn after_the_timeout_it_is_an_error_and_the_next_record_asks_anew() {
        let (mut state, start) = (State::default(), Instant::now());
        let retry = retry(Within::Time(ms(500)), 60_000);
        assert_eq!(begin(&mut state, start, &retry), (true, None));
        // However long the attempt takes, it has to fail first.
        assert_eq!(begin(&mut state, start + ms(900), &retry), (false, None));
        state.answered(start + ms(900), key(), away(), &retry);
        let (_, given_up) = begin(&mut state, start + ms(900), &retry);
        assert_eq!(given_up.as_deref(), Some("VALUE_CONVERTER: schema registry u: gone"));
        assert_eq!(begin(&mut state, start + ms(901), &retry), (true, None));
    }

    #[test]
    fn no_time_at_all_is_one_attempt_for_each_record() {
        let (mut state, now) = (State::default(), Instant::now());
        let retry = retry(Within::Time(Duration::ZERO), 60_000);
        for _ in 0..3 {
            assert_eq!(begin(&mut state, now, &retry), (true, None));
            state.answered(now, key(), away(), &retry);
            assert!(begin(&mut state, now, &retry).1.is_some());
        }
    }
}
