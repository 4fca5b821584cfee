//! `setchannel`: what a channel asks for forwarding, and which HTLCs it passes on (`lightningd/peer_control.c`).

use super::channel_state::ChannelState;
use super::{OlderPolicy, Policy};
use crate::command::Command;
use crate::command::params::{Params, Shape, invalid};
use crate::jsonrpc::RpcRequest;
use crate::state::State;
use bitcoin::secp256k1::PublicKey;
use leyden_bolt::transaction::Side;
use leyden_protocol::message::{RpcError, code};
use serde_json::{Map, Value, json};
use std::time::Duration;

/// The `enforcedelay` of who says none.
const ENFORCE_DELAY_SECONDS: u32 = 600;

/// `setchannel id [feebase] [feeppm] [htlcmin] [htlcmax] [enforcedelay] [ignorefeelimits]`.
pub(crate) struct Setchannel {
    dbids: Vec<u64>,
    feebase: Option<u32>,
    feeppm: Option<u32>,
    htlcmin: Option<u64>,
    htlcmax: Option<u64>,
    /// For how many seconds what was asked before is still taken.
    enforcedelay: u32,
    ignorefeelimits: Option<bool>,
}

impl Command for Setchannel {
    const NAME: &'static str = "setchannel";
    const TAKES: &'static [Shape] = &[
        Shape::required("id"),
        Shape::optional("feebase"),
        Shape::optional("feeppm"),
        Shape::optional("htlcmin"),
        Shape::optional("htlcmax"),
        Shape::optional("enforcedelay"),
        Shape::optional("ignorefeelimits"),
    ];

    fn parse(params: &Params, node: &State) -> Result<Self, RpcError> {
        let feebase = params.optional_msat("feebase")?.map(u32::try_from).transpose();
        let (htlcmin, htlcmax) = (params.optional_msat("htlcmin")?, params.optional_msat("htlcmax")?);
        if htlcmin.zip(htlcmax).is_some_and(|(min, max)| max < min) {
            return Err(RpcError::new(code::LIGHTNINGD, "htlcmax cannot be less than htlcmin"));
        }
        Ok(Self {
            dbids: node.channels_to_set(params)?,
            feebase: feebase.map_err(|_| params.wrong("feebase", "exceeds u32 max"))?,
            feeppm: params.optional_integer("feeppm")?,
            htlcmin,
            htlcmax,
            enforcedelay: params.optional_integer("enforcedelay")?.unwrap_or(ENFORCE_DELAY_SECONDS),
            ignorefeelimits: params.optional_bool("ignorefeelimits")?,
        })
    }

    fn run(self, node: &mut State, request: &RpcRequest) -> Result<(), RpcError> {
        let channels: Vec<Value> = self.dbids.iter().filter_map(|dbid| self.set(node, *dbid)).collect();
        node.reply(&request.client, &json!({ "channels": channels }));
        Ok(())
    }
}

/// Whether a channel can be set.
fn can_be_set(state: ChannelState) -> bool {
    matches!(state, ChannelState::AwaitingLockin | ChannelState::Normal)
}

impl State {
    /// `all`, all with a peer, or one.
    fn channels_to_set(&self, params: &Params) -> Result<Vec<u64>, RpcError> {
        let text = params.string("id")?;
        let settable = || self.channels.iter().filter(|channel| can_be_set(channel.state));
        if text == "all" {
            return Ok(settable().map(|channel| channel.dbid).collect());
        }
        if let Ok(peer) = text.parse::<PublicKey>() {
            let found: Vec<u64> =
                settable().filter(|channel| channel.peer == peer).map(|channel| channel.dbid).collect();
            if found.is_empty() {
                return Err(params.wrong("id", "Could not find any active channels of peer with that id"));
            }
            return Ok(found);
        }
        let dbid = self.find_channel(params, "id")?;
        match self.channels.get(dbid).filter(|channel| can_be_set(channel.state)) {
            Some(_) => Ok(vec![dbid]),
            None => {
                let state = self.channels.get(dbid).map_or("", |channel| channel.state.name());
                Err(invalid(format!("Channel in state {state}")))
            }
        }
    }
}

impl Setchannel {
    /// Whether a forward that was fine may be fine no more.
    fn asks_for_more_than(&self, policy: &Policy) -> bool {
        self.feebase.is_some_and(|msat| msat > policy.fee_base_msat)
            || self.feeppm.is_some_and(|millionths| millionths > policy.fee_proportional_millionths)
            || self.htlcmin.is_some_and(|msat| msat > policy.htlc_minimum_msat)
            || self.htlcmax.is_some_and(|msat| msat < policy.htlc_maximum_msat)
    }

    fn set(&self, node: &mut State, dbid: u64) -> Option<Value> {
        let until = (node.clock)() + Duration::from_secs(self.enforcedelay.into());
        let channel = node.channels.get_mut(dbid)?;
        if self.asks_for_more_than(&channel.policy) {
            channel.older_policy = Some(OlderPolicy { policy: channel.policy, until });
        }
        let policy = &mut channel.policy;
        policy.fee_base_msat = self.feebase.unwrap_or(policy.fee_base_msat);
        policy.fee_proportional_millionths = self.feeppm.unwrap_or(policy.fee_proportional_millionths);
        let terms = *channel.bolt.terms();
        let theirs = terms.config(Side::Remote);
        let low = self.htlcmin.is_some_and(|min| min < theirs.htlc_minimum_msat);
        let limit = (terms.capacity_sat * 1000)
            .saturating_sub(theirs.channel_reserve_satoshis * 1000)
            .min(theirs.max_htlc_value_in_flight_msat);
        let high = self.htlcmax.is_some_and(|max| max > limit);
        if let Some(min) = self.htlcmin {
            policy.htlc_minimum_msat = min.max(theirs.htlc_minimum_msat);
        }
        if let Some(max) = self.htlcmax {
            policy.htlc_maximum_msat = max.min(limit);
        }
        let policy = *policy;
        channel.ignore_fee_limits = self.ignorefeelimits.unwrap_or(channel.ignore_fee_limits);
        let (peer, id, scid) = (channel.peer, channel.channel_id(), channel.scid);
        let ignores = channel.ignore_fee_limits;
        node.want_feerate(dbid);
        node.own_channel_changed(dbid);
        let mut entry = Map::new();
        let mut add = |name: &str, value: Value| drop(entry.insert(name.to_owned(), value));
        add("peer_id", peer.to_string().into());
        add("channel_id", id.to_string().into());
        if let Some(scid) = scid {
            add("short_channel_id", scid.to_string().into());
        }
        add("fee_base_msat", node.amount(policy.fee_base_msat.into()));
        add("fee_proportional_millionths", policy.fee_proportional_millionths.into());
        add("minimum_htlc_out_msat", node.amount(policy.htlc_minimum_msat));
        if low {
            let text = "Set minimum_htlc_out_msat to minimum allowed by peer";
            add("warning_htlcmin_too_low", text.into());
        }
        add("maximum_htlc_out_msat", node.amount(policy.htlc_maximum_msat));
        add("ignore_fee_limits", ignores.into());
        if high {
            let text = "Set maximum_htlc_out_msat to maximum possible in channel";
            add("warning_htlcmax_too_high", text.into());
        }
        Some(entry.into())
    }
}
