//! Requests to plugins, and who waits for the answers.

use super::Plugin;
use super::hook::HookCall;
use crate::chain::bitcoind::Question;
use crate::command::setconfig::SetConfig;
use crate::input::PluginId;
use crate::jsonrpc::Client;
use crate::log::Direction;
use crate::output::Output;
use crate::state::State;
use leyden_protocol::id::IdSource;
use leyden_protocol::{Envelope, Id, message};
use std::collections::BTreeMap;

/// Who waits for an answer.
#[derive(Debug)]
pub(crate) enum Awaiting {
    /// The plugin's registration.
    Manifest,
    /// The plugin's start.
    Init,
    /// An RPC client whose command the plugin brings.
    PassThrough(Client),
    /// The start of the Bitcoin backend.
    BackendInit,
    /// The node's view of the chain.
    Chain(Question),
    /// A hook's chain.
    Hook(HookCall),
    /// An RPC client that changes an option of the plugin.
    SetConfig(SetConfig),
}

/// The node's requests.
#[derive(Default)]
pub(crate) struct Requests {
    pub(crate) ids: IdSource,
    /// In boxes, for a map of what they take would be made and forgotten with nearly every request.
    pending: BTreeMap<Id, (PluginId, Box<Awaiting>)>,
}

impl Requests {
    pub(crate) fn wait(&mut self, id: Id, plugin: PluginId, awaiting: Awaiting) {
        self.pending.insert(id, (plugin, Box::new(awaiting)));
    }

    /// Whether this plugin owes an answer with this id.
    fn is_owed(&self, id: &Id, plugin: PluginId) -> bool {
        self.pending.get(id).is_some_and(|(owner, _)| *owner == plugin)
    }

    /// The one who waits for the answer with this id from this plugin.
    pub(crate) fn take(&mut self, id: &Id, plugin: PluginId) -> Option<Awaiting> {
        if !self.is_owed(id, plugin) {
            return None;
        }
        self.pending.remove(id).map(|(_, awaiting)| *awaiting)
    }

    /// Everybody who waits for an answer of `plugin`, in the order of the ids' texts.
    fn take_all(&mut self, plugin: PluginId) -> Vec<(Id, Awaiting)> {
        let owed = self.pending.iter().filter(|(_, (owner, _))| *owner == plugin);
        let ids: Vec<Id> = owed.map(|(id, _)| id.clone()).collect();
        ids.into_iter().filter_map(|id| self.take(&id, plugin).map(|awaiting| (id, awaiting))).collect()
    }

    /// The client whose command `plugin` serves under `id`.
    pub(crate) fn client_of(&self, id: &Id, plugin: PluginId) -> Option<&Client> {
        match self.pending.get(id) {
            Some((owner, awaiting)) if *owner == plugin => match &**awaiting {
                Awaiting::PassThrough(client) => Some(client),
                _ => None,
            },
            _ => None,
        }
    }

    pub(crate) fn forget_all(&mut self) {
        self.pending.clear();
    }
}

impl State {
    /// A new id for a request of `method` to `plugin`.
    pub(crate) fn next_id(&mut self, plugin: PluginId, method: &str, cause: Option<&Id>) -> Id {
        let known = self.plugins.get(plugin);
        let manifest = known.filter(|plugin| plugin.state > super::PluginState::AwaitingGetmanifest);
        // v23.02 takes it for granted where deprecated things are not allowed.
        let default = !self.config.allow_deprecated_apis;
        let nonnumericids = manifest.map(|plugin| plugin.manifest.nonnumericids.unwrap_or(default));
        self.requests.ids.next(self.profile.id_form(nonnumericids), method, cause)
    }

    /// Sends a request and notes who waits for the answer.
    pub(crate) fn request(
        &mut self,
        plugin: PluginId,
        method: &str,
        params: &str,
        cause: Option<&Id>,
        awaiting: Awaiting,
    ) {
        let id = self.next_id(plugin, method, cause);
        let frame = message::request(&id, method, params);
        self.send_request(plugin, id, frame, awaiting);
    }

    /// The same, for a request that is written already.
    pub(crate) fn send_request(&mut self, plugin: PluginId, id: Id, frame: String, awaiting: Awaiting) {
        if self.log.wants_bytes() {
            let source = self.asker(plugin, &awaiting);
            self.log.request(&source, Direction::Out, &id);
        }
        self.requests.wait(id, plugin, awaiting);
        self.out.push(Output::AskPlugin(plugin, frame));
    }

    /// In whose name a request stands in the log.
    fn asker(&self, plugin: PluginId, awaiting: &Awaiting) -> String {
        match awaiting {
            Awaiting::Chain(_) => "lightningd".to_owned(),
            Awaiting::SetConfig(change) => change.client().connection.log_source(),
            _ => self.plugins.get(plugin).map(Plugin::log_source).unwrap_or_default(),
        }
    }

    /// A plugin has answered something.
    ///
    /// # Errors
    /// Why the plugin is killed.
    pub(crate) fn plugin_response(
        &mut self,
        plugin: PluginId,
        response: &Envelope<'_>,
    ) -> Result<(), String> {
        self.refuse_unknown_response(plugin, response)?;
        let awaiting = self.response_id(response).and_then(|id| self.requests.take(&id, plugin));
        if let Some(awaiting) = awaiting {
            self.answered(awaiting, plugin, response);
        }
        Ok(())
    }

    /// The id of what is answered.
    pub(crate) fn response_id(&self, response: &Envelope<'_>) -> Option<Id> {
        response.id.map(|token| Id::from_token(self.profile.response_id(token)))
    }

    /// `Err` is why a plugin is killed that answers what nobody has asked.
    pub(crate) fn refuse_unknown_response(
        &self,
        plugin: PluginId,
        response: &Envelope<'_>,
    ) -> Result<(), String> {
        let is_known = self.response_id(response).is_some_and(|id| self.requests.is_owed(&id, plugin));
        let why = response.id.filter(|_| !is_known).and_then(|token| self.profile.unknown_response(token));
        why.map_or(Ok(()), Err)
    }

    fn answered(&mut self, awaiting: Awaiting, plugin: PluginId, response: &Envelope<'_>) {
        match awaiting {
            Awaiting::Manifest => self.manifest_answered(plugin, response),
            Awaiting::Init => self.init_answered(plugin, response),
            Awaiting::BackendInit => self.backend_inited(plugin),
            Awaiting::Chain(question) => self.chain_answered(&question, response),
            Awaiting::PassThrough(client) => {
                let text = response.with_id(&client.id);
                self.reply_verbatim(&client, &text);
            }
            Awaiting::SetConfig(change) => self.setconfig_answered(&change, response),
            Awaiting::Hook(call) => self.hook_answered(call, plugin, response),
        }
    }

    /// Answers in the name of a plugin that is gone everything it owed (`plugin.c:destroy_plugin`).
    pub(crate) fn fail_requests_of(&mut self, id: PluginId, plugin: &Plugin) {
        for (request, awaiting) in self.requests.take_all(id) {
            let text = terminated(&request);
            let response = Envelope::parse(&text).expect("the text is a JSON object");
            match awaiting {
                Awaiting::Manifest => self.manifest_failed(plugin, &text),
                // Any answer means that it has started, even this one.
                Awaiting::Init => self.notify_of_dead_plugin("plugin_started", plugin),
                awaiting => self.answered(awaiting, id, &response),
            }
        }
    }
}

/// What lightningd answers to itself in the name of a plugin that is gone, in these bytes.
pub(crate) fn terminated(id: &Id) -> String {
    format!(
        r#"{{"jsonrpc": "2.0","id": {id},"error": {{"code":-4, "message":"Plugin terminated before replying to RPC call."}}}}"#
    )
}
