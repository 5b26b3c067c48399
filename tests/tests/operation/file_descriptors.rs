//! Running out of file descriptors: those inside are served, and when there are some again, those
//! outside too.

use std::net::{Ipv4Addr, SocketAddr, TcpStream};

use midge_codec::ProtocolVersion;
use midge_tests::{Dial, Outgoing, Port, QOS1, Setup, eventually, message, mosquitto_passwd};

#[test]
fn running_out_of_file_descriptors_harms_nobody_inside() {
    let conf = "allow_anonymous false\npassword_file @DIR@/passwords\n";
    let setup = Setup::conf(conf).file_descriptors(64);
    mosquitto_passwd(&setup.directory().join("passwords"), "alice", "secret");
    let midge = setup.start();
    let mut inside = midge.client_of("alice", "secret");
    inside.subscribe("t", QOS1);
    let crowd: Vec<TcpStream> =
        (0..200).filter_map(|_| TcpStream::connect(midge.address()).ok()).collect();
    for _ in 0..20 {
        inside.publish(message("t", "x").qos(QOS1));
        inside.expect("t", "x");
    }
    // Security does not depend on a file that could not be opened.
    midge.reload();
    inside.publish(message("t", "x").qos(QOS1));
    inside.expect("t", "x");
    drop(crowd);
    eventually("a new client is let in", || {
        let mut raw = midge.raw();
        let connect = midge.v5("alice2").user("alice", "secret").packet();
        raw.send(&connect, midge_codec::ProtocolVersion::V5);
        (raw.bytes(4).get(3) == Some(&0)).then_some(())
    });
    let refused = midge.v5("mallory").user("alice", "guess").refused();
    assert!(refused.is_error());
}

/// A broker that starts again is met by everybody at once, and has its own parts to open as well.
#[test]
fn a_crowd_at_the_door_takes_no_descriptor_that_the_start_needs() {
    let port = Port::take();
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port.number()));
    let conf = format!("listener {} 127.0.0.1\nallow_anonymous true\n", port.number());
    let crowd = std::thread::spawn(move || {
        let comes = || eventually("the door", || TcpStream::connect(address).ok());
        (0..200).map(|_| comes()).collect::<Vec<_>>()
    });
    let midge = Setup::exactly(&conf)
        .listening(&[])
        .environment("MIDGE__BROKER__WORKERS", "16")
        .file_descriptors(128)
        .start();
    midge.says(&["connections are turned away"]);
    midge.says(&["running"]);
    drop(crowd.join().expect("the crowd"));
    Dial::new(address, ProtocolVersion::V5, "inside").connect().ping();
}

#[test]
fn waiting_for_a_descriptor_burns_no_processor() {
    let midge = Setup::conf("").file_descriptors(48).start();
    let mut inside = midge.client("inside");
    let crowd: Vec<TcpStream> =
        (0..100).filter_map(|_| TcpStream::connect(midge.address()).ok()).collect();
    inside.ping();
    let used = || {
        let path = format!("/proc/{}/stat", midge.pid().as_raw_nonzero());
        let stat = std::fs::read_to_string(path).expect("the process");
        let fields: Vec<&str> =
            stat.rsplit(')').next().expect("fields").split_whitespace().collect();
        let ticks = |index: usize| fields[index].parse::<u64>().expect("a number");
        ticks(11) + ticks(12)
    };
    let (ticks, started) = (used(), std::time::Instant::now());
    // A rate needs a length of time: two seconds in which next to nothing is asked of the broker.
    while started.elapsed() < std::time::Duration::from_secs(2) {
        std::thread::sleep(std::time::Duration::from_millis(100));
        inside.ping();
    }
    // A hundredth of a second a tick: a loop that spins would burn 200 of them on each worker.
    let burned = used() - ticks;
    assert!(burned < 100, "{burned} ticks in two seconds");
    drop(crowd);
}
