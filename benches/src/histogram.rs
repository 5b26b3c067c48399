//! Latencies counted in logarithmic buckets.
//!
//! A bucket is at most 1/64 of its value wide, so a percentile is read with an error under 1.6 %,
//! and recording costs one addition whatever the number of samples.

use std::time::Duration;

/// Sub-buckets for every power of two.
const STEPS: u64 = 64;

/// Counts of durations.
#[derive(Clone)]
pub(crate) struct Histogram {
    counts: Vec<u64>,
    total: u64,
}

impl Histogram {
    pub(crate) fn new() -> Self {
        Self { counts: vec![0; bucket(u64::MAX) + 1], total: 0 }
    }

    pub(crate) fn record(&mut self, nanos: u64) {
        self.counts[bucket(nanos)] += 1;
        self.total += 1;
    }

    /// The smallest bucket end that `share` (0 to 1) of the samples do not exceed.
    pub(crate) fn percentile(&self, share: f64) -> Option<Duration> {
        let rank = ((self.total as f64 * share).ceil() as u64).clamp(1, self.total.max(1));
        let mut seen = 0;
        let found = self.counts.iter().position(|count| {
            seen += count;
            seen >= rank
        })?;
        Some(Duration::from_nanos(bucket_end(found)))
    }
}

fn bucket(nanos: u64) -> usize {
    // Below 64 every value has its own bucket; above, the six bits after the leading one choose.
    let shift = (63 - (nanos | STEPS).leading_zeros()) - STEPS.ilog2();
    (u64::from(shift) * STEPS + (nanos >> shift)) as usize
}

fn bucket_end(index: usize) -> u64 {
    let index = index as u64;
    if index < 2 * STEPS {
        return index;
    }
    let shift = index / STEPS - 1;
    let low = (STEPS + index % STEPS) << shift;
    low + ((1 << shift) - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_lies_in_its_bucket_within_two_percent() {
        for nanos in (0..5_000).chain((0..56).map(|bit| (1u64 << bit) * 77 / 50)) {
            let end = bucket_end(bucket(nanos));
            assert!(end >= nanos && end - nanos <= nanos / 64, "{nanos} in a bucket ending {end}");
            assert_eq!(bucket(end), bucket(nanos));
        }
        assert!(bucket(u64::MAX) < 4_096);
    }

    #[test]
    fn percentiles_of_one_to_a_thousand_are_their_ranks() {
        let mut histogram = Histogram::new();
        (1..=1_000).for_each(|micros| histogram.record(micros * 1_000));
        for (share, micros) in [(0.5, 500.0), (0.99, 990.0), (0.999, 999.0), (1.0, 1_000.0)] {
            let found = histogram.percentile(share).unwrap().as_secs_f64() * 1e6;
            assert!((found / micros - 1.0).abs() < 0.016, "{share}: {found} is not {micros}");
        }
    }

    #[test]
    fn an_empty_histogram_has_no_percentile() {
        assert_eq!(Histogram::new().percentile(0.99), None);
    }
}
