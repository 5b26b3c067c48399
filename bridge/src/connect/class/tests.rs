mod options;
mod pages;
mod seeds;
mod sinks;
mod sources;
mod topic_lists;
mod validation;

use std::fmt::Write;

use midge_config::{ClientProperties, MqttUser, Secret};

use super::*;
use crate::connect::plan::{
    Broker, DeadLetterClients, InfluxDatabase, InfluxSinkWork, MqttSinkWork, RemoteBroker,
    SourceWork, Work,
};

const EVOKLY: &str = "com.evokly.kafka.connect.mqtt.MqttSourceConnector";
const LENSES_SOURCE: &str =
    "com.datamountaineer.streamreactor.connect.mqtt.source.MqttSourceConnector";
const LENSES_SINK: &str = "com.datamountaineer.streamreactor.connect.mqtt.sink.MqttSinkConnector";
const INFLUX: &str = "com.datamountaineer.streamreactor.connect.influx.InfluxSinkConnector";
const CONFLUENT_SOURCE: &str = "io.confluent.connect.mqtt.MqttSourceConnector";
const TOPIC_LISTS: &str = midge_config::TOPIC_LISTS_CLASS;
const CONFLUENT_SINK: &str = "io.confluent.connect.mqtt.MqttSinkConnector";

/// A property file's properties, the last of a key counting.
fn file(text: &str) -> Properties {
    let (properties, malformed) = midge_config::parse_properties(text.as_bytes());
    assert_eq!(malformed, []);
    properties.into_iter().map(|property| (property.key, property.value)).collect()
}

/// A worker whose broker listens on 1883, and which calls itself `broker.test`.
fn worker() -> Worker {
    Worker {
        local_hosts: vec!["broker.test".to_owned()],
        local_ports: vec![1883],
        ..Worker::default()
    }
}

fn planned(properties: &Properties, worker: &Worker) -> Plan {
    let name = properties.get("name").map_or("", String::as_str);
    plan(name, properties, worker).unwrap_or_else(|error| panic!("{error}"))
}

fn errors(text: &str) -> Vec<String> {
    errors_in(text, &worker())
}

fn errors_in(text: &str, worker: &Worker) -> Vec<String> {
    let properties = file(text);
    let name = properties.get("name").map_or("", String::as_str);
    match plan(name, &properties, worker) {
        Ok(_) => panic!("no mistake"),
        Err(InvalidConfig::Values(errors)) => errors,
        Err(InvalidConfig::Whole(error)) => vec![error],
    }
}

fn notices(text: &str) -> Vec<String> {
    planned(&file(text), &worker()).notices
}

/// The work of the only task.
fn source(plan: &Plan) -> &SourceWork {
    let [Task { work: Work::Source(work), .. }] = &plan.tasks[..] else {
        panic!("one source task")
    };
    work
}

fn mqtt_sink(plan: &Plan) -> &MqttSinkWork {
    let [Task { work: Work::MqttSink(work), .. }] = &plan.tasks[..] else {
        panic!("one sink task")
    };
    work
}

fn influx_sink(plan: &Plan) -> &InfluxSinkWork {
    let [Task { work: Work::InfluxSink(work), .. }] = &plan.tasks[..] else {
        panic!("one sink task")
    };
    work
}

fn secret(secret: Option<&Secret>) -> Option<&str> {
    secret.map(Secret::expose)
}

fn shown_broker(broker: &Broker) -> String {
    match broker {
        Broker::Here(user) => {
            let user = user.as_ref();
            let user = user.map(|MqttUser { name, password }| (name, secret(password.as_ref())));
            format!("here as {user:?}")
        }
        Broker::There(remote) => {
            let RemoteBroker {
                addresses,
                client_id,
                clean_session,
                keep_alive,
                timeout,
                user,
                tls,
            } = &**remote;
            let user = user.as_ref();
            let user = user.map(|(name, password)| (name, secret(password.as_ref())));
            format!(
                "{addresses:?} {client_id:?} clean={clean_session} {keep_alive:?} {timeout:?} \
                 {user:?} {tls:?}"
            )
        }
    }
}

/// Everything of a plan but the properties of its tasks, as text.
fn shown_plan(plan: &Plan) -> String {
    let Plan { name, tasks, errors, progress, overrides, dead_letter_clients, notices: _ } = plan;
    let mut text = format!("{name} {errors:?} progress={progress} overrides=");
    let ClientProperties { plain, secret: hidden } = overrides;
    let hidden: Vec<(&String, &str)> =
        hidden.iter().map(|(name, value)| (name, value.expose())).collect();
    write!(text, "{plain:?} {hidden:?}").unwrap();
    let DeadLetterClients { producer, admin } = dead_letter_clients;
    write!(text, " {:?} {:?}", producer.plain, admin.plain).unwrap();
    for Task { config: _, work } in tasks {
        text.push('\n');
        match work {
            Work::Source(work) => {
                let SourceWork {
                    broker,
                    qos,
                    ack,
                    buffer,
                    spool,
                    producer_byte_rate,
                    skip_unconvertible,
                    rules,
                } = work;
                let broker = shown_broker(broker);
                write!(
                    text,
                    "{broker} {qos:?} {ack:?} {buffer:?} {spool:?} {producer_byte_rate:?} \
                     skip={skip_unconvertible}"
                )
                .unwrap();
                for rule in rules {
                    write!(text, "\n  {:?} {:?}", rule.filters, rule.parts).unwrap();
                }
            }
            Work::MqttSink(MqttSinkWork { broker, reading, parts, policy }) => {
                let broker = shown_broker(broker);
                write!(text, "{broker} {reading:?} {parts:?} {policy:?}").unwrap();
            }
            Work::InfluxSink(InfluxSinkWork { reading, parts, statements, database, policy }) => {
                let user = database.user.as_ref();
                let user = user.map(|(name, password)| (name, password.expose()));
                let token = database.token.as_ref().map(|(token, of)| (token.expose(), of));
                let InfluxDatabase { url, database, retention_policy, consistency, .. } = database;
                write!(
                    text,
                    "{reading:?} {parts:?} {statements:?} {policy:?} {url} {database} {user:?} \
                     {token:?} {retention_policy} {consistency}"
                )
                .unwrap();
            }
        }
    }
    text
}
