//! What becomes of a plugin's standard output while a test wants it changed. At any other time its bytes pass unseen.

use std::collections::VecDeque;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use leyden_mock_plugins::reply::Step;
use leyden_protocol::{Envelope, FrameReader, frame};
use rustix::process::{Pid, Signal, kill_process};
use tokio::sync::mpsc;

use super::rules::Order;
use crate::wait::pause;

/// Ends a plugin as `kill -9` does.
#[derive(Clone)]
pub(crate) struct Kill(Arc<dyn Fn() + Send + Sync>);

impl Kill {
    pub(crate) fn new(kill: impl Fn() + Send + Sync + 'static) -> Self {
        Self(Arc::new(kill))
    }

    /// SIGKILL to a process, if there is one.
    pub(crate) fn process(pid: Option<u32>) -> Self {
        let pid = pid.and_then(|pid| Pid::from_raw(pid.cast_signed()));
        Self::new(move || {
            if let Some(pid) = pid {
                // An error means that it has ended already.
                _ = kill_process(pid, Signal::KILL);
            }
        })
    }
}

impl fmt::Debug for Kill {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kill").finish_non_exhaustive()
    }
}

/// Between a plugin's standard output and whoever reads it.
pub(crate) struct Valve {
    orders: mpsc::UnboundedReceiver<Order>,
    kill: Option<Kill>,
    /// Answers that will be replaced when they come, or lost.
    struck: Vec<Struck>,
    /// What waits, for the clock or for the test, and goes on then.
    waiting: Vec<Pin<Box<dyn Future<Output = VecDeque<Step>> + Send>>>,
    /// There while the stream is cut into frames.
    frames: Option<FrameReader>,
    /// How many bytes of the next frame have passed before it was cut.
    passed: usize,
    out: VecDeque<Vec<u8>>,
    closed: bool,
}

enum Struck {
    Replaced(Order),
    Lost(Order),
}

impl Valve {
    pub(crate) fn new(orders: mpsc::UnboundedReceiver<Order>, kill: Option<Kill>) -> Self {
        Self {
            orders,
            kill,
            struck: Vec::new(),
            waiting: Vec::new(),
            frames: None,
            passed: 0,
            out: VecDeque::new(),
            closed: false,
        }
    }

    /// Does what has been ordered and what has waited long enough. `unread` is what has passed of a frame that is not complete.
    pub(crate) fn poll(&mut self, context: &mut Context<'_>, unread: &[u8]) {
        while let Poll::Ready(Some(order)) = self.orders.poll_recv(context) {
            if self.frames.is_none() {
                let mut frames = FrameReader::new();
                frames.push(unread);
                (self.frames, self.passed) = (Some(frames), unread.trim_ascii_start().len());
            }
            self.obey(order);
        }
        let mut ready = Vec::new();
        self.waiting.retain_mut(|waiting| match waiting.as_mut().poll(context) {
            Poll::Ready(steps) => {
                ready.push(steps);
                false
            }
            Poll::Pending => true,
        });
        ready.into_iter().for_each(|steps| self.perform(steps));
    }

    fn obey(&mut self, order: Order) {
        if order.awaits_answer {
            return self.struck.push(Struck::Replaced(order));
        }
        let steps = order.reply.steps_about(&order.call, None).unwrap_or_default();
        self.perform(steps);
        order.seen.send_replace(Some(order.call.clone()));
        self.struck.push(Struck::Lost(order));
    }

    fn perform(&mut self, mut steps: VecDeque<Step>) {
        while let Some(step) = steps.pop_front() {
            match step {
                Step::Wait(delay) => {
                    self.waiting.push(Box::pin(async move {
                        pause(delay).await;
                        steps
                    }));
                    return;
                }
                Step::Write { bytes, piece } => {
                    let piece = piece.unwrap_or(bytes.len().max(1));
                    self.out.extend(bytes.chunks(piece).map(<[u8]>::to_vec));
                }
                Step::CloseStdout => self.closed = true,
                Step::Exit(_) => {
                    if let Some(Kill(kill)) = &self.kill {
                        kill();
                    }
                }
            }
        }
    }

    /// Whether bytes of the plugin may pass as they are.
    pub(crate) fn is_open(&self) -> bool {
        self.frames.is_none() && self.out.is_empty() && !self.closed
    }

    /// The next bytes to be read, at most so many.
    pub(crate) fn take(&mut self, most: usize) -> Option<Vec<u8>> {
        let mut chunk = self.out.pop_front()?;
        if chunk.len() > most {
            self.out.push_front(chunk.split_off(most));
        }
        Some(chunk)
    }

    /// Whether nothing further will come.
    pub(crate) fn is_closed(&self) -> bool {
        self.closed
    }

    /// Takes bytes of the plugin; none are its end.
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        let Some(mut frames) = self.frames.take() else { return self.out.push_back(bytes.to_vec()) };
        frames.push(bytes);
        loop {
            match frames.next_frame() {
                Ok(Some(text)) => self.frame(&text),
                Ok(None) => break,
                Err(garbage) => {
                    let rest = self.rest(&garbage.unread);
                    return self.out.push_back(rest);
                }
            }
        }
        if bytes.is_empty() {
            let rest = self.rest(frames.unread());
            self.out.extend((!rest.is_empty()).then_some(rest));
            self.closed = true;
        } else if !self.struck.is_empty() || !frames.unread().trim_ascii().is_empty() {
            self.frames = Some(frames);
        }
    }

    /// What has not passed of the bytes that begin the next frame.
    fn rest(&mut self, bytes: &[u8]) -> Vec<u8> {
        bytes.trim_ascii_start()[std::mem::take(&mut self.passed)..].to_vec()
    }

    fn frame(&mut self, text: &str) {
        let answer =
            Envelope::parse(text).filter(|frame| frame.method.is_none()).and_then(|frame| frame.id());
        let is_it = |struck: &Struck| match struck {
            Struck::Replaced(order) | Struck::Lost(order) => Some(&order.id) == answer.as_ref(),
        };
        let struck = self.struck.iter().position(is_it).map(|index| self.struck.remove(index));
        match struck {
            None => {
                let rest = self.rest(format!("{text}{}", frame::TERMINATOR).as_bytes());
                self.out.push_back(rest);
            }
            Some(Struck::Lost(_)) => {}
            Some(Struck::Replaced(order)) => self.replace(order, text),
        }
    }

    fn replace(&mut self, order: Order, own: &str) {
        let Order { call, reply, released, seen, .. } = order;
        let steps = reply.steps_about(&call, Some(own)).unwrap_or_default();
        seen.send_replace(Some(call));
        match released {
            None => self.perform(steps),
            Some(released) => self.waiting.push(Box::pin(async move {
                // A test that lets go of it wants nothing more of the answer.
                drop(released.await);
                steps
            })),
        }
    }
}

impl fmt::Debug for Valve {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Valve")
            .field("struck", &self.struck.len())
            .field("closed", &self.closed)
            .finish_non_exhaustive()
    }
}
