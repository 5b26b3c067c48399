use super::bridge::{SINK, SOURCE};
use super::broker::{BROKER, LIMITS, LOG};
use super::listener::LISTENER;
use super::persistence::PERSISTENCE;
use super::*;
use crate::draft::{BrokerDraft, ConnectorDraft, ListenerDraft, LogDraft, PersistenceDraft};
use crate::error::Origin;
use crate::resolved::Limits;

/// Rows whose default is a value, and that setting it changes nothing.
fn defaults_hold<T: PartialEq>(rows: &[Setting<T>], fresh: impl Fn() -> T) -> usize {
    let mut held = 0;
    for row in rows {
        if !matches!(row.take, Take::Bool(_) | Take::Int(..) | Take::Choice(..) | Take::Interval(_))
        {
            continue;
        }
        let value = row.default.split(':').next().unwrap_or_default();
        let mut target = fresh();
        if row.take_text(&mut target, value).is_ok() {
            assert!(target == fresh(), "{} is not {value} by default", row.key);
            held += 1;
        } else {
            let depends = ["both", "spool with persistence, kafka without", "none"];
            assert!(depends.contains(&value), "{} has no such default", row.key);
        }
    }
    held
}

#[test]
fn the_defaults_of_the_page_are_those_of_the_code() {
    let connector = || ConnectorDraft::new("a", Origin::Whole);
    let listener = || ListenerDraft::new(Origin::Whole, "a");
    assert_eq!(defaults_hold(BROKER, BrokerDraft::default), 4);
    assert_eq!(defaults_hold(LIMITS, Limits::default), LIMITS.len() - 1);
    assert_eq!(defaults_hold(PERSISTENCE, PersistenceDraft::default), 4);
    assert_eq!(defaults_hold(LOG, LogDraft::default), 2);
    assert_eq!(defaults_hold(LISTENER, listener), 10);
    assert_eq!(defaults_hold(SOURCE, connector), 7);
    assert_eq!(defaults_hold(SINK, connector), 5);
}

#[test]
fn numbers_are_read_as_c_reads_them() {
    for (text, number) in [
        ("0", Some(0)),
        ("10", Some(10)),
        ("-1", Some(-1)),
        ("+5", Some(5)),
        ("0x1F", Some(31)),
        ("010", Some(8)),
        ("09", None),
        ("0x", None),
        ("", None),
        ("-", None),
        ("--1", None),
        ("0x-1", None),
        ("1_000", None),
        ("5s", None),
        ("99999999999999999999", None),
    ] {
        assert_eq!(parse_int(text), number, "{text}");
    }
}

#[test]
fn periods_have_a_unit() {
    const DAY: u64 = 86_400;
    for (text, seconds) in [
        ("1h", Some(3600)),
        ("14d", Some(14 * DAY)),
        ("2w", Some(14 * DAY)),
        ("2m", Some(60 * DAY)),
        ("1y", Some(365 * DAY)),
        ("0d", None),
        ("5", None),
        ("d", None),
        ("5é", None),
        ("", None),
        ("-5d", None),
    ] {
        assert_eq!(parse_period(text).map(|period| period.as_secs()), seconds, "{text}");
    }
}

#[test]
fn intervals_have_a_unit_of_their_own() {
    for (text, milliseconds) in [
        ("200ms", Some(200)),
        ("1s", Some(1000)),
        ("5min", Some(300_000)),
        ("2h", Some(7_200_000)),
        ("1d", Some(86_400_000)),
        ("4294967295d", Some(4_294_967_295 * 86_400_000)),
        ("4294967296s", None),
        ("0s", None),
        ("5m", None),
        ("5", None),
        ("s", None),
        ("-5s", None),
        ("1.5s", None),
        ("5 s", None),
        ("", None),
    ] {
        let milliseconds = milliseconds.map(Duration::from_millis);
        assert_eq!(parse_interval(text), milliseconds, "{text}");
    }
}

#[test]
fn what_is_shown_of_a_value_is_short_and_on_one_line() {
    assert_eq!(quoted("a\nb"), r#""a\nb""#);
    assert_eq!(quoted(&"x".repeat(200)), format!("\"{}…\"", "x".repeat(80)));
    assert_eq!(quoted(""), "nothing");
}
