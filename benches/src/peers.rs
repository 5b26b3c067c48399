//! The brokers Midge is compared with when nothing else is said, and where they are found.
//!
//! One that is not there is left out with a reason: a comparison never fails for a missing peer.

use std::path::{Path, PathBuf};

use crate::process::{Contender, Kind};

/// A peer by its name on the command line.
struct Peer {
    name: &'static str,
    program: &'static str,
    place: Place,
    /// Behind the program.
    arguments: &'static [&'static str],
    kind: Kind,
}

/// Where its program is.
#[derive(Clone, Copy)]
enum Place {
    /// Beside this program: it was built with it.
    Beside,
    /// In a directory of `PATH`, or where daemons are.
    Path,
    /// Where `benches/peers/install` puts it.
    Built,
}

static PEERS: [Peer; 4] = [
    Peer {
        name: RELAY,
        program: "midge-relay",
        place: Place::Beside,
        arguments: &["{port}"],
        kind: Kind::Relay,
    },
    Peer {
        name: MOSQUITTO,
        program: "mosquitto",
        place: Place::Path,
        arguments: &["-c", "{config}"],
        kind: Kind::MosquittoConf,
    },
    Peer {
        name: "rumqttd",
        program: "rumqttd",
        place: Place::Built,
        arguments: &["{config}"],
        kind: Kind::Own(include_str!("../peers/rumqttd/rumqttd.toml")),
    },
    Peer {
        name: "mochi",
        program: "mochi",
        place: Place::Built,
        arguments: &["{port}"],
        kind: Kind::Own(""),
    },
];

/// The least that a broker could do: what it costs is the machine's.
pub(crate) const RELAY: &str = "relay";
/// The broker that most bounds are relative to.
pub(crate) const MOSQUITTO: &str = "mosquitto";

/// The names of all, for the command line.
pub(crate) fn names() -> Vec<&'static str> {
    PEERS.iter().map(|peer| peer.name).collect()
}

/// Those of `wanted` that are there, and for the others why they are not compared with.
pub(crate) fn find(wanted: &[String]) -> (Vec<Contender>, Vec<String>) {
    let beside = std::env::current_exe().ok();
    let beside = beside.as_deref().and_then(Path::parent).unwrap_or(Path::new("."));
    let (mut found, mut missing) = (Vec::new(), Vec::new());
    for peer in PEERS.iter().filter(|peer| wanted.iter().any(|name| name == peer.name)) {
        let places = peer.place.directories(beside);
        let mut files = places.iter().map(|place| place.join(peer.program));
        match files.find(|file| file.is_file()) {
            Some(file) => found.push(peer.contender(&file)),
            None => {
                let (name, program, place) = (peer.name, peer.program, peer.place.told());
                missing.push(format!("{name}, no `{program}` {place}"));
            }
        }
    }
    (found, missing)
}

impl Peer {
    fn contender(&self, file: &Path) -> Contender {
        let arguments = self.arguments.iter().map(|argument| (*argument).to_owned());
        let command = [file.display().to_string()].into_iter().chain(arguments).collect();
        Contender { name: self.name.to_owned(), command, kind: self.kind }
    }
}

impl Place {
    fn directories(self, beside: &Path) -> Vec<PathBuf> {
        match self {
            Self::Beside => vec![beside.to_owned()],
            Self::Built => vec![beside.join("../peers/bin")],
            Self::Path => {
                let path = std::env::var_os("PATH").unwrap_or_default();
                let daemons = ["/usr/local/sbin", "/usr/sbin"].map(PathBuf::from);
                std::env::split_paths(&path).chain(daemons).collect()
            }
        }
    }

    fn told(self) -> &'static str {
        match self {
            Self::Beside => "beside the load generator",
            Self::Built => "that benches/peers/install could build",
            Self::Path => "in PATH",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peer_that_is_not_there_is_named_with_the_reason() {
        let directory = tempfile::tempdir().unwrap();
        let beside = directory.path();
        for place in [Place::Beside, Place::Built] {
            assert!(place.directories(beside)[0].starts_with(beside));
        }
        let wanted: Vec<String> = ["relay", "no such"].map(str::to_owned).into();
        let (found, missing) = find(&wanted);
        // The relay may have been built beside the tests or not: it is told of in either case.
        assert_eq!(found.len() + missing.len(), 1);
        let told = found.iter().map(|relay| &relay.name).chain(&missing).next().unwrap();
        assert!(told.starts_with("relay"), "{told}");
        assert!(find(&[]).0.is_empty() && find(&[]).1.is_empty());
    }

    #[test]
    fn every_peer_is_told_its_port() {
        for peer in &PEERS {
            let contender = peer.contender(Path::new("/bin/x"));
            let told = contender.command.iter().any(|word| word.contains("{port}"))
                || contender.reads_mosquitto_conf()
                || matches!(contender.kind, Kind::Own(text) if text.contains("{port}"));
            assert!(told, "{}", peer.name);
            assert_eq!(contender.command[0], "/bin/x");
        }
    }
}
