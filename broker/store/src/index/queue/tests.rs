use std::collections::BTreeMap;

use super::*;

/// The same queue, as plainly as can be.
#[derive(Default)]
struct Plain(BTreeMap<u64, (u32, Slot)>);

impl Plain {
    fn kill_below(&mut self, below: u64) -> u64 {
        let rest = self.0.split_off(&below);
        std::mem::replace(&mut self.0, rest).values().map(|(_, slot)| u64::from(slot.weight)).sum()
    }
}

fn agree(queue: &Queue, plain: &Plain) {
    assert_eq!(queue.entries, plain.0.len() as u64);
    assert_eq!(queue.bytes, plain.0.values().map(|(_, slot)| u64::from(slot.weight)).sum::<u64>());
    assert_eq!(queue.first(), plain.0.keys().next().copied());
    assert_eq!(queue.last(), plain.0.keys().last().copied());
    let living: Vec<_> = queue.living_from(0).collect();
    let expected: Vec<_> =
        plain.0.iter().map(|(position, (segment, slot))| (*position, *segment, *slot)).collect();
    assert_eq!(living, expected);
}

#[test]
fn a_queue_agrees_with_a_plain_map_whatever_happens() {
    for seed in 0..300_u64 {
        let mut state = seed;
        let mut random = |below: u64| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) % below
        };
        let (mut queue, mut plain) = (Queue::default(), Plain::default());
        let (mut next, mut segment, mut offset) = (0, 1, 0);
        for step in 0..400 {
            offset += 8;
            let slot = Slot { offset, weight: 1 + random(50) as u32 };
            match random(20) {
                0 => segment += 1,
                1..=8 => {
                    next += 1 + [0, 0, 0, 2, 40][random(5) as usize];
                    assert_eq!(
                        queue.insert(next, segment, slot),
                        plain.0.insert(next, (segment, slot))
                    );
                }
                // Late, or moved.
                9..=12 => {
                    let position = next.saturating_sub(random(60));
                    let before = plain.0.insert(position, (segment, slot));
                    assert_eq!(
                        queue.insert(position, segment, slot),
                        before,
                        "seed {seed} step {step}"
                    );
                }
                13..=17 => {
                    let position = next.saturating_sub(random(60));
                    assert_eq!(queue.kill(position), plain.0.remove(&position));
                }
                18 => {
                    let below = next.saturating_sub(random(200));
                    let mut freed = 0;
                    queue.kill_below(below, |_, weight| freed += weight);
                    assert_eq!(freed, plain.kill_below(below));
                }
                _ => {
                    let count = random(6) as u32;
                    let behind =
                        plain.0.keys().take(count as usize).next_back().map(|last| last + 1);
                    assert_eq!(queue.behind_first(count), behind);
                }
            }
            agree(&queue, &plain);
            let from = next.saturating_sub(random(100));
            let first = queue.living_from(from).next().map(|(position, _, _)| position);
            assert_eq!(first, plain.0.range(from..).next().map(|(position, _)| *position));
        }
        let state = queue.to_state(true);
        let mut fuller = queue;
        for position in 0..next {
            if fuller.place(position).is_none() {
                fuller.insert(position, 99, Slot { offset: 8, weight: 1 });
            }
        }
        fuller.adopt(&state, |_, _| {});
        agree(&fuller, &plain);
    }
}

#[test]
fn neighbours_share_a_run() {
    let mut queue = Queue::default();
    for position in 0..10_000 {
        queue.insert(position, 1, Slot { offset: 32 + position as u32, weight: 1 });
    }
    assert_eq!(queue.runs.len(), 1);
    // As compaction moves them: in order, into another segment.
    for position in 0..5_000 {
        queue.insert(position, 2, Slot { offset: 32 + position as u32, weight: 1 });
    }
    assert_eq!(queue.runs.len(), 2);
    queue.kill_below(9_999, |_, _| {});
    assert_eq!((queue.runs.len(), queue.entries), (1, 1));
}

#[test]
fn acknowledgements_ahead_of_their_entries_are_bounded() {
    let mut queue = Queue::default();
    for position in 0..EARLY as u64 + 10 {
        queue.note_early(position);
    }
    assert_eq!(queue.early.len(), EARLY);
    assert!(!queue.early.contains(&9) && queue.early.contains(&10));
    queue.trim(1_000, |_, _| {});
    assert_eq!(queue.early.first(), Some(&1_000));
}
