//! A part of a payment as every command and notification shows it (`lightningd/pay.c:json_add_payment_fields`).

use super::store::Payment;
use crate::state::State;
use leyden_protocol::profile::PaymentMember;
use serde_json::{Map, Value};

/// The members, in the release's order.
pub(super) fn payment_fields(node: &State, payment: &Payment) -> Map<String, Value> {
    let mut json = Map::new();
    for member in node.profile.payment_members() {
        if let Some(value) = value(node, payment, *member) {
            json.insert(member.name().to_owned(), value);
        }
    }
    json
}

fn value(node: &State, payment: &Payment, member: PaymentMember) -> Option<Value> {
    let sent = &payment.sent;
    let not_zero = |number: u64| Some(number).filter(|number| *number != 0);
    let is_bolt12 = sent.bolt11.as_ref().is_some_and(|text| text.starts_with("lni"));
    match member {
        PaymentMember::CreatedIndex | PaymentMember::Id => Some(payment.created_index.into()),
        PaymentMember::PaymentHash => Some(hex::encode(sent.key.payment_hash).into()),
        PaymentMember::Groupid => Some(sent.key.groupid.into()),
        PaymentMember::UpdatedIndex => not_zero(payment.updated_index.cast_unsigned()).map(Value::from),
        PaymentMember::Partid => not_zero(sent.key.partid).map(Value::from),
        PaymentMember::Destination => sent.destination.map(|node| node.to_string().into()),
        PaymentMember::Msatoshi => not_zero(sent.amount_msat).map(Value::from),
        PaymentMember::AmountMsat => not_zero(sent.amount_msat).map(|msat| node.amount(msat)),
        PaymentMember::MsatoshiSent => Some(sent.amount_sent_msat.into()),
        PaymentMember::AmountSentMsat => Some(node.amount(sent.amount_sent_msat)),
        PaymentMember::CreatedAt => Some(payment.created_at.into()),
        PaymentMember::CompletedAt => payment.completed_at.map(Value::from),
        PaymentMember::Status => Some(payment.status.name().into()),
        PaymentMember::PaymentPreimage => payment.preimage.map(|preimage| hex::encode(preimage).into()),
        PaymentMember::Label => sent.label.clone().map(Value::from),
        PaymentMember::Bolt11 => sent.bolt11.clone().filter(|_| !is_bolt12).map(Value::from),
        PaymentMember::Bolt12 => sent.bolt11.clone().filter(|_| is_bolt12).map(Value::from),
        PaymentMember::Description => sent.description.clone().map(Value::from),
        PaymentMember::Erroronion => payment.failure_onion.as_ref().map(|onion| hex::encode(onion).into()),
    }
}
