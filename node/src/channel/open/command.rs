//! `fundchannel_start`, `fundchannel_complete` and `fundchannel_cancel` (`lightningd/opening_control.c`).

use super::offer::{OfferRequest, UNKNOWN_PEER};
use super::{ChannelState, Role};
use crate::command::Command;
use crate::command::params::{Params, Shape, invalid};
use crate::jsonrpc::{Client, RpcRequest};
use crate::state::State;
use crate::wallet::{param, psbt};
use bitcoin::secp256k1::PublicKey;
use bitcoin::{OutPoint, Psbt};
use leyden_bolt::Features;
use leyden_bolt::channel::OpenError;
use leyden_bolt::transaction::{ChannelType, Side};
use leyden_protocol::json;
use leyden_protocol::message::{RpcError, code};
use serde_json::json;

/// There is nothing to be cancelled (`FUNDING_NOTHING_TO_CANCEL`).
const NOTHING_TO_CANCEL: i64 = 307;
/// The funding transaction may be on its way (`FUNDING_CANCEL_NOT_SAFE`).
const CANCEL_NOT_SAFE: i64 = 308;

fn refuse(text: impl Into<String>) -> RpcError {
    RpcError::new(code::LIGHTNINGD, text)
}

/// An optional type of channel: the numbers of its bits.
pub(super) fn optional_channel_type(params: &Params) -> Result<Option<ChannelType>, RpcError> {
    let Some(raw) = params.raw("channel_type") else { return Ok(None) };
    let wrong = || params.wrong("channel_type", "should be an array of feature bits");
    let elements = json::elements(raw).ok_or_else(wrong)?;
    let bits: Result<Vec<usize>, RpcError> =
        elements.iter().map(|token| json::content(token).parse().map_err(|_| wrong())).collect();
    let kind = ChannelType::try_from(&Features::from_bits(&bits?));
    kind.map(Some).map_err(|_| invalid("channel_type not supported"))
}

/// A type with `option_zeroconf` needs no depth, and takes none.
pub(super) fn depth_of(kind: Option<ChannelType>, mindepth: Option<u32>) -> Result<Option<u32>, RpcError> {
    match (kind.is_some_and(|kind| kind.zeroconf), mindepth) {
        (true, Some(1..)) => Err(invalid("Cannot set non-zero mindepth for zero-conf channel_type")),
        (true, _) => Ok(Some(0)),
        (false, mindepth) => Ok(mindepth),
    }
}

/// `fundchannel_start id amount [feerate] [announce] [close_to] [push_msat] [mindepth] [reserve] [channel_type]`.
pub(crate) struct FundchannelStart(OfferRequest);

impl Command for FundchannelStart {
    const NAME: &'static str = "fundchannel_start";
    const TAKES: &'static [Shape] = &[
        Shape::required("id"),
        Shape::required("amount"),
        Shape::optional("feerate"),
        Shape::optional("announce"),
        Shape::optional("close_to"),
        Shape::optional("push_msat"),
        Shape::optional("mindepth"),
        Shape::optional("reserve"),
        Shape::optional("channel_type"),
    ];

    fn parse(params: &Params, node: &State) -> Result<Self, RpcError> {
        let channel_type = optional_channel_type(params)?;
        let request = OfferRequest {
            peer: params.node_id("id")?,
            amount_sat: param::sat(params, "amount")?,
            feerate_per_kw: node.feerate_param(params, "feerate")?,
            announce: params.optional_bool("announce")?.unwrap_or(true),
            close_to: param::optional_address(params, "close_to")?,
            push_msat: params.optional_msat("push_msat")?.unwrap_or(0),
            mindepth: depth_of(channel_type, params.optional_u32("mindepth")?)?,
            reserve_sat: param::optional_sat(params, "reserve")?,
            channel_type,
        };
        node.check_offer(&request)?;
        Ok(Self(request))
    }

    fn run(self, node: &mut State, request: &RpcRequest) -> Result<(), RpcError> {
        node.start_offer(self.0, request.client.clone())
    }
}

/// `fundchannel_complete id psbt [withhold]`.
pub(crate) struct FundchannelComplete {
    peer: PublicKey,
    psbt: Psbt,
    funding: OutPoint,
    withhold: bool,
}

impl Command for FundchannelComplete {
    const NAME: &'static str = "fundchannel_complete";
    const TAKES: &'static [Shape] =
        &[Shape::required("id"), Shape::required("psbt"), Shape::optional("withhold")];

    fn parse(params: &Params, node: &State) -> Result<Self, RpcError> {
        let peer = params.node_id("id")?;
        let psbt = psbt::param(params, "psbt")?;
        let withhold = params.optional_bool("withhold")?.unwrap_or(false);
        node.connected_features(&peer)?;
        let uncommitted = node.channels.uncommitted.get(&peer).map(|uncommitted| &uncommitted.role);
        let Some(Role::Opener(offer)) = uncommitted.filter(|role| match role {
            Role::Opener(offer) => offer.accepted,
            Role::Acceptor(_) => false,
        }) else {
            return Err(refuse("No channel funding in progress."));
        };
        if offer.waiter.is_some() {
            return Err(refuse("Channel funding in progress."));
        }
        let funding = offer.funding_output(&psbt)?;
        Ok(Self { peer, psbt, funding, withhold })
    }

    fn run(self, node: &mut State, request: &RpcRequest) -> Result<(), RpcError> {
        node.complete_offer(&self.peer, self.funding, self.psbt, self.withhold, request.client.clone())
    }
}

impl super::offer::Offer {
    /// The one output of a PSBT that funds the channel.
    fn funding_output(&self, psbt: &Psbt) -> Result<OutPoint, RpcError> {
        let bad = |text: String| RpcError::new(code::FUNDING_PSBT_INVALID, text);
        let (script, amount_sat) = self.wanted_output();
        let tx = &psbt.unsigned_tx;
        let mut found = tx.output.iter().enumerate().filter(|(_, output)| output.script_pubkey == script);
        let Some((place, output)) = found.next() else {
            return Err(bad("No output to open channel".to_owned()));
        };
        if found.next().is_some() {
            return Err(bad("Two outputs to open channel".to_owned()));
        }
        let value = output.value.to_sat();
        if value != amount_sat {
            return Err(bad(format!("Output to open channel is {value}sat, should be {amount_sat}sat")));
        }
        for (place, input) in psbt.inputs.iter().enumerate() {
            if input.witness_utxo.is_none() && input.final_script_sig.is_none() {
                return Err(bad(format!(
                    "Input {place} is non-segwit and unsigned: txid is unknown until signed"
                )));
            }
        }
        let vout = u16::try_from(place);
        let vout =
            vout.map_err(|_| invalid(format!("Invalid parameter: funding tx vout too large {place}")))?;
        Ok(OutPoint { txid: tx.compute_txid(), vout: vout.into() })
    }
}

/// `fundchannel_cancel id`.
pub(crate) struct FundchannelCancel {
    peer: PublicKey,
}

impl Command for FundchannelCancel {
    const NAME: &'static str = "fundchannel_cancel";
    const TAKES: &'static [Shape] = &[Shape::required("id")];

    fn parse(params: &Params, node: &State) -> Result<Self, RpcError> {
        let peer = params.node_id("id")?;
        let is_known = node.peers.iter().any(|(_, open)| open.id == peer);
        if !is_known && node.channels.of_peer(&peer).next().is_none() {
            return Err(RpcError::new(UNKNOWN_PEER, "Unknown peer"));
        }
        match node.channels.uncommitted.get(&peer).map(|uncommitted| &uncommitted.role) {
            None => {}
            Some(Role::Opener(offer)) if offer.accepted => {}
            Some(_) => return Err(RpcError::new(NOTHING_TO_CANCEL, "No channel funding in progress.")),
        }
        Ok(Self { peer })
    }

    fn run(self, node: &mut State, request: &RpcRequest) -> Result<(), RpcError> {
        let Self { peer } = self;
        let Some(uncommitted) = node.channels.uncommitted.get_mut(&peer) else {
            node.cancel_committed(&peer, &request.client);
            return Ok(());
        };
        if let Role::Opener(offer) = &mut uncommitted.role {
            offer.cancels.push(request.client.clone());
        }
        node.cancel_offer(&peer);
        Ok(())
    }
}

impl State {
    /// Stops an opening that is not complete.
    pub(super) fn cancel_offer(&mut self, peer: &PublicKey) {
        if let Some(uncommitted) = self.channels.uncommitted.get(peer) {
            let (connection, id) = (uncommitted.connection, uncommitted.channel_id);
            self.send_error(connection, id, "Channel open canceled by us");
            self.abort_offer(peer, &OpenError::Aborted("Channel open canceled by RPC".to_owned()));
        }
    }

    /// Stops a channel whose commitments are signed, if its funding transaction was not sent
    /// (`channel_control.c:cancel_channel_before_broadcast`).
    pub(super) fn cancel_committed(&mut self, peer: &PublicKey, client: &Client) {
        match self.check_cancel(peer) {
            Ok(dbid) => {
                let reason = "Cancel channel by our RPC command before funding transaction broadcast.";
                self.forget_failed_channel(dbid, reason);
                let text = "Channel open canceled by RPC(after fundchannel_complete)";
                self.reply(client, &json!({ "cancelled": text }));
            }
            Err(error) => self.reply_error(client, &error),
        }
    }

    fn check_cancel(&self, peer: &PublicKey) -> Result<u64, RpcError> {
        let not_safe = |text: &str| RpcError::new(CANCEL_NOT_SAFE, text);
        let channel =
            self.channels.of_peer(peer).find(|channel| channel.state == ChannelState::AwaitingLockin);
        let Some(channel) = channel else {
            let text = format!("No channels being opened or awaiting lock-in for peer_id {peer}");
            return Err(RpcError::new(NOTHING_TO_CANCEL, text));
        };
        if channel.opener() == Side::Remote {
            return Err(not_safe("Cannot cancel channel that was initiated by peer"));
        }
        let txid = channel.funding().txid;
        if self.outgoing.has(txid) || self.stored_tx(txid).is_some() {
            return Err(not_safe(
                "Has the funding transaction been broadcast? Please use `close` or `dev-fail` instead.",
            ));
        }
        Ok(channel.dbid)
    }
}
