use std::fs;

use tempfile::TempDir;

use super::*;
use crate::resolved::{BindAddress, LogDestination, LogTypes};

fn directory(files: &[(&str, &str)]) -> TempDir {
    let directory = TempDir::new().expect("a directory");
    for (name, text) in files {
        let file = directory.path().join(name);
        fs::create_dir_all(file.parent().expect("a parent")).expect("a directory");
        fs::write(file, text).expect("a file");
    }
    directory
}

fn read(sources: &Sources) -> Config {
    load(sources).unwrap_or_else(|errors| panic!("{errors:?}"))
}

#[test]
fn nothing_at_all_is_a_configuration() {
    let config = read(&Sources::default());
    let [listener] = &config.listeners[..] else { panic!("one listener") };
    assert_eq!((&listener.bind, listener.port), (&BindAddress::Loopback, 1883));
    assert!(listener.authentication.allow_anonymous);
    assert!(config.notices.is_empty() && config.files.is_empty() && config.connectors.is_empty());
    assert_eq!(config.log.destinations, [LogDestination::Stderr]);
}

#[test]
fn ports_of_the_command_line_open_loopback_listeners_and_yield_to_files() {
    let sources = Sources { ports: vec![1884, 0], verbose: true, ..Sources::default() };
    let config = read(&sources);
    let ports: Vec<u16> = config.listeners.iter().map(|listener| listener.port).collect();
    assert_eq!(ports, [1884, 0]);
    assert!(config.listeners.iter().all(|listener| listener.bind == BindAddress::Loopback));
    assert_eq!(config.log.types, LogTypes::ALL);
    let directory = directory(&[("m.conf", "listener 1885\nlog_dest stdout\n")]);
    let mut sources = sources;
    sources.add_config(directory.path().join("m.conf"));
    let config = read(&sources);
    assert_eq!(config.listeners.len(), 1);
    assert_eq!(config.listeners[0].port, 1885);
    assert_eq!(config.log.destinations, [LogDestination::Stdout, LogDestination::Stderr]);
    let expected = "command line -p: ignored: -p: the configuration names its listeners";
    assert_eq!(config.notices[0].to_string(), expected);
}

#[test]
fn both_files_a_connector_and_the_environment_make_one_configuration() {
    let directory = directory(&[
        ("m.conf", "listener 1883\nmax_queued_messages 5\nmax_keepalive 60\ninclude_dir INC\n"),
        ("midge.toml", "[limits]\nmax_queued_messages = 6\n[listeners.more]\nport = 1884\n"),
        (
            "mqtt.properties",
            "name=up\nconnector.class=com.evokly.kafka.connect.mqtt.MqttSourceConnector\n\
             mqtt.server_uris=tcp://localhost:1884\n",
        ),
        ("inc/b.conf", "sys_interval 3\n"),
        ("inc/A.conf", "sys_interval 2\n"),
        ("inc/a.txt", "nonsense\n"),
    ]);
    let path = |name: &str| directory.path().join(name);
    let main = fs::read_to_string(path("m.conf")).expect("a file");
    let included = path("inc").display().to_string();
    fs::write(path("m.conf"), main.replace("INC", &included)).expect("a file");
    let mut sources = Sources {
        connectors: vec![path("mqtt.properties")],
        environment: vec![
            ("MIDGE__LIMITS__MAX_KEEPALIVE".to_owned(), "30".to_owned()),
            ("MIDGE__KAFKA__BOOTSTRAP_SERVERS".to_owned(), "k:9092".to_owned()),
        ],
        ..Sources::default()
    };
    sources.add_config(path("m.conf"));
    sources.add_config(path("midge.toml"));
    let config = read(&sources);
    let ports: Vec<u16> = config.listeners.iter().map(|listener| listener.port).collect();
    assert_eq!(ports, [1883, 1884]);
    assert_eq!(config.limits.max_queued_messages, Some(6));
    assert_eq!(config.limits.max_keepalive, Some(30));
    assert_eq!(config.sys_interval.map(|interval| interval.as_secs()), Some(3));
    assert_eq!(config.connector_files[0].name, "up");
    let servers = config.kafka.client.plain.get("bootstrap.servers");
    assert_eq!(servers.map(String::as_str), Some("k:9092"));
    let names = ["m.conf", "inc/A.conf", "inc/b.conf", "midge.toml", "mqtt.properties"];
    assert_eq!(config.files, names.map(path));
}

#[cfg(unix)]
#[test]
fn linked_files_are_included() {
    let directory = directory(&[("data/real", "sys_interval 7\n"), ("inc/keep.txt", "")]);
    let link = directory.path().join("inc/x.conf");
    std::os::unix::fs::symlink(directory.path().join("data/real"), link).expect("a link");
    let main = directory.path().join("m.conf");
    let text = format!("include_dir {}\n", directory.path().join("inc").display());
    fs::write(&main, text).expect("a file");
    let config = read(&Sources { mosquitto_conf: Some(main), ..Sources::default() });
    assert_eq!(config.sys_interval.map(|interval| interval.as_secs()), Some(7));
}

#[test]
fn files_that_cannot_be_read_are_reported_together() {
    let directory = directory(&[("latin.toml", ""), ("m.conf", "include_dir /nowhere/at/all\n")]);
    let latin = directory.path().join("latin.toml");
    fs::write(&latin, b"# \xe9\n").expect("a file");
    let missing = directory.path().join("missing.properties");
    let conf = directory.path().join("m.conf");
    let sources = Sources {
        mosquitto_conf: Some(conf.clone()),
        midge_toml: vec![latin.clone(), directory.path().to_owned()],
        connectors: vec![missing.clone()],
        ..Sources::default()
    };
    let errors = load(&sources).err().expect("mistakes");
    let mut found: Vec<String> = errors.iter().map(ToString::to_string).collect();
    found.sort();
    let mut begins = [
        format!("{}: cannot be read: ", directory.path().display()),
        format!("{}: found bytes that are not UTF-8", latin.display()),
        format!("{}:1: include_dir: /nowhere/at/all: cannot be read: ", conf.display()),
        format!("{}: cannot be read: ", missing.display()),
    ];
    begins.sort();
    assert_eq!(found.len(), begins.len(), "{found:?}");
    for (line, begin) in found.iter().zip(&begins) {
        assert!(line.starts_with(begin.as_str()), "{line} {begin}");
    }
}
