//! The command line.

use std::path::PathBuf;

use crate::engine::{KINDS, Kind};

/// What `--help` prints.
pub(crate) const HELP: &str = "\
Runs the same queues over the journal and the engines it was chosen over.

  --only LIST       of journal,sled,fjall,redb,sqlite [all]
  --messages N      messages of a run, 256 bytes each; 0 measures no speed [1000000]
  --cuts N          power cuts for each engine; 0 cuts none [20]
  --directory PATH  where the files go: on the disk to be measured [the system's temporary one]
  --help
";

/// A resolved command line.
pub(crate) struct Options {
    pub(crate) engines: Vec<Kind>,
    pub(crate) messages: u64,
    pub(crate) cuts: u64,
    pub(crate) directory: Option<PathBuf>,
}

/// Reads the arguments; `None` when only help was asked for.
pub(crate) fn parse(
    arguments: impl IntoIterator<Item = String>,
) -> Result<Option<Options>, String> {
    let mut options =
        Options { engines: KINDS.to_vec(), messages: 1_000_000, cuts: 20, directory: None };
    let mut arguments = arguments.into_iter();
    while let Some(flag) = arguments.next() {
        if flag == "--help" || flag == "-h" {
            return Ok(None);
        }
        let value = arguments.next().ok_or_else(|| format!("{flag}: expected a value"))?;
        let number = || {
            let found = value.parse::<u64>();
            found.map_err(|_| format!("{flag}: found `{value}`, expected a number"))
        };
        match flag.as_str() {
            "--only" => options.engines = value.split(',').map(kind).collect::<Result<_, _>>()?,
            "--messages" => options.messages = number()?,
            "--cuts" => options.cuts = number()?,
            "--directory" => options.directory = Some(value.into()),
            _ => return Err(format!("found `{flag}`, see --help for the options")),
        }
    }
    Ok(Some(options))
}

/// By the first word of its name, in any case.
fn kind(word: &str) -> Result<Kind, String> {
    let first = |kind: &Kind| kind.name.split(' ').next().map(str::to_lowercase);
    let found = KINDS.into_iter().find(|kind| first(kind).as_deref() == Some(word));
    found.ok_or_else(|| {
        let names: Vec<String> = KINDS.iter().filter_map(first).collect();
        format!("--only: found `{word}`, expected some of {}", names.join(", "))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<Option<Options>, String> {
        parse(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn every_option_is_obeyed() {
        let line = "--only sqlite,journal --messages 5 --cuts 0 --directory d";
        let found = parsed(line).unwrap().unwrap();
        let names: Vec<&str> = found.engines.iter().map(|kind| kind.name).collect();
        assert_eq!(names, ["SQLite", "journal"]);
        assert_eq!((found.messages, found.cuts, found.directory), (5, 0, Some("d".into())));
        assert_eq!(parsed("").unwrap().unwrap().engines.len(), 5);
        assert!(parsed("--help").unwrap().is_none());
    }

    #[test]
    fn wrong_values_say_what_was_expected() {
        for (line, part) in [
            ("--only rocksdb", "expected some of journal, sled"),
            ("--cuts many", "expected a number"),
            ("--cuts", "expected a value"),
            ("--fast 1", "see --help"),
        ] {
            let error = parsed(line).err().unwrap();
            assert!(error.contains(part), "{line}: {error}");
        }
    }
}
