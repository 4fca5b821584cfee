//! The end of an input: what it wrote is shown to the plugins with `db_write`, and committed.

use super::{Actor, End};
use crate::event::Event;
use crate::host::{Death, Phase};
use crate::input::{Input, PluginId, PluginInput};
use crate::plugin::db_write::Heard;
use crate::plugin::stdio::Expects;
use leyden_protocol::{Id, message};
use std::collections::BTreeMap;

impl Actor {
    /// Shows what was written to the `db_write` plugins and commits it. `true` ends the node once it has released what the commit
    /// allows; `Err` ends it at once, and what was written is lost unless it was committed before.
    pub(super) async fn commit(&mut self) -> Result<bool, End> {
        if let Some(exit) = self.state.exit.take() {
            return Err(End::Exit(exit));
        }
        if let Some((data_version, writes)) = self.state.take_unversioned_writes() {
            self.db_write(data_version, writes).await?;
        }
        let (data_version, writes) = match self.state.open_db().map(crate::db::Db::writes) {
            None | Some(Ok(None)) => return Ok(false),
            Some(Ok(Some(pending))) => pending,
            Some(Err(why)) => return Err(self.fatal(&why)),
        };
        self.db_write(data_version, writes).await?;
        if let Some(death) = self.switch.turned() {
            return Err(End::Dead(death));
        }
        let crash = self.host.crash.as_ref().and_then(|crash| crash.commits(data_version));
        if crash == Some(Phase::Before) {
            return Err(End::Dead(Death::Crashed));
        }
        self.state.db().commit().map_err(|why| self.fatal(&why))?;
        match crash {
            None | Some(Phase::Before) => Ok(false),
            Some(Phase::After) => Err(End::Dead(Death::Crashed)),
            Some(Phase::AfterSend) => Ok(true),
        }
    }

    fn fatal(&mut self, why: &str) -> End {
        self.state.fatal(why);
        End::Exit(self.state.exit.take().expect("fatal ends the node"))
    }

    /// Calls `db_write` of every plugin that wants it, at once, and waits until all have said continue.
    async fn db_write(&mut self, data_version: u32, writes: Vec<String>) -> Result<(), End> {
        let mut waiting = BTreeMap::new();
        let plugins = self.state.db_write_plugins();
        let params = match plugins.is_empty() {
            true => String::new(),
            false => serde_json::json!({ "data_version": data_version, "writes": &writes }).to_string(),
        };
        self.tell(Event::DbWrite { data_version, writes });
        for plugin in plugins {
            if self.has_closed(plugin) {
                // It has died in between, and is buried after the transaction.
                continue;
            }
            let id = self.state.next_id(plugin, "db_write", None);
            self.write_to_plugin(plugin, message::request(&id, "db_write", &params), Expects::Answer);
            waiting.insert(plugin, id);
        }
        while !waiting.is_empty() {
            // Whoever turns the switch also puts something into the inbox.
            let input = self.receive(None).await.ok_or(End::Dead(Death::Killed))?;
            if let Some(death) = self.switch.turned() {
                return Err(End::Dead(death));
            }
            match input {
                // Cut at once, waited for or not: a plugin's bytes must reach its reader in order.
                Input::Plugin(plugin, PluginInput::Bytes(bytes)) => {
                    let frames = self.state.plugin_frames(plugin, &bytes);
                    self.look_for_answer(plugin, frames, &mut waiting)?;
                }
                Input::Plugin(plugin, PluginInput::Closed) if waiting.contains_key(&plugin) => {
                    let why = self.state.exited_in_db_write(plugin, &waiting[&plugin]);
                    return Err(self.fatal(&why));
                }
                other => self.queue.push_back(other),
            }
        }
        Ok(())
    }

    /// Whether a plugin's end was seen, and put aside, in an earlier `db_write`.
    fn has_closed(&self, plugin: PluginId) -> bool {
        let closed = |input: &Input| matches!(input, Input::Plugin(id, PluginInput::Closed) if *id == plugin);
        self.queue.iter().any(closed)
    }

    /// Who has not answered yet is heard at once, as far as that writes nothing; all else is handled after the transaction.
    fn look_for_answer(
        &mut self,
        plugin: PluginId,
        frames: Vec<PluginInput>,
        waiting: &mut BTreeMap<PluginId, Id>,
    ) -> Result<(), End> {
        for input in frames {
            let Some(asked) = waiting.get(&plugin) else {
                self.queue.push_back(Input::Plugin(plugin, input));
                continue;
            };
            match self.state.hear_in_db_write(plugin, asked, &input) {
                Ok(Heard::Continue) => drop(waiting.remove(&plugin)),
                Ok(Heard::Told) => {}
                Ok(Heard::Later) => self.queue.push_back(Input::Plugin(plugin, input)),
                Err(why) => return Err(self.fatal(&why)),
            }
        }
        Ok(())
    }
}
