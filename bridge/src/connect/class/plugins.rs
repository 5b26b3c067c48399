//! The classes a worker has, as `/connector-plugins` lists them.

use midge_rules::{converter, transform};

use super::CLASSES;
use crate::connect::engine::Plugin;

/// The one version of all classes.
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The converter of headers that is none of keys and values.
const SIMPLE_HEADERS: &str = "org.apache.kafka.connect.storage.SimpleHeaderConverter";

/// Connectors first, then transformations, predicates, converters and those of headers.
#[must_use]
pub fn plugins() -> Vec<Plugin> {
    let plugin = |kind| move |class| Plugin { class, kind, version: VERSION };
    let connectors = CLASSES
        .iter()
        .flat_map(|class| class.names.iter().map(|name| plugin(class.direction.name())(*name)));
    let transforms = transform::transforms().map(|class| plugin("transformation")(class.name));
    let predicates = transform::predicates().map(|class| plugin("predicate")(class.name));
    let converters = converter::CLASSES.iter().copied();
    // A converter that asks a registry is none of headers.
    let of_headers = converters.clone().filter(|class| !class.ends_with("AvroConverter"));
    let of_headers = of_headers.chain([SIMPLE_HEADERS]).map(plugin("header_converter"));
    let groups: [Vec<Plugin>; 5] = [
        connectors.collect(),
        transforms.collect(),
        predicates.collect(),
        converters.map(plugin("converter")).collect(),
        of_headers.collect(),
    ];
    let mut all = Vec::new();
    for mut group in groups {
        group.sort_by_key(|plugin| plugin.class);
        all.append(&mut group);
    }
    all
}
