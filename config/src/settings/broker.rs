//! The settings of the whole process: `[broker]`, `[limits]` and `[log]`.
//!
//! Every limit has a number by default; 0 lifts those that a user may lift.

use std::path::PathBuf;
use std::time::Duration;

use super::{Setting, Take};
use crate::draft::{BrokerDraft, LogDraft};
use crate::resolved::{Limits, LogDestination, LogFormat, LogTypes, MAX_WORKERS, QueueFull};

/// The largest packet MQTT can carry: fixed header, length and 268,435,455 bytes.
const LARGEST_PACKET: i64 = 268_435_460;

pub(crate) static BROKER: &[Setting<BrokerDraft>] = &[
    Setting {
        key: "user",
        directive: Some("user"),
        default: "none: stays the user that started it",
        meaning: "The user to change to when started as root.",
        take: Take::Text(|broker, name| broker.user = Some(name)),
    },
    Setting {
        key: "pid_file",
        directive: Some("pid_file"),
        default: "none",
        meaning: "The file the process id is written to.",
        take: Take::Text(|broker, path| broker.pid_file = Some(path.into())),
    },
    Setting {
        key: "workers",
        directive: None,
        default: "0: one for every two cores",
        meaning: "Worker threads; each owns a share of the sessions.",
        take: Take::Int(0..=MAX_WORKERS as i64, |broker, count| broker.workers = count as usize),
    },
    Setting {
        key: "sys_interval",
        directive: Some("sys_interval"),
        default: "10",
        meaning: "Seconds between updates of the `$SYS` topics; 0 publishes none.",
        take: Take::Int(0..=65_535, |broker, seconds| {
            broker.sys_interval = (seconds > 0).then(|| Duration::from_secs(seconds as u64));
        }),
    },
    Setting {
        key: "connection_messages",
        directive: Some("connection_messages"),
        default: "true",
        meaning: "Log a line when a client connects and when it goes.",
        take: Take::Bool(|broker, on| broker.connection_messages = on),
    },
    Setting {
        key: "set_tcp_nodelay",
        directive: Some("set_tcp_nodelay"),
        default: "true",
        meaning: "Send at once what is written. Writes are gathered already, so waiting for more \
                  would only delay them.",
        take: Take::Bool(|broker, on| broker.set_tcp_nodelay = on),
    },
];

pub(crate) static LIMITS: &[Setting<Limits>] = &[
    Setting {
        key: "max_connections",
        directive: Some("global_max_connections"),
        default: "0: as many as file descriptors allow",
        meaning: "Clients connected at once over all listeners; 0 or -1 lifts the limit.",
        take: Take::Int(-1..=100_000_000, |limits, count| {
            limits.max_connections = unless_none(count);
        }),
    },
    Setting {
        key: "max_packet_size",
        directive: Some("max_packet_size"),
        default: "2000000",
        meaning: "Bytes of the largest packet accepted; MQTT 5 clients are told. 0 is the \
                  protocol's own maximum; other values below 20 count as 20.",
        take: Take::Int(0..=LARGEST_PACKET, |limits, bytes| {
            let bytes = if bytes == 0 { LARGEST_PACKET } else { bytes.max(20) };
            limits.max_packet_size = bytes as usize;
        }),
    },
    Setting {
        key: "message_size_limit",
        directive: Some("message_size_limit"),
        default: "0: no limit of its own",
        meaning: "Bytes of the largest payload accepted in a PUBLISH.",
        take: Take::Int(0..=LARGEST_PACKET, |limits, bytes| {
            limits.message_size_limit = unless_none(bytes);
        }),
    },
    Setting {
        key: "max_inflight_messages",
        directive: Some("max_inflight_messages"),
        default: "20",
        meaning: "QoS 1 and 2 messages in flight toward one client, within its own Receive \
                  Maximum; 0 is 65535. 1 keeps strict order over reconnects.",
        take: Take::Int(0..=65_535, |limits, count| {
            limits.max_inflight_messages = if count == 0 { u16::MAX } else { count as u16 };
        }),
    },
    Setting {
        key: "max_inflight_bytes",
        directive: Some("max_inflight_bytes"),
        default: "0: no limit",
        meaning: "Payload bytes of QoS 1 and 2 messages in flight toward one client.",
        take: Take::Int(0..=i64::MAX, |limits, bytes| {
            limits.max_inflight_bytes = unless_none(bytes);
        }),
    },
    Setting {
        key: "max_queued_messages",
        directive: Some("max_queued_messages"),
        default: "1000",
        meaning: "QoS 1 and 2 messages that wait for one session beyond those in flight; 0 lifts \
                  the limit.",
        take: Take::Int(0..=i64::MAX, |limits, count| {
            limits.max_queued_messages = unless_none(count);
        }),
    },
    Setting {
        key: "max_queued_bytes",
        directive: Some("max_queued_bytes"),
        default: "0: no limit",
        meaning: "Payload bytes that wait for one session beyond those in flight.",
        take: Take::Int(0..=i64::MAX, |limits, bytes| limits.max_queued_bytes = unless_none(bytes)),
    },
    Setting {
        key: "queue_full",
        directive: None,
        default: "drop_newest",
        meaning: "What becomes of a QoS 1 or 2 message for a session that has `max_queued_messages` \
                  or `max_queued_bytes` waiting: `drop_newest` drops it, `drop_oldest` drops the \
                  oldest one for it, `refuse` refuses its publisher (MQTT 5: 0x97; MQTT 3: no \
                  acknowledgement). Drops are counted and logged.",
        take: Take::Choice(&["drop_newest", "drop_oldest", "refuse"], |limits, word| {
            limits.queue_full = match word {
                "drop_oldest" => QueueFull::DropOldest,
                "refuse" => QueueFull::Refuse,
                _ => QueueFull::DropNewest,
            };
        }),
    },
    Setting {
        key: "queue_qos0_messages",
        directive: Some("queue_qos0_messages"),
        default: "false",
        meaning: "Queue QoS 0 messages too for a session whose client is away.",
        take: Take::Bool(|limits, on| limits.queue_qos0_messages = on),
    },
    Setting {
        key: "max_keepalive",
        directive: Some("max_keepalive"),
        default: "0: no limit",
        meaning: "Seconds of the longest keep alive. A client that asks for more, or for none, is \
                  told this one (MQTT 5) or refused (3.1, 3.1.1).",
        take: Take::Int(0..=65_535, |limits, seconds| {
            limits.max_keepalive = (seconds > 0).then_some(seconds as u16);
        }),
    },
    Setting {
        key: "persistent_client_expiration",
        directive: Some("persistent_client_expiration"),
        default: "never",
        meaning: "After this time without its client a session ends: `12h`, `14d`, `2w`, `6m`, \
                  `1y`.",
        take: Take::Period(|limits, period| limits.persistent_client_expiration = Some(period)),
    },
    Setting {
        key: "retain_available",
        directive: Some("retain_available"),
        default: "true",
        meaning: "Accept retained messages.",
        take: Take::Bool(|limits, on| limits.retain_available = on),
    },
    Setting {
        key: "receive_maximum",
        directive: None,
        default: "1024",
        meaning: "QoS 1 and 2 messages a client may have unacknowledged toward the broker, so \
                  that acknowledgements can be grouped.",
        take: Take::Int(1..=65_535, |limits, count| limits.receive_maximum = count as u16),
    },
    Setting {
        key: "memory_limit",
        directive: Some("memory_limit"),
        default: "536870912",
        meaning: "Bytes of messages held in memory over the whole process; at the limit messages \
                  are dropped by counted reasons and publishers slowed.",
        take: Take::Int(1_048_576..=i64::MAX, |limits, bytes| limits.memory_limit = bytes as usize),
    },
    Setting {
        key: "connect_timeout",
        directive: None,
        default: "10",
        meaning: "Seconds from accepting a socket to a complete, authenticated CONNECT.",
        take: Take::Int(1..=3600, |limits, seconds| {
            limits.connect_timeout = Duration::from_secs(seconds as u64);
        }),
    },
    Setting {
        key: "max_half_open_connections",
        directive: None,
        default: "4096",
        meaning: "Sockets accepted whose CONNECT is not through yet.",
        take: Take::Int(1..=1_000_000, |limits, count| {
            limits.max_half_open_connections = count as usize;
        }),
    },
    Setting {
        key: "max_connect_size",
        directive: None,
        default: "131072",
        meaning: "Bytes of the largest CONNECT accepted: its sender is not known yet.",
        take: Take::Int(256..=LARGEST_PACKET, |limits, bytes| {
            limits.max_connect_size = bytes as usize;
        }),
    },
    Setting {
        key: "max_subscriptions",
        directive: None,
        default: "65536",
        meaning: "Subscriptions of one session.",
        take: Take::Int(1..=100_000_000, |limits, count| limits.max_subscriptions = count as usize),
    },
    Setting {
        key: "max_topic_levels",
        directive: None,
        default: "200",
        meaning: "Levels of a topic name or filter.",
        take: Take::Int(1..=65_535, |limits, count| limits.max_topic_levels = count as usize),
    },
    Setting {
        key: "password_threads",
        directive: None,
        default: "0: a quarter of the cores",
        meaning: "Threads that hash passwords, so that log-ins never slow those who publish.",
        take: Take::Int(0..=1024, |limits, count| limits.password_threads = count as usize),
    },
    Setting {
        key: "max_waiting_logins",
        directive: None,
        default: "1024",
        meaning: "Log-ins that wait for one of those threads; more are answered \"server busy\".",
        take: Take::Int(1..=1_000_000, |limits, count| limits.max_waiting_logins = count as usize),
    },
];

pub(crate) const LOG_TYPES: &[&str] = &[
    "error",
    "warning",
    "notice",
    "information",
    "subscribe",
    "unsubscribe",
    "websockets",
    "debug",
    "none",
    "all",
];

pub(crate) static LOG: &[Setting<LogDraft>] = &[
    Setting {
        key: "destinations",
        directive: None,
        default: "[\"stderr\"]",
        meaning: "Where lines go: `stdout`, `stderr`, `syslog`, `topic` (below \
                  `$SYS/broker/log`), `file PATH`, `none`. In mosquitto.conf: `log_dest`, once for \
                  each.",
        take: Take::List(|log, items| log.destination_words = Some(items)),
    },
    Setting {
        key: "types",
        directive: None,
        default: "[\"error\", \"warning\", \"notice\", \"information\"]",
        meaning: "Which lines are written. In mosquitto.conf: `log_type`, once for each.",
        take: Take::Choices(LOG_TYPES, |log, items| {
            log.types = LogTypes::NONE;
            for item in items {
                log.types.include(item);
            }
        }),
    },
    Setting {
        key: "timestamp",
        directive: Some("log_timestamp"),
        default: "true",
        meaning: "Begin a line with the time.",
        take: Take::Bool(|log, on| log.timestamp = on),
    },
    Setting {
        key: "timestamp_format",
        directive: Some("log_timestamp_format"),
        default: "seconds since 1970",
        meaning: "The time as a pattern of strftime, e.g. `%Y-%m-%dT%H:%M:%S`.",
        take: Take::Text(|log, pattern| log.timestamp_format = Some(pattern)),
    },
    Setting {
        key: "format",
        directive: None,
        default: "text",
        meaning: "The shape of a line.",
        take: Take::Choice(&["text", "json"], |log, word| {
            log.format = if word == "json" { LogFormat::Json } else { LogFormat::Text };
        }),
    },
];

/// What `log_dest` takes after its name.
pub(crate) const LOG_DESTINATIONS: &str = "one of stdout, stderr, syslog, topic, file PATH, none";

/// Reads a log destination; `Ok(None)` is `none`.
pub(crate) fn log_destination(text: &str) -> Option<Option<LogDestination>> {
    let (word, rest) = text.split_once([' ', '\t']).unwrap_or((text, ""));
    Some(match word {
        "stdout" => Some(LogDestination::Stdout),
        "stderr" => Some(LogDestination::Stderr),
        "syslog" => Some(LogDestination::Syslog),
        "topic" => Some(LogDestination::Topic),
        "none" => None,
        "file" if !rest.trim().is_empty() => Some(LogDestination::File(PathBuf::from(rest.trim()))),
        _ => return None,
    })
}

/// A count where 0 and -1 say that there is no limit.
fn unless_none(count: i64) -> Option<usize> {
    (count > 0).then_some(count as usize)
}
