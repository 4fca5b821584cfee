//! What is armed on the plugins of one node, asked at each call of one of them.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use leyden_mock_plugins::Reply;
use leyden_protocol::{Envelope, Id};
use tokio::sync::{mpsc, oneshot, watch};

use crate::crash::{CrashPoint, Moment};

/// The faults of one node's plugins, in all their lives. Clones are the same.
#[derive(Clone, Default)]
pub(crate) struct PluginFaults(Arc<Mutex<Vec<Rule>>>);

/// A fault that is armed. It strikes once.
pub(super) struct Rule {
    pub(super) plugin: String,
    pub(super) point: CrashPoint,
    /// How many such calls there were.
    pub(super) count: usize,
    pub(super) reply: Reply,
    /// Until when the answer is held, if it is.
    pub(super) released: Option<oneshot::Receiver<()>>,
    pub(super) seen: watch::Sender<Option<String>>,
}

/// What one end of a plugin's pipes tells the other to do.
pub(crate) struct Order {
    /// The call that it is about.
    pub(super) call: String,
    pub(super) id: Id,
    /// In place of the answer, when it comes; otherwise at once, and the answer is lost.
    pub(super) awaits_answer: bool,
    pub(super) reply: Reply,
    pub(super) released: Option<oneshot::Receiver<()>>,
    pub(super) seen: watch::Sender<Option<String>>,
}

/// The way of the orders.
pub(crate) type Orders = mpsc::UnboundedSender<Order>;

impl PluginFaults {
    pub(super) fn arm(&self, rule: Rule) {
        self.lock().push(rule);
    }

    pub(crate) fn is_armed(&self) -> bool {
        !self.lock().is_empty()
    }

    /// A frame is about to be written to a plugin: what is to be done about it, if it is a call that a test lies in wait for.
    pub(crate) fn strike(&self, plugin: &str, frame: &str) -> Option<Order> {
        let envelope = Envelope::parse(frame)?;
        let (name, id) = (envelope.method_name()?, envelope.id()?);
        let mut rules = self.lock();
        let is_about = |rule: &Rule| match &rule.point.moment {
            Moment::Called(hook) | Moment::Answered(hook) => rule.plugin == plugin && *hook == name,
            Moment::Commit(_) => false,
        };
        for rule in rules.iter_mut().filter(|rule| is_about(rule)) {
            rule.count += 1;
        }
        let index = rules.iter().position(|rule| is_about(rule) && rule.count >= rule.point.nth)?;
        let Rule { point, reply, released, seen, .. } = rules.remove(index);
        let awaits_answer = matches!(point.moment, Moment::Answered(_)) || reply.is_of_the_plugin();
        Some(Order { call: frame.to_owned(), id, awaits_answer, reply, released, seen })
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Rule>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for PluginFaults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rules = self.lock();
        f.debug_list().entries(rules.iter().map(|rule| (&rule.plugin, rule.point.to_string()))).finish()
    }
}
