//! Who is registered for which hook, and in which order they are asked
//! (`plugin_hook.c:plugin_hook_register`, `plugin_hook_make_ordered`).

use crate::event::LogLevel;
use crate::input::PluginId;
use crate::plugin::PluginState;
use crate::state::State;
use leyden_protocol::Manifest;
use std::collections::{BTreeMap, BTreeSet};

/// Every hook that a plugin has ever registered for.
#[derive(Default)]
pub(crate) struct Hooks(BTreeMap<String, Registered>);

/// The plugins of one hook.
#[derive(Default)]
struct Registered {
    /// As they are asked. Whoever registers is last until manifests settle; who has died keeps the place until then.
    order: Vec<PluginId>,
    /// The order to come as soon as no call is on its way.
    deferred: Option<Vec<PluginId>>,
    /// Calls on their way.
    calls: usize,
}

impl Hooks {
    /// The plugins that are asked in `hook`, in order; some may have died.
    pub(super) fn order(&self, hook: &str) -> &[PluginId] {
        self.0.get(hook).map_or(&[], |registered| &registered.order)
    }

    /// A call sets out.
    pub(super) fn enter(&mut self, hook: &str) {
        if let Some(registered) = self.0.get_mut(hook) {
            registered.calls += 1;
        }
    }

    /// A call is over. Says whether this was what a new order waited for.
    pub(super) fn leave(&mut self, hook: &str) -> bool {
        let Some(registered) = self.0.get_mut(hook) else { return false };
        registered.calls = registered.calls.saturating_sub(1);
        if registered.calls > 0 {
            return false;
        }
        let Some(order) = registered.deferred.take() else { return false };
        registered.order = order;
        true
    }
}

impl State {
    /// Whether anybody may be asked in `hook`.
    pub(crate) fn has_hook(&self, hook: &str) -> bool {
        !self.hooks.order(hook).is_empty()
    }

    /// Notes what a manifest registers for. `Err` is why the plugin is killed.
    pub(crate) fn register_hooks(&mut self, id: PluginId, manifest: &Manifest) -> Result<(), String> {
        for hook in &manifest.hooks {
            let taken = self.hooks.order(&hook.name).iter().any(|other| self.plugins.get(*other).is_some());
            if taken && self.profile.single_hook(&hook.name) {
                return Err(self.profile.hook_not_to_be_had(&hook.name));
            }
            self.hooks.0.entry(hook.name.clone()).or_default().order.push(id);
        }
        Ok(())
    }

    /// Orders every hook's plugins anew; `source` is in whose name the log tells of it. Newcomers that cannot
    /// be placed are killed, and the order of that hook stays.
    pub(crate) fn order_hooks(&mut self, source: &str) {
        let names: Vec<String> = self.hooks.0.keys().cloned().collect();
        let mut unplaced = BTreeSet::new();
        for name in names {
            let (order, left) = self.hook_order(&name);
            if left.is_empty() {
                self.reorder_hook(&name, order, source);
            }
            unplaced.extend(left);
        }
        for id in unplaced {
            if self.plugins.get(id).is_some_and(|plugin| plugin.state == PluginState::NeedsInit) {
                self.kill_plugin(id, LogLevel::Unusual, "Cannot meet required hook dependencies");
            }
        }
    }

    fn reorder_hook(&mut self, hook: &str, order: Vec<PluginId>, source: &str) {
        let Some(registered) = self.hooks.0.get_mut(hook) else { return };
        if registered.calls == 0 || !self.profile.hook_order_waits_for_calls() {
            registered.order = order;
        } else if !order.is_empty() {
            registered.deferred = Some(order);
            let text = format!("Deferring registration of hook {hook} until it's not in use.");
            self.log(LogLevel::Unusual, source, &text);
        }
    }

    /// The living plugins of `hook` such that every `before` and `after` holds, else by registration; and
    /// those that cannot be placed because they wait for each other.
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
        let order = self.hooks.order("db_write").iter().copied();
        order.filter(|id| self.plugins.get(*id).is_some()).collect()
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
