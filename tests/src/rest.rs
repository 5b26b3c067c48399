//! Connect's REST interface, as `curl` speaks to it.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};

use serde_json::Value;

use crate::Midge;

/// A request to `@PORT2@`; the status and what came, `null` where nothing did.
///
/// # Panics
/// When it is not answered.
#[track_caller]
pub fn rest(midge: &Midge, method: &str, path: &str, body: Option<&Value>) -> (u16, Value) {
    rest_as(midge, "", method, path, body)
}

/// As [`rest`], with a header line, which ends as header lines do.
///
/// # Panics
/// When it is not answered.
#[track_caller]
pub fn rest_as(
    midge: &Midge,
    header: &str,
    method: &str,
    path: &str,
    body: Option<&Value>,
) -> (u16, Value) {
    let body = body.map(Value::to_string).unwrap_or_default();
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, midge.port(2))).expect("a listener");
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{header}\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).expect("it reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("it answers");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
    let status = head.split(' ').nth(1).expect("a status").parse().expect("a number");
    let body = if body.is_empty() { Value::Null } else { body.parse().expect("JSON") };
    (status, body)
}
