//! What is to be paid.

use super::super::code;
use crate::command::decode::read_invoice;
use crate::command::params::invalid;
use crate::state::State;
use crate::world::unix_seconds;
use bitcoin::Network;
use bitcoin::secp256k1::PublicKey;
use leyden_bolt::features::bit;
use leyden_bolt::invoice::{Description, RouteHop};
use leyden_protocol::message::RpcError;

/// What is to be paid, and to whom.
#[derive(Debug, Clone)]
pub(in crate::payment) struct Goal {
    pub(in crate::payment) destination: PublicKey,
    pub(in crate::payment) payment_hash: [u8; 32],
    /// As it was given; `None` if there is none.
    pub(in crate::payment) invoice: Option<String>,
    /// What this node pays of it.
    pub(in crate::payment) amount_msat: u64,
    /// What the destination waits for.
    pub(in crate::payment) total_msat: u64,
    /// Blocks that the last HTLC must leave.
    pub(in crate::payment) final_cltv: u32,
    pub(in crate::payment) payment_secret: Option<[u8; 32]>,
    pub(in crate::payment) payment_metadata: Option<Vec<u8>>,
    /// Records for the destination that have no meaning to this node.
    pub(in crate::payment) extra_tlvs: Vec<(u64, Vec<u8>)>,
    pub(in crate::payment) hints: Vec<Vec<RouteHop>>,
    pub(in crate::payment) label: Option<String>,
    /// What an invoice describes that has only the hash of its description.
    pub(in crate::payment) description: Option<String>,
}

/// What a client says about an invoice that is to be paid.
pub(in crate::payment) struct Order {
    pub(in crate::payment) invoice: String,
    pub(in crate::payment) amount_msat: Option<u64>,
    pub(in crate::payment) partial_msat: Option<u64>,
    pub(in crate::payment) label: Option<String>,
    /// Of an invoice that has only its hash.
    pub(in crate::payment) description: Option<String>,
}

impl Goal {
    /// What an invoice asks for. Gives also whether it may be paid in parts.
    ///
    /// # Errors
    /// In lightningd's words: it cannot be read, has expired, or its amount does not go with what the client says.
    pub(in crate::payment) fn of_invoice(node: &State, order: Order) -> Result<(Self, bool), RpcError> {
        let text = &order.invoice;
        let bare =
            text.strip_prefix("lightning:").or_else(|| text.strip_prefix("LIGHTNING:")).unwrap_or(text);
        let signed = read_invoice(bare, &node.features.invoice, Some(Network::Regtest))
            .map_err(|why| invalid(format!("Invalid bolt11 invoice: {why}")))?;
        let invoice = signed.invoice;
        let described = order.description.as_deref().map(Description::hash_of);
        if let (Some(described), hash @ Description::Hash(_)) = (described, &invoice.description)
            && described != *hash
        {
            return Err(invalid("Invalid bolt11: h: does not match description"));
        }
        let total_msat = match (invoice.amount_msat, order.amount_msat) {
            (None, None) => return Err(invalid("amount_msat required")),
            (Some(_), Some(_)) => return Err(invalid("amount_msat unnecessary")),
            (Some(msat), None) | (None, Some(msat)) => msat,
        };
        let amount_msat = order.partial_msat.unwrap_or(total_msat);
        if amount_msat > total_msat {
            let text = format!("partial_msat must be less or equal to total amount {total_msat}msat");
            return Err(invalid(text));
        }
        if total_msat == 0 {
            return Err(invalid("Cannot pay bolt11 invoice with zero amount"));
        }
        if amount_msat == 0 {
            return Err(invalid("partial_msat must be non-zero"));
        }
        let now = unix_seconds((node.clock)());
        if let Some(ago) = now.checked_sub(invoice.created_at.saturating_add(invoice.expiry_seconds) + 1) {
            let text = format!("Invoice expired {} seconds ago", ago + 1);
            return Err(RpcError::new(code::INVOICE_EXPIRED, text));
        }
        let in_parts = invoice.features.offers(bit::BASIC_MPP);
        let goal = Self {
            destination: signed.payee,
            payment_hash: invoice.payment_hash,
            amount_msat,
            total_msat,
            final_cltv: invoice.min_final_cltv_expiry,
            payment_secret: Some(invoice.payment_secret),
            payment_metadata: invoice.payment_metadata,
            extra_tlvs: Vec::new(),
            hints: invoice.routes,
            invoice: Some(bare.to_owned()),
            label: order.label,
            description: order.description,
        };
        Ok((goal, in_parts))
    }
}
