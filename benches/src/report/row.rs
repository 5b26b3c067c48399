//! What a broker showed in every round, and how that becomes one figure.
//!
//! A ratio is made within one round, where both brokers met the same machine; the table shows the
//! median of these ratios and not the ratio of medians.

use crate::window::Faults;

/// What one run showed: the values of its table, in the table's order.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Run {
    /// NaN where a run has no such value.
    pub(crate) values: Vec<f64>,
    /// Deliveries that were checked.
    pub(crate) messages: u64,
    pub(crate) faults: Faults,
}

impl Run {
    /// A run that delivered nothing that could be lost.
    pub(crate) fn new(values: impl Into<Vec<f64>>) -> Self {
        Self { values: values.into(), ..Self::default() }
    }
}

/// All runs of one broker under one load, in the order of the rounds.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Row {
    pub(crate) load: String,
    pub(crate) broker: String,
    pub(crate) runs: Vec<Result<Run, String>>,
}

impl Row {
    /// That value in every run that has it.
    pub(crate) fn values(&self, place: usize) -> impl Iterator<Item = f64> {
        let values = self.runs.iter().flatten().filter_map(move |run| run.values.get(place));
        values.copied().filter(|value| value.is_finite())
    }

    pub(crate) fn median(&self, place: usize) -> Option<f64> {
        median(self.values(place))
    }

    /// The subject's value divided by this one's, in every round in which both delivered all: what
    /// was not delivered was cheap.
    pub(crate) fn ratios(&self, subject: &Self, place: usize) -> Vec<f64> {
        let value = |run: &Result<Run, String>| {
            let run = run.as_ref().ok().filter(|run| run.faults.lost == 0)?;
            run.values.get(place).copied()
        };
        let rounds = subject.runs.iter().zip(&self.runs);
        let ratios = rounds.filter_map(|(first, second)| Some(value(first)? / value(second)?));
        ratios.filter(|ratio| ratio.is_finite()).collect()
    }

    /// What all runs did wrong together; a run that did not end is a fault.
    pub(crate) fn faults(&self) -> Faults {
        let mut sum = Faults::default();
        for run in &self.runs {
            match run {
                Ok(run) => sum.merge(run.faults.clone()),
                Err(error) => sum.violation(error.clone()),
            }
        }
        sum
    }
}

/// The middle value, or the mean of the two in the middle; `None` without a value.
pub(crate) fn median(values: impl IntoIterator<Item = f64>) -> Option<f64> {
    let mut values: Vec<f64> = values.into_iter().filter(|value| value.is_finite()).collect();
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => None,
        count if count % 2 == 1 => Some(values[middle]),
        _ => Some(f64::midpoint(values[middle - 1], values[middle])),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn median_is_the_middle_whatever_the_order() {
        assert_eq!(median([3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median([4.0, 1.0, 2.0, 3.0]), Some(2.5));
        assert_eq!(median([f64::NAN, 7.0]), Some(7.0));
        assert_eq!(median([]), None);
    }

    #[test]
    fn ratio_is_made_within_a_round_and_skips_failed_ones() {
        let row = |runs: [Option<f64>; 4]| Row {
            load: "pairs".into(),
            broker: "any".into(),
            runs: runs.map(|run| run.map(|value| Run::new([value])).ok_or("gone".into())).into(),
        };
        let midge = row([Some(1.0), Some(8.0), Some(3.0), None]);
        let peer = row([Some(2.0), Some(80.0), Some(4.0), Some(1.0)]);
        assert_eq!(peer.ratios(&midge, 0), [0.5, 0.1, 0.75]);
        assert!(peer.ratios(&midge, 1).is_empty());
        let mut lossy = peer;
        lossy.runs[0].as_mut().unwrap().faults.lost = 1;
        assert_eq!(lossy.ratios(&midge, 0), [0.1, 0.75]);
        assert_eq!(midge.faults().violations, ["gone"]);
    }
}
