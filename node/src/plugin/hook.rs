//! Hooks: who is asked, in which order, and what the answers mean (`lightningd/plugin_hook.c`).
//!
//! A call is a continuation: its chain of plugins and its [`Subject`] wait under the id of the request to
//! the plugin that is being asked. Each subject's module says what an answer means for it.

use super::PluginState;
use super::request::Awaiting;
use crate::event::LogLevel;
use crate::input::{ConnectionId, PluginId};
use crate::jsonrpc::hook::RpcCommandCall;
use crate::state::{Phase, State};
use leyden_protocol::hook::Filter;
use leyden_protocol::{Envelope, Id, json};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// A call of a hook on its way through the chain.
#[derive(Debug)]
pub(crate) struct HookCall {
    hook: &'static str,
    payload: String,
    cause: Option<Id>,
    /// Plugins still to be asked.
    chain: VecDeque<PluginId>,
    subject: Subject,
}

/// What a call is about.
#[derive(Debug)]
pub(crate) enum Subject {
    /// `rpc_command`: a command that a client wants executed.
    RpcCommand(Box<RpcCommandCall>),
    /// `peer_connected`: a peer that has said `init`.
    PeerConnected(ConnectionId),
    /// `custommsg`: a message of this peer.
    Custommsg(ConnectionId),
}

/// What an answer means for the chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Ask the next plugin.
    Next,
    /// Ask nobody else; the subject is settled.
    Stop,
}

/// Who is registered for which hook.
#[derive(Default)]
pub(crate) struct Hooks {
    order: BTreeMap<String, Vec<PluginId>>,
    /// Calls that are on their way.
    calls: BTreeMap<&'static str, usize>,
    /// Hooks whose new order waits until nobody uses them.
    deferred: BTreeSet<String>,
}

impl Hooks {
    /// The plugins that are asked in `hook`, in order.
    pub(crate) fn order(&self, hook: &str) -> &[PluginId] {
        self.order.get(hook).map_or(&[], Vec::as_slice)
    }

    /// Removes a plugin from every chain.
    pub(crate) fn forget(&mut self, plugin: PluginId) {
        for order in self.order.values_mut() {
            order.retain(|id| *id != plugin);
        }
    }
}

/// What a registration's filters are compared with.
#[derive(Debug, Clone, Copy)]
pub(crate) enum FilterKey<'a> {
    /// The command of `rpc_command`.
    Method(&'a str),
    /// The message type of `custommsg`.
    MessageType(u16),
    /// Hooks that take no filters.
    None,
}

impl FilterKey<'_> {
    fn passes(self, filter: &Filter) -> bool {
        match (self, filter) {
            (Self::Method(method), Filter::Method(wanted)) => method == wanted,
            (Self::MessageType(number), Filter::MessageType(wanted)) => u64::from(number) == *wanted,
            _ => false,
        }
    }
}

impl State {
    /// Asks every plugin that registered for `hook`, one after another, about `subject`.
    pub(crate) fn call_hook(
        &mut self,
        hook: &'static str,
        key: FilterKey<'_>,
        payload: String,
        cause: Option<Id>,
        subject: Subject,
    ) {
        let wants = |id: &PluginId| {
            let registration = self.plugins.get(*id).and_then(|plugin| plugin.hook(hook));
            match registration.map(|registration| &registration.filters) {
                Some(Some(filters)) => filters.iter().any(|filter| key.passes(filter)),
                Some(None) => true,
                None => false,
            }
        };
        let chain = self.hooks.order(hook).iter().copied().filter(wants).collect();
        *self.hooks.calls.entry(hook).or_default() += 1;
        self.advance_hook(HookCall { hook, payload, cause, chain, subject });
    }

    fn advance_hook(&mut self, mut call: HookCall) {
        while let Some(id) = call.chain.pop_front() {
            let Some(plugin) = self.plugins.get(id) else { continue };
            let text = format!("Calling {} hook of plugin {}", call.hook, plugin.shortname);
            self.log_main(LogLevel::Trace, &text);
            let (hook, payload, cause) = (call.hook, call.payload.clone(), call.cause.clone());
            return self.request(id, hook, &payload, cause.as_ref(), Awaiting::Hook(call));
        }
        self.release_hook(call.hook);
        match call.subject {
            Subject::RpcCommand(command) => self.rpc_command_final(*command),
            Subject::PeerConnected(peer) => self.peer_connected_final(peer),
            Subject::Custommsg(peer) => self.custommsg_final(peer),
        }
    }

    /// A plugin has answered a hook, or died over it.
    pub(crate) fn hook_answered(&mut self, mut call: HookCall, id: PluginId, response: &Envelope<'_>) {
        let name = self.plugins.get(id).map_or_else(|| "?".to_owned(), |plugin| plugin.shortname.clone());
        if response.error.and_then(|error| json::member(error, "code")) == Some("-4") {
            self.log_main(LogLevel::Debug, &format!("Plugin died from {} hook call", call.hook));
            return self.advance_hook(call);
        }
        let text = format!("Plugin {name} returned from {} hook call", call.hook);
        self.log_main(LogLevel::Trace, &text);
        let Some(result) = response.result else {
            let text = response.text;
            return self
                .fatal(&format!("Plugin {name} for {} returned non-result response {text}", call.hook));
        };
        let verdict = match &mut call.subject {
            Subject::RpcCommand(command) => self.rpc_command_answer(command, result),
            Subject::PeerConnected(peer) => self.peer_connected_answer(*peer, result, response.text),
            Subject::Custommsg(_) => self.custommsg_answer(result, response.text),
        };
        match verdict {
            Verdict::Next => self.advance_hook(call),
            Verdict::Stop => self.release_hook(call.hook),
        }
    }

    fn release_hook(&mut self, hook: &'static str) {
        let calls = self.hooks.calls.entry(hook).or_default();
        *calls = calls.saturating_sub(1);
        if *calls == 0 && self.hooks.deferred.remove(hook) {
            let text = format!("Updating hooks for {hook} now usage is done.");
            self.log_main(LogLevel::Unusual, &text);
            self.order_hook(hook);
        }
    }

    /// Orders every hook's plugins anew. Plugins that cannot be placed are killed.
    pub(crate) fn order_hooks(&mut self) {
        let mut names = BTreeSet::new();
        for (_, plugin) in self.plugins.iter() {
            names.extend(plugin.manifest.hooks.iter().map(|hook| hook.name.clone()));
        }
        for name in names {
            let newcomers: Vec<String> = self
                .plugins
                .iter()
                .filter(|(id, plugin)| plugin.hook(&name).is_some() && !self.hooks.order(&name).contains(id))
                .map(|(_, plugin)| plugin.log_source())
                .collect();
            let in_use = self.hooks.calls.get(name.as_str()).is_some_and(|calls| *calls > 0);
            if !in_use {
                self.order_hook(&name);
            } else if !newcomers.is_empty() && self.hooks.deferred.insert(name.clone()) {
                for source in newcomers {
                    let text = format!("Deferring registration of hook {name} until it's not in use.");
                    self.log(LogLevel::Unusual, &source, &text);
                }
            }
        }
    }

    fn order_hook(&mut self, hook: &str) {
        let (order, unplaced) = self.hook_order(hook);
        if unplaced.is_empty() {
            self.hooks.order.insert(hook.to_owned(), order);
            return;
        }
        for id in unplaced {
            if self.plugins.get(id).is_some_and(|plugin| plugin.state == PluginState::NeedsInit) {
                self.kill_plugin(id, LogLevel::Unusual, "Cannot meet required hook dependencies");
            }
        }
    }

    /// The plugins of `hook` such that every `before` and `after` holds, else by registration; and those
    /// that cannot be placed because they wait for each other (`plugin_hook.c:plugin_hook_make_ordered`).
    fn hook_order(&mut self, hook: &str) -> (Vec<PluginId>, Vec<PluginId>) {
        let registered: Vec<PluginId> =
            self.plugins.iter().filter(|(_, plugin)| plugin.hook(hook).is_some()).map(|(id, _)| id).collect();
        let mut earlier: BTreeMap<PluginId, BTreeSet<PluginId>> =
            registered.iter().map(|id| (*id, BTreeSet::new())).collect();
        let mut complaints = Vec::new();
        for id in &registered {
            let Some((plugin, registration)) =
                self.plugins.get(*id).and_then(|plugin| plugin.hook(hook).map(|found| (plugin, found)))
            else {
                continue;
            };
            let named =
                |name: &String| registered.iter().find(|other| self.is_called(**other, name)).copied();
            let unknown = |word: &str, name: &str| {
                (plugin.log_source(), format!("hook {hook} {word} unknown plugin {name}"))
            };
            for name in &registration.before {
                match named(name) {
                    Some(other) => drop(earlier.entry(other).or_default().insert(*id)),
                    None => complaints.push(unknown("before", name)),
                }
            }
            for name in &registration.after {
                match named(name) {
                    Some(other) => drop(earlier.entry(*id).or_default().insert(other)),
                    None => complaints.push(unknown("after", name)),
                }
            }
        }
        for (source, text) in complaints {
            self.log(LogLevel::Debug, &source, &text);
        }
        topological(earlier)
    }

    fn is_called(&self, id: PluginId, name: &str) -> bool {
        self.plugins.get(id).is_some_and(|plugin| plugin.is_called(name, &self.config.network_dir()))
    }

    /// The plugins that must see every database write, once they can be called at all.
    pub(crate) fn db_write_plugins(&self) -> Vec<PluginId> {
        if self.phase == Phase::Stopping { Vec::new() } else { self.hooks.order("db_write").to_vec() }
    }
}

/// Kahn's algorithm; of those ready the first registered comes first. Gives the order and what is left in
/// or behind a cycle.
fn topological(mut earlier: BTreeMap<PluginId, BTreeSet<PluginId>>) -> (Vec<PluginId>, Vec<PluginId>) {
    let mut order = Vec::new();
    while let Some(id) = earlier.iter().find(|(_, before)| before.is_empty()).map(|(id, _)| *id) {
        earlier.remove(&id);
        for before in earlier.values_mut() {
            before.remove(&id);
        }
        order.push(id);
    }
    (order, earlier.into_keys().collect())
}

impl super::Plugin {
    fn hook(&self, name: &str) -> Option<&leyden_protocol::hook::HookRegistration> {
        self.manifest.hooks.iter().find(|hook| hook.name == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(edges: &[(u64, u64)]) -> (Vec<u64>, Vec<u64>) {
        let mut earlier: BTreeMap<PluginId, BTreeSet<PluginId>> =
            (0..4).map(|id| (PluginId(id), BTreeSet::new())).collect();
        for (first, second) in edges {
            earlier.entry(PluginId(*second)).or_default().insert(PluginId(*first));
        }
        let (order, left) = topological(earlier);
        let numbers = |ids: Vec<PluginId>| ids.into_iter().map(|id| id.0).collect();
        (numbers(order), numbers(left))
    }

    #[test]
    fn registration_decides_unless_somebody_asks_otherwise() {
        assert_eq!(order(&[]), (vec![0, 1, 2, 3], vec![]));
        assert_eq!(order(&[(3, 0)]), (vec![1, 2, 3, 0], vec![]));
    }

    #[test]
    fn who_stands_in_or_behind_a_cycle_is_left() {
        assert_eq!(order(&[(1, 2), (2, 1), (2, 3)]), (vec![0], vec![1, 2, 3]));
        assert_eq!(order(&[(1, 1)]), (vec![0, 2, 3], vec![1]));
    }
}
