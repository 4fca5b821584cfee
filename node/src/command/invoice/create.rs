//! `invoice` (`lightningd/invoice.c:json_invoice`).

use super::hints::Wanted;
use super::store::{self, NewInvoice};
use crate::command::Command;
use crate::command::amount::parse_msat;
use crate::command::params::{Params, Shape, invalid, wrong_token};
use crate::db::Db;
use crate::jsonrpc::RpcRequest;
use crate::state::State;
use crate::world::unix_seconds;
use bitcoin::address::{Address, NetworkUnchecked};
use bitcoin::hashes::{Hash, sha256};
use bitcoin::{Network, ScriptBuf};
use leyden_bolt::invoice::{Description, payment_secret};
use leyden_protocol::json;
use leyden_protocol::message::{RpcError, code};
use serde_json::json;

/// Codes of `common/jsonrpc_errors.h`.
pub(super) mod invoice_code {
    pub(in super::super) const LABEL_ALREADY_EXISTS: i64 = 900;
    pub(in super::super) const PREIMAGE_ALREADY_EXISTS: i64 = 901;
    pub(super) const HINTS_GAVE_NO_ROUTES: i64 = 902;
}

/// `expiry` if it is not given: seven days.
const EXPIRY_SECONDS: u64 = 604_800;

/// The longest description in bytes (`BOLT11_FIELD_BYTE_LIMIT`).
const DESCRIPTION_LIMIT: usize = 639;

/// The longest label in bytes.
const LABEL_LIMIT: usize = 128;

/// `invoice amount_msat label description [expiry] [fallbacks] [preimage] [exposeprivatechannels] [cltv]
/// [deschashonly]`.
pub(crate) struct Invoice {
    amount_msat: Option<u64>,
    /// With its JSON escapes.
    label: String,
    description: String,
    hash_only: bool,
    expiry_seconds: u64,
    fallbacks: Vec<String>,
    preimage: Option<[u8; 32]>,
    /// The channels that are to be shown.
    hints: Wanted,
    cltv: u32,
}

impl Command for Invoice {
    const NAME: &'static str = "invoice";
    const TAKES: &'static [Shape] = &[
        Shape::required("amount_msat"),
        Shape::required("label"),
        Shape::required("description"),
        Shape::optional("expiry"),
        Shape::optional("fallbacks"),
        Shape::optional("preimage"),
        Shape::optional("exposeprivatechannels"),
        Shape::optional("cltv"),
        Shape::optional("deschashonly"),
    ];

    fn parse(params: &Params, node: &State) -> Result<Self, RpcError> {
        let wanted = Self {
            amount_msat: amount(params)?,
            label: params.label("label")?,
            description: params.optional_escaped_string("description")?.unwrap_or_default(),
            expiry_seconds: params.optional_u64("expiry")?.unwrap_or(EXPIRY_SECONDS),
            fallbacks: fallbacks(params)?,
            preimage: params.optional_bytes32("preimage", "should be 64 hex digits")?,
            hints: wanted_hints(params)?,
            cltv: params.optional_integer("cltv")?.unwrap_or(node.config.channels.cltv_final.into()),
            hash_only: params.optional_bool("deschashonly")?.unwrap_or(false),
        };
        if wanted.label.len() > LABEL_LIMIT {
            return Err(invalid(format!("Label '{}' over {LABEL_LIMIT} bytes", wanted.label)));
        }
        let length = wanted.description.len();
        if length > DESCRIPTION_LIMIT && !wanted.hash_only {
            return Err(invalid(format!(
                "Description greater than {DESCRIPTION_LIMIT} bytes invalid (description length {length})"
            )));
        }
        Ok(wanted)
    }

    fn run(self, node: &mut State, request: &RpcRequest) -> Result<(), RpcError> {
        let issued = self.issue(node)?;
        let mut result = json!({
            "payment_hash": hex::encode(issued.payment_hash),
            "expires_at": issued.expires_at,
            "bolt11": issued.bolt11,
            "payment_secret": hex::encode(issued.payment_secret),
            "created_index": issued.created_index,
        });
        for (name, text) in issued.warnings {
            result[name] = text.into();
        }
        node.reply(&request.client, &result);
        Ok(())
    }
}

/// An invoice that was just made.
pub(crate) struct Issued {
    payment_hash: [u8; 32],
    pub(crate) payment_secret: [u8; 32],
    bolt11: String,
    expires_at: i64,
    created_index: i64,
    warnings: Vec<(&'static str, &'static str)>,
}

impl Invoice {
    /// One over any amount, for a payment that brings its preimage.
    pub(crate) fn backfill(label: String, description: String, preimage: [u8; 32], cltv: u32) -> Self {
        Self {
            amount_msat: None,
            label,
            hash_only: description.len() > DESCRIPTION_LIMIT,
            description,
            expiry_seconds: EXPIRY_SECONDS,
            fallbacks: Vec::new(),
            preimage: Some(preimage),
            hints: Wanted::IfNonePublic,
            cltv,
        }
    }

    /// Makes the invoice, stores it and tells of it.
    pub(crate) fn issue(self, node: &mut State) -> Result<Issued, RpcError> {
        let fallbacks = self.fallbacks.iter().map(|text| fallback(text)).collect::<Result<_, _>>()?;
        let hints = node.route_hints(&self.hints, self.amount_msat).ok_or_else(|| {
            let text = "None of those hints were suitable local channels";
            RpcError::new(invoice_code::HINTS_GAVE_NO_ROUTES, text)
        })?;
        let preimage = self.preimage.unwrap_or_else(|| node.entropy.draw());
        let payment_hash = sha256::Hash::hash(&preimage).to_byte_array();
        refuse_duplicate(node.stored(), &payment_hash, &self.label)?;

        let created_at = unix_seconds((node.clock)());
        let expires_at = created_at.checked_add(self.expiry_seconds).map(i64::try_from);
        let Some(Ok(expires_at)) = expires_at else {
            return Err(refused_value("expiry", "should end in this era", self.expiry_seconds));
        };
        let mut invoice = self.bolt11(node, created_at, payment_hash, payment_secret(&preimage), fallbacks);
        invoice.routes = hints.routes;
        // All else that may not fit has been looked at.
        let too_much = |_| refused_value("amount_msat", BAD_AMOUNT, self.amount_msat.unwrap_or_default());
        let bolt11 = invoice.sign(&node.node_key).map_err(too_much)?;
        let new = NewInvoice {
            payment_hash,
            preimage,
            amount_msat: self.amount_msat,
            label: &self.label,
            expires_at,
            bolt11: &bolt11,
            description: &self.description,
            features: invoice.features.as_be_bytes(),
        };
        let created_index = node.insert_invoice(&new);
        node.expire_invoices();
        node.notify_of_invoice("invoice_creation", &self.label, &preimage, self.amount_msat);
        Ok(Issued {
            payment_hash,
            payment_secret: invoice.payment_secret,
            bolt11,
            expires_at,
            created_index,
            warnings: hints.warnings,
        })
    }

    fn bolt11(
        &self,
        node: &State,
        created_at: u64,
        payment_hash: [u8; 32],
        payment_secret: [u8; 32],
        fallbacks: Vec<ScriptBuf>,
    ) -> leyden_bolt::Invoice {
        let description = if self.hash_only {
            Description::hash_of(&self.description)
        } else {
            Description::Text(self.description.clone())
        };
        leyden_bolt::Invoice {
            network: Network::Regtest,
            created_at,
            amount_msat: self.amount_msat,
            description,
            expiry_seconds: self.expiry_seconds,
            min_final_cltv_expiry: self.cltv,
            payment_hash,
            payment_secret,
            features: node.features.invoice.clone(),
            payment_metadata: None,
            fallbacks,
            routes: Vec::new(),
        }
    }
}

/// Refuses an invoice whose preimage or label another one has.
fn refuse_duplicate(db: &Db, payment_hash: &[u8; 32], label: &str) -> Result<(), RpcError> {
    if store::exists(db, "payment_hash", payment_hash) {
        return Err(RpcError::new(invoice_code::PREIMAGE_ALREADY_EXISTS, "preimage already used"));
    }
    if store::exists(db, "label", &label) {
        let text = format!("Duplicate label '{label}'");
        return Err(RpcError::new(invoice_code::LABEL_ALREADY_EXISTS, text));
    }
    Ok(())
}

/// What is wrong with an amount.
const BAD_AMOUNT: &str = "should be positive msat or 'any'";

fn amount(params: &Params) -> Result<Option<u64>, RpcError> {
    match json::content(params.required_raw("amount_msat")?) {
        "any" => Ok(None),
        text => {
            let amount = parse_msat(text).filter(|amount| *amount > 0);
            amount.map(Some).ok_or_else(|| params.wrong("amount_msat", BAD_AMOUNT))
        }
    }
}

/// The complaint about a number that cannot be used, though it is one.
fn refused_value(name: &str, what: &str, value: u64) -> RpcError {
    wrong_token(name, what, &value.to_string())
}

fn fallbacks(params: &Params) -> Result<Vec<String>, RpcError> {
    let Some(raw) = params.raw("fallbacks") else { return Ok(Vec::new()) };
    let elements = json::elements(raw).ok_or_else(|| params.wrong("fallbacks", "should be an array"))?;
    Ok(elements.into_iter().map(|element| json::content(element).to_owned()).collect())
}

fn fallback(text: &str) -> Result<ScriptBuf, RpcError> {
    let refused = |why: &str| RpcError::new(code::LIGHTNINGD, why);
    let address: Address<NetworkUnchecked> =
        text.parse().map_err(|_| refused("Fallback address not valid"))?;
    match address.require_network(Network::Regtest) {
        Ok(address) => Ok(address.script_pubkey()),
        // Only addresses of the old kind are told apart from nonsense.
        Err(_) if text.starts_with(['1', '3']) => {
            Err(refused("Fallback address does not match our network regtest"))
        }
        Err(_) => Err(refused("Fallback address not valid")),
    }
}

/// `exposeprivatechannels`: a boolean, a channel or several.
fn wanted_hints(params: &Params) -> Result<Wanted, RpcError> {
    let name = "exposeprivatechannels";
    let Some(raw) = params.raw(name) else { return Ok(Wanted::IfNonePublic) };
    if let Some(private) = json::boolean(raw) {
        return Ok(if private { Wanted::All } else { Wanted::Public });
    }
    if let Some(elements) = json::elements(raw) {
        let channel = |element: &&str| {
            let parsed = json::content(element).parse();
            parsed.map_err(|_| wrong_token(name, "should be a short channel id", element))
        };
        return elements.iter().map(channel).collect::<Result<_, _>>().map(Wanted::These);
    }
    let channel = json::content(raw).parse();
    let channel = channel.map_err(|_| params.wrong(name, "should be a short_channel_id of form NxNxN"))?;
    Ok(Wanted::These(vec![channel]))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each was asked of lightningd v26.06.6.
    #[test]
    fn fallbacks_are_of_our_network() {
        for text in ["2N2PJEucf6QY2kNFuJ4chQEBoyZWszRQE16", "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080"] {
            assert!(fallback(text).is_ok(), "{text}");
        }
        let why = |text| fallback(text).unwrap_err().message;
        let foreign = "Fallback address does not match our network regtest";
        assert_eq!(why("17VZNX1SN5NtKa8UQFxwQbFeFc3iqRYhem"), foreign);
        assert_eq!(why("bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4"), "Fallback address not valid");
        assert_eq!(why("bad"), "Fallback address not valid");
    }
}
