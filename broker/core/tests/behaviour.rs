//! What one broker does, clause by clause: clients, shards and bridge driven by hand through the
//! shard's public interface, everything they are sent decoded.

#[path = "behaviour/access.rs"]
mod access;
#[path = "behaviour/bounds.rs"]
mod bounds;
#[path = "behaviour/durability.rs"]
mod durability;
#[path = "behaviour/harness.rs"]
mod harness;
#[path = "behaviour/inbound.rs"]
mod inbound;
#[path = "behaviour/lifetime.rs"]
mod lifetime;
#[path = "behaviour/outbound.rs"]
mod outbound;
#[path = "behaviour/shared.rs"]
mod shared;
#[path = "behaviour/store.rs"]
mod store;
#[path = "behaviour/subscriptions.rs"]
mod subscriptions;
#[path = "behaviour/wills.rs"]
mod wills;
