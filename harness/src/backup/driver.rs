//! The driver for authors of backup plugins: plays on a node what can happen to one, and judges what the plugin does about it.

use std::fmt;
use std::io;
use std::panic::Location;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use leyden_mock_plugins::{Call, Mock, Reply};
use leyden_node::host::shortname;
use serde_json::json;

use super::Case;
use super::report::{Played, Report};
use super::stage::{REFUSER, Stage};
use crate::backend::Backend;
use crate::builder::NetBuilder;
use crate::error::{Error, Result};
use crate::mock_chain::MockChain;
use crate::net::Net;
use crate::plugin::{Code, Plugin};

/// A plugin that is tested: an executable, a script or a mock.
pub enum Candidate {
    /// An executable or a script.
    Plugin(Plugin),
    /// A mock.
    Mock(Box<Mock>),
}

impl From<Plugin> for Candidate {
    fn from(plugin: Plugin) -> Self {
        Self::Plugin(plugin)
    }
}

impl From<Mock> for Candidate {
    fn from(mock: Mock) -> Self {
        Self::Mock(Box::new(mock))
    }
}

type Make = Arc<dyn Fn() -> Candidate + Send + Sync>;
/// Restores a backup: given the directory in which the plugin runs, makes a database file.
pub(super) type Restore = Arc<dyn Fn(&Path, &Path) -> io::Result<()> + Send + Sync>;

/// Plays a backup plugin through every [`Case`], each on a node of its own, and judges its answers by the [`Rules`](super::Rules) and, if it is told how to
/// restore the plugin's backup, its copy by the node's database.
///
/// ```no_run
/// # async fn test() -> leyden::Result {
/// use leyden::Plugin;
/// use leyden::backup::BackupDriver;
/// use std::process::Command;
///
/// let report = BackupDriver::new(|| Plugin::exe("target/debug/my-backup"))
///     // It runs in the node's directory, and has put its backup there.
///     .restored_by(|dir, file| {
///         let restored = Command::new("target/debug/my-restore").arg(dir.join("my.backup")).arg(file).status()?;
///         restored.success().then_some(()).ok_or(std::io::ErrorKind::InvalidData.into())
///     })
///     .run()
///     .await?;
/// println!("{report}");
/// report.check()
/// # }
/// ```
///
/// A plugin that must be told of a backup before it is first run wants a script around it, which does that: [`Plugin::script`]. Options come too late: the first
/// `db_write` is before `init`.
#[must_use = "call `run().await`"]
pub struct BackupDriver {
    make: Make,
    restore: Option<Restore>,
    backend: Option<Backend>,
    cases: Vec<Case>,
}

impl BackupDriver {
    /// Of the plugin that `make` gives, anew for each case.
    pub fn new<C: Into<Candidate>>(make: impl Fn() -> C + Send + Sync + 'static) -> Self {
        let make = Arc::new(move || make().into());
        Self { make, restore: None, backend: None, cases: Case::ALL.to_vec() }
    }

    /// How a backup is restored: `restore` is given the directory in which the plugin has run, the node's `regtest`, and a file that it must make: the SQLite
    /// database as it was at the last `db_write` that the plugin has let pass. Without this only answers are judged.
    pub fn restored_by(
        mut self,
        restore: impl Fn(&Path, &Path) -> io::Result<()> + Send + Sync + 'static,
    ) -> Self {
        self.restore = Some(Arc::new(restore));
        self
    }

    /// The program that plays the nodes. Without it, what `LEYDEN_BACKEND` names, or the embedded node.
    pub fn backend(mut self, backend: Backend) -> Self {
        self.backend = Some(backend);
        self
    }

    /// Only these cases.
    pub fn cases(mut self, cases: impl IntoIterator<Item = Case>) -> Self {
        self.cases = cases.into_iter().collect();
        self
    }

    /// Plays the cases, one after the other.
    ///
    /// # Errors
    /// If a node does otherwise than a case wants it to, for another reason than the plugin's answers. What the plugin does wrong is in the report.
    #[track_caller]
    pub fn run(self) -> impl Future<Output = Result<Report>> + Send {
        let at = Location::caller();
        async move {
            let mut report = Report { plugin: String::new(), cases: Vec::new() };
            for case in &self.cases {
                let (plugin, played) = self.play_case(*case).await.map_err(|error| error.at(at))?;
                report.plugin = plugin;
                report.cases.push(played);
            }
            Ok(report)
        }
    }

    async fn play_case(&self, case: Case) -> Result<(String, Played)> {
        let refuses = Arc::new(AtomicBool::new(false));
        let (mut builder, plugin) = self.net((self.make)());
        if case == Case::RefusedByAnother {
            let refusing = Arc::clone(&refuses);
            let answer = move |_: &Call| match refusing.load(Ordering::SeqCst) {
                true => Reply::result(json!({"result": "refused"})),
                false => Reply::cont(),
            };
            builder = builder.mount("l1", Mock::hook("db_write").reply(answer).named(REFUSER));
        }
        let net = builder.start().await.map_err(|error| {
            Error::plugin(format!("{case}: starting a node with {plugin}")).because(error)
        })?;
        let mut stage = Stage::new(&net, plugin.clone(), self.restore.clone(), case, refuses);
        let ended = stage.play().await;
        let played = stage.close(ended);
        // A node that runs with a plugin that breaks rules may end in any way.
        let finished = net.finish().await;
        let played = played?;
        if played.breaches.is_empty() {
            finished?;
        }
        Ok((plugin, played))
    }

    /// A net whose one node has the plugin from its first start on, and the plugin's name.
    fn net(&self, candidate: Candidate) -> (NetBuilder, String) {
        let net = Net::builder().nodes(["l1"]).chain(MockChain::new()).may_fail("l1").broken_log("l1", "");
        let net = match self.backend {
            Some(backend) => net.backend(backend),
            None => net,
        };
        match candidate {
            Candidate::Mock(mock) => {
                let name = mock.name().unwrap_or("mock").to_owned();
                (net.mount("l1", *mock), name)
            }
            Candidate::Plugin(plugin) => {
                let name = match (&plugin.name, &plugin.code) {
                    (Some(name), _) => name.clone(),
                    (None, Code::Exe(path)) => shortname(&path.canonicalize().unwrap_or(path.clone())),
                    (None, Code::Script(_)) => String::new(),
                };
                (net.plugin("l1", plugin), name)
            }
        }
    }
}

impl fmt::Debug for BackupDriver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BackupDriver")
            .field("backend", &self.backend)
            .field("cases", &self.cases)
            .finish_non_exhaustive()
    }
}
