//! Many clients that connect, are let in and leave again, several of them under way at a time.
//!
//! One thread on epoll. Source addresses alternate, so that ports in TIME_WAIT never run out, and a
//! client that is refused is a fault.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddrV4, TcpStream};
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use rustix::event::epoll::{self, EventData, EventFlags};
use rustix::net::{AddressFamily, SocketFlags, SocketType};

use crate::link::PATIENCE;
use crate::process::{Broker, own_cpu};
use crate::publish::{GLANCE, interrupted};
use crate::window::Faults;
use crate::wire;

/// Loopback has sixteen million addresses; so many are used.
const SOURCES: u64 = 64;
/// The broker has nothing left to do when it has used no more than `IDLE` of CPU time for so long.
const QUIET: Duration = Duration::from_millis(60);
/// Timers and collectors run now and then in a broker without clients.
const IDLE: Duration = Duration::from_millis(1);

/// What a storm cost.
#[derive(Clone, Debug)]
pub(crate) struct Weathered {
    pub(crate) clients: u64,
    pub(crate) per_second: f64,
    /// Of the broker, for each client.
    pub(crate) cpu_micros: f64,
    /// Of the load generator.
    pub(crate) cores: f64,
    pub(crate) faults: Faults,
}

/// Clients that come and go; `connect` makes the CONNECT of the n-th.
pub(crate) struct Storm<'a> {
    broker: &'a Broker,
    poll: OwnedFd,
    slots: Vec<Option<TcpStream>>,
    connect: &'a dyn Fn(u64) -> Vec<u8>,
    started: u64,
    ended: u64,
    faults: Faults,
}

impl<'a> Storm<'a> {
    /// Prepares one with at most `width` clients under way.
    pub(crate) fn new(
        broker: &'a Broker,
        width: usize,
        connect: &'a dyn Fn(u64) -> Vec<u8>,
    ) -> io::Result<Self> {
        let poll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let slots = (0..width).map(|_| None).collect();
        Ok(Self { broker, poll, slots, connect, started: 0, ended: 0, faults: Faults::default() })
    }

    /// So many clients, each of them once, until the broker is done with the last.
    pub(crate) fn all(mut self, count: u64) -> io::Result<Weathered> {
        let before = Moment::take(self.broker, 0)?;
        self.blow(count, &mut |_| true)?;
        let began = before.at;
        let took = began.elapsed();
        still(self.broker)?;
        let after = Moment { at: began + took, ..Moment::take(self.broker, self.ended)? };
        Ok(weathered(&before, &after, self.faults))
    }

    /// One after another for so long, measured behind a warm-up.
    pub(crate) fn last(mut self, warm_up: Duration, seconds: Duration) -> io::Result<Weathered> {
        let began = Instant::now();
        self.blow(u64::MAX, &mut |_| began.elapsed() < warm_up)?;
        let before = Moment::take(self.broker, self.ended)?;
        self.blow(u64::MAX, &mut |_| before.at.elapsed() < seconds)?;
        let after = Moment::take(self.broker, self.ended)?;
        Ok(weathered(&before, &after, self.faults))
    }

    /// Keeps clients coming until `limit` have started and ended, or `more` says no.
    fn blow(&mut self, limit: u64, more: &mut dyn FnMut(u64) -> bool) -> io::Result<()> {
        let mut events = Vec::with_capacity(self.slots.len());
        let mut last_change = (self.ended, Instant::now());
        for slot in 0..self.slots.len() {
            if self.slots[slot].is_none() && self.started < limit {
                self.start(slot)?;
            }
        }
        while more(self.ended) && self.ended < limit {
            events.clear();
            let space = rustix::buffer::spare_capacity(&mut events);
            interrupted(epoll::wait(&self.poll, space, Some(&GLANCE)))?;
            for event in &events {
                let slot = { event.data }.u64() as usize;
                self.finish(slot)?;
                if self.started < limit {
                    self.start(slot)?;
                }
            }
            if self.ended != last_change.0 {
                last_change = (self.ended, Instant::now());
            } else if last_change.1.elapsed() > PATIENCE {
                return Err(io::Error::other("no CONNECT was answered any more"));
            }
        }
        Ok(())
    }

    fn start(&mut self, slot: usize) -> io::Result<()> {
        let stream = reach(self.broker.port, self.started)?;
        (&stream).write_all(&(self.connect)(self.started))?;
        epoll::add(&self.poll, &stream, EventData::new_u64(slot as u64), EventFlags::IN)?;
        self.slots[slot] = Some(stream);
        self.started += 1;
        Ok(())
    }

    /// The answer is there: takes it and leaves.
    fn finish(&mut self, slot: usize) -> io::Result<()> {
        let Some(mut stream) = self.slots[slot].take() else { return Ok(()) };
        let mut answer = [0; 4];
        match stream.read_exact(&mut answer) {
            Ok(()) if answer == [wire::CONNACK, 2, 0, 0] => stream.write_all(&wire::DISCONNECT)?,
            Ok(()) => self.faults.violation(format!("expected CONNACK 0, found {answer:02x?}")),
            Err(error) => self.faults.violation(format!("expected CONNACK 0, {error}")),
        }
        self.ended += 1;
        Ok(())
    }
}

/// Connects from the n-th source address. On loopback a blocking connect does not wait.
fn reach(port: u16, number: u64) -> io::Result<TcpStream> {
    let flags = SocketFlags::CLOEXEC;
    let socket = rustix::net::socket_with(AddressFamily::INET, SocketType::STREAM, flags, None)?;
    let source = Ipv4Addr::new(127, 0, 1, (number % SOURCES) as u8 + 1);
    rustix::net::bind(&socket, &SocketAddrV4::new(source, 0))?;
    rustix::net::connect(&socket, &SocketAddrV4::new(Ipv4Addr::LOCALHOST, port))?;
    Ok(TcpStream::from(socket))
}

/// Waits until the broker does nothing.
fn still(broker: &Broker) -> io::Result<()> {
    let began = Instant::now();
    let mut before = broker.cpu()?;
    while began.elapsed() < PATIENCE {
        std::thread::sleep(QUIET);
        let now = broker.cpu()?;
        if now - before <= IDLE {
            break;
        }
        before = now;
    }
    Ok(())
}

/// Counters at one moment.
struct Moment {
    at: Instant,
    clients: u64,
    broker: Duration,
    own: Duration,
}

impl Moment {
    fn take(broker: &Broker, clients: u64) -> io::Result<Self> {
        Ok(Self { broker: broker.cpu()?, own: own_cpu()?, clients, at: Instant::now() })
    }
}

fn weathered(before: &Moment, after: &Moment, faults: Faults) -> Weathered {
    let seconds = (after.at - before.at).as_secs_f64();
    let clients = after.clients - before.clients;
    let spent = |at: fn(&Moment) -> Duration| (at(after) - at(before)).as_secs_f64();
    Weathered {
        clients,
        per_second: clients as f64 / seconds,
        cpu_micros: spent(|moment| moment.broker) * 1e6 / clients as f64,
        cores: spent(|moment| moment.own) / seconds,
        faults,
    }
}
