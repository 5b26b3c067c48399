//! Lists of topics and filters, as the environment of aiproshar's connector has them.

use midge_codec::{QoS, TopicName};

use super::*;

fn lists(more: &str) -> String {
    format!("name=connector\nconnector.class={TOPIC_LISTS}\n{more}")
}

/// Which Kafka topics take a message of an MQTT topic.
fn targets(plan: &Plan, mqtt_topic: &str) -> Vec<String> {
    let topic = TopicName::try_from(mqtt_topic).unwrap();
    let rules = source(plan).rules.iter();
    let taking = rules.filter(|rule| {
        let matches = rule.filters.iter().any(|filter| filter.matches(&topic));
        matches && rule.parts.rule.takes(&topic)
    });
    taking.map(|rule| rule.parts.rule.constant_kafka_topic().unwrap().to_owned()).collect()
}

#[test]
fn a_message_goes_to_the_first_that_is_listed_alone() {
    let plan = planned(
        &file(&lists(
            "TOPIC_LIST=default:default-kafka,custom:custom-kafka,dev_arafat:dev_arafat,\n\
             WILDCARD_TOPIC_LIST=default/+/mqtt:custom-kafka, default/kc/#:general,custom/#:late\n",
        )),
        &worker(),
    );
    assert_eq!(targets(&plan, "default"), ["default-kafka"]);
    assert_eq!(targets(&plan, "dev_arafat"), ["dev_arafat"]);
    assert_eq!(targets(&plan, "custom"), ["custom-kafka"], "a topic before filters");
    assert_eq!(targets(&plan, "custom/x"), ["late"]);
    assert_eq!(targets(&plan, "default/kc/mqtt"), ["custom-kafka"], "the first of two filters");
    assert_eq!(targets(&plan, "default/kc/x/y"), ["general"]);
    assert_eq!(targets(&plan, "elsewhere"), [""; 0]);
    // One log for each Kafka topic.
    assert_eq!(source(&plan).rules.len(), 5);
    let told = "TOPIC_LIST: entry 4 is empty, and left out";
    assert!(plan.notices.iter().any(|notice| notice == told), "{:?}", plan.notices);
}

#[test]
fn the_user_acts_inside_the_broker_and_another_broker_has_a_client() {
    let user = "MQTT_USER_NAME=user\nMQTT_USER_PASSWORD=12345678\nMQTT_CLIENT_ID=arafat\n";
    let here = planned(&file(&lists(&format!("TOPIC_LIST=a:b\n{user}"))), &worker());
    let Broker::Here(Some(acting)) = &source(&here).broker else { panic!("here, as a user") };
    assert_eq!(acting.name, "user");
    let told = "ignored: MQTT_CLIENT_ID: the connector runs inside the broker";
    assert!(here.notices.iter().any(|notice| notice == told), "{:?}", here.notices);
    for (url, host, tls) in [
        ("10.1.2.3", "10.1.2.3", false),
        ("ssl://mqtt.test/", "mqtt.test", true),
        ("2001:db8::1", "2001:db8::1", false),
    ] {
        let text = lists(&format!("MQTT_BROKER_URL={url}\nTOPIC_LIST=a:b\n{user}"));
        let there = planned(&file(&text), &worker());
        let work = source(&there);
        let Broker::There(remote) = &work.broker else { panic!("there") };
        assert_eq!(remote.addresses, [(tls, host.to_owned(), 1883)]);
        assert_eq!((remote.client_id.as_str(), remote.clean_session), ("arafat", false));
        assert_eq!(work.qos, QoS::AtLeastOnce);
    }
}

#[test]
fn entries_that_are_none_are_told_by_what_was_found() {
    assert_eq!(
        errors(&lists(
            "TOPIC_LIST=a,b:,c/+:k,:k\nWILDCARD_TOPIC_LIST=a/#/b:k,ok/#:k k\n\
             MQTT_BROKER_URL=host:1883\n"
        )),
        [
            "Invalid value a for configuration TOPIC_LIST: expected MQTT_TOPIC:KAFKA_TOPIC",
            "Invalid value b: for configuration TOPIC_LIST: the kafka topic is empty, at least one \
             character was expected",
            "Invalid value c/+:k for configuration TOPIC_LIST: expected a topic without wildcards: \
             a filter stands in WILDCARD_TOPIC_LIST",
            "Invalid value :k for configuration TOPIC_LIST: empty, at least one character was \
             expected",
            "Invalid value a/#/b:k for configuration WILDCARD_TOPIC_LIST: '#' at byte 2, expected \
             alone in its level and last",
            "Invalid value ok/#:k k for configuration WILDCARD_TOPIC_LIST: the kafka topic \"k k\" \
             holds ' ', expected letters, digits, '.', '_' or '-'",
            "Invalid value host:1883 for configuration MQTT_BROKER_URL: expected a host's name or \
             address, without its port, which is MQTT_BROKER_PORT",
        ]
    );
    assert_eq!(
        errors(&lists("")),
        ["TOPIC_LIST: found no entry there and in WILDCARD_TOPIC_LIST, expected one or more"]
    );
    let many = lists(&format!("TOPIC_LIST={}\n", "a:b,".repeat(2_000)));
    assert_eq!(errors(&many), ["TOPIC_LIST: found 2001 entries, expected at most 1000"]);
}

#[test]
fn a_topic_that_is_listed_again_keeps_its_first_place_and_colons_may_stand_in_topics() {
    let plan = planned(&file(&lists("TOPIC_LIST=a:one,a:two,mac/aa:bb:k\n")), &worker());
    assert_eq!(targets(&plan, "a"), ["one"]);
    assert_eq!(targets(&plan, "mac/aa:bb"), ["k"]);
    let told = "TOPIC_LIST: a is listed again, the first counts: a:one";
    assert!(plan.notices.iter().any(|notice| notice == told), "{:?}", plan.notices);
}

#[test]
fn the_environment_hands_over_the_options_that_there_are() {
    let class = find(TOPIC_LISTS).unwrap();
    let names: Vec<&str> = class.options.iter().map(|option| option.name).collect();
    assert_eq!(names, midge_config::CONNECTOR_VARIABLES);
}
