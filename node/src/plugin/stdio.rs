//! The I/O task of one plugin: its two pipes and its process.

mod lookout;

use crate::host::RunningPlugin;
use crate::input::{Input, PluginId, PluginInput};
use crate::mailbox::Mailbox;
use lookout::Lookout;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Instant;
use tokio::io::{AsyncRead, AsyncWriteExt, ReadBuf};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

/// The core's end of a plugin. Dropping it closes the plugin's pipes once everything is written.
pub(crate) struct PluginLink {
    frames: mpsc::UnboundedSender<(String, Expects)>,
    end: oneshot::Sender<End>,
}

/// What a frame has a plugin do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Expects {
    /// It is only told.
    Nothing,
    /// It has to answer.
    Answer,
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
    pub(crate) fn write(&self, frame: String, expects: Expects) {
        // An error means that the task has ended; the core hears of that by itself.
        drop(self.frames.send((frame, expects)));
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
    mut to_write: mpsc::UnboundedReceiver<(String, Expects)>,
    ended: oneshot::Receiver<End>,
) {
    let RunningPlugin { mut stdin, mut stdout, mut process } = plugin;
    // Of both halves of this one task, which is why nobody ever waits for it.
    let lookout = Mutex::new(Lookout::default());
    let reading = async {
        let mut chunk = vec![0; 16 * 1024];
        loop {
            match poll_fn(|context| look(&mut *stdout, context, &mut chunk, &lookout)).await {
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
        while let Some((frame, expects)) = to_write.recv().await {
            // A plugin that does not read its input any more is noticed by its output.
            open = open && stdin.write_all(frame.as_bytes()).await.is_ok() && stdin.flush().await.is_ok();
            if open && expects == Expects::Answer {
                locked(&lookout).asked(Instant::now());
            }
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

/// Reads what a plugin says. While its answer is looked out for, this task stays awake: others on the node's thread have their turns, and
/// so have other processes, of which the plugin may be one.
fn look(
    stdout: &mut (dyn AsyncRead + Send + Unpin),
    context: &mut Context<'_>,
    chunk: &mut [u8],
    lookout: &Mutex<Lookout>,
) -> Poll<io::Result<usize>> {
    let mut read = ReadBuf::new(chunk);
    let polled = Pin::new(stdout).poll_read(context, &mut read);
    let mut lookout = locked(lookout);
    if polled.is_pending() && lookout.lasts(Instant::now) {
        std::thread::yield_now();
        context.waker().wake_by_ref();
    }
    polled.map_ok(|()| {
        lookout.heard(Instant::now);
        read.filled().len()
    })
}

fn locked(lookout: &Mutex<Lookout>) -> MutexGuard<'_, Lookout> {
    lookout.lock().unwrap_or_else(PoisonError::into_inner)
}
