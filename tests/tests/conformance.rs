//! `conformance.toml`: every normative statement that binds a broker has a test or a reason.

use std::collections::{BTreeMap, BTreeSet};

use midge_tests::repository;

/// A version of the protocol as the table calls it, and how many statements its standard numbers.
const VERSIONS: [(&str, usize); 2] = [("v5", 251), ("v311", 141)];

fn table() -> toml::Table {
    let path = repository().join("tests/conformance.toml");
    let text = std::fs::read_to_string(path).expect("the table");
    text.parse().expect("valid TOML")
}

/// The statements of a version in one of its parts.
fn statements(table: &toml::Table, version: &str, part: &str) -> Vec<String> {
    match &table[version][part] {
        toml::Value::Table(part) if part.contains_key("statements") => {
            let listed = part["statements"].as_array().expect("a list");
            listed.iter().map(|number| number.as_str().expect("a number").to_owned()).collect()
        }
        toml::Value::Table(part) => part.keys().cloned().collect(),
        other => panic!("{version}.{part}: {other}"),
    }
}

/// The tests that hold each statement of a version.
fn tests(table: &toml::Table, version: &str) -> Vec<(String, String)> {
    let tests = table[version]["tests"].as_table().expect("a table");
    tests
        .iter()
        .flat_map(|(number, names)| {
            let names = names.as_array().expect("a list of tests");
            assert!(!names.is_empty(), "{version} {number}: no test");
            names.iter().map(|name| (number.clone(), name.as_str().expect("a name").to_owned()))
        })
        .collect()
}

#[test]
fn every_statement_of_both_standards_is_there_once() {
    let table = table();
    for (version, count) in VERSIONS {
        let mut numbers = Vec::new();
        for part in ["tests", "exceptions", "clients_alone"] {
            numbers.extend(statements(&table, version, part));
        }
        assert_eq!(numbers.len(), count, "{version}");
        let distinct: BTreeSet<&String> = numbers.iter().collect();
        assert_eq!(distinct.len(), count, "{version}: a statement twice");
        // The standard numbers the statements of a section without gaps.
        let mut sections: BTreeMap<&str, BTreeSet<u32>> = BTreeMap::new();
        for number in &numbers {
            let (section, position) = number.split_once('-').expect("SECTION-NUMBER");
            sections.entry(section).or_default().insert(position.parse().expect("a number"));
        }
        for (section, positions) in sections {
            // But for one that begins at 2.
            let first = if (version, section) == ("v5", "2.2.1") { 2 } else { 1 };
            let expected = (first..).take(positions.len()).collect();
            assert_eq!(positions, expected, "{version} {section}");
        }
    }
}

#[test]
fn every_test_named_exists() {
    let table = table();
    let mut sources: BTreeMap<String, String> = BTreeMap::new();
    for (version, _) in VERSIONS {
        for (number, name) in tests(&table, version) {
            let [program, file, function]: [&str; 3] =
                name.split("::").collect::<Vec<_>>().try_into().unwrap_or_else(|_| {
                    panic!("{version} {number}: {name}, expected PROGRAM::FILE::FUNCTION")
                });
            let path = format!("tests/tests/{program}/{file}.rs");
            let source = sources.entry(path.clone()).or_insert_with(|| {
                std::fs::read_to_string(repository().join(&path))
                    .unwrap_or_else(|error| panic!("{version} {number}: {path}: {error}"))
            });
            let found = source.contains(&format!("#[test]\nfn {function}()"));
            assert!(found, "{version} {number}: no test {function} in {path}");
        }
    }
}

#[test]
fn every_exception_gives_its_reason() {
    let table = table();
    for (version, _) in VERSIONS {
        for (number, reason) in table[version]["exceptions"].as_table().expect("a table") {
            let reason = reason.as_str().expect("a sentence");
            assert!(reason.len() > 30 && reason.ends_with('.'), "{version} {number}: {reason:?}");
        }
    }
}

#[test]
fn clauses_cited_in_tests_are_statements_of_a_standard() {
    let table = table();
    let mut known = BTreeSet::new();
    for (version, _) in VERSIONS {
        for part in ["tests", "exceptions", "clients_alone"] {
            known.extend(statements(&table, version, part));
        }
    }
    let directory = repository().join("tests/tests/mqtt");
    let mut cited = 0;
    for entry in std::fs::read_dir(directory).expect("the tests") {
        let path = entry.expect("an entry").path();
        let source = std::fs::read_to_string(&path).expect("a source file");
        for citation in source.split("[MQTT-").skip(1) {
            let number = citation.split(']').next().expect("a number");
            assert!(known.contains(number), "{path:?} cites [MQTT-{number}]");
            cited += 1;
        }
    }
    assert!(cited > 100, "{cited} citations: this test looks in the wrong place");
}
