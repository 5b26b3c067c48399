//! Whoever sends nonsense, too much, or nothing: the others are served as before.

use std::net::TcpStream;

use midge_tests::{
    Authority, Client, DEADLINE, Midge, Outgoing, QOS1, Raw, Setup, eventually, message,
};

/// Numbers that look random and are the same each time (splitmix64).
struct Noise(u64);

impl Noise {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn bytes(&mut self, most: usize) -> Vec<u8> {
        let length = self.next() as usize % most;
        (0..length).map(|_| self.next() as u8).collect()
    }
}

/// Sends itself a message.
#[track_caller]
fn alive(witness: &mut Client) {
    witness.publish(message("alive", "x").qos(QOS1));
    witness.expect("alive", "x");
}

fn witness(midge: &Midge) -> Client {
    let mut witness = midge.client("witness");
    witness.subscribe("alive", QOS1);
    witness
}

fn tls() -> (Authority, Midge) {
    let authority = Authority::new("Test CA");
    let conf = "listener @PORT@ 127.0.0.1\n\
        listener @PORT2@ 127.0.0.1\n\
        cafile @DIR@/ca.crt\ncertfile @DIR@/server.crt\nkeyfile @DIR@/server.key\n";
    let setup = Setup::conf(conf).listening(&[1, 2]).file("ca.crt", authority.pem());
    authority.server().write(setup.directory(), "server");
    let midge = setup.start();
    (authority, midge)
}

#[test]
fn random_bytes_on_the_plain_port_harm_nobody() {
    let midge = Midge::start("");
    let mut witness = witness(&midge);
    let mut noise = Noise(1);
    for _ in 0..300 {
        let mut raw = midge.raw();
        raw.send_bytes(&noise.bytes(2_000));
        raw.end();
        raw.closed();
    }
    alive(&mut witness);
}

#[test]
fn random_bytes_on_the_tls_port_harm_nobody() {
    let (authority, midge) = tls();
    let mut witness = witness(&midge);
    let mut noise = Noise(2);
    let address = std::net::SocketAddr::from(([127, 0, 0, 1], midge.port(2)));
    for round in 0..200 {
        let mut raw = Raw::connect(address);
        // Sometimes what looks like the beginning of a handshake.
        if round % 2 == 0 {
            raw.send_bytes(&[0x16, 0x03, 0x01, 0x01, 0x00, 0x01]);
        }
        raw.send_bytes(&noise.bytes(2_000));
        raw.end();
        raw.closed();
    }
    for _ in 0..30 {
        let mut raw = Raw::connect(address).tls(&authority, None);
        raw.send_bytes(&noise.bytes(2_000));
        raw.end();
        raw.closed();
    }
    alive(&mut witness);
    let inside = Raw::connect(address).tls(&authority, None);
    midge.v5("inside").over(inside).connect().ping();
}

#[test]
fn random_packets_after_a_connect_harm_nobody() {
    let midge = Midge::start("");
    let mut witness = witness(&midge);
    let mut noise = Noise(3);
    for round in 0..300 {
        let version = midge_tests::VERSIONS[round % 3];
        let mut client = midge.dial(version, "noisy").connect();
        for _ in 0..5 {
            // A type, a true length, and a body of noise.
            let body = noise.bytes(100);
            let first = noise.next() as u8;
            client.raw().send_bytes(&[&[first, body.len() as u8][..], &body].concat());
        }
        client.raw().end();
        // What comes back may be answers; that it ends is what counts.
        client.raw().closed();
    }
    alive(&mut witness);
}

#[test]
fn a_flipped_bit_in_good_packets_harms_nobody() {
    let midge = Midge::start("");
    let mut witness = witness(&midge);
    let mut noise = Noise(4);
    let mut good = bytes::BytesMut::new();
    let version = midge_codec::ProtocolVersion::V5;
    let packets = [
        midge.v5("flipped").expiry(10).user("a", "b").packet(),
        midge_codec::Packet::Publish(message("t", "x").qos(QOS1).id(1).alias(1)),
        midge_codec::Packet::Pingreq,
    ];
    for packet in &packets {
        midge_codec::encode(packet, version, u32::MAX, &mut good).expect("a packet");
    }
    for _ in 0..400 {
        let mut bytes = good.to_vec();
        let bit = noise.next() as usize % (bytes.len() * 8);
        bytes[bit / 8] ^= 1 << (bit % 8);
        let mut raw = midge.raw();
        raw.send_bytes(&bytes);
        raw.end();
        raw.closed();
    }
    alive(&mut witness);
}

#[test]
fn a_connection_that_says_nothing_is_closed() {
    let midge = Setup::conf("").environment("MIDGE__LIMITS__CONNECT_TIMEOUT", "1").start();
    let mut witness = witness(&midge);
    assert_eq!(midge.raw().closed(), [0; 0]);
    alive(&mut witness);
}

#[test]
fn a_connect_that_comes_too_slowly_is_closed() {
    let midge = Setup::conf("").environment("MIDGE__LIMITS__CONNECT_TIMEOUT", "1").start();
    let mut witness = witness(&midge);
    let mut raw = midge.raw();
    let started = std::time::Instant::now();
    // One byte now and then is no way to keep the connection; the last of 60,000 never comes.
    let connect = b"\x10\xe0\xd4\x03\0\x04MQTT\x04\x02\0\x3c\xea\x54";
    let mut bytes = connect.iter().chain(std::iter::repeat(&b'c'));
    while raw.try_send_bytes(&[*bytes.next().expect("endless")]) {
        assert!(started.elapsed() < DEADLINE, "still open");
        alive(&mut witness);
    }
    alive(&mut witness);
}

#[test]
fn a_handshake_that_comes_too_slowly_is_closed() {
    let authority = Authority::new("Test CA");
    let conf = "listener @PORT@ 127.0.0.1\nlistener @PORT2@ 127.0.0.1\n\
        certfile @DIR@/server.crt\nkeyfile @DIR@/server.key\n";
    let setup = Setup::conf(conf).environment("MIDGE__LIMITS__CONNECT_TIMEOUT", "1");
    authority.server().write(setup.directory(), "server");
    let midge = setup.listening(&[1, 2]).start();
    let mut witness = witness(&midge);
    let mut raw = Raw::connect(([127, 0, 0, 1], midge.port(2)).into());
    raw.send_bytes(&[0x16, 0x03, 0x01, 0x02, 0x00]);
    raw.closed();
    alive(&mut witness);
}

#[test]
fn a_huge_remaining_length_before_the_connect_is_refused_at_once() {
    let midge = Midge::start("");
    let mut witness = witness(&midge);
    for start in [
        &[0x10, 0xff, 0xff, 0xff, 0x7f][..],
        &[0x30, 0xff, 0xff, 0xff, 0x7f],
        &[0x10, 0xff, 0xff, 0xff, 0xff],
    ] {
        let mut raw = midge.raw();
        raw.send_bytes(start);
        let answer = raw.closed();
        assert!(!matches!(answer[..], [0x20, _, _, 0, ..]), "{answer:?}");
    }
    // Announced and sent, it fills no memory: the connection breaks long before the end.
    let mut raw = midge.raw();
    raw.send_bytes(&[0x10, 0xff, 0xff, 0xff, 0x7f]);
    let chunk = [0; 64 * 1024];
    let taken = (0..4096).take_while(|_| raw.try_send_bytes(&chunk)).count();
    assert!(taken < 4096, "256 MiB were taken");
    alive(&mut witness);
}

#[test]
fn half_open_connections_beyond_the_limit_shut_nobody_out() {
    let midge = Setup::conf("")
        .environment("MIDGE__LIMITS__MAX_HALF_OPEN_CONNECTIONS", "10")
        .environment("MIDGE__LIMITS__CONNECT_TIMEOUT", "2")
        .start();
    let mut witness = witness(&midge);
    let silent: Vec<TcpStream> =
        (0..200).filter_map(|_| TcpStream::connect(midge.address()).ok()).collect();
    alive(&mut witness);
    // While they last or after their time: somebody new gets in.
    eventually("a new client is served", || {
        let mut raw = midge.raw();
        raw.try_send_bytes(b"\x10\x0d\0\x04MQTT\x04\x02\0\x3c\0\x01c");
        (raw.bytes(4) == [0x20, 2, 0, 0]).then_some(())
    });
    drop(silent);
    alive(&mut witness);
}

#[test]
fn connections_that_come_and_go_leave_nothing_behind() {
    let midge = Midge::start("");
    let mut witness = witness(&midge);
    let descriptors = || {
        let path = format!("/proc/{}/fd", midge.pid().as_raw_nonzero());
        std::fs::read_dir(path).expect("the process").count()
    };
    alive(&mut witness);
    let before = descriptors();
    for _ in 0..500 {
        midge.raw().send_bytes(&[0x10]);
    }
    for _ in 0..200 {
        midge.client("passing").disconnect();
    }
    eventually("as many descriptors as before", || (descriptors() <= before).then_some(()));
    alive(&mut witness);
}
