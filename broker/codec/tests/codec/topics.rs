//! Topic Names and Topic Filters (4.7, 4.8.2), as tables.

use midge_codec::{InvalidTopic, TopicFilter, TopicName};

fn matches(filter: &str, topic: &str) -> bool {
    let topic = TopicName::try_from(topic).expect("a valid topic name");
    TopicFilter::try_from(filter).expect("a valid topic filter").matches(&topic)
}

#[test]
fn filters_match_the_topics_of_the_standard_and_no_others() {
    let cases = [
        // 4.7.1.2: the parent counts.
        ("sport/tennis/player1/#", "sport/tennis/player1", true),
        ("sport/tennis/player1/#", "sport/tennis/player1/ranking", true),
        ("sport/tennis/player1/#", "sport/tennis/player1/score/wimbledon", true),
        ("sport/tennis/player1/#", "sport/tennis/player10", false),
        ("sport/tennis/player1/#", "sport/tennis", false),
        ("#", "a", true),
        ("#", "/", true),
        // 4.7.1.3: one level, empty ones count.
        ("sport/tennis/+", "sport/tennis/player1", true),
        ("sport/tennis/+", "sport/tennis/player1/ranking", false),
        ("sport/+", "sport", false),
        ("sport/+", "sport/", true),
        ("+/+", "/finance", true),
        ("/+", "/finance", true),
        ("+", "/finance", false),
        ("+", "finance", true),
        ("+/tennis/#", "sport/tennis/a/b", true),
        ("sport/+/player1", "sport/tennis/player1", true),
        ("sport/+/player1", "sport//player1", true),
        ("+/a/+", "x/a/", true),
        // [MQTT-4.7.2-1]
        ("#", "$SYS/broker/uptime", false),
        ("+/broker/uptime", "$SYS/broker/uptime", false),
        ("$SYS/#", "$SYS/broker/uptime", true),
        ("$SYS/+/uptime", "$SYS/broker/uptime", true),
        ("a/#", "a/$b", true),
        ("a/+", "a/$b", true),
        // [MQTT-4.7.3-4]: no normalisation, case counts, spaces are characters.
        ("ACCOUNTS", "accounts", false),
        ("accounts payable", "accounts payable", true),
        ("/a", "a", false),
        ("a/", "a", false),
        ("a//b", "a/b", false),
        ("é", "e\u{301}", false),
        ("a/b", "a/b", true),
        ("a/b", "a/b/c", false),
        ("a/b/c", "a/b", false),
        // 4.8.2: of a shared subscription the filter behind the name counts.
        ("$share/group/a/+", "a/b", true),
        ("$share/group/#", "$SYS/x", false),
        ("$share/group//a", "/a", true),
        ("$share/group/a", "$share/group/a", false),
        ("$shared/a", "$shared/a", true),
    ];
    for (filter, topic, expected) in cases {
        assert_eq!(matches(filter, topic), expected, "{filter} on {topic}");
    }
}

#[test]
fn wildcards_where_the_standard_allows_none_are_no_filter() {
    use InvalidTopic::{Empty, MultiLevel, Share, SingleLevel};
    let cases = [
        // [MQTT-4.7.3-1]
        ("", Empty),
        // [MQTT-4.7.1-1]
        ("sport/tennis#", MultiLevel { at: 12 }),
        ("sport/#/ranking", MultiLevel { at: 6 }),
        ("##", MultiLevel { at: 0 }),
        // [MQTT-4.7.1-2]
        ("sport+", SingleLevel { at: 5 }),
        ("+a/b", SingleLevel { at: 0 }),
        ("a/++", SingleLevel { at: 2 }),
        ("+#", MultiLevel { at: 1 }),
        // [MQTT-4.8.2-1], [MQTT-4.8.2-2]
        ("$share", Share),
        ("$share/", Share),
        ("$share/g", Share),
        ("$share/g/", Share),
        ("$share//a", Share),
        ("$share/+/a", Share),
        ("$share/g#/a", Share),
        ("$share/g/a#", MultiLevel { at: 10 }),
    ];
    for (filter, error) in cases {
        assert_eq!(TopicFilter::try_from(filter), Err(error), "{filter}");
    }
}

#[test]
fn shared_filters_have_a_share_name_and_the_filter_behind_it() {
    let shared = TopicFilter::try_from("$share/the group/a/+").expect("valid");
    assert_eq!(shared.share_name(), Some("the group"));
    assert_eq!(shared.filter(), "a/+");
    assert_eq!(shared.text().as_str(), "$share/the group/a/+");
    assert!(shared.has_wildcards());
    let plain = TopicFilter::try_from("a/b").expect("valid");
    assert_eq!((plain.share_name(), plain.filter()), (None, "a/b"));
    assert!(!plain.has_wildcards());
    assert_eq!(shared.detached(), shared);
}

#[test]
fn topic_names_have_no_wildcards_and_at_least_one_character() {
    // [MQTT-3.3.2-2], [MQTT-4.7.3-1]
    let wildcard = |wildcard, at| Err(InvalidTopic::Wildcard { wildcard, at });
    assert_eq!(TopicName::try_from("a/+/b"), wildcard('+', 2));
    assert_eq!(TopicName::try_from("#"), wildcard('#', 0));
    assert_eq!(TopicName::try_from(""), Err(InvalidTopic::Empty));
    let name = TopicName::try_from("/a//ü").expect("valid");
    assert_eq!(name.levels().collect::<Vec<_>>(), ["", "a", "", "ü"]);
}
