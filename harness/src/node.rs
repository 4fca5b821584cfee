//! A Lightning node in a test: its RPC, its log, its plugins, its life.

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::panic::Location;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use cln_rpc::TypedRequest;
use leyden_node::event::LogLine;
use leyden_protocol::Profile;
use regex::Regex;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use crate::backend::{Backend, Daemon, NodeConfig, Surroundings};
use crate::crash::CrashRules;
use crate::database;
use crate::error::{Error, Result};
use crate::event::EventKind;
use crate::fault::PluginFaults;
use crate::mounting::Mounted;
use crate::port::PortLease;
use crate::replica::shadow::Shadow;
use crate::rpc::Rpc;
use crate::transcript::Transcript;
use crate::wait::Deadline;
use crate::wire::WireRules;

/// A node of a [`Net`](crate::Net). Clones are the same node.
///
/// The verbs bear the names of pyln-testing. Errors have the file and line of the call.
#[derive(Clone)]
pub struct Node(pub(crate) Arc<Shared>);

pub(crate) struct Shared {
    pub(crate) backend: Backend,
    pub(crate) surroundings: Surroundings,
    pub(crate) config: Mutex<NodeConfig>,
    pub(crate) rules: Rules,
    /// Mocks on this node, past and present.
    pub(crate) mounted: Mutex<Vec<Mounted>>,
    plugin_faults: PluginFaults,
    /// What `db_write` shows of its database, if that is to be compared.
    pub(crate) shadow: Option<Shadow>,
    name: String,
    dir: PathBuf,
    life: Mutex<Life>,
    /// Where the next [`Node::wait_for_log`] begins.
    log_cursor: AtomicU64,
    _lease: PortLease,
}

/// What a test allows a node, beyond what is usual.
#[derive(Clone, Debug, Default)]
pub(crate) struct Rules {
    /// It may end in any way, and need not start.
    pub(crate) may_fail: bool,
    /// BROKEN lines that match are no complaint.
    pub(crate) broken_log: Option<Regex>,
}

/// What changes from start to start.
#[derive(Default)]
pub(crate) struct Life {
    pub(crate) daemon: Option<Box<dyn Daemon>>,
    pub(crate) id: String,
    pub(crate) port: u16,
    /// The places in the timeline of ends that the test wanted.
    pub(crate) wanted_ends: Vec<u64>,
}

impl Node {
    pub(crate) fn new(
        backend: Backend,
        surroundings: Surroundings,
        config: NodeConfig,
        rules: Rules,
        lease: PortLease,
        replicate: bool,
    ) -> Self {
        let shadow = replicate.then(|| Shadow::of(database_in(&config.dir)));
        if let Some(shadow) = shadow.clone() {
            surroundings.timeline.listen(&config.name, move |event| shadow.notice(event));
        }
        Self(Arc::new(Shared {
            backend,
            name: config.name.clone(),
            dir: config.dir.clone(),
            rules,
            surroundings,
            config: Mutex::new(config),
            mounted: Mutex::default(),
            plugin_faults: PluginFaults::default(),
            shadow,
            life: Mutex::default(),
            log_cursor: AtomicU64::new(0),
            _lease: lease,
        }))
    }

    /// The name that the test gave it, such as `l1`.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// Its id, the public key in hex. The same name has the same id in every net: that of `l1` is 0266e4598d1d….
    pub fn id(&self) -> String {
        self.life().id.clone()
    }

    /// The TCP port on 127.0.0.1 on which it takes peers.
    pub fn port(&self) -> u16 {
        self.life().port
    }

    /// Its lightning-dir. The database, the RPC socket and the plugins' working directory are in `regtest` there.
    pub fn lightning_dir(&self) -> &Path {
        &self.0.dir
    }

    /// The program that plays it.
    pub fn backend(&self) -> Backend {
        self.0.backend
    }

    /// Calls any RPC method; `params` is an object, an array, or null for none.
    ///
    /// # Errors
    /// The error that was answered, with its [code](Error::code); or that the node is gone, or did not answer in time.
    #[track_caller]
    pub fn rpc(&self, method: &str, params: Value) -> impl Future<Output = Result<Value>> + Send + use<> {
        self.rpc_at(method, params, Location::caller())
    }

    pub(crate) fn rpc_at(
        &self,
        method: &str,
        params: Value,
        at: &'static Location<'static>,
    ) -> impl Future<Output = Result<Value>> + Send + use<> {
        // lightningd refuses a request without parameters.
        let params = if params.is_null() { json!({}) } else { params };
        self.call_at(method.to_owned(), params, at)
    }

    /// Calls an RPC method with a request type of [`cln_rpc::model::requests`].
    ///
    /// # Errors
    /// As [`Node::rpc`], and if the answer does not fit the type.
    #[track_caller]
    pub fn call<R>(&self, request: R) -> impl Future<Output = Result<R::Response>> + Send + use<R>
    where
        R: TypedRequest + Serialize + Debug + Send + Sync,
        R::Response: DeserializeOwned + Debug + Send,
    {
        self.call_at(request.method().to_owned(), request, Location::caller())
    }

    fn call_at<P, R>(
        &self,
        method: String,
        params: P,
        at: &'static Location<'static>,
    ) -> impl Future<Output = Result<R>> + Send + use<P, R>
    where
        P: Serialize + Debug + Send + Sync,
        R: DeserializeOwned + Debug + Send,
    {
        let node = self.clone();
        async move {
            node.record(EventKind::Step(format!("rpc {method}")));
            let timeline = node.timeline().clone();
            let rpc = Rpc { node: node.0.name.clone(), socket: node.rpc_file(), timeline };
            let answer = rpc.call(&method, &params, node.deadline(), at).await;
            node.noted(answer)
        }
    }

    /// The path of its RPC socket.
    pub fn rpc_file(&self) -> PathBuf {
        self.0.dir.join("regtest/lightning-rpc")
    }

    pub(crate) fn database(&self) -> PathBuf {
        database_in(&self.0.dir)
    }

    /// Connects to another node, if it is not connected yet. The other one may need a moment more to count this one among its peers.
    ///
    /// # Errors
    /// As [`Node::rpc`].
    #[track_caller]
    pub fn connect(&self, other: &Node) -> impl Future<Output = Result> + Send + use<> {
        self.connect_at(other, Location::caller())
    }

    pub(crate) fn connect_at(
        &self,
        other: &Node,
        at: &'static Location<'static>,
    ) -> impl Future<Output = Result> + Send + use<> {
        let params = json!({"id": other.id(), "host": "127.0.0.1", "port": other.port()});
        let call = self.rpc_at("connect", params, at);
        async move { call.await.map(drop) }
    }

    /// Waits for a log line that a regular expression matches, and gives it. The search begins behind the line that the last wait
    /// found; the first begins where the node was first started.
    ///
    /// It is tried on the whole line without its time, such as `INFO    plugin-my.py: hello`.
    ///
    /// # Errors
    /// At the deadline, with the nearest misses; at once if the node has ended; if the expression is none.
    #[track_caller]
    pub fn wait_for_log(&self, regex: &str) -> impl Future<Output = Result<LogLine>> + Send + use<> {
        let at = Location::caller();
        let (node, regex) = (self.clone(), compile(regex));
        async move {
            let from = node.0.log_cursor.load(Ordering::SeqCst);
            let logged =
                node.timeline().wait_for_log(&node.0.name, &regex?, from, node.deadline()).at(at).await;
            let logged = node.noted(logged)?;
            node.0.log_cursor.store(logged.seq + 1, Ordering::SeqCst);
            Ok(logged.line)
        }
    }

    /// Waits for a line for each expression, in any order. The next search begins behind the last of them.
    ///
    /// # Errors
    /// As [`Node::wait_for_log`].
    #[track_caller]
    pub fn wait_for_logs<'a>(
        &self,
        regexes: impl IntoIterator<Item = &'a str>,
    ) -> impl Future<Output = Result<Vec<LogLine>>> + Send {
        let at = Location::caller();
        let (node, regexes) = (self.clone(), regexes.into_iter().map(compile).collect::<Result<Vec<_>>>());
        async move {
            let from = node.0.log_cursor.load(Ordering::SeqCst);
            let (mut lines, mut end) = (Vec::new(), from);
            let deadline = node.deadline();
            for regex in regexes? {
                let logged = node.timeline().wait_for_log(&node.0.name, &regex, from, deadline).at(at).await;
                let logged = node.noted(logged)?;
                end = end.max(logged.seq + 1);
                lines.push(logged.line);
            }
            node.0.log_cursor.store(end, Ordering::SeqCst);
            Ok(lines)
        }
    }

    /// The first line of the whole log so far that a regular expression matches.
    ///
    /// # Errors
    /// If the expression is none.
    #[track_caller]
    pub fn is_in_log(&self, regex: &str) -> Result<Option<LogLine>> {
        let regex = compile(regex)?;
        Ok(self.log().find(|line| regex.is_match(&line.to_string())))
    }

    pub(crate) fn log(&self) -> impl Iterator<Item = LogLine> + use<> {
        let name = self.0.name.clone();
        self.timeline().events().into_iter().filter_map(move |event| match &event.kind {
            EventKind::Log(line) if event.node.as_ref() == Some(&name) => Some(LogLine::clone(line)),
            _ => None,
        })
    }

    /// What it and one of its plugins have said to each other so far, for [`assert_transcript!`](crate::assert_transcript).
    pub fn transcript(&self, plugin: &str) -> Transcript {
        Transcript::of(self.timeline(), self.name(), Some(plugin), self.0.surroundings.names.clone())
    }

    /// What tests have called over its RPC so far with [`Node::rpc`] and [`Node::call`], and its answers, as what a plugin called `client` says and hears.
    pub fn rpc_transcript(&self) -> Transcript {
        Transcript::of_rpc(self.timeline(), self.name(), self.0.surroundings.names.clone())
    }

    /// The plugins of which there is a [transcript](Self::transcript), by name.
    pub fn plugins_heard(&self) -> BTreeSet<String> {
        let events = self.timeline().events();
        let ours = events.iter().filter(|event| event.node.as_deref() == Some(self.name()));
        ours.filter_map(|event| event.kind.plugin().map(str::to_owned)).collect()
    }

    /// The release that it is, as far as the test has said: a real one is of its own.
    pub fn profile(&self) -> Profile {
        self.0.config.lock().unwrap_or_else(PoisonError::into_inner).profile
    }

    /// Rows of its database, as objects: blobs in hex. As pyln-testing's `db_query`, it only reads.
    ///
    /// # Errors
    /// If the query is none, or if there is no database yet.
    #[track_caller]
    pub fn db_query(&self, sql: &str) -> Result<Vec<Map<String, Value>>> {
        let at = Location::caller();
        database::query(&self.database(), sql).map_err(|error| {
            Error::test(format!("{}: the query {sql:?} of its database", self.0.name)).because(error).at(at)
        })
    }

    pub(crate) fn wire_rules(&self) -> WireRules {
        self.0.config.lock().unwrap_or_else(PoisonError::into_inner).wire.clone()
    }

    pub(crate) fn crash_rules(&self) -> CrashRules {
        self.0.config.lock().unwrap_or_else(PoisonError::into_inner).crash.clone()
    }

    pub(crate) fn plugin_faults(&self) -> PluginFaults {
        self.0.plugin_faults.clone()
    }

    pub(crate) fn poke_chain(&self) {
        if let Some(daemon) = &self.life().daemon {
            daemon.poke_chain();
        }
    }

    pub(crate) fn record(&self, kind: EventKind) {
        self.timeline().record(Some(&self.0.name), kind);
    }

    pub(crate) fn timeline(&self) -> &crate::timeline::Timeline {
        &self.0.surroundings.timeline
    }

    pub(crate) fn deadline(&self) -> Deadline {
        Deadline::standard(&self.0.surroundings.settings)
    }

    /// Remembers an error, for a net that is dropped because of it.
    pub(crate) fn noted<T>(&self, result: Result<T>) -> Result<T> {
        if let Err(error) = &result {
            self.0.surroundings.last_error.note(error);
        }
        result
    }

    pub(crate) fn life(&self) -> MutexGuard<'_, Life> {
        self.0.life.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Debug for Node {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Node")
            .field("name", &self.0.name)
            .field("id", &self.id())
            .field("port", &self.port())
            .finish()
    }
}

fn database_in(lightning_dir: &Path) -> PathBuf {
    lightning_dir.join("regtest/lightningd.sqlite3")
}

#[track_caller]
pub(crate) fn compile(regex: &str) -> Result<Regex> {
    let at = Location::caller();
    Regex::new(regex)
        .map_err(|error| Error::test(format!("the regular expression {regex:?}")).because(error).at(at))
}
