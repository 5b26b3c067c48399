//! Connectors by class, run by the bridge: what the herder asks of it.

mod cluster;
mod names;
mod offsets;
mod rules;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use midge_config::{ClientProperties, MqttUser, Providers};
use tracing::{info, warn};

use super::class;
use super::definition::Properties;
use super::engine::{
    ConfigKey, ConnectorPlan, Engine, Failed, InvalidConfig, NotAltered, Offsets, Plugin,
    TaskHandle, TaskPlan, Validation,
};
use super::plan::{Broker, Reading, SourceWork, Work, Worker};
use super::resolved::Resolved;
use crate::bridge::{Bridge, CrewId};
use crate::kafka::{delete_group, group};
use crate::remote::Remotes;
use crate::usage::TopicsInUse;
use cluster::ClusterId;
use offsets::{named, places, shown};

pub(crate) use names::is_rule_of;

/// How long what a task has taken may need to come to Kafka when it ends.
const GRACE: Duration = Duration::from_secs(10);

/// Says whether an MQTT user may log in; why not, otherwise.
pub type Authenticate = Arc<dyn Fn(&MqttUser) -> Result<(), String> + Send + Sync>;

/// The bridge as an engine of connectors by class.
pub struct Runner {
    bridge: Arc<Bridge>,
    worker: Worker,
    authenticate: Authenticate,
    running: Mutex<BTreeMap<u64, Running>>,
    next: AtomicU64,
    remotes: Remotes,
    /// Kafka topics by connector.
    topics: Mutex<BTreeMap<String, TopicsInUse>>,
    cluster: ClusterId,
}

/// A task that runs: its rules.
struct Running {
    /// The connector, and which of its tasks this is.
    task: (String, usize),
    crew: CrewId,
    rules: Vec<String>,
}

impl Runner {
    /// An engine on a bridge.
    #[must_use]
    pub fn new(bridge: Arc<Bridge>, worker: Worker, authenticate: Authenticate) -> Runner {
        Runner {
            bridge,
            worker,
            authenticate,
            running: Mutex::default(),
            next: AtomicU64::new(1),
            remotes: Remotes::default(),
            topics: Mutex::default(),
            cluster: ClusterId::default(),
        }
    }

    fn running(&self) -> MutexGuard<'_, BTreeMap<u64, Running>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn used(&self) -> MutexGuard<'_, BTreeMap<String, TopicsInUse>> {
        self.topics.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Engine for Runner {
    fn kind(&self, config: &Properties) -> &'static str {
        let (providers, _) = Providers::new(&self.worker.properties);
        let name = config.get("connector.class").and_then(|name| providers.replace(name).ok());
        let class = name.and_then(|name| class::find(&name.text).ok());
        class.map_or("unknown", |class| class.direction.name())
    }

    fn plan(&self, name: &str, config: &Properties) -> Result<ConnectorPlan, InvalidConfig> {
        let plan = Resolved::new(&self.worker, config).plan(name)?;
        let tasks = plan.tasks.iter().map(|task| TaskPlan {
            config: task.config.clone(),
            of_this_broker: matches!(
                &task.work,
                Work::Source(SourceWork { broker: Broker::Here(_), .. })
            ),
        });
        Ok(ConnectorPlan { tasks: tasks.collect() })
    }

    fn start(
        &self,
        name: &str,
        config: &Properties,
        number: usize,
        paused: bool,
        failed: Failed,
    ) -> Result<TaskHandle, String> {
        let resolved = Resolved::new(&self.worker, config);
        let plan = resolved.plan(name).map_err(|error| error.to_string())?;
        let hidden = resolved.hidden();
        let failed: Failed = {
            let hidden = hidden.clone();
            Box::new(move |trace| failed(hidden.hide(&trace)))
        };
        if number == 0 {
            for line in class::values(name, config, &self.worker) {
                info!(connector = name, "{line}");
            }
            for notice in &plan.notices {
                warn!(connector = name, "{notice}");
            }
        }
        let rules =
            self.rules(&plan, number, failed, &hidden).map_err(|why| resolved.hide(&why))?;
        let names: Vec<String> = rules.iter().map(|rule| rule.name.clone()).collect();
        // Names of several tasks and of the configuration's own connectors may meet.
        let running = self.bridge.status();
        if let Some(taken) = running.iter().find(|one| names.iter().any(|name| *name == *one.name))
        {
            return Err(format!("another connector has the name {:?} already", taken.name));
        }
        let crew = self.bridge.add_rules_of(name, rules).map_err(|errors| {
            let errors: Vec<String> = errors.into_iter().map(|error| error.message).collect();
            resolved.hide(&errors.join("\n"))
        })?;
        let handle = self.next.fetch_add(1, Ordering::Relaxed);
        let task = (name.to_owned(), number);
        self.running().insert(handle, Running { task, crew, rules: names });
        let handle = TaskHandle(handle);
        if paused {
            self.pause(&handle, true);
        }
        Ok(handle)
    }

    fn pause(&self, task: &TaskHandle, pause: bool) {
        let rules = self.running().get(&task.0).map(|running| running.rules.clone());
        for rule in rules.unwrap_or_default() {
            self.bridge.pause(&rule, pause);
        }
    }

    fn trouble(&self, name: &str, number: usize) -> Option<String> {
        let running = self.running();
        let mut tasks = running.values().filter(|one| one.task.0 == name && one.task.1 == number);
        let rules = tasks.next()?.rules.clone();
        drop(running);
        self.bridge.remote_trouble(&rules)
    }

    fn end(&self, task: TaskHandle) {
        let running = self.running().remove(&task.0);
        if let Some(running) = running {
            self.bridge.remove(running.crew, GRACE);
        }
    }

    fn hold(&self, task: TaskHandle) {
        let running = self.running().remove(&task.0);
        if let Some(Running { task: (name, _), crew, .. }) = running {
            self.bridge.hold(&name, crew, GRACE);
        }
    }

    fn let_go(&self, name: &str) {
        self.bridge.let_go(name);
    }

    fn keeps(&self, task: &TaskHandle) -> bool {
        let rules = self.running().get(&task.0).map(|running| running.rules.clone());
        rules.is_some_and(|rules| self.bridge.takes_here(&rules))
    }

    fn topics(&self, name: &str) -> BTreeSet<String> {
        let topics = self.used().get(name).cloned();
        topics.map(|topics| topics.list()).unwrap_or_default()
    }

    fn forget_topics(&self, name: &str) {
        if let Some(topics) = self.used().get(name) {
            topics.forget();
        }
    }

    fn forget(&self, name: &str) {
        self.used().remove(name);
    }

    fn offsets(&self, name: &str, config: &Properties) -> Result<Offsets, String> {
        let plan = Resolved::new(&self.worker, config).plan(name);
        let plan = plan.map_err(|error| error.to_string())?;
        match plan.tasks.first().and_then(|task| reading(&task.work)) {
            Some(reading) => {
                let (properties, oauth) = self.bridge.kafka(&plan.overrides);
                let topics = named(reading)?;
                let places = group::committed(&properties, oauth, &reading.group_id, &topics)?;
                Ok(places.into_iter().map(shown).collect())
            }
            // A source goes on where its clients do: there is nothing to be at.
            None => Ok(Offsets::new()),
        }
    }

    fn alter_offsets(
        &self,
        name: &str,
        config: &Properties,
        offsets: &Offsets,
    ) -> Result<(), NotAltered> {
        let failed = NotAltered::Failed;
        let plan = Resolved::new(&self.worker, config).plan(name);
        let plan = plan.map_err(|error| failed(error.to_string()))?;
        match plan.tasks.first().and_then(|task| reading(&task.work)) {
            Some(reading) => {
                let (properties, oauth) = self.bridge.kafka(&plan.overrides);
                if offsets.is_empty() {
                    let reset = delete_group(&properties, oauth, &reading.group_id);
                    return reset.map_err(failed);
                }
                let places = places(offsets, |topics| {
                    group::beginnings(&properties, oauth, topics).map_err(failed)
                });
                group::commit(&properties, oauth, &reading.group_id, &places?).map_err(failed)
            }
            None if offsets.is_empty() => Ok(()),
            None => Err(NotAltered::Wrong("a source of MQTT messages has no offsets".to_owned())),
        }
    }

    fn plugins(&self) -> Vec<Plugin> {
        class::plugins()
    }

    fn config_keys(&self, class: &str) -> Option<Vec<ConfigKey>> {
        class::config_keys(class)
    }

    fn validate(&self, config: &Properties) -> Result<Validation, InvalidConfig> {
        Resolved::new(&self.worker, config).validate()
    }

    fn kafka_cluster_id(&self) -> Option<String> {
        let bridge = Arc::clone(&self.bridge);
        self.cluster.get(move || {
            let (properties, oauth) = bridge.kafka(&ClientProperties::default());
            group::cluster_id(&properties, oauth)
        })
    }
}

/// What a sink reads.
fn reading(work: &Work) -> Option<&Reading> {
    match work {
        Work::Source(_) => None,
        Work::MqttSink(work) => Some(&work.reading),
        Work::InfluxSink(work) => Some(&work.reading),
    }
}
