//! Compares brokers under load by what each delivered message costs them.
//!
//! The load generator shares nothing with Midge but the wire, and one process of it drives every
//! broker in turn: what differs between two figures is the broker.

use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

mod bridge;
mod certificate;
mod compare;
mod connections;
mod connects;
mod conversions;
mod drain;
mod durable;
mod filters;
mod groups;
mod growth;
mod histogram;
mod idle;
mod kafka;
mod link;
mod load;
mod loads;
mod logins;
mod options;
mod outage;
mod pace;
mod peers;
mod process;
mod publish;
mod recovery;
mod relay;
mod report;
mod retained;
mod scenario;
mod secured;
mod shared;
mod storm;
mod stream;
mod subscribe;
mod window;
mod wire;

use options::Options;
use process::{Contender, Kind};
use report::Report;

fn main() -> ExitCode {
    let options = match options::parse(std::env::args().skip(1)) {
        Ok(Some(options)) => options,
        Ok(None) => {
            print!("{}", options::help());
            return ExitCode::SUCCESS;
        }
        Err(error) => {
            eprintln!("midge-bench: {error}");
            return ExitCode::from(2);
        }
    };
    match run(&options) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("midge-bench: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> io::Result<bool> {
    let report = if options.from.is_empty() {
        let midge = midge(options)?;
        let directory = tempfile::Builder::new().prefix("midge-bench-").tempdir()?;
        compare::run(options, &midge, directory.path())?
    } else {
        earlier(&options.from)?
    };
    print!("{}", report.markdown());
    if let Some(path) = &options.json {
        let command: Vec<String> = std::env::args().collect();
        std::fs::write(path, format!("{:#}\n", report.json(&command)))
            .map_err(|error| io::Error::other(format!("{}: {error}", path.display())))?;
    }
    if let Some(document) = &options.into {
        report.write_into(document)?;
    }
    Ok(report.is_clean())
}

/// What other invocations have measured, the last one of a load.
fn earlier(files: &[PathBuf]) -> io::Result<Report> {
    let mut all = Report::default();
    for file in files {
        let told = |error: String| io::Error::other(format!("{}: {error}", file.display()));
        let text = std::fs::read_to_string(file).map_err(|error| told(error.to_string()))?;
        let json = text.parse().map_err(|error: serde_json::Error| told(error.to_string()))?;
        all.merge(Report::from_json(&json).map_err(told)?);
    }
    Ok(all)
}

/// The binary named, or the one built beside this one.
fn midge(options: &Options) -> io::Result<Contender> {
    let beside = || -> io::Result<PathBuf> {
        Ok(std::env::current_exe()?.parent().unwrap_or(Path::new(".")).join("midge"))
    };
    let path = options.midge.clone().map_or_else(beside, Ok)?;
    let path = path.canonicalize().map_err(|error| {
        io::Error::other(format!(
            "{}: {error}; build it with `cargo build --release -p midge` or name one by --midge",
            path.display()
        ))
    })?;
    let command = vec![path.display().to_string(), "-c".into(), "{config}".into()];
    Ok(Contender { name: "midge".into(), command, kind: Kind::MosquittoConf })
}
