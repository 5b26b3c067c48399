//! The pages of `docs/connectors` and the files beside them.

use super::*;

const DOCS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/connectors");
const BEGIN: &str = "<!-- reference: begin -->\n";
const END: &str = "<!-- reference: end -->";

fn read_page(path: &str) -> String {
    std::fs::read_to_string(format!("{DOCS}/{path}"))
        .unwrap_or_else(|error| panic!("{path}: {error}"))
}

#[test]
fn the_pages_show_every_option_as_the_code_knows_it() {
    for name in names() {
        let text = read_page(&format!("{name}.md"));
        let (_, rest) = text.split_once(BEGIN).expect("the first mark");
        let (tables, _) = rest.split_once(END).expect("the second mark");
        assert!(
            tables.trim() == page(name).unwrap().trim(),
            "the tables of docs/connectors/{name}.md differ from those of `cargo run -p \
             midge-bridge --example connectors {name}`"
        );
    }
}

#[test]
fn the_files_of_the_pages_are_plans_without_a_word_of_unknown_options() {
    for class in CLASSES {
        let path = format!("examples/{}.properties", class.page);
        let properties = file(&read_page(&path));
        let plan = planned(&properties, &worker());
        let called = properties["connector.class"].as_str();
        assert!(class.names.contains(&called), "{path}");
        let unknown = plan.notices.iter().find(|notice| notice.contains("unknown property"));
        assert_eq!(unknown, None, "{path}");
        let text = read_page(&format!("{}.md", class.page));
        assert!(text.contains(&path), "{} leads to its file", class.page);
        for name in class.names {
            assert!(text.contains(name), "{} has {name}", class.page);
        }
        assert!(read_page("README.md").contains(&format!("{}.md", class.page)));
    }
}
