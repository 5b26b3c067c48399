//! The command line, as Mosquitto's users know it.

use std::net::TcpStream;

use midge_tests::{Outgoing, Publisher, QOS1, Setup, Subscriber, binary, message, run};

#[test]
fn without_a_configuration_it_listens_on_the_loopback_address_for_anybody() {
    let midge = Setup::arguments(&["-p", "@PORT@"]).start();
    let subscriber = Subscriber::new(&midge, &["-v", "-t", "#"]);
    Publisher::new(&midge).arguments(&["-t", "hello", "-m", "world"]).succeeds();
    subscriber.prints("hello world");
    // From outside it cannot be reached: every other address refuses.
    let addresses = run("hostname", &["-I"]).stdout;
    for address in addresses.split_whitespace().filter(|address| !address.contains(':')) {
        let other = TcpStream::connect((address, midge.port(1)));
        assert!(other.is_err(), "{address} answers");
    }
}

#[test]
fn more_ports_may_be_named() {
    let midge = Setup::arguments(&["-p", "@PORT@", "-p", "@PORT2@"]).listening(&[1, 2]).start();
    let mut subscriber = midge.client("subscriber");
    subscriber.subscribe("t", QOS1);
    let mut other = midge.v5("other").at(midge.port(2)).connect();
    other.publish(message("t", "through the other door").qos(QOS1));
    subscriber.expect("t", "through the other door");
}

#[test]
fn verbose_logs_everything() {
    let midge = Setup::conf("log_type none\n").argument("-v").start();
    let mut client = midge.client("talkative");
    client.subscribe("some/topic", QOS1);
    midge.says(&["talkative"]);
    midge.says(&["some/topic"]);
}

#[test]
fn test_config_tells_of_a_good_configuration_and_opens_nothing() {
    let good = Setup::conf("pid_file @DIR@/pid\n").argument("--test-config");
    let output = good.run();
    assert_eq!(output.code, Some(0), "{}", output.all());
    assert!(!good.directory().join("pid").exists());
    // Not even the port: it is taken, and that is fine.
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = taken.local_addr().expect("address").port();
    let conf = format!("listener {port} 127.0.0.1\nallow_anonymous true\n");
    let output = Setup::exactly(&conf).argument("--test-config").run();
    assert_eq!(output.code, Some(0), "{}", output.all());
}

#[test]
fn test_config_tells_of_a_bad_configuration_with_exit_code_3() {
    let output = Setup::conf("max_qeued_messages 10\n").argument("--test-config").run();
    assert_eq!(output.code, Some(3), "{}", output.all());
    assert!(output.all().contains("mosquitto.conf:2"), "{}", output.all());
    // The files it names are part of it.
    let setup = Setup::conf("acl_file @DIR@/acl\n").file("acl", "nonsense here\n");
    let output = setup.argument("--test-config").run();
    assert_eq!(output.code, Some(3), "{}", output.all());
    assert!(output.all().contains("acl:1"), "{}", output.all());
}

#[test]
fn an_unknown_option_is_refused_and_named() {
    let output = run(binary(), &["--no-such-option"]);
    assert_ne!(output.code, Some(0));
    assert!(output.stderr.contains("--no-such-option"), "{}", output.all());
}

#[test]
fn help_names_every_command() {
    let output = run(binary(), &["--help"]).success();
    for word in [
        "-c",
        "-p",
        "-v",
        "-d",
        "--test-config",
        "--bridge",
        "--connector",
        "passwd",
        "certs",
        "dev",
        "health",
    ] {
        assert!(output.stdout.contains(word), "{word} is not in:\n{}", output.stdout);
    }
}

#[test]
fn a_port_that_is_taken_is_named() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = taken.local_addr().expect("address").port();
    let conf = format!("listener {port} 127.0.0.1\nallow_anonymous true\n");
    let output = Setup::exactly(&conf).run();
    assert_eq!(output.code, Some(1), "{}", output.all());
    assert!(output.all().contains(&port.to_string()), "{}", output.all());
}

#[test]
fn a_daemon_leaves_the_terminal_and_writes_its_process_id() {
    let conf = "listener @PORT@ 127.0.0.1\nallow_anonymous true\npid_file @DIR@/pid\nlog_dest file @DIR@/log\n";
    let setup = Setup::exactly(conf).argument("-d");
    let file = setup.directory().join("pid");
    let daemon = setup.daemon();
    let mut client = daemon.client("anybody");
    client.ping();
    let pid = std::fs::read_to_string(&file).expect("a pid file");
    assert_ne!(pid.trim(), "");
    daemon.end();
    assert!(!file.exists(), "the pid file goes with the process");
}

#[test]
fn the_environment_lies_on_top_of_the_files() {
    let midge = Setup::conf("max_packet_size 1000\n")
        .environment("MIDGE__LIMITS__MAX_PACKET_SIZE", "2000")
        .start();
    assert_eq!(midge.client("c").connack().properties.maximum_packet_size, Some(2000));
}

#[test]
fn the_log_goes_where_the_configuration_says() {
    let midge = Setup::conf("log_dest file @DIR@/own.log\nlog_type all\n").start();
    midge.client("visible").ping();
    let file = midge.directory().join("own.log");
    midge_tests::eventually("the file tells of the client", || {
        std::fs::read_to_string(&file).ok().filter(|log| log.contains("visible"))
    });
    assert!(!midge.log().contains("visible"), "{}", midge.log());
}

#[test]
fn a_mistake_in_a_file_that_is_named_ends_with_status_3_as_one_in_the_configuration() {
    let bad = [
        ("password_file @DIR@/bad\n", "no colon\n"),
        ("acl_file @DIR@/bad\n", "nonsense here\n"),
        ("listener @PORT@\ncertfile @DIR@/bad\nkeyfile @DIR@/bad\n", "no PEM\n"),
    ];
    for (conf, contents) in bad {
        let status = |arguments: &[&str]| {
            let setup = Setup::conf(conf).file("bad", contents);
            let output = arguments.iter().fold(setup, |setup, word| setup.argument(word)).run();
            assert!(output.all().contains("bad"), "{}", output.all());
            output.code
        };
        assert_eq!(status(&["--test-config"]), Some(3), "{conf}");
        assert_eq!(status(&[]), Some(3), "{conf}");
        assert_eq!(status(&["-d"]), Some(3), "{conf}");
    }
    let bridge = "[kafka.properties]\n\"no.such.property\" = 1\n[connectors.a]\ntype = \"source\"\n\
                  mqtt_filters = \"a\"\nkafka_topic = \"a\"\n";
    let output = Setup::conf("").bridge(bridge).run();
    assert_eq!(output.code, Some(3), "{}", output.all());
    assert!(output.all().contains("no.such.property"), "{}", output.all());
}
