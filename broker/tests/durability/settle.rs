//! The storm is over: nothing fails any more, and everything under way arrives.

use midge_codec::ProtocolVersion;
use midge_core::{In, Inject, ShardId};

use super::World;
use crate::client::Character;
use crate::label::{KEPT, TOPICS};
use crate::ledger::{View, Wish};
use crate::violation::{Rule, Violation};

/// How often all may be at rest without being done, and how long each time is: publishers that wait
/// for memory look for it themselves, and after ten seconds somebody has to go.
const PATIENCE: usize = 400;
const REST_MILLIS: u64 = 50;
const ROUNDS: usize = 100_000;

impl World {
    pub(crate) fn settle(&mut self) {
        self.calm = true;
        self.bridge.calm_down();
        let files = &self.disk.power.files;
        files.limit_free(None);
        files.fail_syncs(0);
        self.disk.power.fail_after(None);
        if self.dying.is_some() || self.disk.failed {
            self.crash(false);
        }
        for number in 0..self.clients.len() {
            self.clients[number].slow = false;
            if self.clients[number].mute {
                self.break_connection(number);
            }
        }
        // What is due at once after a start has had no tick yet, perhaps.
        self.pass(REST_MILLIS);
        let mut rests = 0;
        for round in 0..ROUNDS {
            if !self.everything_moves(round) {
                if self.is_quiet() {
                    return;
                }
                rests += 1;
                if rests > PATIENCE {
                    break;
                }
                self.pass(REST_MILLIS);
            }
            self.assert_bounds();
        }
        self.restless();
    }

    fn everything_moves(&mut self, round: usize) -> bool {
        let mut moved = false;
        for number in 0..self.clients.len() {
            if self.clients[number].connection.is_none() {
                self.connect(number);
            }
            moved |= self.client_to_server(number);
            moved |= self.server_to_client(number);
            for place in 0..self.ledger.views[number].wishes.len() {
                moved |= self.ask(number, place, false);
            }
        }
        moved |= self.peer_message();
        moved |= self.disk.append(&mut self.random);
        if round.is_multiple_of(4) {
            self.commit();
            self.maintain();
        }
        moved |= self.durable();
        moved |= self.load();
        moved |= self.kafka_answers();
        moved
    }

    fn is_quiet(&mut self) -> bool {
        let outputs = (0..self.clients.len()).all(|number| match self.clients[number].connection {
            Some((shard, connection)) => self.shards[usize::from(shard.0)]
                .output(connection)
                .is_none_or(|output| output.is_empty()),
            None => false,
        });
        outputs
            && self.links.values().all(std::collections::VecDeque::is_empty)
            && self.disk.is_idle()
            && self.bridge.is_idle()
            && (0..self.clients.len()).all(|number| self.is_content(number))
    }

    fn is_content(&self, number: usize) -> bool {
        // What a full queue drops of what is being sent is not released any more.
        let released = !self.ledger.damaged && !self.plan.limited;
        let client = &self.clients[number];
        let wishes = &self.ledger.views[number].wishes;
        client.connected
            && client.unfinished() == 0
            && (client.unreleased() == 0 || !released)
            && client.to_server.is_empty()
            && client.from_server.is_empty()
            && !client.has_requests()
            && wishes.iter().all(|wish| match wish.wanted {
                true => wish.held.is_some(),
                false => wish.absent.is_some(),
            })
    }

    fn restless(&self) -> ! {
        let mut violation = Violation::of(Rule::Rest, "");
        for client in &self.clients {
            if !self.is_content(client.number) {
                violation.text += &format!(
                    "client {}: connected {}, {} publishes unfinished, {} messages unreleased, {} \
                     bytes to send; ",
                    client.number,
                    client.connected,
                    client.unfinished(),
                    client.unreleased(),
                    client.to_server.len()
                );
                violation = violation.client(client.number);
            }
        }
        let links = self.links.values().map(std::collections::VecDeque::len).sum::<usize>();
        violation.text +=
            &format!("{links} letters, disk idle {}, {}", self.disk.is_idle(), self.bridge.state());
        violation.raise()
    }

    /// One more client, connected and subscribed once all is delivered.
    pub(crate) fn newcomer(&mut self, filter: &str) -> usize {
        let character = Character {
            version: ProtocolVersion::V5,
            lasting: false,
            expiry: None,
            restless: false,
            will: None,
            receive_maximum: None,
            aliases: None,
            ids: 100,
        };
        let wishes = vec![Wish::new(filter, midge_codec::QoS::AtLeastOnce, false)];
        let number = self.invite(character, View::of(wishes));
        self.settle();
        number
    }

    /// Every session ends, and nothing is retained.
    pub(crate) fn dismiss_everyone(&mut self) {
        for number in 0..self.clients.len() {
            self.break_connection(number);
            let client = &mut self.clients[number];
            client.character.lasting = false;
            client.character.will = None;
            client.clean = true;
            self.ledger.views[number].wishes.clear();
        }
        self.settle();
        for number in 0..self.clients.len() {
            self.clients[number].disconnect();
            while self.client_to_server(number) {}
        }
        for topic in KEPT {
            let inject = Inject {
                ticket: None,
                client: None,
                topic: midge_codec::TopicName::try_from(TOPICS[topic]).unwrap(),
                payload: bytes::Bytes::new(),
                qos: midge_codec::QoS::AtMostOnce,
                retain: true,
                properties: None,
                trail: vec![midge_codec::Text::from_static("rule")],
                mark: None,
            };
            self.handle(ShardId(0), In::Inject(Box::new(inject)));
        }
        for round in 0..ROUNDS {
            let mut moved = self.peer_message();
            moved |= self.disk.append(&mut self.random);
            self.commit();
            moved |= self.durable();
            moved |= self.load();
            moved |= self.kafka_answers();
            if !moved && round > 20 {
                break;
            }
        }
        // Time enough for everything that is remembered for a while.
        self.pass(3_600_000);
        while self.disk.append(&mut self.random) {}
        self.commit();
        while self.durable() {}
        while self.maintain() {}
    }
}
