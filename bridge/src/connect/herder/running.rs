//! Bringing about what is wanted: the thread that starts, pauses and ends tasks.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError};

use tracing::{error, info, warn};

use super::sharing::Place;
use super::{Running, Shared, Task, Wanted};
use crate::connect::definition::TargetState;
use crate::connect::engine::{Failed, TaskPlan};
use crate::connect::status::RunState;

impl Shared {
    /// Compares until told to end, then ends everything.
    pub(super) fn run(self: Arc<Shared>) {
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
