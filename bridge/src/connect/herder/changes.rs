//! What is wanted of connectors changes: by REST, and by the group of workers.
//!
//! A change counts once it is kept, and callers hear of it then; it is brought about later.

use std::collections::BTreeMap;
use std::sync::MutexGuard;

use super::{Description, Herd, Herder, HerderError, Shared, Wanted, sharing};
use crate::connect::definition::{Definition, Owner, Properties, TargetState};
use crate::connect::group::Change;
use crate::connect::status::{Condition, ConnectorCondition, RunState};

impl Herder {
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

impl Shared {
    pub(super) fn restart(
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

    pub(super) fn restart_task(&self, name: &str, task: usize) -> Result<(), HerderError> {
        let mut herd = self.lock();
        let wanted = herd.find_mut(name)?;
        let found = wanted.tasks.get_mut(task);
        found.ok_or_else(|| HerderError::NoTask(name.to_owned(), task))?.restart();
        self.dirty(&mut herd, name);
        Ok(())
    }

    pub(super) fn keep(&self, name: &str, definition: &Definition) -> Result<(), HerderError> {
        let kept = self.definitions.keep(name, definition);
        kept.map_err(|error| HerderError::NotKept(name.to_owned(), error))
    }
}
