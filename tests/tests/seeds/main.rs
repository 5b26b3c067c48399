//! Guides of others that led to Kafka Connect: their commands and files, word for word, against one
//! program that stands in for the broker, the worker and the connectors.
//!
//! A command stands in a test as it stands in its guide. What is different here is said beside it:
//! hosts and ports, and the names of programs, which are scripts of those names.
//!
//! Invariant: names of connectors and Kafka topics are the guides' own, so no two tests that run them
//! share a broker, a Kafka topic or a consumer group: each says what it renames.

mod avro_console_producer;
mod connect_cli;
mod connect_notes;
mod connector_guide;
mod distributed_guide;
mod examples;
mod influx_sink_guide;
mod mosquitto_guide;
mod mqtt_sink_guide;

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, TcpStream};

use midge_tests::{Kafka, Midge, Output, Port, Publisher, Setup, eventually, mosquitto_passwd};
use serde_json::Value;

/// A broker that keeps connectors made by REST, at its second port.
fn connect(more: &str) -> Setup {
    let bootstrap = Kafka::shared().bootstrap();
    Setup::conf("log_type all\npassword_file @DIR@/passwords\n")
        .file("passwords", "")
        .bridge(&format!(
            "[kafka]\nbootstrap_servers = \"{bootstrap}\"\n\n\
             [persistence]\nenabled = true\ndirectory = \"@DIR@\"\n\n\
             [connect]\nrest_listen = \"127.0.0.1:@PORT2@\"\n{more}"
        ))
        .listening(&[1, 2])
}

/// Makes a user of the broker.
#[track_caller]
fn user(midge: &Midge, name: &str, password: &str) {
    mosquitto_passwd(&midge.directory().join("passwords"), name, password);
    midge.reload();
    eventually(&format!("{name} may log in"), || {
        let publisher = Publisher::new(midge);
        let arguments = ["-u", name, "-P", password, "-t", "login", "-n"];
        (publisher.arguments(&arguments).run().code == Some(0)).then_some(())
    });
}

/// Publishes one message at QoS 1.
#[track_caller]
fn publish(midge: &Midge, topic: &str, payload: &str) {
    Publisher::new(midge).arguments(&["-q", "1", "-t", topic, "-m", payload]).succeeds();
}

/// Waits until somebody listens at a port.
#[track_caller]
fn listens(port: &Port) {
    let address = (Ipv4Addr::LOCALHOST, port.number());
    eventually("an MQTT broker listens", || TcpStream::connect(address).ok());
}

/// What a command printed, as JSON.
#[track_caller]
fn printed(output: &Output) -> Value {
    let text = &output.stdout;
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {}", output.all()))
}

/// The strings of a list.
#[track_caller]
fn names(list: &Value) -> BTreeSet<&str> {
    let list = list.as_array().unwrap_or_else(|| panic!("no list: {list}"));
    list.iter().map(|name| name.as_str().unwrap_or_else(|| panic!("no text: {name}"))).collect()
}
