//! A request and its answer, without the wire.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde_json::{Value, json};

/// A request of REST.
#[derive(Clone, Debug, Default)]
pub(crate) struct Request {
    /// In capitals.
    pub(crate) method: String,
    /// The path's segments, decoded; an empty one at the end is left out.
    pub(crate) path: Vec<String>,
    /// The query's parameters, decoded, several of one name in their order.
    pub(crate) query: Vec<(String, String)>,
    /// `Content-Type`.
    pub(crate) content_type: Option<String>,
    /// `Accept`.
    pub(crate) accept: Option<String>,
    /// `Host`, for addresses in answers.
    pub(crate) host: Option<String>,
    /// The body.
    pub(crate) body: Vec<u8>,
}

/// What is answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) content_type: Option<&'static str>,
    pub(crate) location: Option<String>,
    /// `WWW-Authenticate`.
    pub(crate) challenge: Option<&'static str>,
    pub(crate) body: String,
}

const JSON: &str = "application/json";

impl Request {
    /// Reads the path and the query of a request's target.
    ///
    /// # Errors
    /// When an escape is none, or is not text.
    pub(crate) fn with_target(mut self, target: &str) -> Result<Request, Answer> {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let wrong = || Answer::error(400, "found an escape in the address that is none");
        for segment in path.strip_prefix('/').unwrap_or(path).split('/') {
            self.path.push(decoded(segment).ok_or_else(wrong)?);
        }
        self.path.pop_if(|last| last.is_empty());
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let plain = |text: &str| decoded(&text.replace('+', " "));
            let (name, value) = plain(name).zip(plain(value)).ok_or_else(wrong)?;
            self.query.push((name, value));
        }
        Ok(self)
    }

    /// The values of a parameter.
    pub(crate) fn parameters<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.query.iter().filter(move |(found, _)| found == name).map(|(_, value)| &**value)
    }

    /// Whether a parameter is `true`.
    pub(crate) fn is(&self, name: &str) -> bool {
        self.parameters(name).next().is_some_and(|value| value.eq_ignore_ascii_case("true"))
    }

    /// Whether the client takes JSON.
    pub(crate) fn accepts_json(&self) -> bool {
        let Some(accept) = &self.accept else { return true };
        accept.split(',').any(|range| {
            let range = range.split(';').next().unwrap_or_default().trim();
            matches!(range, "*/*" | "application/*" | "application/json" | "")
        })
    }

    /// The body as JSON.
    ///
    /// # Errors
    /// 415 for another type, 400 for a body that is not JSON.
    pub(crate) fn json(&self) -> Result<Value, Answer> {
        let kind = self.content_type.as_deref().unwrap_or_default();
        if kind.split(';').next().unwrap_or_default().trim() != JSON {
            let found = self.content_type.is_some();
            let answer = Answer::error(415, "HTTP 415 Unsupported Media Type");
            return Err(if found { answer.untyped() } else { answer });
        }
        serde_json::from_slice(&self.body)
            .map_err(|error| Answer::error(400, &format!("the body is not JSON: {error}")))
    }

    /// The body as a flat map of properties; numbers and booleans become text.
    ///
    /// # Errors
    /// As [`Request::json`], and 400 for something else than that.
    pub(crate) fn properties(&self) -> Result<BTreeMap<String, Option<String>>, Answer> {
        flat(&self.json()?)
    }
}

/// A flat map of properties; numbers and booleans become text.
///
/// # Errors
/// 400 for something else than that.
pub(crate) fn flat(value: &Value) -> Result<BTreeMap<String, Option<String>>, Answer> {
    let Value::Object(pairs) = value else {
        let message = format!("found {}, expected an object of properties", kind(value));
        return Err(Answer::error(400, &message));
    };
    let mut flat = BTreeMap::new();
    for (key, value) in pairs {
        let text = match value {
            Value::Null => None,
            Value::String(text) => Some(text.clone()),
            Value::Bool(_) | Value::Number(_) => Some(value.to_string()),
            other => {
                let message = format!("{key}: found {}, expected text", kind(other));
                return Err(Answer::error(400, &message));
            }
        };
        flat.insert(key.clone(), text);
    }
    Ok(flat)
}

/// What a value is, in words.
pub(crate) fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "text",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

impl Answer {
    /// JSON.
    pub(crate) fn json(status: u16, body: &Value) -> Answer {
        Answer {
            status,
            content_type: Some(JSON),
            location: None,
            challenge: None,
            body: body.to_string(),
        }
    }

    /// A status alone.
    pub(crate) fn empty(status: u16) -> Answer {
        Answer { status, content_type: None, location: None, challenge: None, body: String::new() }
    }

    /// An error as Connect tells it.
    pub(crate) fn error(status: u16, message: &str) -> Answer {
        Answer::json(status, &json!({ "error_code": status, "message": message }))
    }

    /// The same without a type, as Connect's own server answers what no resource has seen.
    pub(crate) fn untyped(mut self) -> Answer {
        self.content_type = None;
        self
    }

    /// The same with the address of what was made.
    pub(crate) fn at(mut self, location: String) -> Answer {
        self.location = Some(location);
        self
    }
}

/// Text whose bytes may be written as `%` and two hexadecimal digits.
fn decoded(text: &str) -> Option<String> {
    if !text.contains('%') {
        return Some(text.to_owned());
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        rest = after;
        if *first != b'%' {
            bytes.push(*first);
            continue;
        }
        let digits = after.get(..2).filter(|digits| digits.iter().all(u8::is_ascii_hexdigit))?;
        bytes.push(u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?);
        rest = &after[2..];
    }
    String::from_utf8(bytes).ok()
}

/// A segment of an address.
pub(crate) fn encoded(segment: &str) -> Cow<'_, str> {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~/:@!$&'()*+,;=".contains(byte);
    if segment.as_bytes().iter().all(plain) {
        return Cow::Borrowed(segment);
    }
    let mut out = String::with_capacity(segment.len() * 2);
    for byte in segment.bytes() {
        if plain(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_decoded_and_a_wrong_escape_is_an_error() {
        let read = |target: &str| Request::default().with_target(target);
        let request = read("/connectors/a%2Fb/?expand=info&expand=sta+tus&x").unwrap();
        assert_eq!(request.path, ["connectors", "a/b"]);
        assert_eq!(request.parameters("expand").collect::<Vec<_>>(), ["info", "sta tus"]);
        for wrong in ["/%", "/%4", "/%zz", "/a%ff", "/%+1"] {
            assert_eq!(read(wrong).unwrap_err().status, 400, "{wrong}");
        }
        assert!(read("/").unwrap().path.is_empty());
    }

    #[test]
    fn numbers_and_booleans_are_text_and_nothing_deeper_is_a_property() {
        let found = flat(&json!({"a": 5, "b": true, "c": null, "d": "x"})).unwrap();
        assert_eq!(found["a"].as_deref(), Some("5"));
        assert_eq!(found["b"].as_deref(), Some("true"));
        assert_eq!(found["c"], None);
        assert!(flat(&json!({"a": []})).unwrap_err().body.contains("a: found an array"));
        assert!(flat(&json!([])).is_err());
    }
}
