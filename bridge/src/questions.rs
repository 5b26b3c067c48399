//! What a pipeline asks schema registries, and their answers.
//!
//! Nobody waits: a question is asked on the registry's own thread, and the thread that has asked is
//! woken by the answer. A registry that is away is asked again after a while, for as long as it takes.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::Thread;
use std::time::{Duration, Instant};

use midge_rules::converter::{Answer, Question, RegistryOptions, Side};

use crate::connect::registry::{Registry, RegistryError, RegistryThread};

/// How long after it was away a registry is asked again.
const AGAIN: Duration = Duration::from_secs(1);

/// A question's answer, or the registry's refusal.
pub(crate) type Answered = (Side, Question, Result<Answer, String>);

/// The registries of a pipeline.
pub(crate) struct Questions {
    threads: Vec<(Side, RegistryThread)>,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    /// Under way.
    asked: HashSet<(Side, Question)>,
    answers: Vec<Answered>,
    /// Why a registry is away, and until when it is not asked.
    away: Option<(Instant, String)>,
}

impl Questions {
    /// Connects to nothing yet; certificates are read.
    pub(crate) fn new<'a>(
        registries: impl Iterator<Item = (Side, &'a RegistryOptions)>,
    ) -> Result<Questions, String> {
        let mut threads = Vec::new();
        for (side, options) in registries {
            let registry = Registry::new(options)?;
            let thread = RegistryThread::spawn(registry)
                .map_err(|error| format!("a thread cannot be started: {error}"))?;
            threads.push((side, thread));
        }
        Ok(Questions { threads, state: Arc::default() })
    }

    /// Asks, unless that is under way; `asker` is woken when there is an answer. Why there will be
    /// none for now, if it is known.
    pub(crate) fn ask(&self, side: Side, question: Question, asker: Thread) -> Option<String> {
        let mut state = lock(&self.state);
        if let Some((until, why)) = &state.away
            && Instant::now() < *until
        {
            return Some(why.clone());
        }
        if !state.asked.insert((side, question.clone())) {
            return state.away.as_ref().map(|(_, why)| why.clone());
        }
        let why = state.away.as_ref().map(|(_, why)| why.clone());
        drop(state);
        let thread = self.threads.iter().find(|(of, _)| *of == side);
        let (_, thread) = thread.expect("a converter that asks has a registry");
        let shared = Arc::clone(&self.state);
        let asked = question.clone();
        let taken = thread.ask(question, move |answer| {
            answered(&mut lock(&shared), side, asked, answer);
            asker.unpark();
        });
        if taken.is_err() {
            // Asked again with the next attempt.
            lock(&self.state).asked.clear();
        }
        why
    }

    /// The answers that have come.
    pub(crate) fn answers(&self) -> Vec<Answered> {
        std::mem::take(&mut lock(&self.state).answers)
    }
}

fn answered(
    state: &mut State,
    side: Side,
    question: Question,
    answer: Result<Answer, RegistryError>,
) {
    state.asked.remove(&(side, question.clone()));
    match answer {
        Ok(answer) => {
            state.away = None;
            state.answers.push((side, question, Ok(answer)));
        }
        Err(error) if error.is_away() => {
            state.away = Some((Instant::now() + AGAIN, error.to_string()));
        }
        Err(error) => {
            state.away = None;
            state.answers.push((side, question, Err(error.to_string())));
        }
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}
