//! A real schema registry, run by `tests/registry/registry`, shared by all tests of a program.

use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command};
use std::sync::OnceLock;

use serde_json::{Value, json};

use crate::process::{keep, output, repository};

/// A running registry.
pub struct Registry {
    directory: PathBuf,
    url: String,
    /// Held open as long as it is wanted.
    _wanted: ChildStdin,
    _keeper: Child,
}

impl Registry {
    /// The registry that all tests of this program share.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn shared() -> &'static Registry {
        static SHARED: OnceLock<Registry> = OnceLock::new();
        SHARED.get_or_init(Registry::own)
    }

    /// A registry for one test alone.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn own() -> Registry {
        let temporary = tempfile::Builder::new().prefix("midge-registry").tempdir();
        let directory = temporary.expect("temporary directory").keep();
        let (wanted, keeper) = keep(&script(), &directory);
        let url = String::new();
        let mut registry = Registry { directory, url, _wanted: wanted, _keeper: keeper };
        registry.url = registry.run("start");
        registry
    }

    fn run(&self, command: &str) -> String {
        let ran = output(Command::new(script()).arg(command).arg(&self.directory), "");
        ran.success().stdout.trim().to_owned()
    }

    /// Ends it as `kill -9` does.
    pub fn kill(&self) {
        self.run("kill");
    }

    /// Starts it again where it was, with the schemas that it had.
    pub fn resume(&self) {
        assert_eq!(self.run("start"), self.url, "the same address");
    }

    /// Its address, with Confluent's API below it.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Registers a schema; returns its id.
    ///
    /// # Panics
    /// When it refuses.
    #[track_caller]
    pub fn register(&self, subject: &str, schema: &str) -> u32 {
        let body = json!({ "schema": schema }).to_string();
        let address = format!("{}/subjects/{subject}/versions", self.url);
        let mut curl = Command::new("curl");
        curl.args(["-sS", "-X", "POST", "--data-binary", "@-"]);
        curl.args(["-H", "Content-Type: application/vnd.schemaregistry.v1+json", &address]);
        let answer = output(&mut curl, &body).success().stdout;
        let id = serde_json::from_str(&answer).ok().and_then(|answer: Value| answer["id"].as_u64());
        let id = id.unwrap_or_else(|| panic!("{address}: {answer}"));
        u32::try_from(id).expect("an id of four bytes")
    }
}

fn script() -> PathBuf {
    repository().join("tests/registry/registry")
}
