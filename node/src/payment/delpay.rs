//! `delpay` (`lightningd/pay.c:json_delpay`).

use super::show::payment_fields;
use super::store::{self, Payment, Status};
use super::{code, listsendpays};
use crate::command::Command;
use crate::command::params::{Params, Shape, invalid};
use crate::jsonrpc::RpcRequest;
use crate::state::State;
use leyden_protocol::message::RpcError;
use serde_json::{Value, json};

/// `delpay payment_hash status [partid] [groupid]`: the parts to be forgotten.
pub(crate) struct Delpay {
    payments: Vec<Payment>,
}

impl Command for Delpay {
    const NAME: &'static str = "delpay";
    const TAKES: &'static [Shape] = &[
        Shape::required("payment_hash"),
        Shape::required("status"),
        Shape::optional("partid"),
        Shape::optional("groupid"),
    ];

    fn parse(params: &Params, node: &State) -> Result<Self, RpcError> {
        let payment_hash = params.sha256("payment_hash")?;
        let status = listsendpays::status(params)?.expect("it is required");
        if status == Status::Pending {
            return Err(params.wrong("status", "Cannot delete pending status"));
        }
        let (partid, groupid) = (params.optional_u64("partid")?, params.optional_u64("groupid")?);
        if partid.is_some() != groupid.is_some() {
            return Err(invalid("Must set both partid and groupid, or neither"));
        }
        let refuse = |text: String| RpcError::new(code::NO_SUCH_PAYMENT, text);
        let hash = hex::encode(payment_hash);
        let mut payments = store::with_hash(node.stored(), &payment_hash);
        if payments.is_empty() {
            return Err(refuse(format!("Unknown payment with payment_hash: {hash}")));
        }
        payments.retain(|payment| {
            let key = &payment.sent.key;
            groupid.is_none_or(|groupid| groupid == key.groupid)
                && partid.is_none_or(|partid| partid == key.partid)
        });
        let other = payments.iter().rfind(|payment| payment.status != status).map(|payment| payment.status);
        payments.retain(|payment| payment.status == status);
        match other.filter(|_| payments.is_empty()) {
            Some(other) => Err(refuse(format!(
                "Payment with hash {hash} has {} status but it different from the one provided {}",
                other.name(),
                status.name()
            ))),
            None if payments.is_empty() => {
                Err(refuse("No payment for that payment_hash with that partid and groupid".to_owned()))
            }
            None => Ok(Self { payments }),
        }
    }

    fn run(self, node: &mut State, request: &RpcRequest) -> Result<(), RpcError> {
        node.delete_payments(&self.payments);
        let deleted: Vec<Value> =
            self.payments.iter().map(|payment| payment_fields(node, payment).into()).collect();
        node.reply(&request.client, &json!({ "payments": deleted }));
        Ok(())
    }
}
