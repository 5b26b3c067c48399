//! The id of the Kafka cluster, for those who only want to be greeted with it.
//!
//! Invariant: asking takes a Kafka client and, while Kafka is away, its time; so one question at most
//! is under way, on a thread of its own, and after one without an answer the next has to wait for a
//! while. Only the first is waited for.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How long after a question without an answer the next is asked.
const AGAIN: Duration = Duration::from_secs(10);
/// How long the first is waited for.
const FIRST: Duration = Duration::from_secs(1);

/// The id, once it is known.
#[derive(Clone, Default)]
pub(super) struct ClusterId(Arc<Shared>);

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    answered: Condvar,
}

#[derive(Clone, Default)]
enum State {
    #[default]
    NotAsked,
    First,
    Again,
    Away(Instant),
    Known(String),
}

impl ClusterId {
    /// The id; `ask` finds it out, or has waited long enough for it.
    pub(super) fn get(
        &self,
        ask: impl FnOnce() -> Option<String> + Send + 'static,
    ) -> Option<String> {
        let mut state = self.0.lock();
        match &*state {
            State::NotAsked => {
                *state = State::First;
                drop(state);
                self.ask(ask);
                state = self.0.lock();
            }
            State::Away(since) if since.elapsed() >= AGAIN => {
                *state = State::Again;
                drop(state);
                self.ask(ask);
                return None;
            }
            _ => {}
        }
        let waited =
            self.0.answered.wait_timeout_while(state, FIRST, |state| matches!(state, State::First));
        match &*waited.unwrap_or_else(PoisonError::into_inner).0 {
            State::Known(id) => Some(id.clone()),
            _ => None,
        }
    }

    fn ask(&self, ask: impl FnOnce() -> Option<String> + Send + 'static) {
        let shared = Arc::clone(&self.0);
        let asked = std::thread::Builder::new().name("kafka-cluster".to_owned()).spawn(move || {
            let answer = ask();
            shared.answer(answer);
        });
        if asked.is_err() {
            self.0.answer(None);
        }
    }
}

impl Shared {
    fn answer(&self, answer: Option<String>) {
        *self.lock() = answer.map_or_else(|| State::Away(Instant::now()), State::Known);
        self.answered.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn the_first_question_is_waited_for_and_its_answer_kept() {
        let cluster = ClusterId::default();
        assert_eq!(cluster.get(|| Some("k".to_owned())).as_deref(), Some("k"));
        assert_eq!(cluster.get(|| panic!("it is known")).as_deref(), Some("k"));
    }

    #[test]
    fn while_kafka_is_away_it_is_asked_once_in_a_while_and_nobody_waits() {
        let (cluster, asked) = (ClusterId::default(), Arc::new(AtomicUsize::new(0)));
        let get = |answer: Option<&'static str>| {
            let asked = Arc::clone(&asked);
            cluster.get(move || {
                asked.fetch_add(1, Ordering::SeqCst);
                answer.map(str::to_owned)
            })
        };
        for _ in 0..100 {
            assert_eq!(get(None), None);
        }
        assert_eq!(asked.load(Ordering::SeqCst), 1);
        let Some(before) = Instant::now().checked_sub(AGAIN) else { return };
        *cluster.0.lock() = State::Away(before);
        while get(Some("k")).is_none() {
            std::thread::yield_now();
        }
        assert_eq!(asked.load(Ordering::SeqCst), 2);
    }
}
