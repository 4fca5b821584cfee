//! How often something has happened outside of the node: as the author counts it, or as commands that the node was given.

use std::panic::Location;
use std::pin::Pin;

use leyden_mock_plugins::{Mock, MockPlugin};
use leyden_protocol::hook::Filter;

use crate::error::Result;
use crate::event::Direction;
use crate::node::Node;
use crate::transcript::Frame;

/// The mock that sees commands.
const WITNESS: &str = "replay-witness";

type Counting = Pin<Box<dyn Future<Output = Result<usize>> + Send>>;

/// Everything that the author wants counted.
#[derive(Default)]
pub(super) struct Effects(Vec<Effect>);

struct Effect {
    name: String,
    seen: Seen,
}

enum Seen {
    /// How often it has happened since the net began.
    Counted(Box<dyn Fn() -> Counting + Send + Sync>),
    /// The node was given the command of this name.
    Command,
}

impl Effects {
    pub(super) fn counted(&mut self, name: String, count: impl Fn() -> Counting + Send + Sync + 'static) {
        self.0.push(Effect { name, seen: Seen::Counted(Box::new(count)) });
    }

    pub(super) fn command(&mut self, method: String) {
        self.0.push(Effect { name: method, seen: Seen::Command });
    }

    /// Lets the node show its commands, from now on and after each start, if any are to be counted.
    pub(super) async fn watch(&self, node: &Node, at: &'static Location<'static>) -> Result {
        let commands = self.0.iter().filter(|effect| matches!(effect.seen, Seen::Command));
        let filters: Vec<Filter> = commands.map(|effect| Filter::Method(effect.name.clone())).collect();
        if filters.is_empty() || node.mock(WITNESS).is_some() {
            return Ok(());
        }
        let witness = Mock::hook("rpc_command").filters(filters).named(WITNESS);
        node.mount_for_good(MockPlugin::new(witness), at).await
    }

    /// How often each has happened since the net began; of commands, since a place in the timeline.
    pub(super) async fn count(&self, node: &Node, since: u64) -> Result<Vec<usize>> {
        let mut counts = Vec::with_capacity(self.0.len());
        for effect in &self.0 {
            counts.push(match &effect.seen {
                Seen::Counted(count) => count().await?,
                Seen::Command => commands(node, &effect.name, since).len(),
            });
        }
        Ok(counts)
    }

    pub(super) fn names(&self) -> Vec<String> {
        self.0.iter().map(|effect| effect.name.clone()).collect()
    }
}

/// The calls of a command that a node was given, as the witness was shown them.
pub(super) fn commands(node: &Node, method: &str, since: u64) -> Vec<Frame> {
    let shown = node.transcript(WITNESS).only(["rpc_command"]).since(since);
    let is_it = |frame: &&Frame| {
        let params = frame.params().unwrap_or_default();
        frame.direction == Direction::ToPlugin && params["rpc_command"]["method"] == method
    };
    shown.frames().iter().filter(is_it).cloned().collect()
}
