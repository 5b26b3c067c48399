//! A worker's properties that make it one of a group.
//!
//! Every property of a group is obeyed, refused, or told as without effect; the others are left to
//! the connectors.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::time::Duration;

use crate::draft::Draft;
use crate::error::Origin;
use crate::nearest::did_you_mean;
use crate::resolved::{Advertised, StorageTopic, WorkerGroup};
use crate::settings::quoted;

/// What stands without effect here, and why.
const IDLE: &[(&str, &str)] = &[
    ("connect.protocol", "tasks always move one by one"),
    ("inter.worker.", "workers speak by Kafka alone"),
    ("scheduled.rebalance.max.delay.ms", "tasks of a worker that has gone move at once"),
    ("worker.sync.timeout.ms", "a worker that lags holds up nobody"),
    ("worker.unsync.backoff.ms", "a worker that lags holds up nobody"),
];

const OBEYED: [&str; 7] = [
    "group.id",
    "session.timeout.ms",
    "heartbeat.interval.ms",
    "rebalance.timeout.ms",
    "rest.advertised.host.name",
    "rest.advertised.port",
    "rest.advertised.listener",
];

const STORAGES: [&str; 3] = ["config.storage.", "status.storage.", "offset.storage."];

/// librdkafka's own bounds.
const SESSION_MAX: u64 = 3_600_000;
const REBALANCE_MAX: u64 = 86_400_000;

/// Whether a property is one of a group.
pub(crate) fn is_of_group(key: &str) -> bool {
    OBEYED.contains(&key)
        || (STORAGES.iter().any(|prefix| key.starts_with(prefix))
            && !key.starts_with("offset.storage.file."))
        || key.starts_with("rest.advertised.")
        || IDLE.iter().any(|(name, _)| is_named(key, name))
}

fn is_named(key: &str, name: &str) -> bool {
    key == name || (name.ends_with('.') && key.starts_with(name))
}

/// The key under which a property's place in its file is remembered.
pub(crate) fn said(key: &str) -> String {
    format!("worker.{key}")
}

/// Takes what belongs to a group out of a worker's properties. `expected`: the worker has to be one
/// of a group.
pub(super) fn resolve(
    draft: &mut Draft,
    properties: &mut BTreeMap<String, String>,
    expected: bool,
) -> Option<WorkerGroup> {
    let (of_group, rest) =
        std::mem::take(properties).into_iter().partition(|(key, _)| is_of_group(key));
    *properties = rest;
    let mut read = Read { draft, of_group, wrong: false };
    if !expected && !read.of_group.contains_key("group.id") {
        let keys: Vec<&str> = read.of_group.keys().map(String::as_str).collect();
        if let Some(first) = keys.first() {
            let origin = read.draft.said(&said(first));
            let message = format!("ignored: {}: there is no group.id", keys.join(", "));
            read.draft.notice(&origin, message);
        }
        return None;
    }
    let group_id = read.required("group.id");
    let config = read.storage("config.storage.", 1, &[]);
    let status = read.storage("status.storage.", 5, &[&config]);
    let offsets = read.storage("offset.storage.", 25, &[&config, &status]);
    let session_timeout = read.millis("session.timeout.ms", 10_000, SESSION_MAX);
    let heartbeat_interval = read.millis("heartbeat.interval.ms", 3_000, SESSION_MAX);
    let rebalance_timeout = read.millis("rebalance.timeout.ms", 60_000, REBALANCE_MAX);
    if heartbeat_interval >= session_timeout {
        let found = heartbeat_interval.as_millis();
        read.error(
            "heartbeat.interval.ms",
            format!("found {found}, expected less than session.timeout.ms"),
        );
    }
    let advertised = read.advertised();
    read.idle();
    let wrong = read.wrong;
    let group = WorkerGroup {
        group_id: group_id?,
        config: config?,
        status: status?,
        offsets: offsets?,
        session_timeout,
        heartbeat_interval,
        rebalance_timeout,
        advertised,
    };
    (!wrong).then_some(group)
}

struct Read<'d> {
    draft: &'d mut Draft,
    of_group: BTreeMap<String, String>,
    wrong: bool,
}

impl Read<'_> {
    fn origin(&self, key: &str) -> Origin {
        // Of one that is missing, the file's.
        let said = self.draft.said.get(&said(key)).or_else(|| self.draft.said.get(&said("")));
        said.cloned().unwrap_or(Origin::Whole)
    }

    fn error(&mut self, key: &str, message: String) {
        let origin = self.origin(key);
        self.draft.error(&origin, key, message);
        self.wrong = true;
    }

    fn take(&mut self, key: &str) -> Option<String> {
        self.of_group.remove(key).map(|value| value.trim().to_owned())
    }

    fn required(&mut self, key: &str) -> Option<String> {
        let value = self.take(key).filter(|value| !value.is_empty());
        if value.is_none() {
            self.error(key, "found nothing, expected a name: workers share by it".to_owned());
        }
        value
    }

    /// A topic by the properties that begin with `prefix`.
    fn storage(
        &mut self,
        prefix: &str,
        partitions: i32,
        others: &[&Option<StorageTopic>],
    ) -> Option<StorageTopic> {
        let key = |name: &str| format!("{prefix}{name}");
        let name = self.required(&key("topic"));
        if let Some(name) = &name {
            let taken = |other: &&Option<StorageTopic>| {
                other.as_ref().is_some_and(|other| other.name == *name)
            };
            if !is_topic(name) {
                let expected = "expected letters, digits, `.`, `_` and `-`, at most 249";
                self.error(&key("topic"), format!("found {}, {expected}", quoted(name)));
            } else if others.iter().any(taken) {
                let message = "found the topic of another storage, expected one of its own";
                self.error(&key("topic"), message.to_owned());
            }
        }
        let replication_factor = self.count(&key("replication.factor"), 3, i32::from(i16::MAX));
        let found = self.count(&key("partitions"), partitions, 10_000);
        if prefix == "config.storage." && found != 1 {
            let message = format!("found {found}, expected 1: only then they are in order");
            self.error(&key("partitions"), message);
        }
        let of_topic: Vec<String> =
            self.of_group.keys().filter(|key| key.starts_with(prefix)).cloned().collect();
        let mut settings = Vec::new();
        for key in of_topic {
            let Some(value) = self.take(&key) else { continue };
            let name = &key[prefix.len()..];
            if name != "cleanup.policy" {
                settings.push((name.to_owned(), value));
            } else if value != "compact" {
                self.error(&key, format!("found {}, expected compact", quoted(&value)));
            }
        }
        Some(StorageTopic { name: name?, partitions: found, replication_factor, settings })
    }

    /// A number of one or more, or -1.
    fn count(&mut self, key: &str, default: i32, most: i32) -> i32 {
        let Some(text) = self.take(key) else { return default };
        match text.parse::<i32>() {
            Ok(count) if count == -1 || (1..=most).contains(&count) => count,
            _ => {
                let expected = format!("expected a number from 1 to {most}, or -1");
                self.error(key, format!("found {}, {expected}", quoted(&text)));
                default
            }
        }
    }

    fn millis(&mut self, key: &str, default: u64, most: u64) -> Duration {
        let Some(text) = self.take(key) else { return Duration::from_millis(default) };
        match text.parse::<u64>() {
            Ok(millis) if (1..=most).contains(&millis) => Duration::from_millis(millis),
            _ => {
                let expected = format!("expected milliseconds from 1 to {most}");
                self.error(key, format!("found {}, {expected}", quoted(&text)));
                Duration::from_millis(default)
            }
        }
    }

    fn advertised(&mut self) -> Advertised {
        let host = self.take("rest.advertised.host.name").filter(|host| !host.is_empty());
        let port = self.take("rest.advertised.port").filter(|port| !port.is_empty());
        let port = port.and_then(|text| match text.parse::<u16>() {
            Ok(port) if port > 0 => Some(port),
            _ => {
                let message = format!("found {}, expected a port", quoted(&text));
                self.error("rest.advertised.port", message);
                None
            }
        });
        let listener = self.take("rest.advertised.listener").filter(|text| !text.is_empty());
        if let Some(listener) = listener.filter(|text| !text.eq_ignore_ascii_case("http")) {
            let message = format!("found {}, expected http", quoted(&listener));
            self.error("rest.advertised.listener", message);
        }
        Advertised { host, port }
    }

    /// What is left has no effect.
    fn idle(&mut self) {
        for key in std::mem::take(&mut self.of_group).into_keys() {
            let origin = self.origin(&key);
            let why = IDLE.iter().find(|(name, _)| is_named(&key, name)).map(|(_, why)| *why);
            let message = match why {
                Some(why) => format!("ignored: {key}: {why}"),
                None => {
                    let guess = did_you_mean(&key, OBEYED.iter().copied());
                    format!("ignored: {key}: unknown property{guess}")
                }
            };
            self.draft.notice(&origin, message);
        }
    }
}

fn is_topic(name: &str) -> bool {
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    name.len() <= 249 && !matches!(name, "." | "..") && name.bytes().all(legal)
}
