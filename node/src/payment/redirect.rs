//! `pay` becomes `xpay-as-pay` before other plugins' answers to `rpc_command` count: xpay answers first, and the first modification
//! counts (`plugins/xpay/xpay.c:handle_rpc_command`). `--xpay-handle-pay=false` leaves `pay` to them.

use super::pay::{Pay, max_fee};
use crate::command::Command;
use crate::command::decode::read_invoice;
use crate::command::params::Params;
use crate::event::LogLevel;
use crate::jsonrpc::RpcRequest;
use crate::state::State;
use leyden_protocol::json;

/// Where xpay logs.
const XPAY: &str = "plugin-cln-xpay";

/// What xpay understands of `pay`'s parameters, under the names that it has for them.
const PASSED_ON: [(&str, &str); 7] = [
    ("bolt11", "invstring"),
    ("amount_msat", "amount_msat"),
    ("retry_for", "retry_for"),
    ("partial_msat", "partial_msat"),
    ("maxdelay", "maxdelay"),
    ("label", "label"),
    ("localinvreqid", "localinvreqid"),
];

impl State {
    /// The request that is to be executed instead, if xpay takes this one over.
    pub(crate) fn redirected_to_xpay(&mut self, request: &RpcRequest) -> Option<String> {
        if request.method != Pay::NAME || !self.xpay_handles_pay() {
            return None;
        }
        let Some(params) = self.pay_as_xpay(&request.params) else {
            self.log(LogLevel::Info, XPAY, "Not redirecting pay (weird params)");
            return None;
        };
        self.log(LogLevel::Info, XPAY, "Redirecting pay->xpay");
        let id = &request.client.id;
        Some(format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"xpay-as-pay","params":{{{params}}}}}"#))
    }

    fn xpay_handles_pay(&self) -> bool {
        let is_own = self.own_command(Pay::NAME).is_some() && self.bundled_owner("xpay").is_some();
        self.profile.has_xpay() && is_own && self.config.vars.boolean("xpay-handle-pay") != Some(false)
    }

    /// The members of xpay's parameters. `None` if `pay` is to see to it itself.
    fn pay_as_xpay(&self, params: &str) -> Option<String> {
        let params = Params::parse(params, Pay::TAKES, true).ok()?;
        if params.is_positional() && params.len() > 2 {
            return None;
        }
        let passed =
            |(pay, xpay): &(&str, &str)| Some(format!("{}:{}", json::quoted(xpay), params.raw(pay)?));
        let mut members: Vec<String> = PASSED_ON.iter().filter_map(passed).collect();
        if ["maxfee", "maxfeepercent", "exemptfee"].iter().any(|name| params.raw(name).is_some()) {
            let invoice = read_invoice(&params.string("bolt11").ok()?, &self.features.invoice, None).ok()?;
            let amount_msat = params.optional_msat("amount_msat").ok()?.or(invoice.invoice.amount_msat)?;
            members.push(format!(r#""maxfee":"{}msat""#, max_fee(&params, amount_msat).ok()?));
        }
        Some(members.join(","))
    }
}
