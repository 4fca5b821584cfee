//! What a channel's commitments pay, and `dev-feerate` (`lightningd/channel_control.c:try_update_feerates`).

use super::LocalChannel;
use super::channel_state::ChannelState;
use crate::chain::feerates::Purpose;
use crate::command::Command;
use crate::command::params::{Params, Shape};
use crate::jsonrpc::RpcRequest;
use crate::state::State;
use bitcoin::secp256k1::PublicKey;
use leyden_protocol::message::{RpcError, code};
use serde_json::json;

impl State {
    /// The commitments of a channel shall pay what they have to pay by now.
    pub(super) fn want_feerate(&mut self, dbid: u64) {
        let Some(channel) = self.channels.get(dbid) else { return };
        let anchors = channel.bolt.terms().channel_type.anchors;
        let wanted = self.feerate(if anchors { Purpose::AnchorClose } else { Purpose::UnilateralClose });
        let (floor, (least, most)) = (self.feerate_floor(), self.feerate_limits());
        let offset = self.profile.commit_feerate_offset();
        let Some(channel) = self.channels.get_mut(dbid) else { return };
        let range = match (channel.ignore_fee_limits, anchors) {
            (true, _) => (1, u32::MAX),
            // With anchors the commitment only has to be relayed.
            (false, true) => (floor, most),
            (false, false) => (least, most),
        };
        channel.bolt.set_feerate_range(range.0, range.1);
        if let Some(wanted) = wanted {
            // A little more than the peer, whose estimates may be others, thinks necessary.
            channel.bolt.update_fee(wanted.saturating_add(offset).min(most));
        }
    }

    /// Fees have changed: every channel may have to pay others.
    pub(crate) fn update_channel_fees(&mut self) {
        let live = |channel: &&LocalChannel| channel.state == ChannelState::Normal && channel.is_live();
        let dbids: Vec<u64> = self.channels.iter().filter(live).map(|channel| channel.dbid).collect();
        for dbid in dbids {
            self.want_feerate(dbid);
        }
    }
}

/// `dev-feerate id feerate`: until fees change, whatever is thought of them.
pub(crate) struct DevFeerate {
    peer: PublicKey,
    dbid: u64,
    per_kw: u32,
}

impl Command for DevFeerate {
    const NAME: &'static str = "dev-feerate";
    const TAKES: &'static [Shape] = &[Shape::required("id"), Shape::required("feerate")];

    fn parse(params: &Params, node: &State) -> Result<Self, RpcError> {
        let peer = params.node_id("id")?;
        let per_kw = params.optional_integer("feerate")?;
        let per_kw = per_kw.ok_or_else(|| params.wrong("feerate", "should be an integer"))?;
        let refuse = |text: &str| RpcError::new(code::LIGHTNINGD, text);
        let mut channels = node.channels.of_peer(&peer).peekable();
        channels.peek().ok_or_else(|| refuse("Peer not connected"))?;
        let mut usable = channels.filter(|channel| channel.state.can_add_htlc() && channel.is_live());
        let dbid = usable.next().ok_or_else(|| refuse("Peer bad state"))?.dbid;
        match usable.next() {
            None => Ok(Self { peer, dbid, per_kw }),
            Some(_) => Err(refuse("More than one channel")),
        }
    }

    fn run(self, node: &mut State, request: &RpcRequest) -> Result<(), RpcError> {
        if let Some(channel) = node.channels.get_mut(self.dbid) {
            channel.bolt.update_fee(self.per_kw);
        }
        node.reply(&request.client, &json!({ "id": self.peer.to_string(), "feerate": self.per_kw }));
        Ok(())
    }
}
