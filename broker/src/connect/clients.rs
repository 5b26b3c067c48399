//! What a worker's file says of Kafka's clients, judged by the client itself before anything runs.
//!
//! Invariant: no message has the value of a secret, or what a reference stood for.

use midge_bridge::{PropertyFault, check_property, check_property_file};
use midge_config::{ClientProperty, ConfigError};

/// Names of properties that are not passed over when the client does not know them: they would
/// protect the way to Kafka.
const PROTECTING: [&str; 3] = ["sasl.", "ssl.", "security."];

/// What is wrong with them, a line each.
pub(super) fn check(said: &[ClientProperty]) -> Vec<String> {
    said.iter()
        .filter_map(|property| {
            let fault = fault(property)?;
            let is_idle = fault == PropertyFault::Unknown && !is_protecting(&property.name);
            (!is_idle).then(|| told(property, &fault))
        })
        .collect()
}

/// Those of tasks that the client does not know and that go without, a line each.
pub(super) fn notices(said: &[ClientProperty]) -> Vec<String> {
    said.iter()
        .filter(|property| !is_protecting(&property.name))
        .filter(|property| fault(property) == Some(PropertyFault::Unknown))
        .map(|property| {
            format!("{}: ignored: {}: {}", property.origin, property.key, PropertyFault::Unknown)
        })
        .collect()
}

fn fault(property: &ClientProperty) -> Option<PropertyFault> {
    let ClientProperty { name, value, is_secret, .. } = property;
    let value = value.expose();
    let checked = check_property(name, value, *is_secret)
        .and_then(|()| check_property_file(name, value, *is_secret));
    checked.err()
}

fn told(property: &ClientProperty, fault: &PropertyFault) -> String {
    let ClientProperty { key, origin, .. } = property;
    ConfigError { origin: origin.clone(), key: key.clone(), message: fault.to_string() }.to_string()
}

fn is_protecting(name: &str) -> bool {
    PROTECTING.iter().any(|prefix| name.starts_with(prefix))
}

#[cfg(test)]
mod tests {
    use midge_config::{Origin, Secret};

    use super::*;

    fn properties(said: &[(&str, &str, &str)]) -> Vec<ClientProperty> {
        let property = |(line, (key, name, value)): (usize, &(&str, &str, &str))| ClientProperty {
            key: (*key).to_owned(),
            origin: Origin::Line { file: "w.properties".into(), line },
            name: (*name).to_owned(),
            value: Secret::new(*value),
            is_secret: name.contains("password"),
        };
        (1..).zip(said).map(property).collect()
    }

    #[test]
    fn what_the_client_does_not_take_is_told_where_it_stands() {
        let said = properties(&[
            ("producer.linger.ms", "linger.ms", "abc"),
            ("producer.linger.ms", "linger.ms", "5"),
            ("ssl.ca.location", "ssl.ca.location", "/no/such"),
            ("consumer.sasl.bogus", "sasl.bogus", "1"),
            ("consumer.bogus", "bogus", "1"),
        ]);
        let wrong = check(&said);
        assert_eq!(wrong.len(), 3, "{wrong:?}");
        for (found, expected) in wrong.iter().zip([
            "w.properties:1: producer.linger.ms: found \"abc\": ",
            "w.properties:3: ssl.ca.location: /no/such: ",
            "w.properties:4: consumer.sasl.bogus: the client knows no such property",
        ]) {
            assert!(found.starts_with(expected), "{found}");
        }
        let ignored = "w.properties:5: ignored: consumer.bogus: the client knows no such property";
        assert_eq!(notices(&said), [ignored]);
    }
}
