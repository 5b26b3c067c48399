//! The files of `docs/connectors/examples`, run by the commands of the pages beside them.
//!
//! Ports and Kafka's address are others, and so are the Kafka topics that a guide here has as well.

use midge_tests::{Influx, Kafka, Midge, Setup, Shell, eventually, repository};

use crate::publish;

/// A page with its file: what it prints in the end, and what is renamed.
struct Example {
    page: &'static str,
    renamed: &'static [(&'static str, &'static str)],
}

impl Example {
    /// A text of the page or the file, with what differs here.
    fn here(&self, text: &str, midge: Option<&Midge>) -> String {
        let port = midge.map_or("@PORT@".to_owned(), |midge| midge.port(1).to_string());
        let mut text = text
            .replace("tcp://localhost:1883", &format!("tcp://localhost:{port}"))
            .replace("127.0.0.1:9092", Kafka::shared().bootstrap())
            .replace("mosquitto_pub ", &format!("mosquitto_pub -p {port} "))
            .replace("mosquitto_sub ", &format!("mosquitto_sub -p {port} "));
        for (there, here) in self.renamed {
            text = text.replace(there, here);
        }
        text
    }

    /// A broker with the file.
    fn start(&self, more: impl Fn(String) -> String) -> Midge {
        let path = format!("docs/connectors/examples/{}.properties", self.page);
        let file = std::fs::read_to_string(repository().join(path)).expect("the page's file");
        let file = self.here(&file, None);
        for topics in file.lines().filter_map(|line| line.strip_prefix("topics=")) {
            Kafka::shared().create_topic(topics, 1);
        }
        let kafka = Kafka::shared().bootstrap();
        Setup::conf("log_type all\n")
            .bridge(&format!("[kafka]\nbootstrap_servers = \"{kafka}\"\n"))
            .file("example.properties", &more(file))
            .argument("--connector")
            .argument("@DIR@/example.properties")
            .start()
    }

    /// The page's commands but for the broker's own.
    fn commands(&self, midge: &Midge) -> Vec<String> {
        let path = format!("docs/connectors/{}.md", self.page);
        let page = std::fs::read_to_string(repository().join(path)).expect("the page");
        let block = page.split("```sh\n").nth(1).and_then(|rest| rest.split("```").next());
        let block = self.here(block.expect("commands"), Some(midge));
        let (ours, others): (Vec<String>, Vec<String>) =
            block.lines().map(str::to_owned).partition(|line| line.starts_with("midge "));
        let file = format!("--connector docs/connectors/examples/{}.properties", self.page);
        assert!(matches!(&ours[..], [line] if line.ends_with(&file)), "{ours:?}");
        others
    }
}

/// Publishes, and reads what Kafka has.
fn source(example: &Example, printed: &str) {
    let midge = example.start(|file| file);
    let commands = example.commands(&midge);
    let [publish, read] = &commands[..] else { panic!("{commands:?}") };
    let shell = Shell::new();
    shell.run(publish).success();
    eventually("the record", || (shell.run(read).stdout == format!("{printed}\n")).then_some(()));
}

/// Subscribes, writes a record, and looks at what the subscriber has.
fn sink(example: &Example, filter: &str, printed: &str) {
    let midge = example.start(|file| file);
    let commands = example.commands(&midge);
    let [subscribe, produce] = &commands[..] else { panic!("{commands:?}") };
    let subscribe = subscribe.strip_suffix(" &").expect("it goes on");
    let shell = Shell::new();
    let mut subscriber =
        shell.start(&subscribe.replace("mosquitto_sub", "stdbuf -oL mosquitto_sub"), "log");
    midge.says(&[&format!(" 0 {filter}")]);
    shell.run(produce).success();
    subscriber.says(&[printed]);
    assert_eq!(subscriber.log(), format!("{printed}\n"));
}

#[test]
fn evokly_s_source() {
    let example = Example { page: "evokly-mqtt-source", renamed: &[] };
    source(&example, "hello-mqtt Hello world!");
}

#[test]
fn lenses_source() {
    let example = Example { page: "lenses-mqtt-source", renamed: &[] };
    source(&example, r#"oven {"id":"oven","celsius":180.5}"#);
}

#[test]
fn confluent_s_source() {
    let renamed = &[("smap_telemetry_data", "example_telemetry_data")];
    let example = Example { page: "confluent-mqtt-source", renamed };
    source(&example, "telemetry/oven 180.5");
}

#[test]
fn lenses_sink() {
    let renamed = &[("kafka-topic", "example-topic"), ("name=mqtt-sink", "name=example-mqtt-sink")];
    let example = Example { page: "lenses-mqtt-sink", renamed };
    let printed = r#"/datamountaineer/mqtt_topic {"firstName":"John","age":30}"#;
    sink(&example, "/datamountaineer/#", printed);
}

#[test]
fn confluent_s_sink() {
    let example = Example { page: "confluent-mqtt-sink", renamed: &[] };
    sink(&example, "commands/lamp", "commands/lamp on");
}

/// Its page has a container's command; the file is the same by `--connector`.
#[test]
fn the_lists_of_the_environment_as_a_file() {
    let renamed = &[
        ("MQTT_BROKER_PORT=1883", "MQTT_BROKER_PORT=@PORT@"),
        (":default-kafka", ":example-default-kafka"),
        (":custom-kafka", ":example-custom-kafka"),
    ];
    let midge = Example { page: "topic-lists-source", renamed }.start(|file| file);
    for (topic, kafka_topic) in
        [("default", "example-default-kafka"), ("default/oven/mqtt", "example-custom-kafka")]
    {
        publish(&midge, topic, "180.5");
        let records = Kafka::shared().eventually_records(kafka_topic, "%k %s\n", 1);
        assert_eq!(records, [format!("{topic} 180.5")]);
    }
}

#[test]
fn every_file_has_its_test() {
    let files = std::fs::read_dir(repository().join("docs/connectors/examples")).expect("files");
    let this = include_str!("examples.rs");
    for file in files {
        let name = file.expect("a file").file_name().into_string().expect("UTF-8");
        let page = name.strip_suffix(".properties").expect("a property file");
        assert!(this.contains(&format!("page: \"{page}\"")), "{page}");
    }
}

#[test]
fn lenses_influxdb_sink() {
    let renamed =
        &[("influx-topic", "example-influx"), ("name=influxdb-sink", "name=example-influx-sink")];
    let example = Example { page: "lenses-influx-sink", renamed };
    let influx = Influx::start();
    let url = influx.url();
    let midge = example.start(|file| file.replace("http://localhost:8086", &url));
    let commands = example.commands(&midge);
    let [create, produce, read] = &commands[..] else { panic!("{commands:?}") };
    let port = influx.port();
    let shell = Shell::new()
        .program("influx", &format!("exec /usr/bin/influx -host 127.0.0.1 -port {port} \"$@\""));
    shell.run(create).success();
    shell.run(produce).success();
    let point = eventually("the point", || {
        let shown = shell.run(read).success().stdout;
        shown.lines().last().filter(|line| line.contains("Mountaineer")).map(str::to_owned)
    });
    assert!(point.contains("-49.8"), "{point}");
}
