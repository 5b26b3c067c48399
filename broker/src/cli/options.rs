//! Arguments to a command, each with what it needs.

use std::ffi::OsString;
use std::path::PathBuf;

use midge_acl::Scheme;
use midge_rules::kcql::Use;

/// What is to be done.
#[derive(Debug, PartialEq)]
pub(super) enum Command {
    Help,
    Version,
    Run(RunOptions),
    Dev(DevOptions),
    Passwd(PasswdOptions),
    Certs(CertsOptions),
    Health(HealthOptions),
    Store(StoreOptions),
    Kcql(KcqlOptions),
    /// `midge connect`, which reads the rest itself.
    Connect(Vec<OsString>),
    /// `midge connect-standalone`, which reads the rest itself.
    ConnectStandalone(Vec<OsString>),
    /// `midge connect-distributed`, the same.
    ConnectDistributed(Vec<OsString>),
}

/// `midge`
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct RunOptions {
    pub(super) config: Option<PathBuf>,
    pub(super) bridge: Vec<PathBuf>,
    pub(super) connectors: Vec<PathBuf>,
    pub(super) ports: Vec<u16>,
    pub(super) daemon: bool,
    pub(super) verbose: bool,
    pub(super) quiet: bool,
    pub(super) test_config: bool,
}

/// `midge dev`
#[derive(Debug, PartialEq)]
pub(super) struct DevOptions {
    pub(super) once: bool,
    pub(super) port: u16,
}

/// `midge passwd`
#[derive(Debug, PartialEq)]
pub(super) struct PasswdOptions {
    pub(super) file: PathBuf,
    pub(super) scheme: Scheme,
    pub(super) action: PasswdAction,
}

/// What `midge passwd` does to its file.
#[derive(Debug, PartialEq)]
pub(super) enum PasswdAction {
    /// Hash the plain passwords in it.
    Upgrade,
    /// Take a user out.
    Delete { user: String },
    /// Set a user's password.
    Set {
        user: String,
        /// `None`: ask.
        password: Option<String>,
        /// Begin a new file.
        create: bool,
    },
}

/// `midge certs`
#[derive(Debug, PartialEq)]
pub(super) struct CertsOptions {
    pub(super) directory: PathBuf,
    pub(super) hosts: Vec<String>,
    /// One more client certificate instead.
    pub(super) client: Option<String>,
    pub(super) force: bool,
}

/// `midge health`
#[derive(Debug, Default, PartialEq)]
pub(super) struct HealthOptions {
    pub(super) host: Option<String>,
    pub(super) port: Option<u16>,
    pub(super) tls: bool,
    /// Where the broker's listeners are to be read from, instead of the three above.
    pub(super) config: Option<PathBuf>,
    pub(super) bridge: Vec<PathBuf>,
}

/// `midge store`
#[derive(Debug, PartialEq)]
pub(super) struct StoreOptions {
    pub(super) action: StoreAction,
    /// Where the store is, unless a configuration says it.
    pub(super) directory: Option<PathBuf>,
    pub(super) config: Option<PathBuf>,
    pub(super) bridge: Vec<PathBuf>,
}

/// What `midge store` does.
#[derive(Debug, PartialEq)]
pub(super) enum StoreAction {
    Inspect {
        /// For programs.
        json: bool,
    },
    Verify,
    Export {
        /// The session of this client only.
        queue: Option<String>,
    },
}

/// `midge kcql`
#[derive(Debug, PartialEq)]
pub(super) struct KcqlOptions {
    pub(super) kcql: String,
    /// For whom; `None`: for whom it was most likely written.
    pub(super) reader: Option<Use>,
    /// What a source is to be shown with.
    pub(super) message: Option<KcqlMessage>,
    /// What a sink is to be shown with.
    pub(super) record: Option<KcqlRecord>,
}

/// A sample of an MQTT message.
#[derive(Debug, PartialEq)]
pub(super) struct KcqlMessage {
    pub(super) topic: String,
    pub(super) payload: String,
}

/// A sample of a Kafka record.
#[derive(Debug, PartialEq)]
pub(super) struct KcqlRecord {
    pub(super) key: Option<String>,
    pub(super) value: String,
    pub(super) headers: Vec<(String, String)>,
}

/// Reads the arguments after the program's name.
pub(super) fn parse(arguments: Vec<OsString>) -> Result<Command, String> {
    let mut arguments = Arguments(arguments.into_iter().peekable());
    // The container image of Mosquitto is started with its name as the first word.
    arguments.next_if("mosquitto");
    if arguments.next_if("dev") {
        return dev(arguments);
    }
    if arguments.next_if("passwd") {
        return passwd(arguments);
    }
    if arguments.next_if("certs") {
        return certs(arguments);
    }
    if arguments.next_if("health") {
        return health(arguments);
    }
    if arguments.next_if("store") {
        return store(arguments);
    }
    if arguments.next_if("kcql") {
        return kcql(arguments);
    }
    if arguments.next_if("connect") {
        return Ok(Command::Connect(arguments.0.collect()));
    }
    if arguments.next_if("connect-standalone") {
        return Ok(Command::ConnectStandalone(arguments.0.collect()));
    }
    if arguments.next_if("connect-distributed") {
        return Ok(Command::ConnectDistributed(arguments.0.collect()));
    }
    run(arguments)
}

fn run(mut arguments: Arguments) -> Result<Command, String> {
    let mut options = RunOptions::default();
    while let Some(argument) = arguments.next()? {
        match argument.as_str() {
            "-h" | "--help" => return Ok(Command::Help),
            "--version" => return Ok(Command::Version),
            "-c" | "--config-file" => {
                let file = arguments.path(&argument)?;
                if options.config.replace(file).is_some() {
                    return Err("-c given twice, use include_dir or --bridge".to_owned());
                }
            }
            "--bridge" => options.bridge.push(arguments.path(&argument)?),
            "--connector" => options.connectors.push(arguments.path(&argument)?),
            "-p" | "--port" => options.ports.push(arguments.port(&argument)?),
            "-d" | "--daemon" => options.daemon = true,
            "-v" | "--verbose" => options.verbose = true,
            "-q" | "--quiet" => options.quiet = true,
            "--test-config" => options.test_config = true,
            _ => return Err(unknown(&argument)),
        }
    }
    Ok(Command::Run(options))
}

fn dev(mut arguments: Arguments) -> Result<Command, String> {
    let mut options = DevOptions { once: false, port: 1883 };
    while let Some(argument) = arguments.next()? {
        match argument.as_str() {
            "-h" | "--help" => return Ok(Command::Help),
            "--once" => options.once = true,
            "-p" | "--port" => options.port = arguments.port(&argument)?,
            _ => return Err(unknown(&argument)),
        }
    }
    Ok(Command::Dev(options))
}

fn passwd(mut arguments: Arguments) -> Result<Command, String> {
    let (mut batch, mut create, mut delete, mut upgrade) = (false, false, false, false);
    let mut hash = None;
    let mut iterations = None;
    let mut plain = Vec::new();
    while let Some(argument) = arguments.next()? {
        match argument.as_str() {
            "-h" | "--help" => return Ok(Command::Help),
            "-b" => batch = true,
            "-c" => create = true,
            "-D" => delete = true,
            "-U" => upgrade = true,
            "-H" => hash = Some(arguments.value(&argument)?),
            "-I" => {
                let value = arguments.value(&argument)?;
                let number = value.parse().ok().filter(|number| *number > 0);
                iterations = Some(
                    number
                        .ok_or_else(|| format!("-I: found {value:?}, expected a number from 1"))?,
                );
            }
            option if option.starts_with('-') && option.len() > 1 => return Err(unknown(option)),
            _ => plain.push(argument),
        }
    }
    let scheme = scheme(hash.as_deref(), iterations)?;
    if [create, delete, upgrade].into_iter().filter(|given| *given).count() > 1 {
        return Err("-c, -D and -U exclude each other".to_owned());
    }
    let wanted: &[&str] = match (upgrade, delete, batch) {
        (true, ..) => &["FILE"],
        (_, true, false) | (_, _, false) => &["FILE", "USER"],
        (_, true, true) => return Err("-b and -D exclude each other".to_owned()),
        (_, false, true) => &["FILE", "USER", "PASSWORD"],
    };
    if plain.len() != wanted.len() {
        return Err(format!("found {} names, expected {}", plain.len(), wanted.join(" ")));
    }
    let mut plain = plain.into_iter();
    let file = PathBuf::from(plain.next().unwrap_or_default());
    let action = match plain.next() {
        None => PasswdAction::Upgrade,
        Some(user) if delete => PasswdAction::Delete { user },
        Some(user) => PasswdAction::Set { user, password: plain.next(), create },
    };
    Ok(Command::Passwd(PasswdOptions { file, scheme, action }))
}

fn scheme(hash: Option<&str>, iterations: Option<u32>) -> Result<Scheme, String> {
    match (hash, iterations) {
        (Some("sha512"), None) => Ok(Scheme::Sha512),
        (Some("sha512-pbkdf2"), iterations) => {
            Ok(Scheme::Pbkdf2 { iterations: iterations.unwrap_or(Scheme::DEFAULT_ITERATIONS) })
        }
        (None | Some("argon2id"), None) => Ok(Scheme::Argon2id),
        // As in mosquitto_passwd, iterations without -H mean the scheme that has them.
        (None, Some(iterations)) => Ok(Scheme::Pbkdf2 { iterations }),
        (Some("sha512" | "argon2id"), Some(_)) => Err("-I goes with -H sha512-pbkdf2".to_owned()),
        (Some(other), _) => {
            Err(format!("-H: found {other:?}, expected argon2id, sha512-pbkdf2 or sha512"))
        }
    }
}

fn certs(mut arguments: Arguments) -> Result<Command, String> {
    let mut directory = None;
    let mut hosts = Vec::new();
    let mut client = None;
    let mut force = false;
    while let Some(argument) = arguments.next()? {
        match argument.as_str() {
            "-h" | "--help" => return Ok(Command::Help),
            "--host" => hosts.push(arguments.value(&argument)?),
            "--client" => client = Some(arguments.value(&argument)?),
            "--force" => force = true,
            option if option.starts_with('-') => return Err(unknown(option)),
            _ if directory.is_none() => directory = Some(PathBuf::from(argument)),
            _ => return Err(format!("found {argument:?}, expected one directory")),
        }
    }
    if client.is_some() && !hosts.is_empty() {
        return Err(
            "--client and --host exclude each other: a host is in the server's certificate"
                .to_owned(),
        );
    }
    let directory = directory.unwrap_or_else(|| PathBuf::from("certs"));
    Ok(Command::Certs(CertsOptions { directory, hosts, client, force }))
}

fn health(mut arguments: Arguments) -> Result<Command, String> {
    let mut options = HealthOptions::default();
    while let Some(argument) = arguments.next()? {
        match argument.as_str() {
            "-h" | "--help" => return Ok(Command::Help),
            "--host" => options.host = Some(arguments.value(&argument)?),
            "--port" | "-p" => options.port = Some(arguments.port(&argument)?),
            "--tls" => options.tls = true,
            "-c" | "--config-file" => options.config = Some(arguments.path(&argument)?),
            "--bridge" => options.bridge.push(arguments.path(&argument)?),
            _ => return Err(unknown(&argument)),
        }
    }
    let named = options.host.is_some() || options.port.is_some() || options.tls;
    if options.config.is_some() && named {
        return Err("-c and --host, --port or --tls exclude each other".to_owned());
    }
    if options.config.is_none() && !options.bridge.is_empty() {
        return Err("--bridge goes with -c".to_owned());
    }
    Ok(Command::Health(options))
}

fn store(mut arguments: Arguments) -> Result<Command, String> {
    let mut action = match arguments.next()?.as_deref() {
        Some("-h" | "--help") => return Ok(Command::Help),
        Some("inspect") => StoreAction::Inspect { json: false },
        Some("verify") => StoreAction::Verify,
        Some("export") => StoreAction::Export { queue: None },
        other => {
            let found = other.unwrap_or("nothing");
            return Err(format!("store: found {found}, expected inspect, verify or export"));
        }
    };
    let (mut directory, mut config, mut bridge) = (None, None, Vec::new());
    while let Some(argument) = arguments.next()? {
        match (argument.as_str(), &mut action) {
            ("-h" | "--help", _) => return Ok(Command::Help),
            ("--json", StoreAction::Inspect { json }) => *json = true,
            ("--queue", StoreAction::Export { queue }) => {
                *queue = Some(arguments.value(&argument)?);
            }
            ("-c" | "--config-file", _) => config = Some(arguments.path(&argument)?),
            ("--bridge", _) => bridge.push(arguments.path(&argument)?),
            (option, _) if option.starts_with('-') => return Err(unknown(option)),
            _ if directory.is_none() => directory = Some(PathBuf::from(argument)),
            _ => return Err(format!("found {argument:?}, expected one directory")),
        }
    }
    match (&directory, config.is_some() || !bridge.is_empty()) {
        (None, false) => Err("expected the directory of a store, or -c FILE".to_owned()),
        (Some(_), true) => Err("a directory and -c or --bridge exclude each other".to_owned()),
        _ => Ok(Command::Store(StoreOptions { action, directory, config, bridge })),
    }
}

fn kcql(mut arguments: Arguments) -> Result<Command, String> {
    let (mut kcql, mut reader, mut message) = (None, None, None);
    let (mut value, mut key, mut headers) = (None, None, Vec::new());
    while let Some(argument) = arguments.next()? {
        match argument.as_str() {
            "-h" | "--help" => return Ok(Command::Help),
            "--as" => {
                reader = Some(match arguments.value(&argument)?.as_str() {
                    "source" => Use::Source,
                    "mqtt-sink" => Use::MqttSink,
                    "influx-sink" => Use::Influx,
                    other => {
                        return Err(format!(
                            "--as: found {other:?}, expected source, mqtt-sink or influx-sink"
                        ));
                    }
                });
            }
            "--message" => {
                let sample = arguments.value(&argument)?;
                let (topic, payload) = sample.split_once(' ').unwrap_or((&sample, ""));
                let (topic, payload) = (topic.to_owned(), payload.to_owned());
                message = Some(KcqlMessage { topic, payload });
            }
            "--record" => value = Some(arguments.value(&argument)?),
            "--key" => key = Some(arguments.value(&argument)?),
            "--header" => {
                let header = arguments.value(&argument)?;
                let (name, value) = header
                    .split_once('=')
                    .ok_or_else(|| format!("--header: found {header:?}, expected NAME=VALUE"))?;
                headers.push((name.to_owned(), value.to_owned()));
            }
            option if option.starts_with("--") => return Err(unknown(option)),
            _ if kcql.is_none() => kcql = Some(argument),
            _ => return Err(format!("found {argument:?}, expected KCQL as one argument, quoted")),
        }
    }
    if value.is_none() && (key.is_some() || !headers.is_empty()) {
        return Err("--key and --header go with --record".to_owned());
    }
    let kcql = kcql.ok_or("kcql: found nothing, expected KCQL as one argument, quoted")?;
    let record = value.map(|value| KcqlRecord { key, value, headers });
    Ok(Command::Kcql(KcqlOptions { kcql, reader, message, record }))
}

fn unknown(argument: &str) -> String {
    format!("unknown option {argument:?}")
}

/// The arguments that are left.
struct Arguments(std::iter::Peekable<std::vec::IntoIter<OsString>>);

impl Arguments {
    fn next_if(&mut self, word: &str) -> bool {
        self.0.next_if(|argument| argument == word).is_some()
    }

    fn next(&mut self) -> Result<Option<String>, String> {
        let text = |argument: OsString| {
            argument.into_string().map_err(|argument| format!("{argument:?} is not UTF-8"))
        };
        self.0.next().map(text).transpose()
    }

    fn value(&mut self, option: &str) -> Result<String, String> {
        self.next()?.ok_or_else(|| format!("{option}: a value was expected"))
    }

    fn path(&mut self, option: &str) -> Result<PathBuf, String> {
        let path = self.0.next().ok_or_else(|| format!("{option}: a file was expected"))?;
        Ok(PathBuf::from(path))
    }

    fn port(&mut self, option: &str) -> Result<u16, String> {
        let value = self.value(option)?;
        value.parse().map_err(|_| format!("{option}: found {value:?}, expected 0 to 65535"))
    }
}

#[cfg(test)]
mod tests;
