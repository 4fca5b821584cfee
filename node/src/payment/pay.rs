//! `pay`: what `xpay` does, with the parameters and the answer of before (`plugins/pay.c`, and how xpay takes it over:
//! `plugins/xpay/xpay.c:handle_rpc_command`).

use super::plan::goal::{Goal, Order};
use super::plan::{Limits, Style};
use super::xpay::{EXEMPT_FEE_MSAT, MAX_DELAY, RETRY_FOR, RISKFACTOR, max_parts, usual_fee};
use crate::command::Command;
use crate::command::params::{Params, Shape, invalid};
use crate::gossip::getroute::exclusions;
use crate::jsonrpc::RpcRequest;
use crate::state::State;
use leyden_protocol::message::RpcError;

/// `maxfeepercent` if only `exemptfee` is given.
const MAX_FEE_PERCENT: f64 = 0.5;

/// `pay bolt11 [amount_msat] [label] [riskfactor] [maxfeepercent] [retry_for] [maxdelay] [exemptfee] [localinvreqid] [exclude]
/// [maxfee] [description] [partial_msat]`.
pub(crate) struct Pay {
    goal: Goal,
    limits: Limits,
}

impl Command for Pay {
    const NAME: &'static str = "pay";
    const USAGE: Option<&'static str> = Some(
        "invstring [amount_msat] [label] [riskfactor] [maxfeepercent] [retry_for] [maxdelay] [exemptfee] [localinvreqid] [exclude] \
         [maxfee] [description] [partial_msat]",
    );
    const TAKES: &'static [Shape] = &[
        Shape::required("bolt11"),
        Shape::optional("amount_msat"),
        Shape::optional("label"),
        Shape::optional("riskfactor"),
        Shape::optional("maxfeepercent"),
        Shape::optional("retry_for"),
        Shape::optional("maxdelay"),
        Shape::optional("exemptfee"),
        Shape::optional("localinvreqid"),
        Shape::optional("exclude"),
        Shape::optional("maxfee"),
        Shape::optional("description"),
        Shape::optional("partial_msat"),
    ];

    fn parse(params: &Params, node: &State) -> Result<Self, RpcError> {
        let order = Order {
            invoice: params.string("bolt11")?,
            amount_msat: params.optional_msat("amount_msat")?,
            partial_msat: params.optional_msat("partial_msat")?,
            label: params.optional_label("label")?,
            description: params.optional_escaped_string("description")?,
        };
        let riskfactor = params.optional_decimal("riskfactor")?.unwrap_or(RISKFACTOR);
        let exclude = params.raw("exclude").map(exclusions).transpose()?.unwrap_or_default();
        let retry_for = params.optional_integer("retry_for")?.unwrap_or(RETRY_FOR);
        let max_delay = params.optional_integer("maxdelay")?.unwrap_or(MAX_DELAY);
        let (goal, in_parts) = Goal::of_invoice(node, order)?;
        let max_fee_msat = max_fee(params, goal.amount_msat)?;
        let max_parts = max_parts(node, &goal, in_parts);
        let retry_for = retry_for.into();
        Ok(Self {
            goal,
            limits: Limits { max_fee_msat, max_delay, retry_for, max_parts, riskfactor, exclude },
        })
    }

    fn run(self, node: &mut State, request: &RpcRequest) -> Result<(), RpcError> {
        let call = node.bundled_call("pay", request);
        node.start_plan(call, self.goal, self.limits, Style::Pay)
    }
}

/// `maxfee`, or what `maxfeepercent` and `exemptfee` mean for an amount.
pub(super) fn max_fee(params: &Params, amount_msat: u64) -> Result<u64, RpcError> {
    let max_fee_msat = params.optional_msat("maxfee")?;
    let percent = params.optional_decimal("maxfeepercent")?;
    let exempt_msat = params.optional_msat("exemptfee")?;
    match (max_fee_msat, percent, exempt_msat) {
        (Some(msat), None, None) => Ok(msat),
        (Some(_), ..) => Err(invalid("If you specify maxfee, cannot specify maxfeepercent or exemptfee.")),
        (None, None, None) => Ok(usual_fee(amount_msat)),
        (None, percent, exempt_msat) => {
            let ppm = (percent.unwrap_or(MAX_FEE_PERCENT) * 10_000.0) as u128;
            let fee_msat = u128::from(amount_msat) * ppm / 1_000_000;
            let fee_msat = u64::try_from(fee_msat)
                .map_err(|_| invalid("Overflow when computing fee budget, fee rate too high."))?;
            Ok(fee_msat.max(exempt_msat.unwrap_or(EXEMPT_FEE_MSAT)))
        }
    }
}
