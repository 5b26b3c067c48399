//! `midge store export`: everything as JSON lines, each with its `type`.
//!
//! What cannot be read is a line on standard error and the status 1; the rest is exported.

use std::io::Write;
use std::process::ExitCode;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use midge_core::packet_id;
use midge_core::stored::{Entry, Key, Tag, read_retained};
use midge_store::{LoadError, QueueId};
use serde_json::{Value, json};

use super::contents::{Contents, Session, entries, epoch};
use super::json::{Object, moment, put_message, will};
use super::{Failure, Opened};

/// Exports everything, or one session.
pub(super) fn run(
    opened: &Opened,
    queue: Option<&str>,
    out: &mut impl Write,
) -> Result<ExitCode, Failure> {
    let contents = Contents::read(&opened.reader)?;
    let mut export = Export { opened, out, lost: 0 };
    if let Some(client_id) = queue {
        let session = contents.sessions.get(client_id);
        let session =
            session.ok_or_else(|| Failure::Store(format!("no session of client {client_id:?}")))?;
        export.session(client_id, session)?;
        return Ok(export.status());
    }
    for why in &contents.unreadable {
        export.left_out(why);
    }
    for (client_id, session) in &contents.sessions {
        export.session(client_id, session)?;
    }
    for queue in contents.sessionless.keys() {
        export.queue(None, *queue)?;
    }
    export.retained()?;
    for (connector, (queue, _)) in &contents.spools {
        export.spool(Some(connector), *queue)?;
    }
    for queue in contents.others.keys() {
        export.spool(None, *queue)?;
    }
    export.marks()?;
    Ok(export.status())
}

struct Export<'a, W> {
    opened: &'a Opened,
    out: &'a mut W,
    /// What could not be read.
    lost: u64,
}

impl<W: Write> Export<'_, W> {
    fn status(&self) -> ExitCode {
        if self.lost == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }

    fn left_out(&mut self, why: &str) {
        self.lost += 1;
        eprintln!("Warning: left out: {why}");
    }

    fn line(&mut self, value: impl Into<Value>) -> Result<(), Failure> {
        serde_json::to_writer(&mut *self.out, &value.into()).map_err(std::io::Error::from)?;
        Ok(self.out.write_all(b"\n")?)
    }

    fn session(&mut self, client_id: &str, session: &Session) -> Result<(), Failure> {
        let record = &session.record;
        self.line(json!({
            "type": "session",
            "client_id": client_id,
            "username": record.username.as_deref(),
            "unclaimed": record.unclaimed,
            "listener": record.listener.as_str(),
            "session_expiry_interval": record.expiry.map(|expiry| expiry.as_secs()),
            "offline_since": record.offline_since.map(moment),
            "will": record.will.as_ref().map(will),
        }))?;
        for (filter, record) in &session.subscriptions {
            let options = record.options;
            self.line(json!({
                "type": "subscription",
                "client_id": client_id,
                "filter": filter.text().as_str(),
                "qos": options.qos as u8,
                "no_local": options.no_local,
                "retain_as_published": options.retain_as_published,
                "retain_handling": options.retain_handling as u8,
                "subscription_identifier": record.identifier,
            }))?;
        }
        for id in &session.inbound {
            let id = id.get();
            self.line(json!({ "type": "inbound", "client_id": client_id, "packet_id": id }))?;
        }
        for position in &session.released {
            let id = packet_id(*position).get();
            self.line(json!({ "type": "released", "client_id": client_id, "packet_id": id }))?;
        }
        self.queue(Some(client_id), session.queue)
    }

    /// A session's messages; without a client id, of one that is not there.
    fn queue(&mut self, client_id: Option<&str>, queue: QueueId) -> Result<(), Failure> {
        let whose = match client_id {
            Some(client_id) => format!("client {client_id:?}"),
            None => format!("no session, in queue {:016x}", queue.0),
        };
        let reader = &self.opened.reader;
        let lost = entries(reader, queue, |stored| self.queued(client_id, &whose, stored))?;
        self.damaged(lost, &format!("messages for {whose}"));
        Ok(())
    }

    fn damaged(&mut self, lost: u64, what: &str) {
        if lost > 0 {
            self.left_out(&format!("{lost} {what} that the disk has damaged"));
        }
    }

    fn queued(
        &mut self,
        client_id: Option<&str>,
        whose: &str,
        stored: midge_store::Entry,
    ) -> Result<(), Failure> {
        let read_at = epoch();
        let position = stored.position;
        let read = Tag::read(stored.tag)
            .and_then(|tag| Entry::read(stored.entry, read_at).map(|entry| (tag, entry)));
        let (tag, Entry(message)) = match read {
            Ok(read) => read,
            Err(why) => {
                self.left_out(&format!("message {position} for {whose}: {why}"));
                return Ok(());
            }
        };
        let mut object = typed("queued");
        object.insert("client_id".to_owned(), client_id.into());
        object.insert("position".to_owned(), position.into());
        if tag.qos as u8 > 0 {
            object.insert("packet_id".to_owned(), packet_id(position).get().into());
        }
        object.insert("qos".to_owned(), (tag.qos as u8).into());
        object.insert("retain".to_owned(), tag.retain.into());
        if !tag.identifiers.is_empty() {
            let identifiers: Vec<u32> = tag.identifiers.iter().map(|it| it.get()).collect();
            object.insert("subscription_identifiers".to_owned(), identifiers.into());
        }
        if let Some(filter) = &tag.shared {
            object.insert("shared".to_owned(), filter.text().as_str().into());
        }
        object.insert("published_qos".to_owned(), (message.qos as u8).into());
        put_message(&mut object, &message, read_at);
        self.line(object)
    }

    fn retained(&mut self) -> Result<(), Failure> {
        for found in self.opened.reader.keyed(b"T") {
            let value = match found {
                Ok((_, value)) => value,
                // It has been told with all that cannot be read.
                Err(LoadError::Damaged { .. }) => continue,
                Err(error) => return Err(error.into()),
            };
            let read_at = epoch();
            let Ok(Entry(message)) = read_retained(value, read_at) else { continue };
            let mut object = typed("retained");
            object.insert("qos".to_owned(), (message.qos as u8).into());
            put_message(&mut object, &message, read_at);
            self.line(object)?;
        }
        Ok(())
    }

    /// A queue of the bridge's, also of no connector that can be read.
    fn spool(&mut self, connector: Option<&str>, queue: QueueId) -> Result<(), Failure> {
        let reader = &self.opened.reader;
        let lost = entries(reader, queue, |stored| {
            let read_at = epoch();
            let mut object = typed("spool");
            object.insert("connector".to_owned(), connector.into());
            object.insert("queue".to_owned(), format!("{:016x}", queue.0).into());
            object.insert("position".to_owned(), stored.position.into());
            match Entry::read(stored.entry.clone(), read_at) {
                Ok(Entry(message)) => {
                    object.insert("qos".to_owned(), (message.qos as u8).into());
                    object.insert("retain".to_owned(), message.retain.into());
                    put_message(&mut object, &message, read_at);
                }
                Err(_) => {
                    object.insert("entry_base64".to_owned(), STANDARD.encode(&stored.entry).into());
                }
            }
            self.line(object)
        })?;
        self.damaged(lost, &format!("entries of queue {:016x}", queue.0));
        Ok(())
    }

    /// What the store holds beside, as it is.
    fn marks(&mut self) -> Result<(), Failure> {
        for found in self.opened.reader.keyed(b"") {
            let Ok((key, value)) = found else { continue };
            if matches!(Key::read(&key), Ok(Key::Foreign)) {
                self.line(json!({
                    "type": "key",
                    "key_base64": STANDARD.encode(&key),
                    "value_base64": STANDARD.encode(&value),
                }))?;
            }
        }
        Ok(())
    }
}

fn typed(name: &str) -> Object {
    Object::from_iter([("type".to_owned(), name.into())])
}
