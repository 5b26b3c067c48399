//! One message among many filters: what a delivery costs with 100, 10,000 and 100,000 of them.
//!
//! A hundred pairs share the filters, and each message matches exactly one. A publisher goes through
//! all the topics of its share, so that no two messages that follow each other have the same; or it
//! stays with one, and the other filters are only there. Memory is taken when all is subscribed and
//! nothing published.

use std::io;

use crate::growth::{self, Point};
use crate::idle::settled;
use crate::link;
use crate::load::{self, Figures};
use crate::loads::timing;
use crate::options::Options;
use crate::process::Broker;
use crate::publish::{Plan, Sends, Source, Topics};
use crate::report::{Report, Run, Table};
use crate::scenario::Bench;
use crate::subscribe::{Hears, Member};
use crate::wire::NUMBER;

/// How many filters there are in all.
const SIZES: [u64; 3] = [100, 10_000, 100_000];
const PAIRS: u64 = 100;
/// Filters in one SUBSCRIBE.
const AT_ONCE: usize = 100;

/// What the filters look like.
#[derive(Clone, Copy)]
enum Filters {
    /// The topics themselves.
    Exact,
    /// Half of them `bench/…/number/+`, half `bench/+/number/value/#`.
    Wildcards,
}

/// Where a publisher's messages go.
#[derive(Clone, Copy)]
enum Walk {
    /// To every topic of its share in turn.
    All,
    /// To one of them.
    One,
}

const LOADS: [(Filters, Walk); 3] =
    [(Filters::Exact, Walk::All), (Filters::Wildcards, Walk::All), (Filters::Wildcards, Walk::One)];

fn name(filters: Filters, walk: Walk) -> String {
    match walk {
        Walk::All => filters.name().to_owned(),
        Walk::One => format!("{}, {PAIRS} topics", filters.name()),
    }
}

impl Walk {
    /// The numbers of the topics to which a pair's publisher sends: the first, and how many.
    fn numbers(self, pair: u64, share: u64) -> (u64, u64) {
        match (self, share) {
            (Self::All, _) | (Self::One, 1) => (pair * share, share),
            // Every second pair an odd number, as when each has only one.
            (Self::One, _) => (pair * share + pair % 2, 1),
        }
    }
}

impl Filters {
    fn name(self) -> &'static str {
        match self {
            Self::Exact => "exact filters",
            Self::Wildcards => "filters with wildcards",
        }
    }

    /// The filter for the topic `bench/PAIR/NUMBER/value`.
    fn one(self, pair: u64, number: u64) -> String {
        match (self, number % 2) {
            (Self::Exact, _) => format!("bench/{pair}/{number:06}/value"),
            (Self::Wildcards, 0) => format!("bench/{pair}/{number:06}/+"),
            (Self::Wildcards, _) => format!("bench/+/{number:06}/value/#"),
        }
    }
}

/// Every load at every size, and how cost and memory grow.
pub(crate) fn run(bench: &Bench<'_>, report: &mut Report) -> io::Result<()> {
    let mut table = Table::new("filters")
        .median("messages_per_second", "messages/s", 0)
        .median("cpu_micros_per_message", "CPU µs/message", 2)
        .ratio("cpu_micros_per_message", "ratio")
        .median("resident_bytes_per_filter", "RSS bytes/filter", 0)
        .ratio("resident_bytes_per_filter", "ratio")
        .chart("cpu_micros_per_message");
    let mut growth = growth::table();
    for (filters, walk) in LOADS {
        let all = growth::at_sizes(bench, &SIZES, |contender, size| {
            let broker = contender.start(bench.directory, &[])?;
            let measured = measure(&broker, bench.options, filters, walk, size)
                .map_err(|error| broker.explain(&error.to_string()))?;
            let (load, peer) = (name(filters, walk), &contender.name);
            let (micros, bytes) = (measured.figures.cpu_micros, measured.bytes_each(size));
            eprintln!("{size} {load}, {peer}: {micros:.2} µs, {bytes:.0} bytes");
            Ok(measured)
        });
        let mut points = Vec::new();
        for (size, runs) in all {
            points.push((size, growth::points(&runs, Measured::point)));
            let runs = runs.into_iter().map(|(broker, runs)| {
                (broker, runs.into_iter().map(|run| run.map(|run| run.shown(size))).collect())
            });
            table.add(&format!("{size} {}", name(filters, walk)), runs);
        }
        let (least, most) = (SIZES[0], SIZES[SIZES.len() - 1]);
        growth::add(&mut growth, &format!("{least} → {most} {}", name(filters, walk)), &points);
    }
    report.add(table);
    report.add(growth);
    Ok(())
}

struct Measured {
    figures: Figures,
    /// Before anything was subscribed, and after.
    resident: [u64; 2],
}

impl Measured {
    fn bytes_each(&self, size: u64) -> f64 {
        (self.resident[1] as f64 - self.resident[0] as f64) / size as f64
    }

    fn point(&self) -> Point {
        let resident_bytes = self.resident[1] as f64;
        Point { cpu_micros: self.figures.cpu_micros, resident_bytes }
    }

    fn shown(self, size: u64) -> Run {
        // A hundred filters are less than the pages they are on.
        let bytes = if size < 1_000 { f64::NAN } else { self.bytes_each(size) };
        let Figures { per_second, cpu_micros, deliveries, faults, .. } = self.figures;
        Run { values: vec![per_second, cpu_micros, bytes], messages: deliveries, faults }
    }
}

fn measure(
    broker: &Broker,
    options: &Options,
    filters: Filters,
    walk: Walk,
    size: u64,
) -> io::Result<Measured> {
    let share = size / PAIRS;
    let mut streams = (0..PAIRS)
        .map(|pair| link::open(broker.port, &format!("subscriber-{pair}")))
        .collect::<io::Result<Vec<_>>>()?;
    let before = settled(broker)?;
    for (pair, stream) in (0..PAIRS).zip(&mut streams) {
        let numbers = pair * share..(pair + 1) * share;
        let all: Vec<String> = numbers.map(|number| filters.one(pair, number)).collect();
        for some in all.chunks(AT_ONCE) {
            link::subscribe_all(stream, some, 0)?;
        }
    }
    let resident = [before, settled(broker)?];
    let subscribers = streams
        .into_iter()
        .enumerate()
        .map(|(first, stream)| Member::from((stream, Hears { first, count: 1 })));
    let publishers = (0..PAIRS).map(|pair| {
        let stream = link::open(broker.port, &format!("publisher-{pair}"))?.into();
        let pattern = format!("bench/{pair}/{NUMBER}/value");
        let numbers = walk.numbers(pair, share);
        Ok(Source { stream, sends: Sends::Numbered(Topics { pattern, numbers }) })
    });
    let plan = Plan {
        qos: 0,
        window: options.window,
        payload_bytes: options.payload_bytes,
        rate: None,
        subscribed: true,
        timed: false,
    };
    let publishers = publishers.collect::<io::Result<_>>()?;
    let (figures, _) =
        load::drive_clients(broker, publishers, subscribers.collect(), plan, timing(options))?;
    Ok(Measured { figures, resident })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn publishers_keep_to_their_share_and_to_both_kinds_of_wildcards() {
        for share in [1, 100, 1_000] {
            for pair in 0..PAIRS {
                assert_eq!(Walk::All.numbers(pair, share), (pair * share, share));
                let (number, count) = Walk::One.numbers(pair, share);
                assert_eq!((count, number / share, number % 2), (1, pair, pair % 2));
            }
        }
    }

    #[test]
    fn filters_have_the_shapes_they_are_named_after() {
        assert_eq!(Filters::Exact.one(7, 12), "bench/7/000012/value");
        assert_eq!(Filters::Wildcards.one(7, 12), "bench/7/000012/+");
        assert_eq!(Filters::Wildcards.one(7, 13), "bench/+/000013/value/#");
    }
}
