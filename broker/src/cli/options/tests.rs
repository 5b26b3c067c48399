use super::*;

fn parsed(line: &str) -> Result<Command, String> {
    parse(line.split_whitespace().map(OsString::from).collect())
}

#[test]
fn a_broker_starts_with_the_arguments_of_mosquitto() {
    let expected = RunOptions {
        config: Some("/etc/mosquitto/mosquitto.conf".into()),
        verbose: true,
        ..RunOptions::default()
    };
    let expected = Ok(Command::Run(expected));
    assert_eq!(parsed("-v -c /etc/mosquitto/mosquitto.conf"), expected);
    assert_eq!(parsed("mosquitto -c /etc/mosquitto/mosquitto.conf -v"), expected);
}

#[test]
fn connectors_and_ports_may_be_repeated() {
    let Ok(Command::Run(options)) = parsed("--connector a --connector b -p 1 -p 2 --bridge c")
    else {
        panic!("not understood");
    };
    assert_eq!(options.connectors, [PathBuf::from("a"), PathBuf::from("b")]);
    assert_eq!(options.ports, [1, 2]);
    assert_eq!(options.bridge, [PathBuf::from("c")]);
}

#[test]
fn an_argument_that_is_not_understood_is_named() {
    assert_eq!(parsed("--frobnicate"), Err("unknown option \"--frobnicate\"".to_owned()));
    assert_eq!(parsed("-p x"), Err("-p: found \"x\", expected 0 to 65535".to_owned()));
    assert_eq!(parsed("-c"), Err("-c: a file was expected".to_owned()));
}

#[test]
fn passwd_knows_the_grammar_of_mosquitto_passwd() {
    let set = |scheme, password: Option<&str>, create| {
        let action = PasswdAction::Set {
            user: "user".to_owned(),
            password: password.map(str::to_owned),
            create,
        };
        Ok(Command::Passwd(PasswdOptions { file: "file".into(), scheme, action }))
    };
    assert_eq!(parsed("passwd -c file user"), set(Scheme::Argon2id, None, true));
    assert_eq!(parsed("passwd -b file user word"), set(Scheme::Argon2id, Some("word"), false));
    assert_eq!(parsed("passwd -H sha512 -b file user w"), set(Scheme::Sha512, Some("w"), false));
    let iterated = Scheme::Pbkdf2 { iterations: 101 };
    assert_eq!(parsed("passwd -H sha512-pbkdf2 -I 101 file user"), set(iterated, None, false));
    let scheme = Scheme::Argon2id;
    let action = PasswdAction::Delete { user: "user".to_owned() };
    let delete = PasswdOptions { file: "file".into(), scheme, action };
    assert_eq!(parsed("passwd -D file user"), Ok(Command::Passwd(delete)));
    let upgrade = PasswdOptions { file: "file".into(), scheme, action: PasswdAction::Upgrade };
    assert_eq!(parsed("passwd -U file"), Ok(Command::Passwd(upgrade)));
}

#[test]
fn passwd_refuses_what_contradicts_itself() {
    for line in ["passwd file", "passwd -b file user", "passwd -c -D file user", "passwd -I 0 f u"]
    {
        assert!(parsed(line).is_err(), "{line}");
    }
}

#[test]
fn store_takes_a_directory_or_a_configuration() {
    let command = |action, directory: Option<&str>, config: Option<&str>| {
        let (directory, config) = (directory.map(PathBuf::from), config.map(PathBuf::from));
        Ok(Command::Store(StoreOptions { action, directory, config, bridge: Vec::new() }))
    };
    let inspect = |json| StoreAction::Inspect { json };
    assert_eq!(parsed("store inspect data"), command(inspect(false), Some("data"), None));
    assert_eq!(parsed("store inspect --json -c conf"), command(inspect(true), None, Some("conf")));
    assert_eq!(parsed("store verify data"), command(StoreAction::Verify, Some("data"), None));
    let export = |queue: Option<&str>| StoreAction::Export { queue: queue.map(str::to_owned) };
    assert_eq!(parsed("store export data"), command(export(None), Some("data"), None));
    assert_eq!(
        parsed("store export --queue a data"),
        command(export(Some("a")), Some("data"), None)
    );
    for line in [
        "store",
        "store look data",
        "store inspect",
        "store inspect a b",
        "store inspect -c conf data",
        "store verify --json data",
        "store inspect --queue a data",
    ] {
        assert!(parsed(line).is_err(), "{line}");
    }
}

#[test]
fn kcql_takes_statements_as_one_argument_and_samples() {
    let words = |words: &[&str]| parse(words.iter().map(OsString::from).collect());
    let statement = "INSERT INTO a SELECT * FROM b";
    let expected = KcqlOptions {
        kcql: statement.to_owned(),
        reader: Some(Use::MqttSink),
        message: Some(KcqlMessage { topic: "a/b".to_owned(), payload: "{\"x\": 1}".to_owned() }),
        record: Some(KcqlRecord {
            key: Some("k".to_owned()),
            value: "{}".to_owned(),
            headers: vec![("h".to_owned(), "v=w".to_owned())],
        }),
    };
    let found = words(&[
        "kcql",
        "--as",
        "mqtt-sink",
        "--message",
        "a/b {\"x\": 1}",
        statement,
        "--record",
        "{}",
        "--key",
        "k",
        "--header",
        "h=v=w",
    ]);
    assert_eq!(found, Ok(Command::Kcql(expected)));
    for (wrong, message) in [
        (&["kcql"][..], "kcql: found nothing, expected KCQL as one argument, quoted"),
        (&["kcql", "INSERT", "INTO"], "found \"INTO\", expected KCQL as one argument, quoted"),
        (&["kcql", "--as", "x"], "--as: found \"x\", expected source, mqtt-sink or influx-sink"),
        (&["kcql", "a", "--key", "k"], "--key and --header go with --record"),
        (&["kcql", "a", "--header", "h"], "--header: found \"h\", expected NAME=VALUE"),
    ] {
        assert_eq!(words(wrong), Err(message.to_owned()));
    }
}

#[test]
fn commands_of_connect_read_their_own_options() {
    let words = |words: &[&str]| -> Vec<OsString> { words.iter().map(OsString::from).collect() };
    assert_eq!(
        parse(words(&["connect", "ps", "-e", "-d"])),
        Ok(Command::Connect(words(&["ps", "-e", "-d"])))
    );
    assert_eq!(
        parse(words(&["connect-standalone", "-daemon", "w.properties"])),
        Ok(Command::ConnectStandalone(words(&["-daemon", "w.properties"])))
    );
}
