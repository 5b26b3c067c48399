//! What a task of a plan comes to: rules of the bridge, joined to another broker where it names one.
//!
//! Invariant: what is wrong with a task is told before any of its rules runs.

use std::sync::Arc;

use bytes::Bytes;
use midge_config::{Ack, ClientProperties, Hidden, OffsetReset, Origin};
use midge_core::Client;
use midge_rules::pipeline::{InfluxPipeline, SinkPipeline, SourcePipeline, Stage};

use super::Runner;
use super::names::{rule_name, statement_numbers};
use crate::connect::definition::Properties;
use crate::connect::engine::Failed;
use crate::connect::plan::{
    Broker, InfluxSinkWork, MqttSinkWork, Plan, Reading, Retry, SourceWork, Work,
};
use crate::dead_letters::DeadLetterTopic;
use crate::delivery::{self, Delivery, Pipeline};
use crate::error_handling::ErrorHandling;
use crate::host::Host;
use crate::influx::Database;
use crate::mapping::{self, Mapping};
use crate::remote::{self, Voice};
use crate::rule::{self, Rule, acting_client};
use crate::settings::SinkPlan;
use crate::spool::Limits;
use crate::usage::Usage;

impl Runner {
    /// What counts a task's records.
    fn usage(&self, plan: &Plan) -> Arc<Usage> {
        let topics = self.used().entry(plan.name.clone()).or_default().clone();
        Arc::new(Usage::new(&plan.name, topics, plan.progress))
    }

    /// The rules of one task.
    pub(super) fn rules(
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
            let admin = &plan.dead_letter_clients.admin;
            let (properties, oauth) = match &task.work {
                Work::Source(_) => self.bridge.kafka(&plan.overrides.overridden(admin)),
                Work::MqttSink(_) | Work::InfluxSink(_) => self.bridge.kafka(admin),
            };
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
        let numbers = statement_numbers(work.rules.iter().map(|rule| &*rule.filters));
        for (statement, rule) in numbers.into_iter().zip(&work.rules) {
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
                letters: plan.dead_letter_clients.producer.clone(),
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
                letters: plan.dead_letter_clients.producer.clone(),
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
