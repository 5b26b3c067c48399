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

fn main() -> io::Result<()> {
    let corpus = env::args_os().nth(1).expect("usage: seeds DIRECTORY");
    let directory = Path::new(&corpus).join("kcql");
    fs::create_dir_all(&directory)?;
    for (index, seed) in KCQL.iter().enumerate() {
        fs::write(directory.join(format!("seed-{index:03}")), seed)?;
    }
    println!("kcql: {} seeds", KCQL.len());
    Ok(())
}
