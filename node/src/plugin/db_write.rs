//! What an answer to `db_write`, or none, means (`plugin_hook.c:db_hook_response`). The waiting itself is
//! the actor's.

use crate::event::LogLevel;
use crate::input::PluginId;
use crate::state::{Phase, State};
use leyden_protocol::{Envelope, json};

impl State {
    /// `Ok` for continue.
    ///
    /// # Errors
    /// The message with which lightningd ends; nothing of the transaction may be committed.
    pub(crate) fn judge_db_write(&self, plugin: PluginId, answer: &Envelope<'_>) -> Result<(), String> {
        let path = self.plugin_path(plugin);
        let text = answer.text;
        let Some(result) = answer.result else {
            return Err(format!("Plugin '{path}' returned an invalid response to the db_write hook: {text}"));
        };
        match json::member(result, "result") {
            Some(r#""continue""#) => Ok(()),
            Some(_) => Err(format!("Plugin '{path}' returned failed db_write: {text}.")),
            None => Err(format!("Plugin '{path}' returned an invalid result to the db_write hook: {text}")),
        }
    }

    /// The message with which the node ends because a plugin died with a `db_write` in its hands.
    pub(crate) fn db_write_death(&mut self, plugin: PluginId) -> String {
        let path = self.plugin_path(plugin);
        if let Some(known) = self.plugins.get(plugin) {
            let (source, why) = (known.log_source(), known.state.description());
            self.log(LogLevel::Info, &source, &format!("Killing plugin: exited {why}"));
        }
        if self.phase < Phase::Topology {
            return format!(
                "Plugin '{path}' returned an invalid response to the db_write hook: it terminated before replying"
            );
        }
        // v26.06.6 names a line of its own source here.
        "Already in transaction: a plugin terminated before replying to db_write".to_owned()
    }

    fn plugin_path(&self, plugin: PluginId) -> String {
        self.plugins.get(plugin).map_or_else(String::new, |plugin| plugin.path.display().to_string())
    }
}
