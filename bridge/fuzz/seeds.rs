//! Writes the seeds of each target: one directory a target, below the one given.

use std::path::Path;
use std::{env, fs, io};

/// Files beyond the examples of the documentation: every spelling, escapes, and mistakes.
const FILES: &[&str] = &[
    "name=a\nconnect.mqtt.hosts=ssl://a:1,ssl://b\nconnect.mqtt.ksql=INSERT INTO a SELECT * FROM b/#\n\
     connect.mqtt.connection.clean=false\nconnect.mqtt.client.id=id,\nconnect.mqtt.max.retires=3\n\
     connect.mqtt.error.policy=retry\ntopics=b\ntasks.max=3\nconnect.mqtt.ssl.ca.cert=/a\n",
    "name:a\nmqtt.server.uri tcp://localhost:1883\nmqtt.topics = a/+, \\\n  b/#\nkafka.topic=${topic[2]}\n\
     mqtt.qos=2\nmidge.ack=spool\nmidge.spool_max_age=3d\nmidge.spool_full=drop_oldest\n\\u0061=\\t\\q\n",
    "name=a\ntopics.regex=a.*\nconnect.influx.url=http://localhost:8086\nconnect.influx.db=d\n\
     connect.influx.kcql=INSERT INTO m SELECT * FROM abc WITHTAG(x, a=b) WITHTIMESTAMP sys_time()\n\
     connect.influx.consistency.level=quorum\nmidge.influx.token=t\nmidge.influx.organization=o\n",
    "name=a\nmqtt.server_uris=tcp://broker.test:7\nmqtt.topic=a\nkafka.topic=b\ntransforms=x,y\n\
     transforms.x.type=org.apache.kafka.connect.transforms.InsertField$Value\n\
     transforms.x.static.field=f\ntransforms.x.static.value=v\ntransforms.x.predicate=p\n\
     transforms.y.type=org.apache.kafka.connect.transforms.RegexRouter\ntransforms.y.regex=(.*)\n\
     transforms.y.replacement=$1\npredicates=p\n\
     predicates.p.type=org.apache.kafka.connect.transforms.predicates.TopicNameMatches\n\
     predicates.p.pattern=a\nerrors.tolerance=all\nerrors.deadletterqueue.topic.name=d\n\
     producer.override.linger.ms=5\nvalue.converter=io.confluent.connect.avro.AvroConverter\n\
     value.converter.schema.registry.url=http://localhost:8081\n",
];

const REQUESTS: &[&str] = &[
    "POST /connectors {\"name\":\"a\",\"config\":{\"connector.class\":\"io.confluent.connect.mqtt.MqttSourceConnector\",\"mqtt.server.uri\":\"tcp://localhost:1883\",\"mqtt.topics\":\"a\"},\"initial_state\":\"PAUSED\"}\0GET /connectors?expand=status&expand=info \0PUT /connectors/a/pause \0PUT /connectors/a/resume \0POST /connectors/a/restart?includeTasks=true&onlyFailed=true \0GET /connectors/a/tasks/0/status \0POST /connectors/a/tasks/0/restart \0DELETE /connectors/a ",
    "PUT /connectors/a/config {\"connector.class\":\"io.confluent.connect.mqtt.MqttSinkConnector\",\"mqtt.server.uri\":\"tcp://localhost:1883\",\"topics\":\"a\",\"tasks.max\":2}\0PATCH /connectors/a/config {\"tasks.max\":null,\"mqtt.qos\":\"1\"}\0PUT /connectors/a/stop \0PATCH /connectors/a/offsets {\"offsets\":[{\"partition\":{\"kafka_topic\":\"a\",\"kafka_partition\":0},\"offset\":{\"kafka_offset\":1}}]}\0DELETE /connectors/a/offsets \0GET /connectors/a/topics \0PUT /connectors/a/topics/reset ",
    "PUT /connector-plugins/InfluxSink/config/validate {\"name\":\"a\",\"config\":{\"connector.class\":\"InfluxSink\",\"connect.influx.db\":5}}\0GET /connector-plugins?connectorsOnly=false \0GET /connector-plugins/InfluxSink/config ",
    "GET /admin/loggers \0PUT /admin/loggers/root {\"level\":\"debug\"}\0GET /admin/loggers/a%2Fb \0HEAD / \0OPTIONS /connectors \0GET /health ",
];

fn main() -> io::Result<()> {
    let corpus = env::args_os().nth(1).expect("usage: seeds DIRECTORY");
    let mut files: Vec<String> = FILES.iter().map(|file| (*file).to_owned()).collect();
    let examples = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/connectors/examples");
    for entry in fs::read_dir(examples)? {
        files.push(fs::read_to_string(entry?.path())?);
    }
    // A byte in front chooses the class: each file's own, and in turn every other.
    let files = files.iter().enumerate().flat_map(|(index, file)| {
        let class = char::from(b'@' + 2 * (index % 8) as u8);
        [format!("a{file}"), format!("{class}{file}")]
    });
    let files: Vec<String> = files.collect();
    let requests = REQUESTS.iter().map(|request| (*request).to_owned()).collect();
    for (target, seeds) in [("properties", files), ("rest", requests)] {
        let directory = Path::new(&corpus).join(target);
        fs::create_dir_all(&directory)?;
        for (index, seed) in seeds.iter().enumerate() {
            fs::write(directory.join(format!("seed-{index:03}")), seed)?;
        }
        println!("{target}: {} seeds", seeds.len());
    }
    Ok(())
}
