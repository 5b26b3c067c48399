//! What becomes of a figure when there is more of something: the table that says whether it is flat.
//!
//! A line is made of the runs of one broker at several sizes, round by round, so that the sizes
//! compared met the same machine.

use std::io;

use crate::process::Contender;
use crate::report::{Run, Table};
use crate::scenario::{Bench, names, rounds};

/// What one run showed at one size.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Point {
    pub(crate) cpu_micros: f64,
    /// Of the broker, with everything of that size there.
    pub(crate) resident_bytes: f64,
}

/// The runs of all brokers at one size, as `rounds` gives them.
pub(crate) type Runs = Vec<(String, Vec<Result<Point, String>>)>;

/// What came of every broker in every round, by size.
pub(crate) type BySize<T> = Vec<(u64, Vec<(String, Vec<Result<T, String>>)>)>;

/// Runs all brokers at all sizes in every round; every second round goes in the reverse order.
pub(crate) fn at_sizes<T>(
    bench: &Bench<'_>,
    sizes: &[u64],
    mut run: impl FnMut(&Contender, u64) -> io::Result<T>,
) -> BySize<T> {
    let contenders = bench.brokers();
    let places: Vec<(u64, &Contender)> = sizes
        .iter()
        .flat_map(|size| contenders.iter().map(|contender| (*size, *contender)))
        .collect();
    let named: Vec<&Contender> = places.iter().map(|(_, contender)| *contender).collect();
    let runs = rounds(bench.options.rounds, &names(&named), |place| {
        let (size, contender) = places[place];
        run(contender, size)
    });
    let mut runs = runs.into_iter();
    let next = |size: &u64| (*size, runs.by_ref().take(contenders.len()).collect());
    sizes.iter().map(next).collect()
}

/// What a line needs of the runs at one size.
pub(crate) fn points<T>(
    runs: &[(String, Vec<Result<T, String>>)],
    point: impl Fn(&T) -> Point,
) -> Runs {
    let of = |run: &Result<T, String>| run.as_ref().map(&point).map_err(Clone::clone);
    runs.iter().map(|(broker, runs)| (broker.clone(), runs.iter().map(of).collect())).collect()
}

/// A table without lines yet.
pub(crate) fn table() -> Table {
    Table::new("growth")
        .median("cpu_micros_first", "CPU µs at the first", 2)
        .median("cpu_micros_last", "at the last", 2)
        .median("last_by_first", "last/first", 2)
        .median("highest_by_lowest", "highest/lowest", 2)
        .median("resident_bytes_slope", "bytes for each more", 0)
}

/// Adds a line a broker; the sizes go up, and every size has the same brokers.
pub(crate) fn add(table: &mut Table, load: &str, sizes: &[(u64, Runs)]) {
    let Some((_, first)) = sizes.first() else { return };
    let brokers = first.iter().enumerate().map(|(place, (broker, runs))| {
        let round = |round: usize| {
            let point =
                |(size, all): &(u64, Runs)| Some((*size, all[place].1[round].clone().ok()?));
            let points: Option<Vec<_>> = sizes.iter().map(point).collect();
            // The failed run is a fault in the table that it belongs to.
            Ok(Run::new(points.map_or([f64::NAN; 5], |points| line(&points))))
        };
        (broker.clone(), (0..runs.len()).map(round).collect::<Vec<_>>())
    });
    let brokers: Vec<_> = brokers.collect();
    table.add(load, brokers);
}

fn line(points: &[(u64, Point)]) -> [f64; 5] {
    let (Some((least, first)), Some((most, last))) = (points.first(), points.last()) else {
        return [f64::NAN; 5];
    };
    let costs = || points.iter().map(|(_, point)| point.cpu_micros);
    let (lowest, highest) = (costs().fold(f64::INFINITY, f64::min), costs().fold(0.0, f64::max));
    let slope = (last.resident_bytes - first.resident_bytes) / (most - least) as f64;
    [first.cpu_micros, last.cpu_micros, last.cpu_micros / first.cpu_micros, highest / lowest, slope]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(cpu_micros: f64, resident_bytes: f64) -> Result<Point, String> {
        Ok(Point { cpu_micros, resident_bytes })
    }

    #[test]
    fn line_compares_the_sizes_within_a_round() {
        let midge = |runs| vec![("midge".to_owned(), runs)];
        let sizes = [
            (10, midge(vec![point(2.0, 1_000.0), point(4.0, 1_000.0)])),
            (20, midge(vec![point(1.0, 1_000.0), Err("gone".into())])),
            (110, midge(vec![point(3.0, 201_000.0), point(3.0, 9_000.0)])),
        ];
        let mut table = table();
        add(&mut table, "10 → 110", &sizes);
        let row = &table.rows[0];
        assert_eq!(row.runs[0].as_ref().unwrap().values, [2.0, 3.0, 1.5, 3.0, 2_000.0]);
        let places = 0..table.values.len();
        let medians: Vec<_> = places.map(|place| row.median(place)).collect();
        assert_eq!(medians[4], Some(2_000.0), "a round with a failed run has no line");
    }
}
