//! Arbitrary text as KCQL, for every use.
#![no_main]

use libfuzzer_sys::fuzz_target;
use midge_rules::kcql::{Kcql, KcqlError};

fuzz_target!(|text: &str| {
    let kcql = match Kcql::parse(text) {
        Ok(kcql) => kcql,
        Err(error) => return check(&error, text),
    };
    for statement in &kcql.statements {
        // What was read once is read again, alone, to the same.
        let again = Kcql::parse(statement.written()).expect("a statement by itself");
        assert_eq!(again.statements.len(), 1);
        assert_eq!(again.statements[0].target.text, statement.target.text);
        assert_eq!(again.statements[0].given.len(), statement.given.len());
        let _ = statement.likely_use();
    }
    for warning in &kcql.warnings {
        assert!(!warning.drawn().to_string().is_empty());
    }
    match kcql.sources() {
        Ok(sources) => sources.statements.iter().for_each(|source| drop(source.explained())),
        Err(errors) => errors.iter().for_each(|error| check(error, text)),
    }
    match kcql.mqtt_sinks() {
        Ok(sinks) => sinks.statements.iter().for_each(|sink| drop(sink.explained())),
        Err(errors) => errors.iter().for_each(|error| check(error, text)),
    }
    match kcql.influx_sinks() {
        Ok(sinks) => sinks.statements.iter().for_each(|sink| drop(sink.explained())),
        Err(errors) => errors.iter().for_each(|error| check(error, text)),
    }
});

/// A place inside the text, and a mark under it.
fn check(error: &KcqlError, text: &str) {
    assert!(error.place.line >= 1 && error.place.line <= text.matches('\n').count() + 1);
    assert!(error.place.column >= 1 && error.place.column <= text.chars().count() + 1);
    let drawn = error.drawn().to_string();
    let last = drawn.lines().next_back().expect("a mark");
    assert!(last.ends_with('^'), "{drawn}");
}
