//! The shards as they begin: each has back what is its own, and all have told each other.

use std::collections::VecDeque;

use midge_core::stored::Restored;
use midge_core::{In, Now, Out, Shard, ShardId};

/// A shard, and what it wants done before anything else.
pub(crate) struct Beginning {
    pub(crate) shard: Shard,
    /// In its order; none of it is for another shard.
    pub(crate) outs: Vec<Out>,
}

/// Gives the shards what the store had for them, and carries their messages to each other until
/// there are none left.
pub(crate) fn begin(now: Now, mut shards: Vec<Shard>, restored: Vec<Restored>) -> Vec<Beginning> {
    for (shard, restored) in shards.iter_mut().zip(restored) {
        shard.restore(now, restored);
    }
    let mut outs: Vec<Vec<Out>> = shards.iter().map(|_| Vec::new()).collect();
    let mut letters = VecDeque::new();
    loop {
        for (from, (shard, outs)) in shards.iter_mut().zip(&mut outs).enumerate() {
            while let Some(out) = shard.poll() {
                match out {
                    Out::Peer { to, message } => {
                        letters.push_back((ShardId(from as u8), to, message));
                    }
                    out => outs.push(out),
                }
            }
        }
        if letters.is_empty() {
            break;
        }
        for (from, to, message) in letters.drain(..) {
            shards[usize::from(to.0)].handle(now, In::Peer { from, message });
        }
    }
    shards.into_iter().zip(outs).map(|(shard, outs)| Beginning { shard, outs }).collect()
}
