//! A node's channels, and waiting for what becomes of them.

use std::panic::Location;

use serde_json::{Value, json};

use crate::error::{Error, Result};
use crate::event::{Event, EventKind};
use crate::node::Node;
use crate::only_one::only_one;
use crate::wait::{eventually, seen};

/// The state in which a channel carries payments.
const NORMAL: &str = "CHANNELD_NORMAL";

impl Node {
    /// Its channel with another node, as `listpeerchannels` has it.
    ///
    /// # Errors
    /// If it has none with it, or several.
    #[track_caller]
    pub fn channel(&self, other: &Node) -> impl Future<Output = Result<Value>> + Send + use<> {
        let at = Location::caller();
        let (node, id) = (self.clone(), other.id());
        async move {
            let listed = node.rpc_at("listpeerchannels", json!([id]), at).await?;
            only_one(&listed["channels"]).cloned().map_err(|error| error.at(at))
        }
    }

    /// The short channel id of its channel with another node, such as `103x1x0`.
    ///
    /// # Errors
    /// As [`Node::channel`], and if it has no short channel id yet.
    #[track_caller]
    pub fn get_channel_scid(&self, other: &Node) -> impl Future<Output = Result<String>> + Send + use<> {
        let at = Location::caller();
        let (node, other) = (self.clone(), other.clone());
        async move {
            let channel = node.channel(&other).await.map_err(|error| error.at(at))?;
            channel["short_channel_id"].as_str().map(str::to_owned).ok_or_else(|| {
                Error::test(format!("{}: the channel with {}", node.name(), other.name()))
                    .expected("a short channel id")
                    .came(format!("it is in the state {}", channel["state"]))
                    .at(at)
            })
        }
    }

    /// Waits until its channel with another node is in a state, such as `ONCHAIN`.
    ///
    /// # Errors
    /// At the deadline, or if the node has ended.
    #[track_caller]
    pub fn wait_for_channel_state(
        &self,
        other: &Node,
        state: &str,
    ) -> impl Future<Output = Result> + Send + use<> {
        let at = Location::caller();
        let (node, other, state) = (self.clone(), other.clone(), state.to_owned());
        async move {
            let reached = node.reaches(&other, &state, at).await;
            node.noted(reached)
        }
    }

    /// Waits until its channel with another node has left the chain's funding output behind: one side has closed it alone, or both have.
    ///
    /// # Errors
    /// As [`Node::wait_for_channel_state`].
    #[track_caller]
    pub fn wait_for_channel_onchain(&self, other: &Node) -> impl Future<Output = Result> + Send + use<> {
        self.wait_for_channel_state(other, "ONCHAIN")
    }

    /// Waits until one of its own channels is usable: in `CHANNELD_NORMAL`, connected and reestablished, with the peer's fees known.
    ///
    /// # Errors
    /// At the deadline, or if the node has ended.
    #[track_caller]
    pub fn wait_local_channel_active(&self, scid: &str) -> impl Future<Output = Result> + Send + use<> {
        let at = Location::caller();
        let (node, scid) = (self.clone(), scid.to_owned());
        async move {
            let look = || async {
                let listed = node.rpc_at("listpeerchannels", json!({}), at).await?;
                let mut ours = listed["channels"].as_array().into_iter().flatten();
                let found = ours.find(|channel| channel["short_channel_id"] == scid.as_str()).cloned();
                Ok::<_, Error>(seen(found, |channel| {
                    channel.as_ref().is_some_and(|channel| {
                        // Not every release tells of `reestablished`.
                        channel["state"] == NORMAL
                            && channel["updates"]["remote"].is_object()
                            && channel["peer_connected"] == true
                            && channel["reestablished"] != false
                    })
                }))
            };
            let what = format!("the channel {scid} of {} is active", node.name());
            let active = eventually(what, look).until(node.deadline()).at(at).await;
            node.noted(active.map(drop))
        }
    }

    /// Waits until no HTLC is left in any of its channels.
    ///
    /// # Errors
    /// At the deadline, or if the node has ended.
    #[track_caller]
    pub fn wait_for_htlcs(&self) -> impl Future<Output = Result> + Send + use<> {
        let at = Location::caller();
        let node = self.clone();
        async move {
            let look = || async {
                let listed = node.rpc_at("listpeerchannels", json!({}), at).await?;
                let channels = listed["channels"].as_array().into_iter().flatten();
                let htlcs =
                    channels.flat_map(|channel| channel["htlcs"].as_array().cloned().unwrap_or_default());
                Ok::<_, Error>(seen(htlcs.collect::<Vec<Value>>(), Vec::is_empty))
            };
            let what = format!("{} has no HTLC left", node.name());
            let gone = eventually(what, look).until(node.deadline()).at(at).await;
            node.noted(gone.map(drop))
        }
    }

    /// Looks, and looks again whenever the node tells of a change.
    async fn reaches(&self, other: &Node, state: &str, at: &'static Location<'static>) -> Result {
        let deadline = self.deadline();
        let what = format!("{}'s channel with {} to be in {state}", self.name(), other.name());
        loop {
            let from = self.timeline().now();
            let listed = self.rpc_at("listpeerchannels", json!([other.id()]), at).await?;
            let mut channels = listed["channels"].as_array().into_iter().flatten();
            if channels.any(|channel| channel["state"] == state) {
                return Ok(());
            }
            let change = |event: &Event| self.change_of_state(event, other).map(drop);
            self.timeline().wait_for(&what, Some(self.name()), from, deadline, change).at(at).await?;
        }
    }

    /// Waits until it has told that a channel with another node, opened since, is usable.
    pub(crate) async fn sees_channel_usable(
        &self,
        other: &Node,
        since: u64,
        at: &'static Location<'static>,
    ) -> Result {
        let what = format!("{}'s channel with {} to be in {NORMAL}", self.name(), other.name());
        let usable = |event: &Event| self.change_of_state(event, other).filter(|state| state == NORMAL);
        let wait = self.timeline().wait_for(&what, Some(self.name()), since, self.deadline(), usable);
        self.noted(wait.at(at).await.map(drop))
    }

    /// The new state of a channel with another node, if that is what the node has logged.
    fn change_of_state(&self, event: &Event, other: &Node) -> Option<String> {
        let EventKind::Log(line) = &event.kind else { return None };
        let is_ours = event.node.as_deref() == Some(self.name()) && line.source.starts_with(&other.id());
        let changed = line.text.strip_prefix("State changed from ").filter(|_| is_ours)?;
        changed.split_once(" to ").map(|(_, state)| state.to_owned())
    }
}
