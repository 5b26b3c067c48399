//! Which topics a sink reads, and whether its statements are about them.
//!
//! Invariant: what librdkafka is asked to match is what Java would have matched, or an error.

use midge_rules::check_kafka_topic;
use midge_rules::java::Regex;

use super::given::Given;

/// `topics` or `topics.regex`, in librdkafka's form.
pub(super) fn topics(given: &mut Given<'_>) -> Option<Vec<String>> {
    let topics = listed(given);
    let regex = given.text("topics.regex");
    let before = given.errors.len();
    let told = |given: &mut Given<'_>, message: &str| {
        given.error("topics", message);
        given.error("topics.regex", message);
    };
    match (&topics[..], &regex) {
        ([], None) => told(given, "Must configure one of topics or topics.regex"),
        ([_, ..], Some(_)) => {
            told(
                given,
                "topics and topics.regex are mutually exclusive options, but both are set.",
            );
        }
        _ => {}
    }
    for topic in &topics {
        if let Err(error) = check_kafka_topic(topic) {
            given.wrong("topics", topic, error);
        }
    }
    let pattern = regex.as_deref().and_then(|regex| pattern(given, regex));
    dead_letters(given, &topics, regex.as_deref());
    let topics = if regex.is_some() { vec![pattern?] } else { topics };
    (given.errors.len() == before).then_some(topics)
}

/// `topics`, each once: Java's consumer takes a list for a set, librdkafka refuses it.
fn listed(given: &Given<'_>) -> Vec<String> {
    let mut topics: Vec<String> = Vec::new();
    for topic in given.list("topics") {
        if !topics.contains(&topic) {
            topics.push(topic);
        }
    }
    topics
}

/// A regular expression of Java as librdkafka takes it: it matches POSIX's extended ones, and a
/// part of a topic where Java matches the whole.
fn pattern(given: &mut Given<'_>, regex: &str) -> Option<String> {
    if let Err(error) = whole(regex) {
        given.wrong("topics.regex", regex, format_args!("Must be a valid regex: {error}"));
        return None;
    }
    let mut posix = String::with_capacity(regex.len() + 4);
    let mut chars = regex.chars().peekable();
    let mut unknown = None;
    let mut in_class = false;
    while let Some(c) = chars.next() {
        match c {
            '\\' => match chars.next() {
                Some('d') if in_class => posix.push_str("0-9"),
                Some('d') => posix.push_str("[0-9]"),
                Some('D') if !in_class => posix.push_str("[^0-9]"),
                Some('w') if in_class => posix.push_str("A-Za-z0-9_"),
                Some('w') => posix.push_str("[A-Za-z0-9_]"),
                Some('W') if !in_class => posix.push_str("[^A-Za-z0-9_]"),
                Some(other) if other.is_ascii_punctuation() && in_class => posix.push(other),
                Some(other) if other.is_ascii_punctuation() => posix.extend(['\\', other]),
                other => unknown = Some(format!("\\{}", other.unwrap_or_default())),
            },
            '(' if !in_class && chars.peek() == Some(&'?') => {
                chars.next();
                match chars.next() {
                    Some(':') => posix.push('('),
                    other => unknown = Some(format!("(?{}", other.unwrap_or_default())),
                }
            }
            '*' | '+' | '?' | '}' if !in_class && matches!(chars.peek(), Some('?' | '+')) => {
                unknown = Some(format!("{c}{}", chars.peek().copied().unwrap_or_default()));
                posix.push(c);
            }
            '[' if in_class => unknown = Some("[ within []".to_owned()),
            '[' | ']' => {
                in_class = c == '[';
                posix.push(c);
            }
            c => posix.push(c),
        }
    }
    match unknown {
        None => Some(format!("^({posix})$")),
        Some(unknown) => {
            let why = format!("found {unknown}, expected an expression without it");
            given.wrong("topics.regex", regex, why);
            None
        }
    }
}

/// The expression that matches a whole topic, as Java's `matches` has it.
fn whole(regex: &str) -> Result<Regex, String> {
    Regex::new(regex).map_err(|error| error.to_string())
}

/// A dead letter must not come back as a record.
fn dead_letters(given: &mut Given<'_>, topics: &[String], regex: Option<&str>) {
    const DLQ: &str = "errors.deadletterqueue.topic.name";
    let Some(dlq) = given.text(DLQ) else { return };
    if topics.contains(&dlq) {
        let list = topics.join(", ");
        given.error(
            DLQ,
            format!(
                "The DLQ topic '{dlq}' may not be included in the list of topics ('topics={list}') \
                 consumed by the connector"
            ),
        );
    }
    if let Some(regex) = regex
        && whole(regex).is_ok_and(|whole| whole.matches(&dlq).unwrap_or(true))
    {
        given.error(
            DLQ,
            format!(
                "The DLQ topic '{dlq}' may not be matched by the regex for the topics \
                 ('topics.regex={regex}') consumed by the connector"
            ),
        );
    }
}

/// Statements and topics have to be about the same, as Lenses has it.
pub(super) fn check_statements(given: &mut Given<'_>, option: &str, sources: &[String]) {
    let set = |names: &[&String]| {
        let names: Vec<&str> = names.iter().map(|name| name.as_str()).collect();
        format!("Set({})", names.join(", "))
    };
    let mut distinct: Vec<&String> = Vec::new();
    for source in sources {
        if !distinct.contains(&source) {
            distinct.push(source);
        }
    }
    let spelt = given.spelt(option);
    let all = set(&distinct);
    if let Some(regex) = given.text("topics.regex") {
        let Ok(whole) = whole(&regex) else { return };
        let unread: Vec<&String> =
            distinct.into_iter().filter(|source| !whole.matches(source).unwrap_or(false)).collect();
        if !unread.is_empty() {
            let unread = set(&unread);
            given.error(
                &spelt,
                format!(
                    "{spelt} configuration contains topics not matched by `topics.regex` \
                     configuration: {unread}, kcql contains {all}"
                ),
            );
        }
        return;
    }
    let topics = listed(given);
    if topics.is_empty() {
        return;
    }
    let unsaid: Vec<&String> = topics.iter().filter(|topic| !sources.contains(topic)).collect();
    if !unsaid.is_empty() {
        let unsaid = set(&unsaid);
        given.error(
            "topics",
            format!(
                "Mandatory `topics` configuration contains topics not set in {spelt}: {unsaid}, \
                 kcql contains {all}"
            ),
        );
    }
    let unread: Vec<&String> =
        distinct.into_iter().filter(|source| !topics.contains(source)).collect();
    if !unread.is_empty() {
        let unread = set(&unread);
        given.error(
            &spelt,
            format!(
                "{spelt} configuration contains topics not set in mandatory `topic` configuration: \
                 {unread}, kcql contains {all}"
            ),
        );
    }
}
