//! `midge connect`: connectors of a Connect worker, from the command line, as `connect-cli` of
//! kafka-connect-tools does it.
//!
//! Invariant: what was asked for is on standard output, what is said about it on standard error; the
//! exit code is 0 when it was done and 1 when not.

mod arguments;
mod client;
mod input;
mod shown;

use std::ffi::OsString;
use std::io::{self, Write};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use arguments::{Arguments, Change, Command, Format};
use client::{Client, Failure, escaped};
use input::Input;

/// What `midge connect --help` says.
const USAGE: &str = "\
Usage: midge connect COMMAND [OPTION]... [NAME]

  ps                    list the connectors
  get NAME              its properties
  create NAME           make it of the properties on standard input; there must be none yet
  run NAME              make it, or change it, by the properties on standard input
  diff NAME             compare it with the properties on standard input
  status NAME           how it and its tasks are
  pause NAME            have it take nothing new
  resume NAME           have it go on
  restart NAME [TASK]   start it and its tasks anew, or that task
  rm NAME               end it for good
  task_ps NAME          its tasks and their properties
  task_status NAME TASK how a task is
  task_restart NAME TASK
  plugins               the classes there are
  describe CLASS        the options of a class, as JSON
  validate [CLASS]      judge the properties on standard input

  -e, --endpoint URL    the worker's REST interface: KAFKA_CONNECT_REST or http://localhost:8083/;
                        http://USER:PASSWORD@HOST:PORT says who asks
  -f, --format FORMAT   of standard input, properties or json: KAFKA_CONNECT_FORMAT or properties
  --user NAME:PASSWORD  who asks
  --token TOKEN         what it shows: KAFKA_CONNECT_TOKEN
  --cafile FILE         who vouches for https://, instead of the system's authorities
  -h, --help            this
";

/// How long a connector may take to have tasks, or to be as it is wanted.
const PATIENCE: Duration = Duration::from_secs(20);
/// How often it is looked at meanwhile.
const LOOK: Duration = Duration::from_millis(50);

/// Does what the arguments say.
pub(super) fn run(arguments: Vec<OsString>) -> ExitCode {
    let arguments = match arguments::parse(arguments, |name| std::env::var(name).ok()) {
        Ok(arguments) => arguments,
        Err(error) => {
            eprintln!("Error: {error}\n\n{USAGE}");
            return ExitCode::FAILURE;
        }
    };
    let (text, code) = match answer(&arguments) {
        Ok(text) => (text, ExitCode::SUCCESS),
        Err(Error::Invalid(text)) => (text, ExitCode::FAILURE),
        Err(Error::Told(error)) => {
            eprintln!("Error: {error}");
            return ExitCode::FAILURE;
        }
    };
    match written(&text) {
        Ok(()) => code,
        Err(error) => {
            eprintln!("Error: standard output: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Writes to standard output, whose other end may have had enough: that is no mistake.
fn written(text: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        result => result,
    }
}

/// Why something was not done.
enum Error {
    Told(String),
    /// Properties are wrong, which is the answer.
    Invalid(String),
}

impl From<String> for Error {
    fn from(error: String) -> Error {
        Error::Told(error)
    }
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Error {
        Error::Told(failure.to_string())
    }
}

/// What is printed.
fn answer(arguments: &Arguments) -> Result<String, Error> {
    let client = Client::new(&arguments.endpoint)?;
    let format = arguments.format;
    let of = |name: &str, what: &str| format!("/connectors/{}{what}", escaped(name));
    Ok(match &arguments.command {
        Command::Help => USAGE.to_owned(),
        Command::List => list(&client)?,
        Command::Get(name) => shown::connector(name, &[], &client.get(&of(name, ""))?),
        Command::Remove(name) => {
            client.call("DELETE", &of(name, ""), None)?;
            String::new()
        }
        Command::Create(name) => {
            let (name, asked, input) = named(name, format)?;
            let made = json!({ "name": name, "config": input.properties });
            client.call("POST", "/connectors", Some(&made))?;
            shown::connector(asked, &input.order, &with_tasks(&client, &name)?)
        }
        Command::Run(name) => {
            let (name, asked, input) = named(name, format)?;
            client.call("PUT", &of(&name, "/config"), Some(&json!(input.properties)))?;
            shown::connector(asked, &input.order, &with_tasks(&client, &name)?)
        }
        Command::Diff(name) => {
            let (name, _, input) = named(name, format)?;
            let current = shown::properties(&client.get(&of(&name, "/config"))?);
            shown::difference(&current, &input.properties)
        }
        Command::Status(name) => shown::status(&client.get(&of(name, "/status"))?),
        Command::Change(change, name) => changed(&client, *change, name)?,
        Command::Plugins => shown::plugins(&client.get("/connector-plugins")?),
        Command::Describe(class) => {
            let properties = json!({ "connector.class": class });
            let text = shown::pretty(&validation(&client, class, &properties)?);
            format!("{text}\n")
        }
        Command::Validate(class) => validated(&client, class.as_deref(), format)?,
        Command::Tasks(name) => shown::tasks(&client.get(&of(name, "/tasks"))?),
        Command::TaskStatus(name, task) => {
            shown::task_status(&client.get(&of(name, &format!("/tasks/{task}/status")))?)
        }
        Command::TaskRestart(name, task) => {
            client.call("POST", &of(name, &format!("/tasks/{task}/restart")), None)?;
            String::new()
        }
    })
}

fn list(client: &Client) -> Result<String, Error> {
    let names = client.get("/connectors")?;
    let names: Vec<String> = names.as_array().into_iter().flatten().map(shown::text).collect();
    if names.is_empty() {
        eprintln!("No running connectors");
        return Ok(String::new());
    }
    Ok(names.join("\n") + "\n")
}

/// The name that counts, the one that was asked for, and the properties on standard input.
fn named(asked: &str, format: Format) -> Result<(String, &str, Input), Error> {
    let mut input = Input::read(std::io::stdin().lock(), format)?;
    let name = input.name(asked);
    if name != asked {
        eprintln!("warning: the properties say name={name}: the connector is called that");
    }
    Ok((name, asked, input))
}

/// A connector once it has tasks, or cannot have any.
fn with_tasks(client: &Client, name: &str) -> Result<Value, Error> {
    let path = format!("/connectors/{}", escaped(name));
    let deadline = Instant::now() + PATIENCE;
    loop {
        let late = Instant::now() >= deadline;
        match client.get(&path) {
            Ok(found) if has_tasks(&found) || late => return Ok(found),
            Ok(found) => {
                let status = client.get(&format!("{path}/status"));
                let state =
                    status.as_ref().ok().and_then(|status| status["connector"]["state"].as_str());
                if matches!(state, Some("FAILED" | "STOPPED")) {
                    return Ok(found);
                }
            }
            // A worker of several hears of it a moment later than the one that was told.
            Err(Failure::Refused { status: 404 | 409, .. }) if !late => {}
            Err(failure) => return Err(failure.into()),
        }
        std::thread::sleep(LOOK);
    }
}

fn has_tasks(connector: &Value) -> bool {
    connector["tasks"].as_array().is_some_and(|tasks| !tasks.is_empty())
}

/// Has a connector rest, go on or start anew, and waits until it does.
fn changed(client: &Client, change: Change, name: &str) -> Result<String, Error> {
    let path = format!("/connectors/{}", escaped(name));
    let (method, what, word) = match change {
        Change::Pause => ("PUT", "/pause", "pause"),
        Change::Resume => ("PUT", "/resume", "resume"),
        Change::Restart => ("POST", "/restart?includeTasks=true", "restart"),
    };
    client.call(method, &format!("{path}{what}"), None)?;
    written(&format!("Waiting for {word}\n")).map_err(|error| error.to_string())?;
    let deadline = Instant::now() + PATIENCE;
    loop {
        let status = client.get(&format!("{path}/status"))?;
        if is_done(change, &status) || Instant::now() >= deadline {
            return Ok(shown::status(&status));
        }
        std::thread::sleep(LOOK);
    }
}

/// Whether a connector and its tasks are as they are wanted, as far as they can be.
fn is_done(change: Change, status: &Value) -> bool {
    let tasks = status["tasks"].as_array().into_iter().flatten();
    let mut states = std::iter::once(&status["connector"])
        .chain(tasks)
        .map(|one| one["state"].as_str().unwrap_or_default());
    states.all(|state| match change {
        Change::Pause => matches!(state, "PAUSED" | "FAILED"),
        Change::Resume => matches!(state, "RUNNING" | "FAILED"),
        Change::Restart => !matches!(state, "RESTARTING" | "UNASSIGNED"),
    })
}

/// What the worker finds in properties.
fn validation(client: &Client, class: &str, properties: &Value) -> Result<Value, Failure> {
    let path = format!("/connector-plugins/{}/config/validate", escaped(class));
    client.call("PUT", &path, Some(properties))
}

fn validated(client: &Client, class: Option<&str>, format: Format) -> Result<String, Error> {
    let input = Input::read(std::io::stdin().lock(), format)?;
    let said = input.properties.get("connector.class").map(|class| class.trim());
    let class = class.or(said).ok_or_else(|| {
        "connector.class: is missing, and the command line names no class either".to_owned()
    })?;
    let mut properties = input.properties.clone();
    properties.entry("connector.class".to_owned()).or_insert_with(|| class.to_owned());
    let found = validation(client, class, &json!(properties))?;
    let mistakes = shown::mistakes(&found);
    if mistakes.is_empty() {
        return Ok(format!("{}\nNo validation errors.\n", shown::text(&found["name"])));
    }
    let (json, mistakes) = (shown::pretty(&found), mistakes.join("\n"));
    Err(Error::Invalid(format!("{json}\nValidation failed.\n{mistakes}\n")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_done_when_the_connector_and_all_tasks_are_as_wanted() {
        let status = |connector: &str, task: &str| json!({ "connector": { "state": connector }, "tasks": [{ "state": task }] });
        for (change, connector, task, done) in [
            (Change::Pause, "PAUSED", "RUNNING", false),
            (Change::Pause, "PAUSED", "PAUSED", true),
            (Change::Pause, "PAUSED", "FAILED", true),
            (Change::Resume, "PAUSED", "RUNNING", false),
            (Change::Resume, "RUNNING", "RUNNING", true),
            (Change::Restart, "RUNNING", "RESTARTING", false),
            (Change::Restart, "RUNNING", "FAILED", true),
        ] {
            let status = status(connector, task);
            assert_eq!(is_done(change, &status), done, "{change:?} {status}");
        }
    }
}
