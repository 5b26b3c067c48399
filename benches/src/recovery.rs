//! A million queued messages through the end of the broker and a new start.
//!
//! Messages are queued for a hundred sessions that are away; the broker is killed, or asked to end;
//! what counts is the time from starting it again to its first CONNACK, its memory then, and how
//! many of the messages it had acknowledged still come.

use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::drain::Session;
use crate::durable::PAYLOAD;
use crate::load::{self, Timing};
use crate::options::Options;
use crate::process::Contender;
use crate::publish::Plan;
use crate::report::{Report, Run, Table};
use crate::scenario::{Bench, names, rounds};
use crate::window::Faults;

/// Sessions, and publishers, one to each.
const SESSIONS: usize = 100;
/// Unacknowledged messages a publisher: it is not the filling that is measured.
const WINDOW: usize = 128;

/// How the broker ends.
#[derive(Clone, Copy)]
enum End {
    Killed,
    InOrder,
}

impl End {
    fn name(self) -> &'static str {
        match self {
            Self::Killed => "kill -9",
            Self::InOrder => "SIGTERM",
        }
    }
}

/// What a start after that showed.
struct Recovered {
    seconds: f64,
    /// Resident memory at the first CONNACK.
    resident_bytes: u64,
    /// Acknowledged messages, and those of them that came to their session after the start.
    acknowledged: u64,
    kept: u64,
    /// Beside the loss, which some brokers do not promise to avoid.
    faults: Faults,
}

/// Every broker through both ends, once.
pub(crate) fn run(bench: &Bench<'_>, report: &mut Report) -> io::Result<()> {
    let mut table = Table::new("recovery")
        .median("acknowledged", "acknowledged", 0)
        .median("kept", "kept", 0)
        .median("seconds_to_start", "seconds to start", 2)
        .median("resident_megabytes", "RSS MB then", 0);
    let contenders = bench.configured();
    for end in [End::Killed, End::InOrder] {
        let load = format!("recovery, {}", end.name());
        let runs = rounds(1, &names(&contenders), |place| {
            let recovered = one(bench.options, contenders[place], end, bench.directory)?;
            let Recovered { seconds, kept, .. } = &recovered;
            eprintln!("{load}, {}: {seconds:.2} s, {kept} kept", contenders[place].name);
            // Only one of them promises that an acknowledged message stays.
            Ok(recovered.judged(std::ptr::eq(contenders[place], bench.midge)))
        });
        table.add(&load, runs);
    }
    report.add(table);
    Ok(())
}

impl Recovered {
    /// Its figures; what was not kept is a fault of a broker that promised to keep it.
    fn judged(mut self, promised: bool) -> Run {
        let (acknowledged, kept) = (self.acknowledged as f64, self.kept as f64);
        let megabytes = self.resident_bytes as f64 / 1e6;
        if promised {
            self.faults.lost += self.acknowledged.saturating_sub(self.kept);
        }
        let values = [acknowledged, kept, self.seconds, megabytes];
        Run { values: values.into(), messages: self.acknowledged, faults: self.faults }
    }
}

fn one(
    options: &Options,
    contender: &Contender,
    end: End,
    directory: &Path,
) -> io::Result<Recovered> {
    let broker = contender.start_stored(directory, true)?;
    let prepare = |place| Session::prepare(broker.port, format!("session-{place}"), place);
    let mut sessions = (0..SESSIONS as u32).map(prepare).collect::<io::Result<Vec<_>>>()?;
    let plan = Plan {
        qos: 1,
        window: WINDOW,
        payload_bytes: PAYLOAD,
        rate: None,
        subscribed: false,
        timed: false,
    };
    let timing =
        Timing { warm_up: Duration::ZERO, seconds: Duration::ZERO, count: Some(options.queued) };
    let (figures, sent) = load::drive(&broker, SESSIONS, Vec::new(), plan, timing)
        .map_err(|error| broker.explain(&error.to_string()))?;
    match end {
        End::Killed => drop(broker),
        End::InOrder => broker.end()?,
    }

    let began = Instant::now();
    let broker = contender.start_stored(directory, false)?;
    let seconds = began.elapsed().as_secs_f64();
    let resident_bytes = broker.resident_bytes()?;
    let mut faults = figures.faults;
    let mut kept = 0;
    for (session, sent) in sessions.iter_mut().zip(&sent) {
        session.visit(broker.port, Duration::MAX, *sent, &mut faults)?;
        kept += session.received;
    }
    let acknowledged = sent.iter().sum();
    kept -= std::mem::take(&mut faults.lost);
    Ok(Recovered { seconds, resident_bytes, acknowledged, kept, faults })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_kept_is_a_fault_of_the_broker_that_promised_it() {
        let recovered = || Recovered {
            seconds: 1.5,
            resident_bytes: 2_000_000,
            acknowledged: 9,
            kept: 8,
            faults: Faults::default(),
        };
        let other = recovered().judged(false);
        assert_eq!(other.values, [9.0, 8.0, 1.5, 2.0]);
        assert!(other.faults.is_clean());
        assert_eq!(recovered().judged(true).faults.lost, 1);
    }
}
