//! The command line: the broker itself, as Mosquitto is started, and the programs that come with
//! it.
//!
//! Every mistake is told on standard error before anything is opened.

mod certs;
mod connect;
mod connect_distributed;
mod connect_standalone;
mod connect_worker;
mod dev;
mod health;
mod kcql;
mod options;
mod own_listener;
mod passwd;
mod process;
mod run;
mod store;

use std::ffi::OsString;
use std::process::ExitCode;

use options::Command;

/// What `midge -h` says.
const USAGE: &str = "\
midge: an MQTT broker with the Kafka bridge inside

Usage: midge [-c FILE] [--bridge FILE] [--connector FILE]... [-p PORT]... [-d] [-q] [-v]
       midge --test-config -c FILE
       midge dev [--once] [--port PORT]
       midge passwd [-b] [-c | -D | -U] [-H HASH] [-I ITERATIONS] FILE USER [PASSWORD]
       midge certs [DIRECTORY] [--host NAME]... [--client NAME] [--force]
       midge health [--host HOST] [--port PORT] [--tls]
       midge health -c FILE [--bridge FILE]
       midge store inspect [--json] (DIRECTORY | -c FILE [--bridge FILE])
       midge store verify (DIRECTORY | -c FILE [--bridge FILE])
       midge store export [--queue CLIENTID] (DIRECTORY | -c FILE [--bridge FILE])
       midge kcql [--as source|mqtt-sink|influx-sink] [--message 'TOPIC PAYLOAD']
                  [--record VALUE [--key KEY] [--header NAME=VALUE]...] 'STATEMENT[; STATEMENT]...'
       midge connect COMMAND [-e URL] [NAME]    (midge connect --help lists the commands)
       midge connect-standalone [-daemon] WORKER.PROPERTIES [CONNECTOR.PROPERTIES]...
       midge connect-distributed [-daemon] WORKER.PROPERTIES

  -c FILE            configuration: mosquitto.conf, or midge.toml when it ends with .toml
  --bridge FILE      midge.toml on top of it
  --connector FILE   a connector's property file; may be repeated
  -p PORT            listen on this port of the loopback; may be repeated
  -d                 run in the background
  -v                 log everything to standard error
  -q                 log nothing
  --test-config      check the configuration, say what is wrong, and end (0: nothing, 3: see there)
  -h, --help         this
  --version          the version

midge kcql says what statements of KCQL do: a --message is a sample for sources, a --record for sinks.
Without a configuration: loopback only, port 1883, no passwords.
Settings may also come from the environment: MIDGE__KAFKA__BOOTSTRAP_SERVERS=localhost:9092
";

/// Mosquitto's exit code for a configuration that is not valid.
const INVALID: u8 = 3;

/// Runs the program with the process's own arguments.
pub fn main() -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().skip(1).collect();
    match options::parse(arguments) {
        Err(error) => {
            eprintln!("Error: {error}\n\n{USAGE}");
            ExitCode::from(INVALID)
        }
        Ok(Command::Help) => {
            print!("{USAGE}");
            ExitCode::SUCCESS
        }
        Ok(Command::Version) => {
            println!("midge version {}", env!("CARGO_PKG_VERSION"));
            ExitCode::SUCCESS
        }
        Ok(Command::Run(options)) => run::run(&options),
        Ok(Command::Dev(options)) => dev::run(&options),
        Ok(Command::Passwd(options)) => report(passwd::run(&options)),
        Ok(Command::Certs(options)) => report(certs::run(&options)),
        Ok(Command::Health(options)) => report(health::run(&options)),
        Ok(Command::Kcql(options)) => report(kcql::run(&options)),
        Ok(Command::Connect(arguments)) => connect::run(arguments),
        Ok(Command::ConnectStandalone(arguments)) => connect_standalone::run(arguments),
        Ok(Command::ConnectDistributed(arguments)) => connect_distributed::run(arguments),
        Ok(Command::Store(options)) => match store::run(&options) {
            Ok(status) => status,
            Err(error) => report(Err(error)),
        },
    }
}

fn report(result: Result<(), String>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("Error: {error}");
            ExitCode::FAILURE
        }
    }
}
