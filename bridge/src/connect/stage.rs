//! An engine for tests: it runs nothing, and writes down what it was asked. Its one class has the
//! options of Kafka's `FileStreamSourceConnector`, of which real answers were recorded.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::{Value, json};

use super::Properties;
use super::engine::{
    ConfigKey, ConfigValue, ConnectorPlan, Engine, Failed, InvalidConfig, NotAltered, Offset,
    Offsets, Plugin, TaskHandle, TaskPlan, Validation,
};

pub(crate) const SOURCE: &str = "org.apache.kafka.connect.file.FileStreamSourceConnector";
pub(crate) const SINK: &str = "org.apache.kafka.connect.file.FileStreamSinkConnector";

/// By handle: name, number, `v` of its properties, and whether it rests.
type Runs = (String, usize, String, bool);

#[derive(Default)]
pub(crate) struct Stage {
    next: AtomicU64,
    seen: Mutex<Seen>,
}

#[derive(Default)]
struct Seen {
    running: BTreeMap<u64, Runs>,
    failed: BTreeMap<u64, Failed>,
    refuse: bool,
    fail_at_start: bool,
    most: usize,
    offsets: BTreeMap<String, Offsets>,
    topics: BTreeMap<String, BTreeSet<String>>,
    troubles: BTreeMap<String, String>,
}

impl Stage {
    pub(crate) fn running(&self) -> Vec<Runs> {
        self.seen.lock().unwrap().running.values().cloned().collect()
    }

    pub(crate) fn refuse(&self, refuse: bool) {
        self.seen.lock().unwrap().refuse = refuse;
    }

    /// Tasks fail before they are said to have been started.
    pub(crate) fn fail_at_start(&self, fail: bool) {
        self.seen.lock().unwrap().fail_at_start = fail;
    }

    /// Runs of one task at the same time, at most.
    pub(crate) fn most(&self) -> usize {
        self.seen.lock().unwrap().most
    }

    pub(crate) fn fail(&self, name: &str) {
        let mut seen = self.seen.lock().unwrap();
        let handle = seen.running.iter().find(|(_, running)| running.0 == name).map(|(id, _)| *id);
        let failed = seen.failed.remove(&handle.unwrap()).unwrap();
        drop(seen);
        failed("it broke\n\tat here".to_owned());
    }

    pub(crate) fn set_trouble(&self, name: &str, why: &str) {
        self.seen.lock().unwrap().troubles.insert(name.to_owned(), why.to_owned());
    }

    pub(crate) fn set_offsets(&self, name: &str, offsets: Offsets) {
        self.seen.lock().unwrap().offsets.insert(name.to_owned(), offsets);
    }
}

impl Engine for Stage {
    fn kind(&self, config: &Properties) -> &'static str {
        match config.get("connector.class").map(String::as_str) {
            Some(SINK) => "sink",
            _ => "source",
        }
    }

    fn plan(&self, _: &str, config: &Properties) -> Result<ConnectorPlan, InvalidConfig> {
        let mut errors = Vec::new();
        for (_, value) in self.validate(config)?.configs {
            errors.extend(value.errors);
        }
        if !errors.is_empty() {
            return Err(InvalidConfig::Values(errors));
        }
        let tasks = config.get("tasks.max").map_or(1, |text| text.parse().unwrap());
        let mut config = config.clone();
        let class = "org.apache.kafka.connect.file.FileStreamSourceTask".to_owned();
        config.insert("task.class".to_owned(), class);
        let of_this_broker = config.contains_key("of_this_broker");
        Ok(ConnectorPlan { tasks: vec![TaskPlan { config, of_this_broker }; tasks] })
    }

    fn start(
        &self,
        name: &str,
        config: &Properties,
        number: usize,
        paused: bool,
        failed: Failed,
    ) -> Result<TaskHandle, String> {
        let mut seen = self.seen.lock().unwrap();
        if seen.refuse {
            return Err("no".to_owned());
        }
        let same = |running: &&Runs| running.0 == name && running.1 == number;
        let twice = seen.running.values().filter(same).count() + 1;
        seen.most = seen.most.max(twice);
        let handle = self.next.fetch_add(1, Ordering::Relaxed);
        let value = config.get("v").cloned().unwrap_or_default();
        seen.running.insert(handle, (name.to_owned(), number, value, paused));
        if seen.fail_at_start {
            failed("it broke at once".to_owned());
        }
        seen.failed.insert(handle, failed);
        let topics = config.get("topic").into_iter().cloned();
        seen.topics.entry(name.to_owned()).or_default().extend(topics);
        Ok(TaskHandle(handle))
    }

    fn pause(&self, task: &TaskHandle, pause: bool) {
        self.seen.lock().unwrap().running.get_mut(&task.0).unwrap().3 = pause;
    }

    fn trouble(&self, name: &str, _: usize) -> Option<String> {
        self.seen.lock().unwrap().troubles.get(name).cloned()
    }

    fn end(&self, task: TaskHandle) {
        self.seen.lock().unwrap().running.remove(&task.0).unwrap();
    }

    fn topics(&self, name: &str) -> BTreeSet<String> {
        self.seen.lock().unwrap().topics.get(name).cloned().unwrap_or_default()
    }

    fn forget_topics(&self, name: &str) {
        self.seen.lock().unwrap().topics.remove(name);
    }

    fn forget(&self, name: &str) {
        self.forget_topics(name);
    }

    fn offsets(&self, name: &str, _: &Properties) -> Result<Offsets, String> {
        Ok(self.seen.lock().unwrap().offsets.get(name).cloned().unwrap_or_default())
    }

    fn alter_offsets(
        &self,
        name: &str,
        _: &Properties,
        offsets: &Offsets,
    ) -> Result<(), NotAltered> {
        for (partition, offset) in offsets {
            if !partition.contains_key("filename") {
                let why = "Partition objects should contain the key 'filename'";
                return Err(NotAltered::Failed(why.to_owned()));
            }
            let position = offset.as_ref().and_then(|offset| offset.get("position"));
            if position.is_some_and(|position| !position.is_i64()) {
                let why = "The value for the 'position' key in the offset is expected to be a Long \
                           value";
                return Err(NotAltered::Failed(why.to_owned()));
            }
        }
        self.set_offsets(name, offsets.clone());
        Ok(())
    }

    fn plugins(&self) -> Vec<Plugin> {
        let plugin = |class, kind| Plugin { class, kind, version: "4.3.1" };
        vec![
            plugin(SINK, "sink"),
            plugin(SOURCE, "source"),
            plugin("org.apache.kafka.connect.transforms.Cast$Key", "transformation"),
        ]
    }

    fn config_keys(&self, class: &str) -> Option<Vec<ConfigKey>> {
        let known = [SOURCE, SINK]
            .into_iter()
            .any(|known| known == class || known.rsplit('.').next() == Some(class));
        let key = |name: &str, kind, required, default: Option<&str>, importance| ConfigKey {
            name: name.to_owned(),
            kind,
            required,
            default_value: default.map(str::to_owned),
            importance,
            documentation: String::new(),
            group: None,
            order_in_group: -1,
            width: "NONE",
            display_name: name.to_owned(),
            dependents: Vec::new(),
        };
        known.then(|| {
            vec![
                key("tasks.max", "INT", false, Some("1"), "HIGH"),
                key("file", "STRING", false, None, "HIGH"),
                key("topic", "STRING", true, None, "HIGH"),
                key("batch.size", "INT", false, Some("2000"), "LOW"),
            ]
        })
    }

    fn validate(&self, config: &Properties) -> Result<Validation, InvalidConfig> {
        let Some(class) = config.get("connector.class") else {
            let pairs: Vec<String> =
                config.iter().map(|(key, value)| format!("{key}={value}")).collect();
            return Err(InvalidConfig::Whole(format!(
                "Connector config {{{}}} contains no connector type",
                pairs.join(", ")
            )));
        };
        let keys = self.config_keys(class).ok_or_else(|| {
            InvalidConfig::Whole(format!(
                "Failed to find any class that implements Connector and which name matches {class}, \
                 available connectors are: {SINK}, {SOURCE}"
            ))
        })?;
        let judge = |key: ConfigKey| {
            let said = config.get(&key.name).or(key.default_value.as_ref()).cloned();
            let mut errors = Vec::new();
            let name = &key.name;
            match &said {
                None if key.required => errors.push(format!(
                    "Missing required configuration \"{name}\" which has no default value."
                )),
                Some(text) if key.kind == "INT" => match text.parse::<i32>() {
                    Err(_) => errors.extend([
                        format!("Invalid value {text} for configuration {name}: Not a number of type INT"),
                        format!("Invalid value null for configuration {name}: Value must be non-null"),
                    ]),
                    Ok(number) if number < 1 => errors.push(format!(
                        "Invalid value {number} for configuration {name}: Value must be at least 1"
                    )),
                    Ok(_) => {}
                },
                _ => {}
            }
            let value = ConfigValue {
                name: name.clone(),
                value: said.filter(|_| errors.is_empty()),
                recommended_values: Vec::new(),
                errors,
                visible: true,
            };
            (key, value)
        };
        let configs = keys.into_iter().map(judge).collect();
        Ok(Validation { class: class.clone(), groups: vec!["Common".to_owned()], configs })
    }

    fn kafka_cluster_id(&self) -> Option<String> {
        Some("4L6g3nShT-eMCtK--X86sw".to_owned())
    }
}

/// An offset as the recorded answers have it.
pub(crate) fn position(file: &str, position: i64) -> Offset {
    let map = |value: Value| value.as_object().cloned().unwrap_or_default();
    (map(json!({ "filename": file })), Some(map(json!({ "position": position }))))
}
