//! A table of figures: rows are brokers under a load, columns say what becomes of their runs.
//!
//! Rows of the same load stand together, and the first of them is the subject: a ratio is the
//! subject's value divided by the row's.

use super::row::{Row, Run, median};

/// What a cell shows of a value over the rounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Show {
    Median,
    /// The largest of all: a median would hide the one that somebody waited for.
    Longest,
    /// The median of the subject's value by this one's.
    Ratio,
}

/// One column behind those of load and broker.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Column {
    pub(crate) head: String,
    /// The place of its value in a run.
    pub(crate) value: usize,
    pub(crate) digits: usize,
    pub(crate) show: Show,
}

/// What one scenario, or several of a kind, measured.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Table {
    /// What the JSON, the charts and the bounds call it.
    pub(crate) name: String,
    /// The names of a run's values.
    pub(crate) values: Vec<String>,
    pub(crate) columns: Vec<Column>,
    /// The places of those values that are worth a chart.
    pub(crate) charts: Vec<usize>,
    pub(crate) rows: Vec<Row>,
}

impl Table {
    pub(crate) fn new(name: &str) -> Self {
        Self { name: name.into(), ..Self::default() }
    }

    /// One more value of a run, and a column with its median.
    pub(crate) fn median(self, value: &str, head: &str, digits: usize) -> Self {
        self.measured(value, head, digits, Show::Median)
    }

    /// One more value of a run, and a column with the largest of all rounds.
    pub(crate) fn longest(self, value: &str, head: &str, digits: usize) -> Self {
        self.measured(value, head, digits, Show::Longest)
    }

    /// A column with the subject's share of a value that was named before.
    pub(crate) fn ratio(mut self, value: &str, head: &str) -> Self {
        let value = self.value(value).expect("a ratio is of a value that was named before");
        self.columns.push(Column { head: head.into(), value, digits: 2, show: Show::Ratio });
        self
    }

    /// A chart of the medians of a value that was named before.
    pub(crate) fn chart(mut self, value: &str) -> Self {
        let value = self.value(value).expect("a chart is of a value that was named before");
        self.charts.push(value);
        self
    }

    fn measured(mut self, value: &str, head: &str, digits: usize, show: Show) -> Self {
        self.columns.push(Column { head: head.into(), value: self.values.len(), digits, show });
        self.values.push(value.into());
        self
    }

    /// The place of a value by its name.
    pub(crate) fn value(&self, name: &str) -> Option<usize> {
        self.values.iter().position(|value| value == name)
    }

    /// Adds what `rounds` gave for one load, the subject first.
    pub(crate) fn add(
        &mut self,
        load: &str,
        runs: impl IntoIterator<Item = (String, Vec<Result<Run, String>>)>,
    ) {
        self.rows.extend(runs.into_iter().map(|(broker, runs)| Row {
            load: load.into(),
            broker,
            runs,
        }));
    }

    /// The first row of the same load.
    pub(crate) fn subject<'a>(&'a self, row: &'a Row) -> &'a Row {
        self.rows.iter().find(|other| other.load == row.load).unwrap_or(row)
    }

    fn cell(&self, row: &Row, column: &Column) -> Option<f64> {
        match column.show {
            Show::Median => row.median(column.value),
            Show::Longest => row.values(column.value).reduce(f64::max),
            Show::Ratio => {
                let subject = self.subject(row);
                if std::ptr::eq(subject, row) {
                    return None;
                }
                median(row.ratios(subject, column.value))
            }
        }
    }

    /// The table in Markdown that is aligned to be read as it is. A column without any figure is
    /// left out: what cannot be measured here is no row of dashes.
    pub(crate) fn markdown(&self) -> String {
        let figures = |column| self.rows.iter().map(move |row| self.cell(row, column));
        let filled: Vec<&Column> = self
            .columns
            .iter()
            .filter(|column| figures(column).any(|cell| cell.is_some()))
            .collect();
        let mut head = vec!["load".to_owned(), "broker".to_owned()];
        head.extend(filled.iter().map(|column| column.head.clone()));
        let line = |row: &Row| {
            let mut cells = vec![row.load.clone(), row.broker.clone()];
            cells.extend(filled.iter().map(|column| cell(self.cell(row, column), column.digits)));
            cells
        };
        aligned(&head, &self.rows.iter().map(line).collect::<Vec<_>>(), 2)
    }
}

pub(crate) fn cell(value: Option<f64>, digits: usize) -> String {
    value.map_or_else(|| "-".into(), |value| format!("{value:.digits$}"))
}

/// Columns from `first_number` on are aligned to the right.
pub(crate) fn aligned(head: &[String], rows: &[Vec<String>], first_number: usize) -> String {
    let width = |column: usize| {
        let cells = rows.iter().map(|row| row[column].chars().count());
        cells.chain([head[column].chars().count()]).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..head.len()).map(width).collect();
    let line = |cells: &[String]| {
        let padded = cells.iter().zip(&widths).enumerate().map(|(column, (cell, width))| {
            if column < first_number {
                format!("{cell:<width$}")
            } else {
                format!("{cell:>width$}")
            }
        });
        format!("| {} |\n", padded.collect::<Vec<_>>().join(" | "))
    };
    let rule: Vec<String> = (widths.iter().enumerate())
        .map(|(column, width)| {
            let dashes = "-".repeat(width - 1);
            if column < first_number { format!("{dashes}-") } else { format!("{dashes}:") }
        })
        .collect();
    let body: String = rows.iter().map(|row| line(row)).collect();
    format!("{}{}{body}", line(head), line(&rule))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_medians_longest_and_ratios_to_the_first_broker_of_the_load() {
        let mut table = Table::new("loads")
            .median("cpu_micros", "CPU µs", 2)
            .ratio("cpu_micros", "ratio")
            .longest("wait", "longest ms", 0)
            .median("instructions", "instructions", 0);
        let runs = |list: [[f64; 2]; 3]| list.map(|values| Ok(Run::new(values))).into();
        let midge = runs([[1.0, 5.0], [3.0, 70.0], [2.0, 6.0]]);
        let peer = runs([[4.0, 5.0], [4.0, 5.0], [4.0, f64::NAN]]);
        table.add("pairs", [("midge".to_owned(), midge), ("peer".to_owned(), peer)]);
        assert_eq!(
            table.markdown(),
            "| load  | broker | CPU µs | ratio | longest ms |\n\
             | ----- | ------ | -----: | ----: | ---------: |\n\
             | pairs | midge  |   2.00 |     - |         70 |\n\
             | pairs | peer   |   4.00 |  0.50 |          5 |\n"
        );
    }

    #[test]
    fn tables_are_aligned() {
        let rows = vec![vec!["a".into(), "10.00".into()], vec!["long".into(), "1.0".into()]];
        let text = aligned(&["x".into(), "µs".into()], &rows, 1);
        assert_eq!(
            text,
            "| x    |    µs |\n| ---- | ----: |\n| a    | 10.00 |\n| long |   1.0 |\n"
        );
    }
}
