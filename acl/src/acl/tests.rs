//! The grammar and what its rules decide, each behaviour by its name.

use super::*;
use Access::{Read, Write};

fn parse(text: &str) -> Acl {
    Acl::parse(text).unwrap_or_else(|errors| panic!("{errors:?}"))
}

fn user(username: &str) -> Who<'_> {
    Who { username: Some(username), client_id: "c1" }
}

const ANONYMOUS: Who<'_> = Who { username: None, client_id: "c1" };

fn rejected(text: &str) -> Vec<String> {
    Acl::parse(text).expect_err("an invalid file").iter().map(ToString::to_string).collect()
}

#[test]
fn indented_lines_of_a_pasted_tutorial_are_accepted() {
    let acl = parse("  user mosquitto\r\n  topic mosquitto_main_topic\r\n");
    for access in [Read, Write] {
        assert!(acl.allows(user("mosquitto"), access, "mosquitto_main_topic"));
        assert!(!acl.allows(user("mosquitto"), access, "other"));
        assert!(!acl.allows(user("other"), access, "mosquitto_main_topic"));
        assert!(!acl.allows(ANONYMOUS, access, "mosquitto_main_topic"));
    }
}

#[test]
fn an_empty_file_denies_everything() {
    for text in ["", "\n \n", "# only a comment\n", "\u{feff}"] {
        let acl = parse(text);
        for who in [ANONYMOUS, user("u")] {
            assert!(!acl.allows(who, Read, "a") && !acl.allows(who, Write, "a"));
            assert_eq!(acl.subscription(who, "#"), Verdict::Never);
        }
    }
}

#[test]
fn access_words_allow_what_they_say() {
    let acl = parse("user u\ntopic read r\ntopic write w\ntopic readwrite rw\ntopic none\n");
    for (topic, read, write) in
        [("r", true, false), ("w", false, true), ("rw", true, true), ("none", true, true)]
    {
        assert_eq!(acl.allows(user("u"), Read, topic), read, "{topic}");
        assert_eq!(acl.allows(user("u"), Write, topic), write, "{topic}");
    }
}

#[test]
fn topics_with_spaces_need_an_access_word() {
    let acl = parse("user an na\ntopic read  a topic/with  spaces \ntopic read\n");
    assert!(acl.allows(user("an na"), Read, "a topic/with  spaces"));
    assert!(acl.allows(user("an na"), Read, "read"), "one word is the filter");
    assert_eq!(
        rejected("topic a topic"),
        ["line 1: found access \"a\", \
          expected read, write, readwrite or deny before a filter that holds spaces"]
    );
}

#[test]
fn every_error_of_a_file_is_reported_with_its_line() {
    let filter = "expected a topic filter: + a level of its own, # the last one; \
                  a comment stands on a line of its own";
    assert_eq!(
        rejected(
            "user\ntopics a\n# fine\ntopic\ntopic read a/#/b\ntopic a+\n\
             pattern write %c#\ntopic read a # why\ntopic deny a/\0"
        ),
        [
            "line 1: found user without a name, expected user <name>".to_owned(),
            "line 2: found keyword \"topics\", \
             expected topic [read|write|readwrite|deny] <filter>, user <name>, \
             pattern [read|write|readwrite|deny] <filter>, or # and a comment"
                .to_owned(),
            format!("line 4: found no topic filter, {filter}"),
            format!("line 5: found topic filter \"a/#/b\", {filter}"),
            format!("line 6: found topic filter \"a+\", {filter}"),
            format!("line 7: found topic filter \"%c#\", {filter}"),
            format!("line 8: found topic filter \"a # why\", {filter}"),
            format!("line 9: found topic filter \"a/\\0\", {filter}"),
        ]
    );
    assert!(Acl::parse(&format!("topic {}", "x".repeat(65_536))).is_err());
    assert!(Acl::parse(&format!("topic {}", "x".repeat(65_535))).is_ok());
}

#[test]
fn deny_beats_allow_wherever_it_stands() {
    for text in ["user u\ntopic deny a/b\ntopic a/#", "user u\ntopic a/#\ntopic deny a/b"] {
        let acl = parse(text);
        assert!(acl.allows(user("u"), Read, "a/c"));
        assert!(!acl.allows(user("u"), Read, "a/b"));
        assert!(!acl.allows(user("u"), Write, "a/b"));
    }
}

#[test]
fn lines_before_any_user_are_for_anonymous_clients_only() {
    let acl = parse("topic read a\nuser u\ntopic read b\nuser v\ntopic read c\nuser u\ntopic d");
    let readable = |who| ["a", "b", "c", "d"].map(|topic| acl.allows(who, Read, topic));
    assert_eq!(readable(ANONYMOUS), [true, false, false, false]);
    assert_eq!(readable(user("u")), [false, true, false, true]);
    assert_eq!(readable(user("v")), [false, false, true, false]);
}

#[test]
fn a_users_allow_beats_a_patterns_deny() {
    let acl = parse("pattern deny a/#\npattern read b\nuser u\ntopic a/b\ntopic deny b");
    assert!(acl.allows(user("u"), Write, "a/b"));
    assert!(!acl.allows(user("u"), Write, "a/c"));
    assert!(!acl.allows(user("u"), Read, "b"), "and a user's deny beats a pattern's allow");
    assert!(acl.allows(user("v"), Read, "b"));
}

#[test]
fn patterns_take_in_client_id_and_username() {
    let acl = parse("pattern read %c/%u/x\npattern write dev_%c-%u/+\npattern read 100%/%c");
    let who = Who { username: Some("ann"), client_id: "c1" };
    assert!(acl.allows(who, Read, "c1/ann/x"));
    assert!(!acl.allows(who, Read, "c1/bob/x"));
    assert!(acl.allows(who, Write, "dev_c1-ann/y"));
    assert!(acl.allows(who, Read, "100%/c1"));
    assert!(acl.allows(ANONYMOUS, Read, "100%/c1"));
    assert!(!acl.allows(ANONYMOUS, Read, "c1//x"), "no pattern with %u for the anonymous");

    let nested = Who { username: Some("%c"), client_id: "%u" };
    assert!(acl.allows(nested, Read, "%u/%c/x"), "names are not substituted again");
}

#[test]
fn placeholders_in_topic_lines_are_plain_text() {
    let acl = parse("user u\ntopic %c/x");
    assert!(acl.allows(user("u"), Read, "%c/x"));
    assert!(!acl.allows(user("u"), Read, "c1/x"));
}

// CVE-2017-7650
#[test]
fn wildcards_in_names_get_nothing_from_patterns() {
    let acl =
        parse("pattern read dev/%c/#\npattern read u/%u\npattern read open\nuser #\ntopic own");
    for (username, client_id) in
        [(Some("ann"), "+"), (Some("ann"), "#"), (Some("+"), "c"), (Some("#"), "c"), (None, "a+")]
    {
        let who = Who { username, client_id };
        for topic in ["dev/c1/x", "dev/+/x", "dev/a+/x", "u/ann", "u/+", "open"] {
            assert!(!acl.allows(who, Read, topic), "{who:?} {topic}");
        }
        if username != Some("#") {
            let reason = acl.never_reason(who, Read, "open");
            assert_eq!(reason, Some(NeverReason::WildcardInName));
        }
    }
    assert!(acl.allows(user("#"), Read, "own"), "lines that name the user still count");
}

#[test]
fn a_slash_in_a_name_does_not_reach_into_anothers_branch() {
    let acl = parse("pattern dev/%c/#\npattern read open\npattern deny dev/%c/secret");
    let intruder = Who { username: None, client_id: "c1/inner" };
    assert!(!acl.allows(intruder, Read, "dev/c1/inner/x"));
    assert!(acl.allows(intruder, Read, "open"));
    assert!(acl.allows(ANONYMOUS, Read, "dev/c1/inner/x"));
    assert!(!acl.allows(ANONYMOUS, Read, "dev/c1/secret"));
}

#[test]
fn a_name_does_not_make_a_dollar_topic_of_a_pattern() {
    let acl = parse("pattern %c/#\npattern %u");
    let who = Who { username: Some("$SYS"), client_id: "$CONTROL" };
    assert!(!acl.allows(who, Write, "$CONTROL/x"));
    assert!(!acl.allows(who, Read, "$SYS"));
    assert_eq!(acl.subscription(who, "$CONTROL/#"), Verdict::Never);
}

// [MQTT-4.7.2-1]
#[test]
fn dollar_topics_need_a_rule_that_names_them() {
    let acl = parse("user all\ntopic #\ntopic +/x\nuser sys\ntopic $SYS/#\ntopic $CONTROL/x");
    assert!(!acl.allows(user("all"), Read, "$SYS/x"));
    assert!(!acl.allows(user("all"), Write, "$CONTROL/x"));
    assert!(acl.allows(user("sys"), Read, "$SYS/x"));
    assert!(acl.allows(user("sys"), Read, "$SYS"));
    assert!(acl.allows(user("sys"), Write, "$CONTROL/x"));
    assert!(!acl.allows(user("sys"), Write, "$SYS/x"), "$SYS is never written");
    assert_eq!(acl.verdict(user("sys"), Write, "$SYS/#"), Verdict::Never);
    assert_eq!(acl.never_reason(user("sys"), Write, "$SYS/#"), Some(NeverReason::Reserved));
    assert_eq!(acl.subscription(user("all"), "#"), Verdict::Always);
    assert_eq!(acl.subscription(user("all"), "$SYS/#"), Verdict::Never);
}

#[test]
fn without_a_file_all_is_allowed_but_sys_writes_and_control() {
    let acl = Acl::open();
    for (access, topic, allowed) in [
        (Read, "a", true),
        (Write, "a", true),
        (Read, "$SYS/broker/version", true),
        (Write, "$SYS/broker/version", false),
        (Write, "$SYS", false),
        (Write, "$SYSTEM", true),
        (Write, "$CONTROL/dynamic-security/v1", false),
        (Read, "$CONTROL/dynamic-security/v1/response", false),
    ] {
        assert_eq!(acl.allows(ANONYMOUS, access, topic), allowed, "{access:?} {topic}");
        let verdict = if allowed { Verdict::Always } else { Verdict::Never };
        assert_eq!(acl.verdict(ANONYMOUS, access, topic), verdict, "{access:?} {topic}");
        assert_eq!(acl.explain(ANONYMOUS, access, topic), None);
    }
    assert_eq!(acl.subscription(ANONYMOUS, "#"), Verdict::Always);
    assert_eq!(acl.subscription(ANONYMOUS, "$CONTROL/#"), Verdict::Never);
}

#[test]
fn a_filter_with_hash_matches_its_parent_but_no_longer_name() {
    let acl = parse("user u\ntopic read a/#\ntopic read é/+\ntopic read /b");
    for (topic, allowed) in [
        ("a", true),
        ("a/", true),
        ("a/b/c", true),
        ("ab", false),
        ("é/x", true),
        ("è/x", false),
        ("é", false),
        ("é/x/y", false),
        ("/b", true),
        ("b", false),
    ] {
        assert_eq!(acl.allows(user("u"), Read, topic), allowed, "{topic}");
    }
}

#[test]
fn subscriptions_get_the_verdict_of_all_their_topics() {
    use Verdict::{Always, Never, PerTopic};
    let acl = parse(
        "user u\ntopic read a/#\ntopic deny a/secret\ntopic write w/#\ntopic read t\n\
         topic read t/+/#\npattern read p/%c/#\npattern deny p/+/no",
    );
    for (filter, verdict) in [
        ("a/b/#", Always),
        ("a/b/+", Always),
        ("a/#", PerTopic),
        ("a/+", PerTopic),
        ("a/secret", Never),
        ("a/secret/#", PerTopic),
        ("w/#", Never),
        ("#", PerTopic),
        ("+/+", PerTopic),
        ("b/#", Never),
        // Two rules together cover it.
        ("t/#", Always),
        ("p/c1/#", PerTopic),
        ("p/c1/yes/#", Always),
        ("p/c1/no", Never),
        ("p/c2/#", Never),
        ("$share/group/a/b/#", Always),
        ("$share/group/w/#", Never),
        ("$share/group/a/#", PerTopic),
    ] {
        assert_eq!(acl.subscription(user("u"), filter), verdict, "{filter}");
    }
}

#[test]
fn answers_name_their_line() {
    let acl = parse("# one\nuser u\ntopic read a/#\ntopic deny a/b\npattern read c/%c");
    let explain = |topic| acl.explain(user("u"), Read, topic);
    assert_eq!(explain("a/x"), Some(Line(3)));
    assert_eq!(explain("a/b"), Some(Line(4)));
    assert_eq!(explain("c/c1"), Some(Line(5)));
    assert_eq!(explain("d"), None);
    assert_eq!(acl.explain(user("u"), Write, "a/x"), None);

    let never = |filter| acl.never_reason(user("u"), Read, filter);
    assert_eq!(never("a/b"), Some(NeverReason::Denied(Line(4))));
    assert_eq!(never("$share/g/a/b"), Some(NeverReason::Denied(Line(4))));
    assert_eq!(never("d/#"), Some(NeverReason::NoRule));
    assert_eq!(never("a/#"), None);
    assert_eq!(never("a/b").map(|reason| reason.to_string()), Some("denied by line 4".into()));
}

#[test]
fn very_deep_topics_and_filters_are_judged_without_recursion() {
    let deep_topic = "a/".repeat(32_000) + "a";
    let deep_filter = "+/".repeat(32_000) + "#";
    let acl =
        parse(&format!("user u\ntopic read a/#\ntopic deny {deep_filter}\nuser v\ntopic a/#"));
    assert!(!acl.allows(user("u"), Read, &deep_topic));
    assert!(acl.allows(user("v"), Read, &deep_topic));
    assert_eq!(acl.subscription(user("v"), &deep_topic), Verdict::Always);
    assert_ne!(acl.subscription(user("u"), &deep_filter), Verdict::Always);
    assert_ne!(acl.subscription(user("v"), &deep_filter), Verdict::Always);
}

#[test]
fn a_filter_that_is_too_dear_is_judged_topic_by_topic() {
    let mut text = String::from("user u\n");
    for i in 0..2_000 {
        text += &format!("topic read a/{i}/+/#\ntopic deny a/{i}/#\n");
    }
    let acl = parse(&text);
    assert_eq!(acl.subscription(user("u"), "a/#"), Verdict::PerTopic);
    assert_eq!(acl.subscription(user("u"), "a/7/#"), Verdict::Never);
    assert!(!acl.allows(user("u"), Read, "a/1999/x"));
}
