//! Schemas that a schema refers to, by subject and version.

use serde_json::Value;

/// How many schemas may refer to one another in a row.
const DEPTH_MAX: usize = 16;
/// How many schemas one may refer to, directly and not.
const COUNT_MAX: usize = 256;

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Reference {
    pub(super) subject: String,
    pub(super) version: u64,
}

/// The references in an answer.
pub(super) fn references(answer: &Value) -> Result<Vec<Reference>, String> {
    let Some(listed) = answer["references"].as_array() else {
        return Ok(Vec::new());
    };
    let read = listed.iter().map(|entry| {
        let subject = entry["subject"].as_str().map(str::to_owned);
        match (subject, entry["version"].as_u64()) {
            (Some(subject), Some(version)) => Ok(Reference { subject, version }),
            _ => Err("a reference has no subject or no version".to_owned()),
        }
    });
    read.collect()
}

/// Whether so many are still allowed.
pub(super) fn check(depth: usize, count: usize) -> Result<(), String> {
    if depth >= DEPTH_MAX {
        return Err(format!("more than {DEPTH_MAX} schemas refer to one another in a row"));
    }
    if count > COUNT_MAX {
        return Err(format!("it refers to more than {COUNT_MAX} schemas"));
    }
    Ok(())
}
