//! Connectors that act as an MQTT user: their password is checked and their rights are looked at.

use std::fmt::Display;
use std::path::Path;
use std::sync::Arc;

use midge_acl::{Access, Acl, Who};
use midge_config::{Config, Connector, ConnectorKind, MqttUser, Origin};
use tracing::warn;

use crate::policy::{ListenerPolicy, Policy};

/// Checks the password of every connector's user; returns a line for each that is wrong.
pub(crate) fn check_users(config: &Config, policy: &Policy) -> Vec<String> {
    let mut errors = Vec::new();
    for (connector, user) in acting(config) {
        if let Err(why) = check_user(user, policy) {
            let Connector { name, origin, .. } = connector;
            errors.push(format!("{origin}: connector {name:?}: MQTT user {:?}: {why}", user.name));
        }
    }
    errors
}

/// Why a user may not log in, if so.
pub(crate) fn check_user(user: &MqttUser, policy: &Policy) -> Result<(), &'static str> {
    let Some(listener) = rules(policy) else { return Ok(()) };
    let Some(passwords) = &listener.passwords else {
        let allowed = listener.authentication.allow_anonymous;
        return if allowed { Ok(()) } else { Err("no password file to check it against") };
    };
    let password = user.password.as_ref().map_or("", |password| password.expose());
    if passwords.verify(&user.name, password.as_bytes()) {
        Ok(())
    } else {
        Err("user unknown or password wrong")
    }
}

/// Warns of connectors whose user may not read (source) or write (sink) anything they move.
pub(crate) fn warn_of_silent(config: &Config, policy: &Policy) {
    let open = Arc::new(Acl::open());
    let Some(listener) = rules(policy) else { return };
    let acl = listener.acl.as_ref().unwrap_or(&open);
    for (connector, user) in acting(config) {
        let who = Who { username: Some(&user.name), client_id: &connector.name };
        let (access, filters) = match &connector.kind {
            ConnectorKind::Source(source) => (Access::Read, source.mqtt_filters.clone()),
            ConnectorKind::Sink(sink) => (Access::Write, vec![as_filter(&sink.mqtt_topic)]),
        };
        for filter in filters {
            let Some(reason) = acl.never_reason(who, access, &filter) else { continue };
            let file = listener.authentication.acl_file.as_deref();
            let verb = if access == Access::Read { "read" } else { "write" };
            let Connector { name, origin, .. } = connector;
            warn!("{}", silent(origin, name, user, verb, &filter, file, &reason));
        }
    }
}

/// A line about a connector whose user may not do what it is for.
pub(crate) fn silent(
    at: &Origin,
    name: &str,
    user: &MqttUser,
    verb: &str,
    filter: &str,
    acl_file: Option<&Path>,
    reason: &dyn Display,
) -> String {
    let file = acl_file.map_or_else(|| "no acl_file".to_owned(), |file| file.display().to_string());
    format!(
        "{at}: connector {name:?}: user {:?} may {verb} nothing of {filter:?}, so nothing will \
         pass: {file}: {reason}",
        user.name
    )
}

/// The topics that a template can make: a level with a placeholder in it may be any.
fn as_filter(template: &str) -> String {
    let mut levels = Vec::new();
    for level in template.split('/') {
        if level == "${topic}" {
            // A whole topic, of any depth.
            levels.push("#");
            break;
        }
        levels.push(if level.contains("${") { "+" } else { level });
    }
    levels.join("/")
}

fn acting(config: &Config) -> impl Iterator<Item = (&Connector, &MqttUser)> {
    config.connectors.iter().filter_map(|connector| Some((connector, connector.user.as_ref()?)))
}

/// The listener whose rules hold for connectors: they come by none, so it is the first.
pub(crate) fn rules(policy: &Policy) -> Option<&Arc<ListenerPolicy>> {
    policy.listeners.first()
}

#[cfg(test)]
mod tests {
    use super::as_filter;

    #[test]
    fn a_template_is_looked_at_as_the_filter_of_all_topics_it_can_make() {
        assert_eq!(as_filter("kafka/${topic}"), "kafka/#");
        assert_eq!(as_filter("a/${key}/b"), "a/+/b");
        assert_eq!(as_filter("plain"), "plain");
        assert_eq!(as_filter("a/x-${key}"), "a/+");
    }
}
