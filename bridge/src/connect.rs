//! Connectors as Kafka Connect knows them: made of properties, with tasks and states, by REST.

mod definition;
mod definitions;
mod engine;
mod herder;
mod status;

pub use definition::{Definition, Owner, Properties, TargetState};
pub use definitions::Definitions;
pub use engine::{ConnectorPlan, Engine, Failed, InvalidConfig, TaskHandle, TaskPlan};
pub use herder::{Description, Herder, HerderError};
pub use status::{Condition, ConnectorCondition, RunState};
