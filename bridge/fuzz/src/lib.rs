//! The part of the bridge that needs no Kafka, with ways in that take whatever bytes there are.
//!
//! `src/connect` is the bridge's own directory: librdkafka would take longer to build, instrumented
//! once more, than all targets run.

// Not everything of the bridge is reached from here, and its front door is not this one.
#![allow(dead_code, unused_imports, unreachable_pub)]

pub mod properties;
pub mod rest;

mod connect {
    pub(crate) mod class;
    mod definition;
    mod definitions;
    /// The topics of a group are Kafka's; what stands in their records is not.
    mod distributed {
        mod config_record;

        pub(crate) use config_record::*;
    }
    pub(crate) mod engine;
    mod group;
    pub(crate) mod herder;
    pub(crate) mod plan;
    pub(crate) mod rest;
    mod status;

    pub(crate) use definition::*;
    pub(crate) use definitions::*;
    pub(crate) use distributed::*;
    pub(crate) use engine::*;
    pub(crate) use group::*;
    pub(crate) use herder::*;
    pub(crate) use rest::*;
    pub(crate) use status::*;
}

/// What stands for librdkafka, which judges single properties: it knows none that begins with `x`,
/// and takes no empty value.
mod kafka {
    #[derive(Debug, thiserror::Error)]
    pub(crate) enum PropertyFault {
        #[error("the client knows no such property")]
        Unknown,
        #[error("{0}")]
        Value(String),
    }

    pub(crate) fn check_property(name: &str, value: &str, _: bool) -> Result<(), PropertyFault> {
        match (name.starts_with('x'), value.is_empty()) {
            (true, _) => Err(PropertyFault::Unknown),
            (_, true) => Err(PropertyFault::Value("found nothing".to_owned())),
            _ => Ok(()),
        }
    }
}

/// A worker whose broker listens on 1883, which calls itself `broker.test` and has a disk.
fn worker() -> connect::plan::Worker {
    connect::plan::Worker {
        local_hosts: vec!["broker.test".to_owned()],
        local_ports: vec![1883],
        persistent: true,
        ..Default::default()
    }
}
