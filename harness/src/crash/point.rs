//! The points at which a node can be stopped dead, in words.

use std::fmt;

use leyden_node::host::Phase;
use leyden_protocol::Envelope;
use leyden_protocol::catalogue::HOOKS;

use crate::error::{Error, Result};
use crate::event::{Direction, EventKind};
use crate::node::Node;

/// A commit of a node's database. What only reads commits nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "say on which side of the commit: `before()`, `after()` or `after_send()`"]
pub struct Commit {
    nth: usize,
}

impl Commit {
    /// The `nth` commit, from 1, since the crash was armed.
    ///
    /// # Panics
    /// If it is 0.
    pub fn nth(nth: usize) -> Self {
        assert!(nth > 0, "commits are counted from 1");
        Self { nth }
    }

    /// Plugins with `db_write` have answered; nothing of the transaction is in the database.
    pub fn before(self) -> CrashPoint {
        self.point(Phase::Before)
    }

    /// The transaction is in the database; nothing that it caused has left the node.
    pub fn after(self) -> CrashPoint {
        self.point(Phase::After)
    }

    /// All that it caused has been written: to peers, plugins, clients and the Bitcoin backend.
    pub fn after_send(self) -> CrashPoint {
        self.point(Phase::AfterSend)
    }

    fn point(self, phase: Phase) -> CrashPoint {
        CrashPoint { moment: Moment::Commit(phase), nth: self.nth }
    }
}

/// A call of a hook of any plugin, as it passes between node and plugin.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "give it to `net.crash(&node).at(..)`"]
pub struct Hook(CrashPoint);

impl Hook {
    /// The plugin is given the call, and the node does not live to hear its answer.
    pub fn called(hook: impl Into<String>) -> Self {
        Self(CrashPoint { moment: Moment::Called(hook.into()), nth: 1 })
    }

    /// The plugin has answered, and the node does not live to hear it.
    pub fn answered(hook: impl Into<String>) -> Self {
        Self(CrashPoint { moment: Moment::Answered(hook.into()), nth: 1 })
    }

    /// Not the next one but the `nth`, from 1.
    ///
    /// # Panics
    /// If it is 0.
    pub fn nth(mut self, nth: usize) -> Self {
        assert!(nth > 0, "calls are counted from 1");
        self.0.nth = nth;
        self
    }
}

impl From<Hook> for CrashPoint {
    fn from(hook: Hook) -> Self {
        hook.0
    }
}

/// A point in a node's life; made from a [`Commit`] or a [`Hook`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "give it to `net.crash(&node).at(..)`"]
pub struct CrashPoint {
    pub(crate) moment: Moment,
    pub(crate) nth: usize,
}

/// What happens at such a point.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Moment {
    Commit(Phase),
    Called(String),
    Answered(String),
}

impl CrashPoint {
    /// Whether there is such a hook.
    #[track_caller]
    pub(crate) fn check(&self) -> Result {
        match &self.moment {
            Moment::Called(hook) | Moment::Answered(hook) if HOOKS.iter().all(|known| known.name != hook) => {
                let known: Vec<&str> = HOOKS.iter().map(|hook| hook.name).collect();
                Err(Error::test(format!("a point {self}"))
                    .expected(format!("one of the hooks {}", known.join(", ")))
                    .came("there is no such hook"))
            }
            _ => Ok(()),
        }
    }

    /// Whether a real lightningd can be stopped there: what goes between it and its plugins is all that can be seen of it.
    #[track_caller]
    pub(super) fn check_lightningd(&self, node: &Node) -> Result {
        let doing = || Error::test(format!("{}, a real lightningd: a crash {self}", node.name()));
        match self.moment {
            Moment::Commit(Phase::After | Phase::AfterSend) => Err(doing()
                .came("nobody but lightningd knows when it has committed")
                .advice("use Commit::nth(..).before() or a Hook, or an embedded node")),
            Moment::Commit(Phase::Before) if !shows_writes(node) => Err(doing()
                .came("none of its plugins has the hook db_write, by whose answers its commits are known")
                .advice("build the net with a mock on it: .mount(\"l2\", Mock::hook(\"db_write\"))")),
            _ => Ok(()),
        }
    }
}

/// Whether any plugin of a node has been asked about what it writes.
fn shows_writes(node: &Node) -> bool {
    let is_call = |kind: &EventKind| match kind {
        EventKind::Frame { direction: Direction::ToPlugin, text, .. } => {
            Envelope::parse(text).and_then(|frame| frame.method_name()).is_some_and(|name| name == "db_write")
        }
        _ => false,
    };
    let events = node.timeline().events();
    events.iter().any(|event| event.node.as_deref() == Some(node.name()) && is_call(&event.kind))
}

impl fmt::Display for CrashPoint {
    /// Such as `before its commit 7` or `when htlc_accepted is called`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { moment, nth } = self;
        let (hook, done) = match moment {
            Moment::Commit(Phase::Before) => return write!(f, "before its commit {nth}"),
            Moment::Commit(Phase::After) => return write!(f, "after its commit {nth}"),
            Moment::Commit(Phase::AfterSend) => {
                return write!(f, "after its commit {nth} and all that it sent");
            }
            Moment::Called(hook) => (hook, "called"),
            Moment::Answered(hook) => (hook, "answered"),
        };
        match nth {
            1 => write!(f, "when {hook} is {done}"),
            nth => write!(f, "when {hook} is {done} for the time {nth}"),
        }
    }
}
