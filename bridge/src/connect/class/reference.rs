//! The tables of `docs/connectors`, made from the rows that the code reads.

use std::fmt::Write;

use midge_rules::options::{Kind, OptionDef};

use super::{CLASSES, Class, Idle, common, errors};

/// The page of what all connectors have.
const COMMON: &str = "README";

/// The pages, without their `.md`: that of all connectors first.
pub fn names() -> impl Iterator<Item = &'static str> {
    std::iter::once(COMMON).chain(CLASSES.iter().map(|class| class.page))
}

/// The tables of a page.
#[must_use]
pub fn page(name: &str) -> Option<String> {
    let mut page = String::new();
    if name == COMMON {
        table(&mut page, "Every connector", common::COMMON, common::IDLE);
        table(&mut page, "Every sink", common::TOPICS, &[]);
        table(&mut page, "Errors of records", errors::OPTIONS, &[]);
        let of_sources = [common::TOPIC_CREATION, common::EXACTLY_ONCE, common::OFFSETS].concat();
        table(&mut page, "Every source", &of_sources, common::IDLE);
        return Some(page);
    }
    let class: &Class = CLASSES.iter().find(|class| class.page == name)?;
    table(&mut page, "The class's own options", class.options, class.idle);
    table(&mut page, "Midge's options", class.own, class.idle);
    Some(page)
}

fn table(page: &mut String, title: &str, options: &[OptionDef], idle: &'static [Idle]) {
    line(page, &format!("### {title}\n"));
    line(page, "| option | accepted | default | what it does |");
    line(page, "|---|---|---|---|");
    for option in options {
        let mut meaning = option.documentation.to_owned();
        if let Some(idle) = idle.iter().find(|idle| idle.options.contains(&option.name)) {
            let _ = write!(meaning, " *Without effect: {}.*", idle.why);
        }
        if !option.aliases.is_empty() {
            let names: Vec<String> =
                option.aliases.iter().map(|alias| format!("`{alias}`")).collect();
            let _ = write!(meaning, " Also spelt {}.", names.join(", "));
        }
        let default = match option.default_text() {
            _ if option.is_required() => "required".to_owned(),
            None | Some("") => "none".to_owned(),
            Some(text) => format!("`{text}`"),
        };
        let accepted = accepted(option);
        line(page, &format!("| `{}` | {accepted} | {default} | {meaning} |", option.name));
    }
    line(page, "");
}

fn accepted(option: &OptionDef) -> String {
    let rules: Vec<String> = option.accepted.iter().map(ToString::to_string).collect();
    match (option.kind, rules.is_empty()) {
        (Kind::Boolean, _) => "true, false".to_owned(),
        (Kind::List, _) => "a list".to_owned(),
        (_, false) => rules.join(", "),
        (Kind::String, true) => "text".to_owned(),
        (Kind::Password, true) => "a secret".to_owned(),
        (Kind::Class, true) => "a class".to_owned(),
        (Kind::Short | Kind::Int | Kind::Long | Kind::Double, true) => "a number".to_owned(),
    }
}

fn line(page: &mut String, text: &str) {
    // Writing to a string cannot go wrong.
    let _ = writeln!(page, "{text}");
}
