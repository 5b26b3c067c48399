//! `/connector-plugins`: the classes there are, their options, and what is wrong with properties.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::Rest;
use super::exchange::{Answer, Request, flat};
use crate::connect::class::shown as shown_value;
use crate::connect::{InvalidConfig, Properties, Validation};

pub(super) fn list(rest: &Rest, request: &Request) -> Answer {
    let mut plugins = rest.herder.engine().plugins();
    if !request.parameters("connectorsOnly").any(|only| only.eq_ignore_ascii_case("false")) {
        plugins.retain(|plugin| matches!(plugin.kind, "source" | "sink"));
    }
    Answer::json(200, &json!(plugins))
}

pub(super) fn definitions(rest: &Rest, class: &str) -> Result<Answer, Answer> {
    let keys = rest.herder.engine().config_keys(class);
    let keys = keys.ok_or_else(|| Answer::error(404, &format!("Unknown plugin {class}.")))?;
    Ok(Answer::json(200, &json!(keys)))
}

pub(super) fn validate(rest: &Rest, class: &str, request: &Request) -> Result<Answer, Answer> {
    let config = properties(&request.json()?)?;
    let Some(named) = config.get("connector.class").map(|named| named.trim()) else {
        let pairs: Vec<String> = config
            .iter()
            .map(|(key, value)| format!("{key}={}", shown_value(key, value)))
            .collect();
        let pairs = pairs.join(", ");
        let message = format!("Connector config {{{pairs}}} contains no connector type");
        return Err(Answer::error(400, &message));
    };
    if !is_same(class, named) {
        let message =
            format!("Included connector type {named} does not match request type {class}");
        return Err(Answer::error(400, &message));
    }
    match rest.herder.engine().validate(&config) {
        Ok(validation) => Ok(Answer::json(200, &shown(&validation))),
        Err(InvalidConfig::Whole(message)) => Err(Answer::error(400, &message)),
        Err(error) => Err(Answer::error(400, &error.to_string())),
    }
}

/// The properties themselves, or those of a definition with its name, as some tools send it.
fn properties(body: &Value) -> Result<Properties, Answer> {
    let wrapped = body.get("config").filter(|config| config.is_object());
    let mut flat: BTreeMap<String, Option<String>> = flat(wrapped.unwrap_or(body))?;
    if wrapped.is_some()
        && let Some(name) = body.get("name").and_then(Value::as_str)
    {
        flat.entry("name".to_owned()).or_insert_with(|| Some(name.to_owned()));
    }
    Ok(flat.into_iter().filter_map(|(key, value)| Some((key, value?))).collect())
}

/// Whether a request's type is a class: its full name, its simple name, or that without
/// `Connector`.
fn is_same(requested: &str, class: &str) -> bool {
    let simple = class.rsplit('.').next().unwrap_or(class);
    requested == class
        || requested == simple
        || simple.strip_suffix("Connector").is_some_and(|short| short == requested)
}

fn shown(validation: &Validation) -> Value {
    let Validation { class, groups, configs } = validation;
    let errors: usize = configs.iter().map(|(_, value)| value.errors.len()).sum();
    let configs: Vec<Value> =
        configs.iter().map(|(key, value)| json!({ "definition": key, "value": value })).collect();
    json!({ "name": class, "error_count": errors, "groups": groups, "configs": configs })
}
