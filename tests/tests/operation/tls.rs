//! TLS: who is shown what, who is let in, and what a reload changes.

use midge_codec::{ProtocolVersion, ReasonCode};
use midge_tests::{
    Authority, Client, Midge, Outgoing, Publisher, QOS1, Setup, Subscriber, eventually, message,
};

const CONF: &str = "\
listener @PORT@ localhost
cafile @DIR@/ca.crt
certfile @DIR@/server.crt
keyfile @DIR@/server.key
";

/// A broker with TLS and these lines more.
fn setup(authority: &Authority, more: &str) -> Setup {
    let setup = Setup::conf(&format!("{CONF}{more}"));
    authority.server().write(setup.directory(), "server");
    setup.file("ca.crt", authority.pem())
}

fn path(midge: &Midge, name: &str) -> String {
    midge.directory().join(name).to_str().expect("UTF-8").to_owned()
}

/// Connects inside TLS.
#[track_caller]
fn connect(midge: &Midge, authority: &Authority) -> Client {
    midge.v5("inside").over(midge.raw().tls(authority, None)).connect()
}

#[test]
fn mosquitto_s_clients_connect_with_tls_1_2_and_1_3() {
    let authority = Authority::new("Test CA");
    let midge = setup(&authority, "").start();
    let ca = path(&midge, "ca.crt");
    for version in ["tlsv1.2", "tlsv1.3"] {
        let tls = ["--cafile", &ca, "--tls-version", version];
        let subscriber = Subscriber::new(&midge, &[&tls[..], &["-t", "t"]].concat());
        Publisher::new(&midge).arguments(&tls).arguments(&["-t", "t", "-m", version]).succeeds();
        subscriber.prints(version);
    }
}

#[test]
fn every_version_of_mqtt_goes_through_every_version_of_tls() {
    let authority = Authority::new("Test CA");
    let midge = setup(&authority, "").start();
    for tls in [&rustls::version::TLS12, &rustls::version::TLS13] {
        for version in midge_tests::VERSIONS {
            let raw = midge.raw().tls_with(&authority, None, &[tls]);
            let mut client = midge.dial(version, "inside").over(raw).connect();
            client.subscribe("t", QOS1);
            let payload = "x".repeat(100_000);
            client.publish(message("t", payload.clone()).qos(QOS1));
            client.expect("t", &payload);
            client.disconnect();
        }
    }
}

#[test]
fn a_version_of_tls_below_the_lowest_allowed_is_refused() {
    let authority = Authority::new("Test CA");
    let midge = setup(&authority, "tls_version tlsv1.3\n").start();
    let mut raw = midge.raw().tls_with(&authority, None, &[&rustls::version::TLS12]);
    assert!(!raw.try_send_bytes(&[0xc0, 0]) || raw.closed().is_empty());
    connect(&midge, &authority).ping();
}

#[test]
fn a_client_that_trusts_another_authority_breaks_off() {
    let authority = Authority::new("Test CA");
    let midge = setup(&authority, "").start();
    let stranger = Authority::new("Another CA");
    let mut raw = midge.raw().tls(&stranger, None);
    assert!(!raw.try_send_bytes(&[0xc0, 0]));
    connect(&midge, &authority).ping();
}

#[test]
fn plain_mqtt_on_a_tls_port_is_not_answered() {
    let authority = Authority::new("Test CA");
    let midge = setup(&authority, "").start();
    let mut raw = midge.raw();
    raw.send(&midge.v311("plain").packet(), ProtocolVersion::V311);
    let answer = raw.closed();
    // A TLS alert is possible, a CONNACK is not.
    assert_ne!(answer.first(), Some(&0x20), "{answer:?}");
    connect(&midge, &authority).ping();
}

#[test]
fn a_client_certificate_is_asked_for_and_checked() {
    let authority = Authority::new("Test CA");
    let midge = setup(&authority, "require_certificate true\n").start();
    let own = authority.client("device-1");
    let stranger = Authority::new("Another CA").client("device-1");
    for tls in [&rustls::version::TLS12, &rustls::version::TLS13] {
        let raw = midge.raw().tls_with(&authority, Some(&own), &[tls]);
        midge.v5("device").over(raw).connect().ping();
        for refused in [None, Some(&stranger)] {
            let mut raw = midge.raw().tls_with(&authority, refused, &[tls]);
            // TLS 1.3 tells a client so late only that it may have sent something.
            raw.try_send_bytes(&[
                0x10, 0x0d, 0, 4, b'M', b'Q', b'T', b'T', 4, 2, 0, 60, 0, 1, b'c',
            ]);
            assert_eq!(raw.closed(), [0; 0]);
        }
    }
}

#[test]
fn a_client_whose_certificate_is_on_the_revocation_list_is_refused() {
    let authority = Authority::new("Test CA");
    let (stolen, good) = (authority.client("device-1"), authority.client("device-2"));
    let midge = setup(&authority, "require_certificate true\ncrlfile @DIR@/revoked.crl\n")
        .file("revoked.crl", &authority.revocation_list(&stolen))
        .start();
    let raw = midge.raw().tls(&authority, Some(&good));
    midge.v5("device").over(raw).connect().ping();
    let mut raw = midge.raw().tls(&authority, Some(&stolen));
    raw.try_send_bytes(&[0x10, 0x0d, 0, 4, b'M', b'Q', b'T', b'T', 4, 2, 0, 60, 0, 1, b'c']);
    assert_eq!(raw.closed(), [0; 0]);
}

#[test]
fn the_common_name_of_a_certificate_becomes_the_user_name() {
    let authority = Authority::new("Test CA");
    let conf = "require_certificate true\nuse_identity_as_username true\nacl_file @DIR@/acl\n\
        allow_anonymous false\n";
    let acl = "user device-1\ntopic readwrite one/#\nuser device-2\ntopic readwrite two/#\n";
    let midge = setup(&authority, conf).file("acl", acl).start();
    for (name, mine, other) in [("device-1", "one/x", "two/x"), ("device-2", "two/x", "one/x")] {
        let own = authority.client(name);
        let raw = midge.raw().tls(&authority, Some(&own));
        // Whatever it says of itself.
        let mut client = midge.v5("client").over(raw).user("device-2", "guess").connect();
        assert_ne!(client.publish(message(mine, "x").qos(QOS1)), ReasonCode::NotAuthorized);
        assert_eq!(client.publish(message(other, "x").qos(QOS1)), ReasonCode::NotAuthorized);
    }
}

#[test]
fn certificates_and_keys_that_cannot_be_used_keep_the_broker_from_starting() {
    let authority = Authority::new("Test CA");
    let good = authority.server();
    let other = authority.server();
    let cases: [(&str, &str, &str, &str); 5] = [
        ("server.crt", "no certificate in it\n", &good.key, authority.pem()),
        ("server.key", &good.certificate, "no key in it\n", authority.pem()),
        // A key of another certificate.
        ("server.", &good.certificate, &other.key, authority.pem()),
        (
            "ca.crt",
            &good.certificate,
            &good.key,
            "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
        ),
        ("server.key", &good.certificate, &good.certificate, authority.pem()),
    ];
    for (named, certificate, key, ca) in cases {
        let setup = Setup::conf(&format!("{CONF}require_certificate true\n"))
            .file("server.crt", certificate)
            .file("server.key", key)
            .file("ca.crt", ca);
        let refusal = setup.try_start().err().unwrap_or_else(|| panic!("started: {named}"));
        assert_ne!(refusal.code, Some(0));
        assert!(refusal.all().contains(named), "{named} is not named: {}", refusal.all());
        assert!(!refusal.all().contains("-----BEGIN PRIVATE"), "{}", refusal.all());
    }
    let absent = Setup::conf(CONF).try_start().err().expect("did not start");
    assert!(absent.all().contains("server.crt"), "{}", absent.all());
}

#[test]
fn a_new_certificate_counts_after_sighup_and_connections_stay() {
    let old = Authority::new("Old CA");
    let midge = setup(&old, "").start();
    let mut client = connect(&midge, &old);
    client.subscribe("t", QOS1);
    let new = Authority::new("New CA");
    new.server().write(midge.directory(), "server");
    midge.reload();
    eventually("the new certificate is shown", || {
        midge.raw().tls(&new, None).try_send_bytes(&[0x10]).then_some(())
    });
    client.ping();
    let over = midge.raw().tls(&new, None);
    let mut other = midge.v5("other").over(over).connect();
    other.publish(message("t", "from the new to the old").qos(QOS1));
    client.expect("t", "from the new to the old");
}

#[test]
fn a_new_authority_for_clients_counts_after_sighup() {
    let old = Authority::new("Old CA");
    let mut midge = setup(&old, "require_certificate true\n").start();
    let new = Authority::new("New CA");
    let own = new.client("device-1");
    midge.rewrite("ca.crt", new.pem());
    midge.reload();
    eventually("a client of the new authority is let in", || {
        let mut raw = midge.raw().tls(&old, Some(&own));
        raw.try_send_bytes(b"\x10\x0d\0\x04MQTT\x04\x02\0\x3c\0\x01c");
        (raw.bytes(4) == [0x20, 2, 0, 0]).then_some(())
    });
}

#[test]
fn a_bad_certificate_at_sighup_leaves_the_old_one_in_force() {
    let authority = Authority::new("Test CA");
    let midge = setup(&authority, "").start();
    std::fs::write(midge.directory().join("server.key"), "broken\n").expect("written");
    midge.reload();
    midge.says(&["server.key"]);
    connect(&midge, &authority).ping();
}

#[test]
fn a_tls_port_and_a_plain_one_are_one_broker() {
    let authority = Authority::new("Test CA");
    let more = "listener @PORT2@ localhost\n";
    let midge = setup(&authority, more).listening(&[1, 2]).start();
    let mut inside = connect(&midge, &authority);
    inside.subscribe("t", QOS1);
    let mut outside = midge.v5("outside").at(midge.port(2)).connect();
    outside.publish(message("t", "hello").qos(QOS1));
    inside.expect("t", "hello");
}

#[test]
fn a_handshake_that_fails_is_one_line_with_address_and_reason() {
    let authority = Authority::new("Test CA");
    let midge = setup(&authority, "require_certificate true\n").start();
    let stranger = Authority::new("Another CA").client("device-1");
    let disconnected = |raw: &midge_tests::Raw| {
        let address = raw.socket().local_addr().expect("an address").to_string();
        midge.says(&["Client", &address, "disconnected: TLS handshake"])
    };
    // A certificate of another authority, none, a client that does not trust ours, no TLS at all.
    let mut raw = midge.raw().tls(&authority, Some(&stranger));
    raw.try_send_bytes(&[0xc0, 0]);
    let line = disconnected(&raw);
    assert!(line.contains("invalid peer certificate"), "{line}");
    let mut raw = midge.raw().tls(&authority, None);
    raw.try_send_bytes(&[0xc0, 0]);
    assert!(disconnected(&raw).contains("sent no certificates"));
    let mut raw = midge.raw().tls(&Authority::new("A third CA"), None);
    raw.try_send_bytes(&[0xc0, 0]);
    assert!(disconnected(&raw).contains("UnknownCA"));
    let mut raw = midge.raw();
    raw.send(&midge.v311("plain").packet(), ProtocolVersion::V311);
    disconnected(&raw);
}

#[test]
fn a_flood_of_failed_handshakes_is_some_lines_and_a_number() {
    let authority = Authority::new("Test CA");
    let midge = setup(&authority, "").start();
    let fail = || {
        let mut raw = midge.raw();
        raw.send_bytes(b"GET / HTTP/1.1\r\n\r\n");
        raw.closed();
    };
    (0..100).for_each(|_| fail());
    eventually("a line with the number of the others", || {
        fail();
        midge.log().contains("others before").then_some(())
    });
    let log = midge.log();
    let lines = log.lines().filter(|line| line.contains("TLS handshake")).count();
    assert!(lines < 50, "{lines} lines");
}
