//! What `fundchannel` and `multifundchannel` are asked for (`plugins/spender/multifundchannel.c`).

use super::command::{depth_of, optional_channel_type};
use super::offer::OfferRequest;
use crate::command::Command;
use crate::command::params::{Params, Shape, invalid};
use crate::jsonrpc::RpcRequest;
use crate::peer::control::peer_and_address;
use crate::state::State;
use crate::wallet::param;
use crate::wallet::select::Value;
use bitcoin::OutPoint;
use leyden_protocol::json;
use leyden_protocol::message::RpcError;
use std::net::SocketAddr;

/// A channel that is to be funded.
#[derive(Debug, Clone)]
pub(super) struct Destination {
    /// What is asked of the peer; its amount is not known as long as [`Self::all`] stands for it.
    pub(super) offer: OfferRequest,
    pub(super) all: bool,
    /// Where the peer is, if that was said.
    pub(super) address: Option<SocketAddr>,
}

/// What all channels have in common.
#[derive(Debug, Clone)]
pub(super) struct Funding {
    pub(super) destinations: Vec<Destination>,
    pub(super) feerate_per_kw: Option<u32>,
    pub(super) minconf: u32,
    pub(super) utxos: Option<Vec<OutPoint>>,
    /// With how many channels the caller is content.
    pub(super) minchannels: usize,
    /// Whether `fundchannel` was called: the answer is about the one channel.
    pub(super) is_single: bool,
}

/// The parameters of a destination.
const DESTINATION: &[Shape] = &[
    Shape::required("id"),
    Shape::required("amount"),
    Shape::optional("announce"),
    Shape::optional("push_msat"),
    Shape::optional("close_to"),
    Shape::optional("request_amt"),
    Shape::optional("compact_lease"),
    Shape::optional("mindepth"),
    Shape::optional("reserve"),
    Shape::optional("channel_type"),
];

impl Destination {
    fn parse(params: &Params, feerate_per_kw: Option<u32>) -> Result<Self, RpcError> {
        let (peer, address) = peer_and_address(params)?;
        let amount = match param::sat_or_all(params, "amount")? {
            Value::All => None,
            Value::Sat(sat) => Some(sat),
        };
        if params.raw("request_amt").is_some() {
            if params.raw("compact_lease").is_none() {
                return Err(invalid("Must pass in 'compact_lease' if requesting funds from peer"));
            }
            return Err(invalid(format!(
                "Tried to buy a liquidity ad but we(?) don't have experimental-dual-fund enabled for {peer}"
            )));
        }
        let channel_type = optional_channel_type(params)?;
        let offer = OfferRequest {
            peer,
            amount_sat: amount.unwrap_or(0),
            feerate_per_kw,
            announce: params.optional_bool("announce")?.unwrap_or(true),
            push_msat: params.optional_msat("push_msat")?.unwrap_or(0),
            close_to: param::optional_address(params, "close_to")?,
            mindepth: depth_of(channel_type, params.optional_u32("mindepth")?)?,
            reserve_sat: param::optional_sat(params, "reserve")?,
            channel_type,
        };
        Ok(Self { offer, all: amount.is_none(), address })
    }
}

/// `fundchannel id amount [feerate] [announce] [minconf] [utxos] …`.
pub(crate) struct Fundchannel(Funding);

impl Command for Fundchannel {
    const NAME: &'static str = "fundchannel";
    const TAKES: &'static [Shape] = &[
        Shape::required("id"),
        Shape::required("amount"),
        Shape::optional("feerate"),
        Shape::optional("announce"),
        Shape::optional("minconf"),
        Shape::optional("utxos"),
        Shape::optional("push_msat"),
        Shape::optional("close_to"),
        Shape::optional("request_amt"),
        Shape::optional("compact_lease"),
        Shape::optional("mindepth"),
        Shape::optional("reserve"),
        Shape::optional("channel_type"),
    ];

    fn parse(params: &Params, node: &State) -> Result<Self, RpcError> {
        let feerate_per_kw = node.feerate_param(params, "feerate")?;
        Ok(Self(Funding {
            destinations: vec![Destination::parse(params, feerate_per_kw)?],
            feerate_per_kw,
            minconf: params.optional_u32("minconf")?.unwrap_or(1),
            utxos: param::optional_outpoints(params, "utxos")?,
            minchannels: 1,
            is_single: true,
        }))
    }

    fn run(self, node: &mut State, request: &RpcRequest) -> Result<(), RpcError> {
        node.start_multifund(self.0, request.client.clone());
        Ok(())
    }
}

/// `multifundchannel destinations [feerate] [minconf] [utxos] [minchannels] [commitment_feerate]`.
pub(crate) struct Multifundchannel(Funding);

impl Command for Multifundchannel {
    const NAME: &'static str = "multifundchannel";
    const TAKES: &'static [Shape] = &[
        Shape::required("destinations"),
        Shape::optional("feerate"),
        Shape::optional("minconf"),
        Shape::optional("utxos"),
        Shape::optional("minchannels"),
        Shape::optional("commitment_feerate"),
    ];

    fn parse(params: &Params, node: &State) -> Result<Self, RpcError> {
        let feerate_per_kw = node.feerate_param(params, "feerate")?;
        let commitment = node.feerate_param(params, "commitment_feerate")?.or(feerate_per_kw);
        let wrong = || params.wrong("destinations", "must be an array");
        let elements = json::elements(params.required_raw("destinations")?).ok_or_else(wrong)?;
        let destination =
            |token: &&str| Destination::parse(&Params::parse(token, DESTINATION, false)?, commitment);
        let destinations: Vec<Destination> = elements.iter().map(destination).collect::<Result<_, _>>()?;
        if destinations.is_empty() {
            return Err(params.wrong("destinations", "must have at least one entry"));
        }
        if destinations.iter().filter(|destination| destination.all).count() > 1 {
            return Err(params.wrong("destinations", "only one destination can be indicated with \"all\""));
        }
        for (place, destination) in destinations.iter().enumerate() {
            let peer = destination.offer.peer;
            if destinations[..place].iter().any(|earlier| earlier.offer.peer == peer) {
                return Err(invalid(format!("Duplicate destination: {peer}")));
            }
        }
        let all = destinations.len();
        let minchannels = params.optional_integer("minchannels")?;
        let minchannels = minchannels.and_then(|count| usize::try_from(count).ok()).unwrap_or(all);
        Ok(Self(Funding {
            feerate_per_kw,
            minconf: params.optional_u32("minconf")?.unwrap_or(1),
            utxos: param::optional_outpoints(params, "utxos")?,
            minchannels: minchannels.clamp(1, all),
            is_single: false,
            destinations,
        }))
    }

    fn run(self, node: &mut State, request: &RpcRequest) -> Result<(), RpcError> {
        node.start_multifund(self.0, request.client.clone());
        Ok(())
    }
}
