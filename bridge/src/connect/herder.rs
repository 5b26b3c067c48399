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

mod sharing;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tracing::{error, info, warn};

use super::definition::{Definition, Owner, Properties, TargetState};
use super::definitions::Definitions;
use super::engine::{Engine, Failed, InvalidConfig, NotAltered, Offsets, TaskHandle, TaskPlan};
use super::group::{Change, Group};
use super::status::{Condition, ConnectorCondition, RunState};

use sharing::Place;

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

    /// Makes a connector.
    ///
    /// # Errors
    /// When there is one of this name, when its properties are wrong, or when it cannot be kept.
    pub fn create(
        &self,
        name: &str,
        config: Properties,
        target: TargetState,
    ) -> Result<Description, HerderError> {
        let herd = self.shared.lock();
        if herd.wanted.contains_key(name) {
            return Err(HerderError::Exists(name.to_owned()));
        }
        self.put_in(herd, name, config, target)
    }

    /// Gives a connector other properties, or makes it; whether it is new.
    ///
    /// # Errors
    /// As [`Herder::create`], and when it is a file's.
    pub fn put(&self, name: &str, config: Properties) -> Result<(bool, Description), HerderError> {
        let herd = self.shared.lock();
        let known = herd.wanted.get(name);
        let (new, target) = (known.is_none(), known.map_or(TargetState::Running, Wanted::target));
        self.put_in(herd, name, config, target).map(|description| (new, description))
    }

    /// Changes some properties of a connector; those without a value go.
    ///
    /// # Errors
    /// As [`Herder::put`], and when there is none of this name.
    pub fn patch(
        &self,
        name: &str,
        changes: BTreeMap<String, Option<String>>,
    ) -> Result<Description, HerderError> {
        let herd = self.shared.lock();
        let wanted = herd.find(name)?;
        let (mut config, target) = (wanted.definition.config.clone(), wanted.target());
        for (key, value) in changes {
            match value {
                Some(value) => drop(config.insert(key, value)),
                None => drop(config.remove(&key)),
            }
        }
        self.put_in(herd, name, config, target)
    }

    fn put_in(
        &self,
        mut herd: MutexGuard<'_, Herd>,
        name: &str,
        config: Properties,
        target: TargetState,
    ) -> Result<Description, HerderError> {
        let shared = &self.shared;
        if herd.wanted.get(name).is_some_and(Wanted::is_of_file) {
            return Err(HerderError::OfFile(name.to_owned()));
        }
        let plan = shared.engine.plan(name, &config).map_err(HerderError::Invalid)?;
        if let Some(group) = &shared.group {
            let known = herd.wanted.get(name).map(Wanted::target);
            let target = (known != Some(target)).then_some(target);
            drop(herd);
            let everywhere = plan.tasks.iter().any(|task| task.of_this_broker);
            shared.write(group, name, &Change::Config { config, everywhere, target })?;
            return self.describe(name);
        }
        let definition = Definition { config, target, owner: Owner::Rest, everywhere: None };
        shared.keep(name, &definition)?;
        shared.want(&mut herd, name, definition);
        let wanted = &herd.wanted[name];
        Ok(Description { tasks: wanted.tasks.len(), ..wanted.describe(name) })
    }

    /// Ends a connector for good.
    ///
    /// # Errors
    /// When there is none of this name, when it is a file's, or when the disk refuses to forget it.
    pub fn delete(&self, name: &str) -> Result<(), HerderError> {
        let mut herd = self.shared.lock();
        if herd.find(name)?.is_of_file() {
            return Err(HerderError::OfFile(name.to_owned()));
        }
        if let Some(group) = &self.shared.group {
            drop(herd);
            return self.shared.write(group, name, &Change::Gone);
        }
        self.shared
            .definitions
            .forget(name)
            .map_err(|error| HerderError::NotKept(name.to_owned(), error))?;
        herd.wanted.remove(name);
        self.shared.dirty(&mut herd, name);
        Ok(())
    }

    /// Has a connector run, rest or stop.
    ///
    /// # Errors
    /// When there is none of this name, or when that cannot be kept.
    pub fn target(&self, name: &str, target: TargetState) -> Result<(), HerderError> {
        let mut herd = self.shared.lock();
        let wanted = herd.find(name)?;
        if wanted.target() == target {
            return Ok(());
        }
        let definition = Definition { target, ..wanted.definition.clone() };
        if let (Some(group), Owner::Rest) = (&self.shared.group, definition.owner) {
            drop(herd);
            return self.shared.write(group, name, &Change::Target(target));
        }
        if definition.owner == Owner::Rest {
            self.shared.keep(name, &definition)?;
        }
        let wanted = herd.find_mut(name)?;
        wanted.definition = definition;
        self.shared.dirty(&mut herd, name);
        Ok(())
    }

    /// Starts a connector anew, with its tasks or those of them that failed.
    ///
    /// # Errors
    /// When there is none of this name.
    pub fn restart(
        &self,
        name: &str,
        include_tasks: bool,
        only_failed: bool,
    ) -> Result<ConnectorCondition, HerderError> {
        if let Some(group) = self.shared.group_of(name)? {
            let change = Change::Restart { include_tasks, only_failed };
            let before = self.condition(name)?;
            self.shared.write(group, name, &change)?;
            return Ok(sharing::restarting(before, include_tasks, only_failed));
        }
        self.shared.restart(name, include_tasks, only_failed)
    }

    /// Starts one task anew.
    ///
    /// # Errors
    /// When there is no such connector or task.
    pub fn restart_task(&self, name: &str, task: usize) -> Result<(), HerderError> {
        if let Some(group) = self.shared.group_of(name)? {
            if self.shared.lock().find(name)?.tasks.len() <= task {
                return Err(HerderError::NoTask(name.to_owned(), task));
            }
            return self.shared.write(group, name, &Change::RestartTask(task));
        }
        self.shared.restart_task(name, task)
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

    fn restart(
        &self,
        name: &str,
        include_tasks: bool,
        only_failed: bool,
    ) -> Result<ConnectorCondition, HerderError> {
        let mut herd = self.lock();
        let wanted = herd.find_mut(name)?;
        let counts = |condition: &Condition| !only_failed || condition.state == RunState::Failed;
        if counts(&wanted.condition) {
            wanted.condition.state = RunState::Restarting;
            wanted.condition.trace = None;
        }
        if include_tasks {
            for task in wanted.tasks.iter_mut().filter(|task| counts(&task.condition)) {
                task.restart();
            }
        }
        let condition = wanted.shown(name);
        self.dirty(&mut herd, name);
        Ok(condition)
    }

    fn restart_task(&self, name: &str, task: usize) -> Result<(), HerderError> {
        let mut herd = self.lock();
        let wanted = herd.find_mut(name)?;
        let found = wanted.tasks.get_mut(task);
        found.ok_or_else(|| HerderError::NoTask(name.to_owned(), task))?.restart();
        self.dirty(&mut herd, name);
        Ok(())
    }

    fn keep(&self, name: &str, definition: &Definition) -> Result<(), HerderError> {
        let kept = self.definitions.keep(name, definition);
        kept.map_err(|error| HerderError::NotKept(name.to_owned(), error))
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

    /// Compares until told to end, then ends everything.
    fn run(self: Arc<Shared>) {
        let mut running: BTreeMap<String, Running> = BTreeMap::new();
        loop {
            let mut herd = self.lock();
            herd.busy = false;
            let name = loop {
                if herd.ending {
                    break None;
                }
                if let Some(name) = herd.dirty.pop_first() {
                    break Some(name);
                }
                herd = self.changed.wait(herd).unwrap_or_else(PoisonError::into_inner);
            };
            herd.busy = true;
            drop(herd);
            let Some(name) = name else { break };
            let mut runs = running.remove(&name).unwrap_or_default();
            self.bring_about(&name, &mut runs);
            self.say(&name);
            if !runs.tasks.is_empty() {
                running.insert(name, runs);
            }
        }
        for (name, mut runs) in running {
            self.end_all(&name, &mut runs);
            self.unassign(&name);
            self.say(&name);
        }
        if let Some(group) = &self.group {
            group.flush();
        }
    }

    /// Has run what is wanted of one connector.
    fn bring_about(self: &Arc<Shared>, name: &str, runs: &mut Running) {
        let found = self
            .lock()
            .wanted
            .get(name)
            .map(|wanted| (wanted.epoch, wanted.definition.clone(), wanted.tasks.clone()));
        let Some((epoch, definition, tasks)) = found else {
            self.end_all(name, runs);
            self.engine.forget(name);
            info!(connector = name, "connector ended");
            return;
        };
        if definition.target == TargetState::Stopped {
            self.end_all(name, runs);
            runs.epoch = epoch;
            return self.tell(name, epoch, |wanted| {
                wanted.tasks.clear();
                wanted.condition = self.condition(RunState::Stopped, None);
            });
        }
        if runs.epoch != epoch {
            for number in runs.tasks.keys().copied().collect::<Vec<_>>() {
                self.end_one(name, runs, number, true);
            }
            runs.epoch = epoch;
        }
        let plan = match self.engine.plan(name, &definition.config) {
            Ok(plan) => plan,
            Err(error) => {
                self.engine.let_go(name);
                let trace = error.to_string();
                return self.tell(name, epoch, |wanted| {
                    wanted.condition = self.condition(RunState::Failed, Some(trace));
                });
            }
        };
        let paused = definition.target == TargetState::Paused;
        let state = if paused { RunState::Paused } else { RunState::Running };
        if paused && runs.tasks.is_empty() && tasks.is_empty() {
            // A connector that has never run has no tasks yet.
            self.engine.let_go(name);
            return self.tell(name, epoch, |wanted| {
                wanted.condition = self.condition(state, None);
            });
        }
        for (number, task) in plan.tasks.iter().enumerate() {
            let wanted = tasks.get(number).cloned().unwrap_or_default();
            let place = self.place(name, number, &definition, task);
            if place == Place::Elsewhere {
                self.end_one(name, runs, number, false);
                self.tell_task(name, epoch, number, task, RunState::Unassigned, None);
                continue;
            }
            let fenced = self.lock().fenced.remove(&(name.to_owned(), number));
            let failed = wanted.condition.state == RunState::Failed;
            match runs.tasks.remove(&number) {
                Some((attempt, handle, rests))
                    if attempt == wanted.attempt && !failed && !fenced =>
                {
                    if rests != paused {
                        self.engine.pause(&handle, paused);
                    }
                    runs.tasks.insert(number, (attempt, handle, paused));
                    self.tell_task(name, epoch, number, task, state, None);
                    continue;
                }
                // Nobody has asked for another attempt: what comes for it is kept.
                Some((attempt, handle, rests))
                    if attempt == wanted.attempt && !fenced && self.engine.keeps(&handle) =>
                {
                    runs.tasks.insert(number, (attempt, handle, rests));
                    continue;
                }
                Some(old) => {
                    runs.tasks.insert(number, old);
                    self.end_one(name, runs, number, !failed);
                }
                None => {}
            }
            if failed {
                // Nobody has asked for another attempt.
                continue;
            }
            let on_failure = self.on_failure(name, epoch, number, wanted.attempt);
            match self.engine.start(name, &definition.config, number, paused, on_failure) {
                Ok(handle) => {
                    if place == Place::Shared {
                        self.lock().shared.insert((name.to_owned(), number), handle.0);
                    }
                    runs.tasks.insert(number, (wanted.attempt, handle, paused));
                    self.tell_task(name, epoch, number, task, state, None);
                }
                Err(trace) => {
                    warn!(connector = name, task = number, error = trace, "a task has failed");
                    self.tell_task(name, epoch, number, task, RunState::Failed, Some(trace));
                }
            }
        }
        self.engine.let_go(name);
        self.tell(name, epoch, |wanted| {
            wanted.tasks.truncate(plan.tasks.len());
            wanted.condition = self.condition(state, None);
        });
    }

    fn end_all(&self, name: &str, runs: &mut Running) {
        while let Some(number) = runs.tasks.keys().next().copied() {
            self.end_one(name, runs, number, false);
        }
    }

    /// Ends a task; with `hold` what comes for it waits until the connector is let go.
    fn end_one(&self, name: &str, runs: &mut Running, number: usize, hold: bool) {
        let Some((_, handle, _)) = runs.tasks.remove(&number) else { return };
        if hold {
            self.engine.hold(handle);
        } else {
            self.engine.end(handle);
        }
        let mut herd = self.lock();
        herd.shared.remove(&(name.to_owned(), number));
        herd.fenced.remove(&(name.to_owned(), number));
        drop(herd);
        info!(connector = name, task = number, "task ended");
    }

    /// Says how a connector is, if its definition is still the one that counts.
    fn tell(&self, name: &str, epoch: u64, say: impl FnOnce(&mut Wanted)) {
        if let Some(wanted) = self.lock().wanted.get_mut(name)
            && wanted.epoch == epoch
        {
            say(wanted);
        }
    }

    fn tell_task(
        &self,
        name: &str,
        epoch: u64,
        number: usize,
        config: &TaskPlan,
        state: RunState,
        trace: Option<String>,
    ) {
        self.tell(name, epoch, |wanted| {
            while wanted.tasks.len() <= number {
                wanted.tasks.push(Task::default());
            }
            let task = &mut wanted.tasks[number];
            task.config.clone_from(&config.config);
            // It may have failed while it was being started, and nobody has asked for another
            // attempt since.
            if task.condition.state != RunState::Failed || state == RunState::Failed {
                task.condition = self.condition(state, trace);
            }
        });
    }

    /// What a task calls, once, when it cannot go on.
    fn on_failure(self: &Arc<Shared>, name: &str, epoch: u64, task: usize, attempt: u64) -> Failed {
        let (shared, name) = (Arc::downgrade(self), name.to_owned());
        Box::new(move |trace: String| {
            let Some(shared) = shared.upgrade() else { return };
            error!(connector = name, task, error = trace, "a task has failed");
            let condition = shared.condition(RunState::Failed, Some(trace));
            shared.tell(&name, epoch, |wanted| {
                while wanted.tasks.len() <= task {
                    wanted.tasks.push(Task::default());
                }
                let task = &mut wanted.tasks[task];
                if task.attempt == attempt {
                    task.condition = condition;
                }
            });
            // What is left of it has to end, and others may have to hear of it.
            shared.dirty(&mut shared.lock(), &name);
        })
    }
}

#[cfg(test)]
mod tests;
