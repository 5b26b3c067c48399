//! `/connectors/NAME/offsets`: where a connector is in what it reads.

use serde_json::{Value, json};

use super::Rest;
use super::connectors::refused;
use super::exchange::{Answer, Request};
use crate::connect::{Offset, Offsets};

pub(super) fn get(rest: &Rest, name: &str) -> Result<Answer, Answer> {
    let offsets = rest.herder.offsets(name).map_err(|error| refused(&error))?;
    let offsets: Vec<Value> = offsets
        .iter()
        .map(|(partition, offset)| json!({ "partition": partition, "offset": offset }))
        .collect();
    Ok(Answer::json(200, &json!({ "offsets": offsets })))
}

pub(super) fn alter(rest: &Rest, name: &str, request: &Request) -> Result<Answer, Answer> {
    let body = request.json()?;
    let given = body.get("offsets").and_then(Value::as_array).filter(|given| !given.is_empty());
    let Some(given) = given else {
        let message = "Partitions / offsets need to be provided for an alter offsets request";
        return Err(Answer::error(400, message));
    };
    let offsets = given.iter().map(one).collect::<Result<Offsets, _>>()?;
    rest.herder.alter_offsets(name, &offsets).map_err(|error| refused(&error))?;
    Ok(said("altered"))
}

pub(super) fn reset(rest: &Rest, name: &str) -> Result<Answer, Answer> {
    rest.herder.alter_offsets(name, &Offsets::new()).map_err(|error| refused(&error))?;
    Ok(said("reset"))
}

fn one(given: &Value) -> Result<Offset, Answer> {
    let wrong = |what: &str| {
        Answer::error(400, &format!("offsets: found {given}, expected an object with {what}"))
    };
    let partition = given.get("partition").and_then(Value::as_object);
    let partition = partition.ok_or_else(|| wrong("a partition"))?.clone();
    let offset = match given.get("offset") {
        None | Some(Value::Null) => None,
        Some(Value::Object(offset)) => Some(offset.clone()),
        Some(_) => return Err(wrong("an offset that is an object or null")),
    };
    Ok((partition, offset))
}

fn said(what: &str) -> Answer {
    let message = format!("The offsets for this connector have been {what} successfully");
    Answer::json(200, &json!({ "message": message }))
}
