//! One property of librdkafka by itself: whether there is such a one, whether it takes a value,
//! whether the file it names can be used.
//!
//! Invariant: no client is made, and no message has a value that is a secret.

use std::fs::File;
use std::io::Read;

use rdkafka::ClientConfig;
use rdkafka::error::KafkaError;
use rdkafka::types::RDKafkaConfRes;

/// What is wrong with a property.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PropertyFault {
    /// librdkafka knows none of this name.
    #[error("the client knows no such property")]
    Unknown,
    /// It does not take the value, or cannot use the file.
    #[error("{0}")]
    Value(String),
}

/// Files that librdkafka reads when a client is made, and then complains of without their names.
const FILES: [&str; 5] = [
    "ssl.ca.location",
    "ssl.certificate.location",
    "ssl.key.location",
    "ssl.keystore.location",
    "ssl.crl.location",
];

/// How key stores of Java's own two formats begin.
const JAVA_KEY_STORES: [[u8; 4]; 2] = [[0xfe, 0xed, 0xfe, 0xed], [0xce, 0xce, 0xce, 0xce]];

/// Checks a property by its name and its value, which is not shown if it is a secret.
///
/// # Errors
/// What is wrong.
pub fn check_property(name: &str, value: &str, is_secret: bool) -> Result<(), PropertyFault> {
    match ClientConfig::new().set(name, value).create_native_config() {
        Ok(_) => Ok(()),
        Err(KafkaError::ClientConfig(RDKafkaConfRes::RD_KAFKA_CONF_UNKNOWN, ..)) => {
            Err(PropertyFault::Unknown)
        }
        Err(_) if is_secret => Err(PropertyFault::Value("its value was refused".to_owned())),
        Err(KafkaError::ClientConfig(_, why, ..)) => {
            Err(PropertyFault::Value(format!("found {value:?}: {why}")))
        }
        Err(error) => Err(PropertyFault::Value(error.to_string())),
    }
}

/// Whether the file that a property names can be used, if it names one.
///
/// # Errors
/// What is wrong, with the path that `value` is unless that is a secret.
pub fn check_property_file(name: &str, value: &str, is_secret: bool) -> Result<(), PropertyFault> {
    if !FILES.contains(&name) {
        return Ok(());
    }
    let wrong = |why: &dyn std::fmt::Display| {
        PropertyFault::Value(if is_secret { why.to_string() } else { format!("{value}: {why}") })
    };
    // Opening a directory works; librdkafka takes one for authorities.
    let mut file = File::open(value).map_err(|error| wrong(&error))?;
    let mut start = [0; 4];
    if name == "ssl.keystore.location"
        && file.read_exact(&mut start).is_ok()
        && JAVA_KEY_STORES.contains(&start)
    {
        return Err(wrong(
            &"found a key store in Java's own format, expected one in PKCS#12, or PEM files in \
              ssl.certificate.location and ssl.key.location",
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(result: Result<(), PropertyFault>) -> String {
        result.expect_err("it is wrong").to_string()
    }

    #[test]
    fn a_value_is_judged_by_librdkafka_without_a_client() {
        assert_eq!(check_property("linger.ms", "5", false), Ok(()));
        assert_eq!(check_property("bogus.thing", "1", false), Err(PropertyFault::Unknown));
        let wrong = told(check_property("compression.type", "bogus", false));
        assert!(wrong.starts_with("found \"bogus\": "), "{wrong}");
        let wrong = told(check_property("linger.ms", "hunter2", true));
        assert_eq!(wrong, "its value was refused");
    }

    #[test]
    fn a_key_store_of_java_is_refused_and_one_in_pkcs_12_is_not() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let path = file.path().to_str().unwrap();
        let name = "ssl.keystore.location";
        for (start, is_java_s) in [([0xfe, 0xed, 0xfe, 0xed], true), ([0x30, 0x82, 1, 2], false)] {
            std::fs::write(path, start).unwrap();
            assert_eq!(check_property_file(name, path, false).is_err(), is_java_s);
        }
        let missing = told(check_property_file("ssl.ca.location", "/no/such", false));
        assert!(missing.starts_with("/no/such: "), "{missing}");
        assert_eq!(check_property_file("client.id", "/no/such", false), Ok(()));
    }
}
