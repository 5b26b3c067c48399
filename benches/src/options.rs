//! The command line.
//!
//! Every value is checked here: what leaves this module can be run.

use std::path::PathBuf;
use std::time::Duration;

use crate::process::Contender;
use crate::scenario::{self, Scenario};
use crate::wire::STAMP_BYTES;

/// What `--help` prints.
pub(crate) const HELP: &str = "\
Runs Midge and its peers in turn under the same load and compares them.

  --midge PATH          the midge binary [beside this one]
  --peer NAME=COMMAND   a broker to compare with, {port} and {config} are filled in; repeatable
                        [mosquitto=mosquitto -c {config}]
  --only LIST           of fan-out,fan-in,pairs,rate,idle,durable,recovery,bridge,outage [all]
  --qos LIST            of 0,1,2 [0,1]
  --rounds N            fresh runs of each broker; medians are shown [3]
  --seconds N           measured time of a run; in `outage`, how long Kafka is away [2]
  --count N             measure until N deliveries instead
  --warm-up N           seconds of load before that [0.5]
  --window N            undelivered messages a publisher may have [16]
  --payload N           bytes of a message, at least 20 [64]
  --rate N              deliveries a second in `rate`, and in `durable` where it says so [20000]
  --connections N       clients in `idle` [10000]
  --queued N            messages of 256 bytes queued in `recovery` [1000000]
  --kafka ADDRESS       bootstrap address of a real Kafka, for `bridge`
  --kafka-script PATH   starts and stops a Kafka of its own, as tests/kafka/kafka does, for `outage`
  --json FILE           writes every run there as well
  --help

Ends with 1 when a message was lost, came twice or out of order, or a broker could not be run.
";

/// A resolved command line.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Options {
    pub(crate) midge: Option<PathBuf>,
    pub(crate) peers: Vec<Contender>,
    pub(crate) scenarios: Vec<&'static Scenario>,
    pub(crate) qos: Vec<u8>,
    pub(crate) rounds: usize,
    pub(crate) seconds: Duration,
    pub(crate) count: Option<u64>,
    pub(crate) warm_up: Duration,
    pub(crate) window: usize,
    pub(crate) payload_bytes: usize,
    pub(crate) rate: f64,
    pub(crate) connections: u64,
    pub(crate) queued: u64,
    pub(crate) kafka: Option<String>,
    pub(crate) kafka_script: Option<PathBuf>,
    pub(crate) json: Option<PathBuf>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            midge: None,
            peers: Vec::new(),
            scenarios: scenario::ALL.iter().filter(|scenario| scenario.usual).collect(),
            qos: vec![0, 1],
            rounds: 3,
            seconds: Duration::from_secs(2),
            count: None,
            warm_up: Duration::from_millis(500),
            window: 16,
            payload_bytes: 64,
            rate: 20_000.0,
            connections: 10_000,
            queued: 1_000_000,
            kafka: None,
            kafka_script: None,
            json: None,
        }
    }
}

/// Reads the arguments after the program's name; `None` when only help was asked for.
pub(crate) fn parse(
    arguments: impl IntoIterator<Item = String>,
) -> Result<Option<Options>, String> {
    let mut options = Options::default();
    let mut arguments = arguments.into_iter();
    while let Some(flag) = arguments.next() {
        if flag == "--help" || flag == "-h" {
            return Ok(None);
        }
        let mut value = || arguments.next().ok_or_else(|| format!("{flag}: expected a value"));
        match flag.as_str() {
            "--midge" => options.midge = Some(value()?.into()),
            "--peer" => options.peers.push(Contender::parse(&value()?)?),
            "--only" => options.scenarios = list(&flag, &value()?, chosen)?,
            "--qos" => options.qos = list(&flag, &value()?, qos)?,
            "--rounds" => options.rounds = number(&flag, &value()?, 1, 1_000)?,
            "--seconds" => options.seconds = seconds(&flag, &value()?)?,
            "--count" => options.count = Some(number(&flag, &value()?, 1, u64::MAX / 2)?),
            "--warm-up" => options.warm_up = seconds(&flag, &value()?)?,
            // Packet ids of one publisher must not meet themselves.
            "--window" => options.window = number(&flag, &value()?, 1, 32_767)?,
            "--payload" => options.payload_bytes = number(&flag, &value()?, STAMP_BYTES, 1 << 20)?,
            "--rate" => options.rate = number(&flag, &value()?, 1u32, 100_000_000)?.into(),
            "--connections" => options.connections = number(&flag, &value()?, 1, 1_000_000)?,
            "--queued" => options.queued = number(&flag, &value()?, 100, 100_000_000)?,
            "--kafka" => options.kafka = Some(value()?),
            "--kafka-script" => options.kafka_script = Some(value()?.into()),
            "--json" => options.json = Some(value()?.into()),
            _ => return Err(format!("found `{flag}`, see --help for the options")),
        }
    }
    if options.peers.is_empty() {
        options.peers.push(Contender::parse("mosquitto=mosquitto -c {config}")?);
    }
    if let Some(name) = repeated(&options.peers) {
        return Err(format!("--peer: found `{name}` twice, expected a name of its own for each"));
    }
    Ok(Some(options))
}

fn repeated(peers: &[Contender]) -> Option<&str> {
    peers.iter().enumerate().find_map(|(index, peer)| {
        let name = peer.name.as_str();
        (name == "midge" || peers[..index].iter().any(|other| other.name == name)).then_some(name)
    })
}

fn list<T>(flag: &str, text: &str, one: fn(&str) -> Result<T, String>) -> Result<Vec<T>, String> {
    text.split(',')
        .map(|word| one(word.trim()).map_err(|error| format!("{flag}: {error}")))
        .collect()
}

fn chosen(word: &str) -> Result<&'static Scenario, String> {
    scenario::named(word).ok_or_else(|| {
        let names: Vec<&str> = scenario::ALL.iter().map(|scenario| scenario.name).collect();
        format!("found `{word}`, expected some of {}", names.join(", "))
    })
}

fn qos(word: &str) -> Result<u8, String> {
    match word {
        "0" => Ok(0),
        "1" => Ok(1),
        "2" => Ok(2),
        _ => Err(format!("found `{word}`, expected 0, 1 or 2")),
    }
}

fn number<T>(flag: &str, text: &str, least: T, most: T) -> Result<T, String>
where
    T: Copy + std::str::FromStr + PartialOrd + std::fmt::Display,
{
    match text.parse() {
        Ok(number) if number >= least && number <= most => Ok(number),
        _ => Err(format!("{flag}: found `{text}`, expected a number from {least} to {most}")),
    }
}

fn seconds(flag: &str, text: &str) -> Result<Duration, String> {
    Ok(Duration::from_secs_f64(number(flag, text, 0.05, 3_600.0)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<Option<Options>, String> {
        parse(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn no_argument_means_the_default_table_against_mosquitto() {
        let options = parsed("").unwrap().unwrap();
        assert_eq!(options.peers[0].command, ["mosquitto", "-c", "{config}"]);
        assert!(options.scenarios.len() >= 9);
        assert_eq!((options.qos, options.window, options.payload_bytes), (vec![0, 1], 16, 64));
    }

    #[test]
    fn every_option_is_obeyed() {
        let line = "--midge m --peer a=b{port} --only pairs,idle --qos 2 --rounds 5 --seconds 1.5 \
                    --count 9 --warm-up 0.1 --window 8 --payload 20 --rate 7 --connections 3 \
                    --queued 500 --kafka k:9092 --kafka-script s --json f";
        let found = parsed(line).unwrap().unwrap();
        let expected = Options {
            midge: Some("m".into()),
            peers: vec![Contender::parse("a=b{port}").unwrap()],
            scenarios: ["pairs", "idle"].map(|name| scenario::named(name).unwrap()).into(),
            qos: vec![2],
            rounds: 5,
            seconds: Duration::from_millis(1_500),
            count: Some(9),
            warm_up: Duration::from_millis(100),
            window: 8,
            payload_bytes: 20,
            rate: 7.0,
            connections: 3,
            queued: 500,
            kafka: Some("k:9092".into()),
            kafka_script: Some("s".into()),
            json: Some("f".into()),
        };
        assert_eq!(found, expected);
        assert_eq!(parsed("--qos 1 --help"), Ok(None));
    }

    #[test]
    fn wrong_values_say_what_was_expected() {
        for (line, part) in [
            ("--qos 3", "expected 0, 1 or 2"),
            ("--only pears", "expected some of fan-out, fan-in"),
            ("--payload 19", "from 20 to"),
            ("--window 0", "from 1 to"),
            ("--rounds", "expected a value"),
            ("--fast", "see --help"),
            ("--peer midge=x{port}", "a name of its own"),
        ] {
            let error = parsed(line).unwrap_err();
            assert!(error.contains(part), "{line}: {error}");
        }
    }
}
