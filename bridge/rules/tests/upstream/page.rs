//! The page about transforms, `docs/transforms.md`.

use std::collections::BTreeSet;

use midge_rules::options::{Default, OptionDef};
use midge_rules::transform::{predicates, transforms};

pub(crate) fn text() -> String {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/transforms.md");
    std::fs::read_to_string(path).expect("docs/transforms.md")
}

/// The cells of a section's table, without its head.
pub(crate) fn rows<'a>(page: &'a str, heading: &str) -> Vec<Vec<&'a str>> {
    let lines = page.lines().skip_while(|line| *line != heading).skip(1);
    let lines = lines.take_while(|line| !line.starts_with('#'));
    let rows = lines.filter_map(|line| line.strip_prefix("| ")?.strip_suffix(" |"));
    rows.skip(1).map(|row| row.split(" | ").collect()).collect()
}

fn row_of(option: &OptionDef) -> Vec<String> {
    let default = match option.default {
        Default::Required => "required".to_owned(),
        Default::Null => "none".to_owned(),
        Default::Text("") => "empty".to_owned(),
        Default::Text(text) => format!("`{text}`"),
    };
    let accepted: Vec<String> = option.accepted.iter().map(ToString::to_string).collect();
    let accepted = if accepted.is_empty() { "any".to_owned() } else { accepted.join("; ") };
    vec![format!("`{}`", option.name), default, accepted]
}

#[test]
fn the_page_has_every_option_with_its_default_and_what_it_takes() {
    let page = text();
    let sections = transforms().map(|class| {
        let name = class.simple_name();
        let name =
            name.strip_suffix("$Key").or_else(|| name.strip_suffix("$Value")).unwrap_or(name);
        (format!("## {name}"), class.options)
    });
    let predicates =
        predicates().map(|class| (format!("### {}", class.simple_name()), class.options));
    for (heading, options) in sections.chain(predicates) {
        assert!(page.lines().any(|line| line == heading), "{heading}");
        let written: BTreeSet<Vec<String>> = rows(&page, &heading)
            .into_iter()
            .map(|row| row.into_iter().map(str::to_owned).collect())
            .collect();
        let defined: BTreeSet<Vec<String>> = options.iter().map(row_of).collect();
        assert_eq!(written, defined, "{heading}");
    }
}
