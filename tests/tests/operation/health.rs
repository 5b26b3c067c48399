//! `midge health`: what a container asks its broker.

use midge_tests::{Authority, Midge, Output, Setup, binary, run};
use rustix::process::Signal;

/// Asks with these arguments; `@PORT@` is the broker's.
fn ask(midge: &Midge, arguments: &[&str]) -> Output {
    let port = midge.port(1).to_string();
    let filled = arguments.iter().map(|argument| argument.replace("@PORT@", &port));
    run(binary(), &[vec!["health".to_owned()], filled.collect()].concat())
}

/// A broker that speaks TLS alone.
fn tls(more: &str) -> Midge {
    let authority = Authority::new("Test CA");
    let conf = "listener @PORT@ localhost\ncafile @DIR@/ca.crt\ncertfile @DIR@/server.crt\n\
                keyfile @DIR@/server.key\n";
    let setup = Setup::conf(&format!("{conf}{more}")).file("ca.crt", authority.pem());
    authority.server().write(setup.directory(), "server");
    setup.start()
}

fn conf(midge: &Midge) -> String {
    midge.directory().join("mosquitto.conf").to_str().expect("UTF-8").to_owned()
}

#[test]
fn a_plain_broker_is_well_until_it_is_gone() {
    let mut midge = Midge::start("");
    ask(&midge, &["--port", "@PORT@"]).success();
    ask(&midge, &["-c", &conf(&midge)]).success();
    midge.signal(Signal::TERM);
    midge.ended();
    for arguments in [&["--port", "@PORT@"][..], &["-c", &conf(&midge)]] {
        let output = ask(&midge, arguments);
        assert_eq!(output.code, Some(1), "{}", output.all());
        assert!(output.stderr.contains("refused"), "{}", output.all());
    }
}

#[test]
fn a_broker_that_asks_for_a_password_is_well() {
    let midge = Midge::start("allow_anonymous false\n");
    ask(&midge, &["--port", "@PORT@"]).success();
}

#[test]
fn a_broker_with_tls_alone_is_well() {
    let midge = tls("");
    ask(&midge, &["--tls", "--port", "@PORT@"]).success();
    ask(&midge, &["-c", &conf(&midge)]).success();
    midge.says(&["as midge-health"]);
}

#[test]
fn a_broker_that_asks_for_a_certificate_is_well() {
    let midge = tls("require_certificate true\n");
    for _ in 0..20 {
        ask(&midge, &["-c", &conf(&midge)]).success();
    }
}

#[test]
fn the_plain_listener_is_asked_where_there_is_one() {
    let authority = Authority::new("Test CA");
    let setup = Setup::conf(
        "listener @PORT2@ localhost\ncertfile @DIR@/server.crt\nkeyfile @DIR@/server.key\n\
         listener @PORT@ localhost\n",
    );
    authority.server().write(setup.directory(), "server");
    let midge = setup.listening(&[1, 2]).start();
    ask(&midge, &["-c", &conf(&midge)]).success();
    let line = midge.says(&["New connection", &format!("port {}", midge.port(1))]);
    assert!(!line.is_empty());
    midge.says(&["as midge-health"]);
}

#[test]
fn plain_mqtt_on_a_tls_port_is_told_of_tls() {
    let midge = tls("");
    let output = ask(&midge, &["--port", "@PORT@"]);
    assert_eq!(output.code, Some(1), "{}", output.all());
    assert!(output.stderr.contains("speaks TLS"), "{}", output.all());
    assert!(output.stderr.contains("--tls"), "{}", output.all());
}

#[test]
fn tls_on_a_plain_port_is_an_error_in_words() {
    let midge = Midge::start("");
    let output = ask(&midge, &["--tls", "--port", "@PORT@"]);
    assert_eq!(output.code, Some(1), "{}", output.all());
    assert!(!output.stderr.contains('{'), "{}", output.all());
}
