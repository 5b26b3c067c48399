//! The answers of a real Kafka Connect 4.3.1 with its file connectors, asked again of ours.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::exchange::{Answer, Request};
use super::*;
use crate::connect::stage::{Stage, position};
use crate::connect::{Definitions, RunState};

const TRACKED: TopicTracking = TopicTracking { enabled: true, allow_reset: true };

/// A log of one level.
struct Flat(Mutex<String>);

impl Flat {
    fn new() -> Arc<Flat> {
        Arc::new(Flat(Mutex::new("INFO".to_owned())))
    }
}

impl LogLevels for Flat {
    fn set_level(&self, _: &str, level: &str) {
        level.clone_into(&mut self.0.lock().unwrap());
    }

    fn level(&self, _: &str) -> &'static str {
        let level = self.0.lock().unwrap().parse::<tracing::Level>();
        level.map_or("OFF", |level| level.as_str())
    }
}

fn rest() -> (Arc<Stage>, Rest) {
    let stage = Arc::new(Stage::default());
    let worker = "127.0.0.1:18083".to_owned();
    let definitions = Definitions::in_memory();
    let herder = Herder::start(stage.clone(), definitions, worker, BTreeMap::new()).unwrap();
    let settings = RestSettings {
        address: SocketAddr::from(([127, 0, 0, 1], 0)),
        access: Access::Open,
        about: About { version: "4.3.1", commit: "26b251a451ce941d" },
        topic_tracking: TRACKED,
        log_levels: Flat::new(),
    };
    (stage, Rest::new(herder, &settings))
}

fn ask(rest: &Rest, exchange: &Value) -> Answer {
    let text = |name: &str| exchange[name].as_str().unwrap_or_default();
    let header = |name: &str| exchange["headers"][name].as_str().map(str::to_owned);
    let body = match &exchange["request"] {
        Value::Null => Vec::new(),
        Value::String(text) => text.clone().into_bytes(),
        other => other.to_string().into_bytes(),
    };
    let request = Request {
        method: text("method").to_owned(),
        content_type: header("Content-Type"),
        accept: header("Accept"),
        host: Some("127.0.0.1:18083".to_owned()),
        body,
        ..Request::default()
    };
    match request.with_target(text("path")) {
        Ok(request) => rest.answer(&request),
        Err(refusal) => refusal,
    }
}

/// Why an answer may differ from the recorded one; `None`: it may not.
fn intended(exchange: &Value) -> Option<&'static str> {
    let path = exchange["path"].as_str().unwrap_or_default();
    let note = exchange["note"].as_str().unwrap_or_default();
    let status = exchange["status"].as_u64();
    match (path, note) {
        _ if status == Some(500) && path.ends_with("/offsets") => None,
        // A mistake of the client is told as one.
        _ if status == Some(500) => Some("400 instead of 500"),
        (_, "unknown class") => Some("the classes are others"),
        (path, _) if path.starts_with("/connector-plugins/") && status == Some(200) => {
            Some("the options are those of our classes, told by the same fields")
        }
        (path, _) if path.starts_with("/connector-plugins") => match status {
            Some(200) => Some("the classes are others"),
            _ => None,
        },
        ("/admin/loggers", _) => Some("the loggers are others"),
        (_, _) if path.starts_with("/admin/loggers/org") && status == Some(200) => {
            Some("the loggers are others, and the time is another")
        }
        // Its server refuses an encoded slash; here a connector is found under any name.
        ("/connectors/a%2Fb", _) => Some("a name with a slash can be deleted"),
        ("/connectors", _) if exchange["body"] == serde_json::json!(["a/b"]) => {
            Some("and is gone then")
        }
        _ => None,
    }
}

/// JSON whose lists of names are in order, since Connect has none.
fn ordered(value: &Value) -> Value {
    match value {
        Value::Array(items) => {
            let mut items: Vec<Value> = items.iter().map(ordered).collect();
            if items.iter().all(Value::is_string) {
                items.sort_by_key(ToString::to_string);
            }
            Value::Array(items)
        }
        Value::Object(fields) => {
            fields.iter().map(|(key, value)| (key.clone(), ordered(value))).collect()
        }
        other => other.clone(),
    }
}

fn body(answer: &Answer) -> Value {
    serde_json::from_str(&answer.body).unwrap_or_else(|_| Value::String(answer.body.clone()))
}

/// What is compared: the status, the type, the location and the body.
fn differences(recorded: &Value, answer: &Answer) -> Vec<String> {
    let mut differences = Vec::new();
    if recorded["status"].as_u64() != Some(u64::from(answer.status)) {
        differences.push(format!("status {}", answer.status));
    }
    if recorded["content_type"].as_str() != answer.content_type {
        differences.push(format!("type {:?}", answer.content_type));
    }
    if recorded["location"].as_str() != answer.location.as_deref() {
        differences.push(format!("location {:?}", answer.location));
    }
    let expected = match &recorded["body"] {
        Value::Null => Value::String(String::new()),
        other => other.clone(),
    };
    let found = body(answer);
    if ordered(&expected) != ordered(&found) {
        differences.push(format!("body {found}"));
    }
    differences
}

/// Waits until every connector is what was recorded a moment after the change.
fn settle(rest: &Rest) {
    let deadline = Instant::now() + Duration::from_secs(20);
    let settled = |name: &String| {
        let condition = rest.herder.condition(name).unwrap();
        let of_connector = condition.connector.state;
        !matches!(of_connector, RunState::Unassigned | RunState::Restarting)
            && condition.tasks.iter().all(|task| task.state == of_connector)
    };
    while !rest.herder.connectors().iter().all(settled) || !rest.herder.is_idle() {
        assert!(Instant::now() < deadline, "the connectors never settle");
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn the_recorded_answers_of_a_real_connect_are_ours_but_for_what_is_intended() {
    let (stage, rest) = rest();
    let mut wrong = Vec::new();
    let mut intentions = 0;
    for line in include_str!("recorded.jsonl").lines() {
        let recorded: Value = serde_json::from_str(line).unwrap();
        let call = format!("{} {} {}", recorded["method"], recorded["path"], recorded["note"]);
        let answer = ask(&rest, &recorded);
        let differences = differences(&recorded, &answer);
        match intended(&recorded) {
            Some("400 instead of 500") => {
                intentions += 1;
                if answer.status != 400 {
                    wrong.push(format!("{call}: {answer:?}, expected 400"));
                }
            }
            Some(_) => intentions += 1,
            None if differences.is_empty() => {}
            None => {
                wrong.push(format!("{call}: {}\n    recorded {recorded}", differences.join(", ")));
            }
        }
        settle(&rest);
        // What the file connector had read by then.
        if recorded["path"] == "/connectors/src/topics/reset" {
            stage.set_offsets("src", vec![position("/data/in.txt", 391)]);
            rest.herder.restart("src", true, false).unwrap();
            settle(&rest);
        }
    }
    assert!(wrong.is_empty(), "{} differences:\n{}", wrong.len(), wrong.join("\n"));
    assert!(intentions < 40, "{intentions} of 138 answers are not compared");
}

#[test]
fn whatever_is_asked_is_answered_and_changes_nothing_unless_it_is_understood() {
    let (_, rest) = rest();
    let targets = ["/", "/connectors", "/connectors/a/config", "/connectors/a/offsets", "/x/y/z"];
    let bodies: [&[u8]; 9] = [
        b"",
        b"{",
        b"[]",
        b"null",
        b"5",
        b"\xff\xfe",
        b"{\"name\":5}",
        b"{\"config\":[]}",
        b"{\"name\":\"a\",\"config\":{\"a\":{}}}",
    ];
    for method in ["GET", "PUT", "POST", "PATCH", "DELETE", "BREW", ""] {
        for target in targets {
            for body in bodies {
                let request = Request {
                    method: method.to_owned(),
                    content_type: Some("application/json".to_owned()),
                    body: body.to_vec(),
                    ..Request::default()
                };
                let answer = rest.answer(&request.with_target(target).unwrap());
                assert!((200..500).contains(&answer.status), "{method} {target}: {answer:?}");
            }
        }
    }
    assert!(rest.herder.connectors().is_empty());
}

#[test]
fn who_shows_no_token_or_another_one_is_not_admitted() {
    let (_, mut rest) = rest();
    assert!(rest.admits(None));
    rest.access = Access::Token(Secret::new("secret"));
    assert!(rest.admits(Some("Bearer secret")) && rest.admits(Some("bearer secret")));
    for wrong in
        [None, Some("secret"), Some("Bearer secre"), Some("Bearer secrets"), Some("Basic secret")]
    {
        assert!(!rest.admits(wrong), "{wrong:?}");
    }
    rest.access = Access::Basic { user: "ana".to_owned(), password: Secret::new("pw") };
    assert!(rest.admits(Some("Basic YW5hOnB3")));
    assert!(!rest.admits(Some("Basic YW5hOnB4")));
}

#[test]
fn each_logger_shows_the_level_that_is_in_force_whatever_name_it_was_set_by() {
    let (_, rest) = rest();
    let request = |method: &str, path: &str, level: Value| {
        let request = Request {
            method: method.to_owned(),
            content_type: Some("application/json".to_owned()),
            body: serde_json::json!({ "level": level }).to_string().into_bytes(),
            ..Request::default()
        };
        let answer = rest.answer(&request.with_target(&format!("/admin/loggers{path}")).unwrap());
        (answer.status, body(&answer))
    };
    for (logger, level) in [("a.b", "DEBUG"), ("a", "WARN"), ("b", "ERROR")] {
        assert_eq!(request("PUT", &format!("/{logger}"), level.into()).0, 200);
    }
    let (_, shown) = request("GET", "", Value::Null);
    let shown = shown.as_object().unwrap();
    assert_eq!(shown.keys().collect::<Vec<_>>(), ["a", "a.b", "b", "root"]);
    for (logger, shown) in shown {
        assert_eq!(shown["level"], "ERROR", "{logger}");
        // All have changed with the last one.
        assert_eq!(shown["last_modified"], request("GET", "/b", Value::Null).1["last_modified"]);
    }
    assert_eq!(request("PUT", "/a", "off".into()).1, serde_json::json!(["a", "a.b"]));
    for number in 4..256 {
        assert_eq!(request("PUT", &format!("/more{number}"), "INFO".into()).0, 200);
    }
    assert_eq!(request("PUT", "/beyond", "INFO".into()).0, 400);
    assert_eq!(request("PUT", "/more255", "TRACE".into()).0, 200);
    assert_eq!(request("GET", "/root", Value::Null).1["level"], "TRACE");
}

#[test]
fn topics_are_told_and_forgotten_as_the_worker_allows() {
    let (_, mut rest) = rest();
    let mut ask = |tracking, method: &str, path| {
        rest.topic_tracking = tracking;
        let request = Request { method: method.to_owned(), ..Request::default() };
        let answer = rest.answer(&request.with_target(path).unwrap());
        (answer.status, body(&answer)["message"].as_str().unwrap_or_default().to_owned())
    };
    let (get, reset) = (("GET", "/connectors/a/topics"), ("PUT", "/connectors/a/topics/reset"));
    let off = TopicTracking { enabled: false, allow_reset: true };
    let disabled = (403, "Topic tracking is disabled.".to_owned());
    assert_eq!(ask(off, get.0, get.1), disabled);
    assert_eq!(ask(off, reset.0, reset.1), disabled);
    let kept = TopicTracking { enabled: true, allow_reset: false };
    assert_eq!(ask(kept, get.0, get.1).0, 200);
    let disabled = (403, "Topic tracking reset is disabled.".to_owned());
    assert_eq!(ask(kept, reset.0, reset.1), disabled);
}

#[test]
fn every_state_has_a_name_of_its_own() {
    for name in ["UNASSIGNED", "RUNNING", "PAUSED", "FAILED", "RESTARTING", "STOPPED"] {
        assert_eq!(RunState::named(name).map(RunState::name), Some(name));
    }
}

/// Speaks HTTP to a listener: sends this, and returns all that comes.
fn speak(address: SocketAddr, text: &str) -> String {
    use std::io::{Read, Write};
    let mut stream = std::net::TcpStream::connect(address).unwrap();
    stream.write_all(text.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn the_listener_speaks_http_and_asks_for_the_token() {
    let stage = Arc::new(Stage::default());
    let definitions = Definitions::in_memory();
    let herder = Herder::start(stage, definitions, "w".to_owned(), BTreeMap::new()).unwrap();
    let log_levels = Flat::new();
    let mut settings = RestSettings {
        address: SocketAddr::from(([0, 0, 0, 0], 0)),
        access: Access::Open,
        about: About { version: "1", commit: "c" },
        topic_tracking: TRACKED,
        log_levels: log_levels.clone(),
    };
    let refused = Server::start(&settings, Arc::clone(&herder)).err().expect("nobody is let in");
    assert!(refused.to_string().contains("expected a token or a password"), "{refused}");

    settings.address = SocketAddr::from(([127, 0, 0, 1], 0));
    settings.access = Access::Token(Secret::new("t0"));
    let server = Server::start(&settings, herder).unwrap();
    let head = "Host: here\r\nConnection: close\r\n";
    let answer = speak(server.address(), &format!("GET / HTTP/1.1\r\n{head}\r\n"));
    assert!(answer.starts_with("HTTP/1.1 401 "), "{answer}");
    assert!(answer.to_lowercase().contains("www-authenticate: bearer"), "{answer}");

    let head = format!("{head}Authorization: Bearer t0\r\n");
    let answer = speak(server.address(), &format!("GET /?x=%41 HTTP/1.1\r\n{head}\r\n"));
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    assert!(answer.ends_with("\"version\":\"1\"}"), "{answer}");
    let body = r#"{"level":"debug"}"#;
    let kind = format!("Content-Type: application/json\r\nContent-Length: {}\r\n", body.len());
    let put = format!("PUT /admin/loggers/midge HTTP/1.1\r\n{head}{kind}\r\n{body}");
    assert!(speak(server.address(), &put).ends_with("[\"midge\"]"));
    assert_eq!(log_levels.level("midge"), "DEBUG");
    let large = format!("Content-Length: {}\r\n", BODY_MAX + 1);
    let put = format!("PUT /admin/loggers/x HTTP/1.1\r\n{head}{large}\r\n");
    let answer = speak(server.address(), &put);
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
}

#[test]
fn requests_that_never_come_to_their_end_keep_nobody_out() {
    use std::io::Write;
    let stage = Arc::new(Stage::default());
    let definitions = Definitions::in_memory();
    let herder = Herder::start(stage, definitions, "w".to_owned(), BTreeMap::new()).unwrap();
    let settings = RestSettings {
        address: SocketAddr::from(([127, 0, 0, 1], 0)),
        access: Access::Token(Secret::new("t0")),
        about: About { version: "1", commit: "c" },
        topic_tracking: TRACKED,
        log_levels: Flat::new(),
    };
    let server = Server::start(&settings, herder).unwrap();
    let half = |_| {
        let mut stream = std::net::TcpStream::connect(server.address()).unwrap();
        stream.write_all(b"GET / HTTP/1.1\r\nHost: h").unwrap();
        stream
    };
    let open: Vec<_> = (0..400).map(half).collect();
    let before = Instant::now();
    let request = "GET / HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer t0\r\nConnection: close";
    let answer = speak(server.address(), &format!("{request}\r\n\r\n"));
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    assert!(before.elapsed() < server::PATIENCE, "it waited until the others were given up");
    drop(open);
}
