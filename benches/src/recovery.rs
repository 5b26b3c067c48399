//! A million queued messages through the end of the broker and a new start.
//!
//! Messages are queued for a hundred sessions that are away; the broker is killed, or asked to end;
//! what counts is the time from starting it again to its first CONNACK, its memory then, and how
//! many of the messages it had acknowledged still come.

use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::compare::{names, rounds};
use crate::drain::Session;
use crate::durable::PAYLOAD;
use crate::load::{self, Timing};
use crate::options::Options;
use crate::process::Contender;
use crate::publish::Plan;
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
pub(crate) struct Recovered {
    pub(crate) seconds: f64,
    /// Resident memory at the first CONNACK.
    pub(crate) resident_bytes: u64,
    /// Acknowledged messages, and those of them that came to their session after the start.
    pub(crate) acknowledged: u64,
    pub(crate) kept: u64,
    /// Beside the loss, which some brokers do not promise to avoid.
    pub(crate) faults: Faults,
}

/// All runs of one broker that ended in one way.
pub(crate) struct Recovery {
    pub(crate) end: &'static str,
    pub(crate) broker: String,
    pub(crate) runs: Vec<Result<Recovered, String>>,
}

/// Every broker through both ends, once.
pub(crate) fn run(options: &Options, contenders: &[&Contender], directory: &Path) -> Vec<Recovery> {
    let mut all = Vec::new();
    for end in [End::Killed, End::InOrder] {
        let runs = rounds(1, &names(contenders), |place| {
            let run = one(options, contenders[place], end, directory);
            if let Ok(Recovered { seconds, kept, .. }) = &run {
                let (name, end) = (&contenders[place].name, end.name());
                eprintln!("recovery, {name} after {end}: {seconds:.2} s, {kept} kept");
            }
            run
        });
        let named = |(broker, runs)| Recovery { end: end.name(), broker, runs };
        all.extend(runs.into_iter().map(named));
    }
    all
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
