//! Messages and records as JSON: payloads as text where they are, else in base64.
//!
//! What is not there is left out; moments are in RFC 3339, in UTC.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use midge_codec::{PublishProperties, Will};
use midge_core::{Message, Now, Origin};
use serde_json::{Map, Value, json};

use super::contents::unix_millis;

pub(super) type Object = Map<String, Value>;

/// A moment given in milliseconds since 1970.
pub(super) fn moment(unix_millis: u64) -> Value {
    let millis = i64::try_from(unix_millis).ok();
    match millis.and_then(|millis| Timestamp::from_millisecond(millis).ok()) {
        Some(at) => Value::from(at.to_string()),
        None => Value::from(unix_millis),
    }
}

/// Puts bytes under a name, with `_base64` behind it when they are no text.
pub(super) fn put_bytes(object: &mut Object, name: &str, bytes: &[u8]) {
    match std::str::from_utf8(bytes) {
        Ok(text) => object.insert(name.to_owned(), text.into()),
        Err(_) => object.insert(format!("{name}_base64"), STANDARD.encode(bytes).into()),
    };
}

/// Puts what was published; `read_at` is when the message was read.
pub(super) fn put_message(object: &mut Object, message: &Message, read_at: Now) {
    object.insert("topic".to_owned(), message.topic.as_str().into());
    put_bytes(object, "payload", &message.payload);
    if let Some(properties) = message.properties.as_deref() {
        put_properties(object, properties);
    }
    object.insert("received".to_owned(), moment(message.received_unix_millis));
    if let Some(expires) = message.expires {
        object.insert("expires".to_owned(), moment(unix_millis(expires, read_at)));
    }
    if let Origin::Client(client) = &message.origin {
        let publisher = json!({
            "client_id": client.client_id.as_str(),
            "username": client.username.as_deref(),
            "listener": client.listener.as_str(),
        });
        object.insert("publisher".to_owned(), publisher);
    }
    if !message.trail.is_empty() {
        let rules: Vec<&str> = message.trail.iter().map(|rule| rule.as_str()).collect();
        object.insert("trail".to_owned(), rules.into());
    }
}

/// The will of a session.
pub(super) fn will(will: &Will) -> Value {
    let mut object = Object::new();
    object.insert("topic".to_owned(), will.topic.as_str().into());
    put_bytes(&mut object, "payload", &will.payload);
    object.insert("qos".to_owned(), (will.qos as u8).into());
    object.insert("retain".to_owned(), will.retain.into());
    let delay = will.properties.will_delay_interval.unwrap_or(0);
    object.insert("will_delay_interval".to_owned(), delay.into());
    put_properties(&mut object, &will.properties.publish);
    Value::Object(object)
}

fn put_properties(object: &mut Object, found: &PublishProperties) {
    let mut properties = Object::new();
    let mut put = |name: &str, value: Option<Value>| {
        if let Some(value) = value {
            properties.insert(name.to_owned(), value);
        }
    };
    put("payload_format_indicator", found.payload_format_indicator.map(Value::from));
    put("message_expiry_interval", found.message_expiry_interval.map(Value::from));
    put("content_type", found.content_type.as_deref().map(Value::from));
    let response_topic = found.response_topic.as_ref();
    put("response_topic", response_topic.map(|topic| topic.as_str().into()));
    let pairs = found.user_properties.iter();
    let pairs: Vec<Value> =
        pairs.map(|(name, value)| json!([name.as_str(), value.as_str()])).collect();
    put("user_properties", (!pairs.is_empty()).then(|| pairs.into()));
    if let Some(data) = &found.correlation_data {
        put_bytes(&mut properties, "correlation_data", data);
    }
    if !properties.is_empty() {
        object.insert("properties".to_owned(), properties.into());
    }
}
