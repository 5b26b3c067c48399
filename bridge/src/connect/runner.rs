//! Connectors by class, run by the bridge: what the herder asks of it.

mod cluster;
mod names;
mod offsets;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use midge_config::{Ack, ClientProperties, Hidden, MqttUser, OffsetReset, Origin, Providers};
use midge_core::Client;
use midge_rules::pipeline::{InfluxPipeline, SinkPipeline, SourcePipeline, Stage};
use tracing::{info, warn};

use super::class;
use super::definition::Properties;
use super::engine::{
    ConfigKey, ConnectorPlan, Engine, Failed, InvalidConfig, NotAltered, Offsets, Plugin,
    TaskHandle, TaskPlan, Validation,
};
use super::plan::{
    Broker, InfluxSinkWork, MqttSinkWork, Plan, Reading, Retry, SourceWork, Work, Worker,
};
use super::resolved::Resolved;
use crate::bridge::{Bridge, CrewId};
use crate::dead_letters::DeadLetterTopic;
use crate::delivery::{self, Delivery, Pipeline};
use crate::error_handling::ErrorHandling;
use crate::host::Host;
use crate::influx::Database;
use crate::kafka::{delete_group, group};
use crate::mapping::{self, Mapping};
use crate::remote::{self, Remotes, Voice};
use crate::rule::{self, Rule, acting_client};
use crate::settings::SinkPlan;
use crate::spool::Limits;
use crate::usage::{TopicsInUse, Usage};
use cluster::ClusterId;
use names::rule_name;
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

    /// What counts a task's records.
    fn usage(&self, plan: &Plan) -> Arc<Usage> {
        let topics = self.used().entry(plan.name.clone()).or_default().clone();
        Arc::new(Usage::new(&plan.name, topics, plan.progress))
    }

    /// The rules of one task.
    fn rules(
        &self,
        plan: &Plan,
        number: usize,
        failed: Failed,
        hidden: &Hidden,
    ) -> Result<Vec<Rule>, String> {
        let task = plan.tasks.get(number).ok_or("the connector has no such task any more")?;
        let failed: Arc<dyn Fn(String) + Send + Sync> = Arc::from(failed);
        let letters = plan.errors.dead_letters.as_ref();
        let topic = letters.map(|letters| {
            let (properties, oauth) = self.bridge.kafka(&plan.overrides);
            let failed = Arc::clone(&failed);
            DeadLetterTopic::prepare(&plan.name, letters, properties, oauth.cloned(), failed)
        });
        let topic = topic.transpose()?;
        let errors = |skip| {
            let failed = Arc::clone(&failed);
            let failed = Box::new(move |trace| failed(trace));
            let topic = topic.clone();
            ErrorHandling::new(&plan.name, number, plan.errors.clone(), skip, topic, failed)
                .hiding(hidden.clone())
        };
        let mut rules = match &task.work {
            Work::Source(work) => {
                let mut rules = self.sources(plan, number, work, errors)?;
                self.join_remote_sources(&mut rules, work, &failed)?;
                rules
            }
            Work::MqttSink(work) => {
                let mut rule = self.sink(plan, number, work, errors(None))?;
                self.join_remote_sink(&mut rule, work, &failed)?;
                vec![rule]
            }
            Work::InfluxSink(work) => vec![self.influx(plan, number, work, errors(None))?],
        };
        rules.iter_mut().for_each(|rule| rule.hidden = hidden.clone());
        Ok(rules)
    }

    fn sources(
        &self,
        plan: &Plan,
        number: usize,
        work: &SourceWork,
        errors: impl Fn(Option<Stage>) -> ErrorHandling,
    ) -> Result<Vec<Rule>, String> {
        let client = self.client(plan, &work.broker)?;
        let ack = self.ack(work);
        let limits = Limits {
            messages: work.buffer.1.max(1),
            bytes: work.buffer.0.max(1),
            after: (ack == Ack::Spool).then_some(work.spool.after),
            durable_is_enough: ack == Ack::Spool,
            max_bytes: work.spool.max_bytes,
            max_age: work.spool.max_age,
            full: work.spool.full,
            byte_rate: work.producer_byte_rate,
        };
        let generation = generation(&plan.tasks[number].config);
        let usage = self.usage(plan);
        let mut rules = Vec::new();
        for (statement, rule) in work.rules.iter().enumerate() {
            let pipeline = SourcePipeline::new(rule.parts.clone());
            // What is asked of errors holds for records that Kafka does not take, too.
            let asks = plan.errors.dead_letters.is_some() || plan.errors.retry != Retry::default();
            let mapping = if pipeline.is_plain() && !work.skip_unconvertible && !asks {
                Mapping::Rule(pipeline.rule().clone())
            } else {
                let skip = work.skip_unconvertible.then_some(Stage::TaskPoll);
                let piped = mapping::Piped::new(pipeline, errors(skip))?;
                Mapping::Pipeline(Box::new(piped))
            };
            rules.push(Rule {
                name: rule_name(plan, number, statement, work.rules.len()),
                origin: Origin::Whole,
                overrides: plan.overrides.clone(),
                client: client.clone(),
                host: None,
                usage: Some(Arc::clone(&usage)),
                hidden: Hidden::default(),
                work: rule::Work::Source {
                    mapping,
                    filters: rule.filters.clone(),
                    limits: limits.clone(),
                    waits: ack != Ack::None,
                    generation: generation.clone(),
                },
            });
        }
        Ok(rules)
    }

    fn sink(
        &self,
        plan: &Plan,
        number: usize,
        work: &MqttSinkWork,
        errors: ErrorHandling,
    ) -> Result<Rule, String> {
        let client = self.client(plan, &work.broker)?;
        let pipeline = Pipeline::Mqtt(SinkPipeline::new(work.parts.clone()));
        let piped = delivery::Piped::new(pipeline, errors, work.policy)?;
        Ok(Rule {
            name: rule_name(plan, number, 0, 1),
            origin: Origin::Whole,
            overrides: self.of_consumer(plan),
            client,
            host: None,
            usage: Some(self.usage(plan)),
            hidden: Hidden::default(),
            work: rule::Work::Sink {
                delivery: Delivery::Pipeline(Box::new(piped)),
                plan: sink_plan(&work.reading),
                database: None,
            },
        })
    }

    fn influx(
        &self,
        plan: &Plan,
        number: usize,
        work: &InfluxSinkWork,
        errors: ErrorHandling,
    ) -> Result<Rule, String> {
        let pipeline = InfluxPipeline::new(work.parts.clone(), &work.statements);
        let piped = delivery::Piped::new(Pipeline::Influx(pipeline), errors, work.policy)?;
        // A write has points of all statements: the smallest batch is the one that all obey.
        let batch = work.statements.iter().filter_map(|statement| statement.batch).min();
        let points_max = batch.and_then(|batch| usize::try_from(batch.get()).ok());
        let database = Database::new(&work.database, points_max.unwrap_or(usize::MAX))?;
        Ok(Rule {
            name: rule_name(plan, number, 0, 1),
            origin: Origin::Whole,
            overrides: self.of_consumer(plan),
            client: None,
            host: None,
            usage: Some(self.usage(plan)),
            hidden: Hidden::default(),
            work: rule::Work::Sink {
                delivery: Delivery::Pipeline(Box::new(piped)),
                plan: sink_plan(&work.reading),
                database: Some(database),
            },
        })
    }

    /// What a sink's consumer has of its own: of a worker that is one of a group, its partitions come
    /// free as soon as the task that had them is started elsewhere.
    fn of_consumer(&self, plan: &Plan) -> ClientProperties {
        let mut overrides = plan.overrides.clone();
        let Some((session, heartbeat)) = self.worker.session else { return overrides };
        let said = self.bridge.kafka(&overrides).0;
        for (name, time) in [("session.timeout.ms", session), ("heartbeat.interval.ms", heartbeat)]
        {
            if !said.plain.contains_key(name) {
                overrides.plain.insert(name.to_owned(), time.as_millis().to_string());
            }
        }
        overrides
    }

    /// What a publisher's acknowledgement waits for. What another broker was told in exchange for a
    /// place on this worker's disk would stay there when the task goes to another worker.
    fn ack(&self, work: &SourceWork) -> Ack {
        match (&work.broker, work.ack) {
            (Broker::There(_), Ack::Spool) if self.worker.session.is_some() => Ack::Kafka,
            (_, ack) => ack,
        }
    }

    /// Whose rights count at this broker.
    fn client(&self, plan: &Plan, broker: &Broker) -> Result<Option<Arc<Client>>, String> {
        match broker {
            Broker::Here(None) => Ok(None),
            Broker::Here(Some(user)) => {
                (self.authenticate)(user)
                    .map_err(|why| format!("MQTT user {:?}: {why}", user.name))?;
                acting_client(&plan.name, &user.name).map(|client| Some(Arc::new(client)))
            }
            // The other broker knows its users.
            Broker::There(_) => Ok(None),
        }
    }

    /// Has the rules of a source take from another broker, if they are to.
    fn join_remote_sources(
        &self,
        rules: &mut [Rule],
        work: &SourceWork,
        failed: &Arc<dyn Fn(String) + Send + Sync>,
    ) -> Result<(), String> {
        let Broker::There(broker) = &work.broker else { return Ok(()) };
        let task = remote::Task {
            broker: broker.as_ref().clone(),
            qos: work.qos,
            filters: work.rules.iter().map(|rule| rule.filters.clone()).collect(),
            voice: self.voice(rules),
            failed: Arc::clone(failed),
        };
        let host: Arc<dyn Host> = Arc::new(remote::Source::start(&self.remotes.handle()?, task)?);
        rules.iter_mut().for_each(|rule| rule.host = Some(Arc::clone(&host)));
        Ok(())
    }

    /// Has the rule of a sink publish to another broker, if it is to.
    fn join_remote_sink(
        &self,
        rule: &mut Rule,
        work: &MqttSinkWork,
        failed: &Arc<dyn Fn(String) + Send + Sync>,
    ) -> Result<(), String> {
        let Broker::There(broker) = &work.broker else { return Ok(()) };
        let (runtime, voice) = (self.remotes.handle()?, self.voice(std::slice::from_ref(rule)));
        let host = remote::Sink::start(&runtime, broker, voice, Arc::clone(failed))?;
        rule.host = Some(Arc::new(host));
        Ok(())
    }

    fn voice(&self, rules: &[Rule]) -> Voice {
        Voice {
            bridge: Arc::downgrade(&self.bridge),
            rules: rules.iter().map(|rule| rule.name.clone()).collect(),
        }
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
        let crew = self.bridge.add_rules(rules).map_err(|errors| {
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

fn sink_plan(reading: &Reading) -> SinkPlan {
    SinkPlan {
        topics: reading.topics.clone(),
        group_id: reading.group_id.clone(),
        offset_reset: match reading.offset_reset {
            OffsetReset::Earliest => "earliest",
            OffsetReset::Latest => "latest",
        },
        max_under_way: reading.max_under_way.max(1),
    }
}

/// A few bytes that tell what these properties make of a message from what others make of it.
fn generation(config: &Properties) -> Bytes {
    // FNV-1a: it has to be the same in every run.
    let bytes = config.iter().flat_map(|(key, value)| [key, value]);
    let hash = bytes
        .flat_map(|part| part.bytes().chain([0xff]))
        .fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    Bytes::copy_from_slice(&hash.to_be_bytes())
}
