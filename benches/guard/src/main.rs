//! Counts what a message costs Midge in instructions, allocations and system calls, and fails when
//! one of them has grown since the figures in the repository were kept.
//!
//! Nothing here measures time: the broker runs under callgrind, the load is in lockstep, and what
//! start and end cost cancels out in the difference of a long and a short run. So a slow or busy
//! machine finds the same figures as a quiet one.

use std::path::PathBuf;
use std::process::ExitCode;

mod broker;
mod callgrind;
mod connection;
mod counts;
mod figures;
mod kafka;
mod lockstep;
mod options;
mod scenario;
mod verdict;

use counts::Runs;
use figures::Figures;
use options::Options;
use scenario::SCENARIOS;

/// How often a scenario is run before a figure that is too high counts. What disturbs a count only
/// adds to it, so the least of several is the nearest.
const ATTEMPTS: usize = 3;

fn main() -> ExitCode {
    let options = match options::parse(std::env::args().skip(1)) {
        Ok(Some(options)) => options,
        Ok(None) => {
            print!("{}", options::HELP);
            return ExitCode::SUCCESS;
        }
        Err(error) => {
            eprintln!("midge-guard: {error}");
            return ExitCode::from(2);
        }
    };
    match run(&options) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("midge-guard: {error}");
            ExitCode::from(2)
        }
    }
}

/// Whether nothing has grown.
fn run(options: &Options) -> Result<bool, String> {
    let path = figures_path();
    let toolchain = figures::Toolchain::here()?;
    let kept = match Figures::read(&path) {
        Ok(kept) => Some(kept),
        // There is a first time.
        Err(_) if options.keep && !path.exists() => None,
        Err(error) => return Err(error),
    };
    if options.keep && options.only.is_some() {
        let kept = kept.as_ref().map(|kept| &kept.toolchain);
        if kept != Some(&toolchain) {
            return Err("the toolchain is another one: keep all figures, without --only".into());
        }
    }

    let mut found = Figures::new(toolchain);
    let mut grown = false;
    print!("{}", verdict::HEAD);
    for scenario in SCENARIOS {
        if options.only.as_deref().is_some_and(|only| only != scenario.name) {
            continue;
        }
        let mut runs = Runs::default();
        for attempt in 1..=ATTEMPTS {
            runs.add(scenario, &options.midge, options.profile.as_deref())
                .map_err(|error| format!("{}: {error}", scenario.name))?;
            let good =
                || verdict::judge(scenario, kept.as_ref(), &found.toolchain, runs.cost()).is_good();
            if attempt == ATTEMPTS || (!options.keep && good()) {
                break;
            }
        }
        let cost = runs.cost();
        let verdict = verdict::judge(scenario, kept.as_ref(), &found.toolchain, cost);
        print!("{verdict}");
        grown |= !verdict.is_good();
        found.costs.insert(scenario.name.to_owned(), cost);
    }

    if options.keep {
        // Those not run now stay as they are.
        for (name, cost) in kept.map(|kept| kept.costs).unwrap_or_default() {
            if SCENARIOS.iter().any(|scenario| scenario.name == name) {
                found.costs.entry(name).or_insert(cost);
            }
        }
        found.write(&path)?;
        println!("kept in {}", path.display());
        return Ok(true);
    }
    if grown {
        println!("\n{}", verdict::ADVICE);
    }
    Ok(!grown)
}

fn figures_path() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/figures.toml"))
}
