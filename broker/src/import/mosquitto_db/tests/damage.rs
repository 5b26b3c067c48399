//! Files that are damaged, foreign, or refer to what they do not hold.

use midge_codec::QoS;

use super::file::{File, Message};
use super::{RECORDED, by_hand, outbound, parse};
use crate::import::mosquitto_db::{DatabaseError, OutboundState};

#[test]
fn references_to_messages_that_are_not_there_are_left_out_and_counted() {
    let mut file = File::new(6);
    file.configuration();
    file.message((1, 0), (0, 0), "a", b"", b"");
    let message =
        Message { store_id: 2, packet_id: 1, qos: 1, state: 3, retain_and_dup: 0, direction: 1 };
    file.client_message("c", message, b"");
    file.client_message("c", Message { store_id: 1, qos: 0, state: 1, ..message }, b"");
    // Of QoS 1 from the client: it was never acknowledged, and comes again.
    file.client_message("c", Message { store_id: 1, direction: 0, ..message }, b"");
    file.retained(7);
    let database = parse(&file.bytes).expect("a database");
    assert_eq!(database.left_out, 3);
    let [session] = &database.sessions[..] else { panic!("one session") };
    assert_eq!((session.client_id, session.session_expiry_interval), ("c", u32::MAX));
    assert_eq!(session.outbound, [outbound(0, QoS::AtMostOnce, OutboundState::Queued)]);
    assert!(database.retained.is_empty() && session.inbound.is_empty());
}

#[test]
fn other_files_and_other_versions_are_refused_by_what_they_are() {
    for file in [&b""[..], b"\x00\xb5\x00mosquitto d", b"SQLite format 3\0 and so on"] {
        assert_eq!(parse(file), Err(DatabaseError::NotADatabase));
    }
    let of = |version| parse(&File::new(version).bytes).expect_err("a version").to_string();
    assert_eq!(
        of(4),
        "found format version 4, expected 5 (Mosquitto 1.6) or 6 (2.0, 2.1); a start and a stop of \
         Mosquitto 2.0 rewrites it"
    );
    assert_eq!(of(7), "found format version 7, expected 5 (Mosquitto 1.6) or 6 (2.0, 2.1)");
    assert_eq!(parse(&File::new(6).bytes).map(|database| database.version), Ok(6));
}

#[test]
fn damage_is_told_with_its_place_and_what_was_expected() {
    let damaged = |write: &dyn Fn(&mut File)| {
        let mut file = File::new(6);
        write(&mut file);
        parse(&file.bytes).expect_err("damage").to_string()
    };
    let message =
        Message { store_id: 1, packet_id: 1, qos: 2, state: 8, retain_and_dup: 0, direction: 1 };
    for (found, expected) in [
        (
            damaged(&|file| file.bytes.extend([0, 0, 0])),
            "byte 23, in a chunk header: found 3 bytes to its end, expected 4 bytes of its type",
        ),
        (
            damaged(&|file| file.bytes.extend([0, 0, 0, 4, 0xff, 0xff, 0xff, 0xff])),
            "byte 31, in a chunk header: found 0 bytes to its end, expected 4294967295 bytes of a \
             retained chunk",
        ),
        (
            damaged(&|file| file.chunk(9, &[b"x"])),
            "byte 23, in a chunk header: found chunk type 9, expected a type from 1 to 6",
        ),
        (
            damaged(&|file| file.chunk(1, &[&[0; 9], &[4, 0, 0, 0, 0, 0, 0]])),
            "byte 40, in a configuration chunk: found store ids of 4 bytes, expected 8",
        ),
        (
            damaged(&|file| file.chunk(4, &[&[0; 9]])),
            "byte 39, in a retained chunk: found 1 more bytes, expected its end",
        ),
        (
            damaged(&|file| file.message((1, 0), (3, 0), "a", b"", b"")),
            "byte 61, in a message chunk: found QoS 3, expected 0, 1 or 2",
        ),
        (
            damaged(&|file| file.message((1, u64::MAX), (0, 0), "a", b"", b"")),
            "byte 39, in a message chunk: found -1, expected the expiry time in seconds",
        ),
        (
            damaged(&|file| file.message((1, 0), (0, 0), "", b"", b"")),
            "byte 72, in a message chunk: found nothing, expected a topic",
        ),
        (
            damaged(&|file| file.message((1, 0), (0, 0), "a", b"", b"\x02\x01")),
            "byte 73, in a message chunk: found properties of 2 bytes, expected the 1 bytes that \
             are left",
        ),
        (
            damaged(&|file| file.message((1, 0), (0, 0), "a", b"", b"\x01\x11")),
            "byte 74, in a message chunk: found property 0x11, expected a property of PUBLISH",
        ),
        (
            damaged(&|file| file.message((1, 0), (0, 0), "a", b"", b"\xff\xff\xff\xff")),
            "byte 73, in a message chunk: found a fifth byte, expected four bytes at most of the \
             length of properties",
        ),
        (
            damaged(&|file| {
                file.message((1, 0), (0, 0), "a", b"", b"");
                file.message((1, 0), (0, 0), "a", b"", b"");
            }),
            "byte 81, in a message chunk: found a store id for the second time, expected one of its \
             own",
        ),
        (
            damaged(&|file| file.client("a\0b", (0, 0), b"")),
            "byte 56, in a client chunk: found U+0000, expected a client id",
        ),
        (
            damaged(&|file| file.client_message("c", message, b"")),
            "byte 44, in a client message chunk: found state 8, packet id 1, ExactlyOnce, expected \
             those of a message to be sent",
        ),
        (
            damaged(&|file| file.client_message("c", Message { direction: 0, ..message }, b"")),
            "byte 44, in a client message chunk: found state 8, expected one of a message received",
        ),
        (
            damaged(&|file| file.client_message("c", Message { direction: 2, ..message }, b"")),
            "byte 46, in a client message chunk: found direction 2, expected 0 (from the client) or \
             1 (to it)",
        ),
        (
            damaged(&|file| file.subscription("c", "", (0, 0, 0))),
            "byte 44, in a subscription chunk: found nothing, expected a topic filter",
        ),
    ] {
        assert_eq!(found, expected);
    }
}

#[test]
fn a_file_cut_anywhere_but_between_chunks_is_an_error() {
    for file in [RECORDED, &by_hand(File::new(5))] {
        let mut chunk_ends = vec![23];
        while let Some(header) = file[*chunk_ends.last().unwrap()..].first_chunk::<8>() {
            let length = u32::from_be_bytes(*header.last_chunk().unwrap()) as usize;
            chunk_ends.push(chunk_ends.last().unwrap() + 8 + length);
        }
        assert_eq!(chunk_ends.last(), Some(&file.len()));
        for length in 0..=file.len() {
            let whole = parse(&file[..length]).is_ok();
            assert_eq!(whole, chunk_ends.contains(&length), "{length} bytes");
        }
    }
}

#[test]
fn flipped_bits_anywhere_never_panic_and_never_lead_out_of_the_file() {
    for original in [RECORDED, &by_hand(File::new(5)), &by_hand(File::new(6))] {
        let mut file = original.to_vec();
        for at in 0..file.len() {
            for mask in [1, 2, 4, 8, 16, 32, 64, 128, 255] {
                file[at] ^= mask;
                check_bounds(&file);
                file[at] ^= mask;
            }
        }
        assert_eq!(file, original);
    }
}

#[test]
fn many_flipped_bytes_and_cuts_at_once_never_panic() {
    // Numerical Recipes' generator: the same damage in every run.
    let mut state = 1_u64;
    let mut random = |below: usize| {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % below
    };
    for round in 0..20_000 {
        let original = if round % 2 == 0 { RECORDED } else { &by_hand(File::new(6)) };
        // Behind the header, which is soon refused.
        let mut file = original[..24 + random(original.len() - 23)].to_vec();
        for _ in 0..=random(6) {
            let at = 23 + random(file.len() - 23);
            file[at] = [random(256), 0, 0xff, 0x7f][random(4)] as u8;
        }
        check_bounds(&file);
    }
}

/// Every place exists, and no more was made of a file than it has bytes.
fn check_bounds(file: &[u8]) {
    let Ok(database) = parse(file) else { return };
    let messages = database.messages.len();
    let mut places = database.retained.clone();
    for session in &database.sessions {
        assert!(!session.client_id.is_empty());
        places.extend(session.inbound.iter().map(|inbound| inbound.message));
        places.extend(session.outbound.iter().map(|outbound| outbound.message));
    }
    assert!(places.iter().all(|place| *place < messages));
    assert!(messages + places.len() + database.sessions.len() <= file.len());
}
