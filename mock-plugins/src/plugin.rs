//! A mock at work: what it received so far, and whether that is what was expected.

use crate::call::{Call, CallKind};
use crate::mock::{Mock, Rule};
use crate::reply::{Reply, Respond, Step};
use crate::serve::{self, Ended, ServeError};
use crate::unmet::{Failure, Received, TooFew, Unmet};
use crate::wait;
use leyden_protocol::Manifest;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{mpsc, watch};

/// JSON-RPC 2.0's code for a failure of the server itself.
const INTERNAL_ERROR: i64 = -32603;

/// A mock that can be served, and watched while it is. Clones are the same plugin.
///
/// It can be served several times, one after another, as a plugin is that is stopped and started or whose
/// node restarts: what it received adds up.
#[derive(Clone)]
pub struct MockPlugin(Arc<Shared>);

struct Shared {
    mock: Mock,
    manifest: Manifest,
    received: Mutex<Vec<Received>>,
    /// How many calls were received.
    count: watch::Sender<usize>,
    /// How often it was told to stop.
    stops: watch::Sender<usize>,
    /// How often it is being served: twice for the moment in which it hears an earlier life out.
    serving: watch::Sender<usize>,
    life: Mutex<Life>,
}

/// One time that it is served.
#[derive(Default)]
struct Life {
    /// Its number, from 1.
    number: usize,
    /// The way to who serves it, for answers that come later.
    late: Option<mpsc::UnboundedSender<VecDeque<Step>>>,
}

/// Somebody serves it, until this is dropped.
struct Serving<'a>(&'a watch::Sender<usize>);

impl<'a> Serving<'a> {
    fn begin(serving: &'a watch::Sender<usize>) -> Self {
        serving.send_modify(|serving| *serving += 1);
        Self(serving)
    }
}

impl Drop for Serving<'_> {
    fn drop(&mut self) {
        self.0.send_modify(|serving| *serving -= 1);
    }
}

impl MockPlugin {
    /// A plugin that does what `mock` says.
    pub fn new(mock: impl Into<Mock>) -> Self {
        let mock = mock.into();
        let manifest = mock.declaration();
        let (count, stops, serving) = (watch::Sender::new(0), watch::Sender::new(0), watch::Sender::new(0));
        let (received, life) = (Mutex::default(), Mutex::default());
        Self(Arc::new(Shared { mock, manifest, received, count, stops, serving, life }))
    }

    /// Its name; `mock` if it was given none.
    #[must_use]
    pub fn name(&self) -> &str {
        self.0.mock.name().unwrap_or("mock")
    }

    /// Serves lightningd, which writes to `stdin` and reads from `stdout`, until there is a reason to end.
    /// Both are closed then.
    ///
    /// # Errors
    /// [`ServeError`] if lightningd sends what is no call, or a stream fails.
    pub async fn serve(
        self,
        stdin: impl AsyncRead + Unpin,
        stdout: impl AsyncWrite + Unpin,
    ) -> Result<Ended, ServeError> {
        let mut stops = self.0.stops.subscribe();
        let _serving = Serving::begin(&self.0.serving);
        tokio::select! {
            biased;
            _ = stops.changed() => Ok(Ended::Stopped),
            ended = serve::run(&self, stdin, stdout) => ended,
        }
    }

    /// Ends whatever serves it now, without a word to lightningd.
    pub fn stop(&self) {
        self.0.stops.send_modify(|stops| *stops += 1);
    }

    /// Waits until nobody serves it: what it was sent before its node ended, or stopped it, it has received then. Gives up after `limit`.
    pub async fn ended(&self, limit: Duration) {
        let mut serving = self.0.serving.subscribe();
        // The sender lives in `self`, so the receiver cannot outlive it.
        drop(wait::at_most(limit, serving.wait_for(|serving| *serving == 0)).await);
    }

    /// Does this about a call that was left without an answer by [`Reply::hang`]. Says whether it could: an answer to a call of an earlier
    /// life of the plugin, from before it died or its node did, would reach nobody.
    ///
    /// ```
    /// # use leyden_mock_plugins::{Mock, MockPlugin, Reply};
    /// # async fn test(judge: MockPlugin) {
    /// // `judge` is a Mock::hook("htlc_accepted").reply(Reply::hang()), mounted on a node.
    /// let call = judge.calls("htlc_accepted").pop().expect("it was waited for");
    /// assert!(judge.answer(&call, &Reply::cont()));
    /// # }
    /// ```
    pub fn answer(&self, call: &Call, reply: &Reply) -> bool {
        let life = self.life();
        let late = life.late.as_ref().filter(|_| call.life == life.number);
        late.is_some_and(|late| late.send(reply.steps(call, &self.0.manifest)).is_ok())
    }

    /// Everything received so far, `getmanifest` and `init` included, in order.
    #[must_use]
    pub fn received(&self) -> Vec<Call> {
        self.lock().iter().map(|received| received.call.clone()).collect()
    }

    /// The calls of the hook, method or topic `name` so far.
    #[must_use]
    pub fn calls(&self, name: &str) -> Vec<Call> {
        self.received().into_iter().filter(|call| call.name() == name).collect()
    }

    /// The calls so far that no clause was written for.
    #[must_use]
    pub fn unmatched(&self) -> Vec<Call> {
        let received = self.lock();
        let unmatched = received.iter().filter(|received| received.is_unmatched());
        unmatched.map(|received| received.call.clone()).collect()
    }

    /// The number of calls received, to wait for a change of it.
    #[must_use]
    pub fn count(&self) -> watch::Receiver<usize> {
        self.0.count.subscribe()
    }

    /// Waits until there have been `count` calls of `name`, and gives all there are.
    ///
    /// # Errors
    /// [`TooFew`], with everything received, if there are not within `limit`.
    pub async fn wait_for(&self, name: &str, count: usize, limit: Duration) -> Result<Vec<Call>, TooFew> {
        let mut changes = self.count();
        // The sender lives in `self`, so the receiver cannot outlive it.
        let enough = changes.wait_for(|_| self.calls(name).len() >= count);
        let waited = wait::at_most(limit, enough).await.is_some();
        let calls = self.calls(name);
        if waited || calls.len() >= count {
            return Ok(calls);
        }
        let (plugin, actual) = (self.name().to_owned(), calls.len());
        let (name, received) = (name.to_owned(), self.lock().clone());
        Err(TooFew { plugin, name, expected: count, actual, limit, received })
    }

    /// Whether what was received is what was expected: of each clause, as many calls as it says, and, if it
    /// says so, in the order of the clauses.
    ///
    /// # Errors
    /// [`Unmet`], a report of what was expected, what came, and everything received.
    pub fn verify(&self) -> Result<(), Unmet> {
        let received = self.lock().clone();
        let failures: Vec<Failure> = self.miscounted(&received).chain(self.misordered(&received)).collect();
        if failures.is_empty() {
            return Ok(());
        }
        Err(Unmet { plugin: self.name().to_owned(), failures, received })
    }

    fn miscounted(&self, received: &[Received]) -> impl Iterator<Item = Failure> {
        let failure = |(index, rule): (usize, &Rule)| {
            let actual = received.iter().filter(|received| received.matched == Some(index)).count();
            let expected = rule.times.filter(|times| !times.contains(actual))?;
            let mut misses: Vec<(usize, String)> = received
                .iter()
                .filter_map(|received| {
                    let miss = received.misses.iter().find(|miss| miss.rule == index)?;
                    let text = format!("{} #{}: {}", received.call.name(), received.call.nth(), miss.why);
                    Some((miss.conditions, text))
                })
                .collect();
            misses.sort_by_key(|(conditions, _)| *conditions);
            let misses = misses.into_iter().map(|(_, text)| text).collect();
            let (subject, origin) = (format!("{} {}", rule.kind(), rule.name()), rule.origin.clone());
            Some(Failure::Count { subject, origin, expected, actual, misses })
        };
        self.0.mock.rules.iter().enumerate().filter_map(failure)
    }

    fn misordered(&self, received: &[Received]) -> Option<Failure> {
        if !self.0.mock.in_order {
            return None;
        }
        let matched: Vec<(usize, &Call)> =
            received.iter().filter_map(|received| Some((received.matched?, &received.call))).collect();
        let (rule, late) = matched.windows(2).find(|pair| pair[0].0 > pair[1].0).map(|pair| pair[1])?;
        // The first call that the late one should have come before says most about what went wrong.
        let (_, after) = matched.iter().copied().find(|(other, _)| *other > rule)?;
        let title = |call: &Call| format!("{} {} #{}", call.kind(), call.name(), call.nth());
        let origin = self.0.mock.rules[rule].origin.clone();
        Some(Failure::Order { late: title(late), after: title(after), origin })
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Received>> {
        // A record is complete when it is pushed, so a panic elsewhere leaves nothing half done.
        self.0.received.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn life(&self) -> MutexGuard<'_, Life> {
        self.0.life.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// It is served anew: gives the number of this life, and what is to be done later about its calls.
    pub(crate) fn live(&self) -> (usize, mpsc::UnboundedReceiver<VecDeque<Step>>) {
        let (late, to_do) = mpsc::unbounded_channel();
        let mut life = self.life();
        *life = Life { number: life.number + 1, late: Some(late) };
        (life.number, to_do)
    }

    /// What to do before anything is received.
    pub(crate) fn begin(&self) -> VecDeque<Step> {
        match &self.0.mock.on_start {
            None => VecDeque::new(),
            Some(respond) => respond.respond(&Call::start()).steps(&Call::start(), &self.0.manifest),
        }
    }

    /// Records a call of a life and decides what to do about it.
    pub(crate) fn receive(&self, call: Call, life: usize) -> VecDeque<Step> {
        let (call, respond) = self.record(Call { life, ..call });
        self.0.count.send_modify(|count| *count += 1);
        respond.respond(&call).steps(&call, &self.0.manifest)
    }

    /// Matching and recording, under one lock so that they cannot disagree.
    fn record(&self, mut call: Call) -> (Call, Arc<dyn Respond>) {
        let mut received = self.lock();
        let namesakes =
            received.iter().filter(|one| one.call.kind == call.kind && one.call.name == call.name);
        call.nth = namesakes.count() + 1;
        let (matched, misses) = self.match_rules(&call, &received);
        let respond = match matched {
            Some(rule) => {
                let earlier = received.iter().filter(|one| one.matched == Some(rule)).count();
                self.0.mock.rules[rule].reply_after(earlier)
            }
            None => self.unmatched_reply(&call, &misses),
        };
        received.push(Received { call: call.clone(), matched, misses });
        (call, respond)
    }

    /// The rule that a call belongs to, and why the others about its name do not match.
    fn match_rules(&self, call: &Call, received: &[Received]) -> (Option<usize>, Vec<Miss>) {
        let (mut fitting, mut misses) = (Vec::new(), Vec::new());
        for (index, rule) in self.0.mock.rules.iter().enumerate().filter(|(_, rule)| rule.is_about(call)) {
            match rule.miss(call) {
                None => fitting.push(index),
                Some((conditions, why)) => {
                    misses.push(Miss { rule: index, origin: rule.origin.clone(), conditions, why });
                }
            }
        }
        let next = self.0.mock.in_order.then(|| next_in_order(&self.0.mock.rules, &fitting, received));
        (next.flatten().or(fitting.first().copied()), misses)
    }

    fn unmatched_reply(&self, call: &Call, misses: &[Miss]) -> Arc<dyn Respond> {
        let mock = &self.0.mock;
        match (call.kind(), call.name()) {
            (CallKind::Lifecycle, "getmanifest") => mock.on_getmanifest.clone(),
            (CallKind::Lifecycle, _) => mock.on_init.clone(),
            (CallKind::Method, name) => {
                let mut why = format!("mock '{}' expected no such call of {name}", self.name());
                for (index, Miss { origin, why: miss, .. }) in misses.iter().enumerate() {
                    let separator = if index == 0 { ": " } else { "; " };
                    why.push_str(&format!("{separator}{miss} ({origin})"));
                }
                Some(Arc::new(Reply::error(INTERNAL_ERROR, why)) as Arc<dyn Respond>)
            }
            (CallKind::Hook | CallKind::Notification, _) => None,
        }
        .unwrap_or_else(|| Arc::new(Reply::default()))
    }
}

/// Of the rules that fit, the first that is not before the current one and still expects a call.
fn next_in_order(rules: &[Rule], fitting: &[usize], received: &[Received]) -> Option<usize> {
    let current = received.iter().rev().find_map(|received| received.matched).unwrap_or(0);
    let is_full = |index: usize| {
        let actual = received.iter().filter(|received| received.matched == Some(index)).count();
        rules[index].times.is_some_and(|times| times.is_full(actual))
    };
    fitting.iter().copied().find(|index| *index >= current && !is_full(*index))
}

/// Why a clause about a call's name did not match it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Miss {
    pub(crate) rule: usize,
    pub(crate) origin: String,
    /// How many of the clause's conditions it does not fulfil.
    pub(crate) conditions: usize,
    /// Why it does not fulfil the first of them.
    pub(crate) why: String,
}
