//! `midge connect`: connectors by the command line, in the words of `connect-cli`.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::process::{Command, Stdio};
use std::sync::Arc;

use midge_tests::{Authority, Midge, Output, Setup, binary, eventually, output};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

/// The file of a guide to the InfluxDB sink, which calls the connector as the command does not.
const INFLUX: &str = "\
name=influxdb-sink
connector.class=com.datamountaineer.streamreactor.connect.influx.InfluxSinkConnector
tasks.max=1
topics=influx-topic
connect.influx.kcql=INSERT INTO influxMeasure SELECT * FROM influx-topic WITHTIMESTAMP sys_time()
connect.influx.url=http://localhost:8086
connect.influx.db=mydb
";

/// The file of a guide to the MQTT sink, which says a property twice and has blanks after another.
const MQTT: &str = "\
name=mqtt-sink
tasks.max=1
connector.class=com.datamountaineer.streamreactor.connect.mqtt.sink.MqttSinkConnector  \n\
topics=kafka-topic
connect.mqtt.hosts=tcp://broker.mqttdashboard.com:1883
connect.mqtt.kcql=INSERT INTO /datamountaineer/mqtt_topic SELECT * FROM kafka-topic
connect.mqtt.clean=true
connect.mqtt.timeout=1000
connect.mqtt.keep.alive=1000
connect.mqtt.client.id=dm_sink_id,
connect.mqtt.service.quality=1
tasks.max=1
";

/// A worker with REST at the second port and no Kafka, which nobody here needs.
fn worker(more: &str) -> Setup {
    let text = format!("bootstrap.servers=127.0.0.1:9\nrest.port=@PORT2@\n{more}");
    Setup::arguments(&["connect-standalone", "@DIR@/worker.properties"])
        .file("worker.properties", &text)
        .listening(&[2])
}

fn url(midge: &Midge) -> String {
    format!("http://127.0.0.1:{}", midge.port(2))
}

/// `midge connect` with these words, and with this address in the environment.
fn at(url: &str, words: &[&str], input: &str) -> Output {
    let mut command = Command::new(binary());
    command.arg("connect").args(words).env("KAFKA_CONNECT_REST", url);
    output(&mut command, input)
}

fn connect(midge: &Midge, words: &[&str], input: &str) -> Output {
    at(&url(midge), words, input)
}

/// What it prints when all is well.
#[track_caller]
fn prints(midge: &Midge, words: &[&str], input: &str) -> String {
    connect(midge, words, input).success().stdout
}

/// What it says when it does not do it.
#[track_caller]
fn refuses(midge: &Midge, words: &[&str], input: &str) -> String {
    let output = connect(midge, words, input);
    assert_eq!((output.code, output.stdout.as_str()), (Some(1), ""), "{}", output.stderr);
    output.stderr
}

#[test]
fn what_the_guides_type_prints_what_they_show() {
    let midge = worker("").start();
    let made = connect(&midge, &["create", "influx-sink"], INFLUX).success();
    assert_eq!(made.stdout, format!("#Connector name=`influx-sink`\n{INFLUX}#task ids: 0\n"));
    assert!(made.stderr.contains("name=influxdb-sink"), "{}", made.stderr);
    assert_eq!(prints(&midge, &["ps"], ""), "influxdb-sink\n");
    let made = connect(&midge, &["create", "mqtt-sink"], MQTT).success();
    assert_eq!(made.stdout, format!("#Connector name=`mqtt-sink`\n{MQTT}#task ids: 0\n"));
    assert_eq!(made.stderr, "");
    assert_eq!(prints(&midge, &["ps"], ""), "influxdb-sink\nmqtt-sink\n");
}

#[test]
fn a_connector_is_made_changed_compared_and_ended() {
    let midge = worker("").start();
    assert_eq!(connect(&midge, &["ps"], "").stderr, "No running connectors\n");
    let sink = format!("# Kafka to MQTT\n\n{MQTT}connect.mqtt.username=ana\n");
    let with_password = format!("{sink}connect.mqtt.password=hunter2\n");
    prints(&midge, &["run", "mqtt-sink"], &with_password);
    let error = refuses(&midge, &["create", "mqtt-sink"], MQTT);
    let expected =
        "Error: the Kafka Connect API returned: Connector mqtt-sink already exists (409)\n";
    assert_eq!(error, expected);

    let shown = prints(&midge, &["get", "mqtt-sink"], "");
    assert!(shown.starts_with("#Connector name=`mqtt-sink`\nname=mqtt-sink\nconnector.class="));
    assert!(shown.contains("\nconnect.mqtt.password=**********\n"), "{shown}");
    assert!(shown.ends_with("\n#task ids: 0\n") && !shown.contains("hunter2"), "{shown}");
    // What is shown for a password never becomes one.
    let error = refuses(&midge, &["run", "mqtt-sink"], &shown);
    assert!(error.contains("connect.mqtt.password: found **********"), "{error}");

    let other = sink.replace("connect.mqtt.service.quality=1", "connect.mqtt.service.quality=2");
    let difference = prints(&midge, &["diff", "mqtt-sink"], &other);
    let changes = "\n#entry value diffs:\nconnect.mqtt.service.quality -> (1, 2)\n\n\
                   #entries only in current config:\nconnect.mqtt.password -> **********\n\n\
                   #entries only in provided config:\n";
    assert!(difference.ends_with(changes), "{difference}");
    let changed = prints(&midge, &["run", "mqtt-sink"], &other);
    assert!(changed.contains("connect.mqtt.service.quality=2\n"), "{changed}");

    assert_eq!(prints(&midge, &["rm", "mqtt-sink"], ""), "");
    let error = refuses(&midge, &["get", "mqtt-sink"], "");
    assert!(error.contains("Connector mqtt-sink not found (404)"), "{error}");
    let error = refuses(&midge, &["status", "mqtt-sink"], "");
    assert!(error.contains("No status found for connector mqtt-sink (404)"), "{error}");
}

#[test]
fn a_connector_rests_goes_on_and_starts_anew_with_its_tasks() {
    let midge = worker("").start();
    prints(&midge, &["create", "mqtt-sink"], MQTT);
    let state = |text: &str| {
        let line = text.lines().find(|line| line.starts_with("connectorState: "));
        line.expect("a state").to_owned()
    };
    let paused = prints(&midge, &["pause", "mqtt-sink"], "");
    assert!(paused.starts_with("Waiting for pause\n"), "{paused}");
    assert_eq!(state(&paused), "connectorState: PAUSED");
    let resumed = prints(&midge, &["resume", "mqtt-sink"], "");
    assert_eq!(state(&resumed), "connectorState: RUNNING");
    let restarted = prints(&midge, &["restart", "mqtt-sink"], "");
    assert_eq!(state(&restarted), "connectorState: RUNNING");
    let status = prints(&midge, &["status", "mqtt-sink"], "");
    let worker = format!("workerId: 127.0.0.1:{}\n", midge.port(2));
    assert!(status.contains(&format!("{worker}numberOfTasks: 1\ntasks:\n  - taskId: 0\n")));

    assert_eq!(prints(&midge, &["restart", "mqtt-sink", "0"], ""), "");
    assert_eq!(prints(&midge, &["task_restart", "mqtt-sink", "0"], ""), "");
    eventually("the task has been started anew", || {
        let task = prints(&midge, &["task_status", "mqtt-sink", "0"], "");
        (task.starts_with("taskId: 0\n") && !task.contains("RESTARTING")).then_some(())
    });
    let tasks = prints(&midge, &["task_ps", "mqtt-sink"], "");
    assert!(tasks.starts_with("  - mqtt-sink task 0\n      "), "{tasks}");
    let error = refuses(&midge, &["restart", "mqtt-sink", "7"], "");
    assert!(error.contains("Unknown task: mqtt-sink-7 (404)"), "{error}");
}

#[test]
fn classes_are_listed_described_and_judge_properties() {
    let midge = worker("").start();
    let class = "com.datamountaineer.streamreactor.connect.influx.InfluxSinkConnector";
    let plugins = prints(&midge, &["plugins"], "");
    assert!(plugins.contains(&format!("Class name: {class}, Type: sink, Version: ")), "{plugins}");
    let described = prints(&midge, &["describe", "InfluxSinkConnector"], "");
    let described: serde_json::Value = described.parse().expect("JSON");
    assert!(described["error_count"].as_u64().is_some_and(|errors| errors > 0), "{described}");

    for words in [&["validate", "InfluxSinkConnector"][..], &["validate"]] {
        let judged = prints(&midge, words, INFLUX);
        assert_eq!(judged, format!("{class}\nNo validation errors.\n"), "{words:?}");
    }
    let wrong = INFLUX.replace("connect.influx.db=mydb\n", "");
    let judged = connect(&midge, &["validate"], &wrong);
    assert_eq!(judged.code, Some(1), "{}", judged.all());
    let (_, errors) = judged.stdout.split_once("\nValidation failed.\n").expect("mistakes");
    assert!(errors.contains("connect.influx.db"), "{errors}");
    let error = refuses(&midge, &["create", "influx-sink"], &wrong);
    assert!(error.contains("connect.influx.db") && error.contains("(400)"), "{error}");
    assert!(refuses(&midge, &["validate"], "a=b\n").contains("connector.class: is missing"));
    // The class of the command line stands in.
    let bare = connect(&midge, &["validate", "InfluxSinkConnector"], "a=b\n").stdout;
    assert!(bare.contains("Missing required configuration"), "{bare}");
}

#[test]
fn who_asks_is_said_by_a_token_a_user_or_the_address() {
    let midge = worker("midge.rest.token=sesame\n").start();
    let error = refuses(&midge, &["ps"], "");
    assert!(error.contains("(401)") && error.contains("--token"), "{error}");
    assert_eq!(prints(&midge, &["ps", "--token", "sesame"], ""), "");

    let midge = worker("midge.rest.user=ana\nmidge.rest.password=s@x\n").start();
    assert_eq!(prints(&midge, &["--user", "ana:s@x", "ps"], ""), "");
    let with_password = format!("http://ana:s%40x@127.0.0.1:{}/", midge.port(2));
    at(&with_password, &["ps"], "").success();
    let error = at(&with_password.replace("s%40x", "hunter2"), &["ps"], "");
    assert!(error.code == Some(1) && !error.all().contains("hunter2"), "{error:?}");
}

#[test]
fn who_does_not_answer_is_named_without_a_password() {
    let nobody = at("http://ana:hunter2@127.0.0.1:9/", &["ps"], "");
    assert_eq!((nobody.code, nobody.stdout.as_str()), (Some(1), ""));
    assert!(
        nobody.stderr.starts_with("Error: http://127.0.0.1:9: does not answer: "),
        "{}",
        nobody.stderr
    );
    assert!(!nobody.stderr.contains("hunter2"), "{}", nobody.stderr);
    // The option goes before the environment.
    let other = at("http://127.0.0.1:9/", &["-e", "http://127.0.0.1:10", "ps"], "");
    assert!(other.stderr.starts_with("Error: http://127.0.0.1:10: "), "{}", other.stderr);
    let wrong = at("myserver:8083", &["ps"], "");
    assert!(wrong.code == Some(1) && wrong.stderr.contains("expected http://HOST:PORT"));
}

#[test]
fn a_command_line_that_is_none_is_answered_with_the_usage() {
    for words in [&[][..], &["get"], &["list"], &["ps", "--what"]] {
        let refused = at("http://127.0.0.1:9/", words, "");
        assert_eq!(refused.code, Some(1), "{words:?}");
        assert!(refused.stderr.contains("Usage: midge connect COMMAND"), "{}", refused.stderr);
    }
    let help = at("http://127.0.0.1:9/", &["--help"], "").success();
    assert!(help.stdout.contains("task_restart NAME TASK"), "{}", help.stdout);
}

#[test]
fn who_reads_the_first_line_only_leaves_no_error() {
    let midge = worker("").start();
    let mut command = Command::new(binary());
    command.args(["connect", "plugins", "-e", &url(&midge)]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("midge");
    drop(child.stdout.take());
    let ended = child.wait_with_output().expect("it ends");
    let stderr = String::from_utf8_lossy(&ended.stderr);
    assert_eq!((ended.status.code(), &*stderr), (Some(0), ""));
}

/// Answers requests inside TLS with a list of connectors; ends with the process.
fn tls_server(authority: &Authority) -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let server = authority.server();
    let certificate = CertificateDer::from_pem_slice(server.certificate.as_bytes()).expect("PEM");
    let key = PrivateKeyDer::from_pem_slice(server.key.as_bytes()).expect("PEM");
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .expect("a certificate with its key");
    let config = Arc::new(config);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let connection = ServerConnection::new(Arc::clone(&config)).expect("a connection");
            let mut stream = StreamOwned::new(connection, stream);
            // Who does not trust us asks nothing.
            if stream.read(&mut [0; 4096]).is_ok_and(|bytes| bytes > 0) {
                let head = "HTTP/1.1 200 OK\r\nContent-Length: 8\r\nConnection: close\r\n\r\n";
                // The client tells whether it has it.
                let _ = stream.write_all(format!("{head}[\"safe\"]").as_bytes());
            }
        }
    });
    port
}

#[test]
fn over_https_the_server_has_to_be_vouched_for() {
    let authority = Authority::new("Tests of Midge");
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("ca.pem");
    std::fs::write(&file, authority.pem()).expect("a file");
    let url = format!("https://127.0.0.1:{}", tls_server(&authority));
    let refused = at(&url, &["ps"], "");
    assert!(refused.code == Some(1) && refused.stderr.contains(&url), "{refused:?}");
    let listed = at(&url, &["ps", "--cafile", file.to_str().expect("UTF-8")], "").success();
    assert_eq!(listed.stdout, "safe\n");
}
