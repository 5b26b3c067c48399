//! A registry on a thread of its own, for those who must not wait for it.
//!
//! Invariant: every question that was taken is answered by its callback exactly once, on the thread;
//! none is when the [`RegistryThread`] is dropped first. No more than [`QUEUE_MAX`] wait.

use std::io;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};

use midge_rules::converter::{Answer, Question};

use super::{Registry, RegistryError};

/// How many questions may wait.
pub const QUEUE_MAX: usize = 256;

/// Too many questions wait already: ask again when one of them is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{QUEUE_MAX} questions wait for the schema registry already")]
pub struct QueueFull;

type Callback = Box<dyn FnOnce(Result<Answer, RegistryError>) + Send>;

/// A registry that is asked without waiting.
///
/// Dropping it does not wait either: the thread ends with the request it is in.
pub struct RegistryThread {
    questions: SyncSender<(Question, Callback)>,
}

impl RegistryThread {
    /// Starts the thread.
    ///
    /// # Errors
    /// When the system has no thread to give.
    pub fn spawn(registry: Registry) -> io::Result<Self> {
        let (questions, waiting) = sync_channel(QUEUE_MAX);
        let thread = std::thread::Builder::new().name("schema-registry".to_owned());
        thread.spawn(move || run(registry, &waiting))?;
        Ok(Self { questions })
    }

    /// Asks; `answered` is called on the thread, so it should only hand the answer on.
    ///
    /// # Errors
    /// When too many questions wait already; `answered` is not called then.
    pub fn ask(
        &self,
        question: Question,
        answered: impl FnOnce(Result<Answer, RegistryError>) + Send + 'static,
    ) -> Result<(), QueueFull> {
        match self.questions.try_send((question, Box::new(answered))) {
            Ok(()) => Ok(()),
            Err(TrySendError::Full(_)) => Err(QueueFull),
            Err(TrySendError::Disconnected(_)) => {
                unreachable!("the thread lives as long as its sender")
            }
        }
    }
}

fn run(mut registry: Registry, waiting: &Receiver<(Question, Callback)>) {
    while let Ok((question, answered)) = waiting.recv() {
        answered(registry.ask(&question));
    }
}
