//! A connector's properties from standard input.
//!
//! Invariant: what [`shown`](super::shown) puts in the place of a secret never becomes one.

use std::io::Read;

use midge_config::parse_properties;
use serde_json::Value;

use super::arguments::Format;
use super::shown::{MASK, Properties, is_masked, properties};

/// More is no connector: the interface takes no larger body.
const BYTES_MAX: u64 = 4 << 20;

/// Properties, and the order in which they were said.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Input {
    pub(super) properties: Properties,
    /// Keys as they stood, those twice that were said twice.
    pub(super) order: Vec<String>,
}

impl Input {
    /// Reads all of it.
    pub(super) fn read(input: impl Read, format: Format) -> Result<Input, String> {
        let mut bytes = Vec::new();
        let read = input.take(BYTES_MAX + 1).read_to_end(&mut bytes);
        read.map_err(|error| format!("standard input: {error}"))?;
        if bytes.len() as u64 > BYTES_MAX {
            return Err(format!("standard input: found more than {BYTES_MAX} bytes"));
        }
        let input = match format {
            Format::Properties => Input::of_properties(&bytes)?,
            Format::Json => Input::of_json(&bytes)?,
        };
        if input.properties.is_empty() {
            return Err("standard input: found no properties of a connector".to_owned());
        }
        let masked = input.properties.iter().find(|(key, value)| is_masked(key, value));
        match masked {
            Some((key, _)) => Err(format!(
                "standard input: {key}: found {MASK}, which stands for a secret where properties \
                 are shown, expected the secret"
            )),
            None => Ok(input),
        }
    }

    fn of_properties(bytes: &[u8]) -> Result<Input, String> {
        let (found, malformed) = parse_properties(bytes);
        if let Some(line) = malformed.first() {
            return Err(format!("standard input:{}: {}", line.line, line.message));
        }
        let mut input = Input::default();
        for property in found {
            input.order.push(property.key.clone());
            // The last one counts, as in Java.
            input.properties.insert(property.key, property.value);
        }
        Ok(input)
    }

    /// An object of properties, or one with a name and a `config`, as the interface shows it.
    fn of_json(bytes: &[u8]) -> Result<Input, String> {
        let found: Value =
            serde_json::from_slice(bytes).map_err(|error| format!("standard input: {error}"))?;
        let config = found.get("config").filter(|config| config.is_object()).unwrap_or(&found);
        if !config.is_object() {
            return Err("standard input: expected an object of properties".to_owned());
        }
        let mut properties = properties(config);
        if let Some(name) = found.get("name").and_then(Value::as_str) {
            properties.entry("name".to_owned()).or_insert_with(|| name.to_owned());
        }
        Ok(Input { order: Vec::new(), properties })
    }

    /// The name that counts: that of the properties, or else the one that was asked for, which the
    /// properties then have too.
    pub(super) fn name(&mut self, asked: &str) -> String {
        let said = self.properties.get("name").map(|name| name.trim()).unwrap_or_default();
        let name = if said.is_empty() { asked } else { said }.to_owned();
        self.properties.insert("name".to_owned(), name.clone());
        name
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, format: Format) -> Result<Input, String> {
        Input::read(text.as_bytes(), format)
    }

    #[test]
    fn properties_are_java_s_and_keep_their_order() {
        let text = "# a sink\n\nb = 1 \\\n  more\na:2\n! told\nb=\\u0033  \n";
        let input = read(text, Format::Properties).expect("properties");
        assert_eq!(input.order, ["b", "a", "b"]);
        let found: Vec<(&str, &str)> =
            input.properties.iter().map(|(key, value)| (&**key, &**value)).collect();
        assert_eq!(found, [("a", "2"), ("b", "3  ")]);
        assert_eq!(
            read("a=1\nb=\\u00\n", Format::Properties),
            Err("standard input:2: found \\u, expected four hexadecimal digits after it".to_owned())
        );
    }

    #[test]
    fn json_is_an_object_of_properties_or_a_definition() {
        for text in [r#"{"name":"n","a":1}"#, r#"{"name":"n","config":{"a":"1"}}"#] {
            let mut input = read(text, Format::Json).expect("properties");
            assert_eq!(input.properties["a"], "1");
            assert_eq!(input.name("asked"), "n");
        }
        assert!(read("[]", Format::Json).is_err());
    }

    #[test]
    fn the_properties_name_goes_before_the_one_that_was_asked_for() {
        let mut input = read("name= influxdb-sink \n", Format::Properties).expect("properties");
        assert_eq!(input.name("influx-sink"), "influxdb-sink");
        let mut input = read("a=b\n", Format::Properties).expect("properties");
        assert_eq!(input.name("influx-sink"), "influx-sink");
        assert_eq!(input.properties["name"], "influx-sink");
    }

    #[test]
    fn what_stands_for_a_secret_is_refused() {
        let error = read("a.password=**********\n", Format::Properties).expect_err("a mask");
        assert!(error.starts_with("standard input: a.password: found **********"), "{error}");
        assert!(read("url=http://u:**********@r\n", Format::Properties).is_err());
        assert!(read("a=**********\n", Format::Properties).is_ok());
        assert!(read("# nothing\n", Format::Properties).is_err());
    }
}
