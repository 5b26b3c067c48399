//! The name somebody meant when they wrote one that does not exist.
//!
//! A guess is offered only when it is close: at most a third of the letters differ.

/// The known name nearest to `written`, if one is near.
pub(crate) fn nearest<'n>(
    written: &str,
    known: impl IntoIterator<Item = &'n str>,
) -> Option<&'n str> {
    const LONGEST: usize = 64;
    if written.len() > LONGEST {
        return None;
    }
    let written = written.to_ascii_lowercase().replace('-', "_");
    let limit = (written.chars().count() / 3).max(1);
    known
        .into_iter()
        .map(|name| (distance(&written, name), name))
        .filter(|(distance, _)| *distance <= limit)
        .min()
        .map(|(_, name)| name)
}

/// `, did you mean …?` or nothing.
pub fn did_you_mean<'n>(written: &str, known: impl IntoIterator<Item = &'n str>) -> String {
    nearest(written, known).map_or_else(String::new, |name| format!(", did you mean {name}?"))
}

/// Levenshtein's distance.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, to) in b.iter().enumerate() {
            let substituted = diagonal + usize::from(from != *to);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_near_name_is_offered_and_a_far_one_is_not() {
        let known = ["password_file", "max_connections", "port"];
        assert_eq!(nearest("pasword_file", known), Some("password_file"));
        assert_eq!(nearest("Max-Connections", known), Some("max_connections"));
        assert_eq!(nearest("prot", known), None);
        assert_eq!(nearest("prt", known), Some("port"));
        assert_eq!(nearest("quite_another_thing", known), None);
        assert_eq!(nearest("", known), None);
    }
}
