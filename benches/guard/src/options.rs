//! The command line.

use std::path::PathBuf;

use crate::scenario::SCENARIOS;

pub(crate) const HELP: &str = "\
Counts what a message costs Midge and compares it with benches/guard/figures.toml.

  --midge PATH   the program to count; built in release
  --only NAME    one scenario
  --keep         write what is found to figures.toml instead of comparing
  --profile DIR  leave NAME.callgrind of each scenario there, for callgrind_annotate, and
                 NAME.allocations: who has allocated, and who called those, by message

Exit code: 0 nothing has grown, 1 something has, 2 it could not be counted.
";

/// What was asked for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Options {
    pub(crate) midge: PathBuf,
    pub(crate) only: Option<String>,
    pub(crate) keep: bool,
    pub(crate) profile: Option<PathBuf>,
}

/// `None` when only help was asked for.
pub(crate) fn parse(arguments: impl Iterator<Item = String>) -> Result<Option<Options>, String> {
    let mut options = Options {
        midge: PathBuf::from("target/release/midge"),
        only: None,
        keep: false,
        profile: None,
    };
    let mut arguments = arguments;
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().ok_or(format!("{argument}: expected a value"));
        match argument.as_str() {
            "--help" | "-h" => return Ok(None),
            "--keep" => options.keep = true,
            "--midge" => options.midge = PathBuf::from(value()?),
            "--profile" => options.profile = Some(PathBuf::from(value()?)),
            "--only" => {
                let name = value()?;
                let names: Vec<&str> = SCENARIOS.iter().map(|scenario| scenario.name).collect();
                if !names.contains(&name.as_str()) {
                    return Err(format!("--only: found {name}, expected one of {names:?}"));
                }
                options.only = Some(name);
            }
            _ => return Err(format!("{argument}: unknown option; see --help")),
        }
    }
    Ok(Some(options))
}

#[cfg(test)]
mod tests {
    use super::parse;

    fn words(words: &[&str]) -> impl Iterator<Item = String> {
        words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>().into_iter()
    }

    #[test]
    fn a_scenario_that_is_not_there_is_refused_with_those_that_are() {
        let error = parse(words(&["--only", "pears"])).expect_err("no such scenario");
        assert!(error.contains("found pears") && error.contains("pairs-qos-1"), "{error}");
        let options = parse(words(&["--only", "pairs-qos-1", "--keep"])).expect("legal");
        let options = options.expect("no help");
        assert_eq!(options.only.as_deref(), Some("pairs-qos-1"));
        assert!(options.keep);
    }

    #[test]
    fn an_option_without_its_value_is_refused() {
        let error = parse(words(&["--midge"])).expect_err("no value");
        assert!(error.contains("--midge"), "{error}");
    }
}
