use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::thread::JoinHandle;

use midge_config::Secret;

use super::*;

/// Serves one request with `status` and `body`; gives what was asked.
fn serve(status: &'static str, body: &'static str) -> (Oauth, JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = listener.local_addr().expect("bound").port();
    let server = std::thread::spawn(move || {
        let (stream, _) = listener.accept().expect("a request");
        let mut reader = BufReader::new(stream);
        let mut request = String::new();
        let mut length = 0;
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).expect("a header");
            if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().expect("a number");
            }
            request.push_str(&line);
            if line == "\r\n" {
                break;
            }
        }
        let mut form = vec![0; length];
        reader.read_exact(&mut form).expect("the form");
        request.push_str(&String::from_utf8(form).expect("text"));
        let answer = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n{body}", body.len());
        reader.get_mut().write_all(answer.as_bytes()).expect("the client reads");
        request
    });
    let oauth = Oauth {
        client_id: "app".to_owned(),
        client_secret: Secret::new("hunter2"),
        token_endpoint: format!("http://127.0.0.1:{port}/token"),
        scope: Some("kafka".to_owned()),
        ca: None,
    };
    (oauth, server)
}

fn fetch(status: &'static str, body: &'static str) -> (Result<OAuthToken, TokenError>, String) {
    let (oauth, server) = serve(status, body);
    let token = TokenEndpoint::new(&oauth).expect("no TLS").fetch();
    (token, server.join().expect("served"))
}

#[test]
fn client_credentials_are_exchanged_for_a_token_with_its_lifetime() {
    let before = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_millis();
    let (token, request) = fetch("200 OK", r#"{"access_token":"abc","expires_in":60}"#);
    let token = token.expect("the server gave one");
    assert_eq!((token.token.as_str(), token.principal_name.as_str()), ("abc", "app"));
    let lifetime = token.lifetime_ms - i64::try_from(before).expect("soon enough");
    assert!((60_000..70_000).contains(&lifetime), "{lifetime}");
    assert!(request.starts_with("POST /token "), "{request}");
    assert!(request.ends_with("grant_type=client_credentials&scope=kafka"), "{request}");
    // app:hunter2
    assert!(request.to_ascii_lowercase().contains("authorization: basic yxbwomh1bnrlcji="));
}

#[test]
fn a_refusal_is_told_with_its_reason_and_without_the_secret() {
    let (token, _) = fetch("401 Unauthorized", r#"{"error":"invalid_client"}"#);
    let error = token.err().expect("refused").to_string();
    assert!(error.ends_with("answered 401 invalid_client, expected 200"), "{error}");
    assert!(!error.contains("hunter2"), "{error}");
}

#[test]
fn an_answer_without_a_token_is_an_error() {
    for body in ["", "[]", "{}", r#"{"access_token":7}"#] {
        let (token, _) = fetch("200 OK", body);
        assert!(matches!(token, Err(TokenError::Answer { .. })), "{body}");
    }
}
