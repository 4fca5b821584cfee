//! The I/O task of one plugin: its two pipes and its process.

use crate::host::RunningPlugin;
use crate::input::{Input, PluginId, PluginInput};
use crate::mailbox::Mailbox;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

/// The core's end of a plugin. Dropping it closes the plugin's pipes once everything is written.
pub(crate) struct PluginLink {
    frames: mpsc::UnboundedSender<String>,
    end: oneshot::Sender<End>,
}

/// What becomes of a plugin at once, whatever is still to be written to it.
enum End {
    /// SIGKILL.
    Kill,
    /// Its pipes are closed.
    Abandon,
}

impl PluginLink {
    /// Writes a frame.
    pub(crate) fn write(&self, frame: String) {
        // An error means that the task has ended; the core hears of that by itself.
        drop(self.frames.send(frame));
    }

    /// SIGKILLs the plugin, even if it reads nothing.
    pub(crate) fn kill(self) {
        // An error means that the task has ended, and the plugin with it.
        self.end.send(End::Kill).ok();
    }

    /// Closes its pipes in the middle of anything, as the end of the node's process does.
    pub(crate) fn abandon(self) {
        // As above.
        self.end.send(End::Abandon).ok();
    }
}

/// Starts the task. It ends when the plugin is killed or let go.
pub(crate) fn run(id: PluginId, plugin: RunningPlugin, mailbox: Mailbox) -> (PluginLink, JoinHandle<()>) {
    let (frames, to_write) = mpsc::unbounded_channel();
    let (end, ended) = oneshot::channel();
    (PluginLink { frames, end }, tokio::spawn(drive(id, plugin, mailbox, to_write, ended)))
}

async fn drive(
    id: PluginId,
    plugin: RunningPlugin,
    mailbox: Mailbox,
    mut to_write: mpsc::UnboundedReceiver<String>,
    ended: oneshot::Receiver<End>,
) {
    let RunningPlugin { mut stdin, mut stdout, mut process } = plugin;
    let reading = async {
        let mut chunk = vec![0; 16 * 1024];
        loop {
            match stdout.read(&mut chunk).await {
                Ok(0) | Err(_) => break,
                Ok(length) => mailbox.send(Input::Plugin(id, PluginInput::Bytes(chunk[..length].to_vec()))),
            }
        }
        mailbox.send(Input::Plugin(id, PluginInput::Closed));
        // The core decides what becomes of the process.
        std::future::pending::<()>().await;
    };
    let writing = async {
        let mut open = true;
        while let Some(frame) = to_write.recv().await {
            // A plugin that does not read its input any more is noticed by its output.
            open = open && stdin.write_all(frame.as_bytes()).await.is_ok() && stdin.flush().await.is_ok();
        }
    };
    // A dropped link is no end yet: `writing` ends by itself then.
    let ended = async {
        match ended.await {
            Ok(end) => end,
            Err(_) => std::future::pending().await,
        }
    };
    tokio::select! {
        biased;
        end = ended => match end {
            End::Kill => process.kill(),
            End::Abandon => process.release(),
        },
        () = writing => process.release(),
        () = reading => {}
    }
}
