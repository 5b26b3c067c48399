//! Writes the seeds of each target: one directory a target, below the one given.

use std::path::Path;
use std::{env, fs, io};

/// Statements that have everything in them.
const KCQL: &[&str] = &[
    "INSERT INTO /datamountaineer/mqtt_topic SELECT * FROM kafka-topic",
    "INSERT INTO measureA SELECT * FROM topicA  WITHTAG (from, to, Influx=rulz!, a.b AS c)",
    "INSERT INTO m SELECT x AS a, y AS b and z AS c FROM t WITHTIMESTAMP sys_time()",
    "INSERT INTO m SELECT *, a.* FROM t IGNORE a.b, c WITHTIMESTAMP ts TIMESTAMPUNIT=SECONDS",
    "INSERT INTO `$` SELECT * FROM $share/g/a/+/# WITHREGEX=`^a/[0-9]+$`",
    "UPSERT INTO s.${topic[2]} SELECT _key.x, _header.a.b, _topic, _offset FROM telemetry/+ \
     WITHCONVERTER=`io.lenses.streamreactor.connect.converters.source.JsonSimpleConverter` \
     WITHKEY(id, `a.b`, c.`d.e`) KEYDELIMITER='-' BATCH=10",
    "INSERT INTO x SELECT _value, _key.* FROM t PK a, b PARTITIONBY c LIMIT 3 WITHFORMAT json \
     WITHTARGET=a.b PROPERTIES('mqtt.target.from.field'='true');",
    "# a comment\nINSERT INTO a SELECT * FROM b; INSERT INTO c SELECT d FROM `e f`",
];

/// Envelopes and plain JSON of every type.
const JSON: &[&str] = &[
    r#"{"schema":{"type":"struct","fields":[{"type":"int8","field":"a","default":5},{"type":"map","keys":{"type":"int32"},"values":{"type":"double"},"field":"b","optional":true}],"name":"n","version":1,"doc":"d","parameters":{"p":"q"}},"payload":{"b":[[1,2.5e3]],"a":null}}"#,
    r#"{"schema":{"type":"array","items":{"type":"bytes","name":"org.apache.kafka.connect.data.Decimal","parameters":{"scale":"2"}}},"payload":["AJw=",1.56]}"#,
    r#"{"schema":{"type":"int32","name":"org.apache.kafka.connect.data.Date"},"payload":-1}"#,
    r#"{"schema":{"type":"int64","name":"org.apache.kafka.connect.data.Timestamp"},"payload":1}"#,
    r#"{"schema":null,"payload":{"a":{"b":"\u00e9\ud83d\ude00"},"c":[true,null,12345678901234567890]}}"#,
    r#"{"a":{"b":-1.5E-7},"c":"x","d":[{"e":1},{"e":2.5,"f":null}]}"#,
];

/// A schema and, after a zero, a record of it.
const AVRO: &[&[u8]] = &[
    b"\"string\"\0\x04ab",
    b"{\"type\":\"record\",\"name\":\"a.R\",\"fields\":[{\"name\":\"x\",\"type\":[\"null\",\"long\"],\"default\":null},{\"name\":\"e\",\"type\":{\"type\":\"enum\",\"name\":\"E\",\"symbols\":[\"A\",\"B\"]}}]}\0\x02\x04\x02",
    b"{\"type\":\"array\",\"items\":[\"null\",\"int\",\"bytes\"]}\0\x04\x02\x06\0\0",
    b"{\"type\":\"map\",\"values\":{\"type\":\"fixed\",\"name\":\"F\",\"size\":2}}\0\x02\x02kab\0",
    b"{\"type\":\"bytes\",\"logicalType\":\"decimal\",\"precision\":9,\"scale\":2}\0\x02\x7f",
    b"{\"type\":\"int\",\"connect.type\":\"int8\",\"connect.default\":1}\0\x02",
];

fn main() -> io::Result<()> {
    let corpus = env::args_os().nth(1).expect("usage: seeds DIRECTORY");
    let text = |seeds: &[&'static str]| seeds.iter().map(|seed| seed.as_bytes()).collect();
    let targets: [(&str, Vec<&[u8]>); 3] =
        [("kcql", text(KCQL)), ("json", text(JSON)), ("avro", AVRO.to_vec())];
    for (target, seeds) in targets {
        let directory = Path::new(&corpus).join(target);
        fs::create_dir_all(&directory)?;
        for (index, seed) in seeds.iter().enumerate() {
            fs::write(directory.join(format!("seed-{index:03}")), seed)?;
        }
        println!("{target}: {} seeds", seeds.len());
    }
    Ok(())
}
