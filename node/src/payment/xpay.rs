//! `xpay` and `xpay-as-pay` (`plugins/xpay/xpay.c:json_xpay_params`).

use super::plan::goal::{Goal, Order};
use super::plan::{Limits, Style};
use crate::command::Command;
use crate::command::params::{Params, Shape, invalid, wrong_token};
use crate::jsonrpc::RpcRequest;
use crate::state::State;
use leyden_protocol::json;
use leyden_protocol::message::RpcError;

/// The bundled plugin that finds ways.
pub(super) const XPAY: &str = "cln-xpay";

/// How long other ways are tried, in seconds.
pub(super) const RETRY_FOR: u32 = 60;

/// The longest that an HTLC may take (BOLT 4, `max_htlc_cltv`).
pub(super) const MAX_DELAY: u32 = 2016;

/// What locked money costs if nobody says, in per cent per year.
pub(super) const RISKFACTOR: f64 = 10.0;

/// A fee below this is never too much.
pub(super) const EXEMPT_FEE_MSAT: u64 = 5000;

/// The most parts to a node that may have private channels only.
const PRIVATE_PARTS: usize = 6;

const TAKES: &[Shape] = &[
    Shape::required("invstring"),
    Shape::optional("amount_msat"),
    Shape::optional("maxfee"),
    Shape::optional("layers"),
    Shape::optional("retry_for"),
    Shape::optional("partial_msat"),
    Shape::optional("maxdelay"),
    Shape::optional("payer_note"),
    Shape::optional("label"),
    Shape::optional("localinvreqid"),
];

/// A call of `xpay` or of `xpay-as-pay`.
struct Call {
    goal: Goal,
    limits: Limits,
}

impl Call {
    fn parse(params: &Params, node: &State) -> Result<Self, RpcError> {
        let order = Order {
            invoice: params.string("invstring")?,
            amount_msat: params.optional_msat("amount_msat")?,
            partial_msat: params.optional_msat("partial_msat")?,
            label: params.optional_label("label")?,
            description: None,
        };
        let max_fee_msat = params.optional_msat("maxfee")?;
        let retry_for = params.optional_integer("retry_for")?.unwrap_or(RETRY_FOR);
        let max_delay = params.optional_u32("maxdelay")?.unwrap_or(MAX_DELAY);
        layers(params)?;
        if params.optional_sha256("localinvreqid")?.is_some() {
            return Err(invalid("Cannot use localinvreqid with BOLT11 payment"));
        }
        let (goal, in_parts) = Goal::of_invoice(node, order)?;
        let max_fee_msat = max_fee_msat.unwrap_or_else(|| usual_fee(goal.amount_msat));
        let max_parts = max_parts(node, &goal, in_parts);
        let retry_for = retry_for.into();
        let (riskfactor, exclude) = (RISKFACTOR, Vec::new());
        Ok(Self {
            goal,
            limits: Limits { max_fee_msat, max_delay, retry_for, max_parts, riskfactor, exclude },
        })
    }
}

/// One per cent.
pub(super) fn usual_fee(amount_msat: u64) -> u64 {
    (amount_msat / 100).max(EXEMPT_FEE_MSAT)
}

/// How many parts the destination can take.
pub(super) fn max_parts(node: &State, goal: &Goal, in_parts: bool) -> Option<usize> {
    let is_public = node.gossip.graph.node(&goal.destination).is_some();
    match in_parts {
        false => Some(1),
        true => (!is_public).then_some(PRIVATE_PARTS),
    }
}

/// `layers`: askrene's are not here, but for those that are always used.
pub(super) fn layers(params: &Params) -> Result<(), RpcError> {
    let Some(raw) = params.raw("layers") else { return Ok(()) };
    match json::elements(raw) {
        None => Err(params.wrong("layers", "should be an array")),
        Some(elements) => match elements.first() {
            Some(layer) => Err(wrong_token("layers", "unknown layer", layer)),
            None => Ok(()),
        },
    }
}

/// `xpay invstring [amount_msat] [maxfee] [layers] [retry_for] [partial_msat] [maxdelay] [payer_note] [label] [localinvreqid]`.
pub(crate) struct Xpay(Call);

impl Command for Xpay {
    const NAME: &'static str = "xpay";
    const TAKES: &'static [Shape] = TAKES;

    fn parse(params: &Params, node: &State) -> Result<Self, RpcError> {
        Call::parse(params, node).map(Self)
    }

    fn run(self, node: &mut State, request: &RpcRequest) -> Result<(), RpcError> {
        let call = node.bundled_call(XPAY, request);
        node.start_plan(call, self.0.goal, self.0.limits, Style::Xpay)
    }
}

/// The same, answered as `pay` answers.
pub(crate) struct XpayAsPay(Call);

impl Command for XpayAsPay {
    const NAME: &'static str = "xpay-as-pay";
    const TAKES: &'static [Shape] = TAKES;

    fn parse(params: &Params, node: &State) -> Result<Self, RpcError> {
        Call::parse(params, node).map(Self)
    }

    fn run(self, node: &mut State, request: &RpcRequest) -> Result<(), RpcError> {
        let call = node.bundled_call(XPAY, request);
        node.start_plan(call, self.0.goal, self.0.limits, Style::XpayAsPay)
    }
}
