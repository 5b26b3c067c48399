//! The journal and the engines it was chosen over, under one workload of queues.
//!
//! Every measurement runs in a process of its own, so that memory and bytes are one engine's alone.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::Duration;

use serde_json::Value;

mod engine;
mod ledger;
mod measure;
mod options;
mod power;
mod workload;

use engine::{CONTROL, Kind, Outcome};
use options::Options;
use power::Losses;
use workload::Workload;

/// Messages that the consumers are behind while speed is measured.
const LAG: u64 = 10_000;
/// And before a power cut, which comes early.
const LAG_OF_CUTS: u64 = 500;
/// Messages a commit.
const GROUPS: [u64; 2] = [16, 128];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let outcome = if arguments.first().is_some_and(|first| first == "--child") {
        child(&arguments[1..])
    } else {
        match options::parse(arguments) {
            Ok(Some(options)) => compare(&options),
            Ok(None) => {
                print!("{}", options::HELP);
                Ok(())
            }
            Err(error) => {
                eprintln!("{error}");
                return ExitCode::from(2);
            }
        }
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// What this program starts itself for.
fn child(arguments: &[String]) -> Outcome<()> {
    let [task, name, group, first, second] = arguments else {
        return Err("expected the arguments of a child".into());
    };
    let kind = engine::named(name).ok_or("an unknown engine")?;
    let load = |lag| -> Outcome<Workload> { Ok(Workload { group: group.parse()?, lag }) };
    let directory = Path::new(first);
    match task.as_str() {
        "measure" => {
            println!("{}", measure::run(kind, load(LAG)?, second.parse()?, directory)?);
        }
        "work" => power::work(kind, load(LAG_OF_CUTS)?, directory, Path::new(second))?,
        "look" => {
            println!("{}", power::look(kind, load(LAG_OF_CUTS)?, directory, second.parse()?)?);
        }
        _ => return Err("an unknown task".into()),
    }
    Ok(())
}

fn compare(options: &Options) -> Outcome<()> {
    let scratch = match &options.directory {
        Some(path) => tempfile::Builder::new().prefix("midge-bench-store-").tempdir_in(path)?,
        None => tempfile::Builder::new().prefix("midge-bench-store-").tempdir()?,
    };
    if options.messages > 0 {
        speeds(options, scratch.path())?;
    }
    if options.cuts > 0 {
        cuts(options, scratch.path())?;
    }
    Ok(())
}

fn speeds(options: &Options, scratch: &Path) -> Outcome<()> {
    println!(
        "| engine | commit per | messages/s | slowest tenth | bytes written/message | p99.9 ms | \
         worst stall ms | longest sync ms | peak memory MB | disk at the end MB |"
    );
    println!("| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |");
    for kind in &options.engines {
        for group in GROUPS {
            let directory = fresh(scratch)?;
            let figures = measured(*kind, group, options.messages, &directory)?;
            let of = |name: &str| figures[name].as_f64().unwrap_or(f64::NAN);
            println!(
                "| {} | {group} | {:.0} | {:.0} | {:.0} | {:.1} | {:.1} | {:.1} | {:.0} | {:.0} |",
                kind.name,
                of("per_second"),
                of("slowest_part"),
                of("written"),
                of("p999_millis"),
                of("worst_millis"),
                of("longest_sync_millis"),
                of("peak_memory") / 1e6,
                of("disk") / 1e6,
            );
            std::fs::remove_dir_all(&directory)?;
        }
    }
    Ok(())
}

fn measured(kind: Kind, group: u64, messages: u64, directory: &Path) -> Outcome<Value> {
    let ended = Command::new(std::env::current_exe()?)
        .args(["--child", "measure", kind.name, &group.to_string()])
        .arg(directory)
        .arg(messages.to_string())
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()?;
    if !ended.status.success() {
        return Err(format!("{}: {}", kind.name, ended.status).into());
    }
    Ok(serde_json::from_slice(&ended.stdout)?)
}

fn cuts(options: &Options, scratch: &Path) -> Outcome<()> {
    println!(
        "\n| engine | power cuts | of these with losses | acknowledged messages lost | of | \
         remarks |"
    );
    println!("| --- | ---: | ---: | ---: | ---: | --- |");
    for kind in options.engines.iter().copied().chain([CONTROL]) {
        let mut losses = Losses::default();
        for number in 0..options.cuts {
            let load = Workload { group: GROUPS[number as usize % GROUPS.len()], lag: LAG_OF_CUTS };
            // Spread evenly, and the same for every engine.
            let delay = Duration::from_millis(100 + 900 * number / options.cuts);
            power::cut(kind, load, delay, &fresh(scratch)?, &mut losses)?;
        }
        let Losses { cuts, lossy, owed, lost, remarks } = losses;
        let remarks = if remarks.is_empty() { "-".to_owned() } else { remarks.join("; ") };
        println!("| {} | {cuts} | {lossy} | {lost} | {owed} | {remarks} |", kind.name);
    }
    Ok(())
}

fn fresh(scratch: &Path) -> Outcome<PathBuf> {
    let directory = scratch.join("run");
    std::fs::create_dir_all(&directory)?;
    Ok(directory)
}
