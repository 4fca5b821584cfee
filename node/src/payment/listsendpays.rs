//! `listsendpays` (`lightningd/pay.c:json_listsendpays`).

use super::show::payment_fields;
use super::store::{self, Payment, Status};
use crate::command::Command;
use crate::command::page::Page;
use crate::command::params::{Params, Shape, invalid};
use crate::db::Db;
use crate::jsonrpc::RpcRequest;
use crate::state::State;
use leyden_bolt::SignedInvoice;
use leyden_protocol::json;
use leyden_protocol::message::RpcError;
use serde_json::{Value, json};

/// Which parts are asked for.
pub(super) struct Query {
    payment_hash: Option<[u8; 32]>,
    status: Option<Status>,
    page: Page,
}

/// What `listsendpays` and `listpays` take.
pub(super) const QUERY: &[Shape] = &[
    Shape::optional("bolt11"),
    Shape::optional("payment_hash"),
    Shape::optional("status"),
    Shape::optional("index"),
    Shape::optional("start"),
    Shape::optional("limit"),
];

impl Query {
    pub(super) fn parse(params: &Params) -> Result<Self, RpcError> {
        let invoice = params.optional_string("bolt11");
        let payment_hash = params.optional_sha256("payment_hash")?;
        let status = status(params)?;
        if payment_hash.is_some() && invoice.is_some() {
            return Err(invalid("Can only specify one of {bolt11} or {payment_hash}"));
        }
        let page = Page::parse(params)?;
        if (payment_hash.is_some() || invoice.is_some()) && page.start != 0 {
            return Err(invalid("Cannot use start with bolt11 or payment_hash"));
        }
        let hash = |text: String| {
            let invoice: Result<SignedInvoice, _> = text.parse();
            let refuse = |why| invalid(format!("Invalid invstring: {why}"));
            invoice.map(|signed| signed.invoice.payment_hash).map_err(refuse)
        };
        Ok(Self {
            payment_hash: payment_hash
                .map_or_else(|| invoice.map(hash).transpose(), |hash| Ok(Some(hash)))?,
            status,
            page,
        })
    }

    pub(super) fn find(&self, db: &Db) -> Vec<Payment> {
        match &self.payment_hash {
            Some(payment_hash) => store::with_hash(db, payment_hash),
            None => store::in_order(db, self.status, &self.page),
        }
    }
}

/// The parameter `status`.
pub(super) fn status(params: &Params) -> Result<Option<Status>, RpcError> {
    let parse = |raw| {
        Status::named(json::content(raw)).ok_or_else(|| params.wrong("status", "should be an invoice status"))
    };
    params.raw("status").map(parse).transpose()
}

/// `listsendpays [bolt11] [payment_hash] [status] [index] [start] [limit]`.
pub(crate) struct Listsendpays {
    query: Query,
}

impl Command for Listsendpays {
    const NAME: &'static str = "listsendpays";
    const TAKES: &'static [Shape] = QUERY;

    fn parse(params: &Params, _: &State) -> Result<Self, RpcError> {
        Ok(Self { query: Query::parse(params)? })
    }

    fn run(self, node: &mut State, request: &RpcRequest) -> Result<(), RpcError> {
        let found = self.query.find(node.stored());
        let payments: Vec<Value> = found.iter().map(|payment| payment_fields(node, payment).into()).collect();
        node.reply(&request.client, &json!({ "payments": payments }));
        Ok(())
    }
}
