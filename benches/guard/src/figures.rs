//! The figures kept in the repository.
//!
//! Instructions belong to a compiler and a machine; allocations and system calls belong to the
//! sources alone. So the file says which compiler made the program that was counted.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;
use std::process::Command;

use serde::Deserialize;

use crate::counts::Cost;
use crate::scenario::SCENARIOS;

/// What made the program.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(crate) struct Toolchain {
    /// Version of the compiler.
    pub(crate) rustc: String,
    /// The platform it compiles for.
    pub(crate) host: String,
}

/// What each scenario costs by message.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub(crate) struct Figures {
    #[serde(flatten)]
    pub(crate) toolchain: Toolchain,
    #[serde(rename = "cost")]
    pub(crate) costs: BTreeMap<String, Cost>,
}

impl Toolchain {
    /// The one that `cargo` uses here.
    pub(crate) fn here() -> Result<Toolchain, String> {
        let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
        let output = Command::new(&rustc).arg("-vV").output();
        let output = output.map_err(|error| format!("{}: {error}", rustc.display()))?;
        Toolchain::parse(&String::from_utf8_lossy(&output.stdout))
    }

    fn parse(text: &str) -> Result<Toolchain, String> {
        let field = |name: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(name));
            line.map(|value| value.trim().to_owned())
                .ok_or(format!("found no {name:?} in what `rustc -vV` says"))
        };
        Ok(Toolchain { rustc: field("release:")?, host: field("host:")? })
    }
}

impl Figures {
    pub(crate) fn new(toolchain: Toolchain) -> Figures {
        Figures { toolchain, costs: BTreeMap::new() }
    }

    pub(crate) fn read(path: &Path) -> Result<Figures, String> {
        let told = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
        let text = std::fs::read_to_string(path).map_err(|error| told(&error))?;
        toml::from_str(&text).map_err(|error| told(&error))
    }

    pub(crate) fn write(&self, path: &Path) -> Result<(), String> {
        std::fs::write(path, self.text()).map_err(|error| format!("{}: {error}", path.display()))
    }

    fn text(&self) -> String {
        let Toolchain { rustc, host } = &self.toolchain;
        let mut text = format!(
            "# What one delivered message costs. Written by `benches/guard/run --keep`; a commit\n\
             # that raises a figure says what the message got for it.\n\
             rustc = \"{rustc}\"\n\
             host = \"{host}\"\n"
        );
        for scenario in SCENARIOS {
            if let Some(cost) = self.costs.get(scenario.name) {
                let Cost { instructions, allocations, system_calls } = cost;
                // A timer that ran out in one of both runs can leave less than nothing.
                let (allocations, system_calls) = (allocations.max(0.0), system_calls.max(0.0));
                let _ = write!(
                    text,
                    "\n[cost.{}]\n\
                     instructions = {instructions:.1}\n\
                     allocations = {allocations:.3}\n\
                     system_calls = {system_calls:.3}\n",
                    scenario.name
                );
            }
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{Figures, Toolchain};
    use crate::counts::Cost;
    use crate::scenario::SCENARIOS;

    #[test]
    fn every_scenario_has_a_figure_in_the_repository_and_no_other_has() {
        let kept = Figures::read(&crate::figures_path()).expect("the file of figures");
        let kept: BTreeSet<&str> = kept.costs.keys().map(String::as_str).collect();
        assert_eq!(kept, SCENARIOS.iter().map(|scenario| scenario.name).collect());
    }

    #[test]
    fn what_is_written_is_read_back() {
        let toolchain = Toolchain { rustc: "1.95.0".into(), host: "x86_64".into() };
        let mut figures = Figures::new(toolchain);
        let cost = Cost { instructions: 812.5, allocations: 0.0, system_calls: 0.125 };
        figures.costs.insert(SCENARIOS[0].name.to_owned(), cost);
        assert_eq!(toml::from_str::<Figures>(&figures.text()).expect("legal"), figures);
    }

    #[test]
    fn the_compiler_says_its_version_and_platform() {
        let said = "rustc 1.95.0 (59807616e 2026-04-14)\nhost: aarch64-linux\nrelease: 1.95.0\n";
        let expected = Toolchain { rustc: "1.95.0".into(), host: "aarch64-linux".into() };
        assert_eq!(Toolchain::parse(said), Ok(expected));
        assert!(Toolchain::parse("rustc").is_err());
    }
}
