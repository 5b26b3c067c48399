//! What is malformed is refused, by the form and the Reason Code the documentation names.

use std::collections::{BTreeMap, BTreeSet};

use bytes::BytesMut;
use midge_codec::{DecodeError, decode, decode_connect};

use crate::malformed::{Bad, MAXIMUM_PACKET_SIZE, malformed};
use crate::wire::wire;

fn refusal(bad: &Bad, bytes: &[u8]) -> Option<DecodeError> {
    let mut buffer = BytesMut::from(bytes);
    match bad.version {
        Some(version) => decode(&mut buffer, version, MAXIMUM_PACKET_SIZE).map(|_| ()).err(),
        None => decode_connect(&mut buffer, MAXIMUM_PACKET_SIZE).map(|_| ()).err(),
    }
}

#[test]
fn every_malformed_vector_is_refused_with_its_form_and_reason() {
    for bad in malformed() {
        let error = refusal(&bad, &wire(bad.wire))
            .unwrap_or_else(|| panic!("{:?} of {:?} passed", bad.wire, bad.version));
        assert_eq!(*error.malformed(), bad.malformed, "{:?} of {:?}", bad.wire, bad.version);
        assert_eq!(error.reason() as u8, bad.reason, "{:?} of {:?}", bad.wire, bad.version);
    }
}

/// A packet is waited for only while it can still become a valid one.
#[test]
fn bytes_that_come_one_by_one_are_refused_alike() {
    for bad in malformed() {
        let bytes = wire(bad.wire);
        let first = (0..=bytes.len()).find_map(|length| refusal(&bad, &bytes[..length]));
        assert_eq!(first, refusal(&bad, &bytes), "{:?} of {:?}", bad.wire, bad.version);
    }
}

/// The table in the documentation of `Malformed` is the list of forms: each has a vector here, each
/// vector has its reason there.
#[test]
fn documented_forms_are_those_of_the_vectors() {
    let documented: BTreeMap<String, u8> = include_str!("../../src/decode/error.rs")
        .lines()
        .filter_map(|line| line.strip_prefix("/// | [`"))
        .map(|row| {
            let (name, _) = row.split_once('`').expect("a form");
            let (_, reason) = row.trim_end_matches(" |").rsplit_once("0x").expect("a reason");
            (name.to_owned(), u8::from_str_radix(reason, 16).expect("hexadecimal"))
        })
        .collect();
    let mut seen = BTreeSet::new();
    for bad in malformed() {
        let form = format!("{:?}", bad.malformed);
        let name = form.split([' ', '{']).next().unwrap_or_default().to_owned();
        assert_eq!(documented.get(&name), Some(&(bad.malformed.reason() as u8)), "{name}");
        seen.insert(name);
    }
    let variants = include_str!("../../src/decode/error.rs")
        .split("pub enum Malformed {")
        .nth(1)
        .and_then(|rest| rest.split("\n}\n").next())
        .expect("the enum")
        .lines()
        .filter(|line| {
            line.starts_with("    ") && line.trim_start().starts_with(char::is_uppercase)
        })
        .filter(|line| !line.starts_with("     "))
        .map(|line| line.trim().trim_end_matches([',', '{', ' ']).to_owned())
        .collect::<BTreeSet<_>>();
    assert_eq!(documented.into_keys().collect::<BTreeSet<_>>(), variants, "documented, declared");
    assert_eq!(seen, variants, "with a vector, declared");
}

#[test]
fn messages_say_where_what_was_found_and_what_was_expected() {
    let cases = [
        ("82 02 0001", "SUBSCRIBE: no topic filter, expected at least one"),
        ("30 05 0003 'a/+'", "PUBLISH: topic name: wildcard '+' at byte 2, a Topic Name has none"),
        ("60", "PUBREL: fixed header flags 0b0000, expected 0b0010"),
        ("30 04 ffff 'ab'", "PUBLISH: topic name: 2 bytes left, expected 65535"),
        ("00", "packet type 0 is reserved"),
    ];
    for (bytes, message) in cases {
        let mut buffer = BytesMut::from(&wire(bytes)[..]);
        let error = decode(&mut buffer, midge_codec::ProtocolVersion::V311, 1_000);
        assert_eq!(error.expect_err(bytes).to_string(), message);
    }
}
