//! Crash points: a node is stopped dead, as `kill -9` does it, at a commit of its database or at a call of a hook, and can be started again.

mod point;
mod rules;

use std::panic::Location;

use tokio::sync::watch;

use crate::backend::Backend;
use crate::backup::DbWrite;
use crate::error::{Error, Result};
use crate::net::Net;
use crate::node::Node;

pub(crate) use point::Moment;
pub use point::{Commit, CrashPoint, Hook};
pub(crate) use rules::CrashRules;
use rules::Fired;

impl Net {
    /// Stops a node dead at a point of its life, as `kill -9` does: nothing further is committed, sent or answered. The crash is no complaint,
    /// and [`Node::start`] brings the node back.
    ///
    /// ```no_run
    /// # async fn test(net: leyden::Net, l1: leyden::Node, l2: leyden::Node) -> leyden::Result {
    /// use leyden::{Commit, Hook, Units};
    /// // l2 has told its plugin of the HTLC, and does not live to hear the answer.
    /// let crash = net.crash(&l2).at(Hook::called("htlc_accepted"))?;
    /// let (paid, crashed) = tokio::join!(l1.pay(&l2, 1_000.sat()), crash.happened());
    /// # drop((paid, crashed));
    /// // Now it has committed, and nobody has heard of it.
    /// let crash = net.crash(&l2).at(Commit::nth(3).after())?;
    /// # drop(crash); Ok(()) }
    /// ```
    ///
    /// A point at a commit wants an embedded node. A real lightningd can be stopped before a commit, if it has a plugin with the hook `db_write`,
    /// such as `Mock::hook("db_write")`, and at a call of any hook.
    pub fn crash(&self, node: &Node) -> CrashRule {
        CrashRule { node: node.clone() }
    }
}

/// A node that is to crash; made by [`Net::crash`].
#[must_use = "say at which point"]
pub struct CrashRule {
    node: Node,
}

impl CrashRule {
    /// Arms the crash: what comes from now on is counted, over restarts too.
    ///
    /// # Errors
    /// If no hook is called so, or if a real lightningd cannot be stopped at this point.
    #[track_caller]
    pub fn at(self, point: impl Into<CrashPoint>) -> Result<Crash> {
        let Self { node } = self;
        let (point, at) = (point.into(), Location::caller());
        let can = point.check().and_then(|()| match node.backend() {
            Backend::Embedded => Ok(()),
            Backend::Lightningd => point.check_lightningd(&node),
        });
        can.map_err(|error| error.at(at))?;
        let (id, fired) = node.crash_rules().arm(point.clone(), at);
        Ok(Crash { node, point, id, fired })
    }
}

/// A crash that is armed, or has happened.
#[derive(Debug)]
#[must_use = "wait until it has `happened().await`, or `disarm()` it: at the end of the net it is a complaint that it never came"]
pub struct Crash {
    node: Node,
    point: CrashPoint,
    id: u64,
    fired: watch::Receiver<Option<Fired>>,
}

/// What there was when a node was stopped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Crashed {
    /// The transaction, whether it was still committed or not.
    AtCommit(DbWrite),
    /// The call of a hook or the answer to it, as it was sent.
    AtHook {
        /// The plugin that was called.
        plugin: String,
        /// The frame.
        frame: String,
    },
}

impl Crash {
    /// Waits until the node has stopped dead, and tells at what.
    ///
    /// # Errors
    /// If it does not come to that point in time; at once if the node has ended otherwise.
    #[track_caller]
    pub fn happened(&self) -> impl Future<Output = Result<Crashed>> + Send + use<> {
        let at = Location::caller();
        let (node, mut fired) = (self.node.clone(), self.fired.clone());
        let (rules, id) = (node.crash_rules(), self.id);
        let what = format!("{} to crash {}", node.name(), self.point);
        async move {
            // One that does not run yet may be about to be started.
            let alive = node.is_running().then(|| node.name().to_owned());
            let is_fired = |_: &crate::event::Event| fired.borrow_and_update().clone();
            let waited =
                node.timeline().wait_for(&what, alive.as_deref(), 0, node.deadline(), is_fired).at(at);
            let waited = waited.await.map_err(|error| match rules.count(id) {
                Some(count) => error.evidence("since it was armed", [count]),
                None => error,
            });
            let fired = node.noted(waited)?;
            node.noted(node.ended(fired.seq, at).await)?;
            let mut life = node.life();
            // The test may have started it again already.
            if !node.is_running() {
                life.daemon = None;
            }
            Ok(fired.crashed)
        }
    }

    /// Whether the node has come to the point.
    pub fn has_happened(&self) -> bool {
        self.fired.borrow().is_some()
    }

    /// Lets the node live. If it has come to the point already, this is given back, to await what [`happened`](Self::happened).
    pub fn disarm(self) -> Option<Self> {
        let was_armed = self.node.crash_rules().disarm(self.id);
        (!was_armed).then_some(self)
    }
}

impl Node {
    /// How many transactions it has shown to `db_write` so far, in all its lives: the difference of two such counts is how many commits there
    /// are to crash at in between.
    ///
    /// # Errors
    /// If it is a real lightningd, unless a mock with the hook `db_write` was mounted on it from its first start on.
    #[track_caller]
    pub fn commits(&self) -> Result<usize> {
        let writes = self.known_writes().ok_or_else(|| {
            Error::test(format!("counting the commits of {}", self.name()))
                .came("nobody has seen them all")
                .advice("build the net with a mock on it: .mount(\"l2\", Mock::hook(\"db_write\"))")
        })?;
        Ok(writes.iter().filter(|write| !write.is_lone_pragma()).count())
    }
}
