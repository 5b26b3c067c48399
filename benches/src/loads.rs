//! The loads that every broker runs: who publishes to whom, as fast as it goes or at a rate.
//!
//! Each load is one row a broker, for every size and QoS that was asked for.

use std::io;

use crate::load::{self, Figures, Shape, Timing};
use crate::options::Options;
use crate::publish::Plan;
use crate::report::{Report, Run, Series, Table};
use crate::scenario::Bench;

/// One publisher, 200 subscribers, saturated.
pub(crate) fn fan_out(bench: &Bench<'_>, report: &mut Report) -> io::Result<()> {
    each(bench, report, Shape::FanOut, None)
}

/// 200 publishers, one subscriber, saturated.
pub(crate) fn fan_in(bench: &Bench<'_>, report: &mut Report) -> io::Result<()> {
    each(bench, report, Shape::FanIn, None)
}

/// 100 publishers, each with a subscriber of its own, saturated.
pub(crate) fn pairs(bench: &Bench<'_>, report: &mut Report) -> io::Result<()> {
    each(bench, report, Shape::Pairs, None)
}

/// The pairs at fixed rates, for the latency.
pub(crate) fn rate(bench: &Bench<'_>, report: &mut Report) -> io::Result<()> {
    each(bench, report, Shape::Pairs, Some(bench.options.rate))
}

fn each(bench: &Bench<'_>, report: &mut Report, shape: Shape, rate: Option<f64>) -> io::Result<()> {
    for qos in &bench.options.qos {
        report.add(table("loads").with(one(bench, shape, *qos, rate)));
    }
    Ok(())
}

fn one(bench: &Bench<'_>, shape: Shape, qos: u8, rate: Option<f64>) -> Vec<Series> {
    let options = bench.options;
    let speed = rate.map_or_else(String::new, |rate| format!(", {rate}/s"));
    let load = format!("{}, QoS {qos}{speed}", shape.name());
    let plan = Plan {
        qos,
        window: options.window,
        payload_bytes: options.payload_bytes,
        rate: rate.map(|deliveries| deliveries / shape.copies() as f64),
        subscribed: true,
        timed: false,
    };
    let runs = bench.rounds(&bench.brokers(), |contender| {
        let figures = load::run(contender, shape, plan, timing(options), bench.directory)?;
        let (micros, speed) = (figures.cpu_micros, figures.per_second);
        eprintln!("{load}, {}: {micros:.2} µs a message, {speed:.0}/s", contender.name);
        Ok(figures)
    });
    runs.into_iter().map(|(broker, runs)| Series { load: load.clone(), broker, runs }).collect()
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
        .median("latency_millis_p50", "p50 ms", 2)
        .median("latency_millis_p99", "p99 ms", 2)
        .median("latency_millis_p999", "p99.9 ms", 2)
        .median("cores_broker", "cores: broker", 2)
        .median("cores_publishers", "pub.", 2)
        .median("cores_subscribers", "sub.", 2)
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
