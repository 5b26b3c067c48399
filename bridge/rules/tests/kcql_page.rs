//! What docs/kcql.md says of clauses and statements is what the code does.

use midge_rules::kcql::{Clause, Kcql, Obedience, STATEMENTS_MAX, Use, obedience};

fn page() -> String {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/kcql.md");
    std::fs::read_to_string(file).expect("the page")
}

#[test]
fn the_table_of_clauses_is_what_each_use_does_with_them() {
    let page = page();
    for clause in Clause::ALL {
        let keyword = clause.keyword();
        let mut rows = page.lines().filter_map(|line| line.strip_prefix("| ")).filter(|row| {
            let row = row.trim_start_matches('`').trim_start();
            row.strip_prefix(keyword).is_some_and(|rest| !rest.starts_with(char::is_alphanumeric))
                && row.matches(" | ").count() == 3
        });
        let row = rows.next().unwrap_or_else(|| panic!("no row for {keyword}"));
        assert_eq!(rows.next(), None, "{keyword} stands there twice");
        let said: Vec<&str> = row.trim_end_matches(" |").split(" | ").skip(1).collect();
        let done = [Use::Source, Use::MqttSink, Use::Influx].map(|reader| {
            match obedience(reader, clause) {
                Obedience::Obeyed => "obeyed",
                Obedience::NoEffect(_) => "no effect",
                Obedience::Refused(_) => "refused",
            }
        });
        assert_eq!(said, done, "{keyword}");
    }
}

#[test]
fn the_statements_of_the_page_are_right_for_the_use_they_stand_under() {
    let page = page();
    let mut counts = [0; 3];
    for (index, title) in ["## Source: MQTT", "## Sink: Kafka to MQTT", "## Sink: Kafka to Influx"]
        .into_iter()
        .enumerate()
    {
        let section = page.split_once(title).expect(title).1;
        let block = section.split_once("```sql\n").expect("statements").1;
        let block = block.split_once("```").expect("an end").0;
        for line in block.lines() {
            let kcql = Kcql::parse(line).unwrap_or_else(|error| panic!("{}", error.drawn()));
            let errors = match index {
                0 => kcql.sources().err(),
                1 => kcql.mqtt_sinks().err(),
                _ => kcql.influx_sinks().err(),
            };
            assert_eq!(errors, None, "{line}");
            counts[index] += 1;
        }
    }
    assert!(counts.iter().all(|count| *count >= 3), "{counts:?}");
    assert!(page.contains(&format!("{STATEMENTS_MAX} statements")));
}
