//! Our transforms and JSON converter against Apache Kafka's own, on thousands of random cases.
//!
//! A difference is a failure unless `docs/transforms.md` lists it: each one there has an id, which
//! has a predicate and an example here.

mod case;
mod configs;
mod data;
mod differences;
mod encoding;
mod page;
mod random;
mod upstream;

use std::collections::{BTreeMap, BTreeSet};

use midge_rules::options::{OptionDef, sorted};
use midge_rules::transform::{predicates, transforms};
use serde_json::{Value as Json, json};

use case::{Case, Outcome};
use differences::{DIFFERENCES, Seen};
use random::Random;

/// The time that the tests take for now: any will do.
const NOW: i64 = 1_700_000_000_000;

/// What the cases come from; `UPSTREAM_SEED` gives others.
fn seed() -> u64 {
    let given = std::env::var("UPSTREAM_SEED").ok();
    given.map_or(0x6d69_6467_6521, |seed| seed.parse().expect("a number"))
}

/// Cases of each transform and side.
const CASES: usize = 500;

/// Asks both sides, and returns the cases on which they differ with what each said.
fn compare(cases: &[Case]) -> Vec<(&Case, Outcome, Outcome)> {
    let questions: Vec<Json> = cases.iter().map(Case::question).collect();
    let answers = upstream::ask(&questions);
    let pairs = cases.iter().zip(answers);
    let outcomes = pairs.map(|(case, answer)| (case, case.ours(), case.theirs(&answer)));
    outcomes.filter(|(_, ours, theirs)| !ours.agrees_with(theirs)).collect()
}

/// Fails with the first few cases that differ without that being intended.
fn assert_same(cases: &[Case]) {
    let differ = compare(cases);
    let unlisted: Vec<String> = differ
        .iter()
        .filter(|(case, ours, theirs)| {
            let seen = Seen { case, ours, theirs };
            !DIFFERENCES.iter().any(|difference| (difference.applies)(&seen))
        })
        .map(|(case, ours, theirs)| {
            let cut = |text: String| text.chars().take(900).collect::<String>();
            let (ours, theirs) = (cut(format!("{ours:?}")), cut(format!("{theirs:?}")));
            format!("{}\n  ours:   {ours}\n  theirs: {theirs}\n", cut(format!("{case:?}")))
        })
        .collect();
    // One of each class shows more than many of one.
    let mut classes = BTreeSet::new();
    let class = |told: &str| told.split(", options").next().unwrap_or_default().to_owned();
    let shown: String =
        unlisted.iter().filter(|told| classes.insert(class(told))).take(20).cloned().collect();
    let (count, all) = (unlisted.len(), cases.len());
    assert!(
        unlisted.is_empty(),
        "{count} of {all} cases differ (UPSTREAM_SEED={}):\n{shown}",
        seed()
    );
}

#[test]
fn transforms_make_of_records_what_those_of_apache_kafka_make() {
    let mut random = Random::new(seed());
    let mut cases = Vec::new();
    for (class, sided) in configs::CLASSES {
        let sides: &[&str] = if *sided { &["$Key", "$Value"] } else { &[""] };
        for side in sides {
            for _ in 0..CASES {
                cases.push(Case::transform(&mut random, &format!("{class}{side}")));
            }
        }
    }
    assert_same(&cases);
    let good = cases.iter().filter(|case| matches!(case.ours(), Outcome::Good(_))).count();
    let of_ten = good * 10 / cases.len();
    assert!((2..9).contains(&of_ten), "{good} of {} cases succeed: too one-sided", cases.len());
}

#[test]
fn json_is_written_as_apache_kafka_writes_it() {
    let mut random = Random::new(seed() ^ 1);
    let cases: Vec<Case> = (0..3_000).map(|_| Case::to_json(&mut random)).collect();
    assert_same(&cases);
}

#[test]
fn json_is_read_as_apache_kafka_reads_it() {
    let mut random = Random::new(seed() ^ 2);
    let cases: Vec<Case> = (0..4_000).map(|_| Case::from_json(&mut random)).collect();
    assert_same(&cases);
}

#[test]
fn every_listed_difference_is_one_and_every_other_is_none() {
    let page = page::text();
    let rows = page::rows(&page, "## Intended differences");
    let listed: BTreeSet<&str> = rows.iter().map(|row| row[0].trim_matches('`')).collect();
    let known: BTreeSet<&str> = DIFFERENCES.iter().map(|difference| difference.id).collect();
    assert_eq!(listed, known, "the page and the test list the same differences");

    let examples: Vec<Case> = DIFFERENCES.iter().map(|difference| (difference.example)()).collect();
    let differ = compare(&examples);
    for (difference, example) in DIFFERENCES.iter().zip(&examples) {
        let found = differ.iter().find(|(case, _, _)| std::ptr::eq(*case, example));
        let Some((case, ours, theirs)) = found else {
            panic!("{}: both say {:?}", difference.id, example.ours());
        };
        let seen = Seen { case, ours, theirs };
        assert!((difference.applies)(&seen), "{}: {ours:?} and {theirs:?}", difference.id);
    }
}

#[test]
fn options_are_defined_as_apache_kafka_defines_them() {
    let transforms = transforms().map(|class| (class.name, class.options));
    let predicates = predicates().map(|class| (class.name, class.options));
    let ours: BTreeMap<&str, &'static [OptionDef]> = transforms
        .chain(predicates)
        .filter(|(name, _)| name.starts_with("org.apache.kafka."))
        .collect();
    let ask = |name: &&str| json!({"do": "definitions", "class": name});
    let answers = upstream::ask(&ours.keys().map(ask).collect::<Vec<_>>());
    for ((name, options), answer) in ours.into_iter().zip(answers) {
        let options = sorted(options).into_iter().map(|option| {
            json!({
                "name": option.name,
                "type": option.kind.name(),
                "required": option.is_required(),
                "default_value": option.default_text(),
                "importance": option.importance.name(),
                "documentation": option.documentation,
                "width": option.width.name(),
                "display_name": option.display_name(),
            })
        });
        assert_eq!(json!({"ok": options.collect::<Vec<_>>()}), answer, "{name}");
    }
}
