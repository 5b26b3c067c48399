//! The connectors of a worker: what is wanted of each, and bringing that about.
//!
//! Callers change what is wanted, which is kept before they hear of it; one thread compares it with
//! what runs, and starts, pauses and ends tasks until both agree. So a change never waits for a
//! connector to start or to end, and the last one counts.
//!
//! A worker that is one of a group ([`sharing`]) writes what is wanted where all of them read it, and
//! runs the tasks that are its own.
//!
//! Invariant: a task runs at most once: what runs of a connector is ended before anything is started
//! of a later definition or under the same name.

mod changes;
mod running;
mod sharing;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tracing::{error, warn};

use super::definition::{Definition, Owner, Properties, TargetState};
use super::definitions::Definitions;
use super::engine::{Engine, InvalidConfig, NotAltered, Offsets, TaskHandle};
use super::group::Group;
use super::status::{Condition, ConnectorCondition, RunState};

/// How long a connector may take to stop whose offsets are to be moved.
const STOPPING: Duration = Duration::from_secs(15);
/// How often it is looked whether it has.
const POLL: Duration = Duration::from_millis(10);

/// The connectors of a worker.
pub struct Herder {
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

struct Shared {
    engine: Arc<dyn Engine>,
    /// In a group: a copy, for the time before Kafka has told what the group wants.
    definitions: Definitions,
    /// The other workers, if there may be any.
    group: Option<Arc<dyn Group>>,
    worker_id: String,
    herd: Mutex<Herd>,
    changed: Condvar,
}

#[derive(Default)]
struct Herd {
    wanted: BTreeMap<String, Wanted>,
    /// Connectors whose running has to be compared with what is wanted.
    dirty: BTreeSet<String>,
    /// One of them is being compared.
    busy: bool,
    ending: bool,
    /// Tasks that run because they are this worker's in the group.
    shared: BTreeMap<(String, usize), u64>,
    /// Of them, those that take nothing any more and have to end.
    fenced: BTreeSet<(String, usize)>,
}

/// What is wanted of a connector, and how it is.
struct Wanted {
    definition: Definition,
    kind: &'static str,
    /// Counts definitions and restarts of the connector: what runs of an earlier one has to end.
    epoch: u64,
    condition: Condition,
    tasks: Vec<Task>,
}

#[derive(Clone, Default)]
struct Task {
    config: Properties,
    condition: Condition,
    /// Counts restarts.
    attempt: u64,
}

/// What runs of a connector.
#[derive(Default)]
struct Running {
    epoch: u64,
    /// By number: the attempt, the handle, and whether it rests.
    tasks: BTreeMap<usize, (u64, TaskHandle, bool)>,
}

/// A connector as it is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Description {
    /// Its name.
    pub name: String,
    /// Its properties.
    pub config: Properties,
    /// How many tasks it has.
    pub tasks: usize,
    /// `source` or `sink`.
    pub kind: &'static str,
}

/// Why the herder does not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum HerderError {
    /// There is no connector of this name.
    #[error("no connector {0}")]
    NotFound(String),
    /// There is no task of this number.
    #[error("no task {0}-{1}")]
    NoTask(String, usize),
    /// There is one already.
    #[error("connector {0} already exists")]
    Exists(String),
    /// It is a file's.
    #[error("connector {0} belongs to a configuration file, which has to be changed instead")]
    OfFile(String),
    /// Its properties cannot be those of a connector.
    #[error("{0}")]
    Invalid(InvalidConfig),
    /// It has to be stopped before.
    #[error("connector {0} is not stopped")]
    NotStopped(String),
    /// They are no offsets of it.
    #[error("{0}")]
    WrongOffsets(String),
    /// Its offsets cannot be told or moved.
    #[error("{0}")]
    Offsets(String),
    /// The definition cannot be kept.
    #[error("the definition of connector {0} cannot be kept: {1}")]
    NotKept(String, std::io::Error),
    /// The other workers of the group cannot be told, or were perhaps not told.
    #[error("connector {0}: the group of workers cannot be told: {1}")]
    NotTold(String, String),
    /// What the group wants is not known yet.
    #[error("the worker is starting: {0}")]
    Starting(String),
}

impl Herder {
    /// Starts with the connectors of files and with those that are kept.
    ///
    /// # Errors
    /// When what is kept cannot be listed, or no thread can be started.
    pub fn start(
        engine: Arc<dyn Engine>,
        definitions: Definitions,
        worker_id: String,
        of_files: BTreeMap<String, Properties>,
    ) -> std::io::Result<Arc<Herder>> {
        Herder::begin(engine, definitions, None, worker_id, of_files)
    }

    fn begin(
        engine: Arc<dyn Engine>,
        definitions: Definitions,
        group: Option<Arc<dyn Group>>,
        worker_id: String,
        of_files: BTreeMap<String, Properties>,
    ) -> std::io::Result<Arc<Herder>> {
        let mut all = definitions.load()?;
        for (name, config) in of_files {
            let mut definition = Definition {
                config,
                target: TargetState::Running,
                owner: Owner::File,
                everywhere: None,
            };
            if let Some(kept) = all.get(&name) {
                warn!(
                    connector = name,
                    "a configuration file has a connector of this name: it replaces the other"
                );
                definition.target = kept.target;
            }
            all.insert(name, definition);
        }
        let shared = Arc::new(Shared {
            engine,
            definitions,
            group,
            worker_id,
            herd: Mutex::default(),
            changed: Condvar::new(),
        });
        for (name, definition) in all {
            let mut herd = shared.lock();
            let paused = definition.target == TargetState::Paused;
            shared.want(&mut herd, &name, definition);
            if let Some(wanted) = herd.wanted.get_mut(&name).filter(|_| paused) {
                // It had tasks when it was paused: they rest again, and keep what comes.
                wanted.tasks.push(Task::default());
            }
        }
        let thread = std::thread::Builder::new().name("herder".to_owned()).spawn({
            let shared = Arc::clone(&shared);
            move || shared.run()
        })?;
        Ok(Arc::new(Herder { shared, thread: Mutex::new(Some(thread)) }))
    }

    /// Ends all tasks and waits until they have ended.
    pub fn shutdown(&self) {
        self.shared.lock().ending = true;
        self.shared.changed.notify_all();
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if thread.is_some_and(|thread| thread.join().is_err()) {
            error!("the thread that starts and ends connectors had panicked");
        }
    }

    /// Whether everything is as it is wanted, as far as it can be.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        let herd = self.shared.lock();
        herd.dirty.is_empty() && !herd.busy
    }

    /// What calls itself this worker.
    #[must_use]
    pub fn worker_id(&self) -> &str {
        &self.shared.worker_id
    }

    /// The names of all connectors.
    #[must_use]
    pub fn connectors(&self) -> Vec<String> {
        self.shared.lock().wanted.keys().cloned().collect()
    }

    /// A connector as it is shown.
    ///
    /// # Errors
    /// When there is none of this name.
    pub fn describe(&self, name: &str) -> Result<Description, HerderError> {
        let herd = self.shared.lock();
        Ok(herd.find(name)?.describe(name))
    }

    /// How a connector and its tasks are.
    ///
    /// # Errors
    /// When there is none of this name.
    pub fn condition(&self, name: &str) -> Result<ConnectorCondition, HerderError> {
        let herd = self.shared.lock();
        let wanted = herd.find(name)?;
        let (mut shown, of_file) = (wanted.shown(name), wanted.is_of_file());
        drop(herd);
        let tasks = shown.tasks.iter_mut().enumerate();
        for (number, task) in tasks.filter(|(_, task)| task.state == RunState::Running) {
            // Connect has no word for what rights itself: it says why, and runs.
            task.trace = self.shared.engine.trouble(name, number);
        }
        Ok(if of_file { shown } else { self.shared.as_told(shown) })
    }

    /// The properties of a connector's tasks.
    ///
    /// # Errors
    /// When there is none of this name.
    pub fn task_configs(&self, name: &str) -> Result<Vec<Properties>, HerderError> {
        let herd = self.shared.lock();
        Ok(herd.find(name)?.tasks.iter().map(|task| task.config.clone()).collect())
    }

    /// Kafka topics that a connector's tasks have used.
    ///
    /// # Errors
    /// When there is none of this name.
    pub fn topics(&self, name: &str) -> Result<BTreeSet<String>, HerderError> {
        self.shared.lock().find(name)?;
        let mut topics = self.shared.engine.topics(name);
        if let Some(group) = &self.shared.group {
            topics.extend(group.topics(name));
        }
        Ok(topics)
    }

    /// Forgets them.
    ///
    /// # Errors
    /// When there is none of this name.
    pub fn reset_topics(&self, name: &str) -> Result<(), HerderError> {
        self.shared.lock().find(name)?;
        self.shared.engine.forget_topics(name);
        if let Some(group) = &self.shared.group {
            group.forget_topics(name);
        }
        Ok(())
    }

    /// Where a connector is in what it reads.
    ///
    /// # Errors
    /// When there is none of this name, or nobody knows.
    pub fn offsets(&self, name: &str) -> Result<Offsets, HerderError> {
        let config = self.shared.lock().find(name)?.definition.config.clone();
        self.shared.engine.offsets(name, &config).map_err(HerderError::Offsets)
    }

    /// Moves a connector, which must be stopped; with no offsets all of it begins anew.
    ///
    /// # Errors
    /// When there is none of this name, when it is not stopped, or when it cannot be moved.
    pub fn alter_offsets(&self, name: &str, offsets: &Offsets) -> Result<(), HerderError> {
        let deadline = Instant::now() + STOPPING;
        let config = loop {
            let herd = self.shared.lock();
            let wanted = herd.find(name)?;
            let stops = wanted.target() == TargetState::Stopped;
            if stops && self.shared.has_stopped(name, wanted) {
                break wanted.definition.config.clone();
            }
            drop(herd);
            // Whoever has just stopped it need not wait for that.
            if !stops || Instant::now() >= deadline {
                return Err(HerderError::NotStopped(name.to_owned()));
            }
            std::thread::sleep(POLL);
        };
        let altered = self.shared.engine.alter_offsets(name, &config, offsets);
        altered.map_err(|error| match error {
            NotAltered::Wrong(why) => HerderError::WrongOffsets(why),
            NotAltered::Failed(why) => HerderError::Offsets(why),
        })
    }

    /// Those who run the connectors.
    #[must_use]
    pub fn engine(&self) -> &dyn Engine {
        &*self.shared.engine
    }
}

impl Drop for Herder {
    fn drop(&mut self) {
        self.shutdown();
    }
}

impl Task {
    fn restart(&mut self) {
        self.attempt += 1;
        self.condition.state = RunState::Restarting;
        self.condition.trace = None;
    }
}

impl Wanted {
    fn target(&self) -> TargetState {
        self.definition.target
    }

    fn is_of_file(&self) -> bool {
        self.definition.owner == Owner::File
    }

    fn shown(&self, name: &str) -> ConnectorCondition {
        ConnectorCondition {
            name: name.to_owned(),
            connector: self.condition.clone(),
            tasks: self.tasks.iter().map(|task| task.condition.clone()).collect(),
            kind: self.kind,
        }
    }

    fn describe(&self, name: &str) -> Description {
        Description {
            name: name.to_owned(),
            config: self.definition.config.clone(),
            tasks: self.tasks.len(),
            kind: self.kind,
        }
    }
}

impl Herd {
    fn find(&self, name: &str) -> Result<&Wanted, HerderError> {
        self.wanted.get(name).ok_or_else(|| HerderError::NotFound(name.to_owned()))
    }

    fn find_mut(&mut self, name: &str) -> Result<&mut Wanted, HerderError> {
        self.wanted.get_mut(name).ok_or_else(|| HerderError::NotFound(name.to_owned()))
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Herd> {
        self.herd.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn dirty(&self, herd: &mut Herd, name: &str) {
        herd.dirty.insert(name.to_owned());
        self.changed.notify_all();
    }

    /// A definition that counts from now on.
    fn want(&self, herd: &mut Herd, name: &str, definition: Definition) {
        let epoch = herd.wanted.get(name).map_or(0, |wanted| wanted.epoch) + 1;
        let kind = self.engine.kind(&definition.config);
        let condition = self.condition(RunState::Unassigned, None);
        let mut tasks = herd.wanted.remove(name).map_or_else(Vec::new, |wanted| wanted.tasks);
        for task in &mut tasks {
            task.condition = condition.clone();
        }
        let wanted = Wanted { definition, kind, epoch, condition, tasks };
        herd.wanted.insert(name.to_owned(), wanted);
        self.dirty(herd, name);
    }

    fn condition(&self, state: RunState, trace: Option<String>) -> Condition {
        Condition { state, worker_id: self.worker_id.clone(), trace }
    }
}

#[cfg(test)]
mod tests;
