use serde_json::json;

use super::*;

fn keys(text: &str) -> Vec<String> {
    text.split(' ').map(str::to_owned).collect()
}

#[test]
fn a_connector_stands_as_its_file_does_under_the_name_that_was_asked_for() {
    let found = json!({
        "name": "influxdb-sink",
        "config": {
            "connect.influx.db": "mydb",
            "connect.influx.password": "hunter2",
            "connector.class": "a.B",
            "name": "influxdb-sink",
            "tasks.max": "1",
        },
        "tasks": [{ "connector": "influxdb-sink", "task": 0 }, { "connector": "x", "task": 1 }],
    });
    // A file that says a property twice.
    let order = keys("name tasks.max connector.class connect.influx.db tasks.max");
    assert_eq!(
        connector("influx-sink", &order, &found),
        "#Connector name=`influx-sink`\nname=influxdb-sink\ntasks.max=1\nconnector.class=a.B\n\
         connect.influx.db=mydb\ntasks.max=1\nconnect.influx.password=**********\n\
         #task ids: 0; 1\n"
    );
    assert_eq!(
        connector("influxdb-sink", &[], &found),
        "#Connector name=`influxdb-sink`\nname=influxdb-sink\nconnector.class=a.B\ntasks.max=1\n\
         connect.influx.db=mydb\nconnect.influx.password=**********\n#task ids: 0; 1\n"
    );
}

#[test]
fn a_password_within_an_address_is_not_shown() {
    for (said, shown) in [
        ("http://u:p:w@r:8081,https://r2", "http://u:**********@r:8081,https://r2"),
        ("tcp://host:1883", "tcp://host:1883"),
        ("ssl://u@h/a:b@c", "ssl://u@h/a:b@c"),
        ("INSERT INTO a SELECT * FROM b", "INSERT INTO a SELECT * FROM b"),
    ] {
        assert_eq!(value("value.converter.schema.registry.url", said), shown);
    }
}

#[test]
fn a_trace_stands_under_its_task() {
    let found = json!({
        "name": "a",
        "connector": { "state": "RUNNING", "worker_id": "w:1" },
        "tasks": [
            { "id": 0, "state": "RUNNING", "worker_id": "w:1" },
            { "id": 1, "state": "FAILED", "worker_id": "w:1", "trace": "broken\n\tat b\n" },
        ],
    });
    assert_eq!(
        status(&found),
        "connectorState: RUNNING\nworkerId: w:1\nnumberOfTasks: 2\ntasks:\n  - taskId: 0\n    \
         taskState: RUNNING\n    workerId: w:1\n  - taskId: 1\n    taskState: FAILED\n    trace: \
         broken\n    \tat b\n    workerId: w:1\n"
    );
    assert_eq!(task_status(&found["tasks"][0]), "taskId: 0\ntaskState: RUNNING\nworkerId: w:1\n");
}

#[test]
fn plugins_and_tasks_are_told_a_line_each() {
    let found = json!([{ "class": "a.B", "type": "sink", "version": "1" }]);
    assert_eq!(plugins(&found), "Class name: a.B, Type: sink, Version: 1\n");
    let found = json!([{
        "id": { "connector": "c", "task": 0 },
        "config": { "a": "b", "sasl.jaas.config": "x" },
    }]);
    assert_eq!(tasks(&found), "  - c task 0\n      a: b\n      sasl.jaas.config: **********\n");
}

#[test]
fn a_difference_says_what_changes_comes_and_goes() {
    let of = |text: &str| properties(&text.parse().expect("JSON"));
    let current = of(r#"{"a":"1","b":"2","x.password":"old"}"#);
    let provided = of(r#"{"a":"1","b":"3","c":"4","x.password":"new"}"#);
    let text = difference(&current, &provided);
    assert!(text.starts_with("\n#current config:\na -> 1\nb -> 2\n"), "{text}");
    let changes = "\n#entry value diffs:\nb -> (2, 3)\nx.password -> (**********, **********)\n\n\
                   #entries only in current config:\n\n#entries only in provided config:\nc -> 4\n";
    assert!(text.ends_with(changes), "{text}");
    assert!(!text.contains("old") && !text.contains("new"), "{text}");
}
