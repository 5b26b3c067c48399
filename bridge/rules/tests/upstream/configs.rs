//! Random options for each transform: mostly good, sometimes wrong.

use super::data::{NAMES, PATTERNS, text};
use super::random::Random;

pub(crate) type Options = Vec<(&'static str, String)>;

const KINDS: &[&str] = &[
    "int8", "int16", "int32", "int64", "float32", "float64", "boolean", "string", "STRING", "Int8",
];
const LITERALS: &[&str] = &[
    "1",
    "-129",
    "40000",
    "3e9",
    "9223372036854775808",
    "1.5",
    "1e40",
    "1e400",
    "1e-3",
    "0.0",
    "-0",
    "12345678901234567890.5",
    "true",
    "false",
    "null",
    "true}",
    "text",
    "a: b",
    "[1,2,3]",
    "[1, 2.5]",
    "[1,null]",
    "[]",
    "[null]",
    "{}",
    "{\"a\":1}",
    "{\"a\":1,\"b\":2.5}",
    "{1:true}",
    "[\"x\",\"y\"]",
    "{\"a\":[1,2],\"b\":[3]}",
    "[[1],[2]]",
    "\"q\"",
    "[1,",
    "{a:1}",
    "2020-01-02",
    "12:34:56.789Z",
    "2020-01-02T03:04:05.678Z",
    "[2020-01-02, 2021-02-03]",
    "{\"t\": \"2020-01-02\"}",
    "1 2",
    "+7",
    "-",
    "0x10",
    "[1,\"a\"]",
    "[true,false]",
    "  5  ",
    "[ 1 , 2 ]",
    "2020-13-45",
    "\\:",
    "a\\,b",
];

/// The transforms of Apache Kafka, without its package, and whether they have two sides.
pub(crate) const CLASSES: &[(&str, bool)] = &[
    ("Cast", true),
    ("ExtractField", true),
    ("Flatten", true),
    ("HoistField", true),
    ("InsertField", true),
    ("MaskField", true),
    ("ReplaceField", true),
    ("SetSchemaMetadata", true),
    ("TimestampConverter", true),
    ("HeaderFrom", true),
    ("RegexRouter", false),
    ("TimestampRouter", false),
    ("ValueToKey", false),
    ("InsertHeader", false),
    ("DropHeaders", false),
    ("Filter", false),
];

pub(crate) fn options(random: &mut Random, class: &str) -> Options {
    let mut options: Options = match class {
        "Cast" => vec![("spec", spec(random))],
        "ExtractField" => extract_field(random),
        "Flatten" => maybe(random, 60, "delimiter", &["_", ".", "/", "::"]),
        "HoistField" => vec![("field", name(random))],
        "InsertField" => insert_field(random),
        "MaskField" => {
            let mut options =
                maybe(random, 40, "replacement", &["7", "-1.5", "abc", "1e3", "300", ""]);
            options.push(("fields", names(random)));
            options
        }
        "ReplaceField" => replace_field(random),
        "SetSchemaMetadata" => {
            let mut options = maybe(random, 70, "schema.name", &["com.example.New", "", "x"]);
            options.extend(maybe(random, 60, "schema.version", &["1", " 2 ", "x", "99999999999"]));
            options
        }
        "TimestampConverter" => timestamp_converter(random),
        "HeaderFrom" => {
            let operation = random.pick(&["move", "copy", "copy", "move", "both"]).to_owned();
            let headers = names(random);
            vec![("fields", names(random)), ("headers", headers), ("operation", operation)]
        }
        "RegexRouter" => regex_router(random),
        "TimestampRouter" => {
            let formats = ["${topic}", "x-${timestamp}", "${topic}${topic}-${timestamp}", "$topic"];
            let mut options = maybe(random, 60, "topic.format", &formats);
            if random.percent(80) {
                options.push(("timestamp.format", random.pick(PATTERNS).to_owned()));
            }
            options
        }
        "ValueToKey" => vec![("fields", names(random))],
        "InsertHeader" => {
            let literal = match random.below(4) {
                0 => text(random),
                1 => random.some(LITERALS, 3),
                _ => random.pick(LITERALS).to_owned(),
            };
            vec![("header", name(random)), ("value.literal", literal)]
        }
        "DropHeaders" => vec![("headers", names(random))],
        _ => Vec::new(),
    };
    let has_defaults = !matches!(
        class,
        "Flatten"
            | "HoistField"
            | "RegexRouter"
            | "TimestampRouter"
            | "InsertHeader"
            | "DropHeaders"
            | "Filter"
    );
    if has_defaults {
        options.extend(maybe(
            random,
            30,
            "replace.null.with.default",
            &["true", "false", "FALSE", "no"],
        ));
    }
    if random.percent(3) && !options.is_empty() {
        let missing = random.below(options.len());
        options.remove(missing);
    }
    options
}

fn maybe(random: &mut Random, chance: usize, name: &'static str, values: &[&str]) -> Options {
    if random.percent(chance) { vec![(name, random.pick(values).to_owned())] } else { Vec::new() }
}

fn name(random: &mut Random) -> String {
    if random.percent(5) { String::new() } else { random.pick(NAMES).to_owned() }
}

fn names(random: &mut Random) -> String {
    match random.below(30) {
        0 => String::new(),
        1 => "a,a".to_owned(),
        2 => "a,,b".to_owned(),
        3 => "a , b".to_owned(),
        _ => random.some(NAMES, 3),
    }
}

fn spec(random: &mut Random) -> String {
    match random.below(12) {
        0 => random
            .pick(&["", "a", "a:b:c", "a:int8,string", "bytes", "a:struct", "a:int7"])
            .to_owned(),
        1..=3 => random.pick(KINDS).to_owned(),
        _ => {
            let fields = names(random);
            let cast = fields.split(',').map(|field| format!("{field}:{}", random.pick(KINDS)));
            cast.collect::<Vec<_>>().join(",")
        }
    }
}

fn extract_field(random: &mut Random) -> Options {
    let paths = ["a.b", "a.b.c", "`n.x`", "a.`n.x`", "`a", "a.", "`a`b`.c", "ts.id", "größe"];
    let nested = random.percent(50);
    let field = if nested { random.pick(&paths).to_owned() } else { name(random) };
    let mut options = vec![("field", field)];
    let versions: &[&str] = if nested { &["V2", "v2", "V2", "V1"] } else { &["V1", "V3", "V2"] };
    options.extend(maybe(random, if nested { 95 } else { 20 }, "field.syntax.version", versions));
    options
}

fn insert_field(random: &mut Random) -> Options {
    let mut options = Options::new();
    let kinds =
        ["topic.field", "partition.field", "offset.field", "timestamp.field", "static.field"];
    for kind in kinds {
        if random.percent(25) {
            let name = random.pick(&["new", "new2", "made", "a", ""]);
            options.push((kind, format!("{name}{}", random.pick(&["", "!", "?"]))));
        }
    }
    options.extend(maybe(random, 40, "static.value", &["fixed", "", "ü"]));
    options
}

fn replace_field(random: &mut Random) -> Options {
    let mut options = Options::new();
    if random.percent(40) {
        options.push(("exclude", names(random)));
    }
    if random.percent(40) {
        options.push(("include", names(random)));
    }
    // New names that no field has: else the order of a map decides what stays.
    let renames = ["a:alpha", "b:beta,c:gamma", "ts:time", "a", "a:b:c", "a:alpha,b:", ":x"];
    options.extend(maybe(random, 50, "renames", &renames));
    options
}

fn timestamp_converter(random: &mut Random) -> Options {
    let targets = ["string", "unix", "Date", "Time", "Timestamp", "string", "unix", "date"];
    let mut options = vec![("target.type", random.pick(&targets).to_owned())];
    if random.percent(60) {
        options.push(("field", name(random)));
    }
    if random.percent(85) {
        options.push(("format", random.pick(PATTERNS).to_owned()));
    }
    options.extend(maybe(random, 5, "format", &["yyyy b", "'x", "XXXX", " "]));
    let precisions = ["seconds", "milliseconds", "microseconds", "nanoseconds", "minutes"];
    options.extend(maybe(random, 50, "unix.precision", &precisions));
    options
}

fn regex_router(random: &mut Random) -> Options {
    let expressions = [
        "(.*)",
        "sensors\\.(.*)",
        "(?<kind>[a-z]+)[-.](.*)",
        "a|ab",
        "\\w+",
        "[^.]+",
        "(a)(_)?(b)?",
        "\\Qx.y\\E.*",
        "(?i)SENSORS.*",
        ".*-(\\d{4})",
        "x(?=\\.).*",
        "[a-z&&[^x]]+",
        "(t",
        "[",
        "a++b?",
    ];
    let replacements =
        ["new", "$1", "pre-$1", "$0-x", "${kind}", "$2", "a\\$b", "$", "$x", "", "$11", "\\"];
    vec![
        ("regex", random.pick(&expressions).to_owned()),
        ("replacement", random.pick(&replacements).to_owned()),
    ]
}

/// A predicate's class and its options.
pub(crate) fn predicate(random: &mut Random) -> (&'static str, Options) {
    match random.below(3) {
        0 => ("RecordIsTombstone", Vec::new()),
        1 => ("HasHeaderKey", vec![("name", random.pick(NAMES).to_owned())]),
        _ => {
            let topics = random.pick(&["sensors.*", "[a-z]", "t|ab", ".*\\d+", "x\\.y"]);
            ("TopicNameMatches", vec![("pattern", topics.to_owned())])
        }
    }
}
