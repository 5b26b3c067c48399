//! A connector's file, as Kafka Connect's standalone worker takes it, into a draft: properties, or
//! [JSON](json).
//!
//! The file is taken as it is, with the place of every property: the class that it names knows what
//! it means. What is no such file at all is told here.

mod json;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::Path;

use crate::draft::Draft;
use crate::error::Origin;
use crate::properties::{self, Property};
use crate::resolved::ConnectorFile;

/// Reads one file.
pub(crate) fn parse(draft: &mut Draft, file: &Path, bytes: &[u8]) {
    draft.files.push(file.to_owned());
    let line = |line| Origin::Line { file: file.to_owned(), line };
    let whole = Origin::File(file.to_owned());
    let properties: BTreeMap<String, (String, usize)> =
        if bytes.trim_ascii_start().starts_with(b"{") {
            match json::parse(bytes) {
                Ok(properties) => properties,
                Err(wrong) => {
                    for (number, property, message) in wrong {
                        let origin = number.map_or(whole.clone(), line);
                        draft.error(&origin, &property, message);
                    }
                    return;
                }
            }
        } else {
            let (properties, malformed) = properties::parse(bytes);
            for found in malformed {
                draft.error(&line(found.line), "", found.message);
            }
            tell_replaced(draft, file, &properties);
            let counts = properties::last(&properties);
            counts.map(|one| (one.key.clone(), (one.value.clone(), one.line))).collect()
        };
    let text = |key: &str| properties.get(key).map_or("", |(value, _)| value.trim()).to_owned();
    let required = ["connector.class", "name"].map(|key| (key, text(key)));
    let name = text("name");
    let origins = properties.iter().map(|(key, (_, at))| (key.clone(), line(*at))).collect();
    let properties = properties.into_iter().map(|(key, (value, _))| (key, value)).collect();
    let found = ConnectorFile { name, whole, properties, origins };
    let mut complete = true;
    for (key, value) in required {
        if value.is_empty() {
            draft.error(&found.origin(key), key, "is missing");
            complete = false;
        }
    }
    if complete {
        draft.connector_files.push(found);
    }
}

/// Says which properties were said twice.
pub(crate) fn tell_replaced(draft: &mut Draft, file: &Path, properties: &[Property]) {
    for (index, property) in properties.iter().enumerate() {
        if let Some(later) = properties[index + 1..].iter().find(|p| p.key == property.key) {
            let origin = Origin::Line { file: file.to_owned(), line: property.line };
            let message = format!("{} is replaced by the one on line {}", property.key, later.line);
            draft.notice(&origin, message);
        }
    }
}
