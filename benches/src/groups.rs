//! Shared subscriptions: one hundred publishers, and groups in which each message comes to one member.
//!
//! A delivery is a message that came to a group; it is a fault when none of a group's members has it,
//! or two of them, or when one member has a publisher's messages out of order.

use std::io;

use crate::link;
use crate::load::{self, Figures};
use crate::loads::{self, timing};
use crate::options::Options;
use crate::process::{Broker, Contender};
use crate::publish::{Plan, Source};
use crate::report::{Report, Series};
use crate::scenario::Bench;
use crate::subscribe::{Hears, Member};

const PUBLISHERS: usize = 100;

/// So many groups of so many members each.
const LOADS: [(usize, usize); 3] = [(1, 10), (1, 100), (10, 10)];

/// Every load at every QoS.
pub(crate) fn run(bench: &Bench<'_>, report: &mut Report) -> io::Result<()> {
    for (groups, members) in LOADS {
        for qos in &bench.options.qos {
            let load = match groups {
                1 => format!("{PUBLISHERS}→group of {members}, QoS {qos}"),
                _ => format!("{PUBLISHERS}→{groups} groups of {members}, QoS {qos}"),
            };
            let runs = bench.rounds(&bench.brokers(), |contender| {
                let figures = one(bench, contender, groups, members, *qos)?;
                eprintln!("{load}, {}: {:.2} µs each", contender.name, figures.cpu_micros);
                Ok(figures)
            });
            let named = |(broker, runs)| Series { load: load.clone(), broker, runs };
            report.add(loads::table("groups").with(runs.into_iter().map(named).collect()));
        }
    }
    Ok(())
}

fn one(
    bench: &Bench<'_>,
    contender: &Contender,
    groups: usize,
    members: usize,
    qos: u8,
) -> io::Result<Figures> {
    let broker = contender.start(bench.directory, &[])?;
    measure(&broker, bench.options, groups, members, qos)
        .map_err(|error| broker.explain(&error.to_string()))
}

fn measure(
    broker: &Broker,
    options: &Options,
    groups: usize,
    members: usize,
    qos: u8,
) -> io::Result<Figures> {
    let hears = Hears { first: 0, count: PUBLISHERS };
    let mut subscribers = Vec::new();
    for group in 0..groups {
        for member in 0..members {
            let mut stream = link::open(broker.port, &format!("member-{group}-{member}"))?;
            link::subscribe(&mut stream, &format!("$share/group-{group}/bench/+"), qos)?;
            subscribers.push(Member { stream: stream.into(), hears, group: Some(group) });
        }
    }
    let open = |index| link::open(broker.port, &format!("publisher-{index}")).map(Source::from);
    let publishers = (0..PUBLISHERS).map(open).collect::<io::Result<_>>()?;
    let plan = Plan {
        qos,
        window: options.window,
        payload_bytes: options.payload_bytes,
        rate: None,
        subscribed: true,
        timed: false,
    };
    load::drive_clients(broker, publishers, subscribers, plan, timing(options))
        .map(|(figures, _)| figures)
}
