//! Whoever waits for a new block is told at once: the nodes, and the timeline.

use std::sync::Arc;
use std::time::Duration;

use crate::bitcoind::Bitcoind;
use crate::event::EventKind;
use crate::mock_chain::MockChain;
use crate::node::Node;
use crate::timeline::Timeline;
use crate::wait::every;

/// How often bitcoind is asked for its tip, for all nodes together: of blocks that were mined past the net nobody tells.
const CHAIN_PACE: Duration = Duration::from_millis(100);

/// Records new tips and tells the nodes, which would notice only when they next look by themselves.
pub(crate) async fn follow_chain(bitcoind: Arc<Bitcoind>, nodes: Vec<Node>, timeline: Timeline) {
    let (mut tick, mut mined) = (every(CHAIN_PACE), bitcoind.mined());
    let mut known = None;
    loop {
        tokio::select! {
            _ = tick.tick() => {}
            // What was mined by the test itself is told at once. Who tells cannot be gone: it is held here.
            changed = mined.changed() => drop(changed),
        }
        // A bitcoind that does not answer is the business of those who ask for an answer.
        let Ok(hash) = bitcoind.best_block_hash().await else { continue };
        if known == Some(hash) {
            continue;
        }
        let Ok(height) = bitcoind.block_count().await else { continue };
        timeline.record(None, EventKind::Block { height, hash: hash.to_string() });
        if known.replace(hash).is_some() {
            nodes.iter().for_each(Node::poke_chain);
        }
    }
}

/// As [`follow_chain`], with a chain that tells of its changes.
pub(crate) async fn follow_mock(chain: MockChain, nodes: Vec<Node>, timeline: Timeline) {
    let mut changes = chain.changes();
    let mut known = None;
    loop {
        let hash = chain.best_block_hash();
        if known.replace(hash) != Some(hash) {
            let height = chain.block_count();
            timeline.record(None, EventKind::Block { height, hash: hash.to_string() });
        }
        nodes.iter().for_each(Node::poke_chain);
        // The chain cannot be gone: it is held here.
        drop(changes.changed().await);
    }
}
