//! What is armed on one node, asked at each of its commits and at each frame between it and its plugins.

use std::fmt;
use std::panic::Location;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use leyden_node::host::{CrashTap, KillSwitch, Phase};
use leyden_protocol::Envelope;
use tokio::sync::watch;

use super::Crashed;
use super::point::{CrashPoint, Moment};
use crate::backend::Backend;
use crate::backup::DbWrite;
use crate::error::Error;
use crate::event::{Direction, Event, EventKind};
use crate::timeline::Timeline;

/// The crashes of one node, in all its lives. Clones are the same.
#[derive(Clone)]
pub(crate) struct CrashRules {
    node: String,
    timeline: Timeline,
    /// Its commits are known only by what it says to its plugins.
    by_frames: bool,
    armed: Arc<Mutex<Armed>>,
}

#[derive(Default)]
struct Armed {
    rules: Vec<Rule>,
    next_id: u64,
    /// Stops the node of this life dead, at once and from any thread.
    stop: Option<Box<dyn Fn() + Send>>,
    /// The last transaction that a real lightningd has shown while anything was armed.
    last_shown: Option<u32>,
}

struct Rule {
    id: u64,
    point: CrashPoint,
    /// How many such moments have come.
    count: usize,
    fired: watch::Sender<Option<Fired>>,
    at: &'static Location<'static>,
}

/// A crash that has happened.
#[derive(Clone, Debug)]
pub(super) struct Fired {
    pub(super) crashed: Crashed,
    /// The place of the crash in the timeline.
    pub(super) seq: u64,
}

impl CrashRules {
    pub(crate) fn new(node: &str, backend: Backend, timeline: &Timeline) -> Self {
        let by_frames = backend == Backend::Lightningd;
        Self { node: node.to_owned(), timeline: timeline.clone(), by_frames, armed: Arc::default() }
    }

    pub(super) fn arm(
        &self,
        point: CrashPoint,
        at: &'static Location<'static>,
    ) -> (u64, watch::Receiver<Option<Fired>>) {
        let mut armed = self.lock();
        let (fired, receiver) = watch::channel(None);
        let id = armed.next_id;
        armed.next_id += 1;
        armed.rules.push(Rule { id, point, count: 0, fired, at });
        (id, receiver)
    }

    /// Gives whether it was still armed.
    pub(super) fn disarm(&self, id: u64) -> bool {
        let mut armed = self.lock();
        let index = armed.rules.iter().position(|rule| rule.id == id);
        index.map(|index| armed.rules.remove(index)).is_some()
    }

    /// What has been counted for an armed crash, in words.
    pub(super) fn count(&self, id: u64) -> Option<String> {
        self.lock().rules.iter().find(|rule| rule.id == id).map(Rule::so_far)
    }

    /// Disarms what is armed still, and complains about it.
    pub(crate) fn never_came(&self) -> Vec<Error> {
        let rules = std::mem::take(&mut self.lock().rules);
        let complaint = |rule: &Rule| {
            Error::test(format!("{}: a crash {}", self.node, rule.point))
                .came(format!("it never came to that: {}", rule.so_far()))
                .advice("wait until it has happened(), or disarm() it")
                .at(rule.at)
        };
        rules.iter().map(complaint).collect()
    }

    /// A node begins to run, and can be stopped dead.
    pub(crate) fn stoppable(&self, stop: impl Fn() + Send + 'static) {
        self.lock().stop = Some(Box::new(stop));
    }

    /// Whether anything is to be told to [`CrashRules::frame`].
    pub(crate) fn is_armed(&self) -> bool {
        !self.lock().rules.is_empty()
    }

    /// A frame was recorded; it goes on its way when this returns.
    pub(crate) fn frame(&self, plugin: &str, direction: Direction, text: &str) {
        let mut armed = self.lock();
        let Some((moment, call)) = self.hook(plugin, direction, text) else { return };
        let at_hook = Crashed::AtHook { plugin: plugin.to_owned(), frame: text.to_owned() };
        let mut strikes = armed.strikes(|wanted| *wanted == moment).map(|rule| (rule, at_hook));
        if self.by_frames && moment == Moment::Answered("db_write".into()) {
            let write = Envelope::parse(&call).and_then(|call| serde_json::from_str(call.params?).ok());
            let write = write.as_ref().and_then(DbWrite::from_params);
            if let Some(write) = write.filter(|write| armed.is_new(write)) {
                let at_commit = armed.strikes(|wanted| matches!(wanted, Moment::Commit(_)));
                strikes = strikes.or(at_commit.map(|rule| (rule, Crashed::AtCommit(write))));
            }
        }
        let Some((rule, crashed)) = strikes else { return };
        self.fire(&rule, crashed);
        if let Some(stop) = &armed.stop {
            stop();
        }
    }

    /// What a frame is about, if it is the call of a hook or the answer to one, and that call.
    fn hook(&self, plugin: &str, direction: Direction, text: &str) -> Option<(Moment, String)> {
        let envelope = Envelope::parse(text)?;
        let id = envelope.id()?;
        if direction == Direction::ToPlugin {
            return envelope.method_name().map(|name| (Moment::Called(name), text.to_owned()));
        }
        if envelope.method.is_some() {
            return None;
        }
        let calls = |event: &Event| match &event.kind {
            EventKind::Frame { plugin: of, direction: Direction::ToPlugin, text }
                if of == plugin && event.node.as_ref() == Some(&self.node) =>
            {
                let call = Envelope::parse(text)?;
                let name = call.method_name().filter(|_| call.id().as_ref() == Some(&id))?;
                Some((Moment::Answered(name), text.clone()))
            }
            _ => None,
        };
        self.timeline.events().iter().rev().find_map(|event| calls(event))
    }

    fn fire(&self, rule: &Rule, crashed: Crashed) {
        let seq = self.timeline.record(Some(&self.node), EventKind::Crash(rule.point.to_string()));
        rule.fired.send_replace(Some(Fired { crashed, seq }));
    }

    /// The transaction that an embedded node has told of last.
    fn told(&self, data_version: u32) -> Option<DbWrite> {
        self.timeline.events().iter().rev().find_map(|event| match &event.kind {
            EventKind::DbWrite(write)
                if event.node.as_ref() == Some(&self.node) && write.data_version == data_version =>
            {
                Some(write.clone())
            }
            _ => None,
        })
    }

    fn lock(&self) -> MutexGuard<'_, Armed> {
        self.armed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Armed {
    /// Counts a moment; takes out the first rule for which it is the one that was meant.
    fn strikes(&mut self, is_wanted: impl Fn(&Moment) -> bool) -> Option<Rule> {
        for rule in &mut self.rules {
            rule.count += usize::from(is_wanted(&rule.point.moment));
        }
        let strikes = |rule: &Rule| is_wanted(&rule.point.moment) && rule.count >= rule.point.nth;
        self.rules.iter().position(strikes).map(|index| self.rules.remove(index))
    }

    /// Whether it is another transaction than the last one that was shown, to this plugin or to another one.
    fn is_new(&mut self, write: &DbWrite) -> bool {
        !write.is_lone_pragma()
            && self.last_shown.replace(write.data_version).is_none_or(|last| last != write.data_version)
    }
}

impl Rule {
    /// Such as `2 of 7 have come`.
    fn so_far(&self) -> String {
        format!("{} of {} have come", self.count, self.point.nth)
    }
}

impl CrashTap for CrashRules {
    fn begins(&self, switch: KillSwitch) {
        self.stoppable(move || switch.crash());
    }

    fn commits(&self, data_version: u32) -> Option<Phase> {
        let mut armed = self.lock();
        if armed.rules.is_empty() {
            return None;
        }
        let rule = armed.strikes(|wanted| matches!(wanted, Moment::Commit(_)))?;
        let write = self.told(data_version).expect("a commit has been told of before it is made");
        self.fire(&rule, Crashed::AtCommit(write));
        match rule.point.moment {
            Moment::Commit(phase) => Some(phase),
            Moment::Called(_) | Moment::Answered(_) => None,
        }
    }
}

impl fmt::Debug for CrashRules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let armed = self.lock();
        f.debug_list().entries(armed.rules.iter().map(|rule| rule.point.to_string())).finish()
    }
}
