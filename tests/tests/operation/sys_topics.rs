//! The broker's own topics, as dashboards read them.

use std::collections::BTreeMap;

use midge_tests::{Client, Midge, Outgoing, QOS0, QOS1, eventually, message};

/// Follows `$SYS/#` until `wanted` holds for what is known.
#[track_caller]
fn follow(midge: &Midge, what: &str, mut wanted: impl FnMut(&BTreeMap<String, String>) -> bool) {
    let mut watcher: Client = midge.client("watcher");
    watcher.subscribe("$SYS/#", QOS0);
    let mut known = BTreeMap::new();
    eventually(what, || {
        let publish = watcher.message();
        known.insert(publish.name().to_owned(), publish.said());
        wanted(&known).then_some(())
    });
}

fn number(known: &BTreeMap<String, String>, topic: &str) -> Option<u64> {
    known.get(&format!("$SYS/broker/{topic}"))?.trim().parse().ok()
}

#[test]
fn the_basic_counters_are_there_for_a_new_subscriber_at_once() {
    let midge = Midge::start("sys_interval 1\n");
    follow(&midge, "every basic topic", |known| {
        let numbers = [
            "clients/total",
            "clients/connected",
            "clients/disconnected",
            "clients/maximum",
            "messages/received",
            "messages/sent",
            "bytes/received",
            "bytes/sent",
            "publish/messages/received",
            "publish/messages/sent",
            "publish/messages/dropped",
            "subscriptions/count",
            "retained messages/count",
        ];
        let uptime = known.get("$SYS/broker/uptime");
        numbers.iter().all(|topic| number(known, topic).is_some())
            && known.get("$SYS/broker/version").is_some_and(|version| version.contains("midge"))
            && uptime.is_some_and(|uptime| uptime.ends_with(" seconds"))
    });
}

#[test]
fn clients_are_counted() {
    let midge = Midge::start("sys_interval 1\n");
    let mut here = midge.client("here");
    midge.v5("away").persistent().connect().disconnect();
    follow(&midge, "two connected, one away", |known| {
        number(known, "clients/connected") == Some(2)
            && number(known, "clients/disconnected") == Some(1)
            && number(known, "clients/total") == Some(3)
    });
    here.ping();
}

#[test]
fn messages_and_bytes_are_counted() {
    let midge = Midge::start("sys_interval 1\n");
    let mut client = midge.client("client");
    client.subscribe("t", QOS1);
    for _ in 0..100 {
        client.publish(message("t", "x".repeat(1000)).qos(QOS1));
        client.accept();
    }
    client.publish(message("kept", "x").retained().qos(QOS1));
    follow(&midge, "what was published and delivered", |known| {
        number(known, "publish/messages/received") == Some(101)
            && number(known, "publish/messages/sent").is_some_and(|sent| sent >= 100)
            && number(known, "bytes/received").is_some_and(|bytes| bytes > 100_000)
            && number(known, "bytes/sent").is_some_and(|bytes| bytes > 100_000)
            && number(known, "messages/received").is_some_and(|count| count > 200)
            && number(known, "retained messages/count").is_some_and(|count| count >= 1)
            && number(known, "subscriptions/count") == Some(2)
    });
}

#[test]
fn an_interval_of_zero_publishes_none() {
    let midge = Midge::start("sys_interval 0\n");
    let mut watcher = midge.client("watcher");
    watcher.subscribe("$SYS/#", QOS0);
    assert_eq!(watcher.unread(), []);
}

#[test]
fn the_log_may_be_followed_by_topic() {
    let midge = Midge::start("log_dest topic\nlog_type all\n");
    let mut watcher = midge.client("watcher");
    watcher.subscribe("$SYS/broker/log/#", QOS0);
    midge.client("conspicuous").disconnect();
    while !watcher.accept().said().contains("conspicuous") {}
}
