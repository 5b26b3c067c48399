use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

fn drained(log: &mut Log<u32>) -> Vec<u32> {
    let mut all = Vec::new();
    while let Some((_, item)) = log.take() {
        all.push(*item);
    }
    all
}

#[test]
fn entries_come_in_order_and_again_after_a_rewind_unless_finished() {
    let mut log = Log::new(100, 100_000);
    for item in 0..5 {
        log.push(item, 1).expect("there is room");
    }
    assert_eq!(drained(&mut log), [0, 1, 2, 3, 4]);
    assert_eq!(log.finish(1), Some(1));
    assert_eq!(log.front(), Some((0, &0)));
    assert_eq!(log.finish(3), Some(3));
    assert_eq!(log.finish(3), None, "once only");
    log.rewind();
    assert_eq!(drained(&mut log), [0, 2, 4]);
    log.rewind_to(2);
    assert_eq!(drained(&mut log), [2, 4]);
    assert_eq!(log.finish(0), Some(0));
    assert_eq!(log.front(), Some((2, &2)), "the lowest unfinished one");
}

#[test]
fn back_pressure_begins_at_the_limit_and_ends_at_half_of_it() {
    let mut log = Log::new(4, 1_000_000);
    for item in 0..3 {
        log.push(item, 1).expect("there is room");
        assert_eq!(log.pressure(), None);
    }
    log.push(3, 1).expect("there is room");
    assert_eq!(log.pressure(), Some(true));
    assert_eq!(log.pressure(), None, "said once");
    log.finish(0);
    assert_eq!(log.pressure(), None, "three are more than half");
    log.finish(1);
    assert_eq!(log.pressure(), Some(false));
}

#[test]
fn bytes_bound_it_as_entries_do_and_the_overrun_is_the_end() {
    let mut log = Log::new(1_000, 1_000);
    log.push(0, 936).expect("there is room");
    assert_eq!(log.pressure(), Some(true));
    log.push(1, OVERRUN_BYTES - ENTRY_BYTES).expect("what was under way still fits");
    assert_eq!(log.push(2, 1), Err(2));
    log.finish(0);
    log.finish(1);
    assert_eq!((log.open(), log.bytes()), (0, 0));
    log.push(3, 5_000).expect("an empty log takes anything");
}

proptest! {
    /// Against a plain list: every unfinished entry comes, in order, after any rewinds.
    #[test]
    fn nothing_unfinished_is_lost_and_order_holds(
        steps in prop::collection::vec((0..5_u8, 0..40_u64), 1..200),
    ) {
        let mut log = Log::new(1_000_000, 1_000_000_000);
        let mut next = 0_u64;
        let mut open = BTreeSet::new();
        let mut cursor = 0_u64;
        for (step, number) in steps {
            match step {
                0 | 1 => {
                    log.push(next, 1).expect("there is room");
                    open.insert(next);
                    next += 1;
                }
                2 => {
                    let expected = open.range(cursor..).next().copied();
                    let found = log.take().map(|(sequence, item)| (sequence, *item));
                    prop_assert_eq!(found, expected.map(|item| (item, item)));
                    cursor = expected.map_or(cursor, |item| item + 1);
                }
                3 => prop_assert_eq!(log.finish(number).is_some(), open.remove(&number)),
                _ => {
                    log.rewind_to(number);
                    cursor = cursor.min(number);
                }
            }
            prop_assert_eq!(log.open(), open.len());
        }
        log.rewind();
        let mut rest = Vec::new();
        while let Some((_, item)) = log.take() {
            rest.push(*item);
        }
        prop_assert_eq!(rest, open.into_iter().collect::<Vec<_>>());
    }
}
