//! Mistakes in configuration files: all at once, each with its place and what would do.

use midge_tests::Setup;

/// Asserts that every text stands in some line of what the program says, and that it does not start.
#[track_caller]
fn refused(setup: &Setup, expected: &[&[&str]]) -> String {
    let output = setup.run();
    assert_ne!(output.code, Some(0), "{}", output.all());
    let all = output.all();
    for parts in expected {
        let found = all.lines().any(|line| parts.iter().all(|part| line.contains(part)));
        assert!(found, "no line with {parts:?} in:\n{all}");
    }
    all
}

#[test]
fn every_error_of_mosquitto_conf_is_reported_at_once() {
    let setup = Setup::exactly(
        "listener @PORT@ 127.0.0.1\n\
         max_inflight_messages many\n\
         allow_anonymous perhaps\n\
         # a comment\n\
         max_qeued_messages 10\n\
         listener 99999\n\
         persistent_client_expiration 3x\n\
         log_type everything\n\
         password_file @DIR@/absent\n",
    );
    let all = refused(
        &setup,
        &[
            &["mosquitto.conf:2", "max_inflight_messages", "many", "expected"],
            &["mosquitto.conf:3", "allow_anonymous", "perhaps", "true", "false"],
            // An unknown one, and the one that was probably meant.
            &["mosquitto.conf:5", "max_qeued_messages", "max_queued_messages"],
            &["mosquitto.conf:6", "listener", "99999"],
            &["mosquitto.conf:7", "persistent_client_expiration", "3x", "expected"],
            &["mosquitto.conf:8", "log_type", "everything", "warning"],
        ],
    );
    assert!(!all.contains("mosquitto.conf:4"), "{all}");
}

#[test]
fn every_error_of_midge_toml_is_reported_at_once() {
    let setup = Setup::conf("").bridge(
        "[kafka]\n\
         bootstrap_server = \"localhost:9092\"\n\
         sasl_mechanism = \"SCRAM\"\n\
         \n\
         [connectors.out]\n\
         type = \"sauce\"\n\
         \n\
         [connectors.in]\n\
         type = \"sink\"\n\
         kafka_topics = [\"a\"]\n\
         qos = 3\n",
    );
    refused(
        &setup,
        &[
            &["midge.toml:2", "bootstrap_server", "bootstrap_servers"],
            &["midge.toml:3", "sasl_mechanism", "SCRAM-SHA-512"],
            &["midge.toml:6", "type", "sauce", "source", "sink"],
            &["midge.toml:11", "qos", "3", "2"],
        ],
    );
}

#[test]
fn errors_of_both_files_and_the_environment_come_together() {
    let setup = Setup::conf("max_keepalive forever\n")
        .bridge("[kafka]\nsurprise = 1\n")
        .environment("MIDGE__LIMITS__MAX_PACKET_SIZE", "huge");
    refused(
        &setup,
        &[
            &["mosquitto.conf", "max_keepalive", "forever"],
            &["midge.toml:2", "surprise"],
            &["MIDGE__LIMITS__MAX_PACKET_SIZE", "huge"],
        ],
    );
}

#[test]
fn errors_of_password_and_acl_files_come_with_those_of_the_configuration() {
    let setup = Setup::exactly(
        "listener @PORT@ 127.0.0.1\n\
         allow_anonymous maybe\n\
         password_file @DIR@/passwords\n\
         acl_file @DIR@/acl\n",
    )
    .file("passwords", "alice:plain\n")
    .file("acl", "user alice\ntopics a\n");
    refused(
        &setup,
        &[&["mosquitto.conf:2", "maybe"], &["passwords:1", "expected"], &["acl:2", "topics"]],
    );
}

#[test]
fn a_midge_toml_that_is_no_toml_is_refused_with_its_line() {
    let setup =
        Setup::conf("").bridge("[kafka]\nbootstrap_servers = [\"a:1\"\nclient_id = \"x\"\n");
    refused(&setup, &[&["midge.toml:"]]);
}

#[test]
fn a_connector_file_is_checked_like_any_other() {
    let setup = Setup::conf("")
        .file(
            "mqtt.properties",
            "name=mqtt\n\
             connector.class=com.evokly.kafka.connect.mqtt.MqttSourceConnector\n\
             kafka.topic=t\n\
             mqtt.topic=a/#/b\n\
             mqtt.qos=7\n",
        )
        .argument("--connector")
        .argument("@DIR@/mqtt.properties");
    refused(
        &setup,
        &[&["mqtt.properties:4", "mqtt.topic", "a/#/b"], &["mqtt.properties:5", "mqtt.qos", "7"]],
    );
}

#[test]
fn a_property_nobody_knows_is_ignored_with_one_line() {
    let setup = || {
        Setup::conf("")
            .file(
                "mqtt.properties",
                "name=mqtt\n\
                 connector.class=com.evokly.kafka.connect.mqtt.MqttSourceConnector\n\
                 kafka.topic=t\n\
                 mqtt.server_uris=tcp://localhost:@PORT@\n\
                 mqtt.topic=a\n\
                 mqtt.surprise=1\n",
            )
            .argument("--connector")
            .argument("@DIR@/mqtt.properties")
            .environment("MIDGE__KAFKA__BOOTSTRAP_SERVERS", "127.0.0.1:1")
    };
    let checked = setup().argument("--test-config").run();
    assert_eq!(checked.code, Some(0), "{}", checked.all());
    let told = "mqtt.properties:6: ignored: mqtt.surprise: unknown property";
    assert!(checked.stderr.contains(told), "{}", checked.all());
    let midge = setup().start();
    midge.says(&["ignored: mqtt.surprise: unknown property", "connector=mqtt"]);
    midge.client("anybody").ping();
}

#[test]
fn a_known_directive_that_is_not_supported_is_accepted_with_one_line() {
    let midge =
        midge_tests::Midge::start("connection upstream\naddress 127.0.0.1:1\ntopic # out\n");
    midge.says(&["connection", "not supported yet"]);
    midge.client("anybody").ping();
    let lines = midge.log();
    let lines = lines.lines().filter(|line| line.contains("not supported yet: connection"));
    assert!(lines.count() <= 1, "{}", midge.log());
}

#[test]
fn test_config_finds_what_librdkafka_would_refuse() {
    let connector = "[connectors.a]\ntype = \"source\"\nmqtt_filters = [\"a\"]\n\
        kafka_topic = \"t\"\n";
    for (kafka, expected) in [
        ("[kafka.properties]\n\"bogus.x\" = \"1\"\n", "bogus.x"),
        ("[kafka]\nsecurity_protocol = \"SSL\"\nssl_ca = \"/nowhere/ca.crt\"\n", "/nowhere/ca.crt"),
    ] {
        let setup = Setup::arguments(&["-c", "@DIR@/midge.toml", "--test-config"])
            .file("midge.toml", &format!("{kafka}\n{connector}"));
        refused(&setup, &[&["connector \"a\"", expected]]);
    }
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let setup = Setup::arguments(&["-c", "@DIR@/absent.conf"]);
    refused(&setup, &[&["absent.conf"]]);
    let setup = Setup::conf("password_file @DIR@/absent-passwords\nacl_file @DIR@/absent-acl\n");
    refused(&setup, &[&["absent-passwords"], &["absent-acl"]]);
}

#[test]
fn include_dir_reads_its_files_in_order_and_names_them_in_errors() {
    let setup = Setup::conf("include_dir @DIR@/conf.d\n")
        .file("conf.d/20-second.conf", "max_inflight_messages none\n")
        .file("conf.d/10-first.conf", "\nmax_packet_size big\n")
        .file("conf.d/ignored.txt", "nonsense\n");
    let all = refused(
        &setup,
        &[&["10-first.conf:2", "max_packet_size"], &["20-second.conf:1", "max_inflight_messages"]],
    );
    assert!(!all.contains("ignored.txt"), "{all}");
    assert!(all.find("10-first") < all.find("20-second"), "{all}");
}

#[test]
fn a_secret_is_not_shown_in_an_error() {
    let setup = Setup::conf("").bridge(
        "[kafka]\nsasl_password = 12345678\nsasl_usrname = \"me\"\n[kafka.properties]\n\"sasl.password\" = [\"hunter2\"]\n",
    );
    let all = refused(&setup, &[&["midge.toml:2", "sasl_password"]]);
    assert!(!all.contains("12345678") && !all.contains("hunter2"), "{all}");
}

#[test]
fn a_bad_configuration_at_sighup_leaves_the_old_one_in_force() {
    let mut midge = midge_tests::Midge::start("max_packet_size 1000\n");
    midge.rewrite(
        "mosquitto.conf",
        "listener @PORT@ 127.0.0.1\nallow_anonymous true\nmax_packet_size 50\nmax_inflight_messages x\n",
    );
    midge.reload();
    midge.says(&["mosquitto.conf:4", "max_inflight_messages"]);
    let client = midge.client("witness");
    assert_eq!(client.connack().properties.maximum_packet_size, Some(1000));
}

#[test]
fn a_changed_limit_counts_after_sighup() {
    let mut midge = midge_tests::Midge::start("max_packet_size 1000\n");
    midge.rewrite(
        "mosquitto.conf",
        "listener @PORT@ 127.0.0.1\nallow_anonymous true\nmax_packet_size 500\n",
    );
    midge.reload();
    midge_tests::eventually("the new limit is told", || {
        let client = midge.client("witness");
        (client.connack().properties.maximum_packet_size == Some(500)).then_some(())
    });
}
