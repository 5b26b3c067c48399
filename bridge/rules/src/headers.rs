//! The headers a record carries besides the user properties of its message.
//!
//! These names are the bridge's own: a user property that bears one of them is left out of a
//! record, so that a device cannot speak in the broker's name, and a header that bears one of them
//! never becomes a user property.

/// The MQTT topic.
pub const TOPIC: &str = "mqtt.topic";
/// The publisher's client id.
pub const CLIENT_ID: &str = "mqtt.client.id";
/// The QoS published with: `0`, `1` or `2`.
pub const QOS: &str = "mqtt.qos";
/// Whether it was published with RETAIN: `true` or `false`.
pub const RETAIN: &str = "mqtt.retain";
/// The name of a rule the message has passed; one header a rule, oldest first.
pub const TRAIL: &str = "midge.trail";

/// The longest trail accepted. A message that has passed more rules goes in a circle that no
/// single broker sees whole, and each round would make it larger.
pub const TRAIL_MAX: usize = 32;

/// Whether a header is the bridge's own.
pub fn is_own(name: &str) -> bool {
    matches!(name, TOPIC | CLIENT_ID | QOS | RETAIN | TRAIL)
}
