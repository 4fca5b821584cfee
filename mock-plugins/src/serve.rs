//! The plugin's main loop, over any pair of byte streams.
//!
//! One loop reads calls, decides, and writes. A reply that waits is put aside with the rest of what it has to
//! do, and the loop goes on with other calls; so there is one writer, and no task to be left behind.

use crate::call::Call;
use crate::plugin::MockPlugin;
use crate::reply::Step;
use crate::wait;
use leyden_protocol::FrameReader;
use leyden_protocol::frame::NotJson;
use std::collections::VecDeque;
use std::io;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::mpsc;
use tokio::time::Instant;

/// Why a mock is not served any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// lightningd closed the plugin's stdin, or does not read its stdout.
    Eof,
    /// A reply said so, or the plugin was told to shut down: the process would exit with this code.
    Exit(i32),
    /// [`MockPlugin::stop`].
    Stopped,
}

/// lightningd did what it should not, or a stream failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServeError {
    /// What lightningd wrote is not JSON.
    #[error("expected JSON-RPC from lightningd: {0}")]
    NotJson(#[from] NotJson),
    /// What lightningd wrote is neither a request nor a notification.
    #[error("expected a request or a notification from lightningd, not: {0}")]
    NotACall(String),
    /// Reading or writing failed.
    #[error("lost the connection to lightningd: {0}")]
    Io(#[from] io::Error),
}

/// Why the loop goes on.
enum Woken {
    Read(usize),
    Due,
    Late(VecDeque<Step>),
}

/// Serves until there is a reason to end.
pub(crate) async fn run(
    plugin: &MockPlugin,
    stdin: impl AsyncRead + Unpin,
    stdout: impl AsyncWrite + Unpin,
) -> Result<Ended, ServeError> {
    let ((life, late), stdout) = (plugin.live(), Some(stdout));
    let (frames, waiting) = (FrameReader::new(), Vec::new());
    let mut server = Server { plugin, life, stdin, stdout, frames, waiting, late };
    let ended = server.run().await;
    server.close_stdout().await;
    match ended {
        Err(ServeError::Io(error)) if is_hang_up(&error) => Ok(Ended::Eof),
        ended => ended,
    }
}

fn is_hang_up(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset)
}

struct Server<'a, R, W> {
    plugin: &'a MockPlugin,
    life: usize,
    stdin: R,
    stdout: Option<W>,
    frames: FrameReader,
    /// What is left to do of replies that wait, with the time when each goes on.
    waiting: Vec<(Instant, VecDeque<Step>)>,
    /// What the test wants done about calls that were left without an answer.
    late: mpsc::UnboundedReceiver<VecDeque<Step>>,
}

impl<R: AsyncRead + Unpin, W: AsyncWrite + Unpin> Server<'_, R, W> {
    async fn run(&mut self) -> Result<Ended, ServeError> {
        if let Some(ended) = self.perform(self.plugin.begin()).await? {
            return Ok(ended);
        }
        let mut buffer = vec![0; 64 * 1024];
        loop {
            let due = self.waiting.iter().map(|(due, _)| *due).min();
            let woken = tokio::select! {
                read = self.stdin.read(&mut buffer) => Woken::Read(read?),
                () = wait::until(due) => Woken::Due,
                Some(steps) = self.late.recv() => Woken::Late(steps),
            };
            let ended = match woken {
                Woken::Read(0) => return Ok(Ended::Eof),
                Woken::Read(read) => self.take(&buffer[..read]).await?,
                Woken::Due => self.resume().await?,
                Woken::Late(steps) => self.perform(steps).await?,
            };
            if let Some(ended) = ended {
                return Ok(ended);
            }
        }
    }

    /// Serves the calls that have arrived.
    async fn take(&mut self, bytes: &[u8]) -> Result<Option<Ended>, ServeError> {
        self.frames.push(bytes);
        while let Some(frame) = self.frames.next_frame()? {
            let call = Call::parse(&frame).ok_or(ServeError::NotACall(frame))?;
            if let Some(ended) = self.perform(self.plugin.receive(call, self.life)).await? {
                return Ok(Some(ended));
            }
        }
        Ok(None)
    }

    /// Goes on with replies whose time has come, the one that is due longest first.
    async fn resume(&mut self) -> Result<Option<Ended>, ServeError> {
        let now = wait::due(std::time::Duration::ZERO);
        self.waiting.sort_by_key(|(due, _)| *due);
        while self.waiting.first().is_some_and(|(due, _)| *due <= now) {
            let (_, steps) = self.waiting.remove(0);
            if let Some(ended) = self.perform(steps).await? {
                return Ok(Some(ended));
            }
        }
        Ok(None)
    }

    /// Does one thing after the other, until one has to wait.
    async fn perform(&mut self, mut steps: VecDeque<Step>) -> Result<Option<Ended>, ServeError> {
        while let Some(step) = steps.pop_front() {
            match step {
                Step::Wait(delay) => {
                    self.waiting.push((wait::due(delay), steps));
                    return Ok(None);
                }
                Step::Write { bytes, piece } => self.write(&bytes, piece).await?,
                Step::CloseStdout => self.close_stdout().await,
                Step::Exit(code) => return Ok(Some(Ended::Exit(code))),
            }
        }
        Ok(None)
    }

    async fn write(&mut self, bytes: &[u8], piece: Option<usize>) -> io::Result<()> {
        let Some(stdout) = &mut self.stdout else { return Ok(()) };
        for piece in bytes.chunks(piece.unwrap_or(bytes.len().max(1))) {
            stdout.write_all(piece).await?;
            stdout.flush().await?;
            // In memory, the reader gets the chance to see this piece alone.
            tokio::task::yield_now().await;
        }
        Ok(())
    }

    async fn close_stdout(&mut self) {
        if let Some(mut stdout) = self.stdout.take() {
            // Whoever read it may have gone before; it is closed either way.
            drop(stdout.shutdown().await);
        }
    }
}
