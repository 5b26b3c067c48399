//! The reference tables of every setting, as Markdown.
//!
//! They are made from the rows the parsers use, so the page cannot say something else;
//! `docs/configuration.md` holds them between two marks and a test compares.

use std::fmt::Write;

use crate::environment::{PROCESS_VARIABLES, ProcessVariable};
use crate::mosquitto::directives::{DIRECTIVES, Directive, Scope, Support};
use crate::settings::Setting;
use crate::settings::bridge::{BRIDGE, CONNECTOR, KAFKA, OAUTH, SINK, SOURCE};
use crate::settings::broker::{BROKER, LIMITS, LOG};
use crate::settings::connect::CONNECT;
use crate::settings::listener::{AUTHENTICATION, LISTENER};
use crate::settings::persistence::PERSISTENCE;

/// All tables.
pub fn markdown() -> String {
    let mut page = String::new();
    settings(&mut page, "`[broker]`", BROKER);
    settings(&mut page, "`[listeners.NAME]`", LISTENER);
    settings(&mut page, "`[authentication]`, and in a listener for that one alone", AUTHENTICATION);
    settings(&mut page, "`[limits]`", LIMITS);
    settings(&mut page, "`[persistence]`", PERSISTENCE);
    settings(&mut page, "`[log]`", LOG);
    settings(&mut page, "`[kafka]`", KAFKA);
    settings(&mut page, "`[kafka.oauth]`", OAUTH);
    settings(&mut page, "`[bridge]`", BRIDGE);
    settings(&mut page, "`[connect]`", CONNECT);
    settings(&mut page, "`[connectors.NAME]`, both types", CONNECTOR);
    settings(&mut page, "`[connectors.NAME]`, `type = \"source\"`", SOURCE);
    settings(&mut page, "`[connectors.NAME]`, `type = \"sink\"`", SINK);
    directives(&mut page);
    environment(&mut page);
    page
}

fn settings<T>(page: &mut String, title: &str, rows: &[Setting<T>]) {
    line(page, &format!("### {title}\n"));
    line(page, "| key | in mosquitto.conf | accepted | default | meaning |");
    line(page, "|---|---|---|---|---|");
    for row in rows {
        let directive = row.directive.map_or_else(String::new, |name| format!("`{name}`"));
        let (key, default, meaning) = (row.key, row.default, row.meaning);
        let accepted = row.expected();
        line(page, &format!("| `{key}` | {directive} | {accepted} | {default} | {meaning} |"));
    }
    line(page, "");
}

fn directives(page: &mut String) {
    line(page, "### Every directive of mosquitto.conf\n");
    line(page, "| directive | belongs to | what becomes of it |");
    line(page, "|---|---|---|");
    for Directive { name, scope, support } in DIRECTIVES {
        let scope = match scope {
            Scope::Global => "all",
            Scope::Listener => "a listener",
            Scope::Authentication => "all, or a listener",
            Scope::Peer => "a connection",
        };
        let support = match support {
            Support::Setting | Support::Special if *scope == *"a connection" => {
                "not supported yet, with its block".to_owned()
            }
            Support::Setting | Support::Special => "supported".to_owned(),
            Support::Alias(other) => format!("the same as `{other}`"),
            Support::Ignored(reason) => format!("ignored: {reason}"),
            Support::NotYet => "not supported yet".to_owned(),
            Support::Closes => "not supported yet: its listener is not opened".to_owned(),
            Support::Plugin => "not supported yet: its listeners are opened only with a \
                                `password_file` and an `acl_file` in its place"
                .to_owned(),
            Support::Refused(reason) => format!("refused: {reason}"),
        };
        line(page, &format!("| `{name}` | {scope} | {support} |"));
    }
    line(page, "");
}

fn environment(page: &mut String) {
    line(page, "### The environment of aiproshar's connector, what is about the process\n");
    line(page, "| variable | default | meaning |");
    line(page, "|---|---|---|");
    for ProcessVariable { name, default, meaning } in PROCESS_VARIABLES {
        line(page, &format!("| `{name}` | {default} | {meaning} |"));
    }
}

fn line(page: &mut String, text: &str) {
    // Writing to a string cannot go wrong.
    let _ = writeln!(page, "{text}");
}

#[cfg(test)]
mod tests {
    use super::markdown;

    #[test]
    fn the_page_shows_every_setting_as_the_parsers_know_it() {
        const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/configuration.md");
        const BEGIN: &str = "<!-- reference: begin -->\n";
        const END: &str = "<!-- reference: end -->";
        let page = std::fs::read_to_string(PAGE).expect("docs/configuration.md");
        let (_, rest) = page.split_once(BEGIN).expect("the first mark");
        let (tables, _) = rest.split_once(END).expect("the second mark");
        assert!(
            tables.trim() == markdown().trim(),
            "the tables between the marks differ from those of `cargo run -p midge-config \
             --example reference`"
        );
    }
}
