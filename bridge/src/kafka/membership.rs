//! A member of a consumer group that reads nothing: what it is given are partitions of a topic, which
//! stand for work.
//!
//! Invariants. A partition is given back only once [`Member::has_ended`] says that nothing of it runs
//! any more, unless Kafka has taken it away already. A lease is what Kafka has confirmed: it takes an
//! offset from a member of the present generation alone, and with that the member stays one for
//! another session timeout, counted from when the offset was sent.

use std::sync::Arc;
use std::time::{Duration, Instant};

use midge_config::{ClientProperties, Oauth};
use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::KafkaError;
use rdkafka::topic_partition_list::TopicPartitionList;
use tracing::{debug, warn};

use super::context::Callbacks;
use super::properties;
use super::thread::{Stop, Worker};
use super::topics::{self, CompactedTopic};
use super::verdict;

mod context;
mod renewal;

use context::{Context, Event};
use renewal::Renewal;

/// How long a poll waits, and how often a member is asked whether it has ended its work.
const POLL: Duration = Duration::from_millis(100);
/// How long after a fatal error a new consumer is made.
const AGAIN: Duration = Duration::from_secs(1);
/// How long the last renewal may take.
const CLOSING: Duration = Duration::from_secs(2);

/// Who the member is and how long it may be silent.
#[derive(Clone, Debug)]
pub(crate) struct Terms {
    /// The group.
    pub(crate) group_id: String,
    /// The topic whose partitions are shared out; it is made if it is not there.
    pub(crate) topic: CompactedTopic,
    /// After that without a word Kafka gives its partitions to others.
    pub(crate) session_timeout: Duration,
    /// How often it says a word.
    pub(crate) heartbeat_interval: Duration,
    /// How long giving partitions back may take.
    pub(crate) rebalance_timeout: Duration,
}

/// Whose work the partitions stand for; called from one thread, and never waited for.
pub(crate) trait Member: Send + Sync + 'static {
    /// The topic has so many partitions; whether the member joins now.
    fn joins(&self, partitions: i32) -> bool;

    /// These are its own from now on.
    fn assigned(&self, partitions: &[i32]);

    /// These are to be given back, or have been taken away already.
    fn revoked(&self, partitions: &[i32], taken: bool);

    /// Whether nothing runs any more of what was to be given back.
    fn has_ended(&self) -> bool;

    /// Nobody else is given what is its own before that time.
    fn renewed(&self, until: Instant);

    /// Some time has passed.
    fn tick(&self, now: Instant);
}

/// A handle on the thread.
pub(crate) struct Membership(Worker);

impl Membership {
    /// Makes the client, so that what is wrong with its properties is known at once, and starts the
    /// thread.
    pub(crate) fn start(
        terms: Terms,
        properties: &ClientProperties,
        oauth: Option<&Oauth>,
        member: Arc<dyn Member>,
    ) -> Result<Membership, String> {
        let millis = |time: Duration| time.as_millis().to_string();
        let group = &terms.group_id;
        let mut config = properties::consumer(group, properties, group, "latest");
        config.set("partition.assignment.strategy", "cooperative-sticky");
        config.set("session.timeout.ms", millis(terms.session_timeout));
        config.set("heartbeat.interval.ms", millis(terms.heartbeat_interval));
        // librdkafka tells Kafka this as the rebalance timeout.
        let rebalance = terms.rebalance_timeout.max(terms.session_timeout);
        config.set("max.poll.interval.ms", millis(rebalance));
        let callbacks = Arc::new(Callbacks::new(group, oauth)?);
        create(&config, &callbacks).map_err(|error| properties::explain(&error, properties))?;
        let oauth = oauth.cloned();
        let worker = Worker::spawn("connect-group".to_owned(), move |stop| {
            let joined = Joined { terms, config, oauth, callbacks, member, trouble: None };
            joined.run(&stop);
        });
        worker.map(Membership).map_err(|error| format!("a thread cannot be started: {error}"))
    }

    pub(crate) fn stop(&self, deadline: Instant) {
        self.0.stop(deadline);
    }

    pub(crate) fn join(&self, deadline: Instant) {
        self.0.join(deadline);
    }
}

fn create(
    config: &ClientConfig,
    callbacks: &Arc<Callbacks>,
) -> Result<BaseConsumer<Context>, KafkaError> {
    config.create_with_context(Context::new(Arc::clone(callbacks)))
}

struct Joined {
    terms: Terms,
    config: ClientConfig,
    oauth: Option<Oauth>,
    callbacks: Arc<Callbacks>,
    member: Arc<dyn Member>,
    /// What was last said to be wrong.
    trouble: Option<String>,
}

impl Joined {
    /// One consumer after another, until told to stop.
    fn run(mut self, stop: &Stop) {
        while stop.deadline().is_none() {
            match create(&self.config, &self.callbacks).map_err(|error| error.to_string()) {
                Ok(consumer) => {
                    let consumer = Arc::new(consumer);
                    if let Err(why) = self.take_part(&consumer, stop) {
                        self.say(why);
                    }
                    // Closing gives everything back and leaves the group.
                    consumer.context().close();
                }
                Err(why) => self.say(why),
            }
            if stop.deadline().is_none() {
                std::thread::park_timeout(AGAIN);
            }
        }
    }

    fn say(&mut self, why: String) {
        if self.trouble.as_ref() != Some(&why) {
            let group = &self.terms.group_id;
            warn!(group, error = why, "trouble with the group of workers, trying again");
            self.trouble = Some(why);
        }
    }

    /// Takes part until told to stop, or until the consumer breaks for good.
    fn take_part(
        &mut self,
        consumer: &Arc<BaseConsumer<Context>>,
        stop: &Stop,
    ) -> Result<(), String> {
        let partitions = self.partitions(consumer)?;
        while !self.member.joins(partitions) {
            if stop.deadline().is_some() {
                return Ok(());
            }
            std::thread::park_timeout(POLL);
        }
        consumer.subscribe(&[&self.terms.topic.name]).map_err(|error| error.to_string())?;
        let renewal = Renewal::start(consumer, &self.terms, &self.member)
            .map_err(|error| format!("a thread cannot be started: {error}"))?;
        let result = self.share(consumer, &renewal, stop);
        renewal.end(Instant::now() + CLOSING);
        result
    }

    /// Takes what it is given and gives back what it has to.
    fn share(
        &mut self,
        consumer: &BaseConsumer<Context>,
        renewal: &Renewal,
        stop: &Stop,
    ) -> Result<(), String> {
        let mut own: Vec<i32> = Vec::new();
        let mut going: Option<Vec<i32>> = None;
        while stop.deadline().is_none() {
            // Records there may be are of others.
            if let Some(Err(KafkaError::MessageConsumptionFatal(code))) = consumer.poll(POLL) {
                self.member.revoked(&own, true);
                return Err(code.to_string());
            }
            for event in consumer.context().take() {
                match event {
                    Event::Assigned(partitions) => {
                        self.assign(consumer, &partitions);
                        own.extend(&partitions);
                        self.trouble = None;
                        self.member.assigned(&partitions);
                    }
                    Event::Revoked(partitions, taken) => {
                        own.retain(|partition| !partitions.contains(partition));
                        self.member.revoked(&partitions, taken);
                        match taken {
                            true => self.unassign(consumer, &partitions),
                            false => going = Some(partitions),
                        }
                    }
                }
            }
            renewal.set(own.first().copied());
            if going.is_some()
                && (self.member.has_ended() || consumer.assignment_lost())
                && let Some(partitions) = going.take()
            {
                self.unassign(consumer, &partitions);
            }
            self.member.tick(Instant::now());
            self.listen();
        }
        self.member.revoked(&own, false);
        Ok(())
    }

    fn partitions(&self, consumer: &BaseConsumer<Context>) -> Result<i32, String> {
        let topic = &self.terms.topic;
        let callbacks = Callbacks::new(&self.terms.group_id, self.oauth.as_ref())?;
        topics::make(&self.config, callbacks, topic)?;
        let partitions = topics::partitions(consumer, &topic.name)?;
        Ok(i32::try_from(partitions.len()).unwrap_or(i32::MAX))
    }

    fn list(&self, partitions: &[i32]) -> TopicPartitionList {
        let mut list = TopicPartitionList::with_capacity(partitions.len());
        for partition in partitions {
            list.add_partition(&self.terms.topic.name, *partition);
        }
        list
    }

    fn assign(&self, consumer: &BaseConsumer<Context>, partitions: &[i32]) {
        let list = self.list(partitions);
        if let Err(error) = consumer.incremental_assign(&list) {
            debug!(%error, "partitions were not assigned");
        }
        // What is in them is nothing to a member.
        if let Err(error) = consumer.pause(&list) {
            debug!(%error, "partitions were not paused");
        }
    }

    fn unassign(&self, consumer: &BaseConsumer<Context>, partitions: &[i32]) {
        if let Err(error) = consumer.incremental_unassign(&self.list(partitions)) {
            debug!(%error, "partitions were not given back");
        }
    }

    /// What librdkafka complains of, unless it is that Kafka is away: the lease tells that.
    fn listen(&mut self) {
        for (code, why) in self.callbacks.take_errors() {
            if !verdict::is_away(code) {
                self.say(why);
            }
        }
    }
}
