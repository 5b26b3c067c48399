//! Handing dead letters to librdkafka: what goes to Kafka in the place of what did not come through.
//!
//! Invariant: an entry is passed over only once Kafka has its dead letter, or has found it too large
//! without a value.

use std::sync::Arc;
use std::time::Instant;

use midge_codec::ReasonCode;

use super::send::{Unsent, hand_over};
use super::tally::LETTERS;
use super::{Connected, Feeder};
use crate::spool::Report;

impl Feeder {
    /// Hands over the dead letters of one lane.
    pub(super) fn post_letters(&mut self, lane_index: usize) {
        let Some(Connected { client, topics, .. }) = &mut self.connected else { return };
        let (lane, topic) = (&mut self.lanes[lane_index], &mut topics[lane_index]);
        while let Some((position, letter)) = lane.letters.pop_front() {
            let place = self.slots.insert((lane_index, position, LETTERS));
            let unsent = match hand_over(client, &letter, place, topic) {
                Ok(()) => {
                    if lane.in_flight == 0 {
                        self.pulse.began(Instant::now());
                    }
                    lane.in_flight += 1;
                    lane.posted.insert(position, letter);
                    continue;
                }
                Err(unsent) => unsent,
            };
            self.slots.remove(place);
            let (why, too_large) = match unsent {
                Unsent::Full => {
                    lane.letters.push_front((position, letter));
                    return;
                }
                Unsent::Refused(why, reason) => (why, reason == ReasonCode::PacketTooLarge),
                _ => ("there is no such topic".to_owned(), false),
            };
            if let Some(Report::Delivered) = lane.letter_refused(position, letter, &why, too_large)
            {
                let source = Arc::clone(&lane.source);
                source.with(|spool, now| {
                    if let Some(message) = spool.report(now, position, Report::Delivered) {
                        source.health.refused(&message.topic, &why);
                    }
                });
            }
        }
    }
}
