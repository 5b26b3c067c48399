//! Kafka to InfluxDB: a real one of 1.x, and a server that answers as 2.x does.

use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::sync::{Arc, Mutex};

use midge_tests::{Authority, Influx, Kafka, Midge, Setup, eventually, rest};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::{Value, json};

use crate::bridged;

const CLASS: &str = "com.datamountaineer.streamreactor.connect.influx.InfluxSinkConnector";
const JSON: &str = "org.apache.kafka.connect.json.JsonConverter";
const STRING: &str = "org.apache.kafka.connect.storage.StringConverter";

/// A broker with a disk and a REST interface at its second port.
fn with_rest() -> Setup {
    bridged(
        "[connect]\nrest_listen = \"127.0.0.1:@PORT2@\"\n\
         [persistence]\nenabled = true\ndirectory = \"@DIR@\"\n",
    )
    .listening(&[1, 2])
}

/// Makes a sink of a topic, with the statement and these properties besides.
#[track_caller]
fn sink(midge: &Midge, name: &str, url: &str, kcql: &str, more: &Value) {
    let mut config = json!({
        "connector.class": CLASS,
        "tasks.max": "1",
        "topics": name,
        "connect.influx.kcql": kcql,
        "connect.influx.url": url,
        "connect.influx.db": "mydb",
        "key.converter": STRING,
    });
    let more = more.as_object().expect("properties").clone();
    config.as_object_mut().expect("properties").extend(more);
    let (status, answer) = rest(midge, "PUT", &format!("/connectors/{name}/config"), Some(&config));
    assert_eq!(status, 201, "{answer}");
}

/// Waits until a connector's task is in a state; its status.
#[track_caller]
fn is(midge: &Midge, name: &str, state: &str) -> Value {
    eventually(&format!("{name} is {state}"), || {
        let (_, status) = rest(midge, "GET", &format!("/connectors/{name}/status"), None);
        (status["tasks"][0]["state"] == state).then_some(status)
    })
}

/// Waits until Kafka knows that a sink has passed an offset.
#[track_caller]
fn passes(midge: &Midge, name: &str, offset: u64) {
    eventually(&format!("{name} has passed {offset}"), || {
        let (_, told) = rest(midge, "GET", &format!("/connectors/{name}/offsets"), None);
        (told["offsets"][0]["offset"]["kafka_offset"] == offset).then_some(())
    });
}

/// Records with a key, a line each.
fn lines(values: impl IntoIterator<Item = String>) -> String {
    values.into_iter().map(|value| format!("k:{value}\n")).collect()
}

/// Waits until a query of `mydb` finds so many rows without nulls; them. A query that meets a write
/// may see some fields of a point before the others.
#[track_caller]
fn rows(influx: &Influx, query: &str, count: usize) -> Vec<Value> {
    eventually(&format!("{count} rows of {query}"), || {
        let series = influx.query("mydb", query);
        let rows = series.first().and_then(|series| series["values"].as_array().cloned())?;
        let is_whole = |row: &Value| row.as_array().is_some_and(|row| !row.contains(&Value::Null));
        (rows.len() >= count && rows.iter().all(is_whole)).then_some(rows)
    })
}

fn with_database() -> Influx {
    let influx = Influx::start();
    influx.query("", "CREATE DATABASE mydb");
    influx
}

#[test]
fn structs_and_json_become_points_with_the_types_of_their_fields() {
    let (midge, influx) = (with_rest().start(), with_database());
    let kafka = Kafka::shared();
    kafka.create_topic("influx-topic", 1);
    let kcql = "INSERT INTO influxMeasure SELECT * FROM influx-topic WITHTIMESTAMP sys_time()";
    sink(&midge, "influx-topic", &influx.url(), kcql, &json!({}));
    let field = |name: &str, kind: &str| json!({"field": name, "type": kind});
    let record = json!({
        "schema": {"type": "struct", "fields": [
            field("company", "string"),
            field("address", "string"),
            field("latitude", "float"),
            field("longitude", "float"),
            field("employees", "int32"),
            field("async", "boolean"),
        ]},
        "payload": {
            "company": "DataMountaineer",
            "address": "Montain\nTop \"5\\7\"",
            "latitude": -49.817964,
            "longitude": -141.645812,
            "employees": 12,
            "async": true,
        },
    });
    kafka.produce("influx-topic", &lines([record.to_string(), record.to_string()]));
    let query = "SELECT company, address, latitude, longitude, employees, async FROM influxMeasure";
    // The same record twice is two points: no two have the same time.
    for row in rows(&influx, query, 2) {
        let row = &row.as_array().expect("columns")[1..];
        assert_eq!(row[0], "DataMountaineer");
        assert_eq!(row[1], "Montain\nTop \"5\\7\"");
        assert_eq!(row[2].to_string(), "-49.817962646484375");
        assert_eq!(row[3].to_string(), "-141.64581298828125");
        assert_eq!(row[4..], [json!(12), json!(true)]);
    }
    let types: Vec<Value> = rows(&influx, "SHOW FIELD KEYS FROM influxMeasure", 6);
    let types: Vec<&str> = types.iter().filter_map(|row| row[1].as_str()).collect();
    assert_eq!(types, ["string", "boolean", "string", "integer", "float", "float"]);
    passes(&midge, "influx-topic", 2);
}

#[test]
fn text_that_holds_json_becomes_points_with_tags_and_its_own_times() {
    let (midge, influx) = (with_rest().start(), with_database());
    let kafka = Kafka::shared();
    kafka.create_topic("influx-text", 1);
    let kcql = "INSERT INTO any SELECT value.c AS celsius, list FROM influx-text WITHTARGET=kind \
                WITHTIMESTAMP at TIMESTAMPUNIT=SECONDS WITHTAG(site.name AS site, unit=C, gone)";
    sink(&midge, "influx-text", &influx.url(), kcql, &json!({"value.converter": STRING}));
    let record = json!({
        "kind": "oven, large",
        "value": {"c": 180.5, "f": 357},
        "list": [1, 2],
        "site": {"name": "Gate = 7, north"},
        "at": 1_478_269_679,
    });
    kafka.produce("influx-text", &lines([record.to_string()]));
    passes(&midge, "influx-text", 1);
    let query = "SELECT * FROM \"oven, large\"";
    let found = influx.query("mydb", query).remove(0);
    assert_eq!(found["columns"], json!(["time", "celsius", "list0", "list1", "site", "unit"]));
    let row = json!(["2016-11-04T14:27:59Z", 180.5, 1, 2, "Gate = 7, north", "C"]);
    assert_eq!(found["values"], json!([row]));
    let tags = rows(&influx, "SHOW TAG KEYS", 2);
    assert_eq!(tags, [json!(["site"]), json!(["unit"])]);
}

#[test]
fn a_database_that_is_not_there_fails_the_task_and_nothing_is_lost_by_that() {
    let (midge, influx) = (with_rest().start(), Influx::start());
    let kafka = Kafka::shared();
    kafka.create_topic("influx-throw", 1);
    let kcql = "INSERT INTO m SELECT n FROM influx-throw WITHTIMESTAMP n TIMESTAMPUNIT=SECONDS";
    kafka.produce("influx-throw", &lines((1..=3).map(|n| json!({"n": n}).to_string())));
    let more = json!({
        "value.converter": JSON,
        "value.converter.schemas.enable": "false",
        "connect.influx.username": "root",
        "connect.influx.password": "so-secret",
    });
    sink(&midge, "influx-throw", &influx.url(), kcql, &more);
    let status = is(&midge, "influx-throw", "FAILED");
    let trace = status["tasks"][0]["trace"].as_str().expect("a trace");
    assert!(
        trace.contains("Error policy is set to THROW: influx-throw[0]@0: InfluxDB "),
        "{trace}"
    );
    assert!(trace.contains("answered 404: database not found: \"mydb\""), "{trace}");

    kafka.produce("influx-throw", &lines((4..=5).map(|n| json!({"n": n}).to_string())));
    influx.query("", "CREATE DATABASE mydb");
    let again = "/connectors/influx-throw/restart?includeTasks=true";
    assert_eq!(rest(&midge, "POST", again, None).0, 202);
    let found = rows(&influx, "SELECT n FROM m", 5);
    let found: Vec<&Value> = found.iter().map(|row| &row[1]).collect();
    assert_eq!(found, [1, 2, 3, 4, 5]);
    is(&midge, "influx-throw", "RUNNING");
    passes(&midge, "influx-throw", 5);
    let log = midge.log();
    assert!(log.contains("influx-throw") && !log.contains("so-secret"), "{log}");
}

#[test]
fn with_retry_nothing_is_lost_while_the_database_is_away() {
    let (midge, mut influx) = (with_rest().start(), with_database());
    let kafka = Kafka::shared();
    kafka.create_topic("influx-retry", 2);
    let kcql = "INSERT INTO m SELECT n FROM influx-retry WITHTIMESTAMP n TIMESTAMPUNIT=SECONDS";
    let more = json!({
        "value.converter": JSON,
        "value.converter.schemas.enable": "false",
        "connect.influx.error.policy": "RETRY",
        "connect.influx.retry.interval": "200",
        "connect.influx.max.retires": "100000",
    });
    sink(&midge, "influx-retry", &influx.url(), kcql, &more);
    // Without a key, so that both partitions have some.
    let some = |numbers: std::ops::RangeInclusive<u32>| {
        numbers.map(|n| format!("{n}:{}\n", json!({"n": n}))).collect::<String>()
    };
    kafka.produce("influx-retry", &some(1..=20));
    rows(&influx, "SELECT n FROM m", 20);
    influx.stop();
    kafka.produce("influx-retry", &some(21..=2_000));
    midge.says(&["not taken, trying again", "influx-retry"]);
    influx.resume();
    let found = rows(&influx, "SELECT n FROM m", 2_000);
    let found: Vec<u64> = found.iter().filter_map(|row| row[1].as_u64()).collect();
    assert_eq!(found, (1..=2_000).collect::<Vec<u64>>());
    is(&midge, "influx-retry", "RUNNING");
    let places = eventually("both partitions are told", || {
        let (_, told) = rest(&midge, "GET", "/connectors/influx-retry/offsets", None);
        let all = told["offsets"].as_array().expect("places").clone();
        let offset = |place: &Value| place["offset"]["kafka_offset"].as_u64().unwrap_or(0);
        (all.iter().map(offset).sum::<u64>() == 2_000).then_some(all)
    });
    assert_eq!(places.len(), 2);
}

#[test]
fn retries_that_are_exhausted_fail_the_task() {
    let midge = with_rest().start();
    // A port that was free a moment ago.
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("address"));
    drop(listener);
    let kafka = Kafka::shared();
    kafka.create_topic("influx-exhausted", 1);
    kafka.produce("influx-exhausted", &lines([json!({"n": 1}).to_string()]));
    let more = json!({
        "value.converter": JSON,
        "value.converter.schemas.enable": "false",
        "connect.influx.error.policy": "RETRY",
        "connect.influx.retry.interval": "10",
        "connect.influx.max.retries": "2",
    });
    let kcql = "INSERT INTO m SELECT * FROM influx-exhausted";
    sink(&midge, "influx-exhausted", &url, kcql, &more);
    let status = is(&midge, "influx-exhausted", "FAILED");
    let trace = status["tasks"][0]["trace"].as_str().expect("a trace");
    assert!(trace.contains("RETRY, 2 retries are exhausted: influx-exhausted[0]@0: "), "{trace}");
}

#[test]
fn with_noop_what_the_database_refuses_is_passed_over_and_nothing_else() {
    let (midge, influx) = (with_rest().start(), with_database());
    let kafka = Kafka::shared();
    kafka.create_topic("influx-noop", 1);
    let values = [
        json!({"n": 1, "a": 1}),
        // Of another type than the field has, which InfluxDB refuses.
        json!({"n": 2, "a": "one"}),
        // Without the field that the statement names.
        json!({"n": 3}),
        json!({"n": 4, "a": 4}),
    ];
    let more = json!({
        "value.converter": JSON,
        "value.converter.schemas.enable": "false",
        "connect.influx.error.policy": "NOOP",
    });
    let kcql = "INSERT INTO m SELECT a FROM influx-noop WITHTIMESTAMP n TIMESTAMPUNIT=SECONDS";
    sink(&midge, "influx-noop", &influx.url(), kcql, &more);
    kafka.produce("influx-noop", &lines([values[0].to_string()]));
    rows(&influx, "SELECT a FROM m", 1);
    kafka.produce("influx-noop", &lines(values[1..].iter().map(Value::to_string)));
    let found = rows(&influx, "SELECT a FROM m", 2);
    let found: Vec<&Value> = found.iter().map(|row| &row[1]).collect();
    assert_eq!(found, [1, 4]);
    passes(&midge, "influx-noop", 4);
    is(&midge, "influx-noop", "RUNNING");
    midge.says(&["refused", "influx-noop[0]@"]);
}

#[test]
fn with_a_token_points_go_to_a_bucket_of_2_x() {
    let authority = Authority::new("the database's");
    let (url, writes) = version_2(&authority);
    let midge = with_rest().file("influx-ca.pem", authority.pem()).start();
    let ca = midge.directory().join("influx-ca.pem");
    let kafka = Kafka::shared();
    kafka.create_topic("influx-two", 1);
    let more = json!({
        "value.converter": JSON,
        "value.converter.schemas.enable": "false",
        "midge.influx.token": "my-token",
        "midge.influx.organization": "my org",
        "midge.influx.ssl.ca.cert": ca,
    });
    let kcql = "INSERT INTO m SELECT n FROM influx-two BATCH=2 WITHTIMESTAMP n";
    sink(&midge, "influx-two", &url, kcql, &more);
    kafka.produce("influx-two", &lines((1..=5).map(|n| json!({"n": n}).to_string())));
    passes(&midge, "influx-two", 5);
    let writes = writes.lock().expect("writes");
    let mut points = Vec::new();
    for (path, token, lines) in writes.iter() {
        assert_eq!(path, "/api/v2/write?bucket=mydb&org=my%20org&precision=ns");
        assert_eq!(token, "Token my-token");
        assert!((1..=2).contains(&lines.len()), "BATCH is obeyed: {lines:?}");
        points.extend(lines.iter().cloned());
    }
    let expected: Vec<String> = (1..=5).map(|n| format!("m n={n}i {n}000000")).collect();
    assert_eq!(points, expected);
    assert!(!midge.log().contains("my-token"));
}

/// Path, authorization and lines of a write.
type Write2 = (String, String, Vec<String>);

/// A server that takes writes as InfluxDB 2.x does, with TLS; it ends with the process.
fn version_2(authority: &Authority) -> (String, Arc<Mutex<Vec<Write2>>>) {
    let certificate = authority.server();
    let key = PrivateKeyDer::from_pem_slice(certificate.key.as_bytes()).expect("key");
    let chain = CertificateDer::from_pem_slice(certificate.certificate.as_bytes());
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![chain.expect("certificate")], key);
    let config = Arc::new(config.expect("certificate with its key"));
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    let port = listener.local_addr().expect("address").port();
    let writes = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&writes);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let (seen, config) = (Arc::clone(&seen), Arc::clone(&config));
            // A client that breaks off concerns nobody else.
            std::thread::spawn(move || {
                let connection = ServerConnection::new(config).expect("TLS");
                let mut stream = BufReader::new(StreamOwned::new(connection, stream));
                while let Some(write) = request(&mut stream) {
                    seen.lock().expect("writes").push(write);
                    let answer = stream.get_mut().write_all(b"HTTP/1.1 204 No Content\r\n\r\n");
                    if answer.and_then(|()| stream.get_mut().flush()).is_err() {
                        break;
                    }
                }
            });
        }
    });
    (format!("https://127.0.0.1:{port}"), writes)
}

/// Reads one request of a connection; `None` when there are no more.
fn request(reader: &mut impl BufRead) -> Option<Write2> {
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let path = line.strip_prefix("POST ")?.split(' ').next()?.to_owned();
    let (mut length, mut token) = (0, String::new());
    loop {
        line.clear();
        reader.read_line(&mut line).ok()?;
        match line.trim_end().split_once(": ") {
            None => break,
            Some((name, value)) if name.eq_ignore_ascii_case("content-length") => {
                length = value.parse().ok()?;
            }
            Some((name, value)) if name.eq_ignore_ascii_case("authorization") => {
                token = value.to_owned();
            }
            Some(_) => {}
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let lines = String::from_utf8(body).ok()?.lines().map(str::to_owned).collect();
    Some((path, token, lines))
}

#[test]
fn a_password_of_a_provider_that_a_database_sends_back_is_in_no_line_and_no_status() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    let url = format!("http://127.0.0.1:{}", listener.local_addr().expect("address").port());
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || {
                let mut stream = BufReader::new(stream);
                while request(&mut stream).is_some() {
                    let body = "{\"error\":\"no user ana with swordfish-17\"}";
                    let head = format!("Content-Length: {}", body.len());
                    let answer = format!("HTTP/1.1 401 Unauthorized\r\n{head}\r\n\r\n{body}");
                    if stream.get_mut().write_all(answer.as_bytes()).is_err() {
                        break;
                    }
                }
            });
        }
    });
    let midge = bridged(
        "[connect]\nrest_listen = \"127.0.0.1:@PORT2@\"\n\
         worker_properties = \"@DIR@/worker.properties\"\n\
         [persistence]\nenabled = true\ndirectory = \"@DIR@\"\n",
    )
    .listening(&[1, 2])
    .file(
        "worker.properties",
        "config.providers=env\n\
         config.providers.env.class=org.apache.kafka.common.config.provider.EnvVarConfigProvider\n",
    )
    .environment("BRIDGE_INFLUX", "swordfish-17")
    .start();
    let kafka = Kafka::shared();
    for (name, policy) in [("influx-echo-retry", "RETRY"), ("influx-echo-throw", "THROW")] {
        kafka.create_topic(name, 1);
        kafka.produce(name, "k:{\"v\":1}\n");
        let more = json!({
            "value.converter": JSON,
            "value.converter.schemas.enable": "false",
            "consumer.override.auto.offset.reset": "earliest",
            "connect.influx.username": "ana",
            "connect.influx.password": "${env:BRIDGE_INFLUX}",
            "connect.influx.error.policy": policy,
        });
        sink(&midge, name, &url, &format!("INSERT INTO m SELECT v FROM `{name}`"), &more);
    }
    let told = "no user ana with ${env:BRIDGE_INFLUX}";
    midge.says(&["not taken, trying again", "connector=influx-echo-retry", told]);
    let failed = is(&midge, "influx-echo-throw", "FAILED");
    let trace = failed["tasks"][0]["trace"].as_str().expect("a trace");
    assert!(trace.contains(told), "{trace}");
    midge.says(&["a task has failed", "connector=influx-echo-throw"]);
    let (_, retried) = rest(&midge, "GET", "/connectors/influx-echo-retry/status", None);
    for shown in [trace, &retried.to_string(), &midge.log()] {
        assert!(!shown.contains("swordfish-17"), "{shown}");
    }
}
