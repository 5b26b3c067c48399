//! `midge dev`: the whole way, from device to Kafka and back, with nothing installed.
//!
//! The Kafka here is librdkafka's mock inside this process, and every run says so. The sample goes
//! the way every message goes: over a socket, through a connector, and is shown only when it came.

mod client;

use std::process::ExitCode;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use midge_bridge::dev::EmbeddedKafka;
use midge_bridge::{Event, Observer};
use midge_config::{
    Ack, Config, Connector, ConnectorKind, LogTypes, OffsetReset, Origin, SinkConnector,
    SourceConnector, Sources, Spool, Tombstones, load,
};
use tokio::signal::unix::{SignalKind, signal};

use super::options::DevOptions;
use super::process;
use crate::broker::{Broker, Prepared, StartError};
use crate::logging::Logging;
use client::Client;

/// How long the sample may take for one step: the mock's consumer group takes some seconds to form.
const PATIENCE: Duration = Duration::from_secs(60);

/// The source connector takes these.
const DEVICES_FILTER: &str = "devices/#";
/// And writes them here.
const DEVICES: &str = "devices";
/// The sink connector reads this.
const COMMANDS: &str = "commands";
/// And publishes here.
const COMMANDS_MQTT: &str = "kafka/commands";

/// Shows the round trip, then everything that passes until told to stop.
pub(super) fn run(options: &DevOptions) -> ExitCode {
    match dev(options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            for line in error.lines() {
                eprintln!("Error: {line}");
            }
            ExitCode::FAILURE
        }
    }
}

fn dev(options: &DevOptions) -> Result<(), String> {
    process::raise_open_files();
    let kafka = EmbeddedKafka::start().map_err(text)?;
    for topic in [DEVICES, COMMANDS] {
        kafka.create_topic(topic, 1).map_err(text)?;
    }
    let (passed, passing) = channel();
    let show = Arc::new(Show::new(passed));
    let (prepared, logging) = prepare(options.port, &kafka)?;
    let running = prepared.start(Some(show.observer())).map_err(text)?;
    logging.publish_through(&running);
    let port = running.addresses().first().map_or(0, std::net::SocketAddr::port);
    println!("Midge {} listens on localhost:{port}.", env!("CARGO_PKG_VERSION"));
    println!(
        "Kafka is at {}. It is not a real one: librdkafka's mock in this process, which forgets all.",
        kafka.bootstrap_servers()
    );
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(text)?;
    let result = sample(port, &kafka, &passing).and_then(|()| {
        if options.once {
            return Ok(());
        }
        invite(port, kafka.bootstrap_servers());
        show.begin();
        runtime.block_on(until_told()).map_err(text)
    });
    runtime.block_on(running.shutdown());
    result
}

async fn until_told() -> std::io::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => println!(),
    }
    Ok(())
}

/// Binds the port asked for, or another one when it is taken.
fn prepare(port: u16, kafka: &EmbeddedKafka) -> Result<(Prepared, Logging), String> {
    let wanted = config(port, kafka)?;
    let logging = Logging::start(&wanted.log)?;
    match Broker::prepare(wanted) {
        Err(StartError::Bind(errors)) => {
            for error in errors {
                println!("{error}: a free port is used instead.");
            }
            let prepared = Broker::prepare(config(0, kafka)?).map_err(text)?;
            Ok((prepared, logging))
        }
        prepared => Ok((prepared.map_err(text)?, logging)),
    }
}

fn config(port: u16, kafka: &EmbeddedKafka) -> Result<Config, String> {
    let sources = Sources { ports: vec![port], ..Sources::default() };
    let mut config = load(&sources)
        .map_err(|errors| errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))?;
    // It forgets all, as its Kafka does.
    config.persistence = None;
    // What passes is shown here; the log is for trouble.
    config.log.types = LogTypes { error: true, warning: true, ..LogTypes::NONE };
    let servers = kafka.bootstrap_servers().to_owned();
    config.kafka.client.plain.insert("bootstrap.servers".to_owned(), servers);
    // A person watches: no batching for the sake of throughput.
    config.kafka.client.plain.insert("linger.ms".to_owned(), "0".to_owned());
    let connector = |name: &str, kind| Connector {
        name: name.to_owned(),
        origin: Origin::CommandLine("dev"),
        user: None,
        overrides: midge_config::ClientProperties::default(),
        kind,
    };
    config.connectors = vec![
        connector(
            "devices-to-kafka",
            ConnectorKind::Source(SourceConnector {
                mqtt_filters: vec![DEVICES_FILTER.to_owned()],
                kafka_topic: DEVICES.to_owned(),
                key: "${topic}".to_owned(),
                headers: true,
                ack: Ack::Kafka,
                buffer_bytes: 64 << 20,
                buffer_messages: 100_000,
                spool: Spool::default(),
                producer_byte_rate: None,
            }),
        ),
        connector(
            "commands-to-mqtt",
            ConnectorKind::Sink(SinkConnector {
                kafka_topics: vec![COMMANDS.to_owned()],
                group_id: "midge-dev".to_owned(),
                mqtt_topic: "kafka/${topic}".to_owned(),
                qos: 1,
                retain: false,
                tombstones: Tombstones::Skip,
                offset_reset: OffsetReset::Earliest,
                max_inflight_messages: 1_000,
            }),
        ),
    ];
    Ok(config)
}

/// Sends one message through both directions.
fn sample(port: u16, kafka: &EmbeddedKafka, passing: &Receiver<Passed>) -> Result<(), String> {
    let topic = "devices/greenhouse/temperature";
    let mut device = Client::connect(port, "sample-device")?;
    println!("\nMQTT to Kafka");
    println!("  1. a device publishes   {topic}  21.5  (QoS 1)");
    device.publish(topic, "21.5")?;
    match next(passing, "the record in Kafka")? {
        Passed::Produced { record } => println!("  2. Kafka has the record {record}"),
        Passed::Consumed { record } => return Err(format!("{record} came first")),
    }
    device.await_puback(PATIENCE)?;
    println!("  3. the device has its acknowledgement: the message is safe");

    println!("Kafka to MQTT");
    let mut subscriber = Client::connect(port, "sample-subscriber")?;
    subscriber.subscribe("kafka/#", PATIENCE)?;
    println!("  1. a subscriber asks for kafka/#");
    println!("  2. a program writes     {COMMANDS}  key greenhouse  \"open the window\"");
    let value = b"open the window".as_slice();
    kafka.produce(COMMANDS, Some(b"greenhouse"), Some(value), &[]).map_err(text)?;
    println!("     (a new consumer group takes some seconds to form)");
    match next(passing, "the publish from Kafka")? {
        Passed::Consumed { record } => println!("  3. the bridge has read  {record}"),
        Passed::Produced { record } => return Err(format!("{record} came instead")),
    }
    let (topic, payload) = subscriber.await_publish(PATIENCE)?;
    println!("  4. the subscriber has   {topic}  \"{}\"", String::from_utf8_lossy(&payload));
    if topic != COMMANDS_MQTT || payload.as_ref() != value {
        return Err(format!("expected {COMMANDS_MQTT} with the value of the record"));
    }
    println!("Both directions work.");
    Ok(())
}

fn next(passing: &Receiver<Passed>, what: &str) -> Result<Passed, String> {
    passing.recv_timeout(PATIENCE).map_err(|error| match error {
        RecvTimeoutError::Timeout => format!("{what}: nothing for {} s", PATIENCE.as_secs()),
        RecvTimeoutError::Disconnected => format!("{what}: the bridge has stopped"),
    })
}

/// What to type in another terminal.
fn invite(port: u16, kafka: &str) {
    let option = if port == 1883 { String::new() } else { format!(" -p {port}") };
    println!(
        "
Now you, in another terminal:
  mosquitto_pub{option} -t devices/kitchen/humidity -m 54 -q 1
  kcat -b {kafka} -C -t {DEVICES} -f '%k  %s  %h\\n'

and back:
  mosquitto_sub{option} -t 'kafka/#' -v
  echo 'water the plants' | kcat -b {kafka} -P -t {COMMANDS}

Every record that passes is shown here; Ctrl-C ends.
"
    );
}

/// A record that has passed, described.
enum Passed {
    Produced { record: String },
    Consumed { record: String },
}

/// Shows records: to the sample first, then to the person.
struct Show {
    state: Mutex<State>,
    started: Instant,
}

struct State {
    /// `None` once records are printed.
    sample: Option<Sender<Passed>>,
    to_kafka: u64,
    to_mqtt: u64,
}

impl Show {
    fn new(sample: Sender<Passed>) -> Show {
        let state = State { sample: Some(sample), to_kafka: 0, to_mqtt: 0 };
        Show { state: Mutex::new(state), started: Instant::now() }
    }

    fn observer(self: &Arc<Self>) -> Observer {
        let show = Arc::clone(self);
        Arc::new(move |event| show.see(&event))
    }

    /// From now on records are printed.
    fn begin(&self) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).sample = None;
    }

    fn see(&self, event: &Event<'_>) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let (arrow, passed) = match *event {
            Event::Produced { kafka_topic, partition, offset, key, bytes, mqtt_topic, .. } => {
                state.to_kafka += 1;
                let record = format!(
                    "{mqtt_topic}  ->  {kafka_topic}[{partition}]@{offset}  key {key}  {bytes} bytes"
                );
                ("MQTT -> Kafka", Passed::Produced { record })
            }
            Event::Consumed { kafka_topic, partition, offset, bytes, mqtt_topic, .. } => {
                state.to_mqtt += 1;
                let record =
                    format!("{kafka_topic}[{partition}]@{offset}  ->  {mqtt_topic}  {bytes} bytes");
                ("Kafka -> MQTT", Passed::Consumed { record })
            }
        };
        match &state.sample {
            // The sample has what it waited for when nobody receives any more.
            Some(sample) => drop(sample.send(passed)),
            None => {
                let (Passed::Produced { record } | Passed::Consumed { record }) = passed;
                let seconds = self.started.elapsed().as_secs_f32();
                let (to_kafka, to_mqtt) = (state.to_kafka, state.to_mqtt);
                println!("{seconds:8.1}s  {arrow}  {record}   [{to_kafka} out, {to_mqtt} in]");
            }
        }
    }
}

fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}
