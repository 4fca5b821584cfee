//! The sentence: what will be asked, what is answered, how often it is expected.
//!
//! A [`Clause`] is about one hook, method or topic; clauses and more make a [`Mock`], which is one plugin.

use crate::call::{Call, CallKind};
use crate::matching::Match;
use crate::reply::{Reply, Respond};
use crate::script::{self, ScriptError};
use crate::times::Times;
use leyden_protocol::Manifest;
use leyden_protocol::hook::{Filter, HookRegistration};
use leyden_protocol::manifest::{OwnTopic, RpcMethod};
use leyden_protocol::option::PluginOption;
use std::panic::Location;
use std::path::Path;
use std::sync::Arc;

/// A plugin that does what it was told. It takes string ids and is dynamic unless it was told otherwise.
#[derive(Default)]
#[must_use = "a mock does nothing until it is mounted on a node or made a MockPlugin"]
pub struct Mock {
    pub(crate) name: Option<String>,
    pub(crate) rules: Vec<Rule>,
    pub(crate) in_order: bool,
    pub(crate) on_start: Option<Arc<dyn Respond>>,
    pub(crate) on_getmanifest: Option<Arc<dyn Respond>>,
    pub(crate) on_init: Option<Arc<dyn Respond>>,
    declared: Manifest,
}

/// What a clause is about, as the manifest declares it.
#[derive(Debug, Clone)]
pub enum Subject {
    /// A hook.
    Hook(HookRegistration),
    /// An RPC method.
    Method(RpcMethod),
    /// A notification topic.
    Topic(String),
}

/// A clause whose subject is known only at run time.
pub(crate) type Rule = Clause<Subject>;

impl Clause<Subject> {
    pub(crate) fn kind(&self) -> CallKind {
        match self.subject {
            Subject::Hook(_) => CallKind::Hook,
            Subject::Method(_) => CallKind::Method,
            Subject::Topic(_) => CallKind::Notification,
        }
    }

    pub(crate) fn name(&self) -> &str {
        match &self.subject {
            Subject::Hook(hook) => &hook.name,
            Subject::Method(method) => &method.name,
            Subject::Topic(topic) => topic,
        }
    }

    /// Whether it is about calls such as this one, whatever their parameters.
    pub(crate) fn is_about(&self, call: &Call) -> bool {
        let every_topic = self.kind() == CallKind::Notification && self.name() == "*";
        self.kind() == call.kind() && (every_topic || self.name() == call.name())
    }

    /// If it does not match, how many conditions are not fulfilled, and why the first is not.
    pub(crate) fn miss(&self, call: &Call) -> Option<(usize, String)> {
        let unfulfilled: Vec<_> = self.matchers.iter().filter(|matcher| !matcher.matches(call)).collect();
        unfulfilled.first().map(|first| (unfulfilled.len(), first.miss(call)))
    }

    /// What to do about the call that matches after `earlier` others did; the last reply is repeated.
    pub(crate) fn reply_after(&self, earlier: usize) -> Arc<dyn Respond> {
        let reply = self.replies.get(earlier).or(self.replies.last());
        reply.map_or_else(|| Arc::new(Reply::default()), Arc::clone)
    }
}

/// The subject of a clause about a hook.
pub struct Hook(HookRegistration);
/// The subject of a clause about an RPC method.
pub struct Method(RpcMethod);
/// The subject of a clause about a notification topic.
pub struct Notification(String);

impl From<Hook> for Subject {
    fn from(hook: Hook) -> Self {
        Self::Hook(hook.0)
    }
}

impl From<Method> for Subject {
    fn from(method: Method) -> Self {
        Self::Method(method.0)
    }
}

impl From<Notification> for Subject {
    fn from(topic: Notification) -> Self {
        Self::Topic(topic.0)
    }
}

/// What is asked of one hook, method or topic, and what the mock does about it.
///
/// Of several clauses about the same name, the first that matches counts. A hook call that no clause
/// matches is answered with continue, a method call with an error that says what was expected.
#[must_use = "a clause does nothing until it is part of a mock that is mounted"]
pub struct Clause<S> {
    subject: S,
    /// File and line.
    pub(crate) origin: String,
    matchers: Vec<Arc<dyn Match>>,
    replies: Vec<Arc<dyn Respond>>,
    pub(crate) times: Option<Times>,
}

impl Mock {
    /// A clause about the hook `name`.
    #[track_caller]
    pub fn hook(name: &str) -> Clause<Hook> {
        Clause::new(Hook(HookRegistration::new(name)))
    }

    /// A clause about the RPC method `name`. `setconfig` and `check` are what lightningd itself asks a plugin:
    /// they are answered, but not declared.
    #[track_caller]
    pub fn method(name: &str) -> Clause<Method> {
        Clause::new(Method(RpcMethod::new(name, "", "a mock")))
    }

    /// A clause about notifications of `topic`; `*` is every topic.
    #[track_caller]
    pub fn notification(topic: &str) -> Clause<Notification> {
        Clause::new(Notification(topic.to_owned()))
    }

    /// A mock without clauses.
    pub fn plugin(name: &str) -> Self {
        Self::default().named(name)
    }

    /// The mock that a script describes. [`crate::script`] says what may stand in one.
    ///
    /// # Errors
    /// [`ScriptError`] with file and line if it cannot be read or says something that is not in the language.
    pub fn script(path: impl AsRef<Path>) -> Result<Self, ScriptError> {
        script::load(path.as_ref())
    }

    /// Adds a clause.
    pub fn and<S: Into<Subject>>(mut self, clause: Clause<S>) -> Self {
        self.rules.push(clause.untyped());
        self
    }

    /// Gives the plugin a name: how other plugins, logs and reports call it.
    pub fn named(mut self, name: &str) -> Self {
        self.name = Some(name.to_owned());
        self
    }

    /// Declares an option.
    pub fn option(mut self, option: PluginOption) -> Self {
        self.declared.options.push(option);
        self
    }

    /// Declares a topic of its own, which it may then send to other plugins.
    pub fn topic(mut self, topic: &str) -> Self {
        self.declared.notifications.push(OwnTopic { method: topic.to_owned() });
        self
    }

    /// Whether it may be started and stopped while the node runs.
    pub fn dynamic(mut self, dynamic: bool) -> Self {
        self.declared.dynamic = dynamic;
        self
    }

    /// Changes the manifest in any other way. Methods, hooks and subscriptions of the clauses are added to it.
    pub fn manifest(mut self, change: impl FnOnce(&mut Manifest)) -> Self {
        change(&mut self.declared);
        self
    }

    /// Expects the clauses' calls in the order of the clauses: after a call that one clause matched, no earlier
    /// clause may match. A call goes to the first clause from there on that matches and still expects a call.
    pub fn in_order(mut self) -> Self {
        self.in_order = true;
        self
    }

    /// Does this as soon as it is started, before anything is asked.
    pub fn on_start(mut self, reply: impl Respond + 'static) -> Self {
        self.on_start = Some(Arc::new(reply));
        self
    }

    /// Answers `getmanifest` with this instead of the declared manifest.
    pub fn on_getmanifest(mut self, reply: impl Respond + 'static) -> Self {
        self.on_getmanifest = Some(Arc::new(reply));
        self
    }

    /// Answers `init` with this instead of `{}`.
    pub fn on_init(mut self, reply: impl Respond + 'static) -> Self {
        self.on_init = Some(Arc::new(reply));
        self
    }

    /// The name that it was given.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// What it declares. lightningd refuses a name that is declared twice, so clauses about the same name share
    /// one declaration: a hook's neighbours add up, a method has the first clause's usage.
    #[must_use]
    pub fn declaration(&self) -> Manifest {
        let mut manifest = self.declared.clone();
        for rule in &self.rules {
            match &rule.subject {
                Subject::Hook(hook) => {
                    match manifest.hooks.iter_mut().find(|known| known.name == hook.name) {
                        Some(known) => merge(known, hook),
                        None => manifest.hooks.push(hook.clone()),
                    }
                }
                Subject::Method(method) if OF_LIGHTNINGD.contains(&&*method.name) => {}
                Subject::Method(method) => {
                    if manifest.rpcmethods.iter().all(|known| known.name != method.name) {
                        manifest.rpcmethods.push(method.clone());
                    }
                }
                Subject::Topic(topic) => {
                    if !manifest.subscriptions.contains(topic) {
                        manifest.subscriptions.push(topic.clone());
                    }
                }
            }
        }
        manifest
    }
}

/// Requests with the names of lightningd's own methods, which no plugin may declare.
const OF_LIGHTNINGD: [&str; 2] = ["check", "setconfig"];

fn merge(known: &mut HookRegistration, more: &HookRegistration) {
    known.before.extend(more.before.iter().cloned());
    known.after.extend(more.after.iter().cloned());
    known.filters = match (known.filters.take(), &more.filters) {
        (Some(some), Some(more)) => Some(some.into_iter().chain(more.iter().cloned()).collect()),
        _ => None,
    };
}

impl<S> Clause<S> {
    #[track_caller]
    fn new(subject: S) -> Self {
        let at = Location::caller();
        let origin = format!("{}:{}", at.file(), at.line());
        Self { subject, origin, matchers: Vec::new(), replies: Vec::new(), times: None }
    }

    /// Reports name this place instead of the caller's.
    pub(crate) fn written_at(mut self, origin: String) -> Self {
        self.origin = origin;
        self
    }

    /// Only calls that fulfil this, too: a closure `|call: &Call| …`, or one of [`crate::matching`].
    pub fn when(mut self, matcher: impl Match + 'static) -> Self {
        self.matchers.push(Arc::new(matcher));
        self
    }

    /// Does this about each call: a [`Reply`], or a closure `|call: &Call| …`. Without it, [`Reply::default`].
    pub fn reply(mut self, reply: impl Respond + 'static) -> Self {
        self.replies = vec![Arc::new(reply)];
        self
    }

    /// Does what was said last about so many calls, before what [`Clause::then`] says comes.
    ///
    /// ```
    /// # use leyden_mock_plugins::{Mock, Reply};
    /// # use serde_json::json;
    /// let busy_at_first = Mock::method("hello").reply(Reply::error(1, "busy")).times(2).then(Reply::result(json!({})));
    /// # drop(busy_at_first);
    /// ```
    ///
    /// # Panics
    /// If there are to be none.
    pub fn times(mut self, calls: usize) -> Self {
        assert!(calls > 0, "a reply is for one call at least");
        let last = self.replies.pop().unwrap_or_else(|| Arc::new(Reply::default()));
        self.replies.extend(std::iter::repeat_n(last, calls));
        self
    }

    /// Does this about the next call, after what was said before; the last is repeated.
    pub fn then(mut self, reply: impl Respond + 'static) -> Self {
        self.replies.push(Arc::new(reply));
        self
    }

    /// Expects this many calls: `1`, `1..=3`, `2..`, `..=3`.
    pub fn expect(mut self, times: impl Into<Times>) -> Self {
        self.times = Some(times.into());
        self
    }
}

impl<S: Into<Subject>> Clause<S> {
    /// A clause whose subject is known only at run time.
    pub(crate) fn untyped(self) -> Clause<Subject> {
        let Self { subject, origin, matchers, replies, times } = self;
        Clause { subject: subject.into(), origin, matchers, replies, times }
    }

    /// A mock of this clause and another.
    pub fn and<T: Into<Subject>>(self, clause: Clause<T>) -> Mock {
        Mock::from(self).and(clause)
    }

    /// A mock of this clause with a name.
    pub fn named(self, name: &str) -> Mock {
        Mock::from(self).named(name)
    }
}

impl Clause<Hook> {
    /// Wants to be asked before this plugin.
    pub fn before(mut self, plugin: &str) -> Self {
        self.subject.0.before.push(plugin.to_owned());
        self
    }

    /// Wants to be asked after this plugin.
    pub fn after(mut self, plugin: &str) -> Self {
        self.subject.0.after.push(plugin.to_owned());
        self
    }

    /// Wants to be asked only about these: methods for `rpc_command`, message types for `custommsg` (CLN v25.12).
    pub fn filters(mut self, filters: impl IntoIterator<Item = Filter>) -> Self {
        self.subject.0.filters = Some(filters.into_iter().collect());
        self
    }
}

impl Clause<Method> {
    /// Its parameters, as `help` shows them: `name [greeting]`.
    pub fn usage(mut self, usage: &str) -> Self {
        usage.clone_into(&mut self.subject.0.usage);
        self
    }
}

impl<S: Into<Subject>> From<Clause<S>> for Mock {
    fn from(clause: Clause<S>) -> Self {
        Self::default().and(clause)
    }
}
