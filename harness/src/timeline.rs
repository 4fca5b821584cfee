//! The one ordered stream of everything that happens in a net, and waiting on it.
//!
//! Nothing here polls: a wait wakes at the event it waits for, and ends at once when its node has died.

use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use leyden_node::event::LogLine;
use leyden_protocol::Envelope;
use regex::Regex;
use tokio::sync::watch;

use crate::error::{Error, Fault, Result};
use crate::event::{Event, EventKind};
use crate::wait::Deadline;

/// How much of the past a failed wait shows.
const LAST_LINES: usize = 10;
const NEAREST_MISSES: usize = 5;

/// Everything that has happened in a net, in one order. Clones are the same timeline.
#[derive(Clone, Debug)]
pub struct Timeline {
    shared: Arc<Shared>,
}

type Ear = Arc<dyn Fn(&Event) + Send + Sync>;

struct Shared {
    began: Instant,
    events: Mutex<Vec<Arc<Event>>>,
    /// Who is told of a node's events before the node goes on.
    ears: Mutex<Vec<(String, Ear)>>,
    /// How many events there are: wakes the waits.
    count: watch::Sender<u64>,
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared")
            .field("began", &self.began)
            .field("events", &self.events)
            .finish_non_exhaustive()
    }
}

impl Default for Timeline {
    fn default() -> Self {
        Self::new()
    }
}

impl Timeline {
    /// An empty timeline that begins now.
    pub fn new() -> Self {
        let shared = Shared {
            began: Instant::now(),
            events: Mutex::default(),
            ears: Mutex::default(),
            count: watch::Sender::new(0),
        };
        Self { shared: Arc::new(shared) }
    }

    /// Adds an event at the end, wakes whoever waits, and gives its place. Never blocks for long; may be called from any thread.
    pub fn record(&self, node: Option<&str>, kind: EventKind) -> u64 {
        let mut events = self.locked();
        let seq = events.len() as u64;
        let event =
            Arc::new(Event { seq, at: self.shared.began.elapsed(), node: node.map(str::to_owned), kind });
        events.push(Arc::clone(&event));
        drop(events);
        self.tell(&event);
        // Whoever begins to wait now, reads the events afterwards.
        if self.shared.count.receiver_count() == 0 {
            return seq;
        }
        // Two recorders may come here in either order, so the count must only grow.
        self.shared.count.send_if_modified(|count| {
            let grows = *count <= seq;
            *count = (*count).max(seq + 1);
            grows
        });
        seq
    }

    /// Tells `ear` of every event of a node, on the thread that records it and before the node goes on.
    pub(crate) fn listen(&self, node: &str, ear: impl Fn(&Event) + Send + Sync + 'static) {
        let mut ears = self.shared.ears.lock().unwrap_or_else(PoisonError::into_inner);
        ears.push((node.to_owned(), Arc::new(ear)));
    }

    fn tell(&self, event: &Event) {
        let Some(node) = &event.node else { return };
        let ears = self.shared.ears.lock().unwrap_or_else(PoisonError::into_inner);
        // Called without the lock: an ear may record something itself.
        let ears: Vec<Ear> =
            ears.iter().filter(|(owner, _)| owner == node).map(|(_, ear)| Arc::clone(ear)).collect();
        ears.iter().for_each(|ear| ear(event));
    }

    /// How many events there are: the place of the next one. A wait from here sees only what is still to come.
    pub fn now(&self) -> u64 {
        self.locked().len() as u64
    }

    /// Everything so far.
    pub fn events(&self) -> Vec<Arc<Event>> {
        self.since(0)
    }

    /// Everything from the place `seq` on.
    pub fn since(&self, seq: u64) -> Vec<Arc<Event>> {
        let events = self.locked();
        let start = usize::try_from(seq).unwrap_or(usize::MAX).min(events.len());
        events[start..].to_vec()
    }

    /// A stream of the events from now on; each waits at most `patience`.
    pub fn follow(&self, patience: Duration) -> Events {
        Events { timeline: self.clone(), next: self.now(), patience }
    }

    /// Waits until `pick` gives something for an event at or after the place `from`.
    ///
    /// `what` ends the sentence "waiting for …". With a `node`, the wait ends at once when that node has died.
    #[track_caller]
    pub fn wait_for<'a, T, F>(
        &self,
        what: &str,
        node: Option<&str>,
        from: u64,
        deadline: Deadline,
        pick: F,
    ) -> WaitFor<'a, F>
    where
        F: FnMut(&Event) -> Option<T>,
    {
        WaitFor {
            timeline: self.clone(),
            what: what.to_owned(),
            node: node.map(str::to_owned),
            from,
            deadline,
            pick,
            nearness: Box::new(|_| 0),
            at: Location::caller(),
        }
    }

    /// Waits until `node` logs a line that `regex` matches, at or after the place `from`.
    ///
    /// The regex is tried on the whole line except its time, such as `INFO    plugin-my.py: hello`. As with pyln's
    /// `wait_for_log`, the next wait is meant to start behind the match: at its `seq + 1`.
    #[track_caller]
    pub fn wait_for_log(
        &self,
        node: &str,
        regex: &Regex,
        from: u64,
        deadline: Deadline,
    ) -> WaitFor<'static, impl FnMut(&Event) -> Option<Logged> + Send + use<>> {
        let (wanted, regex, owner) = (literal_words(regex.as_str()), regex.clone(), node.to_owned());
        let what = format!("{node} to log /{regex}/");
        let pick = move |event: &Event| match &event.kind {
            EventKind::Log(line)
                if event.node.as_deref() == Some(&*owner) && regex.is_match(&line.to_string()) =>
            {
                Some(Logged { seq: event.seq, line: LogLine::clone(line) })
            }
            _ => None,
        };
        self.wait_for(&what, Some(node), from, deadline, pick).nearest(move |event| match &event.kind {
            EventKind::Log(line) => {
                let line = line.to_string();
                let found = wanted.iter().filter(|word| line.contains(*word)).count();
                // A line with less than half of the words is no near miss.
                if found * 2 >= wanted.len() { found } else { 0 }
            }
            _ => 0,
        })
    }

    /// Waits until a request or notification called `method` goes to or comes from `plugin`, at or after `from`.
    #[track_caller]
    pub fn wait_for_frame(
        &self,
        node: &str,
        plugin: &str,
        method: &str,
        from: u64,
        deadline: Deadline,
    ) -> WaitFor<'static, impl FnMut(&Event) -> Option<Event> + Send + use<>> {
        let (owner, plugin, method) = (node.to_owned(), plugin.to_owned(), method.to_owned());
        let what = format!("{node}'s {plugin} to see a {method}");
        let (near_plugin, near_method) = (plugin.clone(), method.clone());
        let pick = move |event: &Event| {
            let here = event.node.as_deref() == Some(&*owner) && event.kind.plugin() == Some(&*plugin);
            (here && called(&event.kind).as_deref() == Some(&*method)).then(|| event.clone())
        };
        self.wait_for(&what, Some(node), from, deadline, pick).nearest(move |event| {
            let same_method = called(&event.kind).as_deref() == Some(&*near_method);
            let same_plugin = matches!(event.kind, EventKind::Frame { .. } | EventKind::Garbage { .. })
                && event.kind.plugin() == Some(&*near_plugin);
            2 * usize::from(same_method) + usize::from(same_plugin)
        })
    }

    fn locked(&self) -> MutexGuard<'_, Vec<Arc<Event>>> {
        // A panic elsewhere cannot leave the list half changed.
        self.shared.events.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The method of a request or notification.
fn called(kind: &EventKind) -> Option<String> {
    match kind {
        EventKind::Frame { text, .. } => Envelope::parse(text)?.method_name(),
        _ => None,
    }
}

/// The words of a regex that a line must contain to match, more or less: for the search of near misses.
fn literal_words(pattern: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut characters = pattern.chars();
    while let Some(character) = characters.next() {
        let character = match character {
            // `\d` and its like stand for something else; `\.` stands for itself, which ends a word too.
            '\\' => {
                characters.next();
                ' '
            }
            other => other,
        };
        if character.is_alphanumeric() || character == '_' {
            words.last_mut().expect("there is always a last word").push(character);
        } else {
            words.push(String::new());
        }
    }
    words.retain(|word| word.len() >= 3);
    words
}

/// A log line that was waited for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Logged {
    /// Its place in the timeline.
    pub seq: u64,
    /// The line.
    pub line: LogLine,
}

/// A wait that has not begun; made by [`Timeline::wait_for`].
#[must_use = "a wait does nothing until it is awaited"]
pub struct WaitFor<'a, F> {
    timeline: Timeline,
    what: String,
    node: Option<String>,
    from: u64,
    deadline: Deadline,
    pick: F,
    nearness: Box<dyn Fn(&Event) -> usize + Send + 'a>,
    at: &'static Location<'static>,
}

impl<'a, F> WaitFor<'a, F> {
    /// How near an event came: a failed wait shows the events with the greatest number, and none with 0.
    pub fn nearest(mut self, nearness: impl Fn(&Event) -> usize + Send + 'a) -> Self {
        self.nearness = Box::new(nearness);
        self
    }

    /// Blames this line rather than the caller of [`Timeline::wait_for`]: for verbs built on it.
    pub fn at(mut self, at: &'static Location<'static>) -> Self {
        self.at = at;
        self
    }

    async fn run<T>(mut self) -> Result<T>
    where
        F: FnMut(&Event) -> Option<T>,
    {
        let allowed = self.deadline.remaining();
        let mut count = self.timeline.shared.count.subscribe();
        let mut seen = 0;
        let mut death = None;
        loop {
            count.mark_unchanged();
            for event in self.timeline.since(seen) {
                seen = event.seq + 1;
                if event.seq >= self.from
                    && let Some(found) = (self.pick)(&event)
                {
                    return Ok(found);
                }
                self.follow_life(&event, &mut death);
            }
            if let Some(death) = death {
                return Err(self.failed(Fault::Node, &death));
            }
            // The sender lives in `self.timeline`, so `changed` ends only for an event.
            if tokio::time::timeout(self.deadline.remaining(), count.changed()).await.is_err() {
                let came = format!("{} other events did", seen.saturating_sub(self.from));
                return Err(self.failed(Fault::Test, &came).expected(format!("it within {allowed:?}")));
            }
        }
    }

    /// Notes whether the node that is waited on is dead after this event.
    fn follow_life(&self, event: &Event, death: &mut Option<String>) {
        if self.node.is_some() && self.node == event.node {
            match &event.kind {
                EventKind::NodeExited { .. } => {
                    *death = Some(format!("{} {}", self.node.as_deref().unwrap_or_default(), event.kind));
                }
                EventKind::NodeLaunched | EventKind::NodeStarted { .. } => *death = None,
                _ => {}
            }
        }
    }

    fn failed(&self, fault: Fault, came: &str) -> Error {
        let events = self.timeline.events();
        let from = usize::try_from(self.from).unwrap_or(usize::MAX).min(events.len());
        let mut near: Vec<(usize, &Arc<Event>)> = events[from..]
            .iter()
            .map(|event| ((self.nearness)(event), event))
            .filter(|(score, _)| *score > 0)
            .collect();
        near.sort_by_key(|(score, event)| (std::cmp::Reverse(*score), event.seq));
        let near = near.iter().take(NEAREST_MISSES).map(|(_, event)| event.to_string());
        let error = Error::new(fault, format!("waiting for {}", self.what))
            .came(came)
            .at(self.at)
            .evidence("nearest misses", near);
        let Some(node) = &self.node else { return error };
        let log = events.iter().filter(|event| event.node.as_ref() == Some(node));
        let mut last: Vec<String> = log
            .rev()
            .filter(|event| matches!(event.kind, EventKind::Log(_)))
            .take(LAST_LINES)
            .map(ToString::to_string)
            .collect();
        last.reverse();
        error.evidence(format!("last lines of {node}'s log"), last)
    }
}

impl<'a, T, F> IntoFuture for WaitFor<'a, F>
where
    F: FnMut(&Event) -> Option<T> + Send + 'a,
    T: Send + 'a,
{
    type Output = Result<T>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send + 'a>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.run())
    }
}

/// The events of a net, one after the other; made by [`Timeline::follow`].
#[derive(Debug)]
pub struct Events {
    timeline: Timeline,
    next: u64,
    patience: Duration,
}

impl Events {
    /// The next event that was not given yet.
    ///
    /// # Errors
    /// When none has come for as long as the stream's patience.
    #[track_caller]
    #[expect(clippy::should_implement_trait, reason = "as an iterator's, but awaited")]
    pub fn next(&mut self) -> impl Future<Output = Result<Arc<Event>>> + Send + '_ {
        let wait =
            self.timeline.wait_for("any event", None, self.next, Deadline::after(self.patience), |event| {
                Some(event.clone())
            });
        async move {
            let event = wait.await?;
            self.next = event.seq + 1;
            Ok(Arc::new(event))
        }
    }

    /// Everything that has happened since the net began, given by [`next`](Self::next) or not.
    pub fn history(&self) -> Vec<Arc<Event>> {
        self.timeline.events()
    }
}
