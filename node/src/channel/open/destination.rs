//! What `fundchannel` and `multifundchannel` are asked for (`plugins/spender/multifundchannel.c`, `plugins/spender/fundchannel.c`).

use super::command::{depth_of, optional_channel_type};
use crate::command::Command;
use crate::command::params::{Params, Shape, invalid};
use crate::jsonrpc::RpcRequest;
use crate::jsonrpc::internal::given;
use crate::state::State;
use crate::wallet::param;
use crate::wallet::select;
use bitcoin::secp256k1::PublicKey;
use leyden_protocol::json;
use leyden_protocol::message::RpcError;
use serde_json::{Map, Value};

/// The bundled plugin that funds channels.
pub(crate) const SPENDERP: &str = "spenderp";

/// A channel that is to be funded.
#[derive(Debug, Clone)]
pub(super) struct Destination {
    pub(super) peer: PublicKey,
    /// The peer as it was given: `id`, `id@host` or `id@host:port`.
    pub(super) connect_to: String,
    /// Not known as long as [`Self::all`] stands for it.
    pub(super) amount_sat: u64,
    pub(super) all: bool,
    /// What else `fundchannel_start` is told.
    pub(super) terms: Map<String, Value>,
}

/// What all channels have in common.
#[derive(Debug, Clone)]
pub(super) struct Funding {
    pub(super) destinations: Vec<Destination>,
    /// As it was given; of the funding transaction.
    pub(super) feerate: Option<String>,
    pub(super) minconf: u32,
    /// As they were given.
    pub(super) utxos: Option<Value>,
    /// With how many channels the caller is content.
    pub(super) minchannels: usize,
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
    /// Reads one. `feerate` is for the first commitments.
    fn parse(params: &Params, feerate: Option<&str>, node: &State) -> Result<Self, RpcError> {
        let connect_to = params.string("id")?;
        let id = connect_to.split('@').next().unwrap_or_default();
        let peer = id.parse().map_err(|_| params.wrong("id", "should be a node id"))?;
        let amount = match param::sat_or_all(params, "amount")? {
            select::Value::All => None,
            select::Value::Sat(sat) => Some(sat),
        };
        refuse_lease(params, &peer)?;
        let mut terms = Map::new();
        let mut add = |name: &str, value: Option<Value>| {
            if let Some(value) = value {
                terms.insert(name.to_owned(), value);
            }
        };
        add("feerate", feerate.map(Value::from));
        add("announce", Some(params.optional_bool("announce")?.unwrap_or(true).into()));
        add("push_msat", Some(node.amount(params.optional_msat("push_msat")?.unwrap_or(0))));
        param::optional_address(params, "close_to")?;
        add("close_to", params.optional_string("close_to").map(Value::from));
        let mindepth = params.optional_u32("mindepth")?;
        depth_of(optional_channel_type(params)?, mindepth)?;
        add("mindepth", mindepth.map(Value::from));
        add("channel_type", given(params, "channel_type"));
        add("reserve", param::optional_sat(params, "reserve")?.map(|sat| format!("{sat}sat").into()));
        Ok(Self { peer, connect_to, amount_sat: amount.unwrap_or(0), all: amount.is_none(), terms })
    }
}

fn refuse_lease(params: &Params, peer: &PublicKey) -> Result<(), RpcError> {
    if params.raw("request_amt").is_none() {
        return Ok(());
    }
    if params.raw("compact_lease").is_none() {
        return Err(invalid("Must pass in 'compact_lease' if requesting funds from peer"));
    }
    Err(invalid(format!(
        "Tried to buy a liquidity ad but we(?) don't have experimental-dual-fund enabled for {peer}"
    )))
}

/// `fundchannel id amount [feerate] [announce] [minconf] [utxos] …`: a `multifundchannel` with one destination.
pub(crate) struct Fundchannel(Value);

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

    fn parse(params: &Params, _: &State) -> Result<Self, RpcError> {
        if params.raw("request_amt").is_some() && params.raw("compact_lease").is_none() {
            return Err(invalid("Must pass in 'compact_lease' if requesting funds from peer"));
        }
        let pick = |names: &[Shape]| -> Map<String, Value> {
            let one = |shape: &Shape| given(params, shape.name).map(|value| (shape.name.to_owned(), value));
            names.iter().filter_map(one).collect()
        };
        let mut passed =
            Map::from_iter([("destinations".to_owned(), Value::from(vec![Value::from(pick(DESTINATION))]))]);
        passed.extend(pick(&[
            Shape::optional("feerate"),
            Shape::optional("minconf"),
            Shape::optional("utxos"),
        ]));
        Ok(Self(passed.into()))
    }

    fn run(self, node: &mut State, request: &RpcRequest) -> Result<(), RpcError> {
        let call = node.bundled_call(SPENDERP, request);
        node.call_first(call, Multifundchannel::NAME, &self.0, |node, call, funded| {
            node.reply(&call.client, &of_one_channel(&funded));
            Ok(())
        });
        Ok(())
    }
}

/// The answer about the one channel.
fn of_one_channel(funded: &Value) -> Value {
    let (tx, txid) = (funded["tx"].clone(), funded["txid"].clone());
    let mut result = Map::from_iter([("tx".to_owned(), tx), ("txid".to_owned(), txid)]);
    for name in ["channel_id", "channel_type", "outnum", "close_to"] {
        if let Some(value) = funded["channel_ids"][0].get(name) {
            result.insert(name.to_owned(), value.clone());
        }
    }
    result.into()
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
        node.feerate_param(params, "feerate")?;
        node.feerate_param(params, "commitment_feerate")?;
        param::optional_outpoints(params, "utxos")?;
        let feerate = params.optional_string("feerate");
        let commitment = params.optional_string("commitment_feerate").or(feerate.clone());
        let wrong = || params.wrong("destinations", "must be an array");
        let elements = json::elements(params.required_raw("destinations")?).ok_or_else(wrong)?;
        let destination = |token: &&str| {
            Destination::parse(&Params::parse(token, DESTINATION, false)?, commitment.as_deref(), node)
        };
        let destinations: Vec<Destination> = elements.iter().map(destination).collect::<Result<_, _>>()?;
        if destinations.is_empty() {
            return Err(params.wrong("destinations", "must have at least one entry"));
        }
        if destinations.iter().filter(|destination| destination.all).count() > 1 {
            return Err(params.wrong("destinations", "only one destination can be indicated with \"all\""));
        }
        for (place, destination) in destinations.iter().enumerate() {
            let peer = destination.peer;
            if destinations[..place].iter().any(|earlier| earlier.peer == peer) {
                return Err(invalid(format!("Duplicate destination: {peer}")));
            }
        }
        let all = destinations.len();
        let minchannels = params.optional_integer("minchannels")?;
        let minchannels = minchannels.and_then(|count| usize::try_from(count).ok()).unwrap_or(all);
        Ok(Self(Funding {
            feerate,
            minconf: params.optional_u32("minconf")?.unwrap_or(1),
            utxos: given(params, "utxos"),
            minchannels: minchannels.clamp(1, all),
            destinations,
        }))
    }

    fn run(self, node: &mut State, request: &RpcRequest) -> Result<(), RpcError> {
        let call = node.bundled_call(SPENDERP, request);
        node.start_multifund(self.0, call);
        Ok(())
    }
}
