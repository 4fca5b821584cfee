//! A net: one bitcoind, some nodes, and everything that happens among them.

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::panic::Location;
use std::sync::Arc;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinHandle;

use crate::alias::Names;
use crate::backend::{Backend, BitcoindAccess, Surroundings};
use crate::bitcoind::Bitcoind;
use crate::bitcoind::proxy::{self, Mocks};
use crate::builder::{Line, NetBuilder};
use crate::env::Settings;
use crate::error::{Error, Result};
use crate::follow::{follow_chain, follow_mock};
use crate::fundchannel::ChannelPlan;
use crate::last_error::LastError;
use crate::mock_chain::MockChain;
use crate::node::Node;
use crate::process::{Marker, ParentWatch, Watchdog};
use crate::relay::Relays;
use crate::run_dir::RunDir;
use crate::timeline::{Events, Timeline};

/// bitcoind and Lightning nodes on regtest, in a directory of their own, until [`Net::finish`].
///
/// Dropped without `finish`, it kills everything, keeps the directory, and panics unless the test panics already.
#[must_use = "call `finish().await` at the end of the test: it makes the checks"]
pub struct Net {
    pub(crate) nodes: Vec<Node>,
    pub(crate) surroundings: Surroundings,
    pub(crate) finished: bool,
    // What follows is dropped in this order, when the nodes have been killed.
    pub(crate) bitcoind: Option<Arc<Bitcoind>>,
    /// Its bitcoind is another net's.
    is_guest: bool,
    mock_chain: Option<MockChain>,
    /// What is answered in bitcoind's place, if anything is.
    mocks: Option<Mocks>,
    pub(crate) chain: Option<JoinHandle<()>>,
    _background: Background,
    pub(crate) run_dir: Option<RunDir>,
    _parent: ParentWatch,
}

impl Net {
    /// Nodes of which each is connected to the next and has funded an announced channel with it, which all nodes know of.
    ///
    /// [`NetBuilder::without_channels`] leaves it at the connections.
    ///
    /// ```no_run
    /// # async fn test() -> leyden::Result {
    /// use leyden::Net;
    /// let net = Net::line(["l1", "l2", "l3"]).start().await?;
    /// let [l1, l2, l3] = net.nodes();
    /// net.finish().await
    /// # }
    /// ```
    #[track_caller]
    pub fn line<S: Into<String>>(names: impl IntoIterator<Item = S>) -> NetBuilder {
        let mut builder = Self::builder().nodes(names);
        builder.line = Some(Line::Channels(ChannelPlan::default()));
        builder
    }

    /// Nodes that are not connected.
    pub fn builder() -> NetBuilder {
        NetBuilder::new()
    }

    pub(crate) async fn start(mut builder: NetBuilder, at: &'static Location<'static>) -> Result<Self> {
        if let Some(mistake) = builder.mistake.take() {
            return Err(mistake);
        }
        let settings = Settings::from_env();
        let backend = match builder.backend {
            Some(backend) => backend,
            None => Backend::from_settings(&settings)?,
        };
        let mut run_dir = RunDir::create(&settings)?;
        if builder.keep {
            run_dir.keep();
        }
        // Whatever fails from here on leaves evidence, and nothing that runs.
        let mut net =
            Self::empty(settings, builder.has_lightningd(backend), run_dir).map_err(|error| error.at(at))?;
        let line = builder.line;
        let started = net.populate(builder, backend, line, at).await;
        match started {
            Ok(()) => Ok(net),
            Err(error) => {
                net.abandon();
                Err(error.at(at))
            }
        }
    }

    fn empty(settings: Settings, has_lightningd: bool, run_dir: RunDir) -> Result<Self> {
        let parent = ParentWatch::start(&settings);
        let background = Background::start()?;
        let watchdog = Arc::new(Watchdog::start(Marker::new(&run_dir.name()))?);
        if !run_dir.is_kept() {
            watchdog.remove_dir(run_dir.path())?;
        }
        let relays = Relays::create(run_dir.path().join("relay"))?;
        let surroundings = Surroundings {
            settings,
            timeline: Timeline::new(),
            relays,
            watchdog,
            runtime: background.handle().clone(),
            last_error: LastError::default(),
            names: Names::default(),
        };
        if has_lightningd {
            let _entered = surroundings.runtime.enter();
            surroundings.relays.listen()?;
        }
        Ok(Self {
            nodes: Vec::new(),
            surroundings,
            finished: false,
            bitcoind: None,
            is_guest: false,
            mock_chain: None,
            mocks: None,
            chain: None,
            _background: background,
            run_dir: Some(run_dir),
            _parent: parent,
        })
    }

    /// Starts everything. Processes and connections belong to the net's own runtime, so that a test that blocks does not stop them.
    async fn populate(
        &mut self,
        builder: NetBuilder,
        backend: Backend,
        line: Option<Line>,
        at: &'static Location<'static>,
    ) -> Result {
        let run_dir = self.run_dir.as_ref().expect("a net has a run directory until it is finished");
        self.mock_chain = builder.chain.as_ref().map(|(chain, _)| chain.clone());
        (self.is_guest, self.bitcoind) = (builder.bitcoind.is_some(), builder.bitcoind.clone());
        if self.mock_chain.is_none() && !self.is_guest {
            let dir = run_dir.sub_dir("bitcoind")?;
            let (settings, watchdog) =
                (self.surroundings.settings.clone(), Arc::clone(&self.surroundings.watchdog));
            let starting = self
                .surroundings
                .runtime
                .spawn(async move { Bitcoind::start(&settings, &dir, &watchdog).await });
            self.bitcoind = Some(Arc::new(joined(starting).await??));
        }
        let mut access = self.bitcoind.as_deref().map(access);
        if let (Some(access), Some(feerates)) = (&mut access, builder.feerates) {
            let mocks = Mocks::default();
            mocks.estimate(feerates);
            self.mocks = Some(mocks.clone());
            access.rpc = joined(self.surroundings.runtime.spawn(proxy::serve(access.rpc, mocks))).await??;
        }
        self.nodes = builder.prepare(backend, run_dir, access.as_ref(), &self.surroundings)?;
        let launched: Vec<u64> = self.nodes.iter().map(Node::launch).collect::<Result<_>>()?;
        for (node, from) in self.nodes.iter().zip(launched) {
            node.ready(from, at).await?;
        }
        let (nodes, timeline) = (self.nodes.clone(), self.timeline().clone());
        let following = match (self.mock_chain.clone(), &self.bitcoind) {
            (Some(chain), _) => Some(self.surroundings.runtime.spawn(follow_mock(chain, nodes, timeline))),
            (None, Some(bitcoind)) => {
                Some(self.surroundings.runtime.spawn(follow_chain(Arc::clone(bitcoind), nodes, timeline)))
            }
            (None, None) => None,
        };
        self.chain = following;
        match line {
            None => Ok(()),
            Some(line) => self.join_line(&self.nodes, line, at).await,
        }
    }

    /// Runs futures at the same time, on the net's own runtime; gives what they give, in their order.
    pub(crate) async fn at_once<T: Send + 'static>(
        &self,
        futures: impl IntoIterator<Item: Future<Output = Result<T>> + Send + 'static>,
    ) -> Result<Vec<T>> {
        let running: Vec<_> =
            futures.into_iter().map(|future| self.surroundings.runtime.spawn(future)).collect();
        let mut given = Vec::with_capacity(running.len());
        for task in running {
            given.push(joined(task).await??);
        }
        Ok(given)
    }

    /// The nodes, in the order in which they were named: `let [l1, l2] = net.nodes();`.
    ///
    /// # Panics
    /// If their number is another one.
    #[track_caller]
    pub fn nodes<const N: usize>(&self) -> [Node; N] {
        let count = self.nodes.len();
        self.nodes
            .clone()
            .try_into()
            .unwrap_or_else(|_| panic!("the test wants {N} nodes, and the net has {count}"))
    }

    /// All nodes, in the order in which they were named.
    pub fn all_nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// A node by its name.
    ///
    /// # Panics
    /// If there is none of this name.
    #[track_caller]
    pub fn node(&self, name: &str) -> Node {
        let found = self.nodes.iter().find(|node| node.name() == name).cloned();
        found.unwrap_or_else(|| panic!("the net has no node '{name}', but {:?}", self.nodes))
    }

    /// Its bitcoind.
    ///
    /// # Panics
    /// If it has a [`MockChain`] in its place.
    #[track_caller]
    pub fn bitcoind(&self) -> &Bitcoind {
        self.bitcoind.as_ref().expect("a net with a MockChain has no bitcoind: ask the chain itself")
    }

    /// The chain that it was given in place of a bitcoind.
    ///
    /// # Panics
    /// If it was given none.
    #[track_caller]
    pub fn mock_chain(&self) -> &MockChain {
        self.mock_chain.as_ref().expect("a net has a MockChain only if it is built with `chain(..)`")
    }

    /// Lets bitcoind seem to estimate other fees from now on, in sat per 1000 weight, for 2, 6, 12 and 100 blocks. Nodes smooth what they hear.
    ///
    /// # Panics
    /// If the net was not built with [`feerates`](NetBuilder::feerates).
    #[track_caller]
    pub fn set_feerates(&self, feerates_perkw: [u32; 4]) {
        self.proxy().estimate(feerates_perkw);
    }

    /// Answers an RPC of the nodes in bitcoind's place from now on: `answer` gives the result for some parameters.
    ///
    /// # Panics
    /// If the net was not built with [`feerates`](NetBuilder::feerates).
    #[track_caller]
    pub fn mock_rpc(&self, method: &str, answer: impl Fn(&Value) -> Value + Send + Sync + 'static) {
        self.proxy().mock(method, move |params| answer(params).to_string());
    }

    pub(crate) fn chain_in_memory(&self) -> Option<&MockChain> {
        self.mock_chain.as_ref()
    }

    #[track_caller]
    pub(crate) fn proxy(&self) -> &Mocks {
        self.mocks.as_ref().expect("nodes ask bitcoind itself unless the net is built with `feerates(..)`")
    }

    /// Everything that happens from now on, in the order in which it happens; its history is there too.
    pub fn events(&self) -> Events {
        self.timeline().follow(self.surroundings.settings.timeout)
    }

    /// The one ordered record of the net.
    pub fn timeline(&self) -> &Timeline {
        &self.surroundings.timeline
    }

    /// Connects two nodes.
    ///
    /// # Errors
    /// If the node refuses.
    #[track_caller]
    pub fn connect(&self, from: &Node, to: &Node) -> impl Future<Output = Result> + Send + use<> {
        from.connect(to)
    }

    /// The directory that has everything the net's programs write.
    pub fn run_dir(&self) -> &std::path::Path {
        self.run_dir.as_ref().expect("a net has a run directory until it is finished").path()
    }

    /// Kills everything, and keeps the evidence. Does not wait for anything that needs a runtime.
    pub(crate) fn abandon(&mut self) {
        self.finished = true;
        for node in &self.nodes {
            node.abandon();
        }
        // The task that follows the chain may hold it a little longer than this net.
        let own = self.bitcoind.take().filter(|_| !self.is_guest);
        let bitcoind = own.and_then(|bitcoind| Pid::from_raw(bitcoind.pid().cast_signed()));
        if let Some(pid) = bitcoind {
            // An error means that it has ended already.
            _ = kill_process(pid, Signal::KILL);
        }
        // Without a watchdog nobody removes the directory either.
        drop(self.surroundings.watchdog.keep_dir());
        self.write_timeline();
    }

    /// Puts the timeline beside the logs.
    pub(crate) fn write_timeline(&self) {
        if let Some(run_dir) = &self.run_dir {
            let events = self.timeline().events();
            // Evidence that cannot be written must not hide the failure that it is about.
            drop(crate::jsonl::write(
                &run_dir.path().join("timeline.jsonl"),
                events.iter().map(AsRef::as_ref),
            ));
        }
    }
}

impl Drop for Net {
    fn drop(&mut self) {
        if self.finished {
            return;
        }
        self.abandon();
        if !std::thread::panicking() {
            let last = self
                .surroundings
                .last_error
                .take()
                .map(|error| format!("\nThe last error of a step, perhaps the reason:\n{error}"));
            panic!(
                "a net was dropped without `finish().await`, which makes the checks; its files are in {}{}",
                self.run_dir().display(),
                last.unwrap_or_default()
            );
        }
    }
}

impl fmt::Debug for Net {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Net")
            .field("nodes", &self.nodes)
            .field("run_dir", &self.run_dir)
            .finish_non_exhaustive()
    }
}

fn access(bitcoind: &Bitcoind) -> BitcoindAccess {
    let (user, password) = bitcoind.credentials();
    BitcoindAccess {
        rpc: SocketAddr::from((Ipv4Addr::LOCALHOST, bitcoind.rpc_port())),
        user: user.to_owned(),
        password: password.to_owned(),
        dir: bitcoind.dir().to_owned(),
        cli: bitcoind.programs().bitcoin_cli.clone(),
    }
}

/// The net's own runtime. A runtime must not be dropped where async code runs; it can be let go of.
struct Background(Option<Runtime>);

impl Background {
    fn start() -> Result<Self> {
        let runtime =
            Builder::new_multi_thread().worker_threads(2).thread_name("leyden-net").enable_all().build()?;
        Ok(Self(Some(runtime)))
    }

    fn handle(&self) -> &tokio::runtime::Handle {
        self.0.as_ref().expect("it is taken only on drop").handle()
    }
}

/// Waits for a task of the net. It can only have panicked, which is a bug of ours.
pub(crate) async fn joined<T>(task: JoinHandle<T>) -> Result<T> {
    task.await.map_err(|error| Error::node("a task of the net").came("it panicked").because(error))
}

impl Drop for Background {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}
