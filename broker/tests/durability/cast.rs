//! Who takes part: publishers, subscribers that stay, that come and go, and in groups.

use midge_codec::{ProtocolVersion, QoS};

use crate::client::Character;
use crate::ledger::{View, Wish};
use crate::random::Random;

/// The first clients publish; each of them has a topic with retained messages of its own.
pub(crate) const PUBLISHERS: usize = 5;
/// Members of the shared subscription whose members are all stored.
pub(crate) const MEMBERS: [usize; 3] = [9, 10, 11];
const COUNT: usize = 20;

const QOS0: QoS = QoS::AtMostOnce;
const QOS1: QoS = QoS::AtLeastOnce;
const QOS2: QoS = QoS::ExactlyOnce;

/// Filters, their QoS, and whether they come and go.
fn wishes(number: usize) -> &'static [(&'static str, QoS, bool)] {
    match number {
        5 => &[("#", QOS2, false)],
        6 => &[("a/+", QOS1, false), ("toggle/+", QOS2, true)],
        7 => &[("a/one", QOS2, false), ("toggle/z", QOS1, true)],
        8 => &[("+/one", QOS0, false), ("toggle/#", QOS2, true)],
        9 | 10 => &[("$share/g/shared/#", QOS1, false)],
        11 => &[("$share/g/shared/#", QOS2, false)],
        12 | 13 => &[("$share/mixed/shared/#", QOS2, false)],
        14 => &[("a/+", QOS2, false)],
        15 => &[("tap/#", QOS2, false), ("will/#", QOS2, false)],
        16 => &[("a/+", QOS2, false), ("will/w", QOS1, false)],
        17 => &[("kept/+", QOS1, false), ("toggle/+", QOS1, true)],
        18 => &[("pair/p", QOS1, false)],
        19 => &[("pair/p", QOS2, false)],
        _ => &[],
    }
}

pub(crate) fn cast(random: &mut Random) -> Vec<(Character, View)> {
    (0..COUNT)
        .map(|number| {
            let v5 = random.chance(50) || matches!(number, 16);
            let lasting = !matches!(number, 4 | 13 | 14);
            let will = match number {
                3 | 16 | 17 => Some((
                    if random.chance(50) { QOS1 } else { QOS2 },
                    if random.chance(50) { 0 } else { 1 + random.below(5) as u32 },
                )),
                _ => None,
            };
            let character = Character {
                version: if v5 { ProtocolVersion::V5 } else { ProtocolVersion::V311 },
                lasting,
                expiry: (v5 && number == 16).then(|| 1_000 * (20 + random.below(40) as u64)),
                restless: number == 16 || number == 14,
                will,
                receive_maximum: number.is_multiple_of(3).then_some(2),
                aliases: number.is_multiple_of(2).then_some(3),
                ids: [9, 40, 900][random.below(3)],
            };
            let wishes = wishes(number).iter();
            let wishes = wishes.map(|(filter, qos, changes)| Wish::new(filter, *qos, *changes));
            (character, View::of(wishes.collect()))
        })
        .collect()
}
