//! Faults on demand: a plugin, a real one or a mock, dies, hangs or answers nonsense at a call of a hook that a test names; the Bitcoin backend fails.

mod chain;
mod rules;
mod valve;

use std::panic::Location;

use leyden_mock_plugins::Reply;
use tokio::sync::{oneshot, watch};

use crate::crash::{CrashPoint, Hook};
use crate::error::{Error, Result};
use crate::net::Net;
use crate::node::Node;
use crate::wait::Deadline;

pub use chain::ChainFault;
pub(crate) use rules::{Orders, PluginFaults};
pub(crate) use valve::{Kill, Valve};

use rules::Rule;

/// What no plugin means: lightningd kills whoever writes it.
const GARBAGE: &str = "}this is no JSON{}";

impl Net {
    /// Lets a plugin of a node misbehave at a call of a hook: an executable as well as a mock, on the embedded node as well as on a real one. Its bytes pass
    /// the test process, which kills it, or keeps or changes its answer. It is the sister of [`Net::crash`], which stops the node there.
    ///
    /// ```no_run
    /// # async fn test(net: leyden::Net, l1: leyden::Node, l2: leyden::Node) -> leyden::Result {
    /// use leyden::{Hook, Units};
    /// // The plugin is killed with the HTLC in its hands.
    /// let fault = net.fault(&l2, "my-plugin").at(Hook::called("htlc_accepted"))?.die();
    /// let (paid, died) = tokio::join!(l1.pay(&l2, 1_000.sat()), fault.happened());
    /// # drop((paid, died));
    /// // It has answered, and its answer comes when the test wants it.
    /// let held = net.fault(&l2, "my-plugin").at(Hook::answered("htlc_accepted"))?.hold();
    /// # held.release(); Ok(()) }
    /// ```
    #[track_caller]
    pub fn fault(&self, node: &Node, plugin: &str) -> FaultRule {
        FaultRule { node: node.clone(), plugin: plugin.to_owned() }
    }
}

/// A plugin that is to misbehave; made by [`Net::fault`].
#[must_use = "say at which call"]
pub struct FaultRule {
    node: Node,
    plugin: String,
}

impl FaultRule {
    /// At [`Hook::called`] the plugin is given the call, and the fault takes place at once: what the plugin answers is lost. At [`Hook::answered`] it takes
    /// place when the plugin has answered, in place of the answer. Calls are counted from now on, this plugin's only, over restarts too.
    ///
    /// # Errors
    /// If no hook is called so.
    #[track_caller]
    pub fn at(self, hook: Hook) -> Result<PluginFault> {
        let at = Location::caller();
        let point = CrashPoint::from(hook);
        point.check().map_err(|error| error.at(at))?;
        let Self { node, plugin } = self;
        Ok(PluginFault { node, plugin, point })
    }
}

/// A plugin and the call at which it is to misbehave; made by [`FaultRule::at`].
#[must_use = "say what the plugin does"]
pub struct PluginFault {
    node: Node,
    plugin: String,
    point: CrashPoint,
}

impl PluginFault {
    /// It is killed, as by `kill -9`.
    pub fn die(self) -> Faulted {
        self.reply(Reply::exit(1))
    }

    /// It never answers, and goes on with other calls.
    pub fn hang(self) -> Faulted {
        self.reply(Reply::hang())
    }

    /// It writes what is no JSON.
    pub fn garbage(self) -> Faulted {
        self.reply(Reply::raw(GARBAGE))
    }

    /// Its own answer comes twice.
    pub fn answer_twice(self) -> Faulted {
        self.reply(Reply::default().twice())
    }

    /// It closes its standard output and lives on.
    pub fn close_stdout(self) -> Faulted {
        self.reply(Reply::close_stdout())
    }

    /// It does what a mock with this reply would do. What a mock answers by itself is the plugin's own answer here: `Reply::default().with("id", 77)` changes
    /// it, and `Reply::default().delay(..)` is late with it. To exit is to be killed.
    pub fn reply(self, reply: Reply) -> Faulted {
        self.arm(reply, None)
    }

    /// Its own answer waits until it is released.
    pub fn hold(self) -> HeldAnswer {
        let (release, released) = oneshot::channel();
        HeldAnswer { faulted: self.arm(Reply::default(), Some(released)), release }
    }

    fn arm(self, reply: Reply, released: Option<oneshot::Receiver<()>>) -> Faulted {
        let Self { node, plugin, point } = self;
        let (seen, faulted) = watch::channel(None);
        let doing = format!("waiting for a fault of {}'s {plugin} {point}", node.name());
        let rule = Rule { plugin, point, count: 0, reply, released, seen };
        node.plugin_faults().arm(rule);
        Faulted { deadline: node.deadline(), doing, faulted }
    }
}

/// A fault that will happen, or has.
#[derive(Clone, Debug)]
pub struct Faulted {
    doing: String,
    faulted: watch::Receiver<Option<String>>,
    deadline: Deadline,
}

impl Faulted {
    /// Waits until it has happened; gives the frame of the call.
    ///
    /// # Errors
    /// If it does not come to that in time.
    #[track_caller]
    pub fn happened(&self) -> impl Future<Output = Result<String>> + Send + use<> {
        let at = Location::caller();
        let Self { doing, mut faulted, deadline } = self.clone();
        async move {
            let waited = deadline.limit(doing.clone(), faulted.wait_for(Option::is_some)).await;
            let frame = waited.map_err(|error| error.at(at))?.ok().and_then(|frame| frame.clone());
            frame.ok_or_else(|| Error::test(doing).came("the net has ended").at(at))
        }
    }
}

/// An answer that waits, or will; made by [`PluginFault::hold`]. Dropped, it is released.
#[must_use = "dropped, the answer is released"]
pub struct HeldAnswer {
    faulted: Faulted,
    release: oneshot::Sender<()>,
}

impl HeldAnswer {
    /// Waits until the plugin has answered; gives the frame of the call.
    ///
    /// # Errors
    /// If it does not answer in time.
    #[track_caller]
    pub fn happened(&self) -> impl Future<Output = Result<String>> + Send + use<> {
        self.faulted.happened()
    }

    /// Lets it go on.
    pub fn release(self) {
        // An error means that the plugin has ended with its answer.
        self.release.send(()).ok();
    }
}
