//! `mosquitto.conf`: reads Mosquitto's directives into a draft.
//!
//! Every line ends as a setting, a notice or an error. Mosquitto's own reading is kept where a
//! drop-in replacement needs it (values keep a trailing `# …`, numbers may be octal, included
//! files begin without a listener); leading spaces are accepted, as it accepts them.

pub(crate) mod directives;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

use directives::{DIRECTIVES, Directive, Scope, Support};

use crate::draft::{AuthenticationDraft, Draft, ListenerDraft};
use crate::error::Origin;
use crate::nearest::did_you_mean;
use crate::resolved::{BindAddress, LogDestination, LogTypes};
use crate::settings::broker::{BROKER, LIMITS, LOG, LOG_DESTINATIONS, LOG_TYPES, log_destination};
use crate::settings::listener::{AUTHENTICATION, LISTENER};
use crate::settings::persistence::PERSISTENCE;
use crate::settings::{Setting, by_directive, by_key, parse_int, quoted};

/// The files of an included directory, in the order they are read.
pub(crate) type Include<'i> = &'i mut dyn FnMut(&Path) -> Result<Vec<(PathBuf, Vec<u8>)>, String>;

/// Reads one main file with what it includes.
pub(crate) fn parse(draft: &mut Draft, file: &Path, text: &[u8], include: Include<'_>) {
    let mut reader = Reader {
        draft,
        per_listener: false,
        authentication_said: None,
        default_listener: None,
        default_opened: false,
    };
    reader.file(file, text, Some(include));
    reader.finish();
}

/// The name of an included file decides its place: by letter, upper case before lower case.
pub(crate) fn include_order(name: &str) -> (String, String) {
    (name.to_lowercase(), name.to_owned())
}

struct Reader<'d> {
    draft: &'d mut Draft,
    per_listener: bool,
    /// Where an authentication setting was first said.
    authentication_said: Option<Origin>,
    /// What stands before any `listener`.
    default_listener: Option<ListenerDraft>,
    /// `port` or `bind_address` asks for the default listener.
    default_opened: bool,
}

/// Where the next line of a file belongs.
#[derive(Default)]
struct Place {
    /// The listener it follows, by its index in the draft.
    listener: Option<usize>,
    /// Whether it follows a `connection`.
    peer: bool,
}

impl Reader<'_> {
    fn file(&mut self, file: &Path, text: &[u8], mut include: Option<Include<'_>>) {
        self.draft.files.push(file.to_owned());
        let mut place = Place::default();
        let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
        for (index, line) in text.split(|byte| *byte == b'\n').enumerate() {
            let origin = Origin::Line { file: file.to_owned(), line: index + 1 };
            // A comment may be in any encoding, as for Mosquitto.
            if line.trim_ascii_start().starts_with(b"#") {
                continue;
            }
            let Ok(line) = std::str::from_utf8(line) else {
                self.draft.error(&origin, "", "found bytes that are not UTF-8");
                continue;
            };
            let line = line.trim_matches([' ', '\t', '\r']);
            if line.is_empty() {
                continue;
            }
            let (name, value) = line.split_once([' ', '\t']).unwrap_or((line, ""));
            let result = self.line(&mut place, name, value.trim(), &origin, &mut include);
            if let Err(message) = result {
                self.draft.error(&origin, name, message);
            }
        }
    }

    fn line(
        &mut self,
        place: &mut Place,
        name: &str,
        value: &str,
        origin: &Origin,
        include: &mut Option<Include<'_>>,
    ) -> Result<(), String> {
        let Some(directive) = Directive::named(name) else {
            let known = DIRECTIVES.iter().map(|row| row.name);
            return Err(format!("unknown directive{}", did_you_mean(name, known)));
        };
        if directive.scope == Scope::Peer && directive.name != "connection" {
            // The connection's own line says that the block is not supported yet.
            return if place.peer {
                Ok(())
            } else {
                Err("belongs to a connection, and no connection line stands above it".to_owned())
            };
        }
        if directive.scope == Scope::Authentication {
            self.authentication_said.get_or_insert_with(|| origin.clone());
        }
        match directive.support {
            Support::Setting => self.setting(place, name, value, origin),
            Support::Alias(name) => self.setting(place, name, value, origin),
            Support::Special => self.special(place, name, value, origin, include),
            Support::Ignored(reason) => {
                self.draft.notice(origin, format!("ignored: {name}: {reason}"));
                Ok(())
            }
            Support::NotYet => {
                self.draft.notice(origin, format!("not supported yet: {name}"));
                Ok(())
            }
            Support::Closes => {
                // `false` asks for nothing.
                if !matches!(first_word(value), "false" | "0") {
                    self.listener(place, origin).close(name);
                }
                Ok(())
            }
            Support::Plugin => {
                self.draft.notice(origin, format!("not supported yet: {name} {}", quoted(value)));
                self.authentication(place, origin).plugin = Some(name.to_owned());
                Ok(())
            }
            Support::Refused(reason) => Err(reason.to_owned()),
        }
    }

    fn setting(
        &mut self,
        place: &Place,
        name: &str,
        value: &str,
        origin: &Origin,
    ) -> Result<(), String> {
        if let Some(row) = by_directive(BROKER, name) {
            self.check(row, None, "broker", value, origin)?;
            return row.take_text(&mut self.draft.broker, words(row, value));
        }
        if let Some(row) = by_directive(LIMITS, name) {
            self.check(row, None, "limits", value, origin)?;
            return row.take_text(&mut self.draft.limits, words(row, value));
        }
        if let Some(row) = by_directive(PERSISTENCE, name) {
            self.check(row, None, "persistence", value, origin)?;
            return row.take_text(&mut self.draft.persistence, words(row, value));
        }
        if let Some(row) = by_directive(LOG, name) {
            self.check(row, None, "log", value, origin)?;
            return row.take_text(&mut self.draft.log, words(row, value));
        }
        if let Some(row) = by_directive(AUTHENTICATION, name) {
            let own = self.per_listener.then_some(place);
            self.check(row, own, "authentication", value, origin)?;
            return row.take_text(self.authentication(place, origin), words(row, value));
        }
        if let Some(row) = by_directive(LISTENER, name) {
            self.check(row, Some(place), "listener", value, origin)?;
            return row.take_text(self.listener(place, origin), words(row, value));
        }
        unreachable!("directive {name} is called a setting and no row has it")
    }

    /// Checks what holds for every value, and keeps in mind where it was said.
    fn check<T>(
        &mut self,
        row: &Setting<T>,
        own: Option<&Place>,
        section: &str,
        value: &str,
        origin: &Origin,
    ) -> Result<(), String> {
        if value.is_empty() {
            return Err(format!("found nothing, expected {}", row.expected()));
        }
        let before = match own {
            Some(place) => self.listener(place, origin).said.insert(row.key, origin.clone()),
            None => self.draft.said.insert(format!("{section}.{}", row.key), origin.clone()),
        };
        if row.takes_rest_of_line() && value.contains(" #") {
            let message =
                format!("{}: the text from # on is part of the value, as in Mosquitto", row.key);
            self.draft.notice(origin, message);
        }
        match before {
            Some(before) if row.takes_rest_of_line() => {
                Err(format!("found a second time, expected once; the first stands at {before}"))
            }
            Some(before) => {
                self.draft.notice(origin, format!("{} replaces the one at {before}", row.key));
                Ok(())
            }
            None => Ok(()),
        }
    }

    fn special(
        &mut self,
        place: &mut Place,
        name: &str,
        value: &str,
        origin: &Origin,
        include: &mut Option<Include<'_>>,
    ) -> Result<(), String> {
        match name {
            "listener" => self.open_listener(place, value, origin),
            "port" => {
                let port = parse_port(value)?;
                self.default_opened = true;
                let listener = self.listener(&Place::default(), origin);
                listener.port = port;
                listener.name = format!("listener {port}");
                Ok(())
            }
            "bind_address" if value.is_empty() => {
                Err("found nothing, expected a name or an address".to_owned())
            }
            "bind_address" => {
                self.default_opened = true;
                self.listener(&Place::default(), origin).bind = BindAddress::Host(value.to_owned());
                Ok(())
            }
            "listener_allow_anonymous" | "listener_auto_id_prefix" => {
                let key = name.trim_start_matches("listener_");
                let row = by_key(AUTHENTICATION, key).expect("a row of the table");
                self.check(row, Some(place), "authentication", value, origin)?;
                let own = &mut self.listener(place, origin).authentication;
                row.take_text(own, words(row, value))
            }
            "per_listener_settings" => self.per_listener_settings(value, origin),
            "include_dir" => self.include_dir(value, origin, include),
            "log_dest" => self.log_dest(value, origin),
            "log_type" => self.log_type(value, origin),
            "connection" if value.is_empty() => Err("found nothing, expected a name".to_owned()),
            "connection" => {
                place.peer = true;
                let message = format!(
                    "not supported yet: connection {} and the lines of its block",
                    quoted(value)
                );
                self.draft.notice(origin, message);
                Ok(())
            }
            _ => unreachable!("directive {name} is called special and has no code"),
        }
    }

    fn open_listener(
        &mut self,
        place: &mut Place,
        value: &str,
        origin: &Origin,
    ) -> Result<(), String> {
        let mut words = value.split_ascii_whitespace();
        let port = words.next().unwrap_or_default();
        let host = words.next().filter(|word| !word.starts_with('#'));
        let unix = parse_int(port) == Some(0);
        let mut listener = ListenerDraft::new(origin.clone(), format!("listener {port}"));
        listener.port = 0;
        // The lines that follow belong to it even when it is wrong.
        place.listener = Some(self.draft.listeners.len());
        let mut result = Ok(());
        if unix {
            match host {
                Some(path) if path.contains('/') => {
                    listener.name = format!("listener 0 {path}");
                    listener.close("unix sockets");
                }
                _ => {
                    result =
                        Err("found port 0, expected the path of a unix socket after it".to_owned());
                }
            }
        } else {
            match parse_port(port) {
                Ok(port) => listener.port = port,
                Err(message) => result = Err(message),
            }
            if let Some(host) = host {
                listener.bind = BindAddress::Host(host.to_owned());
            }
        }
        self.draft.listeners.push(listener);
        result
    }

    fn per_listener_settings(&mut self, value: &str, origin: &Origin) -> Result<(), String> {
        let on = match first_word(value) {
            "true" | "1" => true,
            "false" | "0" => false,
            other => return Err(format!("found {}, expected true or false", quoted(other))),
        };
        if let Some(said) = &self.authentication_said {
            return Err(format!(
                "must stand before the settings it is about; one of them stands at {said}"
            ));
        }
        self.per_listener = on;
        self.draft.said.insert("per_listener_settings".to_owned(), origin.clone());
        Ok(())
    }

    fn include_dir(
        &mut self,
        value: &str,
        origin: &Origin,
        include: &mut Option<Include<'_>>,
    ) -> Result<(), String> {
        if value.is_empty() {
            return Err("found nothing, expected a directory".to_owned());
        }
        let Some(include) = include else {
            let message = "ignored: include_dir: only the main file includes others";
            self.draft.notice(origin, message);
            return Ok(());
        };
        for (file, text) in include(Path::new(value))? {
            self.file(&file, &text, None);
        }
        Ok(())
    }

    fn log_dest(&mut self, value: &str, origin: &Origin) -> Result<(), String> {
        if matches!(first_word(value), "dlt" | "android") {
            self.draft.notice(origin, format!("not supported yet: log_dest {}", first_word(value)));
            return Ok(());
        }
        // Only a file takes more than its own word.
        let value = if first_word(value) == "file" { value } else { first_word(value) };
        let destination = log_destination(value)
            .ok_or_else(|| format!("found {}, expected {LOG_DESTINATIONS}", quoted(value)))?;
        let destinations = self.draft.log.destinations.get_or_insert_default();
        match destination {
            None => destinations.clear(),
            Some(new) if destinations.contains(&new) => {}
            Some(LogDestination::File(_))
                if destinations.iter().any(|d| matches!(d, LogDestination::File(_))) =>
            {
                return Err("found a second file, expected one at most".to_owned());
            }
            Some(new) => destinations.push(new),
        }
        Ok(())
    }

    fn log_type(&mut self, value: &str, origin: &Origin) -> Result<(), String> {
        let word = first_word(value);
        // The first line takes the place of the default.
        let before = self.draft.said.insert("log.types".to_owned(), origin.clone());
        if before.is_none() {
            self.draft.log.types = LogTypes::NONE;
        }
        if self.draft.log.types.include(word) {
            Ok(())
        } else {
            Err(format!("found {}, expected one of {}", quoted(word), LOG_TYPES.join(", ")))
        }
    }

    /// The listener the line belongs to.
    fn listener(&mut self, place: &Place, origin: &Origin) -> &mut ListenerDraft {
        match place.listener {
            Some(index) => &mut self.draft.listeners[index],
            None => self.default_listener.get_or_insert_with(|| {
                let name = format!("listener {}", ListenerDraft::DEFAULT_PORT);
                ListenerDraft::new(origin.clone(), name)
            }),
        }
    }

    fn authentication(&mut self, place: &Place, origin: &Origin) -> &mut AuthenticationDraft {
        if self.per_listener {
            &mut self.listener(place, origin).authentication
        } else {
            &mut self.draft.authentication
        }
    }

    fn finish(self) {
        if self.default_opened {
            self.draft.listeners.extend(self.default_listener);
        } else {
            self.draft.unlisted = self.default_listener;
        }
    }
}

/// What of a line a setting takes: all of it, or its first word.
fn words<'v, T>(row: &Setting<T>, value: &'v str) -> &'v str {
    if row.takes_rest_of_line() { value } else { first_word(value) }
}

fn first_word(value: &str) -> &str {
    value.split_ascii_whitespace().next().unwrap_or_default()
}

fn parse_port(text: &str) -> Result<u16, String> {
    let word = first_word(text);
    parse_int(word)
        .and_then(|port| u16::try_from(port).ok())
        .filter(|port| *port != 0)
        .ok_or_else(|| format!("found {}, expected a port from 1 to 65535", quoted(word)))
}
