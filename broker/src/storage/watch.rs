//! How the store fares, told to all who have to act on it.
//!
//! The store itself logs why; here is logged, once a change, what it means.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};

use midge_config::Persistence;
use midge_store::{State, Store};
use tracing::{error, info, warn};

use crate::hub::Hub;
use crate::worker::inbox::Letter;

/// Segments that a store has in reserve while it is not full.
const RESERVE: u64 = 2;

/// Follows the state of the store for as long as there is a hub.
pub(crate) fn watch(store: &Store, hub: &Arc<Hub>, persistence: &Persistence) {
    let hub = Arc::downgrade(hub);
    let needed = RESERVE * persistence.segment_bytes;
    let full = AtomicBool::new(false);
    store.on_state(Box::new(move |state| heed(state, &hub, needed, &full)));
}

fn heed(state: &State, hub: &Weak<Hub>, needed: u64, full: &AtomicBool) {
    let Some(hub) = hub.upgrade() else { return };
    match state {
        State::Healthy => {
            if full.swap(false, Ordering::Relaxed) {
                info!("what has to be stored is accepted again");
                tell(&hub, false);
            }
        }
        State::Full { .. } => {
            if !full.swap(true, Ordering::Relaxed) {
                warn!("what has to be stored is refused until {needed} bytes are free");
                tell(&hub, true);
            }
        }
        State::Failed { why } => {
            error!("nothing is acknowledged any more, the broker ends");
            hub.fail(why);
        }
    }
}

fn tell(hub: &Hub, full: bool) {
    for inbox in &hub.inboxes {
        inbox.push(Letter::StoreFull(full));
    }
}
