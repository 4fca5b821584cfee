//! Plugins and mocks on a node that runs, and what was promised of the mocks.
//!
//! Every plugin gets a file in the run directory by whose path the node knows it: see `relay`.

use std::fmt;
use std::panic::Location;
use std::path::{Path, PathBuf};
use std::sync::PoisonError;

use leyden_mock_plugins::{Call, Mock, MockPlugin};
use leyden_node::host::shortname;
use serde_json::{Value, json};

use crate::backend::ConfiguredPlugin;
use crate::error::{Error, Result};
use crate::finish::PLUGINS_MAY_LINGER;
use crate::node::Node;
use crate::plugin::{Code, Plugin};
use crate::served::{Behind, Served};

/// A mock that was mounted on a node.
#[derive(Clone)]
pub(crate) struct Mounted {
    pub(crate) mock: MockPlugin,
    pub(crate) at: &'static Location<'static>,
    /// Its guard has verified it: the end of the net need not.
    verified: bool,
}

impl Mounted {
    pub(crate) fn new(mock: MockPlugin, at: &'static Location<'static>) -> Self {
        Self { mock, at, verified: false }
    }
}

/// What was expected of a mock whose node has stopped it, as an error.
async fn verify(node: &str, mock: &MockPlugin, at: &'static Location<'static>) -> Result {
    mock.ended(PLUGINS_MAY_LINGER).await;
    mock.verify().map_err(|unmet| {
        Error::plugin(format!("{node}: the calls of the mock {}", mock.name()))
            .came("they are not what was expected")
            .evidence("what was expected and what came", unmet.to_string().lines())
            .at(at)
    })
}

impl Node {
    /// Makes the file by which it knows a plugin.
    #[track_caller]
    pub(crate) fn install(&self, plugin: Plugin) -> Result<ConfiguredPlugin> {
        let Plugin { code, name, options, important } = plugin;
        let exe = match code {
            Code::Exe(path) => executable(&path)?,
            Code::Script(text) => {
                self.0.surroundings.relays.write_script(name.as_deref().unwrap_or_default(), &text)?
            }
        };
        let name = name.unwrap_or_else(|| shortname(&exe));
        let path = self.serve(name, Behind::Exe(exe))?;
        Ok(ConfiguredPlugin { path, important, options })
    }

    /// Makes the file by which it knows a mock.
    #[track_caller]
    pub(crate) fn install_mock(&self, mock: &MockPlugin) -> Result<ConfiguredPlugin> {
        let path = self.serve(mock.name().to_owned(), Behind::Mock(mock.clone()))?;
        Ok(ConfiguredPlugin { path, important: false, options: Vec::new() })
    }

    #[track_caller]
    fn serve(&self, name: String, behind: Behind) -> Result<PathBuf> {
        let (timeline, node) = (self.timeline().clone(), self.name().to_owned());
        let (crash, faults) = (self.crash_rules(), self.plugin_faults());
        let served = Served { timeline, node, name, behind, crash, faults };
        self.0.surroundings.relays.add(served)
    }
}

/// The absolute path of a file that can be executed.
#[track_caller]
pub(crate) fn executable(path: &Path) -> Result<PathBuf> {
    use std::os::unix::fs::PermissionsExt;
    let missing = |came: String| {
        Error::test(format!("the plugin {}", path.display()))
            .expected("a file that can be executed")
            .came(came)
            .advice(
                "cargo gives the path of your binary in an integration test: env!(\"CARGO_BIN_EXE_<name>\")",
            )
    };
    let absolute = path.canonicalize().map_err(|error| missing(error.to_string()))?;
    let found = absolute.metadata().map_err(|error| missing(error.to_string()))?;
    match found.is_file() && found.permissions().mode() & 0o111 != 0 {
        true => Ok(absolute),
        false => Err(missing("it cannot be executed".into())),
    }
}

impl Node {
    /// Starts a plugin on the running node (`plugin start`). It stays until it is stopped, or the node is.
    ///
    /// # Errors
    /// If there is no such executable, or if the node refuses the plugin.
    #[track_caller]
    pub fn start_plugin(&self, plugin: Plugin) -> impl Future<Output = Result> + Send + use<> {
        let installed = self.install(plugin);
        let node = self.clone();
        let at = Location::caller();
        async move { node.start_installed(node.noted(installed)?, at).await }
    }

    /// Stops a plugin or a mock by its name (`plugin stop`).
    ///
    /// # Errors
    /// If the node has none of this name, or if it is not dynamic.
    #[track_caller]
    pub fn stop_plugin(&self, name: &str) -> impl Future<Output = Result> + Send + use<> {
        let call = self.rpc("plugin", json!({"subcommand": "stop", "plugin": name}));
        async move { call.await.map(drop) }
    }

    /// Loads a mock, until the node stops. What is expected of it is checked at [`Net::finish`](crate::Net::finish). Gives the mock at
    /// work, which tells what it has received.
    ///
    /// # Errors
    /// If the node refuses it.
    #[track_caller]
    pub fn mount<M: Into<Mock>>(&self, mock: M) -> impl Future<Output = Result<MockPlugin>> + Send + use<M> {
        let mount = self.mount_at(MockPlugin::new(mock), Location::caller());
        async move { Ok(mount.await?.mock) }
    }

    /// Loads a mock until the guard is [finished](MockGuard::finish), which also checks what is expected of it. A guard that is
    /// dropped leaves both to [`Net::finish`](crate::Net::finish).
    ///
    /// # Errors
    /// If the node refuses it.
    #[track_caller]
    pub fn mount_scoped<M: Into<Mock>>(
        &self,
        mock: M,
    ) -> impl Future<Output = Result<MockGuard>> + Send + use<M> {
        self.mount_at(MockPlugin::new(mock), Location::caller())
    }

    fn mount_at(
        &self,
        mock: MockPlugin,
        at: &'static Location<'static>,
    ) -> impl Future<Output = Result<MockGuard>> + Send + use<> {
        let node = self.clone();
        async move {
            let installed = node.install_mock(&mock).map_err(|error| error.at(at));
            let installed = node.noted(installed)?;
            let path = installed.path.clone();
            node.remember(Mounted::new(mock.clone(), at));
            node.start_installed(installed, at).await?;
            Ok(MockGuard { node, mock, path, at })
        }
    }

    /// Loads a mock now and at each start.
    pub(crate) async fn mount_for_good(&self, mock: MockPlugin, at: &'static Location<'static>) -> Result {
        let installed = self.install_mock(&mock).map_err(|error| error.at(at))?;
        self.remember(Mounted::new(mock, at));
        self.start_with(installed.clone());
        self.start_installed(installed, at).await
    }

    async fn start_installed(&self, plugin: ConfiguredPlugin, at: &'static Location<'static>) -> Result {
        let mut params = json!({"subcommand": "start", "plugin": plugin.path});
        for (name, value) in plugin.options {
            // A flag has no value; RPC wants one.
            params[name] = if value.is_null() { Value::Bool(true) } else { value };
        }
        self.rpc_at("plugin", params, at).await.map(drop)
    }

    /// A mock that was mounted, by its name; the latest, if several had it.
    pub fn mock(&self, name: &str) -> Option<MockPlugin> {
        let mounted = self.0.mounted.lock().unwrap_or_else(PoisonError::into_inner);
        mounted.iter().rev().find(|mounted| mounted.mock.name() == name).map(|mounted| mounted.mock.clone())
    }

    pub(crate) fn remember(&self, mounted: Mounted) {
        self.0.mounted.lock().unwrap_or_else(PoisonError::into_inner).push(mounted);
    }

    /// The complaints about mocks that no guard has verified.
    pub(crate) async fn unmet(&self) -> Vec<Error> {
        let mut open = self.0.mounted.lock().unwrap_or_else(PoisonError::into_inner).clone();
        open.retain(|mounted| !mounted.verified);
        let mut complaints = Vec::new();
        for Mounted { mock, at, .. } in open {
            complaints.extend(verify(self.name(), &mock, at).await.err());
        }
        complaints
    }
}

/// A mock that is loaded for a part of a test; made by [`Node::mount_scoped`].
#[must_use = "keep it while the mock is needed, then call `finish().await`, which checks what is expected of the mock"]
pub struct MockGuard {
    node: Node,
    mock: MockPlugin,
    path: PathBuf,
    at: &'static Location<'static>,
}

impl MockGuard {
    /// The calls of the hook, method or topic `name` so far.
    pub fn calls(&self, name: &str) -> Vec<Call> {
        self.mock.calls(name)
    }

    /// The mock at work.
    pub fn mock(&self) -> &MockPlugin {
        &self.mock
    }

    /// Waits until there have been so many calls of the hook, method or topic `name`, and gives all there are.
    ///
    /// # Errors
    /// At the deadline, with everything that the mock has received.
    #[track_caller]
    pub fn wait_for(&self, name: &str, count: usize) -> impl Future<Output = Result<Vec<Call>>> + Send {
        let at = Location::caller();
        async move {
            let limit = self.node.deadline().remaining();
            let calls = self.mock.wait_for(name, count, limit).await.map_err(|too_few| {
                Error::plugin(format!(
                    "{}: waiting for calls of the mock {}",
                    self.node.name(),
                    self.mock.name()
                ))
                .came("they did not come")
                .evidence("what was expected and what came", too_few.to_string().lines())
                .at(at)
            });
            self.node.noted(calls)
        }
    }

    /// Stops the mock and checks what is expected of it.
    ///
    /// # Errors
    /// If the calls were not as expected, or if the node does not stop it.
    #[track_caller]
    pub fn finish(self) -> impl Future<Output = Result> + Send {
        let at = Location::caller();
        async move {
            let params = json!({"subcommand": "stop", "plugin": self.path});
            let stopped = self.node.rpc_at("plugin", params, at).await;
            self.mark_verified();
            // What did not come tells more than a plugin that would not stop.
            self.node.noted(verify(self.node.name(), &self.mock, self.at).await)?;
            stopped.map(drop)
        }
    }

    /// The end of the net need not check it.
    fn mark_verified(&self) {
        let mut mounted = self.node.0.mounted.lock().unwrap_or_else(PoisonError::into_inner);
        let is_this = |one: &&mut Mounted| one.at == self.at && one.mock.name() == self.mock.name();
        if let Some(this) = mounted.iter_mut().rev().find(is_this) {
            this.verified = true;
        }
    }
}

impl fmt::Debug for MockGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MockGuard({} on {})", self.mock.name(), self.node.name())
    }
}
