//! The least a broker can do on this machine: takes the frames of a publisher off its socket and
//! writes them to the sockets of its subscribers.
//!
//! It looks at nothing but the length of a frame, keeps nothing, and promises nothing. What it costs
//! is the sockets, the wake-ups and one copy into the kernel for each subscriber; as any server that
//! takes care, it gathers what came in one turn of its loop into one write for each of them.

use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, TcpListener};
use std::os::fd::OwnedFd;
use std::process::ExitCode;

use rustix::event::epoll::{self, EventData, EventFlags};

mod connection;
mod frames;
mod turn;

use connection::{Connection, Hello, Part};
use turn::Turn;

/// The listener's mark among the events; connections have their place.
const LISTENER: u64 = u64::MAX;
/// Publishers are numbered below this.
const PUBLISHERS: u32 = 65_536;

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let port = match (arguments.next().map(|port| port.parse()), arguments.next()) {
        (Some(Ok(port)), None) => port,
        _ => {
            eprintln!("midge-relay: expected a port, on which it listens on 127.0.0.1");
            return ExitCode::from(2);
        }
    };
    match Relay::listen(port).and_then(|mut relay| relay.run()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("midge-relay: {error}");
            ExitCode::FAILURE
        }
    }
}

/// One thread, one epoll, every connection.
struct Relay {
    listener: TcpListener,
    poll: OwnedFd,
    connections: Vec<Option<Connection>>,
    /// Places that connections have left.
    free: Vec<usize>,
    /// Places of the subscribers of each publisher, by its number.
    hearers: Vec<Vec<usize>>,
}

impl Relay {
    fn listen(port: u16) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))?;
        listener.set_nonblocking(true)?;
        let poll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        epoll::add(&poll, &listener, EventData::new_u64(LISTENER), EventFlags::IN)?;
        let (connections, free, hearers) = (Vec::new(), Vec::new(), Vec::new());
        Ok(Self { listener, poll, connections, free, hearers })
    }

    fn run(&mut self) -> io::Result<()> {
        let mut events = Vec::with_capacity(1_024);
        let mut turn = Turn::new();
        loop {
            events.clear();
            match epoll::wait(&self.poll, rustix::buffer::spare_capacity(&mut events), None) {
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
            for event in events.drain(..) {
                let token = { event.data }.u64();
                if token == LISTENER {
                    self.accept()?;
                } else if !turn.has_room() {
                    // The sockets keep it, and epoll tells of it again.
                    break;
                } else if self.serve(token as usize, event.flags, &mut turn).is_err() {
                    self.close(token as usize);
                }
            }
            for place in turn.dirty() {
                // Closed since, in this very turn.
                let Some(connection) = self.connections[place].as_mut() else { continue };
                if connection.deliver(&self.poll, &turn).is_err() {
                    self.close(place);
                }
            }
            turn.end();
        }
    }

    fn accept(&mut self) -> io::Result<()> {
        loop {
            let socket = match self.listener.accept() {
                Ok((socket, _)) => socket,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            };
            let place = self.free.pop().unwrap_or_else(|| {
                self.connections.push(None);
                self.connections.len() - 1
            });
            self.connections[place] = Some(Connection::new(socket, &self.poll, place)?);
        }
    }

    /// Does what an event asks for; an error closes the connection.
    fn serve(&mut self, place: usize, flags: EventFlags, turn: &mut Turn) -> io::Result<()> {
        let Some(connection) = self.connections.get_mut(place).and_then(Option::as_mut) else {
            return Ok(());
        };
        if flags.contains(EventFlags::OUT) {
            connection.flush(&self.poll)?;
        }
        if !flags.intersects(EventFlags::IN | EventFlags::HUP | EventFlags::ERR) {
            return Ok(());
        }
        match connection.part {
            Part::Unknown => {
                if let Some(hello) = connection.hello()? {
                    self.enrol(place, hello);
                }
            }
            Part::Hears => connection.answer(&self.poll)?,
            Part::Speaks(publisher) => {
                let frames = turn.read(connection)?;
                let hearers = self.hearers.get(publisher as usize).map_or(&[][..], Vec::as_slice);
                for hearer in hearers {
                    if let Some(connection) = self.connections[*hearer].as_mut() {
                        turn.pass(*hearer, connection, frames.clone());
                    }
                }
            }
        }
        Ok(())
    }

    fn enrol(&mut self, place: usize, hello: Hello) {
        if let Hello::Hear { first, count } = hello {
            let until = first.saturating_add(count).min(PUBLISHERS) as usize;
            if self.hearers.len() < until {
                self.hearers.resize(until, Vec::new());
            }
            for hearers in &mut self.hearers[(first as usize).min(until)..until] {
                hearers.push(place);
            }
        }
    }

    fn close(&mut self, place: usize) {
        // Closing its socket takes it off the epoll as well.
        if self.connections[place].take().is_some() {
            self.hearers.iter_mut().for_each(|hearers| hearers.retain(|hearer| *hearer != place));
            self.free.push(place);
        }
    }
}
