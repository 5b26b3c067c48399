//! One run of one seed, and what it says when it fails.

use std::ops::AddAssign;
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::checks;
use crate::mutation::Mutation;
use crate::trace::Trace;
use crate::violation::Violation;
use crate::world::World;

/// What happened in a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Outcome {
    pub(crate) crashes: u64,
    pub(crate) acknowledgements: u64,
    pub(crate) receipts: u64,
    pub(crate) dropped: u64,
    /// Messages that Kafka has, and how often a log went to the disk.
    pub(crate) records: u64,
    pub(crate) spills: u64,
}

impl AddAssign for Outcome {
    fn add_assign(&mut self, other: Outcome) {
        self.crashes += other.crashes;
        self.acknowledgements += other.acknowledgements;
        self.receipts += other.receipts;
        self.dropped += other.dropped;
        self.records += other.records;
        self.spills += other.spills;
    }
}

/// A run that failed: how, and what led to it if it was traced.
#[derive(Debug)]
pub(crate) struct Failure {
    /// `None`: something panicked.
    pub(crate) violation: Option<Violation>,
    trace: Trace,
    panic: String,
}

impl Failure {
    /// What is wrong.
    pub(crate) fn text(&self) -> String {
        match &self.violation {
            Some(Violation { rule, text, .. }) => format!("{rule:?}: {text}"),
            None => format!("panic: {}", self.panic),
        }
    }
}

/// Runs a seed.
pub(crate) fn run(
    seed: u64,
    steps: u64,
    mutation: Option<Mutation>,
    traced: bool,
) -> Result<Outcome, Box<Failure>> {
    let trace = Trace::new(traced);
    let inside = trace.clone();
    let outcome = catch_unwind(AssertUnwindSafe(move || {
        let mut world = World::new(seed, mutation, inside);
        for _ in 0..steps {
            world.step();
        }
        world.settle();
        checks::everything_arrived(&world);
        checks::kafka_has_everything(&world);
        checks::retained_messages_are_the_newest(&mut world);
        checks::the_disk_is_bounded(&world);
        world.dismiss_everyone();
        checks::nothing_is_left(&mut world);
        checks::the_disk_is_bounded(&world);
        Outcome {
            crashes: world.crashes,
            acknowledgements: world.ledger.acknowledgements,
            receipts: world.ledger.receipts,
            dropped: world.dropped_before,
            records: world.bridge.kafka.known.len() as u64,
            spills: world.bridge.spilled,
        }
    }));
    outcome.map_err(|cause| Box::new(failure(cause, trace)))
}

fn failure(cause: Box<dyn std::any::Any + Send>, trace: Trace) -> Failure {
    match cause.downcast::<Violation>() {
        Ok(violation) => Failure { violation: Some(*violation), trace, panic: String::new() },
        Err(cause) => {
            let text = cause.downcast_ref::<String>().cloned();
            let text = text.or_else(|| cause.downcast_ref::<&str>().map(|text| (*text).to_owned()));
            Failure { violation: None, trace, panic: text.unwrap_or_default() }
        }
    }
}

/// Runs a seed; when it fails, says how it came to that.
pub(crate) fn explained(seed: u64, steps: u64) -> Outcome {
    let Err(failure) = run(seed, steps, None, true) else {
        return run(seed, steps, None, false).unwrap_or_else(|failure| {
            panic!("seed {seed} fails only when it is not traced: {failure:?}")
        });
    };
    let text = failure.text();
    let (clients, label) = match &failure.violation {
        Some(violation) => (violation.clients.clone(), violation.label),
        None => (Vec::new(), None),
    };
    println!("{}", failure.trace.of(&clients, label));
    panic!("{text}\nrun it alone with SIMULATION_SEED={seed} SIMULATION_STEPS={steps}");
}
