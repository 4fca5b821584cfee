//! `delinvoice` (`lightningd/invoice.c:json_delinvoice`).

use super::list::invoice_json;
use super::store::{self, StoredInvoice};
use crate::command::Command;
use crate::command::params::{Params, Shape};
use crate::jsonrpc::RpcRequest;
use crate::state::State;
use leyden_protocol::message::RpcError;
use serde_json::json;

/// Codes of `common/jsonrpc_errors.h`.
mod invoice_code {
    pub(super) const NOT_FOUND: i64 = 905;
    pub(super) const STATUS_UNEXPECTED: i64 = 906;
    pub(super) const NO_DESCRIPTION: i64 = 908;
}

/// `delinvoice label status [desconly]`.
pub(crate) struct Delinvoice {
    invoice: StoredInvoice,
    /// Whether only the description is to go.
    description_only: bool,
}

impl Command for Delinvoice {
    const NAME: &'static str = "delinvoice";
    const TAKES: &'static [Shape] =
        &[Shape::required("label"), Shape::required("status"), Shape::optional("desconly")];

    fn parse(params: &Params, node: &State) -> Result<Self, RpcError> {
        let label = params.label("label")?;
        let wanted = params.string("status")?;
        let description_only = params.optional_bool("desconly")?.unwrap_or(false);
        let invoice = store::labelled(node.stored(), &label)
            .ok_or_else(|| RpcError::new(invoice_code::NOT_FOUND, "Unknown invoice"))?;
        let status = invoice.status.name();
        if status != wanted {
            let text = format!("Invoice status is {status} not {wanted}");
            let data = json!({ "current_status": status, "expected_status": wanted });
            return Err(RpcError {
                data: Some(data),
                ..RpcError::new(invoice_code::STATUS_UNEXPECTED, text)
            });
        }
        if description_only && invoice.description.is_none() {
            return Err(RpcError::new(invoice_code::NO_DESCRIPTION, "Invoice description already removed"));
        }
        Ok(Self { invoice, description_only })
    }

    fn run(self, node: &mut State, request: &RpcRequest) -> Result<(), RpcError> {
        let mut invoice = self.invoice;
        if self.description_only {
            node.delete_invoice_description(&invoice);
            // As lightningd does, the answer still has the old `updated_index`.
            invoice.description = None;
        } else {
            node.delete_invoice(&invoice);
            node.tell_waiters_deleted(invoice.created_index);
        }
        let shown = invoice_json(node, &invoice);
        node.reply(&request.client, &shown);
        Ok(())
    }
}
