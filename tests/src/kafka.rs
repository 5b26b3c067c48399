//! A real Apache Kafka, run by `tests/kafka/kafka`.
//!
//! One is shared by all tests of a program and has four doors: plain, SASL_SSL with PLAIN, SCRAM and
//! SASL_SSL with OAUTHBEARER, TLS with client certificates. A test that stops its Kafka has its own.
//! However the tests end, the Kafka ends with them: a process of its own waits for that.

use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command};
use std::sync::OnceLock;

use rustix::process::{Pid, Signal};

use crate::ports::Port;
use crate::process::{Output, keep, output, repository};
use crate::{Authority, TokenServer, eventually};

/// A running Kafka.
pub struct Kafka {
    directory: PathBuf,
    bootstrap: String,
    /// Ports of the doors with a lock, and who has the keys.
    secured: Option<Secured>,
    /// Held open as long as the Kafka is wanted.
    _wanted: ChildStdin,
    _keeper: Child,
}

/// The doors with a lock.
struct Secured {
    sasl: Port,
    oauth: Port,
    mutual: Port,
    authority: Authority,
    tokens: TokenServer,
}

/// What `kcat` reads.
pub type Records = Vec<String>;

impl Kafka {
    /// The Kafka that all tests of this program share.
    ///
    /// # Panics
    /// When it cannot be started: a test that needs a Kafka fails without one.
    pub fn shared() -> &'static Kafka {
        static SHARED: OnceLock<Kafka> = OnceLock::new();
        SHARED.get_or_init(|| Kafka::start(true))
    }

    /// A Kafka for one test alone, plain.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn own() -> Kafka {
        Kafka::start(false)
    }

    fn start(secured: bool) -> Kafka {
        let temporary = tempfile::Builder::new().prefix("midge-kafka").tempdir();
        let directory = temporary.expect("temporary directory").keep();
        let (wanted, keeper) = keep(&script(), &directory);
        let secured = secured.then(|| Secured::write(&directory));
        let mut kafka = Kafka {
            directory,
            bootstrap: String::new(),
            secured,
            _wanted: wanted,
            _keeper: keeper,
        };
        kafka.bootstrap = kafka.run();
        kafka
    }

    fn run(&self) -> String {
        let mut command = Command::new(script());
        if let Some(secured) = &self.secured {
            command.env("KAFKA_EXTRA", self.directory.join("extra.properties"));
            command.env("KAFKA_SCRAM", "alice=alice-secret");
            let allowed = "-Dorg.apache.kafka.sasl.oauthbearer.allowed.urls";
            command.env("KAFKA_JVM", format!("{allowed}={}", secured.tokens.jwks()));
        }
        let started = output(command.arg("start").arg(&self.directory), "").success();
        started.stdout.trim().to_owned()
    }

    /// The address of the plain door.
    pub fn bootstrap(&self) -> &str {
        &self.bootstrap
    }

    /// The address of the door with SASL_SSL: SCRAM for alice, PLAIN for bob.
    pub fn sasl(&self) -> String {
        format!("127.0.0.1:{}", self.secured().sasl.number())
    }

    /// The address of the door with OAUTHBEARER.
    pub fn oauth(&self) -> String {
        format!("127.0.0.1:{}", self.secured().oauth.number())
    }

    /// The address of the door that wants a client certificate.
    pub fn mutual(&self) -> String {
        format!("127.0.0.1:{}", self.secured().mutual.number())
    }

    /// Who signed its certificate and signs those of clients.
    pub fn authority(&self) -> &Authority {
        &self.secured().authority
    }

    /// Who gives the tokens for OAUTHBEARER.
    pub fn tokens(&self) -> &TokenServer {
        &self.secured().tokens
    }

    fn secured(&self) -> &Secured {
        self.secured.as_ref().expect("this Kafka has locked doors")
    }

    /// Stops it.
    pub fn stop(&self) {
        output(Command::new(script()).arg("stop").arg(&self.directory), "").success();
    }

    /// Ends it as `kill -9` does.
    pub fn kill(&self) {
        output(Command::new(script()).arg("kill").arg(&self.directory), "").success();
    }

    /// Has it do nothing, with all its connections open, until [`Kafka::go_on`].
    pub fn freeze(&self) {
        self.signal(Signal::STOP);
    }

    /// Has it go on after [`Kafka::freeze`].
    pub fn go_on(&self) {
        self.signal(Signal::CONT);
    }

    fn signal(&self, signal: Signal) {
        let file = self.directory.join("kafka.pid");
        let pid = std::fs::read_to_string(file).expect("its process id").trim().parse();
        let pid = Pid::from_raw(pid.expect("a number")).expect("a process id");
        rustix::process::kill_process(pid, signal).expect("it runs");
    }

    /// Starts it again where it was.
    pub fn resume(&self) {
        assert_eq!(self.run(), self.bootstrap, "the same address");
    }

    /// Makes a topic.
    #[track_caller]
    pub fn create_topic(&self, name: &str, partitions: u32) {
        let partitions = partitions.to_string();
        let class = "org.apache.kafka.tools.TopicCommand";
        let of = ["--bootstrap-server", &self.bootstrap, "--create", "--topic", name];
        self.tool(class, &[&of[..], &["--partitions", &partitions]].concat()).success();
    }

    /// Runs one of Kafka's own programs.
    pub fn tool(&self, class: &str, arguments: &[&str]) -> Output {
        let mut command = Command::new(script());
        output(command.arg("tool").arg(&self.directory).arg(class).args(arguments), "")
    }

    /// A script that is one of Kafka's own programs, for [`Shell::program`](crate::Shell::program).
    pub fn program(&self, class: &str) -> String {
        format!("exec '{}' tool '{}' {class} \"$@\"", script().display(), self.directory.display())
    }

    /// What Kafka's console consumer prints of a topic from its beginning, up to `count` records.
    #[track_caller]
    pub fn console_consumer(&self, topic: &str, count: usize) -> Records {
        let count = count.to_string();
        let class = "org.apache.kafka.tools.consumer.ConsoleConsumer";
        let arguments = [
            "--bootstrap-server",
            &self.bootstrap,
            "--from-beginning",
            "--topic",
            topic,
            "--max-messages",
            &count,
            "--timeout-ms",
            "30000",
        ];
        self.tool(class, &arguments).stdout.lines().map(str::to_owned).collect()
    }

    /// Every record a topic has now, one a line as `format` says (`kcat -f`).
    #[track_caller]
    pub fn records(&self, topic: &str, format: &str) -> Records {
        let read = kcat(
            &self.bootstrap,
            &["-C", "-t", topic, "-o", "beginning", "-e", "-q", "-f", format],
            "",
        );
        read.stdout.lines().map(str::to_owned).collect()
    }

    /// Waits until a topic has this many records; returns them.
    #[track_caller]
    pub fn eventually_records(&self, topic: &str, format: &str, count: usize) -> Records {
        eventually(&format!("{count} records in {topic}"), || {
            let records = self.records(topic, format);
            (records.len() >= count).then_some(records)
        })
    }

    /// Writes records by Kafka's console producer, one a line, `KEY:VALUE`.
    #[track_caller]
    pub fn console_producer(&self, topic: &str, lines: &str) {
        let class = "org.apache.kafka.tools.ConsoleProducer";
        let mut command = Command::new(script());
        command.arg("tool").arg(&self.directory).args([class, "--topic", topic]);
        command.args(["--bootstrap-server", &self.bootstrap]);
        for property in ["parse.key=true", "key.separator=:"] {
            command.args(["--reader-property", property]);
        }
        output(&mut command, lines).success();
    }

    /// Writes records, one a line, `KEY:VALUE`.
    #[track_caller]
    pub fn produce(&self, topic: &str, lines: &str) {
        kcat(&self.bootstrap, &["-P", "-t", topic, "-K", ":"], lines).success();
    }
}

impl Drop for Kafka {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let log = std::fs::read_to_string(self.directory.join("kafka.log")).unwrap_or_default();
            let lines: Vec<&str> = log.lines().rev().take(20).collect();
            eprintln!("--- the end of Kafka's log, last line first ---\n{}\n---", lines.join("\n"));
        }
    }
}

impl Secured {
    /// Writes what the script adds to server.properties.
    fn write(directory: &Path) -> Secured {
        let authority = Authority::new("Tests of Midge");
        let doors = [Port::take(), Port::take(), Port::take()];
        let [sasl, oauth, mutual] = doors.each_ref().map(Port::number);
        let tokens = TokenServer::start();
        let server = authority.server();
        std::fs::write(directory.join("ca.pem"), authority.pem()).expect("file");
        let keystore = format!("{}{}", server.key, server.certificate);
        std::fs::write(directory.join("keystore.pem"), keystore).expect("file");
        let login = "org.apache.kafka.common.security";
        let (jwks, issuer) = (tokens.jwks(), tokens.issuer());
        let properties = format!(
            "\
listeners=PLAINTEXT://127.0.0.1:@PORT@,CONTROLLER://127.0.0.1:@CTRL@,SASL://127.0.0.1:{sasl},OAUTH://127.0.0.1:{oauth},MUTUAL://127.0.0.1:{mutual}
advertised.listeners=PLAINTEXT://127.0.0.1:@PORT@,SASL://127.0.0.1:{sasl},OAUTH://127.0.0.1:{oauth},MUTUAL://127.0.0.1:{mutual}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SASL:SASL_SSL,OAUTH:SASL_SSL,MUTUAL:SSL
ssl.keystore.type=PEM
ssl.keystore.location=@DIR@/keystore.pem
ssl.truststore.type=PEM
ssl.truststore.location=@DIR@/ca.pem
ssl.client.auth=none
listener.name.mutual.ssl.client.auth=required
sasl.enabled.mechanisms=SCRAM-SHA-512,PLAIN,OAUTHBEARER
listener.name.sasl.sasl.enabled.mechanisms=SCRAM-SHA-512,PLAIN
listener.name.sasl.scram-sha-512.sasl.jaas.config={login}.scram.ScramLoginModule required;
listener.name.sasl.plain.sasl.jaas.config={login}.plain.PlainLoginModule required user_bob=\"bob-secret\";
listener.name.oauth.sasl.enabled.mechanisms=OAUTHBEARER
listener.name.oauth.oauthbearer.sasl.jaas.config={login}.oauthbearer.OAuthBearerLoginModule required;
listener.name.oauth.oauthbearer.sasl.server.callback.handler.class={login}.oauthbearer.OAuthBearerValidatorCallbackHandler
listener.name.oauth.oauthbearer.sasl.oauthbearer.jwks.endpoint.url={jwks}
listener.name.oauth.oauthbearer.sasl.oauthbearer.expected.audience=kafka
listener.name.oauth.oauthbearer.sasl.oauthbearer.expected.issuer={issuer}
"
        );
        std::fs::write(directory.join("extra.properties"), properties).expect("file");
        let [sasl, oauth, mutual] = doors;
        Secured { sasl, oauth, mutual, authority, tokens }
    }
}

/// Runs `kcat` against a Kafka to its end.
#[track_caller]
pub fn kcat(bootstrap: &str, arguments: &[&str], input: &str) -> Output {
    output(Command::new("kcat").args(["-b", bootstrap]).args(arguments), input)
}

fn script() -> PathBuf {
    repository().join("tests/kafka/kafka")
}
