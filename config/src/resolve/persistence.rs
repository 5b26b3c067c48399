//! Persistence: whether there is any, and that its sizes fit together.
//!
//! What is said about it while it is off has no effect and is said to have none.

use crate::draft::{Draft, PersistenceDraft};
use crate::resolved::Persistence;
use crate::settings::persistence::PERSISTENCE;

pub(super) fn resolve(draft: &mut Draft) -> Option<Persistence> {
    let said = std::mem::take(&mut draft.persistence);
    if !said.enabled {
        without_effect(draft);
        return None;
    }
    check_sizes(draft, &said);
    Some(Persistence {
        import: Some(said.directory.join(said.file)),
        directory: said.directory,
        durability: said.durability,
        segment_bytes: said.segment_bytes,
        max_bytes: said.max_bytes,
    })
}

fn check_sizes(draft: &mut Draft, said: &PersistenceDraft) {
    let smallest = said.segment_bytes * Persistence::FEWEST_SEGMENTS;
    if let Some(found) = said.max_bytes.filter(|bytes| *bytes < smallest) {
        let origin = draft.said("persistence.max_size");
        let message = format!(
            "found {found}, expected {smallest} or more, or 0: the journal needs {} segments of \
             {} bytes",
            Persistence::FEWEST_SEGMENTS,
            said.segment_bytes
        );
        draft.error(&origin, "persistence.max_size", message);
    }
}

fn without_effect(draft: &mut Draft) {
    for row in PERSISTENCE.iter().filter(|row| row.key != "enabled") {
        let key = format!("persistence.{}", row.key);
        if let Some(origin) = draft.said.get(&key).cloned() {
            draft.notice(&origin, format!("ignored: {key}: persistence is off"));
        }
    }
}
