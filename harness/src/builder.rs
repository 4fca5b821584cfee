//! What a net shall be, before it starts.

use std::panic::Location;
use std::path::PathBuf;
use std::sync::Arc;

use leyden_mock_plugins::{Mock, MockPlugin};
use leyden_protocol::Profile;
use serde_json::Value;

use crate::amount::Amount;
use crate::backend::{Backend, BitcoindAccess, NodeConfig, Surroundings};
use crate::bitcoind::Bitcoind;
use crate::crash::CrashRules;
use crate::error::{Error, Result};
use crate::fundchannel::ChannelPlan;
use crate::mock_chain::MockChain;
use crate::mounting::{Mounted, executable};
use crate::net::Net;
use crate::node::{Node, Rules, compile};
use crate::plugin::{Code, Plugin};
use crate::port::PortLease;
use crate::run_dir::RunDir;
use crate::wire::WireRules;

/// Describes a net; made by [`Net::line`] and [`Net::builder`].
#[must_use = "call `start().await`"]
pub struct NetBuilder {
    nodes: Vec<NodePlan>,
    pub(crate) line: Option<Line>,
    pub(crate) backend: Option<Backend>,
    profile: Profile,
    pub(crate) keep: bool,
    pub(crate) replicate: bool,
    pub(crate) chain: Option<(MockChain, &'static Location<'static>)>,
    /// The bitcoind of another net.
    pub(crate) bitcoind: Option<Arc<Bitcoind>>,
    /// What bitcoind shall seem to estimate, in sat per 1000 weight.
    pub(crate) feerates: Option<[u32; 4]>,
    /// The first mistake in the description; `start` tells of it.
    pub(crate) mistake: Option<Error>,
}

/// What there is between neighbours of a line.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Line {
    Connected,
    Channels(ChannelPlan),
}

/// A node that shall be.
struct NodePlan {
    name: String,
    plugins: Vec<(Behind, &'static Location<'static>)>,
    options: Vec<(String, Value)>,
    /// The net's, unless it has one of its own.
    profile: Option<Profile>,
    /// The net's, unless it has one of its own.
    backend: Option<Backend>,
    rules: Rules,
}

enum Behind {
    Plugin(Plugin),
    Mock(Box<Mock>),
}

impl NetBuilder {
    pub(crate) fn new() -> Self {
        Self {
            nodes: Vec::new(),
            line: None,
            backend: None,
            profile: Profile::default(),
            keep: false,
            replicate: false,
            chain: None,
            bitcoind: None,
            feerates: None,
            mistake: None,
        }
    }

    /// The names of its nodes so far, in their order.
    pub fn node_names(&self) -> Vec<String> {
        self.nodes.iter().map(|node| node.name.clone()).collect()
    }

    /// Lets neighbours of a [line](Net::line) only be connected: without channels, and without coins for them.
    pub fn without_channels(mut self) -> Self {
        self.line = Some(Line::Connected);
        self
    }

    /// The capacity of the channels of a [line](Net::line), all of it on the side of the node that is named first: 1,000,000 sat without this.
    pub fn fundamount(self, amount: Amount) -> Self {
        self.with_channels(|plan| plan.fundamount = amount)
    }

    /// Whether the channels of a [line](Net::line) are announced, and known to all its nodes when it starts. They are without this.
    pub fn announce_channels(self, announce: bool) -> Self {
        self.with_channels(|plan| plan.announce = announce)
    }

    fn with_channels(mut self, change: impl FnOnce(&mut ChannelPlan)) -> Self {
        match &mut self.line {
            Some(Line::Channels(plan)) => change(plan),
            _ => self.mistaken(
                Error::test("describing the channels of a net")
                    .expected("a net made by `Net::line`, with channels")
                    .advice("between other nodes, open channels with `net.join_nodes` or `net.fundchannel`"),
            ),
        }
        self
    }

    /// Adds nodes. `l1`, `l2` … are customary; a name is also the node's in messages, and decides its id.
    #[track_caller]
    pub fn nodes<S: Into<String>>(mut self, names: impl IntoIterator<Item = S>) -> Self {
        for name in names {
            let name = name.into();
            if !is_node_name(&name) || self.nodes.iter().any(|node| node.name == name) {
                self.mistaken(
                    Error::test(format!("adding a node '{name}'")).expected(
                        "a name of at most 12 letters and digits that no other node of the net has",
                    ),
                );
            }
            let rules = Rules::default();
            self.nodes.push(NodePlan {
                name,
                plugins: Vec::new(),
                options: Vec::new(),
                profile: None,
                backend: None,
                rules,
            });
        }
        self
    }

    /// Lets a node start with a plugin.
    #[track_caller]
    pub fn plugin(mut self, node: &str, plugin: Plugin) -> Self {
        let at = Location::caller();
        // Before anything is started for it.
        if let Code::Exe(path) = &plugin.code
            && let Err(error) = executable(path)
        {
            self.mistaken(error);
        }
        self.with(node, |node| node.plugins.push((Behind::Plugin(plugin), at)));
        self
    }

    /// Lets a node start with a mock. What is expected of it is checked at [`Net::finish`].
    #[track_caller]
    pub fn mount(mut self, node: &str, mock: impl Into<Mock>) -> Self {
        let at = Location::caller();
        self.with(node, |node| node.plugins.push((Behind::Mock(Box::new(mock.into())), at)));
        self
    }

    /// Gives a node an option of lightningd, such as `("l1", "alias", "SLOPPYSET")`. Options of plugins belong to [`Plugin::option`].
    #[track_caller]
    pub fn option(mut self, node: &str, name: impl Into<String>, value: impl Into<Value>) -> Self {
        let option = (name.into(), value.into());
        self.with(node, |node| node.options.push(option));
        self
    }

    /// Lets a node end in any way without a complaint. It must still start.
    #[track_caller]
    pub fn may_fail(mut self, node: &str) -> Self {
        self.with(node, |node| node.rules.may_fail = true);
        self
    }

    /// Lets a node log BROKEN lines that a regular expression matches.
    #[track_caller]
    pub fn broken_log(mut self, node: &str, regex: &str) -> Self {
        match compile(regex) {
            Ok(regex) => self.with(node, |node| node.rules.broken_log = Some(regex)),
            Err(error) => self.mistaken(error),
        }
        self
    }

    /// Gives all nodes this chain for their Bitcoin backend, in place of bitcoind, which is not started then.
    #[track_caller]
    pub fn chain(mut self, chain: impl Into<MockChain>) -> Self {
        self.chain = Some((chain.into(), Location::caller()));
        self
    }

    /// Gives the net the bitcoind of another one, which must outlive it: to start one takes a quarter of a second, which counts where nets are
    /// many and short. What happens on the chain, happens to both.
    ///
    /// ```no_run
    /// # async fn test() -> leyden::Result {
    /// # use leyden::Net;
    /// let ground = Net::builder().start().await?;
    /// for attempt in 0..100 {
    ///     let net = Net::line(["l1", "l2"]).bitcoind_of(&ground).start().await?;
    ///     net.finish().await?;
    /// }
    /// ground.finish().await
    /// # }
    /// ```
    ///
    /// It is a mistake if that net has a [`MockChain`] and so no bitcoind: [`NetBuilder::start`] tells of it.
    #[track_caller]
    pub fn bitcoind_of(mut self, other: &Net) -> Self {
        self.bitcoind = other.bitcoind.clone();
        if self.bitcoind.is_none() {
            self.mistaken(
                Error::test("describing the chain of a net")
                    .expected("a net that has a bitcoind")
                    .came("it has a MockChain")
                    .advice("give the same MockChain to `chain(..)`"),
            );
        }
        self
    }

    /// Lets bitcoind seem to estimate these fees, in sat per 1000 weight, for 2, 6, 12 and 100 blocks. Without this it estimates nothing, as
    /// always on a chain without fees, and nodes take the least that is relayed. [`Net::set_feerates`] changes them.
    pub fn feerates(mut self, feerates_perkw: [u32; 4]) -> Self {
        self.feerates = Some(feerates_perkw);
        self
    }

    /// The program that plays the nodes. Without it, what `LEYDEN_BACKEND` names, or the embedded node.
    pub fn backend(mut self, backend: Backend) -> Self {
        self.backend = Some(backend);
        self
    }

    /// The program that plays one of the nodes, whatever plays the others.
    #[track_caller]
    pub fn node_backend(mut self, node: &str, backend: Backend) -> Self {
        self.with(node, |node| node.backend = Some(backend));
        self
    }

    /// Whether any node is a real lightningd.
    pub(crate) fn has_lightningd(&self, backend: Backend) -> bool {
        self.nodes.iter().any(|plan| plan.backend.unwrap_or(backend) == Backend::Lightningd)
    }

    /// The release that the embedded nodes shall be.
    pub fn profile(mut self, profile: Profile) -> Self {
        self.profile = profile;
        self
    }

    /// The release that one of the embedded nodes shall be, whatever the others are.
    #[track_caller]
    pub fn node_profile(mut self, node: &str, profile: Profile) -> Self {
        self.with(node, |node| node.profile = Some(profile));
        self
    }

    /// Keeps the run directory also if the test passes.
    pub fn keep(mut self) -> Self {
        self.keep = true;
        self
    }

    /// Compares each node's database with a [`Replica`](crate::Replica) that has seen what `db_write` shows; [`Net::finish`] tells if they differ.
    ///
    /// At every commit, those tables are compared to which the transaction wrote; everything is, whenever the node is started again and at the end. Of
    /// a real lightningd only a plugin with `db_write` knows what is written, which the node must have had from its first start on.
    pub fn replicate(mut self) -> Self {
        self.replicate = true;
        self
    }

    /// Starts bitcoind and the nodes; in a line, connects neighbours and opens their channels. Ready is a net when every plugin has answered `init`.
    ///
    /// # Errors
    /// If the description has a mistake, a program is missing, or something does not start. Nothing is left running then.
    #[track_caller]
    pub fn start(self) -> impl Future<Output = Result<Net>> + Send {
        let at = Location::caller();
        async move { Net::start(self, at).await }
    }

    /// Makes the nodes' directories and the files of their plugins; nothing is started.
    pub(crate) fn prepare(
        self,
        backend: Backend,
        run_dir: &RunDir,
        bitcoind: Option<&BitcoindAccess>,
        surroundings: &Surroundings,
    ) -> Result<Vec<Node>> {
        let (profile, replicate) = (self.profile, self.replicate);
        let mut surroundings = surroundings.clone();
        let chain = self.chain;
        for plan in &self.nodes {
            surroundings.names = surroundings.names.directory(&plan.name, &node_dir(run_dir, &plan.name)?);
        }
        let prepare = |mut plan: NodePlan| {
            if let Some((chain, at)) = &chain {
                plan.plugins.insert(0, (Behind::Mock(Box::new(chain.clone().into())), at));
            }
            let backend = plan.backend.unwrap_or(backend);
            // Of those that the system gives away, another process may have it when the node starts again.
            let lease = PortLease::take(&surroundings.settings)?;
            let crash = CrashRules::new(&plan.name, backend, &surroundings.timeline);
            let config = NodeConfig {
                dir: node_dir(run_dir, &plan.name)?,
                name: plan.name,
                bitcoind: bitcoind.cloned(),
                // A real lightningd is of one release, whatever the embedded nodes beside it shall be.
                profile: plan.profile.unwrap_or(if plan.backend == Some(Backend::Lightningd) {
                    Profile::default()
                } else {
                    profile
                }),
                plugins: Vec::new(),
                options: plan.options,
                wire: WireRules::default(),
                crash,
                port: lease.port(),
            };
            let node = Node::new(backend, surroundings.clone(), config, plan.rules, lease, replicate);
            for (behind, at) in plan.plugins {
                let installed = match behind {
                    Behind::Plugin(plugin) => node.install(plugin),
                    Behind::Mock(mock) => {
                        let mock = MockPlugin::new(*mock);
                        node.remember(Mounted::new(mock.clone(), at));
                        node.install_mock(&mock)
                    }
                };
                node.start_with(installed.map_err(|error| error.at(at))?);
            }
            Ok(node)
        };
        self.nodes.into_iter().map(prepare).collect()
    }

    #[track_caller]
    fn with(&mut self, node: &str, change: impl FnOnce(&mut NodePlan)) {
        match self.nodes.iter_mut().find(|plan| plan.name == node) {
            Some(plan) => change(plan),
            None => {
                let known: Vec<&str> = self.nodes.iter().map(|plan| &*plan.name).collect();
                let error = Error::test(format!("configuring the node '{node}'"))
                    .expected(format!("one of the net's nodes: {}", known.join(", ")))
                    .advice("name the nodes first, then what they have");
                self.mistaken(error);
            }
        }
    }

    fn mistaken(&mut self, error: Error) {
        self.mistake.get_or_insert(error);
    }
}

fn is_node_name(name: &str) -> bool {
    (1..=12).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

/// The lightning-dir of a node, with the `hsm_secret` from which its keys derive.
///
/// `l7` lives in `lightning-7` and has that name, filled with zeros, as its secret: so it has the same id as pyln-testing's seventh node.
fn node_dir(run_dir: &RunDir, name: &str) -> Result<PathBuf> {
    let number = name.strip_prefix('l').filter(|number| number.parse::<u16>().is_ok());
    let dir_name = number.map_or(name.to_owned(), |number| format!("lightning-{number}"));
    let dir = run_dir.sub_dir(&dir_name)?;
    run_dir.socket_path(format!("{dir_name}/regtest/lightning-rpc"))?;
    let network_dir = run_dir.sub_dir(format!("{dir_name}/regtest"))?;
    let mut secret = [0; 32];
    secret[..dir_name.len()].copy_from_slice(dir_name.as_bytes());
    std::fs::write(network_dir.join("hsm_secret"), secret)?;
    Ok(dir)
}
