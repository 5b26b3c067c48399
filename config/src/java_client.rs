//! Properties of Kafka's Java clients, in librdkafka's words: most names are the same, some have
//! another, some have no meaning.
//!
//! Invariant: each property becomes properties of librdkafka, or is told as without effect, or is
//! refused; none is passed over.

/// What a property of a Java client comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JavaProperty {
    /// These names and values.
    Is(Vec<(String, String)>),
    /// Nothing, because.
    Idle(&'static str),
    /// Not to be had: what was found and what was expected.
    Refused(String),
}

/// What a name is here.
enum Here {
    /// The same under this name.
    Named(&'static str),
    /// Bytes, where librdkafka counts KiB.
    Kibibytes(&'static str),
    Idle(&'static str),
    Refused(&'static str),
}

const ADMINISTRATION: Here = Here::Idle("there is no client of its own for administration");
const METRICS: Here = Here::Idle("there is no JMX");
const LEVEL: Here = Here::Idle("the client has one level for all codecs: compression.level");
const CODEC: Here = Here::Idle("records are bytes when they come to the client");
const STORE: Here = Here::Refused(
    "expected PEM files, in ssl.ca.location, ssl.certificate.location and ssl.key.location",
);

/// Names that are other ones here; what is not listed keeps its own.
fn here(name: &str) -> Option<Here> {
    use Here::{Idle, Kibibytes, Named, Refused};
    Some(match name {
        "max.request.size" => Named("message.max.bytes"),
        "buffer.memory" => Kibibytes("queue.buffering.max.kbytes"),
        "receive.buffer.bytes" => Named("socket.receive.buffer.bytes"),
        "send.buffer.bytes" => Named("socket.send.buffer.bytes"),
        "fetch.max.wait.ms" => Named("fetch.wait.max.ms"),
        "socket.connection.setup.timeout.max.ms" => {
            Idle("the client has one timeout for connecting")
        }
        "default.api.timeout.ms" => ADMINISTRATION,
        "metadata.max.idle.ms" => Idle("what is known of topics is kept while they are used"),
        "metadata.recovery.strategy" | "metadata.recovery.rebootstrap.trigger.ms" => {
            Idle("the client always looks for the brokers again")
        }
        "auto.include.jmx.reporter"
        | "metrics.num.samples"
        | "metrics.sample.window.ms"
        | "metrics.recording.level" => METRICS,
        "compression.gzip.level" | "compression.lz4.level" | "compression.zstd.level" => LEVEL,
        "exclude.internal.topics" => Idle("a sink reads the topics that it names"),
        "partitioner.adaptive.partitioning.enable" | "partitioner.availability.timeout.ms" => {
            Idle("records without a key go to partitions at random")
        }
        "max.block.ms" => Idle("the broker never waits for the client"),
        "partitioner.class" => Refused("keys choose partitions as Java's default does"),
        "key.serializer" | "value.serializer" | "key.deserializer" | "value.deserializer" => CODEC,
        "interceptor.classes" | "metric.reporters" => Refused("it names classes of Java"),
        "ssl.truststore.location"
        | "ssl.truststore.password"
        | "ssl.truststore.type"
        | "ssl.truststore.certificates"
        | "ssl.keystore.type"
        | "ssl.keystore.key"
        | "ssl.keystore.certificate.chain" => STORE,
        "sasl.login.callback.handler.class"
        | "sasl.client.callback.handler.class"
        | "sasl.login.class"
        | "security.providers"
        | "ssl.engine.factory.class" => Refused("it names a class of Java"),
        "ssl.protocol"
        | "ssl.provider"
        | "ssl.secure.random.implementation"
        | "ssl.keymanager.algorithm"
        | "ssl.trustmanager.algorithm" => Idle("TLS is OpenSSL's, and not Java's"),
        "ssl.client.auth" => Idle("it is about servers"),
        _ if name.starts_with("sasl.login.") => Idle("there is no log-in thread of Java"),
        _ => return None,
    })
}

/// The versions of TLS that the client speaks.
const TLS_VERSIONS: [&str; 2] = ["TLSv1.2", "TLSv1.3"];

/// What a property of a Java client comes to; `key` is its name in messages.
#[must_use]
pub fn java_property(key: &str, name: &str, value: &str) -> JavaProperty {
    let one = |name: &str, value: String| JavaProperty::Is(vec![(name.to_owned(), value)]);
    match (name, here(name)) {
        ("sasl.jaas.config", _) => match log_in(value) {
            Some((user, password)) => JavaProperty::Is(vec![
                ("sasl.username".to_owned(), user),
                ("sasl.password".to_owned(), password),
            ]),
            None => JavaProperty::Refused(format!(
                "{key}: found no username=\"…\" and password=\"…\", expected both"
            )),
        },
        ("partition.assignment.strategy", _) => match strategies(value) {
            Some(names) => one(name, names),
            None => JavaProperty::Refused(format!(
                "{key}: found {value}, expected RangeAssignor, RoundRobinAssignor or \
                 CooperativeStickyAssignor"
            )),
        },
        ("ssl.enabled.protocols", _) => {
            let said: Vec<&str> = value.split(',').map(str::trim).collect();
            match TLS_VERSIONS.iter().all(|version| said.contains(version)) {
                true => JavaProperty::Idle("the client speaks TLSv1.2 and TLSv1.3"),
                false => JavaProperty::Refused(format!(
                    "{key}: found {value}, expected {}: the client speaks both",
                    TLS_VERSIONS.join(",")
                )),
            }
        }
        ("partitioner.ignore.keys", _) => match value.trim() {
            "false" => JavaProperty::Idle("keys choose partitions as Java's default does"),
            _ => JavaProperty::Refused(format!(
                "{key}: found {value}, expected false: keys choose partitions as Java's default \
                 does"
            )),
        },
        // Java's word for no check of the host's name is nothing.
        ("ssl.endpoint.identification.algorithm", _) if value.trim().is_empty() => {
            one(name, "none".to_owned())
        }
        // Java's word for what the system has.
        ("receive.buffer.bytes" | "send.buffer.bytes", _) if value.trim() == "-1" => {
            JavaProperty::Idle("the system chooses the size, as it does without")
        }
        (_, None) => one(name, value.to_owned()),
        (_, Some(Here::Named(other))) => one(other, value.to_owned()),
        (_, Some(Here::Kibibytes(other))) => match value.trim().parse::<u64>() {
            Ok(bytes) => one(other, (bytes / 1024).max(1).to_string()),
            Err(_) => {
                JavaProperty::Refused(format!("{key}: found {value}, expected a number of bytes"))
            }
        },
        (_, Some(Here::Idle(why))) => JavaProperty::Idle(why),
        (_, Some(Here::Refused(why))) => JavaProperty::Refused(format!("{key}: is refused: {why}")),
    }
}

/// The name and the password of a log-in module's configuration.
fn log_in(jaas: &str) -> Option<(String, String)> {
    let value = |name: &str| {
        let at = jaas.find(&format!("{name}="))? + name.len() + 1;
        let quote = jaas[at..].chars().next().filter(|quote| matches!(quote, '"' | '\''))?;
        let inner = &jaas[at + 1..];
        Some(inner[..inner.find(quote)?].to_owned())
    };
    Some((value("username")?, value("password")?))
}

/// Classes of Java that share out partitions, as librdkafka calls them.
fn strategies(classes: &str) -> Option<String> {
    let names: Option<Vec<&str>> = classes
        .split(',')
        .map(|class| match class.trim().rsplit('.').next()? {
            "RangeAssignor" | "range" => Some("range"),
            "RoundRobinAssignor" | "roundrobin" => Some("roundrobin"),
            "CooperativeStickyAssignor" | "cooperative-sticky" => Some("cooperative-sticky"),
            _ => None,
        })
        .collect();
    Some(names?.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is(name: &str, value: &str) -> Vec<(String, String)> {
        match java_property(name, name, value) {
            JavaProperty::Is(properties) => properties,
            other => panic!("{name}: {other:?}"),
        }
    }

    fn pair(name: &str, value: &str) -> (String, String) {
        (name.to_owned(), value.to_owned())
    }

    #[test]
    fn a_log_in_module_is_a_name_and_a_password() {
        let jaas = "org.apache.kafka.common.security.plain.PlainLoginModule required \
                    username=\"bob\" password='a\"b';";
        let expected = [pair("sasl.username", "bob"), pair("sasl.password", "a\"b")];
        assert_eq!(is("sasl.jaas.config", jaas), expected);
        let half = java_property("producer.sasl.jaas.config", "sasl.jaas.config", "username=\"b\"");
        let expected = "producer.sasl.jaas.config: found no username=\"…\" and password=\"…\", \
                        expected both";
        assert_eq!(half, JavaProperty::Refused(expected.to_owned()));
    }

    #[test]
    fn other_names_and_units_are_librdkafka_s() {
        let megabytes = "33554432";
        assert_eq!(is("buffer.memory", megabytes), [pair("queue.buffering.max.kbytes", "32768")]);
        assert_eq!(is("max.request.size", "9"), [pair("message.max.bytes", "9")]);
        assert_eq!(is("linger.ms", "5"), [pair("linger.ms", "5")]);
        let range = "org.apache.kafka.clients.consumer.RangeAssignor";
        let strategy = "partition.assignment.strategy";
        assert_eq!(is(strategy, range), [pair(strategy, "range")]);
        assert!(matches!(java_property("a", "key.serializer", ""), JavaProperty::Idle(_)));
        let store = java_property("a", "ssl.truststore.location", "/x.jks");
        assert!(matches!(store, JavaProperty::Refused(_)), "{store:?}");
        assert!(matches!(
            java_property("a", "sasl.login.read.timeout.ms", "1"),
            JavaProperty::Idle(_)
        ));
        let nothing = "ssl.endpoint.identification.algorithm";
        assert_eq!(is(nothing, ""), [pair(nothing, "none")]);
        assert_eq!(is(nothing, "https"), [pair(nothing, "https")]);
        for (name, value) in [("send.buffer.bytes", "-1"), ("partitioner.ignore.keys", "false")] {
            assert!(matches!(java_property("a", name, value), JavaProperty::Idle(_)), "{name}");
        }
        let ignored = java_property("a", "partitioner.ignore.keys", "true");
        assert!(matches!(ignored, JavaProperty::Refused(_)), "{ignored:?}");
        let versions = |said| java_property("a", "ssl.enabled.protocols", said);
        assert!(matches!(versions("TLSv1.3, TLSv1.2"), JavaProperty::Idle(_)));
        let expected = "a: found TLSv1.3, expected TLSv1.2,TLSv1.3: the client speaks both";
        assert_eq!(versions("TLSv1.3"), JavaProperty::Refused(expected.to_owned()));
    }
}
