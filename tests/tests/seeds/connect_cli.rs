//! What the guides of Lenses' connectors have in common: a worker whose converter is Avro's, the
//! command line `connect-cli`, and its commands.

use midge_tests::{Kafka, Midge, Registry, Setup, Shell, eventually};
use serde_json::Value;

use crate::{avro_console_producer, connect};

/// The commands of both guides, the connector's name and its file aside.
pub(crate) const CREATE: &str = r#"export KAFKA_CONNECT_REST="http://myserver:myport"
bin/connect-cli create mqtt-sink < conf/mqtt-sink.properties"#;
pub(crate) const PS: &str = r#"export KAFKA_CONNECT_REST="http://myserver:myport"
bin/connect-cli ps"#;

/// A broker with the worker's file that the guides lead to, at the addresses of here.
pub(crate) fn worker(more: &str) -> Setup {
    let registry = Registry::shared().url();
    let file = format!(
        "bootstrap.servers={}\n\
         key.converter=io.confluent.connect.avro.AvroConverter\n\
         key.converter.schema.registry.url={registry}\n\
         value.converter=io.confluent.connect.avro.AvroConverter\n\
         value.converter.schema.registry.url={registry}\n\
         internal.key.converter=org.apache.kafka.connect.json.JsonConverter\n\
         internal.value.converter=org.apache.kafka.connect.json.JsonConverter\n\
         internal.key.converter.schemas.enable=false\n\
         internal.value.converter.schemas.enable=false\n\
         offset.storage.file.filename=/tmp/connect.offsets\n",
        Kafka::shared().bootstrap()
    );
    connect(&format!("worker_properties = \"@DIR@/connect-avro.properties\"\n{more}"))
        .file("connect-avro.properties", &file)
}

/// A shell where the guides' programs are.
pub(crate) fn shell() -> Shell {
    let shell = Shell::new();
    let home = shell.directory().to_str().expect("UTF-8").to_owned();
    let (name, script) = avro_console_producer::PROGRAM;
    shell
        .program("connect-cli", "exec @MIDGE@ connect \"$@\"")
        .program(name, script)
        .variable("CONFLUENT_HOME", &home)
}

/// A command with the worker's address put in.
pub(crate) fn to(midge: &Midge, command: &str) -> String {
    command.replace("http://myserver:myport", &format!("http://localhost:{}", midge.port(2)))
}

/// Creates a connector by the command line and waits until it runs.
#[track_caller]
pub(crate) fn create(midge: &Midge, shell: &Shell, name: &str, properties: &str) {
    shell.write("conf/some.properties", properties);
    let command = CREATE.replace("mqtt-sink <", &format!("{name} <"));
    shell.run(&to(midge, &command.replace("conf/mqtt-sink", "conf/some"))).success();
    runs(midge, shell, name);
}

/// Waits until a connector and its first task run.
#[track_caller]
pub(crate) fn runs(midge: &Midge, shell: &Shell, name: &str) {
    let status = to(midge, &format!("curl -s http://myserver:myport/connectors/{name}/status"));
    eventually(&format!("{name} runs"), || {
        let status: Value = serde_json::from_str(&shell.run(&status).stdout).ok()?;
        (status["tasks"][0]["state"] == "RUNNING").then_some(())
    });
}

/// The lines of a text without the blanks that they begin with.
pub(crate) fn lines(text: &str) -> Vec<&str> {
    text.lines().map(str::trim_start).filter(|line| !line.is_empty()).collect()
}
