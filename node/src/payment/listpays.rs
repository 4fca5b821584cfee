//! `listpays`: the parts of each attempt at a payment together (`plugins/xpay/listpays.c`).

use super::listsendpays::{QUERY, Query};
use super::store::{Payment, Status};
use super::xpay::XPAY;
use crate::command::Command;
use crate::command::params::{Params, Shape};
use crate::jsonrpc::RpcRequest;
use crate::jsonrpc::internal::given;
use crate::state::State;
use leyden_protocol::message::RpcError;
use serde_json::{Map, Value, json};

/// `listpays [bolt11] [payment_hash] [status] [index] [start] [limit]`.
pub(crate) struct Listpays {
    query: Query,
    /// What `listsendpays` is asked.
    given: Value,
}

impl Command for Listpays {
    const NAME: &'static str = "listpays";
    const TAKES: &'static [Shape] = QUERY;

    fn parse(params: &Params, _: &State) -> Result<Self, RpcError> {
        let one = |shape: &Shape| given(params, shape.name).map(|value| (shape.name.to_owned(), value));
        let given: Map<String, Value> = QUERY.iter().filter_map(one).collect();
        Ok(Self { query: Query::parse(params)?, given: given.into() })
    }

    fn run(self, node: &mut State, request: &RpcRequest) -> Result<(), RpcError> {
        let Self { query, given } = self;
        let call = node.bundled_call(XPAY, request);
        node.call_first_of_late(call, "listsendpays", &given, move |node, call| {
            let pays = node.pays(&query);
            node.reply(&call.client, &json!({ "pays": pays }));
            Ok(())
        })
    }
}

impl State {
    fn pays(&self, query: &Query) -> Vec<Value> {
        let found = query.find(self.stored());
        let mut groups: Vec<Vec<&Payment>> = Vec::new();
        for part in &found {
            let of = |part: &Payment| (part.sent.key.payment_hash, part.sent.key.groupid);
            match groups.iter_mut().find(|group| of(group[0]) == of(part)) {
                Some(group) => group.push(part),
                None => groups.push(vec![part]),
            }
        }
        groups.iter().map(|group| pay(self, group)).collect()
    }
}

/// One attempt at a payment, which has at least one part.
fn pay(node: &State, parts: &[&Payment]) -> Value {
    let first = parts[0];
    let has = |status| parts.iter().any(|part| part.status == status);
    let complete = || parts.iter().filter(|part| part.status == Status::Complete);
    // What failed brought nothing anywhere.
    let sent: Vec<&&Payment> = parts.iter().filter(|part| part.status != Status::Failed).collect();
    let status = match (has(Status::Complete), has(Status::Pending)) {
        (true, _) => Status::Complete,
        (false, true) => Status::Pending,
        (false, false) if node.plans.is_paying(&first.sent.key.payment_hash) => Status::Pending,
        (false, false) => Status::Failed,
    };

    let mut json = Map::new();
    let mut add = |name: &str, value: Option<Value>| {
        if let Some(value) = value {
            json.insert(name.to_owned(), value);
        }
    };
    let invoice = parts.iter().find_map(|part| part.sent.bolt11.clone());
    let is_bolt12 = invoice.as_ref().is_some_and(|text| text.starts_with("lni"));
    add(if is_bolt12 { "bolt12" } else { "bolt11" }, invoice.map(Value::from));
    add("description", parts.iter().find_map(|part| part.sent.description.clone()).map(Value::from));
    add("destination", first.sent.destination.map(|node| node.to_string().into()));
    add("payment_hash", Some(hex::encode(first.sent.key.payment_hash).into()));
    add("status", Some(status.name().into()));
    add("created_at", Some(first.created_at.into()));
    add("completed_at", complete().filter_map(|part| part.completed_at).min().map(Value::from));
    add("label", first.sent.label.clone().map(Value::from));
    let preimage = complete().find_map(|part| part.preimage);
    add("preimage", preimage.map(|preimage| hex::encode(preimage).into()));
    let knows_amounts = !sent.is_empty() && sent.iter().all(|part| part.sent.amount_msat != 0);
    let amount = || node.amount(sent.iter().map(|part| part.sent.amount_msat).sum());
    add("amount_msat", knows_amounts.then(amount));
    add("amount_sent_msat", Some(node.amount(sent.iter().map(|part| part.sent.amount_sent_msat).sum())));
    add("number_of_parts", (sent.len() > 1).then(|| sent.len().into()));
    if node.profile.counts_changes() {
        add("created_index", parts.iter().map(|part| part.created_index).min().map(Value::from));
        let updated = parts.iter().map(|part| part.updated_index).max().filter(|index| *index != 0);
        add("updated_index", updated.map(Value::from));
    }
    json.into()
}
