//! What the node knows of its own channels better than gossip does, for those who look for routes
//! (`common/gossmods_listpeerchannels.c`).

use crate::channel::channel_state::ChannelState;
use crate::channel::{LocalChannel, Policy};
use crate::peer::PeerState;
use crate::state::State;
use leyden_bolt::gossip::LocalHalf;
use leyden_bolt::transaction::Side;

impl State {
    /// What is known of our own channels, to look for routes with it. `free`: we take nothing of ourselves.
    pub(crate) fn local_halves(&self, free: bool) -> Vec<LocalHalf> {
        self.channels.iter().flat_map(|channel| self.halves_of(channel, free)).collect()
    }

    fn halves_of(&self, channel: &LocalChannel, free: bool) -> Vec<LocalHalf> {
        let is_connected = self.peers.of(&channel.peer, PeerState::Connected).is_some();
        let half = |side: Side, policy: &Policy, delta: u16, able_msat: u64| LocalHalf {
            short_channel_id: channel.scid_or_alias(),
            source: if side == Side::Local { self.node_id } else { channel.peer },
            destination: if side == Side::Local { channel.peer } else { self.node_id },
            capacity_msat: channel.bolt.terms().capacity_sat * 1_000,
            enabled: is_connected && channel.state == ChannelState::Normal,
            htlc_minimum_msat: policy.htlc_minimum_msat,
            htlc_maximum_msat: policy.htlc_maximum_msat.min(able_msat),
            fee_base_msat: policy.fee_base_msat,
            fee_proportional_millionths: policy.fee_proportional_millionths,
            cltv_expiry_delta: delta,
        };
        let mut ours = channel.policy;
        let mut delta = self.config.channels.cltv_delta;
        if free {
            (ours.fee_base_msat, ours.fee_proportional_millionths, delta) = (0, 0, 0);
        }
        let ours = half(Side::Local, &ours, delta, channel.bolt.spendable_msat());
        let theirs = channel.peer_policy.map(|peer| {
            half(Side::Remote, &peer.policy, peer.cltv_expiry_delta, channel.bolt.receivable_msat())
        });
        [ours].into_iter().chain(theirs).collect()
    }
}
