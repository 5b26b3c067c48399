//! Connectors as Kafka Connect knows them: made of properties, with tasks and states, by REST.

pub mod class;
mod definition;
mod definitions;
mod distributed;
mod engine;
mod group;
mod herder;
pub mod plan;
pub mod registry;
mod resolved;
mod rest;
mod runner;
#[cfg(test)]
mod stage;
mod status;

pub use definition::{Definition, Owner, Properties, TargetState};
pub use definitions::Definitions;
pub use distributed::Distributed;
pub use engine::{
    ConfigKey, ConfigValue, ConnectorPlan, Engine, Failed, InvalidConfig, NotAltered, Offset,
    Offsets, Plugin, TaskHandle, TaskPlan, Validation,
};
pub use group::{Change, Group, Unit};
pub use herder::{Description, Herder, HerderError};
pub use resolved::Resolved;
pub use rest::{
    About, Access, BODY_MAX, LogLevels, Rest, RestSettings, Server, TopicTracking, UNDER_WAY_MAX,
};
pub(crate) use runner::is_rule_of;
pub use runner::{Authenticate, Runner};
pub use status::{Condition, ConnectorCondition, RunState};
