//! The direction of dependencies, read off the manifests.
//!
//! Invariant: an arrow between our crates stands in [`ARROWS`] or does not exist, and `rdkafka`
//! is named under `bridge/src/kafka` and in the benchmarks alone.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use midge_tests::repository;

/// Every crate with the crates of ours it may use, lowest first. A new arrow is a decision: it
/// comes with its own commit and reason.
const ARROWS: &[(&str, &[&str])] = &[
    // Pure: no files, sockets, clocks or threads.
    ("midge-codec", &[]),
    ("midge-core", &["midge-codec"]),
    ("midge-acl", &[]),
    ("midge-rules", &["midge-codec"]),
    // The edge: files.
    ("midge-store", &[]),
    ("midge-certs", &[]),
    ("midge-config", &["midge-codec", "midge-rules"]),
    // Kafka.
    ("midge-bridge", &["midge-codec", "midge-core", "midge-rules", "midge-store", "midge-config"]),
    // Everything comes together here.
    (
        "midge",
        &[
            "midge-codec",
            "midge-core",
            "midge-acl",
            "midge-rules",
            "midge-store",
            "midge-certs",
            "midge-config",
            "midge-bridge",
        ],
    ),
    // From outside: the binary alone, and the codec to speak to it.
    ("midge-tests", &["midge-codec"]),
    ("midge-bench", &[]),
    ("midge-guard", &[]),
];

/// Crates that do no IO: what must not be among their dependencies.
const PURE: &[&str] = &["midge-codec", "midge-core", "midge-acl", "midge-rules"];

/// Crates that bring IO, threads, clocks or a runtime.
const IMPURE: &[&str] =
    &["tokio", "mio", "socket2", "rustix", "libc", "rdkafka", "rustls", "tempfile", "config"];

struct Manifest {
    directory: PathBuf,
    name: String,
    dependencies: BTreeSet<String>,
    development: BTreeSet<String>,
}

fn manifests() -> BTreeMap<String, Manifest> {
    let root: toml::Table = read(&repository().join("Cargo.toml"));
    let members = root["workspace"]["members"].as_array().expect("a list of members");
    let manifests = members.iter().map(|member| {
        let directory = repository().join(member.as_str().expect("a path"));
        let manifest: toml::Table = read(&directory.join("Cargo.toml"));
        let name = manifest["package"]["name"].as_str().expect("a name").to_owned();
        let dependencies = section(&manifest, &["dependencies", "build-dependencies"]);
        let development = section(&manifest, &["dev-dependencies"]);
        (name.clone(), Manifest { directory, name, dependencies, development })
    });
    manifests.collect()
}

/// The names in these tables, those for one platform included.
fn section(manifest: &toml::Table, names: &[&str]) -> BTreeSet<String> {
    let platforms = manifest.get("target").and_then(toml::Value::as_table);
    let platforms = platforms.into_iter().flat_map(toml::Table::values);
    let tables = std::iter::once(manifest).chain(platforms.filter_map(toml::Value::as_table));
    let tables = tables.flat_map(|table| names.iter().filter_map(|&name| table.get(name)));
    let tables = tables.map(|table| table.as_table().expect("a table"));
    tables.flat_map(|table| table.iter().map(|(key, value)| package(key, value))).collect()
}

/// A dependency may be renamed.
fn package(key: &str, value: &toml::Value) -> String {
    let package = value.as_table().and_then(|table| table.get("package")?.as_str());
    package.unwrap_or(key).to_owned()
}

fn read(path: &Path) -> toml::Table {
    let text = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{path:?}: {error}"));
    text.parse().unwrap_or_else(|error| panic!("{path:?}: {error}"))
}

fn ours(names: &BTreeSet<String>) -> impl Iterator<Item = &str> {
    names.iter().map(String::as_str).filter(|name| *name == "midge" || name.starts_with("midge-"))
}

#[test]
fn every_crate_of_the_workspace_stands_in_the_table() {
    let listed: BTreeSet<&str> = ARROWS.iter().map(|(name, _)| *name).collect();
    let manifests = manifests();
    let found: BTreeSet<&str> = manifests.keys().map(String::as_str).collect();
    assert_eq!(found, listed);
}

#[test]
fn dependencies_point_one_way() {
    for (position, (name, allowed)) in ARROWS.iter().enumerate() {
        for target in *allowed {
            let place = ARROWS.iter().position(|(name, _)| name == target);
            assert!(
                place.expect("a crate of ours") < position,
                "{name} -> {target} points upwards"
            );
        }
    }
    for manifest in manifests().values() {
        let (_, allowed) = ARROWS.iter().find(|(name, _)| *name == manifest.name).expect("listed");
        for target in ours(&manifest.dependencies) {
            assert!(allowed.contains(&target), "{} -> {target} is a new arrow", manifest.name);
        }
        for target in *allowed {
            let found = ours(&manifest.dependencies).any(|name| name == *target);
            assert!(found, "{} -> {target} is an arrow no more", manifest.name);
        }
    }
}

#[test]
fn tests_of_a_crate_do_not_reach_above_it() {
    let order = |name: &str| ARROWS.iter().position(|(listed, _)| *listed == name).expect("listed");
    for manifest in manifests().values() {
        for target in ours(&manifest.development) {
            assert!(
                order(target) <= order(&manifest.name),
                "{} tests with {target}",
                manifest.name
            );
        }
    }
}

#[test]
fn pure_crates_depend_on_nothing_that_does_io() {
    let manifests = manifests();
    for name in PURE {
        for impure in IMPURE {
            assert!(!manifests[*name].dependencies.contains(*impure), "{name} -> {impure}");
        }
    }
}

#[test]
fn rdkafka_is_named_in_the_bridge_alone() {
    let users: Vec<String> = manifests()
        .into_values()
        .filter(|manifest| manifest.dependencies.contains("rdkafka"))
        .map(|manifest| manifest.name)
        .filter(|name| name != "midge-bench")
        .collect();
    assert_eq!(users, ["midge-bridge"]);

    let bridge = repository().join("bridge/src");
    let mut named = Vec::new();
    for file in sources(&bridge) {
        let text = std::fs::read_to_string(&file).expect("a source file");
        let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
        if code.into_iter().any(|line| line.contains("rdkafka::")) {
            named.push(file);
        }
    }
    assert!(!named.is_empty(), "nobody uses rdkafka: this test looks in the wrong place");
    for file in named {
        let inside = file.strip_prefix(&bridge).expect("in the bridge");
        assert!(inside.starts_with("kafka") || inside == Path::new("kafka.rs"), "{file:?}");
    }
}

#[test]
fn unsafe_and_lints_are_one_table_for_all() {
    for manifest in manifests().values() {
        let table = read(&manifest.directory.join("Cargo.toml"));
        let inherited = table["lints"]["workspace"].as_bool();
        assert_eq!(inherited, Some(true), "{}: [lints] workspace = true", manifest.name);
    }
}

fn sources(directory: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(directory).expect("a directory").map(Result::unwrap) {
        let path = entry.path();
        if path.is_dir() {
            files.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files
}
