//! A rule of the bridge that is ready to run: one source or one sink.

use std::sync::Arc;

use bytes::Bytes;
use midge_codec::{Text, TopicFilter};
use midge_config::{ClientProperties, Connector, Hidden, Kafka, Origin};
use midge_core::Client;

use crate::delivery::Delivery;
use crate::host::Host;
use crate::influx::Database;
use crate::kafka;
use crate::mapping::Mapping;
use crate::settings::{BridgeError, Compiled, SinkPlan, compile};
use crate::spool::Limits;
use crate::usage::Usage;

/// A rule that is ready to run.
pub(crate) struct Rule {
    /// Its name, by which it finds what is kept for it.
    pub(crate) name: String,
    /// Where it was defined.
    pub(crate) origin: Origin,
    /// Properties of its Kafka client that differ from those of all.
    pub(crate) overrides: ClientProperties,
    /// Whose rights count; `None`: the operator's.
    pub(crate) client: Option<Arc<Client>>,
    /// Another broker than the one around the bridge.
    pub(crate) host: Option<Arc<dyn Host>>,
    /// Counts what passes by Kafka topic; `None`: nobody asks.
    pub(crate) usage: Option<Arc<Usage>>,
    /// What references of its properties stood for, which nothing says that is told of it.
    pub(crate) hidden: Hidden,
    /// What it does.
    pub(crate) work: Work,
}

/// What a rule does.
pub(crate) enum Work {
    /// MQTT to Kafka.
    Source {
        mapping: Mapping,
        filters: Vec<TopicFilter>,
        limits: Limits,
        waits: bool,
        /// Tells this definition of the rule from others.
        generation: Bytes,
    },
    /// Kafka to MQTT, or to a database.
    Sink {
        delivery: Delivery,
        plan: SinkPlan,
        database: Option<Database>,
        /// Properties of the producer of its dead letters that differ from those of all.
        letters: ClientProperties,
    },
}

/// The rules of connectors.
///
/// # Errors
/// With every mistake that shows without asking Kafka.
pub(crate) fn rules(
    kafka: &Kafka,
    connectors: &[Connector],
) -> Result<Vec<Rule>, Vec<BridgeError>> {
    let (mut rules, mut errors) = (Vec::new(), Vec::new());
    for connector in connectors {
        let compiled = compile(connector, &mut errors);
        let properties = kafka.client.overridden(&connector.overrides);
        if let Err(error) = kafka::check(&connector.name, &properties) {
            errors.push(BridgeError::new(connector, error));
        }
        let client = connector.user.as_ref().map(|user| acting_client(&connector.name, &user.name));
        let client = client.transpose().unwrap_or_else(|error| {
            errors.push(BridgeError::new(connector, error));
            None
        });
        let work = match compiled {
            None => continue,
            Some(Compiled::Source { rule, filters, limits, waits, generation }) => {
                let mapping = Mapping::Rule(rule);
                Work::Source { mapping, filters, limits, waits, generation }
            }
            Some(Compiled::Sink { rule, plan }) => {
                let (delivery, letters) = (Delivery::Rule(rule), ClientProperties::default());
                Work::Sink { delivery, plan, database: None, letters }
            }
        };
        rules.push(Rule {
            name: connector.name.clone(),
            origin: connector.origin.clone(),
            overrides: connector.overrides.clone(),
            client: client.map(Arc::new),
            host: None,
            usage: None,
            hidden: Hidden::default(),
            work,
        });
    }
    if errors.is_empty() { Ok(rules) } else { Err(errors) }
}

/// The client that a connector with an MQTT user is to access control.
pub(crate) fn acting_client(name: &str, user: &str) -> Result<Client, String> {
    let text = |what, text| Text::try_from(text).map_err(|error| format!("{what}: {error}"));
    Ok(Client {
        client_id: text("name", name)?,
        username: Some(text("mqtt user", user)?),
        listener: Text::empty(),
        address: String::new(),
    })
}
