//! A connector's property file, as Kafka Connect's standalone worker takes it, into a draft.
//!
//! The file is taken as it is, with the place of every property: the class that it names knows what
//! it means. What is no property file at all is told here.

#[cfg(test)]
mod tests;

use std::path::Path;

use crate::draft::Draft;
use crate::error::Origin;
use crate::properties::{self, Property};
use crate::resolved::ConnectorFile;

/// Reads one file.
pub(crate) fn parse(draft: &mut Draft, file: &Path, bytes: &[u8]) {
    draft.files.push(file.to_owned());
    let line = |line| Origin::Line { file: file.to_owned(), line };
    if bytes.trim_ascii_start().starts_with(b"{") {
        let message = "found JSON, expected properties, NAME=VALUE a line; REST takes JSON";
        return draft.error(&line(1), "", message);
    }
    let (properties, malformed) = properties::parse(bytes);
    for found in malformed {
        draft.error(&line(found.line), "", found.message);
    }
    tell_replaced(draft, file, &properties);
    let counts = || properties::last(&properties);
    let text = |key: &str| counts().find(|one| one.key == key).map_or("", |one| one.value.trim());
    let found = ConnectorFile {
        name: text("name").to_owned(),
        whole: Origin::File(file.to_owned()),
        properties: counts().map(|one| (one.key.clone(), one.value.clone())).collect(),
        origins: counts().map(|one| (one.key.clone(), line(one.line))).collect(),
    };
    let mut complete = true;
    for required in ["connector.class", "name"] {
        if text(required).is_empty() {
            draft.error(&found.origin(required), required, "is missing");
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
