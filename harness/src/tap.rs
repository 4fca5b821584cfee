//! The recorder on a plugin's stdio: it sits outside of the node, so that no node can bias it.
//!
//! A frame is recorded before it is forwarded. So whatever an answer answers stands before it in the timeline; and a node that is to crash
//! at a frame does not live to read what comes behind. Where a test makes a plugin misbehave, the record has what the node hears.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use leyden_protocol::FrameReader;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::mpsc;

use crate::crash::CrashRules;
use crate::event::{Direction, EventKind};
use crate::fault::{Kill, Orders, PluginFaults, Valve};
use crate::timeline::Timeline;

/// How much is read at once of a plugin whose answers are changed.
const CHUNK: usize = 4096;

/// Records what goes over one plugin's pipes.
#[derive(Clone, Debug)]
pub struct Tap {
    timeline: Timeline,
    node: String,
    plugin: String,
    crash: Option<CrashRules>,
    faults: PluginFaults,
    kill: Option<Kill>,
}

impl Tap {
    /// A tap for one run of a plugin of a node.
    pub fn new(timeline: &Timeline, node: &str, plugin: &str) -> Self {
        Self {
            timeline: timeline.clone(),
            node: node.to_owned(),
            plugin: plugin.to_owned(),
            crash: None,
            faults: PluginFaults::default(),
            kill: None,
        }
    }

    /// A tap at whose frames the node may crash.
    pub(crate) fn crashing(mut self, crash: &CrashRules) -> Self {
        self.crash = Some(crash.clone());
        self
    }

    /// A tap at which the plugin may be made to misbehave.
    pub(crate) fn faulty(mut self, faults: &PluginFaults, kill: Kill) -> Self {
        (self.faults, self.kill) = (faults.clone(), Some(kill));
        self
    }

    /// The two pipes, with every byte unchanged and every frame recorded.
    pub fn wrap<W, R>(self, stdin: W, stdout: R) -> (TappedStdin<W>, TappedStdout<R>) {
        let (orders, ordered) = mpsc::unbounded_channel();
        let recorder = self.recorder(Direction::FromPlugin, None);
        let valve = Valve::new(ordered, self.kill.clone());
        let reader = TappedStdout { inner: stdout, recorder, valve, ended: false };
        let recorder = self.recorder(Direction::ToPlugin, Some(orders));
        (TappedStdin { inner: stdin, recorder, recorded: 0 }, reader)
    }

    fn recorder(&self, direction: Direction, orders: Option<Orders>) -> Recorder {
        Recorder { tap: self.clone(), direction, frames: Some(FrameReader::new()), orders }
    }
}

/// Cuts one direction into frames.
struct Recorder {
    tap: Tap,
    direction: Direction,
    /// `None` once the stream can no longer be JSON: everything behind that is garbage too.
    frames: Option<FrameReader>,
    /// From the plugin's input to its output: what is to be done about a call.
    orders: Option<Orders>,
}

impl Recorder {
    fn bytes(&mut self, bytes: &[u8]) {
        let Some(frames) = &mut self.frames else { return self.garbage(bytes.to_vec()) };
        frames.push(bytes);
        loop {
            match frames.next_frame() {
                Ok(None) => return,
                Ok(Some(text)) => {
                    let (plugin, direction) = (self.tap.plugin.clone(), self.direction);
                    if let Some(orders) = self.orders.as_ref().filter(|_| self.tap.faults.is_armed())
                        && let Some(order) = self.tap.faults.strike(&plugin, &text)
                    {
                        // An error means that the plugin's output has ended.
                        drop(orders.send(order));
                    }
                    let crash = self.tap.crash.as_ref().filter(|crash| crash.is_armed());
                    let told = crash.map(|crash| (crash.clone(), text.clone()));
                    let frame = EventKind::Frame { plugin, direction, text };
                    self.tap.timeline.record(Some(&self.tap.node), frame);
                    if let Some((crash, text)) = told {
                        crash.frame(&self.tap.plugin, direction, &text);
                    }
                }
                Err(not_json) => {
                    self.frames = None;
                    return self.garbage(not_json.unread);
                }
            }
        }
    }

    /// What has passed of a frame that is not complete.
    fn unread(&self) -> &[u8] {
        self.frames.as_ref().map_or(&[], FrameReader::unread)
    }

    /// What was begun and will not be ended.
    fn end(&mut self) {
        let rest = self.frames.take().map(|frames| frames.unread().to_vec()).unwrap_or_default();
        if !rest.trim_ascii().is_empty() {
            self.garbage(rest);
        }
    }

    fn garbage(&self, bytes: Vec<u8>) {
        let (plugin, direction) = (self.tap.plugin.clone(), self.direction);
        self.tap.timeline.record(Some(&self.tap.node), EventKind::Garbage { plugin, direction, bytes });
    }
}

/// A plugin's standard input; made by [`Tap::wrap`].
pub struct TappedStdin<W> {
    inner: W,
    recorder: Recorder,
    /// How many of the bytes that come next are recorded already: they were offered, and the pipe was full.
    recorded: usize,
}

impl<W> Drop for TappedStdin<W> {
    /// A node may be killed while it writes.
    fn drop(&mut self) {
        self.recorder.end();
    }
}

impl<W: AsyncWrite + Unpin> AsyncWrite for TappedStdin<W> {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if let Some(new) = bytes.get(this.recorded..).filter(|new| !new.is_empty()) {
            this.recorder.bytes(new);
            this.recorded = bytes.len();
        }
        let written = ready!(Pin::new(&mut this.inner).poll_write(context, bytes))?;
        this.recorded -= written;
        Poll::Ready(Ok(written))
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_shutdown(context)
    }
}

/// A plugin's standard output; made by [`Tap::wrap`].
pub struct TappedStdout<R> {
    inner: R,
    recorder: Recorder,
    valve: Valve,
    ended: bool,
}

impl<R> TappedStdout<R> {
    fn end(&mut self) {
        if !std::mem::replace(&mut self.ended, true) {
            self.recorder.end();
            let Tap { timeline, node, plugin, .. } = &self.recorder.tap;
            timeline.record(Some(node), EventKind::PluginGone { plugin: plugin.clone() });
        }
    }
}

impl<R: AsyncRead + Unpin> AsyncRead for TappedStdout<R> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        loop {
            this.valve.poll(context, this.recorder.unread());
            if this.valve.is_open() {
                break;
            }
            if let Some(chunk) = this.valve.take(into.remaining()) {
                this.recorder.bytes(&chunk);
                into.put_slice(&chunk);
                return Poll::Ready(Ok(()));
            }
            if this.valve.is_closed() {
                this.end();
                return Poll::Ready(Ok(()));
            }
            let mut chunk = [0; CHUNK];
            let mut bytes = ReadBuf::new(&mut chunk);
            ready!(Pin::new(&mut this.inner).poll_read(context, &mut bytes))?;
            this.valve.push(bytes.filled());
        }
        let before = into.filled().len();
        let room = into.remaining() > 0;
        let outcome = ready!(Pin::new(&mut this.inner).poll_read(context, into));
        let new = &into.filled()[before..];
        if !new.is_empty() {
            this.recorder.bytes(new);
        } else if room {
            this.end();
        }
        Poll::Ready(outcome)
    }
}

impl<R> Drop for TappedStdout<R> {
    /// A node that kills a plugin does not read to the end; what it has read is recorded all the same.
    fn drop(&mut self) {
        self.end();
    }
}
