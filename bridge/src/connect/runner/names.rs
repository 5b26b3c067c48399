//! The names of a connector's rules, by which each finds what is kept for it.

use crate::connect::plan::Plan;

/// The name under which a rule finds its spool or its marks again.
pub(super) fn rule_name(plan: &Plan, task: usize, statement: usize, statements: usize) -> String {
    match (plan.tasks.len(), statements) {
        (1, 1) => plan.name.clone(),
        (_, 1) => format!("{}-{task}", plan.name),
        _ => format!("{}-{task}-{statement}", plan.name),
    }
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
    use super::is_rule_of;

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
