//! Feerates as clients write them (`lightningd/feerate.c:param_feerate`), and the command `parsefeerate`.

use super::{FLOOR, Purpose, from_kvb};
use crate::command::Command;
use crate::command::params::{Params, Shape, invalid};
use crate::jsonrpc::RpcRequest;
use crate::state::State;
use leyden_protocol::json;
use leyden_protocol::message::{RpcError, code};
use serde_json::json;

impl State {
    /// The feerate that a client gives as a parameter, in sat per kw: a name, a number of blocks such as `6blocks`, or
    /// a number with `perkw` or `perkb`, which stands for what has neither.
    ///
    /// # Errors
    /// -32602 if it is none of these, 501 if it is not known.
    pub(crate) fn feerate_param(&self, params: &Params, name: &str) -> Result<Option<u32>, RpcError> {
        let parse = |raw| self.parse_feerate(name, json::content(raw));
        params.raw(name).map(parse).transpose()
    }

    /// The feerate of a parameter that nobody has given: a rate that is known, and no other.
    pub(crate) fn feerate_for(&self, purpose: Purpose) -> Result<u32, RpcError> {
        self.feerate(purpose).ok_or_else(unknown)
    }

    fn parse_feerate(&self, name: &str, text: &str) -> Result<u32, RpcError> {
        let rate = match text {
            "opening" => self.feerate(Purpose::Opening),
            "mutual_close" => self.feerate(Purpose::MutualClose),
            "penalty" => self.feerate(Purpose::Penalty),
            "unilateral_close" => self.feerate(Purpose::UnilateralClose),
            "unilateral_anchor_close" => self.feerate(Purpose::AnchorClose),
            "slow" => self.feerate_for_deadline(100),
            "normal" => self.feerate_for_deadline(12),
            "urgent" => self.feerate_for_deadline(6),
            "minimum" => Some(self.feerate_floor()),
            _ => match text.strip_suffix("blocks") {
                Some(blocks) => {
                    let wrong = |_| invalid(format!("'{name}' should be an integer not '{blocks}'"));
                    self.feerate_for_deadline(blocks.parse().map_err(wrong)?)
                }
                None => Some(number(name, text)?),
            },
        };
        rate.ok_or_else(unknown)
    }
}

fn unknown() -> RpcError {
    RpcError::new(code::BCLI_NO_FEE_ESTIMATES, "Cannot estimate fees (yet)")
}

fn number(name: &str, text: &str) -> Result<u32, RpcError> {
    let (digits, per_kw) = match (text.strip_suffix("perkw"), text.strip_suffix("perkb")) {
        (Some(digits), _) => (digits, true),
        (_, Some(digits)) => (digits, false),
        _ => (text, false),
    };
    let wrong =
        |_| invalid(format!("'{name}' should be an integer with optional perkw/perkb, not '{digits}'"));
    let rate: u32 = digits.parse().map_err(wrong)?;
    Ok(if per_kw { rate } else { from_kvb(rate) }.max(FLOOR))
}

/// `parsefeerate feerate`.
pub(crate) struct Parsefeerate(u32);

impl Command for Parsefeerate {
    const NAME: &'static str = "parsefeerate";
    const TAKES: &'static [Shape] = &[Shape::required("feerate")];

    fn parse(params: &Params, node: &State) -> Result<Self, RpcError> {
        node.feerate_param(params, "feerate")?.map(Self).ok_or_else(unknown)
    }

    fn run(self, node: &mut State, request: &RpcRequest) -> Result<(), RpcError> {
        node.reply(&request.client, &json!({ "perkw": self.0 }));
        Ok(())
    }
}
