//! What durable messages cost: QoS 1 to stored sessions, with persistence on.
//!
//! Messages have 256 bytes, and the time that counts is the publisher's, until its PUBACK. A broker
//! that acknowledges before it has stored anything shows it here as speed, and in `recovery` as loss.

use std::io;
use std::net::TcpStream;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::drain::Session;
use crate::link;
use crate::load::{self, Figures, Timing};
use crate::loads::timing;
use crate::options::Options;
use crate::process::{Broker, Contender};
use crate::publish::Plan;
use crate::report::{Report, Run, Table};
use crate::scenario::Bench;
use crate::subscribe::Hears;
use crate::window::Faults;

/// Bytes of a message.
pub(crate) const PAYLOAD: usize = 256;
/// Publishers, each to a session of its own, in the load with sessions that come and go.
const SESSIONS: usize = 100;
/// How long one of these sessions is connected at a time.
const VISIT: Duration = Duration::from_millis(50);
/// That load is measured for so many times as long, so that every session comes by.
const LONGER: u32 = 5;

/// Who takes the messages.
#[derive(Clone, Copy)]
enum Load {
    /// So many publishers to one stored session that is away.
    Offline(usize),
    /// So many to one that is there.
    Online(usize),
    /// A hundred, each to a session of its own that is there.
    Pairs,
    /// A hundred sessions, filled while away and drained in turn, and one that is never drained. At
    /// a fixed rate: else the longest wait would be that in the publishers' own queue.
    Filled,
}

const LOADS: [Load; 8] = [
    Load::Offline(1),
    Load::Offline(10),
    Load::Offline(100),
    Load::Online(1),
    Load::Online(10),
    Load::Online(100),
    Load::Pairs,
    Load::Filled,
];

impl Load {
    fn name(self, options: &Options) -> String {
        match self {
            Self::Offline(publishers) => format!("{publishers}→1 session, offline"),
            Self::Online(publishers) => format!("{publishers}→1 session, online"),
            Self::Pairs => format!("{SESSIONS} pairs, stored sessions online"),
            Self::Filled => format!("{SESSIONS} sessions in turn, 1 never, {}/s", options.rate),
        }
    }
}

/// Runs all loads over all brokers.
pub(crate) fn run(bench: &Bench<'_>, report: &mut Report) -> io::Result<()> {
    let mut table = Table::new("durable")
        .median("messages_per_second", "messages/s", 0)
        .median("cpu_micros_per_message", "CPU µs/message", 2)
        .ratio("cpu_micros_per_message", "ratio")
        .median("written_bytes_per_message", "bytes written/message", 0)
        .median("acknowledgement_millis_p50", "p50 ms", 2)
        .median("acknowledgement_millis_p99", "p99 ms", 2)
        .longest("acknowledgement_millis_longest", "longest ms", 1)
        .chart("cpu_micros_per_message");
    for load in LOADS {
        let name = load.name(bench.options);
        let runs = bench.rounds(&bench.configured(), |contender| {
            let figures = one(bench.options, contender, load, bench.directory)?;
            let (speed, bytes) = (figures.per_second, figures.written);
            eprintln!("{name}, {}: {speed:.0}/s, {bytes:.0} bytes", contender.name);
            let [p50, p99, longest] = figures.latency_millis.unwrap_or([f64::NAN; 3]);
            let values = [speed, figures.cpu_micros, bytes, p50, p99, longest];
            let (messages, faults) = (figures.deliveries, figures.faults);
            Ok(Run { values: values.into(), messages, faults })
        });
        table.add(&name, runs);
    }
    report.add(table);
    Ok(())
}

fn one(
    options: &Options,
    contender: &Contender,
    load: Load,
    directory: &Path,
) -> io::Result<Figures> {
    let broker = contender.start_stored(directory, true)?;
    let plan = Plan {
        qos: 1,
        window: options.window,
        payload_bytes: PAYLOAD,
        rate: matches!(load, Load::Filled).then_some(options.rate),
        subscribed: matches!(load, Load::Online(_) | Load::Pairs),
        timed: true,
    };
    let figures = match load {
        Load::Offline(publishers) => session(&broker, "stored", "bench/+")
            .and_then(link::leave)
            .and_then(|()| load::drive(&broker, publishers, Vec::new(), plan, timing(options)))
            .map(|(figures, _)| figures),
        Load::Online(publishers) => session(&broker, "stored", "bench/+").and_then(|stream| {
            let subscribers = vec![(stream, Hears { first: 0, count: publishers })];
            load::drive(&broker, publishers, subscribers, plan, timing(options))
                .map(|(figures, _)| figures)
        }),
        Load::Pairs => pairs(&broker, plan, timing(options)),
        Load::Filled => filled(&broker, plan, timing(options)),
    };
    figures.map_err(|error| broker.explain(&error.to_string()))
}

fn session(broker: &Broker, client_id: &str, filter: &str) -> io::Result<TcpStream> {
    let (mut stream, _) = link::open_stored(broker.port, client_id)?;
    link::subscribe(&mut stream, filter, 1)?;
    Ok(stream)
}

/// A hundred publishers, each to a stored session that is there.
fn pairs(broker: &Broker, plan: Plan, timing: Timing) -> io::Result<Figures> {
    let one = |place: usize| -> io::Result<(TcpStream, Hears)> {
        let stream = session(broker, &format!("session-{place}"), &format!("bench/{place}"))?;
        Ok((stream, Hears { first: place, count: 1 }))
    };
    let subscribers = (0..SESSIONS).map(one).collect::<io::Result<Vec<_>>>()?;
    load::drive(broker, SESSIONS, subscribers, plan, timing).map(|(figures, _)| figures)
}

/// A hundred sessions being filled, one of them after another drained, and one never.
fn filled(broker: &Broker, plan: Plan, timing: Timing) -> io::Result<Figures> {
    link::leave(session(broker, "never", "bench/0")?)?;
    let mut sessions = (0..SESSIONS as u32)
        .map(|place| Session::prepare(broker.port, format!("session-{place}"), place))
        .collect::<io::Result<Vec<_>>>()?;
    let timing = Timing { seconds: timing.seconds * LONGER, ..timing };
    let stop = AtomicBool::new(false);
    let (driven, drained) = std::thread::scope(|scope| {
        let draining = scope.spawn(|| drain_in_turn(broker, &mut sessions, &stop));
        let driven = load::drive(broker, SESSIONS, Vec::new(), plan, timing);
        stop.store(true, Ordering::Relaxed);
        (driven, draining.join())
    });
    let (mut figures, sent) = driven?;
    let mut faults = drained.map_err(|_| io::Error::other("the drain panicked"))??;
    // What is still queued comes as well, once and in order.
    for (session, sent) in sessions.iter_mut().zip(&sent) {
        session.visit(broker.port, Duration::MAX, *sent, &mut faults)?;
        faults.lost += sent.saturating_sub(session.received);
    }
    figures.faults.merge(faults);
    Ok(figures)
}

fn drain_in_turn(
    broker: &Broker,
    sessions: &mut [Session],
    stop: &AtomicBool,
) -> io::Result<Faults> {
    let mut faults = Faults::default();
    for place in (0..sessions.len()).cycle() {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        sessions[place].visit(broker.port, VISIT, u64::MAX, &mut faults)?;
    }
    Ok(faults)
}
