//! SIGHUP: what the broker itself does anew, and what it says it does not.

use midge_tests::{Midge, QOS0, QOS1, Setup, eventually};

fn rewrite(midge: &mut Midge, conf: &str) {
    let listener = "listener @PORT@ 127.0.0.1\nallow_anonymous true\n";
    midge.rewrite("mosquitto.conf", &format!("{listener}{conf}"));
    midge.reload();
}

#[test]
fn types_of_log_lines_change_both_ways() {
    let mut midge = Midge::start("log_type error\nlog_type information\n");
    midge.client("quiet").ping();
    rewrite(&mut midge, "log_type all\n");
    midge.says(&["configuration reloaded"]);
    eventually("each packet is logged", || {
        midge.client("talkative").subscribe("some/topic", QOS1);
        midge.log().contains("some/topic").then_some(())
    });
    assert!(!midge.log().contains(" as quiet "), "{}", midge.log());
    rewrite(&mut midge, "log_type information\n");
    eventually("clients are logged no more", || {
        let before = midge.log().len();
        midge.client("silent").ping();
        (!midge.log()[before..].contains("silent")).then_some(())
    });
}

#[test]
fn the_destination_of_the_log_changes() {
    let mut midge = Midge::start("");
    rewrite(&mut midge, "log_dest file @DIR@/own.log\n");
    let file = midge.directory().join("own.log");
    eventually("the file tells of a client", || {
        midge.client("visible").ping();
        std::fs::read_to_string(&file).ok().filter(|log| log.contains("visible"))
    });
    rewrite(&mut midge, "log_dest topic\n");
    eventually("the topic tells of a client", || {
        let mut watcher = midge.client("watcher");
        watcher.subscribe("$SYS/broker/log/N", QOS0);
        let mut other = midge.client("other");
        other.ping();
        watcher.ping();
        let seen = watcher.unread();
        seen.iter().any(|packet| format!("{packet:?}").contains("other")).then_some(())
    });
}

#[test]
fn a_log_file_that_cannot_be_opened_leaves_all_as_it_was() {
    let mut midge = Midge::start("");
    rewrite(&mut midge, "log_dest file @DIR@/no/such/directory\nmax_packet_size 1000\n");
    midge.says(&["log_dest file", "no/such/directory"]);
    midge.says(&["the configuration is as before"]);
    assert_ne!(midge.client("c").connack().properties.maximum_packet_size, Some(1000));
}

#[test]
fn the_interval_of_the_broker_s_topics_changes() {
    let mut midge = Midge::start("sys_interval 0\n");
    rewrite(&mut midge, "sys_interval 1\n");
    let mut watcher = midge.client("watcher");
    watcher.subscribe("$SYS/broker/uptime", QOS0);
    watcher.message();
    watcher.message();
}

#[test]
fn what_counts_from_the_next_start_is_said() {
    let mut midge = Setup::conf("memory_limit 100000000\n").start();
    rewrite(&mut midge, "user nobody\npid_file @DIR@/pid\nmemory_limit 200000000\n");
    for name in ["user", "pid_file", "memory_limit"] {
        midge.says(&[&format!("{name} has changed"), "next start"]);
    }
    midge.says(&["configuration reloaded"]);
    assert!(!midge.directory().join("pid").exists());
}
