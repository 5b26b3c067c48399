//! Everything one invocation measured, as text and as JSON.
//!
//! What a scenario measures is a table; what does not fit one is told in its own words.

use serde_json::Value;

mod bounds;
mod chart;
mod figures;
mod row;
mod saved;
mod table;

pub(crate) use row::{Row, Run};
pub(crate) use table::{Table, aligned};

use crate::load::Figures;
use crate::window::Faults;

/// A load thread that is busier than this, in cores, sets the pace.
const BUSY: f64 = 0.95;

/// All runs of one broker under one load, in the order of the rounds.
pub(crate) struct Series {
    pub(crate) load: String,
    pub(crate) broker: String,
    pub(crate) runs: Vec<Result<Figures, String>>,
}

/// What a scenario says without a table of the usual kind.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Account {
    name: String,
    markdown: String,
    clean: bool,
    json: Value,
}

/// Everything one invocation measured.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Report {
    /// In the order in which they were measured.
    pub(crate) tables: Vec<Table>,
    pub(crate) accounts: Vec<Account>,
    pub(crate) versions: Vec<(String, String)>,
    /// The machine and the load, one line each.
    pub(crate) circumstances: Vec<String>,
    /// What was not run, with the reason.
    pub(crate) skipped: Vec<String>,
}

impl Report {
    /// Adds a table, or its rows to the one that has its name.
    pub(crate) fn add(&mut self, table: Table) {
        match self.tables.iter_mut().find(|other| other.name == table.name) {
            Some(other) => {
                assert_eq!(other.values, table.values, "tables of one name have the same values");
                other.rows.extend(table.rows);
            }
            None => self.tables.push(table),
        }
    }

    /// Adds what a scenario says in its own words.
    pub(crate) fn tell(&mut self, name: &str, markdown: String, clean: bool, json: Value) {
        self.accounts.push(Account { name: name.into(), markdown, clean, json });
    }

    /// Whether that load has been run.
    pub(crate) fn has(&self, table: &str, load: &str) -> bool {
        let mut tables = self.tables.iter().filter(|known| known.name == table);
        tables.any(|table| table.rows.iter().any(|row| row.load == load))
    }

    /// What a broker has shown of a value already; `None` when it has not run that load.
    pub(crate) fn median(&self, table: &str, load: &str, broker: &str, value: &str) -> Option<f64> {
        let table = self.tables.iter().find(|known| known.name == table)?;
        let row = table.rows.iter().find(|row| row.load == load && row.broker == broker)?;
        row.median(table.value(value)?)
    }

    fn rows(&self) -> impl Iterator<Item = &Row> {
        self.tables.iter().flat_map(|table| &table.rows)
    }

    /// The rows of the broker that the others are compared with.
    fn subjects(&self) -> impl Iterator<Item = &Row> {
        self.tables.iter().flat_map(|table| {
            table.rows.iter().filter(|row| std::ptr::eq(table.subject(row), *row))
        })
    }

    /// Whether every run of the first broker ended and lost, repeated and reordered nothing. What
    /// others do wrong is told, and is theirs.
    pub(crate) fn is_clean(&self) -> bool {
        self.subjects().all(|row| row.faults().is_clean())
            && self.accounts.iter().all(|account| account.clean)
    }

    /// The tables, and what there is to know about them.
    pub(crate) fn markdown(&self) -> String {
        let mut parts: Vec<String> = self.tables.iter().map(Table::markdown).collect();
        parts.extend(bounds::markdown(&self.tables));
        parts.extend(self.accounts.iter().map(|account| account.markdown.clone()));
        parts.push(self.remarks());
        parts.join("\n")
    }

    /// Versions, circumstances, what was left out, and the verdict.
    fn remarks(&self) -> String {
        let mut out = String::new();
        for (broker, version) in &self.versions {
            out += &format!("{broker}: {version}\n");
        }
        for line in &self.circumstances {
            out += &format!("{line}\n");
        }
        for reason in &self.skipped {
            out += &format!("skipped: {reason}\n");
        }
        for table in &self.tables {
            for row in table.rows.iter().filter(|row| is_bound_by_the_load(table, row)) {
                let (load, broker) = (&row.load, &row.broker);
                out += &format!("note: {load}, {broker}: a load thread used its whole core\n");
            }
        }
        out + &self.verdict()
    }

    fn verdict(&self) -> String {
        let mut out = String::new();
        for row in self.rows() {
            let faults = row.faults();
            if !faults.is_clean() {
                out += &format!("FAULT {}, {}: {}\n", row.load, row.broker, told(&faults));
            }
        }
        let runs = self.subjects().flat_map(|row| &row.runs).flatten();
        let messages: u64 = runs.map(|run| run.messages).sum();
        let is_clean = self.subjects().all(|row| row.faults().is_clean());
        if let Some(Row { broker, .. }) = self.subjects().next().filter(|_| is_clean)
            && messages > 0
        {
            let rest = "none lost, repeated or out of order";
            out += &format!("{messages} messages through {broker}: {rest}\n");
        }
        out
    }
}

/// Whether the load generator, and not the broker, set the pace.
fn is_bound_by_the_load(table: &Table, row: &Row) -> bool {
    ["cores_publishers", "cores_subscribers"].iter().any(|name| {
        let cores = table.value(name).and_then(|place| row.median(place));
        cores.is_some_and(|cores| cores > BUSY)
    })
}

/// What was wrong, in words.
pub(crate) fn told(faults: &Faults) -> String {
    let counts = [
        (faults.lost, "lost"),
        (faults.duplicated, "repeated"),
        (faults.reordered, "out of order"),
        (faults.unacknowledged, "unacknowledged"),
    ];
    let counts = counts.iter().filter(|(count, _)| *count > 0);
    let mut parts: Vec<String> = counts.map(|(count, what)| format!("{count} {what}")).collect();
    parts.extend(faults.violations.iter().cloned());
    parts.join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(broker: &str, runs: Vec<Result<Run, String>>) -> Report {
        let mut table = Table::new("loads").median("cores_subscribers", "sub.", 2);
        table.add("pairs, QoS 0", [(broker.to_owned(), runs)]);
        let mut report = Report::default();
        report.add(table);
        report
    }

    fn run(cores: f64) -> Run {
        Run { messages: 10, ..Run::new([cores]) }
    }

    #[test]
    fn one_lost_message_or_one_failed_run_spoils_the_report() {
        let clean = report("midge", vec![Ok(run(0.1)), Ok(run(0.1))]);
        assert!(clean.is_clean());
        assert!(
            clean
                .markdown()
                .ends_with("20 messages through midge: none lost, repeated or out of order\n")
        );

        let mut lossy = run(0.1);
        lossy.faults.lost = 3;
        let lossy = report("midge", vec![Ok(run(0.1)), Ok(lossy)]);
        assert!(!lossy.is_clean());
        assert!(lossy.markdown().ends_with("FAULT pairs, QoS 0, midge: 3 lost\n"));

        let failed = report("midge", vec![Err("refused".into())]);
        assert!(!failed.is_clean());
        assert!(failed.markdown().contains("FAULT pairs, QoS 0, midge: refused"));
    }

    #[test]
    fn what_a_peer_loses_is_told_and_its_own() {
        let mut lossy = run(0.1);
        lossy.faults.lost = 3;
        let mut report = report("midge", vec![Ok(run(0.1))]);
        report.tables[0].add("pairs, QoS 0", [("peer".to_owned(), vec![Ok(lossy)])]);
        assert!(report.is_clean());
        let text = report.markdown();
        assert!(text.contains("FAULT pairs, QoS 0, peer: 3 lost\n"));
        assert!(text.ends_with("10 messages through midge: none lost, repeated or out of order\n"));
    }

    #[test]
    fn an_account_is_shown_and_its_fault_counts() {
        let mut report = report("midge", vec![Ok(run(0.1))]);
        report.tell("outage", "all well\n".into(), true, Value::Null);
        assert!(report.is_clean() && report.markdown().contains("\nall well\n"));
        report.tell("storm", "not well\n".into(), false, Value::Null);
        assert!(!report.is_clean());
    }

    #[test]
    fn load_that_sets_the_pace_is_noted() {
        let note = "note: pairs, QoS 0, midge: a load thread used its whole core";
        let with = |cores| report("midge", vec![Ok(run(cores))]).markdown();
        assert!(with(0.99).contains(note));
        assert!(!with(0.6).contains(note));
        assert!(!with(f64::NAN).contains(note));
    }

    #[test]
    fn tables_of_one_name_become_one() {
        let mut first = report("midge", vec![Ok(run(0.1))]);
        let second = report("peer", vec![Ok(run(0.2))]);
        second.tables.into_iter().for_each(|table| first.add(table));
        assert_eq!(first.tables.len(), 1);
        assert_eq!(first.tables[0].rows.len(), 2);
        assert!(first.has("loads", "pairs, QoS 0") && !first.has("loads", "pairs"));
        let found = |broker| first.median("loads", "pairs, QoS 0", broker, "cores_subscribers");
        assert_eq!((found("peer"), found("other")), (Some(0.2), None));
    }
}
