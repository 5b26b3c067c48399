//! A token endpoint of OAuth 2 client credentials with its JSON Web Key Set, over plain HTTP on the
//! loopback address: as much of it as Kafka and its clients ask for.
//!
//! It knows one client, `midge` with the secret `midge-secret`, and signs with RS256.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_SHA256};
use base64::Engine;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use serde_json::json;

/// The running server; it ends with the process.
pub struct TokenServer {
    port: u16,
    short_lived: Arc<AtomicUsize>,
}

struct Tokens {
    key: KeyPair,
    issuer: String,
    short_lived: Arc<AtomicUsize>,
}

/// How long tokens live, in seconds.
const LIFETIME: u64 = 300;
const SHORT_LIFETIME: u64 = 10;

/// Longest request taken, headers and body each.
const REQUEST_BYTES: u64 = 16 * 1024;

impl TokenServer {
    /// Starts it on a free port.
    pub fn start() -> TokenServer {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let port = listener.local_addr().expect("address").port();
        let key = KeyPair::generate(KeySize::Rsa2048).expect("key");
        let short_lived = Arc::new(AtomicUsize::new(0));
        let issuer = format!("http://127.0.0.1:{port}");
        let tokens = Arc::new(Tokens { key, issuer, short_lived: Arc::clone(&short_lived) });
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let tokens = Arc::clone(&tokens);
                // A client that breaks off concerns nobody else.
                std::thread::spawn(move || drop(tokens.answer(stream)));
            }
        });
        TokenServer { port, short_lived }
    }

    /// The issuer its tokens name.
    pub fn issuer(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The token endpoint.
    pub fn endpoint(&self) -> String {
        format!("{}/token", self.issuer())
    }

    /// A token endpoint whose tokens live for ten seconds.
    pub fn short_lived_endpoint(&self) -> String {
        format!("{}/short/token", self.issuer())
    }

    /// How many tokens that has given.
    pub fn short_lived(&self) -> usize {
        self.short_lived.load(Ordering::Relaxed)
    }

    /// The key set.
    pub fn jwks(&self) -> String {
        format!("{}/jwks", self.issuer())
    }
}

impl Tokens {
    fn answer(&self, stream: TcpStream) -> std::io::Result<()> {
        let mut reader = BufReader::new(stream.try_clone()?).take(REQUEST_BYTES);
        let mut head = String::new();
        while reader.read_line(&mut head)? > 2 {}
        let header = |name: &str| {
            head.lines().find_map(|line| {
                let (key, value) = line.split_once(':')?;
                key.eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
            })
        };
        let length = header("content-length").and_then(|value| value.parse().ok()).unwrap_or(0);
        let mut body = Vec::new();
        reader.set_limit(REQUEST_BYTES);
        reader.take(length).read_to_end(&mut body)?;
        let form = String::from_utf8_lossy(&body).into_owned();

        let (status, answer) = match head.lines().next().unwrap_or_default() {
            request if request.starts_with("GET /jwks ") => ("200 OK", self.key_set()),
            request
                if request.starts_with("POST /token ")
                    || request.starts_with("POST /short/token ") =>
            {
                let short = request.starts_with("POST /short/");
                if !form.contains("grant_type=client_credentials") {
                    ("400 Bad Request", json!({"error": "unsupported_grant_type"}))
                } else if knows(header("authorization").as_deref(), &form) {
                    let lifetime = if short { SHORT_LIFETIME } else { LIFETIME };
                    self.short_lived.fetch_add(usize::from(short), Ordering::Relaxed);
                    let answer = json!({
                        "access_token": self.token(lifetime),
                        "token_type": "Bearer",
                        "expires_in": lifetime,
                    });
                    ("200 OK", answer)
                } else {
                    ("401 Unauthorized", json!({"error": "invalid_client"}))
                }
            }
            _ => ("404 Not Found", json!({"error": "not_found"})),
        };
        let answer = answer.to_string();
        let length = answer.len();
        let mut stream = stream;
        write!(
            stream,
            "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\
             Connection: close\r\n\r\n{answer}"
        )
    }

    fn key_set(&self) -> serde_json::Value {
        let public = self.key.public_key();
        let encode = |bytes: &[u8]| BASE64_URL_SAFE_NO_PAD.encode(bytes);
        json!({"keys": [{
            "kty": "RSA", "use": "sig", "alg": "RS256", "kid": "tests",
            "n": encode(public.modulus().big_endian_without_leading_zero()),
            "e": encode(public.exponent().big_endian_without_leading_zero()),
        }]})
    }

    fn token(&self, lifetime: u64) -> String {
        let now =
            SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock past 1970").as_secs();
        let head = json!({"alg": "RS256", "typ": "JWT", "kid": "tests"});
        let claims = json!({
            "iss": self.issuer, "sub": "midge", "aud": "kafka", "scope": "kafka",
            "iat": now, "nbf": now, "exp": now + lifetime,
        });
        let encode = |bytes: &[u8]| BASE64_URL_SAFE_NO_PAD.encode(bytes);
        let signed = format!(
            "{}.{}",
            encode(head.to_string().as_bytes()),
            encode(claims.to_string().as_bytes())
        );
        let mut signature = vec![0; self.key.public_modulus_len()];
        let random = SystemRandom::new();
        self.key
            .sign(&RSA_PKCS1_SHA256, &random, signed.as_bytes(), &mut signature)
            .expect("signature");
        format!("{signed}.{}", encode(&signature))
    }
}

/// Whether a request comes from the one client known, by header or by form (RFC 6749, 2.3.1).
fn knows(authorization: Option<&str>, form: &str) -> bool {
    let basic = format!("Basic {}", BASE64_STANDARD.encode("midge:midge-secret"));
    let fields: Vec<&str> = form.split('&').collect();
    authorization == Some(basic.as_str())
        || fields.contains(&"client_id=midge") && fields.contains(&"client_secret=midge-secret")
}
