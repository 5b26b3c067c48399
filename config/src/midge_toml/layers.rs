//! Files as layers of the `config` crate, and where each of their values stands.
//!
//! A layer holds only sections that exist, so no key of a file is ever read as a path.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use config::{Map, Source, Value, ValueKind};
use toml::de::{DeTable, DeValue};

use super::{PREFIX, SECTIONS};
use crate::draft::Draft;
use crate::error::Origin;
use crate::nearest::did_you_mean;
use crate::settings::kind_name;

/// Where values and tables came from. A value carries `FILE:LINE` as numbers, so that a path with
/// a colon means no harm.
#[derive(Default)]
pub(super) struct Origins {
    files: Vec<PathBuf>,
    tables: BTreeMap<String, Origin>,
}

impl Origins {
    /// One file as a layer. What is wrong as a document is reported at once and left out.
    pub(super) fn document(&mut self, draft: &mut Draft, file: &Path, text: &str) -> Document {
        let index = self.files.len();
        self.files.push(file.to_owned());
        let lines = Lines::new(text);
        let (root, errors) = DeTable::parse_recoverable(text);
        for error in errors {
            let line = error.span().map_or(1, |span| lines.line(span.start));
            draft.error(
                &Origin::Line { file: file.to_owned(), line },
                "",
                error.message().trim().replace('\n', ", "),
            );
        }
        let mut document = Map::new();
        for (key, value) in root.get_ref() {
            let line = lines.line(key.span().start);
            let origin = Origin::Line { file: file.to_owned(), line };
            let name = key.get_ref().as_ref();
            if !SECTIONS.contains(&name) {
                let guess = did_you_mean(name, SECTIONS.iter().copied());
                let accepted = SECTIONS.join(", ");
                let message = format!("unknown section{guess}; accepted: {accepted}");
                draft.error(&origin, name, message);
                continue;
            }
            let value = self.value(&lines, index, name, line, value.get_ref());
            if matches!(value.kind, ValueKind::Table(_)) {
                document.insert(name.to_owned(), value);
            } else {
                let message = format!("found {}, expected a table", kind_name(&value.kind));
                draft.error(&origin, name, message);
            }
        }
        Document(document)
    }

    fn value(
        &mut self,
        lines: &Lines,
        index: usize,
        path: &str,
        line: usize,
        value: &DeValue<'_>,
    ) -> Value {
        let kind = match value {
            DeValue::String(text) => ValueKind::String(text.to_string()),
            DeValue::Boolean(on) => ValueKind::Boolean(*on),
            DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix())
                .map_or_else(|_| ValueKind::String(number.to_string()), ValueKind::I64),
            DeValue::Float(number) => number
                .as_str()
                .parse()
                .map_or_else(|_| ValueKind::String(number.to_string()), ValueKind::Float),
            DeValue::Datetime(time) => ValueKind::String(time.to_string()),
            DeValue::Array(items) => ValueKind::Array(
                items
                    .iter()
                    .map(|item| self.value(lines, index, path, line, item.get_ref()))
                    .collect(),
            ),
            DeValue::Table(table) => {
                let file = self.files[index].clone();
                self.tables.insert(path.to_owned(), Origin::Line { file, line });
                let mut map = Map::new();
                for (key, value) in table {
                    let name = key.get_ref().as_ref();
                    let line = lines.line(key.span().start);
                    let path = format!("{path}.{name}");
                    let value = self.value(lines, index, &path, line, value.get_ref());
                    map.insert(name.to_owned(), value);
                }
                ValueKind::Table(map)
            }
        };
        Value::new(Some(&format!("{index}:{line}")), kind)
    }

    /// Where the value of a key came from.
    pub(super) fn of(&self, path: &str, value: &Value) -> Origin {
        if let Some((index, line)) = value.origin().and_then(|origin| origin.split_once(':'))
            && let (Ok(index), Ok(line)) = (index.parse::<usize>(), line.parse())
            && let Some(file) = self.files.get(index)
        {
            return Origin::Line { file: file.clone(), line };
        }
        match self.tables.get(path) {
            Some(origin) if value.origin().is_none() => origin.clone(),
            _ => {
                let name = path.to_ascii_uppercase().replace('.', "__");
                Origin::Environment(format!("{PREFIX}{name}"))
            }
        }
    }
}

/// One file as a layer of the `config` crate.
#[derive(Clone)]
pub(super) struct Document(Map<String, Value>);

impl fmt::Debug for Document {
    // Its values may be secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Document")
    }
}

impl Source for Document {
    fn clone_into_box(&self) -> Box<dyn Source + Send + Sync> {
        Box::new(self.clone())
    }

    fn collect(&self) -> Result<Map<String, Value>, config::ConfigError> {
        Ok(self.0.clone())
    }
}

/// The lines of a text, to find the one an offset is on.
struct Lines(Vec<usize>);

impl Lines {
    fn new(text: &str) -> Self {
        Self(text.match_indices('\n').map(|(at, _)| at).collect())
    }

    fn line(&self, offset: usize) -> usize {
        self.0.partition_point(|newline| *newline < offset) + 1
    }
}
