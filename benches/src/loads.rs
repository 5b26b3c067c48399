//! The loads that every broker runs: who publishes to whom, as fast as it goes or at a rate.
//!
//! Each load is one row a broker. The bare relay runs what it can: messages at QoS 0.

use std::io;

use crate::load::{self, Figures, Shape, Timing};
use crate::options::Options;
use crate::peers::MOSQUITTO;
use crate::publish::Plan;
use crate::report::{Report, Run, Series, Table};
use crate::scenario::Bench;

/// The table of loads that are saturated.
pub(crate) const SATURATED: &str = "saturated";
/// The table of loads at a rate.
pub(crate) const AT_RATES: &str = "at-rates";

/// How fast a load goes.
#[derive(Clone, Copy)]
enum Pace {
    /// Whenever a window is open.
    Saturated,
    /// So many deliveries a second.
    Rate(f64),
    /// The same for all brokers: half of what Mosquitto was found to deliver.
    Half(f64),
}

/// One load.
#[derive(Clone, Copy)]
struct Load {
    shape: Shape,
    qos: u8,
    payload_bytes: usize,
    pace: Pace,
}

impl Load {
    fn name(self) -> String {
        let Self { shape, qos, payload_bytes, pace } = self;
        let pace = match pace {
            Pace::Saturated => String::new(),
            Pace::Rate(rate) => format!(", {rate}/s"),
            Pace::Half(_) => ", half of mosquitto's most".to_owned(),
        };
        format!("{}, QoS {qos}, {payload_bytes} bytes{pace}", shape.name())
    }

    /// Deliveries a second, when it has a rate.
    fn rate(self) -> Option<f64> {
        match self.pace {
            Pace::Saturated => None,
            Pace::Rate(rate) | Pace::Half(rate) => Some(rate),
        }
    }

    fn plan(self, options: &Options) -> Plan {
        let rate = self.rate().map(|deliveries| deliveries / self.shape.copies() as f64);
        Plan {
            qos: self.qos,
            window: options.window,
            payload_bytes: self.payload_bytes,
            rate,
            subscribed: true,
            timed: false,
        }
    }
}

/// One publisher, 200 subscribers, saturated.
pub(crate) fn fan_out(bench: &Bench<'_>, report: &mut Report) -> io::Result<()> {
    saturated(bench, report, Shape::FanOut, &bench.options.qos)
}

/// 200 publishers, one subscriber, saturated.
pub(crate) fn fan_in(bench: &Bench<'_>, report: &mut Report) -> io::Result<()> {
    saturated(bench, report, Shape::FanIn, &bench.options.qos)
}

/// 100 publishers, each with a subscriber of its own, saturated.
pub(crate) fn pairs(bench: &Bench<'_>, report: &mut Report) -> io::Result<()> {
    saturated(bench, report, Shape::Pairs, &bench.options.qos)
}

fn saturated(
    bench: &Bench<'_>,
    report: &mut Report,
    shape: Shape,
    levels: &[u8],
) -> io::Result<()> {
    for payload_bytes in bench.options.payloads.iter().copied() {
        for qos in levels.iter().copied() {
            measure(bench, report, Load { shape, qos, payload_bytes, pace: Pace::Saturated });
        }
    }
    Ok(())
}

/// The pairs at fixed rates, for the latency.
pub(crate) fn rate(bench: &Bench<'_>, report: &mut Report) -> io::Result<()> {
    at_rates(bench, report, Shape::Pairs, &bench.options.qos)
}

/// Fan-out at fixed rates, which is where a broker can gather least.
pub(crate) fn fan_out_rate(bench: &Bench<'_>, report: &mut Report) -> io::Result<()> {
    at_rates(bench, report, Shape::FanOut, &bench.options.qos)
}

fn at_rates(bench: &Bench<'_>, report: &mut Report, shape: Shape, levels: &[u8]) -> io::Result<()> {
    for payload_bytes in bench.options.payloads.iter().copied() {
        for qos in levels.iter().copied() {
            for rate in bench.options.rates.iter().copied() {
                let pace = Pace::Rate(rate);
                measure(bench, report, Load { shape, qos, payload_bytes, pace });
            }
        }
    }
    Ok(())
}

/// The pairs at half of what Mosquitto delivers here, for the latency when nobody is at the limit.
pub(crate) fn half(bench: &Bench<'_>, report: &mut Report) -> io::Result<()> {
    let Some(mosquitto) = bench.peers.iter().find(|peer| peer.name == MOSQUITTO) else {
        report.skipped.push("half, there is no mosquitto to find the rate with".into());
        return Ok(());
    };
    let options = bench.options;
    for payload_bytes in options.payloads.iter().copied() {
        for qos in options.qos.iter().copied() {
            let load = Load { shape: Shape::Pairs, qos, payload_bytes, pace: Pace::Saturated };
            let before = report.median(SATURATED, &load.name(), MOSQUITTO, "messages_per_second");
            let (plan, timing) = (load.plan(options), timing(options));
            let run = || load::run(mosquitto, load.shape, plan, timing, bench.directory);
            let most = before.map_or_else(|| run().map(|figures| figures.per_second), Ok);
            match most {
                Ok(most) => {
                    let pace = Pace::Half((most / 2.0).round());
                    measure(bench, report, Load { pace, ..load });
                }
                Err(error) => report.skipped.push(format!("half at QoS {qos}, mosquitto: {error}")),
            }
        }
    }
    Ok(())
}

/// Every load that a bound is set for, whatever else is chosen.
pub(crate) fn requirements(bench: &Bench<'_>, report: &mut Report) -> io::Result<()> {
    saturated(bench, report, Shape::FanOut, &[0, 1])?;
    saturated(bench, report, Shape::FanIn, &[0, 1])?;
    saturated(bench, report, Shape::Pairs, &[0, 1, 2])?;
    at_rates(bench, report, Shape::FanOut, &[0])?;
    at_rates(bench, report, Shape::Pairs, &[0])
}

/// Runs a load over all brokers, unless another scenario has done so already.
fn measure(bench: &Bench<'_>, report: &mut Report, load: Load) {
    let (options, name) = (bench.options, load.name());
    let place = match load.pace {
        Pace::Saturated => SATURATED,
        Pace::Rate(_) | Pace::Half(_) => AT_RATES,
    };
    if report.has(place, &name) {
        return;
    }
    let mut table = match load.pace {
        Pace::Saturated => table(place),
        Pace::Rate(_) | Pace::Half(_) => {
            table(place).median("share_of_the_rate", "of the rate", 2).chart("latency_millis_p99")
        }
    };
    let contenders = if load.qos == 0 { bench.everyone() } else { bench.brokers() };
    let plan = load.plan(options);
    let runs = bench.rounds(&contenders, |contender| {
        let figures = load::run(contender, load.shape, plan, timing(options), bench.directory)?;
        let (micros, speed) = (figures.cpu_micros, figures.per_second);
        eprintln!("{name}, {}: {micros:.2} µs a message, {speed:.0}/s", contender.name);
        let mut run = Run::from(figures);
        run.values.extend(load.rate().map(|rate| speed / rate));
        Ok(run)
    });
    table.add(&name, runs);
    report.add(table);
}

pub(crate) fn timing(options: &Options) -> Timing {
    Timing { warm_up: options.warm_up, seconds: options.seconds, count: options.count }
}

/// An empty table with a column for each of the figures of a load.
pub(crate) fn table(name: &str) -> Table {
    Table::new(name)
        .median("messages_per_second", "messages/s", 0)
        .median("cpu_micros_per_message", "CPU µs/message", 2)
        .ratio("cpu_micros_per_message", "ratio")
        .median("instructions_per_message", "instructions/message", 0)
        .median("latency_millis_p50", "p50 ms", 2)
        .median("latency_millis_p99", "p99 ms", 2)
        .median("latency_millis_p999", "p99.9 ms", 2)
        .median("cores_broker", "cores: broker", 2)
        .median("cores_publishers", "pub.", 2)
        .median("cores_subscribers", "sub.", 2)
        .chart("cpu_micros_per_message")
}

impl Table {
    /// Adds the series of one load to a table that was made by `table`.
    pub(crate) fn with(mut self, series: Vec<Series>) -> Self {
        for series in series {
            let runs = series.runs.into_iter().map(|run| run.map(Run::from));
            self.add(&series.load, [(series.broker, runs.collect())]);
        }
        self
    }
}

impl From<Figures> for Run {
    fn from(figures: Figures) -> Self {
        let [p50, p99, p999] = figures.latency_millis.unwrap_or([f64::NAN; 3]);
        let [broker, publishers, subscribers] = figures.loads;
        let values = [
            figures.per_second,
            figures.cpu_micros,
            figures.instructions.unwrap_or(f64::NAN),
            p50,
            p99,
            p999,
            broker,
            publishers,
            subscribers,
        ];
        Self { values: values.into(), messages: figures.deliveries, faults: figures.faults }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_a_run_stand_where_their_table_has_them() {
        let figures = Figures {
            deliveries: 9,
            per_second: 1.0,
            cpu_micros: 2.0,
            instructions: Some(3.0),
            latency_millis: Some([4.0, 5.0, 6.0]),
            loads: [7.0, 8.0, 9.0],
            ..Figures::default()
        };
        let run = Run::from(figures);
        let table = table("any");
        assert_eq!(run.values.len(), table.values.len());
        for (name, value) in [
            ("messages_per_second", 1.0),
            ("cpu_micros_per_message", 2.0),
            ("instructions_per_message", 3.0),
            ("latency_millis_p99", 5.0),
            ("cores_subscribers", 9.0),
        ] {
            assert_eq!(run.values[table.value(name).unwrap()], value, "{name}");
        }
    }

    #[test]
    fn deliveries_of_a_rate_are_shared_among_the_copies() {
        let options = Options::default();
        let load =
            Load { shape: Shape::FanOut, qos: 0, payload_bytes: 64, pace: Pace::Rate(20_000.0) };
        assert_eq!(load.plan(&options).rate, Some(100.0));
        assert_eq!(load.name(), "fan-out 1→200, QoS 0, 64 bytes, 20000/s");
        let saturated = Load { pace: Pace::Saturated, shape: Shape::Pairs, ..load };
        assert_eq!(saturated.plan(&options).rate, None);
        assert_eq!(saturated.name(), "100 pairs, QoS 0, 64 bytes");
    }
}
