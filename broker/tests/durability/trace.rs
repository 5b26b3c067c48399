//! What happened, for a person who has to find out why a seed failed.
//!
//! Nothing is kept in an ordinary run: a run that failed is repeated with the trace switched on,
//! and what concerns its failure is printed.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;

use crate::label::Label;

/// How many events are remembered, and how many of them are printed.
const KEPT: usize = 40_000;
const PRINTED: usize = 250;

/// What an event is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum About {
    /// The broker, the disk, Kafka as a whole.
    All,
    /// What is written: of interest where it names the client or the message.
    Store,
    Client(usize),
    Message(Label),
    /// A message on its way to or from a client.
    Both(usize, Label),
}

#[derive(Debug)]
struct Event {
    step: u64,
    millis: u64,
    about: About,
    text: String,
}

#[derive(Debug, Default)]
struct Ring {
    enabled: bool,
    step: u64,
    millis: u64,
    events: VecDeque<Event>,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Trace(Rc<RefCell<Ring>>);

impl Trace {
    pub(crate) fn new(enabled: bool) -> Trace {
        Trace(Rc::new(RefCell::new(Ring { enabled, ..Ring::default() })))
    }

    pub(crate) fn at(&self, step: u64, millis: u64) {
        let mut ring = self.0.borrow_mut();
        (ring.step, ring.millis) = (step, millis);
    }

    pub(crate) fn note(&self, about: About, text: impl FnOnce() -> String) {
        let mut ring = self.0.borrow_mut();
        if ring.enabled {
            if ring.events.len() == KEPT {
                ring.events.pop_front();
            }
            let (step, millis) = (ring.step, ring.millis);
            ring.events.push_back(Event { step, millis, about, text: text() });
        }
    }

    /// The last events that concern these clients or this message.
    pub(crate) fn of(&self, clients: &[usize], label: Option<Label>) -> String {
        let ring = self.0.borrow();
        let everything = std::env::var_os("SIMULATION_ALL").is_some();
        let named: Vec<String> = match label {
            Some(label) => vec![format!("<{label}>")],
            None => clients.iter().map(|client| format!("client-{client}")).collect(),
        };
        let concerns = |event: &Event| match event.about {
            About::All => true,
            About::Store if everything => true,
            About::Store => named.iter().any(|name| event.text.contains(name)),
            About::Client(client) => clients.contains(&client),
            About::Message(message) => label.is_none_or(|label| label == message),
            About::Both(client, message) => match label {
                Some(label) => label == message,
                None => clients.contains(&client),
            },
        };
        let mut lines: Vec<String> = ring
            .events
            .iter()
            .rev()
            .filter(|event| concerns(event))
            .take(if everything { KEPT } else { PRINTED })
            .map(|Event { step, millis, about, text }| {
                let who = match about {
                    About::All | About::Store => "broker".to_owned(),
                    About::Client(client) => format!("client {client}"),
                    About::Message(label) => format!("<{label}>"),
                    About::Both(client, label) => format!("client {client} <{label}>"),
                };
                format!("{:>5} {:>4}.{:03}s  {who}: {text}", step, millis / 1_000, millis % 1_000)
            })
            .collect();
        lines.reverse();
        lines.join("\n")
    }
}
