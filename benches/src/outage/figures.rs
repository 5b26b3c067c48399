//! What the samples and the audit of an outage come to: a table by phase, and a verdict.
//!
//! Memory, disk and what waits are the most that a sample found in a phase.

use std::time::Duration;

use serde_json::{Value, json};

use super::audit::Audit;
use super::publish::Published;
use super::{Phase, RATE};
use crate::report::{aligned, told};
use crate::window::Faults;

/// A backlog has to go at this many times the rate at which messages come.
const DRAIN: f64 = 5.0;

/// One look at everything.
#[derive(Clone, Debug)]
pub(super) struct Sample {
    /// Since the run began.
    pub(super) at: Duration,
    pub(super) phase: Phase,
    pub(super) acknowledged: u64,
    /// In Kafka, while there is one.
    pub(super) records: Option<u64>,
    pub(super) resident_bytes: u64,
    pub(super) disk_bytes: u64,
    /// CPU time of the broker so far.
    pub(super) cpu: Duration,
}

impl Sample {
    fn json(&self) -> Value {
        json!({
            "seconds": self.at.as_secs_f64(),
            "kafka": self.phase.name(),
            "acknowledged": self.acknowledged,
            "records": self.records,
            "resident_bytes": self.resident_bytes,
            "disk_bytes": self.disk_bytes,
            "cpu_seconds": self.cpu.as_secs_f64(),
        })
    }
}

/// What one phase showed.
#[derive(Debug)]
struct Figures {
    phase: Phase,
    seconds: f64,
    acknowledged: u64,
    /// p50, p99 and the longest, in milliseconds.
    latency_millis: [f64; 3],
    resident_bytes: u64,
    disk_bytes: u64,
    waiting: u64,
    cores: f64,
}

/// What a run showed.
#[derive(Debug)]
pub(crate) struct Outcome {
    away: Duration,
    phases: Vec<Figures>,
    samples: Vec<Sample>,
    /// From Kafka's return to its first new record.
    pub(super) reconnect_seconds: f64,
    /// From that record until Kafka had caught up.
    drain_seconds: f64,
    /// Records that Kafka took meanwhile.
    pub(super) drain_per_second: f64,
    disk_bytes_at_end: u64,
    messages: u64,
    records: u64,
    repeated: u64,
    faults: Faults,
}

/// Sums a run up.
pub(super) fn outcome(
    away: Duration,
    samples: &[Sample],
    published: Published,
    audit: Audit,
) -> Outcome {
    let mut faults = published.faults;
    faults.merge(audit.faults);
    let phases = Phase::ALL.map(|phase| {
        let latency = &published.latencies[phase as usize];
        let latency_millis = [0.5, 0.99, 1.0].map(|share| {
            latency.percentile(share).map_or(f64::NAN, |found| found.as_secs_f64() * 1e3)
        });
        figures(samples, phase, latency_millis)
    });
    let [reconnect_seconds, drain_seconds, drain_per_second] = drain(samples);
    if drain_per_second.is_nan() || drain_per_second < DRAIN * RATE {
        let least = DRAIN * RATE;
        faults.violation(format!("{drain_per_second:.0} records/s, expected {least:.0}"));
    }
    Outcome {
        away,
        phases: phases.into(),
        samples: samples.to_vec(),
        reconnect_seconds,
        drain_seconds,
        drain_per_second,
        disk_bytes_at_end: samples.last().map_or(0, |sample| sample.disk_bytes),
        messages: published.sent.iter().sum(),
        records: audit.records,
        repeated: audit.repeated,
        faults,
    }
}

fn figures(samples: &[Sample], phase: Phase, latency_millis: [f64; 3]) -> Figures {
    let inside = || samples.iter().filter(|sample| sample.phase == phase);
    let most = |value: fn(&Sample) -> u64| inside().map(value).max().unwrap_or(0);
    let before = samples.iter().take_while(|sample| sample.phase != phase).last();
    let from = before.or(inside().next());
    let (mut seconds, mut acknowledged, mut cores) = (0.0, 0, f64::NAN);
    if let (Some(from), Some(to)) = (from, inside().next_back()) {
        seconds = (to.at - from.at).as_secs_f64();
        acknowledged = to.acknowledged - from.acknowledged;
        cores = to.cpu.saturating_sub(from.cpu).as_secs_f64() / seconds;
    }
    // While Kafka is away it has what it had.
    let mut records = 0;
    let mut waiting = 0;
    for sample in samples {
        records = sample.records.unwrap_or(records);
        if sample.phase == phase {
            waiting = waiting.max(sample.acknowledged.saturating_sub(records));
        }
    }
    Figures {
        phase,
        seconds,
        acknowledged,
        latency_millis,
        resident_bytes: most(|sample| sample.resident_bytes),
        disk_bytes: most(|sample| sample.disk_bytes),
        waiting,
        cores,
    }
}

/// Seconds to the first new record, seconds from there until Kafka had caught up, records a second
/// meanwhile.
fn drain(samples: &[Sample]) -> [f64; 3] {
    let returned = samples.iter().rfind(|sample| sample.phase == Phase::Away);
    let before = samples.iter().rfind(|sample| sample.phase == Phase::Before);
    let catching: Vec<&Sample> =
        samples.iter().filter(|sample| sample.phase == Phase::CatchingUp).collect();
    let (Some(returned), Some(before), Some(end)) = (returned, before, catching.last()) else {
        return [f64::NAN; 3];
    };
    // The last look at which nothing had come; Kafka has what it had when it went, and what was on
    // its way then.
    let had = before.records.max(catching[0].records.filter(|_| catching.len() > 1));
    let base = catching.iter().take_while(|sample| sample.records <= had).last();
    let from = base.map_or(returned.at, |sample| sample.at);
    let seconds = (end.at - from).as_secs_f64();
    let records = end.records.unwrap_or(0).saturating_sub(had.unwrap_or(0));
    [(from - returned.at).as_secs_f64(), seconds, records as f64 / seconds]
}

impl Outcome {
    /// Whether everything arrived in order, and fast enough.
    pub(crate) fn is_clean(&self) -> bool {
        self.faults.is_clean()
    }

    /// The table by phase and what came of the whole.
    pub(crate) fn markdown(&self) -> String {
        let head = [
            "Kafka",
            "seconds",
            "acknowledged",
            "a second",
            "p50 ms",
            "p99 ms",
            "longest ms",
            "waiting",
            "RSS MB",
            "disk MB",
            "cores",
        ];
        let rows: Vec<Vec<String>> = self.phases.iter().map(Figures::row).collect();
        let mut out = aligned(&head.map(str::to_owned), &rows, 1);
        let resident = self.phases.iter().map(|phase| phase.resident_bytes).max().unwrap_or(0);
        out += &format!(
            "\noutage: Kafka killed, started again after {} s; {RATE:.0} messages/s throughout\n\
             first record {:.1} s after its return; then {:.0} records/s for {:.1} s, {:.1} times \
             the rate of the publishers\n\
             memory: at most {}; on disk in the end: {}\n\
             {} messages, {} records: {} repeated\n",
            self.away.as_secs_f64(),
            self.reconnect_seconds,
            self.drain_per_second,
            self.drain_seconds,
            self.drain_per_second / RATE,
            megabytes(resident) + " MB",
            megabytes(self.disk_bytes_at_end) + " MB",
            self.messages,
            self.records,
            self.repeated,
        );
        out += &match self.faults.is_clean() {
            true => "every acknowledged message is in Kafka, in order by topic\n".to_owned(),
            false => format!("FAULT outage: {}\n", told(&self.faults)),
        };
        out
    }

    /// The same with every sample.
    pub(crate) fn json(&self) -> Value {
        json!({
            "away_seconds": self.away.as_secs_f64(),
            "messages_per_second": RATE,
            "phases": self.phases.iter().map(Figures::json).collect::<Vec<_>>(),
            "reconnect_seconds": self.reconnect_seconds,
            "drain_seconds": self.drain_seconds,
            "drain_records_per_second": self.drain_per_second,
            "disk_bytes_at_end": self.disk_bytes_at_end,
            "messages": self.messages,
            "records": self.records,
            "repeated": self.repeated,
            "lost": self.faults.lost,
            "reordered": self.faults.reordered,
            "unacknowledged": self.faults.unacknowledged,
            "violations": self.faults.violations,
            "samples": self.samples.iter().map(Sample::json).collect::<Vec<_>>(),
        })
    }
}

impl Figures {
    fn row(&self) -> Vec<String> {
        let [p50, p99, longest] = self.latency_millis;
        vec![
            self.phase.name().to_owned(),
            format!("{:.1}", self.seconds),
            self.acknowledged.to_string(),
            format!("{:.0}", self.acknowledged as f64 / self.seconds),
            format!("{p50:.1}"),
            format!("{p99:.1}"),
            format!("{longest:.0}"),
            self.waiting.to_string(),
            megabytes(self.resident_bytes),
            megabytes(self.disk_bytes),
            format!("{:.2}", self.cores),
        ]
    }

    fn json(&self) -> Value {
        json!({
            "kafka": self.phase.name(),
            "seconds": self.seconds,
            "acknowledged": self.acknowledged,
            "latency_millis_p50_p99_max": self.latency_millis,
            "waiting": self.waiting,
            "resident_bytes": self.resident_bytes,
            "disk_bytes": self.disk_bytes,
            "cores": self.cores,
        })
    }
}

fn megabytes(bytes: u64) -> String {
    format!("{:.0}", bytes as f64 / 1e6)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::histogram::Histogram;

    fn sample(seconds: u64, phase: Phase, acknowledged: u64, records: Option<u64>) -> Sample {
        Sample {
            at: Duration::from_secs(seconds),
            phase,
            acknowledged,
            records,
            resident_bytes: 1_000_000 * seconds,
            disk_bytes: 2_000_000,
            cpu: Duration::from_secs(seconds) / 2,
        }
    }

    /// Kafka goes after 10 s and is back after 110; its first records are there two seconds later.
    fn samples(caught_up: u64) -> Vec<Sample> {
        use Phase::{After, Away, Before, CatchingUp};
        vec![
            sample(5, Before, 25_000, Some(25_000)),
            sample(10, Before, 50_000, Some(49_000)),
            sample(60, Away, 300_000, None),
            sample(110, Away, 550_000, None),
            sample(111, CatchingUp, 555_000, Some(50_000)),
            sample(112, CatchingUp, 560_000, Some(50_000)),
            sample(113, CatchingUp, 565_000, Some(90_000)),
            sample(caught_up, CatchingUp, 650_000, Some(650_000)),
            sample(caught_up + 1, After, 655_000, Some(655_000)),
        ]
    }

    fn summed_up(caught_up: u64, audit: Audit) -> Outcome {
        let latencies = std::array::from_fn(|_| Histogram::new());
        let published = Published { sent: vec![1, 2], latencies, faults: Faults::default() };
        outcome(Duration::from_secs(100), &samples(caught_up), published, audit)
    }

    #[test]
    fn drain_counts_from_the_last_look_without_a_new_record() {
        let [reconnect, seconds, rate] = drain(&samples(132));
        assert_eq!((reconnect, seconds, rate), (2.0, 20.0, 30_000.0));
        let short: Vec<Sample> =
            samples(132).into_iter().filter(|s| s.at.as_secs() > 112).collect();
        assert!(drain(&short)[2].is_nan(), "nothing to compare with");
    }

    #[test]
    fn a_phase_begins_where_the_one_before_ended() {
        let found = figures(&samples(132), Phase::Away, [0.0; 3]);
        assert_eq!((found.seconds, found.acknowledged, found.cores), (100.0, 500_000, 0.5));
        assert_eq!((found.waiting, found.resident_bytes), (501_000, 110_000_000));
        assert_eq!(figures(&samples(132), Phase::CatchingUp, [0.0; 3]).waiting, 510_000);
    }

    #[test]
    fn a_lost_message_or_a_slow_drain_is_a_fault_and_a_repetition_is_not() {
        let clean = summed_up(132, Audit { records: 9, repeated: 6, ..Audit::default() });
        assert!(clean.is_clean());
        assert!(clean.markdown().contains("3 messages, 9 records: 6 repeated\nevery acknowledged"));
        let slow = summed_up(152, Audit::default());
        assert!(slow.markdown().ends_with("FAULT outage: 15000 records/s, expected 25000\n"));
        let faults = Faults { lost: 2, ..Faults::default() };
        let lossy = summed_up(132, Audit { faults, ..Audit::default() });
        assert!(!lossy.is_clean());
        assert_eq!(lossy.json()["lost"], 2);
        assert!(lossy.markdown().ends_with("FAULT outage: 2 lost\n"));
    }
}
