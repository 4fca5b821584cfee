//! What a plugin says while its answer to `db_write` is waited for, and what it means if none comes
//! (`plugin_hook.c:db_hook_response`). The waiting itself is the actor's.

use super::request::terminated;
use crate::event::LogLevel;
use crate::input::{PluginId, PluginInput};
use crate::state::{Phase, State};
use leyden_protocol::{Envelope, Id, json};

/// What has become of something that a plugin said meanwhile.
pub(crate) enum Heard {
    /// It was the answer, and it was continue.
    Continue,
    /// It was a notification, and everybody is told.
    Told,
    /// It is the answer to something else, which must not change what is being committed.
    Later,
}

impl State {
    /// Something came from a plugin that was asked with the id `asked`.
    ///
    /// # Errors
    /// The message with which lightningd ends; nothing of the transaction may be committed.
    pub(crate) fn hear_in_db_write(
        &mut self,
        plugin: PluginId,
        asked: &Id,
        input: &PluginInput,
    ) -> Result<Heard, String> {
        let heard = match input {
            PluginInput::Frame { frame, unread, start } => {
                let unread = &unread[*start..];
                match self.rpc_frame(frame, unread) {
                    Ok(message) if message.id.is_none() => {
                        self.plugin_notification(plugin, &message).map(|()| Heard::Told)
                    }
                    Ok(message) if self.response_id(&message).as_ref() == Some(asked) => {
                        return self.judge_db_write(plugin, &message, unread);
                    }
                    Ok(message) => self.refuse_unknown_response(plugin, &message).map(|()| Heard::Later),
                    Err(why) => Err(why),
                }
            }
            PluginInput::NotJson(unread) => Err(self.profile.not_json(unread)),
            _ => Ok(Heard::Later),
        };
        heard.map_err(|why| {
            if let Some(source) = self.plugins.get(plugin).map(super::Plugin::log_source) {
                self.log_killing(&source, LogLevel::Unusual, &why);
            }
            self.terminated_in_db_write(plugin, asked)
        })
    }

    fn judge_db_write(&self, plugin: PluginId, answer: &Envelope<'_>, unread: &str) -> Result<Heard, String> {
        let path = self.plugin_path(plugin);
        let text = self.profile.quoted_db_write_answer(answer.text, unread);
        let Some(result) = answer.result else {
            return Err(format!("Plugin '{path}' returned an invalid response to the db_write hook: {text}"));
        };
        match json::member(result, "result") {
            Some(r#""continue""#) => Ok(Heard::Continue),
            Some(_) => Err(format!("Plugin '{path}' returned failed db_write: {text}.")),
            None => Err(format!("Plugin '{path}' returned an invalid result to the db_write hook: {text}")),
        }
    }

    /// The message with which the node ends because a plugin exited with a `db_write` in its hands.
    pub(crate) fn exited_in_db_write(&mut self, plugin: PluginId, asked: &Id) -> String {
        if self.phase >= Phase::Topology {
            // lightningd begins a transaction for whatever the death changes, and names a line of its own source here.
            return "Already in transaction: a plugin terminated before replying to db_write".to_owned();
        }
        if let Some(known) = self.plugins.get(plugin) {
            let (source, why) = (known.log_source(), known.state.description());
            self.log_killing(&source, LogLevel::Info, &format!("exited {why}"));
        }
        self.terminated_in_db_write(plugin, asked)
    }

    /// The answer is given in the name of the plugin that is gone, and that is none to `db_write`.
    fn terminated_in_db_write(&self, plugin: PluginId, asked: &Id) -> String {
        let (path, text) = (self.plugin_path(plugin), terminated(asked));
        format!("Plugin '{path}' returned an invalid response to the db_write hook: {text}")
    }

    fn plugin_path(&self, plugin: PluginId) -> String {
        self.plugins.get(plugin).map_or_else(String::new, |plugin| plugin.path.display().to_string())
    }
}
