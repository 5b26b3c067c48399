//! Kafka behind locks: with the right keys it works, with wrong ones the broker runs and says so.

use midge_codec::{Packet, ReasonCode};
use midge_tests::{Authority, Kafka, Midge, Outgoing, QOS0, QOS1, Setup, message};

/// A broker with one rule each way, joined to a door of Kafka by these settings.
fn joined(name: &str, bootstrap: &str, settings: &str) -> Setup {
    let toml = format!(
        "[kafka]\nbootstrap_servers = \"{bootstrap}\"\n{settings}\n\
         [connectors.{name}-out]\ntype = \"source\"\nmqtt_filters = \"{name}/out\"\n\
         kafka_topic = \"{name}\"\n\n\
         [connectors.{name}-in]\ntype = \"sink\"\nkafka_topics = [\"{name}\"]\n\
         mqtt_topic = \"{name}/in\"\n"
    );
    let authority = Kafka::shared().authority();
    let setup = Setup::conf("log_type all\n").bridge(&toml).file("ca.pem", authority.pem());
    authority.client("midge").write(setup.directory(), "client");
    Authority::new("Another CA").client("midge").write(setup.directory(), "stranger");
    setup
}

/// A message goes through Kafka and comes back.
#[track_caller]
fn works(name: &str, bootstrap: &str, settings: &str) {
    let midge = joined(name, bootstrap, settings).start();
    let mut client = midge.client("c");
    client.subscribe(&format!("{name}/in"), QOS1);
    let publish = message(&format!("{name}/out"), "through the door").qos(QOS1);
    assert_eq!(client.publish(publish), ReasonCode::Success);
    // Seen through the plain door as well.
    assert_eq!(Kafka::shared().records(name, "%s\n"), ["through the door"]);
    client.expect(&format!("{name}/in"), "through the door");
}

/// The broker runs, says what is wrong, acknowledges nothing it could not deliver, and serves MQTT.
#[track_caller]
fn is_refused(name: &str, bootstrap: &str, settings: &str, said: &str) {
    let midge: Midge = joined(name, bootstrap, settings).start();
    let mut client = midge.client("c");
    client.subscribe("plain", QOS0);
    let held = client.send_publish(message(&format!("{name}/out"), "x").qos(QOS1)).expect("an id");
    midge.says(&[&format!("{name}-out"), said]);
    client.publish(message("plain", "served"));
    client.expect("plain", "served");
    let unread = client.unread();
    let acknowledged =
        |packet: &Packet| matches!(packet, Packet::Puback(ack) if ack.packet_id == held);
    assert!(!unread.iter().any(acknowledged), "{unread:?}");
    assert_eq!(Kafka::shared().records(name, "%s\n"), [""; 0]);
    // Whatever was tried, it is not told.
    assert!(!midge.log().contains("-secret"), "{}", midge.log());
}

fn scram(password: &str) -> String {
    format!(
        "sasl_mechanism = \"SCRAM-SHA-512\"\nsasl_username = \"alice\"\n\
         sasl_password = \"{password}\"\nssl_ca = \"@DIR@/ca.pem\"\n"
    )
}

fn plain(password: &str) -> String {
    format!(
        "sasl_mechanism = \"PLAIN\"\nsasl_username = \"bob\"\nsasl_password = \"{password}\"\n\
         ssl_ca = \"@DIR@/ca.pem\"\n"
    )
}

fn oauth(secret: &str) -> String {
    format!(
        "sasl_mechanism = \"OAUTHBEARER\"\nssl_ca = \"@DIR@/ca.pem\"\n\
         [kafka.oauth]\nclient_id = \"midge\"\nclient_secret = \"{secret}\"\n\
         token_endpoint = \"{}\"\n",
        Kafka::shared().tokens().endpoint()
    )
}

fn certificate(name: &str) -> String {
    format!(
        "ssl_ca = \"@DIR@/ca.pem\"\nssl_certificate = \"@DIR@/{name}.crt\"\n\
         ssl_key = \"@DIR@/{name}.key\"\n"
    )
}

#[test]
fn scram_over_tls_works() {
    works("scram", &Kafka::shared().sasl(), &scram("alice-secret"));
}

#[test]
fn plain_over_tls_works() {
    works("plain", &Kafka::shared().sasl(), &plain("bob-secret"));
}

#[test]
fn oauthbearer_over_tls_works() {
    works("oauth", &Kafka::shared().oauth(), &oauth("midge-secret"));
}

#[test]
fn client_certificates_work() {
    works("mutual", &Kafka::shared().mutual(), &certificate("client"));
}

#[test]
fn a_wrong_password_of_scram_is_refused_and_said() {
    is_refused("scram-wrong", &Kafka::shared().sasl(), &scram("wrong-secret"), "uthentication");
}

#[test]
fn a_wrong_password_of_plain_is_refused_and_said() {
    is_refused("plain-wrong", &Kafka::shared().sasl(), &plain("wrong-secret"), "uthentication");
}

#[test]
fn a_wrong_client_secret_is_refused_and_said() {
    is_refused("oauth-wrong", &Kafka::shared().oauth(), &oauth("wrong-secret"), "401");
}

#[test]
fn a_certificate_of_another_authority_is_refused_and_said() {
    is_refused("mutual-wrong", &Kafka::shared().mutual(), &certificate("stranger"), "kafka");
}

#[test]
fn a_kafka_that_nobody_trusts_is_refused_and_said() {
    let settings = plain("bob-secret").replace("ca.pem", "stranger.crt");
    is_refused("untrusted", &Kafka::shared().sasl(), &settings, "certificate");
}
