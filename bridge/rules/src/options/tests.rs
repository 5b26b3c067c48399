use std::collections::BTreeMap;

use super::*;

const TABLE: &[OptionDef] = &[
    OptionDef::new("b.flag", Kind::Boolean, Default::Text("true"), Importance::Low, "A flag."),
    OptionDef::new("a.mode", Kind::String, Default::Required, Importance::Medium, "A mode.")
        .accepting(&[Accepted::OneOf(&["fast", "slow"])]),
    OptionDef::new("c.names", Kind::List, Default::Text(""), Importance::High, "Names.")
        .accepting(&[Accepted::Distinct { empty: true }]),
    OptionDef::new("d.count", Kind::Int, Default::Null, Importance::High, "A count.")
        .spelt(&["d.number", "d.cuont"])
        .accepting(&[Accepted::Between(1, 9)]),
];

fn properties(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

#[test]
fn options_are_read_by_their_kind_and_defaults_count() {
    let given = properties(&[("x.a.mode", " fast "), ("x.c.names", "a , b"), ("x.d.count", "3")]);
    let options = parse(TABLE, "x.", &given).unwrap();
    assert_eq!(options.string("a.mode"), "fast");
    assert_eq!(options.list("c.names"), ["a", "b"]);
    assert_eq!(options.number("d.count"), Some(3));
    assert!(options.boolean("b.flag"));
}

#[test]
fn every_mistake_is_told_in_the_words_of_connect() {
    let given = properties(&[("b.flag", "yes"), ("c.names", "a,a"), ("d.count", "10")]);
    let errors = parse(TABLE, "", &given).unwrap_err();
    let told: Vec<&str> = errors.iter().map(|error| error.message.as_str()).collect();
    assert_eq!(
        told,
        [
            "Missing required configuration \"a.mode\" which has no default value.",
            "Invalid value null for configuration a.mode: String must be one of: fast, slow",
            "Configuration 'c.names' values must not be duplicated.",
            "Invalid value 10 for configuration d.count: Value must be no more than 9",
            "Invalid value yes for configuration b.flag: Expected value to be either true or false",
        ]
    );
}

#[test]
fn an_option_is_found_by_any_of_its_spellings_and_by_its_name_first() {
    for (pairs, count, given) in [
        (&[("d.cuont", "2")][..], 2, "d.cuont"),
        (&[("d.cuont", "2"), ("d.number", "3")], 3, "d.number"),
        (&[("d.cuont", "2"), ("d.count", "4")], 4, "d.count"),
    ] {
        let judged = judge(TABLE, "", &properties(pairs));
        let judged = judged.into_iter().find(|judged| judged.name == "d.count").unwrap();
        assert_eq!(judged.value, Value::Number(count));
        assert_eq!(judged.given.as_deref(), Some(given));
    }
}
