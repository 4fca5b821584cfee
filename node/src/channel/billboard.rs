//! What lightningd's daemons have on their billboards, as `listpeerchannels` shows it (`lightningd/channel.c:channel_set_billboard`).

use super::LocalChannel;
use super::channel_state::ChannelState;
use leyden_bolt::transaction::Side;
use std::collections::BTreeMap;

/// What has been put up for good, in each state of a channel: until the node restarts.
#[derive(Debug, Default)]
pub(crate) struct Billboard(BTreeMap<ChannelState, String>);

impl LocalChannel {
    /// Puts something up for good.
    pub(crate) fn put_up(&mut self, text: impl Into<String>) {
        self.billboard.0.insert(self.state, text.into());
    }

    /// All that is up; `onchain` is what is done about it on the chain.
    pub(super) fn status(&self, onchain: Vec<String>) -> Vec<String> {
        let lasting = self.billboard.0.iter().map(|(state, text)| format!("{state}:{text}"));
        let passing =
            self.passing().map(|text| format!("{}:{text}", self.state)).filter(|_| onchain.is_empty());
        lasting.chain(passing).chain(onchain).collect()
    }

    /// What is up as long as nothing else happens.
    fn passing(&self) -> Option<String> {
        use ChannelState as S;
        self.connection?;
        let theirs = self.bolt.is_channel_ready(Side::Remote);
        match self.state {
            S::AwaitingLockin if self.depth < self.minimum_depth => {
                let more = self.minimum_depth - self.depth;
                Some(format!("Funding needs {more} more confirmations to be ready."))
            }
            S::AwaitingLockin if !theirs => {
                Some("We've confirmed channel ready, they haven't yet.".to_owned())
            }
            S::Normal if !self.reestablished => Some("Reconnected, and awaiting reestablish".to_owned()),
            S::AwaitingLockin | S::Normal => Some("Channel ready for use.".to_owned()),
            _ => None,
        }
    }
}
