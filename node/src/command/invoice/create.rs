//! `invoice` (`lightningd/invoice.c:json_invoice`).

use super::list::unescaped;
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
use leyden_bolt::ShortChannelId;
use leyden_bolt::invoice::{Description, payment_secret};
use leyden_protocol::json;
use leyden_protocol::message::{RpcError, code};
use serde_json::{Map, json};

/// Codes of `common/jsonrpc_errors.h`.
mod invoice_code {
    pub(super) const LABEL_ALREADY_EXISTS: i64 = 900;
    pub(super) const PREIMAGE_ALREADY_EXISTS: i64 = 901;
    pub(super) const HINTS_GAVE_NO_ROUTES: i64 = 902;
}

/// `expiry` if it is not given: seven days.
const EXPIRY_SECONDS: u64 = 604_800;

/// `cltv` if it is not given: lightningd's `--cltv-final` on a test network.
const CLTV_FINAL: u32 = 10;

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
    /// Whether hints of particular channels are wanted.
    private_channels: bool,
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

    fn parse(params: &Params, _: &State) -> Result<Self, RpcError> {
        let wanted = Self {
            amount_msat: amount(params)?,
            label: params.label("label")?,
            description: params.optional_escaped_string("description")?.unwrap_or_default(),
            expiry_seconds: params.optional_u64("expiry")?.unwrap_or(EXPIRY_SECONDS),
            fallbacks: fallbacks(params)?,
            preimage: params.optional_bytes32("preimage", "should be 64 hex digits")?,
            private_channels: private_channels(params)?,
            cltv: params.optional_integer("cltv")?.unwrap_or(CLTV_FINAL),
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
        let fallbacks = self.fallbacks.iter().map(|text| fallback(text)).collect::<Result<_, _>>()?;
        if self.private_channels {
            // There are no channels to be exposed.
            let text = "None of those hints were suitable local channels";
            return Err(RpcError::new(invoice_code::HINTS_GAVE_NO_ROUTES, text));
        }
        let preimage = self.preimage.unwrap_or_else(|| node.entropy.draw());
        let payment_hash = sha256::Hash::hash(&preimage).to_byte_array();
        self.refuse_duplicate(node.stored(), &payment_hash)?;

        let created_at = unix_seconds((node.clock)());
        let expires_at = created_at.checked_add(self.expiry_seconds).map(i64::try_from);
        let Some(Ok(expires_at)) = expires_at else {
            return Err(refused_value("expiry", "should end in this era", self.expiry_seconds));
        };
        let invoice = self.bolt11(node, created_at, payment_hash, payment_secret(&preimage), fallbacks);
        // All else that may not fit has been looked at.
        let too_much = |_| refused_value("amount_msat", BAD_AMOUNT, self.amount_msat.unwrap_or_default());
        let bolt11 = invoice.sign(&node.node_key).map_err(too_much)?;
        let features = invoice.features.as_be_bytes();
        let profile = node.profile;
        let created_index = store::insert(
            node.db(),
            profile,
            &NewInvoice {
                payment_hash,
                preimage,
                amount_msat: self.amount_msat,
                label: &self.label,
                expires_at,
                bolt11: &bolt11,
                description: &self.description,
                features,
            },
        );
        node.expire_invoices();
        self.notify(node, &preimage);
        let result = json!({
            "payment_hash": hex::encode(payment_hash),
            "expires_at": expires_at,
            "bolt11": bolt11,
            "payment_secret": hex::encode(invoice.payment_secret),
            "created_index": created_index,
            "warning_capacity": "Insufficient incoming channel capacity to pay invoice",
        });
        node.reply(&request.client, &result);
        Ok(())
    }
}

impl Invoice {
    fn refuse_duplicate(&self, db: &Db, payment_hash: &[u8; 32]) -> Result<(), RpcError> {
        if store::exists(db, "payment_hash", payment_hash) {
            return Err(RpcError::new(invoice_code::PREIMAGE_ALREADY_EXISTS, "preimage already used"));
        }
        if store::exists(db, "label", &self.label) {
            let text = format!("Duplicate label '{}'", self.label);
            return Err(RpcError::new(invoice_code::LABEL_ALREADY_EXISTS, text));
        }
        Ok(())
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

    fn notify(&self, node: &mut State, preimage: &[u8; 32]) {
        let member = |name| match name {
            "msat" => self.amount_msat.map(|msat| node.profile.invoice_msat(msat)),
            "preimage" => Some(hex::encode(preimage).into()),
            _ => Some(unescaped(&self.label).into()),
        };
        let members = node.profile.invoice_creation_members();
        let fields: Map<_, _> =
            members.into_iter().filter_map(|name| Some((name.to_owned(), member(name)?))).collect();
        node.notify("invoice_creation", fields.into());
    }
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
fn private_channels(params: &Params) -> Result<bool, RpcError> {
    let name = "exposeprivatechannels";
    let Some(raw) = params.raw(name).filter(|raw| json::boolean(raw).is_none()) else { return Ok(false) };
    let is_short_channel_id = |text: &str| text.parse::<ShortChannelId>().is_ok();
    match json::elements(raw) {
        Some(elements) => {
            if let Some(bad) = elements.iter().find(|element| !is_short_channel_id(json::content(element))) {
                return Err(wrong_token(name, "should be a short channel id", bad));
            }
            Ok(!elements.is_empty())
        }
        None if is_short_channel_id(json::content(raw)) => Ok(true),
        None => Err(params.wrong(name, "should be a short_channel_id of form NxNxN")),
    }
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
