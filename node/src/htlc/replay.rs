//! After a restart: what becomes of incoming HTLCs that have no end yet (`lightningd/peer_htlcs.c:htlcs_resubmit`,
//! `wallet/wallet.c:wallet_htlcs_reconnect`).

use crate::channel::{HtlcKey, HtlcOrigin};
use crate::event::LogLevel;
use crate::state::State;
use std::collections::BTreeSet;

impl State {
    /// Lets every incoming HTLC that was not handed on pass through the hook again. It is done before peers can connect.
    pub(crate) fn replay_htlcs(&mut self) {
        let origins = self.channels.iter().flat_map(|channel| channel.origins.values());
        let handed_on = |origin: &HtlcOrigin| match origin {
            HtlcOrigin::Forward(incoming) => Some(*incoming),
            HtlcOrigin::Payment { .. } => None,
        };
        let handed_on: BTreeSet<HtlcKey> = origins.filter_map(handed_on).collect();
        let open = self.unsettled_htlcs();
        for key in open.into_iter().filter(|key| !handed_on.contains(key)) {
            let text = format!("Replaying old unprocessed HTLC #{}", key.id);
            self.log_channel(key.dbid, LogLevel::Unusual, &text);
            // One that is refused was refused before, or its channel has been closed since: nobody is told of a forward.
            let _ = self.accept_htlc(key);
        }
    }
}
