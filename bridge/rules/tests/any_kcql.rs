//! Properties that hold for every text of KCQL.

use midge_rules::kcql::{Kcql, KcqlError};
use proptest::prelude::*;

/// Text that is likely to get far: words of the language in any order.
fn statements() -> impl Strategy<Value = String> {
    let word = prop_oneof![
        prop::sample::select(vec![
            "INSERT INTO",
            "upsert into",
            "SELECT",
            "FROM",
            "IGNORE",
            "PK",
            "WITHTARGET=",
            "BATCH=",
            "PARTITIONBY",
            "WITHTIMESTAMP",
            "sys_time()",
            "TIMESTAMPUNIT=",
            "MICROSECONDS",
            "WITHFORMAT",
            "WITHTAG(",
            "WITHCONVERTER=",
            "WITHKEY(",
            "KEYDELIMITER=",
            "WITHREGEX=",
            "LIMIT",
            "PROPERTIES(",
            ")",
            "(",
            ",",
            ";",
            "=",
            "*",
            "a.*",
            "_key.*",
            "_header.x",
            "_topic",
            "AS",
            "and",
            "`a b`",
            "'x'",
            "`",
            "'",
            "\"",
            "\n",
            "#",
            "INSERT INTO a SELECT",
            "INSERT INTO a SELECT * FROM b",
        ])
        .prop_map(str::to_owned),
        "[a-z/+#$.{}0-9é!-]{1,6}",
    ];
    prop::collection::vec(word, 0..24).prop_map(|words| words.join(" "))
}

fn check(error: &KcqlError, text: &str) -> Result<(), TestCaseError> {
    prop_assert!(error.place.line >= 1 && error.place.line <= text.matches('\n').count() + 1);
    prop_assert!(error.place.column >= 1 && error.place.column <= text.chars().count() + 1);
    let drawn = error.drawn().to_string();
    prop_assert!(drawn.ends_with('^'), "{}", drawn);
    prop_assert!(drawn.len() < 2_000, "{}", drawn);
    Ok(())
}

fn read(text: &str) -> Result<(), TestCaseError> {
    let kcql = match Kcql::parse(text) {
        Ok(kcql) => kcql,
        Err(error) => return check(&error, text),
    };
    prop_assert!(!kcql.statements.is_empty());
    for statement in &kcql.statements {
        let again = Kcql::parse(statement.written()).expect("a statement by itself");
        prop_assert_eq!(&again.statements[0].target.text, &statement.target.text);
        prop_assert_eq!(again.statements[0].given.len(), statement.given.len());
    }
    let errors = [kcql.sources().err(), kcql.mqtt_sinks().err(), kcql.influx_sinks().err()];
    for error in errors.into_iter().flatten().flatten() {
        check(&error, text)?;
    }
    Ok(())
}

proptest! {
    #[test]
    fn any_text_is_statements_or_an_error_with_its_place(text in any::<String>()) {
        read(&text)?;
    }

    #[test]
    fn words_of_the_language_in_any_order_are_statements_or_an_error(text in statements()) {
        read(&text)?;
    }
}

#[test]
fn a_hostile_text_of_the_greatest_length_is_read_in_a_moment() {
    for piece in ["(", "a.", "`a`", ",", ";", "#\n", "a,", "é", "INSERT INTO a SELECT "] {
        let text = format!("INSERT INTO a SELECT {}", piece.repeat(200_000 / piece.len()));
        read(&text).unwrap_or_else(|error| panic!("{piece}: {error}"));
    }
}
