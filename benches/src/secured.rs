//! What TLS costs: messages of pairs, idle connections, and handshakes, full and resumed.
//!
//! Every broker has the same certificate and its own default of everything else. Handshakes come one
//! after another on one thread; a connection is a handshake, a CONNECT, and a DISCONNECT.

use std::io::{self, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::sync::Arc;
use std::time::Instant;

use rustls::ClientConfig;

use crate::certificate::Certificate;
use crate::idle::settled;
use crate::link;
use crate::load;
use crate::loads::timing;
use crate::options::Options;
use crate::process::{Broker, Contender, Settings, own_cpu};
use crate::publish::{Plan, Source};
use crate::report::{Report, Run, Table};
use crate::scenario::Bench;
use crate::subscribe::{Hears, Member};
use crate::wire;

const PAIRS: usize = 100;
/// Idle clients; fewer when the command line asks for fewer in `idle`.
const IDLE: u64 = 2_000;

#[derive(Clone, Copy)]
enum Load {
    Pairs { qos: u8 },
    Idle { connections: u64 },
    Handshakes { resuming: bool },
}

impl Load {
    fn name(self) -> String {
        match self {
            Self::Pairs { qos } => format!("{PAIRS} pairs over TLS, QoS {qos}"),
            Self::Idle { connections } => format!("{connections} idle TLS connections"),
            Self::Handshakes { resuming: false } => "TLS connect and close, full".into(),
            Self::Handshakes { resuming: true } => "TLS connect and close, resumed".into(),
        }
    }
}

/// A broker with a TLS listener.
struct Secured {
    broker: Broker,
    port: u16,
}

/// Every load over all brokers that can be given the certificate.
pub(crate) fn run(bench: &Bench<'_>, report: &mut Report) -> io::Result<()> {
    let certificate = Certificate::make(bench.directory)?;
    let mut table = Table::new("tls")
        .median("units_per_second", "a second", 0)
        .median("cpu_micros_per_unit", "CPU µs each", 2)
        .ratio("cpu_micros_per_unit", "ratio")
        .median("resident_kilobytes_per_connection", "RSS KB/connection", 2)
        .ratio("resident_kilobytes_per_connection", "ratio")
        .median("cores_load", "cores: load", 2)
        .median("share_resumed", "share resumed", 2);
    let loads = bench.options.qos.iter().map(|qos| Load::Pairs { qos: *qos });
    let connections = IDLE.min(bench.options.connections);
    let loads = loads.chain([
        Load::Idle { connections },
        Load::Handshakes { resuming: false },
        Load::Handshakes { resuming: true },
    ]);
    for load in loads {
        let name = load.name();
        let runs = bench.rounds(&bench.configured(), |contender| {
            let secured = start(bench, contender, &certificate)?;
            let run = measure(&secured, bench.options, &certificate, load)
                .map_err(|error| secured.broker.explain(&error.to_string()))?;
            eprintln!("{name}, {}: {:.2?}", contender.name, run.values);
            Ok(run)
        });
        table.add(&name, runs);
    }
    report.add(table);
    Ok(())
}

fn start(
    bench: &Bench<'_>,
    contender: &Contender,
    certificate: &Certificate,
) -> io::Result<Secured> {
    let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
    let lines = &certificate.listener(port);
    let settings = Settings { lines, ..Settings::default() };
    Ok(Secured { broker: contender.start_with(bench.directory, settings)?, port })
}

fn measure(
    secured: &Secured,
    options: &Options,
    certificate: &Certificate,
    load: Load,
) -> io::Result<Run> {
    match load {
        Load::Pairs { qos } => pairs(secured, options, &certificate.client(true), qos),
        Load::Idle { connections } => idle(secured, &certificate.client(false), connections),
        Load::Handshakes { resuming } => {
            handshakes(secured, options, &certificate.client(resuming))
        }
    }
}

fn pairs(
    Secured { broker, port }: &Secured,
    options: &Options,
    config: &Arc<ClientConfig>,
    qos: u8,
) -> io::Result<Run> {
    let mut subscribers = Vec::with_capacity(PAIRS);
    for first in 0..PAIRS {
        let mut stream = link::open_secured(*port, config, &format!("subscriber-{first}"))?;
        link::subscribe(&mut stream, &format!("bench/{first}"), qos)?;
        subscribers.push(Member::from((stream, Hears { first, count: 1 })));
    }
    let open = |index| link::open_secured(*port, config, &format!("publisher-{index}"));
    let publishers = (0..PAIRS).map(|index| open(index).map(Source::from));
    let plan = Plan {
        qos,
        window: options.window,
        payload_bytes: options.payload_bytes,
        rate: None,
        subscribed: true,
        timed: false,
    };
    let publishers = publishers.collect::<io::Result<_>>()?;
    let (figures, _) = load::drive_clients(broker, publishers, subscribers, plan, timing(options))?;
    // The thread that is busier: the generator has as much to encrypt as the broker.
    let busiest = figures.loads[1].max(figures.loads[2]);
    let values = [figures.per_second, figures.cpu_micros, f64::NAN, busiest, f64::NAN];
    Ok(Run { values: values.into(), messages: figures.deliveries, faults: figures.faults })
}

fn idle(
    Secured { broker, port }: &Secured,
    config: &Arc<ClientConfig>,
    connections: u64,
) -> io::Result<Run> {
    let before = settled(broker)?;
    let clients = (0..connections)
        .map(|index| link::open_secured(*port, config, &format!("idle-{index}")))
        .collect::<io::Result<Vec<_>>>()?;
    let grown = settled(broker)? as f64 - before as f64;
    drop(clients);
    let each = grown / 1024.0 / connections as f64;
    Ok(Run::new([f64::NAN, f64::NAN, each, f64::NAN, f64::NAN]))
}

/// Connects and closes for as long as a load is measured.
fn handshakes(
    Secured { broker, port }: &Secured,
    options: &Options,
    config: &Arc<ClientConfig>,
) -> io::Result<Run> {
    let once = |number: u64| -> io::Result<bool> {
        let mut stream = link::open_secured(*port, config, &format!("client-{number}"))?;
        stream.write_all(&wire::DISCONNECT)?;
        Ok(stream.is_resumed() == Some(true))
    };
    let warm_up = Instant::now();
    let mut number = 0;
    while number == 0 || warm_up.elapsed() < options.warm_up {
        once(number)?;
        number += 1;
    }
    let (began, cpu, own) = (Instant::now(), broker.cpu()?, own_cpu()?);
    let (mut count, mut resumed) = (0u64, 0u64);
    while began.elapsed() < options.seconds {
        resumed += u64::from(once(number + count)?);
        count += 1;
    }
    let seconds = began.elapsed().as_secs_f64();
    let spent = (broker.cpu()? - cpu).as_secs_f64();
    let cores = (own_cpu()? - own).as_secs_f64() / seconds;
    let units = count as f64;
    let values = [units / seconds, spent * 1e6 / units, f64::NAN, cores, resumed as f64 / units];
    Ok(Run { messages: count, ..Run::new(values) })
}
