//! What Midge is meant to stay below or above, held against what was measured.
//!
//! A bound is an aim with a reason and no verdict on a run: the machine may be busy, so the exit code
//! does not depend on it.

use super::row::{Row, median};
use super::table::{Table, aligned, cell};

/// One aim for the first broker of a load.
struct Bound {
    table: &'static str,
    load: &'static str,
    /// The name of the value in its table.
    value: &'static str,
    /// The broker whose value it is divided by; without one the value counts as it is.
    against: Option<&'static str>,
    limit: Limit,
    why: &'static str,
}

/// On which side of a number a value is to be.
#[derive(Clone, Copy)]
enum Limit {
    Most(f64),
    Least(f64),
}

impl Limit {
    fn is_met(self, found: f64) -> bool {
        match self {
            Limit::Most(most) => found <= most,
            Limit::Least(least) => found >= least,
        }
    }

    fn text(self) -> String {
        match self {
            Limit::Most(most) => format!("≤ {most}"),
            Limit::Least(least) => format!("≥ {least}"),
        }
    }
}

const CPU: &str = "cpu_micros_per_message";
const P99: &str = "latency_millis_p99";
const GATHERS: &str = "the cheapest broker known gathers writes and stands a tenth above this";
const LIMIT: &str = "topics, sessions and packets may cost as much again as the sockets";
const WAITS: &str = "what is cheap by waiting is not cheap";

const HANDS_ON: &str = "a bridge hands on what a bare client could carry";
const OWN: &str = "what the broker does itself may cost as much again as the bare client";

/// A load of the bridge by a bare client's.
const fn by_client(
    load: &'static str,
    client: &'static str,
    value: &'static str,
    limit: Limit,
    why: &'static str,
) -> Bound {
    Bound { table: "bridge", load, value, against: Some(client), limit, why }
}

/// Records a second by a bare client's.
const fn carries(load: &'static str, client: &'static str) -> Bound {
    by_client(load, client, "messages_per_second", Limit::Least(0.8), HANDS_ON)
}

/// CPU of a record by a bare client's, with the client that is inside the broker.
const fn of_client(load: &'static str, client: &'static str) -> Bound {
    by_client(load, client, CPU, Limit::Most(2.0), OWN)
}

const ONE_PROCESS: &str = "one process instead of two, and no hop between them";

/// CPU of a connector by class by that of Mosquitto and a Connect worker.
const fn by_worker(load: &'static str) -> Bound {
    let (against, limit) = (Some("mosquitto + connect"), Limit::Most(0.1));
    Bound { table: "conversions", load, value: CPU, against, limit, why: ONE_PROCESS }
}

/// CPU of a connector by class by that of one of the bridge's own kind.
const fn by_own(load: &'static str, own: &'static str) -> Bound {
    let why = "a class that changes nothing costs nothing";
    let (against, limit) = (Some(own), Limit::Most(1.1));
    Bound { table: "conversions", load, value: CPU, against, limit, why }
}

const TREE: &str = "a tree of topics does not grow with what it does not match";

/// CPU among many filters by Mosquitto's.
const fn among_filters(load: &'static str) -> Bound {
    let against = Some("mosquitto");
    Bound { table: "filters", load, value: CPU, against, limit: Limit::Most(0.5), why: TREE }
}

/// CPU of a saturated load by Mosquitto's.
const fn by_mosquitto(load: &'static str, most: f64) -> Bound {
    let against = Some("mosquitto");
    Bound { table: "saturated", load, value: CPU, against, limit: Limit::Most(most), why: GATHERS }
}

/// CPU by the bare relay's.
const fn by_relay(table: &'static str, load: &'static str) -> Bound {
    Bound { table, load, value: CPU, against: Some("relay"), limit: Limit::Most(2.0), why: LIMIT }
}

/// The 99th percentile of the latency by Mosquitto's.
const fn latency(load: &'static str) -> Bound {
    let against = Some("mosquitto");
    Bound { table: "at-rates", load, value: P99, against, limit: Limit::Most(1.0), why: WAITS }
}

/// A value that no other broker has a part in.
const fn alone(
    table: &'static str,
    load: &'static str,
    value: &'static str,
    most: f64,
    why: &'static str,
) -> Bound {
    Bound { table, load, value, against: None, limit: Limit::Most(most), why }
}

/// What a message costs at the end of a growth, by what it cost at the beginning.
const fn grows(load: &'static str) -> Bound {
    let why = "a gateway that carries more devices pays for each of them as for the first";
    alone("growth", load, "last_by_first", 1.2, why)
}

/// All of them, in the order in which they are shown.
static BOUNDS: &[Bound] = &[
    by_mosquitto("fan-out 1→200, QoS 0, 64 bytes", 0.45),
    by_mosquitto("fan-out 1→200, QoS 1, 64 bytes", 0.25),
    by_mosquitto("fan-in 200→1, QoS 0, 64 bytes", 0.13),
    by_mosquitto("fan-in 200→1, QoS 1, 64 bytes", 0.065),
    by_mosquitto("100 pairs, QoS 0, 64 bytes", 0.12),
    by_mosquitto("100 pairs, QoS 1, 64 bytes", 0.095),
    by_mosquitto("100 pairs, QoS 2, 64 bytes", 0.095),
    Bound {
        table: "saturated",
        load: "fan-out 1→200, QoS 0, 64 bytes",
        value: CPU,
        against: Some("rumqttd"),
        limit: Limit::Most(1.0),
        why: "rumqttd is the cheapest of the others in a fan-out",
    },
    by_relay("saturated", "fan-out 1→200, QoS 0, 64 bytes"),
    by_relay("at-rates", "fan-out 1→200, QoS 0, 64 bytes, 20000/s"),
    by_relay("at-rates", "fan-out 1→200, QoS 0, 64 bytes, 40000/s"),
    by_relay("at-rates", "fan-out 1→200, QoS 0, 64 bytes, 100000/s"),
    by_relay("saturated", "100 pairs, QoS 0, 64 bytes"),
    by_relay("at-rates", "100 pairs, QoS 0, 64 bytes, 20000/s"),
    by_relay("at-rates", "100 pairs, QoS 0, 64 bytes, 40000/s"),
    by_relay("at-rates", "100 pairs, QoS 0, 64 bytes, 100000/s"),
    latency("100 pairs, QoS 0, 64 bytes, 20000/s"),
    latency("100 pairs, QoS 0, 64 bytes, 40000/s"),
    latency("100 pairs, QoS 0, 64 bytes, 100000/s"),
    alone(
        "idle",
        "10000 idle connections",
        "resident_kilobytes_per_connection",
        2.0,
        "a gateway with many quiet devices pays for every one of them",
    ),
    among_filters("100000 exact filters"),
    among_filters("100000 filters with wildcards"),
    grows("100 → 100000 exact filters"),
    grows("100 → 100000 filters with wildcards"),
    grows("100 → 100000 filters with wildcards, 100 topics"),
    grows("10 → 10000 connections, 5 pairs active"),
    grows("10 → 10000 connections, all pairs active"),
    alone(
        "retained",
        "100000 retained, delivered",
        CPU,
        1.1,
        "a dashboard that subscribes to everything is written to in large pieces",
    ),
    alone(
        "connects",
        "connect and close",
        "cpu_micros_per_client",
        30.0,
        "after a power cut every device comes back at once",
    ),
    alone(
        "durable",
        "100 pairs, stored sessions online",
        CPU,
        5.0,
        "a sync is shared by all that waited for the disk meanwhile",
    ),
    carries("bridge, MQTT → Kafka", "rdkafka, 1600 under way"),
    of_client("bridge, MQTT → Kafka", "rdkafka, 1600 under way"),
    carries("bridge, Kafka → MQTT, QoS 0", "rdkafka"),
    of_client("bridge, Kafka → MQTT, QoS 0", "rdkafka"),
    carries("bridge, Kafka → MQTT, QoS 1", "rdkafka"),
    of_client("bridge, Kafka → MQTT, QoS 1", "rdkafka"),
    by_client(
        "whole path to Kafka, 10000/s",
        "mosquitto + connect",
        CPU,
        Limit::Most(0.1),
        ONE_PROCESS,
    ),
    by_worker("MQTT → Kafka, bytes, 256 bytes"),
    by_worker("MQTT → Kafka, JSON with schema, 256 bytes"),
    by_worker("MQTT → Kafka, Avro, 256 bytes"),
    by_worker("Kafka → MQTT, bytes, 256 bytes"),
    by_worker("Kafka → MQTT, JSON with schema, 256 bytes"),
    by_worker("Kafka → MQTT, Avro, 256 bytes"),
    by_own("MQTT → Kafka, bytes, 256 bytes", "midge, type = \"source\""),
    by_own("Kafka → MQTT, bytes, 256 bytes", "midge, type = \"sink\""),
];

impl Bound {
    /// What was measured of it; `None` when that load or that broker did not run.
    fn found(&self, tables: &[Table]) -> Option<f64> {
        let table = tables.iter().find(|table| table.name == self.table)?;
        let place = table.value(self.value)?;
        let rows = || table.rows.iter().filter(|row| row.load == self.load);
        let subject: &Row = rows().next()?;
        match self.against {
            None => subject.median(place),
            Some(name) => {
                let other = rows().find(|row| row.broker == name)?;
                median(other.ratios(subject, place))
            }
        }
    }

    fn line(&self, tables: &[Table], found: f64) -> Vec<String> {
        let table = tables.iter().find(|table| table.name == self.table);
        let place = table.and_then(|table| table.value(self.value));
        let mut columns = table.iter().flat_map(|table| &table.columns);
        let column = columns.find(|column| Some(column.value) == place);
        let mut what = column.map_or_else(|| self.value.to_owned(), |column| column.head.clone());
        if let Some(name) = self.against {
            what += &format!(" ÷ {name}'s");
        }
        let met = if self.limit.is_met(found) { "yes" } else { "no" };
        vec![
            self.load.to_owned(),
            what,
            self.why.to_owned(),
            cell(Some(found), 3),
            self.limit.text(),
            met.to_owned(),
        ]
    }
}

/// A table of the bounds on what was measured; `None` when there is no bound on any of it.
pub(super) fn markdown(tables: &[Table]) -> Option<String> {
    let lines: Vec<Vec<String>> =
        BOUNDS.iter().filter_map(|bound| Some(bound.line(tables, bound.found(tables)?))).collect();
    let head = ["bound on", "value", "why", "found", "limit", "met"].map(str::to_owned);
    (!lines.is_empty()).then(|| aligned(&head, &lines, 3))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Run;

    fn saturated(broker: &str, list: &[f64]) -> (String, Vec<Result<Run, String>>) {
        (broker.to_owned(), list.iter().map(|value| Ok(Run::new([*value]))).collect())
    }

    fn tables(midge: &[f64], mosquitto: &[f64]) -> Vec<Table> {
        let mut table = Table::new("saturated").median(CPU, "CPU", 2);
        let rows = [saturated("midge", midge), saturated("mosquitto", mosquitto)];
        table.add("100 pairs, QoS 0, 64 bytes", rows);
        vec![table]
    }

    #[test]
    fn a_bound_is_held_against_the_median_of_the_ratios_of_the_rounds() {
        let text = markdown(&tables(&[1.0, 1.0, 9.0], &[10.0, 8.0, 9.0])).unwrap();
        let lines: Vec<&str> = text.lines().skip(2).collect();
        assert_eq!(lines.len(), 1, "there was no relay");
        assert!(lines[0].contains("100 pairs, QoS 0, 64 bytes"));
        assert!(lines[0].ends_with("| 0.125 | ≤ 0.12 |  no |"), "{}", lines[0]);
        let text = markdown(&tables(&[1.0], &[10.0])).unwrap();
        assert!(text.ends_with("| yes |\n"));
    }

    #[test]
    fn without_a_load_that_has_one_there_is_no_table_of_bounds() {
        assert_eq!(markdown(&[]), None);
        assert_eq!(markdown(&tables(&[1.0], &[])), None);
    }
}
