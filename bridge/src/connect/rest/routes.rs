//! Which request is answered by whom: the paths and methods of Connect's REST interface.
//!
//! No request panics, and none changes anything before all of it has been understood.

use serde_json::{Map, Value, json};

use super::exchange::{Answer, Request};
use super::{Rest, connectors, loggers, offsets, plugins};

impl Rest {
    /// Answers a request.
    pub(crate) fn answer(&self, request: &Request) -> Answer {
        let path: Vec<&str> = request.path.iter().map(String::as_str).collect();
        let allowed = allowed(&path);
        if allowed.is_empty() {
            let answer = Answer::error(404, "HTTP 404 Not Found");
            // A resource has seen it where only its number is none.
            let is_number = matches!(&path[..], ["connectors", _, "tasks", ..]) && path.len() == 5;
            return if is_number { answer } else { answer.untyped() };
        }
        let method = match request.method.as_str() {
            "OPTIONS" => return options(allowed),
            "HEAD" => "GET",
            method => method,
        };
        if !allowed.contains(&method) {
            return Answer::error(405, "HTTP 405 Method Not Allowed").untyped();
        }
        if !request.accepts_json() {
            return Answer::error(406, "HTTP 406 Not Acceptable").untyped();
        }
        // What a worker does not know yet it does not call absent.
        let waits = match path[..] {
            ["connectors", ..] => self.herder.ready().err(),
            _ => None,
        };
        let answered = match waits {
            None => self.resource(method, &path, request),
            Some(error) => Err(connectors::refused(&error)),
        };
        let mut answer = answered.unwrap_or_else(|refusal| refusal);
        if request.method == "HEAD" {
            answer.body.clear();
        }
        answer
    }

    fn resource(&self, method: &str, path: &[&str], request: &Request) -> Result<Answer, Answer> {
        match (method, path) {
            (_, []) => Ok(Answer::json(200, &self.about())),
            (_, ["health"]) => Ok(self.health()),
            ("GET", ["connectors"]) => Ok(connectors::list(self, request)),
            ("POST", ["connectors"]) => connectors::create(self, request),
            ("GET", ["connectors", name]) => connectors::describe(self, name),
            ("DELETE", ["connectors", name]) => connectors::delete(self, name),
            ("GET", ["connectors", name, "config"]) => connectors::config(self, name),
            ("PUT", ["connectors", name, "config"]) => connectors::put(self, name, request),
            ("PATCH", ["connectors", name, "config"]) => connectors::patch(self, name, request),
            (_, ["connectors", name, "status"]) => connectors::status(self, name),
            (_, ["connectors", name, "tasks"]) => connectors::tasks(self, name),
            (_, ["connectors", name, "tasks", task, "status"]) => {
                connectors::task_status(self, name, task)
            }
            (_, ["connectors", name, "tasks", task, "restart"]) => {
                connectors::restart_task(self, name, task)
            }
            (_, ["connectors", name, "restart"]) => connectors::restart(self, name, request),
            (_, ["connectors", name, change @ ("pause" | "resume" | "stop")]) => {
                connectors::target(self, name, change)
            }
            (_, ["connectors", name, "topics"]) => connectors::topics(self, name),
            (_, ["connectors", name, "topics", "reset"]) => connectors::reset_topics(self, name),
            ("GET", ["connectors", name, "offsets"]) => offsets::get(self, name),
            ("PATCH", ["connectors", name, "offsets"]) => offsets::alter(self, name, request),
            (_, ["connectors", name, "offsets"]) => offsets::reset(self, name),
            (_, ["connector-plugins"]) => Ok(plugins::list(self, request)),
            (_, ["connector-plugins", class, "config"]) => plugins::definitions(self, class),
            (_, ["connector-plugins", class, "config", "validate"]) => {
                plugins::validate(self, class, request)
            }
            (_, ["admin", "loggers"]) => Ok(loggers::list(self)),
            ("GET", ["admin", "loggers", logger]) => loggers::get(self, logger),
            (_, ["admin", "loggers", logger]) => loggers::put(self, logger, request),
            _ => Err(Answer::error(404, "HTTP 404 Not Found")),
        }
    }

    fn about(&self) -> Value {
        json!({
            "version": self.about.version,
            "commit": self.about.commit,
            "kafka_cluster_id": self.kafka_cluster_id(),
        })
    }

    fn health(&self) -> Answer {
        if let Err(error) = self.herder.ready() {
            let health = json!({ "status": "starting", "message": error.to_string() });
            return Answer::json(503, &health);
        }
        let message = "Worker has completed startup and is ready to handle requests.";
        Answer::json(200, &json!({ "status": "healthy", "message": message }))
    }
}

/// The methods of a path; none for a path that is none. `HEAD` goes with `GET`, `OPTIONS` with all.
fn allowed(path: &[&str]) -> &'static [&'static str] {
    match path {
        [] | ["health"] => &["GET"],
        ["connectors"] => &["POST", "GET"],
        ["connectors", _] => &["DELETE", "GET"],
        ["connectors", _, "config"] => &["PATCH", "PUT", "GET"],
        ["connectors", _, "offsets"] => &["PATCH", "DELETE", "GET"],
        ["connectors", _, "status" | "tasks" | "topics"] => &["GET"],
        ["connectors", _, "pause" | "resume" | "stop"] => &["PUT"],
        ["connectors", _, "restart"] => &["POST"],
        ["connectors", _, "topics", "reset"] => &["PUT"],
        ["connectors", _, "tasks", task, what] if task.parse::<u32>().is_ok() => match *what {
            "status" => &["GET"],
            "restart" => &["POST"],
            _ => &[],
        },
        ["connector-plugins"] | ["connector-plugins", _, "config"] => &["GET"],
        ["connector-plugins", _, "config", "validate"] => &["PUT"],
        ["admin", "loggers"] => &["GET"],
        ["admin", "loggers", _] => &["PUT", "GET"],
        _ => &[],
    }
}

fn options(allowed: &[&str]) -> Answer {
    let mut methods = allowed.to_vec();
    if allowed.contains(&"GET") {
        methods.insert(0, "HEAD");
    }
    methods.push("OPTIONS");
    Answer { content_type: Some("text/plain"), body: methods.join(", "), ..Answer::empty(200) }
}

/// An object of these pairs.
pub(super) fn object(pairs: impl IntoIterator<Item = (String, Value)>) -> Value {
    Value::Object(pairs.into_iter().collect::<Map<_, _>>())
}
