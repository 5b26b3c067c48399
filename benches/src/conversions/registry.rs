//! A schema registry of our own, driven through a script as Kafka is.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::path::Path;

use serde_json::{Value, json};

use crate::kafka::server::Server;

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/registry/registry");

/// It ends with this value.
pub(super) struct Registry {
    server: Server,
}

impl Registry {
    pub(super) fn start(directory: &Path) -> io::Result<Registry> {
        Ok(Registry { server: Server::start(Path::new(SCRIPT), directory)? })
    }

    /// Where its Confluent API is.
    pub(super) fn url(&self) -> &str {
        &self.server.address
    }

    /// Where its own API is.
    pub(super) fn own_url(&self) -> String {
        format!("http://{}/apis/registry/v2", self.authority())
    }

    fn authority(&self) -> &str {
        let url = self.url();
        let behind = url.split_once("://").map_or(url, |(_, behind)| behind);
        behind.split('/').next().unwrap_or_default()
    }

    /// Registers a schema for a topic's values; its id.
    pub(super) fn register(&self, kafka_topic: &str, schema: &str) -> io::Result<u32> {
        let body = json!({ "schema": schema }).to_string();
        let path = self.url().split_once(self.authority()).map_or("", |(_, path)| path);
        let mut stream = TcpStream::connect(self.authority())?;
        write!(
            stream,
            "POST {path}/subjects/{kafka_topic}-value/versions HTTP/1.0\r\nHost: {}\r\n\
             Content-Type: application/vnd.schemaregistry.v1+json\r\nContent-Length: {}\r\n\r\n{body}",
            self.authority(),
            body.len()
        )?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
        let id = body.parse().ok().and_then(|body: Value| u32::try_from(body["id"].as_u64()?).ok());
        id.ok_or_else(|| io::Error::other(format!("the registry: expected an id, found {answer}")))
    }
}
