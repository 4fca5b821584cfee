//! `listinvoices` (`lightningd/invoice.c:json_listinvoices`).

use super::store::{COLUMNS, StoredInvoice};
use crate::command::params::{Params, Shape, characters, invalid};
use crate::jsonrpc::RpcRequest;
use crate::state::State;
use leyden_bolt::SignedInvoice;
use leyden_protocol::json;
use leyden_protocol::message::RpcError;
use rusqlite::ToSql;
use serde_json::{Value, json};

/// Which invoices are asked for.
enum Query {
    All,
    Label(String),
    PaymentHash([u8; 32]),
    /// The invoices of an offer: there are none.
    Offer,
    Index {
        column: &'static str,
        start: i64,
        limit: i64,
    },
}

impl Query {
    fn parse(params: &Params) -> Result<Self, RpcError> {
        let label = params.optional_label("label")?;
        let invstring = params.raw("invstring");
        let hash = "should be a 32 byte hex value";
        let payment_hash = params.optional_bytes32("payment_hash", hash)?;
        let offer = params.optional_bytes32("offer_id", hash)?;
        let index = index_column(params)?;
        let start = params.optional_u64("start")?;
        let limit = params.optional_u32("limit")?;
        let ways = [label.is_some(), invstring.is_some(), payment_hash.is_some(), offer.is_some()];
        if ways.into_iter().filter(|given| *given).count() > 1 {
            return Err(invalid(
                "Can only specify one of {label}, {invstring}, {payment_hash} or {offer_id}",
            ));
        }
        if start.is_some() && index.is_none() {
            return Err(invalid("Can only specify {start} with {index}"));
        }
        if limit.is_some() && index.is_none() {
            return Err(invalid("Can only specify {limit} with {index}"));
        }
        if let Some(text) = invstring {
            let invoice: Result<SignedInvoice, _> = characters(text).parse();
            let invoice = invoice.map_err(|_| invalid("Invalid invstring"))?;
            return Ok(Self::PaymentHash(invoice.invoice.payment_hash));
        }
        Ok(match (label, payment_hash, offer, index) {
            (Some(label), ..) => Self::Label(label),
            (_, Some(hash), ..) => Self::PaymentHash(hash),
            (_, _, Some(_), _) => Self::Offer,
            (.., Some(column)) => Self::Index {
                column,
                start: start.map_or(0, |start| i64::try_from(start).unwrap_or(i64::MAX)),
                limit: limit.map_or(-1, i64::from),
            },
            _ => Self::All,
        })
    }
}

fn index_column(params: &Params) -> Result<Option<&'static str>, RpcError> {
    match params.raw("index").map(characters) {
        None => Ok(None),
        Some("created") => Ok(Some("id")),
        Some("updated") => Ok(Some("updated_index")),
        Some(_) => Err(params.wrong("index", "unknown index")),
    }
}

impl State {
    /// `listinvoices [label] [invstring] [payment_hash] [offer_id] [index] [start] [limit]`.
    pub(crate) fn command_listinvoices(&mut self, request: &RpcRequest) -> Result<(), RpcError> {
        let shape = ["label", "invstring", "payment_hash", "offer_id", "index", "start", "limit"];
        let params = Params::parse(request, &shape.map(Shape::optional), false)?;
        let query = Query::parse(&params)?;
        self.expire_invoices();
        let invoices: Vec<Value> = self.find_invoices(&query).iter().map(invoice_json).collect();
        self.reply(&request.client, &json!({ "invoices": invoices }));
        Ok(())
    }

    fn find_invoices(&mut self, query: &Query) -> Vec<StoredInvoice> {
        let mut select = |rest: &str, params: &[&dyn ToSql]| {
            let sql = format!("SELECT {COLUMNS} FROM invoices {rest}");
            self.db().rows(&sql, params, StoredInvoice::read)
        };
        match query {
            Query::All => select("ORDER BY id", &[]),
            Query::Label(label) => select("WHERE label = ?", &[label]),
            Query::PaymentHash(hash) => select("WHERE payment_hash = ?", &[hash]),
            Query::Offer => Vec::new(),
            Query::Index { column, start, limit } => {
                let rest = format!("WHERE {column} >= ? ORDER BY {column}, id LIMIT ?");
                select(&rest, &[start, limit])
            }
        }
    }
}

fn invoice_json(invoice: &StoredInvoice) -> Value {
    let mut json = json!({
        "label": unescaped(&invoice.label),
        "bolt11": invoice.bolt11,
        "payment_hash": hex::encode(invoice.payment_hash),
    });
    if let Some(amount_msat) = invoice.amount_msat {
        json["amount_msat"] = Value::from(amount_msat);
    }
    json["status"] = Value::from(invoice.status.name());
    json["description"] = Value::from(&*invoice.description);
    json["expires_at"] = Value::from(invoice.expires_at);
    json["created_index"] = Value::from(invoice.created_index);
    if invoice.updated_index != 0 {
        json["updated_index"] = Value::from(invoice.updated_index);
    }
    json
}

/// A stored label without its JSON escapes.
pub(super) fn unescaped(label: &str) -> String {
    json::string(&format!("\"{label}\"")).unwrap_or_else(|| label.to_owned())
}
