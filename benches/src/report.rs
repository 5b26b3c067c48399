//! Medians, ratios, the table and the JSON.
//!
//! A ratio is made within one round, where both brokers met the same machine; the table shows the
//! median of these ratios and not the ratio of medians.

use serde_json::{Value, json};

use crate::load::Figures;
use crate::outage::Outcome;
use crate::recovery::Recovery;
use crate::window::Faults;

/// All runs of one broker under one load, in the order of the rounds.
pub(crate) struct Series {
    pub(crate) load: String,
    pub(crate) broker: String,
    pub(crate) runs: Vec<Result<Figures, String>>,
}

/// Idle memory of one broker, in bytes a connection.
pub(crate) struct Idle {
    pub(crate) broker: String,
    pub(crate) runs: Vec<Result<f64, String>>,
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

/// First divided by second in every round in which both ran.
fn ratios<'a, T: 'a>(
    first: &'a [Result<T, String>],
    second: &'a [Result<T, String>],
    value: impl Fn(&T) -> f64,
) -> Vec<f64> {
    let pairs = first.iter().zip(second);
    pairs.filter_map(|(a, b)| Some(value(a.as_ref().ok()?) / value(b.as_ref().ok()?))).collect()
}

impl Series {
    fn median(&self, value: impl Fn(&Figures) -> f64) -> Option<f64> {
        median(self.runs.iter().flatten().map(value))
    }

    fn faults(&self) -> Faults {
        let mut sum = Faults::default();
        for run in &self.runs {
            match run {
                Ok(figures) => sum.merge(figures.faults.clone()),
                Err(error) => sum.violation(error.clone()),
            }
        }
        sum
    }

    /// CPU a message of `subject` relative to this one, round by round.
    fn cpu_ratios(&self, subject: &Self) -> Vec<f64> {
        ratios(&subject.runs, &self.runs, |figures| figures.cpu_micros)
    }

    /// Whether the load generator, and not the broker, set the pace.
    fn is_bound_by_the_load(&self) -> bool {
        let busiest = self.median(|figures| figures.loads[1].max(figures.loads[2]));
        busiest.is_some_and(|cores| cores > 0.95)
    }

    fn json(&self, subject: &Self) -> Value {
        let runs: Vec<Value> = self.runs.iter().map(run_json).collect();
        json!({
            "load": self.load,
            "broker": self.broker,
            "runs": runs,
            "median_messages_per_second": self.median(|figures| figures.per_second),
            "median_cpu_micros_per_message": self.median(|figures| figures.cpu_micros),
            "first_broker_cpu_ratios": self.cpu_ratios(subject),
            "median_first_broker_cpu_ratio": median(self.cpu_ratios(subject)),
        })
    }
}

fn run_json(run: &Result<Figures, String>) -> Value {
    match run {
        Err(error) => json!({ "error": error }),
        Ok(figures) => json!({
            "messages": figures.deliveries,
            "messages_per_second": figures.per_second,
            "cpu_micros_per_message": figures.cpu_micros,
            "latency_millis_p50_p99_p999_or_longest": figures.latency_millis,
            "written_bytes_per_message": figures.written,
            "cores_broker_publishers_subscribers": figures.loads,
            "lost": figures.faults.lost,
            "duplicated": figures.faults.duplicated,
            "reordered": figures.faults.reordered,
            "unacknowledged": figures.faults.unacknowledged,
            "violations": figures.faults.violations,
        }),
    }
}

/// Everything one invocation measured.
#[derive(Default)]
pub(crate) struct Report {
    /// Series of the same load stand together, the first broker's first.
    pub(crate) series: Vec<Series>,
    pub(crate) idle: Vec<Idle>,
    pub(crate) outage: Option<Outcome>,
    /// As `series`; the latencies are those of acknowledgements.
    pub(crate) durable: Vec<Series>,
    pub(crate) recovery: Vec<Recovery>,
    pub(crate) versions: Vec<(String, String)>,
    /// The machine and the load, one line each.
    pub(crate) circumstances: Vec<String>,
    /// Scenarios that were not run, with the reason.
    pub(crate) skipped: Vec<String>,
}

impl Report {
    fn subject(&self, series: &Series) -> &Series {
        let same = self.measured().find(|other| other.load == series.load);
        same.expect("a series is among the series of its load")
    }

    /// Every series, whichever table it is in.
    fn measured(&self) -> impl Iterator<Item = &Series> {
        self.series.iter().chain(&self.durable)
    }

    /// Whether every run ended and lost, repeated and reordered nothing. What a broker that was
    /// ended did not keep is a figure, and only Midge's fault.
    pub(crate) fn is_clean(&self) -> bool {
        self.measured().all(|series| series.faults().is_clean())
            && self.idle.iter().all(|idle| idle.runs.iter().all(Result::is_ok))
            && self.outage.as_ref().is_none_or(Outcome::is_clean)
            && self.recovery.iter().all(Recovery::is_clean)
    }

    /// The tables, in Markdown that is aligned to be read as it is.
    pub(crate) fn markdown(&self) -> String {
        let mut out = String::new();
        if !self.series.is_empty() {
            let head = [
                "load",
                "broker",
                "messages/s",
                "CPU µs/message",
                "ratio",
                "p50 ms",
                "p99 ms",
                "p99.9 ms",
                "cores: broker",
                "pub.",
                "sub.",
            ];
            let rows = self.series.iter().map(|series| self.row(series)).collect::<Vec<_>>();
            out += &table(&head.map(str::to_owned), &rows, 2);
        }
        if !self.idle.is_empty() {
            let head = ["load", "broker", "RSS KB/connection", "ratio"].map(str::to_owned);
            let rows = self.idle.iter().map(|idle| self.idle_row(idle)).collect::<Vec<_>>();
            out += "\n";
            out += &table(&head, &rows, 2);
        }
        if !self.durable.is_empty() {
            let head = [
                "load",
                "broker",
                "messages/s",
                "CPU µs/message",
                "ratio",
                "bytes written/message",
                "p50 ms",
                "p99 ms",
                "longest ms",
            ];
            let rows = self.durable.iter().map(|series| self.durable_row(series));
            out += "\n";
            out += &table(&head.map(str::to_owned), &rows.collect::<Vec<_>>(), 2);
        }
        if !self.recovery.is_empty() {
            let head = ["end", "broker", "acknowledged", "kept", "seconds to start", "RSS MB then"];
            let rows = self.recovery.iter().map(Recovery::row).collect::<Vec<_>>();
            out += "\n";
            out += &table(&head.map(str::to_owned), &rows, 2);
        }
        if let Some(outage) = &self.outage {
            out += &outage.markdown();
        }
        out += "\n";
        for (broker, version) in &self.versions {
            out += &format!("{broker}: {version}\n");
        }
        for line in &self.circumstances {
            out += &format!("{line}\n");
        }
        for reason in &self.skipped {
            out += &format!("skipped: {reason}\n");
        }
        for series in self.measured().filter(|series| series.is_bound_by_the_load()) {
            let (load, broker) = (&series.load, &series.broker);
            out += &format!("note: {load}, {broker}: a load thread used its whole core\n");
        }
        out += &self.verdict();
        out
    }

    fn row(&self, series: &Series) -> Vec<String> {
        let subject = self.subject(series);
        let ratio = (!std::ptr::eq(subject, series)).then(|| series.cpu_ratios(subject));
        let latency = |place: usize| {
            let value = series.median(|f| f.latency_millis.map_or(f64::NAN, |list| list[place]));
            cell(value, 2)
        };
        let load = |place: usize| cell(series.median(|figures| figures.loads[place]), 2);
        vec![
            series.load.clone(),
            series.broker.clone(),
            cell(series.median(|figures| figures.per_second), 0),
            cell(series.median(|figures| figures.cpu_micros), 2),
            cell(ratio.and_then(median), 2),
            latency(0),
            latency(1),
            latency(2),
            load(0),
            load(1),
            load(2),
        ]
    }

    fn durable_row(&self, series: &Series) -> Vec<String> {
        let mut row = self.row(series);
        row.truncate(5);
        row.push(cell(series.median(|figures| figures.written), 0));
        let latency = |place: usize| {
            let found = |f: &Figures| f.latency_millis.map_or(f64::NAN, |list| list[place]);
            series.runs.iter().flatten().map(found).collect::<Vec<f64>>()
        };
        row.extend([0, 1].map(|place| cell(median(latency(place)), 2)));
        // The longest of all rounds: a median would hide the one that a device waits for.
        row.push(cell(latency(2).into_iter().reduce(f64::max), 1));
        row
    }

    fn idle_row(&self, idle: &Idle) -> Vec<String> {
        let subject = &self.idle[0];
        let ratio = (!std::ptr::eq(subject, idle))
            .then(|| ratios(&subject.runs, &idle.runs, |bytes| *bytes))
            .and_then(median);
        let bytes = median(idle.runs.iter().flatten().copied());
        let kilobytes = bytes.map(|bytes| bytes / 1024.0);
        vec!["idle".into(), idle.broker.clone(), cell(kilobytes, 2), cell(ratio, 2)]
    }

    fn verdict(&self) -> String {
        let mut out = String::new();
        let mut deliveries = 0;
        for series in self.measured() {
            deliveries += series.runs.iter().flatten().map(|run| run.deliveries).sum::<u64>();
            let faults = series.faults();
            if !faults.is_clean() {
                out += &format!("FAULT {}, {}: {}\n", series.load, series.broker, told(&faults));
            }
        }
        for idle in &self.idle {
            for error in idle.runs.iter().filter_map(|run| run.as_ref().err()) {
                out += &format!("FAULT idle, {}: {error}\n", idle.broker);
            }
        }
        for recovery in self.recovery.iter().filter(|recovery| !recovery.is_clean()) {
            let Recovery { broker, end, .. } = recovery;
            out += &format!("FAULT {broker} after {end}: {}\n", told(&recovery.faults()));
        }
        if out.is_empty() && deliveries > 0 {
            out = format!("{deliveries} messages measured: none lost, repeated or out of order\n");
        }
        out
    }

    /// The same with every single run.
    pub(crate) fn json(&self, command: &[String]) -> Value {
        let series = self.series.iter().map(|series| series.json(self.subject(series)));
        let idle = self.idle.iter().map(|idle| {
            let runs = idle.runs.iter().map(|run| match run {
                Ok(bytes) => json!({ "rss_bytes_per_connection": bytes }),
                Err(error) => json!({ "error": error }),
            });
            json!({ "broker": idle.broker, "runs": runs.collect::<Vec<_>>() })
        });
        let durable = self.durable.iter().map(|series| series.json(self.subject(series)));
        let recovery = self.recovery.iter().map(Recovery::json);
        let versions: serde_json::Map<String, Value> =
            self.versions.iter().map(|(name, text)| (name.clone(), json!(text))).collect();
        json!({
            "command": command,
            "versions": versions,
            "circumstances": self.circumstances,
            "series": series.collect::<Vec<_>>(),
            "idle": idle.collect::<Vec<_>>(),
            "durable": durable.collect::<Vec<_>>(),
            "recovery": recovery.collect::<Vec<_>>(),
            "outage": self.outage.as_ref().map(Outcome::json),
            "skipped": self.skipped,
            "clean": self.is_clean(),
        })
    }
}

impl Recovery {
    fn faults(&self) -> Faults {
        let mut sum = Faults::default();
        for run in &self.runs {
            match run {
                Ok(run) => {
                    sum.merge(run.faults.clone());
                    // Only one of them promises that an acknowledged message stays.
                    let missing = run.acknowledged.saturating_sub(run.kept);
                    sum.lost += if self.broker == "midge" { missing } else { 0 };
                }
                Err(error) => sum.violation(error.clone()),
            }
        }
        sum
    }

    fn is_clean(&self) -> bool {
        self.faults().is_clean()
    }

    fn row(&self) -> Vec<String> {
        let median_of = |value: fn(&crate::recovery::Recovered) -> f64| {
            median(self.runs.iter().flatten().map(value))
        };
        vec![
            self.end.to_owned(),
            self.broker.clone(),
            cell(median_of(|run| run.acknowledged as f64), 0),
            cell(median_of(|run| run.kept as f64), 0),
            cell(median_of(|run| run.seconds), 2),
            cell(median_of(|run| run.resident_bytes as f64 / 1e6), 0),
        ]
    }

    fn json(&self) -> Value {
        let runs = self.runs.iter().map(|run| match run {
            Ok(run) => json!({
                "seconds": run.seconds,
                "resident_bytes": run.resident_bytes,
                "acknowledged": run.acknowledged,
                "kept": run.kept,
            }),
            Err(error) => json!({ "error": error }),
        });
        json!({ "end": self.end, "broker": self.broker, "runs": runs.collect::<Vec<_>>() })
    }
}

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

fn cell(value: Option<f64>, digits: usize) -> String {
    value.map_or_else(|| "-".into(), |value| format!("{value:.digits$}"))
}

/// Columns from `first_number` on are aligned to the right.
pub(crate) fn table(head: &[String], rows: &[Vec<String>], first_number: usize) -> String {
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
    use crate::recovery::Recovered;

    fn run(cpu_micros: f64) -> Result<Figures, String> {
        Ok(Figures { deliveries: 10, per_second: 5.0, cpu_micros, ..Figures::default() })
    }

    fn series(broker: &str, runs: Vec<Result<Figures, String>>) -> Series {
        Series { load: "pairs, QoS 0".into(), broker: broker.into(), runs }
    }

    #[test]
    fn median_is_the_middle_whatever_the_order() {
        assert_eq!(median([3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median([4.0, 1.0, 2.0, 3.0]), Some(2.5));
        assert_eq!(median([f64::NAN, 7.0]), Some(7.0));
        assert_eq!(median([]), None);
    }

    #[test]
    fn ratio_is_made_within_a_round_and_skips_failed_ones() {
        let midge = series("midge", vec![run(1.0), run(8.0), run(3.0), Err("gone".into())]);
        let peer = series("peer", vec![run(2.0), run(80.0), run(4.0), run(1.0)]);
        assert_eq!(peer.cpu_ratios(&midge), [0.5, 0.1, 0.75]);
        let report = Report { series: vec![midge, peer], ..Report::default() };
        assert_eq!(report.row(&report.series[1])[4], "0.50");
        assert_eq!(report.row(&report.series[0])[4], "-");
    }

    #[test]
    fn one_lost_message_or_one_failed_run_spoils_the_report() {
        let clean = Report { series: vec![series("midge", vec![run(1.0)])], ..Report::default() };
        assert!(clean.is_clean());
        assert!(clean.markdown().ends_with("none lost, repeated or out of order\n"));

        let mut lossy = run(1.0).unwrap();
        lossy.faults.lost = 3;
        let runs = vec![run(1.0), Ok(lossy)];
        let report = Report { series: vec![series("midge", runs)], ..Report::default() };
        assert!(!report.is_clean());
        assert!(report.markdown().ends_with("FAULT pairs, QoS 0, midge: 3 lost\n"));
        assert_eq!(report.json(&[])["series"][0]["runs"][1]["lost"], 3);

        let idle = vec![Idle { broker: "midge".into(), runs: vec![Err("refused".into())] }];
        let report = Report { idle, ..Report::default() };
        assert!(!report.is_clean());
        assert!(report.markdown().contains("FAULT idle, midge: refused"));
    }

    #[test]
    fn what_is_not_kept_is_a_fault_of_midge_alone() {
        let recovered = || {
            let (acknowledged, kept, resident_bytes) = (9, 8, 2_000_000);
            let faults = Faults::default();
            Ok(Recovered { seconds: 1.5, resident_bytes, acknowledged, kept, faults })
        };
        let after = |broker: &str| Recovery {
            end: "kill -9",
            broker: broker.into(),
            runs: vec![recovered()],
        };
        assert!(after("mosquitto").is_clean());
        assert_eq!(after("mosquitto").row()[2..], ["9", "8", "1.50", "2"]);
        let report = Report { recovery: vec![after("midge")], ..Report::default() };
        assert!(!report.is_clean());
        assert!(report.markdown().ends_with("FAULT midge after kill -9: 1 lost\n"));
    }

    #[test]
    fn longest_acknowledgement_is_that_of_all_rounds() {
        let runs = [3.0, 70.0, 4.0].map(|longest| {
            let latency_millis = Some([1.0, 2.0, longest]);
            run(1.0).map(|figures| Figures { latency_millis, written: 300.0, ..figures })
        });
        let report = Report { durable: vec![series("midge", runs.into())], ..Report::default() };
        let row = report.durable_row(&report.durable[0]);
        assert_eq!(row[5..], ["300", "1.00", "2.00", "70.0"]);
        assert!(report.is_clean());
    }

    #[test]
    fn load_that_sets_the_pace_is_noted() {
        let with = |loads| {
            let runs = vec![run(1.0).map(|figures| Figures { loads, ..figures })];
            Report { series: vec![series("midge", runs)], ..Report::default() }.markdown()
        };
        let note = "note: pairs, QoS 0, midge: a load thread used its whole core";
        assert!(with([0.9, 0.3, 0.99]).contains(note));
        assert!(!with([1.0, 0.3, 0.6]).contains(note));
        assert!(!with([1.0, f64::NAN, f64::NAN]).contains(note));
    }

    #[test]
    fn tables_are_aligned() {
        let rows = vec![vec!["a".into(), "10.00".into()], vec!["long".into(), "1.0".into()]];
        let text = table(&["x".into(), "µs".into()], &rows, 1);
        assert_eq!(
            text,
            "| x    |    µs |\n| ---- | ----: |\n| a    | 10.00 |\n| long |   1.0 |\n"
        );
    }
}
