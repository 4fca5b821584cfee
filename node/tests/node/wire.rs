//! The wire of a node, on which a test holds messages back.

use leyden_node::host::{Verdict, Way, WireMessage, WireTap};
use std::collections::BTreeSet;
use tokio::sync::watch;

/// Holds each message of some kinds, and all that come behind it, until they are let through.
#[derive(Default)]
pub(crate) struct Wire(watch::Sender<BTreeSet<(bool, &'static str)>>);

fn kind(way: Way, message: &'static str) -> (bool, &'static str) {
    (way == Way::Out, message)
}

impl Wire {
    /// From now on messages of this kind do not go on.
    pub(crate) fn hold(&self, way: Way, message: &'static str) {
        self.0.send_modify(|held| {
            held.insert(kind(way, message));
        });
    }

    /// Lets those through that came, and that will come.
    pub(crate) fn release(&self, way: Way, message: &'static str) {
        self.0.send_modify(|held| {
            held.remove(&kind(way, message));
        });
    }
}

impl WireTap for Wire {
    fn judge(&self, message: &WireMessage) -> Verdict {
        let Some(kind) = message.name().map(|name| kind(message.way, name)) else { return Verdict::Pass };
        if !self.0.borrow().contains(&kind) {
            return Verdict::Pass;
        }
        let mut held = self.0.subscribe();
        Verdict::Hold(Box::pin(async move {
            // If the test is over, nobody reads it.
            let released = held.wait_for(|held| !held.contains(&kind)).await;
            if released.is_ok() { Verdict::Pass } else { Verdict::Drop }
        }))
    }
}
