use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::sync::mpsc::channel;
use std::thread::JoinHandle;

use midge_rules::converter::{Converter, Side};

use super::*;

/// Serves these answers, one a connection; gives what was asked.
fn serve(answers: &[(&'static str, &'static str)]) -> (String, JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = format!("http://{}", listener.local_addr().expect("bound"));
    let mut answers: VecDeque<_> = answers.iter().copied().collect();
    let server = std::thread::spawn(move || {
        let mut requests = Vec::new();
        while let Some((status, body)) = answers.pop_front() {
            let (stream, _) = listener.accept().expect("a request");
            let mut reader = BufReader::new(stream);
            let (mut request, mut length) = (String::new(), 0);
            while !request.ends_with("\r\n\r\n") {
                let mut line = String::new();
                reader.read_line(&mut line).expect("a header");
                if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                    length = value.trim().parse().expect("a number");
                }
                request.push_str(&line);
            }
            let mut sent = vec![0; length];
            reader.read_exact(&mut sent).expect("the body");
            request.push_str(&String::from_utf8(sent).expect("text"));
            requests.push(request);
            let length = body.len();
            let answer = format!(
                "HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
            );
            reader.get_mut().write_all(answer.as_bytes()).expect("the client reads");
        }
        requests
    });
    (address, server)
}

fn options(more: &[(&str, &str)]) -> RegistryOptions {
    let class = [("value.converter", "AvroConverter")];
    let options = class.iter().chain(more).copied();
    let converter = Converter::from_options(Side::Value, "value.converter", options).unwrap();
    converter.registry().unwrap().clone()
}

fn registry(url: &str) -> Registry {
    Registry::new(&options(&[("value.converter.schema.registry.url", url)])).unwrap()
}

const SCHEMA: Question = Question::Schema { id: 7 };

#[test]
fn a_schema_comes_after_those_it_refers_to() {
    let (url, server) = serve(&[
        (
            "200 OK",
            r#"{"schema":"\"a.B\"","references":[{"name":"a.B","subject":"b/x","version":2}]}"#,
        ),
        ("200 OK", r#"{"schema":"B","references":[{"name":"a.C","subject":"c","version":1}]}"#),
        ("200 OK", r#"{"schema":"C"}"#),
    ]);
    let answer = registry(&url).ask(&SCHEMA);
    let references = vec!["C".to_owned(), "B".to_owned()];
    let text = SchemaText { text: "\"a.B\"".to_owned(), references };
    assert_eq!(answer, Ok(Answer::Schema(text)));
    let asked = server.join().unwrap();
    let lines: Vec<&str> = asked.iter().map(|request| request.lines().next().unwrap()).collect();
    assert_eq!(
        lines,
        [
            "GET /schemas/ids/7 HTTP/1.1",
            "GET /subjects/b%2Fx/versions/2 HTTP/1.1",
            "GET /subjects/c/versions/1 HTTP/1.1",
        ]
    );
}

#[test]
fn a_schema_is_registered_or_looked_up_by_its_text() {
    let (url, server) = serve(&[("200 OK", r#"{"id":5}"#), ("200 OK", r#"{"id":6}"#)]);
    let mut registry = registry(&url);
    let (subject, schema) = ("t-value".into(), "\"int\"".into());
    let register = Question::Register { subject, schema, normalize: true };
    assert_eq!(registry.ask(&register), Ok(Answer::Id(5)));
    let (subject, schema) = ("t-value".into(), "\"int\"".into());
    let lookup = Question::Lookup { subject, schema, normalize: false };
    assert_eq!(registry.ask(&lookup), Ok(Answer::Id(6)));
    let asked = server.join().unwrap();
    assert!(asked[0].starts_with("POST /subjects/t-value/versions?normalize=true HTTP/1.1"));
    assert!(asked[1].starts_with("POST /subjects/t-value HTTP/1.1"));
    assert!(asked[0].ends_with("\r\n\r\n{\"schema\":\"\\\"int\\\"\"}"), "{}", asked[0]);
}

#[test]
fn a_schema_that_somebody_else_registers_at_the_same_time_is_asked_for_again() {
    let conflict = ("409 Conflict", r#"{"error_code":409,"message":"already exists"}"#);
    let register = || {
        let (subject, schema) = ("t-value".into(), "\"int\"".into());
        Question::Register { subject, schema, normalize: false }
    };
    let (url, server) = serve(&[conflict, ("200 OK", r#"{"id":5}"#)]);
    assert_eq!(registry(&url).ask(&register()), Ok(Answer::Id(5)));
    server.join().unwrap();
    let (url, server) = serve(&[conflict, conflict]);
    assert!(!registry(&url).ask(&register()).unwrap_err().is_away());
    server.join().unwrap();
}

#[test]
fn a_word_about_the_schema_is_a_refusal_and_all_else_is_away() {
    for (status, body, refused) in [
        ("404 Not Found", r#"{"error_code":40403,"message":"Schema not found"}"#, true),
        ("409 Conflict", r#"{"error_code":409,"message":"incompatible"}"#, true),
        ("422 Unprocessable Entity", r#"{"error_code":42201,"message":"Invalid schema"}"#, true),
        ("404 Not Found", "<html>", false),
        ("401 Unauthorized", r#"{"error_code":401,"message":"Unauthorized"}"#, false),
        ("429 Too Many Requests", "", false),
        ("500 Internal Server Error", r#"{"error_code":50001,"message":"store"}"#, false),
        ("301 Moved", "", false),
        ("200 OK", "<html>", false),
    ] {
        let (url, server) = serve(&[(status, body)]);
        let error = registry(&url).ask(&SCHEMA).unwrap_err();
        assert_eq!(error.is_away(), !refused, "{status}: {error}");
        server.join().unwrap();
    }
    let (url, _server) =
        serve(&[("404 Not Found", r#"{"error_code":40403,"message":"Schema not found"}"#)]);
    assert_eq!(
        registry(&url).ask(&SCHEMA).unwrap_err().to_string(),
        "schema registry refuses the schema of id 7: Schema not found; error code: 40403"
    );
    let (url, _server) = serve(&[("200 OK", r#"{"schema":"syntax","schemaType":"PROTOBUF"}"#)]);
    assert!(!registry(&url).ask(&SCHEMA).unwrap_err().is_away());
}

#[test]
fn an_address_that_does_not_answer_gives_way_to_the_next() {
    let closed = TcpListener::bind("127.0.0.1:0").unwrap();
    let nobody = format!("http://{}", closed.local_addr().unwrap());
    drop(closed);
    assert!(registry(&nobody).ask(&SCHEMA).unwrap_err().is_away());
    let (ill, ill_server) = serve(&[("503 Service Unavailable", "")]);
    let answer = ("200 OK", r#"{"schema":"\"int\""}"#);
    let (well, well_server) = serve(&[answer, answer]);
    let mut registry = registry(&format!("{nobody},{ill},{well}"));
    assert!(registry.ask(&SCHEMA).is_ok());
    // The one that answered is asked first from then on.
    assert!(registry.ask(&SCHEMA).is_ok());
    ill_server.join().unwrap();
    well_server.join().unwrap();
}

#[test]
fn credentials_are_shown_to_the_registry_alone() {
    for (more, header) in [
        (
            &[
                ("value.converter.basic.auth.credentials.source", "USER_INFO"),
                ("value.converter.basic.auth.user.info", "me:hunter2"),
            ],
            "authorization: basic bwu6ahvudgvymg==",
        ),
        (
            &[
                ("value.converter.bearer.auth.credentials.source", "STATIC_TOKEN"),
                ("value.converter.bearer.auth.token", "hunter2"),
            ],
            "authorization: bearer hunter2",
        ),
    ] {
        let (url, server) = serve(&[("401 Unauthorized", "")]);
        let url = [("value.converter.schema.registry.url", &*url)];
        let options = options(&[&url[..], more].concat());
        let error = Registry::new(&options).unwrap().ask(&SCHEMA).unwrap_err();
        assert!(!format!("{error} {error:?} {options:?}").contains("hunter2"));
        let asked = server.join().unwrap().remove(0).to_ascii_lowercase();
        assert!(asked.contains(header), "{asked}");
    }
}

#[test]
fn a_file_without_certificates_is_told_by_its_name() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("ca.pem");
    std::fs::write(&file, "nothing").unwrap();
    let location = file.to_string_lossy().into_owned();
    let options = options(&[
        ("value.converter.schema.registry.url", "https://localhost:1"),
        ("value.converter.schema.registry.ssl.truststore.location", &location),
        ("value.converter.schema.registry.ssl.truststore.type", "PEM"),
    ]);
    let error = Registry::new(&options).err().expect("no certificate");
    assert_eq!(error, format!("{location}: found no certificate, expected at least one"));
}

#[test]
fn nobody_waits_for_the_thread() {
    let (url, server) = serve(&[("200 OK", r#"{"schema":"\"int\""}"#)]);
    let thread = RegistryThread::spawn(registry(&url)).unwrap();
    let (sender, answers) = channel();
    thread.ask(SCHEMA, move |answer| sender.send(answer).unwrap()).unwrap();
    assert!(matches!(answers.recv().unwrap(), Ok(Answer::Schema(_))));
    server.join().unwrap();

    // A registry that does not answer keeps its thread, and the queue has an end.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", silent.local_addr().unwrap());
    let thread = RegistryThread::spawn(registry(&url)).unwrap();
    let asked = (0..QUEUE_MAX + 2).filter(|_| thread.ask(SCHEMA, drop).is_ok()).count();
    assert!((QUEUE_MAX..=QUEUE_MAX + 1).contains(&asked), "{asked}");
}
