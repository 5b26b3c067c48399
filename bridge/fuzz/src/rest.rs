//! REST: requests one after the other to one worker, whose tasks do nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::Value;

use crate::connect::class;
use crate::connect::rest::exchange::{Answer, Request};
use crate::connect::{
    About, Access, ConfigKey, ConnectorPlan, Definitions, Engine, Failed, Herder, InvalidConfig,
    LogLevels, NotAltered, Offsets, Plugin, Properties, Rest, RestSettings, TaskHandle, TaskPlan,
    TopicTracking, Validation,
};

/// The real classes, on nothing.
#[derive(Default)]
struct Idle {
    next: AtomicU64,
}

impl Engine for Idle {
    fn kind(&self, config: &Properties) -> &'static str {
        let class = config.get("connector.class").and_then(|name| class::find(name).ok());
        class.map_or("unknown", |class| class.direction.name())
    }

    fn plan(&self, name: &str, config: &Properties) -> Result<ConnectorPlan, InvalidConfig> {
        let plan = class::plan(name, config, &crate::worker())?;
        let tasks = plan
            .tasks
            .iter()
            .map(|task| TaskPlan { config: task.config.clone(), of_this_broker: false });
        Ok(ConnectorPlan { tasks: tasks.collect() })
    }

    fn start(
        &self,
        _: &str,
        _: &Properties,
        _: usize,
        _: bool,
        _: Failed,
    ) -> Result<TaskHandle, String> {
        Ok(TaskHandle(self.next.fetch_add(1, Ordering::Relaxed)))
    }

    fn pause(&self, _: &TaskHandle, _: bool) {}

    fn end(&self, _: TaskHandle) {}

    fn trouble(&self, _: &str, _: usize) -> Option<String> {
        None
    }

    fn topics(&self, _: &str) -> BTreeSet<String> {
        BTreeSet::new()
    }

    fn forget_topics(&self, _: &str) {}

    fn forget(&self, _: &str) {}

    fn offsets(&self, _: &str, _: &Properties) -> Result<Offsets, String> {
        Ok(Offsets::new())
    }

    fn alter_offsets(&self, _: &str, _: &Properties, _: &Offsets) -> Result<(), NotAltered> {
        Ok(())
    }

    fn plugins(&self) -> Vec<Plugin> {
        class::plugins()
    }

    fn config_keys(&self, class: &str) -> Option<Vec<ConfigKey>> {
        class::config_keys(class)
    }

    fn validate(&self, config: &Properties) -> Result<Validation, InvalidConfig> {
        class::validate(config, &crate::worker())
    }

    fn kafka_cluster_id(&self) -> Option<String> {
        None
    }
}

/// A log that stays off.
struct Quiet;

impl LogLevels for Quiet {
    fn set_level(&self, _: &str, _: &str) {}

    fn level(&self, _: &str) -> &'static str {
        "OFF"
    }
}

fn rest() -> &'static (Arc<Herder>, Rest) {
    static REST: OnceLock<(Arc<Herder>, Rest)> = OnceLock::new();
    REST.get_or_init(|| {
        let definitions = Definitions::in_memory();
        let engine = Arc::new(Idle::default());
        let herder = Herder::start(engine, definitions, "worker".to_owned(), BTreeMap::new());
        let herder = herder.expect("a thread");
        let settings = RestSettings {
            address: SocketAddr::from(([127, 0, 0, 1], 0)),
            access: Access::Open,
            about: About { version: "0", commit: "0" },
            topic_tracking: TopicTracking { enabled: true, allow_reset: true },
            log_levels: Arc::new(Quiet),
        };
        (Arc::clone(&herder), Rest::new(herder, &settings))
    })
}

/// Requests, each `METHOD TARGET BODY` up to a byte 0. Every answer is one of Connect's.
pub fn try_requests(bytes: &[u8]) {
    let (herder, rest) = rest();
    for request in bytes.split(|byte| *byte == 0).take(16) {
        let mut parts = request.splitn(3, |byte| *byte == b' ');
        let mut text = || String::from_utf8_lossy(parts.next().unwrap_or_default()).into_owned();
        let (method, target) = (text(), text());
        let request = Request {
            method,
            content_type: Some("application/json".to_owned()),
            body: parts.next().unwrap_or_default().to_vec(),
            ..Request::default()
        };
        let head = request.method == "HEAD";
        let answer = match request.with_target(&target) {
            Ok(request) => rest.answer(&request),
            Err(refusal) => refusal,
        };
        check(&answer, head);
    }
    for name in herder.connectors() {
        herder.delete(&name).expect("it was just listed");
    }
}

fn check(answer: &Answer, head: bool) {
    let Answer { status, body, content_type, .. } = answer;
    assert!((200..600).contains(status) && *status != 500, "{answer:?}");
    if *content_type == Some("application/json") && !head {
        let body: Value = serde_json::from_str(body).expect("JSON");
        assert!(*status < 400 || body["error_code"] == *status, "{answer:?}");
    }
}
