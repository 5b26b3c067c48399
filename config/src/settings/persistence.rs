//! The settings of `[persistence]`.
//!
//! `mosquitto.conf` has the first three of them; the rest have defaults that need no thought.

use super::{Setting, Take};
use crate::draft::PersistenceDraft;
use crate::resolved::Durability;

pub(crate) static PERSISTENCE: &[Setting<PersistenceDraft>] = &[
    Setting {
        key: "enabled",
        directive: Some("persistence"),
        default: "false",
        meaning: "Keep sessions, queues, retained messages and the bridge's spool on disk. What is \
                  acknowledged then survives the end of the process, and by default the power cut.",
        take: Take::Bool(|persistence, on| persistence.enabled = on),
    },
    Setting {
        key: "directory",
        directive: Some("persistence_location"),
        default: "the working directory",
        meaning: "The directory for it; the journal lives in `midge-store` there.",
        take: Take::Text(|persistence, path| persistence.directory = path.into()),
    },
    Setting {
        key: "file",
        directive: Some("persistence_file"),
        default: "mosquitto.db",
        meaning: "The name of a Mosquitto database in that directory. It is read once, at the \
                  first start, when it is there, and kept as it is.",
        take: Take::Text(|persistence, path| persistence.file = path.into()),
    },
    Setting {
        key: "durability",
        directive: None,
        default: "fsync",
        meaning: "What an acknowledgement waits for: `fsync` until the disk has it, `os` until the \
                  operating system has it (safe from `kill -9`, not from a power cut), `none` for \
                  nothing.",
        take: Take::Choice(&["fsync", "os", "none"], |persistence, word| {
            persistence.durability = match word {
                "os" => Durability::Os,
                "none" => Durability::None,
                _ => Durability::Fsync,
            };
        }),
    },
    Setting {
        key: "segment_size",
        directive: None,
        default: "16777216",
        meaning: "Bytes of one file of the journal.",
        take: Take::Int(1 << 20..=1 << 30, |persistence, bytes| {
            persistence.segment_bytes = bytes as u64;
        }),
    },
    Setting {
        key: "max_size",
        directive: None,
        default: "0: no limit but the disk",
        meaning: "Bytes the journal may take; at least four times `segment_size`. At the limit new \
                  durable work is refused, as on a full disk, until there is room again.",
        take: Take::Int(0..=i64::MAX, |persistence, bytes| {
            persistence.max_bytes = (bytes > 0).then_some(bytes as u64);
        }),
    },
];
