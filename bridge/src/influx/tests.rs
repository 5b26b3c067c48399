use std::io::{Read, Write};
use std::net::TcpListener;
use std::thread::JoinHandle;

use midge_config::Secret;

use super::*;

/// A server that gives one answer; what it was asked.
fn server(answer: &'static str) -> (String, JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let asked = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a client");
        let mut asked = Vec::new();
        let mut buffer = [0; 4096];
        loop {
            let text = String::from_utf8_lossy(&asked).into_owned();
            if let Some((head, body)) = text.split_once("\r\n\r\n") {
                let length = head.to_ascii_lowercase();
                let length = length.split("content-length: ").nth(1).expect("a length");
                let length = length.lines().next().expect("a number");
                if body.len() >= length.parse().expect("a number") {
                    break;
                }
            }
            let read = stream.read(&mut buffer).expect("it writes");
            assert!(read > 0, "the client went: {text}");
            asked.extend_from_slice(&buffer[..read]);
        }
        stream.write_all(answer.as_bytes()).expect("it reads");
        String::from_utf8(asked).expect("text")
    });
    (url, asked)
}

fn plan(url: &str) -> InfluxDatabase {
    InfluxDatabase {
        url: url.to_owned(),
        database: "my db".to_owned(),
        user: None,
        token: None,
        retention_policy: "autogen".to_owned(),
        consistency: "all".to_owned(),
        ca: None,
    }
}

fn database(plan: &InfluxDatabase) -> Database {
    Database::new(plan, 10).expect("nothing to read")
}

const TAKEN: &str = "HTTP/1.1 204 No Content\r\n\r\n";

#[test]
fn points_go_to_database_and_retention_policy_with_name_and_password() {
    let (url, asked) = server(TAKEN);
    let user = Some(("ana".to_owned(), Secret::new("p:w")));
    let plan = InfluxDatabase { user, ..plan(&format!("{url}/")) };
    assert_eq!(database(&plan).write("m a=1i 1\nm a=2i 2"), Ok(()));
    let asked = asked.join().expect("an answer");
    let path = "POST /write?db=my%20db&rp=autogen&consistency=all&precision=ns HTTP/1.1\r\n";
    assert!(asked.starts_with(path), "{asked}");
    assert!(
        asked.to_ascii_lowercase().contains("authorization: basic yw5hona6dw==\r\n"),
        "{asked}"
    );
    assert!(asked.ends_with("\r\n\r\nm a=1i 1\nm a=2i 2"), "{asked}");
}

#[test]
fn with_a_token_points_go_to_bucket_and_organization() {
    let (url, asked) = server(TAKEN);
    let token = Some((Secret::new("s3cret"), "ours & theirs".to_owned()));
    assert_eq!(database(&InfluxDatabase { token, ..plan(&url) }).write("m a=1i 1"), Ok(()));
    let asked = asked.join().expect("an answer");
    let path =
        "POST /api/v2/write?bucket=my%20db&org=ours%20%26%20theirs&precision=ns HTTP/1.1\r\n";
    assert!(asked.starts_with(path), "{asked}");
    assert!(asked.to_ascii_lowercase().contains("authorization: token s3cret\r\n"), "{asked}");
}

#[test]
fn an_error_has_the_database_s_own_words_and_no_secret() {
    for (answer, why, is_about_points) in [
        (
            "HTTP/1.1 404 Not Found\r\nConnection: close\r\n\r\n\
             {\"error\":\"database not found: \\\"my db\\\"\"}",
            "answered 404: database not found: \"my db\"",
            false,
        ),
        (
            "HTTP/1.1 401 Unauthorized\r\nConnection: close\r\n\r\n\
             {\"code\":\"unauthorized\",\"message\":\"unauthorized\"}",
            "answered 401: unauthorized",
            false,
        ),
        (
            "HTTP/1.1 400 Bad Request\r\nX-Influxdb-Error: partial write\r\n\
             Content-Length: 0\r\n\r\n",
            "answered 400: partial write",
            true,
        ),
        ("HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n", "answered 503: no reason given", false),
        (
            "HTTP/1.1 301 No\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n",
            "answered 301: no reason given",
            false,
        ),
    ] {
        let (url, asked) = server(answer);
        let user = Some(("ana".to_owned(), Secret::new("p:w")));
        let error = database(&InfluxDatabase { user, ..plan(&url) }).write("m a=1i 1");
        let error = error.expect_err("an error");
        assert_eq!(error.to_string(), format!("InfluxDB {url}: {why}"));
        assert_eq!(error.is_about_points, is_about_points, "{why}");
        asked.join().expect("an answer");
    }
}

#[test]
fn a_database_that_is_not_there_is_an_error_of_the_way_to_it() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    drop(listener);
    let error = database(&plan(&url)).write("m a=1i 1").expect_err("nobody is there");
    assert!(error.to_string().starts_with(&format!("InfluxDB {url}: ")), "{error}");
    assert!(!error.is_about_points);
}

#[test]
fn a_file_of_authorities_that_is_not_there_is_an_error_at_once() {
    let ca = Some("/nowhere/ca.pem".to_owned());
    let plan = InfluxDatabase { ca, ..plan("https://localhost:1") };
    let error = Database::new(&plan, 1).err().expect("no such file");
    assert!(error.starts_with("/nowhere/ca.pem: "), "{error}");
}
