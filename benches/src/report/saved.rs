//! The report as JSON: every single run, and beside it what the tables show.
//!
//! Reading it back gives the report that was written, so figures and charts can be made later.

use serde_json::{Map, Value, json};

use super::row::{Row, Run};
use super::table::{Column, Show, Table};
use super::{Account, Report};
use crate::window::Faults;

impl Report {
    /// Everything, with the command that made it.
    pub(crate) fn json(&self, command: &[String]) -> Value {
        let accounts = self.accounts.iter().map(|account| {
            json!({
                "name": account.name,
                "markdown": account.markdown,
                "clean": account.clean,
                "figures": account.json,
            })
        });
        json!({
            "command": command,
            "versions": self.versions,
            "circumstances": self.circumstances,
            "tables": self.tables.iter().map(table_json).collect::<Vec<_>>(),
            "accounts": accounts.collect::<Vec<_>>(),
            "skipped": self.skipped,
            "clean": self.is_clean(),
        })
    }

    /// What `json` wrote.
    pub(crate) fn from_json(json: &Value) -> Result<Self, String> {
        let accounts = list(json, "accounts")?.iter().map(|account| {
            Ok(Account {
                name: text(account, "name")?,
                markdown: text(account, "markdown")?,
                clean: account["clean"].as_bool().ok_or("clean: expected true or false")?,
                json: account["figures"].clone(),
            })
        });
        let versions = list(json, "versions")?.iter().map(|pair| match pair.as_array() {
            Some(pair) if pair.len() == 2 => Ok((word(&pair[0])?, word(&pair[1])?)),
            _ => Err("versions: expected pairs of broker and version".to_owned()),
        });
        Ok(Self {
            tables: list(json, "tables")?.iter().map(table_from).collect::<Result<_, _>>()?,
            accounts: accounts.collect::<Result<_, String>>()?,
            versions: versions.collect::<Result<_, _>>()?,
            circumstances: words(json, "circumstances")?,
            skipped: words(json, "skipped")?,
        })
    }
}

fn table_json(table: &Table) -> Value {
    let columns = table.columns.iter().map(|column| {
        json!({
            "head": column.head,
            "value": column.value,
            "digits": column.digits,
            "show": column.show.name(),
        })
    });
    let rows = table.rows.iter().map(|row| {
        let medians = table.values.iter().enumerate();
        let medians: Map<String, Value> =
            medians.map(|(place, name)| (name.clone(), json!(row.median(place)))).collect();
        json!({
            "load": row.load,
            "broker": row.broker,
            "medians": medians,
            "runs": row.runs.iter().map(|run| run_json(table, run)).collect::<Vec<_>>(),
        })
    });
    json!({
        "name": table.name,
        "values": table.values,
        "columns": columns.collect::<Vec<_>>(),
        "charts": table.charts,
        "rows": rows.collect::<Vec<_>>(),
    })
}

fn run_json(table: &Table, run: &Result<Run, String>) -> Value {
    let run = match run {
        Ok(run) => run,
        Err(error) => return json!({ "error": error }),
    };
    let named = table.values.iter().zip(&run.values);
    let values: Map<String, Value> =
        named.map(|(name, value)| (name.clone(), json!(value))).collect();
    json!({
        "values": values,
        "messages": run.messages,
        "lost": run.faults.lost,
        "duplicated": run.faults.duplicated,
        "reordered": run.faults.reordered,
        "unacknowledged": run.faults.unacknowledged,
        "violations": run.faults.violations,
    })
}

fn table_from(json: &Value) -> Result<Table, String> {
    let values = words(json, "values")?;
    let place = |value: Option<u64>| match value {
        Some(value) if value < values.len() as u64 => Ok(value as usize),
        _ => Err(format!("found {value:?}, expected the place of one of {} values", values.len())),
    };
    let columns = list(json, "columns")?.iter().map(|column| {
        Ok(Column {
            head: text(column, "head")?,
            value: place(column["value"].as_u64())?,
            // More digits than a figure has are of no use, and a mistake.
            digits: count(column, "digits")?.min(9) as usize,
            show: Show::named(&text(column, "show")?)?,
        })
    });
    let columns = columns.collect::<Result<_, String>>()?;
    let charts = list(json, "charts")?.iter().map(|value| place(value.as_u64()));
    let charts = charts.collect::<Result<_, _>>()?;
    let rows = list(json, "rows")?.iter().map(|row| {
        let runs = list(row, "runs")?.iter().map(|run| run_from(&values, run));
        Ok(Row {
            load: text(row, "load")?,
            broker: text(row, "broker")?,
            runs: runs.collect::<Result<_, String>>()?,
        })
    });
    let rows = rows.collect::<Result<_, String>>()?;
    Ok(Table { name: text(json, "name")?, values, columns, charts, rows })
}

fn run_from(values: &[String], json: &Value) -> Result<Result<Run, String>, String> {
    if let Some(error) = json["error"].as_str() {
        return Ok(Err(error.to_owned()));
    }
    let value = |name: &String| json["values"][name].as_f64().unwrap_or(f64::NAN);
    Ok(Ok(Run {
        values: values.iter().map(value).collect(),
        messages: count(json, "messages")?,
        faults: Faults {
            lost: count(json, "lost")?,
            duplicated: count(json, "duplicated")?,
            reordered: count(json, "reordered")?,
            unacknowledged: count(json, "unacknowledged")?,
            violations: words(json, "violations")?,
        },
    }))
}

impl Show {
    const ALL: [(&'static str, Self); 3] =
        [("median", Self::Median), ("longest", Self::Longest), ("ratio", Self::Ratio)];

    fn name(self) -> &'static str {
        Self::ALL.iter().find(|(_, show)| *show == self).map_or("", |(name, _)| name)
    }

    fn named(name: &str) -> Result<Self, String> {
        let found = Self::ALL.iter().find(|(known, _)| *known == name);
        found
            .map(|(_, show)| *show)
            .ok_or_else(|| format!("show: found `{name}`, expected median, longest or ratio"))
    }
}

fn list<'a>(json: &'a Value, key: &str) -> Result<&'a Vec<Value>, String> {
    json[key].as_array().ok_or_else(|| format!("{key}: expected a list"))
}

fn words(json: &Value, key: &str) -> Result<Vec<String>, String> {
    list(json, key)?.iter().map(word).collect()
}

fn word(json: &Value) -> Result<String, String> {
    json.as_str().map(str::to_owned).ok_or_else(|| format!("found `{json}`, expected a text"))
}

fn text(json: &Value, key: &str) -> Result<String, String> {
    word(&json[key]).map_err(|error| format!("{key}: {error}"))
}

fn count(json: &Value, key: &str) -> Result<u64, String> {
    json[key].as_u64().ok_or_else(|| format!("{key}: expected a whole number"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report() -> Report {
        let mut table =
            Table::new("loads").median("cpu", "CPU µs", 2).ratio("cpu", "ratio").chart("cpu");
        let faults = Faults { lost: 1, violations: vec!["x".into()], ..Faults::default() };
        let run = Run { values: vec![1.5], messages: 7, faults };
        table.add("pairs", [("midge".to_owned(), vec![Ok(run), Err("gone".into())])]);
        let mut report = Report {
            versions: vec![("midge".into(), "1".into())],
            circumstances: vec!["machine: 2 cores".into()],
            skipped: vec!["bridge".into()],
            ..Report::default()
        };
        report.add(table);
        report.tell("outage", "text\n".into(), true, json!({ "records": 5 }));
        report
    }

    #[test]
    fn a_report_that_was_written_is_read_back_as_it_was() {
        let report = report();
        let json = report.json(&["midge-bench".into()]);
        assert_eq!(json["tables"][0]["rows"][0]["runs"][0]["values"]["cpu"], 1.5);
        assert_eq!(json["tables"][0]["rows"][0]["medians"]["cpu"], 1.5);
        assert_eq!(json["clean"], false);
        let text = json.to_string();
        assert_eq!(Report::from_json(&text.parse().unwrap()), Ok(report));
    }

    #[test]
    fn a_value_that_was_not_measured_stays_none() {
        let mut report = report();
        report.tables[0].rows[0].runs = vec![Ok(Run::new([f64::NAN]))];
        let json = report.json(&[]);
        assert!(json["tables"][0]["rows"][0]["runs"][0]["values"]["cpu"].is_null());
        assert_eq!(Report::from_json(&json).unwrap().tables[0].rows[0].median(0), None);
    }

    #[test]
    fn a_file_of_another_kind_is_refused_with_the_place() {
        let mut json = report().json(&[]);
        json["tables"][0]["columns"][1]["show"] = json!("mean");
        assert!(Report::from_json(&json).unwrap_err().contains("`mean`"));
        json["tables"][0]["columns"][0]["value"] = json!(4);
        assert!(Report::from_json(&json).unwrap_err().contains("found Some(4)"));
        assert!(Report::from_json(&json!({})).unwrap_err().contains("accounts"));
    }
}
