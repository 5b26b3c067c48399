//! The command line of `midge connect`, and what the environment says in its place.
//!
//! Options may stand anywhere, as in the tool it stands for.

use std::ffi::OsString;

use super::client::{Credentials, Endpoint};

/// Where Connect's REST interface is when nobody says it.
const ENDPOINT: &str = "http://localhost:8083/";

/// What is to be done, and where.
#[derive(Debug, PartialEq)]
pub(super) struct Arguments {
    pub(super) endpoint: Endpoint,
    pub(super) format: Format,
    pub(super) command: Command,
}

/// How standard input is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    Properties,
    Json,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Command {
    Help,
    List,
    Get(String),
    Remove(String),
    Create(String),
    Run(String),
    Diff(String),
    Status(String),
    Change(Change, String),
    Plugins,
    Describe(String),
    /// The class; without one the properties name it.
    Validate(Option<String>),
    Tasks(String),
    TaskStatus(String, u32),
    TaskRestart(String, u32),
}

/// What becomes of a connector that there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    Pause,
    Resume,
    Restart,
}

/// Reads the arguments; `environment` gives the value of a variable.
pub(super) fn parse(
    arguments: Vec<OsString>,
    environment: impl Fn(&str) -> Option<String>,
) -> Result<Arguments, String> {
    let mut url = None;
    let mut format = environment("KAFKA_CONNECT_FORMAT");
    let mut token = environment("KAFKA_CONNECT_TOKEN").filter(|token| !token.is_empty());
    let (mut user, mut authorities) = (None, None);
    let mut words = Vec::new();
    let mut arguments = arguments.into_iter().map(|argument| {
        argument.into_string().map_err(|argument| format!("{argument:?} is not UTF-8"))
    });
    while let Some(argument) = arguments.next().transpose()? {
        let (option, inline) = match argument.split_once('=') {
            Some((option, value)) if option.starts_with("--") => (option, Some(value.to_owned())),
            _ => (argument.as_str(), None),
        };
        let mut value = || match inline.clone() {
            Some(value) => Ok(value),
            None => arguments
                .next()
                .transpose()?
                .ok_or_else(|| format!("{option}: a value was expected")),
        };
        match option {
            "-h" | "--help" => {
                let endpoint = Endpoint::parse(ENDPOINT)?;
                let (format, command) = (Format::Properties, Command::Help);
                return Ok(Arguments { endpoint, format, command });
            }
            "-e" | "--endpoint" => url = Some(value()?),
            "-f" | "--format" => format = Some(value()?),
            "--token" => token = Some(value()?),
            "--user" => user = Some(value()?),
            "--cafile" => authorities = Some(value()?.into()),
            option if option.starts_with('-') => {
                return Err(format!("unknown option {option:?}"));
            }
            _ => words.push(argument),
        }
    }
    let url = url.or_else(|| environment("KAFKA_CONNECT_REST").filter(|url| !url.is_empty()));
    let mut endpoint = Endpoint::parse(url.as_deref().unwrap_or(ENDPOINT))?;
    endpoint.authorities = authorities;
    // What is said on the command line goes before what stands in the environment.
    match (user, token) {
        (Some(user), _) => {
            let (name, password) =
                user.split_once(':').ok_or("--user: found no colon, expected NAME:PASSWORD")?;
            endpoint.credentials =
                Credentials::Basic { user: name.to_owned(), password: password.to_owned() };
        }
        (None, Some(token)) => endpoint.credentials = Credentials::Token(token),
        (None, None) => {}
    }
    let format = match format.as_deref().map(str::to_ascii_lowercase).as_deref() {
        None | Some("properties") => Format::Properties,
        Some("json") => Format::Json,
        Some(other) => {
            return Err(format!("--format: found {other:?}, expected properties or json"));
        }
    };
    Ok(Arguments { endpoint, format, command: command(words)? })
}

fn command(words: Vec<String>) -> Result<Command, String> {
    let mut words = words.into_iter();
    let verb = words.next().ok_or("Command expected.")?;
    let mut first = words.next();
    let mut name = || first.take().ok_or("Please specify the connector-name");
    let command = match verb.as_str() {
        "ps" => Command::List,
        "plugins" => Command::Plugins,
        "get" => Command::Get(name()?),
        "rm" => Command::Remove(name()?),
        "create" => Command::Create(name()?),
        "run" => Command::Run(name()?),
        "diff" => Command::Diff(name()?),
        "status" => Command::Status(name()?),
        "pause" => Command::Change(Change::Pause, name()?),
        "resume" => Command::Change(Change::Resume, name()?),
        "restart" => {
            let name = name()?;
            match words.next() {
                Some(task) => Command::TaskRestart(name, number(&task)?),
                None => Command::Change(Change::Restart, name),
            }
        }
        "describe" => {
            Command::Describe(first.take().ok_or("describe: expected the class of a connector")?)
        }
        "validate" => Command::Validate(first.take()),
        "task_ps" => Command::Tasks(name()?),
        "task_status" => Command::TaskStatus(name()?, task(words.next())?),
        "task_restart" => Command::TaskRestart(name()?, task(words.next())?),
        other => return Err(format!("found {other:?}, expected a command")),
    };
    match first.or_else(|| words.next()) {
        Some(word) => Err(format!("{verb}: found {word:?}, expected nothing more")),
        None => Ok(command),
    }
}

fn task(word: Option<String>) -> Result<u32, String> {
    number(&word.ok_or("Please specify the task-id")?)
}

fn number(word: &str) -> Result<u32, String> {
    word.parse().map_err(|_| format!("task id: found {word:?}, expected a number"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(words: &[&str], environment: &[(&str, &str)]) -> Result<Arguments, String> {
        let arguments = words.iter().map(OsString::from).collect();
        parse(arguments, |name| {
            let found = environment.iter().find(|(variable, _)| *variable == name);
            found.map(|(_, value)| (*value).to_owned())
        })
    }

    fn command(words: &[&str]) -> Command {
        read(words, &[]).expect("no mistake").command
    }

    #[test]
    fn each_command_takes_what_it_needs_and_no_more() {
        let a = || "a".to_owned();
        assert_eq!(command(&["ps"]), Command::List);
        assert_eq!(command(&["run", "a"]), Command::Run(a()));
        assert_eq!(command(&["restart", "a"]), Command::Change(Change::Restart, a()));
        assert_eq!(command(&["restart", "a", "2"]), Command::TaskRestart(a(), 2));
        assert_eq!(command(&["task_status", "a", "0"]), Command::TaskStatus(a(), 0));
        assert_eq!(command(&["validate"]), Command::Validate(None));
        assert_eq!(command(&["ps", "--help"]), Command::Help);
        for (words, expected) in [
            (&[][..], "Command expected."),
            (&["get"], "Please specify the connector-name"),
            (&["task_status", "a"], "Please specify the task-id"),
            (&["task_status", "a", "b"], "task id: found \"b\", expected a number"),
            (&["ps", "a"], "ps: found \"a\", expected nothing more"),
            (&["get", "a", "b"], "get: found \"b\", expected nothing more"),
            (&["list"], "found \"list\", expected a command"),
            (&["ps", "-x"], "unknown option \"-x\""),
            (&["ps", "-e"], "-e: a value was expected"),
            (&["ps", "-f", "xml"], "--format: found \"xml\", expected properties or json"),
            (&["ps", "--user", "ana"], "--user: found no colon, expected NAME:PASSWORD"),
        ] {
            assert_eq!(read(words, &[]), Err(expected.to_owned()), "{words:?}");
        }
    }

    #[test]
    fn the_command_line_goes_before_the_environment_and_that_before_the_default() {
        let url = |words: &[&str], environment: &[(&str, &str)]| {
            read(words, environment).expect("no mistake").endpoint.to_string()
        };
        assert_eq!(url(&["ps"], &[]), "http://localhost:8083");
        let environment = [("KAFKA_CONNECT_REST", "http://myserver:80")];
        assert_eq!(url(&["ps"], &environment), "http://myserver:80");
        assert_eq!(url(&["-e", "http://a:1/b/", "ps"], &environment), "http://a:1/b");
        assert_eq!(url(&["ps", "--endpoint=http://c"], &environment), "http://c");
    }

    #[test]
    fn who_asks_is_said_by_options_the_address_or_the_environment() {
        let asks = |words: &[&str]| {
            let environment =
                [("KAFKA_CONNECT_REST", "http://ana:s%40x@a"), ("KAFKA_CONNECT_FORMAT", "JSON")];
            let arguments = read(words, &environment).expect("no mistake");
            assert_eq!(arguments.format, Format::Json);
            arguments.endpoint.credentials
        };
        let basic = |user: &str, password: &str| Credentials::Basic {
            user: user.to_owned(),
            password: password.to_owned(),
        };
        assert_eq!(asks(&["ps"]), basic("ana", "s@x"));
        assert_eq!(asks(&["ps", "--user", "bob:a:b"]), basic("bob", "a:b"));
        assert_eq!(asks(&["ps", "--token", "t"]), Credentials::Token("t".to_owned()));
    }
}
