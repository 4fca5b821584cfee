//! What lightningd's daemons have on their billboards, as `listpeerchannels` shows it (`lightningd/channel.c:channel_set_billboard`).

use super::LocalChannel;
use super::channel_state::ChannelState;
use leyden_bolt::transaction::Side;
use std::collections::BTreeMap;

/// A channel's.
#[derive(Debug, Default)]
pub(crate) struct Billboard {
    /// What has been put up for good, in each state: until the node restarts.
    lasting: BTreeMap<ChannelState, String>,
    /// No daemon has had anything to say since the node started.
    loaded: bool,
}

impl Billboard {
    /// That of a channel that was in the database.
    pub(super) fn loaded() -> Self {
        Self { lasting: BTreeMap::new(), loaded: true }
    }
}

impl LocalChannel {
    /// Puts something up for good.
    pub(crate) fn put_up(&mut self, text: impl Into<String>) {
        self.billboard.lasting.insert(self.state, text.into());
        self.billboard.loaded = false;
    }

    /// All that is up; `onchain` is what is done about it on the chain.
    pub(super) fn status(&self, onchain: Vec<String>) -> Vec<String> {
        let lasting = self.billboard.lasting.iter().map(|(state, text)| format!("{state}:{text}"));
        let passing = self.passing().filter(|_| onchain.is_empty());
        lasting.chain(passing).chain(onchain).collect()
    }

    /// What is up as long as nothing else happens.
    fn passing(&self) -> Option<String> {
        if self.connection.is_none() {
            return self.billboard.loaded.then(|| "Loaded from database".to_owned());
        }
        let theirs = self.bolt.is_channel_ready(Side::Remote);
        let more = self.minimum_depth.saturating_sub(self.depth);
        let text = match self.state {
            ChannelState::AwaitingLockin if more > 0 => {
                &format!("Funding needs {more} more confirmations to be ready.")
            }
            ChannelState::AwaitingLockin if !theirs => "We've confirmed channel ready, they haven't yet.",
            ChannelState::Normal if !self.reestablished => "Reconnected, and awaiting reestablish",
            ChannelState::AwaitingLockin | ChannelState::Normal => "Channel ready for use.",
            _ => return None,
        };
        Some(format!("{}:{text}", self.state))
    }
}
