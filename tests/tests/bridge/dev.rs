//! `midge dev`: the round trip with nothing installed.

use std::process::Command;

use midge_tests::{Publisher, Setup, Subscriber, binary, kcat, output};

#[test]
fn the_sample_goes_both_ways_and_ends_well() {
    // In an empty directory, with an empty environment: nothing is needed.
    let directory = tempfile::TempDir::new().expect("temporary directory");
    let mut command = Command::new(binary());
    command.args(["dev", "--once", "--port", "0"]).current_dir(directory.path()).env_clear();
    let printed = output(&mut command, "").success().stdout;
    let lines: Vec<&str> = printed.lines().collect();
    let position = |parts: &[&str]| {
        let found = lines.iter().position(|line| parts.iter().all(|part| line.contains(part)));
        found.unwrap_or_else(|| panic!("no line with {parts:?} in:\n{printed}"))
    };
    // One line says that this Kafka is not real.
    position(&["not a real one"]);
    let out = [position(&["device publishes"]), position(&["Kafka has the record"])];
    let back = [position(&["program writes"]), position(&["subscriber has"])];
    assert!(out[0] < out[1] && out[1] < back[0] && back[0] < back[1], "{printed}");
    let left = std::fs::read_dir(directory.path()).expect("the directory").count();
    assert_eq!(left, 0, "it leaves nothing behind");
}

#[test]
fn what_it_prints_to_type_works_in_another_terminal() {
    let midge = Setup::arguments(&["dev", "--port", "@PORT@"]).start();
    midge.says(&["Both directions work"]);
    // The commands it printed.
    let publish = midge.says(&["mosquitto_pub", "devices/"]);
    let consume = midge.says(&["kcat", "-C"]);
    let subscribe = midge.says(&["mosquitto_sub"]);
    let produce = midge.says(&["kcat", "-P"]);

    output(Command::new("sh").args(["-c", &publish]), "").success();
    // The consumer would go on for ever: it ends here at the end of what there is.
    let records = output(Command::new("sh").args(["-c", &format!("{consume} -e -q")]), "");
    assert!(records.stdout.contains("devices/kitchen/humidity  54"), "{}", records.all());
    midge.says(&["MQTT -> Kafka", "devices/kitchen/humidity"]);

    assert!(subscribe.contains("kafka/#"), "{subscribe}");
    let subscriber = Subscriber::new(&midge, &["-t", "kafka/#", "-v"]);
    output(Command::new("sh").args(["-c", &produce]), "").success();
    subscriber.prints("kafka/commands water the plants");
    midge.says(&["Kafka -> MQTT", "kafka/commands", "2 out, 2 in"]);
}

#[test]
fn it_is_a_broker_like_any_other() {
    let midge = Setup::arguments(&["dev", "--port", "@PORT@"]).start();
    let subscriber = Subscriber::new(&midge, &["-t", "elsewhere"]);
    Publisher::new(&midge).arguments(&["-t", "elsewhere", "-m", "hello"]).succeeds();
    subscriber.prints("hello");
    let address = midge.says(&["Kafka is at"]);
    let address = address.split_whitespace().find(|word| word.starts_with("127.0.0.1:"));
    let address = address.expect("an address").trim_end_matches('.');
    let topics = kcat(address, &["-L"], "").success().stdout;
    assert!(topics.contains("\"devices\"") && topics.contains("\"commands\""), "{topics}");
}
