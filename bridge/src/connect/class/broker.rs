//! The MQTT broker of a connector: this one, or another and how it is connected to.
//!
//! Invariant: a connection that is to be protected never becomes one that is not, and a connector
//! has one broker: its addresses are all this one's, or none is.

use std::net::IpAddr;
use std::time::Duration;

use midge_config::{MqttUser, Secret};

use super::given::Given;
use crate::connect::plan::{Broker, RemoteBroker, RemoteTls};

/// What a class calls the options about its broker.
#[derive(Debug)]
pub(super) struct Names {
    pub(super) hosts: &'static str,
    /// The port, where the option of hosts names one host alone.
    pub(super) port: Option<&'static str>,
    pub(super) user: &'static str,
    pub(super) password: &'static str,
    pub(super) client_id: Option<&'static str>,
    pub(super) clean: &'static str,
    pub(super) timeout: &'static str,
    pub(super) keep_alive: &'static str,
    pub(super) unit: Unit,
    /// Authorities, certificate, key.
    pub(super) tls: [&'static str; 3],
    /// Passwords of files, which those in PEM have not.
    pub(super) store_passwords: &'static [&'static str],
}

/// What numbers of time count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unit {
    Seconds,
    Milliseconds,
}

/// The longest keep alive there is, in seconds [MQTT-3.1.2.10].
pub(super) const KEEP_ALIVE_MAX: i64 = 65_535;

/// Where a connector connects to.
pub(super) fn broker(given: &mut Given<'_>, names: &Names) -> Option<Broker> {
    let addresses = addresses(given, names);
    let user = user(given, names);
    let of_here = |(_, host, port): &&Address| is_here(given, host, *port);
    let here = addresses.iter().flatten().filter(of_here).count();
    if addresses.as_ref().is_some_and(|all| all.len() == here) {
        given.is_here = true;
        return Some(Broker::Here(user.map(|(name, password)| MqttUser { name, password })));
    }
    // What is about a connection is a mistake only where there is one.
    let tls = tls(given, names);
    let keep_alive = keep_alive(given, names);
    let client_id = client_id(given, names);
    let addresses = addresses?;
    if here > 0 {
        let found = shown(&addresses);
        let why = "expected addresses of this broker alone, or of others alone";
        given.wrong(names.hosts, &found, why);
        return None;
    }
    let protected = addresses.iter().filter(|(tls, ..)| *tls).count();
    if tls != RemoteTls::default() && protected < addresses.len() {
        let found = shown(&addresses);
        let why = "found files for TLS beside it, expected ssl://HOST:PORT";
        given.wrong(names.hosts, &found, why);
    }
    let timeout = u64::try_from(given.number(names.timeout)).unwrap_or(0);
    Some(Broker::There(Box::new(RemoteBroker {
        addresses,
        client_id,
        clean_session: given.flag(names.clean),
        keep_alive,
        timeout: match names.unit {
            Unit::Seconds => Duration::from_secs(timeout),
            Unit::Milliseconds => Duration::from_millis(timeout),
        },
        user,
        tls,
    })))
}

/// The broker as one of several tasks connects to it: each needs a session of its own.
pub(super) fn of_task(broker: &Broker, task: usize, tasks: usize) -> Broker {
    let mut broker = broker.clone();
    if let Broker::There(remote) = &mut broker
        && tasks > 1
    {
        remote.client_id = format!("{}-{task}", remote.client_id);
    }
    broker
}

type Address = (bool, String, u16);

fn shown(addresses: &[Address]) -> String {
    let shown = addresses.iter().map(|(tls, host, port)| {
        let scheme = if *tls { "ssl" } else { "tcp" };
        format!("{scheme}://{host}:{port}")
    });
    shown.collect::<Vec<_>>().join(",")
}

fn addresses(given: &mut Given<'_>, names: &Names) -> Option<Vec<Address>> {
    if let Some(port) = names.port {
        return one_address(given, names.hosts, port).map(|address| vec![address]);
    }
    let found = given.list(names.hosts);
    let mut addresses = Vec::new();
    for uri in &found {
        match address(uri) {
            Some(address) => addresses.push(address),
            None => {
                let uri = without_user(uri);
                given.wrong(names.hosts, uri, "expected tcp://HOST:PORT or ssl://HOST:PORT");
            }
        }
    }
    if found.is_empty() && given.given(names.hosts).is_some() {
        given.wrong(names.hosts, "", "expected tcp://HOST:PORT or ssl://HOST:PORT");
    }
    (!addresses.is_empty() && addresses.len() == found.len()).then_some(addresses)
}

/// The address of one host, which may have a scheme before it, and a port.
fn one_address(given: &mut Given<'_>, hosts: &str, port: &str) -> Option<Address> {
    let text = given.text(hosts).unwrap_or_default();
    let (scheme, host) = text.split_once("://").unwrap_or(("tcp", &text));
    let host = host.strip_suffix('/').unwrap_or(host);
    let bare_v6 = host.parse::<std::net::Ipv6Addr>().is_ok();
    let host = if bare_v6 { format!("[{host}]") } else { host.to_owned() };
    let found = address(&format!("{scheme}://{host}:{}", given.number(port)));
    if found.is_none() {
        let why = format!("expected a host's name or address, without its port, which is {port}");
        given.wrong(hosts, without_user(&text), why);
    }
    found
}

/// A URI without the name and password that somebody may have written into it.
fn without_user(uri: &str) -> &str {
    uri.rsplit_once('@').map_or(uri, |(_, rest)| rest)
}

/// The parts of a URI as Eclipse Paho takes it; the port may be left out.
fn address(uri: &str) -> Option<Address> {
    let (scheme, rest) = uri.trim().split_once("://")?;
    let (tls, default_port) = match scheme.to_ascii_lowercase().as_str() {
        "tcp" | "mqtt" => (false, 1883),
        "ssl" | "tls" | "mqtts" => (true, 8883),
        _ => return None,
    };
    let rest = rest.strip_suffix('/').unwrap_or(rest);
    let (host, port) = match rest.strip_prefix('[') {
        Some(bracketed) => {
            let (host, after) = bracketed.split_once(']')?;
            (host, after.strip_prefix(':').or(after.is_empty().then_some(""))?)
        }
        None => rest.split_once(':').unwrap_or((rest, "")),
    };
    let port = if port.is_empty() { default_port } else { port.parse().ok()? };
    let plain = |c: char| c.is_alphanumeric() || ".-_:%".contains(c);
    let legal = !host.is_empty() && host.chars().all(plain);
    legal.then(|| (tls, host.to_owned(), port))
}

/// Whether a host and a port are this broker.
fn is_here(given: &Given<'_>, host: &str, port: u16) -> bool {
    let worker = given.worker;
    let declared = worker.local_hosts.iter().any(|local| local.eq_ignore_ascii_case(host));
    let bound = worker
        .local_addresses
        .iter()
        .any(|(own, at)| own.eq_ignore_ascii_case(host) && *at == port);
    let loopback = host.eq_ignore_ascii_case("localhost")
        || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
    declared || bound || (loopback && worker.local_ports.contains(&port))
}

fn user(given: &mut Given<'_>, names: &Names) -> Option<(String, Option<Secret>)> {
    let user = given.text(names.user);
    let password = given.raw(names.password).map(Secret::new);
    if user.is_none() && password.is_some() {
        let spelt = given.spelt(names.password);
        given.error(&spelt, format!("{spelt}: found without {}, expected both", names.user));
    }
    user.map(|user| (user, password))
}

fn tls(given: &mut Given<'_>, names: &Names) -> RemoteTls {
    let [ca, certificate, key] = names.tls.map(|name| given.text(name));
    for (present, missing, has) in [
        (names.tls[1], names.tls[2], (&certificate, &key)),
        (names.tls[2], names.tls[1], (&key, &certificate)),
    ] {
        if let (Some(path), None) = has {
            let path = path.clone();
            given.wrong(present, &path, format_args!("found without {missing}, expected both"));
        }
    }
    for (name, path) in names.tls.iter().zip([&ca, &certificate, &key]) {
        if let Some(path) = path.as_ref().filter(|path| is_key_store(path)) {
            let why = "expected a file in PEM, as `openssl pkcs12 -nodes` makes one of a key store";
            given.wrong(name, path, why);
        }
    }
    for name in names.store_passwords {
        if given.text(name).is_some() {
            given.wrong(name, "[hidden]", "files are in PEM, without a password");
        }
    }
    RemoteTls { ca, certificate, key }
}

/// Whether a file is one of Java's or of PKCS #12, by its name.
fn is_key_store(path: &str) -> bool {
    let path = path.to_ascii_lowercase();
    [".jks", ".p12", ".pfx", ".keystore", ".truststore"].iter().any(|end| path.ends_with(end))
}

fn keep_alive(given: &mut Given<'_>, names: &Names) -> Duration {
    let number = given.number(names.keep_alive).max(0);
    let seconds = match names.unit {
        Unit::Seconds => number,
        Unit::Milliseconds if (1..1_000).contains(&number) => {
            // The documents count milliseconds in the default and speak of seconds beside it.
            let spelt = given.spelt(names.keep_alive);
            given.notice(format!(
                "{spelt}: {number} is read as seconds, for as milliseconds it would be none"
            ));
            number
        }
        // A keep alive of MQTT has seconds.
        Unit::Milliseconds => number.div_euclid(1_000) + i64::from(number % 1_000 > 0),
    };
    if seconds > KEEP_ALIVE_MAX {
        let most = format!("expected at most {KEEP_ALIVE_MAX} seconds");
        given.wrong(names.keep_alive, &number.to_string(), most);
    }
    Duration::from_secs(seconds.unsigned_abs())
}

fn client_id(given: &mut Given<'_>, names: &Names) -> String {
    let said = names.client_id.and_then(|name| Some((name, given.text(name)?)));
    let Some((name, said)) = said else {
        // The same after a restart, or a session that is kept would never be found again.
        return format!("midge-{}", given.name);
    };
    let stripped = said.trim_end_matches([',', ' ']);
    if stripped.len() < said.len() {
        let spelt = given.spelt(name);
        given.notice(format!("{spelt}: the comma at its end is left out: {stripped}"));
    }
    if stripped.is_empty() {
        given.wrong(name, &said, "expected a client id");
    }
    stripped.to_owned()
}
