//! Messages between an embedded node and its peers, held, lost, changed or cut at by a test: a scripted peer, whatever node the other one is.

use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use leyden_node::host::{Verdict, Way, WireMessage, WireTap, message_name};
use tokio::sync::{oneshot, watch};

use crate::backend::Backend;
use crate::error::{Error, Result};
use crate::node::Node;
use crate::wait::{Deadline, pause};

impl Node {
    /// The next message of a type that this node sends to a peer. Types are called as in the BOLTs.
    ///
    /// ```no_run
    /// # async fn test(l1: leyden::Node, l2: leyden::Node) -> leyden::Result {
    /// use leyden::Units;
    /// // The connection ends when l1 has sent its commitment, before it can have had the answer.
    /// let cut = l1.outgoing("commitment_signed")?.cut_after();
    /// let (paid, cut) = tokio::join!(l1.pay(&l2, 1_000.sat()), cut.happened());
    /// # drop((paid, cut)); Ok(()) }
    /// ```
    ///
    /// # Errors
    /// If the node is no embedded one, or if no message is called so.
    #[track_caller]
    pub fn outgoing(&self, message: &str) -> Result<WireRule> {
        self.wire_rule(Way::Out, message)
    }

    /// The next message of a type that a peer sends to this node, see [`Node::outgoing`].
    ///
    /// # Errors
    /// As [`Node::outgoing`].
    #[track_caller]
    pub fn incoming(&self, message: &str) -> Result<WireRule> {
        self.wire_rule(Way::In, message)
    }

    #[track_caller]
    fn wire_rule(&self, way: Way, message: &str) -> Result<WireRule> {
        let at = Location::caller();
        let doing = || Error::test(format!("{}: a rule for the message {message}", self.name())).at(at);
        if self.backend() != Backend::Embedded {
            return Err(doing().expected("an embedded node").came("it is a real lightningd").advice(
                "make the other end of the connection an embedded node, and give it the rule: the wire is the same",
            ));
        }
        if (0..=u16::MAX).all(|msg_type| message_name(msg_type) != Some(message)) {
            return Err(doing().came("no message is called so").advice("use the names of the BOLTs"));
        }
        let rules = self.wire_rules();
        Ok(WireRule {
            rules,
            doing: doing().headline(),
            way,
            message: message.to_owned(),
            nth: 1,
            deadline: self.deadline(),
        })
    }
}

/// A message that a test lies in wait for; made by [`Node::outgoing`] and [`Node::incoming`].
#[must_use = "say what becomes of the message"]
pub struct WireRule {
    rules: WireRules,
    doing: String,
    way: Way,
    message: String,
    nth: usize,
    deadline: Deadline,
}

impl WireRule {
    /// Not the next one but the `nth`, from 1.
    ///
    /// # Panics
    /// If it is 0.
    pub fn nth(mut self, nth: usize) -> Self {
        assert!(nth > 0, "messages are counted from 1");
        self.nth = nth;
        self
    }

    /// The message is lost. The connection goes on.
    pub fn lose(self) -> Struck {
        self.act(|_| Verdict::Drop)
    }

    /// These messages, each with type and payload, go in its place.
    pub fn replace(self, change: impl FnOnce(&[u8]) -> Vec<Vec<u8>> + Send + 'static) -> Struck {
        self.act(|message| Verdict::Replace(change(&message.bytes)))
    }

    /// The message is lost, and the connection ends.
    pub fn cut(self) -> Struck {
        self.act(|_| Verdict::Cut)
    }

    /// The message arrives, and then the connection ends.
    pub fn cut_after(self) -> Struck {
        self.act(|_| Verdict::CutAfter)
    }

    /// The message waits until it is released, and everything behind it on its way waits as well.
    pub fn hold(self) -> Held {
        let (decide, decided) = oneshot::channel();
        let struck = self.act(|_| {
            // A test that lets go of it wants nothing more of the message.
            Verdict::Hold(Box::pin(async { decided.await.unwrap_or(Verdict::Pass) }))
        });
        Held { struck, decide }
    }

    /// The message arrives so much later, and so does everything behind it on its way.
    pub fn delay(self, by: Duration) -> Struck {
        self.act(move |_| {
            Verdict::Hold(Box::pin(async move {
                pause(by).await;
                Verdict::Pass
            }))
        })
    }

    fn act(self, judge: impl FnOnce(&WireMessage) -> Verdict + Send + 'static) -> Struck {
        let (seen, struck) = watch::channel(None);
        let Self { rules, doing, way, message, nth, deadline } = self;
        rules.lock().push(Rule { way, message, left: nth, seen, judge: Box::new(judge) });
        Struck { rules, doing, struck, deadline }
    }
}

/// A message to which something was done, or will be.
#[derive(Clone)]
pub struct Struck {
    rules: WireRules,
    doing: String,
    struck: watch::Receiver<Option<Vec<u8>>>,
    deadline: Deadline,
}

impl Struck {
    /// Waits until the message has come; gives its type and payload.
    ///
    /// # Errors
    /// If it does not come in time.
    #[track_caller]
    pub fn happened(&self) -> impl Future<Output = Result<Vec<u8>>> + Send + use<> {
        let at = Location::caller();
        let Self { doing, mut struck, deadline, .. } = self.clone();
        async move {
            let waited = deadline.limit(doing, struck.wait_for(Option::is_some)).await;
            let seen = waited.map_err(|error| error.at(at))?;
            Ok(seen.ok().and_then(|seen| seen.clone()).unwrap_or_default())
        }
    }

    /// Whether the message has come.
    pub fn has_happened(&self) -> bool {
        self.struck.borrow().is_some()
    }

    /// Lets the message pass, if it has not come yet.
    pub fn disarm(self) {
        self.rules.lock().retain(|rule| !rule.seen.subscribe().same_channel(&self.struck));
    }
}

/// A message that waits, or will; made by [`WireRule::hold`]. Dropped, it is released.
#[must_use = "dropped, the message is released"]
pub struct Held {
    struck: Struck,
    decide: oneshot::Sender<Verdict>,
}

impl Held {
    /// Waits until the message has come; gives its type and payload.
    ///
    /// # Errors
    /// If it does not come in time.
    #[track_caller]
    pub fn happened(&self) -> impl Future<Output = Result<Vec<u8>>> + Send + use<> {
        self.struck.happened()
    }

    /// Lets it go on.
    pub fn release(self) {
        self.decide(Verdict::Pass);
    }

    /// Loses it.
    pub fn lose(self) {
        self.decide(Verdict::Drop);
    }

    /// Loses it, and ends the connection.
    pub fn cut(self) {
        self.decide(Verdict::Cut);
    }

    fn decide(self, verdict: Verdict) {
        // An error means that the connection has ended with what was held.
        drop(self.decide.send(verdict));
    }
}

/// What a test has said of a node's messages. Each rule strikes once.
#[derive(Clone, Default)]
pub(crate) struct WireRules(Arc<Mutex<Vec<Rule>>>);

struct Rule {
    way: Way,
    message: String,
    /// How many such messages until the one that is meant.
    left: usize,
    seen: watch::Sender<Option<Vec<u8>>>,
    judge: Judge,
}

type Judge = Box<dyn FnOnce(&WireMessage) -> Verdict + Send>;

impl WireRules {
    fn lock(&self) -> MutexGuard<'_, Vec<Rule>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl WireTap for WireRules {
    fn judge(&self, message: &WireMessage) -> Verdict {
        let mut rules = self.lock();
        if rules.is_empty() {
            return Verdict::Pass;
        }
        let name = message.name();
        let mut strikes = None;
        for (index, rule) in rules.iter_mut().enumerate() {
            match rule.left {
                _ if rule.way != message.way || Some(&*rule.message) != name => {}
                // Of two rules for one message, the later one takes the next message.
                1 => strikes = strikes.or(Some(index)),
                _ => rule.left -= 1,
            }
        }
        let Some(index) = strikes else { return Verdict::Pass };
        let rule = rules.remove(index);
        drop(rules);
        rule.seen.send_replace(Some(message.bytes.clone()));
        (rule.judge)(message)
    }
}

impl fmt::Debug for WireRules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rules = self.lock();
        f.debug_list().entries(rules.iter().map(|rule| (&rule.way, &rule.message, rule.left))).finish()
    }
}
