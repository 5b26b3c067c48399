//! A flood of wrong passwords does not stop those who publish.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use midge_tests::{Outgoing, QOS1, Raw, Setup, binary, eventually, message, run};

#[test]
fn those_inside_go_on_publishing_during_a_flood_of_wrong_passwords() {
    let setup = Setup::conf("allow_anonymous false\npassword_file @DIR@/passwords\n");
    let path = setup.directory().join("passwords");
    let path = path.to_str().expect("UTF-8");
    // The dearest of the hashes.
    run(binary(), &["passwd", "-b", "-c", path, "alice", "secret"]).success();
    let midge = setup.start();
    let mut alice = midge.client_of("alice", "secret");
    alice.subscribe("t", QOS1);

    let stop = Arc::new(AtomicBool::new(false));
    let answered = Arc::new(AtomicUsize::new(0));
    let (address, version) = (midge.address(), midge_codec::ProtocolVersion::V5);
    let flood: Vec<_> = (0..8)
        .map(|thread| {
            let (stop, answered) = (Arc::clone(&stop), Arc::clone(&answered));
            // Each guess is another, so that none is remembered; half the users do not exist.
            let packets: Vec<_> = (0..50)
                .map(|guess| {
                    let user = if guess % 2 == 0 { "alice".into() } else { format!("user{guess}") };
                    let dial = midge.v5(&format!("flood{thread}-{guess}"));
                    dial.user(&user, &format!("guess{thread}-{guess}")).packet()
                })
                .collect();
            std::thread::spawn(move || {
                for packet in packets.iter().cycle() {
                    if stop.load(Ordering::Relaxed) {
                        return;
                    }
                    let mut raw = Raw::connect(address);
                    raw.send(packet, version);
                    // Refused, or told that the broker is busy, but never let in.
                    let answer = raw.bytes(4);
                    assert_ne!(answer.get(3), Some(&0), "{answer:?}");
                    answered.fetch_add(1, Ordering::Relaxed);
                }
            })
        })
        .collect();

    eventually("the flood has begun", || (answered.load(Ordering::Relaxed) > 0).then_some(()));
    // Alternate: some guesses were answered, and between them alice got much more done.
    for _ in 0..2_000 {
        alice.publish(message("t", "x").qos(QOS1));
        alice.expect("t", "x");
    }
    let guesses = answered.load(Ordering::Relaxed);
    // Were publishing to wait for the hashes, each message would let at least one guess by.
    assert!(guesses < 2_000, "{guesses} guesses while 2,000 messages passed");
    stop.store(true, Ordering::Relaxed);
    for thread in flood {
        thread.join().expect("a flooder");
    }
    // And who knows the password still gets in.
    eventually("alice logs in again", || {
        let (_, connack) = midge.v5("again").user("alice", "secret").attempt();
        (connack.reason == midge_codec::ReasonCode::Success).then_some(())
    });
}
