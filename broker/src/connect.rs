//! Kafka Connect's place in the broker: connectors by class, and the REST interface to them.
//!
//! Invariant: no client is served, no will published and no sink's record routed before the
//! connectors that are kept have been started, so nothing of a restart has passed a source by.

mod clients;
mod group;

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use midge_acl::{Access as Right, Acl, Who};
use midge_bridge::Bridge;
use midge_bridge::connect::plan::{Broker, MqttSinkWork, Plan, SourceWork, Work, Worker};
use midge_bridge::connect::{
    About, Access, Authenticate, Definitions, Distributed, Herder, Resolved, RestSettings, Runner,
    Server, TopicTracking,
};
use midge_config::{BindAddress, Config, ConnectorFile, MqttUser, RestAccess};
use tracing::warn;

use crate::connectors::{check_user, rules, silent};
use crate::hub::Hub;
use crate::logging::ProcessLog;
use crate::policy::Policy;

/// Connectors by class at work.
pub(crate) struct Connect {
    server: Option<Server>,
    herder: Arc<Herder>,
    /// The other workers, if there may be any.
    distributed: Option<Distributed>,
}

/// Whether a configuration has a place for connectors by class.
pub(crate) fn is_wanted(config: &Config) -> bool {
    let connect = &config.connect;
    let said = connect.rest.is_some() || connect.worker_properties.is_some();
    said || !config.connector_files.is_empty()
}

/// Where connectors made by REST are kept: those of a group in a copy of their own.
fn directory(config: &Config) -> Option<PathBuf> {
    let name = match &config.connect.group {
        None => "connectors".to_owned(),
        Some(group) => format!("connectors-of-{}", group.config.name),
    };
    config.persistence.as_ref().map(|persistence| persistence.directory.join(name))
}

/// The connectors that REST has made: in the data directory, or nowhere without persistence.
///
/// # Errors
/// When the system refuses the directory.
pub(crate) fn definitions(config: &Config) -> io::Result<Definitions> {
    if let Some(directory) = directory(config) {
        return Definitions::in_directory(directory);
    }
    if config.connect.rest.is_some() && config.connect.group.is_none() {
        warn!("persistence is off: connectors that are made by REST end with the process");
    }
    Ok(Definitions::in_memory())
}

/// The names of all connectors by class, those that are kept and those of files.
///
/// # Errors
/// When the system refuses to list them.
pub(crate) fn names(config: &Config) -> io::Result<Vec<String>> {
    let of_files = config.connector_files.iter().map(|file| file.name.clone());
    let mut names: Vec<String> = of_files.collect();
    if let Some(directory) = directory(config).filter(|directory| directory.is_dir()) {
        let kept = Definitions::in_directory(directory.clone())?.load()?;
        if !kept.is_empty() && !is_wanted(config) {
            warn!(
                directory = %directory.display(),
                connectors = kept.len(),
                "connectors are kept that do not run: [connect] says no rest_listen"
            );
        }
        names.extend(kept.into_keys());
    }
    Ok(names)
}

/// What is wrong with the property files of connectors, and with the MQTT users that they name, a
/// line each.
pub(crate) fn check(config: &Config, policy: &Policy) -> Vec<String> {
    check_files(config, &configured(config), |user| check_user(user, policy))
}

/// The same for any worker, where this says why a user may not log in; and what is wrong with the
/// worker's own file.
pub(crate) fn check_files(
    config: &Config,
    worker: &Worker,
    check_user: impl Fn(&MqttUser) -> Result<(), &'static str>,
) -> Vec<String> {
    let mut wrong = clients::check(&config.connect.client_properties);
    let said = &config.connect.worker_origins;
    for error in Resolved::new(worker, &BTreeMap::new()).worker_mistakes() {
        let origin = said.get(&error.name).map_or_else(String::new, |at| format!("{at}: "));
        wrong.push(format!("{origin}{}", error.message));
    }
    for file in &config.connector_files {
        let ConnectorFile { name, properties, .. } = file;
        match Resolved::new(worker, properties).read(name) {
            Ok(read) => {
                let told = read.errors.iter();
                wrong.extend(
                    told.map(|error| format!("{}: {}", file.origin(&error.name), error.message)),
                );
                let user = read.plan.as_ref().and_then(acting);
                let refused = user.and_then(|user| Some((user, check_user(user).err()?)));
                wrong.extend(refused.map(|(user, why)| {
                    let at = file.origin("name");
                    format!("{at}: connector {name:?}: MQTT user {:?}: {why}", user.name)
                }));
            }
            Err(error) => wrong.push(format!("{}: {error}", file.origin("connector.class"))),
        }
    }
    wrong
}

/// What property files say without effect, a line each.
pub(crate) fn notices(config: &Config) -> Vec<String> {
    let worker = configured(config);
    let mut lines = Vec::new();
    for file in &config.connector_files {
        let ConnectorFile { name, properties, .. } = file;
        let read = Resolved::new(&worker, properties).read(name);
        for notice in read.map(|read| read.notices).unwrap_or_default() {
            // It stands where the first property stands that it names.
            let mut words = notice.split([' ', ',', ':']);
            let named = words.find(|word| properties.contains_key(*word)).unwrap_or_default();
            lines.push(format!("{}: {notice}", file.origin(named)));
        }
    }
    lines
}

/// Warns of sources of property files whose user may not read anything they take.
pub(crate) fn warn_of_silent(config: &Config, policy: &Policy) {
    let open = Arc::new(Acl::open());
    let Some(listener) = rules(policy) else { return };
    let acl = listener.acl.as_ref().unwrap_or(&open);
    let worker = configured(config);
    for file in &config.connector_files {
        let ConnectorFile { name, properties, .. } = file;
        // What is wrong has been told.
        let Ok(plan) = Resolved::new(&worker, properties).plan(name) else { continue };
        let Some(user) = acting(&plan) else { continue };
        let who = Who { username: Some(&user.name), client_id: name };
        for filter in filters(&plan) {
            if let Some(reason) = acl.never_reason(who, Right::Read, &filter) {
                let file_of_rules = listener.authentication.acl_file.as_deref();
                let at = file.origin("name");
                warn!("{}", silent(&at, name, user, "read", &filter, file_of_rules, &reason));
            }
        }
    }
}

/// The filters of a source.
fn filters(plan: &Plan) -> Vec<String> {
    let rules = plan.tasks.iter().flat_map(|task| match &task.work {
        Work::Source(work) => &work.rules[..],
        _ => &[],
    });
    rules.flat_map(|rule| &rule.filters).map(|filter| filter.filter().to_owned()).collect()
}

/// The MQTT user that a connector acts as inside this broker.
fn acting(plan: &Plan) -> Option<&MqttUser> {
    plan.tasks.iter().find_map(|task| match &task.work {
        Work::Source(SourceWork { broker: Broker::Here(user), .. })
        | Work::MqttSink(MqttSinkWork { broker: Broker::Here(user), .. }) => user.as_ref(),
        _ => None,
    })
}

/// What classes have to know of a broker as it is configured.
fn configured(config: &Config) -> Worker {
    worker(config, config.listeners.iter().map(|listener| listener.port).collect())
}

/// What classes have to know of this broker, which listens at these ports.
fn worker(config: &Config, local_ports: Vec<u16>) -> Worker {
    let bound = config.listeners.iter().filter_map(|listener| match &listener.bind {
        BindAddress::Host(host) => Some((host.clone(), listener.port)),
        _ => None,
    });
    Worker {
        properties: config.connect.worker_properties.clone().unwrap_or_default(),
        local_hosts: config.local_hosts.clone(),
        local_ports,
        local_addresses: bound.collect(),
        persistent: config.persistence.is_some(),
        ..Worker::default()
    }
}

impl Connect {
    /// Starts the connectors of files and those that are kept, and then the REST interface. The
    /// workers have to run, for they are told what sources take.
    ///
    /// # Errors
    /// When the system refuses a directory, a thread or the address.
    pub(crate) fn start(
        hub: &Arc<Hub>,
        bridge: &Arc<Bridge>,
        config: &Config,
        local_ports: Vec<u16>,
    ) -> io::Result<Connect> {
        let definitions = definitions(config)?;
        // Weak, for the hub has what is started here.
        let policies = Arc::downgrade(hub);
        let authenticate = Arc::new(move |user: &midge_config::MqttUser| {
            let policy = policies.upgrade().and_then(|hub| hub.policy());
            let policy = policy.ok_or("the broker is stopping")?;
            check_user(user, &policy).map_err(str::to_owned)
        });
        Connect::start_with(bridge, config, worker(config, local_ports), authenticate, definitions)
    }

    /// The same for any worker, whatever it knows of MQTT brokers and wherever definitions are kept.
    ///
    /// # Errors
    /// When the system refuses a thread or the address.
    pub(crate) fn start_with(
        bridge: &Arc<Bridge>,
        config: &Config,
        worker: Worker,
        authenticate: Authenticate,
        definitions: Definitions,
    ) -> io::Result<Connect> {
        for notice in clients::notices(&config.connect.client_properties) {
            warn!("{notice}");
        }
        let worker = Worker { session: group::session(config), ..worker };
        let runner = Arc::new(Runner::new(Arc::clone(bridge), worker, authenticate));
        let rest = config.connect.rest.as_ref();
        let worker_id = rest.map_or_else(|| "midge".to_owned(), |rest| rest.address.to_string());
        let of_files: BTreeMap<_, _> = config
            .connector_files
            .iter()
            .map(|file| (file.name.clone(), file.properties.clone()))
            .collect();
        let (herder, distributed) = match &config.connect.group {
            None => (Herder::start(runner, definitions, worker_id, of_files)?, None),
            Some(group) => {
                let worker_id = group::worker_id(config, group);
                let distributed = Distributed::new(group.clone(), worker_id.clone());
                let group = distributed.group();
                let herder =
                    Herder::start_in_group(runner, definitions, group, worker_id, of_files)?;
                group::join(&distributed, bridge, &herder)?;
                (herder, Some(distributed))
            }
        };
        while !herder.is_idle() {
            std::thread::sleep(Duration::from_millis(2));
        }
        let server = rest.map(|rest| {
            let settings = RestSettings {
                address: rest.address,
                access: access(&rest.access),
                // Apache Kafka says the same of a build that does not know its commit.
                about: About { version: env!("CARGO_PKG_VERSION"), commit: "unknown" },
                topic_tracking: TopicTracking {
                    enabled: config.connect.topic_tracking.enable,
                    allow_reset: config.connect.topic_tracking.allow_reset,
                },
                log_levels: Arc::new(ProcessLog),
            };
            Server::start(&settings, Arc::clone(&herder)).map_err(|error| {
                io::Error::new(
                    error.kind(),
                    format!("connect.rest_listen: {}: {error}", rest.address),
                )
            })
        });
        let server = server.transpose()?;
        Ok(Connect { server, herder, distributed })
    }

    /// Ends the REST interface: nobody changes connectors any more.
    pub(crate) fn end_rest(&mut self) {
        drop(self.server.take());
    }

    /// Ends the connectors. Their tasks have ended with the bridge, all at once.
    pub(crate) fn end(self) {
        self.herder.shutdown();
        if let Some(distributed) = self.distributed {
            distributed.leave();
        }
    }
}

fn access(said: &RestAccess) -> Access {
    match said {
        RestAccess::Open => Access::Open,
        RestAccess::Token(token) => Access::Token(token.clone()),
        RestAccess::Basic { user, password } => {
            Access::Basic { user: user.clone(), password: password.clone() }
        }
    }
}
