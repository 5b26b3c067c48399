//! What the bridge asks of the broker that carries it.

use std::sync::Arc;
use std::sync::mpsc::Receiver;

use midge_codec::ReasonCode;
use midge_core::{DutyId, Inject, ShardId, Tap, TapId};

/// The broker, as the bridge sees it.
///
/// All calls come from threads of the bridge or from within [`Bridge::offer`](crate::Bridge::offer);
/// they must not block and must not call back into the bridge.
pub trait Host: Send + Sync + 'static {
    /// Duties that are met or refused; drains `done`.
    fn duties_done(&self, done: &mut Vec<(ShardId, DutyId, ReasonCode)>);

    /// A connector cannot take more (`true`), or can again. Calls for one tap come in order.
    fn tap_full(&self, tap: TapId, full: bool);

    /// Publishes for the shards, in their order; drains `injects`. Each outcome comes back through
    /// [`Bridge::injected`](crate::Bridge::injected) with the ticket it carries, and has to come
    /// back: until then the record's offset stays where it is. May be called before
    /// [`Bridge::start`](crate::Bridge::start) has returned.
    fn inject(&self, injects: &mut Vec<Box<Inject>>);

    /// Puts these source rules in force instead of those before. What is returned closes once all
    /// shards have them: no message is offered to a rule that is gone after that, and none that is
    /// published after it passes by a rule that has come.
    fn retap(&self, taps: &Arc<[Tap]>) -> Receiver<()>;

    /// All connectors of this host have ended, and nothing more will be heard of what they were
    /// given. The broker around the bridge has a life of its own; a connection to another one has
    /// not. Unlike the others it may wait for a moment.
    fn end(&self) {}
}
