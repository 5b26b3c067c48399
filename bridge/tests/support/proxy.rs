//! A man in the middle of the bridge and Kafka who can make things go wrong that a Kafka inside the
//! process cannot.

use std::collections::HashMap;
use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

const PRODUCE: u16 = 0;
const METADATA: u16 = 3;
const FIND_COORDINATOR: u16 = 10;
const INIT_PRODUCER_ID: u16 = 22;

/// How long answers are held back, so that several come at once.
const HELD: Duration = Duration::from_millis(300);

#[derive(Default)]
struct Orders {
    /// Metadata names topics but no brokers.
    without_brokers: bool,
    /// The numbers Kafka gave to idempotent producers.
    producers: Vec<[u8; 8]>,
    /// The one whose records are swallowed.
    swallowed: Option<[u8; 8]>,
    /// Answers that named no brokers.
    bare: usize,
    /// Those that did.
    whole: usize,
}

/// It ends with the test's process.
pub struct Proxy {
    port: u16,
    orders: Arc<Mutex<Orders>>,
}

impl Proxy {
    pub fn start(kafka: &str) -> Proxy {
        let upstream = kafka.split(',').next().expect("one broker").to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("it is bound").port();
        let orders = Arc::new(Mutex::new(Orders::default()));
        thread::spawn({
            let orders = Arc::clone(&orders);
            move || {
                for client in listener.incoming().flatten() {
                    // A Kafka that is gone ends the connection.
                    let Ok(server) = TcpStream::connect(&upstream) else { continue };
                    join(client, server, port, &orders);
                }
            }
        });
        Proxy { port, orders }
    }

    pub fn bootstrap_servers(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// From now on metadata comes without brokers, as from a Kafka that shuts down.
    pub fn hide_brokers(&self, hidden: bool) {
        self.orders().without_brokers = hidden;
    }

    /// How many answers came without brokers so far.
    pub fn bare_answers(&self) -> usize {
        self.orders().bare
    }

    /// How many with brokers.
    pub fn whole_answers(&self) -> usize {
        self.orders().whole
    }

    /// From now on no record of the first producer reaches Kafka.
    pub fn swallow_first_producer(&self) {
        let mut orders = self.orders();
        orders.swallowed = orders.producers.first().copied();
        assert!(orders.swallowed.is_some(), "a producer has begun");
    }

    /// How many producers have begun so far.
    pub fn producers(&self) -> usize {
        self.orders().producers.len()
    }

    fn orders(&self) -> std::sync::MutexGuard<'_, Orders> {
        self.orders.lock().expect("no test panics with it")
    }
}

/// Carries frames both ways until one side ends.
fn join(client: TcpStream, server: TcpStream, port: u16, orders: &Arc<Mutex<Orders>>) {
    let asked: Arc<Mutex<HashMap<[u8; 4], u16>>> = Arc::default();
    let kafka = server.peer_addr().expect("it is connected").port();
    let (from, mut to) = (client.try_clone().expect("a handle"), server.try_clone().expect("one"));
    thread::spawn({
        let (asked, orders) = (Arc::clone(&asked), Arc::clone(orders));
        move || {
            carry(from, &mut to, |request| {
                let api = u16::from_be_bytes([request[0], request[1]]);
                let orders = orders.lock().expect("no panic");
                if api == PRODUCE
                    && let Some(producer) = orders.swallowed
                    && request.windows(8).any(|window| window == producer)
                {
                    return None;
                }
                asked.lock().expect("no panic").insert(id(&request[4..]), api);
                Some(request)
            });
        }
    });
    let (from, mut to) = (server, client);
    let orders = Arc::clone(orders);
    let mut held = false;
    thread::spawn(move || {
        carry(from, &mut to, |mut answer| {
            let api = asked.lock().expect("no panic").remove(&id(&answer));
            let mut orders = orders.lock().expect("no panic");
            match api {
                Some(INIT_PRODUCER_ID) => {
                    // Correlation, tags, throttle time, error; then the number.
                    let number = answer[11..19].try_into().expect("eight bytes");
                    orders.producers.push(number);
                }
                Some(METADATA) if orders.without_brokers => {
                    orders.bare += 1;
                    drop(orders);
                    answer = without_brokers(&answer);
                    if !std::mem::replace(&mut held, true) {
                        thread::sleep(HELD);
                    }
                }
                Some(METADATA | FIND_COORDINATOR) => {
                    orders.whole += 1;
                    readdress(&mut answer, kafka, port);
                }
                _ => {}
            }
            Some(answer)
        });
    });
}

fn id(bytes: &[u8]) -> [u8; 4] {
    bytes[..4].try_into().expect("a correlation id")
}

fn carry(
    mut from: TcpStream,
    to: &mut TcpStream,
    mut change: impl FnMut(Vec<u8>) -> Option<Vec<u8>>,
) {
    let mut frame = || -> io::Result<()> {
        loop {
            let mut size = [0; 4];
            from.read_exact(&mut size)?;
            let mut bytes = vec![0; u32::from_be_bytes(size) as usize];
            from.read_exact(&mut bytes)?;
            if let Some(bytes) = change(bytes) {
                to.write_all(&(bytes.len() as u32).to_be_bytes())?;
                to.write_all(&bytes)?;
            }
        }
    };
    // Either side has ended: so does the other.
    drop(frame());
    drop(from.shutdown(Shutdown::Both));
    drop(to.shutdown(Shutdown::Both));
}

/// Puts our port in place of Kafka's, after its address.
fn readdress(answer: &mut [u8], kafka: u16, ours: u16) {
    let address = [b"127.0.0.1".as_slice(), &u32::from(kafka).to_be_bytes()].concat();
    let places: Vec<usize> = (0..(answer.len() + 1).saturating_sub(address.len()))
        .filter(|place| answer[*place..].starts_with(&address))
        .collect();
    for place in places {
        let port = place + b"127.0.0.1".len();
        answer[port..port + 4].copy_from_slice(&u32::from(ours).to_be_bytes());
    }
}

/// Takes the brokers out of an answer of version 9 or later.
fn without_brokers(answer: &[u8]) -> Vec<u8> {
    // Correlation, tags, throttle time; then the brokers: their number plus one, each with id,
    // host, port, rack and tags. All lengths are below 128 here.
    let start = 4 + 1 + 4;
    let mut end = start + 1;
    for _ in 1..answer[start] {
        let host = usize::from(answer[end + 4]) - 1;
        end += 4 + 1 + host + 4;
        end += 1 + usize::from(answer[end].saturating_sub(1));
        assert_eq!(answer[end], 0, "no tags");
        end += 1;
    }
    [&answer[..start], &[1], &answer[end..]].concat()
}
