//! The names of a connector's rules, by which each finds what is kept for it.

use midge_codec::TopicFilter;

use crate::connect::plan::Plan;

/// The name under which a rule finds its spool or its marks again.
pub(super) fn rule_name(plan: &Plan, task: usize, statement: u32, statements: usize) -> String {
    match (plan.tasks.len(), statements) {
        (1, 1) => plan.name.clone(),
        (_, 1) => format!("{}-{task}", plan.name),
        _ => format!("{}-{task}-{statement}", plan.name),
    }
}

/// A number for each statement by what it takes, so that it finds its spool wherever it stands among
/// the others.
pub(super) fn statement_numbers<'a>(filters: impl Iterator<Item = &'a [TopicFilter]>) -> Vec<u32> {
    let mut numbers: Vec<u32> = Vec::new();
    for filters in filters {
        // FNV-1a: it has to be the same in every run.
        let bytes = filters.iter().flat_map(|filter| filter.text().as_str().bytes().chain([0]));
        let mut number = bytes
            .fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
        // Of those that take the same the first keeps the number.
        while numbers.contains(&number) {
            number = number.wrapping_add(1);
        }
        numbers.push(number);
    }
    numbers
}

/// Whether a rule of this name is one of a connector, whatever its tasks and statements.
pub(crate) fn is_rule_of(rule: &[u8], connector: &str) -> bool {
    let Some(rest) = rule.strip_prefix(connector.as_bytes()) else { return false };
    let mut numbers = rest.split(|byte| *byte == b'-');
    let begins = numbers.next().is_some_and(<[u8]>::is_empty);
    let numbers: Vec<&[u8]> = numbers.collect();
    let is_number = |text: &&[u8]| !text.is_empty() && text.iter().all(u8::is_ascii_digit);
    begins && numbers.len() <= 2 && numbers.iter().all(is_number)
}

#[cfg(test)]
mod tests {
    use midge_codec::TopicFilter;

    use super::{is_rule_of, statement_numbers};

    #[test]
    fn a_statement_keeps_its_number_at_another_place() {
        let filters = |texts: &[&str]| -> Vec<Vec<TopicFilter>> {
            texts.iter().map(|text| vec![TopicFilter::try_from(*text).expect("a filter")]).collect()
        };
        let numbers = |texts: &[&str]| statement_numbers(filters(texts).iter().map(Vec::as_slice));
        let (first, changed) =
            (numbers(&["a/#", "b/+", "b/+"]), numbers(&["c", "b/+", "b/+", "a/#"]));
        assert_eq!((first[0], first[1], first[2]), (changed[3], changed[1], changed[2]));
        assert_ne!(first[1], first[2]);
    }

    #[test]
    fn a_rule_belongs_to_its_connector_by_name_task_and_statement() {
        for rule in ["k", "k-0", "k-12-3"] {
            assert!(is_rule_of(rule.as_bytes(), "k"), "{rule}");
        }
        for rule in ["", "k2", "k-", "k-a", "k-1-", "k-1-2-3", "kk-1", "j-1"] {
            assert!(!is_rule_of(rule.as_bytes(), "k"), "{rule}");
        }
        assert!(is_rule_of(b"a-1-0", "a-1") && !is_rule_of(b"a-2-0", "a-1"));
    }
}
