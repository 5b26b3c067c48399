//! The figures of a document: tables between its marks, and charts in a directory beside it.
//!
//! What stands outside the marks is left as it is, so words and figures have one place.

use std::path::Path;
use std::{fs, io};

use super::chart::{self, slug};
use super::{Report, bounds};

/// What opens and closes the part of a document that is written here.
const BEGIN: &str = "<!-- figures -->\n";
const END: &str = "<!-- end of figures -->";

impl Report {
    /// Writes the figures into a document, and its charts to a directory of the document's name.
    pub(crate) fn write_into(&self, document: &Path) -> io::Result<()> {
        let told = |error| io::Error::other(format!("{}: {error}", document.display()));
        let text = fs::read_to_string(document).map_err(told)?;
        let directory = document.with_extension("");
        let name = directory.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let (figures, charts) = self.figures(&name);
        let text = between_marks(&text, &figures).ok_or_else(|| {
            let marks = format!("expected the marks `{}` and `{END}`", BEGIN.trim_end());
            told(io::Error::other(marks))
        })?;
        fs::create_dir_all(&directory)?;
        // Charts of loads that are no longer there would stay for ever.
        for entry in fs::read_dir(&directory)? {
            let file = entry?.path();
            if file.extension().is_some_and(|kind| kind == "svg") {
                fs::remove_file(file)?;
            }
        }
        for (file, svg) in &charts {
            fs::write(directory.join(file), svg)?;
        }
        fs::write(document, text).map_err(told)
    }

    /// The text, and the charts it shows by their names.
    fn figures(&self, directory: &str) -> (String, Vec<(String, String)>) {
        let (mut text, mut charts) = (String::new(), Vec::new());
        if let Some(bounds) = bounds::markdown(&self.tables) {
            text += &format!("\n### Bounds\n\n{bounds}");
        }
        for table in &self.tables {
            text += &format!("\n### {}\n", heading(&table.name));
            for value in &table.charts {
                let Some(column) = table.columns.iter().find(|column| column.value == *value)
                else {
                    continue;
                };
                for (title, groups) in chart::charts(table, *value) {
                    let name = format!("{} {title} {}", table.name, table.values[*value]);
                    let file = format!("{}.svg", slug(&name));
                    text += &format!("\n![{title}: {}]({directory}/{file})\n", column.head);
                    charts.push((file, chart::svg(&title, &column.head, column.digits, &groups)));
                }
            }
            text += &format!("\n{}", table.markdown());
        }
        for account in &self.accounts {
            text += &format!("\n### {}\n\n{}", heading(&account.name), account.markdown);
        }
        text += &format!("\n### Circumstances\n\n```\n{}```\n", self.remarks());
        (text, charts)
    }

    /// Takes in what another invocation measured: its loads take the place of those of their names.
    pub(crate) fn merge(&mut self, other: Self) {
        for table in other.tables {
            if let Some(known) = self.tables.iter_mut().find(|known| known.name == table.name) {
                known.rows.retain(|row| table.rows.iter().all(|newer| newer.load != row.load));
                if known.rows.is_empty() || known.values != table.values {
                    *known = table;
                } else {
                    known.rows.extend(table.rows);
                }
            } else {
                self.tables.push(table);
            }
        }
        self.accounts.retain(|known| other.accounts.iter().all(|newer| newer.name != known.name));
        self.accounts.extend(other.accounts);
        let lines = other.circumstances.into_iter();
        self.circumstances
            .extend(lines.filter(|line| !self.circumstances.contains(line)).collect::<Vec<_>>());
        for version in other.versions {
            if !self.versions.contains(&version) {
                self.versions.push(version);
            }
        }
    }
}

fn heading(name: &str) -> String {
    let words = name.replace('-', " ");
    let mut letters = words.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// The document with another text between its marks; `None` when it has none, or only one.
fn between_marks(document: &str, figures: &str) -> Option<String> {
    let (before, rest) = document.split_once(BEGIN)?;
    let (_, after) = rest.split_once(END)?;
    Some(format!("{before}{BEGIN}{figures}\n{END}{after}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{Run, Table};

    fn report(load: &str, value: f64) -> Report {
        let mut table = Table::new("at-rates").median("cpu", "CPU µs", 2).chart("cpu");
        table.add(load, [("midge".to_owned(), vec![Ok(Run::new([value]))])]);
        let circumstances = vec!["machine: 2 cores".to_owned()];
        Report { tables: vec![table], circumstances, ..Report::default() }
    }

    #[test]
    fn only_what_stands_between_the_marks_is_written() {
        let directory = tempfile::tempdir().unwrap();
        let document = directory.path().join("benchmarks.md");
        fs::write(&document, format!("words\n{BEGIN}old\n{END}\nmore words\n")).unwrap();
        let mut report = report("pairs, QoS 0", 1.5);
        report.tell("outage", "| a |\n".into(), true, serde_json::Value::Null);
        fs::create_dir(directory.path().join("benchmarks")).unwrap();
        fs::write(directory.path().join("benchmarks/old.svg"), "").unwrap();
        // Twice: what was written is replaced and not added to.
        report.write_into(&document).unwrap();
        report.write_into(&document).unwrap();
        let text = fs::read_to_string(&document).unwrap();
        assert!(text.starts_with("words\n") && text.ends_with("\nmore words\n"), "{text}");
        assert!(!text.contains("old") && text.matches("### At rates").count() == 1);
        assert!(text.contains("### Outage\n\n| a |\n") && text.contains("machine: 2 cores"));
        let link = "![pairs: CPU µs](benchmarks/at-rates-pairs-cpu.svg)";
        assert!(text.contains(link), "{text}");
        let chart = directory.path().join("benchmarks/at-rates-pairs-cpu.svg");
        assert!(fs::read_to_string(chart).unwrap().contains("1.50"));
        assert!(!directory.path().join("benchmarks/old.svg").exists());
    }

    #[test]
    fn the_document_of_this_repository_has_its_marks() {
        let text = include_str!("../../../docs/benchmarks.md");
        let written = between_marks(text, "figures").unwrap();
        assert!(written.contains("<!-- figures -->\nfigures\n<!-- end of figures -->\n"));
        assert!(written.contains("## How it measures") && written.contains("## Reading them"));
    }

    #[test]
    fn a_document_without_marks_is_left_alone() {
        let directory = tempfile::tempdir().unwrap();
        let document = directory.path().join("other.md");
        fs::write(&document, "words\n").unwrap();
        let error = report("pairs", 1.0).write_into(&document).unwrap_err().to_string();
        assert!(error.contains("other.md") && error.contains("<!-- figures -->"), "{error}");
        assert_eq!(fs::read_to_string(&document).unwrap(), "words\n");
    }

    #[test]
    fn a_later_report_replaces_the_loads_it_has_and_adds_the_others() {
        let mut first = report("pairs", 1.0);
        first.merge(report("fan-in", 2.0));
        first.merge(report("pairs", 3.0));
        let table = &first.tables[0];
        let found: Vec<_> = table.rows.iter().map(|row| (&*row.load, row.median(0))).collect();
        assert_eq!(found, [("fan-in", Some(2.0)), ("pairs", Some(3.0))]);
        assert_eq!(first.circumstances.len(), 1);
    }
}
