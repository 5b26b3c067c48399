use std::time::Duration;

use midge_config::OffsetReset;
use midge_rules::kcql::Field;
use midge_rules::pipeline::SinkTarget;

use super::*;
use crate::connect::plan::{DeadLetters, ErrorPolicy, LogErrors, Within};

fn lenses(topics: &str, kcql: &str, more: &str) -> String {
    format!(
        "name=s\nconnector.class={LENSES_SINK}\n{topics}\n\
         connect.mqtt.hosts=tcp://localhost:1883\nconnect.mqtt.kcql={kcql}\n{more}"
    )
}

#[test]
fn topics_and_statements_have_to_be_about_the_same() {
    let kcql = "INSERT INTO x SELECT * FROM a;INSERT INTO y SELECT * FROM b";
    assert_eq!(
        errors(&lenses("topics=a,c", kcql, "")),
        [
            "Mandatory `topics` configuration contains topics not set in connect.mqtt.kcql: \
             Set(c), kcql contains Set(a, b)",
            "connect.mqtt.kcql configuration contains topics not set in mandatory `topic` \
             configuration: Set(b), kcql contains Set(a, b)",
        ]
    );
    let missing = "Must configure one of topics or topics.regex";
    assert_eq!(errors(&lenses("", kcql, "")), [missing, missing]);
    let both = "topics and topics.regex are mutually exclusive options, but both are set.";
    assert_eq!(errors(&lenses("topics=a,b\ntopics.regex=a|b", kcql, "")), [both, both]);
    assert_eq!(
        errors(&lenses("topics.regex=a.*", kcql, "")),
        ["connect.mqtt.kcql configuration contains topics not matched by `topics.regex` \
          configuration: Set(b), kcql contains Set(a, b)"]
    );
    let plan = planned(&file(&lenses("topics=b, a", kcql, "")), &worker());
    assert_eq!(mqtt_sink(&plan).reading.topics, ["b", "a"]);
}

#[test]
fn a_regular_expression_matches_whole_topics_as_in_java() {
    let topics = |regex: &str| {
        let text = format!(
            "name=s\nconnector.class={CONFLUENT_SINK}\nmqtt.server.uri=tcp://localhost\n\
             topics.regex={regex}\n"
        );
        let properties = file(&text);
        plan("s", &properties, &worker()).map(|plan| mqtt_sink(&plan).reading.topics.clone())
    };
    assert_eq!(topics("a|b").unwrap(), ["^(a|b)$"]);
    assert_eq!(topics("^state-(?:in|out)$").unwrap(), ["^(^state-(in|out)$)$"]);
    assert_eq!(topics(r"s\\d+\\.[\\w-]+").unwrap(), [r"^(s[0-9]+\.[A-Za-z0-9_-]+)$"]);
    for refused in ["(?!a)b", "a*?", r"\\p{Lu}", "(", "[a[b]]"] {
        let error = topics(refused).unwrap_err().to_string();
        assert!(error.contains("for configuration topics.regex"), "{refused}: {error}");
    }
}

#[test]
fn a_dead_letter_never_comes_back_as_a_record() {
    let dlq = "errors.deadletterqueue.topic.name=dead\n";
    let statement = "INSERT INTO x SELECT * FROM dead";
    assert_eq!(
        errors(&lenses("topics=dead", statement, dlq)),
        ["The DLQ topic 'dead' may not be included in the list of topics ('topics=dead') \
          consumed by the connector"]
    );
    let found = errors(&lenses("topics.regex=d.*", statement, dlq)).join("\n");
    assert!(found.contains("may not be matched by the regex for the topics"), "{found}");
}

#[test]
fn errors_are_what_connect_calls_them() {
    let more = "errors.tolerance=all\nerrors.retry.timeout=-1\nerrors.retry.delay.max.ms=50\n\
                errors.log.enable=true\nerrors.log.include.messages=true\n\
                errors.deadletterqueue.topic.name=dead\n\
                errors.deadletterqueue.topic.replication.factor=1\n\
                errors.deadletterqueue.context.headers.enable=true\n";
    let plan =
        planned(&file(&lenses("topics=a", "INSERT INTO x SELECT * FROM a", more)), &worker());
    let errors = &plan.errors;
    assert!(errors.tolerate);
    assert_eq!(errors.retry.within, Within::Ever);
    assert_eq!(errors.retry.delay_max, Duration::from_millis(50));
    assert_eq!(errors.log, Some(LogErrors { messages: true }));
    let dead = DeadLetters {
        kafka_topic: "dead".into(),
        replication_factor: Some(1),
        context_headers: true,
    };
    assert_eq!(errors.dead_letters, Some(dead));
}

#[test]
fn targets_and_messages_are_as_the_options_say() {
    let kcql = "INSERT INTO x SELECT a, b AS c FROM k;\
                INSERT INTO a.b SELECT * FROM k PROPERTIES('mqtt.target.from.field'='true')";
    let more = "connect.mqtt.retained.messages=true\nconnect.mqtt.service.quality=2\n\
                midge.tombstones=clear\nconnect.mqtt.error.policy=NOOP\ntasks.max=2\n\
                connect.mqtt.retry.interval=5\n";
    let plan = planned(&file(&lenses("topics=k", kcql, more)), &worker());
    assert_eq!(plan.tasks.len(), 2, "Kafka shares out the partitions among them");
    let Work::MqttSink(work) = &plan.tasks[1].work else { panic!("a sink") };
    assert_eq!(work.policy, ErrorPolicy::Noop);
    let [literal, field] = &work.parts.statements[..] else { panic!("two statements") };
    let rule = format!("{:?}", literal.rule);
    assert!(
        rule.contains("ExactlyOnce") && rule.contains("retain: true") && rule.contains("Clear")
    );
    assert!(!literal.projection.is_everything());
    let SinkTarget::Field(Field::Value(path)) = &field.target else { panic!("a field") };
    assert_eq!(path.join("."), "a.b");
    let told = "ignored: connect.mqtt.retry.interval: connect.mqtt.error.policy is not RETRY";
    assert!(plan.notices.contains(&told.to_owned()), "{:?}", plan.notices);
}

#[test]
fn overrides_of_the_consumer_reach_librdkafka_under_its_names() {
    let text = lenses(
        "topics=k",
        "INSERT INTO x SELECT * FROM k",
        "consumer.override.group.id=mine\nconsumer.override.auto.offset.reset=latest\n\
         consumer.override.max.poll.records=7\nconsumer.override.fetch.max.wait.ms=9\n\
         consumer.override.isolation.level=read_uncommitted\n\
         consumer.override.partition.assignment.strategy=\
         org.apache.kafka.clients.consumer.CooperativeStickyAssignor\n\
         consumer.override.sasl.jaas.config=org.apache.kafka.common.security.plain.\
         PlainLoginModule required username=\"u\" password=\"p\";\nconsumer.override.value.deserializer=X\n\
         producer.override.acks=all\n",
    );
    let plan = planned(&file(&text), &worker());
    let reading = &mqtt_sink(&plan).reading;
    assert_eq!((&*reading.group_id, reading.offset_reset), ("mine", OffsetReset::Latest));
    assert_eq!(reading.max_under_way, 7);
    let plain: Vec<(&str, &str)> =
        plan.overrides.plain.iter().map(|(name, value)| (&**name, &**value)).collect();
    assert_eq!(
        plain,
        [
            ("fetch.wait.max.ms", "9"),
            ("isolation.level", "read_uncommitted"),
            ("partition.assignment.strategy", "cooperative-sticky"),
            ("sasl.username", "u"),
        ]
    );
    assert_eq!(secret(plan.overrides.secret.get("sasl.password")), Some("p"));
    for told in [
        "ignored: producer.override.acks: the client of a sink obeys consumer.override.*",
        "ignored: consumer.override.value.deserializer: records are bytes when they come to the \
         client",
    ] {
        assert!(plan.notices.contains(&told.to_owned()), "{:?}", plan.notices);
    }
    let letters = "errors.deadletterqueue.topic.name=dead\nproducer.override.linger.ms=7\n\
                   admin.override.client.id=maker\n";
    let sink = |more: &str| file(&lenses("topics=k", "INSERT INTO x SELECT * FROM k", more));
    let mut of_worker = worker();
    of_worker.properties = file("producer.compression.type=lz4\nproducer.linger.ms=3\n");
    let plan = planned(&sink(letters), &of_worker);
    let clients = &plan.dead_letter_clients;
    assert_eq!(clients.producer.plain["compression.type"], "lz4");
    assert_eq!(clients.producer.plain["linger.ms"], "7");
    assert!(plan.overrides.plain.is_empty(), "they are not the consumer's");
    let told = "ignored: admin.override.client.id: the client of a sink obeys consumer.override.*";
    assert!(plan.notices.contains(&told.to_owned()), "no topic is made: {:?}", plan.notices);
    let factor = "errors.deadletterqueue.topic.replication.factor=1\n";
    let plan = planned(&sink(&format!("{letters}{factor}")), &of_worker);
    assert_eq!(plan.dead_letter_clients.admin.plain["client.id"], "maker");
    let source = format!(
        "name=a\nconnector.class={EVOKLY}\nproducer.override.max.request.size=5000\n\
         producer.override.buffer.memory=4096\nproducer.override.compression.type=lz4\n"
    );
    let plan = planned(&file(&source), &worker());
    assert_eq!(plan.overrides.plain["message.max.bytes"], "5000");
    assert_eq!(plan.overrides.plain["queue.buffering.max.kbytes"], "4");
    let source = format!(
        "name=a\nconnector.class={EVOKLY}\nproducer.override.acks=1\n\
         producer.override.ssl.truststore.location=/t.jks\nproducer.override.partitioner.class=X\n\
         producer.override.buffer.memory=much\n"
    );
    let found = errors(&source);
    assert_eq!(found.len(), 4, "{found:#?}");
    assert!(found.iter().all(|error| error.starts_with("producer.override.")), "{found:#?}");
}

#[test]
fn a_topic_that_is_listed_twice_is_read_once() {
    let kcql = "INSERT INTO x SELECT * FROM k; INSERT INTO x SELECT * FROM l";
    let plan = planned(&file(&lenses("topics=k,l,k", kcql, "")), &worker());
    assert_eq!(mqtt_sink(&plan).reading.topics, ["k", "l"]);
}

#[test]
fn what_librdkafka_does_not_take_of_an_override_is_told_and_what_only_java_has_is_idle() {
    let source = format!(
        "name=a\nconnector.class={EVOKLY}\nproducer.override.linger.ms=abc\n\
         producer.override.compression.type=bogus\nproducer.override.sasl.bogus=1\n\
         producer.override.bogus.thing=1\nproducer.override.metrics.num.samples=2\n"
    );
    let found = errors(&source);
    assert_eq!(found.len(), 3, "{found:#?}");
    assert!(found.iter().any(|error| error.starts_with("producer.override.linger.ms: found")));
    let idle = format!(
        "name=a\nconnector.class={EVOKLY}\nproducer.override.bogus.thing=1\n\
         producer.override.metrics.num.samples=2\nproducer.override.compression.zstd.level=3\n"
    );
    let plan = planned(&file(&idle), &worker());
    assert!(plan.overrides.plain.is_empty(), "{:?}", plan.overrides.plain);
    for told in [
        "ignored: producer.override.bogus.thing: the client knows no such property",
        "ignored: producer.override.metrics.num.samples: there is no JMX",
    ] {
        assert!(plan.notices.contains(&told.to_owned()), "{:?}", plan.notices);
    }
}

#[test]
fn an_influx_database_has_a_user_or_a_token() {
    let text = format!(
        "name=i\nconnector.class={INFLUX}\ntopics=k\nconnect.influx.db=d\n\
         connect.influx.kcql=INSERT INTO m SELECT * FROM k WITHTAG(a, b=c)\n"
    );
    let with = |more: &str| format!("{text}connect.influx.url=https://i:8086\n{more}");
    let token = with(
        "midge.influx.token=t\nmidge.influx.organization=o\nconnect.influx.retention.policy=r\n",
    );
    let plan = planned(&file(&token), &worker());
    let database = &influx_sink(&plan).database;
    let found = database.token.as_ref().map(|(token, of)| (token.expose(), &**of));
    assert_eq!(found, Some(("t", "o")));
    let told =
        "ignored: connect.influx.retention.policy: InfluxDB 2.x has none, its bucket says it";
    assert!(plan.notices.contains(&told.to_owned()));
    assert_eq!(
        errors(&with("midge.influx.token=t\n")),
        ["midge.influx.token: found without midge.influx.organization, expected both"]
    );
    assert_eq!(
        errors(&with("connect.influx.password=p\n")),
        ["connect.influx.password: found without connect.influx.username, expected both"]
    );
    let found = errors(&format!("{text}connect.influx.url=http://u:hunter2@i\n")).join("\n");
    assert!(found.contains("connect.influx.username") && !found.contains("hunter2"), "{found}");
    let found = notices(&with("connect.influx.dbname=x\n")).join("\n");
    assert!(found.contains("connect.influx.dbname: unknown property"), "{found}");
}

#[test]
fn what_a_worker_says_of_producers_and_consumers_holds_until_a_connector_says_otherwise() {
    let mut worker = worker();
    for (key, value) in [
        ("producer.linger.ms", "7"),
        ("producer.buffer.memory", "4096"),
        ("consumer.auto.offset.reset", "latest"),
        ("consumer.fetch.max.wait.ms", "9"),
    ] {
        worker.properties.insert(key.to_owned(), value.to_owned());
    }
    let source = format!("name=a\nconnector.class={EVOKLY}\nproducer.override.linger.ms=8\n");
    let plan = planned(&file(&source), &worker);
    let plain: Vec<(&str, &str)> =
        plan.overrides.plain.iter().map(|(name, value)| (&**name, &**value)).collect();
    assert_eq!(plain, [("linger.ms", "8"), ("queue.buffering.max.kbytes", "4")]);
    let sink = lenses("topics=k", "INSERT INTO x SELECT * FROM k", "");
    let plan = planned(&file(&sink), &worker);
    assert_eq!(mqtt_sink(&plan).reading.offset_reset, OffsetReset::Latest);
    assert_eq!(plan.overrides.plain["fetch.wait.max.ms"], "9");
}
