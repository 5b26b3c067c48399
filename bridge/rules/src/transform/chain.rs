//! A connector's transforms, one after the other.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::class::{PredicateClass, TransformClass, predicate_class, transform_class};
use super::{Failure, Predicate, Transform};
use crate::connect::ConnectRecord;
use crate::options::{self, ConfigError, Default, Importance, Kind, OptionDef, Value};

/// The transforms of a connector, compiled.
#[derive(Debug, Clone, std::default::Default)]
pub struct Chain {
    stages: Vec<Stage>,
    notes: Vec<String>,
}

#[derive(Debug, Clone)]
struct Stage {
    alias: Arc<str>,
    class: &'static TransformClass,
    transform: Arc<dyn Transform>,
    condition: Option<Condition>,
}

#[derive(Debug, Clone)]
struct Condition {
    predicate: Arc<dyn Predicate>,
    negated: bool,
}

/// A record that cannot be transformed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("transform {alias} ({class}): {message}")]
pub struct TransformError {
    /// What the property file calls the transform.
    pub alias: Arc<str>,
    /// The transform's class in Java.
    pub class: &'static str,
    /// The class of the exception that Connect would throw.
    pub exception: &'static str,
    /// What is wrong with the record.
    pub message: String,
}

const ALIASES: [OptionDef; 2] = [
    OptionDef::new(
        "transforms",
        Kind::List,
        Default::Text(""),
        Importance::Low,
        "Aliases for the transformations to be applied to records.",
    ),
    OptionDef::new(
        "predicates",
        Kind::List,
        Default::Text(""),
        Importance::Low,
        "Aliases for the predicates used by transformations.",
    ),
];

type Properties = BTreeMap<String, String>;

impl Chain {
    /// Compiles `transforms`, `predicates` and what belongs to them; other properties are left
    /// alone. Years of two digits are those around `now`, in milliseconds since the epoch.
    ///
    /// # Errors
    /// With every mistake, by the full names of the properties.
    pub fn from_properties(properties: &Properties, now: i64) -> Result<Self, Vec<ConfigError>> {
        let mut errors = Vec::new();
        let mut notes = Vec::new();
        let conditions = predicates(properties, &mut errors);
        let aliases = aliases("transforms", properties, &mut errors);
        let mut stages = Vec::new();
        for alias in &aliases {
            let prefix = format!("transforms.{alias}.");
            let Some(class) =
                class_of(&prefix, "Transformation", transform_class, properties, &mut errors)
            else {
                continue;
            };
            let known = class.options.iter().chain(TransformClass::COMMON);
            let known: Vec<&str> = known.flat_map(OptionDef::spellings).collect();
            unknown(&prefix, class.simple_name(), &known, &aliases, properties, &mut errors);
            let condition = condition(&prefix, &conditions, properties, &mut errors);
            notes.extend(respelt(class, &prefix, properties));
            let built = options::parse(class.options, &prefix, properties).and_then(|options| {
                (class.build)(&options, now)
                    .map_err(|message| vec![ConfigError { name: format!("{prefix}type"), message }])
            });
            match built {
                Ok(transform) => {
                    let alias = Arc::from(alias.as_str());
                    stages.push(Stage { alias, class, transform, condition });
                }
                Err(told) => errors.extend(told),
            }
        }
        notes.extend(unused("transforms", &aliases, properties));
        let defined: Vec<String> = conditions.into_keys().collect();
        notes.extend(unused("predicates", &defined, properties));
        if errors.is_empty() { Ok(Self { stages, notes }) } else { Err(errors) }
    }

    /// Whether it changes nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.stages.is_empty()
    }

    /// What a reader of the log should know: names that went out of use, and transforms that are
    /// described without being used.
    #[must_use]
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// Transforms a record; one that a transform drops is none.
    ///
    /// # Errors
    /// With the transform that could not, and why.
    pub fn apply(&self, record: ConnectRecord) -> Result<Option<ConnectRecord>, TransformError> {
        let mut record = record;
        for stage in &self.stages {
            match stage.apply(record).map_err(|failure| stage.error(failure))? {
                Some(transformed) => record = transformed,
                None => return Ok(None),
            }
        }
        Ok(Some(record))
    }
}

impl Stage {
    fn apply(&self, record: ConnectRecord) -> Result<Option<ConnectRecord>, Failure> {
        if let Some(condition) = &self.condition
            && condition.predicate.test(&record)? == condition.negated
        {
            return Ok(Some(record));
        }
        self.transform.apply(record)
    }

    fn error(&self, failure: Failure) -> TransformError {
        TransformError {
            alias: Arc::clone(&self.alias),
            class: self.class.name,
            exception: failure.exception,
            message: failure.message,
        }
    }
}

fn error(name: impl Into<String>, message: impl Into<String>) -> ConfigError {
    ConfigError { name: name.into(), message: message.into() }
}

/// The aliases of `transforms` or `predicates`, each once.
fn aliases(list: &str, properties: &Properties, errors: &mut Vec<ConfigError>) -> Vec<String> {
    let judged = options::judge(&ALIASES, "", properties);
    let judged = judged.into_iter().find(|judged| judged.name == list).expect("in the table");
    let Value::List(mut aliases) = judged.value else { return Vec::new() };
    let mut seen = BTreeSet::new();
    let told = Value::List(aliases.clone());
    aliases.retain(|alias| seen.insert(alias.clone()));
    if let Value::List(given) = &told
        && given.len() > aliases.len()
    {
        let message =
            format!("Invalid value {told} for configuration {list}: Duplicate alias provided.");
        errors.push(error(list, message));
    }
    aliases
}

/// The class that `type` names.
fn class_of<C>(
    prefix: &str,
    kind: &str,
    find: fn(&str) -> Option<&'static C>,
    properties: &Properties,
    errors: &mut Vec<ConfigError>,
) -> Option<&'static C> {
    let name = format!("{prefix}type");
    let message = match properties.get(&name) {
        None => format!(
            "Missing required configuration \"{name}\" which has no default value: it is the \
             class of a {kind}"
        ),
        Some(class) => match find(crate::java::trim(class)) {
            Some(found) => return Some(found),
            None => format!(
                "Invalid value {class} for configuration {name}: Class {class} could not be found."
            ),
        },
    };
    errors.push(error(name, message));
    None
}

/// What nobody reads is a mistake: a misspelt option would be silently without effect.
fn unknown(
    prefix: &str,
    class: &str,
    known: &[&str],
    aliases: &[String],
    properties: &Properties,
    errors: &mut Vec<ConfigError>,
) {
    let list = prefix.split('.').next().unwrap_or(prefix);
    // An alias may have dots, and so begin with another one.
    let longer: Vec<String> = aliases
        .iter()
        .map(|alias| format!("{list}.{alias}."))
        .filter(|other| other.len() > prefix.len() && other.starts_with(prefix))
        .collect();
    for name in properties.keys() {
        let Some(option) = name.strip_prefix(prefix) else { continue };
        if option == "type"
            || known.contains(&option)
            || longer.iter().any(|other| name.starts_with(other))
        {
            continue;
        }
        let takes = match known {
            [] => "no options".to_owned(),
            known => known.join(", "),
        };
        let message = format!("Unknown configuration '{name}': {class} takes {takes}");
        errors.push(error(name, message));
    }
}

/// The predicates by their aliases; one with a mistake is there without anything to test.
fn predicates(
    properties: &Properties,
    errors: &mut Vec<ConfigError>,
) -> BTreeMap<String, Option<Arc<dyn Predicate>>> {
    let aliases = aliases("predicates", properties, errors);
    let mut built = BTreeMap::new();
    for alias in &aliases {
        let prefix = format!("predicates.{alias}.");
        let class: Option<&PredicateClass> =
            class_of(&prefix, "Predicate", predicate_class, properties, errors);
        let predicate = class.and_then(|class| {
            let known: Vec<&str> = class.options.iter().map(|option| option.name).collect();
            unknown(&prefix, class.simple_name(), &known, &aliases, properties, errors);
            let built = options::parse(class.options, &prefix, properties).and_then(|options| {
                (class.build)(&options)
                    .map_err(|message| vec![error(format!("{prefix}type"), message)])
            });
            built.map_err(|told| errors.extend(told)).ok()
        });
        built.insert(alias.clone(), predicate);
    }
    built
}

fn condition(
    prefix: &str,
    predicates: &BTreeMap<String, Option<Arc<dyn Predicate>>>,
    properties: &Properties,
    errors: &mut Vec<ConfigError>,
) -> Option<Condition> {
    let options = match options::parse(TransformClass::COMMON, prefix, properties) {
        Ok(options) => options,
        Err(told) => {
            errors.extend(told);
            return None;
        }
    };
    let (name, negate) = (format!("{prefix}predicate"), format!("{prefix}negate"));
    let Some(alias) = options.text("predicate") else {
        if properties.contains_key(&negate) {
            let message = format!(
                "Config '{negate}' was provided but there is no config '{name}' defining a \
                 predicate to be negated."
            );
            errors.push(error(format!("{prefix}type"), message));
        }
        return None;
    };
    let Some(predicate) = predicates.get(alias) else {
        let message = format!(
            "Invalid value {alias} for configuration {name}: 'predicates' has no such alias"
        );
        errors.push(error(name, message));
        return None;
    };
    let predicate = Arc::clone(predicate.as_ref()?);
    Some(Condition { predicate, negated: options.boolean("negate") })
}

/// Options that were given by another spelling than that of today.
fn respelt(class: &TransformClass, prefix: &str, properties: &Properties) -> Vec<String> {
    let judged = options::judge(class.options, prefix, properties).into_iter();
    let other = judged.filter_map(|judged| Some((judged.given?, judged.name)));
    let other = other.filter(|(given, name)| given != name);
    other.map(|(given, name)| format!("'{given}' is called '{name}' today")).collect()
}

/// Aliases that are described but not in the list.
fn unused(list: &str, aliases: &[String], properties: &Properties) -> Vec<String> {
    let prefix = format!("{list}.");
    let known: Vec<String> = aliases.iter().map(|alias| format!("{prefix}{alias}.")).collect();
    let names = properties.keys().filter(|name| name.starts_with(&prefix));
    let names = names.filter(|name| !known.iter().any(|known| name.starts_with(known)));
    names.map(|name| format!("'{name}' is without effect: '{list}' does not name it")).collect()
}
