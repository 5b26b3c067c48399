//! A storm of clients that log in with a password, and the same clients again.
//!
//! The first time every password is hashed. Whoever was right may be remembered, so the second storm
//! shows what a fleet costs that comes back after the network was away.

use std::io;
use std::process::{Command, Stdio};

use crate::connects;
use crate::process::{Contender, Settings};
use crate::report::{Report, Run};
use crate::scenario::Bench;
use crate::storm::{Storm, Weathered};
use crate::wire;

const PASSWORD: &str = "a long enough password";
/// Mosquitto's own number of rounds.
const ITERATIONS: &str = "101";

/// How the password file keeps passwords.
#[derive(Clone, Copy)]
enum Hash {
    /// As mosquitto_passwd writes them.
    Pbkdf2,
    /// Midge's own choice, which Mosquitto does not read.
    Argon2,
}

impl Hash {
    fn name(self) -> &'static str {
        match self {
            Self::Pbkdf2 => "sha512-pbkdf2",
            Self::Argon2 => "argon2id",
        }
    }

    /// How many clients there are: argon2id takes a hundred times as long.
    fn clients(self) -> u64 {
        match self {
            Self::Pbkdf2 => 5_000,
            Self::Argon2 => 100,
        }
    }

    /// How often the fleet comes back, so that both storms take long enough to be measured.
    fn returns(self) -> u64 {
        match self {
            Self::Pbkdf2 => 4,
            Self::Argon2 => 100,
        }
    }

    /// How many log in at a time: none may have to wait until the broker gives it up.
    fn width(self) -> usize {
        match self {
            Self::Pbkdf2 => 64,
            Self::Argon2 => 16,
        }
    }
}

/// Both storms with both kinds of hash.
pub(crate) fn run(bench: &Bench<'_>, report: &mut Report) -> io::Result<()> {
    let mut table = connects::table();
    for hash in [Hash::Pbkdf2, Hash::Argon2] {
        let lines = &passwords(bench, hash)?;
        let contenders = match hash {
            Hash::Pbkdf2 => bench.configured(),
            Hash::Argon2 => vec![bench.midge],
        };
        let (mut first, mut again) = (Vec::new(), Vec::new());
        for (broker, runs) in bench.rounds(&contenders, |contender| {
            let storms = one(bench, contender, hash, lines)?;
            let micros = [storms.0.cpu_micros, storms.1.cpu_micros];
            eprintln!("logins, {}, {}: {micros:.1?} µs each", hash.name(), contender.name);
            Ok(storms)
        }) {
            let storm = |second: bool| {
                let pick = |(a, b): &(Weathered, Weathered)| {
                    Run::from(if second { b.clone() } else { a.clone() })
                };
                let runs = runs.iter().map(|run| run.as_ref().map(pick).map_err(Clone::clone));
                runs.collect::<Vec<_>>()
            };
            first.push((broker.clone(), storm(false)));
            again.push((broker, storm(true)));
        }
        let (name, clients) = (hash.name(), hash.clients());
        table.add(&format!("{clients} log in, {name}"), first);
        table.add(&format!("{clients} log in again, {name}"), again);
    }
    report.add(table);
    Ok(())
}

fn one(
    bench: &Bench<'_>,
    contender: &Contender,
    hash: Hash,
    lines: &str,
) -> io::Result<(Weathered, Weathered)> {
    let settings = Settings { lines, ..Settings::default() };
    let broker = contender.start_with(bench.directory, settings)?;
    let clients = hash.clients();
    let connect = |number: u64| {
        let number = number % clients;
        wire::connect_as(&format!("client-{number}"), &format!("user-{number}"), PASSWORD)
    };
    let storms = || -> io::Result<_> {
        let storm = || Storm::new(&broker, hash.width(), &connect);
        let first = storm()?.all(clients)?;
        Ok((first, storm()?.all(clients * hash.returns())?))
    };
    storms().map_err(|error| broker.explain(&error.to_string()))
}

/// Writes a password file with a user a client, and tells the lines of a `mosquitto.conf` for it.
/// All have the same password and salt: what counts is that each is hashed.
fn passwords(bench: &Bench<'_>, hash: Hash) -> io::Result<String> {
    let path = bench.directory.join(format!("passwords-{}", hash.name()));
    let program = bench.midge.command.first().map_or("midge", String::as_str);
    let mut command = Command::new(program);
    command.args(["passwd", "-b", "-c", "-H", hash.name()]);
    if matches!(hash, Hash::Pbkdf2) {
        command.args(["-I", ITERATIONS]);
    }
    let output = command.arg(&path).args(["user", PASSWORD]).stdin(Stdio::null()).output()?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        return Err(io::Error::other(format!("{program} passwd: {said}")));
    }
    let line = std::fs::read_to_string(&path)?;
    let kept = line.trim_end().strip_prefix("user:");
    let kept = kept.ok_or_else(|| io::Error::other(format!("expected user:…, found `{line}`")))?;
    let all: String = (0..hash.clients()).map(|number| format!("user-{number}:{kept}\n")).collect();
    std::fs::write(&path, all)?;
    Ok(format!("password_file {}\n", path.display()))
}
