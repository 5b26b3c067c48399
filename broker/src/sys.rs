//! The `$SYS` topics, as dashboards made for Mosquitto read them.
//!
//! A thread of its own asks the workers at each interval and publishes, retained, what has changed
//! since; nobody waits for it.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use bytes::Bytes;
use midge_codec::{QoS, TopicName};
use midge_core::Inject;
use midge_store::Stats;

use crate::hub::Hub;
use crate::worker::report::Report;

/// The averages that are published, in minutes.
const MINUTES: [u64; 3] = [1, 5, 15];

/// The shortest time that a load is computed over.
const BRIEF: Duration = Duration::from_millis(1);

/// The thread that publishes `$SYS`; ends when dropped.
pub(crate) struct Sys {
    interval: Option<Sender<Option<Duration>>>,
    thread: Option<JoinHandle<()>>,
}

impl Sys {
    /// Starts publishing every `interval`, if there is one.
    pub(crate) fn start(hub: Arc<Hub>, interval: Option<Duration>) -> std::io::Result<Sys> {
        let (sender, intervals) = channel();
        let publisher = Publisher {
            hub,
            interval,
            started: Instant::now(),
            last_round: None,
            published: HashMap::new(),
            loads: Loads::default(),
            clients_maximum: 0,
        };
        let thread = std::thread::Builder::new().name("sys".to_owned()).spawn(move || {
            crate::broker::or_abort(|| {
                publisher.run(&intervals);
                Ok(())
            });
        })?;
        Ok(Sys { interval: Some(sender), thread: Some(thread) })
    }

    /// Publishes every `interval` from here on; `None` publishes no more.
    pub(crate) fn change(&self, interval: Option<Duration>) {
        if let Some(sender) = &self.interval {
            // The thread ends with the sender or with the process.
            let _ = sender.send(interval);
        }
    }
}

impl Drop for Sys {
    fn drop(&mut self) {
        drop(self.interval.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

struct Publisher {
    hub: Arc<Hub>,
    interval: Option<Duration>,
    started: Instant,
    last_round: Option<Instant>,
    /// What each topic said last; as many as are written below.
    published: HashMap<&'static str, String>,
    loads: Loads,
    /// The most clients at the end of an interval.
    clients_maximum: u64,
}

impl Publisher {
    fn run(mut self, intervals: &Receiver<Option<Duration>>) {
        loop {
            let changed = match self.interval {
                None => intervals.recv().map_err(|_| RecvTimeoutError::Disconnected),
                Some(interval) => {
                    self.round(interval);
                    intervals.recv_timeout(interval)
                }
            };
            match changed {
                Ok(interval) => self.interval = interval,
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    fn round(&mut self, interval: Duration) {
        self.publish("$SYS/broker/version", format!("midge version {}", env!("CARGO_PKG_VERSION")));
        let mut sum = Report::default();
        for report in self.hub.ask_reports() {
            sum += report.blocking_recv().unwrap_or_default();
        }
        let uptime = self.started.elapsed();
        self.publish("$SYS/broker/uptime", format!("{} seconds", uptime.as_secs()));
        // With persistence the messages are on disk, and those in memory are among them.
        let stored = self.hub.store.as_ref().map(|store| store.stats().live_bytes);
        let bytes = stored.unwrap_or(self.hub.memory.used() as u64);
        // The shards' own maxima need not have been at one time.
        self.clients_maximum = self.clients_maximum.max(sum.shard.clients_connected);
        sum.shard.clients_maximum = self.clients_maximum;
        for (topic, value) in counters(&sum, bytes) {
            self.publish(topic, value.to_string());
        }
        let now = Instant::now();
        // The first counts as a whole interval; after a change it need not have been one.
        let elapsed = self.last_round.replace(now).map_or(interval, |last| now - last);
        if let Some(store) = &self.hub.store {
            let (state, stats) = (store.state(), store.stats());
            self.publish("$SYS/broker/store/state", state.to_string());
            for (topic, value) in store_counters(&stats) {
                self.publish(topic, value.to_string());
            }
        }
        let loads: Vec<_> = self.loads.update(&sum, elapsed.max(BRIEF)).collect();
        for (topic, value) in loads {
            self.publish(topic, format!("{value:.2}"));
        }
    }

    /// Publishes what has changed.
    fn publish(&mut self, topic: &'static str, value: String) {
        if self.published.get(topic) == Some(&value) {
            return;
        }
        if let Ok(name) = TopicName::try_from(topic) {
            self.hub.inject(Box::new(Inject {
                ticket: None,
                client: None,
                topic: name,
                payload: Bytes::from(value.clone()),
                qos: QoS::ExactlyOnce,
                retain: true,
                properties: None,
                trail: Vec::new(),
                mark: None,
            }));
        }
        self.published.insert(topic, value);
    }
}

fn counters(sum: &Report, bytes: u64) -> [(&'static str, u64); 24] {
    let shard = &sum.shard;
    let waiting = shard.queued + shard.inflight;
    [
        ("$SYS/broker/clients/total", shard.clients_connected + shard.clients_disconnected),
        ("$SYS/broker/clients/connected", shard.clients_connected),
        ("$SYS/broker/clients/active", shard.clients_connected),
        ("$SYS/broker/clients/disconnected", shard.clients_disconnected),
        ("$SYS/broker/clients/inactive", shard.clients_disconnected),
        ("$SYS/broker/clients/maximum", shard.clients_maximum),
        ("$SYS/broker/clients/expired", shard.clients_expired),
        ("$SYS/broker/messages/received", shard.packets_received),
        ("$SYS/broker/messages/sent", shard.packets_sent),
        ("$SYS/broker/messages/inflight", shard.inflight),
        ("$SYS/broker/messages/stored", waiting + shard.retained),
        ("$SYS/broker/store/messages/count", waiting + shard.retained),
        ("$SYS/broker/store/messages/bytes", bytes),
        ("$SYS/broker/retained messages/count", shard.retained),
        ("$SYS/broker/subscriptions/count", shard.subscriptions),
        ("$SYS/broker/shared_subscriptions/count", shard.shared_subscriptions),
        ("$SYS/broker/publish/messages/received", shard.publish_received),
        ("$SYS/broker/publish/messages/sent", shard.publish_sent),
        ("$SYS/broker/publish/messages/dropped", shard.dropped.total()),
        ("$SYS/broker/publish/bytes/received", shard.publish_bytes_received),
        ("$SYS/broker/publish/bytes/sent", shard.publish_bytes_sent),
        ("$SYS/broker/bytes/received", sum.bytes_received),
        ("$SYS/broker/bytes/sent", sum.bytes_sent),
        ("$SYS/broker/messages/denied", shard.publish_denied),
    ]
}

/// The journal, which Mosquitto has not.
fn store_counters(stats: &Stats) -> [(&'static str, u64); 10] {
    [
        ("$SYS/broker/store/disk/bytes", stats.disk_bytes),
        ("$SYS/broker/store/disk/live", stats.live_bytes),
        ("$SYS/broker/store/disk/segments", stats.segments),
        ("$SYS/broker/store/queues/count", stats.queues),
        ("$SYS/broker/store/queues/entries", stats.entries),
        ("$SYS/broker/store/transactions", stats.transactions),
        ("$SYS/broker/store/waiting", stats.waiting),
        ("$SYS/broker/store/written/bytes", stats.written_bytes),
        ("$SYS/broker/store/syncs", stats.syncs),
        ("$SYS/broker/store/lost", stats.lost),
    ]
}

/// Moving averages a minute, over 1, 5 and 15 minutes.
#[derive(Default)]
struct Loads {
    before: [u64; SERIES],
    averages: [[f64; MINUTES.len()]; SERIES],
}

const SERIES: usize = 9;

macro_rules! load_topics {
    ($($name:literal),*) => {
        [$([
            concat!("$SYS/broker/load/", $name, "/1min"),
            concat!("$SYS/broker/load/", $name, "/5min"),
            concat!("$SYS/broker/load/", $name, "/15min"),
        ]),*]
    };
}

const LOAD_TOPICS: [[&str; MINUTES.len()]; SERIES] = load_topics!(
    "messages/received",
    "messages/sent",
    "publish/received",
    "publish/sent",
    "publish/dropped",
    "bytes/received",
    "bytes/sent",
    "sockets",
    "connections"
);

impl Loads {
    fn update(
        &mut self,
        sum: &Report,
        interval: Duration,
    ) -> impl Iterator<Item = (&'static str, f64)> + use<> {
        let shard = &sum.shard;
        let now = [
            shard.packets_received,
            shard.packets_sent,
            shard.publish_received,
            shard.publish_sent,
            shard.dropped.total(),
            sum.bytes_received,
            sum.bytes_sent,
            sum.sockets_accepted,
            shard.connects,
        ];
        let seconds = interval.as_secs_f64();
        for (series, value) in now.into_iter().enumerate() {
            let new = value.saturating_sub(self.before[series]) as f64;
            let a_minute = new * 60.0 / seconds;
            for (average, minutes) in self.averages[series].iter_mut().zip(MINUTES) {
                // What is left of the old average after one interval.
                let kept = (-seconds / (60.0 * minutes as f64)).exp();
                *average = a_minute + kept * (*average - a_minute);
            }
        }
        self.before = now;
        let averages = self.averages;
        LOAD_TOPICS
            .into_iter()
            .zip(averages)
            .flat_map(|(topics, averages)| topics.into_iter().zip(averages))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_steady_rate_becomes_the_average_of_all_windows() {
        let mut loads = Loads::default();
        let mut report = Report::default();
        for _ in 0..10_000 {
            report.bytes_sent += 100;
            loads.update(&report, Duration::from_secs(10)).for_each(drop);
        }
        for average in loads.averages[6] {
            assert!((average - 600.0).abs() < 0.01, "{average}");
        }
    }
}
