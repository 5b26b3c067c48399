//! `midge certs` makes what a first TLS set-up needs.

use midge_tests::{Publisher, Setup, Subscriber, binary, run};
use tempfile::TempDir;

#[test]
fn the_lines_it_prints_make_a_broker_that_its_clients_trust() {
    let directory = TempDir::new().expect("temporary directory");
    let certs = directory.path().join("certs");
    let path = certs.to_str().expect("UTF-8");
    let printed = run(binary(), &["certs", path]).success().stdout;
    let conf = printed.replace("listener 8883", "listener @PORT@ localhost");
    let midge = Setup::exactly(&conf).start();
    let ca = line(&conf, "cafile ");
    let subscriber = Subscriber::new(&midge, &["--cafile", ca, "-t", "t"]);
    Publisher::new(&midge).arguments(&["--cafile", ca, "-t", "t", "-m", "hello"]).succeeds();
    subscriber.prints("hello");
}

#[test]
fn its_client_certificate_opens_a_door_that_asks_for_one() {
    let directory = TempDir::new().expect("temporary directory");
    let path = directory.path().to_str().expect("UTF-8");
    let printed = run(binary(), &["certs", path]).success().stdout;
    let conf = printed.replace("listener 8883", "listener @PORT@ localhost");
    let midge = Setup::exactly(&format!("{conf}\nrequire_certificate true\n")).start();
    // The command it printed, but for what it does.
    let command = printed.lines().find(|line| line.contains("mosquitto_sub")).expect("a command");
    let word_after = |option: &str| {
        let mut words = command.split_whitespace();
        words.find(|word| *word == option);
        words.next().expect("a value")
    };
    let ca = line(&conf, "cafile ");
    let own = ["--cafile", ca, "--cert", word_after("--cert"), "--key", word_after("--key")];
    let publish = || Publisher::new(&midge).arguments(&["-t", "t", "-m", "hello", "-q", "1"]);
    publish().arguments(&own).succeeds();
    publish().arguments(&["--cafile", ca]).fails();
    // One more client, by name.
    run(binary(), &["certs", path, "--client", "sensor-7"]).success();
    let made = std::fs::read_dir(directory.path()).expect("the directory");
    let names: Vec<String> = made
        .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
        .collect();
    assert!(names.iter().any(|name| name.contains("sensor-7")), "{names:?}");
}

#[test]
fn what_is_there_is_not_overwritten_unasked() {
    let directory = TempDir::new().expect("temporary directory");
    let path = directory.path().to_str().expect("UTF-8");
    run(binary(), &["certs", path]).success();
    let contents = || {
        let mut files: Vec<(String, Vec<u8>)> = std::fs::read_dir(directory.path())
            .expect("the directory")
            .map(|entry| entry.expect("an entry").path())
            .map(|path| (path.display().to_string(), std::fs::read(&path).expect("a file")))
            .collect();
        files.sort();
        files
    };
    let before = contents();
    let refusal = run(binary(), &["certs", path]);
    assert_eq!(refusal.code, Some(1), "{}", refusal.all());
    assert!(refusal.stderr.contains("--force"), "{}", refusal.all());
    assert!(before == contents(), "files were changed");
    run(binary(), &["certs", path, "--force"]).success();
    assert!(before != contents(), "files were not renewed");
}

#[test]
fn a_client_certificate_without_an_authority_is_told_what_comes_first() {
    let directory = TempDir::new().expect("temporary directory");
    let path = directory.path().to_str().expect("UTF-8");
    let refusal = run(binary(), &["certs", path, "--client", "sensor-7"]);
    assert_eq!(refusal.code, Some(1), "{}", refusal.all());
    assert!(refusal.stderr.contains(&format!("`midge certs {path}` first")), "{}", refusal.all());
}

#[test]
fn a_client_certificate_for_a_host_is_refused() {
    let refusal = run(binary(), &["certs", "--client", "sensor-7", "--host", "example.com"]);
    assert_eq!(refusal.code, Some(3), "{}", refusal.all());
    assert!(refusal.stderr.contains("--client and --host"), "{}", refusal.all());
}

fn line<'a>(conf: &'a str, key: &str) -> &'a str {
    conf.lines().find_map(|line| line.strip_prefix(key)).expect("a line")
}
