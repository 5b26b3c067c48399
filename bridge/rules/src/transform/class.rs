//! The classes of transforms and predicates that a property file may name.

use std::sync::Arc;

use super::side::Side;
use super::{Predicate, Transform};
use super::{
    cast, drop_headers, extract_field, extract_topic, filter, flatten, header_from, hoist_field,
    insert_field, insert_header, mask_field, predicate, regex_router, replace_field,
    set_schema_metadata, timestamp_converter, timestamp_router, value_to_key,
};
use crate::options::{Default, Importance, Kind, OptionDef, Options};

/// What several transforms have.
pub(super) const REPLACE_NULL_WITH_DEFAULT: OptionDef = OptionDef::new(
    "replace.null.with.default",
    Kind::Boolean,
    Default::Text("true"),
    Importance::Medium,
    "Whether to replace fields that have a default value and that are null to the default value. \
     When set to true, the default value is used, otherwise null is used.",
);

/// What building gives, or what is wrong with options that are good each by itself.
type Built<T> = Result<Arc<T>, String>;

/// A transform that a property file may name.
#[derive(Debug)]
pub struct TransformClass {
    /// Its full name in Java.
    pub name: &'static str,
    /// Its options, without the two that every transform has.
    pub options: &'static [OptionDef],
    pub(super) build: fn(&Options, i64) -> Built<dyn Transform>,
}

/// A predicate that a property file may name.
#[derive(Debug)]
pub struct PredicateClass {
    /// Its full name in Java.
    pub name: &'static str,
    /// Its options.
    pub options: &'static [OptionDef],
    pub(super) build: fn(&Options) -> Built<dyn Predicate>,
}

impl TransformClass {
    /// The options that every transform has beside its own, after `type`.
    pub const COMMON: &'static [OptionDef] = &[
        OptionDef::new(
            "predicate",
            Kind::String,
            Default::Null,
            Importance::Medium,
            "The alias of a predicate used to determine whether to apply this transformation.",
        ),
        OptionDef::new(
            "negate",
            Kind::Boolean,
            Default::Text("false"),
            Importance::Medium,
            "Whether the configured predicate should be negated.",
        ),
    ];

    /// Its name without the package.
    #[must_use]
    pub fn simple_name(&self) -> &'static str {
        simple_name(self.name)
    }
}

impl PredicateClass {
    /// Its name without the package.
    #[must_use]
    pub fn simple_name(&self) -> &'static str {
        simple_name(self.name)
    }
}

fn simple_name(name: &'static str) -> &'static str {
    name.rsplit_once('.').map_or(name, |(_, simple)| simple)
}

/// One of Kafka's own transforms for keys and for values.
macro_rules! sided {
    ($name:literal, $module:ident, $build:expr) => {
        [
            TransformClass {
                name: concat!("org.apache.kafka.connect.transforms.", $name, "$Key"),
                options: $module::OPTIONS,
                build: |options, now| ($build)(Side::Key, options, now),
            },
            TransformClass {
                name: concat!("org.apache.kafka.connect.transforms.", $name, "$Value"),
                options: $module::OPTIONS,
                build: |options, now| ($build)(Side::Value, options, now),
            },
        ]
    };
}

/// One of Kafka's own transforms for whole records.
macro_rules! whole {
    ($name:literal, $options:expr, $build:expr) => {
        [TransformClass {
            name: concat!("org.apache.kafka.connect.transforms.", $name),
            options: $options,
            build: $build,
        }]
    };
}

/// Of transforms that cannot fail to be built.
fn ready(transform: impl Transform + 'static) -> Built<dyn Transform> {
    Ok(Arc::new(transform))
}

/// Of those that can.
fn tried<T: Transform + 'static>(built: Result<T, String>) -> Built<dyn Transform> {
    ready(built?)
}

static CLASSES: &[&[TransformClass]] = &[
    &sided!("Cast", cast, |side, options, _| tried(cast::Cast::new(side, options))),
    &whole!("DropHeaders", drop_headers::OPTIONS, |options, _| ready(
        drop_headers::DropHeaders::new(options)
    )),
    &sided!("ExtractField", extract_field, |side, options, _| tried(
        extract_field::ExtractField::new(side, options)
    )),
    &[
        TransformClass {
            name: "io.confluent.connect.transforms.ExtractTopic$Header",
            options: extract_topic::HEADER_OPTIONS,
            build: |options, _| ready(extract_topic::ExtractTopic::of_header(options)),
        },
        TransformClass {
            name: "io.confluent.connect.transforms.ExtractTopic$Key",
            options: extract_topic::OPTIONS,
            build: |options, _| tried(extract_topic::ExtractTopic::of(Side::Key, options)),
        },
        TransformClass {
            name: "io.confluent.connect.transforms.ExtractTopic$Value",
            options: extract_topic::OPTIONS,
            build: |options, _| tried(extract_topic::ExtractTopic::of(Side::Value, options)),
        },
    ],
    &whole!("Filter", &[], |_, _| ready(filter::Filter)),
    &sided!("Flatten", flatten, |side, options, _| ready(flatten::Flatten::new(side, options))),
    &sided!("HeaderFrom", header_from, |side, options, _| tried(header_from::HeaderFrom::new(
        side, options
    ))),
    &sided!("HoistField", hoist_field, |side, options, _| ready(hoist_field::HoistField::new(
        side, options
    ))),
    &sided!("InsertField", insert_field, |side, options, _| tried(insert_field::InsertField::new(
        side, options
    ))),
    &whole!("InsertHeader", insert_header::OPTIONS, |options, _| ready(
        insert_header::InsertHeader::new(options)
    )),
    &sided!("MaskField", mask_field, |side, options, _| ready(mask_field::MaskField::new(
        side, options
    ))),
    &whole!("RegexRouter", regex_router::OPTIONS, |options, _| tried(
        regex_router::RegexRouter::new(options)
    )),
    &sided!("ReplaceField", replace_field, |side, options, _| tried(
        replace_field::ReplaceField::new(side, options)
    )),
    &sided!("SetSchemaMetadata", set_schema_metadata, |side, options, _| tried(
        set_schema_metadata::SetSchemaMetadata::new(side, options)
    )),
    &sided!("TimestampConverter", timestamp_converter, |side, options, now| tried(
        timestamp_converter::TimestampConverter::new(side, options, now)
    )),
    &whole!("TimestampRouter", timestamp_router::OPTIONS, |options, now| tried(
        timestamp_router::TimestampRouter::new(options, now)
    )),
    &whole!("ValueToKey", value_to_key::OPTIONS, |options, _| ready(
        value_to_key::ValueToKey::new(options)
    )),
];

static PREDICATES: &[PredicateClass] = &[
    PredicateClass {
        name: "org.apache.kafka.connect.transforms.predicates.HasHeaderKey",
        options: predicate::HEADER_OPTIONS,
        build: |options| Ok(Arc::new(predicate::HasHeaderKey::new(options))),
    },
    PredicateClass {
        name: "org.apache.kafka.connect.transforms.predicates.RecordIsTombstone",
        options: &[],
        build: |_| Ok(Arc::new(predicate::RecordIsTombstone)),
    },
    PredicateClass {
        name: "org.apache.kafka.connect.transforms.predicates.TopicNameMatches",
        options: predicate::TOPIC_OPTIONS,
        build: |options| Ok(Arc::new(predicate::TopicNameMatches::new(options)?)),
    },
];

/// Every transform, by name.
pub fn transforms() -> impl Iterator<Item = &'static TransformClass> {
    CLASSES.iter().copied().flatten()
}

/// Every predicate, by name.
pub fn predicates() -> impl Iterator<Item = &'static PredicateClass> {
    PREDICATES.iter()
}

/// The transform of this name, with its package or without.
#[must_use]
pub fn transform_class(name: &str) -> Option<&'static TransformClass> {
    transforms().find(|class| class.name == name || class.simple_name() == name)
}

/// The predicate of this name, with its package or without.
#[must_use]
pub fn predicate_class(name: &str) -> Option<&'static PredicateClass> {
    predicates().find(|class| class.name == name || class.simple_name() == name)
}
