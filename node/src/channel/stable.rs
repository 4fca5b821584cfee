//! Connections that last: `last_stable_connection` (`lightningd/channel_gossip.c:channel_reestablished_stable`).

use crate::input::Timer;
use crate::output::Output;
use crate::state::State;
use crate::world::unix_seconds;
use std::time::Duration;

/// How long both sides have to speak about a channel before its connection counts.
const STABLE_AFTER: Duration = Duration::from_secs(60);

impl State {
    /// Both sides speak about a channel, for the first time or again.
    pub(super) fn await_stability(&mut self, dbid: u64) {
        self.out.push(Output::SetTimer(Timer::StableChannel(dbid), STABLE_AFTER));
    }

    /// The time is over; that was for nothing if the connection was lost meanwhile.
    pub(crate) fn channel_is_stable(&mut self, dbid: u64) {
        let now = unix_seconds((self.clock)());
        if self.channels.get(dbid).is_none_or(|channel| !channel.is_live()) {
            return;
        }
        if let Some(channel) = self.channels.get_mut(dbid) {
            channel.last_stable_connection = now;
        }
        self.store_channel(dbid);
    }
}
