//! `createinvoice` and `signinvoice`: invoices that somebody else has written (`lightningd/invoice.c`).

use super::create::invoice_code;
use super::list::invoice_json;
use super::store::{self, NewInvoice};
use crate::command::Command;
use crate::command::params::{Params, Shape, invalid};
use crate::jsonrpc::RpcRequest;
use crate::state::State;
use crate::world::unix_seconds;
use bitcoin::hashes::{Hash, sha256};
use leyden_bolt::SignedInvoice;
use leyden_protocol::message::RpcError;
use serde_json::json;

/// An invoice, and its text with the signature of this node.
struct Signed {
    invoice: leyden_bolt::Invoice,
    bolt11: String,
}

impl Signed {
    /// Reads `invstring`, whoever has signed it.
    fn parse(params: &Params, node: &State) -> Result<Self, RpcError> {
        let text = params.string("invstring")?;
        let unparsable = |why: &dyn std::fmt::Display| invalid(format!("Unparsable invoice '{text}': {why}"));
        let read: SignedInvoice = text.parse().map_err(|error| unparsable(&error))?;
        let bolt11 = read.invoice.sign(&node.node_key).map_err(|error| unparsable(&error))?;
        Ok(Self { invoice: read.invoice, bolt11 })
    }
}

/// `createinvoice invstring label preimage`.
pub(crate) struct Createinvoice {
    signed: Signed,
    label: String,
    description: String,
    preimage: [u8; 32],
}

impl Command for Createinvoice {
    const NAME: &'static str = "createinvoice";
    const TAKES: &'static [Shape] =
        &[Shape::required("invstring"), Shape::required("label"), Shape::required("preimage")];

    fn parse(params: &Params, node: &State) -> Result<Self, RpcError> {
        let label = params.label("label")?;
        let preimage = params.optional_bytes32("preimage", "should be 64 hex digits")?;
        let preimage = preimage.expect("the shape requires it");
        let signed = Signed::parse(params, node)?;
        let description = signed.invoice.description.text().map(str::to_owned);
        let description = description.ok_or_else(|| invalid("Missing description in invoice"))?;
        if sha256::Hash::hash(&preimage).to_byte_array() != signed.invoice.payment_hash {
            return Err(invalid("Incorrect preimage"));
        }
        Ok(Self { signed, label, description, preimage })
    }

    fn run(self, node: &mut State, request: &RpcRequest) -> Result<(), RpcError> {
        let Signed { invoice, bolt11 } = &self.signed;
        if let Some(other) = store::labelled(node.stored(), &self.label) {
            let error = RpcError::new(invoice_code::LABEL_ALREADY_EXISTS, "Duplicate label");
            return Err(RpcError { data: Some(invoice_json(node, &other)), ..error });
        }
        if store::exists(node.stored(), "payment_hash", &invoice.payment_hash) {
            return Err(RpcError::new(invoice_code::PREIMAGE_ALREADY_EXISTS, "preimage already used"));
        }
        // Its time begins now, whenever it was written.
        let expires_at = unix_seconds((node.clock)()).saturating_add(invoice.expiry_seconds);
        let new = NewInvoice {
            payment_hash: invoice.payment_hash,
            preimage: self.preimage,
            amount_msat: invoice.amount_msat,
            label: &self.label,
            expires_at: i64::try_from(expires_at).unwrap_or(i64::MAX),
            bolt11,
            description: &self.description,
            features: invoice.features.as_be_bytes(),
        };
        let index = node.insert_invoice(&new);
        node.notify_of_invoice("invoice_creation", &self.label, &self.preimage, invoice.amount_msat);
        let stored = store::numbered(node.stored(), index).expect("it has just been stored");
        let shown = invoice_json(node, &stored);
        node.expire_invoices();
        node.reply(&request.client, &shown);
        Ok(())
    }
}

/// `signinvoice invstring`.
pub(crate) struct Signinvoice {
    bolt11: String,
}

impl Command for Signinvoice {
    const NAME: &'static str = "signinvoice";
    const TAKES: &'static [Shape] = &[Shape::required("invstring")];

    fn parse(params: &Params, node: &State) -> Result<Self, RpcError> {
        Signed::parse(params, node).map(|signed| Self { bolt11: signed.bolt11 })
    }

    fn run(self, node: &mut State, request: &RpcRequest) -> Result<(), RpcError> {
        node.reply(&request.client, &json!({ "bolt11": self.bolt11 }));
        Ok(())
    }
}
