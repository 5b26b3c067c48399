//! The guide to Lenses' InfluxDB sink: an Avro record by the console producer, and a point in the
//! database's own shell.

use midge_tests::{Influx, Kafka, Midge, Shell, eventually};
use serde_json::{Value, json};

use crate::avro_console_producer::produce;
use crate::connect_cli::{CREATE, PS, create, lines, runs, shell, to, worker};

/// `conf/influxdb-sink.properties`, and what `create` prints of it.
const PROPERTIES: &str = "\
    #Connector name=`influx-sink`
    name=influxdb-sink
    connector.class=com.datamountaineer.streamreactor.connect.influx.InfluxSinkConnector
    tasks.max=1
    topics=influx-topic
    connect.influx.kcql=INSERT INTO influxMeasure SELECT * FROM influx-topic WITHTIMESTAMP sys_time()
    connect.influx.url=http://localhost:8086
    connect.influx.db=mydb
    #task ids: 0
";

/// What the worker's log shows of it; the user and the password are of another file than the guide's,
/// and the last line is spelt as the log of that day had it.
const LOGGED: &str = "
        connect.influx.retention.policy = autogen
        connect.influx.error.policy = THROW
        connect.influx.username = root
        connect.influx.db = mydb
        connect.influx.password = [hidden]
        connect.influx.url = http://localhost:8086
        connect.influx.retry.interval = 60000
        connect.influx.kcql = INSERT INTO influxMeasure SELECT * FROM influx-topic WITHTIMESTAMP sys_time()
        connect.influx.max.retires = 20
";

const PRODUCER: &str = r#"${CONFLUENT_HOME}/bin/kafka-avro-console-producer \
      --broker-list localhost:9092 --topic influx-topic \
      --property value.schema='{"type":"record","name":"User",
      "fields":[{"name":"company","type":"string"},{"name":"address","type":"string"},{"name":"latitude","type":"float"},{"name":"longitude","type":"float"}]}'"#;
const RECORD: &str = r#"{"company": "DataMountaineer","address": "MontainTop","latitude": -49.817964,"longitude": -141.645812}"#;

/// A text with the database's address put in.
fn at(influx: &Influx, text: &str) -> String {
    text.replace("http://localhost:8086", &influx.url())
}

/// A database, a worker, and a shell.
fn start() -> (Influx, Midge, Shell) {
    let influx = Influx::start();
    influx.shell("", "CREATE DATABASE mydb\n").success();
    (influx, worker("").start(), shell())
}

#[test]
fn the_quickstart_s_avro_record_is_a_point_in_the_database_s_shell() {
    Kafka::shared().create_topic("influx-topic", 1);
    let (influx, midge, shell) = start();
    shell.write("conf/influxdb-sink.properties", &at(&influx, PROPERTIES));
    let command = CREATE
        .replace("create mqtt-sink", "create influx-sink")
        .replace("conf/mqtt-sink.properties", "conf/influxdb-sink.properties");
    let created = shell.run(&to(&midge, &command)).success().stdout;
    assert_eq!(created.lines().collect::<Vec<_>>(), lines(&at(&influx, PROPERTIES)));
    // The name in the file counts, as the guide's `ps` shows.
    assert_eq!(shell.run(&to(&midge, PS)).success().stdout, "influxdb-sink\n");
    runs(&midge, &shell, "influxdb-sink");

    let command = PRODUCER.replace("localhost:9092", Kafka::shared().bootstrap());
    produce(&shell, &command, RECORD);
    eventually("a point", || {
        (!influx.query("mydb", "select * from influxMeasure").is_empty()).then_some(())
    });
    // Its shell takes "use mydb;" at a terminal alone.
    let shown = influx.shell("mydb", "show measurements;\nselect * from influxMeasure;\n");
    let shown = shown.success().stdout;
    let measurements = ["name: measurements", "name", "influxMeasure"];
    let mut rest = shown.lines().map(str::trim).filter(|line| !line.starts_with("--"));
    for line in measurements {
        assert!(rest.any(|found| found == line), "{line}: {shown}");
    }
    assert!(rest.any(|line| line == "name: influxMeasure"), "{shown}");
    let words = |line: Option<&str>| -> Vec<String> {
        line.unwrap_or_default().split_whitespace().map(str::to_owned).collect()
    };
    // The guide's point has a column more, "async", of another record.
    assert_eq!(words(rest.next()), ["time", "address", "company", "latitude", "longitude"]);
    let point = words(rest.find(|line| !line.starts_with("--")));
    assert_eq!(
        point[1..],
        ["MontainTop", "DataMountaineer", "-49.817962646484375", "-141.64581298828125"],
        "{shown}"
    );
    assert_eq!(point[0].len(), "1478269679104000000".len(), "in nanoseconds: {shown}");
}

#[test]
fn the_log_shows_the_options_and_hides_the_password() {
    let (influx, midge, shell) = start();
    let more = "connect.influx.username=root\nconnect.influx.password=toor-secret\n\
                connect.influx.max.retires=20\n";
    let file = at(&influx, PROPERTIES).replace("influx-topic", "influx-logged");
    let file = file.replace("name=influxdb-sink", "name=influx-logged");
    create(&midge, &shell, "influx-logged", &format!("{file}{more}"));
    midge.says(&["InfluxSinkConfig values:"]);
    for line in lines(&at(&influx, LOGGED).replace("influx-topic", "influx-logged")) {
        midge.says(&[line]);
    }
    assert!(!midge.log().contains("toor-secret"), "{}", midge.log());
}

/// The statements of the guide's examples. "to" is a field, and a word of nothing in KCQL.
const EXAMPLES: [&str; 6] = [
    "INSERT INTO measureA SELECT * FROM topicA  WITHTAG (DataMountaineer=awesome, Influx=rulz!)",
    "INSERT INTO measureA SELECT * FROM topicA  WITHTAG (from, to)",
    "INSERT INTO measureA SELECT * FROM topicA  WITHTAG (from, to, provider=DataMountaineer)",
    "INSERT INTO measureA SELECT * FROM topicA",
    "INSERT INTO measureB SELECT x AS a, y AS b and z AS c FROM topicB WITHTIMESTAMP y",
    "INSERT INTO measureB SELECT x AS a, y AS b and z AS c FROM topicB WITHTIMESTAMP sys_time()",
];

/// A connector of one statement, for records in plain JSON.
fn example(influx: &Influx, number: usize) -> (String, String) {
    let quickstart =
        "INSERT INTO influxMeasure SELECT * FROM influx-topic WITHTIMESTAMP sys_time()";
    // Each has a topic and a measurement of its own, so that each point has one maker.
    let statement = EXAMPLES[number]
        .replace("topicA", &format!("influx-topicA-{number}"))
        .replace("topicB", &format!("influx-topicB-{number}"))
        .replace("INTO measureA", &format!("INTO measureA{number}"))
        .replace("INTO measureB", &format!("INTO measureB{number}"));
    let letter = if statement.contains("topicA") { 'A' } else { 'B' };
    let topic = format!("influx-topic{letter}-{number}");
    let name = format!("influx-example-{number}");
    let file = at(influx, PROPERTIES)
        .replace(quickstart, &statement)
        .replace("topics=influx-topic", &format!("topics={topic}"))
        .replace("name=influxdb-sink", &format!("name={name}"));
    let json = "key.converter=org.apache.kafka.connect.storage.StringConverter\n\
                value.converter=org.apache.kafka.connect.json.JsonConverter\n\
                value.converter.schemas.enable=false\n";
    Kafka::shared().produce(&topic, &format!("k:{}\n", record(letter)));
    (name, format!("{file}{json}"))
}

fn record(letter: char) -> Value {
    match letter {
        'A' => json!({"amount": 12.5, "from": "ana", "to": "ben", "note": "rent"}),
        _ => json!({"x": 1, "y": 1_478_269_679_104_i64, "z": "three"}),
    }
}

/// The series of a measurement, grouped by all tags: their tags, and their first points.
fn points(influx: &Influx, measurement: &str) -> Vec<(Value, Value)> {
    let series = eventually(&format!("a point of {measurement}"), || {
        let query = format!("select * from {measurement} group by *");
        Some(influx.query("mydb", &query)).filter(|series| !series.is_empty())
    });
    let of = |one: &Value| {
        let columns = one["columns"].as_array().expect("columns");
        let names = columns.iter().map(|name| name.as_str().expect("a name").to_owned());
        let values = one["values"][0].as_array().expect("a point").iter().cloned();
        (one["tags"].clone(), Value::Object(names.zip(values).collect()))
    };
    series.iter().map(of).collect()
}

#[test]
fn the_examples_of_statements_tag_rename_and_date_their_points() {
    let (influx, midge, shell) = start();
    for number in 0..EXAMPLES.len() {
        let (name, file) = example(&influx, number);
        create(&midge, &shell, &name, &file);
    }
    let of = |measurement: &str| {
        let points = points(&influx, measurement);
        assert_eq!(points.len(), 1, "{points:?}");
        points.into_iter().next().expect("a series")
    };
    let (tags, point) = of("measureA0");
    assert_eq!(tags, json!({"DataMountaineer": "awesome", "Influx": "rulz!"}));
    let fields = json!(["ana", "ben", "rent", 12.5]);
    let shown = json!([point["from"], point["to"], point["note"], point["amount"]]);
    assert_eq!(shown, fields);
    assert_eq!(of("measureA1").0, json!({"from": "ana", "to": "ben"}));
    let provided = json!({"from": "ana", "to": "ben", "provider": "DataMountaineer"});
    assert_eq!(of("measureA2").0, provided);
    let (tags, point) = of("measureA3");
    assert!(tags.is_null(), "{tags}");
    assert_eq!(point["amount"], 12.5);
    let (_, point) = of("measureB4");
    assert_eq!(point["time"], "2016-11-04T14:27:59.104Z");
    assert_eq!(
        json!([point["a"], point["b"], point["c"]]),
        json!([1, 1_478_269_679_104_i64, "three"])
    );
    let (_, point) = of("measureB5");
    assert_ne!(point["time"], "2016-11-04T14:27:59.104Z");
    assert_eq!(point["c"], "three");
}
