use super::*;

fn records() -> Vec<Record<'static>> {
    let early = vec![4, 9, u64::MAX - 1];
    let living = Some(vec![(0, 3), (7, 1), (1 << 40, 12)]);
    let exact = QueueState { removed: false, trim: 3, next: 1 << 63, early, living };
    vec![
        Record::Acknowledge { queue: 1, position: 127 },
        Record::Early { queue: 128, position: u64::MAX },
        Record::Consumed { queue: u64::MAX, position: 0 },
        Record::Trim { queue: 3, below: 1 << 35 },
        Record::Drop { queue: 3, below: 16_384 },
        Record::Remove { queue: 77 },
        Record::State { queue: 5, state: exact },
        Record::State { queue: 5, state: QueueState { removed: true, ..QueueState::default() } },
        Record::Put { version: 300, key: b"key", value: b"value" },
        Record::Put { version: 0, key: b"", value: b"" },
        Record::Delete { version: 1, key: b"key" },
    ]
}

#[test]
fn records_are_decoded_as_they_were_encoded() {
    let mut bytes = Vec::new();
    for record in records() {
        let start = bytes.len();
        encode(&mut bytes, &record);
        assert!(
            matches!(record, Record::State { .. }) || bytes.len() - start <= RECORD_OVERHEAD + 8
        );
    }
    let mut cursor = Cursor(&bytes);
    for record in records() {
        let (kind, body) = cursor.record().expect("a record");
        assert_eq!(decode(kind, body), Some(record));
    }
    assert!(cursor.0.is_empty());
}

#[test]
fn an_append_gives_each_queue_its_tag_and_the_entry() {
    let references = [(1, 10, &b"a"[..]), (2, u64::MAX, b""), (3, 300, b"ccc")];
    let mut bytes = Vec::new();
    encode_append(&mut bytes, references.iter().copied(), b"entry");
    let (kind, body) = Cursor(&bytes).record().expect("a record");
    assert!(is_intact(kind, body));
    for (queue, position, tag) in references {
        let (found, entry) = find_entry(body, queue, position).expect("a reference");
        assert_eq!((&found[..], &entry[..]), (tag, &b"entry"[..]));
    }
    assert_eq!(find_entry(body, 1, 11), None);
}

#[test]
fn a_batch_is_believed_whole_in_its_place_and_nowhere_else() {
    let mut batch = vec![0; HEADER];
    batch.extend_from_slice(b"twelve bytes");
    seal_batch(&mut batch, 7, 42, 41, 99);
    let found = Found::Batch { lsn: 42, durable_lsn: 41, length: 12 };
    assert_eq!(parse(&batch, 7, 99), Some(found));
    assert_eq!(found.size(), 48);
    assert_eq!(parse(&batch, 8, 99), None, "another segment");
    assert_eq!(parse(&batch, 7, 98), None, "another directory");
    assert_eq!(parse(&batch[..40], 7, 99), Some(Found::Longer { length: 12 }));
    for byte in 0..batch.len() {
        let mut damaged = batch.clone();
        damaged[byte] ^= 0x10;
        let found = parse(&damaged, 7, 99);
        assert!(!matches!(found, Some(Found::Batch { .. })), "byte {byte}");
    }
}

#[test]
fn a_void_says_what_is_lost() {
    let header = void(3, [5, 9], 64, 1);
    let found = Found::Void { first_lsn: 5, last_lsn: 9, length: 64 };
    assert_eq!(parse(&header, 3, 1), Some(found));
}

#[test]
fn a_segment_of_another_version_or_directory_is_told_from_a_damaged_one() {
    let header = segment_header(12, 5);
    assert_eq!(parse_segment_header(&header, 12, 5), SegmentHeader::Ours);
    assert!(matches!(parse_segment_header(&header, 12, 6), SegmentHeader::Foreign(_)));
    assert!(matches!(parse_segment_header(&header, 13, 5), SegmentHeader::Foreign(_)));
    let mut damaged = header;
    damaged[9] ^= 1;
    assert_eq!(parse_segment_header(&damaged, 12, 5), SegmentHeader::Bad);
}

#[test]
fn a_marker_of_something_else_is_named() {
    assert_eq!(parse_marker(marker(0xabc).as_bytes()), Ok(0xabc));
    let newer = parse_marker(b"midge-store 2 00ff other words\n").unwrap_err();
    assert_eq!(newer, "found a journal of format 2");
    let other = parse_marker(b"\x7fELF").unwrap_err();
    assert!(other.contains("another program"), "{other}");
}

#[test]
fn random_bytes_are_never_a_reason_to_panic() {
    let mut state = 1_u64;
    for _ in 0..20_000 {
        let bytes: Vec<u8> = (0..40)
            .map(|_| {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                // Mostly small numbers, so that counts and lengths fit now and then.
                if state >> 62 == 0 { (state >> 33) as u8 } else { (state >> 33) as u8 & 7 }
            })
            .collect();
        for kind in 0..12 {
            if let Some(Record::Append { references, .. }) = decode(kind, &bytes) {
                assert!(references.count() <= 40);
            }
        }
        let _ = Cursor(&bytes).record();
        let _ = (parse(&bytes, 0, 0), parse_segment_header(&bytes, 0, 0), parse_marker(&bytes));
    }
}
