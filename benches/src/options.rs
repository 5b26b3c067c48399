//! The command line.
//!
//! Every value is checked here: what leaves this module can be run.

use std::path::PathBuf;
use std::time::Duration;

use crate::peers;
use crate::process::Contender;
use crate::scenario::{self, Scenario};
use crate::wire::STAMP_BYTES;

/// What `--help` prints, with every scenario there is.
pub(crate) fn help() -> String {
    let wide = HELP.find("{scenarios}").unwrap_or_default();
    let indent = wide - HELP[..wide].rfind('\n').map_or(0, |line| line + 1);
    let mut names = String::new();
    let mut line = indent;
    for scenario in scenario::ALL {
        if line + scenario.name.len() > 90 {
            names += &format!("\n{:indent$}", "");
            line = indent;
        }
        names += &format!("{},", scenario.name);
        line += scenario.name.len() + 1;
    }
    HELP.replace("{scenarios}", names.trim_end_matches(','))
}

const HELP: &str = "\
Runs Midge and its peers in turn under the same load and compares them.

  --midge PATH          the midge binary [beside this one]
  --peers LIST          of relay,mosquitto,rumqttd,mochi, or none [all]
  --peer NAME=COMMAND   one more to compare with, {port} and {config} are filled in; repeatable
  --only LIST           of {scenarios}
                        [all but `requirements`, which has the loads that bounds are set for,
                        and `connect` and `conversions`, which need Maven and a JDK]
  --qos LIST            of 0,1,2 [0,1]
  --rounds N            fresh runs of each broker; medians are shown [5]
  --seconds N           measured time of a run; in `outage`, how long Kafka is away [2]
  --count N             measure until N deliveries instead
  --warm-up N           seconds of load before that [0.5]
  --window N            undelivered messages a publisher may have [16]
  --payload LIST        bytes of a message, at least 20; a row for each [64]
  --rate LIST           deliveries a second where they are fixed; a row for each
                        [20000,40000,100000]
  --connections N       clients in `idle` [10000]
  --queued N            messages of 256 bytes queued in `recovery` [1000000]
  --kafka ADDRESS       bootstrap address of a real Kafka, for `bridge`, `bridge-back`,
                        `bridge-both`, `connect` and `conversions`
  --kafka-script PATH   starts and stops a Kafka of its own, as tests/kafka/kafka does, for `outage`
                        and, without --kafka, for the others
  --json FILE           writes every run there as well
  --from FILE           reads what an earlier --json wrote instead of measuring; repeatable, loads
                        of a later one take the place of an earlier one's
  --into FILE           writes tables there, between its marks, and charts beside it
  --help

Ends with 1 when Midge lost a message, delivered one twice or out of order, or could not be run.
";

/// A resolved command line.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Options {
    pub(crate) midge: Option<PathBuf>,
    /// Peers known by name that are wanted, and those that were told in full.
    pub(crate) known: Vec<String>,
    pub(crate) peers: Vec<Contender>,
    pub(crate) scenarios: Vec<&'static Scenario>,
    pub(crate) qos: Vec<u8>,
    pub(crate) rounds: usize,
    pub(crate) seconds: Duration,
    pub(crate) count: Option<u64>,
    pub(crate) warm_up: Duration,
    pub(crate) window: usize,
    pub(crate) payloads: Vec<usize>,
    /// The first of them, for what is measured with one size.
    pub(crate) payload_bytes: usize,
    pub(crate) rates: Vec<f64>,
    /// The first of them, likewise.
    pub(crate) rate: f64,
    pub(crate) connections: u64,
    pub(crate) queued: u64,
    pub(crate) kafka: Option<String>,
    pub(crate) kafka_script: Option<PathBuf>,
    pub(crate) json: Option<PathBuf>,
    pub(crate) from: Vec<PathBuf>,
    pub(crate) into: Option<PathBuf>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            midge: None,
            known: peers::names().into_iter().map(str::to_owned).collect(),
            peers: Vec::new(),
            scenarios: scenario::ALL.iter().filter(|scenario| scenario.usual).collect(),
            qos: vec![0, 1],
            rounds: 5,
            seconds: Duration::from_secs(2),
            count: None,
            warm_up: Duration::from_millis(500),
            window: 16,
            payloads: vec![64],
            payload_bytes: 64,
            rates: vec![20_000.0, 40_000.0, 100_000.0],
            rate: 20_000.0,
            connections: 10_000,
            queued: 1_000_000,
            kafka: None,
            kafka_script: None,
            json: None,
            from: Vec::new(),
            into: None,
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
            "--peers" => options.known = known(&flag, &value()?)?,
            "--peer" => options.peers.push(Contender::parse(&value()?)?),
            "--only" => options.scenarios = list(&flag, &value()?, chosen)?,
            "--qos" => options.qos = list(&flag, &value()?, qos)?,
            "--rounds" => options.rounds = number(&flag, &value()?, 1, 1_000)?,
            "--seconds" => options.seconds = seconds(&flag, &value()?)?,
            "--count" => options.count = Some(number(&flag, &value()?, 1, u64::MAX / 2)?),
            "--warm-up" => options.warm_up = seconds(&flag, &value()?)?,
            // Packet ids of one publisher must not meet themselves.
            "--window" => options.window = number(&flag, &value()?, 1, 32_767)?,
            "--payload" => options.payloads = list(&flag, &value()?, payload)?,
            "--rate" => options.rates = list(&flag, &value()?, rate)?,
            "--connections" => options.connections = number(&flag, &value()?, 1, 1_000_000)?,
            "--queued" => options.queued = number(&flag, &value()?, 100, 100_000_000)?,
            "--kafka" => options.kafka = Some(value()?),
            "--kafka-script" => options.kafka_script = Some(value()?.into()),
            "--json" => options.json = Some(value()?.into()),
            "--from" => options.from.push(value()?.into()),
            "--into" => options.into = Some(value()?.into()),
            _ => return Err(format!("found `{flag}`, see --help for the options")),
        }
    }
    (options.payload_bytes, options.rate) = (options.payloads[0], options.rates[0]);
    if let Some(name) = repeated(&options) {
        return Err(format!("--peer: found `{name}` twice, expected a name of its own for each"));
    }
    Ok(Some(options))
}

/// A name that more than one broker would have in the tables.
fn repeated(options: &Options) -> Option<&str> {
    let mut taken: Vec<&str> = options.known.iter().map(String::as_str).collect();
    taken.push("midge");
    options.peers.iter().map(|peer| peer.name.as_str()).find(|name| {
        let is_taken = taken.contains(name);
        taken.push(name);
        is_taken
    })
}

fn known(flag: &str, text: &str) -> Result<Vec<String>, String> {
    if text == "none" {
        return Ok(Vec::new());
    }
    list(flag, text, |word| match peers::names().iter().find(|name| **name == word) {
        Some(name) => Ok((*name).to_owned()),
        None => {
            Err(format!("found `{word}`, expected none or some of {}", peers::names().join(", ")))
        }
    })
}

fn list<T>(
    flag: &str,
    text: &str,
    one: impl Fn(&str) -> Result<T, String>,
) -> Result<Vec<T>, String> {
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

fn payload(word: &str) -> Result<usize, String> {
    within(word, STAMP_BYTES, 1 << 20)
}

fn rate(word: &str) -> Result<f64, String> {
    within(word, 1u32, 100_000_000).map(f64::from)
}

fn number<T>(flag: &str, text: &str, least: T, most: T) -> Result<T, String>
where
    T: Copy + std::str::FromStr + PartialOrd + std::fmt::Display,
{
    within(text, least, most).map_err(|error| format!("{flag}: {error}"))
}

fn within<T>(text: &str, least: T, most: T) -> Result<T, String>
where
    T: Copy + std::str::FromStr + PartialOrd + std::fmt::Display,
{
    match text.parse() {
        Ok(number) if number >= least && number <= most => Ok(number),
        _ => Err(format!("found `{text}`, expected a number from {least} to {most}")),
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
    fn no_argument_means_the_usual_scenarios_against_every_known_peer() {
        let options = parsed("").unwrap().unwrap();
        assert_eq!(options.known, peers::names());
        let usual = scenario::ALL.iter().filter(|scenario| scenario.usual);
        assert!(options.scenarios.iter().copied().eq(usual));
        assert_eq!((options.qos, options.window, options.payload_bytes), (vec![0, 1], 16, 64));
    }

    #[test]
    fn every_option_is_obeyed() {
        let line = "--midge m --peers mochi,relay --peer a=b{port} --only pairs,idle --qos 2 --rounds 5 --seconds 1.5 \
                    --count 9 --warm-up 0.1 --window 8 --payload 20,256 --rate 7,9 --connections 3 \
                    --queued 500 --kafka k:9092 --kafka-script s --json f --from g --from h --into i";
        let found = parsed(line).unwrap().unwrap();
        let expected = Options {
            midge: Some("m".into()),
            known: vec!["mochi".into(), "relay".into()],
            peers: vec![Contender::parse("a=b{port}").unwrap()],
            scenarios: ["pairs", "idle"].map(|name| scenario::named(name).unwrap()).into(),
            qos: vec![2],
            rounds: 5,
            seconds: Duration::from_millis(1_500),
            count: Some(9),
            warm_up: Duration::from_millis(100),
            window: 8,
            payloads: vec![20, 256],
            payload_bytes: 20,
            rates: vec![7.0, 9.0],
            rate: 7.0,
            connections: 3,
            queued: 500,
            kafka: Some("k:9092".into()),
            kafka_script: Some("s".into()),
            json: Some("f".into()),
            from: vec!["g".into(), "h".into()],
            into: Some("i".into()),
        };
        assert_eq!(found, expected);
        assert_eq!(parsed("--qos 1 --help"), Ok(None));
        assert!(parsed("--peers none").unwrap().unwrap().known.is_empty());
        // A peer may be told in full under the name of one that is not wanted.
        assert!(parsed("--peers none --peer mosquitto=x{config}").is_ok());
    }

    #[test]
    fn help_names_every_scenario_in_lines_that_fit() {
        let help = help();
        for scenario in scenario::ALL {
            assert!(help.contains(scenario.name), "{}", scenario.name);
        }
        assert!(help.lines().all(|line| line.chars().count() <= 100));
        assert!(!help.contains("{scenarios}"));
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
            ("--peer mochi=x{port}", "a name of its own"),
            ("--peers mosquito", "none or some of relay, mosquitto"),
            ("--payload 64,", "from 20 to"),
            ("--rate 0", "from 1 to"),
        ] {
            let error = parsed(line).unwrap_err();
            assert!(error.contains(part), "{line}: {error}");
        }
    }
}
