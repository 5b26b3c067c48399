//! What is not understood, as people see it.

use super::*;

fn error(text: &str) -> String {
    Kcql::parse(text).expect_err(text).drawn().to_string()
}

#[test]
fn an_unknown_clause_names_the_nearest_known_one() {
    assert_eq!(
        error("INSERT INTO m SELECT * FROM t WITHTAGS(a)"),
        "kcql, line 1, column 31: found \"WITHTAGS\", expected a clause; the nearest is WITHTAG
    INSERT INTO m SELECT * FROM t WITHTAGS(a)
                                  ^^^^^^^^"
    );
    assert_eq!(
        error("INSERT INTO m SELECT * FROM t\n  batch=1\n  withtimestmap x"),
        "kcql, line 3, column 3: found \"withtimestmap\", expected a clause; the nearest is WITHTIMESTAMP
      withtimestmap x
      ^^^^^^^^^^^^^"
    );
    assert_eq!(
        error("INSERT INTO m SELECT * FROM t somewhere"),
        "kcql, line 1, column 31: found \"somewhere\", expected a clause, ';' or the end
    INSERT INTO m SELECT * FROM t somewhere
                                  ^^^^^^^^^"
    );
}

#[test]
fn a_clause_of_another_connector_is_refused_with_its_reason() {
    assert_eq!(
        error("INSERT INTO m SELECT * FROM t autocreate"),
        "kcql, line 1, column 31: found AUTOCREATE, expected no AUTOCREATE here: \
         topics and measurements are made by Kafka and InfluxDB
    INSERT INTO m SELECT * FROM t autocreate
                                  ^^^^^^^^^^"
    );
}

#[test]
fn what_is_missing_is_named_where_it_should_stand() {
    let cases = [
        ("", "line 1, column 1: found nothing, expected INSERT INTO or UPSERT INTO"),
        (" ; ;", "line 1, column 5: found the end, expected INSERT INTO or UPSERT INTO"),
        (
            "SELECT * FROM t",
            "line 1, column 1: found \"SELECT\", expected INSERT INTO or UPSERT INTO",
        ),
        (
            "UPDATE INTO t",
            "line 1, column 1: found \"UPDATE\", expected INSERT INTO or UPSERT INTO",
        ),
        ("INSERT t", "line 1, column 8: found \"t\", expected INTO"),
        (
            "INSERT INTO SELECT * FROM t",
            "line 1, column 13: found \"SELECT\", expected a target; a name that is a keyword \
             stands in backticks",
        ),
        (
            "INSERT INTO * SELECT * FROM t",
            "line 1, column 13: found '*', expected a target: a name, or one in backticks",
        ),
        (
            "INSERT INTO t SELECT FROM t",
            "line 1, column 22: found \"FROM\", expected a column: *, a field, or _key, _topic \
             and the like",
        ),
        (
            "INSERT INTO t SELECT a, FROM t",
            "line 1, column 25: found \"FROM\", expected a column: *, a field, or _key, _topic \
             and the like",
        ),
        (
            "INSERT INTO t SELECT a b FROM t",
            "line 1, column 24: found \"b\", expected ',', AS or FROM",
        ),
        ("INSERT INTO t SELECT *", "line 1, column 23: found the end, expected ',', AS or FROM"),
        (
            "INSERT INTO t SELECT a AS FROM t",
            "line 1, column 27: found \"FROM\", expected a column's new name; FROM as a \
             name stands in backticks",
        ),
        (
            "INSERT INTO t SELECT * FROM",
            "line 1, column 28: found the end, expected a source: a name, or one in backticks",
        ),
        (
            "INSERT INTO t SELECT * FROM ``",
            "line 1, column 29: found an empty name, expected a source: at least one character",
        ),
        ("INSERT INTO t SELECT * FROM a BATCH 7", "line 1, column 37: found \"7\", expected '='"),
        (
            "INSERT INTO t SELECT * FROM a BATCH=0",
            "line 1, column 37: found \"0\", expected a number from 1",
        ),
        (
            "INSERT INTO t SELECT * FROM a BATCH=-1",
            "line 1, column 37: found \"-1\", expected a number from 1",
        ),
        (
            "INSERT INTO t SELECT * FROM a LIMIT 99999999999999999999",
            "line 1, column 37: found \"99999999999999999999\", expected a number",
        ),
        ("INSERT INTO t SELECT * FROM a WITHKEY a", "line 1, column 39: found \"a\", expected '('"),
        (
            "INSERT INTO t SELECT * FROM a WITHKEY(a b)",
            "line 1, column 41: found \"b\", expected ',' or ')'",
        ),
        (
            "INSERT INTO t SELECT * FROM a WITHKEY(a,)",
            "line 1, column 41: found ')', expected a field of the key",
        ),
        (
            "INSERT INTO t SELECT * FROM a WITHTIMESTAMP sys_time",
            "line 1, column 53: found the end, expected '('",
        ),
        (
            "INSERT INTO t SELECT * FROM a TIMESTAMPUNIT=MINUTES",
            "line 1, column 45: found \"MINUTES\", expected NANOSECONDS, MICROSECONDS, \
             MILLISECONDS or SECONDS",
        ),
        (
            "INSERT INTO t SELECT * FROM a KEYDELIMITER=''",
            "line 1, column 44: found \"\", expected a delimiter of 1 to 16 bytes",
        ),
        (
            "INSERT INTO t SELECT * FROM a PROPERTIES('x')",
            "line 1, column 45: found ')', expected '='",
        ),
        (
            "INSERT INTO t SELECT * FROM a INSERT INTO t SELECT * FROM b",
            "line 1, column 31: found \"INSERT\", expected ';' between two statements",
        ),
        (
            "INSERT INTO t SELECT * FROM a)",
            "line 1, column 30: found ')', expected a clause, ';' or the end",
        ),
    ];
    for (text, expected) in cases {
        let error = Kcql::parse(text).expect_err(text).to_string();
        assert_eq!(error, format!("kcql, {expected}"), "{text}");
    }
}

#[test]
fn paths_that_cannot_be_are_told_from_those_that_can() {
    let dots = "expected a name on each side of a dot";
    let cases = [
        ("a..b", format!("column 22: found \"a..b\", {dots}")),
        (".a", format!("column 22: found \".a\", {dots}")),
        ("a.", format!("column 22: found \"a.\", {dots}")),
        (
            "_topic.x",
            "column 22: found _topic.x, expected _topic alone, since it has no fields".into(),
        ),
        (
            "_offset.*",
            "column 22: found _offset.*, expected _offset alone, since it has no fields".into(),
        ),
        ("_header", "column 22: found _header, expected _header.NAME".into()),
        ("a!b", format!("column 23: found '!', expected {NAMES}")),
        ("a[0]", format!("column 23: found '[', expected {NAMES}")),
    ];
    const NAMES: &str =
        "letters, digits or _ - + / { } : . $ # @ in a name, or the name in backticks";
    for (column, expected) in cases {
        let text = format!("INSERT INTO t SELECT {column} FROM f");
        let error = Kcql::parse(&text).expect_err(&text).to_string();
        assert_eq!(error, format!("kcql, line 1, {expected}"), "{text}");
    }
    let deep = vec!["a"; SEGMENTS_MAX + 1].join(".");
    for text in [
        format!("INSERT INTO t SELECT {deep} FROM f"),
        format!("INSERT INTO t SELECT * FROM f WITHKEY(`{deep}`)"),
    ] {
        let error = Kcql::parse(&text).expect_err("too deep").to_string();
        assert!(error.ends_with("at most 64"), "{error}");
    }
}

#[test]
fn ignore_leaves_out_fields_of_the_value_alone() {
    assert_eq!(
        error("INSERT INTO t SELECT * FROM f IGNORE a, _key.b"),
        "kcql, line 1, column 41: found _key.b, expected a field of the value: IGNORE leaves out \
         nothing else
    INSERT INTO t SELECT * FROM f IGNORE a, _key.b
                                            ^^^^^^"
    );
    assert_eq!(
        error("INSERT INTO t SELECT * FROM f IGNORE a.*"),
        "kcql, line 1, column 38: found \"a.*\", expected one field
    INSERT INTO t SELECT * FROM f IGNORE a.*
                                         ^^^"
    );
}

#[test]
fn quotes_that_are_not_closed_are_drawn_to_the_end_of_their_line() {
    assert_eq!(
        error("INSERT INTO `t SELECT *\nFROM f"),
        "kcql, line 1, column 13: found a backtick that is not closed in its line, expected a \
         second backtick
    INSERT INTO `t SELECT *
                ^^^^^^^^^^^"
    );
    assert_eq!(
        error("INSERT INTO \"t\" SELECT * FROM f"),
        "kcql, line 1, column 13: found a double quote, expected a name as it is, in backticks or \
         in single quotes
    INSERT INTO \"t\" SELECT * FROM f
                ^"
    );
}

#[test]
fn a_clause_given_twice_names_the_first() {
    assert_eq!(
        error("INSERT INTO m SELECT * FROM t\nBATCH=1\nBATCH=2"),
        "kcql, line 3, column 1: found BATCH again, expected it once in a statement; the first is \
         at line 2, column 1
    BATCH=2
    ^^^^^"
    );
}

#[test]
fn a_long_line_is_cut_around_the_mistake() {
    let filter = "a/".repeat(200);
    let text = format!("INSERT INTO m SELECT * FROM {filter} WITHTAGS(a) PROPERTIES({filter}=x)");
    let drawn = error(&text);
    let lines: Vec<&str> = drawn.lines().collect();
    assert_eq!(lines.len(), 3, "{drawn}");
    assert!(lines[0].starts_with("kcql, line 1, column 430: found \"WITHTAGS\""), "{drawn}");
    assert!(lines[1].starts_with("    …") && lines[1].ends_with('…'), "{drawn}");
    assert!(lines[1].chars().count() < 110, "{drawn}");
    let mark = lines[2].find('^').expect("a mark");
    let marked: String = lines[1].chars().skip(mark).take(8).collect();
    assert_eq!((marked.as_str(), lines[2].trim()), ("WITHTAGS", "^^^^^^^^"));
}

#[test]
fn a_found_word_without_end_does_not_fill_a_log() {
    let text = format!("INSERT INTO m SELECT * FROM t {}", "x".repeat(100_000));
    assert!(error(&text).len() < 500);
}

#[test]
fn everything_that_grows_has_a_limit() {
    let long = "a".repeat(TEXT_MAX + 1);
    let found = Kcql::parse(&long).expect_err("too long").to_string();
    assert_eq!(found, "kcql, line 1, column 1: found 262145 bytes, expected at most 262144 bytes");
    let statements = "INSERT INTO a SELECT * FROM b;".repeat(STATEMENTS_MAX + 1);
    let found = Kcql::parse(&statements).expect_err("too many").to_string();
    assert!(found.ends_with("expected at most 1000 statements"), "{found}");
    for list in [
        format!("INSERT INTO a SELECT {} FROM b", vec!["x"; ENTRIES_MAX + 1].join(",")),
        format!("INSERT INTO a SELECT * FROM b WITHTAG({})", vec!["x"; ENTRIES_MAX + 1].join(",")),
        format!("INSERT INTO a SELECT * FROM b PK {}", vec!["x"; ENTRIES_MAX + 1].join(",")),
        format!("INSERT INTO a SELECT * FROM b IGNORE {}", vec!["x"; ENTRIES_MAX + 1].join(",")),
    ] {
        let found = Kcql::parse(&list).expect_err("too many").to_string();
        assert!(found.ends_with("expected less than 1000 entries in a list"), "{found}");
    }
}
