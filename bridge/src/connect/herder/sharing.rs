//! A herder among others: what it hears of the group, what it may run, and what it tells.
//!
//! Invariant: nobody waits for the group with the herd locked, so that what is heard is always taken.

use std::collections::BTreeMap;
use std::sync::Arc;

use tracing::{error, warn};

use super::{Herd, Herder, HerderError, Shared, Wanted};
use crate::connect::definition::{Definition, Owner, Properties, TargetState};
use crate::connect::definitions::Definitions;
use crate::connect::distributed::Heard;
use crate::connect::engine::{Engine, TaskHandle, TaskPlan};
use crate::connect::group::{Change, Group, Unit};
use crate::connect::status::{Condition, ConnectorCondition, RunState};

/// Whether a task runs at this worker, and by whose leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// Whatever others do.
    Here,
    /// As long as it is this worker's in the group.
    Shared,
    /// Not at this worker.
    Elsewhere,
}

impl Herder {
    /// Starts as one of a group, with the connectors of files and a copy of what the group wanted
    /// last.
    ///
    /// # Errors
    /// As [`Herder::start`].
    pub fn start_in_group(
        engine: Arc<dyn Engine>,
        copy: Definitions,
        group: Arc<dyn Group>,
        worker_id: String,
        of_files: BTreeMap<String, Properties>,
    ) -> std::io::Result<Arc<Herder>> {
        Herder::begin(engine, copy, Some(group), worker_id, of_files)
    }

    /// Whether what is wanted of connectors is known.
    ///
    /// # Errors
    /// What is being waited for.
    pub fn ready(&self) -> Result<(), HerderError> {
        let group = self.shared.group.as_ref();
        group.map_or(Ok(()), |group| group.ready()).map_err(HerderError::Starting)
    }

    /// All that the group wants, heard for the first time.
    pub(crate) fn heard_all(&self, definitions: BTreeMap<String, Definition>) {
        let shared = &self.shared;
        let mut herd = shared.lock();
        let known: Vec<String> = herd.wanted.keys().cloned().collect();
        for name in known.into_iter().filter(|name| !definitions.contains_key(name)) {
            shared.gone(&mut herd, &name);
        }
        for (name, definition) in definitions {
            // What has been started of the copy goes on if nothing has changed.
            let known = herd.wanted.get(&name).map(|wanted| &wanted.definition);
            if known != Some(&definition) {
                shared.wanted_by_group(&mut herd, &name, definition);
            }
        }
    }

    /// Something the group wants of a connector, by whomever.
    pub(crate) fn heard(&self, name: &str, heard: Heard) {
        let shared = &self.shared;
        let result = match heard {
            Heard::Definition(definition) => {
                shared.wanted_by_group(&mut shared.lock(), name, definition);
                return;
            }
            Heard::Gone => return shared.gone(&mut shared.lock(), name),
            Heard::Target(target) => {
                shared.target(&mut shared.lock(), name, target);
                return;
            }
            Heard::Restart { include_tasks, only_failed } => {
                shared.restart(name, include_tasks, only_failed).map(drop)
            }
            Heard::RestartTask(task) => shared.restart_task(name, task),
        };
        if let Err(error) = result {
            // It has gone meanwhile, or has not got so far here.
            warn!(%error, "what the group wants cannot be done");
        }
    }

    /// Other tasks may be this worker's than before.
    pub(crate) fn shares_changed(&self) {
        let mut herd = self.shared.lock();
        let names: Vec<String> = herd.wanted.keys().cloned().collect();
        for name in names {
            self.shared.dirty(&mut herd, &name);
        }
    }

    /// Another worker has told something of a connector that this one may know better.
    pub(crate) fn say_again(&self, name: &str) {
        self.shared.say(name);
    }

    /// Tells the others of the Kafka topics that tasks of this worker have used.
    pub(crate) fn say_topics(&self) {
        let Some(group) = &self.shared.group else { return };
        let tasks: Vec<(String, usize)> = self.shared.lock().shared.keys().cloned().collect();
        for (name, number) in tasks {
            for topic in self.shared.engine.topics(&name) {
                group.tell_topic(&name, number, &topic);
            }
        }
    }

    /// Has the tasks that are this worker's in the group take nothing any more, at once; they end
    /// one after another.
    pub(crate) fn fence(&self) {
        let mut herd = self.shared.lock();
        let Herd { shared, fenced, .. } = &mut *herd;
        fenced.extend(shared.keys().cloned());
        let handles: Vec<u64> = shared.values().copied().collect();
        drop(herd);
        for handle in handles {
            self.shared.engine.pause(&TaskHandle(handle), true);
        }
    }
}

impl Shared {
    /// The group of a connector that is not a file's.
    pub(super) fn group_of(&self, name: &str) -> Result<Option<&Arc<dyn Group>>, HerderError> {
        let of_file = self.lock().find(name)?.is_of_file();
        Ok(self.group.as_ref().filter(|_| !of_file))
    }

    /// Has all workers hear of a change, this one as well.
    pub(super) fn write(
        &self,
        group: &Arc<dyn Group>,
        name: &str,
        change: &Change,
    ) -> Result<(), HerderError> {
        group.ready().map_err(HerderError::Starting)?;
        let told = group.write(name, change);
        told.map_err(|why| HerderError::NotTold(name.to_owned(), why))
    }

    fn wanted_by_group(&self, herd: &mut Herd, name: &str, definition: Definition) {
        if herd.wanted.get(name).is_some_and(Wanted::is_of_file) {
            warn!(connector = name, "a configuration file has a connector of this name: it stays");
            return;
        }
        if let Err(error) = self.definitions.keep(name, &definition) {
            // It matters only to a start without Kafka.
            error!(connector = name, %error, "the copy of a definition cannot be kept");
        }
        self.want(herd, name, definition);
    }

    fn gone(&self, herd: &mut Herd, name: &str) {
        if herd.wanted.get(name).is_some_and(Wanted::is_of_file) {
            return;
        }
        if let Err(error) = self.definitions.forget(name) {
            error!(connector = name, %error, "the copy of a definition cannot be removed");
        }
        herd.wanted.remove(name);
        self.dirty(herd, name);
    }

    fn target(&self, herd: &mut Herd, name: &str, target: TargetState) {
        let Some(wanted) = herd.wanted.get_mut(name).filter(|wanted| !wanted.is_of_file()) else {
            return;
        };
        wanted.definition.target = target;
        let kept = self.definitions.keep(name, &wanted.definition);
        if let Err(error) = kept {
            error!(connector = name, %error, "the copy of a definition cannot be kept");
        }
        self.dirty(herd, name);
    }

    /// Where a task runs.
    pub(super) fn place(
        &self,
        name: &str,
        number: usize,
        definition: &Definition,
        task: &TaskPlan,
    ) -> Place {
        let Some(group) = self.group.as_ref().filter(|_| definition.owner == Owner::Rest) else {
            return Place::Here;
        };
        let here = match definition.everywhere.unwrap_or(task.of_this_broker) {
            true if task.of_this_broker => return Place::Here,
            true => false,
            false => group.may_run(name, number),
        };
        if here { Place::Shared } else { Place::Elsewhere }
    }

    /// None of a connector's tasks is this worker's any more.
    pub(super) fn unassign(&self, name: &str) {
        let unassigned = self.condition(RunState::Unassigned, None);
        if let Some(wanted) = self.lock().wanted.get_mut(name) {
            wanted.condition = unassigned.clone();
            for task in &mut wanted.tasks {
                task.condition = unassigned.clone();
            }
        }
    }

    /// Tells the others how this worker's parts of a connector are, where they do not know it.
    pub(super) fn say(&self, name: &str) {
        let Some(group) = &self.group else { return };
        let herd = self.lock();
        let (everywhere, connector, tasks) = match herd.wanted.get(name) {
            Some(wanted) if wanted.is_of_file() => return,
            None => (false, None, Vec::new()),
            Some(wanted) => (
                wanted.definition.everywhere == Some(true),
                Some(wanted.condition.clone()),
                wanted.tasks.iter().map(|task| task.condition.clone()).collect(),
            ),
        };
        drop(herd);
        self.say_one(group, name, Unit::Connector, connector.as_ref(), everywhere);
        for (number, condition) in tasks.iter().enumerate() {
            self.say_one(group, name, Unit::Task(number), Some(condition), everywhere);
        }
        // Tasks that there were, and are not any more.
        for number in group.told_tasks(name).into_iter().filter(|number| *number >= tasks.len()) {
            self.say_one(group, name, Unit::Task(number), None, everywhere);
        }
        if connector.is_none() && group.owns(name, Unit::Connector) {
            group.forget_topics(name);
        }
    }

    fn say_one(
        &self,
        group: &Arc<dyn Group>,
        name: &str,
        unit: Unit,
        condition: Option<&Condition>,
        everywhere: bool,
    ) {
        let told = group.told(name, unit);
        let by_us = told.as_ref().is_some_and(|told| told.worker_id == self.worker_id);
        let unassigned = |condition: &Condition| condition.state == RunState::Unassigned;
        let speaks = match condition {
            None => told.is_some() && (by_us || group.owns(name, unit)),
            // Whoever has it speaks for it; an owner that may not begin yet says nothing new.
            Some(condition) if unassigned(condition) => {
                by_us || (told.is_none() && group.owns(name, unit))
            }
            // Each worker runs it: one of them speaks, and whoever has failed.
            Some(condition) if everywhere => {
                by_us
                    || condition.state == RunState::Failed
                    || told.as_ref().is_none_or(unassigned)
                    || group.owns(name, unit)
                        && told.is_some_and(|told| told.state != RunState::Failed)
            }
            Some(_) => by_us || group.owns(name, unit),
        };
        if speaks {
            group.tell(name, unit, condition);
        }
    }

    /// A connector as all workers together have it.
    pub(super) fn as_told(&self, mut shown: ConnectorCondition) -> ConnectorCondition {
        let Some(group) = &self.group else { return shown };
        let name = shown.name.clone();
        let of = |unit, own: &Condition| {
            let ours = own.state == RunState::Failed
                || (group.owns(&name, unit) && own.state != RunState::Unassigned);
            match group.told(&name, unit) {
                // What it has told itself it knows better.
                Some(told) if !ours && told.worker_id != self.worker_id => told,
                _ => own.clone(),
            }
        };
        shown.connector = of(Unit::Connector, &shown.connector);
        for (number, task) in shown.tasks.iter_mut().enumerate() {
            *task = of(Unit::Task(number), task);
        }
        shown
    }

    /// Whether nothing of a connector runs anywhere.
    pub(super) fn has_stopped(&self, name: &str, wanted: &Wanted) -> bool {
        let stopped = wanted.condition.state == RunState::Stopped;
        let Some(group) = self.group.as_ref().filter(|_| !wanted.is_of_file()) else {
            return stopped;
        };
        let runs = |number| {
            let told = group.told(name, Unit::Task(number));
            told.is_some_and(|told| matches!(told.state, RunState::Running | RunState::Paused))
        };
        stopped && !group.told_tasks(name).into_iter().any(runs)
    }
}

/// A connector whose parts are about to start anew.
pub(super) fn restarting(
    mut of: ConnectorCondition,
    include_tasks: bool,
    only_failed: bool,
) -> ConnectorCondition {
    let restart = |condition: &mut Condition| {
        if !only_failed || condition.state == RunState::Failed {
            condition.state = RunState::Restarting;
            condition.trace = None;
        }
    };
    restart(&mut of.connector);
    if include_tasks {
        of.tasks.iter_mut().for_each(restart);
    }
    of
}

#[cfg(test)]
mod tests;
