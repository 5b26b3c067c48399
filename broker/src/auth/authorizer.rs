//! The access rules as the shards ask for them.
//!
//! Every listener has its rules; a connector that acts as a user has no listener and is judged by
//! the first one's. Decisions are pure: the same generation always gives the same answer.

use std::sync::Arc;

use midge_acl::{Access, Acl, Who};
use midge_codec::{Text, TopicFilter, TopicName};
use midge_core::{Authorize, Client, Verdict};
use tracing::debug;

use crate::policy::Policy;

/// The access rules of one generation.
pub(crate) struct Authorizer {
    /// By listener; few, so looking through them is quick. Never empty.
    rules: Vec<(Text, Rules)>,
}

struct Rules {
    acl: Arc<Acl>,
    /// Whether a filter that can see nothing is refused, or granted and silent.
    deny_subscribe: bool,
}

impl Authorizer {
    /// The rules of a policy.
    pub(crate) fn new(policy: &Policy) -> Authorizer {
        let open = Arc::new(Acl::open());
        let rules = policy.listeners.iter().map(|listener| {
            let acl = Arc::clone(listener.acl.as_ref().unwrap_or(&open));
            let deny_subscribe = listener.authentication.acl_deny_subscribe;
            (listener.name.clone(), Rules { acl, deny_subscribe })
        });
        Authorizer { rules: rules.collect() }
    }

    fn rules(&self, client: &Client) -> &Rules {
        let own = self.rules.iter().find(|(listener, _)| *listener == client.listener);
        &own.unwrap_or(&self.rules[0]).1
    }

    fn allows(&self, client: &Client, access: Access, topic: &TopicName) -> bool {
        self.rules(client).acl.allows(who(client), access, topic.as_str())
    }
}

impl Authorize for Authorizer {
    fn publish(&self, client: &Client, topic: &TopicName) -> bool {
        self.allows(client, Access::Write, topic)
    }

    fn read(&self, client: &Client, topic: &TopicName) -> bool {
        self.allows(client, Access::Read, topic)
    }

    fn subscribe(&self, client: &Client, filter: &TopicFilter) -> Verdict {
        let rules = self.rules(client);
        match rules.acl.subscription(who(client), filter.text()) {
            midge_acl::Verdict::Always => Verdict::Always,
            midge_acl::Verdict::PerTopic => Verdict::PerTopic,
            midge_acl::Verdict::Never if rules.deny_subscribe => {
                let reason = rules.acl.never_reason(who(client), Access::Read, filter.text());
                let reason = reason.map(|reason| reason.to_string()).unwrap_or_default();
                debug!(client_id = %client.client_id, %filter, reason, "subscription denied");
                Verdict::Never
            }
            // As Mosquitto does: granted, and nothing comes of it.
            midge_acl::Verdict::Never => Verdict::PerTopic,
        }
    }
}

/// A client as the access rules know it.
pub(crate) fn who(client: &Client) -> Who<'_> {
    Who { username: client.username.as_deref(), client_id: &client.client_id }
}
