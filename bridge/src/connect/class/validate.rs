//! What is found in the properties of a connector, option by option, as a form shows it.
//!
//! Invariant: a mistake that [`plan`](super::plan) tells is told here too, at the option that it is
//! about; one that is about no option of a table has a row of its own.

use std::collections::BTreeSet;

use midge_rules::options::{
    self, ConfigError, Default, Importance, Judged, Kind, OptionDef, Value, Width,
};
use midge_rules::transform::{PredicateClass, TransformClass, predicate_class, transform_class};

use super::given::Given;
use super::{errors, find, named, overrides, plugins};
use crate::connect::definition::Properties;
use crate::connect::engine::{ConfigKey, ConfigValue, InvalidConfig, Validation};
use crate::connect::plan::Worker;

/// The options of a class, by its full or simple name: a connector's own, those of a transform or a
/// predicate.
#[must_use]
pub fn config_keys(class: &str) -> Option<Vec<ConfigKey>> {
    if let Ok(class) = find(class) {
        return Some(class.options.iter().chain(class.own).map(|option| key(option, "")).collect());
    }
    if let Some(class) = transform_class(class) {
        return Some(class.options.iter().map(|option| key(option, "")).collect());
    }
    let class = predicate_class(class)?;
    Some(class.options.iter().map(|option| key(option, "")).collect())
}

/// What is found in properties for a connector.
///
/// # Errors
/// When their class is none.
pub fn validate(properties: &Properties, worker: &Worker) -> Result<Validation, InvalidConfig> {
    let class = named(properties)?;
    let name = properties.get("name").map_or("", |name| name.trim());
    let mut given = Given::new(class, name, properties, worker);
    errors::errors(&mut given);
    overrides::overrides(&mut given);
    (class.tasks)(&mut given);
    given.tell_unknown();
    let mut rows = Rows { errors: std::mem::take(&mut given.errors), rows: Vec::new() };
    let judged = given.judged();
    // Connect shows what belongs to transforms behind its own options, and the class's last.
    let own = class.options.len() + class.own.len();
    let (of_connect, of_class) = judged.split_at(judged.len() - own);
    for judged in of_connect {
        let value = effective(judged, worker);
        rows.push(key(judged.definition, ""), judged.definition.spellings(), &value);
    }
    for (list, group) in [("transforms", "Transforms"), ("predicates", "Predicates")] {
        // One that stands there twice is a mistake of the list, and has its rows once.
        let mut seen = BTreeSet::new();
        let aliases = given.list(list);
        for alias in aliases.into_iter().filter(|alias| seen.insert(alias.clone())) {
            rows.alias(properties, list, &format!("{group}: {alias}"), &alias);
        }
    }
    for judged in of_class {
        rows.push(key(judged.definition, ""), judged.definition.spellings(), &judged.value);
    }
    rows.rest(properties);
    let mut groups: Vec<String> = Vec::new();
    for group in rows.rows.iter().filter_map(|(key, _)| key.group.as_ref()) {
        if !groups.contains(group) {
            groups.push(group.clone());
        }
    }
    let called = properties.get("connector.class").map_or("", |class| class.trim());
    let full = class.names.iter().find(|full| **full == called).unwrap_or(&class.names[0]);
    Ok(Validation { class: (*full).to_owned(), groups, configs: rows.rows })
}

/// The rows of a form, and the mistakes that have none yet.
struct Rows {
    errors: Vec<ConfigError>,
    rows: Vec<(ConfigKey, ConfigValue)>,
}

impl Rows {
    /// A row with its mistakes, by whichever of its names they were told.
    fn push<'n>(&mut self, key: ConfigKey, names: impl Iterator<Item = &'n str>, value: &Value) {
        let names: Vec<&str> = names.collect();
        let mut errors = Vec::new();
        self.errors.retain(|error| {
            let ours = error.name == key.name || names.contains(&error.name.as_str());
            if ours {
                errors.push(error.message.clone());
            }
            !ours
        });
        let value = ConfigValue {
            name: key.name.clone(),
            value: text(key.kind, value),
            recommended_values: recommended(&key.name),
            errors,
            visible: true,
        };
        self.rows.push((key, value));
    }

    /// What belongs to one transform or predicate.
    fn alias(&mut self, properties: &Properties, list: &str, group: &str, alias: &str) {
        let prefix = format!("{list}.{alias}.");
        let (common, class): (&[&'static [OptionDef]], Option<&'static [OptionDef]>) = {
            let named = properties.get(&format!("{prefix}type")).map_or("", |name| name.trim());
            match list {
                "transforms" => (
                    &[TYPE, TransformClass::COMMON],
                    transform_class(named).map(|class: &TransformClass| class.options),
                ),
                _ => (&[TYPE], predicate_class(named).map(|class: &PredicateClass| class.options)),
            }
        };
        let mut order = 0;
        for table in common.iter().copied().chain(class) {
            for judged in options::judge(table, &prefix, properties) {
                let mut key = key(judged.definition, &prefix);
                key.group = Some(group.to_owned());
                key.order_in_group = order;
                order += 1;
                let names: Vec<String> = judged
                    .definition
                    .spellings()
                    .map(|spelling| format!("{prefix}{spelling}"))
                    .collect();
                self.push(key, names.iter().map(String::as_str), &judged.value);
            }
        }
    }

    /// Mistakes about properties that no table has.
    fn rest(&mut self, properties: &Properties) {
        while let Some(name) = self.errors.first().map(|error| error.name.clone()) {
            let key = ConfigKey {
                name: name.clone(),
                kind: Kind::String.name(),
                required: false,
                default_value: None,
                importance: Importance::Low.name(),
                documentation: String::new(),
                group: None,
                order_in_group: -1,
                width: Width::None.name(),
                display_name: name.clone(),
                dependents: Vec::new(),
            };
            let value = properties.get(&name).map(|value| super::shown(&name, value).to_owned());
            let value = value.map_or(Value::Null, Value::String);
            self.push(key, std::iter::empty(), &value);
        }
    }
}

/// What every transform and every predicate has.
const TYPE: &[OptionDef] = &[OptionDef::new(
    "type",
    Kind::Class,
    Default::Required,
    Importance::High,
    "The class of the transform or the predicate.",
)
.shown("", 0, Width::Long, "Type")];

fn key(option: &OptionDef, prefix: &str) -> ConfigKey {
    let name = format!("{prefix}{}", option.name);
    let password = option.kind == Kind::Password;
    let default = option.default_text();
    ConfigKey {
        kind: option.kind.name(),
        required: option.is_required(),
        default_value: default.map(|text| if password { HIDDEN } else { text }.to_owned()),
        importance: option.importance.name(),
        documentation: option.documentation.to_owned(),
        group: option.group.map(str::to_owned),
        order_in_group: option.order,
        width: option.width.name(),
        display_name: option.display_name.map_or_else(|| name.clone(), str::to_owned),
        dependents: option.dependents.iter().map(|other| format!("{prefix}{other}")).collect(),
        name,
    }
}

const HIDDEN: &str = "[hidden]";

/// The value that counts: of a converter that the connector does not name, the worker's.
fn effective(judged: &Judged, worker: &Worker) -> Value {
    let of_worker = matches!(judged.name.as_str(), "key.converter" | "value.converter")
        || judged.name == "header.converter";
    match (&judged.value, worker.properties.get(&judged.name)) {
        (Value::Null, Some(class)) if of_worker => Value::String(class.trim().to_owned()),
        (value, _) => value.clone(),
    }
}

/// Classes that would be good for an option that names one.
fn recommended(name: &str) -> Vec<String> {
    let kind = match name {
        "key.converter" | "value.converter" => "converter",
        "header.converter" => "header_converter",
        _ if name.starts_with("transforms.") && name.ends_with(".type") => "transformation",
        _ if name.starts_with("predicates.") && name.ends_with(".type") => "predicate",
        _ => return Vec::new(),
    };
    let all = plugins().into_iter().filter(|plugin| plugin.kind == kind);
    all.map(|plugin| plugin.class.to_owned()).collect()
}

/// A value as Connect shows it.
fn text(kind: &str, value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::List(items) => Some(items.join(",")),
        _ if kind == Kind::Password.name() => Some(HIDDEN.to_owned()),
        value => Some(value.to_string()),
    }
}
