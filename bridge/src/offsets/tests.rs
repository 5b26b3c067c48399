//! What may be committed while records come, go and come again.

use super::*;

fn done(offsets: &mut Offsets, ticket: u64) -> Option<usize> {
    offsets.done(ticket, None).map(|taken| taken.bytes)
}

fn committable(offsets: &Offsets) -> Vec<(i32, i64)> {
    offsets.committable().into_iter().map(|(_, partition, low)| (partition, low)).collect()
}

#[test]
fn only_what_lies_below_the_lowest_record_under_way_is_committable() {
    let mut offsets = Offsets::default();
    let tickets: Vec<u64> = (10..14).map(|offset| offsets.taken("t", 0, offset, 1, 1)).collect();
    assert_eq!(committable(&offsets), []);
    assert_eq!(done(&mut offsets, tickets[1]), Some(1));
    assert_eq!(committable(&offsets), [], "10 is still under way");
    assert_eq!(done(&mut offsets, tickets[0]), Some(1));
    assert_eq!(committable(&offsets), [(0, 12)]);
    offsets.told("t", 0, 12);
    assert_eq!(committable(&offsets), [], "told once");
    assert_eq!(done(&mut offsets, tickets[3]), Some(1));
    assert_eq!(done(&mut offsets, tickets[2]), Some(1));
    assert_eq!(committable(&offsets), [(0, 14)]);
    assert_eq!(offsets.under_way(), 0);
}

#[test]
fn a_record_of_several_publishes_is_under_way_until_the_last_has_come_back() {
    let mut offsets = Offsets::default();
    let ticket = offsets.taken("t", 0, 5, 7, 3);
    assert_eq!((done(&mut offsets, ticket), done(&mut offsets, ticket)), (None, None));
    assert_eq!((committable(&offsets), offsets.under_way()), (vec![], 1));
    assert_eq!(done(&mut offsets, ticket), Some(7));
    assert_eq!(committable(&offsets), [(0, 6)]);
    assert_eq!(done(&mut offsets, ticket), None, "its place is another's");
}

#[test]
fn skipped_records_advance_the_offset_but_never_past_one_under_way() {
    let mut offsets = Offsets::default();
    offsets.passed("t", 0, 5);
    let ticket = offsets.taken("t", 0, 6, 1, 1);
    offsets.passed("t", 0, 7);
    assert_eq!(committable(&offsets), [(0, 6)]);
    assert_eq!(done(&mut offsets, ticket), Some(1));
    assert_eq!(committable(&offsets), [(0, 8)]);
}

#[test]
fn a_forgotten_partition_neither_counts_nor_commits() {
    let mut offsets = Offsets::default();
    let gone = offsets.taken("t", 0, 1, 1, 1);
    let kept = offsets.taken("t", 1, 1, 1, 1);
    offsets.forget("t", 0);
    assert_eq!(done(&mut offsets, gone), None);
    assert_eq!(done(&mut offsets, kept), Some(1));
    assert_eq!(committable(&offsets), [(1, 2)]);
    // Assigned again, from an earlier offset: the old assignment does not shine through.
    let again = offsets.taken("t", 0, 0, 1, 1);
    assert_eq!(done(&mut offsets, again), Some(1));
    assert_eq!(committable(&offsets), [(0, 1), (1, 2)]);
}

#[test]
fn what_was_not_taken_holds_its_offset_until_it_is_tried_again_or_given_up() {
    let mut offsets = Offsets::default();
    let tickets: Vec<u64> = (5..8).map(|offset| offsets.taken("t", 0, offset, 1, 1)).collect();
    let why = || Some(Arc::from("no"));
    assert_eq!(done(&mut offsets, tickets[2]), Some(1));
    for ticket in &tickets[..2] {
        let taken = offsets.done(*ticket, why()).expect("it has come back");
        assert_eq!(taken.refused.as_deref(), Some("no"));
        assert_eq!(offsets.put_back("t", 0, taken.offset), 1);
    }
    assert_eq!((offsets.waiting(), offsets.under_way()), (2, 0));
    assert_eq!(offsets.under_way_of("t", 0), 0, "nobody waits for them");
    assert_eq!(offsets.to_read_again(), [(Arc::from("t"), 0, 5, 8)]);
    assert_eq!(committable(&offsets), []);
    assert!(offsets.is_settled("t", 0, 7) && offsets.is_settled("t", 0, 5), "not called yet");
    assert!(!offsets.is_settled("t", 0, 8), "it has not been seen");
    offsets.called("t", 0, 6);
    assert_eq!(offsets.waiting(), 1, "5 is below");
    offsets.called("t", 0, 5);
    assert_eq!((offsets.waiting(), offsets.to_read_again().len()), (0, 0));
    assert!(!offsets.is_settled("t", 0, 5), "it comes again");

    let again = offsets.taken("t", 0, 5, 1, 2);
    assert!(offsets.is_settled("t", 0, 5), "it is under way");
    assert!(offsets.done(again, why()).is_none(), "one of two");
    assert!(offsets.done(again, None).expect("both").refused.is_some());
    assert_eq!(offsets.put_back("t", 0, 5), 2);
    assert_eq!(offsets.to_read_again(), [(Arc::from("t"), 0, 5, 8)]);
    assert_eq!(offsets.put_back("t", 0, 6), 2);
    let again = offsets.taken("t", 0, 5, 1, 1);
    assert_eq!(done(&mut offsets, again), Some(1));
    assert_eq!((committable(&offsets), offsets.waiting()), (vec![(0, 6)], 1));
    offsets.give_up("t", 0, 6);
    assert_eq!((committable(&offsets), offsets.waiting()), (vec![(0, 8)], 0));
}
