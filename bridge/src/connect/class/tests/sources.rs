use std::time::Duration;

use midge_codec::QoS;
use midge_config::{Ack, Spool, SpoolFull};
use midge_rules::converter::SourceClass;

use super::*;

fn lenses(kcql: &str, more: &str) -> String {
    format!(
        "name=plant/a\nconnector.class={LENSES_SOURCE}\nconnect.mqtt.hosts=tcp://127.0.0.1:1883\n\
         connect.mqtt.kcql={kcql}\n{more}"
    )
}

fn filters(work: &Work) -> Vec<String> {
    let Work::Source(work) = work else { panic!("a source") };
    let filters = work.rules.iter().flat_map(|rule| &rule.filters);
    filters.map(|filter| filter.text().as_str().to_owned()).collect()
}

const FIVE: &str = "INSERT INTO k SELECT * FROM a;INSERT INTO k SELECT * FROM b;\
                    INSERT INTO k SELECT * FROM c;INSERT INTO k SELECT * FROM d;\
                    INSERT INTO k SELECT * FROM e";

#[test]
fn tasks_inside_the_broker_share_out_the_statements() {
    let plan = planned(&file(&lenses(FIVE, "tasks.max=2\n")), &worker());
    let found: Vec<Vec<String>> = plan.tasks.iter().map(|task| filters(&task.work)).collect();
    assert_eq!(found, [vec!["a", "b", "c"], vec!["d", "e"]]);
    assert_eq!(
        plan.tasks[1].config["connect.mqtt.kcql"],
        "INSERT INTO k SELECT * FROM d;INSERT INTO k SELECT * FROM e"
    );
    // One task shows what was said.
    let plan = planned(&file(&lenses(FIVE, "")), &worker());
    assert_eq!(plan.tasks[0].config["connect.mqtt.kcql"], FIVE);
    let plan = planned(
        &file(&lenses("INSERT INTO k SELECT * FROM $share/g/a", "tasks.max=3\n")),
        &worker(),
    );
    assert_eq!(plan.tasks.len(), 1);
    assert_eq!(filters(&plan.tasks[0].work), ["a"]);
    assert!(
        plan.notices.contains(
            &"ignored: $share of $share/g/a: inside the broker a rule sees every message once"
                .to_owned()
        )
    );
    assert!(
        plan.notices.contains(
            &"tasks.max: 1 of 3: each statement has a task of its own already".to_owned()
        )
    );
}

#[test]
fn tasks_at_another_broker_share_the_subscriptions() {
    let text = lenses("INSERT INTO k SELECT * FROM a/#;INSERT INTO l SELECT * FROM $share/g/b", "")
        .replace("127.0.0.1", "elsewhere");
    let one = planned(&file(&text), &worker());
    assert_eq!(filters(&one.tasks[0].work), ["a/#", "$share/g/b"]);
    let plan =
        planned(&file(&format!("{text}tasks.max=3\nconnect.mqtt.client.id=me\n")), &worker());
    let mut ids = Vec::new();
    for task in &plan.tasks {
        assert_eq!(filters(&task.work), ["$share/plant_a/a/#", "$share/g/b"]);
        let Work::Source(SourceWork { broker: Broker::There(remote), .. }) = &task.work else {
            panic!("another broker")
        };
        ids.push(remote.client_id.clone());
    }
    assert_eq!(ids, ["me-0", "me-1", "me-2"]);
    assert!(plan.notices.iter().any(|notice| notice.contains("may change their order")));
}

#[test]
fn a_statement_s_converter_decides_what_is_written_where_nobody_names_one() {
    let kcql = "INSERT INTO a SELECT * FROM a;\
                INSERT INTO b SELECT x FROM b WITHCONVERTER=JsonSimpleConverter WITHKEY(x);\
                INSERT INTO c SELECT * FROM c WITHCONVERTER=JsonPassThroughConverter;\
                INSERT INTO d SELECT * FROM d/+ WITHCONVERTER=\
                `io.lenses.streamreactor.connect.converters.source.AvroConverter`";
    let more = "connect.converter.avro.schemas=d/+=/etc/d.avsc;e=/etc/e.avsc\n";
    let properties = file(&lenses(kcql, more));
    assert_eq!(files(&properties), ["/etc/d.avsc", "/etc/e.avsc"]);
    let mut worker = worker();
    let error = plan("a", &properties, &worker).err().unwrap().to_string();
    assert!(error.contains("/etc/d.avsc") && error.contains("/etc/e.avsc"), "{error}");
    let schema = r#"{"type":"record","name":"R","fields":[{"name":"x","type":"long"}]}"#;
    for path in files(&properties) {
        worker.files.insert(path, schema.to_owned());
    }
    let plan = planned(&properties, &worker);
    let parts: Vec<(SourceClass, &str)> = source(&plan)
        .rules
        .iter()
        .map(|rule| (rule.parts.source.class(), rule.parts.value.class()))
        .collect();
    assert_eq!(
        parts,
        [
            (SourceClass::Bytes, converters::BYTES),
            (SourceClass::JsonSimple, converters::JSON),
            (SourceClass::JsonPassThrough, converters::STRING),
            (SourceClass::Avro, converters::JSON),
        ]
    );
    let unread = "ignored: connect.converter.avro.schemas: no statement reads e by AvroConverter";
    assert!(plan.notices.contains(&unread.to_owned()), "{:?}", plan.notices);
    // Somebody names one: it counts for all, the worker's with its own options alone.
    worker.properties.insert("value.converter".to_owned(), converters::JSON.to_owned());
    worker.properties.insert("value.converter.schemas.enable".to_owned(), "false".to_owned());
    let mut with = properties;
    with.insert("value.converter.schemas.enable".to_owned(), "true".to_owned());
    let plan = planned(&with, &worker);
    assert!(source(&plan).rules.iter().all(|rule| rule.parts.value.class() == converters::JSON));
    let told = "ignored: value.converter.schemas.enable: value.converter is not named here, and \
                the worker's counts";
    assert!(plan.notices.contains(&told.to_owned()), "{:?}", plan.notices);
}

#[test]
fn without_its_schema_an_avro_converter_is_refused() {
    let found = errors(&lenses("INSERT INTO d SELECT * FROM d WITHCONVERTER=AvroConverter", ""));
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(
        found[0].starts_with("connect.converter.avro.schemas: d: AvroConverter needs a schema")
    );
}

#[test]
fn acknowledgements_and_spools_are_as_in_midge_toml() {
    let text = format!("name=a\nconnector.class={EVOKLY}\n");
    let own = "midge.spool_max_bytes=1048576\nmidge.spool_max_age=2d\n\
               midge.spool_full=drop_newest\n\
               midge.spool_after=3s\nmidge.producer_byte_rate=9\nmidge.buffer_bytes=65536\n\
               midge.buffer_messages=7\n";
    let mut disk = worker();
    disk.persistent = true;
    let plan = planned(&file(&format!("{text}{own}")), &disk);
    let work = source(&plan);
    let spool = Spool {
        max_bytes: 1 << 20,
        max_age: Some(Duration::from_secs(2 * 86_400)),
        full: SpoolFull::DropNewest,
        after: Duration::from_secs(3),
    };
    assert_eq!((work.ack, &work.spool), (Ack::Spool, &spool));
    assert_eq!((work.buffer, work.producer_byte_rate), ((65_536, 7), Some(9)));
    // A QoS of 0 that somebody says lets publishers go on; an acknowledgement that is named wins.
    let ack =
        |more: &str, worker: &Worker| source(&planned(&file(&format!("{text}{more}")), worker)).ack;
    assert_eq!(ack("", &worker()), Ack::Kafka);
    assert_eq!(ack("mqtt.qos=0\n", &disk), Ack::None);
    assert_eq!(ack("mqtt.qos=2\n", &disk), Ack::Spool);
    assert_eq!(ack("mqtt.qos=0\nmidge.ack=spool\n", &disk), Ack::Spool);
    assert_eq!(ack("midge.ack=kafka\n", &disk), Ack::Kafka);
    let confluent = format!(
        "name=a\nconnector.class={CONFLUENT_SOURCE}\nmqtt.server.uri=tcp://localhost\n\
         mqtt.topics=a/#,b\n"
    );
    let plan = planned(&file(&confluent), &disk);
    assert_eq!((source(&plan).ack, source(&plan).qos), (Ack::Spool, QoS::AtMostOnce));
    assert_eq!(filters(&plan.tasks[0].work), ["a/#", "b"]);
    assert_eq!(
        errors(&format!("{text}midge.ack=spool\nmidge.spool_full=wait\nmidge.akc=none\n")),
        [
            "Invalid value wait for configuration midge.spool_full: String must be one of: \
             push_back, drop_oldest, drop_newest",
            "midge.ack: found spool without persistence, expected kafka or none, or persistence \
             enabled: the spool is on disk",
            "midge.akc: unknown property, did you mean midge.ack?",
        ]
    );
}

#[test]
fn unreadable_payloads_are_passed_over_unless_they_are_to_be_errors() {
    let kcql = "INSERT INTO b SELECT * FROM b WITHCONVERTER=JsonSimpleConverter";
    assert!(source(&planned(&file(&lenses(kcql, "")), &worker())).skip_unconvertible);
    let throw = lenses(kcql, "connect.mqtt.converter.throw.on.error=true\n");
    assert!(!source(&planned(&file(&throw), &worker())).skip_unconvertible);
    // What any payload satisfies needs no looking into.
    let plain = lenses("INSERT INTO b SELECT * FROM b", "");
    assert!(!source(&planned(&file(&plain), &worker())).skip_unconvertible);
    let keyed = lenses("INSERT INTO b SELECT * FROM b WITHKEY(id)", "");
    assert!(source(&planned(&file(&keyed), &worker())).skip_unconvertible);
}

#[test]
fn transforms_and_converters_are_part_of_every_statement() {
    let more = "transforms=route,drop\ntransforms.route.type=\
                org.apache.kafka.connect.transforms.RegexRouter\ntransforms.route.regex=(.*)\n\
                transforms.route.replacement=x-$1\ntransforms.drop.type=Filter\n\
                transforms.drop.predicate=p\npredicates=p\npredicates.p.type=RecordIsTombstone\n\
                key.converter=StringConverter\nvalue.converter=JsonConverter\n\
                value.converter.schemas.enable=false\nheader.converter=StringConverter\n\
                midge.headers=true\n";
    let plan = planned(&file(&lenses(FIVE, more)), &worker());
    for rule in &source(&plan).rules {
        assert!(!rule.parts.chain.is_empty());
        assert_eq!(rule.parts.value.class(), converters::JSON);
        assert!(format!("{:?}", rule.parts.rule).contains("headers: true"));
    }
    assert_eq!(plan.notices, Vec::<String>::new());
}

#[test]
fn statements_stand_in_one_place() {
    let one = "INSERT INTO a SELECT * FROM a";
    let both = |other: &str| file(&lenses(one, &format!("connect.mqtt.ksql={other}\n")));
    let Err(found) = plan("s", &both("INSERT INTO b SELECT * FROM b"), &worker()) else {
        panic!("nobody knows which was meant");
    };
    let found = found.to_string();
    assert!(found.contains("connect.mqtt.kcql: found other statements in connect.mqtt.ksql"));
    let notices = planned(&both(one), &worker()).notices;
    assert!(notices.iter().any(|notice| notice.contains("says the same")), "{notices:?}");
}

#[test]
fn all_mistakes_are_told_at_once() {
    let text = format!(
        "name=a\nconnector.class={LENSES_SOURCE}\ntasks.max=none\n\
         connect.mqtt.hosts=http://a,tcp://localhost:x\nconnect.mqtt.kcql=INSERT a\n\
         connect.mqtt.service.quality=3\nconnect.mqtt.password=p\n\
         connect.mqtt.ssl.cert=/c.pem\nerrors.tolerance=some\ntransforms=t\n\
         value.converter=NoConverter\nmidge.buffer_messages=0\n"
    );
    let found = errors(&text);
    let expected = [
        "Invalid value none for configuration tasks.max: Not a number of type INT",
        "Invalid value null for configuration tasks.max: Value must be non-null",
        "Invalid value some for configuration errors.tolerance: String must be one of: none, all",
        "Invalid value 3 for configuration connect.mqtt.service.quality: Value must be no more \
         than 2",
        "Invalid value 0 for configuration midge.buffer_messages: Value must be at least 1",
        "Missing required configuration \"transforms.t.type\" which has no default value: it is \
         the class of a Transformation",
        "connect.mqtt.kcql: kcql, line 1, column 8: found \"a\", expected INTO\n    INSERT \
         a\n           ^",
        "value.converter: found NoConverter, expected one of: ",
        "Invalid value http://a for configuration connect.mqtt.hosts: expected tcp://HOST:PORT or \
         ssl://HOST:PORT",
        "Invalid value tcp://localhost:x for configuration connect.mqtt.hosts: expected \
         tcp://HOST:PORT or ssl://HOST:PORT",
        "connect.mqtt.password: found without connect.mqtt.username, expected both",
        "Invalid value /c.pem for configuration connect.mqtt.ssl.cert: found without \
         connect.mqtt.ssl.key, expected both",
    ];
    for expected in expected {
        assert!(found.iter().any(|found| found.starts_with(expected)), "{expected}\n{found:#?}");
    }
    assert_eq!(found.len(), expected.len(), "{found:#?}");
}

#[test]
fn a_connection_that_is_to_be_protected_is_never_open() {
    let text = format!(
        "name=a\nconnector.class={EVOKLY}\nmqtt.server_uris=ssl://a:8883,tcp://b:1883\n\
         mqtt.ssl.ca_cert=/ca.pem\n"
    );
    assert_eq!(
        errors(&text),
        ["Invalid value ssl://a:8883,tcp://b:1883 for configuration mqtt.server_uris: found \
          files for TLS beside it, expected ssl://HOST:PORT"]
    );
    let jks = format!(
        "name=a\nconnector.class={CONFLUENT_SOURCE}\nmqtt.server.uri=ssl://a\nmqtt.topics=a\n\
         mqtt.ssl.trust.store.path=/trust.JKS\nmqtt.ssl.trust.store.password=hunter2\n"
    );
    let found = errors(&jks).join("\n");
    assert!(found.contains("/trust.JKS") && found.contains("expected a file in PEM"), "{found}");
    assert!(found.contains("mqtt.ssl.trust.store.password: files are in PEM"), "{found}");
    assert!(!found.contains("hunter2"), "{found}");
    // Inside the broker there is no connection to protect.
    let plan = planned(&file(&jks.replace("ssl://a", "tcp://localhost")), &worker());
    assert!(plan.notices.contains(
        &"ignored: mqtt.ssl.trust.store.path, mqtt.ssl.trust.store.password: the connector runs \
          inside the broker"
            .to_owned()
    ));
}

#[test]
fn a_keep_alive_that_can_only_be_seconds_is_read_as_seconds() {
    let text = lenses("INSERT INTO k SELECT * FROM a", "connect.mqtt.keep.alive=60\n")
        .replace("127.0.0.1", "elsewhere");
    let plan = planned(&file(&text), &worker());
    let Broker::There(remote) = &source(&plan).broker else { panic!("another broker") };
    assert_eq!(remote.keep_alive, Duration::from_secs(60));
    assert!(plan.notices.iter().any(|notice| notice.contains("60 is read as seconds")));
}

#[test]
fn a_listener_s_own_host_is_this_broker_with_its_port_alone() {
    let mut worker = worker();
    worker.local_addresses.push(("10.0.0.5".to_owned(), 2883));
    let broker = |host: &str| {
        let text = format!("name=a\nconnector.class={EVOKLY}\nmqtt.server_uris=tcp://{host}\n");
        shown_broker(&source(&planned(&file(&text), &worker)).broker)
    };
    assert_eq!(broker("10.0.0.5:2883"), "here as None");
    assert!(broker("10.0.0.5:1883").starts_with("[(false, \"10.0.0.5\", 1883)]"));
    assert_eq!(broker("[::1]"), "here as None");
    assert_eq!(broker("BROKER.test:9"), "here as None");
    assert!(broker("localhost:2883").starts_with("[(false, \"localhost\", 2883)]"));
}

#[test]
fn evoklys_source_has_one_task_and_no_empty_lines() {
    let text = format!("name=a\nconnector.class={EVOKLY}\nmqtt.server_uris=tcp://x\n");
    let plan = planned(&file(&format!("{text}tasks.max=4\n")), &worker());
    assert_eq!(plan.tasks.len(), 1);
    assert!(plan.notices.contains(&"tasks.max: 1 of 4: this connector has one task".to_owned()));
    assert_eq!(
        errors(&format!("{text}mqtt.user=\nmqtt.topic=\n")),
        [
            "Invalid value  for configuration mqtt.topic: String must be non-empty",
            "Invalid value  for configuration mqtt.user: String must be non-empty",
        ]
    );
}
