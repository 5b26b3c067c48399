//! Whether a message has become dearer.
//!
//! A figure may be a tenth above the one kept, with a Kafka a third. For those near zero there is an absolute allowance
//! beside it: one allocation or system call in a hundred messages.

use std::fmt;

use crate::counts::Cost;
use crate::figures::{Figures, Toolchain};
use crate::scenario::Scenario;

/// How much of what was kept may be found.
const GROWTH: f64 = 1.10;

/// The same when there is a Kafka: librdkafka's threads decide by the clock how many records share a
/// batch, and runs differ by a tenth.
const KAFKA_GROWTH: f64 = 1.33;

/// Allocations and system calls a message may have beyond that: what timers and the edges of
/// batches leave of a few thousand messages.
const ALLOWANCE: f64 = 0.01;

/// System calls when there is a Kafka: librdkafka's threads gather and wait by the clock.
const KAFKA_ALLOWANCE: f64 = 0.1;

pub(crate) const HEAD: &str = "\
scenario               of a message       kept      found   at most
";

pub(crate) const ADVICE: &str = "\
A message costs more than the figure kept in benches/guard/figures.toml allows. docs/performance.md
says how to find where. When the cost is meant: benches/guard/run --keep, and say in the commit what
the message got for it.";

/// One figure beside the one kept.
struct Line {
    scenario: &'static str,
    what: &'static str,
    kept: Option<f64>,
    found: f64,
    at_most: Option<f64>,
}

/// What is to be said about a scenario.
pub(crate) struct Verdict {
    lines: Vec<Line>,
}

/// Compares; what was made by another toolchain is told its instructions and not judged by them.
pub(crate) fn judge(
    scenario: &Scenario,
    kept: Option<&Figures>,
    toolchain: &Toolchain,
    found: Cost,
) -> Verdict {
    let cost = kept.and_then(|kept| kept.costs.get(scenario.name));
    let same = kept.is_some_and(|kept| kept.toolchain == *toolchain);
    let growth = if scenario.kafka { KAFKA_GROWTH } else { GROWTH };
    let line = |what, kept: Option<f64>, found, allowance| Line {
        scenario: scenario.name,
        what,
        kept,
        found,
        at_most: kept.map(|kept| kept * growth + allowance),
    };
    let mut instructions =
        line("instructions", cost.map(|cost| cost.instructions), found.instructions, 0.0);
    if !same {
        instructions.at_most = None;
    }
    let mut allocations =
        line("allocations", cost.map(|cost| cost.allocations), found.allocations, ALLOWANCE);
    if scenario.qos == 0 {
        // A message at QoS 0 allocates nothing, whatever was kept.
        allocations.at_most = Some(ALLOWANCE);
    }
    let allowance = if scenario.kafka { KAFKA_ALLOWANCE } else { ALLOWANCE };
    let system_calls =
        line("system calls", cost.map(|cost| cost.system_calls), found.system_calls, allowance);
    Verdict { lines: vec![instructions, allocations, system_calls] }
}

impl Verdict {
    /// Whether nothing has grown.
    pub(crate) fn is_good(&self) -> bool {
        self.lines.iter().all(Line::is_good)
    }
}

impl Line {
    fn is_good(&self) -> bool {
        self.at_most.is_none_or(|at_most| self.found <= at_most)
    }

    /// What a reader is to make of it.
    fn remark(&self) -> &'static str {
        match (self.kept, self.at_most) {
            (_, Some(at_most)) if self.found > at_most => "  GROWN",
            (None, _) => "  new",
            (Some(_), None) => "  not judged: another compiler or platform",
            (Some(kept), Some(_)) if self.found * GROWTH + ALLOWANCE < kept => {
                "  less: worth keeping"
            }
            _ => "",
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for line in &self.lines {
            let Line { scenario, what, kept, found, at_most } = line;
            let decimals = if *what == "instructions" { 0 } else { 3 };
            let number = |number: &Option<f64>| {
                number.map_or("-".to_owned(), |number| format!("{number:.decimals$}"))
            };
            let (kept, at_most) = (number(kept), number(at_most));
            // A timer that ran out in one of both runs can leave less than nothing.
            let found = found.max(0.0);
            writeln!(
                f,
                "{scenario:<22} {what:<12} {kept:>10} {found:>10.decimals$} {at_most:>9}{}",
                line.remark()
            )?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::judge;
    use crate::counts::Cost;
    use crate::figures::{Figures, Toolchain};
    use crate::scenario::SCENARIOS;

    const KEPT: Cost = Cost { instructions: 1000.0, allocations: 0.0, system_calls: 0.5 };

    fn toolchain(rustc: &str) -> Toolchain {
        Toolchain { rustc: rustc.to_owned(), host: "x86_64".to_owned() }
    }

    fn judged(found: Cost, rustc: &str) -> (bool, String) {
        let mut kept = Figures::new(toolchain("1.95.0"));
        kept.costs.insert(SCENARIOS[0].name.to_owned(), KEPT);
        let verdict = judge(&SCENARIOS[0], Some(&kept), &toolchain(rustc), found);
        (verdict.is_good(), verdict.to_string())
    }

    #[test]
    fn a_tenth_more_is_borne_and_what_is_beyond_is_named_with_both_figures() {
        let (good, _) = judged(Cost { instructions: 1099.0, ..KEPT }, "1.95.0");
        assert!(good);
        let (good, text) = judged(Cost { instructions: 1101.0, ..KEPT }, "1.95.0");
        assert!(!good);
        let grown: Vec<&str> = text.lines().filter(|line| line.contains("GROWN")).collect();
        assert_eq!(grown.len(), 1, "{text}");
        for part in ["fan-out-qos-0", "instructions", "1000", "1101", "1100"] {
            assert!(grown[0].contains(part), "{part}: {text}");
        }
    }

    #[test]
    fn a_single_allocation_in_fifty_messages_is_too_much_where_there_was_none() {
        assert!(judged(Cost { allocations: 0.009, ..KEPT }, "1.95.0").0);
        assert!(!judged(Cost { allocations: 0.02, ..KEPT }, "1.95.0").0);
    }

    #[test]
    fn a_message_at_qos_0_may_not_allocate_even_if_one_that_does_was_kept() {
        let mut kept = Figures::new(toolchain("1.95.0"));
        let cost = Cost { allocations: 1.0, ..KEPT };
        kept.costs.insert(SCENARIOS[0].name.to_owned(), cost);
        assert_eq!(SCENARIOS[0].qos, 0);
        assert!(!judge(&SCENARIOS[0], Some(&kept), &toolchain("1.95.0"), cost).is_good());
        assert!(!judge(&SCENARIOS[0], None, &toolchain("1.95.0"), cost).is_good());
    }

    #[test]
    fn another_compiler_is_told_its_instructions_and_judged_by_the_rest() {
        let (good, text) = judged(Cost { instructions: 5000.0, ..KEPT }, "1.96.0");
        assert!(good && text.contains("not judged"), "{text}");
        assert!(!judged(Cost { system_calls: 0.6, ..KEPT }, "1.96.0").0);
    }

    #[test]
    fn a_scenario_without_a_kept_figure_is_new() {
        let verdict = judge(&SCENARIOS[1], None, &toolchain("1.95.0"), KEPT);
        assert!(verdict.is_good() && verdict.to_string().contains("new"));
    }
}
