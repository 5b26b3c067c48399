//! One run of one shape of load against one fresh broker.
//!
//! The measured interval lies inside the run: the load is steady before it begins and after it
//! ends, and what the run proves (all came, once, in order) covers the whole of it.

use std::io;
use std::net::TcpStream;
use std::path::Path;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use crate::histogram::Histogram;
use crate::process::{self, Broker, Contender, Counters};
use crate::publish::{self, Plan, Source};
use crate::shared::Shared;
use crate::subscribe::{self, Hears, Member, Received};
use crate::window::Faults;
use crate::{link, relay};

/// A run that delivers nothing for this long when counting messages is given up.
const LONGEST: Duration = Duration::from_secs(120);

/// Who publishes to whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// One publisher, 200 subscribers.
    FanOut,
    /// 200 publishers, one subscriber.
    FanIn,
    /// 100 publishers, each with a subscriber of its own.
    Pairs,
}

impl Shape {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::FanOut => "fan-out 1→200",
            Self::FanIn => "fan-in 200→1",
            Self::Pairs => "100 pairs",
        }
    }

    /// How many publish.
    pub(crate) fn publishers(self) -> usize {
        match self {
            Self::FanOut => 1,
            Self::FanIn => 200,
            Self::Pairs => 100,
        }
    }

    /// The filter of each subscriber, and the publishers it hears by that.
    fn subscribers(self) -> Vec<(String, Hears)> {
        match self {
            Self::FanOut => vec![("bench/0".into(), Hears { first: 0, count: 1 }); 200],
            Self::FanIn => vec![("bench/+".into(), Hears { first: 0, count: 200 })],
            Self::Pairs => {
                (0..100).map(|i| (format!("bench/{i}"), Hears { first: i, count: 1 })).collect()
            }
        }
    }

    /// How many subscribers get each message.
    pub(crate) fn copies(self) -> usize {
        match self {
            Self::FanOut => 200,
            Self::FanIn | Self::Pairs => 1,
        }
    }
}

/// How long the load runs before and during the measured interval.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Timing {
    pub(crate) warm_up: Duration,
    pub(crate) seconds: Duration,
    /// Ends the interval at this many deliveries instead of after `seconds`.
    pub(crate) count: Option<u64>,
}

/// What one run showed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Figures {
    pub(crate) deliveries: u64,
    pub(crate) per_second: f64,
    /// Broker CPU microseconds a delivered message.
    pub(crate) cpu_micros: f64,
    /// Instructions of the broker a delivered message, in user mode, where the machine counts them.
    pub(crate) instructions: Option<f64>,
    /// p50, p99 and p99.9 in milliseconds, when latency was measured; of acknowledgements p50, p99
    /// and the longest.
    pub(crate) latency_millis: Option<[f64; 3]>,
    /// CPU seconds a second: broker, publishing thread, subscribing thread.
    pub(crate) loads: [f64; 3],
    /// Bytes a message that the broker sent to the disk.
    pub(crate) written: f64,
    /// Resident memory of the broker at the end of the interval.
    pub(crate) resident_bytes: u64,
    pub(crate) faults: Faults,
}

/// Counters at one moment.
struct Snapshot {
    at: Instant,
    units: u64,
    instructions: Option<u64>,
    written: u64,
    resident: u64,
    cpu: [Duration; 3],
}

/// Runs one shape once.
pub(crate) fn run(
    contender: &Contender,
    shape: Shape,
    plan: Plan,
    timing: Timing,
    directory: &Path,
) -> io::Result<Figures> {
    let broker = contender.start(directory, &[])?;
    let measure = if contender.speaks_mqtt() { measure } else { measure_relay };
    measure(&broker, shape, plan, timing).map_err(|error| broker.explain(&error.to_string()))
}

/// The same bytes through the relay, which knows subscribers by the publishers they hear.
fn measure_relay(relay: &Broker, shape: Shape, plan: Plan, timing: Timing) -> io::Result<Figures> {
    let hear = |(_, hears): (String, Hears)| {
        relay::hear(relay.port, hears).map(|stream| Member::from((stream, hears)))
    };
    let subscribers = shape.subscribers().into_iter().map(hear).collect::<io::Result<_>>()?;
    let speak = |index| relay::speak(relay.port, index as u32).map(Source::from);
    let publishers = (0..shape.publishers()).map(speak).collect::<io::Result<_>>()?;
    drive_clients(relay, publishers, subscribers, plan, timing).map(|(figures, _)| figures)
}

fn measure(broker: &Broker, shape: Shape, plan: Plan, timing: Timing) -> io::Result<Figures> {
    let mut subscribers = Vec::new();
    for (index, (filter, hears)) in shape.subscribers().into_iter().enumerate() {
        let mut stream = link::open(broker.port, &format!("subscriber-{index}"))?;
        link::subscribe(&mut stream, &filter, plan.qos)?;
        subscribers.push((stream, hears));
    }
    drive(broker, shape.publishers(), subscribers, plan, timing).map(|(figures, _)| figures)
}

/// Publishes for a while, and tells how many messages each publisher has sent in all. Without
/// subscribers, what counts is what the broker acknowledged.
pub(crate) fn drive(
    broker: &Broker,
    publishers: usize,
    subscribers: Vec<(TcpStream, Hears)>,
    plan: Plan,
    timing: Timing,
) -> io::Result<(Figures, Vec<u64>)> {
    let open = |index| link::open(broker.port, &format!("publisher-{index}")).map(Source::from);
    let publishers = (0..publishers).map(open).collect::<io::Result<_>>()?;
    let subscribers = subscribers.into_iter().map(Member::from).collect();
    drive_clients(broker, publishers, subscribers, plan, timing)
}

/// As `drive`, with publishers that are connected already and subscribers that may share.
pub(crate) fn drive_clients(
    broker: &Broker,
    publishers: Vec<Source>,
    subscribers: Vec<Member>,
    plan: Plan,
    timing: Timing,
) -> io::Result<(Figures, Vec<u64>)> {
    let receive = (!subscribers.is_empty())
        .then_some(|shared: &Shared| subscribe::run(shared, plan.qos, plan.window, subscribers));
    drive_into(broker, publishers, receive, plan, timing)
}

/// As `drive_clients`, with any receiver: it tells by what is shared what it has, and ends when
/// nothing more will come.
pub(crate) fn drive_into(
    broker: &Broker,
    publishers: Vec<Source>,
    receive: Option<impl FnOnce(&Shared) -> io::Result<Received> + Send>,
    plan: Plan,
    timing: Timing,
) -> io::Result<(Figures, Vec<u64>)> {
    let shared = &Shared::new(publishers.len())?;
    let heard = receive.is_some();
    std::thread::scope(|scope| {
        let subscribing = receive.map(|receive| scope.spawn(move || receive(shared)));
        let publishing = scope.spawn(move || publish::run(shared, plan, publishers));
        let counter = if heard { &shared.delivered } else { &shared.acknowledged };
        let interval = observe(broker, shared, timing, &|| counter.load(Ordering::Acquire));
        shared.stop.store(true, Ordering::SeqCst);
        if interval.is_err() {
            shared.failed.store(true, Ordering::SeqCst);
        }
        let published = publishing.join().map_err(|_| io::Error::other("publishers panicked"))?;
        shared.finish.store(true, Ordering::SeqCst);
        let received = subscribing.map(std::thread::ScopedJoinHandle::join).transpose();
        let received = received.map_err(|_| io::Error::other("subscribers panicked"))?;
        let (mut published, received) = (published?, received.transpose()?);

        let latency = if plan.timed {
            Some((&published.acknowledged, 1.0))
        } else {
            received.as_ref().map(|received| (&received.latency, 0.999))
        };
        let mut figures = figures(&interval?, latency);
        figures.faults.merge(std::mem::take(&mut published.faults));
        if let Some(received) = received {
            if received.faults.violations.is_empty() {
                figures.faults.lost = received.lost(&published.sent);
            } else {
                // The subscribers gave up: what was under way then is nobody's loss.
                figures.faults.unacknowledged = 0;
            }
            figures.faults.merge(received.faults);
        }
        Ok((figures, published.sent))
    })
}

/// What subscribers get of messages that another source has: `begin` sets it going once they are
/// there. Measured between so many and so many of them.
pub(crate) fn hear(
    broker: &Broker,
    subscribers: Vec<(TcpStream, Hears)>,
    qos: u8,
    sent: &[u64],
    interval: (u64, u64),
    begin: impl FnOnce() -> io::Result<()>,
) -> io::Result<Figures> {
    let shared = &Shared::new(sent.len())?;
    let members = subscribers.into_iter().map(Member::from).collect();
    // Nobody waits for the subscribers: all of a publisher's messages may be under way.
    let window = sent.iter().max().copied().unwrap_or(1) as usize;
    std::thread::scope(|scope| {
        let subscribing = scope.spawn(move || subscribe::run(shared, qos, window, members));
        let interval =
            begin().and_then(|()| observe_share(broker, shared, interval, sent.iter().sum()));
        if interval.is_err() {
            shared.failed.store(true, Ordering::SeqCst);
        }
        shared.finish.store(true, Ordering::SeqCst);
        let received =
            subscribing.join().map_err(|_| io::Error::other("subscribers panicked"))??;
        let mut figures = figures(&interval?, None);
        if received.faults.violations.is_empty() {
            figures.faults.lost = received.lost(sent);
        }
        figures.faults.merge(received.faults);
        Ok(figures)
    })
}

/// A tenth and nine tenths of so many messages: where measuring them begins and ends.
pub(crate) fn share(total: u64) -> (u64, u64) {
    (total / 10, total - total / 10)
}

fn observe_share(
    broker: &Broker,
    shared: &Shared,
    (first, last): (u64, u64),
    total: u64,
) -> io::Result<[Snapshot; 2]> {
    let units = &|| shared.delivered.load(Ordering::Acquire);
    let counters = broker.counters();
    let take = || Snapshot::take(broker, shared, counters.as_ref(), units);
    wait(shared, LONGEST, &|| units() >= first);
    let before = take()?;
    wait(shared, LONGEST, &|| units() >= last);
    let after = take()?;
    wait(shared, link::PATIENCE, &|| units() >= total);
    Ok([before, after])
}

/// Warms up, then takes the counters at both ends of the interval.
fn observe(
    broker: &Broker,
    shared: &Shared,
    timing: Timing,
    units: &dyn Fn() -> u64,
) -> io::Result<[Snapshot; 2]> {
    // A bridge may need a while for its first record: the warm-up begins behind it.
    wait(shared, link::PATIENCE, &|| units() > 0);
    wait(shared, timing.warm_up, &|| false);
    let counters = broker.counters();
    let take = || Snapshot::take(broker, shared, counters.as_ref(), units);
    let before = take()?;
    shared.measuring.store(true, Ordering::Relaxed);
    match timing.count {
        Some(count) => wait(shared, LONGEST, &|| units() >= before.units + count),
        None => wait(shared, timing.seconds, &|| false),
    }
    let after = take()?;
    shared.measuring.store(false, Ordering::Relaxed);
    Ok([before, after])
}

/// Waits as long as told, or until `done`, or until a load thread gave up.
fn wait(shared: &Shared, limit: Duration, done: &dyn Fn() -> bool) {
    let until = Instant::now() + limit;
    while !done() && !shared.failed.load(Ordering::Relaxed) {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return;
        }
        std::thread::sleep(left.min(Duration::from_millis(5)));
    }
}

impl Snapshot {
    fn take(
        broker: &Broker,
        shared: &Shared,
        counters: Option<&Counters>,
        units: &dyn Fn() -> u64,
    ) -> io::Result<Self> {
        let thread = |place: usize| match shared.threads[place].load(Ordering::Acquire) {
            // Publishers alone: there is no subscribing thread.
            0 => Duration::ZERO,
            // A thread that gave up has no time to read; the run fails by its fault.
            id => process::thread_cpu(id).unwrap_or_default(),
        };
        // What is divided by each other is read together, what takes long behind it.
        let (at, units, spent) = (Instant::now(), units(), broker.cpu()?);
        let instructions = counters.and_then(Counters::read);
        let cpu = [spent, thread(0), thread(1)];
        let written = broker.written_bytes()?;
        let resident = broker.resident_bytes()?;
        Ok(Self { at, units, instructions, written, resident, cpu })
    }
}

/// The latencies come with the highest share that is to be told.
fn figures([before, after]: &[Snapshot; 2], latency: Option<(&Histogram, f64)>) -> Figures {
    let seconds = (after.at - before.at).as_secs_f64();
    let units = after.units - before.units;
    let spent = |place: usize| after.cpu[place].saturating_sub(before.cpu[place]).as_secs_f64();
    let millis = |latency: &Histogram, share| {
        latency.percentile(share).map_or(f64::NAN, |found| found.as_secs_f64() * 1e3)
    };
    Figures {
        deliveries: units,
        per_second: units as f64 / seconds,
        cpu_micros: spent(0) * 1e6 / units as f64,
        instructions: after
            .instructions
            .zip(before.instructions)
            .map(|(after, before)| after.saturating_sub(before) as f64 / units as f64),
        latency_millis: latency
            .map(|(found, highest)| [0.5, 0.99, highest].map(|share| millis(found, share))),
        written: (after.written - before.written) as f64 / units as f64,
        resident_bytes: after.resident,
        loads: [0, 1, 2].map(|place| spent(place) / seconds),
        faults: Faults::default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_publisher_of_a_shape_is_heard_as_often_as_it_says() {
        for shape in [Shape::FanOut, Shape::FanIn, Shape::Pairs] {
            let mut heard = vec![0; shape.publishers()];
            for (_, hears) in shape.subscribers() {
                heard[hears.first..hears.first + hears.count].iter_mut().for_each(|n| *n += 1);
            }
            assert!(heard.iter().all(|copies| *copies == shape.copies()), "{shape:?}");
        }
    }

    #[test]
    fn figures_are_differences_over_the_interval() {
        let at = Instant::now();
        let millis = |list: [u64; 3]| list.map(Duration::from_millis);
        let cpu = millis([100, 10, 20]);
        let instructions = Some(9_000);
        let before = Snapshot { at, units: 1_000, instructions, written: 50, resident: 7, cpu };
        let (at, cpu) = (at + Duration::from_secs(2), millis([2_100, 1_010, 520]));
        let (units, instructions, written) = (401_000, Some(2_009_000), 800_050);
        let after = Snapshot { at, units, instructions, written, resident: 9, cpu };
        let found = figures(&[before, after], None);
        assert_eq!((found.deliveries, found.per_second), (400_000, 200_000.0));
        assert_eq!((found.written, found.resident_bytes), (2.0, 9));
        assert_eq!(found.instructions, Some(5.0));
        assert!((found.cpu_micros - 5.0).abs() < 1e-9);
        assert_eq!(found.loads, [1.0, 0.5, 0.25]);
    }
}
