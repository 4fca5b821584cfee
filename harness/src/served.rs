//! What stands behind the pipes of a plugin, and one run of it: recorded, and either forwarded to an executable or served by a mock.

use std::path::PathBuf;

use leyden_mock_plugins::MockPlugin;
use leyden_node::host::Launch;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, DuplexStream, duplex};

use crate::crash::CrashRules;
use crate::event::EventKind;
use crate::fault::{Kill, PluginFaults};
use crate::tap::Tap;
use crate::timeline::Timeline;

/// As much as a pipe of Linux holds: a mock in memory meets the same limits as a process.
const PIPE_CAPACITY: usize = 64 * 1024;

/// A plugin of a node, under the name by which the node knows it.
pub(crate) struct Served {
    pub(crate) timeline: Timeline,
    pub(crate) node: String,
    pub(crate) name: String,
    pub(crate) behind: Behind,
    pub(crate) crash: CrashRules,
    pub(crate) faults: PluginFaults,
}

/// What answers.
pub(crate) enum Behind {
    /// A mock in this process.
    Mock(MockPlugin),
    /// An executable.
    Exe(PathBuf),
}

impl Served {
    /// Records that the node has started it.
    pub(crate) fn launched(&self, launch: &Launch) {
        let Launch { path, args, env, cwd } = launch.clone();
        let plugin = self.name.clone();
        self.timeline.record(Some(&self.node), EventKind::PluginLaunched { plugin, path, args, env, cwd });
    }

    /// A recorder for one run, which can be ended by force.
    pub(crate) fn tap(&self, kill: Kill) -> Tap {
        Tap::new(&self.timeline, &self.node, &self.name).crashing(&self.crash).faulty(&self.faults, kill)
    }

    /// The node's ends of the pipes to a mock, and the run of the mock. `None` if an executable stands behind.
    pub(crate) fn mock_in_memory(
        &self,
    ) -> Option<(DuplexStream, DuplexStream, impl Future<Output = ()> + Send + 'static)> {
        let Behind::Mock(mock) = &self.behind else { return None };
        // Two of them, each used in one direction: either direction can end by itself, as with pipes.
        let (node_stdin, mock_stdin) = duplex(PIPE_CAPACITY);
        let (mock_stdout, node_stdout) = duplex(PIPE_CAPACITY);
        let mock = mock.clone();
        let run = async move {
            // A mock that exits or reads nonsense is what the test asked for; `verify` tells of it.
            drop(mock.serve(mock_stdin, mock_stdout).await);
        };
        Some((node_stdin, node_stdout, run))
    }

    /// Serves the mock to a node that is another process, until either has had enough.
    pub(crate) async fn serve_mock(
        &self,
        kill: Kill,
        from_node: impl AsyncRead + Unpin,
        to_node: impl AsyncWrite + Unpin,
    ) {
        if let Some((stdin, stdout, run)) = self.mock_in_memory() {
            tokio::join!(run, self.forward(kill, from_node, to_node, stdin, stdout));
        }
    }

    /// Passes on every byte in both directions, recorded before it is passed on. Ends when the plugin has closed its standard output
    /// or the node no longer reads it.
    pub(crate) async fn forward(
        &self,
        kill: Kill,
        mut from_node: impl AsyncRead + Unpin,
        mut to_node: impl AsyncWrite + Unpin,
        to_plugin: impl AsyncWrite + Unpin + Send,
        from_plugin: impl AsyncRead + Unpin + Send,
    ) {
        let (mut stdin, mut stdout) = self.tap(kill).wrap(to_plugin, from_plugin);
        // An error is a pipe whose reader is gone. Closing our end tells the writer, as if the two were connected.
        let there = async move {
            drop(tokio::io::copy(&mut from_node, &mut stdin).await);
            drop(stdin.shutdown().await);
            drop((from_node, stdin));
            std::future::pending::<()>().await;
        };
        let back = async move {
            drop(tokio::io::copy(&mut stdout, &mut to_node).await);
            drop(to_node.shutdown().await);
        };
        tokio::select! {
            () = there => {}
            () = back => {}
        }
    }
}
